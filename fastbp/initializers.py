"""Initial values of weights and biases.

Each initializer draws with a variance that keeps signals from growing or fading from layer to layer:

    glorot   2 / (inputs + units)   Glorot and Bengio, "Understanding the difficulty of training deep feedforward
                                    neural networks", AISTATS 2010, for activations that are linear near zero
    he       2 / inputs             He et al., "Delving deep into rectifiers", ICCV 2015, for rectifiers
    lecun    1 / inputs             LeCun et al., "Efficient BackProp", 1998; selu wants it (Klambauer et al.,
                                    "Self-normalizing neural networks", NeurIPS 2017)
    fan_in   1 / (3 inputs)         for layers whose inputs are data, or whose outputs are answers

`_normal` draws from the (not truncated) normal distribution, `_uniform` from [-a, a) with a = sqrt(3 variance). The
bits depend on nothing but the key: `fastbp/_core/portable.pyx`. A layer that was told nothing has `default`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastbp import _check as check
from fastbp._check.errstate import quiet
from fastbp._core import random

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from fastbp._check.types import Doubles, Shape

    Init: TypeAlias = float | str | Doubles  # what `get` or `default` gives

_VARIANCES = {
    "glorot": lambda inputs, units: 2.0 / (inputs + units),
    "he": lambda inputs, units: 2.0 / inputs,
    "lecun": lambda inputs, units: 1.0 / inputs,
    "fan_in": lambda inputs, units: 1.0 / (3.0 * inputs),
}
NAMES: tuple[str, ...] = (*(f"{kind}_{shape}" for kind in _VARIANCES for shape in ("uniform", "normal")), "zeros")
_CONSTANTS = {"zeros": 0.0, "ones": 1.0}

_SIGMOIDS = ("sigmoid", "hard_sigmoid")  # whose outputs are positive, and whose slope is 1/4 or 1/6 at most
_OUTPUTS = ("linear", "softmax", "exponential")  # activations of layers that answer


def default(activation: str, before: str | None, depth: int, inputs: int, units: int) -> tuple[float, float | str]:
    """(a, c): W (inputs, units) of a layer that was told nothing is uniform on [-a, a), its b (units,) on [-c, c); a c
    of "zeros" is a name as in NAMES.

    activation: the layer's; before: that of the layer whose outputs it takes, None where its inputs are data; depth:
    how many layers lie between the data and it. Chosen by bench/lab/initial_values.py so that data are learnt no worse
    than with the defaults of scikit-learn, torch and Keras: little where the data come in, as small features hold for
    other data too, and more from layer to layer until signals do not fade. What answers has the size of the layer
    before it.
    """
    shrunk = before in _SIGMOIDS
    if activation in _SIGMOIDS:
        return (math.sqrt((6.0 if shrunk else 3.0) / inputs),) * 2
    if activation in _OUTPUTS:
        if shrunk:
            return math.sqrt(6.0 / (inputs + units)), "zeros"
        return math.sqrt(_rising(max(depth - 1, 0)) / inputs), math.sqrt(1.0 / inputs)
    more = 2.0 if activation == "softplus" and depth > 0 else 1.0  # as half of what comes in comes out
    return math.sqrt(more * _rising(depth) / inputs), math.sqrt(3.0 / inputs)


def _rising(depth: int) -> float:
    """What a squared bound times the layer's inputs is: 1 (fan_in's), then 1.5, 2, 2.5, and 3 (lecun's) for good."""
    return min(1.0 + depth / 2.0, 3.0)


def get(name: str, init: str | ArrayLike, shape: Shape) -> str | Doubles:
    """`init` checked and ready to keep: a name of NAMES, or a read-only float64 copy of an array of exactly `shape`.

    `name` is the argument's name for messages. Raises TypeError or ValueError.
    """
    if isinstance(init, str) or not hasattr(init, "__len__"):
        return check.choice(name, init, NAMES)
    values = check.array(name, init, shape, np.dtype(np.float64)).copy()
    values.flags.writeable = False
    return values


@quiet
def values(init: Init, shape: Shape, fans: tuple[int, int], key: int) -> Doubles:
    """float64 array of `shape`. init: what `get` or `default` returned - a bound, a name or an array - or "ones", where
    scales begin; fans: (inputs, units) of the layer; key: int, the stream."""
    if isinstance(init, float):
        return init * (2.0 * random.uniform(shape, key) - 1.0)
    if not isinstance(init, str):
        return init
    if init in _CONSTANTS:
        return np.full(shape, _CONSTANTS[init])
    kind, _, distribution = init.rpartition("_")
    variance = _VARIANCES[kind](*fans)
    if distribution == "normal":
        return math.sqrt(variance) * random.normal(shape, key)
    return values(math.sqrt(3.0 * variance), shape, fans, key)
