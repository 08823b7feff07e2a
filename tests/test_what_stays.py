"""What compiled plans count on stays as it was: sizes, layers and counts of networks and optimizers, in every door."""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g

X, Y = np.ones((8, 4), "float32"), np.zeros((8, 2), "float32")


@pytest.mark.parametrize(("name", "value"), [("inputs", 1), ("units", 2**30), ("layers", []), ("dtype", "float64")])
def test_what_a_network_was_made_with_cannot_be_replaced(name, value):
    net = fb.mlp(4, 8, 2)
    with pytest.raises(AttributeError, match=f"{name} of a network cannot be replaced .*; make a new network"):
        setattr(net, name, value)


def test_layers_cannot_be_exchanged():
    net = fb.mlp(4, 8, 2)
    assert isinstance(net.layers, tuple)
    with pytest.raises(TypeError):
        net.layers[0] = fb.Dense(4, 8, "tanh")


@pytest.mark.parametrize(("seed", "error"), [(2**70, ValueError), (-1, ValueError), ("x", TypeError)])
def test_a_seed_that_is_set_is_one(seed, error):
    net = fb.mlp(4, 2)
    net.seed = 7
    with pytest.raises(error, match=r"seed is .*, expected an integer >= 0"):
        net.seed = seed
    assert net.seed == 7


@pytest.mark.parametrize(("steps", "error"), [
    (2**63, ValueError), (-1, ValueError), (1.5, TypeError), ("3", TypeError), (None, TypeError), (np.nan, TypeError),
])
def test_steps_are_a_count(steps, error):
    optimizer = fb.Adam()
    with pytest.raises(error, match=r"steps is .*, expected an integer >= 0"):
        optimizer.steps = steps
    optimizer.steps = 5
    assert optimizer.steps == 5


@pytest.mark.parametrize("use", [copy.deepcopy, pickle.dumps, lambda net: net.save("net.safetensors")])
def test_vectors_of_another_shape_are_not_copied_or_saved(use, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = fb.mlp(4, 8, 2)
    net.params.shape = (2, 29)
    with pytest.raises(ValueError, match=r"params is an array of shape \(2, 29\).*expected what it was made as"):
        use(net)
    assert not list(tmp_path.iterdir())
    plan = g.compile(g.sum(g.parameter("a", 4) ** 2))
    plan.params.shape = (2, 2)
    with pytest.raises(ValueError, match=r"params is an array of shape \(2, 2\)"):
        use(plan)


def test_read_only_parameters_are_not_written_by_a_plan(tmp_path):
    net = fb.mlp(2, 3, 1)
    plan = g.compile(g.mean(net(g.input("z", 2)) ** 2))
    before = net.params.copy()
    plan.params[:] = 7
    plan.save(tmp_path / "plan")
    net.params.flags.writeable = plan.params.flags.writeable = False
    with pytest.raises(ValueError, match=r"params is .*read-only"):
        plan.write_to(net)
    with pytest.raises(ValueError, match=r"params is .*read-only"):
        plan.load(tmp_path / "plan")
    assert np.array_equal(net.params, before)


@pytest.mark.parametrize(("given", "text"), [
    ("rmsprop", r"pass fb.RMSprop\(\)"), ("adamax", "the nearest is 'adam'"), ("Adam", "did you mean 'adam'"),
    (fb.Adam, "expected an optimizer object"),
])
def test_a_name_of_an_optimizer_leads_to_it(given, text):
    with pytest.raises((TypeError, ValueError), match=text):
        fb.mlp(4, 2).fit(X, Y, optimizer=given)


@pytest.mark.parametrize("slope", [
    lambda x: g.grad(3.0 * x, x), lambda x: g.grad(fb.mlp(1, 1)(x), x), lambda x: g.grad(g.grad(2.0 * x, x), x),
    lambda x: g.grad(g.grad(fb.mlp(1, 4, 1)(x), x), x),
])
def test_an_input_that_cancels_in_a_derivative_is_still_one(slope):
    x, y = g.inputs("x", "y")
    data = {"x": np.arange(4.0), "y": np.ones(4)}
    history = g.compile(g.mean((slope(x) - y + g.parameter("k")) ** 2)).fit(data, epochs=2, progress=False)
    assert np.isfinite(history.history["loss"]).all()


class Broken:
    def write(self, text):
        raise OSError("no")

    def flush(self):
        raise OSError("no")


@pytest.mark.parametrize("progress", [None, True])
def test_a_stderr_that_raises_ends_no_training(progress, monkeypatch):
    monkeypatch.setattr("sys.stderr", Broken())
    assert len(fb.mlp(4, 2).fit(X, Y, progress=progress).epoch) == 1


def test_the_parameters_of_a_plan_are_views_that_stay():
    plan = g.compile(g.sum(g.parameter("a", 4, init=np.ones(4)) ** 2))
    value, gradients = plan.loss_and_grad()
    for views in (plan.parameters, gradients):
        with pytest.raises(TypeError, match=r"the array of 'a' cannot be replaced.*\['a'\]\[\.\.\.\] = "):
            views["a"] = np.zeros(4)
        with pytest.raises(TypeError, match="cannot be replaced"):
            views.update(a=np.zeros(4))
    again = copy.deepcopy(plan.parameters)
    again["a"] = 3
    assert value == 4.0 and type(pickle.loads(pickle.dumps(gradients))) is dict
