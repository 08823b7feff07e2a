"""`fastbp predict`: a saved model and a file of raw data -> a line for each row, as CSV on standard output."""

from __future__ import annotations

import csv
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp import datasets
from fastbp._core import cpu
from fastbp._files import signatures
from fastbp.cli import scores
from fastbp.cli.common import say
from fastbp.cli.csv_options import format_of, said
from fastbp.datasets import model_tables
from fastbp.network import load

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from fastbp._check.types import Array, Config
    from fastbp.network import Sequential

_TABLES = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")


def is_table(path: str, spec: Config) -> bool:
    """Whether a file is read as a table: by its ending, and for a model of a table whatever is no .npy file."""
    ending = os.path.splitext(path)[1].lower()
    return ending in _TABLES or ("table" in spec and ending not in (".npy", ".npz"))


def run(options: Namespace) -> int:
    """Predict as `options` say; returns the exit code."""
    net = load(options.model)
    if options.threads is not None:
        cpu.set_threads(options.threads)
    spec = net.data_spec or {}
    if options.proba and not _says_classes(net, spec):
        raise ValueError(f"--proba is given with {options.model}, which predicts a quantity, expected a model of "
                         "classes; leave it out")
    if is_table(options.file, spec):
        found = model_tables.read(options.file, spec, net.inputs, format_of(options), options.unknown or "refuse")
        tell(found.told)
        raw, whole = found.X, _whole(found.X)
    else:
        if (option := said(options, ("unknown",))) is not None:
            raise ValueError(f"{option} is given with {options.file}, which is read as an array, expected a CSV file; "
                             "leave it out")
        raw, whole = read_raw(options.file, net.inputs, spec)
    X = scaled(options.file, raw, whole, spec)
    write(net, net.predict(X), spec, sys.stdout, options.proba)
    return 0


def tell(lines: Iterable[str]) -> None:
    """What is to be said of the reading, beside the predictions."""
    for line in lines:
        say(line, then="  ", file=sys.stderr)


def _says_classes(net: Sequential, spec: Config) -> bool:
    return spec.get("classes") is not None or net.loss.classification


def write(net: Sequential, outputs: Array, spec: Config, stream: Any, proba: bool = False) -> None:
    """Write net's outputs (n, units) to a text stream: the class and its probability, or with proba that of each class;
    or the values.

    Of names from the model's file, characters that are not printable are written as escapes, such as \\x1b.
    """
    table = csv.writer(stream, lineterminator="\n")
    if not _says_classes(net, spec):
        name = check.printable(spec.get("target") or "value")
        table.writerow(["row", *([name] if net.units == 1 else [f"{name} {i}" for i in range(net.units)])])
        table.writerows([i, *(f"{value:.7g}" for value in row)] for i, row in enumerate(outputs, 1))
        return
    classes = [check.printable(each) if isinstance(each, str) else each
               for each in spec.get("classes") or range(max(net.units, 2))]
    # A sigmoid trained on squared error is no probability: ten of them need not add up to one.
    what = "probability" if net.loss.link in ("softmax", "sigmoid") else "output"
    given = scores.classes(outputs)
    if outputs.shape[1] == 1:
        outputs = np.hstack([1 - outputs, outputs])
    if proba:
        table.writerow(["row", "class", *(f"{what} {name}" for name in classes)])
        table.writerows([i, classes[k], *(f"{p:.6g}" for p in row)]
                        for i, (k, row) in enumerate(zip(given, outputs, strict=True), 1))
        return
    sure = outputs[np.arange(len(outputs)), given]
    table.writerow(["row", "class", what])
    table.writerows([i, classes[k], f"{p:.4f}"] for i, (k, p) in enumerate(zip(given, sure, strict=True), 1))


def read_raw(path: str, inputs: int, spec: Config) -> tuple[Array, bool]:
    """Raw values (n, inputs) of an array or IDX file, and whether they are whole numbers."""
    ending = os.path.splitext(path)[1].lower()
    if ending == ".npy":
        raw = read_npy(path)
    elif ending == ".npz":
        raise ValueError(f"{path}: an archive of several arrays, expected a single one (.npy); save it with np.save")
    else:
        raw = datasets.read_idx(path)
        if raw.ndim < 2:
            raise ValueError(f"{path}: an IDX file of labels, not of images, expected 2 or 3 dimensions; give the "
                             "images' file")
    shape, image = raw.shape, spec.get("image_shape")
    if raw.ndim == 1 or (image is not None and list(shape) == list(image)):
        raw = raw[None]                                                     # one sample
    if raw.ndim == 3 and image is not None and list(raw.shape[1:]) != list(image):
        raise ValueError(f"{path}: images of {raw.shape[1]}x{raw.shape[2]}, expected {image[0]}x{image[1]}, as the "
                         "model was trained on; scale or crop them")
    if raw.ndim not in (2, 3) or int(np.prod(raw.shape[1:])) != inputs:
        images = f" or images of {image[0]}x{image[1]}" if image is not None else ""
        raise ValueError(f"{path}: an array of shape {shape}, expected rows of {inputs} values{images}, as the model "
                         "has inputs; reshape it, or give another file")
    if not len(raw):
        raise ValueError(f"{path}: no rows (shape {shape}), expected at least one; give a file that has some")
    return raw.reshape(len(raw), inputs), _whole(raw)


def _whole(X: Array) -> bool:
    """Whether numbers are pixels as files hold them, whole, rather than fractions of white."""
    return X.dtype.kind in "iub" or bool(X.max() > 1 and (np.floor(X) == X).all())


def read_npy(path: str) -> Array:
    try:
        raw = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, expected a .npy file; correct the path") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path}: a folder, expected a .npy file; give the path of one in it") from None
    except Exception:       # NumPy's words may show what is in the file; its header may claim more than memory holds
        seems = signatures.seems(path)
        if seems == signatures.NPY:
            seems = "one of objects, or one that is damaged"
        raise ValueError(f"{path}: not a readable .npy array of numbers{seems and f' (it seems to be {seems})'}, "
                         f"expected one; save it with np.save") from None
    if not isinstance(raw, np.ndarray) or raw.dtype.kind not in "iubf":
        raise ValueError(f"{path}: an array of {getattr(raw, 'dtype', 'several arrays')}, expected real numbers; save "
                         f"it as some, with astype(float)")
    return raw


def scaled(path: str, raw: Array, whole: bool, spec: Config) -> Array:
    """The rows as the model was trained on them."""
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(raw))[0])
        raise ValueError(f"{path}: row {row + 1}, value {column + 1} is {raw[row, column]}, expected finite numbers; "
                         f"correct it, or leave its row out")
    if spec.get("mean") is None:
        return raw
    mean, scale = np.array(spec["mean"]), np.array(spec["scale"])
    if spec.get("image_shape") is not None:
        white = scale.max()
        low, high = raw.min(), raw.max()
        if low < 0 or high > (white if whole else 1):
            raise ValueError(f"{path}: pixels from {low:g} to {high:g}, expected whole numbers from 0 to {white:g}, or "
                             f"fractions from 0 to 1, as the model was trained on; scale them")
        if not whole:
            return raw
    X: Array = (raw - mean) / scale
    return X
