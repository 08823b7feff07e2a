"""Inputs of an expression may be called anything, and none may be missing where compiled code reads it."""

import keyword

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._core.epochs import Epochs
from fastbp._core.fast_call import Ready

# arguments that methods, or what they call, have had; names of other arrays; no identifiers at all
NAMES = [
    "self", "v", "dropout", "first", "steps", "part", "what", "path", "node", "kind", "dtype", "arrays", "named",
    "inputs", "given", "data", "loss", "X", "Y", "out0", "targets", "weights", "dY", "n", "name", "lambda",
    "gradient of parameter 0", "norms of samples", "two words", "é",
]  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES, *keyword.kwlist[:2]])
def test_an_input_may_be_called_anything(name):
    x, k = g.input(name, 2), g.parameter("k", 2, init=[1.0, 2.0])
    loss = g.mean(g.square(x * k))
    plan = g.compile(loss, {"product": x * k}, dtype="float64", debug=True)
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    data = {name: rows}
    for given in (data, data, {name: rows.astype("uint8")}):  # the long way, ready to go, converted
        value, grads = plan.loss_and_grad(**given)
        assert value == 0.25 * (1 + 16 + 9 + 64)
        assert grads["k"].tolist() == [5.0, 20.0]
    assert plan.loss(**data) == value
    assert plan.forward(**data)["product"].tolist() == (rows * [1, 2]).tolist()
    assert plan.hvp([1.0, 0.0], **data).tolist() == [5.0, 0.0]
    assert np.allclose(plan.per_example_grads(**data), rows**2 * [1, 2], rtol=1e-15)
    assert plan.per_example_grad_norms(**data) == pytest.approx(np.linalg.norm(rows**2 * [1, 2], axis=1))
    assert plan.value(x).tolist() == rows.tolist()
    assert plan.grad(x).shape == (2, 2)
    assert g.show(loss, **data).startswith("%0 = input")
    assert name in g.draw(loss, None, **data).source.replace("&#39;", "'")
    plan.fit(data, validation_data=data, batch_size=1, optimizer=fb.SGD(lr=0.001), progress=False)
    assert plan.loss(**data) < value


@pytest.fixture
def compiled():
    x, y = g.inputs("x", "y")
    plan = g.compile(g.mean(x * y * g.parameter("k", init=1.0)), dtype="float64")
    plan.loss_and_grad(x=[1.0, 2.0], y=[3.0, 4.0])
    return plan


def test_a_call_without_one_of_its_arrays_is_refused(compiled):
    model, compiled = compiled, compiled._last
    column = np.ones((2, 1))
    assert compiled.run("gradients", {"x": column, "y": column})[0] == 1.0
    for given in ({}, {"x": column}, {"y": column}):  # the arrays of the last call are forgotten
        with pytest.raises(ValueError, match=r"value \d of the plan has no array, expected one for each .*; pass it"):
            compiled.run("gradients", given)
    training_state = Epochs(model, None, 2, 2, None, False, 0)
    with pytest.raises(ValueError, match=r"value \d of the plan has no array"):
        training_state.run([(compiled.executable, compiled.arrays({"x": column}))], [], None, None, 1, 1)


def test_a_call_that_is_made_ready_has_all_its_arrays(compiled):
    compiled = compiled._last
    with pytest.raises(ValueError, match=r"value \d of the plan has no array, expected one for each; name it too"):
        compiled.ready(["x"], "gradients")
    assert isinstance(compiled.ready(["y", "x"], "gradients"), Ready)


def test_parts_of_a_plan_need_their_own_arrays_only():
    net = fb.mlp(3, 4, 2, seed=0)
    Y = net.forward(np.ones((5, 3)))  # there is no dY yet
    assert net.backward(np.ones_like(Y)).shape == (5, 3)
