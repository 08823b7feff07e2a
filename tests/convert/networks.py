"""Networks that every format is tried on: all activations, links and layers, scaled inputs, both dtypes."""

import numpy as np

import fastbp as fb
from fastbp._core import cpu

LINKED = [name for name, loss in fb.losses.LOSSES.items() if loss.link is not None]


def shaken(net):
    """The network with parameters of which none is where it began."""
    rng = np.random.default_rng(3)
    net.params[:] += rng.normal(0, 0.2, net.params.size)
    return net


def examples():
    """{name: network}."""
    made = {}
    for name in sorted(cpu.activations()):
        if name != "softmax":
            made[name] = fb.mlp(5, 8, 6, 3, activation=name, output=name, seed=4)
    made["softmax"] = fb.mlp(5, 8, 3, activation="tanh", output="softmax", seed=4)
    for name in LINKED:
        made[f"link of {name}"] = fb.mlp(5, 8, 3, activation="relu", loss=name, seed=4)
    made["float64"] = fb.mlp(5, 8, 3, activation="elu", dtype="float64", seed=4)
    made["one layer"] = fb.mlp(5, 3)
    made["one unit"] = fb.mlp(1, 1, activation="tanh", output="tanh")
    made["scaled"] = fb.mlp(5, 8, 3, input_scale=1 / 255)
    norms = fb.LayerNorm(5, eps=1e-3), fb.Dense(5, 9, "gelu"), fb.LayerNorm(9), fb.Dropout(0.5), fb.Dense(9, 4)
    made["norms"] = fb.Sequential(*norms, loss="cross_entropy", input_scale=0.5)
    made["ends with a norm"] = fb.Sequential(fb.Dropout(0.1), fb.Dense(5, 4, "silu"), fb.LayerNorm(4), loss="mae")
    made["a norm alone"] = fb.Sequential(fb.LayerNorm(5), loss="mae")
    made["wide to narrow"] = fb.mlp(784, 40, 10, activation="sigmoid", loss="cross_entropy", input_scale=1 / 255)
    made = {name: shaken(net) for name, net in made.items()}
    made["exponential"].params[:] *= 0.3  # e to the e to the e is not to be large
    return made


EXAMPLES = examples()


def rows(net, n=16):
    """X (n, inputs) of the network's dtype, of the size that its input scale is for."""
    X = np.random.default_rng(5).normal(0, 1, (n, net.inputs))
    return (X / net.input_scale).astype(net.dtype)
