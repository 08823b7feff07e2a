"""Missing targets: NaN, and what a masked array masks, where a loss is told to leave them out."""

import numpy as np

from fastbp._check.arrays import not_finite
from fastbp._check.errstate import quiet
from fastbp._core import cpu


@quiet
def with_missing(values, dtype, name):
    """values as aligned C-contiguous `dtype`, without a copy where it is, in which NaN stands for what is missing;
    refuses infinity and overflow."""
    result = np.require(values, dtype, ["C", "A"])
    if not cpu.all_finite(nan_to_zero(result)):
        raise not_finite(nan_to_zero(values), dtype, name)
    return result


def nan_to_zero(values):
    """values, (n, ...), with 0 where they are NaN: themselves where none is."""
    missing = np.isnan(values)
    return np.where(missing, values.dtype.type(0), values) if missing.any() else values


def complete_rows(values):
    """bools (n,): the rows of (n, units) in which no number is missing."""
    return ~np.isnan(values).any(axis=1)


def unmasked(values):
    """A masked array as one of floats with NaN where it is masked; everything else as it is."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values) and values.dtype.kind in "fiub":
        return values.astype(np.result_type(values.dtype, np.float32)).filled(np.nan)
    return values
