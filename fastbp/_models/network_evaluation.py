"""Outputs, losses and accuracies of a network, of checked arrays, in chunks: memory does not grow with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._check import input_arrays
from fastbp._check.errstate import quiet
from fastbp._compiler import plan_cache
from fastbp._compiler.use import Use
from fastbp._core import cpu
from fastbp._training import accuracy

if TYPE_CHECKING:
    from fastbp._check.types import Array, Data, Floats
    from fastbp._compiler.plan_cache import BoundPlan
    from fastbp.network import Sequential

PREDICT_ROWS = 1024  # rows that a pass takes at a time


def linked(net: Sequential, Y: Floats) -> Floats:
    """Outputs Y (n, units), which the loss's link is applied to where it has one."""
    if net.loss.link is not None:
        cpu.activate(net.loss.link, Y)
    return Y


def predicted_into(net: Sequential, X: Data, out: Floats) -> Floats:
    """predict, into an array of the caller's, which is refused before anything is written."""
    read, _ = net._read(X)
    wanted = (len(read), net.units)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is {check.shown(out)}, expected an array of shape {wanted} and dtype {net.dtype}; pass "
                        f"np.empty({wanted}, {net.dtype.name!r})")
    if out.shape != wanted or out.dtype != net.dtype or not out.flags.c_contiguous or not out.flags.aligned:
        raise ValueError(f"out is {check.shown(out)}{'' if out.flags.c_contiguous else ', not C-contiguous'}, expected "
                         f"a C-contiguous one of shape {wanted} and dtype {net.dtype}; pass np.empty({wanted}, "
                         f"{net.dtype.name!r})")
    if not out.flags.writeable:
        raise ValueError("out is read-only, expected an array that may be written into; pass out.copy()")
    given = X if isinstance(X, np.ndarray) else None
    for name, array in (("X", given), ("X", read), ("params", net.params), ("grads", net.grads)):
        if array is not None and np.may_share_memory(out, array):  # by their bounds
            raise ValueError(f"out lies in the memory of {name}, expected memory of its own; pass np.empty({wanted}, "
                             f"{net.dtype.name!r})")
    return net._linked(net._outputs(read, out=out)[0])


def evaluated(
    net: Sequential, X: Array, targets: Array, labels: bool, weights: Array | None, target_type: str | None
) -> dict[str, float]:
    """evaluate, of checked arrays."""
    return net._judged(X, targets, labels, weights, target_type)[0]


@quiet
def judged(
    net: Sequential, X: Array, targets: Array, labels: bool, weights: Array | None, target_type: str | None
) -> tuple[dict[str, float], Floats]:
    """(evaluate, of checked arrays; the outputs (n, units), before the loss's link)."""
    Y, loss, correct = net._outputs(X, targets, labels, weights, target_type)
    result = {"loss": float(loss + net._penalty())}
    if target_type:
        result["accuracy"] = accuracy.accuracy_of(correct, accuracy.counted(targets, labels, target_type))
    return result, Y


def evaluation(
    net: Sequential,
    X: Array,
    targets: Array | None = None,
    labels: bool = False,
    weights: Array | None = None,
    target_type: str | None = None,
    out: Floats | None = None,
) -> tuple[Floats, list[tuple[BoundPlan, dict[str, Array | None], int, int, float]]]:
    """(outputs Y (n, units), [(plan, its arrays, first row, steps, weight of a step in the mean)]) of checked
    arrays: whole chunks, and the rest. The plans are to be given back."""
    n, kind = len(X), "predict" if targets is None else "evaluate"
    Y: Floats = np.empty((n, net.units), net.dtype) if out is None else out
    arrays = {"X": X, "Y": Y, "targets": targets, "weights": weights}
    options: dict[str, Any] = {"labels": labels, "weighted": weights is not None, "target_type": target_type}
    options["dtypes"] = input_arrays.input_dtypes(net.dtype, {"X": X})
    return Y, [
        (net._plans.take(Use(kind, batch, **options)), arrays, first, steps, batch / n)
        for batch, first, steps in plan_cache.chunks(n, PREDICT_ROWS)
    ]


@quiet
def outputs(
    net: Sequential,
    X: Array,
    targets: Array | None = None,
    labels: bool = False,
    weights: Array | None = None,
    target_type: str | None = None,
    out: Floats | None = None,
) -> tuple[Floats, float, float]:
    """(Y, mean loss, correct answers) of checked arrays. out: what Y is, where it is given."""
    loss = correct = 0.0
    Y, parts = net._evaluation(X, targets, labels, weights, target_type, out)
    for plan, arrays, first, steps, weight in parts:
        correct_counts = np.zeros(steps) if target_type else None
        losses = plan.run("outputs", arrays, first=first, steps=steps, correct_counts=correct_counts)
        loss += losses.cumsum()[-1] * weight  # one after another, as a training adds them
        correct += correct_counts.sum() if correct_counts is not None else 0
        net._plans.give_back(plan)
    return Y, loss, correct
