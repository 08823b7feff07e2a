"""fastbp/_models/parameters.py, and copies of plans: with vectors of their own, of which the parameters are views."""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g

QUIET = {"progress": False}
DATA = {"x": np.random.default_rng(0).standard_normal((20, 3)), "y": np.random.default_rng(1).standard_normal(20)}
WAYS = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda what: pickle.loads(pickle.dumps(what))}
TOGETHER = [WAYS["deepcopy"], WAYS["pickle"]]


def made(**options):
    x, y, W, b = g.input("x", 3), g.input("y"), g.parameter("W", (3, 2)), g.parameter("b", 2)
    h = fb.Dropout(0.3)(g.tanh(x @ W + b))
    return g.compile(g.mean((g.sum(h, axis=-1) - y) ** 2), {"h": h}, dtype="float64", seed=3, **options)


def is_of_its_own(twin, plan):
    for views, vector in ((twin.parameters, twin.params), (twin.gradients, twin.grads)):
        assert all(np.shares_memory(view, vector) for view in views.values())
    assert not np.shares_memory(twin.params, plan.params)
    assert not np.shares_memory(twin.grads, plan.grads)
    assert twin.params.ctypes.data % 64 == twin.grads.ctypes.data % 64 == 0
    assert (twin.params == plan.params).all()
    assert (twin.grads == plan.grads).all()
    assert repr(twin) == repr(plan)


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("how", WAYS)
def test_a_copy_is_a_plan_of_its_own(how, used):
    plan = made(debug=True)
    if used:
        plan.fit(DATA, epochs=2, batch_size=8, **QUIET)
        plan.loss_and_grad(**DATA)
        plan.loss_and_grad(**DATA)
        plan.hvp(plan.params, **DATA)
    twin = WAYS[how](plan)
    is_of_its_own(twin, plan)
    assert (twin.seed, twin.debug, twin.dtype) == (3, True, plan.dtype)
    twin.parameters["W"][:] = 7
    assert 7 in twin.params
    assert 7 not in plan.params
    assert twin.forward(**DATA)["h"].shape == (20, 2)
    with pytest.raises(RuntimeError, match="there are no values before a step"):
        twin.value(twin.loss_node)
    twin.loss_and_grad(**DATA)
    assert twin.value(twin.loss_node).shape == ()


@pytest.mark.parametrize("copied", TOGETHER)
@pytest.mark.parametrize("optimizer", [fb.Adam(lr=0.01), fb.SGD(lr=0.1, momentum=0.9, clip_norm=0.5)], ids=repr)
def test_a_plan_and_its_optimizer_go_on_alike(copied, optimizer):
    """Beside each other in a dict: the bits are those of the originals, dropout's masks included."""
    plan, optimizer = made(), optimizer.fresh()
    plan.fit(DATA, epochs=2, batch_size=8, optimizer=optimizer, **QUIET)
    plan.loss_and_grad(**DATA)
    twin = copied({"plan": plan, "optimizer": optimizer})
    for one, its in ((plan, optimizer), (twin["plan"], twin["optimizer"])):
        its.step(one)  # with the gradients that were copied
        one.fit(DATA, epochs=2, batch_size=8, optimizer=its, **QUIET)
    assert plan.params.tobytes() == twin["plan"].params.tobytes()


@pytest.mark.parametrize("copied", TOGETHER)
def test_plans_that_share_parameters_do_so_in_their_copies(copied):
    x, a, b = g.input("x"), g.parameter("a", 2), g.parameter("b")
    large = g.compile(g.mean(x * g.sum(a) + b))
    small = g.compile(g.mean(x * b), shared_with=large)
    one, two = copied((large, small))
    assert one.params is two.params
    is_of_its_own(one, large)
    assert list(two.parameters) == ["a", "b"]
    alone = copied(small)
    assert alone.params is not two.params
    assert g.compile(alone.loss_node, shared_with=alone).params is alone.params


@pytest.mark.parametrize("how", WAYS)
def test_the_parameters_of_layers_keep_their_names(how):
    net, x = fb.mlp(3, 4, 2, seed=1, dropout=0.1, l2=0.01), g.input("x", 3)
    plan = g.compile(g.mean(net(x) ** 2), dtype="float64")
    plan.fit({"x": DATA["x"]}, batch_size=5, **QUIET)
    twin = WAYS[how](plan)
    is_of_its_own(twin, plan)
    assert list(twin.parameters) == list(plan.parameters) == ["layer0.W", "layer0.b", "layer1.W", "layer1.b"]
    for one in (plan, twin):
        one.fit({"x": DATA["x"]}, epochs=2, batch_size=5, **QUIET)
    assert plan.params.tobytes() == twin.params.tobytes()
    if how != "pickle":
        twin.write_to(net)
        assert np.allclose(net.params, twin.params)


@pytest.mark.parametrize("copied", TOGETHER)
def test_a_deep_plan_is_copied(copied):
    node = x = g.input("x")
    for _ in range(2_000):
        node = g.tanh(node) + 0.1
    plan = g.compile(g.mean(node * g.parameter("a", init=1.0)), dtype="float64")
    twin, its = copied((plan, x))
    assert twin.loss_and_grad(x=[1.0])[0] == plan.loss_and_grad(x=[1.0])[0]
    assert twin.value(its).shape == (1, 1)


@pytest.mark.parametrize("how", WAYS)
def test_a_copied_layer_is_its_own(how):
    net, x = fb.Sequential(fb.Dense(3, 2, "tanh"), fb.Dropout(0.1), fb.Dense(2, 1), seed=0), g.input("x", 3)
    layer = net.layers[0]
    node = layer(x)
    twin = WAYS[how](layer)
    assert repr(twin) == repr(layer)
    assert (twin.W == layer.W).all()
    assert not np.shares_memory(twin.W, net.params)
    before = net.params.copy()
    twin.W[:] = 5
    assert (net.params == before).all()
    both = g.compile(g.mean(node + twin(x)))
    assert sorted(both.parameters) == ["layer0.W", "layer0.b", "layer1.W", "layer1.b"]
    assert repr(WAYS[how](net.layers[1])) == "Dropout(0.1)"


@pytest.mark.parametrize("how", WAYS)
def test_the_knobs_of_a_copied_fitter_are_its_own(how):
    from fastbp.curve import CurveFitter

    fitter = CurveFitter(np.arange(8.0), np.arange(8.0) ** 2, 2)
    twin = WAYS[how](fitter)
    assert np.shares_memory(twin.knobs, twin.plan.params)
    assert np.shares_memory(twin.knobs, fitter.knobs) == (how == "copy")  # a shallow copy has the same plan
    twin.knobs[:] = twin.exact
    assert twin.loss() < 1e-20
