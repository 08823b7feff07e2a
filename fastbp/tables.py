"""Tables of numbers in CSV files: read for training, and read again to predict.

Only the standard library's csv module. The first row names the columns; cells are separated by commas, semicolons
or tabs (whichever the first row holds); every feature is a number. Anything else is refused with the line and column.
"""

import csv
import difflib
import itertools
import math
import os
from array import array
from typing import NamedTuple

import numpy as np

from .quiet import quiet

_FEW = 20                # a column of whole numbers with more distinct values than this is a quantity, not a class
_MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}


class Dataset(NamedTuple):
    """Data ready to train and test on. n training rows, m test rows, d numbers a row."""

    X_train: np.ndarray              # (n, d)
    y_train: np.ndarray              # (n,) int64 places in `classes`, or float64 values
    X_test: np.ndarray               # (m, d)
    y_test: np.ndarray               # (m,)
    classes: tuple | None            # names of the classes; None for regression
    image_shape: tuple | None        # (height, width) when a row is an image, row by row
    name: str
    data_spec: dict | None = None    # what a model must remember to read such data again (network.data_spec)


class Table(NamedTuple):
    """A CSV file as arrays. `X` is in the file's units; `split` standardises it."""

    X: np.ndarray                    # (n, len(features)) float64
    y: np.ndarray                    # (n,) int64 places in `classes`, or float64 values
    features: tuple
    target: str
    task: str                        # "classification" or "regression"
    reason: str                      # why that task, in words
    classes: tuple | None            # the distinct targets in order (str or int); None for regression
    name: str = "table"

    @quiet
    def split(self, test_size=0.2, seed=0):
        """Dataset of a training and a test part, features standardised by the training part's mean and deviation.

        Classification keeps every class's share in both parts. A constant column gets scale 1, so it becomes 0.
        The `mean` and `scale` used are in the Dataset's `data_spec`. Raises ValueError where a part would be empty.
        """
        train, test = split_rows(self.y, test_size, seed, stratify=self.classes is not None)
        if not len(train) or not len(test):
            raise ValueError(f"{self.name}: {len(self.y)} rows are too few to hold out a test part of {test_size:g}; "
                             f"give more rows")
        mean, scale = standard_scale(self.X[train])
        X = (self.X - mean) / scale
        spec = {"features": list(self.features), "mean": mean.tolist(), "scale": scale.tolist(), "target": self.target,
                "classes": None if self.classes is None else list(self.classes), "image_shape": None}
        return Dataset(X[train], self.y[train], X[test], self.y[test], self.classes, None, self.name, spec)


def split_rows(y, test_size, seed, stratify=True):
    """Places of the training and of the test rows, both ascending, the same for the same seed on every machine.

    With stratify, `test_size` of each distinct value of y (n,) goes to the test part, rounded to the nearest whole row.
    """
    if not 0 < test_size < 1:
        raise ValueError(f"test_size is {test_size!r}; expected a share of the rows between 0 and 1, such as 0.2")
    # RandomState: NumPy has frozen its stream, so the parts never change with NumPy's version.
    random = np.random.RandomState(seed)
    test = np.zeros(len(y), dtype=bool)
    for rows in ([np.flatnonzero(y == value) for value in np.unique(y)] if stratify else [np.arange(len(y))]):
        test[random.permutation(rows)[:int(len(rows) * test_size + 0.5)]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


@quiet
def standard_scale(X):
    """Mean and standard deviation of each column of X (n, features): two (features,) arrays; 1 where it is constant."""
    mean = X.mean(axis=0)
    scale = X.std(axis=0)
    # A constant column's deviation is rounding noise of its mean's size, not exactly 0.
    scale[scale <= 1e-12 * np.abs(mean)] = 1.0
    return mean, scale


def load_csv(path, target, task=None):
    """Read a CSV file whose column `target` is to be predicted from all the others.

    task: "classification", "regression", or None to tell from the column: text, or at most 20 distinct whole numbers
    that repeat, are classes; other numbers are a quantity. Returns a Table; X (n, features) float64 in file order.
    Raises ValueError naming the file, line and column for an unknown target, missing values, features that are not
    numbers, rows of the wrong length, repeated column names, an empty file, or one that is not text.
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task is {task!r}; expected 'classification', 'regression' or None to tell from the column")
    lines, header = _open_table(path)
    if target not in header:
        numbers = all(_number(cell) is not None for cell in header)
        raise ValueError(f"{path}: no column {target!r}{_nearest(target, header)}; the columns are "
                         f"{_listing(header)}" + (" (a header row is needed: the first row holds numbers)"
                                                  if numbers else ""))
    if len(header) < 2:
        raise ValueError(f"{path}: the only column is {target!r}; at least one feature column is needed to predict it")
    place = header.index(target)
    features = tuple(name for name in header if name != target)
    keep = [i for i in range(len(header)) if i != place]
    X, texts, numbers = _read_rows(path, lines, header, keep, place)
    for text, line in zip(texts, numbers, strict=True):
        if text.lower() in ("", "nan"):
            raise ValueError(f"{path}, line {line}, column {target!r}: the target is missing; remove the row")
    y, task, reason, classes = _read_target(path, target, texts, numbers, task)
    return Table(X, y, features, target, task, reason, classes, os.path.splitext(os.path.basename(path))[0])


def load_features(path, features=None, count=None):
    """Read the columns `features` of a CSV file by name, in that order -> X (n, len(features)) float64.

    Other columns are ignored. Without names the file must have exactly `count` columns, all numbers.
    Raises ValueError naming the file, line and column, as load_csv does.
    """
    lines, header = _open_table(path)
    if features is None:
        if len(header) != count:
            raise ValueError(f"{path}: {len(header)} columns; the model expects {count}, all numbers")
        if all(_number(cell) is not None for cell in header) and header != [str(i) for i in range(count)]:
            raise ValueError(f"{path}: the first row holds numbers; a header row naming the columns is needed")
        keep = list(range(count))
    else:
        absent = [name for name in features if name not in header]
        if absent:
            raise ValueError(f"{path}: no column {absent[0]!r}{_nearest(absent[0], header)}; the model was trained on "
                             f"{_listing(features)}" + (f" ({len(absent)} are missing)" if len(absent) > 1 else ""))
        keep = [header.index(name) for name in features]
    return _read_rows(path, lines, header, keep, None)[0]


def load_points(path):
    """Read a CSV file of two columns of numbers, with or without a header row -> x (n,), y (n,) float64, names.

    names: the header's two, or ("x", "y"). Raises ValueError naming the file, line and column, as load_csv does.
    """
    lines = _rows(path)
    first = next(lines, None)
    if first is None:
        raise ValueError(f"{path}: the file is empty; expected two columns of numbers, x and y")
    if any(_number(cell) is not None for cell in first[1]):
        names, lines = ["x", "y"], itertools.chain([first], lines)
    else:
        names = [name.strip() for name in first[1]]
    if len(first[1]) != 2:
        raise ValueError(f"{path}, line {first[0]}: {len(first[1])} column{'s' * (len(first[1]) != 1)}; expected two "
                         f"columns of numbers, x and y")
    points = _read_rows(path, lines, names, [0, 1], None)[0]
    return points[:, 0].copy(), points[:, 1].copy(), tuple(names)


def _open_table(path):
    """Iterator over the rows after the header as (line number, cells), and the header's names."""
    lines = _rows(path)
    try:
        _, header = next(lines)
    except StopIteration:
        raise ValueError(f"{path}: the file is empty; expected a header row and rows of numbers") from None
    header = [name.strip() for name in header]
    for i, name in enumerate(header):
        if not name:
            raise ValueError(f"{path}, line 1: column {i + 1} has no name; every column needs one in the header row")
        if name in header[:i]:
            raise ValueError(f"{path}, line 1: two columns are named {name!r}; names must differ")
    return lines, header


def _rows(path):
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            delimiter = "," if "," in first else ";" if ";" in first else "\t" if "\t" in first else ","
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file in UTF-8 (byte {error.start} cannot be read); "
                         f"expected a CSV file") from None
    except csv.Error as error:
        raise ValueError(f"{path}: not a readable CSV file ({error})") from None


def _read_rows(path, lines, header, keep, place):
    """X (n, len(keep)) float64, the stripped texts of column `place` (if not None), and each row's line number."""
    values, texts, numbers = array("d"), [], array("q")
    for line, row in lines:
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: {len(row)} cells; the first row has {len(header)}")
        try:
            cells = [float(row[i]) for i in keep]
        except ValueError:
            cells = None
        if cells is None or not all(map(math.isfinite, cells)) or any("_" in row[i] for i in keep):
            _refuse_row(path, line, row, header, keep)
        values.extend(cells)
        numbers.append(line)
        if place is not None:
            texts.append(row[place].strip())
    if not numbers:
        raise ValueError(f"{path}: a header row but no rows below it; expected rows of numbers")
    return np.array(values, dtype=np.float64).reshape(len(numbers), len(keep)), texts, numbers


def _refuse_row(path, line, row, header, keep):
    for i in keep:
        value, where = _number(row[i]), f"{path}, line {line}, column {header[i]!r}"
        if row[i].strip().lower() in _MISSING:
            raise ValueError(f"{where}: missing value ({row[i]!r}); fill it in or remove the row")
        if value is None:
            raise ValueError(f"{where}: {row[i]!r} is not a number; features must be numbers "
                             f"(encode the column as numbers or remove it)")
        if not math.isfinite(value):
            raise ValueError(f"{where}: {row[i]!r} is not finite; fill in a number or remove the row")


def _read_target(path, target, texts, lines, task):
    """y, task, reason, classes from the target column's texts."""
    values = [_number(text) for text in texts]
    bad = next((i for i, value in enumerate(values) if value is None or not math.isfinite(value)), None)
    distinct = len(set(texts)) if bad is not None else len(set(values))
    whole = bad is None and all(value == int(value) for value in values)
    if bad is not None:
        if task == "regression":
            raise ValueError(f"{path}, line {lines[bad]}, column {target!r}: {texts[bad]!r} is not a finite number; "
                             f"regression needs numbers (or choose classification)")
        told, reason = "classification", f"column {target!r} holds text, {distinct} different values"
    elif whole and distinct <= _FEW and 2 * distinct <= len(values):
        told = "classification"
        reason = f"column {target!r} holds {distinct} different whole numbers in {len(values)} rows"
    else:
        kind = "whole numbers" if whole else "numbers"
        told, reason = "regression", f"column {target!r} holds {distinct} different {kind} in {len(values)} rows"
    if task is not None and task != told:
        reason += f"; {task} was asked for"
    task = task or told
    if distinct < 2:
        raise ValueError(f"{path}: column {target!r} holds one value only ({texts[0]!r}); there is nothing to learn")
    if task == "regression":
        return np.array(values, dtype=np.float64), task, reason, None
    # Whole numbers are ordered as numbers (2 before 10) and 1, 1.0 and 01 are one class; text is ordered as text.
    labels = [int(value) for value in values] if whole else texts
    classes = tuple(sorted(set(labels)))
    if 2 * len(classes) > len(labels):
        raise ValueError(f"{path}: column {target!r} has {len(classes)} classes in {len(labels)} rows; "
                         f"too few rows a class to learn from (is it a name or a key?)")
    places = {label: i for i, label in enumerate(classes)}
    return np.array([places[label] for label in labels], dtype=np.int64), task, reason, classes


def _number(text):
    """The number a cell holds, or None. Python's own underscores (1_000) are not numbers in a table."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _nearest(name, names):
    close = difflib.get_close_matches(str(name), [str(n) for n in names], n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def _listing(names, most=8):
    names = list(names)
    return ", ".join(map(str, names[:most])) + (f", ... ({len(names)} in all)" if len(names) > most else "")
