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

import math

import numpy as np

from fastbp import check
from fastbp._core import random
from fastbp.quiet import quiet

_VARIANCES = {
    "glorot": lambda inputs, units: 2.0 / (inputs + units),
    "he": lambda inputs, units: 2.0 / inputs,
    "lecun": lambda inputs, units: 1.0 / inputs,
    "fan_in": lambda inputs, units: 1.0 / (3.0 * inputs),
}
NAMES = (*(f"{kind}_{shape}" for kind in _VARIANCES for shape in ("uniform", "normal")), "zeros")

_SIGMOIDS = ("sigmoid", "hard_sigmoid")  # whose outputs are positive, and whose slope is 1/4 or 1/6 at most
_OUTPUTS = ("linear", "softmax", "exponential")  # activations of layers that answer


def default(activation, before, inputs, units):
    """(a, c): W (inputs, units) of a layer that was told nothing is uniform on [-a, a), its b (units,) on [-c, c); a c
    of "zeros" is a name as in NAMES.

    activation: the layer's; before: that of the layer whose outputs it takes, None where its inputs are data. Chosen
    by bench/lab/initial_values.py so that data are learnt no worse than with the defaults of scikit-learn, torch and
    Keras: little at the two ends, where the data and the answers are, and more in between, where signals fade.
    """
    shrunk = before in _SIGMOIDS
    if activation in _OUTPUTS:
        return (math.sqrt(6.0 / (inputs + units)), "zeros") if shrunk else (math.sqrt(1.0 / inputs),) * 2
    if activation in _SIGMOIDS:
        return (math.sqrt((6.0 if shrunk else 3.0) / inputs),) * 2
    first, between = {"selu": (1.0, 3.0), "softplus": (3.0, 3.0)}.get(activation, (1.0, 1.5))
    return math.sqrt((first if before is None else between) / inputs), math.sqrt(3.0 / inputs)


def get(name, init, shape):
    """`init` checked and ready to keep: a name of NAMES, or a read-only float64 copy of an array of exactly `shape`.

    `name` is the argument's name for messages. Raises TypeError or ValueError.
    """
    if isinstance(init, str) or not hasattr(init, "__len__"):
        return check.choice(name, init, NAMES)
    values = check.array(name, init, shape, np.dtype(np.float64)).copy()
    values.flags.writeable = False
    return values


@quiet
def values(init, shape, fans, key):
    """float64 array of `shape`. init: what `get` or `default` returned: a bound, a name or an array; fans: (inputs,
    units) of the layer; key: int, the stream."""
    if isinstance(init, float):
        return init * (2.0 * random.uniform(shape, key) - 1.0)
    if not isinstance(init, str):
        return init
    if init == "zeros":
        return np.zeros(shape)
    kind, _, distribution = init.rpartition("_")
    variance = _VARIANCES[kind](*fans)
    if distribution == "normal":
        return math.sqrt(variance) * random.normal(shape, key)
    return values(math.sqrt(3.0 * variance), shape, fans, key)
