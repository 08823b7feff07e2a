"""Operations of networks: products, activations, losses, dropout and penalties, each with its derivative beneath it."""

from __future__ import annotations

import math
from functools import cache
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from fastbp._core import cpu
from fastbp._ir import elementwise as e
from fastbp._ir.elementwise import exp, like, minimum, multiply, row_sum, square, total_of, where
from fastbp._ir.indexing import gather, total
from fastbp._ir.node import OPERATIONS, Node, Operation, constant, differentiate

if TYPE_CHECKING:
    from fastbp.losses import Loss

# ---- products ------------------------------------------------------------------------------------------------------


def dense(x: Node, W: Node, b: Node | None = None, activation: str = "linear") -> Node:
    """activation(x W + b). x (B, I), W (I, O), b (O,), batch-invariant; the compiled operation is one, whatever its
    parts."""
    z = Node("dense", (x, W) if b is None else (x, W, b), batched=True, shape=(W.shape[1],))
    return activated(activation, z)


def input_gradient(dz, W):
    """dz (B, O) W^T."""
    return Node("input_gradient", (dz, W), batched=True, shape=(W.shape[0],))


def weight_gradient(x, dz):
    """x^T dz, summed over the batch: (I, O), batch-invariant."""
    return Node("weight_gradient", (x, dz), batched=False, shape=(x.size, dz.size))


def outer(pairs, besides=()):
    """The sum of x^T dz over the pairs (x, dz), for each sample: (B, I, O). besides: at most one node of that shape,
    batch-invariant or batched, that is added."""
    inputs = [node for pair in pairs for node in pair]
    shape = (inputs[0].size, inputs[1].size)
    return Node("outer", (*inputs, *besides), batched=True, shape=shape, pairs=len(pairs))


def matmul(A: Node, B: Node) -> Node:
    """A (m, k) B (k, n), both batch-invariant."""
    return Node("matmul", (A, B), batched=False, shape=(A.shape[0], B.shape[1]))


def transpose(A):
    """The transpose of a batch-invariant matrix."""
    return Node("transpose", (A,), batched=False, shape=A.shape[::-1])


def _dense_derivative(node, dz):
    x, W = node.inputs[:2]
    yield lambda: input_gradient(dz, W)
    yield lambda: weight_gradient(x, dz)
    if len(node.inputs) == 3:
        yield lambda: e.batch_sum(dz)


def _input_gradient_derivative(node, d):
    dz, W = node.inputs
    yield lambda: dense(d, W)
    yield lambda: weight_gradient(d, dz)


def _weight_gradient_derivative(node, D):
    x, dz = node.inputs
    yield lambda: input_gradient(dz, D)
    yield lambda: dense(x, D)


def _matmul_derivative(node, d):
    A, B = node.inputs
    yield lambda: matmul(d, transpose(B))
    yield lambda: matmul(transpose(A), d)


OPERATIONS["dense"] = Operation("dense", None, _dense_derivative)
OPERATIONS["input_gradient"] = Operation("input_gradient", None, _input_gradient_derivative)
OPERATIONS["weight_gradient"] = Operation("weight_gradient", None, _weight_gradient_derivative)
OPERATIONS["outer"] = Operation("outer")  # of gradients of single samples, which nothing is differentiated through
OPERATIONS["matmul"] = Operation("matmul", None, _matmul_derivative)
OPERATIONS["transpose"] = Operation("transpose", None, lambda node, d: (lambda: transpose(d),))


# ---- activations ---------------------------------------------------------------------------------------------------


@cache
def activations() -> dict[str, str]:
    """{name: "OUTPUT" or "INPUT"}, what the derivative of each activation is computed from; "" for linear."""
    return cpu.activations()


def activated(name: str, z: Node) -> Node:
    """An activation by its name in csrc/kernels.def."""
    return z if name == "linear" else Node("activation", (z,), batched=z.batched, shape=z.shape, activation=name)


def layer_before(x: Node) -> tuple[str | None, int]:
    """(activation, depth) of the dense layer that x comes from, as it is or through dropout: depth counts it and the
    layers before it. (None, 0) if it comes from none."""
    while x.op == "dropout":
        x = x.inputs[0]
    z, name = (x.inputs[0], x.activation) if x.op == "activation" else (x, "linear")
    return (name, 1 + z.inputs[1].attributes.get("depth", 0)) if z.op == "dense" else (None, 0)


def activation_gradient(dy, v, activation):
    """dy times the activation's derivative, from v: its output or its input, as the kernel's row says."""
    return Node("activation_gradient", (dy, v), batched=v.batched, shape=v.shape, activation=activation)


def _activation_derivative(node, dy):
    v = node if activations()[node.activation] == "OUTPUT" else node.inputs[0]
    yield lambda: activation_gradient(like(dy, node), v, node.activation)


def _activation_gradient_derivative(node, d):
    # For dy it is the same operation again: a derivative is linear, and that of softmax is symmetric. For v, the
    # kernel's formula is written as nodes, which can be differentiated as often as wanted.
    dy, v = node.inputs
    yield lambda: activation_gradient(like(d, node), v, node.activation)
    if node.activation == "gelu":
        yield lambda: d * dy * _gelu_curvature(v)
        return
    held = [dy, v, *dy.inputs] if dy.op == "expand" else [dy, v]
    made = differentiate(SLOPES[node.activation](dy, v), d, [v], add=total_of, held=held)
    yield (lambda: made[v]) if v in made else None


OPERATIONS["activation"] = Operation("activation", None, _activation_derivative)
OPERATIONS["activation_gradient"] = Operation("activation_gradient", None, _activation_gradient_derivative)

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_GELU_A = 2 * math.sqrt(2 / math.pi)
_GELU_B = _GELU_A * 0.044715


def _gelu_curvature(z):
    """The second derivative, (2 - z^2) density(z); the first one has the normal distribution in it, which is no
    node."""
    return (2 - square(z)) * exp(multiply(-0.5, square(z))) / math.sqrt(2 * math.pi)


def _gelu_tanh_slope(dy, z):
    s = activated("sigmoid", z * (square(z) * _GELU_B + _GELU_A))
    return dy * (s + z * s * (1 - s) * (square(z) * (3 * _GELU_B) + _GELU_A))


def _silu_slope(dy, z):
    s = activated("sigmoid", z)
    return dy * (s + z * s * (1 - s))


def _mish_slope(dy, z):
    t = activated("tanh", activated("softplus", z))
    return dy * (t + z * (1 - square(t)) * activated("sigmoid", z))


# dy * slope(v) as nodes, v being what the kernel of csrc/activations.inc reads: the second derivative comes from here
SLOPES = {
    "relu": lambda dy, y: dy * where(y > 0, 1.0, 0.0),
    "leaky_relu": lambda dy, y: dy * where(y > 0, 1.0, 0.01),
    "elu": lambda dy, y: dy * minimum(1.0, y + 1),
    "selu": lambda dy, y: dy * where(y > 0, _SELU_SCALE, y + _SELU_SCALE * _SELU_ALPHA),
    "gelu_tanh": _gelu_tanh_slope,
    "silu": _silu_slope,
    "mish": _mish_slope,
    "softplus": lambda dy, y: dy * (1 - exp(-y)),
    "sigmoid": lambda dy, y: dy * (y * (1 - y)),
    "hard_sigmoid": lambda dy, y: dy * where(y > 0, where(y < 1, 1 / 6, 0.0), 0.0),
    "tanh": lambda dy, y: dy * (1 - square(y)),
    "softsign": lambda dy, y: dy * square(1 - abs(y)),
    "exponential": lambda dy, y: dy * y,
    "softmax": lambda dy, y: y * (dy - row_sum(dy * y)),
}


# ---- dropout and penalties -----------------------------------------------------------------------------------------


class Mask:
    """Which stream of random masks a dropout draws from: the one of this number, or another where that is taken."""

    def __init__(self, number: int) -> None:
        self.number = number


def dropout(x: Node, rate: float, mask: Mask) -> Node:
    """x with each element zeroed with probability `rate`, the others divided by 1 - rate."""
    return Node("dropout", (x,), batched=True, shape=x.shape, rate=rate, mask=mask)


def numbered(order):
    """{mask: its number} of the dropouts among these nodes: each mask's own number, or the next one that is free, so
    that a layer that is called twice drops differently each time."""
    found = {}
    for node in order:
        if node.op == "dropout" and node.mask not in found:
            taken = set(found.values())
            found[node.mask] = next(n for n in count(node.mask.number) if n not in taken)
    return found


def penalty(W, l1, l2):
    """l1 * sum |W| + l2 * sum W^2 of a parameter."""
    return Node("penalty", (W,), batched=False, shape=(), l1=l1, l2=l2)


def _penalty_derivative(node, dy):
    W = node.inputs[0]
    yield lambda: Node("penalty_gradient", (W,), batched=False, shape=W.shape, l1=node.l1, l2=node.l2)


OPERATIONS["dropout"] = Operation("dropout", None, lambda node, dy: (lambda: dropout(dy, node.rate, node.mask),))
OPERATIONS["penalty"] = Operation("penalty", None, _penalty_derivative)
# never differentiated: fastbp._ir.analysis writes a penalty in small nodes where it is
OPERATIONS["penalty_gradient"] = Operation("penalty_gradient")


# ---- losses --------------------------------------------------------------------------------------------------------


def loss(y: Node, target: Node, function: Loss, weights: Node | None = None, samples: int | None = None) -> Node:
    """The scalar loss of outputs y (B, O) for targets; function is a fastbp.losses.Loss, weights (B, 1) or None.
    samples: how many its mean is over; None for the batch's."""
    inputs = (y, target) if weights is None else (y, target, weights)
    return Node("loss", inputs, batched=False, shape=(), function=function, samples=samples)


def loss_gradient(node):
    """The gradient of a loss for its outputs."""
    return Node("loss_gradient", node.inputs, batched=True, shape=node.inputs[0].shape, loss=node)


def written(node):
    """A loss in small nodes: what it is differentiated by where its kernel has no answer."""
    y, target, *weights = node.inputs
    function = node.function
    if target.attributes.get("integer"):
        target = gather(constant(np.eye(y.size)), target)
    there = e.equal(target, target) if function.ignores_missing else None  # NaN is not
    value = function.nodes(y, target if there is None else where(there, target, 0.0))
    value = value if there is None else where(there, value, 0.0)
    scale = 1 / y.size if function.over_units else 1.0
    value = multiply(value, weights[0]) if weights else value
    return total(value, scale / (node.samples or 1), per_batch=0 if node.samples else 1)


def _loss_derivative(node, dy):
    # the loss and its gradient for y come from one pass over the rows, which starts from dLoss/dLoss = 1
    yield lambda: multiply(dy, loss_gradient(node))
    for other in node.inputs[1:]:
        yield lambda other=other: _partial(written(node), dy, node.inputs)[other]


def _loss_gradient_derivative(node, d):
    slope = _partial(written(node.loss), constant(1.0), node.inputs)[node.inputs[0]]
    made = _partial(slope, d, node.inputs)
    for child in node.inputs:
        yield (lambda child=child: made[child]) if child in made else None


def _partial(root, seed, inputs):
    return differentiate(root, seed, inputs, add=total_of, held=inputs)


OPERATIONS["loss"] = Operation("loss", None, _loss_derivative)
OPERATIONS["loss_gradient"] = Operation("loss_gradient", None, _loss_gradient_derivative)


# ---- correct answers ------------------------------------------------------------------------------------------------


def correct(y, target, target_type):
    """How many answers of the outputs y (B, O) are correct. target_type: "multiclass", a row's largest output is that
    of its target, a label or a row; "multilabel", an output is above 0 and its target above 1/2, or neither is. What
    misses its target, NaN, is not counted."""
    return Node("correct", (y, target), batched=False, shape=(), target_type=target_type)


OPERATIONS["correct"] = Operation("correct")  # a count has no slope
