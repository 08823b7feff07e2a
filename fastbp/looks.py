"""Looking inside a compiled expression: the value and the gradient of any node, and the whole graph as text."""

import math

import numpy as np

from .elementwise import total_of
from .node import constant, differentiate, ordered

LONGEST = 6  # numbers of a value that are written out


class Looks:
    """The part of a fastbp.compiled.Plan that learners use."""

    # ---- looking inside --------------------------------------------------------------------------------------------

    def value(self, node):
        """The value of any node of the loss for the data of the last step, at the parameters as they are."""
        return self.values([node])[0]

    def grad(self, node):
        """The derivative of the loss for any of its nodes, likewise; zeros where the loss does not depend on it."""
        return self.grads_of([node])[0]

    def values(self, nodes):
        """The values of several nodes at once."""
        return self._look(nodes, {node: node for node in nodes})

    def grads_of(self, nodes):
        """The gradients of several nodes at once."""
        made = differentiate(self._total_written(), constant(1.0), list(nodes), add=total_of)
        return self._look(nodes, made)

    def _look(self, nodes, made):
        if self._given is None:
            raise RuntimeError("there are no values before a step; call loss_and_grad first")
        arrays, n = self._checked(self._given, self._of_loss)
        known = set(self._order)
        for node in nodes:
            if node not in known:
                raise ValueError(
                    f"{node!r} is not a node of this loss, expected one that it was made from; compile it too"
                )
            if node.attributes.get("integer"):
                raise TypeError(
                    f"{node!r} is of integers, which the caller has and no gradient passes, expected a node of real "
                    "numbers; look at what was made from it"
                )
        wanted = tuple(dict.fromkeys(made.values()))
        with self._alone:
            found = self._run_nodes(wanted, wanted, arrays, n)
        return [
            np.broadcast_to(found[made[node]], (n, *node.shape) if node.batched else node.shape)
            if node in made
            else np.zeros((n, *node.shape) if node.batched else node.shape, self.dtype)
            for node in nodes
        ]

    def _find_not_finite(self, value, arrays, n):
        """Raises FloatingPointError with the first node that is not finite, if there is one or the loss is not."""
        where = self.where_not_finite(arrays, n)
        if where or not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} {where}; use a smaller lr or clip_norm, or scale the data")

    def where_not_finite(self, arrays, n):
        """In words, the first node of the loss whose value for these arrays is not finite; "" where all are."""
        nodes = tuple(node for node in ordered([self.loss_node]) if not node.attributes.get("integer"))
        found = self._run_nodes(nodes, nodes, arrays, n)
        for node in nodes:
            if not np.isfinite(found[node]).all():
                made = ", ".join(map(repr, node.inputs))
                return f"at {node!r}{f', made from {made}' if made else ''}"
        return ""

    def nodes(self):
        """All nodes of the loss, each after those it is made from."""
        return ordered([self.loss_node])

    def has_values(self):
        """Whether there was a step whose values can be looked at."""
        return self._given is not None

    def show(self):
        """The graph as text, with value and gradient at every node after the last step."""
        return text(self)


def text(plan):
    """The graph of a plan as text, a line for each node: number, operation, shape, what it is made from, value,
    gradient."""
    order = plan.nodes()
    number = {node: i for i, node in enumerate(order)}
    values = grads = [None] * len(order)
    if plan.has_values():
        real = [node for node in order if not node.attributes.get("integer")]
        values = dict(zip(real, plan.values(real), strict=True))
        grads = dict(zip(real, plan.grads_of(real), strict=True))
        values, grads = [values.get(node) for node in order], [grads.get(node) for node in order]
    lines = []
    for i, node in enumerate(order):
        made = f" {', '.join(f'%{number[child]}' for child in node.inputs)}" if node.inputs else ""
        line = f"%{i} = {label(node)}{made}"
        if values[i] is not None:
            line = f"{line:<40} value {numbers(values[i])}   grad {numbers(grads[i])}"
        lines.append(line)
    return "\n".join(lines)


def label(node):
    """A node in a few words: its operation, and its name, number or exponent."""
    if node.op == "constant":
        return f"{numbers(node.value)}{f' / batch^{node.per_batch}' * bool(node.per_batch)}"
    if node.op in ("data", "parameter"):
        name = node.name or (f"{node.attributes['layer']!r}" if "layer" in node.attributes else "")
        return f"{'input' if node.op == 'data' else node.op} {name}"
    if node.op == "activation":
        return node.activation
    if node.op == "loss":
        return node.function.name
    return f"{node.op} {node.exponent:g}" if node.op == "power" else node.op


def numbers(array):
    """An array in a few characters: its numbers where they are few, else its shape, mean and extremes."""
    array = np.asarray(array, np.float64)
    if array.size == 1:
        return f"{array.reshape(())[()]:.4g}"
    if array.size <= LONGEST:
        return "[" + " ".join(f"{x:.4g}" for x in array.ravel()) + "]"
    return f"{array.shape} mean {array.mean():.4g}, {array.min():.4g} .. {array.max():.4g}"
