"""The checks of what a user passes in: every array, number and name from outside goes through here, once.

Every message names the argument, what came, what was expected and what to do about it. Wrong values and shapes raise
ValueError, wrong dtypes and types TypeError, always before anything is allocated or changed. This is also the only
place that copies or casts a user's array, and it does so only where the array is not already aligned, C-contiguous
and of the network's dtype; fastbp/sources.py, the first to look at inputs, says which others are used as they are.
"""

from .arrays import array, data, indices, not_finite, numeric, rows, rows_of
from .memory import apart, vectors
from .numbers import build, choice, dtype, flag, fraction, integer, number, settings_of, shown
from .targets import is_labels, targets, weights

__all__ = [
    "apart",
    "array",
    "build",
    "choice",
    "data",
    "dtype",
    "flag",
    "fraction",
    "indices",
    "integer",
    "is_labels",
    "not_finite",
    "number",
    "numeric",
    "rows",
    "rows_of",
    "settings_of",
    "shown",
    "targets",
    "vectors",
    "weights",
]
