"""Kinds of columns: what their cells become, and what is wrong in them."""

import json

import numpy as np
import pytest

from fastbp.datasets import column_types, csv_file
from fastbp.datasets.column_types import Date, Flag, Number, Words
from fastbp.datasets.number_format import PLAIN, Notation


@pytest.fixture
def cells(tmp_path):
    """The Cells of a column of a file."""
    def cells(*texts):
        path = tmp_path / "t.csv"
        path.write_text("a,b\n" + "".join(f'"{text}",x\n' for text in texts), encoding="utf-8")
        return csv_file.Sheet(path).read([0])[0]
    return cells


NAN = np.nan


@pytest.mark.parametrize(("kind", "texts", "rows"), [
    (Number("a"), ["1", "2.5", " 3 ", "NA", "", "n/a"], [[1], [2.5], [3], [NAN], [NAN], [NAN]]),
    (Number("a"), ["1", "1 234"], [[1], [1234]]),
    (Number("a", unit=("$", "")), ["$5", "-$1.5", "?"], [[5], [-1.5], [NAN]]),
    (Flag("a"), ["True", "FALSE", "true", "", "1", "0"], [[1], [0], [1], [NAN], [1], [0]]),
    (Flag("a", words=("no", "yes")), ["Yes", "no", ""], [[1], [0], [NAN]]),
    (Words("a", words=["b", "r"]), ["r", "b", "NA", "r"], [[0, 1], [1, 0], [NAN, NAN], [0, 1]]),
    (Words("a", words=["-", "None"]), ["None", "-", ""], [[0, 1], [1, 0], [NAN, NAN]]),
    (Date("a"), ["1970-01-02", "1969-12-31 12:00", "NA"], [[1], [-0.5], [NAN]]),
    (Date("a", order="mdy"), ["1/3/1970", "1970-01-01"], [[2], [0]]),
])
def test_cells_become_inputs(cells, kind, texts, rows):
    assert np.array_equal(kind.encode(cells(*texts), PLAIN), rows, equal_nan=True)
    again = column_types.from_spec(json.loads(json.dumps(kind.spec())))
    assert again.spec() == kind.spec() and again.inputs() == kind.inputs() and again.width == len(rows[0])


def test_numbers_are_read_in_the_files_notation(cells):
    german = Notation(",", ".")
    assert Number("a").encode(cells("1,5", "1.234", "NA"), german)[:2].tolist() == [[1.5], [1234]]
    assert Number("a").encode(cells("1.234", "2.000"), german).tolist() == [[1234], [2000]]    # plain numbers too
    assert Number("a").encode(cells("1.234", "2.000"), PLAIN).tolist() == [[1.234], [2]]
    assert Number("a").encode(cells("1,5", "2", ""), german)[:2].tolist() == [[1.5], [2]]         # decimal commas alone
    assert Number("a").encode(cells("1,500", "2,000"), Notation(".", ",")).tolist() == [[1500], [2000]]
    assert Number("a", unit=("", "%")).encode(cells("1,5 %", "2%"), german).tolist() == [[1.5], [2]]


@pytest.mark.parametrize(("kind", "texts", "message"), [
    (Number("a"), ["1", "x", "y", "2"], r"line 3, column 'a': 'x' is not a number \(nor is 1 more\), expected one, as "
                                        r"2 of the 4 cells of the column are numbers or missing; correct the cell, or "
                                        r"leave"),
    (Number("a"), ["1", "inf"], "line 3, column 'a': 'inf' is not finite, expected a finite number; fill one in or "
                                "remove the row"),
    (Number("a"), ["1", "5 kg"], "'5 kg' has 'kg' beside the number, expected a number alone, as in other cells; "
                                 "write all of them "
                                 "alike"),
    (Number("a", unit=("", "kg")), ["1 kg", "2 g", "3"], r"'2 g' is not a number with 'kg' \(nor is 1 more\), "
                                                         r"expected one, as the other"),
    (Flag("a"), ["true", "none", "-"], r"line 3, column 'a': 'none' is neither .* model was trained; make such cells "
                                       r"empty if they are missing values|nor is 1 more"),
    (Flag("a"), ["true", "yes"], "line 3, column 'a': 'yes' is neither 'false' nor 'true', expected one of them, as "
                                 "when"),
    (Words("a", words=["Red", "blue"]), ["red", "x"], r"line 2, column 'a': 'red' is a word that the model was not "
                                                       "trained on "
     r"\(nor is 1 more\), expected one of: Red, blue; did you mean 'Red'\?; correct the cell, or .* zeros"),
    (Words("a", words=list("abcdefghij")), ["k"], r"expected one of: a, b, c, d, e, f, g, h, ... \(10 in all\)"),
    (Date("a"), ["2024-01-01", "1/2/2024"], "'1/2/2024' has day and month first, expected the year first"),
    (Date("a", order="dmy"), ["1/2/24"], "'1/2/24' has a year of two digits, which may be of any century, expected "
                                         "one of four; write four"),
    (Date("a", order="dmy"), ["30/2/2024", "x"], r"'30/2/2024' is not a date that is read \(nor is 1 more\), expected "
                                                 r"one such as 2024-12-31, .*; write"),
])
def test_what_is_wrong_is_named(cells, kind, texts, message):
    with pytest.raises(ValueError, match=message):
        kind.encode(cells(*texts), PLAIN)


def test_words_that_are_not_known_may_be_none(cells):
    kind, column = Words("a", words=["b", "r"]), cells("x", "r", "", "y")
    assert kind.encode(column, PLAIN, handle_unknown="zeros").tolist()[:2] == [[0, 0], [0, 1]]
    assert kind.unknown(column) == 2
    with pytest.raises(ValueError, match="'x' is neither"):            # words alone may be unknown
        Flag("a").encode(column, PLAIN, handle_unknown="zeros")


def test_names_of_inputs_differ():
    kinds = [Number("a=b"), Words("a", words=["b", "c"]), Number("c")]
    assert column_types.names(kinds) == ["a=b", "a=b'", "a=c", "c"]
    assert column_types.owners(kinds).tolist() == [0, 1, 1, 2]


def test_missing_values_are_filled_in_or_named(cells):
    kinds = [Number("a", imputed=7.0), Words("b", words=["x", "y"], imputed=0.0), Number("c")]
    X = np.array([[NAN, 1, 0, 1], [2, NAN, NAN, NAN], [3, 0, 1, NAN]])
    columns = [cells("", "2", "3"), cells("x", "", "y"), cells("1", "", "NA")]
    with pytest.raises(ValueError, match=r"line 3, column 'a': missing value \(''\), the first of 2 in 2 of 3 rows, "
                                         r"expected none; do it"):
        column_types.check_missing(columns, kinds, X, "do it")
    assert np.array_equal(column_types.cells_of(np.isnan(X), kinds), [[1, 0, 0], [0, 1, 1], [0, 0, 1]])
    kinds[2].imputed = -1.0
    column_types.check_missing(columns, kinds, X, "do it")
    assert column_types.impute(X, kinds).tolist() == [[7, 1, 0, 1], [2, 0, 0, -1], [3, 0, 1, -1]]
