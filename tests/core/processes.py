"""Python code in processes of its own, for tests of forks, of limits and of what an environment says."""

import contextlib
import os
import subprocess
import sys
import textwrap

import pytest

from fastbp._core import cpu

HAS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
# by the compiler: other libraries of this process may have brought another runtime
HAS_GCCS = cpu.build()["openmp"] and "Clang" not in cpu.build()["compiler"]
OPENMP = pytest.mark.skipif(not cpu.build()["openmp"], reason="built without OpenMP")
GCC = pytest.mark.skipif(not HAS_GCCS, reason="another runtime, or none")

# One training on a team of two, and its bits.
TRAIN = """
import hashlib, os, signal, sys, threading, warnings

def train(**options):
    import numpy as np
    import fastbp as fb
    X = np.random.default_rng(0).random((2000, 20)); y = np.arange(2000) % 4
    net = fb.mlp(20, 32, 4, seed=1, loss="cross_entropy")
    net.fit(X, y, epochs=2, batch_size=500, **{"threads": 2, **options})
    nets = [fb.mlp(20, 8, 4, seed=seed, loss="cross_entropy") for seed in range(4)]
    fb.fit_many(nets, X, y, batch_size=500, **{"threads": 2, **options})
    return hashlib.sha256(b"".join(net.params.tobytes() for net in [net, *nets])).hexdigest()

def others_team(count):
    import ctypes
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda argument: None)
    ctypes.CDLL("libgomp.so.1").GOMP_parallel(run, None, count, 0)

def tasks():
    return len(os.listdir("/proc/self/task"))

def child(work):
    "Whether `work` is true in a forked process; None where it takes more than 20 seconds."
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(3)
    return {0: True, 1: False, 3: "an exception"}.get(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def run(code, **environ):
    """What Python code prints, word for word, after TRAIN; what it writes to stderr is in the assertion's message."""
    result, = run_all(code, [environ])
    return result


def run_all(code, environs):
    """`run` in each of several environments, side by side: what they wait for, they wait for together."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTBP_", "OMP_", "GOMP_"))}
    line = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", TRAIN + textwrap.dedent(code)]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(line, env={**kept, **each}, **how)) for each in environs]
        for process in processes:
            stack.callback(process.kill)
        results = [process.communicate(timeout=120) for process in processes]
    for process, (_, errors) in zip(processes, results, strict=True):
        assert process.returncode == 0, errors
    return [(out.split(), errors) for out, errors in results]
