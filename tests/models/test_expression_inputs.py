"""The arrays that an expression is given: of any dtype and layout, named, and refused in our words."""

import numpy as np
import pytest
from expression_cases import leaves
from oracle import compiled

import fastbp as fb
from fastbp import graph as g


def test_forward_gives_each_output_in_its_shape(rng):
    x, y, a, M = g.input("x", 3), g.input("y"), g.parameter("a", 3), g.parameter("M", (2, 3))
    pair = g.reshape(x @ np.ones((3, 6)), (2, 3))
    made = {
        "rows": x * a,
        "input": x,
        "fixed": M * 2,
        "number": g.sum(M),
        "pair": pair,
        "again": x * a,
        "a": a,
        "one": M[1, 2],
    }
    plan = compiled(g.mean(x * a * y) + g.sum(M), outputs=made)
    X = rng.standard_normal((4, 3))
    found = plan.forward(x=X)  # y is needed by the loss only
    assert {name: array.shape for name, array in found.items()} == {
        "rows": (4, 3),
        "input": (4, 3),
        "fixed": (2, 3),
        "number": (),
        "pair": (4, 2, 3),
        "again": (4, 3),
        "a": (3,),
        "one": (),
    }
    assert np.allclose(found["rows"], X * plan.parameters["a"], rtol=1e-15)
    assert np.allclose(found["pair"], np.repeat(X.sum(1), 6).reshape(4, 2, 3))
    assert found["one"] == plan.parameters["M"][1, 2]
    found["a"][:] = 0  # a copy
    assert (plan.parameters["a"] != 0).all()


@pytest.mark.parametrize("kind", ["uint8", "int32", "float16", "float32", "float64", "bool"])
def test_data_of_any_real_dtype_and_layout(kind):
    x, a = g.input("x", 2), g.parameter("a", init=2.0)
    plan = g.compile(g.mean(x * a), dtype="float64")
    X = np.array([[1, 0], [1, 1], [0, 1]]).astype(kind)
    for given in (X, np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.tolist()):
        assert plan.loss_and_grad(x=given)[0] == pytest.approx(8 / 6, rel=1e-14)


def test_several_integer_inputs_of_every_width():
    """int64 as NumPy makes them, twice in a row: the second call is ready to go."""
    s = leaves()
    loss = g.mean(g.gather(s.T, s.i) * g.gather(s.T, s.j) * g.gather(s.W, s.j)[:, 0:3])
    for kind in ("int64", "int32", "uint8"):
        plan = compiled(loss)
        data = {"i": np.array([0, 1, 4]).astype(kind), "j": np.array([2, 1, 0]).astype(kind)}
        T, W = plan.parameters["T"], plan.parameters["W"]
        expected = (T[[0, 1, 4]] * T[[2, 1, 0]] * W[[2, 1, 0], :3]).mean()
        for _ in range(3):
            assert plan.loss_and_grad(**data)[0] == pytest.approx(expected, rel=1e-13)


def test_more_inputs_than_a_ready_call_holds():
    names = [f"x{i}" for i in range(40)]
    a = g.parameter("a", init=1.0)
    plan = g.compile(g.mean(g.sum(g.inputs(*names)) * a), dtype="float64")
    for _ in range(3):
        assert plan.loss_and_grad(**{name: [1.0, 2.0] for name in names})[0] == 60


def test_a_loss_without_inputs():
    a = g.parameter("a", init=3.0)
    plan = g.compile((a - 1) ** 2, dtype="float64")
    optimizer = fb.SGD(lr=0.1)
    for _ in range(100):
        plan.loss_and_grad()
        optimizer.step(plan)
    assert plan.params[0] == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("ragged", [[[1, 2], [3]], [1, [2]], [[1], 2]])
def test_ragged_inputs_are_refused_in_our_words(ragged):
    x, y = g.inputs("x", "y")
    plan = g.compile(g.mean((x * g.parameter("k") - y) ** 2))
    for call in (
        lambda: plan.loss(x=ragged, y=[1, 2]),
        lambda: plan.loss_and_grad(x=[1, 2], y=ragged),
        lambda: plan.fit({"x": ragged, "y": [1, 2]}),
    ):
        with pytest.raises(ValueError, match=r"[xy] is not an array \(row 0 .*, row 1 .*\), expected real num"):
            call()
    with pytest.raises(ValueError, match=r"X is not an array \(row 0"):
        fb.batches(ragged, [1, 2], 1)
