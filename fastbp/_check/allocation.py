"""Memory for vectors of parameters, or an error that says how much is asked for and what to do about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._core.memory import aligned_zeros

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from fastbp._check.types import Array, Shape


def zeros(shape: int | Shape, dtype: np.dtype[Any], what: Callable[[], str], remedy: Callable[[], str]) -> Array:
    """np.zeros of this shape (an int or a tuple), from the begin of a cache line on.

    Raises MemoryError where there is no room for it, naming `what` it is for and its size. `what` and `remedy` are
    functions that give text, called only then.
    """
    try:
        return aligned_zeros(shape, dtype)
    except (MemoryError, ValueError, OverflowError):        # NumPy: too much, too many, more than an int can say
        count = math.prod(shape) if isinstance(shape, tuple) else shape
        size = count * np.dtype(dtype).itemsize
        unit = min(int(math.log(size, 1024)), 8)
        raise MemoryError(
            f"{what()} needs {size / 1024**unit:.3g} {('bytes', *(f'{c}iB' for c in 'KMGTPEZY'))[unit]} for {count:,} "
            f"numbers of {np.dtype(dtype)}, expected no more than this machine can give; {remedy()}"
        ) from None
