"""Which kind a column is, and what has to be said of it."""

import numpy as np
import pytest

from fastbp.datasets.tables import describe, load_csv

N = 40


@pytest.fixture
def load(tmp_path):
    """Loads a file with this column `a` beside a column of numbers."""
    def load(texts, target="y", header="a,b,y", more=lambda i: f"{i},{i * 1.5}", **options):
        path = tmp_path / "t.csv"
        path.write_text(header + "\n" + "".join(f'"{texts[i % len(texts)]}",{more(i)}\n' for i in range(N)))
        return load_csv(path, target, **options)
    return load


@pytest.mark.parametrize(("texts", "options", "told"), [
    (["1", "2.5"], {}, ""), (["1", ""], {"missing": "median"}, ""), (["yes", "no"], {}, "a (yes is 1, no 0)"),
    (["TRUE", "False", "NA"], {"missing": "median"}, "a (true is 1, false 0)"), (["y", "n"], {}, "a (y is 1, n 0)"),
    (["on"], {}, "a (on is 1, off 0)"), (["yes", "no", "maybe"], {}, "a (3 words, an input each)"),
    (["yes", "no", "none"], {"missing": "median"}, "a (3 words, an input each)"),
    (["yes", "no", "-"], {}, "a (3 words, an input each)"),
    (["true", "false", "Nil"], {}, "a (3 words, an input each)"),
    (["yes", "no", "?"], {"missing": "median"}, "a (yes is 1, no 0)"),
    (["true", "no"], {}, "a (2 words, an input each)"), (["red"], {}, "a (1 word, an input)"),
    (["12345", "12346"], {"words": ["a"]}, "a (2 words, an input each)"), (["a", "1"], {}, "a (2 words, an input "
                                                                                           "each)"),
    (["2024-01-31", "NA"], {"dates": ["a"], "missing": "drop"}, "a (days since 1970-01-01)"),
    (["31/01/2024", "1/2/2024"], {"dates": ["a"]}, "a (days since 1970-01-01, read as dmy)"),
    (["1/2/2024"], {"dates": ["a"], "date_order": "mdy"}, "a (days since 1970-01-01, read as mdy)"),
    (["20240131"], {"dates": ["a"]}, "a (days since 1970-01-01)"), (["$1.50", "$2"], {"units": ["a"]}, "a (in $)"),
    (["3 rooms", "4 rooms"], {"units": ["a"]}, "a (in rooms)"), (["3 rooms", "4 rooms"], {}, "a (2 words, an input "
                                                                                             "each)"),
    ([f"w{i}" for i in range(20)], {}, "a (20 words, an input each)"),
    ([f"w{i}" for i in range(30)], {"categorical": 30}, "a (30 words, an input each)"),
    (["2024-01-31", "2024-02-29"], {"words": ["a"]}, "a (2 words, an input each)"),
])
def test_what_a_column_is(load, texts, options, told):
    assert describe(load(texts, **options).kinds) == told


@pytest.mark.parametrize(("texts", "options", "message"), [
    (["2024-01-31"], {}, "line 2, column 'a': '2024-01-31' is a date, and so are most cells of the column, expected "
                         "numbers or words; read it as "
                         "days since 1970-01-01 with --dates a, or leave it out with --ignore a"),
    (["31.12.99", "", "x"], {}, "is not a number|is a date|missing"), (["1/2/2024"], {"dates": ["a"]},
     "'1/2/2024' may have the day or the month first, and so may all dates of the column, expected one that shows it; "
     "say --date-order dmy or "
     "--date"),
    (["13/1/2024", "1/13/2024"], {"dates": ["a"]}, "'13/1/2024' has the day first, and '1/13/2024' in line 3 the "
                                                   "month"),
    (["1/2/24"], {"dates": ["a"], "date_order": "dmy"}, "has a year of two digits"),
    (["13/1/2024"], {"dates": ["a"], "date_order": "mdy"}, "'13/1/2024' has the day first .*, expected the month"),
    (["2024-01-13"], {"dates": ["a"], "date_order": "mdy"},
     "--date-order is mdy, expected dates such as 1/2/2024 in the columns of --dates"),
    (["x"], {"dates": ["a"]}, "'x' is not a date that is read"),
    (["12 %", "13 %"], {}, "'12 %' has '%' beside the number, and so have most cells .* --units a"),
    (["12 m2", "15 m2", "18 m2"], {}, "'12 m2' has 'm2' beside the number, and so have most cells .* --units a"),
    (["5 l/100km", "7 l/100km"], {}, "'5 l/100km' has 'l/100km' beside the number"),
    (["($5)", "($7)"], {"units": ["a"]}, r"line 2, column 'a': '\(\$5\)' is not a number with a unit \(it has "
                                         r"brackets around the number, which may make it negative\), and neither .*; "
                                         r"write -5 for"),
    (["x", "<2"], {"units": ["a"]}, "line 3, column 'a': '<2' is not a number with a unit .it has '<' beside the"),
    (["$5", "$6", "($5)"], {"units": ["a"]}, r"line 4, column 'a': '\(\$5\)' has brackets around the number, .* \(so "
                                             r"have 12 more\), expected .*; write -5 for"),
    (["$5", "$6", "$5-"], {"units": ["a"]}, "line 4, column 'a': '[$]5-' has '-' beside the number, which may be its"),
    (["5\u20ac"], {}, "has '\u20ac' beside the number"), (["USD 5"], {}, "has 'USD' beside the number"),
    (["x"], {"units": ["a"]}, "'x' is not a number with a unit, and neither is any other cell"),
    (["5 kg", "6 kg", "7 g"], {"units": ["a"]}, r"line 4, column 'a': '7 g' is not a number with 'kg' \(nor are 12 "
                                                 r"more\)"),
    (["5 kg", "6 kg", "7"], {"units": ["a"]}, "'7' is not a number with 'kg'"),
    (["1", "2", "5 kg"], {}, "line 4, column 'a': '5 kg' has 'kg' beside the number"),
    (["1", "2", "x"], {}, "line 4, column 'a': 'x' is not a number"), (["", "NA"], {}, "'a' has no value in any row, "
                                                                                       "expected some; leave"),
    (["", "NA"], {"missing": "median"}, "'a' has no value in any row"),
    ([chr(97 + i) for i in range(21)], {}, r"line 2, column 'a': 'a' is not a number, and the column holds 21 "
                                           r"different words in 40 rows \(is it a name or a key\?\), expected at most "
                                           r"20, an input each; leave it out with --ignore a, or allow more with "
                                           r"--categorical 21"),
    ([f"{i} oxen" for i in range(30)], {}, "read the numbers in it without what stands around them with --units a"),
    (["red"], {"categorical": 0}, "'red' is not a number, and the column holds 1 different words in 40 rows .*, "
                                  "expected at most 0"),
    (["1,234"], {}, "'1,234' has a comma, and line 2, column 'y': '0.0' a point, expected numbers that show which"),
    (["1,234", "$5", "$6"], {"units": ["a"]}, r"'1,234' is not a number with '\$'|'1,234' has a comma"),
    (["$1,234"], {"units": ["a"]}, r"line 2, column 'a': '\$1,234' has a comma, and line 2, column 'y': '0.0' a point"),
])
def test_what_has_to_be_said(load, texts, options, message):
    with pytest.raises(ValueError, match=message):
        load(texts, **options)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"ignore": ["c"]}, ValueError, "--ignore is c, expected a column of the file; name one of: a, b, y"),
    ({"dates": ["aa"]}, ValueError, r"--dates is aa, expected a column of the file; did you mean 'a'\?"),
    ({"ignore": ["a"], "words": ["a"]}, ValueError, "--ignore and --words are both said of column 'a', expected one "
                                                    "of them; choose one"),
    ({"ignore": ["y"]}, ValueError, "--ignore is y, the target, expected a column of features"),
    ({"words": "ab"}, TypeError, r"words is 'ab', expected a list of columns; pass \['ab'\]"),
    ({"units": None}, TypeError, r'units is None, expected a list of columns; pass .* units=\["town"\], or leave it'),
    ({"ignore": 3}, TypeError, r"ignore is 3 \(int\), expected a list"), ({"dates": b"a"}, TypeError, "dates is b'a' "),
    ({"date_order": "dmy"}, ValueError, "--date-order is dmy without --dates, expected columns of dates"),
    ({"date_order": "ydm", "dates": ["a"]}, ValueError, "date_order is 'ydm', expected one of: dmy, mdy; "),
    ({"categorical": -1}, ValueError, "categorical is -1"), ({"categorical": "all"}, TypeError, "categorical is 'all'"),
    ({"ignore": ["a", "b"]}, ValueError, "the only column is 'y'"),
    ({"missing": "mean"}, ValueError, "missing is 'mean', expected one of"),
])
def test_what_cannot_be_said(load, options, error, message):
    with pytest.raises(error, match=message):
        load(["1", "2"], **options)


@pytest.mark.parametrize(("texts", "message"), [
    ([str(i) for i in range(N)], "column 1 has no name and counts the rows, expected a name: it is an index, as "
                                 "written by `to_csv` without "
                                 "`index=False`; leave it out with --ignore 'Unnamed: 0'"),
    ([str(i + 1) for i in range(N)], "an index, as written"), (["1", "5"], "column 1 has no name, expected one in the "
                                                                           "header row"),
    (["x", "y"], "column 1 has no name, expected one in the header row; give it one, or leave it out with"),
])
@pytest.mark.parametrize("header", [",b,y", "Unnamed: 0,b,y"])
def test_a_column_without_a_name(load, header, texts, message):
    with pytest.raises(ValueError, match=message):
        load(texts, header=header)
    assert load(texts, header=header, ignore=["Unnamed: 0"]).features == ("b",)


def test_units_and_dates_of_the_target(load):
    more = {"target": "a"}
    with pytest.raises(ValueError, match=r"line 2, column 'a': '12 %' has '%' beside the number, .* --units a"):
        load([f"{i + 12} %" for i in range(N)], **more)
    table = load([f"{i + 12} %" for i in range(N)], units=["a"], **more)
    assert table.task == "regression" and table.y[:2].tolist() == [12, 13]
    assert table.file_format["target_unit"] == ["", "%"]
    with pytest.raises(ValueError, match=r"'5 g' is not a finite number .*, expected one with '%', as the other cells"):
        load(["12 %", "13 %", "5 g"], units=["a"], **more)
    with pytest.raises(ValueError, match=r"line 4, column 'a': '<5 %' is not a finite number .it has '<' beside"):
        load(["12 %", "13 %", "<5 %"], units=["a"], **more)
    with pytest.raises(ValueError, match="the target '2024-01-01' is a date, and so are most cells of the column, "
                                         "expected numbers or words; write it"):
        load(["2024-01-01", "2024-01-02"], **more)
    assert load(["2024-01-01", "2024-01-02"], task="classification", **more).classes == ("2024-01-01", "2024-01-02")
    assert load(["1 kg", "2 kg"], task="classification", **more).classes == ("1 kg", "2 kg")


def test_lists_of_columns_of_any_kind(load):
    expected = load(["1", "2"], words=["a"]).features
    for given in (("a",), {"a"}, np.array(["a"]), iter(["a"]), {"a": 1}):
        assert load(["1", "2"], words=given).features == expected == ("a=1", "a=2", "b")
