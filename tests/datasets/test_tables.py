"""fastbp/datasets/tables.py: a CSV file as arrays to train with, and one of features alone."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastbp.datasets import load_csv, load_features, tables


def write(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


FLOWERS = "length,width,species\n" + "".join(f"{i},{i * 2 + 1},{'ab'[i % 2]}\n" for i in range(10))


def test_csv_of_text_is_classification(tmp_path):
    table = load_csv(write(tmp_path, FLOWERS), "species")
    assert table.task == "classification" and table.classes == ("a", "b") and table.features == ("length", "width")
    assert table.X.dtype == np.float64 and table.X[3].tolist() == [3, 7] and table.y.tolist() == [0, 1] * 5
    assert table.reason == "column 'species' holds text, 2 different values" and table.name == "table"


@pytest.mark.parametrize("values, task, classes", [
    ([0, 1] * 5, "classification", (0, 1)),
    ([2, 10, 2, 10], "classification", (2, 10)),                           # in the order of numbers, not of text
    ([3.0, 1.0, 3.0, 1.0], "classification", (1, 3)),
    (list(range(10)), "regression", None),                                 # whole, but none repeats
    (list(range(21)) * 5, "regression", None),                             # whole, but many
    ([0.5, 1.5] * 5, "regression", None),
])
def test_csv_task_is_told_from_numbers(tmp_path, values, task, classes):
    table = load_csv(write(tmp_path, "x,y\n" + "".join(f"{i},{v}\n" for i, v in enumerate(values))), "y")
    assert table.task == task and table.classes == classes
    assert table.y.dtype == (np.int64 if classes else np.float64)
    assert [classes[k] for k in table.y] == values if classes else table.y.tolist() == values


def test_csv_task_may_be_said(tmp_path):
    path = write(tmp_path, "x,y\n" + "".join(f"{i},{i % 3}\n" for i in range(9)))
    table = load_csv(path, "y", "regression")
    assert table.task == "regression" and table.y.tolist() == [0, 1, 2] * 3 and "was asked for" in table.reason
    with pytest.raises(ValueError, match="task is 'guess'"):
        load_csv(path, "y", "guess")
    with pytest.raises(ValueError, match="line 2, column 'species': 'a' is not a finite number"):
        load_csv(write(tmp_path, FLOWERS), "species", "regression")


@pytest.mark.parametrize("text", ["\ufeff" + FLOWERS, FLOWERS.replace(",", ";"), FLOWERS.replace(",", "\t"),
                                  FLOWERS.replace("\n", "\r\n"), FLOWERS.replace(",", " , ") + "\n\n",
                                  FLOWERS.replace("length", '"length"').replace("\n3,", '\n"3",')],
                         ids=["mark", "semicolons", "tabs", "windows", "spaces", "quotes"])
def test_csv_dialects(tmp_path, text):
    table = load_csv(write(tmp_path, text), "species")
    assert table.features == ("length", "width") and table.X[3].tolist() == [3, 7] and table.classes == ("a", "b")


def test_csv_target_anywhere(tmp_path):
    table = load_csv(write(tmp_path, "a,t,b\n" + "1,5.5,2\n3,6.5,4\n"), "t")
    assert table.X.tolist() == [[1, 2], [3, 4]] and table.y.tolist() == [5.5, 6.5]


@pytest.mark.parametrize("text, message", [
    ("", "the file is empty"),
    ("\n\n", "the file is empty"),
    ("# a,b\n\n#1,2\n", r"every line in which there is something begins with #, so all are comments \(take "),
    ("a,b,t\n", "a header row but no rows below it"),
    ("t\n1\n", "the only column is 't'"),
    ("a,b\n1,2\n", "no column 't', expected one of: a, b"),
    ("a,T\n1,2\n", "no column 't'"),
    ("1,2\n3,4\n", r"no column 't' \(a header row is needed"),
    ("a,a,t\n1,2,3\n", "two columns are named 'a'"),
    ("a,,t\n1,2,3\n", "column 2 has no name"),
    ("a,b,t\n1,2,3\n4,5\n", "line 3: 2 cells, expected 3, as the first row has"),
    ("a,b,t\n1,2,3\n\n4,5,6,7\n", "line 4: 4 cells"),
    ("a,b,t\n1,2,3\n4,,6\n", r"line 3, column 'b': missing value \(''\)"),
    ("a,b,t\n1,NA,3\n1,2,3\n", r"line 2, column 'b': missing value \('NA'\)"),
    ("a,b,t\nnan,1,3\n1,2,3\n", "line 2, column 'a': missing value"),
    ("a,b,t\nnan,1,3\n,2,3\n", "column 'a' has no value in any row, expected some; leave it out with --ignore a"),
    ("a,b,t\n1,inf,3\n", "line 2, column 'b': 'inf' is not finite"),
    ("a,b,t\n1,red,3\n1,2,3\n1,2,3\n", "line 2, column 'b': 'red' is not a number"),
    ("a,b,t\n1,1_000,3\n1,2,3\n1,2,3\n", "line 2, column 'b': '1_000' is not a number"),
    ("a,b,t\n1,2,3\n1,2,\n", "line 3, column 't': the target is missing"),
    ("a,b,t\n1,2,nan\n", "line 2, column 't': the target is missing"),
    ("a,b,t\n1,2,7\n1,3,7\n", "column 't' holds one value only"),
    ("a,b,t\n1,2,x\n1,3,y\n1,3,z\n", "3 classes in 3 rows"),
    (b"a,b,t\n1,\xff,3\n", "not a text file in UTF-8"),
    ("a,b,t\n1,\"2,3\n", "not a readable CSV file"),
], ids=lambda value: value if isinstance(value, str) and "\n" not in value else "table")
def test_csv_refusals_name_the_place(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ValueError, match=message) as error:
        load_csv(path, "t")
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60) | st.text(alphabet='at,;\n\r"1.5e-xn_\0 ', max_size=60).map(str.encode))
def test_csv_of_any_bytes_is_read_or_refused(tmp_path, data):
    path = write(tmp_path, b"a,t\n1,2\n" + data)
    try:
        table = load_csv(path, "t")
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert np.isfinite(table.X).all() and len(table.X) == len(table.y) and np.isfinite(table.y).all()


def test_csv_suggests_the_nearest_column(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'species'"):
        load_csv(write(tmp_path, FLOWERS), "specie")
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_csv(tmp_path / "nowhere.csv", "species")


def test_table_split_standardises_by_the_training_part(tmp_path, rng):
    rows = np.c_[rng.normal(5, 3, (50, 2)), np.full(50, 0.1), rng.integers(0, 3, 50)]
    text = "a,b,constant,t\n" + "".join(",".join(map(str, row)) + "\n" for row in rows.tolist())
    table = load_csv(write(tmp_path, text), "t")
    data = table.split()
    assert len(data.X_train) + len(data.X_test) == 50 and 9 <= len(data.X_test) <= 11
    assert np.abs(data.X_train.mean(0)).max() < 1e-12
    assert np.allclose(data.X_train.std(0), [1, 1, 0])
    spec = data.data_spec
    assert np.allclose(data.X_test * spec["scale"] + spec["mean"], table.X[tables.split_rows(table.y, 0.2, 0)[1]])
    assert spec["scale"][2] == 1 and spec["features"] == ["a", "b", "constant"] and spec["target"] == "t"
    assert spec["classes"] == [0, 1, 2]


def test_table_too_small_to_split(tmp_path):
    table = load_csv(write(tmp_path, "a,t\n1,0.5\n2,1.5\n"), "t")
    with pytest.raises(ValueError, match=r"test_size is 0.2 of 2 rows, of which 0 .* and 2 left .*give more rows"):
        table.split()
    with pytest.raises(ValueError, match=r"test_size is 1\.5"):
        table.split(1.5)


def test_features_are_found_by_name(tmp_path):
    path = write(tmp_path, "id,b,a\nx,2,1\ny,4,3\n")
    assert load_features(path, ["a", "b"]).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match=r"no column 'bb', expected a, bb, .*; did you mean 'b'"):
        load_features(path, ["a", "bb"])


def test_features_without_names_need_the_right_number(tmp_path):
    assert load_features(write(tmp_path, "p,q\n1,2\n"), None, 2).tolist() == [[1, 2]]
    assert load_features(write(tmp_path, "0,1\n1,2\n"), None, 2).tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="2 columns, expected 3 of numbers"):
        load_features(write(tmp_path, "p,q\n1,2\n"), None, 3)
    with pytest.raises(ValueError, match="the first row holds numbers"):
        load_features(write(tmp_path, "5,6\n1,2\n"), None, 2)
