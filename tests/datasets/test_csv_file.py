"""Rows of a CSV file: separators, headers, and what is wrong in columns of numbers."""

import os
import threading
import time

import numpy as np
import pytest

from fastbp.datasets import csv_file, model_tables, tables


def write(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(("text", "rows"), [
    ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
    ("a;b\n1,5;2,5\n", [["a", "b"], ["1,5", "2,5"]]),
    ("1,5;2,5\n3,5;4,5\n", [["1,5", "2,5"], ["3,5", "4,5"]]),
    ("1,5\t2,5\n3,5\t4,5\n", [["1,5", "2,5"], ["3,5", "4,5"]]),
    ("a;b,c\n1,2\n", [["a;b", "c"], ["1", "2"]]),              # a name with a semicolon
    ('"a;b",c\n1,2\n', [["a;b", "c"], ["1", "2"]]),
    ("a,b\n1,x;y\n2,z;w\n", [["a", "b"], ["1", "x;y"], ["2", "z;w"]]),
    ("a\n1\n", [["a"], ["1"]]),
    ("\n\na;b\n1;2;3\n", [["a", "b"], ["1", "2", "3"]]),       # no separator fits: the first line's
    ("a\rb\r", [["a"], ["b"]]),
])
def test_the_separator_is_the_one_that_cuts_the_lines_alike(tmp_path, text, rows):
    assert [row for _, row in csv_file.Rows(write(tmp_path, text))] == rows


def test_lines_are_counted_as_an_editor_does(tmp_path):
    text = 'a,b\n\n1,"x\ny"\n' + "".join(f"{i},2\n" for i in range(40))
    assert [line for line, _ in csv_file.Rows(write(tmp_path, text))] == [1, 3, *range(5, 45)]


def test_a_pipe_is_read_as_a_file_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text("a,y\n" + "1,2.5\n3,4.5\n" * 30))
    writer.start()
    table = tables.load_csv(tmp_path / "pipe", "y")
    writer.join()
    assert table.X.shape == (60, 1) and table.y[:2].tolist() == [2.5, 4.5]


@pytest.mark.parametrize(("text", "message"), [
    ("a,y\n1,2\n?,3\n4,4\n", r"line 3, column 'a': missing value \('\?'\), the only one in 1 of 3 rows, expected "
                             r"none; fill it in"),
    ("a,b,y\n1,2,3\n?,NA,3\n4,-,4\n", r"line 3, column 'a': .*, the first of 3 in 2 of 3 rows and 2 columns, expected "
                                      r"none; .*'drop'"),
    ("a,y\n1,2\nx,3\ny,4\n2,1\n3,4\n", r"line 3, column 'a': 'x' is not a number \(nor is 1 more\), expected one, as "
                                       r"3 of the 5 cells of the column are numbers or missing; correct"),
    ("a,y\n1,2\nx,3\ny,4\nz,1\n", r"line 2, column 'a': '1' is not a number, and the column holds 4 different words "
                                  r"in 4 rows .*, expected at most 2, .* --ignore a, or allow more with --categorical "
                                  r"4"),
    ("a;y\n1;2\n1,5;3\n2.5;3\n", r"line 3, column 'a': '1,5' has a comma, and line 4, column 'a': '2.5' a point"),
    ("a;y\n1,500;2\n12,500;3\n", r"line 2, column 'a': '1,500' may have a decimal comma or a separator of thousands, "
                                  ".*; "
     r"say --decimal , if it is 1.5, or --thousands , if it is 1500"),
    ("a;y\n1.234,5;2\n0.5;3\n", r"line 3, column 'a': '0.5' has a point, and line 2, column 'a': '1.234,5' a point"),
    ("a,\x1b[2Jb\n1,2\n", r"no column 'y', expected one of: a, \\x1b\[2Jb; name one"),
    ("a,y\n1,2\n3,2\n\x1b[2J,2\n", r"column 'a': '\\x1b\[2J' is not a number"),
    (b"\xff\xfea\0,\0b", r"text in UTF-16 by its first bytes, and damaged or cut off: .*\(truncated data\)"),
])
def test_what_is_wrong_is_counted(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        tables.load_csv(write(tmp_path, text), "y")


def test_a_folder(tmp_path):
    with pytest.raises(IsADirectoryError, match="a folder, expected a CSV file; give the path of one in it"):
        tables.load_csv(tmp_path, "y")


def test_decimal_commas_are_read_where_that_is_clear(tmp_path):
    table = tables.load_csv(write(tmp_path, "a;b;y\n1,5;2;0,125\n1,250;3;2,5\n"), "y")
    assert table.X.tolist() == [[1.5, 2], [1.25, 3]] and table.y.tolist() == [0.125, 2.5]
    x, y, names = tables.load_points(write(tmp_path, "1,5;2,5\n2,5;3\n"))
    assert (x.tolist(), y.tolist(), names) == ([1.5, 2.5], [2.5, 3], ("x", "y"))
    assert tables.load_features(write(tmp_path, "b\ta\n1,5\t2\n"), ["a", "b"]).tolist() == [[2, 1.5]]


def test_columns_that_are_not_read_do_not_matter(tmp_path):
    path = write(tmp_path, "id;a;b\nx_1;1;2\n1,5;3;4.5\n")
    assert tables.load_features(path, ["a", "b"]).tolist() == [[1, 2], [3, 4.5]]


def test_a_hundred_thousand_columns_are_read_in_a_moment(tmp_path):
    """Looking each name up in the list of names would be 5e9 comparisons, more than a minute."""
    names = [f"column{i}" for i in range(100_000)]
    path = write(tmp_path, ",".join(names) + "\n" + "\n".join(",".join([str(k)] * 100_000) for k in (1, 2)) + "\n")
    begun = time.process_time()
    table = tables.load_csv(path, "column5", "regression")
    assert time.process_time() - begun < 10
    assert tables.load_features(path, names[::-1]).shape == (2, 100_000)
    for call in (lambda: tables.load_csv(path, "kolumn5"), lambda: tables.load_features(path, [*names, "column"])):
        with pytest.raises(ValueError, match=r"did you mean 'column\d+'"):
            call()
    assert time.process_time() - begun < 10 and len(table.features) == 99_999
    assert np.array_equal(table.X, [[1] * 99_999, [2] * 99_999])


@pytest.mark.parametrize(("text", "message"), [
    ("5,7,9\n4,2,1\n3,3,1\n", "line 1: the first row holds numbers, expected a header row that names the columns; say "
                              "--no-h"),
    ("5.1,7,a\n4,2,b\n3,3,b\n", "first row holds numbers where columns of numbers begin, expected a header row .*; "
                                "say --no-header if it is a "
                                "row of"),
    ("5,a\n4,b\n,b\n", "first row holds numbers where"),
    ("# x,z\n5,7\n4,2\n", "(the line above it begins with #: take the # away if it names the columns), expected a "
                          "header row that names the columns; say --no-header"),
    ("#x,y\na,1\nb,2\n", "no column 'y' (a header row is needed.*(the line above it begins with #"),
    ("Sales of 2024\n\na;y\n1;2\n", "no column 'y' (line 3 has more cells: if the first one is a title, remove it"),
    ("y\n1\n1,2\n",
     "line 3: 2 cells, expected 1, as the first row has; if that is a title, remove it or let it begin with # (cells"),
    ("a b\n1 2\n", "no column 'y' (no separator was found; --separator says one)"),
    ("a,y\n1,2,3\n", "line 2: 3 cells, expected 2, as the first row has; correct the line (cells are separated by "
                     "commas; "
                     "--separator"),
])
def test_what_is_wrong_with_the_header(tmp_path, text, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        tables.load_csv(write(tmp_path, text), "y")


@pytest.mark.parametrize("header", ["0,1,y", "1,2,3", "2019,2020,2021", "a,2020,y", "5,7,y"])
def test_numbers_that_are_names(tmp_path, header):
    target = header.split(",")[-1]
    table = tables.load_csv(write(tmp_path, header + "\n1,2,3.5\n2,3,4.5\n"), target)
    assert table.y.tolist() == [3.5, 4.5] and list(table.features) == header.split(",")[:-1]
    with_header = csv_file.Format(header=True)
    assert tables.load_csv(write(tmp_path, "5,7\n1,2\n2,5\n"), "7", format=with_header).y.tolist() == [2, 5]


@pytest.mark.parametrize("options", [
    {"separator": "ab"}, {"separator": ""}, {"separator": '"'}, {"separator": "\n"}, {"separator": "7"},
    {"separator": "."}, {"separator": 7}, {"separator": ["."]}, {"separator": {}}, {"separator": b";"},
    {"decimal": ["."]}, {"thousands": np.array([",", "."])}, {"encoding": ["utf-8"]}, {"decimal": ";"},
    {"decimal": 7}, {"thousands": "x"},
    {"decimal": ".", "thousands": "."}, {"encoding": "klingon"}])
def test_what_cannot_be_said_of_a_file(options):
    with pytest.raises(ValueError, match="|".join(options)):
        csv_file.Format(**options)


@pytest.mark.parametrize("header", ["no", 0, 1, "", [False]])
def test_a_header_is_there_or_not(header):
    with pytest.raises(TypeError, match=r"header is .*, expected True or False; pass one of the two"):
        csv_file.Format(header=header)
    assert csv_file.Format(header=np.bool_(False)).header is False


@pytest.mark.parametrize("format", [{}, {"decimal": ","}, ";", False, csv_file.Format])
def test_a_format_is_one(tmp_path, format):
    path = write(tmp_path, "a,y\n1,2\n3,4\n")
    for call in (lambda: tables.load_csv(path, "y", format=format), lambda: tables.load_points(path, format),
                 lambda: tables.load_features(path, ["a"], format=format),
                 lambda: model_tables.read(path, {}, 2, format), lambda: csv_file.Sheet(path, format)):
        with pytest.raises(TypeError, match=r"format is .*, expected a Format; pass one, such as datasets.Format"):
            call()


@pytest.mark.parametrize(("text", "rows"), [
    ('a   "New  York" b\n', ["a", "New  York", "b"]), ('  "x"   "say ""a  b""  c"\n', ["x", 'say "a  b"  c']),
    ('"a  b\n  c  d"   e   f\n', ["a  b\n  c  d", "e", "f"]), ('a  ""  b\n', ["a", "", "b"]),
    ('"p\nq  ""\n  r""  s"  t\n', ['p\nq  "\n  r"  s', "t"]), ('5"  6"   x\n', ['5"', '6"', "x"]),
])
def test_spaces_between_cells_are_one_and_those_in_quotes_stay(tmp_path, text, rows):
    path = write(tmp_path, text + "1  2   3\n")
    assert [row for _, row in csv_file.Rows(path, csv_file.Format(separator="space"))] == [rows, ["1", "2", "3"]]


def test_a_row_is_named_by_the_line_it_begins_in(tmp_path):
    with pytest.raises(ValueError, match="line 2, column 'a': missing value"):
        tables.load_csv(write(tmp_path, 'a,note,y\n,"two\nlines",1\n2,"x",2\n4,"x",2\n'), "y", words=["note"])
    with pytest.raises(ValueError, match="line 4: 3 cells, expected 2, as the first row has"):
        tables.load_csv(write(tmp_path, 'a,y\n"1\n",2\n"3\n\n",4,5\n'), "y")
    blank = list(csv_file.Rows(write(tmp_path, 'a,y\n" \n ",\n1,2\n')))
    assert blank[1:] == [(2, [" \n ", ""]), (4, ["1", "2"])]


@pytest.mark.parametrize("names", ["1,5;2,5", "1.5;2.5", "1.234,5;7"])
def test_a_first_row_of_numbers_is_seen_in_any_notation(tmp_path, names):
    """Two rows are too few to tell by the numbers below: the row is one of names until a name is looked for."""
    path, form = write(tmp_path, names + "\nx;y\n"), csv_file.Format(separator=";")
    with pytest.raises(ValueError, match=r"no column 'y'.*\(a header row is needed: the first row holds numbers; say "
                                         "--no-h"):
        tables.load_csv(path, "y", format=form)
    with pytest.raises(ValueError, match=r"the first row holds numbers, expected a header row .*; add one, or say "
                                         r"--no-header"):
        tables.load_features(path, None, 2, form)
    with pytest.raises(ValueError, match=r"no column 'a'.* \(its first row holds numbers: a header row is needed"):
        tables.load_features(path, ["a", "b"], format=form)


def test_separators_by_name():
    for name, mark in csv_file.SEPARATORS.items():
        assert csv_file.Format(separator=name).separator == csv_file.Format(separator=mark).separator == mark
    assert csv_file.Format(separator="\\t").separator == "\t" and csv_file.Format(separator=":").separator == ":"
    assert [csv_file.Format(thousands=each).mark for each in (None, ",", ".", "space", "'", "none")] == [
        None, ",", ".", "", "", ""]


@pytest.mark.parametrize(("text", "rows"), [
    ("a,y\n1,2\n,\n3,4\n", [["1", "2"], ["", ""], ["3", "4"]]),          # in the middle it is a row of missing values
    ("a,y\n1,2\n,\n , \n\n", [["1", "2"]]),
    ("a,y\n#1,2\n3,4\n", [["#1", "2"], ["3", "4"]]),                      # as long as a row: it may be one
    ("a,y\n# a, b, c\n3,4\n", [["3", "4"]]),
])
def test_what_is_no_row(tmp_path, text, rows):
    assert [row for _, row in csv_file.Rows(write(tmp_path, text))][1:] == rows


@pytest.mark.parametrize(("text", "message"), [
    ('a,y\n1,2\n"3,4\n5,6\n', "the row that begins in line 3: unexpected end of data .a quote that is not closed"),
    ('a,y\n1,2\n3,"4"5\n', "the row that begins in line 3: .*expected after"),
    ("a,y\n1,2\n" + "x" * 200_000 + ",2\n", "the row that begins in line 3: field larger than field limit"),
])
def test_rows_that_cannot_be_read(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        tables.load_csv(write(tmp_path, text), "y")
