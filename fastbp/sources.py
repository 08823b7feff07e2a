"""Data as it is: arrays whose rows a plan reads, and where they are of another dtype converts, a batch at a time.

What a plan can read as it lies is returned itself: any dtype of `cpu.sources()` in the machine's byte order, rows that
are contiguous, whatever the distance between them, writable or not, in memory or mapped from a file. Everything else
goes to `check.data`, which casts it, once, to the network's dtype, or refuses it.
"""

import numpy as np

from . import check
from ._core import cpu

DTYPES = frozenset(np.dtype(name) for name in cpu.sources())
PIECE = 2**17  # numbers that are looked at together: their cast stays in the L2 cache, and no file is read at once


def rows(X, width, dtype, name="X", *, scale=1.0, finite=True, apart=True):
    """X (n, width), n >= 1, as the rows that a plan of np.dtype `dtype` reads and multiplies by `scale`.

    finite=False leaves out the search for NaN and infinity in an array of `dtype`, for a caller who has another way to
    find them; what is converted is always searched. apart: whether rows of `dtype` may be further apart than they are
    long; those of other dtypes always may. Errors as of `check.data`; what overflows when it is converted or scaled is
    refused too.
    """
    array = X if type(X) is np.ndarray else check.numeric(X, name)
    if not _lies_well(array, width, dtype, apart):
        array = check.data(array, width, dtype, name)
    if finite or array.dtype != dtype:
        _refuse_not_finite(array, dtype, name, scale)
    return array


def kinds(dtype, /, **arrays):
    """((name, dtype's character), ...) of the arrays that are not of `dtype`: what their plan must know of them."""
    return tuple((name, array.dtype.char) for name, array in arrays.items() if array.dtype != dtype)


def _lies_well(array, width, dtype, apart):
    """Whether a plan can read the rows of this array where they are."""
    if array.ndim != 2 or array.shape[1] != width or not array.size or array.dtype not in DTYPES:
        return False
    if array.flags.c_contiguous:
        return array.flags.aligned
    item, (between, along) = array.itemsize, array.strides
    contiguous = along == item or width == 1
    return (apart or array.dtype != dtype) and contiguous and between >= width * item and array.flags.aligned


def _refuse_not_finite(array, dtype, name, scale):
    if array.dtype.kind != "f" and scale <= 1:
        return
    if array.dtype == dtype and array.flags.c_contiguous and scale <= 1:
        if not cpu.all_finite(array):
            raise check.not_finite(array, dtype, name)
        return
    step = max(1, PIECE // array.shape[1])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for start in range(0, len(array), step):
            piece = np.multiply(array[start : start + step].astype(dtype), dtype.type(scale))
            if not cpu.all_finite(piece):
                raise check.not_finite(array, dtype, name, scale)
