"""Metrics of the user's own: what is computed of the validation data after each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp._check import logs

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp._check.types import Metrics as MetricFunctions


class Metrics:
    """Functions of targets and predictions, {name: f}; `of` calls them.

    given: what the user passed as `metrics`; y: the validation data's targets as the user gave them, or None where
    there are no validation data. Raises TypeError or ValueError, before anything is trained, for what is no such
    dict and where nothing is validated.
    """

    def __init__(self, given: MetricFunctions | None, y: Array | None) -> None:
        self.functions: MetricFunctions = {}
        self.y: Any
        if given is None:
            return
        if not isinstance(given, dict):
            raise TypeError(
                f"metrics is {check.shown(given)}, expected a dict of functions f(y, p) -> float; pass "
                "{'f1': f}, say"
            )
        for name, function in given.items():
            if not callable(function) or isinstance(function, type):
                raise TypeError(
                    f"metrics[{name!r}] is {check.shown(function)}, expected a function f(y, p) -> float of the "
                    "validation data's targets and predictions; pass one"
                )
            self.functions[logs.name(name, "a key of metrics")] = function
        if given and y is None:
            raise ValueError(
                f"metrics is given ({', '.join(self.functions)}) without validation data, expected both, as metrics "
                "are computed of them; pass validation_data or validation_split"
            )
        # labels are copied, as fit copies those it validates with; other numbers are read where they lie
        self.y = None if y is None else _locked(y.copy()) if y.dtype.kind in "iub" else _view(y)

    @property
    def names(self) -> list[str]:
        return list(self.functions)

    def of(self, p: Array, when: str) -> dict[str, float]:
        """{name: float} for the predictions p (n, units), which nobody else has. when: the epoch, in words."""
        # beside targets (n,) one output is (n,) too: y - p of (n,) and (n, 1) would be all differences, (n, n)
        p, found = _locked(p[:, 0] if self.y.ndim == 1 and p.shape[1] == 1 else p), {}
        for name, function in self.functions.items():
            try:
                value = function(self.y, p)
            except Exception as error:
                raise RuntimeError(
                    f"metrics[{name!r}] raised {type(error).__name__} after {when}: {str(error)[:200]}; correct the "
                    "function"
                ) from error
            found[name] = logs.number(value, f"what metrics[{name!r}] returned after {when}")
        return found


def _locked(array):
    """A view of an array of our own, neither of which can be written to."""
    array.flags.writeable = False
    return array.view()


def _view(array):
    """A view of an array of the user's that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
