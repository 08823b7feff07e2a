"""fastbp/_training/described.py: what stays the same of a training, and where two of them differ."""

import json

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._ir.node import ordered
from fastbp._training import described
from fastbp._training.described import ROWS, difference
from fastbp._training.network_fit import NetworkJob


def of(X, y, net=None, optimizer=None, shuffle=True, seed=0, **options):
    net = net or fb.mlp(X.shape[1], 4, 1)
    given = {"sample_weight": None, "class_weight": None, "batch_size": 8, "validation_data": None,
             "validation_split": 0.0, "threads": 1} | options
    job = NetworkJob(net, X, y, *given.values())
    return json.loads(json.dumps(described.training(job, optimizer or fb.SGD(), shuffle, seed, [])))


def test_the_same_training_is_the_same(rng):
    X, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    assert difference(of(X, y), of(X.copy(), y.copy(), threads=2)) is None


def test_differences_are_said_in_words(rng):
    X, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    base, swapped = of(X, y), X.copy()
    swapped[[0, 1]] = X[[1, 0]]
    for other, expected in (
        (of(X, y, fb.mlp(3, 5, 1)), ("layers[0].units", "5 (int)", "4 (int)")),
        (of(X, y, fb.mlp(3, 4, 4, 1)), ("layers[1].units", "4 (int)", "1 (int)")),
        (of(X, y, fb.mlp(3, 4, 1, seed=7)), ("seed", "7 (int)", "0 (int)")),
        (of(X, y, fb.mlp(3, 4, 1, dtype="float64")), ("dtype", "'float64'", "'float32'")),
        (of(X, y, fb.mlp(3, 4, 1, loss="mae")), ("loss.name", "'mae'", "'squared_error'")),
        (of(X[:20], y[:20]), ("X.shape", "[20, 3] (list)", "[30, 3] (list)")),
        (of(X.astype("f2"), y), ("X.dtype", "'float16'", "'float64'")),
        (of(swapped, y), ("X", "another one", "the same values")),
        (of(X, y + 1), ("y", "another one", "the same values")),
        (of(X, y, sample_weight=np.ones(30)), ("sample_weight", "given", "none")),
        (of(X, y, validation_split=0.2), ("X.shape", "[24, 3] (list)", "[30, 3] (list)")),
        (of(X, y, validation_data=(X, y)), ("validation_data", "given", "none")),
        (of(X, y, batch_size=9), ("batch_size", "9 (int)", "8 (int)")),
        (of(X, y, shuffle=False), ("shuffle", "False", "True")),
        (of(X, y, seed=1), ("seed", "1 (int)", "0 (int)")),
        (of(X, y, optimizer=fb.Adam()), ("optimizer.name", "'adam'", "'sgd'")),
        (of(X, y, optimizer=fb.SGD(momentum=0.5)), ("optimizer.momentum", "0.5 (float)", "0.0 (float)")),
    ):
        assert difference(other, base) == expected
    assert difference(base, of(X, y, sample_weight=np.ones(30))) == ("sample_weight", "missing", "one")
    assert difference(base, of(X, y, validation_data=(X, y))) == ("validation_data", "None", "some")
    validated = of(X, y, validation_data=(X, y))
    found = difference(of(X, y, validation_data=(X, y + 1)), validated)
    assert found == ("validation y", "another one", "the same values")
    one = {**base, "early_stopping": [{"monitor": "loss"}]}
    assert difference(one, base) == ("the length of early_stopping", "1", "0")
    shorter = of(X, y, fb.Sequential(fb.Dense(3, 1)))
    assert difference(shorter, of(X, y, fb.Sequential(fb.Dense(3, 1), fb.Dense(1, 1))))[0] == "the length of layers"


def test_of_a_long_array_some_rows_are_looked_at(rng):
    X = rng.standard_normal((4 * ROWS, 600)).astype("f")
    y, first = np.zeros(len(X)), of(X, np.zeros(len(X)))
    for row in (0, len(X) - 1):
        other = X.copy()
        other[row, 3] += 1
        assert difference(of(other, y), first) == ("X", "another one", "the same values")
    for other in (X[::-1].copy(), X * 2, X + 1e-3):
        assert difference(of(other, y), first) is not None


def test_graphs_are_told_apart():
    def made(delta=0.5, rate=0.2, name="V", power=2, factor=3.0):
        x, y = g.input("x", 3), g.input("y")
        out = fb.Dropout(rate)(x * factor) @ g.parameter(name, (3, 1))
        return described.graph(ordered([g.huber(out**power, y, delta=delta)]))

    assert made() == made() == made(factor=np.float64(3.0))
    others = {made(), made(delta=0.6), made(rate=0.3), made(power=3), made(factor=2.0)}
    assert len(others) == 5
    x, y = g.input("x", 3), g.input("y", 3)
    assert len({described.graph(ordered([g.mean(z)])) for z in (x - y, y - x, x * y, g.sum(x - y))}) >= 3


@pytest.mark.parametrize("value", [np.arange(3), np.float32(2), (1, "a", None), object()])
def test_settings_are_the_same_in_another_process(value):
    assert "0x" not in repr(described._plain(value)) and described._plain(value) == described._plain(value)
