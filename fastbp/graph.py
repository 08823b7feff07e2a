"""The computational graph as users write it: expressions of any kind, compiled to the plans that networks run on.

    from fastbp import graph as g

    x, y = g.inputs("x", "y")
    k = g.parameter("k", 6)
    loss = g.mean((g.sum(k[i] * x**i for i in range(6)) - y) ** 2)
    plan = g.compile(loss, dtype="float64")
    value, grads = plan.loss_and_grad(x=xs, y=ys)          # grads["k"].shape == (6,)

An input has a row for each sample: (batch, width). Parameters and constants are the same for all samples: (), (d,) or
(a, b). Shapes broadcast as in NumPy. Comparisons, == and != among them, are nodes of 0 and 1, joined by &, |, ^ and ~;
whether two names are of one node is asked with `is`. What is trained are the parameters that the loss reaches, but for
those behind `freeze`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import overload as _overload

from fastbp import _check as check
from fastbp import initializers as _initializers
from fastbp import losses
from fastbp._ir import conditions as _conditions  # noqa: F401 -- operators of nodes
from fastbp._ir import elementwise as _e
from fastbp._ir import functions as _functions
from fastbp._ir import indexing as _s
from fastbp._ir import leaves
from fastbp._ir import nn as _p
from fastbp._ir import pickling as _pickling  # noqa: F401 -- how nodes are pickled
from fastbp._ir import powers as _powers  # noqa: F401 -- operators of nodes
from fastbp._ir import products as _products  # noqa: F401 -- operators of nodes
from fastbp._ir.elementwise import *  # noqa: F403 -- what it lists in __all__
from fastbp._ir.elementwise import sqrt, where
from fastbp._ir.indexing import logsumexp as _logsumexp
from fastbp._ir.node import Node, described, differentiate, node_of, ordered
from fastbp._ir.node import constant as _number
from fastbp._models.expression import Plan

if _TYPE_CHECKING:
    from collections.abc import Callable as _Callable
    from collections.abc import Iterable as _Iterable
    from collections.abc import Mapping as _Mapping
    from collections.abc import Sequence as _Sequence
    from typing import Any as _Any

    from graphviz import Digraph as _Digraph
    from numpy.typing import ArrayLike as _ArrayLike

    from fastbp._check.types import Data as _Data
    from fastbp._check.types import DType as _DType
    from fastbp._check.types import Path as _Path
    from fastbp._ir.node import Operand as _Operand

__all__ = [
    "Node", "Plan", "abs", "compile", "concat", "constant", "dense", "draw", "freeze", "gather", "grad", "input",
    "inputs", "logsumexp", "max", "mean", "norm", "parameter", "reshape", "show", "softmax", "sum",
]  # fmt: skip
__all__ += _e.__all__  # and, below, a function for each activation and for each loss

_each = sum  # the builtin, before this module's own takes its name


# ---- leaves --------------------------------------------------------------------------------------------------------


def input(name: str, width: int = 1, integer: bool = False) -> Node:
    """What the caller gives for each sample: (batch, width). integer: class labels or the rows of a table, width 1."""
    width = check.integer("width", width, minimum=1)
    if check.flag("integer", integer) and width != 1:
        raise ValueError(f"width is {width} of integer input {name!r}, expected 1; declare an input for each column")
    return leaves.rows(_name(name), width, bool(integer))


def inputs(*names: str) -> tuple[Node, ...]:
    """Several inputs of width 1."""
    return tuple(input(name) for name in names)


def parameter(name: str, shape: int | _Sequence[int] = (), init: str | _ArrayLike | None = None) -> Node:
    """What is trained. shape: (), an int or a tuple of at most two; init: a number, an array of that shape or a name of
    fastbp.initializers.NAMES; by default fan_in_uniform for a matrix, whose rows are taken for inputs, and zeros for
    everything else: a vector need not be a bias, so one that shall begin like a layer's has to be given."""
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    shape = tuple(check.integer("shape", n, minimum=1) for n in shape)
    if len(shape) > 2:
        raise ValueError(
            f"shape of parameter {name!r} is {shape}, expected at most two axes; reshape it where it is used"
        )
    if init is None:
        init = "fan_in_uniform" if len(shape) == 2 else "zeros"
    elif not isinstance(init, str):
        init = check.array("init", init, shape, check.dtype("float64")).copy()
    else:
        init = check.choice("init", init, _initializers.NAMES)
    node = leaves.parameter(shape, _name(name))
    node.attributes["init"] = init
    return node


def constant(value: _ArrayLike) -> Node:
    """Numbers that stay as they are: a number or an array of at most two axes, copied."""
    node = node_of(value)
    if node is value:
        raise TypeError(f"value is {check.shown(value)}, expected numbers; to keep a node from training use freeze")
    return node


def freeze(x: _Operand) -> Node:
    """x, through which no gradient passes: what leads to it is not trained by way of it."""
    x = node_of(x)
    return Node("freeze", (x,), batched=x.batched, shape=x.shape)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"name is {check.shown(name)}, expected a word; pass a str, such as 'x'")
    return name


# ---- sums and their like -------------------------------------------------------------------------------------------


def sum(x: Node | _Iterable[_Operand], axis: int | None = None) -> Node:
    """The sum of a node's numbers, or of several nodes.

    x: a node, or an iterable of nodes, which are added. axis: None for all numbers, samples included: a scalar; -1 for
    the width, which stays with length 1; 0 for the batch of a batched node, or the first axis of a fixed one.
    """
    if not isinstance(x, Node):
        try:
            terms = list(x)
        except TypeError:
            raise TypeError(
                f"x is {check.shown(x)}, expected a node or several nodes; pass a node, or a list of them"
            ) from None
        return _each(map(node_of, terms))
    axis = _axis(x, axis)
    if axis is None:
        return _s.total(x) if x.batched else _s.invariant_sum(x)
    if axis == 0:
        return _e.batch_sum(x) if x.batched else _s.column_sum(x)
    return _e.row_sum(x)


def norm(x: _Operand, axis: int | None = None) -> Node:
    """The Euclidean norm of a node's numbers, sqrt(sum(x * x)); axis as for `sum`. Where it is 0, so is its slope,
    while that of sqrt is infinite there. The dtype must hold the squares."""
    squares = sum(_e.square(x), axis)
    nothing = squares == 0
    return where(nothing, 0.0, sqrt(where(nothing, 1.0, squares)))


def mean(x: _Operand, axis: int | None = None) -> Node:
    """The mean of a node's numbers; axis as for `sum`."""
    x = node_of(x)
    axis = _axis(x, axis)
    if axis is None and x.batched:
        return _s.total(x, 1 / x.size, per_batch=1)
    if axis == 0 and x.batched:
        return _e.multiply(_number(1.0, per_batch=1), _e.batch_sum(x))
    count = x.size if axis is None else x.rows if axis == 0 else x.shape[-1]
    return sum(x, axis) / count


def _axis(x: Node, axis: int | None) -> int | None:
    """None, 0 or -1."""
    if axis is None or not x.ndim:
        return None
    if axis in (-1, x.ndim - 1) and len(x.shape):
        return -1 if x.batched or len(x.shape) == 2 else None
    if axis == 0:
        return 0
    raise ValueError(
        f"axis is {check.written(axis)} of {x!r}, expected None, 0 or -1; reshape it first for another axis"
    )


def max(x: _Operand) -> Node:
    """The largest number of the width, which stays with length 1; equal ones share the gradient."""
    return _s.row_max(_with_width("max", x))


def logsumexp(x: _Operand) -> Node:
    """log(sum(exp(x))) over the width, which stays with length 1."""
    return _logsumexp(_with_width("logsumexp", x))


def softmax(x: _Operand) -> Node:
    """exp(x) / sum(exp(x)) over the width."""
    return _p.activated("softmax", _with_width("softmax", x))


def _with_width(what: str, x: _Operand) -> Node:
    x = node_of(x)
    if not x.shape:
        raise ValueError(f"{what} of {x!r}, expected a node with a width; a single number has none")
    return x


# ---- shapes --------------------------------------------------------------------------------------------------------


def reshape(x: _Operand, shape: int | _Sequence[int]) -> Node:
    """The same numbers in another shape: an int, or a tuple of at most two, without the batch; one may be -1."""
    x = node_of(x)
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    shape = tuple(check.integer("shape", n, minimum=-1) for n in shape)
    known = 1
    for n in shape:
        known *= 1 if n == -1 else n
    if shape.count(-1) == 1 and known and x.size % known == 0:
        shape = tuple(x.size // known if n == -1 else n for n in shape)
        known = x.size
    if known != x.size or len(shape) > 2 or (x.batched and not shape) or 0 in shape or -1 in shape:
        raise ValueError(
            f"shape is {shape} for {x!r}, expected at most two axes with {x.size} numbers together, beside the batch; "
            "change the shape"
        )
    return _e.reshape(x, shape)


def concat(nodes: _Iterable[_Operand]) -> Node:
    """Nodes side by side along the last axis; all batched, or all fixed, and alike in the other axes."""
    try:
        nodes = list(nodes)
    except TypeError:
        raise TypeError(f"nodes is {check.shown(nodes)}, expected several nodes; pass a list of them") from None
    parts = [node_of(node) for node in nodes]
    alike = {(node.batched, node.shape[:-1]) for node in parts if node.shape}
    if not parts or len(alike) != 1 or any(not node.shape for node in parts):
        shapes = ", ".join(described(node.batched, node.shape) for node in parts) or "none"
        raise ValueError(
            f"concat: shapes {shapes}, expected nodes with a width, all batched or all fixed, and alike but for it; "
            "reshape or expand them first"
        )
    return parts[0] if len(parts) == 1 else _s.concat(parts)


def gather(table: _Operand, index: Node) -> Node:
    """Row index[i] of a table (n, d) for sample i: an embedding. index: an integer input."""
    table = node_of(table)
    if table.batched or len(table.shape) != 2:
        raise ValueError(f"table is {check.shown(table)}, expected a parameter of two axes, a row for each index; "
                         "pass one")
    if not isinstance(index, Node) or not index.attributes.get("integer"):
        raise TypeError(
            f"index is {check.shown(index)}, expected an integer input; declare it with graph.input(name, integer=True)"
        )
    return _s.gather(table, index)


# ---- products and activations --------------------------------------------------------------------------------------


def dense(x: _Operand, W: _Operand, b: _Operand | None = None, activation: str = "linear") -> Node:
    """activation(x @ W + b): x (batch, inputs), W (inputs, units), b (units,) or None."""
    x, W = node_of(x), node_of(W)
    fits = x.batched and len(x.shape) == 1 and not W.batched and len(W.shape) == 2 and x.shape[0] == W.shape[0]
    if not fits:
        raise ValueError(
            f"dense: x is {x!r} and W {W!r}, expected (batch, inputs) and (inputs, units); change their shapes"
        )
    if b is not None:
        b = node_of(b)
        if b.batched or b.shape != (W.shape[1],):
            raise ValueError(f"dense: b is {b!r}, expected a fixed node of shape ({W.shape[1]},), one number a unit; "
                             "reshape it")
    return _p.dense(x, W, b, check.choice("activation", activation, _p.activations()))


abs = _e.absolute


# linear is x itself and exponential is exp; softmax, which is no function of one number, stands above
_NAMES = [name for name in _p.activations() if name not in ("linear", "exponential", *__all__)]
_ACTIVATIONS = {name: _functions.activation(name) for name in _NAMES}


# ---- losses --------------------------------------------------------------------------------------------------------


_LOSSES = {name: _functions.loss(cls) for name, cls in losses.LOSSES.items()}
for _function in (*_ACTIVATIONS.values(), *_LOSSES.values()):
    _function.__module__ = __name__  # where users, help and pickle find it
globals().update(_ACTIVATIONS, **_LOSSES)
__all__ = sorted({*__all__, *_ACTIVATIONS, *_LOSSES})

if _TYPE_CHECKING:

    def __getattr__(name: str) -> _Callable[..., Node]:  # an activation or a loss
        raise AttributeError


# ---- what is done with a graph -------------------------------------------------------------------------------------


@_overload
def grad(node: Node, wrt: Node) -> Node: ...


@_overload
def grad(node: Node, wrt: _Sequence[Node]) -> list[Node]: ...


def grad(node: Node, wrt: _Any) -> _Any:
    """The derivative of `node` as an expression to build on: a node of the shape of `wrt`, or a list for a list.

    Of a node that is not a scalar, it is the derivative of the sum of its numbers: for u (batch, 1) that depends on
    each sample's own x, grad(u, x) is du/dx of each sample.
    """
    many = isinstance(wrt, (list, tuple))
    wanted = list(wrt) if many else [wrt]
    for name, one in (("node", node), *(("wrt", one) for one in wanted)):
        if not isinstance(one, Node):
            raise TypeError(f"{name} is {check.shown(one)}, expected a node; pass what the expression was made from")
    reached = set(ordered([node]))
    for one in wanted:
        if one not in reached:
            raise ValueError(
                f"grad: {node!r} does not depend on {one!r}, expected a node it was made from; check the expression"
            )
    made = differentiate(node, _e.like(1.0, node), wanted, add=_e.total_of)
    result = [_with_inputs(_e.like(made.get(one, 0.0), one), reached) for one in wanted]
    return result if many else result[0]


def _with_inputs(derivative: Node, reached: set[Node]) -> Node:
    """A derivative that still depends on every input that its expression did, also where that has cancelled, as x has
    in the slope of a line: so the caller may pass what the expression is written with."""
    if not derivative.batched:  # of what is the same for all samples: a sum over them, in which an input has no place
        return derivative
    there = set(ordered([derivative]))
    lost = [node for node in reached if node.op == "data" and node not in there]
    if not lost:
        return derivative
    one = _e.expand(1.0, True, derivative.shape, sorted(lost, key=lambda node: node.name))
    return _e.multiply(derivative, one)


def compile(
    loss: Node,
    outputs: dict[str, Node] | None = None,
    *,
    dtype: _DType = "float32",
    seed: int = 0,
    debug: bool = False,
    shared_with: Plan | None = None,
) -> Plan:
    """The Plan of a graph: its loss, gradients and outputs, compiled where they are used.

    loss: a scalar node. outputs: {name: node} of what `plan.forward` gives. dtype: "float32" or "float64". seed: of
    initial values, the order of training and dropout. debug: every call looks at every node, and the first that is not
    finite is named. shared_with: a Plan whose parameters this one uses and trains, too, instead of having its own.

    A warning names parameters that the loss does not reach. Raises TypeError and ValueError for what cannot be
    compiled.
    """
    return Plan(loss, outputs, dtype=dtype, seed=seed, debug=debug, shared_with=shared_with)


def show(what: Plan | Node, /, **inputs: _Data) -> str:
    """The graph as text: a line for each node, in order, with its value and gradient.

    what: a Plan, after a step; or a scalar node, with an array for each input - or none, for the structure alone.
    """
    return _stepped(what, inputs).show()


def draw(what: Plan | Node, path: _Path | None = None, /, **inputs: _Data) -> _Digraph:
    """The graph as a picture, by graphviz: returns a graphviz.Digraph, and writes `path` (.svg, .png, .pdf) where
    given.

    what, path and inputs: as for `show`, by their places and by name. Parameters are ellipses, inputs sheets of paper,
    constants bare numbers, operations boxes, the loss a double box. Raises ImportError without the package graphviz,
    RuntimeError for a path without the program dot.
    """
    from fastbp.plot import graph  # graphviz is optional

    return graph.draw(_stepped(what, inputs), path)


def _stepped(what: Plan | Node, inputs: _Mapping[str, _Data]) -> Plan:
    """A Plan as it is; or that of a scalar node, after a step if it has its inputs."""
    if isinstance(what, Plan):
        if inputs:
            raise ValueError(
                f"inputs {', '.join(inputs)} with a Plan, expected none; call plan.loss_and_grad first"
                + ("; a path goes by its place: draw(plan, path)" if "path" in inputs else "")
            )
        return what
    plan = Plan(what, dtype="float64")
    if inputs or not plan.inputs:
        plan.loss_and_grad(**inputs)
    return plan
