"""Layer normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastbp._ir.elementwise import divide, multiply, row_sum, sqrt, square
from fastbp.layers.base import Layer, Parameter
from fastbp.layers.settings import Number, Width

if TYPE_CHECKING:
    from fastbp._check.types import Floats, MaybeNone
    from fastbp._ir.node import Node


class LayerNorm(Layer):
    """Layer normalisation: Y = gamma (X - m) / sqrt(v + eps) + beta, X, Y (n, width), gamma, beta (width,).

    m, v: mean and variance over the features of each sample, (n, 1); the variance is the population's, divided by
    `width`. Samples do not depend on each other, so training and predicting are the same.
    The dtype must hold the squares of X - m.

    width: a positive int. eps: 1e-30 to 1e30; what keeps the root of a sample whose features are all equal from 0.

    gamma, the scale, begins at 1 and beta, the shift, at 0. They, dgamma and dbeta are None until a network binds them.
    Raises TypeError and ValueError at construction.

    Ba, Kiros, Hinton, "Layer normalization", arXiv:1607.06450, 2016, equations 3 and 4, with PyTorch's eps.
    """

    kind = "layer_norm"
    settings: ClassVar = {"width": Width(), "eps": Number(1e-30, 1e30)}  # both have a root and a square in float32
    widths = ("width", "width")
    width: int
    eps: float
    gamma: Floats | MaybeNone
    beta: Floats | MaybeNone
    dgamma: Floats | MaybeNone
    dbeta: Floats | MaybeNone

    def __init__(self, width: int, *, eps: float = 1e-5) -> None:
        self.take(width=width, eps=eps)
        self.unbind()

    def parameters(self, before: str | None = None, depth: int = 0) -> tuple[Parameter, ...]:
        """gamma, then beta."""
        return Parameter("gamma", (self.width,), "ones"), Parameter("beta", (self.width,), "zeros")

    def graph(self, x: Node, gamma: Node, beta: Node, training: bool = True, number: int = 0) -> Node:
        centred = x - multiply(1 / self.width, row_sum(x))
        variance = multiply(1 / self.width, row_sum(square(centred)))
        return multiply(multiply(centred, divide(1.0, sqrt(variance + self.eps))), gamma) + beta
