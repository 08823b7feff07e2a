"""scikit-learn's rules for an update, and its learning rates, by those of fastbp.

Its velocity is -lr s, s being the state of `fb.SGD`: it keeps the rates of past steps, where s does not. Both are the
same as long as the rate is; where it changes, s is scaled so that the velocity stays what it was. Its Adam adds epsilon
to the root of the second moment before that is corrected (Kingma and Ba, section 2, "epsilon hat"), as Keras does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp import optimizers
from fastbp._check.errstate import quiet
from fastbp.schedules import Schedule

if TYPE_CHECKING:
    from fastbp.optimizers import Optimizer

SMALLEST_RATE = 1e-6  # at which "adaptive" stops
NAMES = ("adam", "sgd", "adamw", "rmsprop", "adagrad")


@dataclass(eq=False)
class SGD(optimizers.SGD):
    """Descent with scikit-learn's momentum, up to 1."""

    def _check(self) -> None:
        self._number("momentum", minimum=0.0, maximum=1.0)

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step, as scikit-learn's optimizer calls it."""
        return self.lr


@dataclass(eq=False)
class Adam(optimizers.Adam):
    """Adam with scikit-learn's epsilon."""

    def _betas(self) -> tuple[float, float, float]:
        return self.beta1, self.beta2, -self.eps  # below 0: see fill_hyper in _core/executor.pyx

    learning_rate = SGD.learning_rate


def make(model: Any) -> Optimizer:
    """The optimizer that the parameters of an estimator describe, new."""
    solver = model.solver
    clips = {name: getattr(model, name) for name in ("clip_norm", "clip_value")}
    if isinstance(solver, optimizers.Optimizer):
        for name, value in clips.items():
            if value is not None:
                raise ValueError(f"{name} is {check.shown(value)}, expected None, as solver is an object with one of "
                                 f"its own; give it to {type(solver).__name__}")
        return solver.fresh()
    rate = model.learning_rate if isinstance(model.learning_rate, Schedule) else model.learning_rate_init
    settings: dict[str, Any] = {"lr": rate, **clips}
    if solver == "sgd":
        nesterov = bool(model.nesterovs_momentum and model.momentum > 0)
        return SGD(momentum=model.momentum, nesterov=nesterov, **settings)
    if solver in ("adam", "adamw"):
        settings |= {"beta1": model.beta_1, "beta2": model.beta_2, "eps": model.epsilon}
    return Adam(**settings) if solver == "adam" else optimizers.get(solver, **settings)


@quiet
def change_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the rate of the next steps; what the steps before have left goes on at the rate it had."""
    if getattr(optimizer, "momentum", 0) and optimizer.state is not None:
        optimizer.state *= float(optimizer.lr) / rate  # type: ignore[arg-type]
    optimizer.lr = float(rate)


def end_epoch(optimizer: Optimizer, model: Any) -> None:
    """What an epoch that has ended changes: "invscaling" of t_, the rows that have been trained on."""
    if model.solver == "sgd" and model.learning_rate == "invscaling":
        change_rate(optimizer, model.learning_rate_init / (model.t_ + 1) ** model.power_t)


def goes_on(optimizer: Optimizer, model: Any) -> str:
    """Whether training goes on although nothing has improved for so long, at a smaller rate, as "adaptive" says: what
    `verbose` says of it, or "" where it ends."""
    if model.solver != "sgd" or model.learning_rate != "adaptive" or float(optimizer.lr) <= SMALLEST_RATE:  # type: ignore[arg-type]
        return ""
    change_rate(optimizer, float(optimizer.lr) / 5.0)  # type: ignore[arg-type]
    return f" Setting learning rate to {optimizer.lr:f}"
