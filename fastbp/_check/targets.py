"""Targets and weights: labels, one-hot rows or numbers to be met, and what each sample weighs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.arrays import cast, first_bad, index_text, numeric, place_text
from fastbp._check.errstate import quiet
from fastbp._check.missing import nan_to_zero, unmasked, with_missing
from fastbp._check.numbers import number
from fastbp._core import cpu
from fastbp._core.shown import shown

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp.losses import Loss

_INT32 = np.dtype(np.int32)
_INT64 = np.dtype(np.int64)
_PIECE = 65536  # numbers looked at together, so that the look needs little memory


def targets(y: Any, n: int, loss: Loss, units: int, dtype: np.dtype[Any], name: str = "y") -> tuple[Array, bool]:
    """(array, labels): the targets of n samples as the kernel of `loss` reads them, for a network of `units` outputs.

    labels is True for integer class labels given to cross_entropy: the array is then int32 (n,). Otherwise the array
    is (n, units) of `dtype`: real or one-hot targets as they came, (n,) made a column for one unit, and integer labels
    (n,) made one-hot for a loss that compares with one-hot targets (loss.one_hot) on more than one unit. Where the loss
    ignores missing targets they are NaN.
    """
    if type(y) is np.ndarray:
        if y.ndim == 1:
            if loss.takes_labels and (y.dtype is _INT32 or y.dtype is _INT64) and y.shape[0] == n and n:
                return _labels(y, units, name), True
        elif y.dtype is dtype and y.shape == (n, units) and n:
            flags = y.flags
            if flags.c_contiguous and flags.aligned and cpu.all_finite(y):
                if loss.target_range is not None:
                    _in_range(y, loss, name)
                return y, False
    if loss.ignores_missing:
        y = unmasked(y)
    elif isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        raise ValueError(f"{name} has masked values, expected a target everywhere; {_remedy(loss, name)}")
    values = numeric(y, name, classes=True)
    if not values.size:
        raise ValueError(f"{name} is empty (shape {values.shape}), expected one target for each row of X; pass data")
    if values.ndim == 0 or values.shape[0] != n:
        raise ValueError(
            f"{name} has {values.shape[0] if values.ndim else 'no'} rows (shape {values.shape}), expected {n}, "
            f"one target for each row of X; {_turn(values, (n, units), name)}"
        )
    if values.ndim == 1:
        if is_labels(values, loss, units):
            labels = _labels(values, units, name)
            if loss.takes_labels:
                return labels, True
            hot = np.zeros((n, units), dtype)
            hot[np.arange(n), labels] = 1
            return hot, False
        if units == 1:
            values = values.reshape(n, 1)
    if values.shape != (n, units):
        raise _target_shape(values, n, loss, units, name)
    if loss.ignores_missing:
        result = with_missing(values, dtype, name)
    else:
        result = cast(values, dtype, name, _remedy(loss, name), y)
    if loss.target_range is not None:
        _in_range(nan_to_zero(result) if loss.ignores_missing else result, loss, name)
    return result, False


def _remedy(loss: Loss, name: str) -> str:
    """What to do about targets that are missing: in their place zeros, say, would be trained on."""
    if loss.takes_labels:
        return f"leave rows without {name} out"
    return f"leave rows without {name} out, or have the loss leave out what is missing: {_ignoring(loss)}"


def _ignoring(loss: Loss) -> str:
    settings = [f"{key}={value!r}" for key, value in loss.config().items() if key != "name"]
    return f"loss=fb.losses.{type(loss).__name__}({', '.join([*settings, 'missing=' + repr('ignore')])})"


def one_hot(y: Array, missing: bool = False) -> bool:
    """Whether each row of y (n, units) is a class: all 0, but for a single 1; with `missing`, each of those that are
    not all NaN, and whether there is one. Looked at in pieces: numbers to be met are seen in the first one."""
    rows = max(1, _PIECE // y.shape[1])
    if missing:
        y = y[~np.isnan(y).all(axis=1)]
    for first in range(0, len(y), rows):
        piece = y[first : first + rows]
        if not ((piece == 0) | (piece == 1)).all() or not (piece.sum(axis=1) == 1).all():
            return False
    return len(y) > 0


def is_labels(y: Array, loss: Loss, units: int) -> bool:
    """Whether y (an array) holds integer class labels (n,), rather than numbers to be met, for this loss and width."""
    return y.ndim == 1 and y.dtype.kind in "iub" and units > 1 and (loss.takes_labels or loss.one_hot)


def weights(
    sample_weight: Any,
    class_weight: Any,
    y: Array,
    n: int,
    loss: Loss,
    dtype: np.dtype[Any],
    classes: int | None = None,
) -> Array | None:
    """The weights of n samples, (n,) of `dtype`, or None where neither argument is given.

    y is what `targets` returned; `classes` the number of classes (the network's units; two for one unit), where known.
    class_weight is a dict {label: weight} (labels left out weigh 1) or a sequence with one weight a class; it needs
    class targets: labels, one-hot rows, or the zeros and ones of a binary loss. The two kinds of weight multiply.
    """
    if sample_weight is None and class_weight is None:
        return None
    result = None
    if sample_weight is not None:
        result = numeric(sample_weight, "sample_weight")
        if result.shape != (n,):
            flat = result.shape in ((n, 1), (1, n))
            hint = "use sample_weight.ravel()" if flat else "pass one weight for each row of X"
            raise ValueError(f"sample_weight has shape {result.shape}, expected ({n},); {hint}")
        result = _non_negative(cast(result, dtype, "sample_weight"), "sample_weight")
    if class_weight is not None:
        labels = _classes_of(nan_to_zero(y) if loss.ignores_missing else np.asarray(y), loss)
        if classes is None:
            classes = max(2, int(labels.max()) + 1 if np.ndim(y) == 1 else np.shape(y)[1])
        table = _class_table(class_weight, classes, dtype)
        by_class = table[labels]
        if result is None:
            return by_class
        result = _product(result, by_class)
        if not cpu.all_finite(result):
            raise ValueError(
                f"sample_weight times class_weight goes beyond {dtype} (sample {first_bad(~np.isfinite(result))[0]}), "
                "expected finite products; scale one of them down"
            )
    return result


@quiet
def _product(a: Array, b: Array) -> Array:
    return a * b


def _turn(values: Array, wanted: tuple[int, ...], name: str) -> str:
    """What to do about a y whose number of rows is wrong."""
    if values.ndim == 2 and values.T.shape == wanted:
        return f"use {name}.T"
    if values.ndim == 2 and values.shape[0] == 1 and values.size == wanted[0]:
        return f"use {name}.ravel()"
    return "pass X and y of the same length"


def _target_shape(values: Array, n: int, loss: Loss, units: int, name: str) -> ValueError | TypeError:
    """The error for a y of n rows that does not fit the loss and the outputs."""
    head = f"{name} has shape {values.shape} and dtype {values.dtype}"
    labels = loss.takes_labels or loss.one_hot
    wanted = f"({n}, {units}) for a network of {units} outputs and {loss.name}"
    if units > 1 and labels:
        wanted = f"integer labels ({n},) or {wanted}"
    elif units == 1:
        wanted = f"({n},) or {wanted}"
    if units > 1 and labels and values.ndim == 1:
        if values.dtype.kind == "f" and (missing := np.isnan(values)).any():
            at, hint = int(missing.argmax()), "leave rows without one out, then use astype(int)"
            return ValueError(f"{name}[{at}] is {values[at]}, expected a label for each row; {hint}")
        return TypeError(f"{head}, expected {wanted}; if these are class labels use {name}.astype(int)")
    if units > 1 and labels and values.shape == (n, 1):
        return ValueError(f"{head}, expected {wanted}; if these are class labels use {name}.ravel()")
    if values.ndim > 2 and math.prod(values.shape[1:]) == units:
        return ValueError(f"{head}, expected {wanted}; flatten each target with {name}.reshape(len({name}), -1)")
    return ValueError(f"{head}, expected {wanted}; reshape {name} or make the last layer as wide as the targets")


def _labels(y: Array, units: int, name: str) -> Array:
    """Integer labels (n,) as C-contiguous int32, each in 0 .. units - 1; a copy, which is what is looked at: compiled
    code finds classes by them, and what a user, a callback or a thread writes into theirs must not matter."""
    y = given = np.array(y, order="C")
    if y.dtype is not _INT32 and y.dtype is not _INT64:
        y = y.astype(_INT64)
    # Seen as unsigned, a negative label is a huge one: one search finds both kinds of error.
    unsigned = y.view(np.uint32 if y.dtype is _INT32 else np.uint64)
    if unsigned.item(unsigned.argmax()) >= units:
        at = int(((y < 0) | (y >= units)).argmax())
        hint = f"labels that begin at 1 want {name} - 1" if y[at] == units and y.min() >= 1 else "correct the label"
        raise ValueError(
            f"{name}[{at}] is {given[at]}, expected labels 0 .. {units - 1} for a network of {units} outputs; "
            f"{hint}, or make the last layer as wide as there are classes"
        )
    return y.astype(_INT32, copy=False)


def _in_range(y: Array, loss: Loss, name: str) -> None:
    """Refuses targets outside loss.target_range (low, high); high may be infinite."""
    limits: Any = loss.target_range
    low, high = limits
    at = y.argmin()
    if y.item(at) >= low:
        at = y.argmax()
        if y.item(at) <= high:
            return
    where = tuple(int(i) for i in np.unravel_index(at, y.shape))
    wanted = f"in [{low:g}, {high:g}]" if math.isfinite(high) else f">= {low:g}"
    raise ValueError(
        f"{name}[{index_text(where)}] is {y[where]} ({place_text(where)}), expected targets {wanted} for {loss.name}; "
        f"{loss.target_remedy}"
    )


def _non_negative(values: Array, name: str) -> Array:
    at = int(values.argmin())
    if values[at] < 0:
        raise ValueError(f"{name}[{at}] is {values[at]}, expected weights >= 0; use 0 to leave a sample out")
    return values


def _classes_of(y: Array, loss: Loss) -> Array:
    """The class of each row of y, or an error where y does not hold classes."""
    if y.ndim == 1 and y.dtype.kind in "iub":
        return y.astype(np.intp)
    if y.ndim == 2 and y.shape[1] == 1 and loss.classification and np.isin(y, (0, 1)).all():
        return y[:, 0].astype(np.intp)
    if y.ndim == 2 and y.shape[1] > 1 and one_hot(y):
        classes: Array = y.argmax(axis=1)
        return classes
    raise ValueError(
        f"class_weight is given, but y (shape {y.shape}, dtype {y.dtype}) with {loss.name} does not hold one class for "
        "each row, expected labels or one-hot rows; use sample_weight instead"
    )


def _class_table(class_weight: Any, classes: int, dtype: np.dtype[Any]) -> Array:
    """class_weight as a (classes,) array of `dtype`."""
    if isinstance(class_weight, dict):
        table = np.ones(classes)
        for label, weight in class_weight.items():
            if isinstance(label, (bool, str)) or not hasattr(label, "__index__"):
                raise TypeError(f"class_weight has the key {shown(label)}, expected integer labels; use 0, 1, 2 ...")
            if not 0 <= label < classes:
                raise ValueError(
                    f"class_weight has the key {label}, expected labels 0 .. {classes - 1}; drop it or correct it"
                )
            table[label] = number(f"class_weight[{label}]", weight, minimum=0.0)
    else:
        if isinstance(class_weight, (str, bytes)):
            raise TypeError(
                f"class_weight is {shown(class_weight)}, expected a dict such as {{0: 1.0, 1: 5.0}} or a sequence of "
                f"{classes} weights; pass one of the two"
            )
        table = numeric(class_weight, "class_weight")
        if table.shape != (classes,):
            raise ValueError(
                f"class_weight has shape {table.shape}, expected ({classes},), one weight for each class; "
                "pass as many weights as there are classes, or a dict"
            )
    return _non_negative(cast(table, dtype, "class_weight"), "class_weight")
