"""Losses: what training makes small. y are the network's outputs (n, units), t the targets, w the sample weights.

A loss object names the kernel that computes it and says how to scale it; the arithmetic is compiled. Every loss is a
mean over the n samples of a batch (weights are factors and are not normalised); the ones that also take the mean over
the units say so. Three losses hold their link (softmax, sigmoid, exponential) inside, where it costs nothing and
cannot overflow: the network's last layer is then "linear", and `predict` applies the link.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar

from fastbp import _check as check
from fastbp._ir.elementwise import exp, maximum, minimum, multiply, row_sum, square
from fastbp._ir.indexing import logsumexp
from fastbp._ir.nn import activated

if TYPE_CHECKING:
    from fastbp._check.types import Config, Missing
    from fastbp._ir.node import Node


@dataclass(frozen=True, repr=False)
class Loss:
    """What losses have in common; the class attributes are the facts of a kind of loss.

    missing: "refuse" or "ignore". With "ignore" targets may be NaN, and those that are add nothing to the loss nor to
    the gradient, whatever the output is; what the sum is divided by stays the same, as if each had a weight of its own
    and theirs were 0. An accuracy is that of the targets that are there, NaN where there are none.
    """

    name: ClassVar[str]  # as users write it
    row: ClassVar[str]  # of csrc/kernels.def, the same as name but for mse
    link: ClassVar[str | None] = None  # applied to the outputs by predict
    classification: ClassVar[bool] = False
    over_units: ClassVar[bool] = True  # the mean is over samples and units; False: a sum over the units
    takes_labels: ClassVar[bool] = False  # integer labels go to a kernel of their own
    one_hot: ClassVar[bool] = False  # integer labels on several units become one-hot targets
    target_range: ClassVar[tuple[float, float] | None] = None  # (low, high) of the targets
    target_remedy: ClassVar[str] = ""
    missing: Missing = field(default="refuse", kw_only=True)

    def __post_init__(self) -> None:
        check.choice("missing", self.missing, ("refuse", "ignore"))

    @property
    def ignores_missing(self) -> bool:
        """Whether a target may be NaN."""
        return self.missing == "ignore"

    @property
    def param(self) -> float:
        """The loss's own number, as the kernel takes it: a float, 0.0 where there is none."""
        return 0.0

    def nodes(self, y: Node, t: Node) -> Node:
        """The loss of each output, or of each sample, of the nodes y and t, before its scale: what it is differentiated
        by where its kernel has no answer."""
        raise NotImplementedError(f"{type(self).__name__} has no nodes(y, t), expected the loss as nodes; write it")

    def kernel(self, labels: bool = False) -> str:
        """The kernel's row in the compiled table. labels: whether the targets are int32 class labels."""
        return self.row + "_labels" * (labels and self.takes_labels) + "_missing" * self.ignores_missing

    def scale(self, batch: int, units: int) -> float:
        """The factor of the sum over `batch` samples and `units` outputs that makes it this loss."""
        return 1.0 / (batch * units) if self.over_units else 1.0 / batch

    def config(self) -> Config:
        """JSON-able dict: the name and the settings, but for missing="refuse", which older versions do not know."""
        settings = asdict(self)
        if not self.ignores_missing:
            del settings["missing"]
        return {"name": self.name, **settings}

    def __repr__(self) -> str:
        known = [item.name for item in fields(self) if item.name != "missing" or self.ignores_missing]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in known)})"

    @classmethod
    def settings(cls) -> Config:
        """{name: default, or dataclasses.MISSING} of the arguments."""
        found = check.settings_of(cls)
        return {**{key: value for key, value in found.items() if key != "missing"}, "missing": found["missing"]}

    def check_output(self, activation: str, units: int) -> None:
        """Raises ValueError where an output layer of this activation and width makes no sense with this loss."""
        if self.link is not None and activation != "linear":
            raise ValueError(
                f"output activation {activation!r} does not go with loss {self.name!r}, expected 'linear': the loss "
                f"applies {self.link} itself, and predict does too; make the last layer 'linear'"
            )
        if activation == "softmax" and units == 1:
            raise ValueError(
                "output activation 'softmax' on 1 unit is always 1, expected 2 units or more; "
                "make the last layer wider, or use 'sigmoid'"
            )


class SquaredError(Loss):
    """The classic cost: sum over units of (y - t)^2, mean over samples."""

    name = row = "squared_error"
    over_units = False
    one_hot = True

    def nodes(self, y: Node, t: Node) -> Node:
        return square(y - t)


class HalfSquaredError(Loss):
    """Half of squared_error, whose gradient is y - t (Nielsen, "Neural networks and deep learning", eq. 6)."""

    name = row = "half_squared_error"
    over_units = False
    one_hot = True

    def nodes(self, y: Node, t: Node) -> Node:
        return 0.5 * square(y - t)


class MSE(Loss):
    """(y - t)^2, mean over samples and units."""

    name = "mse"
    row = "squared_error"
    one_hot = True

    def nodes(self, y: Node, t: Node) -> Node:
        return square(y - t)


class MAE(Loss):
    """|y - t|, mean over samples and units; the gradient is 0 where y = t."""

    name = row = "mae"
    one_hot = True

    def nodes(self, y: Node, t: Node) -> Node:
        return abs(y - t)


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    """d^2 / 2 where |d| = |y - t| <= delta, else delta (|d| - delta / 2); mean over samples and units. delta > 0.

    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
    """

    name = row = "huber"
    one_hot = True
    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "delta", check.number("delta", self.delta, above=0.0))

    @property
    def param(self) -> float:
        return self.delta

    def nodes(self, y: Node, t: Node) -> Node:
        distance = abs(y - t)
        near = minimum(self.delta, distance)
        return near * (distance - 0.5 * near)


@dataclass(frozen=True, repr=False)
class CrossEntropy(Loss):
    """log sum_j exp(y_j) - sum_j t_j y_j, mean over samples: softmax and cross-entropy in one, for two units or more.

    Targets: integer labels (n,), or non-negative rows (n, units) that need not sum to one.
    label_smoothing = e in [0, 1) mixes the targets with the uniform distribution, (1 - e) t + e / units
    (Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7).
    """

    name = row = "cross_entropy"
    link = "softmax"
    classification = True
    over_units = False
    takes_labels = True
    target_range = (0.0, math.inf)
    target_remedy = "pass integer labels, or probabilities"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ignores_missing:
            raise ValueError(
                "missing is 'ignore' with cross_entropy, expected 'refuse': the outputs of a row have one target "
                "together; leave rows without one out, or give them a sample_weight of 0"
            )
        object.__setattr__(self, "label_smoothing", check.fraction("label_smoothing", self.label_smoothing))

    @property
    def param(self) -> float:
        return self.label_smoothing

    def nodes(self, y: Node, t: Node) -> Node:
        t = multiply(1 - self.label_smoothing, t) + self.label_smoothing / y.size
        return multiply(logsumexp(y), row_sum(t)) - row_sum(t * y)

    def check_output(self, activation: str, units: int) -> None:
        super().check_output(activation, units)
        if units == 1:
            raise ValueError(
                "loss 'cross_entropy' on 1 unit is always 0, expected 2 units or more; "
                "use 'binary_cross_entropy', or one unit for each class"
            )


class BinaryCrossEntropy(Loss):
    """max(y, 0) - y t + log(1 + exp(-|y|)), mean over samples and units: sigmoid and cross-entropy in one.

    Targets in [0, 1], one yes-or-no question for each unit.
    """

    name = row = "binary_cross_entropy"
    link = "sigmoid"
    classification = True
    one_hot = True
    target_range = (0.0, 1.0)
    target_remedy = "make the two classes 0 and 1"

    def nodes(self, y: Node, t: Node) -> Node:
        return activated("softplus", y) - t * y


class Poisson(Loss):
    """exp(y) - t y, mean over samples and units: the deviance of counts t whose rate is exp(y), up to what does not
    depend on y. Targets >= 0. (McCullagh and Nelder, "Generalized linear models", chapter 6.)"""

    name = row = "poisson"
    link = "exponential"
    target_range = (0.0, math.inf)
    target_remedy = "pass counts, or choose a loss that takes negative targets, such as 'mse'"

    def nodes(self, y: Node, t: Node) -> Node:
        return exp(y) - t * y


@dataclass(frozen=True, repr=False)
class Quantile(Loss):
    """max(q (t - y), (q - 1) (t - y)), mean over samples and units: the pinball loss, least at the q-quantile.

    0 < q < 1. Koenker and Bassett, "Regression quantiles", Econometrica 46, 1978.
    """

    name = row = "quantile"
    q: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "q", check.number("q", self.q, above=0.0, below=1.0))

    @property
    def param(self) -> float:
        return self.q

    def nodes(self, y: Node, t: Node) -> Node:
        return maximum(self.q * (t - y), (self.q - 1) * (t - y))


LOSSES = {
    cls.name: cls
    for cls in (SquaredError, HalfSquaredError, MSE, MAE, Huber, CrossEntropy, BinaryCrossEntropy, Poisson, Quantile)
}


def get(loss: str | Loss) -> Loss:
    """A Loss from a name (with default settings) or a Loss."""
    return loss if isinstance(loss, Loss) else LOSSES[check.choice("loss", loss, LOSSES)]()


def from_config(config: Config) -> Loss:
    """The Loss that `config()` described; ValueError or TypeError where it did not."""
    return check.build("loss", LOSSES, config)
