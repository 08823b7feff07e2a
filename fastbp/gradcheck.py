"""Is the gradient right? Central differences against the compiled gradient, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp._check import formatting
from fastbp._check.errstate import quiet
from fastbp.network import Sequential

if TYPE_CHECKING:
    from fastbp._check.types import ClassWeight, Data

STEP = 6e-6  # the cube root of float64's precision: rounding and truncation of the difference are balanced there


class GradCheck(NamedTuple):
    """max_error: the largest |analytic - numeric| / max(1, |analytic|, |numeric|) among the `checked` parameters, at
    the `worst` of them, in words; analytic, numeric: the two values there."""

    max_error: float
    worst: str
    analytic: float
    numeric: float
    checked: int

    def __repr__(self) -> str:
        return formatting.call("GradCheck", [f"{name}={value!r}" for name, value in self._asdict().items()])


@quiet
def gradcheck(
    net: Sequential,
    X: Data,
    y: Data,
    *,
    sample_weight: Data | None = None,
    class_weight: ClassWeight | None = None,
    most: int = 1000,
    seed: int = 0,
) -> GradCheck:
    """Compares net's gradient for (X, y) with central differences, in float64 whatever the network's dtype.

    X: (n, inputs); y, sample_weight, class_weight: as for fit. At most `most` parameters are checked, drawn by `seed`
    where there are more; each costs two passes. The network is left as it is. Returns a GradCheck; its max_error is
    below 1e-6 for a right gradient away from kinks (relu at 0), where a difference does not see a derivative.
    """
    most = check.integer("most", most, minimum=1)
    twin = Sequential.from_config({**net.config(), "dtype": "float64"})
    twin.params[:] = net.params

    def loss() -> float:
        twin._draws = net._draws  # the same dropout masks for every evaluation
        return twin.loss_and_grad(X, y, sample_weight=sample_weight, class_weight=class_weight)

    loss()
    analytic = twin.grads.copy()
    chosen = np.arange(twin.params.size)
    if most < chosen.size:
        chosen = np.sort(np.random.default_rng(check.seed("seed", seed)).choice(chosen, most, replace=False))
    numeric = np.empty(len(chosen))
    for i, k in enumerate(chosen):
        value = twin.params[k]
        step = STEP * max(1.0, abs(value))
        twin.params[k] = value + step
        above = loss()
        twin.params[k] = value - step
        numeric[i] = (above - loss()) / (2 * step)
        twin.params[k] = value
    exact = analytic[chosen]
    error = np.abs(exact - numeric) / np.maximum(1, np.maximum(np.abs(exact), np.abs(numeric)))
    i = int(error.argmax())
    return GradCheck(float(error[i]), _name(twin, int(chosen[i])), float(exact[i]), float(numeric[i]), len(chosen))


def _name(net: Sequential, k: int) -> str:
    """Parameter k in words, such as layers[0].W[3, 1]."""
    part = next(part for part in net._parts if k < part.end)
    index = np.unravel_index(k - part.begin, part.shape)
    return f"layers[{part.layer}].{part.name}[{', '.join(map(str, index))}]"
