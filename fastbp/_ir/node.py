"""A node of the computational graph, and the table of operations.

A node is an operation applied to nodes. Its value is either *batched*, a row for each sample, or *batch-invariant*
("fixed" in messages), the same for all of them: a parameter, a constant, a reduction over the batch, and what is
computed from such. `shape` leaves the batch out: a batched node of shape (3,) is a matrix (B, 3); a batch-invariant one
is a number (), a vector (d,) or a matrix (a, b).

An operation is a row in OPERATIONS; the core knows none of them.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from types import EllipsisType
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from fastbp._check.types import Shape

    # what functions of nodes take: a node, a number, or an array of numbers; and what is between x's [ and ]
    Operand: TypeAlias = "Node | ArrayLike"
    Key: TypeAlias = int | np.integer[Any] | slice | EllipsisType


class Operation(NamedTuple):
    """kind: the rule of fastbp._compiler.lowering that writes it; kernel: its row of csrc/kernels.def, where the kind
    leaves it open; derivative: (node, dy) -> for each input a function that makes the gradient's node, or None where
    there is none; fold: the same on NumPy arrays, where constants are computed at once."""

    kind: str
    kernel: str | None = None
    derivative: Callable[..., Any] | None = None
    fold: Callable[..., Any] | None = None


OPERATIONS = {name: Operation(name) for name in ("data", "parameter", "constant")}

# the input that may be of integers
TAKES_INTEGERS = {"gather": 1, "scatter": 1, "loss": 1, "loss_gradient": 1, "correct": 1}


class Node:
    """op: a name in OPERATIONS; inputs: nodes; batched, shape: see above; attributes: whatever the operation needs."""

    __slots__ = ("attributes", "batched", "inputs", "op", "shape")
    op: str
    inputs: tuple[Node, ...]
    batched: bool
    shape: Shape
    attributes: dict[str, Any]
    __hash__ = object.__hash__  # a == b is a node: dicts and sets know nodes by identity

    def __init__(
        self, op: str, inputs: Iterable[Node] = (), *, batched: bool, shape: Iterable[int], **attributes: Any
    ) -> None:
        set_ = object.__setattr__
        set_(self, "op", op)
        set_(self, "inputs", tuple(inputs))
        set_(self, "batched", batched)
        set_(self, "shape", tuple(shape))
        set_(self, "attributes", attributes)
        for place, node in enumerate(self.inputs):
            if node.op == "data" and node.attributes.get("integer") and TAKES_INTEGERS.get(op) != place:
                raise TypeError(
                    f"{attributes.get('activation', op)}: operand {node!r} is of integers, expected real numbers; "
                    "declare the input without integer=True, or use it as an index or as labels"
                )

    def __setattr__(self, name, value):
        raise AttributeError(f"{name} of {self!r} cannot change: plans are compiled from it; make a new node")

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "attributes")[name]
        except KeyError:
            raise AttributeError(f"a {self.op!r} node has no {name!r}") from None

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is neither true nor false before there are data, expected one of the two by Python's and, or, "
            "not, if, in, max, min, sorted and a < b < c; write graph.where(condition, a, b), (a < b) & (b < c), "
            "(a < b) | (b < c), ~(a < b), graph.maximum, graph.minimum, or `is` for the same node"
        )

    def __float__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is no number before there are data, expected one; use the functions of fastbp.graph, such as "
            "graph.sin for math.sin, or look at plan.value(node) after a step"
        )

    __int__ = __float__

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            f"{self!r} is no array before there are data, expected one; use the functions of fastbp.graph, such as "
            "graph.sum for np.sum, or look at plan.value(node) after a step"
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        """array * node is np.multiply(array, node), and that the operator of nodes; other functions have no place."""
        operation = _OPERATORS.get(ufunc)
        if operation and method == "__call__" and not kwargs:
            return operation(node_of(inputs[0]), inputs[1])
        raise TypeError(
            f"np.{ufunc.__name__} of {self!r}, which is no array before there are data, expected one; use the "
            "functions "
            "of fastbp.graph, such as graph.exp for np.exp"
        )

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: object) -> Node:
        return self

    @property
    def size(self) -> int:
        """Numbers in the value, of one sample where it is batched."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """Columns of the value as a matrix: all of a sample's numbers, or the last axis of what is batch-invariant."""
        return self.size if self.batched else self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """Rows of a batch-invariant value as a matrix."""
        return self.shape[0] if len(self.shape) == 2 else 1

    @property
    def ndim(self) -> int:
        return self.batched + len(self.shape)

    def __repr__(self) -> str:
        name = self.attributes.get("name")
        return f"<{self.op}{f' {name!r}' if name else ''} {described(self.batched, self.shape)}>"

    if TYPE_CHECKING:  # the operators, which elementwise, powers, indexing, conditions and fastbp.graph set

        def _binary(self, other: Operand) -> Node: ...

        def _unary(self) -> Node: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _binary
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __lt__ = __le__ = __gt__ = __ge__ = _binary
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _binary
        __neg__ = __pos__ = __abs__ = __invert__ = _unary

        def __eq__(self, other: object) -> Node: ...  # type: ignore[override]

        def __ne__(self, other: object) -> Node: ...  # type: ignore[override]

        def __getitem__(self, key: Key | tuple[Key, ...]) -> Node: ...

        __iter__: None
        __contains__: None


# NumPy's functions that operators of arrays stand for
_OPERATORS = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.true_divide: operator.truediv,
    np.power: operator.pow, np.matmul: operator.matmul, np.less: operator.lt, np.less_equal: operator.le,
    np.greater: operator.gt, np.greater_equal: operator.ge, np.equal: operator.eq, np.not_equal: operator.ne,
    np.bitwise_and: operator.and_, np.bitwise_or: operator.or_, np.bitwise_xor: operator.xor,
}  # fmt: skip


def described(batched: bool, shape: Iterable[int]) -> str:
    """A shape in words: (batch, 3)."""
    parts = ["batch"] * batched + [str(n) for n in shape]
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


# ---- constants -----------------------------------------------------------------------------------------------------


@quiet
def constant(value: ArrayLike, per_batch: int = 0) -> Node:
    """A batch-invariant node of numbers; with per_batch = k they are divided by B^k, for a batch of B rows."""
    array = np.array(value, np.float64)  # a copy: what the caller does to it later changes nothing
    return Node("constant", batched=False, shape=array.shape, value=array, per_batch=per_batch)


def node_of(value: Operand) -> Node:
    """A Node from a Node, a number or an array of at most two dimensions."""
    if isinstance(value, Node):
        return value
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf" or array.ndim > 2 or not array.size:
            raise TypeError
    except (TypeError, ValueError):
        raise TypeError(
            f"operand is {shown(value)}, expected a node, a number or an array of numbers with at most two dimensions; "
            "make a node of it with graph.input, graph.parameter or graph.constant"
        ) from None
    return constant(array)


def is_number(node: Node, number: float) -> bool:
    """Whether a node is this number, whatever the batch."""
    return node.op == "constant" and not node.per_batch and node.shape == () and node.value == number


# ---- shapes --------------------------------------------------------------------------------------------------------


def broadcast(what: str, nodes: Sequence[Node]) -> tuple[bool, Shape]:
    """(batched, shape) of elementwise operations on these nodes, as NumPy does it; ValueError where they do not fit."""
    first = nodes[0]
    if all(node.shape == first.shape and node.batched == first.batched for node in nodes):
        return first.batched, first.shape
    batched = any(node.batched for node in nodes)
    try:
        shape = np.broadcast_shapes(*(node.shape for node in nodes))
        layout(batched, shape, nodes)
    except ValueError:
        shapes = ", ".join(described(node.batched, node.shape) for node in nodes)
        raise ValueError(
            f"{what}: shapes {shapes} do not broadcast, expected equal ones, or 1 where they differ; "
            "slice, sum or reshape one of them"
        ) from None
    return batched, shape


def layout(batched, shape, operands):
    """How an elementwise operation runs: (rows for each sample, columns, [(rows advance, column step) of each
    operand]).

    Kernels take a matrix, and operands by a stride from row to row and one from column to column, 0 where the operand
    is repeated. The three cases:

        not batched, shape (h, w)           h rows of w          a + b of two parameters
        batched, shape (h, w)               B * h rows of w      x (B, h, w) * b (w,): b is one row, read by all
        ... beside one number for each      B rows of h * w      x (B, h, w) / s (B,), x * M (h, w): the matrix is
            sample, or a batch-invariant matrix                            one row of h * w, read by every sample

    ValueError where rows would have to be repeated in turn with others, which no stride says: x (B, h, w) * c (h, 1),
    or both b (w,) and s (B,) beside x.
    """
    width = shape[-1] if shape else 1
    group = shape[0] if len(shape) == 2 else 1
    if batched and group > 1 and any(node.size == 1 if node.batched else node.rows > 1 for node in operands):
        group, width = 1, group * width
    steps = []
    for node in operands:
        last = node.shape[-1] if node.shape else 1
        rows = node.rows if not node.batched else node.size // max(1, last)
        if group == 1 and batched:
            rows, last = 1, node.size
        moves = node.batched or rows > 1
        if last not in (1, width) or (moves and rows != group):
            raise ValueError
        steps.append((moves, 1 if last == width else 0))
    return group, width, steps


# ---- order ---------------------------------------------------------------------------------------------------------


def ordered(roots: Sequence[Node]) -> list[Node]:
    """All nodes that `roots` need, each after its inputs: depth first, without recursion. ValueError for a cycle."""
    order: list[Node] = []
    path: list[Node] = []
    done: dict[int, bool] = {}  # {id: False while a node waits for its inputs, then True}
    stack: list[Node | None] = list(reversed(roots))
    while stack:
        node = stack.pop()
        if node is None:  # the inputs of the last node of the path are in order
            node = path.pop()
            done[id(node)] = True
            order.append(node)
            continue
        state = done.get(id(node))
        if state is None:
            done[id(node)] = False
            path.append(node)
            stack.append(None)
            stack.extend(node.inputs[::-1])
        elif not state:
            raise ValueError(
                f"the graph has a cycle through {node!r}, expected nodes that depend on earlier ones only; "
                "do not write into node.inputs"
            )
    return order


# ---- differentiation -----------------------------------------------------------------------------------------------


def differentiate(
    root: Node, seed: Node, wanted: Collection[Node], *, add: Callable[..., Node], held: Iterable[Node] = ()
) -> dict[Node, Node]:
    """{wanted node: the node of d root / d it}; `seed` is the gradient of the root itself.

    Only what leads to a wanted node is made: the gradient of the first layer's input is not, unless it is asked for.
    Terms that meet at a node are summed by `add`. held: nodes that count as independent of everything: partial
    derivatives.
    """
    order = ordered([root])
    leads, apart = {id(node) for node in wanted}, {id(node) for node in held}
    for node in order:
        if id(node) not in apart and any(id(child) in leads for child in node.inputs):
            leads.add(id(node))
    terms = {id(root): [seed]}
    for node in reversed(order):
        derivative = OPERATIONS[node.op].derivative
        if (
            derivative is None
            or id(node) not in terms
            or id(node) in apart
            or not any(id(child) in leads for child in node.inputs)
        ):
            continue
        total = add(*terms[id(node)])
        terms[id(node)] = [total]
        for child, gradient in zip(node.inputs, derivative(node, total), strict=True):
            if gradient is not None and id(child) in leads:
                terms.setdefault(id(child), []).append(gradient())
    return {node: add(*terms[id(node)]) for node in wanted if id(node) in terms}
