"""Targets with gaps: NaN, and what a masked array masks, where a loss is told to leave missing targets out."""

import numpy as np

from fastbp._core import cpu
from fastbp.quiet import quiet

from .arrays import not_finite


@quiet
def with_gaps(values, dtype, name):
    """values as aligned C-contiguous `dtype`, without a copy where it is, in which NaN stands for what is missing;
    refuses infinity and overflow."""
    result = np.require(values, dtype, ["C", "A"])
    if not cpu.all_finite(known(result)):
        raise not_finite(known(values), dtype, name)
    return result


def known(values):
    """values, (n, ...), with 0 where they are NaN: themselves where none is."""
    gaps = np.isnan(values)
    return np.where(gaps, values.dtype.type(0), values) if gaps.any() else values


def rows_that_are_there(values):
    """bools (n,): the rows of (n, units) in which no number is missing."""
    return ~np.isnan(values).any(axis=1)


def unmasked(values):
    """A masked array as one of floats with NaN where it is masked; everything else as it is."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values) and values.dtype.kind in "fiub":
        return values.astype(np.result_type(values.dtype, np.float32)).filled(np.nan)
    return values
