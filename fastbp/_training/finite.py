"""Where a number of an expression or of a network first is not finite, on the way forward or back, and what can be done
about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import OPERATIONS, constant, differentiate, ordered

if TYPE_CHECKING:
    from fastbp._check.types import Array

SLOWER = "use a smaller lr or clip_norm, or scale the data"
# Operations whose value or slope is infinite, or none, for some finite operands.
_POLES = {"log", "sqrt", "divide", "power", "variable_power"}


class Trouble(NamedTuple):
    """where: the node, in words; remedy: what to do, in words; of_gradient: whether it is the gradient's."""

    where: str
    remedy: str
    of_gradient: bool = False


def forward(plan, arrays, n, draws):
    """The Trouble of the first node of the loss that is not finite for n rows of these arrays, or None.

    draws: the number of steps that drew masks of dropout before this one.
    """
    nodes = _reals(ordered([plan.loss_node]))
    found = plan._values_of(nodes, arrays, n, draws)
    for node in nodes:
        missing = node.op == "data" and node.name in plan._may_miss
        if not missing and not np.isfinite(found[node]).all():
            return Trouble(f"at {_with_inputs(node)}", _remedy(node))
    return None


def backward(plan, arrays, n, draws):
    """The Trouble of the first gradient that is not finite on the way back from the loss, or None.

    The gradients of all that a node goes into are finite, then, so it is the slope of one of these operations.
    """
    if plan._back is None:  # kept: new nodes each time would be compiled each time
        nodes = _reals(ordered([plan._total_written()]))
        plan._back = nodes, differentiate(nodes[-1], constant(1.0), nodes, add=total_of)
    nodes, made = plan._back
    wanted = list(dict.fromkeys(made.values()))
    found = plan._values_of(wanted, arrays, n, draws)
    bad = next((one for one in reversed(nodes) if one in made and not np.isfinite(found[made[one]]).all()), None)
    if bad is None:
        return None
    terms = {}  # {a gradient that arrives at the node: the operation that it comes from}
    for reader in nodes:
        if reader in made and OPERATIONS[reader.op].derivative is not None and any(x is bad for x in reader.inputs):
            for child, term in zip(reader.inputs, OPERATIONS[reader.op].derivative(reader, made[reader]), strict=True):
                if child is bad and term is not None:
                    terms.setdefault(term(), reader)
    found = plan._values_of(list(terms), arrays, n, draws) if terms else {}
    through = next((reader for term, reader in terms.items() if not np.isfinite(found[term]).all()), None)
    if through is None:  # the terms are finite, their sum is not
        return Trouble(f"at the gradient of {bad!r}", SLOWER, True)
    where = f"at the gradient of {bad!r}, which comes back through {_with_inputs(through)}"
    made_from = _reals(list(dict.fromkeys(through.inputs)))
    found = plan._values_of(made_from, arrays, n, draws)
    for one in made_from:  # a slope is not finite either where what it is computed from is not: log(0) in v * log(0)
        if not np.isfinite(found[one]).all():
            return Trouble(f"{where}: {one!r} is not finite", _remedy(one), True)
    return Trouble(where, _remedy(through, "slope"), True)


def anywhere(plan, arrays, n, draws):
    """The Trouble of these arrays, forward or back, or None."""
    return forward(plan, arrays, n, draws) or backward(plan, arrays, n, draws)


def _reals(nodes):
    return [node for node in nodes if not node.attributes.get("integer")]


def _with_inputs(node):
    made = ", ".join(map(repr, node.inputs))
    return f"{node!r}{f', made from {made}' if made else ''}"


def _remedy(node, what="value"):
    if node.op == "data":
        return "clean the data, or leave rows out"
    if node.op == "parameter":
        return "write finite numbers into the parameter"
    if node.op not in _POLES:
        return SLOWER
    length = "; for a length use graph.norm, whose slope at 0 is 0" if what == "slope" and node.op == "sqrt" else ""
    slower = "" if what == "slope" else ", or use a smaller lr"
    return (
        f"keep what it is made from where its {what} is finite, by graph.maximum(x, 1e-6) or graph.where before it - "
        f"around it is too late for the gradient{slower}{length}"
    )


# ---- of a network --------------------------------------------------------------------------------------------------


def in_network(net: Any, X: Array, targets: Array, labels: bool = False, weights: Array | None = None) -> str:
    """In words, what is the first that is not finite for checked data - a layer's output, the loss, the penalties - and
    the sizes of the numbers that it was computed from. Dropout is off."""
    layer, sizes, size = _first_output(net, X)
    if layer:
        return layer + sizes
    if not math.isfinite(net._outputs(X, targets, labels, weights)[1]):
        told = f"in {net.loss.name}, although every layer's output is finite, of outputs up to {size:.3g}"
        told += "" if labels else f", targets up to {magnitude(check.nan_to_zero(targets)):.3g}"
        return told + ("" if weights is None else f", sample weights up to {magnitude(weights):.3g}")
    if not math.isfinite(net._penalty()):
        return f"in the penalties (l1, l2), of parameters up to {magnitude(net.params):.3g}"
    return "although every layer's output is finite without dropout"


def _first_output(net, X):
    """(the first layer whose output for X is not finite, in words, with the sizes of its inputs and weights), or
    ("", "", the size of the network's outputs)."""
    size = magnitude(X) * net.input_scale
    for i, layer in enumerate(net.layers):
        if layer.units is not None:
            Y = net.head(i)._outputs(X)[0]
            if not np.isfinite(Y).all():
                sizes = f", of inputs up to {size:.3g}"
                if layer.size:
                    sizes += f" and weights up to {max(map(magnitude, layer.values())):.3g}"
                return f"at the output of layer {i} ({layer!r})", sizes, None
            size = magnitude(Y)
    return "", "", size


def magnitude(array):
    """The largest magnitude in an array of any real dtype, a float."""
    return max(abs(float(array.max())), abs(float(array.min())))
