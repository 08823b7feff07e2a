"""Which rows are held out: the one rule by which a fraction of the data becomes a number of rows.

Of n rows a fraction s holds out round(n s), by Python's round; the classes of a stratified split get their parts of
exactly that number. `Sequential.fit` and the fits of expressions hold out the last rows, estimators and tables random
ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._core import caller

if TYPE_CHECKING:
    from fastbp._check.types import Array

_MOST = 5       # names that a warning lists


def held_out(fraction: float, n: int, name: str, rows: str = "rows", remedy: str = "give more rows") -> int:
    """How many of n rows a fraction holds out: round(n fraction), at least 1 and at most n - 1.

    `name` is the argument's name for messages, `rows` what they call rows, `remedy` what they say to do. Raises
    ValueError, with the numbers, where a part would be empty.
    """
    count = round(n * fraction)
    if not 0 < count < n:
        raise ValueError(
            f"{name} is {fraction} of {n} {rows if n != 1 else rows[:-1]}, of which {count} would be held out and "
            f"{n - count} left to train on, expected at least one of each; change it, or {remedy}"
        )
    return count


def split_rows(
    y: Array,
    test_size: float,
    seed: int,
    stratify: bool = True,
    name: str = "test_size",
    classes: Any = None,
    rows: str = "rows",
) -> tuple[Array, Array]:
    """Places of the rows to train on and of the `test_size` held out, both ascending; the same for the same seed on
    every machine.

    0 < test_size < 1; `name` is what messages call it, `rows` what they call
    rows. Of the n rows of y, round(n test_size) are held out. With
    stratify, y (n,) are classes, and a class of m rows gives m test_size of them, rounded up for those with the largest
    fractions and down for the others; of equal fractions, those come first that keep a row to train on, the rest in
    an order of the seed's. A UserWarning names the classes that have no row in one of the parts, by `classes` (names,
    by value) if given. Raises ValueError where a part would be empty.
    """
    fraction = check.number(name, test_size, above=0, below=1)
    seed = check.integer("seed", seed, minimum=0, maximum=2**32 - 1)
    count = held_out(fraction, len(y), name, rows, f"give more {rows}")
    # RandomState: NumPy has frozen its stream, so the parts never change with NumPy's version.
    random = np.random.RandomState(seed)
    if stratify:
        values, sizes = np.unique(y, return_counts=True)
        groups = np.split(np.argsort(y, kind="stable"), np.cumsum(sizes)[:-1])
    else:
        values, groups, sizes = None, [np.arange(len(y))], np.array([len(y)])
    groups = [random.permutation(group) for group in groups]
    counts = _apportioned(sizes, fraction, count, random)
    test = np.zeros(len(y), dtype=bool)
    for group, taken in zip(groups, counts, strict=True):
        test[group[:taken]] = True
    if stratify:
        _warn(values, sizes, counts, f"{name} {fraction:g}", classes)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _apportioned(sizes, fraction, count, random):
    """Rows held out of each class, `count` in all: the largest fractions of size times fraction are rounded up."""
    exact = sizes * fraction
    counts = np.floor(exact).astype(np.int64)
    fractions = np.round(exact - counts, 9)             # 0.3 * 10 and 0.1 * 30 are the same fraction
    last = counts + 1 == sizes                          # one more would leave nothing of the class to train on
    order = np.lexsort((random.permutation(len(sizes)), last, -fractions))
    counts[order[:count - counts.sum()]] += 1
    return counts


def _warn(values, sizes, counts, fraction, classes):
    """One warning about the classes that are in one part only."""
    told = []
    for absent, what in ((counts == 0, "to validate with"), (counts == sizes, "to train on")):
        if absent.any():
            names = [values[i] if classes is None else classes[values[i]] for i in np.flatnonzero(absent)[:_MOST]]
            more = ", ..." if absent.sum() > _MOST else ""
            has = "has" if absent.sum() == 1 else "have"
            told.append(f"{absent.sum()} of {len(values)} classes {has} no row {what} "
                        f"({', '.join(_name(each) for each in names)}{more})")
    if told:
        caller.warn(f"{fraction} of {sizes.sum()} rows holds out {counts.sum()}: {'; '.join(told)}; give these classes "
                      f"more rows, or choose another share")


def _name(value):
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 30 else text[:27] + "..."
