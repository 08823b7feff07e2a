"""Steps in a row, from whatever format, made into a network: all of it, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastbp import _check as check
from fastbp import losses
from fastbp._core import cpu
from fastbp.layers import Dense, Dropout, LayerNorm
from fastbp.network import Sequential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Array, Doubles, DType
    from fastbp.convert.steps import Step
    from fastbp.layers import Layer
    from fastbp.losses import Loss

# Losses that apply a last activation themselves.
_OF_LINK = {cls.link: name for name, cls in losses.LOSSES.items() if cls.link}
# Where a function is looked at to know it: from one tail to the other, and beyond.
GRID = np.concatenate([np.linspace(-30, 30, 1201), [-80, 80]])


def network_of(steps: Sequence[Step], loss: str | Loss | None, dtype: DType, seed: int = 0) -> Sequential:
    """The network of these steps, whose `predict` gives what they give.

    loss: None takes the one that has the last activation as its link - cross_entropy for softmax, binary_cross_entropy
    for sigmoid, poisson for exp - and otherwise "squared_error". One with a link where the steps end without it takes
    their outputs as those before the link.

    Raises ValueError, naming the first step that cannot be taken.
    """
    steps = list(steps)
    scale = steps.pop(0).factor if steps and steps[0].kind == "scale" else 1.0
    link = steps[-1].name if steps and steps[-1].kind == "activation" else None
    chosen = losses.get(_OF_LINK.get(link or "", "squared_error") if loss is None else loss)
    if link is not None and chosen.link == link:
        steps.pop()
    layers: list[Layer] = []
    arrays: list[tuple[Array, ...]] = []
    for number, step in enumerate(steps):
        if step.kind == "activation":
            if step.name == "softmax" and number < len(steps) - 1:
                raise ValueError(f"{step.where} is a softmax with {steps[number + 1].where} behind it, expected it at "
                                 "the end; leave out what follows it")
            if number == 0 or steps[number - 1].kind != "dense":
                raise ValueError(f"{step.where} is an activation that no dense layer stands before, expected one "
                                 "behind a dense layer; put it there")
            last = cast("Dense", layers[-1])
            layers[-1] = Dense(last.inputs, last.units, step.name)
        elif step.kind == "dense":
            layers.append(Dense(*step.W.shape))
            arrays.append((step.W, step.b))
        elif step.kind == "layer_norm":
            layers.append(_named(step, LayerNorm, len(step.gamma), eps=step.eps))
            arrays.append((step.gamma, step.beta))
        else:
            layers.append(_named(step, Dropout, step.rate))
        _check_finite(step)
    net = Sequential(*layers, loss=chosen, dtype=dtype, seed=seed, input_scale=scale)
    for layer, values in zip((layer for layer in net.layers if layer.size), arrays, strict=True):
        for array, value in zip(layer.values(), values, strict=True):
            array[...] = value
    return net


def _named(step: Step, kind: type[Layer], *arguments: Any, **settings: Any) -> Layer:
    """A layer, what is wrong with its settings told of the step that it is of."""
    try:
        return kind(*arguments, **settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{step.where}: {error}") from None


def _check_finite(step: Step) -> None:
    """Refuses parameters that are not finite."""
    for name in ("W", "b", "gamma", "beta"):
        array = getattr(step, name)
        if array is not None and not np.isfinite(array).all():
            what = {"W": "weights", "b": "biases", "gamma": "scales", "beta": "shifts"}[name]
            raise ValueError(f"{step.where} has {what} that are not finite, expected finite ones; train it with a "
                             "smaller learning rate, or write finite ones into it")


def activation_like(values: Doubles) -> str | None:
    """The activation that a function with these values on GRID is, whatever it is made of; or None."""
    for name in cpu.activations():
        if name != "softmax":
            own = GRID[:, None].copy()
            cpu.activate(name, own)
            if np.allclose(values, own[:, 0], rtol=1e-6, atol=1e-6):
                return name
    return None


def taken(loss: Any) -> Any:
    """A loss as users give it, checked before anything is read: None, or a fastbp.losses object."""
    return None if loss is None else losses.get(loss)


def refused(where: str, what: str, expected: str, remedy: str) -> ValueError:
    """The error for something that a network cannot have."""
    return ValueError(f"{where} is {check.printable(what)}, expected {expected}; {remedy}")
