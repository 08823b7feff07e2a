"""fastbp/_training/accuracy.py, and the accuracy of evaluate: that of NumPy, of the same outputs, to the last bit."""

import math

import numpy as np
import pytest
from programs import NETWORKS

import fastbp as fb
from fastbp._models.network_evaluation import PREDICT_ROWS
from fastbp._training import accuracy
from fastbp.reference import kernels as reference

HOT = np.eye(3, dtype="float32")[[0, 2, 2, 1]]
GAPS = HOT.copy()
GAPS[1, 0] = GAPS[3] = np.nan


# ---- what counts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "labels", "target_type", "count"),
    [
        (np.array([0, 2, 1], "int32"), True, "multiclass", 3),
        (HOT, False, "multiclass", 4),
        (HOT, False, "multilabel", 12),
        (GAPS, False, "multiclass", 2),
        (GAPS, False, "multilabel", 8),
        (GAPS[3:], False, "multiclass", 0),
        (GAPS[3:], False, "multilabel", 0),
        (np.asfortranarray(GAPS), False, "multilabel", 8),
        (GAPS[::2], False, "multiclass", 2),
    ],
)
def test_what_misses_its_target_does_not_count(targets, labels, target_type, count):
    assert accuracy.counted(targets, labels, target_type) == count


def test_a_share_is_a_float_and_of_nothing_it_is_none():
    assert accuracy.accuracy_of(np.float64(2), 3) == 2 / 3
    assert type(accuracy.accuracy_of(np.float64(2), 3)) is float
    assert math.isnan(accuracy.accuracy_of(0.0, 0))


# ---- evaluate ------------------------------------------------------------------------------------------------------


def cases(rng, n, units, dtype):
    """{name: (loss, targets as given, what right answers are, what count)}."""
    labels = rng.integers(0, units, n)
    hot = np.eye(units, dtype=dtype)[labels]
    soft, yes = rng.random((n, units)).astype(dtype), rng.integers(0, 2, (n, units)).astype(dtype)
    soft[::7] = soft[::7, :1]  # all equal: the first of them
    rows, some = hot.copy(), yes.copy()
    rows[::3], some[rng.random((n, units)) < 0.2] = np.nan, np.nan
    ignoring = {"missing": "ignore"}
    return {
        "labels": ("cross_entropy", labels, lambda Y: reference.correct_labels(Y, labels, 1), n),
        "rows": ("cross_entropy", soft, lambda Y: reference.correct_multiclass(Y, soft, 1), n),
        "one-hot": ("mse", hot, lambda Y: reference.correct_multiclass(Y, hot, 1), n),
        "labels made one-hot": ("huber", labels, lambda Y: reference.correct_labels(Y, labels, 1), n),
        "yes or no": ("binary_cross_entropy", yes, lambda Y: reference.correct_multilabel(Y, yes, 1), n * units),
        "rows that miss": (fb.losses.MSE(**ignoring), rows, lambda Y: reference.correct_multiclass(Y, rows, 1),
                           n - -(-n // 3)),
        "answers that miss": (fb.losses.BinaryCrossEntropy(**ignoring), some,
                              lambda Y: reference.correct_multilabel(Y, some, 1), int((~np.isnan(some)).sum())),
    }


@pytest.mark.parametrize("scheme", NETWORKS)
@pytest.mark.parametrize("kind", cases(np.random.default_rng(0), 4, 3, "float32"))
def test_the_accuracy_of_evaluate_is_that_of_its_outputs(kind, scheme, isa, dtype, threads, rng):
    widths, _ = NETWORKS[scheme]
    n = PREDICT_ROWS + 131
    loss, targets, right, count = cases(rng, n, widths[-1], dtype)[kind]
    net = fb.mlp(*widths, loss=loss, dtype=dtype, seed=1)
    X = rng.standard_normal((n, widths[0])).astype(dtype)
    Y = net._outputs(X)[0]
    assert net.evaluate(X, targets)["accuracy"] == right(Y) / count
    weights = rng.random(n)  # which a loss has and an accuracy has not
    assert net.evaluate(X, targets, sample_weight=weights)["accuracy"] == right(Y) / count


def test_outputs_that_are_no_numbers_answer_as_numpy_has_it(dtype):
    """Its argmax takes the first NaN for the largest; NaN is above nothing."""
    bad = np.array([[np.nan, 1, 2], [3, np.nan, np.nan], [1, np.inf, np.nan], [-np.inf, -np.inf, -np.inf]], dtype)
    for row in bad:
        for label in range(3):
            net = fb.mlp(1, 3, loss="cross_entropy", dtype=dtype)
            net.layers[0].W[:], net.layers[0].b[:] = 0, row
            assert net.evaluate([[1.0]], [label])["accuracy"] == (row.argmax() == label)
            assert net.evaluate([[1.0]], np.eye(3)[[label]])["accuracy"] == (row.argmax() == label)
    net = fb.mlp(1, 3, loss="binary_cross_entropy", dtype=dtype)
    net.layers[0].W[:], net.layers[0].b[:] = 0, bad[0]
    assert net.evaluate([[1.0]], [[0.0, 1.0, 0.9]])["accuracy"] == 1


def test_each_target_type_has_a_plan_of_its_own():
    """The same network, and targets of the same shape."""
    hot, some, numbers = np.array([[0, 1], [1, 0]]), np.array([[1, 1], [0, 0]]), np.array([[0.5, 2], [3, 1]])
    net = fb.mlp(1, 2, loss="binary_cross_entropy")
    net.layers[0].W[:], net.layers[0].b[:] = 0, [1, 2]
    X, found = np.ones((2, 1)), []
    for targets in (hot, some, hot):
        found.append(net.evaluate(X, targets)["accuracy"])
    assert found == [1 / 2, 2 / 4, 1 / 2]
    net = fb.mlp(1, 2, loss="mse")
    assert ["accuracy" in net.evaluate(X, targets) for targets in (numbers, hot, numbers)] == [False, True, False]


def test_an_accuracy_of_nothing_is_no_number():
    net = fb.mlp(1, 1, loss=fb.losses.BinaryCrossEntropy(missing="ignore"))
    assert math.isnan(net.evaluate([[1.0], [2.0]], [[np.nan], [np.nan]])["accuracy"])
