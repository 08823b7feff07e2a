"""Missing targets: NaN, and what a masked array masks, where a loss is told to leave them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastbp._check.arrays import not_finite
from fastbp._check.errstate import quiet
from fastbp._core import cpu

if TYPE_CHECKING:
    from fastbp._check.types import Array, Bools


@quiet
def with_missing(values: Array, dtype: np.dtype[Any], name: str) -> Array:
    """values as aligned C-contiguous `dtype`, without a copy where it is, in which NaN stands for what is missing;
    refuses infinity and overflow."""
    result = np.require(values, dtype, ["C", "A"])
    if not cpu.all_finite(nan_to_zero(result)):
        raise not_finite(nan_to_zero(values), dtype, name)
    return result


def nan_to_zero(values: Array) -> Array:
    """values, (n, ...), with 0 where they are NaN: themselves where none is."""
    missing = np.isnan(values)
    return np.where(missing, values.dtype.type(0), values) if missing.any() else values


def complete_rows(values: Array) -> Bools:
    """bools (n,): the rows of (n, units) in which no number is missing."""
    return cast("Bools", ~np.isnan(values).any(axis=1))


def unmasked(values: object) -> Any:
    """A masked array as one of floats with NaN where it is masked; everything else as it is."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values) and values.dtype.kind in "fiub":
        made: Any = values.astype(np.result_type(values.dtype, np.float32))
        return made.filled(np.nan)
    return values
