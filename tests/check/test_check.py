"""The checks of user input: what is taken as it is, what is converted, and every message of what is refused.

A message has four parts: the argument's name, what came, what was expected, what to do. Each row of the tables below
names a piece of each.
"""

import re

import numpy as np
import pytest
from refusals import refused

from fastbp import _check as check
from fastbp import losses

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
MSE, CE, BCE, POISSON = (losses.get(name) for name in ("mse", "cross_entropy", "binary_cross_entropy", "poisson"))


# ---- numbers and names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 0.5, np.float32(0.25), np.int8(1), np.array(0.5)])
def test_number_takes_real_numbers(value):
    result = check.number("lr", value, minimum=0.0, maximum=1.0)
    assert type(result) is float and result == float(value)


@pytest.mark.parametrize("value", ["0.1", None, True, np.True_, 1j, np.complex64(1), [0.1], np.ones(1), 10**400])
def test_number_refuses_other_types(value):
    refused(TypeError, ["lr is", "expected a finite number", "pass a Python or NumPy real number"],
            check.number, "lr", value)


@pytest.mark.parametrize(
    "value, bounds, wanted",
    [
        (float("nan"), {}, "a finite number"),
        (float("inf"), {}, "a finite number"),
        (-0.1, {"minimum": 0}, "a finite number >= 0"),
        (0.0, {"above": 0}, "a finite number > 0"),
        (1.5, {"above": 0, "maximum": 1}, "a finite number > 0 and <= 1"),
        (1.0, {"minimum": 0, "below": 1}, "a finite number >= 0 and < 1"),
    ],
)
def test_number_refuses_values_out_of_range(value, bounds, wanted):
    refused(ValueError, [f"lr is {value!r}", f"expected {wanted};", "choose lr"], check.number, "lr", value, **bounds)


def test_number_takes_its_closed_bounds():
    assert check.number("a", 0, minimum=0, maximum=0) == 0.0
    assert check.fraction("rate", 0) == 0.0


def test_fraction_refuses_one():
    refused(ValueError, ["rate is 1.0", "expected a finite number >= 0 and < 1"], check.fraction, "rate", 1.0)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integer_takes_whole_numbers(value):
    result = check.integer("units", value, minimum=3, maximum=3)
    assert type(result) is int and result == 3


@pytest.mark.parametrize("value", [3.0, "3", None, True, [3]])
def test_integer_refuses_other_types(value):
    refused(TypeError, ["units is", "expected an integer >= 1", "write it as an int"],
            check.integer, "units", value, minimum=1)


@pytest.mark.parametrize("value", [0, 10])
def test_integer_refuses_values_out_of_range(value):
    refused(ValueError, [f"units is {value}", "expected an integer >= 1 and <= 9", "choose units"],
            check.integer, "units", value, minimum=1, maximum=9)


def test_flag():
    assert check.flag("nesterov", True) is True and check.flag("nesterov", np.False_) is False
    refused(TypeError, ["nesterov is 1 (int)", "expected True or False", "pass one"], check.flag, "nesterov", 1)


def test_choice_suggests_the_nearest():
    names = ("relu", "sigmoid", "leaky_relu")
    assert check.choice("activation", "relu", names) == "relu"
    for wrong, near in (("rleu", "relu"), ("Sigmoid", "sigmoid"), ("leaky-relu", "leaky_relu")):
        message = f"activation is {wrong!r}, expected one of: relu, sigmoid, leaky_relu; did you mean {near!r}?"
        refused(ValueError, [message], check.choice, "activation", wrong, names)


def test_choice_without_a_near_one():
    refused(ValueError, ["activation is 'xyzzy', expected one of: relu; choose one of them"],
            check.choice, "activation", "xyzzy", ["relu"])
    refused(TypeError, ["activation is None", "expected a name, one of: relu", "pass one"],
            check.choice, "activation", None, ["relu"])


def test_dtype():
    for name in ("float32", "float64"):
        for value in (name, np.dtype(name), getattr(np, name)):
            assert check.dtype(value) is np.dtype(name)
    for wrong in ("float16", int, None, "nonsense", 3, ">f4"):
        refused(ValueError, ["dtype is", "expected 'float32' or 'float64'", "pass one"], check.dtype, wrong)


@pytest.mark.parametrize(
    "kind, config, parts",
    [
        (TypeError, "mse", ["loss is 'mse'", "expected a dict"]),
        (ValueError, {"delta": 1.0}, ["loss has no 'name'", "expected one of: squared_error", "add it"]),
        (ValueError, {"name": "hubert"}, ["loss is 'hubert', expected one of: squared_error", "did you mean 'huber'"]),
        (ValueError, {"name": "huber", "q": 1}, ["'huber' has no setting 'q'", "expected: delta", "leave it out"]),
        (ValueError, {"name": "mse", "q": 1}, ["'mse' has no setting 'q'", "expected: missing"]),
        (ValueError, {"name": "huber", "delta": -1}, ["delta is -1", "> 0"]),
    ],
)
def test_build_refuses(kind, config, parts):
    refused(kind, parts, check.build, "loss", losses.LOSSES, config)


# ---- data -------------------------------------------------------------------------------------------------------

GOOD = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_right_data_is_returned_itself(dtype):
    X = GOOD.astype(dtype)
    assert check.data(X, 3, dtype) is X


def test_read_only_and_mapped_data_is_not_copied(tmp_path):
    X = GOOD.astype(F32)
    X.flags.writeable = False
    assert check.data(X, 3, F32) is X
    mapped = np.memmap(tmp_path / "x", F32, "w+", shape=(4, 3))
    mapped[:] = GOOD
    result = check.data(mapped, 3, F32)
    assert np.shares_memory(result, mapped) and np.array_equal(result, GOOD)


def unaligned(values):
    raw = np.zeros(values.nbytes + 1, np.uint8)
    result = raw[1:].view(values.dtype).reshape(values.shape)
    result[...] = values
    return result


@pytest.mark.parametrize(
    "X",
    [
        np.asfortranarray(GOOD.astype(F32)),
        np.repeat(GOOD.astype(F32), 2, axis=1)[:, ::2],
        np.repeat(GOOD.astype(F32), 2, axis=0)[::2],
        GOOD.astype(F32)[::-1][::-1],
        GOOD.astype(">f4"),
        GOOD.astype(">f8"),
        GOOD.astype(np.float16),
        GOOD.astype(np.longdouble),
        GOOD.astype(np.int64),
        GOOD.astype(np.uint8),
        GOOD.tolist(),
        [tuple(row) for row in GOOD],
        unaligned(GOOD.astype(F32)),
        np.ma.masked_array(GOOD),
    ],
    ids=lambda X: f"{type(X).__name__}-{getattr(X, 'dtype', '')}",
)
@pytest.mark.parametrize("dtype", [F32, F64])
def test_other_layouts_and_dtypes_just_work(X, dtype):
    result = check.data(X, 3, dtype)
    assert type(result) is np.ndarray and result.dtype is dtype and result.shape == (4, 3)
    assert result.flags.c_contiguous and result.flags.aligned
    assert np.array_equal(result, GOOD)


def test_bools_and_a_single_sample_work():
    assert check.data(GOOD > 5, 3, F32).tolist() == (GOOD > 5).astype(float).tolist()
    assert check.data(GOOD[:1], 3, F64).shape == (1, 3)


class Sparse:
    def toarray(self):
        return GOOD


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("the array is on another device")


@pytest.mark.parametrize(
    "kind, X, parts",
    [
        (ValueError, GOOD[0], ["X has shape (3,)", "expected (n, 3)", "X.reshape(1, -1)"]),
        (ValueError, np.ones(7), ["X has shape (7,)", "expected (n, 3)", "reshape it"]),
        (ValueError, np.float64(1), ["X has shape ()", "expected (n, 3)", "reshape it"]),
        (ValueError, GOOD[:, :2], ["X has shape (4, 2)", "expected (n, 3)", "pass 3 columns, or make a network of 2"]),
        (ValueError, GOOD.T, ["X has shape (3, 4)", "expected (n, 3)", "X.T"]),
        (ValueError, np.ones((5, 1, 3)), ["X has shape (5, 1, 3)", "expected (n, 3)", "X.reshape(len(X), -1)"]),
        (ValueError, GOOD[:0], ["X is empty (shape (0, 3))", "expected at least one row of 3", "pass data"]),
        (ValueError, np.ones((0, 3), F32), ["X is empty (shape (0, 3))", "expected at least one row of 3"]),
        (ValueError, [], ["X is empty (shape (0,))", "expected at least one row", "pass data"]),
        (ValueError, [[1, 2, 3], [4, 5]], ["X is not an array", "rows of equal length", "make every row as long"]),
        (ValueError, Broken(), ["X is not an array (the array is on another device)", "expected real numbers"]),
        (TypeError, None, ["X is None", "expected an array of real numbers", "pass one"]),
        (TypeError, GOOD.astype(object), ["X has dtype object", "expected real numbers", "X.astype(float)"]),
        (TypeError, GOOD.astype(complex), ["X has dtype complex128", "expected real numbers", "X.real"]),
        (TypeError, GOOD.astype(str), ["X has dtype <U", "expected real numbers", "X.astype(float)"]),
        (TypeError, GOOD.astype("S8"), ["X has dtype |S8", "expected real numbers", "X.astype(float)"]),
        (TypeError, GOOD.astype("M8[s]"), ["X has dtype datetime64", "expected real numbers", "make numbers of it"]),
        (TypeError, Sparse(), ["X is sparse (Sparse)", "expected a dense array", "X.toarray()"]),
        (
            ValueError,
            np.ma.masked_array(GOOD, GOOD > 3),
            ["X has masked values", "expected numbers everywhere", "X.filled(...)"],
        ),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", str(value)),  # the same ones in every process
)
def test_data_refuses(kind, X, parts):
    refused(kind, parts, check.data, X, 3, F32)


def test_data_of_one_column_refuses_a_vector():
    refused(ValueError, ["X has shape (4,)", "expected (n, 1)", "X.reshape(-1, 1)"], check.data, np.ones(4), 1, F32)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("source", [F32, F64, np.dtype(np.float16)])
@pytest.mark.parametrize("value, shown", [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_data_names_the_first_value_that_is_not_finite(value, shown, source, dtype):
    X = np.zeros((9000, 3), source)
    X[8191, 2] = X[8500, 0] = value
    remedy = "correct it, or leave its row out" if "inf" in shown else "np.nan_to_num(X)"
    parts = [f"X[8191, 2] is {shown} (row 8191, column 2)", "expected finite numbers", remedy]
    refused(ValueError, parts, check.data, X, 3, dtype)
    refused(ValueError, parts, check.data, np.asfortranarray(X), 3, dtype)


def test_overflow_of_a_cast_is_told_from_infinity():
    X = GOOD.copy()
    X[2, 1] = -1e300
    parts = ["X[2, 1] is -1e+300 (row 2, column 1)", "overflows float32", "expected at most 3.4e+38", "dtype='float64'"]
    refused(ValueError, parts, check.data, X, 3, F32)
    assert check.data(X, 3, F64) is X
    refused(ValueError, ["y[1, 0] is 1e+39", "overflows float32"], check.targets, [0, 1e39], 2, MSE, 1, F32)


def test_the_name_is_the_callers():
    refused(ValueError, ["dY has shape (4, 3)"], check.data, GOOD, 2, F32, name="dY")


def test_array_is_never_broadcast():
    assert np.array_equal(check.array("init", GOOD.tolist(), (4, 3), F32), GOOD)
    refused(ValueError, ["init has shape (3,)", "expected (4, 3)", "broadcast_to"],
            check.array, "init", GOOD[0], (4, 3), F32)
    refused(ValueError, ["init has shape (3, 4)", "expected (4, 3)", "transpose"],
            check.array, "init", GOOD.T, (4, 3), F32)
