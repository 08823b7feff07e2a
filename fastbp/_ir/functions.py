"""Functions of nodes for whatever a table lists: one for each activation, one for each loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastbp._ir import nn
from fastbp._ir.node import node_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fastbp._ir.node import Node, Operand
    from fastbp.losses import Loss


def activation(name: str) -> Callable[[Operand], Node]:
    """The function of a node that applies this activation."""

    def function(x: Operand) -> Node:
        return nn.activated(name, node_of(x))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The activation {name}, elementwise; csrc/activations.inc and docs/numerics.md say what it is."
    return function


def loss(cls: type[Loss]) -> Callable[..., Node]:
    """The function of nodes that is this loss, a class of fastbp.losses."""

    def function(y: Operand, target: Operand, weights: Operand | None = None, **settings: Any) -> Node:
        made = cls(**settings)
        y, target = node_of(y), node_of(target)
        labels = target.attributes.get("integer", False)
        units = y.size
        if not y.batched or not target.batched or len(y.shape) != 1:
            raise ValueError(f"{cls.name}: y is {y!r} and target {target!r}, expected a row for each sample in "
                             "both; make both of inputs")
        if labels and not made.takes_labels:
            raise TypeError(
                f"{cls.name}: target {target!r} is of integers, expected real numbers; declare it without integer=True"
            )
        if not labels and target.shape != y.shape:
            raise ValueError(
                f"{cls.name}: target is {target!r}, expected the shape of y, {y!r}; slice or reshape one of them"
            )
        if weights is not None:
            weights = node_of(weights)
            if not weights.batched or weights.size != 1:
                raise ValueError(f"{cls.name}: weights is {weights!r}, expected (batch, 1), a number for each sample; "
                                 "declare them with graph.input(name, 1)")
        made.check_output("linear", units)
        return nn.loss(y, target, made, weights)

    function.__name__ = function.__qualname__ = cls.name
    function.__doc__ = (
        f"{cls.__doc__}\n\n    y (batch, units), target, weights (batch, 1) or None: nodes. A fixed scalar."
    )
    return function
