"""A training that is killed again and again, and goes on each time, ends with the bits of one that ran through.

FASTBP_KILLS says how many times, 5 by default; by other signals as often, 4 times by default.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb

KILLS = int(os.environ.get("FASTBP_KILLS", "5"))
OTHERS = int(os.environ.get("FASTBP_KILLS", "4"))
# what is run again after each end that it meets; "through" is one that is left alone
PROGRAM = """
import os, sys, time
import numpy as np
import fastbp as fb

kind, out, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng = np.random.default_rng(0)
X, y = rng.standard_normal((600, 40)).astype("f"), rng.integers(0, 3, 600)
run = None if out == "through" else fb.Checkpoint("run-" + kind, every="3 steps", keep=2)
options = dict(epochs=epochs, batch_size=64, resume=None if run is None else run.path, progress=False)
print("begins", flush=True)
if kind == "network":
    net = fb.mlp(40, 64, 64, 3, loss="cross_entropy", dropout=0.2, seed=1)
    history = net.fit(X, y, optimizer=fb.Adam(lr=fb.schedules.ReduceOnPlateau(1e-3, patience=1)), validation_split=0.2,
                      early_stopping=fb.EarlyStopping(patience=10**6), callbacks=[run] if run else [],
                      threads=1 + os.getpid() % 3, **options)
    params, values = net.params, history.history["val_loss"]
    if history.interrupted:
        sys.exit(130)
elif kind == "expression":
    from fastbp import graph as g
    x, t = g.input("x", 40), g.input("t")
    out_ = fb.Dropout(0.1)(fb.Dense(40, 30, "tanh")(x)) @ g.parameter("V", (30, 1))
    plan = g.compile(g.mean(g.square(out_ - t)), dtype="float64")
    history = plan.fit({"x": X, "t": X[:, :1]}, optimizer=fb.SGD(0.01, momentum=0.9), callbacks=[run] if run else [],
                       **options)
    params, values = plan.params, history.history["loss"]
else:
    nets = [fb.mlp(40, 20, 3, loss="cross_entropy", seed=i) for i in range(3)]
    histories = fb.fit_many(nets, X, y, optimizers=fb.Adam(), checkpoint=run, **options)
    if any(history.interrupted for history in histories):
        sys.exit(130)
    params, values = np.concatenate([net.params for net in nets]), histories[2].history["loss"]
np.savez(out + "-" + kind + ".npz", params=params, values=values)
print("ended", flush=True)
"""


def start(folder, *arguments):
    environ = {**os.environ, "PYTHONPATH": str(Path(fb.__file__).parents[1])}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, arguments)], cwd=folder, text=True, env=environ,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def through(folder, kind, epochs):
    """What a training that is left alone gives, and the seconds that it takes after its beginning."""
    process = start(folder, kind, "through", epochs)
    assert process.stdout.readline() == "begins\n", process.stderr.read()
    begun = time.perf_counter()
    assert process.stdout.readline() == "ended\n", process.stderr.read()
    process.communicate()
    return np.load(folder / f"through-{kind}.npz"), time.perf_counter() - begun


def is_whole(path):
    fb.serialization.read_checkpoint(str(path))
    return True


def until_saved(process, run):
    """Waits until another checkpoint is there than at first, or the process ends."""
    def last():
        return sorted((str(path), path.stat().st_mtime_ns) for path in run.rglob("last.safetensors"))

    before, begun = last(), time.monotonic()
    while last() == before and process.poll() is None and time.monotonic() - begun < 60:
        time.sleep(0.005)


def end_again_and_again(folder, kind, epochs, how, times, seed=0):
    """Runs the program until it ends by itself; it is sent `how` at random moments, `times` of them at most. Returns
    how often it was, and how often there was a checkpoint by then."""
    rng = np.random.default_rng(seed)
    amid = 0
    for sent in range(10 * times):
        process = start(folder, kind, "killed", epochs)
        try:
            assert process.stdout.readline() == "begins\n", process.stderr.read()
            if sent < times:
                if sent % 2:  # every second time it is let come as far as a save, however slow the machine is
                    until_saved(process, folder / f"run-{kind}")
                time.sleep(float(rng.uniform(0, 0.2)))
                process.send_signal(how)
            said, errors = process.communicate(timeout=600)
        finally:
            process.kill()
        if "ended" in said:
            return sent, amid
        assert sent < times and process.returncode in (-how, 1, 130), errors
        found = list((folder / f"run-{kind}").rglob("*.safetensors"))
        assert all(map(is_whole, found))  # last, best and older ones, at any moment
        amid += bool(found)
    raise AssertionError("it never ended")


def same(folder, kind, whole):
    found = np.load(folder / f"killed-{kind}.npz")
    return np.array_equal(found["params"], whole["params"]) and np.array_equal(found["values"], whole["values"])


@pytest.mark.parametrize("kind", ["network", "expression", "many"])
def test_killed_at_any_moment_it_ends_with_the_same_bits(kind, tmp_path):
    """Most of the time goes into saves, every three steps: so many of the kills come amid one."""
    times = KILLS if kind == "network" else max(3, KILLS // 5)
    epochs = 15 * times if kind == "network" else 20 * times
    whole, _ = through(tmp_path, kind, epochs)
    sent, amid = end_again_and_again(tmp_path, kind, epochs, signal.SIGKILL, times)
    assert sent and amid
    assert same(tmp_path, kind, whole)
    # what a save that was killed has left, the next one has taken away
    assert list((tmp_path / f"run-{kind}").rglob(".*")) == []


@pytest.mark.parametrize(("kind", "how"), [("network", signal.SIGTERM), ("network", signal.SIGINT),
                                           ("many", signal.SIGINT)])  # fmt: skip
def test_other_signals_end_it_as_well(kind, how, tmp_path):
    whole, _ = through(tmp_path, kind, 40 * OTHERS)
    sent, amid = end_again_and_again(tmp_path, kind, 40 * OTHERS, how, OTHERS, seed=how)
    assert sent and amid and same(tmp_path, kind, whole)
