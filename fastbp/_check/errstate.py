"""NumPy's floating-point warnings switched off for our own code, whatever the user's np.seterr and filters are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np

_P = ParamSpec("_P")
_T = TypeVar("_T")


def quiet(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """`function`, whose results may underflow, overflow or be NaN without a warning or an error of NumPy's: what is not
    finite is looked for where it matters, and said in our words.

    The caller's np.seterr holds again afterwards. It holds inside of the user's own functions too - callbacks,
    schedules - so a function that calls one of these is not made quiet; the arithmetic around it is.

    np.errstate is a decorator itself, but before NumPy 2 one that forgets the caller's state where calls are nested.
    """

    @functools.wraps(function)
    def quietly(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return quietly
