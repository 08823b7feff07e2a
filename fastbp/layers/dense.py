"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastbp import initializers
from fastbp._core import cpu
from fastbp._ir import nn
from fastbp.layers.base import Layer, Parameter
from fastbp.layers.settings import Name, Number, Width

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from fastbp._check.types import Floats, MaybeNone
    from fastbp._ir.node import Node
    from fastbp.initializers import Init


class Dense(Layer):
    """A fully connected layer: Y = activation(X W + b), X (n, inputs), W (inputs, units), b (units,), Y (n, units).

    inputs, units: positive ints.
    activation: a name of `fastbp._core.cpu.activations()`; "softmax" only in the last layer of a network.
    init, bias_init: a name of `fastbp.initializers.NAMES` or an array of the shape of W, or b. None chooses by the
        activation, that of the layer before and how deep the layer lies, as `fastbp.initializers.default` says.
    l1, l2: non-negative factors; the loss grows by l1 sum |W| + l2 sum W^2 (biases are left alone).

    W, b, dW and db are None until a network binds them. Raises TypeError and ValueError at construction.
    """

    kind = "dense"
    settings: ClassVar = {
        "inputs": Width(),
        "units": Width(),
        "activation": Name(lambda: cpu.activations()),  # those of the kernels, asked when one is named
        "l1": Number(0.0),
        "l2": Number(0.0),
    }
    widths = ("inputs", "units")
    inputs: int = None  # type: ignore[assignment]  # attributes of their own
    units: int = None  # type: ignore[assignment]
    W: Floats | MaybeNone
    b: Floats | MaybeNone
    dW: Floats | MaybeNone
    db: Floats | MaybeNone

    def __init__(
        self,
        inputs: int,
        units: int,
        activation: str = "linear",
        *,
        init: str | ArrayLike | None = None,
        bias_init: str | ArrayLike | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        self.take(inputs=inputs, units=units, activation=activation, l1=l1, l2=l2)
        self.init = None if init is None else initializers.get("init", init, (self.inputs, self.units))
        self.bias_init = None if bias_init is None else initializers.get("bias_init", bias_init, (self.units,))
        self.unbind()

    def parameters(self, before: str | None = None, depth: int = 0) -> tuple[Parameter, ...]:
        """W, then b."""
        fans = self.inputs, self.units
        of_W: Init
        of_b: Init
        of_W, of_b = initializers.default(self.activation, before, depth, *fans)
        of_W, of_b = of_W if self.init is None else self.init, of_b if self.bias_init is None else self.bias_init
        return (
            Parameter("W", fans, of_W, fans, "init", penalised=True),
            Parameter("b", (self.units,), of_b, fans, "bias_init"),
        )

    def graph(self, x: Node, W: Node, b: Node, training: bool = True, number: int = 0) -> Node:
        return nn.dense(x, W, b, self.activation)

    def scale_outputs(self, scale: float, shift: float) -> None:
        """Makes the outputs of a linear layer of a network what they were times `scale` plus `shift`, two floats."""
        self.W[:] *= scale
        self.b[:] = self.b * scale + shift
