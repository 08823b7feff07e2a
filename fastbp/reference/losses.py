"""Losses in NumPy and float64: (value, dY) of sum_i w_i scale loss(Y_i, T_i).

Y (B, O) outputs, T targets of the same shape or (B,) labels, w (B,) weights; param: the loss's own number.
"""

import numpy as np

from fastbp.reference.activations import sigmoid_forward, softmax_forward

OVER_SAMPLES = {"squared_error", "half_squared_error", "cross_entropy"}  # means over samples; others over outputs too


def weighted(per_sample, gradient, w, scale):
    """per_sample (B,), gradient (B, O), w (B,)."""
    return float((w * scale * per_sample).sum()), scale * w[:, None] * gradient


def squared_error_loss(Y, T, w, scale, param):
    return weighted(((Y - T) ** 2).sum(axis=1), 2 * (Y - T), w, scale)


def half_squared_error_loss(Y, T, w, scale, param):
    return weighted(((Y - T) ** 2).sum(axis=1) / 2, Y - T, w, scale)


def mae_loss(Y, T, w, scale, param):
    return weighted(np.abs(Y - T).sum(axis=1), np.sign(Y - T), w, scale)


def huber_loss(Y, T, w, scale, param=1.0):
    """d^2 / 2 up to |d| = delta = param, a straight line beyond (Huber, 1964)."""
    d = Y - T
    loss = np.where(np.abs(d) <= param, d * d / 2, param * (np.abs(d) - param / 2))
    return weighted(loss.sum(axis=1), np.clip(d, -param, param), w, scale)


def quantile_loss(Y, T, w, scale, param=0.5):
    """max(q (t - y), (q - 1) (t - y)) with q = param; the gradient at y = t is 0."""
    d = T - Y
    gradient = np.where(d > 0, -param, np.where(d < 0, 1 - param, 0))
    return weighted(np.maximum(param * d, (param - 1) * d).sum(axis=1), gradient, w, scale)


def poisson_loss(Y, T, w, scale, param):
    """exp(y) - t y: the negative log likelihood of a count t of rate exp(y), without log t!."""
    return weighted((np.exp(Y) - T * Y).sum(axis=1), np.exp(Y) - T, w, scale)


def binary_cross_entropy_loss(Y, T, w, scale, param):
    """Of the logit y: -t log s - (1 - t) log(1 - s), s = sigmoid(y)."""
    loss = np.maximum(Y, 0) - Y * T + np.log1p(np.exp(-np.abs(Y)))
    return weighted(loss.sum(axis=1), sigmoid_forward(Y) - T, w, scale)


def cross_entropy_loss(Y, T, w, scale, param):
    """Of logits Y (B, O): -sum_j t'_j log softmax(Y)_j with t' = (1 - eps) t + eps / O, eps = param."""
    smooth = (1 - param) * T + param / Y.shape[1]
    top = Y.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(Y - top).sum(axis=1, keepdims=True))
    mass = smooth.sum(axis=1, keepdims=True)
    loss = mass * log_sum - (smooth * Y).sum(axis=1, keepdims=True)
    return weighted(loss[:, 0], mass * softmax_forward(Y) - smooth, w, scale)


def cross_entropy_labels_loss(Y, T, w, scale, param):
    """The same with T (B,) the numbers of the classes."""
    return cross_entropy_loss(Y, np.eye(Y.shape[1])[T], w, scale, param)


def _ignoring(loss):
    """The same loss, an element at a time, of the targets that are there: NaN adds nothing and has a gradient of 0."""

    def ignoring(Y, T, w, scale, param):
        total, gradient = 0.0, np.zeros_like(Y)
        for j in range(Y.shape[1]):
            there = ~np.isnan(T[:, j])
            part = loss(Y[there, j : j + 1], T[there, j : j + 1], w[there], scale, param)
            total, gradient[there, j] = total + part[0], part[1][:, 0]
        return total, gradient

    return ignoring


LOSSES = [name.removesuffix("_loss") for name in dir() if name.endswith("_loss")]
for _name in LOSSES:
    if not _name.startswith("cross_entropy"):  # whose rows have one target together
        globals()[f"{_name}_missing_loss"] = _ignoring(globals()[f"{_name}_loss"])
