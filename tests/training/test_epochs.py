"""fastbp/_core/epochs.pyx: epochs that run without Python give what epochs one by one, or step by step, give."""

import copy
import itertools

import numpy as np
import pytest
from small_network import UNITS, N, bits, made

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import Use
from fastbp._core import epochs as core
from fastbp._core import stopping, updates
from fastbp._training import hints, job, loop

TIMES = ("seconds", "samples_per_second")
ONE_STEP, ANY_NUMBER = 0.0, 100.0  # seconds of a call


class InPython(fb.EarlyStopping):
    """An early stopping that is asked by Python, as any class of a user's."""


def values(history):
    """What a History holds beside times, to be compared."""
    return history.epoch, {name: each for name, each in history.history.items() if name not in TIMES}


@pytest.fixture
def calls(monkeypatch):
    """[steps] of the compiled calls that fit makes, each of which takes a millisecond."""
    steps, now = [], itertools.count(step=0.001)

    class Counted(core.Epochs):
        def run(self, *arguments):
            failure = super().run(*arguments)
            steps.append(self.done)
            return failure

    monkeypatch.setattr(job, "Epochs", Counted)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(now))
    return steps


OPTIONS = {
    "one batch": {"batch_size": 100},
    "the data as they lie": {"batch_size": 25, "shuffle": False},
    "in an order": {"batch_size": 25},
    "with a rest": {"batch_size": 16},
    "a rest as they lie": {"batch_size": 16, "shuffle": False},
    "validation": {"batch_size": 16, "validation_split": 0.3},
    "validation of one batch": {"batch_size": 100, "validation_split": 0.3},
    "weights": {"batch_size": 16, "sample_weight": np.linspace(0.5, 1.5, N), "validation_split": 0.3},
    "a schedule": {"batch_size": 16, "lr": fb.schedules.Cosine(0.1, 90)},
    "warmup": {"batch_size": 100, "lr": fb.schedules.WarmUp(fb.schedules.Exponential(0.1, 0.99), 30)},
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("name", OPTIONS)
def test_epochs_in_one_call_are_those_of_many_calls(data, name, dropout, threads, monkeypatch):
    X, _, labels = data
    options = dict(OPTIONS[name])
    lr, found = options.pop("lr", 0.05), []
    for seconds in (ONE_STEP, 1e-5, ANY_NUMBER):
        monkeypatch.setattr(job, "CALL_SECONDS", seconds)
        net = made(loss="cross_entropy", dropout=dropout, l2=0.01, l1=0.001)
        optimizer = fb.Adam(lr=copy.deepcopy(lr))
        history = net.fit(X, labels, epochs=13, optimizer=optimizer, threads=threads, **options)
        assert net.epochs == 13
        assert all(each > 0 for time in TIMES for each in history.history[time])
        found.append((values(history), bits(net), optimizer.steps, optimizer.state.tobytes(), net._draws))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0][1]["accuracy"]) == 13


def test_epochs_that_nobody_looks_at_are_one_call(data, calls):
    X, Y, _ = data
    stopping = fb.EarlyStopping("loss", 2000)
    made().fit(X, Y, epochs=1000, batch_size=16, optimizer=fb.SGD(lr=0.01), early_stopping=stopping)
    # 50 times as many as in a call of a millisecond: of whole epochs of four steps
    assert calls == [1, 3, 148, 4 * 962]


@pytest.mark.parametrize("options", [
    {"callbacks": [lambda net, epoch, logs: None]},
    {"early_stopping": InPython("loss", 50)},
    {"callbacks": [fb.EarlyStopping("loss", 50)], "early_stopping": fb.EarlyStopping("loss", 50)},
    {"optimizer": fb.SGD(lr=fb.schedules.ReduceOnPlateau(0.1))},
    {"metrics": {"f": lambda y, p: 1.0}, "validation_split": 0.2},
])  # fmt: skip
def test_what_python_is_to_see_comes_back_after_each_epoch(data, calls, options):
    made().fit(*data[:2], epochs=6, batch_size=16, **{"optimizer": fb.SGD(lr=0.01), **options})
    assert len(calls) == 7


def test_a_hook_put_on_an_early_stopping_is_called(data):
    heard, stopping = [], fb.EarlyStopping("loss", 50)
    stopping.on_epoch_begin = lambda net, epoch: heard.append(epoch)
    made().fit(*data[:2], epochs=4, early_stopping=stopping)
    assert heard == [0, 1, 2, 3]


def test_many_looks_at_many_epochs_cost_no_more_than_the_first():
    """What is looked at is as long as it must be: a slice of all epochs so far would make the last of them slow."""

    class Counted(list):
        read = 0

        def __getitem__(self, key):
            found = super().__getitem__(key)
            Counted.read += len(found) if isinstance(key, slice) else 1
            return found

    history = fb.History({"steps": 1})
    history.history["loss"] = Counted([1.0] * 10_000)
    assert [hints.stands_still(history, known) for known in range(6200, 6210)] == [0] * 10
    assert Counted.read == 0


def test_a_rate_that_is_not_as_it_must_be_comes_after_the_epochs_before_it(data, monkeypatch):
    class Bad(fb.schedules.Schedule):
        def rates(self, t):
            return np.where(t < 50, 0.01, -1.0)

    found = []
    for seconds in (ONE_STEP, 1e-5, ANY_NUMBER):
        monkeypatch.setattr(job, "CALL_SECONDS", seconds)
        net, optimizer = made(), fb.SGD(lr=Bad())
        with pytest.raises(ValueError, match="expected finite rates >= 0"):
            net.fit(*data[:2], epochs=100, batch_size=16, optimizer=optimizer)
        found.append((net.epochs, optimizer.steps // 4))
    assert set(found) == {(12, 12)}


def test_epochs_that_a_callback_sets_are_those_of_the_training_again(data):
    net, heard = made(), []

    def begin_anew(net, epoch, logs):
        heard.append(epoch)
        if epoch == 3:
            net.epochs = 0

    history = net.fit(*data[:2], epochs=8, callbacks=begin_anew)
    assert heard == history.epoch == list(range(8))
    assert net.epochs == 8


def test_what_a_callback_trains_counts_as_well(data):
    net = made()

    def more(net, epoch, logs):
        if epoch == 1:
            net.fit(*data[:2], epochs=3)

    history = net.fit(*data[:2], epochs=4, callbacks=more)
    assert history.epoch == list(range(4)) and net.epochs == 7


def test_callbacks_hear_of_the_end_whatever_is_raised_there(data, monkeypatch):
    heard = []

    class End(fb.Callback):
        def on_train_end(self, net, history):
            heard.append(len(history.epoch))

    def interrupted(*_):
        raise KeyboardInterrupt

    for owner, name in ((job.Job, "catch_up"), (job.Job, "tell"), (End, "on_train_begin")):
        stopping, net = fb.EarlyStopping("loss"), made()
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, interrupted)
            history = net.fit(*data[:2], epochs=2, callbacks=End(), early_stopping=stopping)
        assert history.interrupted
        assert stopping.best_params is None or (net.params == stopping.best_params).all()
    assert heard == [2, 0, 0]


def test_patience_may_be_any_number(data):
    stopping = fb.EarlyStopping("loss", patience=10**30)
    assert len(made().fit(*data[:2], epochs=5, early_stopping=stopping).epoch) == 5


# ---- early stopping ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restore_best", [True, False])
@pytest.mark.parametrize("patience", [0, 1, 3, 1000])
@pytest.mark.parametrize("monitor", ["loss", "accuracy", "val_loss", "val_accuracy", "lr"])
def test_early_stopping_is_the_same_without_python(data, rng, monitor, patience, restore_best, monkeypatch):
    X, labels, found = data[0], rng.integers(0, UNITS, N), []
    for kind, seconds in ((InPython, 0.05), (fb.EarlyStopping, ONE_STEP), (fb.EarlyStopping, ANY_NUMBER)):
        monkeypatch.setattr(job, "CALL_SECONDS", seconds)
        net = made(loss="cross_entropy")
        stopping = kind(monitor, patience, min_delta=0.001, restore_best=restore_best)
        optimizer = fb.SGD(lr=fb.schedules.Exponential(0.5, 0.999), momentum=0.9)
        options = {"epochs": 60, "batch_size": 16, "validation_split": 0.4, "early_stopping": stopping}
        history = net.fit(X, labels, optimizer=optimizer, **options)
        kept = None if stopping.best_params is None else stopping.best_params.tobytes()
        told = stopping.best, stopping.best_epoch, stopping.stopped_epoch, stopping.waited, kept
        found.append((values(history), bits(net), optimizer.steps, net.epochs, told))
    assert found[0] == found[1] == found[2]
    assert monitor == "lr" or (patience == 1000) == (len(found[0][0][0]) == 60)


@pytest.mark.parametrize("batch_size", [16, 100])
def test_an_early_stopping_goes_on_counting_from_call_to_call(data, batch_size):
    """best_epoch and stopped_epoch are numbers of History.epoch, which counts what the network had before."""
    net, patient = made(), fb.EarlyStopping("loss", patience=3)
    net.fit(*data[:2], epochs=5)
    optimizer = fb.SGD(lr=0.0)
    history = net.fit(*data[:2], epochs=50, batch_size=batch_size, optimizer=optimizer, early_stopping=patient)
    assert (patient.best_epoch, patient.stopped_epoch) == (5, 8)
    assert history.epoch == [5, 6, 7, 8]


def test_is_better():
    nan = float("nan")
    for value, best, least, rises, answer in [
        (1.0, None, 5.0, False, True), (nan, None, 0.0, False, False), (nan, 1.0, 0.0, True, False),
        (1.0, 2.0, 0.5, False, True), (1.5, 2.0, 0.5, False, False), (2.5, 2.0, 0.0, False, False),
        (2.5, 2.0, 0.4, True, True), (2.5, 2.0, 0.5, True, False), (1.5, 2.0, 0.0, True, False),
        (float("inf"), None, 0.0, False, True), (1.0, nan, 0.0, False, True),
    ]:  # fmt: skip
        assert stopping.is_better(value, best, least, rises) is answer


def test_an_early_stopping_at_work_elsewhere_is_refused(data):
    stopping, refused = fb.EarlyStopping("loss"), []

    def another(net, epoch, logs):
        other = made()
        before = bits(other)
        with pytest.raises(RuntimeError, match=r"EarlyStopping\(.* is at work in another training; give each one"):
            other.fit(*data[:2], early_stopping=stopping)
        refused.append(bits(other) == before)
        copy.deepcopy(stopping).on_train_begin(other)  # a copy is free

    net = made()
    net.fit(*data[:2], epochs=2, callbacks=another, early_stopping=stopping)
    assert refused == [True, True]
    made().fit(*data[:2], early_stopping=stopping)  # it is free again
    assert stopping.best_epoch == 0


# ---- a training_state by itself --------------------------------------------------------------------------------------


def test_a_call_may_end_anywhere(data):
    """The losses of an epoch that one call begins and another ends are those of one."""
    X, Y, _ = data
    found = []
    for cut in ([12], [1] * 12, [5, 7], [3, 1, 6, 2]):
        net, optimizer = made(), fb.SGD(lr=0.1)
        optimizer.bind(net.params)
        plans = [net._plans.get(Use("train", rows, gathered=True)) for rows in (16, 2)]
        training = [(plan.executable, plan.arrays({"X": X.astype("f"), "targets": Y.astype("f")})) for plan in plans]
        training_state = core.Epochs(net, optimizer, N, 16, None, True, 7)
        results = []
        for steps in cut:
            known = training_state.epoch
            assert training_state.run(training, [], optimizer.learning_rates(steps), None, 1) is None
            assert training_state.done == steps
            results += training_state.results_since(known)[:, 0].tolist()
        assert (training_state.epoch, training_state.step, training_state.steps) == (3, 0, 4)
        found.append((results, bits(net)))
    assert all(each == found[0] for each in found)
    twin = made()
    history = twin.fit(X, Y, epochs=3, batch_size=16, seed=7)
    assert found[0] == (history.history["loss"], bits(twin))


def test_orders_are_those_of_batches(data):
    net = made()
    rows = np.arange(0, N, 2)
    plan = net._plans.get(Use("train", 4, gathered=True))
    training = [(plan.executable, plan.arrays({"X": data[0].astype("f"), "targets": data[1].astype("f")}))]
    training_state = core.Epochs(net, None, 25, 4, rows, True, 11, rest=False)
    for epoch in (0, 3):
        while training_state.epoch < epoch:
            training_state.run(training, [], None, None, 1, 6)
        expected = np.concatenate([xb for xb, _ in fb.batches(rows, rows, 4, seed=11 + epoch)])
        assert np.array_equal(training_state.order_at_hand(), expected)
    assert core.Epochs(net, None, 25, 25, None, True, 11).order_at_hand() is None
    assert core.Epochs(net, None, 25, 25, rows, True, 11).order_at_hand().tolist() == rows.tolist()


def test_penalties(rng):
    for dtype in ("float32", "float64"):
        params = rng.standard_normal(100).astype(dtype)
        W, V = params[3:20].astype(float), params[50:].astype(float)
        expected = 0.1 * np.abs(W).sum() + 0.3 * np.square(W).sum() + 0.2 * np.square(V).sum()
        assert updates.penalty(params, [(3, 17, 0.1, 0.3), (50, 50, 0.0, 0.2)]) == pytest.approx(expected, rel=1e-12)
    assert updates.penalty(params, []) == 0.0
    with pytest.raises(ValueError, match=r"a penalty is of \[90, 110\), expected a part of 100 parameters"):
        updates.penalty(params, [(90, 20, 0.1, 0.1)])


def test_expressions_have_their_validation_and_early_stopping_without_python(calls):
    x, y = g.inputs("x", "y")
    data = {"x": np.linspace(-1, 1, 40), "y": np.linspace(0, 1, 40) ** 2}
    line = g.parameter("k", init=0.5) * x + g.parameter("b", init=0.1)
    plans = [g.compile(g.mean((line - y) ** 2)) for _ in range(2)]
    found = []
    for plan, kind in zip(plans, (InPython, fb.EarlyStopping), strict=True):
        stopping = kind(patience=5)
        history = plan.fit(data, epochs=400, batch_size=10, validation_split=0.25, early_stopping=stopping,
                           optimizer=fb.Adam(lr=0.01))  # fmt: skip
        found.append((values(history), bits(plan), stopping.best_epoch))
        assert stopping.stopped_epoch is not None
        assert history.history["val_loss"][stopping.best_epoch] == stopping.best
    assert found[0] == found[1]
    assert len(calls) < len(found[0][0][0]) + 9
