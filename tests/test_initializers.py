"""Initial values: the distributions have the variance of their paper, names and arrays are checked."""

import math

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp import initializers
from fastbp._core import cpu

FANS = (400, 300)
SIGMOIDS = ("sigmoid", "hard_sigmoid")
VARIANCES = {"glorot": 2 / 700, "he": 2 / 400, "lecun": 1 / 400, "fan_in": 1 / 1200}


@pytest.mark.parametrize("name", [name for name in initializers.NAMES if name != "zeros"])
def test_moments_and_range(name):
    kind, _, distribution = name.rpartition("_")
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


def test_a_bound_is_of_uniform_numbers():
    values = initializers.values(0.25, (100, 50), FANS, 3)
    assert 0.2499 < np.abs(values).max() <= 0.25 and abs(values.mean()) < 0.01
    assert np.array_equal(values, initializers.values(0.5, (100, 50), FANS, 3) / 2)


def test_zeros():
    assert not initializers.values("zeros", (4,), FANS, 0).any()


@pytest.mark.parametrize("activation", cpu.activations())
def test_default_of_a_layer(activation):
    """Bounds of W and of b, in 1 / sqrt(inputs): where the data come in, after a rectifier, after a sigmoid."""
    places = [(None, 0), *(("relu", depth) for depth in (1, 2, 4, 5, 10)), *((before, 2) for before in SIGMOIDS)]
    found = [
        tuple(bound if bound == "zeros" else round(3 * bound**2, 9) for bound in pair)
        for pair in (initializers.default(activation, *place, 3, 9) for place in places)
    ]
    usual = {
        "sigmoid": [(3, 3)] * 6 + [(6, 6)] * 2,
        "softplus": [(1, 3), (3, 3), (4, 3), (6, 3), (6, 3), (6, 3), (4, 3), (4, 3)],
        "linear": [(1, 1), (1, 1), (1.5, 1), (2.5, 1), (3, 1), (3, 1), (1.5, "zeros"), (1.5, "zeros")],
    }  # fmt: skip
    like = {"hard_sigmoid": "sigmoid", "softmax": "linear", "exponential": "linear"}.get(activation, activation)
    assert found == usual.get(like, [(1, 3), (1.5, 3), (2, 3), (3, 3), (3, 3), (3, 3), (2, 3), (2, 3)])


def test_default_initial_values_follow_what_is_before():
    """Which layer, and how many. What lies between two Dense layers is not looked at, and does not count: in a network
    and in layers called one by one."""
    activations = ["tanh", "relu", "sigmoid", "elu", "tanh", "selu", "relu", "linear"]
    widths = [50, 40, 30, 40, 30, 40, 30, 40, 9]
    layers = [fb.Dense(*widths[i : i + 2], activation) for i, activation in enumerate(activations)]
    made = [part for layer in layers for part in (layer, fb.Dropout(0.3))][:-1]
    net, x = fb.Sequential(*made, dtype="float64", seed=3), g.input("x", 50)
    dense = [layer for layer in net.layers if layer.size]
    for depth, layer in enumerate(dense):
        before = activations[depth - 1] if depth else None
        usual = initializers.default(layer.activation, before, depth, layer.inputs, layer.units)
        for values, bound in zip((layer.W, layer.b), usual, strict=True):
            assert 0.8 * bound < np.abs(values).max() < bound
    for layer in made:
        x = layer(x)
    assert (g.compile(g.mean(x * x), dtype="float64", seed=3).params == net.params).all()
    plain, dropped = (fb.mlp(4, 8, 8, 8, 8, 2, activation="gelu", dropout=rate, seed=3) for rate in (0, 0.4))
    assert (plain.params == dropped.params).all()
    last = fb.Sequential(fb.Dense(4, 8, "sigmoid"), fb.Dropout(0.1), fb.Dense(8, 9)).layers[-1]
    assert not last.b.any()


def test_signals_reach_the_end_of_a_deep_network():
    """Behind ten hidden layers of tanh the gradient is no less than a quarter of that behind two, and relu takes half
    of the power away in every layer, as LeCun's weights let it, however many there are."""
    X = np.random.default_rng(0).normal(size=(200, 64))

    def slope(depth, activation):
        net = fb.mlp(64, *[64] * depth, 1, activation=activation, dtype="float64", seed=2)
        net.forward(X)
        return np.abs(net.backward(np.ones((200, 1)))).mean()

    assert 0.25 < slope(10, "tanh") / slope(2, "tanh") < 4
    assert 0.8 < (slope(30, "relu") / slope(20, "relu")) ** 0.1 / 0.5**0.5 < 1.2


def test_where_layers_do_not_follow_each_other_the_inputs_are_data():
    """After a sum of layers, as of a residual. After a product with a matrix of the user's they are a layer's."""
    x, first = g.input("x", 40), fb.Dense(40, 40, "tanh")
    y = first(x)
    A = g.parameter("A", (40, 40))
    second, third, fourth = (fb.Dense(40, 40, "tanh") for _ in range(3))
    total = second(y + x) + third(second(y + x)) + fourth(g.dense(x, A, activation="relu"))
    plan = g.compile(g.mean(total * total), dtype="float64")
    found = [40 * np.abs(values).max() ** 2 for name, values in plan.parameters.items() if name.endswith("W")]
    assert found == pytest.approx([1, 1, 1.5, 1.5], rel=0.02)


def test_a_network_from_a_config_is_zero():
    """Values come from a file or a pickle; its layers are as if they were told nothing."""
    net = fb.mlp(3, 4, 2, activation="sigmoid", seed=1)
    again = fb.Sequential.from_config(net.config())
    assert not again.params.any()
    assert repr(again) == repr(net) and all(layer.init is layer.bias_init is None for layer in again.layers)


def test_an_array_is_copied():
    given = np.ones((2, 3), np.float32)
    kept = initializers.get("init", given, (2, 3))
    given[:] = 5
    assert kept.dtype == np.float64 and (kept == 1).all() and not kept.flags.writeable
    assert initializers.values(kept, (2, 3), (2, 3), 0) is kept


def test_names_are_checked():
    assert initializers.get("init", "zeros", (2, 3)) == "zeros"
    with pytest.raises(ValueError, match=r"init is 'glorot_unifrom', expected one of: .*; did you mean "
                                         r"'glorot_uniform'\?"):
        initializers.get("init", "glorot_unifrom", (2, 3))
    with pytest.raises(TypeError, match=r"bias_init is 0.5 \(float\), expected a name, one of: .*zeros"):
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
