"""How a file writes its numbers: what its cells show, and what may be two things."""

import pytest

from fastbp.datasets import number_format
from fastbp.datasets.number_format import PLAIN, Evidence, Notation


@pytest.mark.parametrize(("text", "plain", "comma"), [
    ("1.5", 1.5, None), ("2", 2, 2), ("1,5", None, 1.5), (",5", None, 0.5), ("-1,5e3", None, -1500), ("1e3", 1e3, 1e3),
    ("1_000", None, None), ("1,500", None, 1.5), ("1,2,3", None, None), ("1.234,5", None, None), ("inf", None, None),
    ("nan", None, None), ("12 kg", None, None), ("", None, None), ("1e400", None, None), ("1 234,5", None, 1234.5),
    ("1'234.5", 1234.5, None), ("1\u00a0234", 1234, 1234), ("\u22125.5", -5.5, None), ("-1\u202f234\u202f567", -1234567,
                                                                                  -1234567),
    ("01 234", None, None), ("1 23", None, None), ("1234 567", None, None), ("1'234 567", None, None), ("+7", 7, 7)])
def test_numbers_of_a_notation(text, plain, comma):
    assert PLAIN.number(text) == plain and Notation(",").number(text) == comma


@pytest.mark.parametrize(("text", "english", "german"), [
    ("1,234.5", 1234.5, None), ("1.234,5", None, 1234.5), ("1,234,567", 1234567, None), ("1.234.567", None, 1234567),
    ("1,234", 1234, 1.234), ("1.234", 1.234, 1234), ("12,34", None, 12.34), ("1,234.567", 1234.567, None),
    ("1,2345", None, 1.2345), ("0,125", None, 0.125), ("1,234,56", None, None), ("1.5", 1.5, None)])
def test_separators_of_thousands(text, english, german):
    assert Notation(".", ",").number(text) == english and Notation(",", ".").number(text) == german


@pytest.mark.parametrize(("text", "shows"), [
    ("1,5", (",", None, None)), ("1.234,56", (",", ".", None)), ("1,234.56", (".", ",", None)),
    ("1 234", (None, " ", None)),
    ("1'234.5", (".", "'", None)), ("inf", (None, None, None)), ("3", (None, None, None)), ("1,234", (None, None, ",")),
    ("1.234", (None, None, ".")), ("0,125", (",", None, None)), ("1234,500", (",", None, None)), ("12 kg", None),
    ("1,234,567", (None, ",", None)), ("abc", None), ("1_000", None), ("10-20", None), ("2020-01-05", None), ("", None),
    ("1.2.3", None), ("9" * 1000, None), ("1.234e5", (".", None, None))])
def test_what_a_cell_shows(text, shows):
    assert number_format.signs(text) == shows


class Column:
    """Stands for csv_file.Cells: each cell is in a line of its own."""

    name = "the host"

    def __init__(self, texts):
        self.texts = texts

    def find(self, text):
        return self.texts.index(text)

    def at(self, row, path=True):
        return "t.csv, " * path + f"line {row + 2}"


def found(*texts):
    evidence = Evidence()
    evidence.add(Column(texts), [(text, text) for text in texts])
    return evidence


@pytest.mark.parametrize(("texts", "expected"), [
    (["1", "2"], PLAIN), (["1.234"], PLAIN), (["0,5"], Notation(",")), (["1,234", "0,5"], Notation(",")),
    (["1,234.5", "1,000"], Notation(".", ",")), (["1.234,5", "1.000"], Notation(",", ".")),
    (["1.234.567", "1.000"], Notation(",", ".")), (["1,234,567"], Notation(".", ",")),
    (["1 000", "0,5"], Notation(",")), (["10.100.200.255", "10.100.200.256"], Notation(",", ".")),
    (["10.100.200.255", "1.000.000"], Notation(",", ".")), (["-10.100.200.255"], Notation(",", ".")),
    (["10.100.200.255,0"], Notation(",", ".")), (["10,100,200,255"], Notation(".", ",")),
])
def test_what_the_cells_show_beyond_doubt_is_read(texts, expected):
    assert found(*texts).notation() == found(*reversed(texts)).notation() == expected


@pytest.mark.parametrize(("texts", "message"), [
    (["1,234"], r"t.csv, line 2: '1,234' may have a decimal comma or a separator of thousands, .* say --decimal , if "
                 "it is "
                r"1.234, or --thousands , if it is 1234"),
    (["0,5", "0.5"], "line 2: '0,5' has a comma, and line 3: '0.5' a point, which cannot both be read"),
    (["1,234,567", "0,5"], "line 3: '0,5' has a comma, and line 2: '1,234,567' a comma, which cannot both"),
    (["1.234,5", "1,234.5"], "has a point, and line 2: '1.234,5' a point, which cannot both"),
    (["1.234", "0,5"], r"line 2: '1.234' has a point, and line 3: '0,5' a comma, expected numbers that show which of "
                       r"them is the decimal one; say --decimal , if the point separates"),
    (["1,234", "0.5"], r"line 2: '1,234' has a comma, and line 3: '0.5' a point, expected .* say --decimal \. if the "
                        "comma"),
    (["1,234", "1.234"], "'1,234' may have"),
    (["0.5", "10.100.200.255"], r"line 3: '10.100.200.255' may be an address, or the number 10100200255 with .* say "
                                r"--thousands \. if .* --words 'the host' or .* --ignore 'the host' in training"),
])
def test_what_is_not_clear_is_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        found(*texts).notation()


@pytest.mark.parametrize(("said", "texts", "expected"), [
    ({"decimal": ","}, ["1,234"], Notation(",", ".")), ({"thousands": ","}, ["1,234"], Notation(".", ",")),
    ({"decimal": "."}, ["1,234"], Notation(".", ",")), ({"thousands": ""}, ["1,234"], Notation(",", "")),
    ({"thousands": ""}, ["1.234"], Notation(".", "")),
    ({"decimal": ",", "thousands": ""}, ["1.234"], Notation(",", "")),
    ({"thousands": "."}, [], Notation(",", ".")), ({"thousands": "."}, ["10.100.200.255"], Notation(",", "."))])
def test_what_is_said_decides(said, texts, expected):
    assert found(*texts).notation(**said) == expected


def test_points_and_commas_without_thousands():
    with pytest.raises(ValueError, match=r"'1,234' has a comma, and line 3: '1.234' a point"):
        found("1,234", "1.234").notation(thousands="")


def test_where_nothing_is_shown_the_training_file_decides():
    """A file of one row may show nothing: it is read as the others were."""
    german = Notation(",", ".")
    assert found("1.234").notation(usual=german) == found("1,234").notation(usual=german) == german
    assert found("1,234").notation(usual=Notation(".", ",")) == Notation(".", ",")
    assert found("0.5").notation(usual=german) == PLAIN                       # what is shown comes first
    assert found("0,5", "1.234").notation(usual=german) == german
    with pytest.raises(ValueError, match=r"'1.234' may have a decimal point or .* say --decimal \. if it is 1.234, or "
                                         r"--thousands \. if it is 1234"):
        found("1.234").notation(usual=Notation(","))
    with pytest.raises(ValueError, match="'1,234' may have a decimal comma"):
        found("1,234").notation(usual=PLAIN)
