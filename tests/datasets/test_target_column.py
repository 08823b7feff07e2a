"""The column to predict: a quantity or classes, what is missing in it, and what is wrong."""

import pytest

from fastbp.datasets.tables import load_csv

from .test_cells import MARKS

NUMBERS = [f"{i * 0.37:.2f}" for i in range(100)]


@pytest.fixture
def load(tmp_path):
    def load(column, *args, **named):
        path = tmp_path / "t.csv"
        rows = (f'{i},"{text}"\n' for i, text in enumerate(column))
        path.write_text("a,y\n" + "".join(rows), encoding="utf-8")
        return load_csv(path, "y", *args, **named)
    return load


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("column", [NUMBERS, ["0", "1", "2"] * 20], ids=["quantity", "classes"])
@pytest.mark.parametrize("task", [None, "regression", "classification"])
def test_a_missing_target_is_never_a_class(load, column, mark, task):
    if task == "classification" and column is NUMBERS:
        column = column[:4] * 10
    with pytest.raises(ValueError, match=rf"line {len(column) + 2}, column 'y': the target is missing \(.*\), the "
                                         rf"only one in {len(column) + 1} rows, expected none; fill it in, remove the "
                                         r"row, or .*drop"):
        load([*column, mark], task)
    table = load([*column, mark], task, missing="drop")
    assert len(table.y) == len(column) and table.dropped == 1 and table.task == load(column, task).task
    assert table.classes == load(column, task).classes


def test_missing_targets_are_counted(load):
    with pytest.raises(ValueError, match=r"line 3, column 'y': the target is missing \('NA'\), the first of 3 in 103"):
        load(["1.5", "NA", *NUMBERS[1:], "?", ""])
    with pytest.raises(ValueError, match="every one of the 3 rows has a missing value"):
        load(["", "", ""], missing="drop")
    with pytest.raises(ValueError, match="missing is 'ignore', expected one of: refuse, drop"):
        load(NUMBERS, missing="ignore")


@pytest.mark.parametrize(("word", "more"), [("12 kg", ""), ("abc", ""), ("inf", ""), ("1_000", "")])
def test_a_word_among_numbers_is_an_error(load, word, more):
    with pytest.raises(ValueError, match=rf"line 102, column 'y': '{word}' is not a finite number, expected one, as "):
        load([*NUMBERS, word])
    with pytest.raises(ValueError, match=rf"line 102, column 'y': '{word}' is not a finite number \(nor is 1 more\), "
                                         r"expected one"):
        load([*NUMBERS, word, word], "regression")
    with pytest.raises(ValueError, match=r"100 of the 102 cells are, so that the column is taken as a quantity; "
                                         r".*--task"):
        load([*NUMBERS, "abc", "def"])


def test_numbers_with_other_separators_are_no_classes(load):
    for column, first in ((["0,5", "1,5"], 0.5), (["1.234,5", "1.234,6"], 1234.5), (["1 200,5", "1 300"], 1200.5),
                          (["1,234.5", "1,234.6"], 1234.5), (["1'234.5", "7.5"], 1234.5)):
        table = load(column * 20)
        assert (table.task, table.y[0]) == ("regression", first)
    with pytest.raises(ValueError, match="line 2, column 'y': '1,234' may have a decimal comma or a separator of"):
        load(["1,234", "1,235"] * 20)
    with pytest.raises(ValueError, match=r"line 102, column 'y': '1,5' has a comma, and line 2, .*: '0.00' a point"):
        load([*NUMBERS, "1,5"])


def test_at_least_as_many_words_as_numbers_are_classes(load):
    assert load(["a", "1", "a", "1"]).classes == ("1", "a")
    assert load(["1", "2", "3", "4+"] * 5, "classification").classes == ("1", "2", "3", "4+")
    with pytest.raises(ValueError, match="15 of the 20 cells are"):
        load(["1", "2", "3", "4+"] * 5)


@pytest.mark.parametrize(("column", "classes", "y"), [
    (["0.5", "0.50", "1"], ("0.5", "1.0"), [0, 0, 1]), (["0,5", "0,50", "10,5", "2,5"], ("0.5", "2.5", "10.5"),
                                                        [0, 0, 2, 1]),
    (["-0.0", "0", "1e-1", ".10"], ("0.0", "0.1"), [0, 0, 1, 1]), (["1", "1.0", "01", "2"], (1, 2), [0, 0, 0, 1]),
])
def test_equal_numbers_are_one_class(load, column, classes, y):
    table = load(column * 10, "classification")
    assert table.classes == classes and table.y[:len(y)].tolist() == y
    assert f"holds {len(classes)} different " in table.reason


@pytest.mark.parametrize(("classes", "told"), [
    (("+", "-"), "'-' in 10 rows taken as a class; make such cells empty if they are missing values"),
    (("Mild", "None", "Severe"), "'None' in 10 rows taken as a class"),
    ((".", "x"), "'.' in 10 rows taken as a class"),
])
def test_a_mark_that_is_a_word_among_words_is_a_class_and_said_to_be(load, classes, told):
    table = load(list(classes) * 10)
    assert table.classes == tuple(sorted(classes)) and told in table.reason


@pytest.mark.parametrize("mark", ["NA", "?", "", "n/a", "NaN", "#N/A", "null"])
def test_among_words_too_these_are_missing(load, mark):
    with pytest.raises(ValueError, match=r"line 4, column 'y': the target is missing \(.*\), the first of 10 in 30"):
        load(["yes", "no", mark] * 10)
    table = load(["yes", "no", mark] * 10, missing="drop")
    assert table.classes == ("no", "yes") and table.dropped == 10 and len(table.X) == 20
    assert table.reason == "column 'y' holds text, 2 different values"


def test_a_class_that_looks_missing_may_be_named_otherwise(load):
    with pytest.raises(ValueError, match="or, where that is a class of its own, give it another name"):
        load(["NA", "EU"] * 10)


def test_rows_are_dropped_for_a_feature_or_the_target(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n1,?,2.5\n2,3,?\n,NA,?\n4,5,6.5\n7,8,9.5\n")
    table = load_csv(path, "y", missing="drop")
    assert (table.X.tolist(), table.y.tolist(), table.dropped) == ([[4, 5], [7, 8]], [6.5, 9.5], 3)
    path.write_text("a,b,y\n1,?,2.5\n2,x,2.5\n3,1,2\n4,1,2\n")
    with pytest.raises(ValueError, match="line 3, column 'b': 'x' is not a number"):
        load_csv(path, "y", missing="drop")


def test_addresses_are_classes_where_that_is_said(load):
    column = ["192.168.100.100", "192.168.100.101"] * 10
    with pytest.raises(ValueError, match=r"column 'y': '192.168.100.100' may be an address, .*--task classification"):
        load(column)
    assert load(column, "classification").classes == tuple(column[:2])
