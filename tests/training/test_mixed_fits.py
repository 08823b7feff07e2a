"""Many fits of every kind in one process: nothing grows. FASTBP_FITS says how many, 60 by default."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastbp as fb

FITS = int(os.environ.get("FASTBP_FITS", "60"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc, where a process sees what it holds")
def test_memory_descriptors_and_threads_stay_as_they_are():
    pytest.importorskip("sklearn")
    done = subprocess.run([sys.executable, Path(__file__).with_name("mixed_fits.py"), str(FITS)], capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": str(Path(fb.__file__).parents[1])})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"mixed_fits: {FITS} fits")
