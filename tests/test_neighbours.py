"""fastbp beside scikit-learn, and torch where it is installed, in one process: imported in every order."""

import subprocess
import sys
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
NEIGHBOURS = ["fastbp", "sklearn"] + ["torch"] * (find_spec("torch") is not None)


@pytest.mark.parametrize("order", map(",".join, permutations(NEIGHBOURS)))
def test_each_trains_beside_the_others_and_in_forks(order):
    script = str(Path(__file__).with_name("neighbours.py"))
    done = subprocess.run([sys.executable, script, order], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ok", *order.split(",")]
