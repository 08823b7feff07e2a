"""A step allocates nothing: neither Python's memory nor the C library's grows with the number of steps."""

import ctypes
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp._training import network_fit

HERE = Path(__file__).parent
CASES = {  # widths, batch, optimizer, and what the data are held in
    "one slice": ((10, 8, 3), 4, fb.SGD, np.float32),
    "batch-parallel": ((100, 64, 10), 256, fb.Adam, np.float32),
    "input-split": ((300, 31, 10), 64, fb.SGD, np.float32),
    "tile-parallel": ((100, 600, 10), 64, fb.Adam, np.float32),
    "bytes": ((100, 64, 10), 256, fb.SGD, np.uint8),
}


def steps_of(name, count, threads):
    """A function that takes `count` steps of a case in one compiled call, all its arguments made before."""
    widths, batch, optimizer, dtype = CASES[name]
    X, y = np.ones((4 * batch, widths[0]), dtype), np.zeros(4 * batch, np.int64)
    net = fb.mlp(*widths, loss="cross_entropy", seed=0, dropout=0.1)
    job = network_fit.NetworkJob(net, X, y, None, None, batch, None, 0.0, threads)
    update = optimizer(lr=1e-3)
    update.bind(net.params)
    job.begin(update, True, 0)
    _, training = job.training()
    rates, evaluated = update.learning_rates(count), job.evaluated()
    return lambda: job.training_state.run(training, evaluated, rates, None, threads)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_python_allocates_nothing_in_a_step(name, threads):
    """Not the data either: at most what a call costs, however many steps it takes."""
    for count in (1, 200):
        run = steps_of(name, count, threads)
        run()
        tracemalloc.start()
        try:
            run()
            assert tracemalloc.get_traced_memory()[1] < 2000
        finally:
            tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs LD_PRELOAD and a C compiler")
def test_the_c_library_allocates_nothing_in_a_step(tmp_path):
    library = tmp_path / "count_allocations.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "count_allocations.c", "-ldl"], check=True)
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, cwd=HERE,
                          env=dict(os.environ, LD_PRELOAD=str(library)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split("\n")[:-1] == [f"{name} {threads}" for name in CASES for threads in (1, 2)]


def main():
    """Prints the cases in which 20 and 400 steps allocate as often, which is to say only the call does."""
    allocations = ctypes.CDLL(None).allocations
    allocations.restype = ctypes.c_long
    for name in CASES:
        for threads in (1, 2):
            found = set()
            for count in (20, 400):
                run = steps_of(name, count, threads)
                for _ in range(3):  # the first calls make threads and fill caches
                    before = allocations()
                    run()
                    taken = allocations() - before
                found.add(taken)
            print(name, threads if len(found) == 1 else f"{threads}: {sorted(found)}")


if __name__ == "__main__":
    main()
