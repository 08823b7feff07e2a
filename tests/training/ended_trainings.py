"""What tests of trainings that are ended train: a network with dropout and the same as an expression, on 20 samples."""

import numpy as np
from small_network import INPUTS, UNITS, made

import fastbp as fb
from fastbp import graph as g

BATCH, SAMPLES = 8, 20  # steps of 8, 8 and 4 samples
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((SAMPLES, INPUTS)).astype("f"), RNG.standard_normal((SAMPLES, UNITS)).astype("f")


def network():
    return made(dropout=0.4)


def expression():
    x, y = g.input("x", INPUTS), g.input("y", UNITS)
    return g.compile(g.squared_error(network()(x), y), seed=4)


def fit(model, optimizer, **options):
    data = (X, Y) if isinstance(model, fb.Sequential) else ({"x": X, "y": Y},)
    return model.fit(*data, batch_size=BATCH, optimizer=optimizer, **options)
