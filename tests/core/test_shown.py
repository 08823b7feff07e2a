"""How messages show values: short, in one line, with the type where that is no matter of course."""

import numpy as np
import pytest

from fastbp import _check as check
from fastbp._core.shown import LONGEST, shown, written


class Lines:
    def __repr__(self):
        return "Lines(\n      a,\n      b)"


class Silent:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(("value", "text"), [
    (3, "3 (int)"), (3.0, "3.0 (float)"), (True, "True"), (None, "None"), ("3", "'3'"), (b"3", "b'3' (bytes)"),
    ([1], "[1] (list)"), (np.str_("a"), "'a'"), ("a\x1b[2J\u202e", r"'a\x1b[2J\u202e'"), ("it's", '"it\'s"'),
    (np.zeros((2, 3), "f4"), "an array of shape (2, 3) and dtype float32"), (Lines(), "Lines( a, b) (Lines)"),
    (np.ma.zeros(2), "an array of shape (2,) and dtype float64"),
])
def test_a_value_is_shown_with_its_type(value, text):
    assert shown(value) == text


def test_a_long_one_is_cut():
    assert shown("x" * 60) == repr("x" * 60)
    assert shown("x" * 10**6) == repr("x" * 57 + "...")  # the quotes stand around what is left of a text
    long = shown(list(range(10**5)))
    assert long.startswith("[0, 1, 2, ") and long.endswith("... (list)") and len(long) == LONGEST + len(" (list)")
    assert check.shown is shown


@pytest.mark.parametrize(("value", "text"), [
    (Silent(), "one that cannot be shown (Silent)"), ([Silent()], "one that cannot be shown (list)"),
    (10**5000, "2^16609 or more (int)"), (-(10**5000), "-2^16609 or more (int)"),  # Python writes 4300 digits
    ([10**5000], "one that cannot be shown (list)"), (10**100, "1" + "0" * 56 + "... (int)"),
], ids=range(6))
def test_what_python_cannot_write_is_told_of_in_other_words(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (3, "3"), (-3, "-3"), (2**256 - 1, str(2**256 - 1)), (2**256, "2^256 or more"), (-(2**300), "-2^300 or more"),
    (True, "True"), ("3", "'3'"), (2.0, "2.0"), ([2], "[2] (list)"),
])
def test_a_number_is_written_without_its_type_and_never_in_a_screenful(value, text):
    assert written(value) == text
