"""Elementwise operations: each with its derivative beneath it, written as nodes, and its row in OPERATIONS.

`dy` is the gradient of the operation's value. A derivative yields, for each input, a function that makes its gradient;
where an input was broadcast, the sum that takes it back is added here, once for all operations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._core.shown import shown
from fastbp._ir.node import OPERATIONS, Node, Operation, broadcast, constant, is_number, node_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastbp._check.types import Shape
    from fastbp._ir.node import Operand

# What users call, as a part of fastbp.graph. Its abs is `absolute`.
__all__ = [
    "clip", "cos", "equal", "exp", "log", "maximum", "minimum", "sign", "sin", "sqrt", "square", "where",
]  # fmt: skip

MOST_NEAR = 16  # nodes of a level that are looked at for what an expanded one stands beside


def apply(op: str, *operands: Operand, **attributes: Any) -> Node:
    """The node of an elementwise operation, or of something simpler that is the same."""
    nodes = [node_of(operand) for operand in operands]
    batched, shape = broadcast(op, nodes)
    if any(node.op == "expand" for node in nodes):
        if not any(_before(node).batched for node in nodes):  # nothing here depends on the sample
            beside = [one for node in nodes if node.op == "expand" for one in node.inputs[1:]]
            return expand(apply(op, *(_before(node) for node in nodes), **attributes), batched, shape, beside)
        for i in range(len(nodes)):  # one after the other: two that can each do without it may not both
            nodes[i] = _unexpanded(i, nodes, batched, shape)
    if all(node.op == "constant" for node in nodes):
        folded = _folded(op, nodes, attributes)
        if folded is not None:
            return folded
    return Node(op, nodes, batched=batched, shape=shape, **attributes)


def _before(node):
    return node.inputs[0] if node.op == "expand" else node


def _unexpanded(i, nodes, batched, shape):
    """Operand i as it was before it was expanded, where the other operands give the same shape without that, and
    depend on what it stands beside."""
    node = nodes[i]
    if node.op != "expand":
        return node
    rest = [*nodes[:i], node.inputs[0], *nodes[i + 1 :]]
    try:
        same = broadcast("", rest) == (batched, shape)
    except ValueError:
        return node
    return node.inputs[0] if same and not _missing(node.inputs[1:], rest) else node


def _missing(beside, nodes, depth=3):
    """Those of the nodes `beside` that are not found near these nodes, among them or what they are made from."""
    found, level = set(), list(nodes) if beside else []
    for _ in range(depth + 1):
        found.update(level)
        level = [child for node in level[:MOST_NEAR] for child in node.inputs]
    return [node for node in dict.fromkeys(beside) if node not in found]


@quiet
def _folded(op, nodes, attributes):
    """The constant that an operation on constants gives; None where it depends on the batch in a way constants cannot
    say."""
    powers = [node.per_batch for node in nodes]
    if op == "multiply":
        per_batch = sum(powers)
    elif not any(powers):
        per_batch = 0
    else:
        return None
    return constant(OPERATIONS[op].fold(*(node.value for node in nodes), **attributes), per_batch)


def row(op, derivative, fold, kernel=None):
    """Adds an elementwise operation; its kernel has its name, where none is given."""

    def reduced(node, dy):
        for child, gradient in zip(node.inputs, derivative(node, dy), strict=True):
            yield None if gradient is None else _reduced(gradient, child)

    OPERATIONS[op] = Operation("map", kernel or op, reduced, fold)


def _reduced(gradient, child):
    return lambda: summed_to(gradient(), child)


# ---- arithmetic ----------------------------------------------------------------------------------------------------


def is_all(node, number, other):
    """Whether a node is this number, or this number everywhere in the shape of another node."""
    if node.op != "expand":
        return is_number(node, number)
    alike = (node.batched, node.shape) == (other.batched, other.shape)
    return len(node.inputs) == 1 and alike and is_number(node.inputs[0], number)


def add(a: Operand, b: Operand) -> Node:
    a, b = node_of(a), node_of(b)
    if is_all(a, 0, b):
        return b
    return a if is_all(b, 0, a) else apply("add", a, b)


def subtract(a: Operand, b: Operand) -> Node:
    return node_of(a) if is_number(node_of(b), 0) else apply("subtract", a, b)


def multiply(a: Operand, b: Operand) -> Node:
    a, b = node_of(a), node_of(b)
    if is_number(a, 1):
        return b
    if is_number(b, 1):
        return a
    for one, other in ((a, b), (b, a)):
        if one.op == "expand" and is_number(one.inputs[0], 1):  # x ** 0: the shape, and that it depends on x, stay
            return expand(other, *broadcast("multiply", [a, b]), _missing(one.inputs[1:], [other]))
    if b.op == "constant":
        a, b = b, a
    if (
        a.op == "constant"
        and b.op == "multiply"
        and b.inputs[0].op == "constant"
        and a.shape == () == b.inputs[0].shape
    ):
        a, b = _folded("multiply", [a, b.inputs[0]], {}), b.inputs[1]
    return apply("multiply", a, b)


@quiet
def divide(a: Operand, b: Operand) -> Node:
    b = node_of(b)
    if b.op == "constant" and not b.per_batch and np.all(b.value):
        return multiply(constant(1 / b.value), a)
    return apply("divide", a, b)


def negate(x: Operand) -> Node:
    return multiply(-1.0, x)


def square(x: Operand) -> Node:
    """x * x."""
    return apply("square", x)


def total_of(*terms: Node) -> Node:
    """The sum of nodes, in their order."""
    result = terms[0]
    for term in terms[1:]:
        result = add(result, term)
    return result


row("add", lambda node, dy: (lambda: dy, lambda: dy), np.add)
row("subtract", lambda node, dy: (lambda: dy, lambda: negate(dy)), np.subtract)
row(
    "multiply",
    lambda node, dy: (lambda: multiply(dy, node.inputs[1]), lambda: multiply(dy, node.inputs[0])),
    np.multiply,
)
row(
    "divide",
    lambda node, dy: (
        lambda: divide(dy, node.inputs[1]),
        lambda: negate(divide(multiply(dy, node), node.inputs[1])),
    ),
    np.divide,
)
row("square", lambda node, dy: (lambda: multiply(multiply(2.0, dy), node.inputs[0]),), np.square)


# ---- functions of one number ---------------------------------------------------------------------------------------


def exp(x: Operand) -> Node:
    """e to the power of x."""
    return apply("exp", x)


def log(x: Operand) -> Node:
    """The natural logarithm of x: NaN for x < 0, -infinity for 0."""
    return apply("log", x)


def sqrt(x: Operand) -> Node:
    """The square root of x: NaN for x < 0; its slope at 0 is infinite."""
    return apply("sqrt", x)


def absolute(x: Operand) -> Node:
    """|x|; the gradient at 0 is 0."""
    return apply("abs", x)


def sign(x: Operand) -> Node:
    """-1, 0 or 1; no gradient passes."""
    return apply("sign", x)


def sin(x: Operand) -> Node:
    """The sine of x, in radians."""
    return apply("sin", x)


def cos(x: Operand) -> Node:
    """The cosine of x, in radians."""
    return apply("cos", x)


row("exp", lambda node, dy: (lambda: multiply(dy, node),), np.exp)
row("log", lambda node, dy: (lambda: divide(dy, node.inputs[0]),), np.log)
row("sqrt", lambda node, dy: (lambda: divide(multiply(0.5, dy), node),), np.sqrt)
row("abs", lambda node, dy: (lambda: multiply(dy, sign(node.inputs[0])),), np.abs)
row("sign", lambda node, dy: (None,), np.sign)
row("sin", lambda node, dy: (lambda: multiply(dy, cos(node.inputs[0])),), np.sin)
row("cos", lambda node, dy: (lambda: negate(multiply(dy, sin(node.inputs[0]))),), np.cos)


# ---- comparisons and choices ---------------------------------------------------------------------------------------


def less(a: Operand, b: Operand) -> Node:
    """1 where a < b, else 0."""
    return apply("less", a, b)


def less_equal(a: Operand, b: Operand) -> Node:
    """1 where a <= b, else 0."""
    return apply("less_equal", a, b)


def equal(a: Operand, b: Operand) -> Node:
    """1 where a = b, else 0."""
    return apply("equal", a, b)


def where(condition: Operand, a: Operand, b: Operand) -> Node:
    """a where the condition is not 0, else b. Both are computed; the gradient goes to the one that was taken."""
    return apply("select", condition, a, b)


def maximum(a: Operand, b: Operand) -> Node:
    """The larger of a and b; where they are equal, each gets half of the gradient."""
    return apply("maximum", a, b)


def minimum(a: Operand, b: Operand) -> Node:
    """The smaller of a and b; where they are equal, each gets half of the gradient."""
    return apply("minimum", a, b)


def clip(x: Operand, low: Operand, high: Operand) -> Node:
    """minimum(maximum(x, low), high). Raises ValueError for bounds that are known and NaN, or low above high."""
    lower, upper = ends = [node_of(low), node_of(high)]
    for name, given, end in zip(("low", "high"), (low, high), ends, strict=True):
        if end.op == "constant" and np.isnan(end.value).any():
            raise ValueError(f"{name} is {shown(given)}, expected numbers; pass -inf or inf for no bound")
    if lower.op == upper.op == "constant" and not (lower.per_batch or upper.per_batch):
        broadcast("clip", ends)
        if (lower.value > upper.value).any():
            raise ValueError(f"low is {shown(low)} and high is {shown(high)}, expected low <= high; swap them")
    return minimum(maximum(x, low), high)


def _extreme_derivative(node, dy):
    # 1 for the one that was taken, and half of it where both were: equal(a, node) - equal(a, b) / 2
    a, b = node.inputs

    def share(taken):
        return multiply(dy, subtract(equal(taken, node), multiply(0.5, equal(a, b))))

    yield lambda: share(a)
    yield lambda: share(b)


def _select_derivative(node, dy):
    condition = node.inputs[0]
    yield None
    yield lambda: where(condition, dy, 0.0)
    yield lambda: where(condition, 0.0, dy)


def _select(condition, a, b):
    return np.where(condition != 0, a, b)


for _name in ("less", "less_equal", "equal"):
    row(_name, lambda node, dy: (None, None), getattr(np, _name))
row("maximum", _extreme_derivative, np.maximum)
row("minimum", _extreme_derivative, np.minimum)
row("select", _select_derivative, _select)


# ---- broadcasting, there and back ----------------------------------------------------------------------------------


def expand(x: Operand, batched: bool, shape: Shape, beside: Iterable[Node] = ()) -> Node:
    """x broadcast to a shape; most operations take the broadcast operand as it is, and the node disappears.

    beside: what the value is made from, too, although it does not change it, as x in x ** 0: it is an input like any
    other, with the gradient 0.
    """
    x = node_of(x)
    if x.batched == batched and x.shape == tuple(shape) and not beside:
        return x
    while x.op == "expand":
        beside, x = (*x.inputs[1:], *beside), x.inputs[0]
    if batched and not x.batched and x.rows > 1 and x.size < math.prod(shape):
        x = Node("expand", (x,), batched=False, shape=shape)  # (2, 1) to (2, 3), to (B, 2, 3), as strides can say
    return Node("expand", (x, *dict.fromkeys(beside)), batched=batched, shape=shape)


def like(x: Operand, other: Node) -> Node:
    """x broadcast to the shape of another node."""
    return expand(x, other.batched, other.shape)


def summed_to(x: Node, child: Node) -> Node:
    """The gradient of what was broadcast from `child`: x, summed over what the broadcast repeated."""
    if x.batched == child.batched and x.shape == child.shape:
        return x
    if x.batched and not child.batched:
        if child.size == 1 and x.size > 1:
            x = row_sum(reshape(x, (x.size,)))
        elif x.size != child.size:  # (B, h, w) to (w,): the rows of the groups are summed after the batch
            return summed_to(batch_sum(x), child)
        return batch_sum(x, child.shape)
    if x.batched and x.size == child.size:  # (B, 1, w) to (B, w)
        return reshape(x, child.shape)
    if x.batched:
        return reshape(row_sum(reshape(x, (x.size,)) if child.size == 1 else x), child.shape)
    if (child.shape and child.width < x.width) or (not child.shape and x.shape):
        x = row_sum(x)  # (a, b) to (a, 1), (b,) to (1,)
    if x.rows > child.rows:
        x = Node("column_sum", (x,), batched=False, shape=(x.width,))
    return reshape(x, child.shape)


def reshape(x: Node, shape: Shape) -> Node:
    """The same numbers in another shape."""
    return x if x.shape == tuple(shape) else Node("reshape", (x,), batched=x.batched, shape=shape)


def row_sum(x: Node) -> Node:
    """The sum over the last axis, which stays with length 1."""
    return Node("row_sum", (x,), batched=x.batched, shape=(*x.shape[:-1], 1))


def batch_sum(x: Node, shape: Shape | None = None) -> Node:
    """The sum over the batch, batch-invariant; `shape` is another shape of as many numbers."""
    return Node("batch_sum", (x,), batched=False, shape=x.shape if shape is None else shape)


def _expand_derivative(node, dy):
    x, *beside = node.inputs
    yield lambda: summed_to(dy, x)
    for other in beside:
        yield lambda other=other: like(0.0, other)


OPERATIONS["expand"] = Operation("map", "copy", _expand_derivative, lambda x: x)
OPERATIONS["reshape"] = Operation("reshape", None, lambda node, dy: (lambda: reshape(dy, node.inputs[0].shape),))
OPERATIONS["row_sum"] = Operation("row_reduce", "row_sum", lambda node, dy: (lambda: like(dy, node.inputs[0]),))
OPERATIONS["column_sum"] = Operation("column_sum", None, lambda node, dy: (lambda: like(dy, node.inputs[0]),))
OPERATIONS["batch_sum"] = Operation(
    "batch_sum", None, lambda node, dy: (lambda: like(reshape(dy, node.inputs[0].shape), node.inputs[0]),)
)


# ---- operators of nodes --------------------------------------------------------------------------------------------

Node.__add__, Node.__radd__ = add, lambda a, b: add(b, a)
Node.__sub__, Node.__rsub__ = subtract, lambda a, b: subtract(b, a)
Node.__mul__, Node.__rmul__ = multiply, lambda a, b: multiply(b, a)
Node.__truediv__, Node.__rtruediv__ = divide, lambda a, b: divide(b, a)
Node.__neg__, Node.__pos__, Node.__abs__ = negate, lambda x: x, absolute
Node.__lt__, Node.__le__ = less, less_equal
Node.__gt__, Node.__ge__ = lambda a, b: less(b, a), lambda a, b: less_equal(b, a)
