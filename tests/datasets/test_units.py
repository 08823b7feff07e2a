"""Numbers with something around them."""

import time

import pytest

from fastbp.datasets import units


@pytest.mark.parametrize(("text", "before", "after", "number", "usual"), [
    ("12 %", "", "%", "12", True), ("12.5%", "", "%", "12.5", True), ("$1,234.50", "$", "", "1,234.50", True),
    ("-$5", "$", "", "-5", True), ("$-5", "$", "", "-5", True), ("\u20ac 1.234,5", "\u20ac", "", "1.234,5", True),
    ("5 \u20ac", "", "\u20ac", "5", True), ("7 kg", "", "kg", "7", True), ("EUR 5", "EUR", "", "5", True),
    ("1e3 Hz", "", "Hz", "1e3", True), ("3 rooms", "", "rooms", "3", False), ("w0", "w", "", "0", False),
    ("7 g", "", "g", "7", False),
    ("5a", "", "a", "5", False), ("kg 7", "kg", "", "7", False), ("No. 7", None, None, None, False),
    ("20 \u00b0C", "", "\u00b0C", "20", True), ("1 234 km", "", "km", "1 234", True), (".5 m", "", "m", ".5", False)])
def test_the_number_and_what_is_around_it(text, before, after, number, usual):
    found = units.split(text)
    assert found == (None if before is None else ((before, after), number))
    assert found is None or found[0].usual == usual


@pytest.mark.parametrize("measure", sorted(units._MEASURES))
@pytest.mark.parametrize("text", ["12 {}", "1,234.5{}", "-3e2 {}"])
def test_every_measure_is_one(text, measure):
    for each in {measure, measure.upper(), measure.capitalize()}:
        found = units.split(text.format(each))
        assert found == (("", each), text.format("").strip()) and found[0].usual


@pytest.mark.parametrize(("text", "unit"), [
    ("5 W/m2", "W/m2"), ("998.2 kg/m3", "kg/m3"), ("7 mg/100 ml", "mg/100 ml"), ("5 kg (net)", "kg (net)"),
    ("3 ft-lb", "ft-lb"),
    ("5 m2/s", "m2/s"), ("5 m^2", "m^2"), ("5 ft2 (net)", "ft2 (net)"), ("3\u00d7", "\u00d7")])
def test_units_of_several_parts(text, unit):
    found = units.split(text)
    assert found[0] == ("", unit) and not found[0].usual


@pytest.mark.parametrize(("texts", "doubt"), [
    (("($5)", "(7)", "$(5)", "[5]", "{5}", "(5) kg", "5)", "(5 kg)", "(\u20ac 5)",
      "\uff085\uff09", "\u300a5\u300b"), "brackets around the number"),
    (("<2", "> 5 kg", "\u22645", "<=5 %", "~5", "\u00b15 mm", "\u22485 kg",
      "5>", "=5", "\uff1c5", "\u223c5"), "which is then no exact one"),
    (("5-", "$5-", "5 kg-", "5\u2212", "\u20135 kg", "\u20145", "65+", "5,-", "\u207b5 kg", "\uff0d5",
      "5 \uff0b"), "which may be its sign"),
])
def test_signs_are_no_units(texts, doubt):
    for text in texts:
        assert units.split(text) is None and doubt in units.doubt(text)[0], text
    assert [units.doubt(text) for text in ("5 kg", "-$5", "x", "12", "5 kg (net)")] == [None] * 5


@pytest.mark.parametrize("text", ["", "12", "kg", "1.5", "-", "12 kg 3", "2024-01-05", "10-20", "+-5 kg", "1:30", "%",
                                  "3/4", "5 m 20", "1a2b3c",
                                  "12 kg/10", "12 m2 3"])
def test_what_is_no_number_with_a_unit(text):
    assert units.split(text) is None


def test_a_long_cell_takes_no_time():
    begun = time.process_time()
    assert units.split("1" + "," * 100_000 + "a1") is None
    assert units.split(" " * 100_000 + "x") is None and time.process_time() - begun < 1
