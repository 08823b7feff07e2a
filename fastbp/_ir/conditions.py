"""Conditions: comparisons joined by &, |, ^ and ~, and == and != of nodes.

A condition is a node that is 1 where it holds and 0 where it does not; no gradient passes through it. As a node has no
value before there are data, Python cannot ask whether it is true (`Node.__bool__` refuses): `and`, `or`, `not`, `if`
and a < b < c would keep one side of the question and forget the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp._core.shown import shown
from fastbp._ir.elementwise import apply, equal, row
from fastbp._ir.node import Node, node_of

if TYPE_CHECKING:
    from fastbp._ir.node import Operand

_COMPARISONS = {"less", "less_equal", "equal", "and", "or"}
# the inputs that such an operation takes over as they are
_MOVED = {
    "slice": slice(None), "pad": slice(None), "reshape": slice(None), "freeze": slice(None), "concat": slice(None),
    "expand": slice(0, 1), "gather": slice(0, 1), "select": slice(1, None),
}  # fmt: skip


def is_condition(node):
    """Whether a node is 0 or 1 by how it was made: a comparison, constants, and what was moved from such."""
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if node.op in _MOVED:
            nodes += node.inputs[_MOVED[node.op]]
        elif node.op == "constant":
            if node.per_batch or not np.isin(node.value, (0, 1)).all():
                return False
        elif node.op not in _COMPARISONS:
            return False
    return True


def _condition(sign, value):
    """The node of a condition, of True and False, or of an array of them."""
    if isinstance(value, Node):
        node, fits = value, is_condition(value)
    else:
        node, fits = None, np.asarray(value).dtype == bool
    if not fits:
        raise TypeError(
            f"{sign}: operand is {shown(value)}, expected a condition, such as (0 < s) & (s < 1), or bools; write the "
            "parentheses around each comparison, and x != 0 for a number x"
        )
    return node_of(value) if node is None else node


def both(a: Operand, b: Operand) -> Node:
    """1 where both conditions hold, else 0."""
    return apply("and", _condition("&", a), _condition("&", b))


def either(a: Operand, b: Operand) -> Node:
    """1 where one of the conditions holds, or both, else 0."""
    return apply("or", _condition("|", a), _condition("|", b))


def one_of(a: Operand, b: Operand) -> Node:
    """1 where exactly one of the conditions holds, else 0."""
    return unequal(_condition("^", a), _condition("^", b))


def opposite(a: Operand) -> Node:
    """1 where the condition does not hold, else 0."""
    return equal(_condition("~", a), 0.0)


def unequal(a: Operand, b: Operand) -> Node:
    """0 where a = b, else 1: of NaN, too."""
    return equal(equal(a, b), 0.0)


row("and", lambda node, dy: (None, None), np.multiply, kernel="multiply")
row("or", lambda node, dy: (None, None), np.maximum, kernel="maximum")


# ---- operators of nodes --------------------------------------------------------------------------------------------


def _compared(compare):
    """== or != of a node and what may be one; nothing else is equal to a node, as Python has it."""

    def operator(a, b):
        known = isinstance(b, (Node, int, float, np.generic, list, tuple)) or hasattr(b, "__array__")
        try:
            return compare(a, b) if known else NotImplemented
        except ValueError as error:
            # list.index, list.remove, list.count compare as well
            raise ValueError(f"{error}, or ask with `is` whether two nodes are the same one") from None

    return operator


Node.__eq__, Node.__ne__ = _compared(equal), _compared(unequal)
Node.__and__, Node.__rand__ = both, lambda a, b: both(b, a)
Node.__or__, Node.__ror__ = either, lambda a, b: either(b, a)
Node.__xor__, Node.__rxor__ = one_of, lambda a, b: one_of(b, a)
Node.__invert__ = opposite
