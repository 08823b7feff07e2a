"""What a cell says."""

import pytest

from fastbp import cells

MARKS = ["", " ", "?", "NA", "n/a", "N/A", "na", "#N/A", "-", "--", "NULL", "null", "None", "NaN", "nan", "-nan", ".",
         "<NA>", "\u2013", "\\N", "\u00a0", " NA "]


@pytest.mark.parametrize("text", MARKS)
def test_marks_of_a_missing_value(text):
    assert cells.missing(text)
    assert cells.missing(text, words=True) == (text.strip().lower() not in ("-", "--", "none", ".", "\u2013"))


@pytest.mark.parametrize("text", ["0", "1.5", "naan", "no", "+", "missing", "-1", "x"])
def test_words_and_numbers_are_not_missing(text):
    assert not cells.missing(text) and not cells.missing(text, words=True)


@pytest.mark.parametrize(("text", "plain", "comma"), [
    ("1.5", 1.5, 1.5), (" 2 ", 2, 2), ("1,5", None, 1.5), (",5", None, 0.5), ("-1,5e3", None, -1500),
    ("1_000", None, None), ("1,500", None, 1.5),
    ("1,2,3", None, None), ("1.234,5", None, None), ("inf", None, None), ("nan", None, None),
    ("12 kg", None, None), ("", None, None), ("1e400", None, None)])
def test_finite_numbers(text, plain, comma):
    assert cells.finite(text) == plain and cells.finite(text, comma=True) == comma


@pytest.mark.parametrize(("text", "like"), [
    ("1,5", True), ("1.234,56", True), ("1,234.56", True), ("1 234", True), ("1'234.5", True), ("inf", True),
    ("3", True), ("12 kg", False),
    ("abc", False), ("1_000", False), ("10-20", False), ("2020-01-05", False), ("", False)])
def test_what_was_meant_as_a_number(text, like):
    assert cells.like_a_number(text) == like


@pytest.mark.parametrize(("text", "either"), [("1,500", True), ("12,500", True), ("1,234,567", True), ("0,125", False),
                                              ("1,5", False), ("1234,500", False)])
def test_a_comma_that_may_separate_thousands(text, either):
    assert cells.thousands(text) == either


def test_messages_show_little_and_nothing_that_a_terminal_obeys():
    assert cells.shown("a\x1b[31m") == r"'a\x1b[31m'" and cells.plain("a\x1b\u202e\n") == r"a\x1b\u202e\n"
    assert len(cells.shown("x" * 10**6)) < 50 and len(cells.plain("x" * 10**6)) < 50
    assert [cells.others(count) for count in (0, 1, 2)] == ["", " (nor is 1 more)", " (nor are 2 more)"]
    assert [cells.others(count, "so") for count in (1, 2)] == [" (so has 1 more)", " (so have 2 more)"]
