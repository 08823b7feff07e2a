"""The compiled value and gradient of given rows: what a step on sparse rows and L-BFGS are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastbp._check import input_arrays
from fastbp._compiler.use import Use
from fastbp._training import finite

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp.network import Sequential


def gradient(net: Sequential, X: Array, y: Array, labels: bool, weights: Any, threads: int | None) -> float:
    """The loss of these rows, a float; fills the network's `grads`. X (n, inputs), y: checked targets, weights: (n,) of
    the network's dtype or None; threads: the most that work on it. Raises FloatingPointError where the loss is not
    finite."""
    X = input_arrays.rows(X, net.inputs, net.dtype)
    dtypes = input_arrays.input_dtypes(net.dtype, {"X": X})
    use = Use("train", len(X), labels=labels, weighted=weights is not None, dtypes=dtypes, threads=threads)
    plan = net._plans.get(use)
    loss = float(plan.run("gradients", {"X": X, "targets": y, "weights": weights}, model=net)[0])
    net._last = plan
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss} {finite.in_network(net, X, y, labels, weights)}; use a "
                                 "smaller learning_rate_init, or scale X and y")
    return loss
