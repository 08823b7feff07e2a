"""`fastbp predict`: a saved model and a file of raw data -> a line for each row, as CSV on standard output."""

import csv
import os
import sys

import numpy as np

from fastbp import check, datasets, files, foreign
from fastbp._core import cpu


def run(options):
    """Predict as `options` say; returns the exit code."""
    net = files.load(options.model)
    if options.threads is not None:
        cpu.set_threads(options.threads)
    spec = net.data_spec or {}
    raw, whole = _read(options.file, net.inputs, spec)
    X = _scaled(options.file, raw, whole, spec)
    write(net, net.predict(X), spec, sys.stdout)
    return 0


def write(net, outputs, spec, stream):
    """Write net's outputs (n, units) to a text stream: the class and its probability, or the values.

    Of names from the model's file, characters that are not printable are written as escapes, such as \\x1b.
    """
    table = csv.writer(stream, lineterminator="\n")
    probable = net.loss.link in ("softmax", "sigmoid")
    classes = [check.printable(each) if isinstance(each, str) else each for each in spec.get("classes") or ()] or None
    if classes is None and net.loss.classification:
        classes = list(range(max(net.units, 2)))
    if classes is None:
        name = check.printable(spec.get("target") or "value")
        table.writerow(["row", *([name] if net.units == 1 else [f"{name} {i}" for i in range(net.units)])])
        table.writerows([i, *(f"{value:.7g}" for value in row)] for i, row in enumerate(outputs, 1))
        return
    if outputs.shape[1] == 1:
        given = (outputs[:, 0] > 0.5).astype(int)
        sure = np.where(given, outputs[:, 0], 1 - outputs[:, 0])
    else:
        given = outputs.argmax(axis=1)
        sure = outputs[np.arange(len(outputs)), given]
    # A sigmoid trained on squared error is no probability: ten of them need not add up to one.
    table.writerow(["row", "class", "probability" if probable else "output"])
    table.writerows([i, classes[k], f"{p:.4f}"] for i, (k, p) in enumerate(zip(given, sure, strict=True), 1))


def _read(path, inputs, spec):
    """Raw values (n, inputs) and whether they are whole numbers."""
    ending = os.path.splitext(path)[1].lower()
    if ending == ".csv":
        X = datasets.load_features(path, spec.get("features"), inputs)
        return X, _whole(X)
    if ending == ".npy":
        raw = _read_npy(path)
    elif ending == ".npz":
        raise ValueError(f"{path}: an archive of several arrays; expected a single one (.npy)")
    else:
        raw = datasets.read_idx(path)
        if raw.ndim < 2:
            raise ValueError(f"{path}: an IDX file of labels, not of images; expected 2 or 3 dimensions")
    shape, image = raw.shape, spec.get("image_shape")
    if raw.ndim == 1 or (image is not None and list(shape) == list(image)):
        raw = raw[None]                                                     # one sample
    if raw.ndim == 3 and image is not None and list(raw.shape[1:]) != list(image):
        raise ValueError(f"{path}: images of {raw.shape[1]}x{raw.shape[2]}; the model expects {image[0]}x{image[1]}")
    if raw.ndim not in (2, 3) or int(np.prod(raw.shape[1:])) != inputs:
        raise ValueError(f"{path}: shape {shape}; the model expects rows of {inputs} values"
                         + (f" or images of {image[0]}x{image[1]}" if image is not None else ""))
    if not len(raw):
        raise ValueError(f"{path}: no rows (shape {shape}); expected at least one")
    return raw.reshape(len(raw), inputs), _whole(raw)


def _whole(X):
    """Whether numbers are pixels as files hold them, whole, rather than fractions of white."""
    return X.dtype.kind in "iub" or bool(X.max() > 1 and (np.floor(X) == X).all())


def _read_npy(path):
    try:
        raw = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path}: a folder; expected a .npy file; give the path of one in it") from None
    except Exception:       # NumPy's words may show what is in the file; its header may claim more than memory holds
        seems = foreign.seems(path)
        if seems == foreign.NPY:
            seems = "one of objects, or one that is damaged"
        raise ValueError(f"{path}: not a readable .npy array of numbers{seems and f'; it seems to be {seems}'}; save "
                         f"one with np.save") from None
    if not isinstance(raw, np.ndarray) or raw.dtype.kind not in "iubf":
        raise ValueError(f"{path}: an array of {getattr(raw, 'dtype', 'several arrays')}; expected real numbers")
    return raw


def _scaled(path, raw, whole, spec):
    """The rows as the model was trained on them."""
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(raw))[0])
        raise ValueError(f"{path}: row {row + 1}, value {column + 1} is {raw[row, column]}; expected finite numbers")
    if spec.get("mean") is None:
        return raw
    mean, scale = np.array(spec["mean"]), np.array(spec["scale"])
    if spec.get("image_shape") is not None:
        white = scale.max()
        low, high = raw.min(), raw.max()
        if low < 0 or high > (white if whole else 1):
            raise ValueError(f"{path}: pixels from {low:g} to {high:g}; the model expects whole numbers from 0 to "
                             f"{white:g}, or fractions from 0 to 1")
        if not whole:
            return raw
    return (raw - mean) / scale
