"""The closed schema of what a model's file says of the table that it was trained on: how columns become inputs."""

from __future__ import annotations

from typing import Any

from fastbp._files.schema import Values
from fastbp.datasets import column_types

TABLE_VERSION = 1
_TABLE = ("version", "header", "width", "decimal", "thousands", "target_unit", "columns")


class TableSchema(Values):
    """The checks; each raises ValueError at the first thing that is not as `fastbp train` writes it."""

    def table(self, table: Any, inputs: int, features: Any) -> None:
        """How columns of a table become the inputs: a dict of exactly

        version: 1. header: whether the first row named the columns; else they are called "1", "2" ... width: how many
        columns the file had. decimal, thousands: its marks, "." or "," or, of thousands, "". target_unit: None, or the
        two texts around each number of the target. columns: a list of dicts with name, kind, fill (None or what a
        missing value becomes) and the kind's settings (fastbp/datasets/column_types.py), of `inputs` inputs in all,
        whose names are the `features`.
        """
        where = "data_spec.table"
        if not isinstance(table, dict):
            raise self.wrong(where, table, f"a dict with {', '.join(_TABLE)}")
        version = table.get("version")
        if version != TABLE_VERSION or isinstance(version, bool):
            raise self.wrong(f"{where}.version", version, f"{TABLE_VERSION}, which this version of fastbp reads")
        self.keys(table, _TABLE, where)
        if not isinstance(table["header"], bool):
            raise self.wrong(f"{where}.header", table["header"], "true or false")
        self.whole(table["width"], f"{where}.width", 1, 2**31)
        self.name(table["decimal"], f"{where}.decimal", (".", ","))
        if table["thousands"] != "":
            self.name(table["thousands"], f"{where}.thousands", (".", ","))
        if table["decimal"] == table["thousands"]:
            raise self.refusal(f"{where}.decimal and {where}.thousands are one mark", "different ones")
        self._unit(table["target_unit"], f"{where}.target_unit")
        columns = table["columns"]
        if not isinstance(columns, list) or not columns:
            raise self.wrong(f"{where}.columns", columns, "a list of columns")
        for i, column in enumerate(columns):
            self._column(column, f"{where}.columns[{i}]")
        if len({column["name"] for column in columns}) != len(columns):
            raise self.refusal(f"{where}.columns repeats a name", "different ones")
        if not table["header"] and not all(
                len(column["name"]) < 12 and column["name"].isdecimal() and 1 <= int(column["name"]) <= table["width"]
                for column in columns):
            raise self.refusal(f"{where}.columns has a name that is no number of a column",
                           f"1 to {table['width']}, as there is no header row")
        kinds = [column_types.from_spec(column) for column in columns]
        if sum(kind.width for kind in kinds) != inputs:
            raise self.refusal(f"{where}.columns make {sum(kind.width for kind in kinds)} inputs",
                           f"{inputs}, as the model has")
        if features != column_types.names(kinds):
            raise self.refusal("data_spec.features are other names", f"those of the inputs that {where}.columns make")

    def _column(self, column: Any, where: str) -> None:
        sort = column.get("kind") if isinstance(column, dict) else None
        if not isinstance(sort, str) or sort not in column_types.KINDS:
            raise self.wrong(where, column, f"an object of kind {', '.join(map(repr, column_types.KINDS))}")
        self.keys(column, ("name", "kind", "fill", *column_types.KINDS[sort].keys), where)
        self.text(column["name"], f"{where}.name")
        if column["fill"] is not None:
            self.number(column["fill"], f"{where}.fill")
        if sort == "number":
            self._unit(column["unit"], f"{where}.unit")
        elif sort == "flag":
            if column["words"] not in [list(pair) for pair in column_types.PAIRS]:
                raise self.wrong(f"{where}.words", column["words"], "one of the pairs that are 0 and 1")
        elif sort == "words":
            words = column["words"]
            if not isinstance(words, list) or not words:
                raise self.wrong(f"{where}.words", words, "a list of words")
            for i, word in enumerate(words):
                self.text(word, f"{where}.words[{i}]")
            if len(set(words)) != len(words):
                raise self.refusal(f"{where}.words repeats a word", "different ones")
        elif column["order"] is not None:
            self.name(column["order"], f"{where}.order", ("dmy", "mdy"))

    def _unit(self, unit: Any, where: str) -> None:
        if unit is None:
            return
        self.listed(unit, where, 2)
        if not all(isinstance(part, str) for part in unit) or not any(unit):
            raise self.wrong(where, unit, "None or the texts before and after a number")
