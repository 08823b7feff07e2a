"""What `fit` calls and asks after each epoch: callbacks, early stopping, schedules, the progress bar."""

import inspect
import io
import sys

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, bits, made

import fastbp as fb
from fastbp._training import network_fit


def test_callbacks_hear_of_everything_in_order(data):
    X, Y, _ = data
    heard = []

    class Recorder(fb.Callback):
        def on_train_begin(self, net):
            heard.append("begin")

        def on_epoch_begin(self, net, epoch):
            heard.append(f"epoch {epoch}")

        def on_epoch_end(self, net, epoch, logs):
            heard.append(f"loss {logs['loss'] > 0}")
            net.predict(X[:2])  # a callback may use the network
            net.evaluate(X[:2], Y[:2])

        def on_train_end(self, net, history):
            heard.append(f"end {len(history.epoch)}")

    net = made()
    net.fit(X, Y, epochs=2, callbacks=[Recorder()])
    assert heard == ["begin", "epoch 0", "loss True", "epoch 1", "loss True", "end 2"]


@pytest.mark.parametrize("stop", ["return", "raise", "begin"])
def test_callbacks_stop_the_training(data, stop):
    X, Y, _ = data

    class Stopper(fb.Callback):
        def on_epoch_begin(self, net, epoch):
            return stop == "begin" and epoch == 2

        def on_epoch_end(self, net, epoch, logs):
            if stop == "raise" and epoch == 1:
                raise fb.StopTraining
            return stop == "return" and epoch == 1

    history = made().fit(X, Y, epochs=9, callbacks=[Stopper()])
    assert history.epoch == [0, 1]
    assert not history.interrupted


def test_early_stopping_puts_the_best_parameters_back(data):
    X, Y, _ = data
    net = made()
    kept = []

    def keep(net, epoch, logs):
        kept.append(net.params.copy())

    schedule = fb.schedules.WarmUp(20.0, 200)  # the rate grows until it hurts
    early = fb.EarlyStopping("val_loss", patience=2)
    history = net.fit(X, Y, epochs=30, batch_size=10, optimizer=fb.SGD(lr=schedule, clip_norm=10.0),
                      validation_data=(X, Y), early_stopping=early, callbacks=[keep])
    losses = history.history["val_loss"]
    best = int(np.argmin(losses))
    assert early.best_epoch == best
    assert len(losses) == best + 3 < 30
    assert early.stopped_epoch == best + 2
    assert (net.params == kept[best]).all()
    assert (net.params != kept[-1]).any()
    assert net.evaluate(X, Y)["loss"] == losses[best]


def test_schedules_count_steps_not_epochs(data):
    X, Y, _ = data
    schedule = fb.schedules.Linear(1.0, 40)
    opt = fb.SGD(lr=schedule)
    history = made().fit(X, Y, epochs=3, batch_size=10, optimizer=opt)
    assert opt.steps == 15
    assert history.history["lr"] == [pytest.approx(float(schedule(step))) for step in (0, 5, 10)]
    by_steps = made()
    for step, (xb, yb) in enumerate(fb.batches(X, Y, 10, seed=by_steps.seed)):
        by_steps.loss_and_grad(xb, yb)
        fb.SGD(lr=float(schedule(step))).step(by_steps)
    by_fit = made()
    by_fit.fit(X, Y, batch_size=10, optimizer=fb.SGD(lr=fb.schedules.Linear(1.0, 40)))
    assert bits(by_fit) == bits(by_steps)


def test_a_plateau_lowers_the_rate_once_an_epoch(data):
    X, Y, _ = data
    opt = fb.SGD(lr=fb.schedules.ReduceOnPlateau(0.5, factor=0.5, patience=1, min_delta=1e9))
    history = made().fit(X, Y, epochs=4, batch_size=10, optimizer=opt)
    assert history.history["lr"][0] == 0.5
    assert sorted(history.history["lr"], reverse=True) == history.history["lr"]
    assert history.history["lr"][-1] < 0.5


def test_the_bar_is_shown_where_it_is_wanted(data, monkeypatch):
    X, Y, _ = data
    shown = []
    for progress in (True, False, None):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        made().fit(X, Y, epochs=2, progress=progress)
        shown.append("epoch 2/2" in sys.stderr.getvalue())
    assert shown == [True, False, False]  # this is no terminal


def test_fit_says_all_its_options():
    """The method passes them on; the function has them, with the defaults that the documentation names."""
    parameters = inspect.signature(network_fit.fit).parameters
    assert [name for name, option in parameters.items() if option.kind is option.KEYWORD_ONLY] == [
        "epochs", "batch_size", "optimizer", "sample_weight", "class_weight", "validation_data", "validation_split",
        "shuffle", "seed", "metrics", "callbacks", "early_stopping", "progress", "threads", "resume"]
    assert all(name in network_fit.fit.__doc__ for name in parameters if name != "net")
    with pytest.raises(TypeError, match="epoch"):
        made().fit(np.ones((2, INPUTS)), np.ones((2, UNITS)), epoch=3)


def test_sample_weights_reach_their_own_samples(data):
    """A shuffled fit gathers the weights with the rows."""
    X, Y, _ = data
    weights = np.random.default_rng(1).random(N)
    ours, by_hand = made(), made()
    ours.fit(X, Y, batch_size=7, sample_weight=weights, seed=3)
    for xb, yb, wb in fb.batches(X, Y, 7, seed=3, sample_weight=weights):
        by_hand.loss_and_grad(xb, yb, sample_weight=wb)
        fb.SGD(lr=0.1).step(by_hand)
    assert bits(ours) == bits(by_hand)


def test_class_weights_of_fit_are_sample_weights(data):
    X, _, labels = data
    one, two = made(loss="cross_entropy"), made(loss="cross_entropy")
    one.fit(X, labels, batch_size=7, class_weight={0: 3.0, 2: 0.5})
    two.fit(X, labels, batch_size=7, sample_weight=np.array([3.0, 1.0, 0.5])[labels])
    assert bits(one) == bits(two)
