"""Dates as days since 1970-01-01."""

import datetime

import pytest

from fastbp.datasets import dates

DAY = (datetime.date(2024, 3, 2) - datetime.date(1970, 1, 1)).days


@pytest.mark.parametrize(("text", "order"), [
    ("2024-03-02", None), ("2024/3/2", None), ("2024.03.02", None), ("20240302", None), ("02.03.2024", "dmy"),
    ("2/3/2024", "dmy"), ("3/2/2024", "mdy"), ("3-2-2024", "mdy"), ("2 Mar 2024", None), ("2-Mar-2024", None),
    ("Mar 2, 2024", None), ("March 2 2024", None), ("2. March 2024", None), ("2024-03-02T00:00:00Z", None),
    ("2024-03-02 00:00", None), ("2024-03-02T02:00:00+02:00", None), ("2024-03-01 23:00-01:00", None),
    ("2024-03-02 12:00 AM", None), ("2024-03-01 24:00", None), ("2024-03-01T24:00:00.0Z", None),
    ("2024-03-02 14:00+14:00", None), ("2024-03-01 23:59:60", None), ("2024-03-02 05:45+0545", None)])
def test_every_form_is_the_same_day(text, order):
    assert dates.days(text, order) == DAY


@pytest.mark.parametrize(("text", "share"), [
    ("2024-03-02 06:00", 0.25), ("2024-03-02T18:00:00.000", 0.75), ("2024-03-02 6:00 PM", 0.75), ("2024-03-02 "
                                                                                                  "12:00", 0.5),
    ("2024-03-02 12:00 pm", 0.5), ("2024-03-02 00:00:43.2", 0.0005)])
def test_the_time_is_a_fraction(text, share):
    assert dates.days(text) == pytest.approx(DAY + share, abs=1e-9)


@pytest.mark.parametrize("text", [
    "2024-02-30", "2024-13-01", "2023-02-29", "0000-01-01", "30/02/2024", "1/2/24", "31.12.99", "2 Foo 2024", "2024-1",
    "2024-03-02 25:00", "2024-03-02 24:59", "2024-03-02 24:00:01", "2024-03-02 24:01Z", "2024-03-02 24:00:00.5",
    "2024-03-02 12:30:60", "2024-03-02 12:00+99:99", "2024-03-02 12:00-15:00", "2024-03-02 12:00+14:01",
    "2024-03-02 12:00+02:60", "2024-03-02 12:00+0275", "2024-03-02 12:00-99",
    "2024-03-02 12:60", "2024-03-02 13:00 PM", "today", "", "12:30", "1/2/2024/5", "x" * 10**5])
def test_what_is_no_date(text):
    assert dates.days(text, "dmy") is None


def test_the_order_must_be_known():
    assert dates.days("1/2/2024") is None
    assert [dates.order(text) for text in ("1/2/2024", "13/2/2024", "1/13/2024", "1.2.2024", "2024-01-02", "x")] == [
        "either", "dmy", "mdy", "dmy", None, None]


@pytest.mark.parametrize(("text", "like"), [
    ("2024-01-31", True), ("1/2/99", True), ("2 Jan 2024", True), ("20240131", False),
    ("2 Foo 2024", False), ("1.2.3", False), ("10-20", False), ("2024", False)])
def test_what_was_meant_as_a_date(text, like):
    assert dates.like_a_date(text) is like


def test_years_of_two_digits():
    assert dates.short_year("1/2/24") and not dates.short_year("1/2/2024") and not dates.short_year("x")
