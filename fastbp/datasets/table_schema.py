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
            raise ValueError(f"{where} is {self.show(table)}; expected a dict with {', '.join(_TABLE)}")
        version = table.get("version")
        if version != TABLE_VERSION or isinstance(version, bool):
            raise ValueError(f"{where}.version is {self.show(version)}; this version of fastbp reads {TABLE_VERSION}")
        self.keys(table, _TABLE, where)
        if not isinstance(table["header"], bool):
            raise ValueError(f"{where}.header is {self.show(table['header'])}; expected true or false")
        self.whole(table["width"], f"{where}.width", 1, 2**31)
        self.name(table["decimal"], f"{where}.decimal", (".", ","))
        if table["thousands"] != "":
            self.name(table["thousands"], f"{where}.thousands", (".", ","))
        if table["decimal"] == table["thousands"]:
            raise ValueError(f"{where}.decimal and {where}.thousands are one mark")
        self._unit(table["target_unit"], f"{where}.target_unit")
        columns = table["columns"]
        if not isinstance(columns, list) or not columns:
            raise ValueError(f"{where}.columns is {self.show(columns)}; expected a list of columns")
        for i, column in enumerate(columns):
            self._column(column, f"{where}.columns[{i}]")
        if len({column["name"] for column in columns}) != len(columns):
            raise ValueError(f"{where}.columns repeats a name")
        if not table["header"] and not all(
                len(column["name"]) < 12 and column["name"].isdecimal() and 1 <= int(column["name"]) <= table["width"]
                for column in columns):
            raise ValueError(f"{where}.columns has a name that is no number of a column; without a header row they are "
                             f"called 1 to {table['width']}")
        kinds = [column_types.from_spec(column) for column in columns]
        if sum(kind.width for kind in kinds) != inputs:
            raise ValueError(f"{where}.columns make {sum(kind.width for kind in kinds)} inputs; the model has {inputs}")
        if features != column_types.names(kinds):
            raise ValueError(f"data_spec.features are not the names of the inputs that {where}.columns make")

    def _column(self, column: Any, where: str) -> None:
        sort = column.get("kind") if isinstance(column, dict) else None
        if not isinstance(sort, str) or sort not in column_types.KINDS:
            raise ValueError(f"{where} is {self.show(column)}; expected an object of kind "
                             f"{', '.join(map(repr, column_types.KINDS))}")
        self.keys(column, ("name", "kind", "fill", *column_types.KINDS[sort].keys), where)
        self.text(column["name"], f"{where}.name")
        if column["fill"] is not None:
            self.number(column["fill"], f"{where}.fill")
        if sort == "number":
            self._unit(column["unit"], f"{where}.unit")
        elif sort == "flag":
            if column["words"] not in [list(pair) for pair in column_types.PAIRS]:
                raise ValueError(f"{where}.words is {self.show(column['words'])}; expected one of the pairs that are "
                                 f"0 and 1")
        elif sort == "words":
            words = column["words"]
            if not isinstance(words, list) or not words:
                raise ValueError(f"{where}.words is {self.show(words)}; expected a list of words")
            for i, word in enumerate(words):
                self.text(word, f"{where}.words[{i}]")
            if len(set(words)) != len(words):
                raise ValueError(f"{where}.words repeats a word")
        elif column["order"] is not None:
            self.name(column["order"], f"{where}.order", ("dmy", "mdy"))

    def _unit(self, unit: Any, where: str) -> None:
        if unit is None:
            return
        self.listed(unit, where, 2)
        if not all(isinstance(part, str) for part in unit) or not any(unit):
            raise ValueError(f"{where} is {self.show(unit)}; expected None or the texts before and after a number")
