"""The operator @ of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastbp._ir import elementwise, nn
from fastbp._ir.node import Node, described, node_of

if TYPE_CHECKING:
    from fastbp._ir.node import Operand


def matmul(a: Operand, b: Operand) -> Node:
    """a @ b: batch by parameter, or parameter by parameter."""
    a, b = node_of(a), node_of(b)
    column = len(b.shape) == 1 and not b.batched
    right = elementwise.reshape(b, (b.size, 1)) if column else b
    left = elementwise.reshape(a, (1, a.size)) if not a.batched and len(a.shape) == 1 else a
    if (
        b.batched
        or len(right.shape) != 2
        or not a.shape
        or left.shape[-1] != right.shape[0]
        or (a.batched and len(a.shape) != 1)
    ):
        raise ValueError(
            f"@: shapes {described(a.batched, a.shape)} and {described(b.batched, b.shape)}, expected (batch, k) or "
            "(m, k) on the left, fixed (k, n) on the right; for products of two batched nodes use sum(a * b, axis=-1)"
        )
    if a.batched:
        return nn.dense(a, right)
    made = nn.matmul(left, right)
    shape = a.shape[:-1] + b.shape[1:]
    return elementwise.reshape(made, shape)


Node.__matmul__, Node.__rmatmul__ = matmul, lambda a, b: matmul(b, a)
