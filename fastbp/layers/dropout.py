"""Dropout."""

from typing import ClassVar

from fastbp._ir import nn
from fastbp.layers.base import Layer
from fastbp.layers.settings import Number


class Dropout(Layer):
    """Inverted dropout: while training, each input is zero with probability `rate` and otherwise multiplied by
    1 / (1 - rate), so that nothing changes when predicting. 0 <= rate < 1.

    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    kind = "dropout"
    settings: ClassVar = {"rate": Number(0.0, below=1.0)}

    def __init__(self, rate):
        self.take(rate=rate)

    def graph(self, x, training=True, number=0):
        return nn.dropout(x, self.rate, nn.Mask(number)) if training and self.rate > 0 else x

    def __call__(self, x, number=0):
        """Dropout of a node of an expression; each call has masks of its own, those of `number` if they are free."""
        return self.applied(x, number)
