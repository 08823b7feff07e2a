"""The text of a CSV file: encodings, and what is said where bytes are no text."""

import gzip
import io
import os
import threading

import pytest

from fastbp.datasets import csv_text, load_csv, load_features, model_tables

TEXT = "größe,y\r\n1,2\r3,4\n"
LINES = ["größe,y\r\n", "1,2\r", "3,4\n"]


def write(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    return csv_text.Source(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marks_tell_the_encoding(tmp_path, encoding):
    assert list(csv_text.lines(write(tmp_path, TEXT.encode(encoding)))) == LINES


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_marks_of_both_orders(tmp_path, mark):
    assert list(csv_text.lines(write(tmp_path, ("\ufeff" + TEXT).encode(mark)))) == LINES


@pytest.mark.parametrize(("said", "written"), [("cp1252", "cp1252"), ("latin-1", "latin-1"), ("utf-8", "utf-8-sig"),
                                               ("utf-16-be", "utf-16-be"), ("UTF8", "utf-8"), ("cp850", "cp850")])
def test_an_encoding_may_be_said(tmp_path, said, written):
    assert list(csv_text.lines(write(tmp_path, TEXT.encode(written)), csv_text.check_encoding(said))) == LINES


@pytest.mark.parametrize("name", ["utf-9", "rot13", "base64", "", "a\0b", "x" * 200, None])
def test_encodings_that_there_are_not(name):
    with pytest.raises(ValueError, match="is not known, expected one such as utf-8, utf-16, cp1252 or latin-1"):
        csv_text.check_encoding(name)


@pytest.mark.parametrize(("data", "message"), [
    ("a\nb\ngröße\n".encode("cp1252"), r"not a text file in UTF-8 \(byte 6 cannot be read in line 3\), expected a CSV "
                                        "file; "
                                      r"save it as CSV in UTF-8, or say --encoding cp1252 if 'größe' is what should"),
    (b"a\n\x81\n", r"say --encoding latin-1 if|save it as CSV in UTF-8$"),
    (TEXT.encode("utf-16-le"), r"many bytes are zero; it seems to be text in UTF-16 without a mark\), expected a CSV "
                               r"file; say --encoding utf-16-le"),
    (TEXT.encode("utf-16-be"), r"say --encoding utf-16-be$"),
    (b"a,b\n1,\0\n", r"not a text file \(byte 6 is zero\)"),
    (bytes(100), r"not a text file \(byte 0 is zero; it seems to be a file of zeros\)"),
    (gzip.compress(b"a,b\n" * 100, mtime=0), r"it seems to be a gzip file"),
    ("x".encode("utf-16") + b"\0", r"text in UTF-16 by its first bytes, and damaged or cut off: .*\(truncated data\), "
                                   r"expected a whole CSV file; save it"),
])
def test_what_is_no_text_is_named(tmp_path, data, message):
    path = write(tmp_path, data)
    with pytest.raises(ValueError, match=message) as error:
        list(csv_text.lines(path))
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_an_encoding_that_was_said_and_is_not_the_files(tmp_path):
    with pytest.raises(ValueError, match=r"t.csv: not a text file in ascii \(.*\), expected one, as --encoding says; "
                                         r"choose another "
                                          "one"):
        list(csv_text.lines(write(tmp_path, TEXT.encode()), "ascii"))


def test_a_line_far_behind_is_found(tmp_path):
    data = b"1,2\n" * 50_000 + b"\xe4,2\n"
    with pytest.raises(ValueError, match="byte 200000 cannot be read in line 50001"):
        list(csv_text.lines(write(tmp_path, data)))


def test_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(TEXT.encode("utf-16")))
    writer.start()
    assert list(csv_text.lines(csv_text.Source(tmp_path / "pipe"))) == LINES
    writer.join()


TABLE = "größe,y\n" + "".join(f"{i},{i * 1.5}\n" for i in range(20))


def test_a_table_may_be_read_from_an_open_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE, encoding="utf-8")
    expected = load_csv(path, "y")
    spec = expected.split().data_spec
    for form in (str, os.fsencode):
        assert load_csv(form(path), "y").name == "t"
    with path.open("rb") as opened, gzip.open(io.BytesIO(gzip.compress(TABLE.encode()))) as zipped:
        for file in (opened, zipped, io.BytesIO(TABLE.encode("utf-16"))):
            table = load_csv(file, "y")
            assert (table.X == expected.X).all() and (table.y == expected.y).all() and table.name == "table"
            assert not file.closed
            file.seek(0)
            assert (load_features(file, ["größe"]) == expected.X).all()
            file.seek(0)
            assert (model_tables.read(file, spec, 1).X == expected.X).all()


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: None, TypeError, r"path is None, expected the path of a file; pass a str or .*, or an open binary file"),
    (lambda: 3, TypeError, r"path is 3 \(int\), expected the path"), (lambda: "", ValueError, "path is '', expected"),
    (lambda: io.StringIO(TABLE), TypeError, r"path is <_io.StringIO .*, which is a file of text, expected a bin"),
    (lambda: io.BytesIO(b"a,b\n1,2\n"), ValueError, r"^path <_io.BytesIO .*>.*: no column 'y'"),
    (lambda: io.BytesIO(b"y\n1\n"), ValueError, r"^path <_io.BytesIO .*: the only column is 'y'"),
    (lambda: io.BytesIO(b"a,y\n\xe4,1\n"), ValueError, r"^path <_io.BytesIO .*byte 4 cannot be read in line 2"),
    (lambda: io.BytesIO(gzip.compress(b"a,b\n" * 100, mtime=0)), ValueError, "it seems to be a gzip file"),
])
def test_what_is_no_file_of_a_table(make, error, message):
    with pytest.raises(error, match=message):
        load_csv(make(), "y")
