"""The bits of trainings and of predictions are those that were recorded, whatever was rebuilt since."""

import importlib.util
import json
import platform

import pytest

from . import TRAININGS, files
from .numbers import digest
from .record import DTYPES, HASHES, changed

LIST = json.loads(HASHES.read_text())
ALIKE = platform.machine() in ("x86_64", "AMD64")  # the machines that the list is of


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # an old pickle may name modules that have moved
@pytest.mark.parametrize("name", TRAININGS)
def test_bits(name, isa, dtype):
    if isa not in LIST or not ALIKE:
        pytest.skip(f"no bits of {isa} on {platform.machine()} are recorded")
    if "pickle" in name and not importlib.util.find_spec("numpy._core"):
        pytest.skip("the pickles name modules of NumPy that this one has not")
    assert digest(TRAININGS[name](dtype)) == LIST[isa][dtype][name]


def test_the_list_is_of_all_trainings():
    assert len(TRAININGS) >= 140
    for dtypes in LIST.values():
        assert [set(dtypes[dtype]) for dtype in DTYPES] == [set(TRAININGS)] * 2


def test_trainings_differ_from_each_other():
    """But where an order, a layout or a setting changes no bit, which is a promise as well."""
    for isa, dtypes in LIST.items():
        for dtype, found in dtypes.items():
            assert len(set(found.values())) > 0.9 * len(found), (isa, dtype)


@pytest.mark.skipif(not ALIKE, reason="its model was recorded on another kind of machine")
def test_the_model_of_a_table_says_what_it_said():
    assert files.answers() == files.ANSWERS.read_bytes()


def test_what_has_changed_is_listed():
    old = {"avx2": {"float32": {"a": "1", "b": "2"}}}
    new = {"avx2": {"float32": {"a": "1", "b": "3", "c": "4"}}, "scalar": {"float32": {"a": "1"}}}
    assert changed(old, new) == ["avx2 float32: b"]
