"""Tables of numbers in CSV files: read for training, and read again to predict.

The first row names the columns; cells are separated by tabs, semicolons or commas, whichever cuts the first lines into
rows of one length; every feature is a number. Anything else is refused with the line and column. fastbp/csv_file.py
reads the rows, fastbp/cells.py knows what a cell says, fastbp/target_column.py what is to be predicted.
"""

import difflib
import os
from typing import NamedTuple

import numpy as np

from fastbp import cells, check, csv_file
from fastbp.quiet import quiet
from fastbp.splits import split_rows
from fastbp.target_column import Target

_REMEDY = "fill it in, remove the row, or leave out all such rows with missing='drop' (--missing drop)"


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
    dropped: int = 0                 # rows of the file that were left out for a missing value

    @quiet
    def split(self, test_size=0.2, seed=0):
        """Dataset of a training and a test part, features standardised by the training part's mean and deviation.

        Of n rows, round(n test_size) are the test part; of classes, each gives its share as evenly as can be, and a
        UserWarning names those too small to be in both parts (splits.split_rows). A constant column gets scale 1, so
        it becomes 0. The `mean` and `scale` used are in the Dataset's `data_spec`. Raises ValueError where a part would
        be empty.
        """
        train, test = split_rows(self.y, test_size, seed, stratify=self.classes is not None, classes=self.classes)
        mean, scale = standard_scale(self.X[train])
        finite = np.isfinite(mean) & np.isfinite(scale)
        if not finite.all():
            i = int(finite.argmin())
            raise ValueError(f"{self.name}: column {cells.shown(self.features[i])} holds numbers up to "
                             f"{np.abs(self.X[train, i]).max():.3g}, whose mean and deviation are beyond the largest "
                             f"number, expected finite ones to standardise by; divide the column by a large number")
        X = (self.X - mean) / scale
        spec = {"features": list(self.features), "mean": mean.tolist(), "scale": scale.tolist(), "target": self.target,
                "classes": None if self.classes is None else list(self.classes), "image_shape": None}
        return Dataset(X[train], self.y[train], X[test], self.y[test], self.classes, None, self.name, spec)


@quiet
def standard_scale(X):
    """Mean and standard deviation of each column of X (n, features): two (features,) arrays; 1 where it is constant."""
    mean = X.mean(axis=0)
    scale = X.std(axis=0)
    # A constant column's deviation is rounding noise of its mean's size, not exactly 0.
    scale[scale <= 1e-12 * np.abs(mean)] = 1.0
    return mean, scale


def load_csv(path, target, task=None, missing="refuse"):
    """Read a CSV file whose column `target` is to be predicted from all the others.

    task: "classification", "regression", or None to tell from the column. Cells that are words, in a column with at
    least as many words as numbers, are classes, and so are at most 20 distinct whole numbers that repeat; other numbers
    are a quantity, and a word among them is an error.

    missing: "refuse", or "drop" for leaving out rows with a missing value. Empty cells, ?, NA, N/A, NaN, NULL, None, -,
    . and the like (cells.MISSING; case does not matter) are missing values in columns of numbers. In a target of words
    None, nil, dashes and dots are words, and `reason` says so.

    A comma is read as the decimal one where cells are separated by semicolons or tabs, if that is clear.

    Returns a Table; X (n, features) float64 in file order. Raises ValueError naming the file, line and column, and how
    many cells are alike, for an unknown target, missing values, features that are not numbers, rows of the wrong
    length, repeated column names, an empty file, or one that is not text.
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task is {task!r}; expected 'classification', 'regression' or None to tell from the column")
    drop = check.choice("missing", missing, ("refuse", "drop")) == "drop"
    rows, header = csv_file.open_table(path)
    if target not in header:
        numbers = all(cells.number(cell, rows.comma) is not None for cell in header)
        raise ValueError(f"{path}: no column {cells.shown(str(target))}{_nearest(target, header)}; the columns are "
                         f"{_listing(header)}" + (" (a header row is needed: the first row holds numbers)"
                                                  if numbers else ""))
    if len(header) < 2:
        raise ValueError(f"{path}: the only column is {cells.shown(target)}; at least one feature column is needed to "
                         f"predict it")
    place = header.index(target)
    features = tuple(name for name in header if name != target)
    columns = csv_file.Columns(rows, header, [i for i in range(len(header)) if i != place], place)
    columns.check(_REMEDY, drop)
    found = Target(columns, place, task)
    if not drop:
        found.check_missing(_REMEDY)
    whole = columns.complete() & ~found.missing
    kept = np.flatnonzero(whole)
    if not len(kept):
        raise ValueError(f"{path}: every one of the {len(whole)} rows has a missing value, so none is left; fill them "
                         f"in, or remove the columns that are empty")
    y, task, reason, classes = found.read(kept)
    name = os.path.splitext(os.path.basename(path))[0]
    return Table(columns.X[whole], y, features, target, task, reason, classes, name, len(whole) - len(kept))


def load_features(path, features=None, count=None):
    """Read the columns `features` of a CSV file by name, in that order -> X (n, len(features)) float64.

    Other columns are ignored. Without names the file must have exactly `count` columns, all numbers.
    Raises ValueError naming the file, line and column, as load_csv does.
    """
    rows, header = csv_file.open_table(path)
    if features is None:
        if len(header) != count:
            raise ValueError(f"{path}: {len(header)} columns; the model expects {count}, all numbers")
        if (all(cells.number(cell, rows.comma) is not None for cell in header)
                and header != [str(i) for i in range(count)]):
            raise ValueError(f"{path}: the first row holds numbers; a header row naming the columns is needed")
        keep = list(range(count))
    else:
        places = {name: i for i, name in enumerate(header)}
        absent = [name for name in features if name not in places]
        if absent:
            raise ValueError(f"{path}: no column {cells.shown(absent[0])}{_nearest(absent[0], header)}; the model was "
                             f"trained on {_listing(features)}"
                             + (f" ({len(absent)} are missing)" if len(absent) > 1 else ""))
        keep = [places[name] for name in features]
    columns = csv_file.Columns(rows, header, keep)
    columns.check("fill it in or remove the row")
    return columns.X


def load_points(path):
    """Read a CSV file of two columns of numbers, with or without a header row -> x (n,), y (n,) float64, names.

    names: the header's two, or ("x", "y"). Raises ValueError naming the file, line and column, as load_csv does.
    """
    rows = csv_file.Rows(path)
    first = next(iter(rows), None)
    if first is None:
        raise ValueError(f"{path}: the file is empty; expected two columns of numbers, x and y")
    if len(first[1]) != 2:
        raise ValueError(f"{path}, line {first[0]}: {len(first[1])} column{'s' * (len(first[1]) != 1)}; expected two "
                         f"columns of numbers, x and y")
    if any(cells.number(cell, rows.comma) is not None for cell in first[1]):
        names, first = ["x", "y"], [first]
    else:
        names, first = [name.strip() for name in first[1]], []
    columns = csv_file.Columns(rows, names, [0, 1], first=first)
    columns.check("fill it in or remove the row")
    return columns.X[:, 0].copy(), columns.X[:, 1].copy(), tuple(names)


def _nearest(name, names):
    # comparing takes about 10 us a name: of a hundred thousand columns the first few thousand must do
    close = difflib.get_close_matches(str(name), list(names[:5000]), n=1, cutoff=0.5)
    return f"; did you mean {cells.shown(close[0])}?" if close else ""


def _listing(names, most=8):
    return ", ".join(cells.plain(name) for name in names[:most]) + (
        f", ... ({len(names)} in all)" if len(names) > most else "")
