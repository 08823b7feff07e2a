"""Tables read for a model: its columns by name, in the way its file says."""

import json

import numpy as np
import pytest

from fastbp.datasets import csv_file, model_tables, tables
from fastbp.datasets.csv_file import Format

N = 40
TRAINING = "area,town,new,y\n" + "".join(f"{i},{'ABC'[i % 3]},{'yes' if i % 2 else 'no'},{i * 1.5}\n" for i in range(N))


@pytest.fixture
def write(tmp_path):
    def write(text, name="t.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path
    return write


@pytest.fixture
def trained(write):
    """The data_spec of a model trained on a text, as its file holds it, and its number of inputs."""
    def trained(text=TRAINING, target="y", **options):
        data = tables.load_csv(write(text, "training.csv"), target, **options).split()
        return json.loads(json.dumps(data.data_spec)), data.X_train.shape[1]
    return trained


def test_the_training_file_itself_is_read_alike(trained, write):
    spec, inputs = trained()
    found = model_tables.read(write(TRAINING), spec, inputs, target=True)
    table = tables.load_csv(write(TRAINING), "y")
    assert np.array_equal(found.X, table.X) and np.array_equal(found.y, table.y) and found.told == []
    assert spec["features"] == ["area", "town=A", "town=B", "town=C", "new"] and inputs == 5


def test_columns_are_found_by_name_in_any_order(trained, write):
    spec, inputs = trained()
    path = write("note;new;id;town;area\nx y;YES;1;B;1,5\n;no;2;A;2\n")
    found = model_tables.read(path, spec, inputs)
    assert found.X.tolist() == [[1.5, 0, 1, 0, 1], [2, 1, 0, 0, 0]]
    assert found.told == [f"{path}: 2 columns that the model does not know are ignored: note, id"]
    found = model_tables.read(write(TRAINING.replace(",y\n", ",y,\n")), spec, inputs)    # the target is none
    assert found.told == []


@pytest.mark.parametrize(("text", "message"), [
    ("area,town\n1,A\n", "t.csv: no column 'new', expected area, town, new, on which the model was trained; add"),
    ("area,towns,news\n1,A,no\n", r"no column 'town' \(2 are missing\), expected .*; did you mean 'towns'\?"),
    ("area,town,new\n1,A,no\n2,D,no\n", "line 3, column 'town': 'D' is a word that the model was not trained on, "
                                        "expected one of: A, B, C; correct"),
    ("area,town,new\n1,A,maybe\n", "line 2, column 'new': 'maybe' is neither 'no' nor 'yes'"),
    ("area,town,new\nx,A,no\n", "line 2, column 'area': 'x' is not a number"),
    ("area,town,new\n1,A,no\n,A,no\n", r"line 3, column 'area': missing value \(''\), the only one in 1 of 2 rows, "
                                       r"expected none; fill it in or remove the row \(a model trained with --missing "
                                       r"median fills"),
    ("1,A,no\n2,B,no\n", r"no column 'area'"), ("1,2,3\n4,5,6\n", "its first row holds numbers: a header row is "
                                                                  "needed"),
    ("area,area,town,new\n1,1,A,no\n", "two columns are named 'area'"), ("area,town,new\n", "no rows below it"),
])
def test_what_does_not_fit_is_named(trained, write, text, message):
    spec, inputs = trained()
    with pytest.raises(ValueError, match=message):
        model_tables.read(write(text), spec, inputs)


def test_words_that_are_not_known(trained, write):
    spec, inputs = trained()
    found = model_tables.read(write("area,town,new\n1,D,no\n2,a,no\n3,A,no\n"), spec, inputs, handle_unknown="zeros")
    assert found.X[:, 1:4].tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert "column 'town': 2 words that the model does not know taken as none of its own" in found.told[0]


@pytest.mark.parametrize(("given", "error"), [("zero", ValueError), (True, TypeError), (None, TypeError)])
def test_what_becomes_of_unknown_words_is_one_of_two(trained, write, given, error):
    spec, inputs = trained()
    with pytest.raises(error, match=r"handle_unknown is .*, expected .*one of: refuse, zeros; "):
        model_tables.read(write(TRAINING), spec, inputs, handle_unknown=given)


def test_missing_values_become_medians_of_the_training_rows(trained, write):
    text = TRAINING.replace("\n10,", "\n,").replace("\n20,B", "\n20,NA")       # (20 % 3 is 2, C: nothing is replaced)
    text = text.replace("\n21,A", "\n21,")
    table = tables.load_csv(write(text), "y", missing="median")
    assert np.isnan(table.X[10, 0]) and np.isnan(table.X[21, 1:4]).all() and np.isnan(table.X).sum() == 4
    data = table.split(seed=3)
    train = tables.split_rows(table.y, 0.2, 3, stratify=False)[0]
    median = np.nanmedian(table.X[train, 0])
    spec = json.loads(json.dumps(data.data_spec))
    assert [column["fill"] for column in spec["table"]["columns"]] == [median, 0.0, np.median(table.X[train, 4])]
    found = model_tables.read(write("area,town,new\nNA,,no\n1,A,\n"), spec, 5)
    assert found.X.tolist() == [[median, 0, 0, 0, 0], [1, 1, 0, 0, spec["table"]["columns"][2]["fill"]]]
    both = "3 missing values filled in: numbers by the median of the training rows, words by zeros"
    assert found.told[-1].endswith(f"t.csv: {both}")
    found = model_tables.read(write("area,town,new\n1,,no\n1,,no\n"), spec, 5)
    assert found.told[-1].endswith("t.csv: 2 missing values filled in: words by zeros")
    found = model_tables.read(write("area,town,new\n,A,no\n"), spec, 5)
    assert found.told[-1].endswith("1 missing value filled in: numbers by the median of the training rows")
    assert not np.isnan(data.X_train).any() and not np.isnan(data.X_test).any()


def test_a_median_needs_a_value_in_the_training_rows(write):
    rows = "".join(f"{i},{5 if i == 7 else ''},{i * 1.5}\n" for i in range(N))
    table = tables.load_csv(write("a,b,y\n" + rows), "y", missing="median")
    seed = next(seed for seed in range(100) if 7 in tables.split_rows(table.y, 0.2, seed, stratify=False)[1])
    with pytest.raises(ValueError, match=r"t: column 'b' has no value in any row to train on, expected some, for a "
                                         r"median; .*ignore b"):
        table.split(seed=seed)


def test_rows_without_a_target_are_left_out_where_medians_are_filled_in(write):
    rows = "".join(f"{'' if i == 3 else i},{'' if i == 5 else i * 1.5}\n" for i in range(N))
    table = tables.load_csv(write("a,y\n" + rows), "y", missing="median")
    assert table.dropped == 1 and np.isnan(table.X).sum() == 1 and len(table.y) == N - 1


HEADLESS = TRAINING.partition("\n")[2]


def test_files_without_a_header_row(trained, write):
    spec, inputs = trained(HEADLESS, "4", format=Format(header=False))
    assert spec["features"][0] == "1" and spec["table"]["header"] is False and spec["table"]["width"] == 4
    expected = model_tables.read(write(HEADLESS), spec, inputs, target=True)
    assert expected.y[1] == 1.5 and expected.told == []
    without = "".join(line.rpartition(",")[0] + "\n" for line in HEADLESS.splitlines())
    assert np.array_equal(model_tables.read(write(without), spec, inputs).X, expected.X)
    with pytest.raises(ValueError, match=r"2 columns without a header row, expected 4, as the model was trained on, "
                                         r"or 3 without the target \(column 4\)"):
        model_tables.read(write("1,2\n"), spec, inputs)
    with pytest.raises(ValueError, match="line 1, column '1': 'area' is not a number"):
        model_tables.read(write(TRAINING), spec, inputs)
    named = "2,1,3\nA,7,no\n"
    assert model_tables.read(write(named), spec, inputs, Format(header=True)).X.tolist() == [[7, 1, 0, 0, 0]]


WORDS = "".join(f"{'ABC'[i % 3]},{'xz'[i % 2]},{i * 1.5}\n" for i in range(N))


def test_a_header_row_is_no_row_of_unknown_words(trained, write):
    spec, inputs = trained(WORDS, "3", format=Format(header=False))
    for text, line, name in (("town,size\nA,x\n", 1, "town"), ("\n,size\nA,x\n", 2, "size"),
                             ("town,size,price\nA,x,1\n", 1, "town")):
        with pytest.raises(ValueError, match=rf"line {line}, column '\d': '{name}' is a word that the model was not "
                                             r"trained on, and so is every cell of the row \(is it a header row\?\), "
                                             r"expected none.*; remove the row, or say --no-header if it is a row of "
                                             r"data"):
            model_tables.read(write(text), spec, inputs, handle_unknown="zeros")
    path = write("D,w\nA,x\n")
    assert model_tables.read(path, spec, inputs, Format(header=False), handle_unknown="zeros").X.tolist() == [
        [0, 0, 0, 0, 0], [1, 0, 0, 1, 0]]
    assert model_tables.read(write("D,x\nE,w\n"), spec, inputs, handle_unknown="zeros").X.tolist() == [
        [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]


def test_a_target_in_front_moves_no_column(trained, write):
    text = "".join(f"{i * 1.5},{i},{i % 7}\n" for i in range(N))
    spec, inputs = trained(text, "1", format=Format(header=False))
    assert model_tables.read(write("5,6\n"), spec, inputs).X.tolist() == [[5, 6]]
    assert model_tables.read(write("0,5,6\n"), spec, inputs).X.tolist() == [[5, 6]]


def test_a_model_with_names_reads_files_without_by_place(trained, write):
    spec, inputs = trained()
    found = model_tables.read(write("7,B,yes\n"), spec, inputs, Format(header=False))
    assert found.X.tolist() == [[7, 0, 1, 0, 1]]
    with pytest.raises(ValueError, match=r"4 columns without a header row, expected the model's 3: area, town, new; "
                                         r"add"):
        model_tables.read(write("7,B,yes,1\n"), spec, inputs, Format(header=False))


def test_a_file_that_does_not_show_its_notation_is_read_as_the_training_file(trained, write):
    text = "a;y\n" + "".join(f"1.{i + 200},5;{i}\n" for i in range(N))
    spec, inputs = trained(text)
    assert (spec["table"]["decimal"], spec["table"]["thousands"]) == (",", ".")
    assert model_tables.read(write("a\n1.234\n"), spec, inputs).X.tolist() == [[1234]]
    assert model_tables.read(write("a\n0.5\n"), spec, inputs).X.tolist() == [[0.5]]
    assert model_tables.read(write("a\n1.234\n"), spec, inputs, Format(decimal=".")).X.tolist() == [[1.234]]
    spec, inputs = trained(text.replace("1.", ""))
    with pytest.raises(ValueError, match=r"'1.234' may have a decimal point or a separator of thousands"):
        model_tables.read(write("a\n1.234\n"), spec, inputs)


def test_labels_of_a_file(trained, write):
    text = "a,y\n" + "".join(f"{i},{'no' if i % 2 else 'yes'}\n" for i in range(N))
    spec, inputs = trained(text)
    found = model_tables.read(write("a,y\n1,no\n2,yes\n3,\n"), spec, inputs, target=True, drop=True)
    assert found.y.tolist() == [0, 1] and found.dropped == 1 and found.X.tolist() == [[1], [2]]
    with pytest.raises(ValueError, match=r"line 3, column 'y': 'maybe' is none of the classes that the model was "
                                         r"trained on, expected one of: no, yes; correct the cell, or remove the row"):
        model_tables.read(write("a,y\n1,no\n2,maybe\n"), spec, inputs, target=True)
    with pytest.raises(ValueError, match=r"line 4, column 'y': the target is missing \(''\), .* --missing drop"):
        model_tables.read(write("a,y\n1,no\n2,yes\n3,\n"), spec, inputs, target=True)
    with pytest.raises(ValueError, match=r"t\.csv: the only row has a missing value, expected one without to evaluate"):
        model_tables.read(write("a,y\n1,\n"), spec, inputs, target=True, drop=True)
    spec, inputs = trained(text.replace("no", "2").replace("yes", "10"))
    assert model_tables.read(write("a,y\n1,2.0\n2,010\n"), spec, inputs, target=True).y.tolist() == [0, 1]
    spec, inputs = trained(text.replace("no", "0.5").replace("yes", "0.250"), task="classification")
    assert spec["classes"] == ["0.25", "0.5"]
    assert model_tables.read(write("a;y\n1;0,50\n2;,25\n"), spec, inputs, target=True).y.tolist() == [1, 0]
    spec, inputs = trained(text.replace("no", "2").replace("yes", "10"))
    with pytest.raises(ValueError, match=r"'3' is none of the classes that the model was trained on, expected one of: "
                                         r"2, 10"):
        model_tables.read(write("a,y\n1,3\n"), spec, inputs, target=True)


@pytest.mark.parametrize(("classes", "file", "y"), [
    (("True", "False"), ("TRUE", "FALSE"), [1, 0]), (("Yes", "No"), ("yes", "NO"), [1, 0]),
    (("y", "n"), ("Y", "N"), [1, 0]), (("OFF", "ON"), ("off", "On"), [0, 1])])
def test_flags_are_classes_in_letters_of_any_case(trained, write, classes, file, y):
    spec, inputs = trained("a,y\n" + "".join(f"{i},{classes[i % 2]}\n" for i in range(N)))
    for pair in (file, classes):
        text = "a,y\n" + "".join(f"{i},{each}\n" for i, each in enumerate(pair))
        assert model_tables.read(write(text), spec, inputs, target=True).y.tolist() == y


@pytest.mark.parametrize(("classes", "cell", "hint"), [
    (("Rose", "Iris"), "rose", r"; did you mean 'Rose'\?"), (("True", "False", "?!"), "TRUE", "; .* 'True'."),
    (("True", "TRUE", "False"), "true", r"; did you mean 'T.*'\?"), (("1", "2"), "TRUE", ""),
    (("True", "False"), "yes", ""), (("True", "TRUE"), "true", r"; did you mean 'T.*'\?")])
def test_a_class_that_differs_by_case_is_named(trained, write, classes, cell, hint):
    spec, inputs = trained("a,y\n" + "".join(f"{i},{classes[i % len(classes)]}\n" for i in range(N)))
    with pytest.raises(ValueError, match=rf"'{cell}' is none of the classes .*, expected one of: .*{hint}; correct "
                                         r"the cell"):
        model_tables.read(write(f"a,y\n1,{cell}\n"), spec, inputs, target=True)


@pytest.mark.parametrize(("order", "cell", "words"), [
    ("dmy", "2/28/2024", "the month first, expected the day, .*dmy in training"),
    ("mdy", "28/2/2024", "the day first, expected the month, .*mdy in training")])
def test_a_date_in_the_other_order_is_told_so(trained, write, order, cell, words):
    text = "a,y\n" + "".join(f"{1 + i % 9}/{1 + i % 8}/2024,{i}.5\n" for i in range(N))
    spec, inputs = trained(text, dates=["a"], date_order=order)
    with pytest.raises(ValueError, match=rf"column 'a': '{cell}' has {words}"):
        model_tables.read(write(f"a\n{cell}\n"), spec, inputs)
    with pytest.raises(ValueError, match=f"'x' is not a date .*{'31.12.2024' if order == 'dmy' else '12/31/2024'} or"):
        model_tables.read(write("a\nx\n"), spec, inputs)


def test_an_address_is_a_number_where_the_training_file_said_so(trained, write):
    text = "a;y\n" + "".join(f"192.168.100.{100 + i};{i},5\n" for i in range(N))
    spec, inputs = trained(text, format=Format(thousands="."))
    assert model_tables.read(write("a\n192.168.100.7\n".replace("7", "107")), spec, 1).X.tolist() == [[192168100107]]
    spec, inputs = trained()
    with pytest.raises(ValueError, match=r"'192.168.100.100' may be an address"):
        model_tables.read(write("area,town,new\n192.168.100.100,A,no\n"), spec, inputs)


def test_quantities_of_a_file(trained, write):
    spec, inputs = trained("a,y\n" + "".join(f"{i},${i}.50\n" for i in range(N)), units=["y"])
    assert model_tables.read(write("a,y\n1,$7\n"), spec, inputs, target=True).y.tolist() == [7]
    with pytest.raises(ValueError, match=r"'7' is not a finite number|is not a number with a unit"):
        model_tables.read(write("a,y\n1,7\n"), spec, inputs, target=True)
    spec, inputs = trained("a,y\n" + "".join(f"{i},{i}.50\n" for i in range(N)))
    with pytest.raises(ValueError, match="line 3, column 'y': 'x' is not a finite number, expected one, as regression "
                                         "needs"):
        model_tables.read(write("a,y\n1,7\n2,x\n"), spec, inputs, target=True)


def test_models_that_know_names_alone(write):
    spec = {"features": ["a", "b"], "mean": None, "scale": None, "target": None, "classes": None, "image_shape": None}
    path = write("b,a,c\n1,2,x\n")
    assert model_tables.read(path, {**spec, "target": "y"}, 2).X.tolist() == [[2, 1]]
    assert model_tables.read(path, spec, 2).X.tolist() == [[2, 1]]
    assert model_tables.read(write("p,q\n1,2\n", "other.csv"), {}, 2).X.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="no column 'y'"):
        model_tables.read(path, {**spec, "target": "y"}, 2, target=True)
    with pytest.raises(ValueError, match="data_spec of the model has no features or no target, expected both"):
        model_tables.read(path, spec, 2, target=True)


def test_many_columns_of_a_model(write):
    names = [f"c{i}" for i in range(20_000)]
    spec = {"features": names, "mean": None, "scale": None, "target": "y", "classes": None, "image_shape": None}
    path = write(",".join(names[::-1]) + "\n" + "\n".join(",".join(map(str, range(20_000))) for _ in range(2)) + "\n")
    assert model_tables.read(path, spec, 20_000).X[0].tolist() == list(range(20_000))[::-1]
    assert csv_file.Sheet(path).width == 20_000
