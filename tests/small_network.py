"""One small network and its sizes, for tests of training; its data is the fixture `data` of conftest.py."""

import fastbp as fb

N, INPUTS, UNITS = 50, 6, 3


def made(**options):
    return fb.mlp(INPUTS, 8, UNITS, **{"activation": "tanh", "seed": 4, **options})


def bits(net):
    return net.params.tobytes()
