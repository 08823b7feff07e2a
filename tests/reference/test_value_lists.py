"""Functions of lists of values - sums, products, layers - against central differences and fastbp.reference.lists."""


import numpy as np
import pytest
from derivatives import agree_with_differences
from numpy.testing import assert_allclose

from fastbp.reference import Value, dense, kernels, lists, logsumexp, max_, mean, softmax, sum_

EXACT = {"rtol": 1e-13, "atol": 1e-15}


@pytest.mark.parametrize("f", [sum_, mean, max_, logsumexp, lambda x: softmax(x)[1], lambda x: softmax(x)[0].log()])
def test_lists_against_central_differences(f):
    assert agree_with_differences(lambda *x: f(x), 0.3, -1.2, 0.9, 0.4)
    assert agree_with_differences(lambda x: f([x, 0.5]), 0.3)   # a plain number among them


def test_lists_of_numbers():
    x = [0.3, -1.2, 0.9, 0.3]
    assert (sum_(x).data, mean(x).data, max_(x).data) == pytest.approx((sum(x), np.mean(x), 0.9))
    assert logsumexp(x).data == pytest.approx(np.log(np.exp(x).sum()))
    assert sum_([]).data == 0


@pytest.mark.parametrize("activation", ["linear", "tanh", "softmax", "gelu", "exponential"])
def test_dense_by_indices(activation, rng):
    xs, W, b = rng.standard_normal(3), rng.standard_normal((3, 2)), rng.standard_normal(2)
    Z = (xs @ W + b)[None]
    values = dense(xs, W.tolist(), b.tolist(), activation)
    assert_allclose([value.data for value in values], getattr(kernels, f"{activation}_forward")(Z)[0], **EXACT)


def test_dense_layers_have_the_gradient_of_the_lists():
    network, x, y = lists.new_network([3, 4, 2], seed=3), [0.5, -1.0, 2.0], [1.0, 0.0]
    knobs = [([[Value(w) for w in row] for row in W], [Value(b_j) for b_j in b]) for W, b in network]
    a = x
    for W, b in knobs:
        a = dense(a, W, b, "sigmoid")
    C = sum_([(a_j - y_j) ** 2 for a_j, y_j in zip(a, y, strict=True)])
    C.backward()
    activations = lists.forward(network, x)
    assert C.data == pytest.approx(lists.cost(activations[-1], y), rel=1e-14)
    for (W, b), (dW, db) in zip(knobs, lists.backward(network, activations, y), strict=True):
        assert_allclose([[w.grad for w in row] for row in W], dW, **EXACT)
        assert_allclose([b_j.grad for b_j in b], db, **EXACT)


def test_lists_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="zip"):
        dense([1.0, 2.0], [[1.0]], [0.0])
