"""Schedules: values worked by hand, one step at a time the same bits as many, settings checked."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest

from fastbp import schedules as s

ALL = [
    s.Constant(0.1),
    s.Step(0.1, 7, 0.3),
    s.Exponential(0.1, 0.97),
    s.Exponential(0.1, 0.5, every=9),
    s.Cosine(0.1, 53, final=0.01),
    s.Linear(0.1, 53, final=0.2),
    s.OneCycle(0.1, 53),
    s.WarmUp(0.1, 5),
    s.WarmUp(s.Cosine(0.1, 53), 5),
    s.WarmUp(s.ReduceOnPlateau(0.1), 5),
    s.ReduceOnPlateau(0.1, monitor="loss"),
]
each = pytest.mark.parametrize("schedule", ALL, ids=repr)


@pytest.mark.parametrize(
    "schedule, values",
    [
        (s.Constant(0.1), {0: 0.1, 1000: 0.1}),
        (s.Step(0.8, 10, 0.5), {0: 0.8, 9: 0.8, 10: 0.4, 19: 0.4, 20: 0.2, 30: 0.1}),
        (s.Step(0.8, 10), {9: 0.8, 10: 0.08}),
        (s.Exponential(0.8, 0.5), {0: 0.8, 1: 0.4, 2: 0.2}),
        (s.Exponential(0.8, 0.25, every=2), {0: 0.8, 1: 0.4, 2: 0.2}),
        # cos(0) = 1, cos(pi / 3) = 1/2, cos(pi / 2) = 0, cos(pi) = -1
        (s.Cosine(0.5, 12, final=0.1), {0: 0.5, 4: 0.4, 6: 0.3, 12: 0.1, 100: 0.1}),
        (s.Linear(0.5, 4, final=0.1), {0: 0.5, 1: 0.4, 2: 0.3, 4: 0.1, 100: 0.1}),
        (s.Linear(0.1, 4, final=0.5), {0: 0.1, 3: 0.4, 4: 0.5, 5: 0.5}),
        # 21 steps: up from 0.04 to 1 at step 10.5, down to 0.04 / 1e4 at step 20
        (s.OneCycle(1.0, 21, warm_fraction=0.5), {0: 0.04, 20: 4e-6, 21: 4e-6, 500: 4e-6}),
        (s.OneCycle(1.0, 20, warm_fraction=0.5, start_factor=2, final_factor=5), {0: 0.5, 5: 0.75, 10: 1.0, 19: 0.1}),
        (s.WarmUp(0.6, 2), {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.6, 100: 0.6}),
        (s.WarmUp(s.Linear(0.6, 4), 2), {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.45, 6: 0.0}),
    ],
    ids=repr,
)
def test_values_worked_by_hand(schedule, values):
    for step, rate in values.items():
        assert schedule(step) == pytest.approx(rate, rel=1e-12, abs=1e-17), step
    steps = list(values)
    assert schedule(np.array(steps)) == pytest.approx(list(values.values()), rel=1e-12, abs=1e-17)


def test_one_cycle_rises_then_falls():
    rates = s.OneCycle(1.0, 100)(np.arange(100))
    assert rates.argmax() == 30 and rates[30] == 1.0
    assert (np.diff(rates[:31]) > 0).all() and (np.diff(rates[30:]) < 0).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_cycle_of_very_few_steps(steps):
    for fraction in (0.3, 0.5, 2 / 3, 0.95):
        rates = s.OneCycle(1.0, steps, fraction)(np.arange(9))
        assert ((rates >= 4e-6) & (rates <= 1)).all() and (rates[steps:] == 4e-6).all(), rates


@each
def test_one_step_has_the_bits_of_many(schedule):
    many = schedule(np.arange(200))
    assert many.dtype == np.float64 and many.shape == (200,) and (many >= 0).all()
    one = [schedule(step) for step in range(200)]
    assert all(type(rate) is float for rate in one)
    assert one == many.tolist()
    assert schedule(np.arange(200)[17::3]).tolist() == many[17::3].tolist()
    assert schedule(np.int64(3)) == one[3]
    assert schedule(np.arange(6).reshape(2, 3)).shape == (2, 3)
    assert schedule(np.arange(0)).shape == (0,)


@each
def test_config_and_back(schedule):
    twin = s.from_config(json.loads(json.dumps(schedule.config())))
    assert twin == schedule and repr(twin) == repr(schedule)
    assert s.get("lr", schedule) is schedule and s.get("lr", schedule.config()) == schedule


def test_get_makes_a_number_constant():
    assert s.get("lr", 0.5) == s.Constant(0.5)
    with pytest.raises(ValueError, match="lr is -1, expected a finite number >= 0; choose lr"):
        s.get("lr", -1)


def plateau(values, **settings):
    schedule = s.ReduceOnPlateau(1.0, **{"factor": 0.5, "patience": 1, "min_delta": 0.0, **settings})
    rates = []
    for value in values:
        schedule.observe(value)
        rates.append(schedule(0))
    return rates


def test_reduce_on_plateau():
    # better, better, waited 1, waited 2 > patience: falls; then waits from 0 again
    assert plateau([3, 2, 2, 2, 2, 2, 1]) == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert plateau([3, 3, 3], patience=0) == [1, 0.5, 0.25]
    assert plateau([1, 2, 3, 3, 3], mode="max") == [1, 1, 1, 1, 0.5]
    assert plateau([3, 2.95, 2.9], patience=0, min_delta=0.2) == [1, 0.5, 0.25]
    assert plateau([3, 3, 3, 3], patience=0, min_lr=0.3) == [1, 0.5, 0.3, 0.3]
    # a cooldown of 2 epochs after the fall of the second
    assert plateau([3, 3, 3, 3, 3], patience=0, cooldown=2) == [1, 0.5, 0.5, 0.5, 0.25]
    assert plateau([3, math.nan, math.nan]) == [1, 1, 0.5]


def test_min_lr_above_lr_changes_nothing():
    assert plateau([3, 3, 3], patience=0, min_lr=2.0) == [1, 1, 1]


def test_observations_reach_through_a_warm_up_and_are_forgotten():
    schedule = s.WarmUp(s.ReduceOnPlateau(1.0, 0.5, patience=0, monitor="loss"), 3)
    assert schedule.stateful and schedule.monitor == "loss"
    before = schedule(np.arange(5)).tolist()
    schedule.observe(1.0)
    schedule.observe(1.0)
    assert schedule(np.arange(5)).tolist() == [0.5 * rate for rate in before]
    schedule.reset()
    assert schedule(np.arange(5)).tolist() == before
    assert not s.WarmUp(0.1, 3).stateful


def test_a_schedule_of_ones_own():
    @dataclass
    class Cyclic(s.Schedule):
        name = "cyclic"
        low: float
        high: float

        def rates(self, t):
            return np.where(t % 2 == 0, self.low, self.high)

    assert Cyclic(0.1, 0.2)(np.arange(3)).tolist() == [0.1, 0.2, 0.1]
    assert s.WarmUp(Cyclic(0.1, 0.2), 1)(2) == 0.2
    with pytest.raises(NotImplementedError, match=r"Schedule has no rates\(t\), expected"):
        s.Schedule()(0)


@pytest.mark.parametrize(
    "kind, make, message",
    [
        (ValueError, lambda: s.Constant(-0.1), r"lr is -0.1, expected a finite number >= 0; choose lr"),
        (ValueError, lambda: s.Step(math.nan, 1), r"lr is nan, expected"),
        (ValueError, lambda: s.Exponential(math.inf, 0.5), r"lr is inf, expected"),
        (ValueError, lambda: s.Cosine(-1, 5), r"lr is -1, expected"),
        (ValueError, lambda: s.Linear(-1, 5), r"lr is -1, expected"),
        (ValueError, lambda: s.ReduceOnPlateau(-1), r"lr is -1, expected"),
        (ValueError, lambda: s.OneCycle(-1, 5), r"peak is -1, expected"),
        (ValueError, lambda: s.WarmUp(-1, 5), r"schedule is -1, expected"),
        (TypeError, lambda: s.WarmUp("cosine", 5), r"schedule is 'cosine', expected a finite number"),
        (ValueError, lambda: s.Step(1, 0), r"every is 0, expected an integer >= 1; choose every"),
        (ValueError, lambda: s.Exponential(1, 0.5, 0), r"every is 0, expected"),
        (TypeError, lambda: s.Step(1, 2.5), r"every is 2.5 \(float\), expected an integer"),
        (ValueError, lambda: s.Step(1, 2, 0), r"factor is 0, expected a finite number > 0 and <= 1; choose"),
        (ValueError, lambda: s.Step(1, 2, 1.1), r"factor is 1.1, expected"),
        (ValueError, lambda: s.Exponential(1, 0), r"decay is 0, expected a finite number > 0 and <= 1"),
        (ValueError, lambda: s.Cosine(1, 0), r"steps is 0, expected an integer >= 1"),
        (ValueError, lambda: s.Linear(1, 0), r"steps is 0, expected"),
        (ValueError, lambda: s.OneCycle(1, 0), r"steps is 0, expected"),
        (ValueError, lambda: s.WarmUp(1, 0), r"steps is 0, expected"),
        (ValueError, lambda: s.Cosine(1, 5, -1), r"final is -1, expected a finite number >= 0"),
        (ValueError, lambda: s.Linear(1, 5, -1), r"final is -1, expected"),
        (ValueError, lambda: s.OneCycle(1, 5, 1.0), r"warm_fraction is 1.0, expected .* > 0 and < 1"),
        (ValueError, lambda: s.OneCycle(1, 5, start_factor=0.5), r"start_factor is 0.5, expected .* >= 1"),
        (ValueError, lambda: s.OneCycle(1, 5, final_factor=0), r"final_factor is 0, expected .* >= 1"),
        (ValueError, lambda: s.ReduceOnPlateau(1, 1.0), r"factor is 1.0, expected .* > 0 and < 1"),
        (ValueError, lambda: s.ReduceOnPlateau(1, patience=-1), r"patience is -1, expected an integer >= 0"),
        (ValueError, lambda: s.ReduceOnPlateau(1, min_delta=-1), r"min_delta is -1, expected"),
        (ValueError, lambda: s.ReduceOnPlateau(1, mode="mni"), r"mode is 'mni', expected one of: auto, min, max; did "
                                                               r"you mean 'min'\?"),
        (ValueError, lambda: s.ReduceOnPlateau(1, cooldown=-1), r"cooldown is -1, expected"),
        (ValueError, lambda: s.ReduceOnPlateau(1, min_lr=-1), r"min_lr is -1, expected"),
        (TypeError, lambda: s.ReduceOnPlateau(1, monitor=3), r"monitor is 3 \(int\), expected a key of History or "
                                                             r"None"),
        (ValueError, lambda: s.from_config({"name": "cosin"}), r"schedule is 'cosin', expected one of: .*; did you "
                                                               r"mean 'cosine'\?"),
        (ValueError, lambda: s.from_config({"name": "step", "x": 1}), r"'step' has no setting 'x', expected: lr, eve"),
        (ValueError, lambda: s.from_config({"name": "step", "lr": 1}), r"schedule 'step' lacks the setting 'every'"),
    ],
)
def test_bad_settings_are_refused(kind, make, message):
    with pytest.raises(kind, match=message):
        make()
