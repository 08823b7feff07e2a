"""CSV files: read for training, split, and read again by what the model's file would say of them.

The first byte of an input says with which options; the rest is the file.
"""

import io
import math
import warnings
import zlib

import numpy as np

from fastbp.datasets import Format, load_csv, load_features, model_tables
from fastbp.datasets.tables import load_points
from fuzz.judge import attempt, check
from fuzz.mutation import changed_bytes

CORPUS = "csv"
OPTIONS = [
    {}, {"missing": "median"}, {"missing": "drop"}, {"words": ["a"]}, {"dates": ["b"]}, {"units": ["a"]},
    {"dates": ["b"], "date_order": "dmy", "missing": "drop"}, {"dates": ["b"], "date_order": "mdy"}, {"ignore": ["b"]},
    {"task": "regression", "missing": "median"}, {"task": "classification", "missing": "median"}, {"categorical": 2},
    {"format": Format(header=False), "missing": "median"}, {"format": Format(separator=";", decimal=",")},
    {"format": Format(decimal=","), "missing": "median"}, {"format": Format(encoding="latin-1"), "missing": "drop"},
    {"format": Format(encoding="utf-16"), "missing": "drop"}, {"units": ["t"], "missing": "median"},
]  # fmt: skip
WORDS = [b"1", b"2.5", b"-3", b"1.234", b"1,5", b"1.234,56", b"1 234", b"1'000", b"", b"NA", b"?", b"-", b"yes",
         b"no", b"true", b"red", b"blue", b"\xc3\xa9", b"\xe9", b'"x,y"', b'"', b"12 %", b"$5", b"7 kg",
         b"2024-01-02", b"1/2/2024", b"31.12.1999", b"0001-01-01", b"9999-12-31", b"2024-02-30", b"1e5", b"1e999",
         b"-inf", b"nan", b"0x10", b"1_000", b"\xef\xbc\x91", b"\xd9\xa1", b"9" * 400, b"\xe2\x88\x921", b"=1+1",
         b"\0", b"\x1a"]  # fmt: skip


def mutate(data, rng):
    """Changes of bytes, of cells, of lines, of separators and of the options."""
    data = data or b"\0"
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        first, text, kind = data[:1], data[1:], rng.randrange(10)
        lines = text.split(b"\n")
        at = rng.randrange(len(lines))
        cells = lines[at].split(b",")
        if kind == 0:
            first = bytes([rng.randrange(256)])
        elif kind <= 2:
            text = changed_bytes(text, rng)
        elif kind <= 6:
            cells[rng.randrange(len(cells))] = rng.choice(WORDS)
            lines[at] = b",".join(cells)
            text = b"\n".join(lines)
        elif kind == 7:
            lines[at:at] = [lines[rng.randrange(len(lines))]] * rng.choice((1, 1, 3, 30))
            text = b"\n".join(lines)
        elif kind == 8:
            column, word = rng.randrange(len(cells)), rng.choice(WORDS)
            for i in range(1, len(lines)):
                row = lines[i].split(b",")
                if column < len(row):
                    row[column] = word if rng.random() < 0.5 else row[column]
                lines[i] = b",".join(row)
            text = b"\n".join(lines)
        else:
            old, new = rng.choice(((b",", b";"), (b",", b"\t"), (b"\n", b"\r\n"), (b"\n", b"\r"), (b".", b",")))
            text = text.replace(old, new)
        data = first + text[:3000]
    return data


def run(data):
    """Whether it was read for training."""
    options, text = OPTIONS[data[0] % len(OPTIONS)] if data else {}, data[1:]
    target = "3" if "format" in options and options["format"].header is False else "t"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        taken, table = attempt(load_csv, io.BytesIO(text), target, **options)
        if zlib.crc32(data) % 4 == 0:
            attempt(load_features, io.BytesIO(text), ["a"], None, options.get("format"))
            attempt(load_points, io.BytesIO(text), options.get("format"))
        if not taken:
            return False
        check(
            len(table.X) == len(table.y) > 0 and table.X.shape[1] == len(table.features), "other shapes than are said"
        )
        check(options.get("missing") == "median" or np.isfinite(table.X).all(), "numbers that are not finite")
        if table.classes is not None:
            check(table.y.min() >= 0 and table.y.max() < len(table.classes), "a class that is none")
        else:
            check(np.isfinite(table.y).all(), "a target that is not finite")
        split, parts = attempt(table.split, 0.25)
        if split:
            again(table, parts, text, options)
    return True


def again(table, data, text, options):
    """The same file for the model that was trained on it gives the same inputs, but for rows that were left out."""
    check(len(data.X_train) + len(data.X_test) == len(table.X), "rows got lost")
    check(np.isfinite(data.X_train).all() and np.isfinite(data.X_test).all(), "standardised numbers are not finite")
    width = len(table.features)
    how = {"target": True, "drop": options.get("missing") == "drop"}
    taken, read = attempt(model_tables.read, io.BytesIO(text), data.data_spec, width, options.get("format"), **how)
    if not taken or len(read.X) != len(table.X):
        return
    there = ~np.isnan(table.X)
    check(np.array_equal(read.X[there], table.X[there]), "other numbers when they are read again")
    if read.y is not None and not (table.classes is None and math.isnan(read.y.sum())):
        check(np.array_equal(read.y, table.y), "other targets when they are read again")
