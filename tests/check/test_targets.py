"""fastbp/_check/targets.py: targets and weights, what is taken as it is, what is cast, and what is refused."""

import sys

import numpy as np
import pytest
from refusals import refused

from fastbp import _check as check
from fastbp import losses

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
MSE, CE, BCE, POISSON = (losses.get(name) for name in ("mse", "cross_entropy", "binary_cross_entropy", "poisson"))
GOOD = np.arange(12.0).reshape(4, 3)


# ---- targets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, F64])
def test_right_targets_are_returned_themselves(dtype):
    y = GOOD.astype(dtype)
    for loss in (MSE, CE, POISSON):
        result, labels = check.targets(y, 4, loss, 3, dtype)
        assert result is y and labels is False


def test_labels_are_copied_as_compiled_code_finds_classes_by_them():
    labels32 = np.array([0, 1, 2, 0], np.int32)
    result, labels = check.targets(labels32, 4, CE, 3, F32)
    assert np.array_equal(result, labels32) and not np.shares_memory(result, labels32) and labels is True


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", ">i8"])
def test_labels_of_every_integer_dtype(kind):
    for y in (np.array([2, 0, 1], kind), np.array([2, 9, 0, 9, 1], kind)[::2]):
        result, labels = check.targets(y, 3, CE, 3, F32)
        assert labels and result.dtype == np.int32 and result.flags.c_contiguous and result.tolist() == [2, 0, 1]


def test_labels_as_a_list_and_as_bools():
    assert check.targets([2, 0, 1], 3, CE, 3, F32)[0].tolist() == [2, 0, 1]
    assert check.targets(np.array([True, False]), 2, CE, 2, F32)[0].tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "u4", "i8", "u8", ">i4"])
@pytest.mark.parametrize("loss", [CE, MSE], ids=lambda loss: loss.name)
def test_labels_out_of_range_are_named(kind, loss):
    bad = {"i1": -1, "i2": 1000, "u8": 2**64 - 1}.get(kind, 2**16 + 1)
    values, units = [0, 1, bad, 2], 300
    parts = [f"y[2] is {bad}", "expected labels 0 .. 299 for a network of 300 outputs", "correct the label"]
    refused(ValueError, parts, check.targets, np.array(values, kind), 4, loss, units, F32)


def test_negative_labels_and_labels_from_one():
    refused(ValueError, ["y[1] is -1", "expected labels 0 .. 2", "correct"],
            check.targets, np.array([1, -1]), 2, CE, 3, F32)
    refused(ValueError, ["y[1] is 3", "expected labels 0 .. 2", "labels that begin at 1 want y - 1"],
            check.targets, [1, 3, 2], 3, CE, 3, F32)


@pytest.mark.parametrize("name", ["squared_error", "half_squared_error", "mse", "mae", "huber", "binary_cross_entropy"])
def test_labels_become_one_hot(name):
    result, labels = check.targets([1, 0, 2], 3, losses.get(name), 3, F32)
    assert labels is False and result.dtype is F32
    assert result.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_a_vector_for_one_unit_becomes_a_column():
    for y in ([1, 2], [1.5, 2.5], np.array([1, 2], np.uint8)):
        result, labels = check.targets(y, 2, MSE, 1, F64)
        assert result.shape == (2, 1) and result.dtype is F64 and result[:, 0].tolist() == list(y) and not labels
    assert check.targets([0, 1], 2, BCE, 1, F32)[0].tolist() == [[0], [1]]
    assert check.targets([[3], [4]], 2, POISSON, 1, F32)[0].tolist() == [[3], [4]]


@pytest.mark.parametrize(
    "kind, y, loss, units, parts",
    [
        (ValueError, GOOD[:3], MSE, 3, ["y has 3 rows (shape (3, 3))", "expected 4, one target", "of the same length"]),
        (ValueError, [0, 1, 2], CE, 3, ["y has 3 rows (shape (3,))", "expected 4, one target", "of the same length"]),
        (ValueError, GOOD.T, MSE, 3, ["y has 3 rows", "expected 4, one target", "y.T"]),
        (ValueError, [[0, 1, 2, 0]], CE, 3, ["y has 1 rows", "expected 4, one target", "y.ravel()"]),
        (ValueError, 3.0, MSE, 1, ["y has no rows (shape ())", "expected 4, one target for each row"]),
        (ValueError, [], CE, 3, ["y is empty (shape (0,))", "expected one target for each row of X", "pass data"]),
        (ValueError, GOOD, MSE, 2, ["y has shape (4, 3)", "expected integer labels (4,) or (4, 2)", "reshape y"]),
        (ValueError, GOOD, MSE, 1, ["y has shape (4, 3)", "expected (4,) or (4, 1)", "reshape y"]),
        (ValueError, [0, 1, 2, 0], POISSON, 3, ["y has shape (4,)", "expected (4, 3)", "reshape y"]),
        (ValueError, [[0], [1], [2], [0]], CE, 3, ["y has shape (4, 1)", "integer labels (4,)", "y.ravel()"]),
        (ValueError, GOOD[:, None], MSE, 3, ["y has shape (4, 1, 3)", "expected", "y.reshape(len(y), -1)"]),
        (TypeError, [0.0, 1, 2, 0], CE, 3, ["float64", "expected integer labels (4,)", "y.astype(int)"]),
        (TypeError, [0.0, 1, 2, 0], MSE, 3, ["float64", "expected integer labels (4,)", "y.astype(int)"]),
        (TypeError, ["a", "b", "a", "c"], CE, 3, ["y has dtype <U1", "np.unique(y, return_inverse=True)[1]"]),
        (TypeError, None, CE, 3, ["y is None", "expected an array", "pass one"]),
        (TypeError, GOOD * 1j, MSE, 3, ["y has dtype complex128", "y.real"]),
        (ValueError, [0, np.nan, 1, 2], MSE, 1, ["y[1, 0] is nan (row 1, column 0)", "expected finite"]),
        (ValueError, [-1, 1, 1, -1], BCE, 1, ["y[0, 0] is -1", "expected targets in [0, 1]", "classes 0 and 1"]),
        (ValueError, [0, 1, 1, 2], BCE, 1, ["y[3, 0] is 2", "expected targets in [0, 1]", "classes 0 and 1"]),
        (ValueError, [0, 5, -3, 2], POISSON, 1, ["y[2, 0] is -3", "expected targets >= 0", "pass counts"]),
        (ValueError, -GOOD, CE, 3, ["y[3, 2] is -11", "expected targets >= 0", "integer labels, or probabilities"]),
    ],
    ids=lambda value: None if isinstance(value, (list, np.ndarray)) else str(value)[:40],
)
def test_targets_refuse(kind, y, loss, units, parts):
    refused(kind, parts, check.targets, y, 4, loss, units, F32)


def test_the_fast_path_refuses_too():
    y = GOOD.astype(F32)
    y[2, 1] = np.nan
    refused(ValueError, ["y[2, 1] is nan"], check.targets, y, 4, MSE, 3, F32)
    refused(ValueError, ["y[3, 2] is 11.0", "in [0, 1]"], check.targets, GOOD.astype(F32), 4, BCE, 3, F32)


# ---- weights ----------------------------------------------------------------------------------------------------

LABELS = np.array([0, 2, 1, 0], np.int32)


def test_no_weights_is_none():
    assert check.weights(None, None, LABELS, 4, CE, F32) is None


def test_sample_weights():
    for given in ([1, 2, 3, 0], np.array([1, 2, 3, 0], ">f8")):
        result = check.weights(given, None, LABELS, 4, CE, F32)
        assert result.dtype is F32 and result.tolist() == [1, 2, 3, 0]
    w = np.ones(4, F32)
    assert check.weights(w, None, LABELS, 4, CE, F32) is w


@pytest.mark.parametrize("given", [[1.0, 2.0, 5.0], {1: 2, 2: 5}, {np.int64(1): 2, 2: 5}])
@pytest.mark.parametrize("y", [LABELS, np.eye(3)[LABELS], np.eye(3, dtype=int)[LABELS]])
def test_class_weights(given, y):
    result = check.weights(None, given, y, 4, CE, F32, classes=3)
    assert result.dtype is F32 and result.tolist() == [1, 5, 2, 1]
    assert check.weights([1, 2, 3, 4], given, y, 4, CE, F32).tolist() == [1, 10, 6, 4]


def test_class_weights_of_a_binary_loss():
    y, _ = check.targets([0, 1, 1], 3, BCE, 1, F32)
    assert check.weights(None, [1, 4], y, 3, BCE, F32).tolist() == [1, 4, 4]


def test_class_weights_of_one_hot_targets():
    y, _ = check.targets([0, 2, 1, 0], 4, MSE, 3, F32)
    assert check.weights(None, [1, 2, 5], y, 4, MSE, F32).tolist() == [1, 5, 2, 1]


@pytest.mark.parametrize(
    "kind, sample, classes, parts",
    [
        (ValueError, [1, 2, 3], None, ["sample_weight has shape (3,)", "expected (4,)", "one weight for each row"]),
        (ValueError, np.ones((4, 1)), None, ["sample_weight has shape (4, 1)", "expected (4,)", "ravel()"]),
        (ValueError, 1.0, None, ["sample_weight has shape ()", "expected (4,)"]),
        (ValueError, [1, -2, 3, 4], None, ["sample_weight[1] is -2.0", "expected weights >= 0", "use 0 to leave"]),
        (ValueError, [1, np.nan, 3, 4], None, ["sample_weight[1] is nan (position 1)", "expected finite"]),
        (TypeError, ["a"] * 4, None, ["sample_weight has dtype <U1", "expected real numbers"]),
        (ValueError, None, [1, 2], ["class_weight has shape (2,)", "expected (3,)", "or a dict"]),
        (ValueError, None, [1, -2, 1], ["class_weight[1] is -2.0", "expected weights >= 0"]),
        (TypeError, None, "balanced", ["class_weight is 'balanced'", "expected a dict", "sequence of 3 weights"]),
        (TypeError, None, {"0": 1}, ["class_weight has the key '0'", "expected integer labels", "use 0, 1, 2"]),
        (ValueError, None, {3: 1}, ["class_weight has the key 3", "expected labels 0 .. 2", "drop it"]),
        (ValueError, None, {1: -1}, ["class_weight[1] is -1", "expected a finite number >= 0"]),
        (TypeError, None, {1: "x"}, ["class_weight[1] is 'x'", "expected a finite number"]),
        (ValueError, [1e30] * 4, [1e30] * 3, ["sample_weight times class_weight", "finite products", "scale one"]),
    ],
    ids=lambda value: None if isinstance(value, (list, np.ndarray, dict)) else str(value)[:40],
)
def test_weights_refuse(kind, sample, classes, parts):
    refused(kind, parts, check.weights, sample, classes, LABELS, 4, CE, F32)


@pytest.mark.parametrize("y", [GOOD, GOOD[:, :1], np.ones((4, 3))])
def test_class_weights_need_classes(y):
    parts = ["class_weight is given", "does not hold one class for each row", "expected labels", "use sample_weight"]
    refused(ValueError, parts, check.weights, None, [1, 1, 1], y, 4, MSE, F32)


def test_nothing_that_is_refused_is_changed():
    X, y, w = GOOD.copy(), GOOD.copy(), np.array([1.0, -1, 1, 1])
    X[0, 0] = np.inf
    before = [a.copy() for a in (X, y, w)]
    for call in (lambda: check.data(X, 3, F32), lambda: check.targets(y, 4, BCE, 3, F32),
                 lambda: check.weights(w, None, y, 4, MSE, F64)):
        with pytest.raises(ValueError):
            call()
    assert all(np.array_equal(a, b) for a, b in zip((X, y, w), before, strict=True))


def test_right_input_takes_the_short_way(monkeypatch):
    """What is right already is never looked at twice: a step of a small network takes three microseconds."""

    def no(*arguments, **settings):
        raise AssertionError("took the long way")

    for module in ("arrays", "targets"):
        monkeypatch.setattr(sys.modules[f"fastbp._check.{module}"], "numeric", no)
    monkeypatch.setattr(check.arrays, "cast", no)
    X = GOOD.astype(F32)
    assert check.data(X, 3, F32) is X
    assert check.targets(X, 4, MSE, 3, F32)[0] is X
    for kind in (np.int32, np.int64):
        result, labels = check.targets(LABELS.astype(kind), 4, CE, 3, F32)
        assert labels and result.tolist() == LABELS.tolist()
