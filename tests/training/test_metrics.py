"""fastbp/_training/metrics.py: functions of the user's own, of the validation data after each epoch."""

import math

import numpy as np
import pytest
from small_network import N, bits, made

import fastbp as fb


def errors(y, p):
    return np.mean(p.argmax(1) != y)


def fit(net, X, y, many=False, **options):
    options = {"epochs": 3, "batch_size": 8, "validation_data": (X[:20], y[:20]), **options}
    return fb.fit_many([net], X, y, **options)[0] if many else net.fit(X, y, **options)


@pytest.mark.parametrize("many", [False, True])
def test_a_metric_is_of_the_targets_as_given_and_of_what_predict_says(data, many):
    X, Y, labels = data
    for y, loss in ((labels, "cross_entropy"), (np.eye(3)[labels], "cross_entropy"), (labels.astype("int8"), "mse"),
                    (Y, "mse"), (np.abs(Y), "poisson"), ((Y > 0).astype(float), "binary_cross_entropy")):
        seen, net = [], made(loss=loss)
        history = fit(net, X, y, many, metrics={"size": lambda y, p, seen=seen: seen.append((y, p)) or 2.5})
        assert history.history["size"] == [2.5] * 3
        targets, outputs = seen[-1]
        assert targets.dtype == y.dtype
        assert (targets == y[:20]).all()
        assert outputs.tobytes() == net.predict(X[:20]).tobytes()


@pytest.mark.parametrize("many", [False, True])
def test_accuracy_by_hand_is_fits(data, many):
    X, _, labels = data
    history = fit(made(loss="cross_entropy"), X, labels, many, metrics={"error": errors, "two": lambda y, p: 2})
    assert [1 - value for value in history.history["error"]] == pytest.approx(history.history["val_accuracy"])
    assert list(history.history)[-4:] == ["val_loss", "val_accuracy", "error", "two"]


def test_what_is_held_out_is_what_it_is_of(data):
    X, _, labels = data
    split, given = (made(loss="cross_entropy") for _ in range(2))
    one = split.fit(X, labels.tolist(), epochs=3, validation_split=0.3, metrics={"error": errors})
    two = given.fit(X[:35], labels[:35], epochs=3, validation_data=(X[35:], labels[35:]), metrics={"error": errors})
    assert one.history["error"] == two.history["error"]
    assert bits(split) == bits(given)


@pytest.mark.parametrize("many", [False, True])
def test_it_leaves_no_trace(data, many):
    """Masks of dropout, the order and the parameters are those of a training without it."""
    X, _, labels = data
    plain, measured = (made(loss="cross_entropy", dropout=0.3) for _ in range(2))
    options = {} if many else {"early_stopping": fb.EarlyStopping("error", patience=50, restore_best=False)}
    one = fit(plain, X, labels, many)
    two = fit(measured, X, labels, many, metrics={"error": errors}, **options)
    assert bits(plain) == bits(measured)
    assert plain._draws == measured._draws
    assert one.history["loss"] == two.history["loss"]


def test_it_may_be_monitored(data):
    X, _, labels = data
    values = iter([0.5, 0.9, 0.8, 0.7, 0.6])
    stopper = fb.EarlyStopping("f1", patience=2)
    plateau = fb.schedules.ReduceOnPlateau(0.1, 0.5, patience=0, mode="max", monitor="f1")
    history = fit(made(loss="cross_entropy"), X, labels, epochs=9, metrics={"f1": lambda y, p: next(values)},
                  early_stopping=stopper, optimizer=fb.SGD(lr=plateau))
    assert (stopper.best, stopper.best_epoch, len(history.epoch)) == (0.9, 1, 4)
    assert history.history["lr"] == [0.1, 0.1, 0.1, 0.05]


def test_a_callback_sees_it(data):
    seen = []
    fit(made(), *data[:2], metrics={"m": lambda y, p: 1}, callbacks=lambda net, epoch, logs: seen.append(logs["m"]))
    assert seen == [1.0] * 3


def test_what_it_is_given_cannot_be_changed(data):
    X, Y, labels = data

    def spoil(which):
        def f(y, p):
            with pytest.raises(ValueError, match="read-only"):
                (y, p)[which][:] = 0
            with pytest.raises(ValueError, match=r"read-only|cannot set WRITEABLE"):
                p.flags.writeable = True
            return 1

        return f

    for y in (labels.copy(), Y.copy(), Y.astype("f")):
        kept = y.copy()
        fit(made(), X, y, metrics={"a": spoil(0), "b": spoil(1)})
        assert (y == kept).all()
        assert y.flags.writeable


def test_it_is_called_in_the_callers_own_floating_point_modes(data):
    with np.errstate(divide="raise"), pytest.raises(RuntimeError, match=r"metrics\['m'\] raised FloatingPointError"):
        fit(made(), *data[:2], metrics={"m": lambda y, p: np.float64(1) / np.float64(0)})


def test_nan_is_a_value(data):
    assert math.isnan(fit(made(), *data[:2], metrics={"m": lambda y, p: math.nan}).history["m"][0])


@pytest.mark.parametrize("many, when", [(False, "epoch 1"), (True, r"epoch 1 of nets\[0\]")])
def test_one_that_raises_is_named(data, many, when):
    def fail(y, p):
        raise KeyError("gone")

    with pytest.raises(RuntimeError, match=rf"metrics\['m'\] raised KeyError after {when}: 'gone'") as caught:
        fit(made(), *data[:2], many, metrics={"m": fail})
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(TypeError, match=rf"what metrics\['m'\] returned after {when} is None, expected a number; give"):
        fit(made(), *data[:2], many, metrics={"m": lambda y, p: None})


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("metrics, kind, message", [
    ([errors], TypeError, r"metrics is \[.* expected a dict of functions f\(y, p\) -> float; pass"),
    ({"f": "f1"}, TypeError, r"metrics\['f'\] is 'f1', expected a function f\(y, p\) -> float"),
    ({"f": float}, TypeError, r"metrics\['f'\] is <class 'float'> .*, expected a function"),
    ({3: errors}, TypeError, r"a key of metrics is 3 \(int\), expected the name of a value"),
    *(({name: errors}, ValueError, f"a key of metrics is '{name}', expected another name than loss, val_loss")
      for name in ("loss", "val_loss", "lr", "accuracy", "val_accuracy", "seconds", "samples_per_second", "")),
])
def test_what_is_no_metric_is_refused_before_the_first_step(data, many, metrics, kind, message):
    net = made()
    before = bits(net)
    with pytest.raises(kind, match=message):
        fit(net, *data[:2], many, metrics=metrics)
    assert bits(net) == before


@pytest.mark.parametrize("many", [False, True])
def test_without_validation_data_there_are_none(data, many):
    net = made()
    with pytest.raises(ValueError, match=r"metrics is given \(m\) without validation data, expected both.*; pass "
                                         r"validation_data or"):
        fit(net, *data[:2], many, validation_data=None, metrics={"m": errors})
    assert bits(net) == bits(made())
    assert "loss" in fit(net, *data[:2], many, validation_data=None, metrics={}).history


def test_much_data_are_no_copies_of_it(data):
    X, Y, _ = data
    y = np.ascontiguousarray(Y[: N // 2], "f")
    seen = []
    fit(made(), *data[:2], validation_data=(X[: N // 2], y), metrics={"m": lambda y, p: seen.append(y) or 0})
    assert np.shares_memory(seen[0], y)


def test_one_output_has_the_shape_of_its_targets():
    """y - p of (n,) and (n, 1) would be all differences."""
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    shapes = []

    def mse(y, p):
        shapes.append((y.shape, p.shape))
        return np.mean((y - p) ** 2)

    for targets in (y, y[:, None]):
        history = fb.mlp(3, 1, loss="mse", seed=0).fit(X, targets, validation_split=0.5, metrics={"m": mse}).history
        assert history["m"] == pytest.approx(history["val_loss"], rel=1e-6)
    assert shapes == [((20,), (20,)), ((20, 1), (20, 1))]
