"""Numbers as other libraries keep them: columns of tables, each with a dtype of its own, and tensors.

Nothing of theirs is imported; what a value is, its attributes say. Tables are those of pandas, polars and pyarrow,
which NumPy reads in its own way: of dates beside numbers it makes numbers, of integers beside missing ones objects.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Array

_REAL = ("f", "i", "u", "b")
_ENCODE = "encode it as numbers, such as a column of 0 and 1 for each value, or leave it out"


def columns(value: Any) -> list[tuple[Any, Any]] | None:
    """[(label, column), ...] of a table; None where value is none."""
    if hasattr(value, "iloc") and hasattr(value, "columns") and hasattr(value, "dtypes"):
        return [(label, value.iloc[:, i]) for i, label in enumerate(value.columns)]  # pandas; labels may be repeated
    if hasattr(value, "get_columns") and hasattr(value, "columns"):
        return list(zip(value.columns, value.get_columns(), strict=True))  # polars
    if hasattr(value, "column_names") and hasattr(value, "columns"):
        return list(zip(value.column_names, value.columns, strict=True))  # pyarrow
    return None


def label_of(value: Any, at: Sequence[int]) -> str:
    """", column label" of the table that was passed as `value`, for the position (row, column); else ""."""
    found = columns(value) if len(at) == 2 else None
    return "" if found is None or at[1] >= len(found) else f", {found[at[1]][0]!r}"


def converted(value: Any, name: str, classes: bool = False) -> Any:
    """An array of what NumPy would make objects, or something else, of: tables whose columns differ in dtype, or have
    one of their library's, and single columns of such a dtype, with NaN where a value is missing; everything else as it
    is. classes: whether a table of one column may be of names of classes.

    Raises TypeError, naming the column, for a table with one that is not of numbers.
    """
    if isinstance(value, (np.ndarray, list, tuple)):
        return value
    if _is_nullable(value):
        return _column(value, name)
    if hasattr(value, "iloc") and hasattr(value, "dtypes") and hasattr(value, "columns"):
        kinds = {dtype.kind if isinstance(dtype, np.dtype) else "O" for dtype in value.dtypes}
        if kinds <= set(_REAL) and ("b" not in kinds or len(kinds) == 1):
            return value  # NumPy reads it, often without a copy
    found = columns(value)
    if found is None or (classes and len(found) == 1 and np.asarray(found[0][1]).dtype.kind not in _REAL):
        return value
    made = [_column(column, f"{name}[{label!r}]") for label, column in found]
    return np.column_stack(made) if made else np.empty((len(value), 0))


def refusal(value: Any, name: str, made: Array) -> TypeError | None:
    """The TypeError for a value of which NumPy makes an array, `made`, that is not of real numbers, where it was none,
    or has several dtypes; else None."""
    if hasattr(value, "collect"):
        return TypeError(f"{name} is {shown(value)}, which has not been computed, expected data; pass {name}.collect()")
    if isinstance(value, dict):
        return TypeError(
            f"{name} is {shown(value)}, expected an array of real numbers; pass "
            f"np.column_stack(list({name}.values()))"
        )
    if made.dtype.names is not None:
        return TypeError(
            f"{name} has dtype {made.dtype}, with names, expected real numbers (float, int or bool); use "
            f"np.lib.recfunctions.structured_to_unstructured({name})"
        )
    if made.dtype.kind == "O" and not made.ndim:
        return TypeError(f"{name} is {shown(value)}, expected an array of real numbers; pass a list, or an array of it")
    return None


def _is_nullable(column: Any) -> bool:
    """Whether this is a column of numbers of a dtype of pandas' own, as Int64 and double[pyarrow] are."""
    dtype: Any = getattr(column, "dtype", None)
    return hasattr(dtype, "numpy_dtype") and dtype.kind in _REAL and hasattr(column, "to_numpy")


def _column(column: Any, name: str) -> Array:
    """An array (n,) of a column; TypeError where it is not of numbers."""
    if _is_nullable(column):
        if column.isna().any():
            made: Array = column.to_numpy(dtype="float64", na_value=np.nan)
            return made
        made = column.to_numpy(dtype=column.dtype.numpy_dtype)
        return made
    array = np.asarray(column)
    if array.dtype.kind in _REAL:
        return array
    if hasattr(column, "null_count") and all(each is None or isinstance(each, bool) for each in array.tolist()):
        return array.astype(float)  # polars and pyarrow: None is NaN
    dtype = getattr(column, "dtype", getattr(column, "type", array.dtype))
    hint = _hint(dtype, array)
    raise TypeError(f"{name} has dtype {dtype}, expected real numbers (float, int or bool); {hint}")


def _hint(dtype: object, array: Array) -> str:
    """What to do about a column that is not of numbers."""
    first = next((each for each in array.ravel()[:1000].tolist() if each is not None and each == each), None)
    if str(dtype).lower().startswith(("cat", "enum", "dict")) or isinstance(first, (str, bytes)):
        return _ENCODE
    if array.dtype.kind in "mM" or isinstance(first, (datetime.date, datetime.time, datetime.timedelta)):
        return "make numbers of it, such as the days since the first one, or leave it out"
    if isinstance(first, (int, float)) or type(first).__name__ == "Decimal":  # no import for it
        return "make it a column of floats"
    return "make numbers of it, or leave it out"


def tensor_advice(value: Any, name: str) -> str:
    """How a tensor that NumPy cannot read is passed, in words, or ""."""
    listed = isinstance(value, (list, tuple)) and len(value) > 0
    one = value[0] if listed else value
    if not (hasattr(one, "detach") and hasattr(one, "cpu")):
        return f"pass {name}.get()" if not listed and hasattr(one, "__cuda_array_interface__") else ""
    dense = ".to_dense()" if getattr(one, "is_sparse", False) is True else ""
    as_float = ".float()" if "bfloat16" in str(getattr(one, "dtype", "")) else ""
    return f"pass {f'torch.stack(list({name}))' if listed else name}.detach().cpu(){dense}{as_float}.numpy()"
