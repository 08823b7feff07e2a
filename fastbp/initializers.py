"""Initial values of weights and biases.

Each initializer draws with variance gain / fan, so that signals keep their size from layer to layer:

    glorot   2 / (inputs + units)   Glorot and Bengio, "Understanding the difficulty of training deep feedforward
                                    neural networks", AISTATS 2010, for activations that are linear near zero
    he       2 / inputs             He et al., "Delving deep into rectifiers", ICCV 2015, for rectifiers
    lecun    1 / inputs             LeCun et al., "Efficient BackProp", 1998; selu wants it (Klambauer et al.,
                                    "Self-normalizing neural networks", NeurIPS 2017)

`_normal` draws from the (not truncated) normal distribution, `_uniform` from [-a, a) with a = sqrt(3 variance). The
bits depend on nothing but the key: `fastbp/_core/portable.pyx`.
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
}
NAMES = (*(f"{kind}_{shape}" for kind in _VARIANCES for shape in ("uniform", "normal")), "zeros")

# What is not named here begins with glorot_uniform.
_DEFAULTS = {
    "relu": "he_normal",
    "leaky_relu": "he_normal",
    "elu": "he_normal",
    "gelu": "he_normal",
    "gelu_tanh": "he_normal",
    "silu": "he_normal",
    "mish": "he_normal",
    "softplus": "he_normal",
    "selu": "lecun_normal",
}


def default(activation):
    """The name of the initializer of weights that suits an activation."""
    return _DEFAULTS.get(activation, "glorot_uniform")


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
    """float64 array of `shape` from what `get` returned. fans: (inputs, units) of the layer; key: int, the stream."""
    if not isinstance(init, str):
        return init
    if init == "zeros":
        return np.zeros(shape)
    kind, distribution = init.split("_")
    variance = _VARIANCES[kind](*fans)
    if distribution == "normal":
        return math.sqrt(variance) * random.normal(shape, key)
    return math.sqrt(3.0 * variance) * (2.0 * random.uniform(shape, key) - 1.0)
