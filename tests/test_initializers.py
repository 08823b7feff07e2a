"""Initial values: the distributions have the variance of their paper, names and arrays are checked."""

import math

import numpy as np
import pytest

from fastbp import initializers
from fastbp._core import cpu

FANS = (400, 300)
VARIANCES = {"glorot": 2 / 700, "he": 2 / 400, "lecun": 1 / 400}


@pytest.mark.parametrize("name", [name for name in initializers.NAMES if name != "zeros"])
def test_moments_and_range(name):
    kind, distribution = name.split("_")
    W = initializers.values(name, FANS, FANS, key=7)
    deviation = math.sqrt(VARIANCES[kind])
    assert W.shape == FANS and W.dtype == np.float64
    # 120,000 numbers: four standard errors of the mean and of the standard deviation
    assert abs(W.mean()) < 4 * deviation / math.sqrt(W.size)
    assert W.std() == pytest.approx(deviation, rel=4 / math.sqrt(W.size))
    largest = np.abs(W).max() / deviation
    if distribution == "uniform":
        assert math.sqrt(3) * 0.999 < largest <= math.sqrt(3)
    else:
        assert 3.5 < largest < 7
        assert (np.abs(W) < deviation).mean() == pytest.approx(0.6827, abs=0.006)


@pytest.mark.parametrize("name", initializers.NAMES)
def test_the_key_decides(name):
    one, same, other = (initializers.values(name, (3, 4), (3, 4), key) for key in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.array_equal(one, other) == (name == "zeros")


def test_zeros():
    assert not initializers.values("zeros", (4,), FANS, 0).any()


def test_default_follows_the_activation():
    usual = {name: initializers.default(name) for name in cpu.activations()}
    glorot = {"linear", "sigmoid", "hard_sigmoid", "tanh", "softsign", "exponential", "softmax"}
    assert {name for name, init in usual.items() if init == "glorot_uniform"} == glorot
    assert {name for name, init in usual.items() if init == "lecun_normal"} == {"selu"}
    assert set(usual.values()) <= set(initializers.NAMES)
    assert set(initializers._DEFAULTS) <= set(usual), "an activation that does not exist"


def test_an_array_is_copied():
    given = np.ones((2, 3), np.float32)
    kept = initializers.get("init", given, (2, 3))
    given[:] = 5
    assert kept.dtype == np.float64 and (kept == 1).all() and not kept.flags.writeable
    assert initializers.values(kept, (2, 3), (2, 3), 0) is kept


def test_names_are_checked():
    assert initializers.get("init", "zeros", (2, 3)) == "zeros"
    with pytest.raises(ValueError, match=r"unknown init 'glorot_unifrom'; did you mean 'glorot_uniform'\? Choices:"):
        initializers.get("init", "glorot_unifrom", (2, 3))
    with pytest.raises(TypeError, match=r"bias_init is 0.5 \(float\), expected a name; choices: .*zeros"):
        initializers.get("bias_init", 0.5, (3,))


@pytest.mark.parametrize(
    "kind, given, message",
    [
        (ValueError, np.ones((3, 2)), r"init has shape \(3, 2\), expected \(2, 3\); transpose it"),
        (ValueError, np.ones(3), r"init has shape \(3,\), expected \(2, 3\); reshape it"),
        (ValueError, [[1, 2, np.nan], [1, 2, 3]], r"init\[0, 2\] is nan"),
        (TypeError, [["a"] * 3] * 2, "init has dtype <U1"),
    ],
)
def test_arrays_are_checked(kind, given, message):
    with pytest.raises(kind, match=message):
        initializers.get("init", given, (2, 3))
