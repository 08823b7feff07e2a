"""Every compiled gradient against central differences of the compiled function, in float64, to 1e-6."""

import numpy as np
import pytest
from kernel_calls import Kernel

from fastbp.reference.gradcheck import gradcheck

from .kernel_comparisons import PARAMS, loss_case, names

SHAPE = (2, 19)


def smooth(shape, kinks=(0.0,)):
    """Random numbers of size 3, none near a kink."""
    x = np.random.default_rng(1).normal(0, 2, shape)
    for kink in kinks:
        near = np.abs(x - kink) < 0.01
        x[near] = kink + 0.02
    return x


@pytest.mark.parametrize("name", [name[:-len("_backward")] for name in names("backward")])
def test_activation(isa, name):
    forward, backward = (Kernel(isa, "float64", name + way) for way in ("_forward", "_backward"))
    Z, dY = smooth(SHAPE, kinks=(-3, 0, 3)), np.random.default_rng(2).normal(size=SHAPE)
    dZ = backward(dY, forward(Z)[0] if backward.reads == "OUTPUT" else Z)
    result = gradcheck(lambda z: float(np.sum(dY * forward(z)[0])), Z, dZ)
    assert result.error < 1e-6, result


@pytest.mark.parametrize("name", names("loss"))
def test_loss(isa, name):
    kernel, param = Kernel(isa, "float64", name), PARAMS.get(name, 0.0)
    _, T, w = loss_case(name, "float64", *SHAPE)
    Y = smooth(SHAPE)
    if T.ndim == 2:
        near = np.abs(Y - T) < 0.01
        Y[near] += 0.05
    _, dY = kernel(Y, T, w, 0.7, param)
    result = gradcheck(lambda y: kernel(y, T, w, 0.7, param, gradient=False)[0], Y, dY)
    assert result.error < 1e-6, result


def test_penalty(isa):
    kernel, W = Kernel(isa, "float64", "penalty"), smooth(37)
    _, g = kernel(W, 0.3, 0.7, np.zeros(37))
    result = gradcheck(lambda w: kernel(w, 0.3, 0.7)[0], W, g)
    assert result.error < 1e-6, result
