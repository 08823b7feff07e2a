"""Tables in CSV files, read for training: from cells to arrays.

fastbp/datasets/csv_file.py reads the rows, fastbp/datasets/number_format.py sees how numbers are written,
fastbp/datasets/column_inference.py decides what kind a column is, fastbp/datasets/column_types.py makes inputs of it,
and fastbp/datasets/target_column.py knows what is to be predicted. How a table was read goes into the model's file;
fastbp/datasets/model_tables.py reads others by it.
"""

from __future__ import annotations

import copy
import difflib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp._check.errstate import quiet
from fastbp._training.splits import split_rows
from fastbp.datasets import cells, column_types, csv_file, number_format
from fastbp.datasets.column_inference import ColumnOptions, Profile, choose, column_names, evidence
from fastbp.datasets.table_schema import TABLE_VERSION
from fastbp.datasets.target_column import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Array, Config, Doubles, File
    from fastbp.datasets.column_types import Kind
    from fastbp.datasets.csv_file import Format, Sheet
    from fastbp.datasets.number_format import Notation

_REMEDY = ("fill it in, remove the row, leave out all such rows with missing='drop' (--missing drop), or fill in the "
           "medians of the training rows with missing='median'")


class Dataset(NamedTuple):
    """Data ready to train and test on. n training rows, m test rows, d numbers a row."""

    X_train: Array                   # (n, d)
    y_train: Array                   # (n,) int64 places in `classes`, or float64 values
    X_test: Array                    # (m, d)
    y_test: Array                    # (m,)
    classes: tuple[Any, ...] | None  # names of the classes; None for regression
    image_shape: tuple[int, ...] | None  # (height, width) when a row is an image, row by row
    name: str
    data_spec: Config | None = None  # what a model must remember to read such data again (network.data_spec)


class Table(NamedTuple):
    """A CSV file as arrays. `X` is in the file's units; `split` standardises it."""

    X: Array                         # (n, len(features)) float64; NaN where a value is missing that `split` fills in
    y: Array                         # (n,) int64 places in `classes`, or float64 values
    features: tuple[str, ...]        # the inputs' names; a column of words is several
    target: str
    task: str                        # "classification" or "regression"
    reason: str                      # why that task, in words
    classes: tuple[Any, ...] | None  # the distinct targets in order (str or int); None for regression
    name: str = "table"
    dropped: int = 0                 # rows of the file that were left out for a missing value
    kinds: tuple[Kind, ...] = ()     # the columns, as column_kinds has them
    file_format: Config | None = None  # how the file is written, for the model's file; see model_tables
    missing: str = "refuse"          # "median" where `split` fills in medians

    @quiet
    def split(self, test_size: float = 0.2, seed: int = 0) -> Dataset:
        """Dataset of a training and a test part, features standardised by the training part's mean and deviation.

        Of n rows, round(n test_size) are the test part; of classes, each gives its share as evenly as can be, and a
        UserWarning names those too small to be in both parts (splits.split_rows). Missing values that are filled in
        become the median of the training part, words zeros. A constant column gets scale 1, so it becomes 0. All this
        is in the Dataset's `data_spec`. Raises ValueError where a part would be empty, or a column has no value to fill
        in.
        """
        train, test = split_rows(self.y, test_size, seed, stratify=self.classes is not None, classes=self.classes)
        kinds = self._with_medians(train)
        X = column_types.impute(self.X.copy(), kinds) if kinds else self.X
        mean, scale = standard_scale(X[train])
        finite = np.isfinite(mean) & np.isfinite(scale)
        if not finite.all():
            i = int(finite.argmin())
            raise ValueError(f"{self.name}: column {check.shown(self.features[i])} holds numbers up to "
                             f"{np.abs(X[train, i]).max():.3g}, whose mean and deviation are beyond the largest "
                             f"number, expected finite ones to standardise by; divide the column by a large number")
        X = (X - mean) / scale
        spec = {"features": list(self.features), "mean": mean.tolist(), "scale": scale.tolist(), "target": self.target,
                "classes": None if self.classes is None else list(self.classes), "image_shape": None}
        if self.file_format is not None:
            spec["table"] = {"version": TABLE_VERSION, **self.file_format, "columns": [kind.spec() for kind in kinds]}
        return Dataset(X[train], self.y[train], X[test], self.y[test], self.classes, None, self.name, spec)

    def _with_medians(self, train: Array) -> list[Kind]:
        """The kinds with the values that they impute, from the rows `train`."""
        kinds = [copy.copy(kind) for kind in self.kinds]
        if self.missing != "median":
            return kinds
        place = 0
        for kind in kinds:
            values = self.X[train, place]
            values = values[~np.isnan(values)]
            if not len(values):
                raise ValueError(f"{self.name}: column {check.shown(kind.name)} has no value in any row to train on, "
                                 f"expected some, for a median; leave it out with --ignore {cells.quoted(kind.name)}")
            kind.imputed = 0.0 if kind.kind == "words" else float(np.median(values))
            place += kind.width
        return kinds


@quiet
def standard_scale(X: Doubles) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of each column of X (n, features): two (features,) arrays; 1 where it is constant."""
    mean = X.mean(axis=0)
    scale = X.std(axis=0)
    # A constant column's deviation is rounding noise of its mean's size, not exactly 0.
    scale[scale <= 1e-12 * np.abs(mean)] = 1.0
    return mean, scale


def load_csv(
    path: File,
    target: str,
    task: Literal["classification", "regression"] | None = None,
    missing: Literal["refuse", "drop", "median"] = "refuse",
    *,
    format: Format | None = None,
    ignore: Sequence[str] = (),
    words: Sequence[str] = (),
    dates: Sequence[str] = (),
    units: Sequence[str] = (),
    date_order: Literal["dmy", "mdy"] | None = None,
    categorical: Literal["auto"] | int = "auto",
) -> Table:
    """Read a CSV file whose column `target` is to be predicted from all the others.

    path: a str, bytes or os.PathLike, or an open binary file, which is read to its end and stays open.

    task: "classification", "regression", or None to tell from the column. Cells that are words, in a column with at
    least as many words as numbers, are classes, and so are at most 20 distinct whole numbers that repeat; other numbers
    are a quantity, and a word among them is an error.

    missing: "refuse"; "drop" for leaving out rows with a missing value; "median" for filling in the median of the
    training rows, in columns of words zeros (rows without a target are left out). Empty cells, ?, NA, N/A, NaN, NULL,
    None, -, . and the like (cells.MISSING; case does not matter) are missing values in columns of numbers and of dates.
    In columns of words, yes and no too, None, nil, dashes and dots are words; of a target, `reason` says so.

    format: a csv_file.Format, what the file does not tell by itself: encoding, separator, decimal mark, header or none.
    Lists of names: `ignore`, columns to leave out; `words`, columns whose numbers are names; `dates`, read as days
    since 1970-01-01, where `date_order` ("dmy" or "mdy") says what 1/2/2024 is; `units`, numbers with something around
    them, such as 12 % or $5. A column of true and false, yes and no is 0 and 1; one of words an input for each word, if
    it has at most `categorical` different ones ("auto": 100, and no more than half as many as there are rows). These
    are the options of `fastbp train` by the same names, which the messages name.

    Returns a Table; X (n, inputs) float64 in file order. Raises ValueError naming the file, line and column, and how
    many cells are alike, for whatever is not as said: unknown columns, missing values, words among numbers, marks in
    numbers that may mean two things, dates and units nobody said, rows of the wrong length, repeated names, a file that
    is not text. TypeError for a path that is none, a file of text, and lists that are none.
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task is {check.shown(task)}, expected 'classification', 'regression' or None; pass None to "
                         "tell from the column")
    check.choice("missing", missing, ("refuse", "drop", "median"))
    given = {"ignore": ignore, "words": words, "dates": dates, "units": units}
    lists: dict[str, Any] = {name: column_names(name, value) for name, value in given.items()}
    options = ColumnOptions(**lists, date_order=date_order, categorical=categorical)
    format = csv_file.form_of(format)
    sheet = csv_file.Sheet(path, format)
    path = sheet.path
    _check_target(sheet, target)
    options.check(sheet.names, target,
                  lambda name: nearest(name, sheet.names) or f"name one of: {listing(sheet.names)}")
    places = [i for i, name in enumerate(sheet.names) if name not in options.ignore]
    sheet.check_names(places)
    columns = sheet.read(places)
    if len(columns) < 2:
        raise ValueError(f"{path}: the only column is {check.shown(target)}, the target, expected at least one more to "
                         f"predict it from; give a file that has one, or ignore fewer")
    answer = next(column for column in columns if column.name == target)
    columns = [column for column in columns if column is not answer]
    looked = {*options.words, *options.dates, *options.units}
    profiles = [Profile(column, column.name in looked) for column in columns]
    kinds = [choose(profile, options) for profile in profiles]
    if date_order is not None and not any(kind.kind == "date" and kind.order for kind in kinds):
        raise ValueError(f"{path}: --date-order is {date_order}, expected dates such as 1/2/2024 in the columns of "
                         f"--dates; leave it out")
    found = Target(Profile(answer, True), task, target in options.units)
    style = _notation(profiles, kinds, found, format)
    found.settle(style)
    X = column_types.encode(columns, kinds, style)
    if missing == "refuse":
        column_types.check_missing(columns, kinds, X, f"{_REMEDY} (--missing median)")
        found.check_missing(_REMEDY.replace(", leave", ", or leave").partition(", or fill")[0])
    whole = ~found.missing if missing == "median" else ~found.missing & ~np.isnan(X).any(axis=1)
    kept = np.flatnonzero(whole)
    if not len(kept):
        rows = f"every one of the {len(whole)} rows" if len(whole) > 1 else "the only row"
        raise ValueError(f"{path}: {rows} has a missing value, expected one without; fill them in, or remove the "
                         "columns that are empty")
    y, task, reason, classes = found.read(kept)
    file_format = {"header": sheet.header, "width": sheet.width, "decimal": style.decimal,
                   "thousands": style.thousands, "target_unit": None if found.unit is None else list(found.unit)}
    return Table(X[whole], y, tuple(column_types.names(kinds)), target, task, reason, classes, path.name or "table",
                 len(whole) - len(kept), tuple(kinds), file_format, missing)


def _check_target(sheet: Sheet, target: str) -> None:
    """ValueError where there is no such column."""
    if target in sheet.names:
        return
    hint = ""
    if sheet.header and any(map(number_format.is_number, sheet.names)):
        hint = " (a header row is needed: the first row holds numbers; say --no-header if it is a row of data, whose " \
               "columns are then called 1, 2, 3 ...)"
    elif len(sheet.names) == 1 and not sheet.hint():
        hint = " (no separator was found; --separator says one)"
    raise ValueError(f"{sheet.path}: no column {check.shown(target)}{hint}{sheet.hint()}, expected one of: "
                     f"{listing(sheet.names)}; {nearest(target, sheet.names) or 'name one of them'}")


def _notation(profiles: Sequence[Profile], kinds: Sequence[Kind], target: Target, format: Format) -> Notation:
    """How the file writes its numbers, as its columns of numbers show or as it was said."""
    numbers = [(profile, kind.unit) for profile, kind in zip(profiles, kinds, strict=True) if kind.kind == "number"]
    if target.numeric and not target.whole_text:
        numbers.append((target.profile, target.unit))
    united = [profile for profile, unit in numbers if unit is not None]
    return evidence([profile for profile, _ in numbers], united).notation(format.decimal, format.mark)


def describe(kinds: Sequence[Kind]) -> str:
    """In words, what was made of columns that are not plain numbers; "" where all are."""
    told = {"flag": lambda kind: f"{kind.words[1]} is 1, {kind.words[0]} 0",
            "words": lambda kind: f"{kind.width} words, an input each" if kind.width > 1 else "1 word, an input",
            "date": lambda kind: "days since 1970-01-01" + (f", read as {kind.order}" if kind.order else ""),
            "number": lambda kind: f"in {kind.unit[0] or kind.unit[1]}" if kind.unit else ""}
    parts = [(kind.name, told[kind.kind](kind)) for kind in kinds]
    return listing([f"{cells.plain(name)} ({text})" for name, text in parts if text])


def describe_notation(file_format: Config) -> str:
    """In words, how numbers are written, where that is not as Python does."""
    if (file_format["decimal"], file_format["thousands"]) == number_format.PLAIN:
        return ""
    decimal, thousands = (number_format.MARKS.get(file_format[key]) for key in ("decimal", "thousands"))
    return f"numbers have decimal {decimal}s" + (f", and {thousands}s that separate thousands" if thousands else "")


def load_features(
    path: File, features: Sequence[str] | None = None, count: int | None = None, format: Format | None = None
) -> Doubles:
    """Read the columns `features` of numbers of a CSV file by name, in that order -> X (n, len(features)) float64.

    Other columns are ignored. Without names the file must have exactly `count` columns, all numbers.
    Raises ValueError naming the file, line and column, as load_csv does.
    """
    sheet = csv_file.Sheet(path, format, header=True)
    path = sheet.path
    if features is None:
        if len(sheet.names) != count:
            raise ValueError(f"{path}: {len(sheet.names)} columns, expected {count} of numbers, as the model has "
                             "inputs; give a file of these")
        if (sheet.header and all(map(number_format.is_number, sheet.names))
                and sheet.names != [str(i) for i in range(count)]):
            raise ValueError(f"{path}: the first row holds numbers, expected a header row that names the columns; add "
                             f"one, or say --no-header")
        places = list(range(count))
    else:
        places = find(sheet, features)
    return _read_numbers(sheet, places, "leave the column out")


def find(sheet: Sheet, features: Sequence[str]) -> list[int]:
    """The places of these columns in a sheet, or ValueError."""
    places: dict[str, int] = {}
    for i, name in enumerate(sheet.names):
        places.setdefault(name, i)
    absent = [name for name in features if name not in places]
    if absent:
        hint = " (its first row holds numbers: a header row is needed, or --no-header)" \
            if sheet.header and all(map(number_format.is_number, sheet.names)) else ""
        count = f" ({len(absent)} are missing)" if len(absent) > 1 else ""
        raise ValueError(f"{sheet.path}: no column {check.shown(absent[0])}{count}{hint}, expected "
                         f"{listing(features)}, on which the model was trained; "
                         f"{nearest(absent[0], sheet.names) or 'add what is missing'}")
    wanted = set(features)
    sheet.check_names([i for i, name in enumerate(sheet.names) if name in wanted])
    return [places[name] for name in features]


def _read_numbers(sheet: Sheet, places: Sequence[int], advice: str) -> Doubles:
    """(n, len(places)) of columns of plain numbers, none missing."""
    sheet.unnamed = set()
    columns = sheet.read(places)
    kinds = [column_types.Number(column.name) for column in columns]
    for kind in kinds:
        kind.advice = advice
    style = evidence([Profile(column) for column in columns]).notation(sheet.form.decimal, sheet.form.mark)
    X = column_types.encode(columns, kinds, style)
    column_types.check_missing(columns, kinds, X, "fill it in or remove the row")
    return X


def load_points(path: File, format: Format | None = None) -> tuple[Doubles, Doubles, tuple[str, ...]]:
    """Read a CSV file of two columns of numbers, with or without a header row -> x (n,), y (n,) float64, names.

    names: the header's two, or ("x", "y"). format: a csv_file.Format. Raises ValueError naming the file, line and
    column, as load_csv does.
    """
    sheet = csv_file.Sheet(path, format, lambda first: not any(map(number_format.is_number, first)),
                           "two columns of numbers, x and y")
    path = sheet.path
    if sheet.width != 2:
        raise ValueError(f"{path}, line {sheet.line}: {sheet.width} column{'s' * (sheet.width != 1)}, expected two "
                         f"columns of numbers, x and y; remove the others")
    names = tuple(sheet.names) if sheet.header else ("x", "y")
    sheet.names = list(names)
    X = _read_numbers(sheet, [0, 1], "correct the cell")
    return X[:, 0].copy(), X[:, 1].copy(), names


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint at the name that was meant; "" for none."""
    # comparing takes about 10 us a name: of a hundred thousand columns the first few thousand must do
    close = difflib.get_close_matches(str(name), list(names[:5000]), n=1, cutoff=0.5)
    return f"did you mean {check.shown(close[0])}?" if close else ""


def listing(names: Sequence[str], most: int = 8) -> str:
    """Some names in words, the first of them where there are many."""
    return ", ".join(cells.plain(name) for name in names[:most]) + (
        f", ... ({len(names)} in all)" if len(names) > most else "")
