"""All that fastbp does on several threads, one kind after another: run by tests/sanitize.sh under ThreadSanitizer,
which says where two of them reach the same memory and nothing orders them. `python threads_at_once.py KIND ...` runs
some of them; `race` is none of fastbp's: what must be reported, or nothing would be."""

import ctypes
import os
import sys
import threading

import numpy as np

import fastbp as fb
from fastbp import graph as g
from fastbp._core import cpu

RNG = np.random.default_rng(0)
X = RNG.standard_normal((256, 24)).astype("float32")
LABELS = RNG.integers(0, 5, 256)


def at_once(count, work):
    """work(0 .. count - 1), each on a thread of Python."""
    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def network(*units, seed=0, **options):
    return fb.mlp(24, *units, 5, loss="cross_entropy", seed=seed, **options)


def fits():
    """Each scheme of partitioning, on teams that grow; in the last one, evaluation and early stopping too."""
    for threads in (2, 3, 4):
        network(16).fit(X, LABELS, epochs=3, batch_size=64, threads=threads)  # batch-parallel
        network(600).fit(X[:64], LABELS[:64], epochs=2, batch_size=32, threads=threads)  # tile-parallel
        wide = np.tile(X, 16)  # input-split
        split = fb.mlp(wide.shape[1], 31, 5, loss="cross_entropy", seed=0)
        split.fit(wide, LABELS, epochs=2, batch_size=64, threads=threads)
        network(16, dropout=0.2).fit(X, LABELS, epochs=4, batch_size=50, threads=threads, validation_split=0.2,
                                     optimizer=fb.Adam(clip_norm=1.0), early_stopping=fb.EarlyStopping(patience=2))


def expressions():
    x, t = g.input("x", 24), g.input("t", integer=True)
    hidden = fb.LayerNorm(20)(fb.Dense(24, 20, "tanh")(x))
    plan = g.compile(g.cross_entropy(fb.Dense(20, 5)(hidden), t), dtype="float64")
    for threads in (2, 4):
        plan.fit({"x": X, "t": LABELS}, epochs=3, batch_size=32, threads=threads)


def predictions():
    """Threads of Python that predict on one network, each with a team if it can have one."""
    net = network(64)
    expected = net.predict(X)
    wrong = []

    def predict(i):
        for n in (256, 200, 7, 256):
            if not np.array_equal(net.predict(X[:n]), expected[:n]):
                wrong.append(n)
            net.evaluate(X[:n], LABELS[:n])

    for _ in range(5):
        at_once(4, predict)
    assert not wrong, wrong


def many():
    nets = [network(8 + i, seed=i) for i in range(7)]
    fb.fit_many(nets, X, LABELS, epochs=4, batch_size=32, threads=3)


def one_network():
    """Threads of Python that fight for one network: one trains it, others are told so; predictions go on."""
    net, refused, trained = network(32), [], []

    def use(i):
        for _ in range(6):
            try:
                if i % 2:
                    net.fit(X, LABELS, epochs=2, batch_size=64, threads=2)
                else:
                    net.loss_and_grad(X, LABELS)
                trained.append(i)
            except RuntimeError:
                refused.append(i)

    for _ in range(4):
        at_once(5, use)
    assert trained


def callers():
    """Threads of Python that train networks of their own, and want the team at the same time; and set its size."""
    def train(i):
        network(16, seed=i).fit(X, LABELS, epochs=4, batch_size=64, threads=2 + i % 3)
        cpu.set_threads(2 + i % 2)

    for _ in range(3):
        at_once(4, train)
    cpu.set_threads(None)


def forks():
    """A child forms a team of its own."""
    network(16).fit(X, LABELS, epochs=1, batch_size=64, threads=2)
    child = os.fork()
    if child == 0:
        network(16).fit(X, LABELS, epochs=1, batch_size=64, threads=2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def race():
    """Two threads that copy a million rows to one place, without the interpreter's lock."""
    gather = ctypes.CDLL(cpu.__file__).fbp_gather_rows
    number, index, rows, out = 1_000_000, np.zeros(1_000_000, np.int64), np.ones(8), np.zeros(8)
    address = [ctypes.c_void_p(array.ctypes.data) for array in (out, rows, index)]
    size = [ctypes.c_ssize_t(each) for each in (0, 0, number, 64)]
    at_once(2, lambda i: gather(address[0], size[0], address[1], size[1], address[2], size[2], size[3]))


KINDS = {each.__name__: each for each in (fits, expressions, predictions, many, one_network, callers, forks, race)}


def main(wanted):
    cpu.force_teams(True)  # a call of three threads has three, on any machine
    for name in wanted or [name for name in KINDS if name != "race"]:
        KINDS[name]()
        print(f"threads_at_once: {name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
