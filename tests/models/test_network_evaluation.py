"""`evaluate`: losses and accuracies of a network, in chunks, and which of them it has."""

import signal
import time

import numpy as np
import pytest

import fastbp as fb
from fastbp._core import cpu
from fastbp._models import network_evaluation

WIDTHS = {"tiny": (5, 7, 3), "batch-parallel": (60, 48, 10), "tile-parallel": (90, 300, 310, 10)}


def made(widths=(4, 6, 3), **options):
    return fb.mlp(*widths, **{"activation": "tanh", "seed": 2, **options})


def rows(net, n=20):
    return np.random.default_rng(7).standard_normal((n, net.inputs)).astype(net.dtype)


@pytest.mark.smoke
@pytest.mark.parametrize("loss", ["squared_error", "mse", "mae", "huber", "cross_entropy", "poisson"])
def test_evaluate_gives_the_loss_of_loss_and_grad(loss, dtype, tolerance):
    net = made(loss=loss, dtype=dtype, l1=0.01, l2=0.1)
    X, y = rows(net, 50), np.random.default_rng(1).random((50, 3))
    w = np.linspace(0, 2, 50)
    assert net.evaluate(X, y)["loss"] == pytest.approx(net.loss_and_grad(X, y), rel=tolerance)
    assert net.evaluate(X, y, w)["loss"] == pytest.approx(net.loss_and_grad(X, y, w), rel=tolerance)


@pytest.mark.parametrize("scheme", WIDTHS)
def test_evaluate_in_chunks_is_the_mean_over_all_samples(scheme, dtype, tolerance, monkeypatch):
    net = made(WIDTHS[scheme], dtype=dtype, loss="cross_entropy")
    X, y = rows(net, 150), np.arange(150) % net.units
    whole = net.evaluate(X, y)
    for most in (1, 64, 149):
        monkeypatch.setattr(network_evaluation, "PREDICT_ROWS", most)
        parts = net.evaluate(X, y)
        assert parts["loss"] == pytest.approx(whole["loss"], rel=tolerance)
        assert parts["accuracy"] == whole["accuracy"]


def test_the_loss_of_many_chunks_is_the_same_at_every_call_and_for_any_number_of_threads():
    """A thread that is ahead must not write the next chunk's sums before the first thread has read this one's."""
    net = made((20, 32, 4), loss="cross_entropy")
    X, y = rows(net, 100 * network_evaluation.PREDICT_ROWS), np.arange(100 * network_evaluation.PREDICT_ROWS) % 4
    found = set()
    for count in (1, 2, 3, 3, 3, 3):
        cpu.set_threads(count)
        try:
            found.add(net.evaluate(X, y)["loss"])
        finally:
            cpu.set_threads(None)
    assert len(found) == 1


def test_accuracy_of_classes():
    net = made(loss="cross_entropy")
    X = rows(net, 60)
    y = np.random.default_rng(3).integers(0, 3, 60)
    right = float((net.predict(X).argmax(1) == y).mean())
    assert net.evaluate(X, y)["accuracy"] == right
    assert net.evaluate(X, np.eye(3)[y])["accuracy"] == right
    assert 0 < right < 1


def test_accuracy_of_the_digit_network():
    net = made(loss="squared_error", output="sigmoid")
    X = rows(net, 60)
    y = np.random.default_rng(3).integers(0, 3, 60)
    assert net.evaluate(X, y)["accuracy"] == float((net.predict(X).argmax(1) == y).mean())
    assert net.evaluate(X, np.eye(3)[y]) == net.evaluate(X, y)
    assert list(net.evaluate(X, 2 * np.eye(3)[y])) == ["loss"]  # numbers to be met


def test_accuracy_of_yes_or_no():
    net = made((4, 6, 1), loss="binary_cross_entropy")
    X = rows(net, 60)
    y = np.random.default_rng(3).integers(0, 2, 60)
    assert net.evaluate(X, y)["accuracy"] == float(((net.predict(X)[:, 0] > 0.5) == y).mean())
    several = made((4, 6, 3), loss="binary_cross_entropy")
    Y = np.random.default_rng(3).integers(0, 2, (60, 3))
    assert several.evaluate(X, Y)["accuracy"] == float(((several.predict(X) > 0.5) == Y).mean())


def test_no_accuracy_of_numbers():
    net = made((4, 6, 1), loss="mse")
    assert list(net.evaluate(rows(net), np.ones(20))) == ["loss"]


@pytest.mark.parametrize("work", [lambda net, X: net.predict(X), lambda net, X: net.evaluate(X, X[:, :3])])
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this platform has no timers")
def test_a_long_one_is_interrupted_between_two_of_its_batches(work, threads):
    """Not only at its end: the arrays that it fills are given up, and all else is as it was."""
    net = made((100, 400, 3))
    X = np.zeros((2048, 100), "f")
    first = net.predict(X)
    begun = time.perf_counter()
    work(net, X)
    many = np.broadcast_to(X[0], (2048 * max(2, int(6 / (time.perf_counter() - begun))), 100))  # 6 seconds of them

    def stops(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stops)
    begun = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(TimeoutError):
            work(net, many)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.perf_counter() - begun < 4
    assert (net.predict(X) == first).all()
    with net._exclusive:  # it is free
        pass
