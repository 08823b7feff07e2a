"""A training that is ended at a random moment, by whatever: its parameters, optimizer and counts are those of a whole
step of one that nobody ends, locks are free, no thread and no descriptor more is there, and it goes on.

FASTBP_MOMENTS says at how many moments each, 10 by default. Moments of test_interrupted.py are instructions of Python's
interpreter, one after another; these are of the clock, as those of a hand on a keyboard.
"""

import gc
import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

import fastbp as fb
from fastbp._training import job
from fastbp.sklearn import MLPRegressor

from . import ended_trainings
from .ended_trainings import BATCH, SAMPLES, X, Y, expression, network

MOMENTS = int(os.environ.get("FASTBP_MOMENTS", "10"))
EPOCHS = 60


class Mine(Exception):
    """What a user's code raises."""


fit = partial(ended_trainings.fit, epochs=EPOCHS)


def found(model, optimizer):
    state = None if optimizer.state is None else optimizer.state.tobytes()
    return model.params.tobytes(), state, optimizer.steps, model._draws


def way(make, epochs=EPOCHS):
    """[what is found after 0, 1, 2 ... steps of a loop written by hand]."""
    model, optimizer = make(), fb.Adam(lr=0.01)
    optimizer.bind(model.params)
    states = [found(model, optimizer)]
    for epoch in range(epochs):
        for xb, yb in fb.batches(X, Y, BATCH, seed=model.seed + epoch):
            model.loss_and_grad(xb, yb) if isinstance(model, fb.Sequential) else model.loss_and_grad(x=xb, y=yb)
            optimizer.step(model)
            states.append(found(model, optimizer))
    return states


def held():
    """(threads of Python, threads of the system, descriptors) that the process has."""
    gc.collect()
    counts = [threading.active_count()]
    for folder in ("task", "fd"):
        counts.append(len(os.listdir(f"/proc/self/{folder}")) if os.path.isdir(f"/proc/self/{folder}") else 0)
    return counts


def ended(seconds, error, work):
    """Runs work(), into which after so many seconds a signal's handler raises `error`; returns whether it has."""
    def handler(*_):
        raise error

    before = signal.signal(signal.SIGALRM, handler)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return False
    except error:
        return True
    finally:
        signal.signal(signal.SIGALRM, before)


pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timers"),
    # a file that was opened and is closed with its object
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, Mine])
@pytest.mark.parametrize("make", [network, expression])
def test_at_any_moment_of_a_training(make, error, saved, tmp_path, monkeypatch):
    """Short calls, so that many of the moments are between two of them; saved: also amid saves."""
    monkeypatch.setattr(job, "CALL_SECONDS", 0)
    states, rng = way(make), np.random.default_rng(1)

    def work(model, optimizer, folder):
        runs = [fb.Checkpoint(folder, every="25 steps")] if saved else []
        return fit(model, optimizer, callbacks=[*runs, uses])

    def uses(model, epoch, logs):
        if make is network:
            model.predict(X)

    for name in ("first", "second"):
        begun = time.perf_counter()
        work(make(), fb.Adam(lr=0.01), tmp_path / name)
    whole, amid = time.perf_counter() - begun, set()
    before = held()
    for number in range(max(5, MOMENTS // 4) if saved else MOMENTS):
        model, optimizer, folder = make(), fb.Adam(lr=0.01), tmp_path / str(number)
        begun = time.perf_counter()
        if not ended(float(rng.uniform(0, whole)), error, lambda: work(model, optimizer, folder)):  # noqa: B023
            whole = min(whole, time.perf_counter() - begun)
        amid.add(optimizer.steps)
        if optimizer.state is not None:
            assert found(model, optimizer) == states[optimizer.steps], number
        with model._exclusive:  # it is free
            pass
        epochs = model.epochs
        fit(model, optimizer, epochs=1)
        assert model.epochs == epochs + 1
        if saved and folder.exists():
            again, other = make(), fb.Adam(lr=0.01)
            fit(again, other, callbacks=[fb.Checkpoint(folder)], resume=folder)
            assert found(again, other) == states[-1], number
            assert not [name for name in os.listdir(folder) if name[0] == "."], number
    assert len(amid) > 1
    assert held() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, Mine])
def test_at_any_moment_of_many_trainings(error):
    """Of threads of their own, which are gone."""
    states, rng = way(network), np.random.default_rng(2)

    def work(nets, optimizers):
        fb.fit_many(nets, X, Y, epochs=EPOCHS, batch_size=BATCH, optimizers=optimizers, threads=2)

    def made():
        return [network() for _ in range(3)], [fb.Adam(lr=0.01) for _ in range(3)]

    work(*made())
    begun = time.perf_counter()
    work(*made())
    whole, before = time.perf_counter() - begun, held()
    for number in range(MOMENTS):
        nets, optimizers = made()
        ended(float(rng.uniform(0, 1.2 * whole)), error, lambda: work(nets, optimizers))  # noqa: B023
        for net, optimizer in zip(nets, optimizers, strict=True):
            if optimizer.state is not None:
                assert found(net, optimizer) == states[optimizer.steps], number
            fit(net, optimizer, epochs=1)
    assert held() == before


@pytest.mark.parametrize("where", ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end", "metric",
                                   "schedule", "monitor"])
@pytest.mark.parametrize("make", [network, expression])
def test_a_call_of_the_users_that_raises(make, where):
    """Of callbacks, metrics, schedules and early stopping, after a number of epochs."""
    states, rng = way(make, 12), np.random.default_rng(3)
    before = held()
    for _ in range(max(3, MOMENTS // 10)):
        at, told = int(rng.integers(0, 2 if where == "schedule" else 12)), [0]  # which is asked seldom

        def counted(*_, at=at, told=told):
            told[0] += 1
            if told[0] > at or where in ("on_train_begin", "on_train_end"):
                raise Mine
            return 1.0

        model, optimizer, options = make(), fb.Adam(lr=0.01), {"epochs": 12}
        if where.startswith("on_"):
            options["callbacks"] = [callback := fb.Callback()]
            setattr(callback, where, lambda *_, counted=counted: counted() and None)
        elif where == "metric":
            if make is expression:
                continue  # has none
            options |= {"metrics": {"mine": counted}, "validation_data": (X, Y)}
        elif where == "schedule":
            class Own(fb.schedules.Schedule):
                name = "own"

                def rates(self, t, counted=counted):
                    counted()
                    return np.full_like(t, 0.01)

            optimizer = fb.Adam(lr=Own())
        else:
            class Asks(fb.EarlyStopping):
                def on_epoch_end(self, net, epoch, logs, counted=counted):
                    counted()

            options["early_stopping"] = Asks("loss", 99)
        with pytest.raises(RuntimeError if where == "metric" else Mine):  # which names the metric
            fit(model, optimizer, **options)
        if optimizer.state is not None:
            assert found(model, optimizer) == states[optimizer.steps], at
        with model._exclusive:
            pass
        fit(model, fb.SGD(lr=0.01), epochs=1)
    assert held() == before


class Source:
    """Rows that are asked one by one, as those of a file, a socket or a database, of which one raises."""

    def __init__(self, rows, error, at):
        self.rows, self.error, self.at = rows, error, at

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        if index == self.at:
            raise self.error
        return self.rows[index]


class Array:
    def __init__(self, rows, error):
        self.rows, self.error, self.shape, self.dtype = rows, error, rows.shape, rows.dtype

    def __len__(self):
        return len(self.rows)

    def __array__(self, dtype=None, copy=None):
        raise self.error


@pytest.mark.parametrize("error", [OSError(5, "the disk failed"), Mine("mine"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("what", ["X", "y", "validation", "weight"])
def test_data_that_raise_are_refused_before_the_first_step(what, error):
    """Whatever it was: an array that cannot be made is a ValueError that says why, what ends a process ends it."""
    fitted = MLPRegressor(hidden_layer_sizes=(3,), tol=1e300, n_iter_no_change=1, random_state=0).fit(X, Y)
    before = held()
    weights = np.ones(SAMPLES, "f")
    for wrap in (lambda rows: Source(rows, error, 7), lambda rows: Array(rows, error)):
        bad = {"X": wrap(X), "y": wrap(Y), "validation": (wrap(X), Y), "weight": wrap(weights)}[what]
        options = {"validation": {"validation_data": bad}, "weight": {"sample_weight": bad}}.get(what, {})
        data = (bad if what == "X" else X, bad if what == "y" else Y)
        for make in (network, expression):
            if make is expression:
                if options:
                    continue
                data = ({"x": data[0], "y": data[1]},)
            model, optimizer = make(), fb.Adam()
            params = model.params.copy()
            expected = ValueError if isinstance(error, (OSError, Mine)) else type(error)
            with pytest.raises(expected) as caught:
                model.fit(*data, optimizer=optimizer, batch_size=BATCH, **options)
            assert str(error) in str(caught.value)
            assert (model.params == params).all() and (optimizer.steps, model.epochs, optimizer.state) == (0, 0, None)
            fit(model, optimizer, epochs=1)
        if what == "X":
            with pytest.raises(BaseException):  # noqa: B017 -- whatever scikit-learn makes of it
                fitted.predict(bad)
            assert np.isfinite(fitted.predict(X)).all()
    assert held() == before


def test_a_file_in_memory_that_is_read_row_by_row_raises_as_it_is_read(tmp_path):
    """Of a memory map, training reads the rows where they lie; one that is shorter than it says is refused by NumPy."""
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model, optimizer = network(), fb.Adam(lr=0.01)
    model.fit(mapped, Y, epochs=EPOCHS, batch_size=BATCH, optimizer=optimizer)
    assert found(model, optimizer) == way(network)[-1]
    os.truncate(tmp_path / "x.npy", 200)
    with pytest.raises(ValueError):
        np.load(tmp_path / "x.npy", mmap_mode="r")
