"""Curve Fitter 6000: a machine with a knob for each coefficient of a polynomial, and one dial, the loss.

    y = k0 + k1 x + k2 x^2 + ... + kd x^d        loss = sum of (y of the curve - y of the point)^2 over the points

Two functions, not to be confused: the curve is one of x, the loss one of the knobs. The loss is written as a graph of
sums, products and powers (fastbp.graph); its backward pass is a screen beside each knob that says which way to nudge
it, and by how much. `run` turns the knobs by what the screens say, or, for comparison, at random.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

import fastbp as fb
from fastbp import _check as check
from fastbp import graph as g
from fastbp._check.errstate import quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fastbp._check.types import Array, Bools, Data, Doubles, DType, Floats
    from fastbp.graph import Plan
    from fastbp.optimizers import Optimizer

LR, NUDGE = 0.01, 0.1
OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "gradient": lambda lr: fb.SGD(lr=lr),
    "momentum": lambda lr: fb.SGD(lr=lr, momentum=0.9),
    "adam": lambda lr: fb.Adam(lr=lr),
}
METHODS = (*OPTIMIZERS, "perturb")
MOST = 30        # the highest degree: in [-1, 1] the powers beyond look alike, and float64 cannot tell them apart
_MOMENTS = 1000  # kept of a run evenly spaced, and as many again that are dense at the beginning


class Scale(NamedTuple):
    """scaled = (value - middle) / half."""

    middle: float = 0.0
    half: float = 1.0

    @classmethod
    @quiet
    def of(cls, values: Array) -> Scale:
        """The scale that takes values (n,) to [-1, 1]; a constant keeps its unit."""
        low, high = values.min() / 2, values.max() / 2      # halves: the range of finite numbers may not be finite
        return cls(float(low + high), float(high - low) or 1.0)

    @quiet
    def __call__(self, values: Array) -> Array:
        return (values - self.middle) / self.half

    @quiet
    def back(self, values: Array) -> Array:
        """The values that were scaled."""
        return values * self.half + self.middle


class Screens(NamedTuple):
    """What is read off the machine. For d + 1 knobs all arrays are (d + 1,)."""

    loss: float
    knobs: Floats
    gradient: Floats          # d loss / d knob: points uphill
    nudge: Floats             # what the next step adds to each knob


class Run(NamedTuple):
    """What `CurveFitter.run` returns: the way of d + 1 knobs, at m moments from the start to the end."""

    label: str
    evaluations: Doubles      # (m,) evaluations of the loss spent; a fraction where a mini-batch is a part of one
    loss: Doubles             # (m,) of all points
    knobs: Doubles            # (m, d + 1)
    start: Screens
    end: Screens

    def at(self, spent: float) -> int:
        """The place of the last moment at which no more than `spent` evaluations were spent."""
        return int(np.searchsorted(self.evaluations, spent, side="right")) - 1


class CurveFitter:
    """The machine for points x (n,), y (n,) of real numbers, n >= 2, and a polynomial of `degree` 0 .. 30.

    scale: x and y are scaled to [-1, 1], so that one learning rate suits all data; knobs and loss are those of the
    scaled points, `polynomial` and `predict` speak the units of x and y. dtype: of the computation.

    knobs: (degree + 1,), a view into the plan; turn them as you like. exact: the knobs of least squares, (degree + 1,)
    float64. t, u: the points as used, (n,) of dtype. interpolates: whether the curve can pass through all points,
    because there are no more of them than knobs. curvature: the largest second derivative of the loss in any direction;
    steps of a learning rate above 2 / curvature overshoot by more each time, and climb.

    Raises ValueError where points are fewer than two, not finite, or too few to determine the polynomial.
    """

    @quiet
    def __init__(self, x: Data, y: Data, degree: int = 5, *, scale: bool = True, dtype: DType = "float64") -> None:
        self.degree = check.integer("degree", degree, minimum=0, maximum=MOST)
        dtype = check.dtype(dtype)
        x, y = _points(x, y)
        self.x, self.y = x, y
        self.x_scale, self.y_scale = (Scale.of(x), Scale.of(y)) if check.flag("scale", scale) else (Scale(), Scale())
        self.t, self.u = self.x_scale(x).astype(dtype), self.y_scale(y).astype(dtype)
        distinct = len(np.unique(self.t))
        if degree >= distinct:
            raise ValueError(
                f"degree is {degree}, expected at most {distinct - 1}: there are {degree + 1} coefficients, which "
                f"{distinct} distinct x do not determine; choose a lower degree or give more points"
            )
        self.interpolates = degree == distinct - 1
        self.exact = self._least_squares()
        self._powers = np.vander(self.t.astype(np.float64), degree + 1)
        if not np.isfinite(self._powers**2 @ np.ones(degree + 1)).all() or not np.isfinite(self.u**2).all():
            raise ValueError(
                f"x up to {np.abs(x).max():g} and y up to {np.abs(y).max():g} have powers beyond the largest "
                f"number for degree {degree}, expected smaller ones; pass scale=True"
            )
        self.curvature = float(2 * np.linalg.norm(self._powers, 2) ** 2)
        self.plan = self._compile(dtype)
        self.knobs = self.plan.parameters["k"]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "knobs"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.knobs = self.plan.parameters["k"]      # a view of the copy's own parameters

    def _compile(self, dtype: np.dtype[Any]) -> Plan:
        count = self.degree + 1
        t, u = g.inputs("t", "u")
        k = g.parameter("k", count, init=np.zeros(count))
        curve = g.sum(k[i] * t**i for i in range(count))
        # For all points the sum of squares; for a mini-batch an estimate of it, so that lr means the same for both.
        loss = len(self.t) * g.mean((curve - u) ** 2)
        return g.compile(loss, outputs={"curve": curve}, dtype=dtype)

    def _least_squares(self) -> Doubles:
        # In powers of t the equations are ill-conditioned; in Chebyshev polynomials they are not.
        t, u = self.t.astype(np.float64), self.u.astype(np.float64)
        series, (_, rank, _, _) = Chebyshev.fit(t, u, self.degree, full=True)
        if rank <= self.degree:
            raise ValueError(
                f"degree is {self.degree}, expected at most {rank - 1}: some x lie so close together that they "
                f"determine only {rank} knobs of {self.degree + 1}; choose a lower degree or give more points"
            )
        return _padded(series.convert(kind=Polynomial).coef, self.degree + 1)

    # ---- looking -------------------------------------------------------------------------------------------------

    def loss(self, knobs: Data | None = None) -> float:
        """The loss of all points, a float, with the knobs as they are or at `knobs` (degree + 1,)."""
        if knobs is None:
            return self.plan.loss(t=self.t, u=self.u)
        before = self.knobs.copy()
        try:  # also where Ctrl-C comes in between, the knobs are as they were
            self._turn_to(knobs)
            return self.plan.loss(t=self.t, u=self.u)
        finally:
            self.knobs[:] = before

    def screens(self, optimizer: Optimizer) -> Screens:
        """Screens: the loss, and for each knob its gradient and the nudge that `optimizer` would give it next."""
        loss, grads = self.plan.loss_and_grad(t=self.t, u=self.u)
        before, gradient = self.knobs.copy(), grads["k"].copy()
        try:
            copy.deepcopy(optimizer).step(self.plan)
            nudge = self.knobs - before
        finally:
            self.knobs[:] = before
        return Screens(loss, before, gradient, nudge)

    @quiet
    def predict(self, x: Data, knobs: Data | None = None) -> Doubles:
        """The curve's y (n,) at x (n,), in the units of the points, with the knobs as they are or at `knobs`."""
        t = self.x_scale(np.asarray(x, dtype=np.float64))
        return self.y_scale.back(Polynomial(np.asarray(self.knobs if knobs is None else knobs))(t))

    @quiet
    def polynomial(self, knobs: Data | None = None) -> Doubles:
        """(degree + 1,) float64: the coefficients of x^0, x^1 ... in the units of the points."""
        middle, half = self.x_scale
        in_t = Polynomial(np.array(self.knobs if knobs is None else knobs, dtype=np.float64))
        coefficients = _padded(in_t(Polynomial([-middle / half, 1 / half])).coef, self.degree + 1)
        coefficients *= self.y_scale.half                        # beyond the largest number: inf, which says so
        coefficients[0] += self.y_scale.middle
        return coefficients

    def surface(self, pair: Sequence[int], first: Doubles, second: Doubles, knobs: Data | None = None) -> Doubles:
        """The loss over two knobs (i, j): (len(second), len(first)), the others at `knobs` (degree + 1,), or exact."""
        at, (i, j) = np.array(self.exact if knobs is None else knobs), pair
        heights = np.empty((len(second), len(first)))
        for row, column in np.ndindex(heights.shape):
            at[i], at[j] = first[column], second[row]
            heights[row, column] = self.loss(at)
        return heights

    # ---- turning the knobs ---------------------------------------------------------------------------------------

    @quiet
    def rate(self, method: str = "gradient", batch_size: int | None = None) -> float:
        """The learning rate where none is given: 0.01, or less where that may climb.

        A batch of b of n points is steeper than all points, whose curvature is L: by (n (b - 1) L + (n - b) M) /
        (b (n - 1)), M that of the steepest single point (Gower et al., "SGD: general analysis and improved rates",
        ICML 2019). The rate is at most 1 over that.
        """
        if method == "adam":
            return LR                                          # its steps are of this length, however steep the slope
        n = len(self.t)
        b = n if batch_size is None else min(check.integer("batch_size", batch_size, minimum=1), n)
        single = 2 * n * float((self._powers**2).sum(axis=1).max())
        limit = b * (n - 1) / (n * (b - 1) * self.curvature + (n - b) * single)
        # Momentum adds up ten gradients: ten good ones are a better direction, ten noisy ones a step ten times as long.
        return min(LR, limit / 10 if method == "momentum" and b < n else limit)

    def run(
        self,
        method: str = "gradient",
        steps: int = 1000,
        *,
        lr: float | None = None,
        nudge: float = NUDGE,
        batch_size: int | None = None,
        seed: int = 0,
        turn: Iterable[int] | None = None,
    ) -> Run:
        """Turn the knobs from zero, spending `steps` evaluations of the loss of all points; returns a Run.

        method: "gradient": forward, backward, every knob nudged by -lr times its gradient, and again; "momentum" (0.9)
            and "adam" make more of the same gradients; "perturb": one knob, chosen at random, is nudged by a normal
            random number times `nudge`, and the nudge is kept if the loss fell.
        steps: a step of a gradient method with all points is one evaluation (the forward pass; the backward pass that
            belongs to it takes about as long again). With mini-batches of `batch_size` points a pass over all of them
            is one evaluation, in n / batch_size steps. The loss of all points that a Run shows is not counted.
        lr: the learning rate, by default `rate(method, batch_size)`.
        seed: of the random nudges and the order of mini-batches. turn: indices of the knobs that may turn; the others
            stand at their exact values.

        The knobs are left where the run ended. Raises FloatingPointError where the loss stops being finite.
        """
        check.choice("method", method, METHODS)
        steps = check.integer("steps", steps, minimum=1)
        seed = check.integer("seed", seed, minimum=0, maximum=2**32 - 1)
        lr = self.rate(method, batch_size) if lr is None else lr
        optimizer = OPTIMIZERS.get(method, OPTIMIZERS["gradient"])(lr)
        turning = self._turning(turn)
        self._turn_to(np.where(turning, 0.0, self.exact))
        if method == "perturb":
            if batch_size is not None:
                raise ValueError(f"batch_size is {batch_size}, expected None, as perturb compares losses of all "
                                 f"points; choose a gradient method, or leave batch_size out")
            nudge = check.number("nudge", nudge, above=0.0)
            label, per_evaluation = method, 1
            walk = self._perturb(steps, nudge, np.random.RandomState(seed), np.flatnonzero(turning))
        else:
            size = len(self.t) if batch_size is None else check.integer("batch_size", batch_size, minimum=1)
            label = method if size >= len(self.t) else f"{method}, mini-batches of {size}"
            per_evaluation = math.ceil(len(self.t) / size)
            walk = self._descend(optimizer, steps, size, seed, turning)
        try:
            return self._watch(walk, optimizer, label, steps, per_evaluation)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"the loss is no longer finite after {optimizer.steps} steps with lr {lr:g}: they are too "
                f"long and climb; choose a smaller lr, such as {lr / 10:g}"
            ) from error

    def _watch(self, walk: Iterator[None], optimizer: Optimizer, label: str, steps: int, per_evaluation: int) -> Run:
        """The Run of a walk of steps * per_evaluation steps."""
        start = self.screens(optimizer)
        count = steps * per_evaluation
        tens = [per_evaluation * 10**e for e in range(len(str(steps)))]     # 1, 10, 100 ... evaluations
        places = [np.geomspace(1, count, _MOMENTS), np.linspace(0, count, _MOMENTS), np.array(tens, np.float64)]
        moments = np.unique(np.concatenate(places).astype(np.int64))
        losses, knobs = np.empty(len(moments)), np.empty((len(moments), len(self.knobs)))
        losses[0], knobs[0], kept = start.loss, start.knobs, 1
        for step, _ in enumerate(walk, 1):
            if step == moments[kept]:
                losses[kept], knobs[kept] = self.loss(), self.knobs
                kept += 1
        return Run(label, moments / per_evaluation, losses, knobs, start, self.screens(optimizer))

    def _descend(self, optimizer: Optimizer, passes: int, size: int, seed: int, turning: Bools) -> Iterator[None]:
        """Forward, backward, nudge, repeat; yields after each step."""
        for epoch in range(passes):
            for t, u in fb.batches(self.t, self.u, size, seed=seed + epoch):
                _, grads = self.plan.loss_and_grad(t=t, u=u)
                grads["k"][~turning] = 0.0
                optimizer.step(self.plan)
                yield

    def _perturb(self, evaluations: int, nudge: float, random: np.random.RandomState, turning: Array) -> Iterator[None]:
        """Nudge a knob, keep it if the loss fell, repeat; yields after each evaluation, the first at the start."""
        best = self.loss()
        yield
        for _ in range(evaluations - 1):
            i = random.choice(turning)
            before = self.knobs[i]
            self.knobs[i] += nudge * random.standard_normal()
            loss = self.loss()
            if loss < best:
                best = loss
            else:
                self.knobs[i] = before
            yield

    @quiet
    def _turn_to(self, knobs: Data) -> None:
        self.knobs[:] = knobs

    def _turning(self, turn: Iterable[int] | None) -> Bools:
        """bool (degree + 1,): which knobs may turn."""
        if turn is None:
            return np.ones(self.degree + 1, dtype=bool)
        turning = np.zeros(self.degree + 1, dtype=bool)
        for i in turn:
            turning[check.integer("turn", i, minimum=0, maximum=self.degree)] = True
        return turning


def _points(x: Data, y: Data) -> tuple[Doubles, Doubles]:
    x = check.numeric(x, "x")
    n = len(x) if x.ndim == 1 else 0
    x = check.array("x", x, (n,), np.dtype(np.float64))
    y = check.array("y", y, (n,), np.dtype(np.float64))
    if n < 2:
        raise ValueError(f"x holds {n} point{'s' * (n != 1)}, expected two or more; give more points")
    return x, y


def _padded(coefficients: Any, count: int) -> Doubles:
    """NumPy's polynomials leave out zeros at the end."""
    return np.pad(np.asarray(coefficients, dtype=np.float64), (0, count - len(coefficients)))
