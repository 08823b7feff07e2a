"""Schedules: the learning rate as a function of the optimizer's steps taken so far, 0, 1, 2 ...

A schedule is called with an int, giving a float, or with an array of ints, giving a float64 array of its shape. The two
ways give the same bits, so a loop written by hand trains as `fit` does, and the same on every machine. To write one,
subclass Schedule as a dataclass with `name` and `rates(t)`; where its rates come from NumPy's exp, power or cos, their
last bits may depend on the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

import numpy as np

from fastbp import _check as check
from fastbp._check.errstate import quiet
from fastbp._check.logs import rises
from fastbp._core import portable

if TYPE_CHECKING:
    from fastbp._check.types import Config, Data, Doubles, Mode

    _Self = TypeVar("_Self", bound="Schedule")


class _Facts:
    """What is known of a schedule beside its settings, of which `dataclass` is to make no arguments."""

    stateful: bool
    monitor: str | None


@dataclass
class Schedule(_Facts):
    """What schedules have in common."""

    name: ClassVar[str]
    stateful = False  # whether observe changes the rates
    monitor = None  # (a str) which of an epoch's values observe wants; None: val_loss, or else loss

    def __new__(cls: type[_Self], *args: Any, **settings: Any) -> _Self:
        check.settings(cls, settings)
        return super().__new__(cls)

    @overload
    def __call__(self, step: int) -> float: ...

    @overload
    def __call__(self, step: Data) -> Any: ...

    def __call__(self, step: Any) -> Any:
        # Always the array loops of NumPy, also for one step: its scalar arithmetic may round otherwise.
        t = _float64(step)
        rates = self.rates(t)
        return float(rates[0]) if np.ndim(step) == 0 else rates

    def rates(self, t: Doubles) -> Doubles:
        """float64 (...) rates of the steps t, float64 (...)."""
        raise NotImplementedError(f"{type(self).__name__} has no rates(t), expected the rates of the steps t; write it")

    def observe(self, value: float) -> None:
        """Told once an epoch of the monitored value; most schedules do not care."""

    def memory(self) -> object:
        """What `observe` has changed, a tuple of numbers, to be compared - whether it has been told of an epoch - and
        kept in a checkpoint. None: nobody knows."""
        return None

    def recall(self, memory: Any) -> None:
        """Has observed what one had whose `memory()` this is. Raises ValueError for what is none of its own."""
        raise ValueError(
            f"memory of {self!r} is {check.shown(memory)}, expected none, as it keeps nothing that a checkpoint can "
            "hold; write its methods memory() and recall(memory)"
        )

    def reset(self) -> None:
        """Forgets what was observed."""

    def config(self) -> Config:
        """JSON-able dict: the name and the settings."""
        values = {name: getattr(self, name) for name in self.settings()}
        return {"name": self.name, **{k: v.config() if isinstance(v, Schedule) else v for k, v in values.items()}}

    @classmethod
    def settings(cls) -> Config:
        """{name: default, or dataclasses.MISSING} of the arguments."""
        return check.settings_of(cls)

    @classmethod
    def _over(cls, lr: float, steps: int) -> Schedule:
        """The schedule of a training of so many steps that begins at the rate lr, as the command makes it."""
        return cls(lr, steps)

    def _number(self, name: str, **bounds: float) -> None:
        setattr(self, name, check.number(name, getattr(self, name), **bounds))

    def _steps(self, name: str, minimum: int = 1) -> None:
        setattr(self, name, check.integer(name, getattr(self, name), minimum=minimum))


@dataclass
class Constant(Schedule):
    """lr at every step; lr >= 0."""

    name = "constant"
    lr: float

    @classmethod
    def _over(cls, lr: float, steps: int) -> Schedule:
        return cls(lr)

    def __post_init__(self) -> None:
        self._number("lr", minimum=0.0)

    def rates(self, t: Doubles) -> Doubles:
        return np.full_like(t, self.lr)


@dataclass
class Step(Schedule):
    """lr * factor^floor(t / every): a fall by `factor`, in (0, 1], every so many steps."""

    name = "step"
    lr: float
    every: int
    factor: float = 0.1

    @classmethod
    def _over(cls, lr: float, steps: int) -> Schedule:
        return cls(lr, max(steps // 3, 1))

    def __post_init__(self) -> None:
        self._number("lr", minimum=0.0)
        self._steps("every")
        self._number("factor", above=0.0, maximum=1.0)

    @quiet
    def rates(self, t: Doubles) -> Doubles:
        return self.lr * portable.power(self.factor, np.floor(t / self.every))


@dataclass
class Exponential(Schedule):
    """lr * decay^(t / every): a smooth fall by `decay`, in (0, 1], in every so many steps."""

    name = "exponential"
    lr: float
    decay: float
    every: int = 1

    @classmethod
    def _over(cls, lr: float, steps: int) -> Schedule:
        return cls(lr, 0.01, steps)

    def __post_init__(self) -> None:
        self._number("lr", minimum=0.0)
        self._number("decay", above=0.0, maximum=1.0)
        self._steps("every")

    @quiet
    def rates(self, t: Doubles) -> Doubles:
        return self.lr * portable.power(self.decay, t / self.every)


@dataclass
class Cosine(Schedule):
    """Half a cosine from lr at step 0 to `final` at step `steps`, and `final` from there on.

    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
    """

    name = "cosine"
    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        self._number("lr", minimum=0.0)
        self._steps("steps")
        self._number("final", minimum=0.0)

    @quiet
    def rates(self, t: Doubles) -> Doubles:
        return _half_cosine(self.lr, self.final, t / self.steps)


@dataclass
class Linear(Schedule):
    """A straight line from lr at step 0 to `final` at step `steps`, and `final` from there on."""

    name = "linear"
    lr: float
    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        self._number("lr", minimum=0.0)
        self._steps("steps")
        self._number("final", minimum=0.0)

    @quiet
    def rates(self, t: Doubles) -> Doubles:
        done = np.minimum(t / self.steps, 1.0)
        return self.lr * (1.0 - done) + self.final * done


@dataclass
class OneCycle(Schedule):
    """Up half a cosine from peak / start_factor to peak in the first warm_fraction of `steps`, then down half a cosine
    to peak / start_factor / final_factor at the last of them, and that from there on.

    Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.
    """

    name = "one_cycle"
    peak: float
    steps: int
    warm_fraction: float = 0.3
    start_factor: float = 25.0
    final_factor: float = 1e4

    def __post_init__(self) -> None:
        self._number("peak", minimum=0.0)
        self._steps("steps")
        self._number("warm_fraction", above=0.0, below=1.0)
        self._number("start_factor", minimum=1.0)
        self._number("final_factor", minimum=1.0)

    @quiet
    def rates(self, t: Doubles) -> Doubles:
        top, last = self.warm_fraction * self.steps, max(self.steps - 1, 1)
        start = self.peak / self.start_factor
        up = _half_cosine(start, self.peak, t / top)
        down = _half_cosine(self.peak, start / self.final_factor, (t - top) / max(last - top, 1e-9))
        return np.where(t < top, up, down)


@dataclass
class WarmUp(Schedule):
    """A straight rise over `steps` steps, then another schedule (or a constant rate) from its beginning.

    Step t < steps has (t + 1) / (steps + 1) of the schedule's first rate. Goyal et al., "Accurate, large minibatch
    SGD: training ImageNet in 1 hour", 2017, section 2.2.
    """

    name = "warm_up"
    schedule: Any  # a Schedule, made of what was given: one, its config, or a number
    steps: int

    @classmethod
    def _over(cls, lr: float, steps: int) -> Schedule:
        return cls(lr, max(steps // 10, 1))

    def __post_init__(self) -> None:
        self.schedule = get("schedule", self.schedule)
        self._steps("steps")

    @property
    def stateful(self) -> bool:  # type: ignore[override]  # as that of the schedule
        return bool(self.schedule.stateful)

    @property
    def monitor(self) -> str | None:  # type: ignore[override]
        name: str | None = self.schedule.monitor
        return name

    def observe(self, value: float) -> None:
        self.schedule.observe(value)

    def memory(self) -> object:
        return self.schedule.memory()

    def recall(self, memory: Any) -> None:
        self.schedule.recall(memory)

    def reset(self) -> None:
        self.schedule.reset()

    def rates(self, t: Doubles) -> Doubles:
        return self._risen(self.schedule.rates(np.maximum(t - self.steps, 0.0)), t)

    @quiet
    def _risen(self, after: Doubles, t: Doubles) -> Doubles:
        """The rates of the steps t, where the schedule alone has `after`."""
        return after * np.minimum((t + 1.0) / (self.steps + 1.0), 1.0)


@dataclass
class ReduceOnPlateau(Schedule):
    """lr, multiplied by `factor`, in (0, 1), whenever a value has not improved for more than `patience` epochs.

    `fit` tells it of the value after each epoch; a loop written by hand calls observe(value). Better means less by
    more than min_delta (mode "min") or more by more than min_delta ("max"); "auto" is what the name of the value says,
    as for EarlyStopping, and a name that does not say is refused. After a fall, `cooldown` epochs are not counted. The
    rate never falls below min_lr. monitor: a key of History; None is val_loss, or loss without validation data.
    """

    name = "reduce_on_plateau"
    stateful = True
    lr: float
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    mode: Mode = "auto"
    cooldown: int = 0
    min_lr: float = 0.0
    monitor: str | None = None  # type: ignore[assignment]  # here it is a setting
    current: float = field(init=False, repr=False, compare=False)

    @classmethod
    def _over(cls, lr: float, steps: int) -> Schedule:
        # what is held out must not steer the training: the plateau is that of the training loss
        return cls(lr, factor=0.3, patience=3, monitor="loss")

    def __post_init__(self) -> None:
        self._number("lr", minimum=0.0)
        self._number("factor", above=0.0, below=1.0)
        self._steps("patience", minimum=0)
        self._number("min_delta", minimum=0.0)
        check.choice("mode", self.mode, ("auto", "min", "max"))
        self._steps("cooldown", minimum=0)
        self._number("min_lr", minimum=0.0)
        if not isinstance(self.monitor, (str, type(None))):
            raise TypeError(f"monitor is {check.shown(self.monitor)}, expected a key of History or None; pass 'loss', "
                            "say")
        self._rises()
        self.reset()

    def reset(self) -> None:
        self.current, self._best, self._waited, self._cooling = self.lr, math.inf, 0, 0

    def _rises(self) -> bool:
        """Whether more of what it waits for is better."""
        return rises(self, "loss" if self.monitor is None else self.monitor, self.mode)

    def observe(self, value: float) -> None:
        value = -float(value) if self._rises() else float(value)
        current, best, waited, cooling = self.current, self._best, self._waited, self._cooling
        if value < best - self.min_delta:
            best, waited = value, 0
        elif cooling:
            waited = 0
        else:
            waited += 1
        cooling = max(cooling - 1, 0)
        if waited > self.patience:
            current = max(current * self.factor, min(self.min_lr, current))
            waited, cooling = 0, self.cooldown
        # all at once, in C: Ctrl-C leaves either what was before or what is after
        self.__dict__.update(current=current, _best=best, _waited=waited, _cooling=cooling)

    def memory(self) -> object:
        return self.current, self._best, self._waited, self._cooling

    def recall(self, memory: Any) -> None:
        fits = isinstance(memory, (tuple, list)) and list(map(type, memory)) == [float, float, int, int]
        if not fits or not 0 <= memory[0] <= self.lr or math.isnan(memory[1]) or min(memory[2:]) < 0:
            raise ValueError(
                f"memory of {self!r} is {check.shown(memory)}, expected (rate, best value, epochs waited, epochs to "
                "cool down), as its memory() gives; pass that"
            )
        self.__dict__.update(zip(("current", "_best", "_waited", "_cooling"), memory, strict=True))

    def rates(self, t: Doubles) -> Doubles:
        return np.full_like(t, self.current)


@quiet
def _float64(step: Any) -> Doubles:
    return np.array(step, dtype=np.float64, ndmin=1, order="C")


def _half_cosine(first: float, last: float, done: Doubles) -> Doubles:
    """From `first` where done <= 0 to `last` where done >= 1, along half a cosine."""
    return last + (first - last) * 0.5 * (1.0 + portable.cos_pi(np.clip(done, 0.0, 1.0)))


SCHEDULES = {
    cls.name: cls for cls in (Constant, Step, Exponential, Cosine, Linear, OneCycle, WarmUp, ReduceOnPlateau)
}


def get(name: str, value: float | Schedule | Config) -> Schedule:
    """A Schedule from a Schedule, its config, or a number (Constant); `name` is the argument's name for messages."""
    if isinstance(value, Schedule):
        return value
    return from_config(value) if isinstance(value, dict) else Constant(check.number(name, value, minimum=0.0))


def from_config(config: Config) -> Schedule:
    """The Schedule that `config()` described; ValueError or TypeError where it did not."""
    return check.build("schedule", SCHEDULES, config)
