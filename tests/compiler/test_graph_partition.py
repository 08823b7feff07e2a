"""fastbp/_compiler/graph_partition.py: how the work of one graph is cut up."""

import pytest
from programs import of_expression

from fastbp import graph as g
from fastbp._compiler import graph_facts, graph_partition
from fastbp._ir import leaves
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import constant, differentiate


def partition_of(loss, batch, *, nr=16, keep=False):
    """The Partition of a loss whose parameters W and b are trained; and its Facts."""
    wanted = [node for node in graph_facts.ordered([loss]) if node.op == "parameter"]
    gradients = differentiate(loss, constant(1.0), wanted, add=total_of)
    graph = graph_facts.facts([], loss, gradients, keep=keep, results={}, masks=None, correct=None)
    size = sum(node.size for node in wanted)
    return graph, graph_partition.partition(graph, batch, size, 4, nr, keep)


def squares(inputs, units):
    """The mean of the squares of a product of so many inputs and units."""
    return g.mean(g.square(leaves.rows("x", inputs) @ g.parameter("W", (inputs, units))))


@pytest.mark.parametrize("nr", [16, 32])
@pytest.mark.parametrize("inputs", [520, 784, 1000])
def test_splits_cover_the_columns_once_and_begin_with_a_tile(inputs, nr):
    _, cuts = partition_of(squares(inputs, 24), 100, nr=nr)
    assert cuts.split_product.inputs[1].shape == (inputs, 24)
    assert [number for number, _, _ in cuts.splits] == list(range(len(cuts.splits)))
    assert [begin % nr for _, begin, _ in cuts.splits] == [0] * len(cuts.splits)
    assert [column for _, begin, count in cuts.splits for column in range(begin, begin + count)] == list(range(inputs))
    assert (cuts.by_range, cuts.rows_mode) == (True, "shared")


def test_without_splits_nothing_is_cut():
    for loss, batch, tiles, mode in ((squares(5, 3), 8, False, "local"), (squares(300, 400), 128, True, "shared")):
        _, cuts = partition_of(loss, batch)
        assert (cuts.split_product, cuts.splits, cuts.by_range, cuts.rows_mode) == (None, [], tiles, mode)
    assert partition_of(squares(5, 3), 8, keep=True)[1].rows_mode == "shared"


@pytest.mark.parametrize("widths", [(520, 24, 10), (784, 10)])
def test_only_rows_that_one_product_reads_are_cut(widths):
    x = leaves.rows("x", widths[0])
    once = g.mean(g.square(x @ g.parameter("W", widths[:2])))
    assert len(of_expression(once, 100).splits) == 4
    for other in (x @ g.parameter("V", (widths[0], 2)), x * g.parameter("k", widths[0]), x[:, :3] * g.parameter("k")):
        assert of_expression(once + g.mean(g.square(other)), 100).splits == []
    invariant = g.mean(g.square(x @ (2 * g.parameter("W", widths[:2]))))
    assert of_expression(invariant, 100).splits == []
    assert of_expression(once, 100, learns=False).splits == []


def test_in_tiles_a_whole_sum_is_made_by_range_and_a_part_is_not():
    W = g.parameter("W", (300, 400))
    x = leaves.rows("x", 300)
    for matrix, expected in ((W, True), (W[:, :300], False)):
        graph, cuts = partition_of(g.mean(g.square(x @ matrix)), 128)
        found = [graph_partition.by_range(node, graph, cuts) for node in graph.destinations]
        assert cuts.by_range and found == [expected]
