"""Optimizers: how parameters move against their gradients. An optimizer object holds the settings, the state and the
count of steps of one network; the arithmetic is compiled (csrc/updates.inc), one kernel for each rule.

g is the gradient after clipping, p a parameter, wd the weight decay. All but AdamW couple the decay: g += wd p.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import numpy as np

from fastbp import _check as check
from fastbp import schedules
from fastbp._check import optimizer_state
from fastbp._check.errstate import quiet
from fastbp._check.logs import check_monitor
from fastbp._core import cpu, portable

if TYPE_CHECKING:
    from collections.abc import Collection

    from fastbp._check.types import Config, Doubles, Floats, Logs
    from fastbp._training.trainable import Trainable

    _Self = TypeVar("_Self", bound="Optimizer")

# which `fastbp` shows and configs name, in the order of messages
__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]  # noqa: RUF022

_BLOCK = 256  # rates computed ahead for a loop written by hand, which takes one step at a time


class _State:
    """What optimizers hold, of which `dataclass` is to make no arguments: the settings that each rule has, with
    defaults of its own, and what steps change."""

    lr: float | schedules.Schedule
    weight_decay: float
    clip_norm: float | None
    clip_value: float | None
    steps: int
    state: Floats | None
    _params: Floats | None
    _ahead: tuple[int, list[float]] | None
    _fixed: Collection[str] = ()  # names that cannot be set any more
    _constants: Doubles | None = None


@dataclass(eq=False)
class Optimizer(_State):
    """What optimizers have in common.

    lr: a number >= 0 or a schedule (fastbp.schedules); it may be changed between steps, the other settings may not.
    clip_norm: the gradient of all parameters together is scaled down to at most this Euclidean norm (Pascanu et al.,
        "On the difficulty of training recurrent neural networks", ICML 2013). clip_value: each element is then cut off
        at +- this value.
    steps: the steps taken so far. slots: how many vectors of state its kernel has (csrc/updates.inc). state: None, or
        (slots, P) of the network's dtype; a state that is set, such as one that was kept, is copied. ValueError where
        it is of another shape or dtype.
    """

    name: ClassVar[str]

    def __new__(cls: type[_Self], *args: Any, **settings: Any) -> _Self:
        check.settings(cls, settings)  # before Python, which would not say which one is meant
        return super().__new__(cls)

    def __post_init__(self) -> None:
        self._check()
        self._number("weight_decay", minimum=0.0)
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                self._number(name, above=0.0)
        self.reset()
        self._fixed = frozenset(self.settings()) - {"lr"} | {"name", "slots", "kernel"}

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "lr":
            value = value if isinstance(value, schedules.Schedule) else _rate(value)
            object.__setattr__(self, "_ahead", None)
        elif name in self._fixed:
            raise AttributeError(
                f"{name} of an optimizer cannot change (to {check.written(value)}), expected only lr to; make a new "
                "optimizer"
            )
        elif name == "state":
            value = optimizer_state.own(self, value)
        elif name == "steps":
            value = check.integer("steps", value, minimum=0, maximum=2**62)
        object.__setattr__(self, name, value)

    # ---- what the compiled steps ask -------------------------------------------------------------------------

    @property
    def kernel(self) -> str:
        """The update's row in the compiled table."""
        return self.name

    @property
    def slots(self) -> int:
        """How many vectors of state its kernel has."""
        return _slots()[self.kernel]

    def hyper(self) -> Doubles:
        """float64 (9,) in the order of enum fbp_hyper. The rate is that of the next step; the corrections and the
        scale, which a compiled step fills in, are 1."""
        beta1, beta2, eps = self._betas()
        limit = math.inf if self.clip_value is None else self.clip_value
        return np.array([self.learning_rates(1)[0], self.weight_decay, beta1, beta2, eps, 1.0, 1.0, 1.0, limit])

    def constants(self) -> Doubles:
        """float64 (13,): what `hyper` gave once, as all but the rate never changes; then log(beta1) and log(beta2),
        each as the sum of two numbers. Making it takes longer than a small step."""
        made = self._constants
        if made is None:
            logs = [part for beta in self._betas()[:2] for part in portable.log(beta)]
            self._constants = made = np.array([*self.hyper(), *logs])
        return made

    def learning_rates(self, count: int) -> Doubles:
        """float64 (count,): the rates of the next `count` steps."""
        if isinstance(self.lr, float):
            rates = np.empty(count)  # np.full takes a microsecond more, which is three steps of a small network
            rates.fill(self.lr)
            return rates
        rates = _float64(self.lr(np.arange(self.steps, self.steps + count)))
        if rates.shape != (count,) or not cpu.all_finite(rates) or (count and rates.min() < 0):
            raise ValueError(
                f"lr = {self.lr!r} gives {rates} for steps {self.steps} .. {self.steps + count - 1}, expected finite "
                "rates >= 0, one for each step; correct the schedule"
            )
        return rates

    def rate(self) -> float:
        """The rate of the next step, a float; the same bits as learning_rates(1)[0]."""
        lr: Any = self.lr
        if type(lr) is float:
            return lr
        if lr.stateful:
            return float(self.learning_rates(1)[0])
        ahead = self._ahead
        if ahead is None or not 0 <= self.steps - ahead[0] < _BLOCK:
            self._ahead = ahead = (self.steps, self.learning_rates(_BLOCK).tolist())
        return ahead[1][self.steps - ahead[0]]

    def bind(self, params: Floats) -> None:
        """Makes this the optimizer of the vector `params` (P,), with state of zeros. A second call with the same vector
        does nothing; with another it raises ValueError, because state and count of steps belong to one network."""
        if params is self._params:
            return
        self.check_free(params)
        if self._params is not None:
            return
        # a copy that has taken steps goes on where it was, with the network that was copied with it
        if self.slots and (not self.steps or self.state is None):
            object.__setattr__(self, "state", optimizer_state.zeros(self, (self.slots, params.size), params.dtype))
        self._params = params

    check_free = optimizer_state.check_free

    def step(self, net: Trainable) -> None:
        """One step: reads net.grads, writes net.params."""
        if getattr(net, "params", None) is not self._params or self._params is None:
            if not hasattr(net, "_apply"):
                raise TypeError(f"net is {check.shown(net)}, expected a network or a Plan; pass the one that has the "
                                "gradients")
            check.vectors(net, ("params",))
            self.bind(net.params)
        net._apply(self)

    # ---- what users and fit ask ------------------------------------------------------------------------------

    def observe(self, logs: Logs) -> None:
        """Tells a schedule that waits for a plateau of an epoch's values, a dict such as {"loss": 0.1}."""
        name = self.monitored(logs)
        if name is not None:
            cast("schedules.Schedule", self.lr).observe(logs[name])

    def monitored(self, names: Collection[str], undeclared: bool = False) -> str | None:
        """Which of the `names` of an epoch's values the schedule waits for; None where it waits for none.

        Raises ValueError where there is no such name, so that a training can find out before it begins. undeclared:
        whether callbacks may put values beside them, whose names are known when they do.
        """
        if isinstance(self.lr, float) or not self.lr.stateful:
            return None
        name = self.lr.monitor or ("val_loss" if "val_loss" in names else "loss")
        check_monitor("schedule", name, names, undeclared, "a callback")
        return name

    def fresh(self: _Self) -> _Self:
        """An optimizer with the same settings that has trained nothing."""
        settings = {name: getattr(self, name) for name in self.settings()}
        if not isinstance(self.lr, float):
            settings["lr"] = copy.deepcopy(self.lr)  # which a new optimizer resets
        return type(self)(**settings)

    def __getstate__(self) -> dict[str, Any]:
        # whom a copy trains is found out at its first step
        return {**self.__dict__, "_params": None}

    def __setstate__(self, settings: dict[str, Any]) -> None:
        self.__dict__.update(settings)
        self.state = self.state  # a copy: two optimizers must not write into one state

    def reset(self) -> None:
        """Forgets the network, the state, the steps taken and what the schedule has observed."""
        self._params, self.steps, self.state, self._ahead = None, 0, None, None
        if not isinstance(self.lr, float):
            self.lr.reset()

    def config(self) -> Config:
        """JSON-able dict: the name and the settings."""
        values = {name: getattr(self, name) for name in self.settings()}
        if not isinstance(self.lr, float):
            values["lr"] = self.lr.config()
        return {"name": self.name, **values}

    @classmethod
    def settings(cls) -> Config:
        """{name: default, or dataclasses.MISSING} of the arguments."""
        return check.settings_of(cls)

    def _number(self, name: str, **bounds: float) -> None:
        setattr(self, name, check.number(name, getattr(self, name), **bounds))

    def _check(self) -> None:
        """Checks the settings of one rule."""

    def _betas(self) -> tuple[float, float, float]:
        """(beta1, beta2, eps) in the places of enum fbp_hyper."""
        return 0.0, 0.0, 0.0


@dataclass(eq=False)
class SGD(Optimizer):
    """Stochastic gradient descent: p -= lr g.

    With momentum, in [0, 1): s = momentum s + g; p -= lr s (Polyak 1964, in the form of Sutskever et al., "On the
    importance of initialization and momentum in deep learning", ICML 2013). With nesterov: p -= lr (g + momentum s).
    """

    name = "sgd"
    lr: float | schedules.Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None

    def _check(self) -> None:
        self._number("momentum", minimum=0.0, below=1.0)
        self.nesterov = check.flag("nesterov", self.nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov is True with momentum 0.0, expected momentum > 0; pass momentum=0.9, say")

    @property
    def kernel(self) -> str:
        return "nesterov" if self.nesterov else "momentum" if self.momentum else "sgd"

    def _betas(self) -> tuple[float, float, float]:
        return self.momentum, 0.0, 0.0


@dataclass(eq=False)
class Adam(Optimizer):
    """Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1:
    s0 and s1 are running means of g and g^2, corrected for their beginning at 0; p -= lr s0 / (sqrt(s1) + eps)."""

    name = "adam"
    lr: float | schedules.Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None

    def _check(self) -> None:
        self._number("beta1", minimum=0.0, below=1.0)
        self._number("beta2", minimum=0.0, below=1.0)
        self._number("eps", above=0.0)

    def _betas(self) -> tuple[float, float, float]:
        return self.beta1, self.beta2, self.eps


@dataclass(eq=False)
class AdamW(Adam):
    """Adam with the decay apart from the gradient: p -= lr wd p first.

    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
    """

    name = "adamw"
    weight_decay: float = 0.01


@dataclass(eq=False)
class RMSprop(Optimizer):
    """s = rho s + (1 - rho) g^2; p -= lr g / (sqrt(s) + eps).

    Tieleman and Hinton, "Neural networks for machine learning", lecture 6.5, 2012.
    """

    name = "rmsprop"
    lr: float | schedules.Schedule = 1e-3
    rho: float = 0.9
    eps: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None

    def _check(self) -> None:
        self._number("rho", minimum=0.0, below=1.0)
        self._number("eps", above=0.0)

    def _betas(self) -> tuple[float, float, float]:
        return self.rho, 0.0, self.eps


@dataclass(eq=False)
class Adagrad(Optimizer):
    """s += g^2; p -= lr g / (sqrt(s) + eps).

    Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning", JMLR 12, 2011.
    """

    name = "adagrad"
    lr: float | schedules.Schedule = 1e-2
    eps: float = 1e-10
    weight_decay: float = 0.0
    clip_norm: float | None = None
    clip_value: float | None = None

    def _check(self) -> None:
        self._number("eps", above=0.0)

    def _betas(self) -> tuple[float, float, float]:
        return 0.0, 0.0, self.eps


OPTIMIZERS: dict[str, type[Optimizer]] = {cls.name: cls for cls in map(globals().__getitem__, __all__)}


@cache
def _slots() -> dict[str, int]:
    """{kernel: vectors of state}, the same for all ISAs."""
    return cpu.updates()


def get(optimizer: str | Optimizer, **settings: Any) -> Optimizer:
    """An Optimizer from an Optimizer, or from a name and settings."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    return check.build("optimizer", OPTIMIZERS, {"name": optimizer, **settings})


def from_config(config: Config) -> Optimizer:
    """The Optimizer that `config()` described, with nothing trained yet; ValueError or TypeError where it did not."""
    return check.build("optimizer", OPTIMIZERS, config)


@quiet
def _float64(rates: Any) -> Doubles:
    return np.ascontiguousarray(rates, dtype=np.float64)


def _rate(value: Any) -> float | schedules.Schedule:
    """lr as a float, or the schedule that a config describes."""
    return schedules.from_config(value) if isinstance(value, dict) else check.number("lr", value, minimum=0.0)
