"""Many networks at once by `fit_many`. Each training takes a dtype and returns the arrays that are hashed."""

import fastbp as fb

from .networks import data, network
from .numbers import integers, uniform

TRAININGS = {}


def training(function):
    TRAININGS[f"many: {function.__name__.replace('_', ' ')}"] = function
    return function


@training
def networks_of_several_kinds(dtype):
    nets = [network((6, 8, 3), dtype), network((6, 20, 3), dtype, activation="relu", dropout=0.2),
            network((6, 5, 5, 3), dtype, l2=0.01, seed=9)]
    optimizers = [fb.SGD(lr=0.1), fb.Adam(lr=0.01), fb.RMSprop(lr=0.01, clip_norm=0.1)]
    fb.fit_many(nets, *data(50, 6, 3), epochs=2, batch_size=16, optimizers=optimizers, seeds=[1, 2, 3], progress=False)
    return [net.params for net in nets] + [optimizer.state for optimizer in optimizers[1:]]


@training
def rows_of_their_own(dtype):
    nets = [network((6, 8, 3), dtype, loss="cross_entropy", seed=i) for i in range(4)]
    rows = [None, integers(30, 50, seed=1), integers(50, 50, seed=2), list(range(0, 50, 2))]
    X, y = data(50, 6, 1)[0], integers(50, 3, seed=5)
    weights = uniform(50, seed=6, low=0.0)
    fb.fit_many(nets, X, y, rows=rows, epochs=3, batch_size=8, sample_weight=weights, optimizers=fb.Adam(lr=0.02),
                progress=False)
    return [net.params for net in nets]


@training
def pixels(dtype):
    nets = [network((300, 12, 4), dtype, input_scale=1 / 255, seed=i) for i in range(2)]
    X = (255 * uniform(80, 300, seed=7, low=0.0)).astype("uint8")
    fb.fit_many(nets, X, data(80, 1, 4)[1], epochs=1, batch_size=32, shuffle=False, progress=False)
    return [net.params for net in nets]
