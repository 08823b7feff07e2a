"""How messages show values: short, in one line, with the type where that is no matter of course."""

import numpy as np
import pytest

from fastbp import _check as check
from fastbp._core.shown import LONGEST, shown


class Lines:
    def __repr__(self):
        return "Lines(\n      a,\n      b)"


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
