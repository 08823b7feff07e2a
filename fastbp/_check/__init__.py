"""The checks of what a user passes in: every array, number and name from outside goes through here, once.

Every message names the argument, what came, what was expected and what to do about it: "lr is -1, expected a finite
number >= 0; choose lr in that range". `shown` is how a value is shown, here and everywhere. Wrong values and shapes
raise ValueError, wrong dtypes and types TypeError, always before anything is allocated or changed. This is also the
only place that copies or casts a user's array, and it does so only where the array is not already aligned,
C-contiguous and of the network's dtype; fastbp/_check/input_arrays.py, the first to look at inputs, says which others
are used as they are.
"""

from fastbp._check.arrays import array, changed, data, indices, not_an_array, not_finite, numeric, rows, rows_of
from fastbp._check.frames import converted
from fastbp._check.memory import apart, vectors
from fastbp._check.missing import complete_rows, nan_to_zero, unmasked, with_missing
from fastbp._check.names import build, choice, nearest, settings
from fastbp._check.numbers import dtype, flag, fraction, integer, number, seed, settings_of, threads
from fastbp._check.targets import is_labels, one_hot, targets, weights
from fastbp._check.text import printable
from fastbp._core.shown import shown, written

__all__ = [
    "apart",
    "array",
    "build",
    "changed",
    "choice",
    "complete_rows",
    "converted",
    "data",
    "dtype",
    "flag",
    "fraction",
    "indices",
    "integer",
    "is_labels",
    "nan_to_zero",
    "nearest",
    "not_an_array",
    "not_finite",
    "number",
    "numeric",
    "one_hot",
    "printable",
    "rows",
    "rows_of",
    "seed",
    "settings",
    "settings_of",
    "shown",
    "targets",
    "threads",
    "unmasked",
    "vectors",
    "weights",
    "with_missing",
    "written",
]
