"""Calls that can be made again at once: what must hold, and what is kept of the last ones.

A call of a small model is over before Python has looked at its arrays. So the second call like the last one goes the
short way: fastbp._core.fast_call.Ready looks at the arrays in C, and answers None where they are anything but what the
plan reads as it lies; then the call goes the long way, which casts, and explains. The short way is right where all
that the long way would look at is looked at by somebody:

what the long way looks at                                    who does, the short way
------------------------------------------------------------  ---------------------------------------------------
types, shapes, dtypes, layout; as many rows as the plan has   `Ready`, each time
NaN and infinity, where they are refused; range of integers   `Ready`, each time: `scanned`, `limits`
data in memory that the call writes                           `Ready`, each time
params and grads, which users reach                           `Ready`, each time
the ISA and the number of threads that are set                `Ready`, each time: the version of cpu's settings
data of other dtypes, or rows that lie anyhow                 `may_repeat`, once: there are none
an input scale by which a finite number may overflow          `may_repeat`, once: there is none
weights of samples                                            `may_repeat`, once, and the call: there are none
targets that the loss has a range for, or that may miss       `may_repeat`, once: there are none, or they are labels
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from fastbp._check.types import Floats
    from fastbp._compiler.plan_cache import BoundPlan
    from fastbp._compiler.use import Use
    from fastbp._core.fast_call import Ready
    from fastbp.losses import Loss


def may_repeat(use: Use, scale: float = 1.0, loss: Loss | None = None) -> bool:
    """Whether a call of this fastbp._compiler.use.Use may be made again the short way. scale: what its inputs are
    multiplied by; loss: the fastbp.losses object of a network whose targets are among its arrays."""
    if use.dtypes or use.weighted or scale > 1:
        return False
    return loss is None or (not loss.ignores_missing and (use.labels or loss.target_range is None))


class FastCalls:
    """The calls of one model that can be made again.

    gradients: a Ready of the last call of loss_and_grad, or None; who has the model alone uses it. units, dtype: of a
    network's outputs.
    """

    __slots__ = ("dtype", "gradients", "predictions", "units")

    gradients: Ready | None

    def __init__(self, units: int = 0, dtype: np.dtype[Any] | None = None) -> None:
        self.units, self.dtype, self.gradients = units, dtype, None
        # Ready ones of predict, which threads may call at once. Each is in one thread's hands: a list's pop and append
        # are atomic with the interpreter's lock and, by the list's own, without it.
        self.predictions: list[Ready] = []

    def predicted(self, X: object) -> Floats | None:
        """A network's outputs for X, where an earlier call's plan can be used on an array that needs no cast; else
        None."""
        try:
            ready = self.predictions.pop()
        except IndexError:
            return None
        Y = np.empty((ready.owner.batch, self.units), self.dtype)
        if ready.run((X, Y)) is None:
            return None
        self.predictions.append(ready)
        return Y

    def note_prediction(self, plan: BoundPlan) -> None:
        """Keeps a plan of "predict", which nobody else has, for a next call of as many rows."""
        self.predictions.append(cast("Ready", plan.ready(("X", "Y"), "outputs", scanned=("X",))))
