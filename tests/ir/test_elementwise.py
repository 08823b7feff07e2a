"""fastbp/_ir/elementwise.py: every map, however its operands broadcast, against single numbers and differences."""

import numpy as np
import pytest
from expression_cases import BINARY, ELEMENTWISE, SHAPES, UNARY, arrays, case, ending, leaves, needed, of, pairs
from oracle import agrees, central, close, compiled, truth

from fastbp import graph as g
from fastbp._ir.node import ordered


def binary(op, a, b):
    s = leaves()
    loss = ending(BINARY[op](SHAPES[a](s), SHAPES[b](s)))
    return loss, needed(loss, arrays())


def unary(op, shape):
    s = leaves()
    loss = ending(UNARY[op](SHAPES[shape](s)))
    return loss, needed(loss, arrays())


# ---- against Value and differences ---------------------------------------------------------------------------------


@pytest.mark.parametrize("a,b", pairs())
def test_two_operands_of_every_shape(a, b):
    for op in BINARY:
        loss, data = binary(op, a, b)
        plan = agrees(loss, data)
        if op != "equal":  # whose own ties have no derivative
            central(plan, data)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("op", UNARY)
def test_one_operand_of_every_shape(op, shape):
    loss, data = unary(op, shape)
    central(agrees(loss, data), data)


@pytest.mark.parametrize("op,name", of(ELEMENTWISE))
def test_choices_sums_and_shapes(op, name):
    loss, data = case(op, name)
    central(agrees(loss, data), data)


@pytest.mark.parametrize("op", [*BINARY, *UNARY])
def test_float32(op):
    for shapes in (("(B,3)", "(B,1)"), ("(B,2,3)", "(3,)"), ("(2,3)", "()")):
        loss, data = binary(op, *shapes) if op in BINARY else unary(op, shapes[0])
        agrees(loss, data, tolerance=2e-5, dtype="float32")


@pytest.mark.parametrize("op", [*BINARY, *UNARY])
def test_every_isa(op, isa, dtype, tolerance):
    for shapes in (("(B,3)", "(3,)"), ("(B,2,3)", "(B,1)")):
        s = leaves()
        loss = ending(
            BINARY[op](*(SHAPES[one](s) for one in shapes)) if op in BINARY else UNARY[op](SHAPES[shapes[0]](s))
        )
        agrees(loss, needed(loss, arrays(11)), tolerance=2 * tolerance, dtype=dtype)


# ---- kinks and edges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [g.maximum, g.minimum])
def test_equal_operands_share_the_gradient(function):
    a, b = g.parameter("a", init=0.5), g.parameter("b", init=0.5)
    _, grads = g.compile(function(a, b) * 3.0).loss_and_grad()
    assert grads["a"] == grads["b"] == 1.5
    _, grads = g.compile(function(a, a) * 3.0).loss_and_grad()
    assert grads["a"] == 3.0


def test_slopes_at_kinks():
    a = g.parameter("a")
    for expression, slope in ((g.abs(a), 0), (g.sign(a), 0), (a * a, 0), (g.clip(a, 0.0, 1.0), 0.5), (a**3, 0)):
        assert g.compile(expression + 0 * a).loss_and_grad()[1]["a"] == slope, expression


def test_a_choice_keeps_infinity_out_of_the_other_branch():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    loss = g.mean(g.where(x > 0, g.log(g.where(x > 0, x * a, 1.0)), a))
    value, grads = g.compile(loss, dtype="float64").loss_and_grad(x=[1.0, -1.0])
    assert value == 0.5
    assert grads["a"] == 1.0


@pytest.mark.parametrize("n", [-64, -3, -1, 0, 1, 2, 3, 7, 64, 0.5, 1.5, -0.5])
def test_powers(n):
    x = g.input("x", 5)
    X = np.array([[0.25, 0.5, 1.0, 1.5, 3.0]])
    if n == round(n):
        X = X * [[1, -1, 1, -1, 1]]
    found = compiled(g.mean(x), outputs={"y": x**n + 0 * x}).forward(x=X)["y"]
    assert np.allclose(found, X**n, rtol=1e-14, atol=0)


# ---- what is not computed ------------------------------------------------------------------------------------------


def operations(node):
    return [one.op for one in ordered([node])]


def test_constants_are_folded():
    assert operations(g.exp(g.constant(2.0)) * 3 + 1) == ["constant"]
    assert operations(2 * (3 * (4 * g.input("x")))) == ["constant", "data", "multiply"]
    assert g.compile(g.mean(2 * (3 * (4 * g.input("x"))))).loss(x=[0.5]) == 12
    assert (g.constant([1.0, 2.0]) * 2).value.tolist() == [2.0, 4.0]


def test_neutral_elements_make_no_node():
    x = g.input("x")
    for same in (x + 0, 0 + x, x - 0, x * 1, 1 * x, x / 1, x**1):
        assert same is x
    assert (x**2).op == "square"
    assert (x**0.5).op == "sqrt"


def test_operators_are_those_of_numbers():
    a, b = g.parameter("a", init=0.7), g.parameter("b", init=1.9)
    x, y = 0.7, 1.9
    for node, number in (
        (a + b, x + y),
        (2 + a, 2 + x),
        (a - b, x - y),
        (2 - a, 2 - x),
        (a * b, x * y),
        (2 * a, 2 * x),
        (a / b, x / y),
        (2 / a, 2 / x),
        (a / 4, x / 4),
        (a**b, x**y),
        (2**a, 2**x),
        (-a, -x),
        (abs(-a), x),
        (a < b, 1),
        (a > b, 0),
        (a <= a, 1),
        (a >= b, 0),
        (a < 2, 1),
        (a >= 2, 0),
        (g.equal(a, a), 1),
        (np.float64(2) * a, 2 * x),
    ):
        assert g.compile(node + 0 * a + 0 * b, dtype="float64").loss() == pytest.approx(number, rel=1e-15)


def test_arrays_on_the_left_make_nodes():
    node = np.array([1.0, 2.0, 3.0]) * g.input("x", 3)
    assert node.op == "multiply"
    assert node.shape == (3,)


@pytest.mark.parametrize("n", [1, 5, 5000])
def test_the_gradient_of_what_was_broadcast_is_summed(n):
    """Of a scalar, a row and a column, by their sizes: a mean over all has the gradient 1 for each."""
    x, y, a, b = g.input("x", 3), g.input("y"), g.parameter("a", 3), g.parameter("b")
    plan = g.compile(g.mean(x * 0 + y + a + b), dtype="float64")
    _, grads = plan.loss_and_grad(x=np.ones((n, 3)), y=np.ones(n))
    assert grads["b"] == pytest.approx(1, rel=1e-12)
    assert np.allclose(grads["a"], 1 / 3, rtol=1e-12)
    assert np.allclose(plan.grad(y), 1 / n, rtol=1e-12)
    assert plan.grad(y).shape == (n, 1)


def test_a_whole_graph_once_more_by_hand():
    """(x w + b - y)^2 at x = 2, w = 3, b = 1, y = 5: 4, and 2 * 2 * x = 8 for w, 4 for b."""
    x, y, w, b = *g.inputs("x", "y"), g.parameter("w", init=3), g.parameter("b", init=1)
    plan = g.compile(g.mean((x * w + b - y) ** 2))
    value, grads = plan.loss_and_grad(x=[2.0], y=[5.0])
    assert (value, grads["w"], grads["b"]) == (4.0, 8.0, 4.0)
    expected, slopes = truth(plan, {"x": np.array([2.0]), "y": np.array([5.0])})
    assert expected == 4.0
    assert close(slopes["w"], 8.0, 0)


# ---- refused -------------------------------------------------------------------------------------------------------


def test_shapes_that_do_not_broadcast():
    x, a = g.input("x", 3), g.parameter("a", 2)
    message = r"add: shapes \(batch, 3\), \(2,\) do not broadcast, expected equal ones, or 1 .*; slice, sum or reshape"
    with pytest.raises(ValueError, match=message):
        x + a
    with pytest.raises(ValueError, match=r"maximum: shapes .*\(2, 3\)"):  # strides cannot repeat a matrix
        g.maximum(x, g.parameter("M", (2, 3)))


@pytest.mark.parametrize("operand", ["word", None, [1, "a"], np.zeros((2, 2, 2)), 1j, [], {}])
def test_operands_that_are_no_numbers(operand):
    with pytest.raises(
        TypeError, match=r"(?s)operand is .*, expected a node, a number or an array .*; make a node of it"
    ):
        g.input("x", 3) + operand
