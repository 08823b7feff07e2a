"""One pass of a network over a batch: what its methods of these names do once they have it exclusively."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastbp import _check as check
from fastbp._compiler.use import Use
from fastbp._models.fast_calls import may_repeat
from fastbp._training import finite

if TYPE_CHECKING:
    from fastbp._check.types import ClassWeight, Data, Floats
    from fastbp.network import Sequential


def forward(net: Sequential, X: Data) -> Floats:
    """The outputs (n, units), before the loss's link; the network keeps the plan and what it read for `backward`."""
    X, dtypes = net._read(X)
    check.apart({"X": X}, {"grads": net.grads})  # which backward writes
    plan = net._plans.get(Use("keep", len(X), dtypes=dtypes))
    Y = np.empty((len(X), net.units), net.dtype)
    net._kept = None  # until this pass is over: it takes the place of what was kept before
    dropout = net._dropout_key, net._draws
    plan.run("forward", {"X": X, "Y": Y}, model=net)
    net._kept = (plan, X, Y, dropout, X.dtype)
    return Y.copy()  # backward reads Y; the caller may write into what it gets


def backward(net: Sequential, dY: Data) -> Floats:
    """dX (n, inputs) of the last `forward`; fills the network's `grads`."""
    if net._kept is None:
        raise RuntimeError("backward needs what forward keeps; call forward(X) first")
    plan, X, Y, dropout, kind = net._kept
    if X.dtype != kind:
        raise check.changed("X", X, kind)
    dY = check.data(dY, net.units, net.dtype, name="dY")
    if len(dY) != plan.batch:
        raise ValueError(
            f"dY has {len(dY)} rows, expected {plan.batch}, as the X of the last forward had; "
            "call forward with the same rows first"
        )
    check.apart({"dY": dY}, {"grads": net.grads})
    dX = np.empty((len(X), net.inputs), net.dtype)
    plan.run("backward", {"X": X, "Y": Y, "dY": dY, "dX": dX}, dropout=dropout)
    net._last = plan
    return dX


def loss_and_grad(
    net: Sequential, X: Data, y: Data, sample_weight: Data | None, class_weight: ClassWeight | None
) -> float:
    """The loss, penalties included; fills the network's `grads`. The next call of its kind is made ready."""
    ready = net._fast.gradients  # the last call's plan can be used again on arrays that need no cast
    if ready is not None and sample_weight is None and class_weight is None:
        loss = ready.run((X, y), net)
        if loss is not None:
            if net._last is not ready.owner:
                net._last = ready.owner
            return loss
    X, dtypes = net._read(X)
    y, labels = check.targets(y, len(X), net.loss, net.units, net.dtype)
    weights = check.weights(sample_weight, class_weight, y, len(X), net.loss, net.dtype, net.classes)
    use = Use("train", len(X), labels=labels, weighted=weights is not None, dtypes=dtypes)
    plan = net._plans.get(use)
    check.apart({"X": X, "y": y, "sample_weight": weights}, {"grads": net.grads})
    arrays = {"X": X, "targets": y, "weights": weights}
    loss = float(plan.run("gradients", arrays, model=net)[0])
    net._last = plan
    if may_repeat(use, net.input_scale, net.loss):
        names, limits = ("X", "targets"), {"targets": net.units} if labels else {}
        net._fast.gradients = plan.ready(names, "gradients", limits=limits, scanned=names)
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} {finite.in_network(net, X, y, labels, weights)}; use a smaller lr or clip_norm, "
            "or scale X and y"
        )
    return loss
