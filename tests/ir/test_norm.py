"""g.norm: the Euclidean norm, its slope and its second one, at 0, too."""

import numpy as np
import pytest
from oracle import agrees, central, compiled

from fastbp import graph as g
from fastbp.reference import value as v
from fastbp.reference.value import Value

X = np.random.default_rng(0).uniform(-1, 1, (5, 3))
AXES = {None: (X**2).sum() ** 0.5, -1: (X**2).sum(1, keepdims=True) ** 0.5, 0: (X**2).sum(0) ** 0.5}


@pytest.mark.parametrize("axis", AXES)
def test_values(axis, dtype):
    x = g.input("x", 3)
    found = g.compile(g.mean(x), {"norm": g.norm(x, axis)}, dtype=dtype).forward(x=X.astype(dtype))["norm"]
    assert found.shape == np.shape(AXES[axis])
    assert np.allclose(found, AXES[axis], rtol=1e-6 if dtype == "float32" else 1e-14)


def test_of_what_is_fixed():
    M, b = g.parameter("M", (2, 3)), g.parameter("b")
    plan = compiled(g.norm(M) + g.sum(g.norm(M, axis=-1)) + g.sum(g.norm(M, axis=0)) + g.norm(b))
    at = plan.parameters["M"]
    expected = sum(np.linalg.norm(at, axis=axis).sum() for axis in (None, 0, 1)) + plan.parameters["b"]
    assert plan.loss() == pytest.approx(expected, rel=1e-14)


def test_slopes_first_and_second():
    x, a, M = g.input("x", 3), g.parameter("a", 3), g.parameter("M", (2, 3))
    loss = g.norm(x * a) + g.mean(g.norm(x * a, axis=-1) ** 3) + g.norm(M) * g.sum(g.norm(g.tanh(M), axis=0))
    central(agrees(loss, {"x": X}), {"x": X})


def test_at_0_the_slopes_are_0(dtype):
    x, a = g.input("x", 3), g.parameter("a", 3)
    plan = g.compile(g.norm(a) + g.mean(g.norm(x * a, axis=-1)), dtype=dtype)  # a is 0
    value, grads = plan.loss_and_grad(x=X)
    assert value == 0
    assert grads["a"].tolist() == [0, 0, 0]
    assert plan.hvp(np.ones(3), x=X).tolist() == [0, 0, 0]
    rows = np.array([[0.0, 0, 0], [3, 4, 0]])
    slope = g.grad(g.sum(g.norm(x, axis=-1)), x)
    made = {"slope": slope, "second": g.grad(g.sum(slope), x)}
    found = g.compile(g.mean(x), made, dtype=dtype).forward(x=rows)
    assert np.allclose(found["slope"], [[0, 0, 0], [0.6, 0.8, 0]])
    assert (found["second"][0] == 0).all()


def test_nan_is_not_hidden():
    x, rows = g.input("x", 3), np.array([[np.nan, 0, 0]], "float32")
    assert np.isnan(g.compile(g.mean(x), {"norm": g.norm(x)}).forward(x=rows)["norm"])


def test_the_reference():
    for numbers, slopes in (((3.0, 4.0), (0.6, 0.8)), ((0.0, 0.0), (0.0, 0.0))):
        values = [Value(x) for x in numbers]
        length = v.norm(values)
        length.backward()
        assert length.data == np.hypot(*numbers)
        assert [x.grad for x in values] == pytest.approx(slopes)


def test_words_are_refused():
    with pytest.raises(TypeError, match="operand is 'a', expected a node"):
        g.norm("a")
    with pytest.raises(ValueError, match="axis is 2 of"):
        g.norm(g.input("x", 3), axis=2)
