"""Arrays that a user passes: what holds numbers, how it must lie, and the cast where it does not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._check.frames import converted, label_of, refusal, tensor_advice
from fastbp._core import cpu
from fastbp._core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from fastbp._check.types import Array, Integers, Shape

_INT64 = np.dtype(np.int64)
_ROWS = 4096  # rows looked at together when searching for a bad value, so that the search needs little memory


def data(X: Any, width: int, dtype: np.dtype[Any], name: str = "X", given: object = None) -> Array:
    """X as an aligned C-contiguous (n, width) array of `dtype` (np.dtype float32 or float64), n >= 1.

    X itself is returned where it is that already. given: what X was made of, if it was, for messages.
    """
    # An array that is right already must cost about a microsecond: this is on the path of a step of three.
    if type(X) is np.ndarray and X.dtype is dtype and X.ndim == 2:
        rows, columns = X.shape
        if columns == width and rows:
            flags = X.flags
            if flags.c_contiguous and flags.aligned and cpu.all_finite(X):
                return X
    array = numeric(X, name)
    if array.ndim != 2 or array.shape[1] != width or not array.size:
        raise ValueError(_data_shape(array, width, name))
    return cast(array, dtype, name, given=X if given is None else given)


def array(name: str, value: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """`value` as an aligned C-contiguous array of exactly this shape and dtype, all finite; never broadcast."""
    result = numeric(value, name)
    if result.shape != tuple(shape):
        hint = "transpose it" if result.T.shape == tuple(shape) else "reshape it, or np.broadcast_to(...) it"
        raise ValueError(f"{name} has shape {result.shape}, expected {tuple(shape)}; {hint}")
    return cast(result, dtype, name)


def indices(value: Any, limit: int, name: str) -> NDArray[np.int32]:
    """Integers (n,) or (n, 1) with 0 <= value < limit, as an int32 array (n, 1), a copy: compiled code finds rows by
    them, and what a user writes into theirs afterwards must not matter."""
    values = numeric(value, name)
    if values.dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers below {limit}; pass {name}.astype(int)")
    if values.ndim not in (1, 2) or not values.size or values.size != len(values):
        raise ValueError(f"{name} has shape {values.shape}, expected (n,), an integer for each sample; pass a column")
    values = np.array(values.reshape(-1, 1), order="C")  # before it is looked at: a thread may be writing into it
    low, high = values.min(), values.max()
    if low < 0 or high >= limit:
        raise ValueError(f"{name} has {low if low < 0 else high} in it, expected 0 to {limit - 1}; check the indices")
    return values.astype(np.int32, copy=False)


def rows_of(node: Any, width: int | None, what: str) -> Any:
    """A node of an expression with a row of `width` numbers (None: any) for each sample."""
    shape: Any
    batched, shape = getattr(node, "batched", None), getattr(node, "shape", ())
    if not batched or len(shape) != 1 or (width is not None and shape[0] != width):
        wanted = f"(batch, {'width' if width is None else width})"
        raise ValueError(f"{what} is called on {shown(node)}, expected a node of shape {wanted}; pass an expression")
    return node


def rows(name: str, value: Any, n: int) -> Integers:
    """Numbers of rows of n samples as an int64 (m,) copy, m >= 1, each in 0 .. n - 1; any order, repeats allowed."""
    values = numeric(value, name)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}, expected (m,) with m >= 1 numbers of rows of X; pass these")
    if values.dtype.kind not in "iu":
        hint = f"use np.flatnonzero({name})" if values.dtype.kind == "b" else f"use {name}.astype(int)"
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers, numbers of rows of X; {hint}")
    values = values.copy()  # before it is looked at: what a user writes into theirs meanwhile must not matter
    bad = (values < 0) | (values >= n)
    if bad.any():
        at = int(bad.argmax())
        raise ValueError(f"{name}[{at}] is {values[at]}, expected 0 .. {n - 1}, the rows of X; correct the number")
    return values.astype(_INT64, copy=False)


def numeric(value: Any, name: str, classes: bool = False) -> Array:
    """np.asarray(value), refused where it does not hold real numbers; with NaN where a table of another library's
    (see fastbp/_check/frames.py) has none."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked values, expected numbers everywhere; fill them with {name}.filled(...)")
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is sparse ({type(value).__name__}), expected a dense array; use {name}.toarray()")
    if value is None:
        raise TypeError(f"{name} is None, expected an array of real numbers; pass one")
    given = value if type(value) is np.ndarray else converted(value, name, classes)
    try:
        result = np.asarray(given)
    except MemoryError:
        raise
    except Exception as error:
        raise not_an_array(value, name, error) from error
    kind = result.dtype.kind
    if kind in "fiub":
        return result
    if kind == "V" and result.dtype.names is None and np.can_cast(result.dtype, np.float32):
        return result.astype(np.float32)  # of ml_dtypes: bfloat16 and others that float32 holds
    known = refusal(value, name, result)
    if known is not None:
        raise known
    if kind == "c":
        hint = f"use {name}.real, or its real and imaginary parts as two columns"
    elif classes and kind in "OUST":
        hint = f"make labels 0, 1, 2 ... of names with np.unique({name}, return_inverse=True)[1]"
    elif kind in "OUST":
        hint = f"use {name}.astype(float) where all are numbers, or encode the columns that are not"
    elif kind in "mM":
        hint = f"make numbers of it, such as the days since the first: ({name} - {name}[0]) / np.timedelta64(1, 'D')"
    else:
        hint = "make numbers of it first"
    raise TypeError(f"{name} has dtype {result.dtype}, expected real numbers (float, int or bool); {hint}")


def changed(name: str, array: Array, wanted: object) -> ValueError:
    """The error for an array that was of a dtype `wanted` when it was checked, and was given another by its owner."""
    return ValueError(
        f"{name} has become an array of dtype {array.dtype}, expected {wanted}, as when it was checked; give it back "
        "its dtype, or pass a copy of it"
    )


def not_an_array(value: Any, name: str, error: Exception) -> ValueError:
    """The error for what NumPy makes no array of: ragged lists, tensors on another device, a failing __array__."""
    ragged = _ragged(value)
    why = ragged or str(error)[:100]
    remedy = "make every row as long as the first" if ragged else "make a NumPy array of it first"
    return ValueError(
        f"{name} is not an array ({why}), expected real numbers in rows of equal length; "
        f"{tensor_advice(value, name) or remedy}"
    )


def _ragged(value: Any) -> str:
    """In words, which row of a list is not as the first one, or ""."""
    if not isinstance(value, (list, tuple)):
        return ""
    sizes = [len(row) if hasattr(row, "__len__") else None for row in value]
    other = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
    if other is None:
        return "its rows hold lists of different lengths" if sizes and sizes[0] is not None else ""
    first, odd = (
        "is no list" if size is None else f"has {size} item{'s' * (size != 1)}" for size in (sizes[0], sizes[other])
    )
    return f"row 0 {first}, row {other} {odd}"


@quiet
def cast(values: Array, dtype: np.dtype[Any], name: str, remedy: str | None = None, given: object = None) -> Array:
    """values as aligned C-contiguous `dtype`, without a copy where it is; refuses NaN, infinity and overflow. remedy,
    given: as for `not_finite`."""
    result = np.require(values, dtype, ["C", "A"])
    if cpu.all_finite(result):
        return result
    if not values.ndim:
        raise ValueError(f"{name} is {values}, expected a finite number that {dtype} can hold; pass another")
    raise not_finite(values, dtype, name, remedy=remedy, given=given)


@quiet
def not_finite(
    values: Array, dtype: np.dtype[Any], name: str, scale: float = 1.0, remedy: str | None = None, given: object = None
) -> ValueError:
    """The error for `values`, of which one is NaN or infinite, or becomes so as `dtype` or times `scale`. remedy: what
    to do about NaN and infinity, in words; given: the table that the values are of, if they are of one."""
    for start in range(0, len(values), _ROWS):
        block = values[start : start + _ROWS]
        bad = ~np.isfinite(block.astype(dtype) * dtype.type(scale))
        if not bad.any():
            continue
        at = first_bad(bad, start)
        head = f"{name}[{index_text(at)}] is {values[at]} ({place_text(at)}{label_of(given, at)})"
        if np.isfinite(values[at]):
            return ValueError(
                f"{head}, which {'times input_scale ' * (scale != 1)}overflows {dtype}, expected at most "
                f"{np.finfo(dtype).max / scale:.3g}; scale {name} down or make the network with dtype='float64'"
            )
        if np.isinf(values[at]):  # which is no gap, and as the largest number there is no better
            remedy = "correct it, or leave its row out"
        remedy = remedy or f"drop or fill such values, for example with np.nan_to_num({name})"
        return ValueError(f"{head}, expected finite numbers; {remedy}")
    return ValueError(f"{name} changed while it was being checked, expected finite numbers; pass a copy of it")


def first_bad(bad: Array, start: int = 0) -> Shape:
    """The position of the first True of `bad`, whose rows begin at row `start`, as a tuple of ints."""
    first, *rest = (int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
    return first + start, *rest


def index_text(at: Sequence[int]) -> str:
    return ", ".join(map(str, at))


def place_text(at: Sequence[int]) -> str:
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"position {index_text(at)}"


def _data_shape(values: Array, width: int, name: str) -> str:
    """The message for an X of the wrong shape."""
    shape = values.shape
    if not values.size:
        return f"{name} is empty (shape {shape}), expected at least one row of {width}; pass data"
    head = f"{name} has shape {shape}, expected (n, {width}), one row for each sample; "
    if values.ndim == 1 and width == 1:
        return head + f"for a single column use {name}.reshape(-1, 1)"
    if values.ndim == 1 and shape[0] == width:
        return head + f"for one sample use {name}.reshape(1, -1)"
    if values.ndim > 2 and math.prod(shape[1:]) == width:
        return head + f"flatten each sample with {name}.reshape(len({name}), -1)"
    if values.ndim == 2 and shape[0] == width:
        return head + f"if samples are columns use {name}.T"
    if values.ndim == 2:
        return head + f"pass {width} columns, or make a network of {shape[1]}"
    return head + "reshape it"
