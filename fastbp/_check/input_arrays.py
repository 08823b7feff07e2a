"""Data as it is: arrays whose rows a plan reads, and where they are of another dtype converts, a batch at a time.

What a plan can read as it lies is returned itself: any dtype of `cpu.input_dtypes()` in the machine's byte order, rows
that are contiguous, whatever the distance between them - apart, backwards, windows that overlap, one row over and over
-, writable or not, in memory or mapped from a file. Everything else goes to `_check.data`, which casts it, once, to the
network's dtype, or refuses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._core import cpu

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastbp._check.types import Array

DTYPES = frozenset(np.dtype(name) for name in cpu.input_dtypes())
PIECE = 2**17  # numbers that are looked at together: their cast stays in the L2 cache, and no file is read at once


def rows(
    X: object, width: int, dtype: np.dtype[Any], name: str = "X", *, scale: float = 1.0, finite: bool = True
) -> Array:
    """X (n, width), n >= 1, as the rows that a plan of np.dtype `dtype` reads and multiplies by `scale`.

    finite=False leaves out the search for NaN and infinity in an array of `dtype`, for a caller who has another way to
    find them; what is converted is always searched. Errors as of `_check.data`; what overflows when it is converted or
    scaled is refused too.
    """
    array = X if type(X) is np.ndarray else check.numeric(X, name)
    if not _lies_well(array, width):
        array = check.data(array, width, dtype, name, X)
    if (finite or array.dtype != dtype) and not all_finite(array, dtype, scale):
        raise check.not_finite(array, dtype, name, scale, given=X)
    return array


def input_dtypes(
    dtype: np.dtype[Any], arrays: Mapping[str, Array], *, touching: bool = False
) -> tuple[tuple[str, str], ...]:
    """((name, dtype's character), ...) of the arrays, {name: array}, that their plan must know of: those that are not
    of `dtype`, and those whose rows lie otherwise than a plan of it expects. Products, those of a network, expect rows
    that do not overlap; touching: an expression expects them one after another. Raises ValueError for what is of no
    dtype that a plan reads: its owner has changed it since it was checked."""
    found = []
    for name, array in arrays.items():
        if array.dtype == dtype:
            if array.flags.c_contiguous or (not touching and _apart(array)):
                continue
        elif array.dtype not in DTYPES:
            raise check.changed(name, array, f"one of {', '.join(sorted(map(str, DTYPES)))}")
        found.append((name, array.dtype.char))
    return tuple(found)


def all_finite(array: Array, dtype: np.dtype[Any], scale: float = 1.0) -> bool:
    """Whether all numbers of such rows are finite, and stay so as np.dtype `dtype` and times `scale`."""
    if array.dtype.kind != "f" and scale <= 1:
        return True
    array = _seen_once(array)
    if array.dtype == dtype and array.flags.c_contiguous and scale <= 1:
        return cpu.all_finite(array)
    step = max(1, PIECE // array.shape[1])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return all(
            cpu.all_finite(np.multiply(array[start : start + step].astype(dtype), dtype.type(scale)))
            for start in range(0, len(array), step)
        )


def _lies_well(array: Array, width: int) -> bool:
    """Whether a plan can read the rows of this array where they are."""
    if array.ndim != 2 or array.shape[1] != width or not array.size or array.dtype not in DTYPES:
        return False
    if array.flags.c_contiguous:
        return array.flags.aligned
    item, (between, along) = array.itemsize, array.strides
    return (along == item or width == 1) and between % item == 0 and array.flags.aligned


def _apart(array: Array) -> bool:
    """Whether each row begins behind the end of the one before it."""
    return array.ndim == 1 or array.strides[0] >= array.shape[1] * array.itemsize


def _seen_once(array: Array) -> Array:
    """The numbers of these rows, (k, 1) where rows overlap: each is looked at once, not once for each row it is in."""
    (n, width), item, between = array.shape, array.itemsize, array.strides[0]
    if n == 1 or abs(between) >= width * item or (width > 1 and array.strides[1] != item):
        return array
    count = (n - 1) * abs(between) // item + width
    return np.lib.stride_tricks.as_strided(
        array if between >= 0 else array[-1:], (count, 1), (item, item), writeable=False
    )
