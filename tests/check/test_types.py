"""fastbp/_check/types.py: what annotations name, which no program imports, and which agrees with the checks."""

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from fastbp import _check as check
from fastbp import losses, schedules
from fastbp._check import logs, types


def test_no_program_imports_them():
    program = "import sys, fastbp; from fastbp import graph, serialization; print('fastbp._check.types' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


def test_each_name_stands_for_a_type():
    """With the oldest NumPy, too: an alias that it lacks would be an error here."""
    names = [name for name in types.__annotations__ if name[0].isupper()]
    assert len(names) > 15
    for name in names:
        assert getattr(types, name) is not None, name


def test_names_of_dtypes_are_those_that_are_taken():
    names, *others = get_args(types.DType)
    assert [check.dtype(name) for name in get_args(names)] == [np.dtype("float32"), np.dtype("float64")]
    taken = [get_args(each)[0] for each in others[:2]]
    assert [check.dtype(each) for each in taken] == [np.dtype("float32"), np.dtype("float64")]


@pytest.mark.parametrize("mode", get_args(types.Mode))
def test_each_mode_is_taken(mode):
    assert schedules.ReduceOnPlateau(0.1, mode=mode).mode == mode
    assert logs.rises("a test", "loss", mode) == (mode == "max")


def test_no_other_mode_is_taken():
    with pytest.raises(ValueError, match=", ".join(get_args(types.Mode))):
        schedules.ReduceOnPlateau(0.1, mode="up")


@pytest.mark.parametrize("missing", get_args(types.Missing))
def test_targets_may_miss_as_it_says(missing):
    assert losses.MSE(missing=missing).missing == missing
