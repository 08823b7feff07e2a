"""Epochs without Python that end before their time: by Ctrl-C, by a number that is not finite, by data that changed."""

import _thread
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
from small_network import INPUTS, N, bits, made

import fastbp as fb
from fastbp import ensemble
from fastbp._compiler.use import Use
from fastbp._core import epochs as core
from fastbp._training import job

TIMES = ("seconds", "samples_per_second")
ONE_STEP, ANY_NUMBER = 0.0, 100.0  # seconds of a call


class InPython(fb.EarlyStopping):
    """An early stopping that is asked by Python, as any class of a user's."""


def values(history):
    """What a History holds beside times, to be compared."""
    return history.epoch, {name: each for name, each in history.history.items() if name not in TIMES}


# ---- Ctrl-C between an epoch and what follows it -------------------------------------------------------------------


class Interrupting(core.Epochs):
    """Ctrl-C comes while a call is under way, which ends an epoch or not: it is raised as soon as Python is back."""

    at = 0

    def run(self, *arguments):
        failure = super().run(*arguments)
        if self.epoch >= self.at:
            raise KeyboardInterrupt
        return failure


@pytest.mark.parametrize("kind", ["plateau", "in Python", "compiled", "many"])
@pytest.mark.parametrize("at", [1, 4, 7])
def test_who_goes_on_after_ctrl_c_has_the_bits_of_one_that_was_not_interrupted(data, kind, at, monkeypatch):
    X, Y, _ = data

    def tried():
        plateau = fb.schedules.ReduceOnPlateau(0.1, factor=0.9, patience=0, min_delta=1.0)
        stopping = InPython("val_loss", 50) if kind == "in Python" else fb.EarlyStopping("val_loss", 50)
        return made(), fb.SGD(lr=0.1 if kind == "compiled" else plateau), stopping

    def trained(net, optimizer, stopping, epochs):
        options = {"batch_size": 16, "epochs": epochs, "validation_data": (X[:20], Y[:20])}
        if kind == "many":
            return fb.fit_many([net], X, Y, optimizers=[optimizer], **options)[0]
        return net.fit(X, Y, optimizer=optimizer, early_stopping=stopping, **options)

    whole = tried()
    whole[2].restore_best = False
    trained(*whole, 12)
    parts = tried()
    parts[2].restore_best = False
    with monkeypatch.context() as patch:
        patch.setattr(job, "Epochs", Interrupting)
        if kind == "many":
            run_each = ensemble.core.run_each

            def interrupted(calls, team):
                result = run_each(calls, team)
                if calls[0].training_state.epoch >= at:
                    raise KeyboardInterrupt
                return result

            patch.setattr(ensemble.core, "run_each", interrupted)
        Interrupting.at = at
        history = trained(*parts, 12)
    assert history.interrupted
    assert len(history.epoch) == parts[0].epochs >= at
    assert kind == "many" or parts[2].best == min(history.history["val_loss"])
    if parts[0].epochs < 12:
        trained(*parts, 12 - parts[0].epochs)
    assert bits(parts[0]) == bits(whole[0])
    assert getattr(parts[1].lr, "current", 0) == getattr(whole[1].lr, "current", 0)


# ---- what goes wrong -----------------------------------------------------------------------------------------------


@dataclass
class BlowsUp(fb.schedules.Schedule):
    """From step 18 on, the third of the fifth epoch of four, steps are much too long."""

    name = "blows_up"

    def rates(self, t):
        return np.where(t < 18, 1e-3, 1e30)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("options", [{}, {"validation_split": 0.2}, {"shuffle": False}, {"batch_size": 100}])
def test_a_number_that_is_not_finite_amid_many_epochs(data, options, many, monkeypatch):
    X, Y, _ = data
    options, found = {"batch_size": 16, "epochs": 40, **options}, []
    for seconds in (ONE_STEP, ANY_NUMBER):
        monkeypatch.setattr(job, "CALL_SECONDS", seconds)
        net, optimizer, histories = made(dropout=0.1), fb.Adam(lr=BlowsUp()), []
        if many and options.pop("validation_split", None):
            options["validation_data"] = X[:9], Y[:9]
        with pytest.raises(FloatingPointError) as error:
            if many:
                fb.fit_many([net], X, Y, optimizers=[optimizer], **options)
            else:
                net.fit(X, Y, optimizer=optimizer, callbacks=[] if seconds else [lambda *_: None], **options)
        histories.append(values(error.value.histories[0]) if many else None)
        found.append((str(error.value), bits(net), optimizer.steps, optimizer.state.tobytes(), net._draws, net.epochs,
                      histories))
    assert found[0] == found[1]
    assert found[0][2] >= 18
    assert np.isfinite(net.params).all()


def test_a_loss_that_is_infinite_by_its_penalties_ends_it(data):
    """With the parameters that its step began with, as the loop by hand leaves them."""
    X, Y, _ = data
    for optimizer in (fb.SGD(lr=1e-9), fb.SGD(lr=1e-9, clip_norm=1.0)):
        net = made(l2=0.01, dtype="float64")
        net.layers[0].W[0, 0], net.layers[0].W[1, 0] = 1e170, -1e170
        before = bits(net)
        with pytest.raises(FloatingPointError, match=r"epoch 1, step 1: the loss became inf in the penalties"):
            net.fit(X, Y, epochs=3, optimizer=optimizer)
        assert bits(net) == before


def test_ctrl_c_amid_many_epochs_leaves_none_out(data):
    """The call at hand ends; the History has all epochs that the network has had."""
    net, optimizer = made(loss="cross_entropy"), fb.SGD(lr=1e-3)
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    begun = time.perf_counter()
    history = net.fit(data[0], data[2], epochs=10**8, batch_size=16, optimizer=optimizer)
    assert time.perf_counter() - begun < 30
    assert history.interrupted
    assert len(history.epoch) == net.epochs == optimizer.steps / 4 > 100
    assert {len(each) for each in history.history.values()} == {net.epochs}
    assert history.epoch == list(range(net.epochs))
    net.fit(data[0], data[2], batch_size=16, optimizer=optimizer)  # and so training goes on
    assert net.epochs == len(history.epoch) + 1


def test_more_parts_of_an_evaluation_than_there_is_room_for_are_refused(data):
    net = made()
    plan = net._plans.get(Use("train", 16))
    arrays = plan.arrays({"X": data[0].astype("f"), "targets": data[1].astype("f")})
    part = (plan.executable, arrays, 0, 1, 1.0)
    with pytest.raises(ValueError, match="evaluated has 3 parts, expected at most 2"):
        core.Epochs(net, None, N, 16, None, False, 0).run([(plan.executable, arrays)], [part] * 3, None, None, 1, 1)


def test_data_that_have_changed_are_refused_and_nothing_moves(data):
    X, Y = data[0].copy(), data[1].copy()
    net = made()
    before, heard = bits(net), []

    def shorter(net, epoch, logs):
        heard.append(bits(net))
        X.resize((N // 2, INPUTS), refcheck=False)

    with pytest.raises(ValueError, match=r"data has become shorter: 25 rows, expected 50 or more"):
        net.fit(X, Y, epochs=3, callbacks=shorter)
    assert bits(net) == heard[0] != before


def test_a_plan_that_counts_nothing_is_refused_where_an_accuracy_is_wanted(data):
    net = made(loss="cross_entropy")
    plan = net._plans.get(Use("train", 16, labels=True))
    arrays = plan.arrays({"X": data[0].astype("f"), "targets": data[2].astype(np.int32)})
    training_state = core.Epochs(net, None, N, 16, None, False, 0, counted=N)
    with pytest.raises(ValueError, match=r"correct_counts has .* a plan that counts no correct answers"):
        training_state.run([(plan.executable, arrays)], [], None, None, 1, 1)
