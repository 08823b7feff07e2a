"""fastbp/_compiler/select_elementwise.py: what elementwise operations and parts are written as - aliased, copied, in
place."""

import numpy as np
import pytest
from programs import names, of_expression

from fastbp import graph as g
from fastbp._ir.node import constant


def value_of(loss, **data):
    return g.compile(loss, dtype="float64").loss(**data)


@pytest.fixture
def nodes():
    """(x, y (batch, 4), k (4,)), nodes of an expression."""
    return g.input("x", 4), g.input("y", 4), g.parameter("k", 4)


# ---- broadcast -----------------------------------------------------------------------------------------------------


def test_expanded_operands_are_broadcast_by_strides(nodes):
    x, _, k = nodes
    program = of_expression(g.mean(g.exp(x * g.sum(x, axis=-1) - k)), learns=False)
    assert names(program.operations) == ["row_reduce", "multiply", "subtract", "exp", "total"]
    multiply, subtract = program.operations[1:3]
    assert (multiply.b.moves, multiply.b.step) == (True, 0)  # a column
    assert (subtract.b.moves, subtract.b.step) == (False, 1)  # a row


# ---- aliased -------------------------------------------------------------------------------------------------------


def test_parts_of_a_parameter_are_where_the_parameter_is():
    x, k, W = g.input("x", 3), g.parameter("k", 7), g.parameter("W", (4, 5))
    loss = g.mean(x * k[2:5] + g.reshape(k[:6], (2, 3))[1] + W[2, 1:4])
    program = of_expression(loss, learns=False)
    assert program.invariant == []
    assert {program.values[program.root_of(operand.value)].mode for operation in program.operations
            for operand in (operation.a, operation.b, operation.c) if operand} == {"direct", "parameter", "local"}
    data = {"x": np.arange(6.0).reshape(2, 3)}
    plan = g.compile(loss, dtype="float64")
    plan.params[:] = np.arange(plan.params.size)
    p = plan.parameters
    expected = data["x"] * p["k"][2:5] + p["k"][:6].reshape(2, 3)[1] + p["W"][2, 1:4]
    assert plan.loss(**data) == pytest.approx(expected.mean(), rel=1e-15)


def test_rows_of_a_matrix_are_where_the_matrix_is_and_columns_are_copied_for_a_product():
    x, W = g.input("x", 3), g.parameter("W", (5, 4))
    assert of_expression(g.mean(x @ W[1:4]), learns=False).invariant == []
    program = of_expression(g.mean(x @ W[1:4, 1:3]), learns=False)
    assert names(program.invariant) == ["copy"]  # its rows are not one after another


def test_a_matrix_is_copied_once_for_all_who_want_its_rows_together():
    x, W = g.input("x", 3), g.parameter("W", (5, 4))
    part = W[1:4, 1:3]
    program = of_expression(g.mean(g.tanh(x @ part) * (x @ part)), learns=False)
    assert names(program.invariant) == ["copy"]


def test_a_batch_in_another_shape_is_the_same_rows(nodes):
    x, _, k = nodes
    program = of_expression(g.mean(g.exp(g.reshape(x, (2, 2)) * k[:2])), learns=False)
    assert names(program.operations) == ["multiply", "exp", "total"]
    multiply = program.operations[0]
    assert program.root_of(multiply.a.value) == program.data["x"]
    assert (multiply.group, multiply.n_out) == (2, 2)


def test_rows_in_groups_lie_close():
    """A padded row of 128 floats would put its second group a line too late."""
    x = g.input("x", 128)
    grouped = g.sum(g.reshape(g.exp(x), (2, 64)), axis=-1)
    program = of_expression(g.mean(grouped), learns=False)
    made = next(operation.out for operation in program.operations if operation.kernel == "exp")
    assert not program.values[made].padded
    data = np.random.default_rng(0).standard_normal((5, 128))
    assert value_of(g.mean(grouped), x=data) == pytest.approx(np.exp(data).reshape(5, 2, 64).sum(-1).mean(), rel=1e-14)


def test_an_invariant_matrix_meets_each_sample_as_one_row():
    x, W = g.input("x", 6), g.parameter("W", (4, 5), np.arange(20.0).reshape(4, 5))
    loss = g.mean(g.exp(g.reshape(x, (2, 3)) - W[1:3, 2:]))
    program = of_expression(loss, learns=False)
    assert names(program.invariant) == ["copy"]
    assert (program.operations[0].group, program.operations[0].n_out) == (1, 6)
    data = np.random.default_rng(0).standard_normal((7, 6))
    expected = np.exp(data.reshape(7, 2, 3) - np.arange(20.0).reshape(4, 5)[1:3, 2:]).mean()
    assert value_of(loss, x=data) == pytest.approx(expected, rel=1e-14)


# ---- copied --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "expected"), [
    (lambda x: x[:, 1:3], lambda X: X[:, 1:3]),
    (lambda x: x[:, -1], lambda X: X[:, -1:]),
    (lambda x: g.reshape(x, (2, 3))[:, :, 1:], lambda X: X.reshape(-1, 2, 3)[:, :, 1:]),
    (lambda x: g.reshape(x, (2, 3))[:, 1], lambda X: X.reshape(-1, 2, 3)[:, 1]),
    (lambda x: g.concat([x[:, 4:], x]), lambda X: np.hstack([X[:, 4:], X])),
    (lambda x: g.concat([g.reshape(x, (3, 2)), g.reshape(x, (3, 2))[:, :, :1]]),
     lambda X: np.concatenate([X.reshape(-1, 3, 2), X.reshape(-1, 3, 2)[..., :1]], -1)),
], ids=["columns", "column", "block", "line", "concat", "concat in groups"])
def test_parts_of_samples(make, expected):
    x = g.input("x", 6)
    X = np.random.default_rng(0).standard_normal((9, 6))
    plan = g.compile(g.mean(g.square(x)), {"part": make(x)}, dtype="float64")
    assert np.array_equal(plan.forward(x=X)["part"], expected(X))


@pytest.mark.parametrize(("make", "expected"), [
    (lambda W: g.concat([W, W[:, :2]]), lambda A: np.hstack([A, A[:, :2]])),
    (lambda W: W[1:, 2:] * 1.5, lambda A: A[1:, 2:] * 1.5),
    (lambda W: g.reshape(W[1:3, 1:3], 4), lambda A: A[1:3, 1:3].reshape(4)),
    (lambda W: g.sum(W[:, 1:3], axis=0), lambda A: A[:, 1:3].sum(0)),
    (lambda W: g.sum(W[1:, :3], axis=-1), lambda A: A[1:, :3].sum(-1, keepdims=True)),
    (lambda W: W[:2, 1:4] @ W[1:, :2], lambda A: A[:2, 1:4] @ A[1:, :2]),
], ids=["concat", "block", "reshaped block", "columns", "rows", "product of blocks"])
def test_parts_of_a_matrix(make, expected):
    A = np.random.default_rng(0).standard_normal((4, 5))
    W, x = g.parameter("W", (4, 5), A), g.input("x")
    node = make(W)
    plan = g.compile(g.mean(x) + g.sum(node), {"part": node}, dtype="float64")
    np.testing.assert_allclose(plan.forward(x=np.zeros((1, 1)))["part"], expected(A), rtol=1e-14)


# ---- constants -----------------------------------------------------------------------------------------------------


def test_a_constant_is_divided_by_the_batch():
    x = g.input("x")
    for batch in (1, 4, 10):
        program = of_expression(g.mean(g.sum(x * 1.0, axis=0) * constant(3.0, per_batch=2)), batch, learns=False)
        numbers = [float(value.initial) for value in program.values if value.initial is not None]
        assert 3.0 / batch**2 in numbers
