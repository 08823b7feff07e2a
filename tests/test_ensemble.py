"""fastbp/ensemble.py: networks trained side by side have the bits of each alone; what fails alone."""

import _thread
import re
import threading
import tracemalloc

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, bits, made

import fastbp as fb
from fastbp import _check as check
from fastbp import ensemble
from fastbp._check import input_arrays
from fastbp._training import job
from fastbp._training.progress import Progress

SAME = ("loss", "accuracy", "val_loss", "val_accuracy", "lr")  # the values of a History that time does not change


def figures(history):
    return {name: values for name, values in history.history.items() if name in SAME}


def same_as_alone(nets, twins, X, y, *, rows=None, optimizers=None, seeds=None, weights=None, **options):
    """Trains nets by fit_many, and their twins one after another by fit; both must end alike. Returns the Histories."""
    together = {"rows": rows, "optimizers": optimizers, "seeds": seeds, "sample_weight": weights}
    histories = fb.fit_many(nets, X, y, **together, **options)
    if not isinstance(optimizers, list):
        optimizers = [optimizers] * len(nets)
    for i, (twin, history) in enumerate(zip(twins, histories, strict=True)):
        own = slice(None) if rows is None or rows[i] is None else rows[i]
        alone = twin.fit(
            X[own],
            y[own],
            sample_weight=None if weights is None else weights[own],
            optimizer=None if optimizers[i] is None else optimizers[i].fresh(),
            seed=None if seeds is None else seeds[i],
            **options,
        )
        assert bits(nets[i]) == bits(twin), i
        assert figures(history) == figures(alone), i
        assert (history.epoch, history.params) == (alone.epoch, alone.params)
        assert list(history.history) == list(alone.history)
    return histories


# ---- the bits of each network trained alone ------------------------------------------------------------------------


@pytest.mark.smoke
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [7, 10, 50, 64])  # 50 rows: with a last, smaller batch, without, and in one
def test_bits_are_those_of_each_network_alone(data, threads, batch_size):
    X, Y, _ = data
    nets, twins = ([made(seed=seed, dropout=0.2) for seed in range(5)] for _ in range(2))
    same_as_alone(nets, twins, X, Y, epochs=3, batch_size=batch_size, threads=threads)
    assert len({bits(net) for net in nets}) == len(nets)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_networks_may_differ_in_all_but_their_inputs(data, threads):
    X, _, labels = data

    def networks():
        return [
            made(loss="cross_entropy"),
            made(loss="cross_entropy", dtype="float64", l2=1e-3),
            made(loss="squared_error", dropout=0.3),
            fb.mlp(INPUTS, 300, 300, UNITS, loss="cross_entropy"),  # tile-parallel: four threads would share its work
            fb.mlp(INPUTS, UNITS, loss="binary_cross_entropy", dtype="float64"),
            fb.mlp(INPUTS, 9, UNITS + 1, loss="cross_entropy"),  # an output that no label speaks of
        ]

    optimizers = [
        fb.SGD(lr=0.1),
        fb.Adam(lr=0.01, clip_norm=0.5),
        fb.SGD(lr=0.05, momentum=0.9, nesterov=True),
        fb.AdamW(lr=fb.schedules.Cosine(1e-2, 20)),
        fb.RMSprop(lr=fb.schedules.ReduceOnPlateau(0.1, patience=0)),
        fb.Adagrad(lr=0.1),
    ]
    histories = same_as_alone(
        networks(),
        networks(),
        X,
        labels,
        optimizers=optimizers,
        seeds=[3, 1, 4, 1, 5, 9],
        weights=np.linspace(0.5, 1.5, N),
        validation_data=(X[:20], labels[:20]),
        epochs=4,
        batch_size=8,
        threads=threads,
    )
    assert all("val_accuracy" in history.history for history in histories)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [9, 200])
def test_rows_are_trained_on_by_index(data, rng, threads, shuffle, batch_size):
    X, Y, labels = data
    rows = [
        np.flatnonzero(np.arange(N) % 3 != 0),  # a fold
        np.arange(0, N, 3, dtype=np.int32),
        rng.integers(0, N, 130),  # a bootstrap sample, longer than the data
        np.arange(N)[::-1],
        np.array([4], np.uint8),
        None,
    ]
    options = {"epochs": 2, "batch_size": batch_size, "shuffle": shuffle, "threads": threads}
    weights = rng.random(N)
    for y, loss in ((labels, "cross_entropy"), (Y, "squared_error"), ((Y > 0) * 1.0, "binary_cross_entropy")):
        nets, twins = ([made(seed=seed, loss=loss) for seed in range(6)] for _ in range(2))
        same_as_alone(nets, twins, X, y, rows=rows, weights=weights, **options)


def test_one_optimizer_is_a_template_and_a_list_goes_on(data):
    X, Y, _ = data
    template, own = fb.Adam(lr=0.01), [fb.Adam(lr=0.01), fb.Adam(lr=0.01)]
    nets, twins = [made(seed=1), made(seed=2)], [made(seed=1), made(seed=2)]
    fb.fit_many(nets, X, Y, optimizers=template, epochs=2)
    assert (template.steps, template.state) == (0, None)
    for seed in (0, 1):  # epoch by epoch, in the order of two epochs of one call
        seeds = [net.seed + seed for net in twins]
        fb.fit_many(twins, X, Y, optimizers=own, seeds=seeds)
    assert [optimizer.steps for optimizer in own] == [4, 4]
    assert [bits(net) for net in nets] == [bits(net) for net in twins]


@pytest.mark.parametrize("per_thread", [1, 2])
@pytest.mark.parametrize("seconds", [0, 1e-5, 10])
def test_results_do_not_depend_on_how_many_are_under_way_and_for_how_long(data, per_thread, seconds, monkeypatch):
    monkeypatch.setattr(ensemble, "PER_THREAD", per_thread)
    monkeypatch.setattr(job, "CALL_SECONDS", seconds)
    nets, twins = ([made(seed=seed) for seed in range(7)] for _ in range(2))
    same_as_alone(nets, twins, *data[:2], epochs=3, batch_size=4, threads=2)


# ---- one call for several networks ---------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """[[steps of each network], ...] of the compiled calls that are made."""
    made_calls = []
    run_each = ensemble.core.run_each

    def counted(calls, team):
        made_calls.append([len(call.rates) for call in calls])
        return run_each(calls, team)

    monkeypatch.setattr(ensemble.core, "run_each", counted)
    return made_calls


def test_a_call_has_as_many_networks_for_each_thread_and_all_get_their_turn(data, calls, monkeypatch):
    monkeypatch.setattr(job, "CALL_SECONDS", 0)  # one step a call
    nets = [made(seed=seed) for seed in range(5)]
    fb.fit_many(nets, *data[:2], epochs=2, batch_size=25, threads=2)
    assert sum(map(len, calls)) == 5 * 2 * 2
    assert [len(call) for call in calls] == [4] * 5


def test_no_more_networks_are_under_way_than_threads_need(data, calls, monkeypatch):
    monkeypatch.setattr(ensemble, "PER_THREAD", 2)
    fb.fit_many([made(seed=seed) for seed in range(9)], *data[:2], threads=1)
    assert max(map(len, calls)) == 2


def test_calls_are_as_long_as_those_of_fit(data, calls, monkeypatch):
    """50 ms, on a clock that moves by 1 ms a step: 12 steps of each of four networks."""
    run_each = ensemble.core.run_each

    def timed(calls, team):
        found = run_each(calls, team)
        return [(failure, 0.002 * len(call.rates)) for call, (failure, _) in zip(calls, found, strict=True)]

    monkeypatch.setattr(ensemble.core, "run_each", timed)
    fb.fit_many([made(seed=seed) for seed in range(4)], *data[:2], epochs=2, batch_size=1, threads=2)
    assert calls == [[steps] * 4 for steps in (1, 12, 12, 12, 12, 1, 12, 12, 12, 12, 2)]


def test_other_threads_of_python_run_meanwhile(rng, monkeypatch):
    monkeypatch.setattr(job, "CALL_SECONDS", 1e6)  # after the first step a whole epoch is one call
    X, y = rng.random((20000, 64), dtype="float32"), rng.random((20000, 8), dtype="float32")
    nets = [fb.mlp(64, 32, 8, seed=seed) for seed in range(2)]
    ticks, over, during = [], threading.Event(), []
    run_each = ensemble.core.run_each

    def tick():
        while not over.wait(0.0005):
            ticks.append(1)

    def counted(calls, team):
        before = len(ticks)
        result = run_each(calls, team)
        during.append(len(ticks) - before)
        return result

    monkeypatch.setattr(ensemble.core, "run_each", counted)
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        fb.fit_many(nets, X, y, epochs=4, batch_size=4, threads=2)
    finally:
        over.set()
        thread.join()
    assert max(during) > 5, during


@pytest.mark.parametrize("with_rows", [False, True])
def test_the_data_is_not_copied(rng, with_rows):
    X, y = rng.random((4000, 300), dtype="float32"), rng.integers(0, 3, 4000)
    nets = [fb.mlp(300, 4, 3, loss="cross_entropy", seed=seed) for seed in range(10)]
    rows = [np.flatnonzero(np.arange(4000) % 10 != fold) for fold in range(10)] if with_rows else None
    tracemalloc.start()
    try:
        fb.fit_many(nets, X, y, rows=rows, batch_size=20, threads=2)
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 2
    finally:
        tracemalloc.stop()


def test_the_data_is_checked_once_for_each_dtype_and_loss(data, monkeypatch):
    seen = {"rows": [], "targets": []}

    def counted(name, function):
        def call(*arguments, **options):
            seen[name].append(function(*arguments, **options))
            return seen[name][-1]

        return call

    for module, name in ((input_arrays, "rows"), (check, "targets")):
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    losses = ["mse", "mse", "mae"] * 4
    nets = [made(loss=loss, dtype=dtype) for dtype in ("float32", "float64") for loss in losses]
    fb.fit_many(nets, *data[:2])
    assert len(seen["targets"]) == 4  # two losses of two dtypes
    assert len(seen["rows"]) == 2 + 4  # for each dtype, and with each targets
    assert all(X is data[0] for X in seen["rows"])  # which nobody copies


def test_progress_counts_the_steps_of_all(data, monkeypatch):
    total, steps = [], []

    def counted(epochs, batches, show):
        total.append(epochs * batches)
        return Progress(epochs, batches, show)

    monkeypatch.setattr(ensemble, "Progress", counted)
    monkeypatch.setattr(Progress, "advance", lambda self, count: steps.append(count))
    fb.fit_many([made(), made()], *data[:2], rows=[np.arange(50), np.arange(21)], epochs=3, batch_size=10)
    assert total == [3 * (5 + 3)]
    assert sum(steps) == 3 * (5 + 3)


def test_ctrl_c_ends_it_after_the_steps_at_hand(data, calls, monkeypatch):
    run_each = ensemble.core.run_each

    def interrupted(calls_, team):
        result = run_each(calls_, team)
        if len(calls) == 3:
            _thread.interrupt_main()
        return result

    monkeypatch.setattr(job, "CALL_SECONDS", 0)
    monkeypatch.setattr(ensemble.core, "run_each", interrupted)
    nets = [made(seed=1), made(seed=2)]
    histories = fb.fit_many(nets, *data[:2], rows=[np.arange(20), np.arange(50)], batch_size=10, threads=2)
    assert [len(history.epoch) for history in histories] == [1, 0]
    assert [history.interrupted for history in histories] == [False, True]
    assert len(calls) == 3
    nets[1].fit(*data[:2])  # it is free again


# ---- a number that is not finite -----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_a_network_that_blows_up_stops_alone(data, threads):
    X, Y, _ = data
    rates = [0.01, 1e30, 0.02, 1e20, 0.03]
    options = {"epochs": 3, "batch_size": 8}
    nets, twins = ([made(seed=seed, activation="linear") for seed in range(5)] for _ in range(2))
    with pytest.raises(FloatingPointError) as caught:
        fb.fit_many(nets, X, Y, optimizers=[fb.SGD(lr=lr) for lr in rates], threads=threads, **options)
    lines = str(caught.value).splitlines()
    for i, (net, twin, lr) in enumerate(zip(nets, twins, rates, strict=True)):
        history = caught.value.histories[i]
        if lr < 1:
            assert figures(history) == figures(twin.fit(X, Y, optimizer=fb.SGD(lr=lr), **options))
        else:
            assert history.epoch == []
            with pytest.raises(FloatingPointError) as alone:
                twin.fit(X, Y, optimizer=fb.SGD(lr=lr), **options)
            assert lines.pop(0) == f"nets[{i}], {alone.value}"
        assert bits(net) == bits(twin)  # the good ones to their end, the bad ones to their last good step
        assert np.isfinite(net.params).all()
    assert lines == []
    assert re.search(r"^nets\[1\], epoch 1, step \d: ", str(caught.value))


@pytest.mark.parametrize(("lr", "what"), [(1e30, "the loss became"), (1e39, "a parameter of layer 0")])
def test_a_network_that_blows_up_later_goes_back_to_its_last_good_step(data, lr, what):
    class Late(fb.schedules.Schedule):
        def __call__(self, step):
            return np.where(step < 10, 0.01, lr)  # 7 steps an epoch: in the second one

    options = {"batch_size": 8, "epochs": 4}
    nets, twin = [made(seed=0), made(seed=1, activation="linear")], made(seed=1, activation="linear")
    with pytest.raises(FloatingPointError, match=r"nets\[1\], epoch 2, step \d: " + what) as caught:
        fb.fit_many(nets, *data[:2], optimizers=[fb.SGD(lr=0.01), fb.SGD(lr=Late())], **options)
    assert [history.epoch for history in caught.value.histories] == [[0, 1, 2, 3], [0]]
    with pytest.raises(FloatingPointError):
        twin.fit(*data[:2], optimizer=fb.SGD(lr=Late()), **options)
    assert bits(nets[1]) == bits(twin)
