"""How the work of one graph is cut up: the scheme that fits its shapes, and the product whose inputs are split."""

from itertools import pairwise
from typing import NamedTuple

from fastbp._compiler import partitioning, ranges
from fastbp._ir.node import OPERATIONS


class Partition(NamedTuple):
    """scheme: as fastbp._compiler.partitioning chose it; by_range: whether the gradients of weights are made by range,
    from the rows of the whole batch; rows_mode: the mode of a value of rows, "shared" or "local". split_product: the
    product whose inputs are split, or None; splits: [(number, first column, columns)] of them, which begin with a
    tile."""

    scheme: partitioning.Scheme
    by_range: bool
    rows_mode: str
    split_product: object
    splits: list


def partition(graph, batch, size, itemsize, nr, keep):
    """The Partition of a graph (graph_facts.Facts); the rest are arguments of fastbp._compiler.lowering.lower."""
    rows = [node for node in graph.order if node.batched]
    products = [node.inputs[1].shape for node in rows if node.op == "dense"]
    maps = sum(node.size for node in rows if OPERATIONS[node.op].kind in ("map", "row_reduce", "total"))
    cut = max((node for node in rows if _may_be_split(node, graph)), key=lambda node: node.inputs[1].size, default=None)
    first = None if cut is None else cut.inputs[1].shape
    scheme = partitioning.choose(batch, products, maps, size, itemsize, keep, first)
    splits = []
    if scheme.splits:
        tiles = first[0] // nr
        edges = [tiles * i // scheme.splits * nr for i in range(scheme.splits)]
        splits = [(i, a, b - a) for i, (a, b) in enumerate(pairwise([*edges, first[0]]))]
    rows_mode = "shared" if scheme.shared else "local"
    return Partition(scheme, scheme.by_range, rows_mode, cut if splits else None, splits)


def _may_be_split(node, graph):
    """Whether a node is a product of the caller's rows and a trained matrix, and nothing else reads these rows: its K
    can be split.

    A split reads the next step's rows as soon as its own gradient is made, so nothing else may still need this step's.
    """
    if node.op != "dense" or node.inputs[0].op != "data" or node.inputs[1].op != "parameter":
        return False
    x, W = node.inputs[:2]
    readers = sorted(reader.op for reader in graph.consumers[id(x)])
    return readers == ["dense", "weight_gradient"] and W in graph.gradient_terms


def by_range(node, graph, cuts):
    """Whether a sum over the batch that is a parameter's whole gradient is made by range, from the rows of the whole
    batch. cuts: the Partition."""
    destination = graph.destinations[node]
    return cuts.by_range and destination.whole and ranges.by_range(node, destination.parameter)
