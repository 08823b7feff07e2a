"""A network as other formats see it: steps in a row, from its inputs to what `predict` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp.layers import Dense, Dropout, LayerNorm

if TYPE_CHECKING:
    from fastbp._check.types import Array, Floats
    from fastbp.network import Sequential


class Step(NamedTuple):
    """kind: "scale" (factor), "dense" (W (inputs, units), b (units,)), "activation" (name), "layer_norm" (gamma, beta,
    eps) or "dropout" (rate); what it is of stands in the fields of these names. where: the layer, for messages."""

    kind: str
    where: str = ""
    factor: float = 1.0
    W: Any = None
    b: Any = None
    name: str = "linear"
    gamma: Any = None
    beta: Any = None
    eps: float = 0.0
    rate: float = 0.0


def steps_of(net: Sequential, link: bool = True) -> list[Step]:
    """The steps of a network, with copies of its parameters in its dtype. link: whether the loss's link, which
    `predict` applies, is the last of them.

    Raises ValueError where a parameter is not finite, TypeError for a layer of the user's own.
    """
    check.vectors(net, ())
    if not np.isfinite(net.params).all():
        raise ValueError(f"params has numbers that are not finite, in {net._layer_of(net.params)}, expected finite "
                         "ones; train with a smaller lr, or write finite ones into it")
    made = [Step("scale", factor=net.input_scale)] * (net.input_scale != 1)
    for i, layer in enumerate(net.layers):
        where = f"layers[{i}]"
        if type(layer) is Dense:
            made.append(Step("dense", where, W=layer.W.copy(), b=layer.b.copy()))
            made.append(Step("activation", where, name=layer.activation))
        elif type(layer) is LayerNorm:
            made.append(Step("layer_norm", where, gamma=layer.gamma.copy(), beta=layer.beta.copy(), eps=layer.eps))
        elif type(layer) is Dropout:
            made.append(Step("dropout", where, rate=layer.rate))
        else:
            raise TypeError(f"{where} is {check.shown(layer)}, expected a Dense, LayerNorm or Dropout layer of "
                            "fastbp's own, which other formats have; keep this network with net.save")
    if link and net.loss.link is not None:
        made.append(Step("activation", "the loss", name=net.loss.link))
    return [step for step in made if (step.kind, step.name) != ("activation", "linear")]


def as_float32(step: Step, name: str, array: Floats) -> Array:
    """A parameter in float32, in which the format is written. Raises ValueError where float32 cannot hold it."""
    largest = float(np.abs(array).max())
    if largest > float(np.finfo(np.float32).max):
        raise ValueError(f"{name} of {step.where} is {largest:.3g} in size, expected what float32 can hold, in which "
                         "this format is written; scale the network's parameters")
    return array.astype(np.float32)
