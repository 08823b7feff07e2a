"""The checks of what a user passes in: every array, number and name from outside goes through here, once.

Every message names the argument, what came, what was expected and what to do about it. Wrong values and shapes raise
ValueError, wrong dtypes and types TypeError, always before anything is allocated or changed. This is also the only
place that copies or casts a user's array, and it does so only where the array is not already aligned, C-contiguous
and of the network's dtype; fastbp/sources.py, the first to look at inputs, says which others are used as they are.
"""

import difflib
import math
import operator
from dataclasses import MISSING, fields

import numpy as np

from fastbp._core import cpu

_INT32 = np.dtype(np.int32)
_INT64 = np.dtype(np.int64)
_ROWS = 4096  # rows looked at together when searching for a bad value, so that the search needs little memory


# ---- numbers and names ------------------------------------------------------------------------------------------


def number(name, value, *, minimum=None, above=None, maximum=None, below=None):
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
        raise TypeError(f"{name} is {_shown(value)}, expected {wanted}; pass a Python or NumPy real number") from None
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


def fraction(name, value):
    """`value` as a float with 0 <= value < 1; errors as `number`."""
    return number(name, value, minimum=0.0, below=1.0)


def integer(name, value, minimum=None, maximum=None):
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
        raise TypeError(f"{name} is {_shown(value)}, expected {wanted}; write it as an int, such as 16") from None
    if (minimum is not None and result < minimum) or (maximum is not None and result > maximum):
        raise ValueError(f"{name} is {result}, expected {wanted}; choose {name} in that range")
    return result


def flag(name, value):
    """`value` as a bool; TypeError for anything but True and False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{name} is {_shown(value)}, expected True or False; pass one of the two")


def choice(name, value, choices):
    """`value` where it is one of `choices` (strings); otherwise an error that suggests the nearest one."""
    choices = tuple(choices)
    listed = ", ".join(choices)
    if not isinstance(value, str):
        raise TypeError(f"{name} is {_shown(value)}, expected a name; choices: {listed}")
    if value not in choices:
        near = difflib.get_close_matches(value.lower().replace("-", "_"), choices, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown {name} {value!r}; {hint}Choices: {listed}")
    return value


def dtype(value, name="dtype"):
    """np.dtype float32 or float64 from a name, a NumPy type or a dtype."""
    try:
        result = np.dtype(value) if value is not None else None
    except TypeError:
        result = None
    if result is None or result not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"{name} is {_shown(value)}, expected 'float32' or 'float64'; pass one of the two")
    return np.dtype(result.type)  # the one object that `is` finds again


def build(what, table, config):
    """The object that config() described: {"name": a key of table, then arguments of that class by name}.

    Raises TypeError where config is not a dict, ValueError for an unknown name or argument.
    """
    if not isinstance(config, dict):
        raise TypeError(f"{what} is {_shown(config)}, expected a dict such as the one config() gives; pass that")
    if "name" not in config:
        raise ValueError(f"{what} has no 'name', expected one of: {', '.join(table)}; add it")
    cls = table[choice(what, config["name"], table)]
    known = cls.settings()
    listed = ", ".join(known) or "none"
    settings = {key: value for key, value in config.items() if key != "name"}
    for key in settings:
        if key not in known:
            raise ValueError(f"{what} {config['name']!r} has no setting {key!r}, expected: {listed}; leave it out")
    for key in known:
        if known[key] is MISSING and key not in settings:
            raise ValueError(f"{what} {config['name']!r} lacks the setting {key!r}, expected: {listed}; add it")
    return cls(**settings)


def settings_of(cls):
    """{name: default, or dataclasses.MISSING} of the arguments of a dataclass: what cls.settings() gives `build`."""
    return {item.name: item.default for item in fields(cls) if item.init}


# ---- arrays -----------------------------------------------------------------------------------------------------


def data(X, width, dtype, name="X"):
    """X as an aligned C-contiguous (n, width) array of `dtype` (np.dtype float32 or float64), n >= 1.

    X itself is returned where it is that already.
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
    return _cast(array, dtype, name)


def array(name, value, shape, dtype):
    """`value` as an aligned C-contiguous array of exactly this shape and dtype, all finite; never broadcast."""
    result = numeric(value, name)
    if result.shape != tuple(shape):
        hint = "transpose it" if result.T.shape == tuple(shape) else "reshape it, or np.broadcast_to(...) it"
        raise ValueError(f"{name} has shape {result.shape}, expected {tuple(shape)}; {hint}")
    return _cast(result, dtype, name)


def targets(y, n, loss, units, dtype, name="y"):
    """(array, labels): the targets of n samples as the kernel of `loss` reads them, for a network of `units` outputs.

    labels is True for integer class labels given to cross_entropy: the array is then int32 (n,). Otherwise the array
    is (n, units) of `dtype`: real or one-hot targets as they came, (n,) made a column for one unit, and integer labels
    (n,) made one-hot for a loss that compares with one-hot targets (loss.one_hot) on more than one unit.
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
    values = numeric(y, name, classes=True)
    if not values.size:
        raise ValueError(f"{name} is empty (shape {values.shape}), expected one target for each row of X; pass data")
    if values.ndim == 0 or values.shape[0] != n:
        raise ValueError(
            f"{name} has {values.shape[0] if values.ndim else 'no'} rows (shape {values.shape}), but X has {n}; "
            f"expected one target for each row of X: {_turn(values, (n, units), name)}"
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
    result = _cast(values, dtype, name)
    if loss.target_range is not None:
        _in_range(result, loss, name)
    return result, False


def indices(value, limit, name):
    """Integers (n,) or (n, 1) with 0 <= value < limit, as an int32 array (n, 1)."""
    values = numeric(value, name)
    if values.dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers below {limit}; pass {name}.astype(int)")
    if values.ndim not in (1, 2) or not values.size or values.size != len(values):
        raise ValueError(f"{name} has shape {values.shape}, expected (n,), an integer for each sample; pass a column")
    low, high = values.min(), values.max()
    if low < 0 or high >= limit:
        raise ValueError(f"{name} has {low if low < 0 else high} in it, expected 0 to {limit - 1}; check the indices")
    return np.ascontiguousarray(values.reshape(-1, 1), dtype=np.int32)


def rows_of(node, width, what):
    """A node of an expression with a row of `width` numbers (None: any) for each sample."""
    batched, shape = getattr(node, "batched", None), getattr(node, "shape", ())
    if not batched or len(shape) != 1 or (width is not None and shape[0] != width):
        wanted = f"(batch, {'width' if width is None else width})"
        raise ValueError(f"{what} is called on {_shown(node)}, expected a node of shape {wanted}; pass an expression")
    return node


def is_labels(y, loss, units):
    """Whether y (an array) holds integer class labels (n,), rather than numbers to be met, for this loss and width."""
    return y.ndim == 1 and y.dtype.kind in "iub" and units > 1 and (loss.takes_labels or loss.one_hot)


def rows(name, value, n):
    """Numbers of rows of n samples as an int64 (m,) copy, m >= 1, each in 0 .. n - 1; any order, repeats allowed."""
    values = numeric(value, name)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} has shape {values.shape}, expected (m,) with m >= 1 numbers of rows of X; pass these")
    if values.dtype.kind not in "iu":
        hint = f"use np.flatnonzero({name})" if values.dtype.kind == "b" else f"use {name}.astype(int)"
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers, numbers of rows of X; {hint}")
    bad = (values < 0) | (values >= n)
    if bad.any():
        at = int(bad.argmax())
        raise ValueError(f"{name}[{at}] is {values[at]}, expected 0 .. {n - 1}, the rows of X; correct the number")
    return values.astype(_INT64)  # compiled code reads it: what a user writes into theirs meanwhile must not matter


def weights(sample_weight, class_weight, y, n, loss, dtype, classes=None):
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
        result = _non_negative(_cast(result, dtype, "sample_weight"), "sample_weight")
    if class_weight is not None:
        labels = _classes_of(np.asarray(y), loss)
        if classes is None:
            classes = max(2, int(labels.max()) + 1 if np.ndim(y) == 1 else np.shape(y)[1])
        table = _class_table(class_weight, classes, dtype)
        by_class = table[labels]
        if result is None:
            return by_class
        with np.errstate(over="ignore"):
            result = result * by_class
        if not cpu.all_finite(result):
            raise ValueError(
                f"sample_weight times class_weight goes beyond {dtype} (sample {_first_bad(~np.isfinite(result))[0]}), "
                "expected finite products; scale one of them down"
            )
    return result


def numeric(value, name, classes=False):
    """np.asarray(value), refused where it does not hold real numbers."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked values, expected numbers everywhere; fill them with {name}.filled(...)")
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is sparse ({type(value).__name__}), expected a dense array; use {name}.toarray()")
    if value is None:
        raise TypeError(f"{name} is None, expected an array of real numbers; pass one")
    try:
        result = np.asarray(value)
    except Exception as error:  # ragged lists, tensors on another device, objects whose __array__ fails
        raise ValueError(
            f"{name} is not an array ({str(error)[:100]}), expected real numbers in rows of equal length; "
            "make every row as long as the first"
        ) from error
    kind = result.dtype.kind
    if kind in "fiub":
        return result
    if kind == "c":
        hint = f"use {name}.real, or its real and imaginary parts as two columns"
    elif classes and kind in "OUST":
        hint = f"make labels 0, 1, 2 ... of names with np.unique({name}, return_inverse=True)[1]"
    elif kind in "OUST":
        hint = f"use {name}.astype(float) where all are numbers, or encode the columns that are not"
    else:
        hint = "make numbers of it first"
    raise TypeError(f"{name} has dtype {result.dtype}, expected real numbers (float, int or bool); {hint}")


# ---- how it is done ---------------------------------------------------------------------------------------------


def _shown(value):
    """A value as a message shows it: short, with its type."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return text if value is None or isinstance(value, (str, bool)) else f"{text} ({type(value).__name__})"


def _cast(values, dtype, name):
    """values as aligned C-contiguous `dtype`, without a copy where it is; refuses NaN, infinity and overflow."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result = np.require(values, dtype, ["C", "A"])
    if cpu.all_finite(result):
        return result
    if not values.ndim:
        raise ValueError(f"{name} is {values}, expected a finite number that {dtype} can hold; pass another")
    raise not_finite(values, dtype, name)


def not_finite(values, dtype, name, scale=1.0):
    """The error for `values`, of which one is NaN or infinite, or becomes so as `dtype` or times `scale`."""
    for start in range(0, len(values), _ROWS):
        block = values[start : start + _ROWS]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            bad = ~np.isfinite(block.astype(dtype) * dtype.type(scale))
        if not bad.any():
            continue
        at = _first_bad(bad, start)
        head = f"{name}[{_index(at)}] is {values[at]} ({_place(at)}), "
        if np.isfinite(values[at]):
            return ValueError(
                f"{head}which {'times input_scale ' * (scale != 1)}overflows {dtype}, expected at most "
                f"{np.finfo(dtype).max / scale:.3g}; scale {name} down or make the network with dtype='float64'"
            )
        remedy = f"drop or fill such values, for example with np.nan_to_num({name})"
        return ValueError(f"{head}expected finite numbers; {remedy}")
    return ValueError(f"{name} changed while it was being checked, expected finite numbers; pass a copy of it")


def _first_bad(bad, start=0):
    """The position of the first True of `bad`, whose rows begin at row `start`, as a tuple of ints."""
    first, *rest = (int(i) for i in np.unravel_index(bad.argmax(), bad.shape))
    return first + start, *rest


def _index(at):
    return ", ".join(map(str, at))


def _place(at):
    return f"row {at[0]}, column {at[1]}" if len(at) == 2 else f"position {_index(at)}"


def _data_shape(values, width, name):
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


def _turn(values, wanted, name):
    """What to do about a y whose number of rows is wrong."""
    if values.ndim == 2 and values.T.shape == wanted:
        return f"use {name}.T"
    if values.ndim == 2 and values.shape[0] == 1 and values.size == wanted[0]:
        return f"use {name}.ravel()"
    return "pass X and y of the same length"


def _target_shape(values, n, loss, units, name):
    """The error for a y of n rows that does not fit the loss and the outputs."""
    head = f"{name} has shape {values.shape} and dtype {values.dtype}, expected "
    labels = loss.takes_labels or loss.one_hot
    wanted = f"({n}, {units}) for a network of {units} outputs and {loss.name}"
    if units > 1 and labels:
        wanted = f"integer labels ({n},) or {wanted}"
    elif units == 1:
        wanted = f"({n},) or {wanted}"
    if units > 1 and labels and values.ndim == 1:
        return TypeError(f"{head}{wanted}; if these are class labels use {name}.astype(int)")
    if units > 1 and labels and values.shape == (n, 1):
        return ValueError(f"{head}{wanted}; if these are class labels use {name}.ravel()")
    if values.ndim > 2 and math.prod(values.shape[1:]) == units:
        return ValueError(f"{head}{wanted}; flatten each target with {name}.reshape(len({name}), -1)")
    return ValueError(f"{head}{wanted}; reshape {name} or make the last layer as wide as the targets")


def _labels(y, units, name):
    """Integer labels (n,) as C-contiguous int32, each in 0 .. units - 1."""
    given = y
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
    if y.dtype is _INT32:
        flags = y.flags
        if flags.c_contiguous and flags.aligned:
            return y
    return y.astype(_INT32)


def _in_range(y, loss, name):
    """Refuses targets outside loss.target_range (low, high); high may be infinite."""
    low, high = loss.target_range
    at = y.argmin()
    if y.item(at) >= low:
        at = y.argmax()
        if y.item(at) <= high:
            return
    where = tuple(int(i) for i in np.unravel_index(at, y.shape))
    wanted = f"in [{low:g}, {high:g}]" if math.isfinite(high) else f">= {low:g}"
    raise ValueError(
        f"{name}[{_index(where)}] is {y[where]} ({_place(where)}), expected targets {wanted} for {loss.name}; "
        f"{loss.target_remedy}"
    )


def _non_negative(values, name):
    at = int(values.argmin())
    if values[at] < 0:
        raise ValueError(f"{name}[{at}] is {values[at]}, expected weights >= 0; use 0 to leave a sample out")
    return values


def _classes_of(y, loss):
    """The class of each row of y, or an error where y does not hold classes."""
    if y.ndim == 1 and y.dtype.kind in "iub":
        return y.astype(np.intp)
    if y.ndim == 2 and y.shape[1] == 1 and loss.classification and np.isin(y, (0, 1)).all():
        return y[:, 0].astype(np.intp)
    if y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
        return y.argmax(axis=1)
    raise ValueError(
        f"class_weight is given, but y (shape {y.shape}, dtype {y.dtype}) with {loss.name} does not hold one class for "
        "each row, expected labels or one-hot rows; use sample_weight instead"
    )


def _class_table(class_weight, classes, dtype):
    """class_weight as a (classes,) array of `dtype`."""
    if isinstance(class_weight, dict):
        table = np.ones(classes)
        for label, weight in class_weight.items():
            if isinstance(label, (bool, str)) or not hasattr(label, "__index__"):
                raise TypeError(f"class_weight has the key {_shown(label)}, expected integer labels; use 0, 1, 2 ...")
            if not 0 <= label < classes:
                raise ValueError(
                    f"class_weight has the key {label}, expected labels 0 .. {classes - 1}; drop it or correct it"
                )
            table[label] = number(f"class_weight[{label}]", weight, minimum=0.0)
    else:
        if isinstance(class_weight, (str, bytes)):
            raise TypeError(
                f"class_weight is {class_weight!r}, expected a dict such as {{0: 1.0, 1: 5.0}} or a sequence of "
                f"{classes} weights; pass one of the two"
            )
        table = numeric(class_weight, "class_weight")
        if table.shape != (classes,):
            raise ValueError(
                f"class_weight has shape {table.shape}, expected ({classes},), one weight for each class; "
                "pass as many weights as there are classes, or a dict"
            )
    return _non_negative(_cast(table, dtype, "class_weight"), "class_weight")
