"""Tables read for a model that was trained: its columns by name, in the way its file says, and the target beside them.

A model made in Python, or by an early version, says no more than the names of its inputs, or nothing: then all columns
are numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp.datasets import column_types, csv_file, tables
from fastbp.datasets.column_inference import Profile, evidence
from fastbp.datasets.number_format import Notation
from fastbp.datasets.target_column import Target
from fastbp.datasets.units import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Array, Config, Doubles, File
    from fastbp.datasets.column_types import Kind
    from fastbp.datasets.csv_file import Cells, Format, Sheet


class Read(NamedTuple):
    """What a file holds for a model. X (n, inputs) float64 in the units of the training file, missing values filled in
    where the model does; y (n,) int64 places in its classes or float64, None where no target was asked for; told: what
    to say of the reading, in lines; dropped: how many rows were left out."""

    X: Doubles
    y: Array | None
    told: list[str]
    dropped: int = 0


def read(
    path: File,
    spec: Config,
    inputs: int,
    format: Format | None = None,
    handle_unknown: str = "refuse",
    target: bool = False,
    drop: bool = False,
) -> Read:
    """Read the rows of a CSV file for a model of `inputs` inputs with this data_spec (a dict, empty for none).

    format: a csv_file.Format. handle_unknown: what becomes of words that the model does not know, "refuse" or "zeros",
    which takes them as none of those it does. target: whether the target's column is read as well; drop: whether rows
    with a missing value are left out. Raises ValueError naming the file, line and column.
    """
    format = csv_file.form_of(format)
    check.choice("handle_unknown", handle_unknown, ("refuse", "zeros"))
    if target and (spec.get("features") is None or spec.get("target") is None):
        raise ValueError("data_spec of the model has no features or no target, expected both, the names of its "
                         "columns; evaluate it in Python with net.evaluate")
    if spec.get("features") is None:
        return Read(tables.load_features(path, None, inputs, format), None, [])
    table = spec.get("table") or _plain(spec)
    kinds = [column_types.from_spec(column) for column in table["columns"]]
    sheet = csv_file.Sheet(path, format, header=table["header"])
    path = sheet.path
    answer: Any = spec.get("target")
    if not sheet.header:
        _name(sheet, table, kinds, answer)
    names = [kind.name for kind in kinds]
    places = tables.find(sheet, [*names, answer] if target else names)
    sheet.unnamed -= set(places)                # the model knows this one, whether it holds anything or not
    columns = sheet.read(places)
    known = {*names, answer}
    extra = [name for i, name in enumerate(sheet.names) if name not in known and i not in sheet.unnamed]
    told = [f"{path}: {len(extra)} column{'s' * (len(extra) != 1)} that the model does not know "
            f"{'are' if len(extra) != 1 else 'is'} ignored: {tables.listing(extra)}"] if extra else []
    found = _target(columns.pop(), spec, table) if target else None
    style = _notation(columns, kinds, found, table, format)
    X = column_types.encode(columns, kinds, style, handle_unknown)
    if handle_unknown == "zeros" and not sheet.header and format.header is None:
        _check_first_row(columns, kinds)
    if handle_unknown == "zeros":
        told += [f"{path}: column {check.shown(kind.name)}: {count} word{'s' * (count != 1)} that the model does not "
                 f"know taken as none of its own" for column, kind in zip(columns, kinds, strict=True)
                 if kind.kind == "words" and (count := kind.unknown(column))]
    missing = np.isnan(X)
    refused = column_types.not_imputed(X, kinds)
    if not drop:
        column_types.check_missing(columns, kinds, X, "fill it in or remove the row (a model trained with --missing "
                                                      "median fills in the medians of its training rows)")
    if filled := column_types.describe_imputed(missing & ~refused, kinds):
        told.append(f"{path}: {filled}")
    column_types.impute(X, kinds)
    if found is None:
        return Read(X, None, told)
    found.settle(style)
    if not drop:
        found.check_missing("fill it in, remove the row, or leave out all such rows with --missing drop")
    y = found.quantities() if spec.get("classes") is None else found.labels(spec["classes"])
    kept = ~(refused.any(axis=1) | found.missing)
    if not kept.any():
        rows = f"every one of the {len(kept)} rows" if len(kept) > 1 else "the only row"
        raise ValueError(f"{path}: {rows} has a missing value, expected one without to evaluate; fill them in")
    return Read(X[kept], y[kept], told, int((~kept).sum()))


def _plain(spec: Config) -> Config:
    """The table of a model that knows the names of its inputs only."""
    return {"header": True, "width": 0, "decimal": ".", "thousands": "", "target_unit": None,
            "columns": [column_types.Number(name).spec() for name in spec["features"]]}


def _name(sheet: Sheet, table: Config, kinds: Sequence[Kind], answer: str | None) -> None:
    """Give the columns of a file without a header row the model's names, by place."""
    if table["header"]:
        if sheet.width != len(kinds):
            raise ValueError(f"{sheet.path}: {sheet.width} columns without a header row, expected the model's "
                             f"{len(kinds)}: {tables.listing([kind.name for kind in kinds])}; add a header row, or "
                             f"give exactly these")
        sheet.names = [kind.name for kind in kinds]
        return
    names = [str(i + 1) for i in range(table["width"])]
    without = [name for name in names if name != answer]
    if sheet.width not in (len(names), len(without)):
        raise ValueError(f"{sheet.path}: {sheet.width} columns without a header row, expected {len(names)}, as the "
                         f"model was trained on, or {len(without)} without the target (column {answer}); give a file "
                         "of these")
    sheet.names = names if sheet.width == len(names) else without


def _check_first_row(columns: Sequence[Cells], kinds: Sequence[Kind]) -> None:
    """ValueError where no cell of the first row is known, of a file that is taken to have no header row."""
    first = [(kind, column.first()) for kind, column in zip(kinds, columns, strict=True)]
    if not all(kind.kind == "words" and (kind.no_word(text) or not text) for kind, text in first):
        return
    row = next((i for i, (_, text) in enumerate(first) if text), None)
    if row is not None:
        raise ValueError(f"{columns[row].at(0)}: {check.shown(first[row][1])} is a word that the model was not trained "
                         f"on, and so is every cell of the row (is it a header row?), expected none, as in the file "
                         f"that the model was trained on; remove the row, or say --no-header if it is a row of data")


def _target(column: Cells, spec: Config, table: Config) -> Target:
    """The Target of a file to evaluate on."""
    task = "regression" if spec.get("classes") is None else "classification"
    found = Target(Profile(column, True), task, table["target_unit"] is not None)
    if found.unit is not None:
        found.unit = Unit(*table["target_unit"])
    return found


def _notation(
    columns: Sequence[Cells], kinds: Sequence[Kind], target: Target | None, table: Config, format: Format
) -> Notation:
    """How the file writes its numbers; where it does not show it, as the training file did."""
    pairs = zip(columns, kinds, strict=True)
    numbers = [(Profile(column, kind.unit is not None), kind.unit) for column, kind in pairs if kind.kind == "number"]
    if target is not None and target.numeric and not target.whole_text:
        numbers.append((target.profile, target.unit))
    usual = Notation(table["decimal"], table["thousands"])
    united = [profile for profile, unit in numbers if unit is not None]
    return evidence([profile for profile, _ in numbers], united, usual).notation(format.decimal, format.mark, usual)
