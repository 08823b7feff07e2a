"""Fits of every kind, one after another in one process: memory, descriptors and threads stay as they are. Run by
test_mixed_fits.py; `python mixed_fits.py 10000` by the nightly workflow.

What is made at first and kept - teams, NumPy's and the C library's own stores - is made in the first third; afterwards
nothing grows. Prints what it found as one line; exit code 1 where something grew.
"""

import contextlib
import copy
import gc
import os
import sys
import tempfile
import threading
import warnings

import numpy as np

import fastbp as fb
from fastbp import graph as g
from fastbp._core import cpu
from fastbp.sklearn import MLPClassifier

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 12)).astype("float32")
LABELS = RNG.integers(0, 3, 300)
# Of 4 KB: 2 MB, as the C library keeps what was freed in pieces, and 200 bytes a fit, less than an object and its dict.
SOME_PAGES, PAGES_PER_FIT = 500, 0.05


def network(i):
    """Of another size, batch, dtype, optimizer and number of threads each time."""
    dtype = ("float32", "float64")[i % 2]
    net = fb.mlp(12, 5 + i % 40, 3, loss="cross_entropy", seed=i, dtype=dtype, dropout=i % 3 / 10)
    optimizer = (fb.SGD(0.01, momentum=0.9), fb.Adam(clip_norm=1.0), fb.RMSprop())[i % 3]
    net.fit(X, LABELS, epochs=1 + i % 3, batch_size=1 + i % 100, optimizer=optimizer, threads=1 + i % 4)
    net.predict(X[: 1 + i % 300])
    return net


def validated(i):
    net = network(i)
    net.fit(X, LABELS, epochs=3, validation_split=0.2, early_stopping=fb.EarlyStopping(patience=1), threads=2)
    net.evaluate(X, LABELS)
    copy.deepcopy(net).predict(X)


def expression(i):
    x, t = g.input("x", 12), g.input("t", 3)
    plan = g.compile(g.mean(g.square(fb.Dense(12, 3, "tanh")(x) - t)), seed=i)
    plan.fit({"x": X, "t": X[:, :3]}, epochs=2, batch_size=20 + i % 50, optimizer=fb.Adam(), threads=2)
    plan.loss(x=X, t=X[:, :3])


def many(i):
    nets = [fb.mlp(12, 6, 3, loss="cross_entropy", seed=i + k) for k in range(3)]
    fb.fit_many(nets, X, LABELS, epochs=2, batch_size=32, threads=2)


def saved(i):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.safetensors")
        network(i).save(path)
        fb.load(path).predict(X)
        fb.mlp(12, 4, 3, loss="cross_entropy").fit(
            X, LABELS, epochs=2, callbacks=[fb.Checkpoint(os.path.join(folder, "run"), every="2 steps", keep=2)])


def refused(i):
    """What ends with an error: before it begins, at a step, and from a callback."""
    net = network(i)
    for wrong in (X[:, :3], np.full_like(X, np.nan), X[:5]):
        with contextlib.suppress(ValueError):
            net.fit(wrong, LABELS)
    with contextlib.suppress(RuntimeError):
        net.fit(X, LABELS, epochs=3, validation_split=0.2, metrics={"m": lambda *_: 1 / 0})
    with contextlib.suppress(FloatingPointError):
        net.fit(X, LABELS, optimizer=fb.SGD(1e30), epochs=3)


def estimator(i):
    MLPClassifier((6,), max_iter=3, random_state=i).fit(X, LABELS).predict(X)


KINDS = (network, validated, expression, many, saved, refused, estimator)


def held():
    """(pages of memory in use, open descriptors, threads of the process, of them Python's)."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return pages, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), threading.active_count()


def main(count):
    warnings.simplefilter("ignore")
    cpu.force_teams(True)
    before = None
    for i in range(count):
        if i == count // 3:
            before = held()
        KINDS[i % len(KINDS)](i)
    after = held()
    print(f"mixed_fits: {count} fits; pages, descriptors, threads, of Python: {before} after a third, {after} at last")
    return after[0] - before[0] > SOME_PAGES + PAGES_PER_FIT * count or after[1:] != before[1:]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
