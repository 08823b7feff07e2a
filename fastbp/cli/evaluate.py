"""`fastbp evaluate`: how good a saved model is on a file whose answers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastbp import _check as check
from fastbp import datasets
from fastbp._core import cpu
from fastbp.cli import predict, scores
from fastbp.cli.common import row, say
from fastbp.cli.csv_options import format_of, said
from fastbp.datasets import model_tables
from fastbp.network import load

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from fastbp._check.types import Array, Config, Integers
    from fastbp.network import Sequential

_FEW = 20       # classes that a table is printed of


def run(options: Namespace) -> int:
    """Evaluate as `options` say; returns the exit code."""
    net = load(options.model)
    if options.threads is not None:
        cpu.set_threads(options.threads)
    spec = net.data_spec or {}
    X, y = _read(options, net, spec)
    if spec.get("classes") is None and not net.loss.classification and options.labels is None:
        _quantity(net, X, y)
    else:
        _classes(net, X, y, spec)
    return 0


def _read(options: Namespace, net: Sequential, spec: Config) -> tuple[Array, Array]:
    """Inputs and targets: of a table both are in one file, of images the labels in another."""
    if predict.is_table(options.file, spec):
        if options.labels is not None:
            raise ValueError(f"--labels is given with the table {options.file}, whose target is a column, expected "
                             "images or arrays; leave it out")
        return _read_table(options, net, spec)
    if options.labels is None:
        raise ValueError(f"--labels is missing, expected with images or rows such as {options.file}; give --labels "
                         "FILE, a .npy or IDX file of a label for each (a table needs the ending .csv)")
    if (option := said(options, ("missing", "unknown"))) is not None:
        raise ValueError(f"{option} is given with {options.file}, which is read as an array, expected a CSV file; "
                         "leave it out")
    if spec.get("classes") is None and not net.loss.classification and net.units == 1:
        raise ValueError(f"--labels is given with {options.model}, which predicts a quantity, expected a model of "
                         "classes; compare in Python with net.evaluate")
    raw, whole = predict.read_raw(options.file, net.inputs, spec)
    X = predict.scaled(options.file, raw, whole, spec)
    y = _labels(options.labels, len(X), spec.get("classes") or range(max(net.units, 2)))
    return X, y


def _read_table(options: Namespace, net: Sequential, spec: Config) -> tuple[Array, Array]:
    name = spec.get("target")
    if name is None or spec.get("features") is None:
        raise ValueError(f"{options.model}: the model was not trained on a table, expected one that knows which column "
                         f"to compare with; evaluate it on images or rows with --labels FILE, or in Python with "
                         "net.evaluate")
    found = model_tables.read(options.file, spec, net.inputs, format_of(options), options.unknown or "refuse",
                              target=True, drop=options.missing == "drop")
    predict.tell(found.told)
    if found.dropped:
        say(f"{options.file}: {found.dropped} row{'s' * (found.dropped != 1)} with missing values left out", then="  ")
    return predict.scaled(options.file, found.X, False, spec), cast("Array", found.y)


def _labels(path: str, count: int, classes: Sequence[Any]) -> Integers:
    """(count,) places in `classes` of the labels in a .npy or IDX file."""
    labels = predict.read_npy(path) if path.lower().endswith(".npy") else datasets.read_idx(path)
    if labels.shape != (count,):
        raise ValueError(f"{path}: labels of shape {labels.shape}, expected ({count},), one for each row; give the "
                         "file of these rows' labels")
    places = {int(each): i for i, each in enumerate(classes) if isinstance(each, int)}
    if len(places) != len(classes):
        places = {i: i for i in range(len(classes))}
    wrong = [i for i, label in enumerate(labels.tolist()) if label not in places]
    if wrong:
        raise ValueError(f"{path}: label {labels[wrong[0]]} of row {wrong[0] + 1} is none of the classes that the "
                         f"model was trained on, expected one of: {', '.join(map(str, list(places)[:8]))}"
                         f"{', ...' if len(places) > 8 else ''}; correct it, or leave its row out")
    return np.array([places[label] for label in labels.tolist()], dtype=np.int64)


def _quantity(net: Sequential, X: Array, y: Array) -> None:
    """Rows, loss, R squared and errors."""
    row("rows", f"{len(y):,}")
    row("loss", f"{net.evaluate(X, y)['loss']:.6g} ({net.loss.name}, in the units of the target)")
    found = scores.quantity(net.predict(X)[:, 0].astype(np.float64), y)
    row("error", f"{found.rms:.6g} root mean square, {found.mae:.6g} mean absolute, in the units of the target")
    if found.r2 is not None:
        row("R squared", f"{found.r2:.4f} (1 is perfect, 0 is always the mean)")


def _classes(net: Sequential, X: Array, y: Array, spec: Config) -> None:
    """Rows, loss, accuracy, and a table of the classes where they are few."""
    outputs = net.predict(X)
    given = scores.classes(outputs)
    right = int((given == y).sum())
    row("rows", f"{len(y):,}")
    if net.loss.classification or net.loss.one_hot:
        row("loss", f"{net.evaluate(X, y)['loss']:.6g} ({net.loss.name})")
    row("accuracy", f"{100 * right / len(y):.2f} % ({right} of {len(y)})")
    names = [check.printable(str(each)) for each in spec.get("classes") or range(max(net.units, 2))]
    if len(names) > _FEW:
        return
    found = scores.confusion(given, y, len(names))
    wide = max(5, *map(len, names))
    print(f"\n{'class':<{wide}}  {'rows':>7}  {'recall':>8}  {'precision':>9}  most often taken for")
    for i, name in enumerate(names):
        others = found[i].copy()
        others[i] = 0
        most = f"{names[others.argmax()]} ({others.max()})" if others.any() else "-"
        print(f"{name:<{wide}}  {found[i].sum():>7,}  {_share(found[i, i], found[i].sum())}  "
              f" {_share(found[i, i], found[:, i].sum())}  {most}")
    say("recall: the share of the rows of a class that the model finds; precision: the share of the rows it gives a "
        "class to that are of it", then="  ")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:>6.2f} %" if whole else f"{'-':>8}"
