"""Optimizer objects: which kernel with which hyperparameters, rates of steps, state bound to one network, checks."""

import copy
import json
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from fastbp import optimizers, schedules
from fastbp._core import cpu
from fastbp.optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

ALL = [SGD(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True), Adam(), AdamW(), RMSprop(), Adagrad()]
each = pytest.mark.parametrize("optimizer", ALL, ids=repr)


def test_every_compiled_update_is_used():
    assert {optimizer.kernel for optimizer in ALL} == set(cpu.updates())


def test_slots():
    assert [optimizer.slots for optimizer in ALL] == [0, 1, 1, 2, 2, 1, 1]


def test_defaults():
    assert [(type(o).__name__, o.lr, o.weight_decay) for o in ALL[2:]] == [
        ("SGD", 0.01, 0.0), ("Adam", 1e-3, 0.0), ("AdamW", 1e-3, 0.01), ("RMSprop", 1e-3, 0.0), ("Adagrad", 1e-2, 0.0)
    ]
    assert ALL[3].config() == {"name": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
                               "weight_decay": 0.0, "clip_norm": None, "clip_value": None}


@pytest.mark.parametrize(
    "optimizer, wanted",
    [
        # lr, weight_decay, beta1, beta2, eps, correction1, correction2, scale, limit: enum fbp_hyper
        (SGD(0.5, weight_decay=0.25), [0.5, 0.25, 0, 0, 0, 1, 1, 1, math.inf]),
        (SGD(0.5, 0.75), [0.5, 0, 0.75, 0, 0, 1, 1, 1, math.inf]),
        (SGD(0.5, 0.75, True, clip_norm=3), [0.5, 0, 0.75, 0, 0, 1, 1, 1, math.inf]),
        (Adam(0.5, 0.25, 0.75, 0.125, 2), [0.5, 2, 0.25, 0.75, 0.125, 1, 1, 1, math.inf]),
        (AdamW(0.5, 0.25, 0.75, 0.125), [0.5, 0.01, 0.25, 0.75, 0.125, 1, 1, 1, math.inf]),
        (RMSprop(0.5, 0.25, 0.125, clip_value=4), [0.5, 0, 0.25, 0, 0.125, 1, 1, 1, 4]),
        (Adagrad(schedules.Step(0.5, 1), 0.125), [0.5, 0, 0, 0, 0.125, 1, 1, 1, math.inf]),
    ],
    ids=repr,
)
def test_hyper(optimizer, wanted):
    hyper = optimizer.hyper()
    assert hyper.dtype == np.float64 and hyper.tolist() == wanted


def test_learning_rates_follow_the_steps():
    schedule = schedules.Step(0.8, 3, 0.5)
    optimizer = SGD(schedule)
    assert optimizer.learning_rates(5).tolist() == [0.8, 0.8, 0.8, 0.4, 0.4]
    optimizer.steps = 5
    assert optimizer.learning_rates(2).tolist() == [0.4, 0.2] and optimizer.rate() == 0.4
    assert optimizer.hyper()[0] == 0.4
    assert optimizer.learning_rates(0).shape == (0,)
    assert SGD(0.5).learning_rates(3).tolist() == [0.5] * 3


@pytest.mark.parametrize(
    "lr", [0.5, schedules.Cosine(0.1, 700), schedules.OneCycle(0.1, 700), schedules.Exponential(0.1, 0.999)], ids=repr
)
def test_one_step_at_a_time_has_the_same_rates(lr):
    optimizer = SGD(lr)
    many = optimizer.learning_rates(700).tolist()
    for step in [*range(700), 3, 500, 0]:
        optimizer.steps = step
        assert optimizer.rate() == many[step] == optimizer.learning_rates(1)[0]
        assert type(optimizer.rate()) is float


def test_lr_may_change_between_steps():
    optimizer = SGD(schedules.Cosine(0.1, 100))
    assert optimizer.rate() == 0.1
    optimizer.lr = schedules.Cosine(0.3, 100)
    assert optimizer.rate() == 0.3
    optimizer.lr = 2
    assert optimizer.rate() == 2.0 and type(optimizer.lr) is float
    with pytest.raises(ValueError, match="lr is -1, expected a finite number >= 0"):
        optimizer.lr = -1
    assert optimizer.lr == 2.0


def test_other_settings_may_not():
    optimizer = SGD()
    with pytest.raises(AttributeError, match=r"momentum of an optimizer cannot change \(to 0.9\), .*make a new"):
        optimizer.momentum = 0.9
    assert optimizer.momentum == 0.0


class Jump(schedules.Schedule):
    def __init__(self, value):
        self.value = value

    def rates(self, t):
        return self.value(t)


@pytest.mark.parametrize(
    "value", [lambda t: -t, lambda t: t * np.nan, lambda t: t[:1], lambda t: np.full_like(t, np.inf)]
)
def test_wrong_rates_of_ones_own_schedule_are_refused(value):
    with pytest.raises(ValueError, match=r"gives .* for steps 0 .. 2, expected finite rates >= 0, .*; correct the"):
        SGD(Jump(value)).learning_rates(3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each
def test_bind_allocates_state(optimizer, dtype):
    optimizer = optimizer.fresh()
    params = np.ones(10, dtype)
    assert optimizer.state is None and optimizer.steps == 0
    optimizer.bind(params)
    if optimizer.slots:
        assert optimizer.state.shape == (optimizer.slots, 10) and optimizer.state.dtype == dtype
        assert not optimizer.state.any() and optimizer.state.flags.c_contiguous
    else:
        assert optimizer.state is None
    state = optimizer.state
    optimizer.bind(params)
    optimizer.bind(params[:])
    assert optimizer.state is state


@each
@pytest.mark.parametrize("other", [lambda p: p.copy(), lambda p: p[:5], lambda p: p[1:], lambda p: p.view(np.int32)])
def test_bind_refuses_another_network(optimizer, other):
    optimizer = optimizer.fresh()
    params = np.ones(10, np.float32)
    optimizer.bind(params)
    optimizer.steps = 7
    state = optimizer.state
    with pytest.raises(ValueError, match=r"already trains another .*10 parameters, 7 steps.*optimizer\.fresh\(\)"):
        optimizer.bind(other(params))
    assert optimizer.state is state and optimizer.steps == 7
    optimizer.fresh().bind(other(params))


def test_step_binds_and_applies():
    seen = []
    net = SimpleNamespace(params=np.ones(3), grads=np.ones(3), dtype=np.dtype("float64"), _size=3,
                          _apply=lambda optimizer: seen.append((optimizer, optimizer.state.shape)))
    optimizer = Adam()
    optimizer.step(net)
    assert seen == [(optimizer, (2, 3))]


def test_fresh_and_reset_forget():
    optimizer = SGD(schedules.ReduceOnPlateau(1.0, 0.5, patience=0), momentum=0.5)
    optimizer.bind(np.ones(3))
    optimizer.steps = 4
    rates = []
    for _ in range(3):
        optimizer.observe({"loss": 1.0})
        rates.append(optimizer.rate())
    assert rates == [1.0, 0.5, 0.25]
    twin = optimizer.fresh()
    assert twin.rate() == 1.0 and twin.steps == 0 and twin.state is None and twin.momentum == 0.5
    assert optimizer.rate() == 0.25 and optimizer.steps == 4
    optimizer.reset()
    assert optimizer.rate() == 1.0 and optimizer.steps == 0 and optimizer.state is None
    optimizer.bind(np.ones(5))


def test_observe_takes_the_validation_loss_first():
    def after(logs, **settings):
        optimizer = SGD(schedules.ReduceOnPlateau(1.0, 0.5, patience=0, **settings))
        for log in logs:
            optimizer.observe(log)
        return optimizer.rate()

    falling, rising = ({"loss": 2, "val_loss": 1}, {"loss": 1, "val_loss": 2}), ({"loss": 1}, {"loss": 2})
    assert after(falling) == 0.5 and after(falling, monitor="loss") == 1.0 and after(rising) == 0.5
    with pytest.raises(ValueError, match="schedule monitors 'accuracy', expected one of: loss; choose"):
        after(rising, monitor="accuracy")
    optimizer = SGD(schedules.ReduceOnPlateau(1.0))
    assert optimizer.monitored(["loss", "val_loss"]) == "val_loss" and optimizer.monitored(["loss"]) == "loss"
    assert SGD().monitored([]) is None and SGD(schedules.Constant(0.1)).monitored([]) is None
    SGD().observe({})
    SGD(schedules.Constant(0.1)).observe({})


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
@pytest.mark.parametrize("lr", [0.25, schedules.WarmUp(schedules.Cosine(0.25, 10), 2)], ids=repr)
def test_config_and_back(name, lr):
    optimizer = optimizers.get(name, lr=lr, clip_norm=2, clip_value=1)
    twin = optimizers.from_config(json.loads(json.dumps(optimizer.config())))
    assert type(twin) is type(optimizer) and twin.config() == optimizer.config() and repr(twin) == repr(optimizer)
    assert twin.lr == lr and optimizers.get(optimizer) is optimizer


@each
def test_pickle_and_deepcopy_keep_the_progress(optimizer):
    optimizer = optimizer.fresh()
    optimizer.bind(np.ones(3))
    optimizer.steps = 5
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert twin.config() == optimizer.config() and twin.steps == 5 and twin.slots == optimizer.slots
        assert np.array_equal(twin.state, optimizer.state) or twin.state is None
        with pytest.raises(AttributeError):
            twin.weight_decay = 1


@pytest.mark.parametrize("make", [SGD, Adam, AdamW, RMSprop, Adagrad])
@pytest.mark.parametrize(
    "kind, settings, message",
    [
        (ValueError, {"lr": -0.1}, r"lr is -0.1, expected a finite number >= 0; choose lr"),
        (ValueError, {"lr": math.nan}, r"lr is nan, expected a finite number"),
        (ValueError, {"lr": math.inf}, r"lr is inf, expected a finite number"),
        (TypeError, {"lr": "0.1"}, r"lr is '0.1', expected a finite number >= 0; pass"),
        (TypeError, {"lr": None}, r"lr is None, expected"),
        (ValueError, {"weight_decay": -1}, r"weight_decay is -1, expected a finite number >= 0"),
        (ValueError, {"clip_norm": 0}, r"clip_norm is 0, expected a finite number > 0"),
        (ValueError, {"clip_value": -1}, r"clip_value is -1, expected a finite number > 0"),
        (ValueError, {"clip_value": math.inf}, r"clip_value is inf, expected"),
    ],
)
def test_bad_settings_are_refused(make, kind, settings, message):
    with pytest.raises(kind, match=message):
        make(**settings)


@pytest.mark.parametrize(
    "kind, make, message",
    [
        (ValueError, lambda: SGD(momentum=1), r"momentum is 1, expected a finite number >= 0 and < 1"),
        (ValueError, lambda: SGD(momentum=-0.5), r"momentum is -0.5, expected"),
        (ValueError, lambda: SGD(nesterov=True), r"nesterov is True with momentum 0.0, expected momentum > 0; pass"),
        (TypeError, lambda: SGD(nesterov="yes"), r"nesterov is 'yes', expected True or False"),
        (ValueError, lambda: Adam(beta1=1.0), r"beta1 is 1.0, expected"),
        (ValueError, lambda: AdamW(beta2=1.0), r"beta2 is 1.0, expected"),
        (ValueError, lambda: Adam(eps=0), r"eps is 0, expected a finite number > 0"),
        (ValueError, lambda: RMSprop(rho=1), r"rho is 1, expected"),
        (ValueError, lambda: RMSprop(eps=0), r"eps is 0, expected"),
        (ValueError, lambda: Adagrad(eps=-1), r"eps is -1, expected"),
        (ValueError, lambda: optimizers.get("rmsporp"), r"optimizer is 'rmsporp', expected one of: sgd, .*; did you "
                                                        r"mean 'rmsprop'\?"),
        (TypeError, lambda: optimizers.get(None), r"optimizer is None, expected a name, one of: sgd"),
        (TypeError, lambda: optimizers.get(SGD), r"optimizer is <class .*SGD.*expected a name"),
        (ValueError, lambda: optimizers.get("sgd", beta1=1), r"'sgd' has no setting 'beta1', expected: lr, momentum"),
    ],
)
def test_bad_settings_of_one_rule_are_refused(kind, make, message):
    with pytest.raises(kind, match=message):
        make()
