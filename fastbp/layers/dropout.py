"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastbp._ir import nn
from fastbp.layers.base import Layer
from fastbp.layers.settings import Number

if TYPE_CHECKING:
    from fastbp._ir.node import Node


class Dropout(Layer):
    """Inverted dropout: while training, each input is zero with probability `rate` and otherwise multiplied by
    1 / (1 - rate), so that nothing changes when predicting. 0 <= rate < 1.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    kind = "dropout"
    rate: float
    settings: ClassVar = {"rate": Number(0.0, below=1.0)}

    def __init__(self, rate: float) -> None:
        self.take(rate=rate)

    def graph(self, x: Node, training: bool = True, number: int = 0) -> Node:
        return nn.dropout(x, self.rate, nn.Mask(number)) if training and self.rate > 0 else x

    def __call__(self, x: Node, number: int = 0) -> Node:
        """Dropout of a node of an expression; each call has masks of its own, those of `number` if they are free."""
        return self.applied(x, number)
