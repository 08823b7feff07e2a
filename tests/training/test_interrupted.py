"""Ctrl-C at any point: parameters, the optimizer's vectors, its steps and the draws of masks are those of one step.

A trace function raises KeyboardInterrupt before one instruction of Python's interpreter after another, which is where
the handler of a signal may raise it. What is found then is compared with a training that nobody interrupts.
"""

import contextlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_network import INPUTS, UNITS

import fastbp as fb
from fastbp._training import job

from . import ended_trainings
from .ended_trainings import BATCH, X, Y, expression, network

HERE = Path(fb.__file__).parent
# what comes between the steps; the checks before them change nothing
FILES = {str(HERE / f"{name}.py") for name in (
    "_training/loop", "_training/job", "_training/network_fit", "_training/expression_fit", "_training/hints",
    "_models/expression", "_models/expression_inputs", "_models/network_evaluation", "_models/network_passes",
    "ensemble", "callbacks", "network", "schedules")}
EPOCHS = 2
STEPS = 3 * EPOCHS


@pytest.fixture(autouse=True)
def short_calls(monkeypatch):
    """A step a call: then there are the most points, and as many each time."""
    monkeypatch.setattr(job, "CALL_SECONDS", 0)


class Tracer:
    """Within `with`, raises `error` before instruction number `at` of FILES; counts them in `seen`."""

    def __init__(self, at=None, error=KeyboardInterrupt):
        self.at, self.error, self.seen = at, error, 0

    def __call__(self, frame, event, argument):
        if frame.f_code.co_filename not in FILES:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self.seen += 1
            if self.seen - 1 == self.at:
                sys.settrace(None)
                raise self.error
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)


fit = partial(ended_trainings.fit, epochs=EPOCHS)


def begun(model, optimizer=None):
    """(model, optimizer), which trains it."""
    optimizer = fb.Adam(lr=0.01) if optimizer is None else optimizer
    optimizer.bind(model.params)
    return model, optimizer


def found(model, optimizer):
    state = None if optimizer.state is None else optimizer.state.tobytes()
    return model.params.tobytes(), state, optimizer.steps, model._draws


def way(make):
    """[what is found after 0, 1, 2 ... steps of a loop written by hand]."""
    (model, optimizer), net = begun(make()), isinstance(make(), fb.Sequential)
    states = [found(model, optimizer)]
    for epoch in range(EPOCHS):
        for xb, yb in fb.batches(X, Y, BATCH, seed=model.seed + epoch):
            model.loss_and_grad(xb, yb) if net else model.loss_and_grad(x=xb, y=yb)
            optimizer.step(model)
            states.append(found(model, optimizer))
    return states


def points(run, arguments, most):
    """At most so many of the instructions of run(*arguments), evenly spread, each of them if there are as few."""
    with Tracer() as tracer:
        run(*arguments)
    return range(0, tracer.seen, max(1, -(-tracer.seen // most)))


@pytest.mark.parametrize("make", [network, expression])
def test_fit_is_interrupted_between_two_steps_wherever_it_is(make):
    states = way(make)
    ends = set()
    for at in points(fit, begun(make()), 150):
        (model, optimizer), history = begun(make()), None
        try:
            with Tracer(at):
                history = fit(model, optimizer)
        except KeyboardInterrupt:
            pass  # before the first step, or after the last
        assert found(model, optimizer) == states[optimizer.steps], at
        ends.add(optimizer.steps)
        if history is not None:
            assert {len(values) for values in history.history.values()} <= {len(history.epoch)}, at
            assert len(history.epoch) == model.epochs == optimizer.steps // 3, at
        with model._exclusive:  # it is free
            pass
    assert ends == set(range(STEPS + 1))


class Late(fb.schedules.Schedule):
    """From step 15 on, the last but two of the sixth epoch, steps are much too long."""

    def rates(self, t):
        return np.where(t < 15, 0.01, 1e60)


@pytest.mark.parametrize("blows_up", [False, True])
@pytest.mark.parametrize("make", [network, expression])
def test_many_epochs_in_a_call_are_interrupted_between_two_calls(make, blows_up, monkeypatch):
    """Network, optimizer and History are those of one and the same epoch, or of the beginning."""
    monkeypatch.setattr(job, "CALL_SECONDS", 100)

    def run(model, optimizer, stopping):
        return fit(model, optimizer, epochs=9, early_stopping=stopping, validation_split=0.3)

    def tried():
        return (*begun(make(), fb.SGD(lr=Late() if blows_up else 0.01, momentum=0.5)), fb.EarlyStopping(patience=4))

    def caught(*arguments):
        with contextlib.suppress(FloatingPointError):
            run(*arguments)

    model, optimizer = begun(make(), fb.SGD(lr=0.01, momentum=0.5))
    states = [found(model, optimizer)]
    for _ in range(9):
        fit(model, optimizer, epochs=1, validation_split=0.3)
        states.append(found(model, optimizer))
    for at in points(caught, tried(), 150):
        (model, optimizer, stopping), history = tried(), None
        try:
            with Tracer(at):
                history = run(model, optimizer, stopping)
        except FloatingPointError:
            assert blows_up
            assert optimizer.steps == 15
        except KeyboardInterrupt:
            pass  # before the first step, or after the last
        assert np.isfinite(model.params).all(), at
        if optimizer.steps % 2 == 0 and model.params.tobytes() == states[optimizer.steps // 2][0]:
            assert found(model, optimizer)[1:] == states[optimizer.steps // 2][1:], at
        elif optimizer.steps != 15 and optimizer.steps != 1:
            assert stopping.best_params is not None and (model.params == stopping.best_params).all(), at
        if history is not None:
            assert {len(values) for values in history.history.values()} <= {len(history.epoch)}, at
            assert len(history.epoch) == model.epochs == optimizer.steps // 2, at
            if stopping.best_params is not None:
                assert (model.params == stopping.best_params).all(), at
        with model._exclusive:  # it is free
            pass


def test_what_was_interrupted_goes_on_to_the_same_bits():
    states = way(network)
    for at in points(fit, begun(network()), 40):
        net, optimizer = begun(network())
        try:
            with Tracer(at):
                fit(net, optimizer)
        except KeyboardInterrupt:
            pass
        for step in range(optimizer.steps, STEPS):
            xb, yb = list(fb.batches(X, Y, BATCH, seed=net.seed + step // 3))[step % 3]
            net.loss_and_grad(xb, yb)
            optimizer.step(net)
        assert found(net, optimizer) == states[STEPS], at


def test_fit_many_is_interrupted_between_two_steps_wherever_it_is():
    states = way(network)

    def run(nets, optimizers):
        return fb.fit_many(nets, X, Y, epochs=EPOCHS, batch_size=BATCH, optimizers=optimizers)

    def two():
        return zip(*(begun(network()) for _ in range(2)), strict=True)

    for at in points(run, two(), 150):
        (nets, optimizers), histories = two(), []
        try:
            with Tracer(at):
                histories = run(nets, optimizers)
        except KeyboardInterrupt:
            pass
        for net, optimizer in zip(nets, optimizers, strict=True):
            assert found(net, optimizer) == states[optimizer.steps], at
            with net._exclusive:
                pass
        for history in histories:
            assert {len(values) for values in history.history.values()} <= {len(history.epoch)}, at


@pytest.mark.parametrize("make", [network, expression])
def test_a_loop_by_hand_is_interrupted_before_or_after_a_call_and_never_within(make):
    """A gradient that was not made draws no masks; an update that was made is counted."""
    net = isinstance(make(), fb.Sequential)
    states = way(make)

    def gradient(model):
        return model.loss_and_grad(X[:8], Y[:8]) if net else model.loss_and_grad(x=X[:8], y=Y[:8])

    for warm in (False, True):  # the long way, and the call that is made again
        def prepared(warm=warm):
            model = make()
            for _ in range(warm):
                gradient(model)
            return model

        for at in points(gradient, [prepared()], 100):
            model = prepared()
            before, drawn = model.grads.copy(), model._draws
            try:
                with Tracer(at):
                    gradient(model)
            except KeyboardInterrupt:
                assert (model._draws > drawn) == (model.grads != before).any(), at

    def ready():
        model, optimizer = begun(make())
        xb, yb = next(iter(fb.batches(X, Y, BATCH, seed=model.seed)))
        model.loss_and_grad(xb, yb) if net else model.loss_and_grad(x=xb, y=yb)
        return model, optimizer

    def step(model, optimizer):
        optimizer.step(model)

    for at in points(step, ready(), 100):
        model, optimizer = ready()
        try:
            with Tracer(at):
                step(model, optimizer)
        except KeyboardInterrupt:
            pass
        assert found(model, optimizer)[:3] == states[optimizer.steps][:3], at


def test_going_back_to_the_last_good_step_is_interrupted_between_two_steps():
    """Whatever is cut short - the way back to the epoch's start, or the steps that are repeated - no parameter is left
    that is not finite, and the counts are right."""
    bad = np.concatenate([X[:16], np.full((4, INPUTS), 1e25, "f")])

    def run(net, optimizer):
        return net.fit(bad, Y, batch_size=4, shuffle=False, optimizer=optimizer)

    class Late(fb.schedules.Schedule):
        def rates(self, t):
            return np.where(t < 3, 0.01, 1e38)

    def tried():
        return begun(fb.mlp(INPUTS, UNITS, seed=4), fb.SGD(lr=Late(), momentum=0.5))

    net, optimizer = tried()
    states = [found(net, optimizer)]
    for xb, yb in list(fb.batches(bad, Y, 4, shuffle=False))[:3]:
        net.loss_and_grad(xb, yb)
        optimizer.step(net)
        states.append(found(net, optimizer))

    def caught(net, optimizer):
        with pytest.raises(FloatingPointError, match="step 4: a parameter of layer 0"):
            run(net, optimizer)

    for at in points(caught, tried(), 150):
        net, optimizer = tried()
        try:
            with Tracer(at):
                run(net, optimizer)
        except (KeyboardInterrupt, FloatingPointError):
            pass
        assert np.isfinite(net.params).all(), at
        assert found(net, optimizer)[:3] == states[optimizer.steps][:3], at


def test_the_best_parameters_are_put_back_whenever_it_comes():
    """Or those of the last step stay, where it comes after all that: never something between."""
    def run(net, optimizer, stopper):
        seen = []
        fit(net, optimizer, epochs=3, early_stopping=stopper, validation_data=(X, Y),
            callbacks=lambda net, epoch, logs: seen.append(net.params.copy()))
        return seen

    best = run(*begun(network()), fb.EarlyStopping(patience=5))
    for at in points(run, [*begun(network()), fb.EarlyStopping(patience=5)], 150):
        (net, optimizer), stopper, done = begun(network()), fb.EarlyStopping(patience=5), False
        try:
            with Tracer(at):
                run(net, optimizer, stopper)
                done = True
        except KeyboardInterrupt:
            pass
        if stopper.best_epoch is not None:
            assert (stopper.best_params == best[stopper.best_epoch]).all(), at
            assert not done or (net.params == stopper.best_params).all(), at


def test_whatever_a_signals_handler_raises_leaves_the_same():
    states = way(network)
    for at in points(fit, begun(network()), 60):
        net, optimizer = begun(network())
        with pytest.raises(TimeoutError), Tracer(at, TimeoutError):
            fit(net, optimizer)
        assert found(net, optimizer) == states[optimizer.steps], at


def test_a_plateau_is_seen_whole_or_not_at_all():
    def states(at=None):
        schedule = fb.schedules.ReduceOnPlateau(1.0, factor=0.5, patience=0, cooldown=2)
        schedule.observe(1.0)
        try:
            with Tracer(at) as tracer:
                schedule.observe(1.0)
        except KeyboardInterrupt:
            pass
        return (schedule.current, schedule._best, schedule._waited, schedule._cooling), tracer.seen

    whole, count = states()
    assert {states(at)[0] for at in range(count)} == {whole, (1.0, 1.0, 0, 0)}
