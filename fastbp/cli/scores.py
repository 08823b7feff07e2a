"""How good predictions are, in numbers that people know."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fastbp._check.types import Array, Integers


class RegressionMetrics(NamedTuple):
    """rms, mae: root mean square and mean absolute error; r2: R squared, None where the targets do not differ."""

    rms: float
    mae: float
    r2: float | None


def quantity(predicted: Array, y: Array) -> RegressionMetrics:
    """The RegressionMetrics of predicted (n,) and true y (n,) values."""
    y = np.asarray(y, dtype=np.float64)
    errors = predicted - y
    total = float(((y - y.mean()) ** 2).sum())  # total sum of squares: equal targets differ from their mean by rounding
    r2 = 1 - float((errors ** 2).sum()) / total if total > 0 and (y != y[0]).any() else None
    return RegressionMetrics(float(np.sqrt((errors ** 2).mean())), float(np.abs(errors).mean()), r2)


def classes(outputs: Array) -> Integers:
    """(n,) the class of each row of outputs (n, units): that of the largest or, of one output, whether it is above a
    half."""
    return outputs.argmax(axis=1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0.5).astype(np.intp)


def confusion(given: Array, y: Array, count: int) -> Integers:
    """(count, count) how many rows of each class (row) were given each class (column)."""
    return np.bincount(np.asarray(y) * count + given, minlength=count * count).reshape(count, count)
