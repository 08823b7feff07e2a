"""The schema of what a model's file says of its table: whatever is not as `fastbp train` writes it is refused."""

import copy
import json

import pytest

import fastbp as fb
from fastbp._files import schema
from fastbp.datasets import table_schema, tables

N = 40
TEXT = "area,town,new,sold,cost,y\n" + "".join(
    f"{i},{'ABC'[i % 3]},{'yes' if i % 2 else 'no'},1.{i % 12 + 1}.2024,${i},{i * 1.5}\n" for i in range(N))


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "t.csv"
    path.write_text(TEXT)
    return tables.load_csv(path, "y", missing="median", dates=["sold"], units=["cost"]).split().data_spec


def test_what_train_writes_is_of_the_schema_and_comes_back(spec, tmp_path):
    net = fb.mlp(7, 1)
    net.data_spec = spec
    net.save(tmp_path / "m")
    assert fb.load(tmp_path / "m").data_spec == spec == json.loads(json.dumps(spec))
    assert spec["table"]["version"] == table_schema.TABLE_VERSION == 1
    assert [column["kind"] for column in spec["table"]["columns"]] == ["number", "words", "flag", "date", "number"]


def at(*path, value):
    def change(spec):
        place = spec
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
    return change


COLUMNS = ("table", "columns")
BAD = [
    (at("table", value=None), "data_spec.table is null, expected a dict with version, header"),
    (at("table", "version", value=2), "data_spec.table.version is a number, expected 1, which this version of fastbp "
                                      "reads"),
    (at("table", "version", value=True), "version is true or false"),
    (at("table", "more", value=1), "has 1 unknown key"),
    (lambda spec: spec["table"].pop("version"), "version is null"),
    (lambda spec: spec["table"].pop("width"), "no key 'width'"),
    (at("table", "header", value=1), "header is a number, expected true or false"),
    (at("table", "header", value=False), "a name that is no number of a column, expected 1 to 6, as there is no "
                                         "header row"),
    (at("table", "width", value=0), "width is a number, expected a whole number from 1"),
    (at("table", "decimal", value="x"), "decimal is text that is no name"),
    (at("table", "decimal", value=""), "empty text"),
    (at("table", "thousands", value="x"), "thousands is text"), (at("table", "thousands", value="."), "are one mark"),
    (at("table", "target_unit", value=["", ""]), "target_unit is a list of 2, expected None or the texts before and "
                                                 "after"),
    (at("table", "target_unit", value=["$"]), "target_unit is a list of 1"),
    (at("table", "target_unit", value="$"), "is text"),
    (at(*COLUMNS, value=[]), "columns is a list of 0"), (at(*COLUMNS, value={}), "columns is an object"),
    (at(*COLUMNS, 0, value=7), r"columns\[0\] is a number, expected an object of kind 'number', 'flag', 'words', "
                                "'date'"),
    (at(*COLUMNS, 0, "kind", value="image"), r"columns\[0\] is an object"),
    (at(*COLUMNS, 0, "kind", value=[]), "an object"),
    (at(*COLUMNS, 0, "words", value=[]), r"columns\[0\] has 1 unknown key, expected exactly name, kind, fill, unit"),
    (at(*COLUMNS, 0, "name", value=""), r"columns\[0\].name is empty text"),
    (at(*COLUMNS, 0, "name", value=1), "is a number"),
    (at(*COLUMNS, 0, "name", value="new"), "columns repeats a name"),
    (at(*COLUMNS, 0, "fill", value="1"), "fill is text"),
    (at(*COLUMNS, 0, "fill", value=10**400), "fill is a number, expected a finite"),
    (at(*COLUMNS, 0, "unit", value=[1, 2]), r"columns\[0\].unit is a list of 2"),
    (at(*COLUMNS, 0, "name", value="other"), "features are other names, expected those of the inputs that "
                                             "data_spec.table.columns "
                                             "make"),
    (at(*COLUMNS, 1, "words", value=[]), "words is a list of 0"),
    (at(*COLUMNS, 1, "words", value="ABC"), "words is text"),
    (at(*COLUMNS, 1, "words", 0, value=1), r"words\[0\] is a number"),
    (at(*COLUMNS, 1, "words", 0, value="B"), "repeats a word"),
    (at(*COLUMNS, 1, "words", value=["A", "B"]), "columns make 6 inputs, expected 7, as the model has"),
    (at(*COLUMNS, 2, "words", value=["no", "maybe"]), "words is a list of 2, expected one of the pairs"),
    (at(*COLUMNS, 2, "words", value=7), "words is a number"),
    (at(*COLUMNS, 3, "order", value="ymd"), "order is text that is"),
    (at("features", value=None), "features are other names, expected"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_is_not_of_the_schema(spec, change, message):
    spec = copy.deepcopy(spec)
    change(spec)
    with pytest.raises(ValueError, match=message):
        schema.Schema().data_spec(spec, 7, 1)


def test_no_message_shows_a_secret(spec):
    for path in (("version",), ("header",), ("decimal",), ("target_unit",), ("columns",), ("columns", 0, "kind"),
                 ("columns", 0, "fill"), ("columns", 0, "unit"), ("columns", 2, "words"), ("columns", 3, "order")):
        wrong = copy.deepcopy(spec)
        at("table", *path, value="hunter2")(wrong)
        with pytest.raises(ValueError) as error:
            schema.Schema().data_spec(wrong, 7, 1)
        assert "hunter2" not in str(error.value)
