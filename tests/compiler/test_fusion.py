"""fastbp/_compiler/fusion.py: which operations are made together, and which are not."""

import pytest
from programs import NETWORKS, names, of_expression, of_network

from fastbp import graph as g
from fastbp._compiler import ranges
from fastbp._ir import leaves


def step(loss, **options):
    return names(of_expression(loss, **options).operations)


@pytest.fixture
def nodes():
    """(x, y (batch, 4), k (4,)), nodes of an expression."""
    return g.input("x", 4), g.input("y", 4), g.parameter("k", 4)


# ---- a multiplication and what reads it ----------------------------------------------------------------------------


def test_a_product_that_is_added_is_one_operation(nodes):
    x, y, k = nodes
    assert step(g.mean(g.exp(x * k + y)), learns=False) == ["multiply_add", "exp", "total"]
    assert step(g.mean(g.exp(y + x * k)), learns=False) == ["multiply_add", "exp", "total"]


def test_a_product_whose_sum_is_wanted_is_not_made(nodes):
    x, y, _ = nodes
    assert step(g.mean(x * y), learns=False) == ["total"]
    assert step(g.mean(g.square(x)), learns=False) == ["total"]
    program = of_expression(g.sum(g.sum(x * y, axis=0)), learns=False)
    assert names(program.operations) == ["batch_sum"]
    assert [operand.value for operand in (program.operations[0].a, program.operations[0].b)] == [
        program.data["x"], program.data["y"]]


def test_a_square_is_its_factor_twice(nodes):
    program = of_expression(g.mean(g.square(nodes[0])), learns=False)
    total, = program.operations
    assert total.a == total.b
    assert total.a.value == program.data["x"]


def test_a_square_that_is_added_is_made(nodes):
    x, y, _ = nodes
    assert step(g.mean(g.exp(g.square(x) + y)), learns=False) == ["square", "add", "exp", "total"]


def test_a_product_that_something_else_reads_is_made_once(nodes):
    x, y, _ = nodes
    product = x * y
    assert step(g.mean(g.exp(product + x) * product), learns=False) == ["multiply", "add", "exp", "total"]


def test_a_product_that_is_wanted_is_made(nodes):
    x, y, _ = nodes
    product = x * y
    assert step(g.mean(g.exp(product + x)), learns=False, results={product: "p"}) == ["multiply", "add", "exp", "total"]


def test_of_two_products_that_are_added_one_is_made(nodes):
    x, y, k = nodes
    assert step(g.mean(g.exp(x * k + y * y)), learns=False) == ["multiply", "multiply_add", "exp", "total"]
    product = x * k
    assert step(g.mean(g.exp(product + product)), learns=False) == ["multiply", "add", "exp", "total"]


def test_an_invariant_product_is_not_repeated_for_every_sample(nodes):
    x, _, k = nodes
    program = of_expression(g.mean(g.exp(x + k * k)), learns=False)
    assert names(program.invariant) == ["multiply"]
    assert names(program.operations) == ["add", "exp", "total"]


def test_a_product_of_an_earlier_sweep_is_made_there():
    """Its factors' rows would have to be kept for all samples instead of its own."""
    x = g.input("x", 4)
    product = g.sin(x) * g.cos(x)
    program = of_expression(g.mean(g.exp(product + g.mean(x, axis=0))), learns=False)
    first = program.sweeps[0]
    assert "multiply" in names(program.operations[first.row:first.row_end])


def test_a_product_of_groups_and_rows_that_strides_cannot_say_is_made(nodes):
    x, _, k = nodes
    groups = g.reshape(x, (2, 2)) * k[:2]
    assert step(g.mean(groups), learns=False) == ["multiply", "total"]


# ---- an activation and its product ---------------------------------------------------------------------------------


def test_an_activation_is_part_of_its_product():
    x, W, b = g.input("x", 3), g.parameter("W", (3, 2)), g.parameter("b", 2)
    program = of_expression(g.mean(g.tanh(x @ W)), learns=False)
    assert names(program.operations) == ["dense", "total"]
    assert program.operations[0].kernel == "tanh_forward"
    assert program.operations[0].bias is None
    program = of_expression(g.mean(g.dense(x, W, b, "relu")), learns=False)
    assert program.operations[0].kernel == "relu_forward"
    assert program.values[program.operations[0].bias].offset == 6


def test_a_product_that_something_else_reads_is_kept_beside_its_activation():
    x, W = g.input("x", 3), g.parameter("W", (3, 2))
    z = x @ W
    program = of_expression(g.mean(g.tanh(z) * z), learns=False)
    assert names(program.operations) == ["dense", "total"]
    total = program.operations[1]
    assert {total.a.value, total.b.value} == {program.operations[0].out, program.operations[0].kept}


def test_a_second_activation_of_a_product_is_an_operation_of_its_own():
    x, W = g.input("x", 3), g.parameter("W", (3, 2))
    z = x @ W
    program = of_expression(g.mean(g.tanh(z) * g.sigmoid(z)), learns=False)
    assert names(program.operations) == ["dense", "activate", "total"]
    assert program.operations[1].x == program.operations[0].kept


def test_a_product_that_is_wanted_is_given():
    x, W = g.input("x", 3), g.parameter("W", (3, 2))
    z = x @ W
    program = of_expression(g.mean(g.tanh(z)), learns=False, results={z: "z"})
    assert program.operations[0].kept == program.data["z"]


# ---- the gradients of a bias and of its weights --------------------------------------------------------------------


def test_the_gradient_of_a_bias_is_made_with_that_of_the_weights_before_it():
    """Where rows of x do not lie in an order of their own, and both are whole sums of the same slices."""
    def sums(program):
        return [(operation.name, operation.ones) for operation in program.operations if operation.name in ranges.SUMS]

    joined, apart = ("weight_gradient", True), [("batch_sum", False), ("weight_gradient", False)]
    assert sums(of_network(*NETWORKS["batch-parallel"])) == [joined, joined]
    assert sums(of_network(*NETWORKS["batch-parallel"], gathered=True)) == [joined, *apart]
    x = leaves.rows("x", 6)
    W, b = g.parameter("W", (6, 4)), g.parameter("b", 4)
    assert sums(of_expression(g.mean(g.square(g.dense(x, W, b))))) == [joined]
    assert sorted(sums(of_expression(g.mean(g.square(b + x @ W))))) == apart  # b lies before W
    assert sorted(sums(of_expression(g.mean(g.square(g.dense(x, W, b) * b)))))[0] == apart[0]  # two sums are added up
    K = g.parameter("K", (6, 8))  # a block of a matrix, and a part of one of its rows, where one would follow the other
    assert sorted(sums(of_expression(g.mean(g.square(x[:, :5] @ K[:5, :4] + K[2, 4:8]))))) == apart
    times = g.parameter("c", 4) * leaves.rows("z", 4)
    assert sorted(sums(of_expression(g.mean(g.square(x @ W + times))))) == apart  # c's gradient is the sum of dz z
    wide = of_network((60, 1024, 1), 64)
    assert not wide.gradients and sums(wide) == [joined, *apart]  # what is packed has no row of ones
