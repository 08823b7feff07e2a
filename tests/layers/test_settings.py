"""fastbp/layers/settings.py: what a user may pass, and what a file may hold, whose values no message shows."""

import math

import pytest

from fastbp._files.schema import Values
from fastbp.layers.settings import Name, Number, Width

ABOVE, RATE, EPS = Number(0.0), Number(0.0, below=1.0), Number(0.5, 2.0)


@pytest.mark.parametrize(("setting", "value", "kept"), [
    (Width(), 3, 3), (Name(lambda: ("a", "b")), "b", "b"), (ABOVE, 2, 2.0), (RATE, 0, 0.0), (EPS, 0.5, 0.5),
    (EPS, 2, 2.0),
])
def test_what_may_be_is_kept_and_may_be_in_a_file(setting, value, kept):
    assert setting.taken("it", value) == kept
    assert setting.in_file(Values(), kept, "layers[0].it") is None


@pytest.mark.parametrize(("setting", "value", "error", "told", "of_file"), [
    (Width(), 0, ValueError, "it is 0, expected an integer >= 1", "a number, expected a whole number from 1 to 2147"),
    (Width(), 2**40, None, "", "a number, expected a whole number from 1"),
    (Width(), 1.5, TypeError, "it is 1.5 .*expected an integer", "a number, expected a whole number"),
    (Name(lambda: ("a", "b")), "c", ValueError, "it is 'c', expected one of: a, b; ", "text that is no name of one, "
                                                                                      "expected one of: a, b"),
    (ABOVE, -1.0, ValueError, "it is -1.0, expected a finite number >= 0", "a number, expected a number >= 0"),
    (ABOVE, math.nan, ValueError, "it is nan, expected", "a number, expected a finite number"),
    (RATE, 1.0, ValueError, "it is 1.0, expected a finite number >= 0 and < 1", "a number, expected 0 <= it < 1"),
    (EPS, 3.0, ValueError, "it is 3.0, expected a finite number >= 0.5 and <= 2", "a number, expected 0.5 <= it <= 2"),
    (EPS, 0.4, ValueError, "it is 0.4, expected a finite number >= 0.5 and <= 2", "a number, expected 0.5 <= it <= 2"),
    (EPS, "1", TypeError, "it is '1', expected a finite number", "text, expected a finite number"),
])
def test_what_may_not_be_is_refused(setting, value, error, told, of_file):
    if error:
        with pytest.raises(error, match=told):
            setting.taken("it", value)
    with pytest.raises(ValueError, match=rf"layers\[0\].it is {of_file}"):
        setting.in_file(Values(), value, "layers[0].it")
