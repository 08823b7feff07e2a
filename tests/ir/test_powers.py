"""fastbp/_ir/powers.py: powers of numbers and of nodes, at a base of 0, and x ** 0, which forgets no shape and no
leaf."""

import numpy as np
import pytest
from expression_cases import arrays, ending, leaves, needed
from oracle import agrees, central, compiled

import fastbp as fb
from fastbp import graph as g
from fastbp._ir.node import ordered


def test_a_power_with_a_node_as_exponent():
    s = leaves()
    loss = ending(s.x**s.a + 2**s.a + s.a**s.b)
    data = needed(loss, arrays())
    central(agrees(loss, data), data)


def test_a_power_of_a_negative_number_is_nan_unless_whole():
    x, n = g.input("x"), g.parameter("n", init=3.0)
    outputs = {"whole": x**3, "half": x**1.5, "node": x**n, "numbers": x ** np.array([0.0, 2.0, 2.5, -3.0])}
    found = g.compile(g.mean(x) + n, outputs, dtype="float64").forward(x=[-2.0])
    assert found["whole"] == -8
    assert found["node"] == pytest.approx(-8.0, rel=1e-14)
    assert np.isnan(found["half"])
    assert np.allclose(found["numbers"], [[1, 4, np.nan, -0.125]], rtol=1e-14, equal_nan=True)


# ---- at a base of 0 ------------------------------------------------------------------------------------------------

# exponent: (0 ** n, its slope for n, its slope for x, the slope of that)
AT_ZERO = {
    0.0: (1, 0, 0, 0), 0.5: (0, 0, np.inf, -np.inf), 1.0: (0, 0, 1, 0), 1.5: (0, 0, 0, np.inf), 2.0: (0, 0, 0, 2),
    3.0: (0, 0, 0, 0), -1.0: (np.inf, -np.inf, -np.inf, np.inf),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["a number", "a node"])
@pytest.mark.parametrize("n", AT_ZERO)
def test_slopes_at_0(n, kind, dtype):
    x, p = g.input("x"), g.parameter("n", init=n)
    power = x ** (p if kind == "a node" else n)
    slope = g.grad(g.sum(power), x)
    made = {"value": power, "x": slope}
    if slope.op != "expand":  # a slope of x ** 0 or x ** 1 depends on nothing
        made["x x"] = g.grad(g.sum(slope), x)
    if kind == "a node":
        made |= {"n": g.grad(g.sum(power), p), "n n": g.grad(g.grad(g.sum(power), p), p)}
    found = g.compile(g.mean(x) + p, made, dtype=dtype).forward(x=[0.0])
    value, for_n, for_x, second = AT_ZERO[n]
    assert (found["value"], found["x"], found.get("x x", 0)) == (value, for_x, second)
    if kind == "a node":
        assert found["n"] == for_n
        assert found["n n"] == (np.inf if n < 0 else 0)


def test_a_power_law_is_fitted_to_a_point_at_0():
    x, y, a, n = *g.inputs("x", "y"), g.parameter("a", init=1.0), g.parameter("n", init=1.0)
    xs = np.array([0.0, 0.5, 1.0, 2.0])
    plan = g.compile(g.mean((a * x**n - y) ** 2), dtype="float64")
    assert g.compile(g.mean(x**n), dtype="float64").loss_and_grad(x=[0.0, 2.0])[1]["n"] == pytest.approx(np.log(2))
    plan.fit({"x": xs, "y": 3 * xs**1.7}, epochs=3000, optimizer=fb.Adam(lr=0.01), progress=False)
    assert plan.params == pytest.approx([3, 1.7], rel=1e-6)
    central(plan, {"x": xs, "y": 3 * xs**1.7})


def test_a_node_as_exponent_has_the_bits_of_exp_of_n_log_x():
    x, n = g.input("x"), g.parameter("n", init=1.7)
    xs = np.random.default_rng(0).uniform(1e-3, 9, 1000).astype("float32")
    found = g.compile(g.mean(x) + n, {"one": x**n, "two": g.exp(n * g.log(x))}).forward(x=xs)
    assert (found["one"] == found["two"]).all()


# ---- x ** 0 --------------------------------------------------------------------------------------------------------


def test_a_power_of_0_keeps_shape_and_parameter():
    a, b = g.parameter("a", (4, 3)), g.parameter("b", 3)
    plan = compiled(g.sum(a**0) + 2 * g.sum(b**0 * b))
    value, grads = plan.loss_and_grad()
    assert value == pytest.approx(12 + 2 * plan.parameters["b"].sum(), rel=1e-14)
    assert (grads["a"] == 0).all()
    assert (grads["b"] == 2).all()
    assert (a**0).shape == (4, 3)
    assert (g.input("x", 2) ** 0).batched


@pytest.mark.parametrize(
    "made",
    [
        lambda x, b: g.mean(x**0 * b),
        lambda x, b: g.mean(b * x**0 + b),
        lambda x, b: g.mean((x - x) * b),
        lambda x, b: g.mean(0 * x * b),
        lambda x, b: g.mean(g.tanh(x * b) ** 0 * b),
        lambda x, b: g.mean((b[0] * x**0) * (b[1] * x**0)),
        lambda x, b: g.mean(x**0) + g.sum(b),
        lambda x, b: g.sum(b * g.mean(x**0, axis=0)),
    ],
)
def test_an_input_that_cancels_is_an_input(made):
    x, b = g.input("x", 3), g.parameter("b", 3)
    plan = agrees(made(x, b), {"x": np.ones((4, 3))})
    assert plan.inputs == ("x",)
    assert (plan.grad(x) == 0).all()
    assert plan.per_example_grads(x=np.ones((4, 3))).shape == (4, 3)
    with pytest.raises(ValueError, match="input 'x' is missing"):
        plan.loss()


def test_an_input_that_cancels_beside_another_one_is_an_input():
    x, y, b = g.input("x"), g.input("y"), g.parameter("b")
    plan = agrees(g.mean((b * x**0 + y) ** 2), {"x": np.ones(4), "y": np.ones(4)})
    assert set(plan.inputs) == {"x", "y"}


def test_what_is_fixed_is_expanded_one_way_at_a_time():
    """(2, 1) has no strides in rows of (batch, 2, 3)."""
    y, d, M = g.input("y"), g.parameter("d", (2, 1)), g.parameter("M", (2, 3))
    agrees(ending(y**0 + M**0 * d), {"y": np.ones(4)})


def test_a_polynomial_costs_nothing_for_its_constant():
    """k[0] * x**0 is k[0] as it is, beside terms that depend on x."""
    x, k = g.input("x"), g.parameter("k", 4)
    for powers in (range(4), reversed(range(4))):
        found = [node.op for node in ordered([g.mean(g.sum(k[i] * x**i for i in powers))])]
        assert "expand" not in found
        assert "constant" not in found
