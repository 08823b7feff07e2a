"""Operations that take values apart and put them together, and reductions: each with its derivative beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._core.shown import shown, written
from fastbp._ir.elementwise import divide, equal, exp, like, multiply, reshape, row_sum, subtract, summed_to
from fastbp._ir.node import OPERATIONS, Node, Operation, constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Shape

# ---- reductions ----------------------------------------------------------------------------------------------------


def total(x: Node, scale: float = 1.0, per_batch: int = 0) -> Node:
    """scale / B^per_batch times the sum of all numbers of x, samples included: a batch-invariant number, added up in
    double."""
    return Node("total", (x,), batched=False, shape=(), scale=scale, per_batch=per_batch)


def invariant_sum(x: Node) -> Node:
    """The sum of all numbers of a batch-invariant node."""
    return summed_to(x, constant(0.0))


def column_sum(x: Node) -> Node:
    """The sum over the first axis of a batch-invariant matrix."""
    return Node("column_sum", (x,), batched=False, shape=(x.width,))


def row_max(x: Node) -> Node:
    """The largest of the last axis, which stays with length 1; equals share the gradient."""
    return Node("row_max", (x,), batched=x.batched, shape=(*x.shape[:-1], 1))


def logsumexp(x: Node) -> Node:
    """log(sum(exp(x))) over the last axis, which stays with length 1; it cannot overflow."""
    return Node("row_logsumexp", (x,), batched=x.batched, shape=(*x.shape[:-1], 1))


def _row_max_derivative(node, dy):
    def gradient():
        largest = equal(node.inputs[0], node)
        return multiply(dy, divide(largest, row_sum(largest)))

    yield gradient


def _logsumexp_derivative(node, dy):
    yield lambda: multiply(dy, exp(subtract(node.inputs[0], node)))


def _total_derivative(node, dy):
    yield lambda: like(multiply(constant(node.scale, node.per_batch), dy), node.inputs[0])


OPERATIONS["total"] = Operation("total", None, _total_derivative)
OPERATIONS["row_max"] = Operation("row_reduce", "row_max", _row_max_derivative)
OPERATIONS["row_logsumexp"] = Operation("row_reduce", "row_logsumexp", _logsumexp_derivative)


# ---- parts ---------------------------------------------------------------------------------------------------------


def part(x: Node, begins: Sequence[int], shape: Sequence[int], *, result: Shape | None = None) -> Node:
    """The block of x that begins at `begins` and has this shape; `result` is its shape where an axis is dropped."""
    node = Node("slice", (x,), batched=x.batched, shape=shape, begins=tuple(begins))
    return node if result is None or result == node.shape else reshape(node, result)


def concat(nodes: Sequence[Node]) -> Node:
    """Nodes side by side along the last axis."""
    shape = (*nodes[0].shape[:-1], sum(node.shape[-1] for node in nodes))
    return Node("concat", nodes, batched=nodes[0].batched, shape=shape)


def _slice_derivative(node, dy):
    x = node.inputs[0]
    yield lambda: Node("pad", (dy,), batched=x.batched, shape=x.shape, begins=node.begins)


def _pad_derivative(node, dy):
    x = node.inputs[0]
    yield lambda: part(dy, node.begins, x.shape)


def _concat_derivative(node, dy):
    begin = 0
    for child in node.inputs:
        begins = (0,) * (len(child.shape) - 1) + (begin,)
        yield lambda child=child, begins=begins: part(dy, begins, child.shape)
        begin += child.shape[-1]


# A value that no gradient passes through.
OPERATIONS["freeze"] = Operation("reshape", None, None)
OPERATIONS["slice"] = Operation("slice", None, _slice_derivative)
OPERATIONS["pad"] = Operation("pad", None, _pad_derivative)
OPERATIONS["concat"] = Operation("concat", None, _concat_derivative)


def item(x: Node, key: Any) -> Node:
    """x[key]: of a batch-invariant node its axes, of a batched one x[:, ...], for the batch stays whole. Integers and
    slices of step 1."""
    keys = key if isinstance(key, tuple) else (key,)
    if x.batched:
        if not keys or not (keys[0] is Ellipsis or (isinstance(keys[0], slice) and keys[0] == slice(None))):
            raise IndexError(
                f"index [{_written(keys)}] takes from the batch of {x!r}, expected every sample; write [:, ...] first"
            )
        keys = keys[1:]
    keys += (slice(None),) * (len(x.shape) - len(keys))
    if len(keys) > len(x.shape):
        raise IndexError(
            f"index [{_written(keys)}] has {len(keys)} axes, expected {len(x.shape)} for {x!r}; leave some out"
        )
    begins, shape, kept = [], [], []
    for axis, (one, length) in enumerate(zip(keys, x.shape, strict=True)):
        if isinstance(one, slice):
            try:
                begin, end, step = one.indices(length)
            except TypeError:
                raise IndexError(
                    f"index {_written([one])} on axis {axis}, expected ints, or nothing, on both sides; for rows by "
                    "number use gather"
                ) from None
            if step != 1 or end <= begin:
                raise IndexError(
                    f"index {_written([one])} on axis {axis} of length {length} takes nothing or has a step, expected "
                    "a slice of step 1 that is not empty; take the parts and concat them"
                )
            begins.append(begin)
            shape.append(end - begin)
            kept.append(end - begin)
            continue
        if isinstance(one, (bool, np.bool_)) or not isinstance(one, (int, np.integer)):
            raise IndexError(
                f"index {shown(one)} on axis {axis}, expected an int or a slice; for rows by number use gather"
            )
        if not -length <= one < length:
            raise IndexError(
                f"index {written(int(one))} is outside axis {axis} of {x!r}, expected -{length} to {length - 1}; "
                "choose one of these"
            )
        begins.append(int(one) % length)
        shape.append(1)
    result = tuple(kept)
    if x.batched and not result:
        result = (1,)  # a column stays a column: (B, 1)
    return part(x, begins, shape, result=result)


def _written(keys):
    def one(key):
        if key is None or key is Ellipsis:
            return "..." if key is Ellipsis else "None"
        if not isinstance(key, slice):
            return written(int(key) if isinstance(key, np.integer) else key)
        return ":".join("" if end is None else one(end) for end in (key.start, key.stop))

    return ", ".join(map(one, keys))


Node.__getitem__ = item
Node.__iter__ = Node.__contains__ = None  # x[0], x[1] ... until an IndexError would be a surprise


# ---- rows of a table -----------------------------------------------------------------------------------------------


def gather(table: Node, index: Node) -> Node:
    """Row index[i] of a batch-invariant table (n, d) for sample i: an embedding. index is an integer input of width
    1."""
    return Node("gather", (table, index), batched=True, shape=(table.shape[1],))


def _gather_derivative(node, dy):
    table, index = node.inputs
    yield lambda: Node("scatter", (dy, index), batched=False, shape=table.shape)
    yield None


def _scatter_derivative(node, dy):
    yield lambda: gather(dy, node.inputs[1])
    yield None


OPERATIONS["gather"] = Operation("gather", None, _gather_derivative)
OPERATIONS["scatter"] = Operation("scatter", None, _scatter_derivative)
