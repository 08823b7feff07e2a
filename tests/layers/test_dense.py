"""fastbp/layers/dense.py: the fully connected layer, its settings, initial values and views."""

import math

import numpy as np
import pytest

from fastbp import _check as check
from fastbp import initializers
from fastbp._core import cpu, random
from fastbp.layers import Dense


def test_dense_stores_its_settings():
    layer = Dense(np.int64(3), 4, "relu", init="zeros", bias_init=[1, 2, 3, 4], l1=1, l2=np.float32(0.5))
    assert (layer.inputs, layer.units, layer.activation, layer.size) == (3, 4, "relu", 16)
    assert type(layer.inputs) is int and layer.init == "zeros" and layer.bias_init.tolist() == [1, 2, 3, 4]
    assert (layer.l1, layer.l2) == (1.0, 0.5)
    assert layer.W is layer.b is layer.dW is layer.db is None


@pytest.mark.parametrize("activation", cpu.activations())
def test_every_compiled_activation_is_accepted(activation):
    layer = Dense(3, 4, activation)
    assert layer.output_only == (activation == "softmax")


@pytest.mark.parametrize(
    "kind, arguments, settings, message",
    [
        (ValueError, (0, 4), {}, "inputs is 0, expected an integer >= 1; choose inputs"),
        (ValueError, (3, -1), {}, "units is -1, expected an integer >= 1; choose units"),
        (TypeError, (3.0, 4), {}, r"inputs is 3.0 \(float\), expected an integer >= 1; write it as an int"),
        (TypeError, (3, None), {}, "units is None, expected an integer >= 1"),
        (ValueError, (3, 4, "rleu"), {}, r"activation is 'rleu', expected one of: linear, relu.*; did you mean "
                                         r"'relu'\?"),
        (TypeError, (3, 4, None), {}, "activation is None, expected a name, one of: linear"),
        (ValueError, (3, 4), {"init": "he"}, "init is 'he', expected one of: glorot_uniform.*; did you mean "
                                             "'he_normal'"),
        (ValueError, (3, 4), {"init": np.ones((4, 3))}, r"init has shape \(4, 3\), expected \(3, 4\); transpose"),
        (ValueError, (3, 4), {"bias_init": np.ones(3)}, r"bias_init has shape \(3,\), expected \(4,\)"),
        (TypeError, (3, 4), {"bias_init": 0.0}, r"bias_init is 0.0 \(float\), expected a name"),
        (ValueError, (3, 4), {"l1": -1.0}, "l1 is -1.0, expected a finite number >= 0; choose l1"),
        (ValueError, (3, 4), {"l2": math.inf}, "l2 is inf, expected a finite number >= 0; choose l2"),
    ],
)
def test_dense_refuses(kind, arguments, settings, message):
    with pytest.raises(kind, match=message):
        Dense(*arguments, **settings)


def test_bound_arrays_are_views():
    layer = Dense(2, 3)
    params, grads = np.arange(9.0), np.zeros(9)
    layer.bind(params, grads)
    assert layer.W.tolist() == [[0, 1, 2], [3, 4, 5]] and layer.b.tolist() == [6, 7, 8]
    layer.W[0, 1] = 9
    layer.b[0] = -1
    layer.dW[1, 2] = 5
    layer.db[2] = 7
    assert params[1] == 9 and params[6] == -1 and grads[5] == 5 and grads[8] == 7
    with pytest.raises(ValueError):
        layer.bind(np.arange(12.0)[::2][:5], grads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initialise_writes_into_views(dtype):
    params = np.full(3 * 4 + 4, np.nan, dtype)
    W, b = params[:12].reshape(3, 4), params[12:]
    Dense(3, 4, "relu", bias_init="he_uniform").initialise((W, b), key=3)
    assert np.isfinite(params).all() and np.unique(params).size == 16
    again = np.empty_like(params)
    Dense(3, 4, "relu", bias_init="he_uniform").initialise((again[:12].reshape(3, 4), again[12:]), key=3)
    assert np.array_equal(params, again)
    Dense(3, 4, init=np.arange(12).reshape(3, 4), bias_init="zeros").initialise((W, b), key=3)
    assert params.tolist() == [*range(12), 0, 0, 0, 0]


@pytest.mark.parametrize("before, depth", [(None, 0), ("relu", 1), ("relu", 3), ("sigmoid", 2)])
@pytest.mark.parametrize("activation", cpu.activations())
def test_default_initial_values(activation, before, depth):
    """Those of initializers.default; what is given beside them leaves them alone."""
    W, b = np.ones((5, 4)), np.ones(4)
    Dense(5, 4, activation).initialise((W, b), 11, before, depth)
    wanted = [
        initializers.values(bound, shape, (5, 4), random.fold(11, part))
        for part, (bound, shape) in enumerate(
            zip(initializers.default(activation, before, depth, 5, 4), (W.shape, b.shape), strict=True)
        )
    ]
    assert np.array_equal(W, wanted[0]) and np.array_equal(b, wanted[1])
    Dense(5, 4, activation, bias_init=[1, 2, 3, 4]).initialise((W, b), 11, before, depth)
    assert np.array_equal(W, wanted[0]) and b.tolist() == [1, 2, 3, 4]
    Dense(5, 4, activation, init="zeros").initialise((W, b), 11, before, depth)
    assert not W.any() and np.array_equal(b, wanted[1])


def test_weights_and_biases_have_streams_of_their_own():
    W, b = np.empty((4, 4)), np.empty(4)
    Dense(4, 4, init="he_uniform", bias_init="he_uniform").initialise((W, b), key=0)
    assert not np.isin(b, W).any()


def test_initial_values_beyond_the_dtype_are_refused_and_nothing_is_written():
    W, b = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    with pytest.raises(ValueError, match=r"bias_init\[0\] is 1e\+300 .* overflows float32"):
        Dense(1, 1, bias_init=[1e300]).initialise((W, b), key=0)
    assert W[0, 0] == b[0] == 0


def test_repr():
    assert repr(Dense(784, 16, "sigmoid")) == "Dense(784, 16, 'sigmoid')"
    assert repr(Dense(2, 1, bias_init="zeros")) == "Dense(2, 1, 'linear', bias_init='zeros')"
    assert repr(Dense(1, 2, init=np.ones((1, 2)), bias_init="he_normal", l2=0.1)) == (
        "Dense(1, 2, 'linear', init=<array (1, 2)>, bias_init='he_normal', l2=0.1)"
    )


def test_names_come_from_the_compiled_table(monkeypatch):
    monkeypatch.setattr(cpu, "activations", lambda: {"brand_new": "OUTPUT"})
    assert Dense(1, 1, "brand_new").activation == "brand_new"
    with pytest.raises(ValueError, match="expected one of: brand_new; "):
        Dense(1, 1, "relu")


def test_widths_are_checked_by_check(monkeypatch):
    monkeypatch.setattr(check, "integer", lambda name, value, minimum: 77)
    assert Dense(1, 1).units == 77


def test_penalties_are_of_the_weights():
    layer = Dense(2, 3, l1=0.25, l2=0.5)
    assert {each.name: layer.penalty_of(each) for each in layer.parameters()} == {"W": (0.25, 0.5), "b": (0.0, 0.0)}


def test_outputs_are_scaled_and_shifted():
    layer = Dense(2, 1)
    layer.bind(np.array([1.0, 2, 3]), np.zeros(3))
    layer.scale_outputs(2.0, 0.5)
    assert (layer.W[:, 0].tolist(), layer.b.tolist()) == ([2, 4], [6.5])
