"""Numbers and settings that a user passes."""

from __future__ import annotations

import math
import operator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._core import cpu
from fastbp._core.shown import shown, written

if TYPE_CHECKING:
    from fastbp._check.types import Config

SEEDS = 2**64  # so many different ones: what is beyond would be taken for one of these
COUNTS = 2**256  # no number of anything is as large; products of two are still less than any float holds


def number(
    name: str,
    value: Any,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> float:
    """`value` as a finite float with minimum <= value, above < value, value <= maximum and value < below.

    Raises TypeError for what is not a real number, ValueError for NaN, infinity and values out of range.
    """
    bounds = ((">=", minimum), (">", above), ("<=", maximum), ("<", below))
    wanted = "a finite number" + "".join(
        f"{' and' if i else ''} {sign} {bound:g}"
        for i, (sign, bound) in enumerate(pair for pair in bounds if pair[1] is not None)
    )
    try:
        if isinstance(value, (bool, np.bool_, str, bytes)) or np.iscomplexobj(value) or np.ndim(value):
            raise TypeError
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} is {shown(value)}, expected {wanted}; pass a Python or NumPy real number") from None
    inside = (
        math.isfinite(result)
        and (minimum is None or result >= minimum)
        and (above is None or result > above)
        and (maximum is None or result <= maximum)
        and (below is None or result < below)
    )
    if not inside:
        raise ValueError(f"{name} is {value!r}, expected {wanted}; choose {name} in that range")
    return result


def fraction(name: str, value: Any) -> float:
    """`value` as a float with 0 <= value < 1; errors as `number`."""
    return number(name, value, minimum=0.0, below=1.0)


def integer(name: str, value: Any, minimum: int | None = None, maximum: int | None = None) -> int:
    """`value` as an int with minimum <= value <= maximum.

    Raises TypeError for what is not a whole number by type (3.0 is not), ValueError out of range.
    """
    wanted = "an integer" + (f" >= {minimum}" if minimum is not None else "")
    wanted += f"{' and' if minimum is not None else ''} <= {maximum}" if maximum is not None else ""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {shown(value)}, expected {wanted}; write it as an int, such as 16") from None
    if (minimum is not None and result < minimum) or (maximum is not None and result > maximum):
        raise ValueError(f"{name} is {written(result)}, expected {wanted}; choose {name} in that range")
    if abs(result) >= COUNTS:
        raise ValueError(f"{name} is {written(result)}, expected {wanted} that counts something; choose a smaller one")
    return result


def seed(name: str, value: Any, epochs: int = 1, before: int = 0) -> int:
    """`value` as an int that the random generator tells from all others: 0 <= value < 2^64.

    epochs: of a training that shuffles epoch e by value + e, each of which must be one as well; before: those that came
    before it.
    """
    result = integer(name, value, minimum=0, maximum=SEEDS - 1)
    if result + before + epochs > SEEDS:
        earlier = f" with the {before} epochs before" if before else ""
        raise ValueError(
            f"{name} is {result} and epochs {epochs}, expected their sum{earlier} to be at most {SEEDS}, as epoch e is "
            f"shuffled by {name} + e; choose a smaller {name}"
        )
    return result


def threads(value: Any) -> int:
    """The number of threads of a call: an int, 1 or more, or None for fb.cpu.threads(). Errors as `integer`.

    It is an upper limit, so one that the core cannot be told is as good as the largest that it can.
    """
    return cpu.threads() if value is None else min(integer("threads", value, minimum=1), cpu.MOST_THREADS)


def flag(name: str, value: Any) -> bool:
    """`value` as a bool; TypeError for anything but True and False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{name} is {shown(value)}, expected True or False; pass one of the two")


def dtype(value: Any, name: str = "dtype") -> np.dtype[Any]:
    """np.dtype float32 or float64 from a name, a NumPy type or a dtype."""
    try:
        result: np.dtype[Any] | None = np.dtype(value) if value is not None else None
    except Exception:  # a TypeError; or what was raised as NumPy wrote the value into its message
        result = None
    if result is None or result not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"{name} is {shown(value)}, expected 'float32' or 'float64'; pass one of the two")
    return np.dtype(result.type)  # the one object that `is` finds again


def settings_of(cls: Any) -> Config:
    """{name: default, or dataclasses.MISSING} of the arguments of a dataclass: what cls.settings() gives `build`."""
    return {item.name: item.default for item in fields(cls) if item.init}
