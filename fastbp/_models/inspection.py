"""Looking inside a compiled expression: the value and the gradient of any node, and the whole graph as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._check.formatting import WIDTH, filled
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import OPERATIONS, constant, differentiate, ordered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastbp._check.types import Floats
    from fastbp._ir.node import Node

LONGEST = 6  # numbers of a value that are written out
DEEP = " " * 6  # before what belongs to the line above


class Looks:
    """The part of a fastbp._models.expression.Plan that learners use."""

    if TYPE_CHECKING:  # what it reads of the plan
        loss_node: Node
        _names: dict[str, Node]
        _given: Mapping[str, Any] | None

        def _total_written(self) -> Node: ...

    # ---- looking inside --------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Floats:
        """The value of any node of the loss for the data of the last step, at the parameters as they are."""
        return self.values([node])[0]

    def grad(self, node: Node) -> Floats:
        """The derivative of the loss for any of its nodes, likewise; zeros where the loss does not depend on it."""
        return self.grads_of([node])[0]

    def values(self, nodes: Sequence[Node]) -> list[Floats]:
        """The values of several nodes at once."""
        return self._look(nodes, nodes)

    def grads_of(self, nodes: Sequence[Node]) -> list[Floats]:
        """The gradients of several nodes at once."""
        made = differentiate(self._total_written(), constant(1.0), list(nodes), add=total_of)
        return self._look(nodes, [made.get(node) for node in nodes])

    def _look(self, nodes, made):
        """Arrays in the shapes of these nodes, of what was made for each; zeros where that is None."""
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
        wanted = tuple(dict.fromkeys(node for node in made if node is not None))
        found = self._exclusive.call(self._values_of, wanted, arrays, n)
        shapes = [(n, *node.shape) if node.batched else node.shape for node in nodes]
        return [
            np.zeros(shape, self.dtype) if node is None else np.broadcast_to(found[node], shape)
            for node, shape in zip(made, shapes, strict=True)
        ]

    def nodes(self) -> list[Node]:
        """All nodes of the loss, each after those it is made from."""
        return ordered([self.loss_node])

    def seen(self) -> list[tuple[Node, str, Floats | None, Floats | None]]:
        """[(node, label, value, gradient)] of all nodes, in order; value and gradient are None before a step, and of
        integers."""
        values, grads = {}, {}
        if self.has_values():
            real = self._real_nodes()
            values = dict(zip(real, self.values(real), strict=True))
            grads = dict(zip(real, self.grads_of(real), strict=True))
        names = {node: name for name, node in self._names.items()}
        return [(node, label(node, names.get(node)), values.get(node), grads.get(node)) for node in self.nodes()]

    def paths(self) -> dict[tuple[Node, int], Floats]:
        """{(node, i): what comes back from node to its input i}: the gradient of an input is the sum over its paths."""
        real = self._real_nodes()
        made = differentiate(self._total_written(), constant(1.0), real, add=total_of)
        found = {}
        for node in real:
            derivative = OPERATIONS[node.op].derivative
            if derivative is not None and node in made:
                for i, term in enumerate(derivative(node, made[node])):
                    if term is not None and node.inputs[i] in made:
                        found[node, i] = term()
        return dict(zip(found, self._look([node.inputs[i] for node, i in found], found.values()), strict=True))

    def _real_nodes(self):
        """Those that have a gradient: all but integers."""
        return [node for node in self.nodes() if not node.attributes.get("integer")]

    def has_values(self) -> bool:
        """Whether there was a step whose values can be looked at."""
        return self._given is not None

    def show(self) -> str:
        """The graph as text, with value and gradient at every node after the last step."""
        return text(self)


def text(plan: Looks) -> str:
    """The graph of a plan as text, a line for each node: number, operation, what it is made from, value, gradient.

    Where a line would be longer than a screen is wide, value and gradient have lines of their own beneath it.
    """
    lines: list[str] = []
    number: dict[Node, int] = {}
    for i, (node, name, value, grad) in enumerate(plan.seen()):
        made = f" {', '.join(f'%{number[child]}' for child in node.inputs)}" if node.inputs else ""
        number[node] = i
        line = f"%{i} = {name}{made}"
        seen = [] if value is None else [f"value {numbers(value)}", f"grad {numbers(grad)}"]
        together = f"{line:<40} {'   '.join(seen)}" if seen else line
        if len(together) <= WIDTH:
            lines.append(together)
        else:
            lines += [filled(line, then=DEEP), *(filled(each, first=DEEP, then=2 * DEEP) for each in seen)]
    return "\n".join(lines)


def label(node: Node, name: str | None = None) -> str:
    """A node in a few words: its operation, and its name, number or exponent. name: of a parameter in its plan."""
    if node.op == "constant":
        return f"{numbers(node.value)}{f' / batch^{node.per_batch}' * bool(node.per_batch)}"
    if node.op in ("data", "parameter"):
        return f"{'input' if node.op == 'data' else node.op} {name or node.name}"
    if node.op == "activation":
        return node.activation
    if node.op == "loss":
        return node.function.name
    if node.op == "slice":
        parts = zip(node.begins, node.shape, strict=True)
        return f"slice [{', '.join(f'{i}:{i + n}' if n > 1 else f'{i}' for i, n in parts)}]"
    if node.op == "variable_power":
        return f"power{f' log^{node.param:g}' if node.param else ''}"
    return f"{node.op} {node.param:g}" if node.op == "power" else node.op


@quiet
def numbers(array: Any) -> str:
    """An array in a few characters: its numbers where they are few, else its shape, mean and extremes."""
    array = np.asarray(array, np.float64) + 0.0  # a zero without a sign
    if array.size == 1:
        return f"{array.reshape(())[()]:.4g}"
    if array.size <= LONGEST:
        return "[" + " ".join(f"{x:.4g}" for x in array.ravel()) + "]"
    return f"{array.shape} mean {array.mean():.4g}, {array.min():.4g} .. {array.max():.4g}"
