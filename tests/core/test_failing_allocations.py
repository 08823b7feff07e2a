"""Memory that is not there: MemoryError, nothing held that was not, parameters of a whole step, all usable after.

FASTBP_ALLOCATIONS=1 lets each allocation fail that failing_allocations.py knows of, instead of some.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastbp as fb

HERE = Path(__file__).parent
WHOLE = os.environ.get("FASTBP_ALLOCATIONS", "0") != "0"
pytestmark = pytest.mark.skipif(sys.platform != "linux" or sys.implementation.name != "cpython",
                                reason="needs LD_PRELOAD, and CPython's means to test its allocators")


def run(*words, **environ):
    environ = {**os.environ, "PYTHONPATH": str(Path(fb.__file__).parents[1]), **environ}
    return subprocess.run([sys.executable, HERE / "failing_allocations.py", *map(str, words)], env=environ,
                          capture_output=True, text=True, timeout=3000)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_what_the_core_and_numpy_ask_the_c_library_for(tmp_path):
    """Each of fastbp's own, and each array."""
    library = tmp_path / "fail_allocation.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "fail_allocation.c", "-ldl"], check=True)
    calls = [] if WHOLE else ["make", "step", "times"]
    done = run("c", *calls, LD_PRELOAD=str(library))
    assert done.returncode == 0, done.stdout + done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    assert len(told) >= len(calls)
    for name, failed, *_, count, _ in told:
        assert int(failed) >= 10, name  # that there were any
        assert int(count) >= int(failed) - 2, name  # all but those of a message, and of a look for threads


def test_what_python_is_made_of():
    pytest.importorskip("_testcapi")
    every = [] if WHOLE else ["--every", 97]
    calls = ["make", "predict", "fit"] if WHOLE else ["make", "fit"]
    done = run("python", *calls, *every)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(calls)
