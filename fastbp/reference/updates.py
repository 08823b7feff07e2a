"""Updates in NumPy and float64: new (p, s0, s1) from p, the state s0 and s1, the gradient g and the numbers h.

s0 and s1 are returned as they came where the update has no use for them.
"""

from typing import NamedTuple

import numpy as np


class Hyper(NamedTuple):
    """In the order of fastbp.h's enum fbp_hyper. beta1 is also momentum and RMSprop's rho."""

    lr: float = 0.1
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    correction1: float = 1.0  # 1 - beta1^t
    correction2: float = 1.0  # 1 - beta2^t
    scale: float = 1.0
    limit: float = np.inf


def clipped(g, h):
    return np.clip(g * h.scale, -h.limit, h.limit)


def decayed(g, p, h):
    return clipped(g, h) + h.weight_decay * p


def sgd_update(p, s0, s1, g, h):
    return p - h.lr * decayed(g, p, h), s0, s1


def momentum_update(p, s0, s1, g, h):
    s0 = h.beta1 * s0 + decayed(g, p, h)
    return p - h.lr * s0, s0, s1


def nesterov_update(p, s0, s1, g, h):
    """The momentum looks one step ahead (Sutskever et al., 2013)."""
    g = decayed(g, p, h)
    s0 = h.beta1 * s0 + g
    return p - h.lr * (g + h.beta1 * s0), s0, s1


def adam_step(p, s0, s1, g, h):
    s0 = h.beta1 * s0 + (1 - h.beta1) * g
    s1 = h.beta2 * s1 + (1 - h.beta2) * g * g
    return p - h.lr * (s0 / h.correction1) / (np.sqrt(s1 / h.correction2) + h.eps), s0, s1


def adam_update(p, s0, s1, g, h):
    """Kingma and Ba, 2015, algorithm 1."""
    return adam_step(p, s0, s1, decayed(g, p, h), h)


def adamw_update(p, s0, s1, g, h):
    """Weight decay apart from the gradient (Loshchilov and Hutter, 2019)."""
    return adam_step(p - h.lr * h.weight_decay * p, s0, s1, clipped(g, h), h)


def rmsprop_update(p, s0, s1, g, h):
    g = decayed(g, p, h)
    s0 = h.beta1 * s0 + (1 - h.beta1) * g * g
    return p - h.lr * g / (np.sqrt(s0) + h.eps), s0, s1


def adagrad_update(p, s0, s1, g, h):
    """Duchi et al., 2011."""
    g = decayed(g, p, h)
    s0 = s0 + g * g
    return p - h.lr * g / (np.sqrt(s0) + h.eps), s0, s1
