"""What a cell says."""

import pytest

from fastbp.datasets import cells

MARKS = ["", " ", "?", "NA", "n/a", "N/A", "na", "#N/A", "-", "--", "NULL", "null", "None", "NaN", "nan", "-nan", ".",
         "<NA>", "\u2013", "\\N", "\u00a0", " NA "]


@pytest.mark.parametrize("text", MARKS)
def test_marks_of_a_missing_value(text):
    assert cells.missing(text)
    assert cells.missing(text, words=True) == (text.strip().lower() not in ("-", "--", "none", ".", "\u2013"))


@pytest.mark.parametrize("text", ["0", "1.5", "naan", "no", "+", "missing", "-1", "x"])
def test_words_and_numbers_are_not_missing(text):
    assert not cells.missing(text) and not cells.missing(text, words=True)


def test_messages_show_little_and_nothing_that_a_terminal_obeys():
    assert cells.plain("a\x1b\u202e\n") == r"a\x1b\u202e\n"
    assert len(cells.plain("x" * 10**6)) < 50
    assert [cells.others(count) for count in (0, 1, 2)] == ["", " (nor is 1 more)", " (nor are 2 more)"]
    assert [cells.others(count, "so") for count in (1, 2)] == [" (so has 1 more)", " (so have 2 more)"]
    assert cells.quoted("a b") == "'a b'" and cells.quoted("area") == "area" and cells.quoted("") == "''"
