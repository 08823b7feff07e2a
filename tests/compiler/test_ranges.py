"""fastbp/_compiler/ranges.py: where each parameter's gradient comes from, and how the parameter vector is cut up."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import NETWORKS, names, of_expression, of_network

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler import partitioning, ranges
from fastbp._core import cpu
from fastbp._ir import leaves
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import constant, differentiate, ordered


@pytest.fixture(params=["batch-parallel", "tile-parallel"])
def scheme(request, monkeypatch):
    if request.param == "tile-parallel":
        monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", 0)
    return request.param


def covered(program):
    """How many ranges hold each element of the parameter vector."""
    count = np.zeros(program.size, int)
    for item in program.ranges:
        assert item.count > 0
        assert item.begin + item.count <= program.size
        count[item.begin:item.begin + item.count] += 1
    return count


def terms_of(loss):
    """({parameter's name: GradientTerms}, {sum node: Destination}) of a scalar node."""
    order = ordered([loss])
    wanted = [node for node in order if node.op == "parameter"]
    gradients = differentiate(loss, constant(1.0), wanted, add=total_of)
    consumers = {id(node): [] for node in ordered([loss, *gradients.values()])}
    for node in ordered([loss, *gradients.values()]):
        for child in node.inputs:
            consumers[id(child)].append(node)
    found, destinations = ranges.gradient_terms(gradients, consumers)
    return {node.name: source for node, source in found.items()}, destinations


def blocks(destinations):
    """[(parameter's name, offset, ld, whole), ...] in order."""
    return sorted((d.parameter.name, d.offset, d.ld, d.whole) for d in destinations.values())


# ---- gradient terms --------------------------------------------------------------------------------------------------


def test_a_whole_gradient_is_one_sum():
    x, W, b = g.input("x", 3), g.parameter("W", (3, 2)), g.parameter("b", 2)
    found, destinations = terms_of(g.mean(g.square(g.dense(x, W, b))))
    assert blocks(destinations) == [("W", 0, 2, True), ("b", 0, 2, True)]
    assert [source.values for source in found.values()] == [[], []]


def test_parts_of_a_vector_are_added_where_they_belong():
    x, k = g.input("x"), g.parameter("k", 4)
    _, destinations = terms_of(g.mean(g.square(g.sum(k[i] * x**i for i in range(4)))))
    assert blocks(destinations) == [("k", i, 1, False) for i in range(4)]


def test_a_block_of_a_matrix_is_added_row_by_row():
    x, k = g.input("x", 3), g.parameter("k", (4, 5))
    _, destinations = terms_of(g.mean(g.square(x @ k[1:4, 2:4])))
    assert blocks(destinations) == [("k", 7, 5, False)]  # at row 1, column 2; its rows are those of k apart


def test_several_terms_are_added_into_one_place():
    x, W = g.input("x", 3), g.parameter("W", (3, 3))
    found, destinations = terms_of(g.mean(g.square(g.tanh(x @ W) @ W)))
    assert blocks(destinations) == 2 * [("W", 0, 3, True)]
    assert len(found["W"].sums) == 2


def test_what_does_not_depend_on_samples_is_a_value():
    x, k = g.input("x", 3), g.parameter("k", 3)
    found, destinations = terms_of(g.mean(x * k) + g.sum(k**3))
    assert blocks(destinations) == [("k", 0, 3, True)]
    assert len(found["k"].values) == 1


def test_a_gradient_that_is_a_term_of_another_one_is_a_value_of_both():
    x, a, b = g.input("x", 3), g.parameter("a", 3), g.parameter("b", 3)
    found, destinations = terms_of(g.mean(g.square(x + (a + b))) + g.mean(x * b))
    assert found["a"].values == [one for one in found["b"].values if one in found["a"].values]
    assert blocks(destinations) == [("b", 0, 3, True)]  # the term of b's own


@pytest.mark.parametrize("beside", [False, True])
def test_a_term_of_a_gradient_that_one_operation_reads_as_well_is_made(beside, scheme):
    """t is a term of the gradient of a, and a factor of the other one: no addition may take its factors instead."""
    x, a = g.input("x", 3), g.parameter("a", 3, init=[0.1, 0.2, 0.3])
    t = g.tanh(a)
    loss = g.sum((a + t) * t)
    plan = g.compile(loss + g.mean(x * a) if beside else loss, dtype="float64")
    _, grads = plan.loss_and_grad(**({"x": np.ones((2, 3))} if beside else {}))
    at = plan.parameters["a"]
    slope = 1 - np.tanh(at) ** 2
    assert np.allclose(grads["a"], np.tanh(at) + slope * (at + 2 * np.tanh(at)) + beside / 3, rtol=1e-14)


def test_the_gradient_of_a_slice_that_took_everything_is_whole():
    x, b = g.input("x"), g.parameter("b", init=0.5)
    one = g.reshape(b, 1)[0:1]
    plan = g.compile(g.sum(one * one) + b * g.sum(g.exp(g.reshape(b, (1, 1))[0:1, 0:1])), dtype="float64")
    assert plan.loss_and_grad()[1]["b"] == pytest.approx(1 + 1.5 * np.exp(0.5), rel=1e-14)
    _, destinations = terms_of(g.mean(x * one))
    assert blocks(destinations) == [("b", 0, 1, True)]


def test_values_have_the_shape_of_their_parameter():
    k = g.parameter("k", 6)
    found, _ = terms_of(g.sum(k**3) + g.sum(g.square(g.reshape(k, (2, 3)) @ g.constant(np.ones((3, 2))))))
    assert {node.shape for node in found["k"].values} == {(6,)}
    assert len(found["k"].values) == 2


def test_a_penalty_is_no_term():
    program = of_network((5, 7, 3), l1=0.25, l2=0.5)
    assert {(item.l1, item.l2) for item in program.ranges if item.begin < 5 * 7} == {(0.25, 0.5)}
    assert program.invariant == []


# ---- sums that ranges make -----------------------------------------------------------------------------------------


def test_sums_are_made_by_range_where_their_rows_are_the_parameters():
    x, index = g.input("x", 6), g.input("i", integer=True)
    matrix, vector = g.parameter("W", (6, 4)), g.parameter("b", 6)
    product = g.dense(x, matrix)
    weight, bias, table = (differentiate(g.sum(node), constant(1.0), [one], add=total_of)[one]
                           for node, one in ((product, matrix), (x * vector, vector),
                                             (g.gather(matrix, index), matrix)))
    assert [node.op for node in (weight, bias, table)] == ["weight_gradient", "batch_sum", "scatter"]
    assert ranges.by_range(weight, matrix)
    assert ranges.by_range(bias, vector)
    assert ranges.by_range(table, matrix)
    for node, other in ((weight, (4, 6)), (weight, (24,)), (bias, (2, 3)), (table, (8, 3))):
        assert not ranges.by_range(node, leaves.parameter(other))
    assert ranges.by_range(bias, leaves.parameter((6, 1)))  # a column is a vector


# ---- ranges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["train", "keep"])
@pytest.mark.parametrize("name", NETWORKS)
def test_ranges_cover_every_parameter_once(name, kind, l2):
    assert (covered(of_network(*NETWORKS[name], kind, l2=l2)) == 1).all()


@settings(max_examples=60, deadline=None)
@given(widths=st.lists(st.integers(1, 400), min_size=2, max_size=5), batch=st.integers(1, 300),
       l2=st.sampled_from([0.0, 0.5]), dtype=st.sampled_from(["float32", "float64"]))
def test_ranges_of_any_network_cover_every_parameter_once(widths, batch, l2, dtype):
    program = of_network(widths, batch, l2=l2, dtype=dtype)
    assert (covered(program) == 1).all()
    penalised, expected, begin = np.zeros(program.size), np.zeros(program.size), 0
    for item in program.ranges:
        penalised[item.begin:item.begin + item.count] = item.l2
    for inputs, units in pairwise(widths):
        expected[begin:begin + inputs * units] = l2  # every W, no b
        begin += (inputs + 1) * units
    assert (penalised == expected).all()
    assert [i for group in program.groups for i in range(group.first, group.last)] == list(range(len(program.ranges)))


@settings(max_examples=60, deadline=None)
@given(shapes=st.lists(st.one_of(st.just(()), st.tuples(st.integers(1, 300)),
                                 st.tuples(st.integers(1, 300), st.integers(1, 40))), min_size=1, max_size=6),
       frozen=st.sets(st.integers(0, 5)), tiles=st.booleans(), invariant=st.booleans())
def test_ranges_cover_what_is_trained_and_nothing_that_is_frozen(shapes, frozen, tiles, invariant):
    x = g.input("x")
    nodes = [g.parameter(f"p{i}", shape) for i, shape in enumerate(shapes)]
    used = [g.freeze(node) if i in frozen else node for i, node in enumerate(nodes)]
    terms = [g.sum(node * node) if invariant and i % 2 else g.mean(x * g.reshape(node, (node.size,)))
             for i, node in enumerate(used)]
    before = partitioning.BATCH_PARALLEL_BYTES
    partitioning.BATCH_PARALLEL_BYTES = 0 if tiles else before
    try:
        program = of_expression(total_of(*terms))
    finally:
        partitioning.BATCH_PARALLEL_BYTES = before
    expected = np.concatenate([np.full(node.size, int(i not in frozen)) for i, node in enumerate(nodes)])
    assert (covered(program) == expected).all()


def test_ranges_of_tiles_are_rows_of_their_own_matrix():
    widths, batch = NETWORKS["tile-parallel"]
    program = of_network(widths, batch)
    begins = {}  # {(rows, columns): where it begins}
    begin = 0
    for inputs, units in pairwise(widths):
        begins[inputs, units], begins[units, 1] = begin, begin + inputs * units
        begin += (inputs + 1) * units
    for item in program.ranges:
        (index, row, rows), = item.gradients
        operation = program.gradients[index]
        if operation.name == "weight_gradient":
            assert item.begin == begins[operation.n_in, operation.n_out] + row * operation.n_out
            assert item.count == rows * operation.n_out
            assert rows <= partitioning.RANGE_ROWS
        else:
            assert (item.begin, row, rows) == (begins[operation.n_out, 1], 0, operation.n_out)
            assert item.count == operation.n_out
    counts = [item.count for item in program.ranges]
    assert counts == sorted(counts, reverse=True)  # no thread begins a large one last


def test_ranges_of_slices_do_not_split_cache_lines():
    program = of_network((200, 100, 10), 256)
    assert 1 < len(program.ranges) <= partitioning.MOST_SLICES
    for item in program.ranges:
        assert item.begin % 64 == 0
        assert item.gradients == ()


def test_the_ranges_of_a_split_are_its_rows_of_the_weights():
    program = of_network(*NETWORKS["input-split"], l2=0.5)
    groups = program.groups[:4]
    tile = 2 if cpu.available() == ["scalar"] else 16  # in a build of the scalar kernels alone
    assert [group.split for group in program.groups] == [0, 2, 1, 3, -1, -1]  # a thread of two has neighbours
    for group in groups:
        first, last = program.splits[group.split]
        product, = program.operations[first:last]
        W = program.values[product.W]
        items = program.ranges[group.first:group.last]
        assert (items[0].begin, sum(item.count for item in items)) == (W.offset, W.rows * 24)
        for item in items:
            (index, row, rows), = item.gradients
            assert program.gradients[index].name == "weight_gradient"
            assert (item.begin, item.count, item.l2) == (W.offset + row * 24, rows * 24, 0.5)  # rows of the split
            assert row % tile == 0  # rows packed together are packed by one range
            assert item.count <= partitioning.RANGE_SIZE
    small = [[item.count for item in program.ranges[group.first:group.last]] for group in program.groups[4:]]
    assert small == [[24 * 10], [24, 10]]  # the other matrix; all vectors


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "input-split"])
def test_ranges_do_not_depend_on_the_batch(name):
    """The norm of a gradient is the sum of the ranges' norms: other ranges would be other bits. (Shares pay for some
    batches alone. An update then goes by the ranges of the batch that its gradient is of, by hand as in fit.)"""
    programs = [of_network(NETWORKS[name][0], batch) for batch in (1, 7, 64, 1000)]
    assert len({tuple((item.begin, item.count) for item in program.ranges) for program in programs}) == 1


def test_an_invariant_value_is_added_to_the_range_it_belongs_to(scheme):
    x, a, b = g.input("x", 3), g.parameter("a", 3), g.parameter("b", 5)
    program = of_expression(g.mean(x * a) + g.sum(b**3))
    first, second = sorted(program.ranges, key=lambda item: item.begin)
    assert (first.begin, first.count, first.added) == (0, 3, None)
    assert (second.begin, second.count, second.partial, second.gradients) == (3, 5, None, ())
    assert program.values[second.added].width == 5
    assert second.added_at == 0


def test_a_parameter_that_is_a_gradient_is_copied_before_it_moves(scheme):
    """d(ab)/da = b: the ranges are updated one after another, and b must be what it was when the step began."""
    a, b = g.parameter("a"), g.parameter("b")
    program = of_expression(a * b)
    assert names(program.invariant) == ["multiply", "copy", "copy"]
    for item in program.ranges:
        assert program.values[item.added].mode == "invariant"
    a, b = g.parameter("a", init=0.5), g.parameter("b", init=0.25)
    plan = g.compile(a * b + g.mean(g.input("x")), dtype="float64")
    plan.fit({"x": np.zeros((1, 1))}, optimizer=fb.SGD(lr=0.5))
    assert plan.params.tolist() == [0.5 - 0.5 * 0.25, 0.25 - 0.5 * 0.5]
