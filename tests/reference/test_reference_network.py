"""fastbp/reference/network.py: every derivative by trying, and every constant by hand."""
import inspect
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastbp.reference import kernels
from fastbp.reference.gradcheck import gradcheck, gradcheck_directions
from fastbp.reference.network import LOSSES, Dense, Dropout, LayerNorm, Network, Optimizer

ACTIVATIONS = sorted(name[:-8] for name, _ in inspect.getmembers(kernels) if name.endswith("_forward"))
UPDATES = sorted(name[:-7] for name, _ in inspect.getmembers(kernels) if name.endswith("_update"))


def random_examples(count, inputs, outputs, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, inputs)), rng.uniform(size=(count, outputs))


# ---- every derivative by trying ----------------- -------------------------------------------------------------------


def cost_of_params(net, *batch, **more):
    def cost(params):
        net.params[:] = params
        return net.loss_and_grad(*batch, **more)
    return cost


def check(net, *batch, **more):
    """The gradient for the parameters, by central differences in every entry and in random directions."""
    params = net.params.copy()
    net.loss_and_grad(*batch, **more)
    grads = net.grads.copy()
    assert np.abs(grads).max() > 1e-4      # or nothing is checked
    assert gradcheck(cost_of_params(net, *batch, **more), params, grads).error < 1e-6
    assert gradcheck_directions(cost_of_params(net, *batch, **more), params, grads).error < 1e-6


def targets(loss, samples, outputs, seed):
    rng = np.random.default_rng(seed)
    if loss == "cross_entropy":
        return rng.integers(outputs, size=samples)
    if loss == "binary_cross_entropy":
        return rng.integers(2, size=(samples, outputs)).astype(float)
    if loss == "poisson":
        return rng.poisson(2.0, size=(samples, outputs)).astype(float)
    return rng.standard_normal((samples, outputs))


def random_network(layers, seed=3, **more):
    net = Network(layers, **more)
    net.params[:] = np.random.default_rng(seed).standard_normal(net.params.size) * 0.4
    return net


def test_layer_norm_has_its_derivative():
    layers = [LayerNorm(4), Dense(4, 5, "tanh"), LayerNorm(5, eps=0.1), Dense(5, 2)]
    check(random_network(layers), *random_examples(6, 4, 2))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_has_its_derivative(activation):
    net = random_network([Dense(4, 5, activation), Dense(5, 3, activation)], loss="squared_error")
    X, y = random_examples(6, 4, 3)
    check(net, X, y)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_has_its_derivative(loss):
    net = random_network([Dense(4, 5, "tanh"), Dense(5, 3)], loss=loss)
    X, _ = random_examples(6, 4, 3)
    check(net, X, targets(loss, 6, 3, seed=1), sample_weight=[1, 0, 2, 0.5, 1, 3])


@pytest.mark.parametrize(("loss", "param"), [("huber", 0.3), ("huber", 2.5), ("quantile", 0.9), ("cross_entropy", 0.2)])
def test_losses_with_a_number_of_their_own(loss, param):
    net = random_network([Dense(4, 3)], loss=loss, param=param)
    X, _ = random_examples(6, 4, 3)
    check(net, X, targets(loss, 6, 3, seed=2))


def test_penalties_dropout_and_weights_together():
    layers = [Dense(4, 6, "softplus", l1=0.01, l2=0.1), Dropout(0.4),
              Dense(6, 5, "tanh", l2=0.2), Dropout(0.2), Dense(5, 3)]
    net = random_network(layers, loss="cross_entropy")
    X, _ = random_examples(7, 4, 3)
    check(net, X, targets("cross_entropy", 7, 3, seed=3), sample_weight=np.arange(7.0), keys=[0, 11, 0, 2**40 + 5, 0])
    assert 0 < (net.kept[1]["mask"] == 0).sum() < 42


def test_the_gradient_for_the_inputs():
    net = random_network([Dense(4, 5, "tanh"), Dropout(0.3), Dense(5, 3, "softmax")])
    X, dY = random_examples(2, 4, 3)
    keys = [0, 9, 0]
    net.forward(X, keys)
    assert gradcheck(lambda X: np.sum(dY * net.forward(X, keys)), X, net.backward(dY)).error < 1e-6


# ---- what is divided by what ----------------------------------------------------------------------------------------


def linear_of_one(loss, outputs, param=None):
    """y = x for `outputs` columns."""
    net = Network([Dense(outputs, outputs)], loss=loss, param=param)
    net.W[0][:] = np.eye(outputs)
    return net


@pytest.mark.parametrize(("loss", "param", "value"), [
    # two samples of two outputs, distances from the targets: 1, -2 and 0, 3
    ("squared_error", None, (1 + 4 + 0 + 9) / 2),
    ("half_squared_error", None, (1 + 4 + 0 + 9) / 4),
    ("mse", None, (1 + 4 + 0 + 9) / 4),
    ("mae", None, (1 + 2 + 0 + 3) / 4),
    ("huber", 2.0, (0.5 + 2 + 0 + 2 * (3 - 1)) / 4),
    ("quantile", 0.9, (0.1 * 1 + 0.9 * 2 + 0 + 0.1 * 3) / 4),       # above the target is cheap where q is large
])
def test_values_of_the_distances(loss, param, value):
    X, T = np.array([[2.0, 1], [5, 7]]), np.array([[1.0, 3], [5, 4]])
    assert math.isclose(linear_of_one(loss, 2, param).loss_and_grad(X, T), value)


def test_values_of_the_likelihoods():
    log3 = math.log(3)
    # softmax(0, log 3) = 1/4, 3/4
    net = linear_of_one("cross_entropy", 2)
    assert math.isclose(net.loss_and_grad([[0, log3], [0, log3]], [0, 1]), (math.log(4) + math.log(4 / 3)) / 2)
    assert math.isclose(net.loss_and_grad([[0, log3]], [[0.5, 0.5]]), (math.log(4) + math.log(4 / 3)) / 2)
    smoothed = linear_of_one("cross_entropy", 2, 0.2).loss_and_grad([[0, log3]], [1])      # targets 0.1, 0.9
    assert math.isclose(smoothed, 0.1 * math.log(4) + 0.9 * math.log(4 / 3))
    # sigmoid(log 3) = 3/4
    net = linear_of_one("binary_cross_entropy", 2)
    assert math.isclose(net.loss_and_grad([[log3, log3]], [[1.0, 0]]), (math.log(4 / 3) + math.log(4)) / 2)
    assert math.isclose(linear_of_one("poisson", 2).loss_and_grad([[log3, 0]], [[2.0, 1]]), (3 - 2 * log3 + 1) / 2)


def test_weights_multiply_and_the_sum_is_still_divided_by_the_samples():
    X, T = np.array([[2.0], [5]]), np.array([[1.0], [3]])
    assert linear_of_one("squared_error", 1).loss_and_grad(X, T, sample_weight=[3, 0.5]) == (3 * 1 + 0.5 * 4) / 2


def test_penalties_are_of_weights_and_not_of_biases():
    net = Network([Dense(2, 1, l1=0.5, l2=0.25)])
    net.params[:] = [1, -2, 100]
    assert net.loss_and_grad([[0.0, 0]], [[100.0]]) == 0.5 * 3 + 0.25 * 5
    assert_allclose(net.grads, [0.5 + 0.5, -0.5 - 1, 0])


def test_dropout_only_with_keys_and_keeps_the_mean():
    net = Network([Dropout(0.25), Dense(1000, 1000)])
    net.W[1][:] = np.eye(1000)
    ones = np.ones((50, 1000))
    assert_allclose(net.forward(ones), ones)
    dropped = net.forward(ones, keys=[7, 0])
    assert set(np.unique(dropped)) == {0, 1 / 0.75}
    assert abs(dropped.mean() - 1) < 0.01
    assert_allclose(net.forward(ones, keys=[7, 0]), dropped)
    assert (net.forward(ones, keys=[8, 0]) != dropped).mean() > 0.3


# ---- updates --------------------------------------------------------------------------------------------------------


def one_parameter(update, gradients, **hyper):
    """The path of p from 1, when the gradients are these."""
    net, path = Network([Dense(1, 1)]), []
    net.params[:] = 1
    opt = Optimizer(update, **hyper)
    for g in gradients:
        net.grads[:] = g
        opt.step(net)
        path.append(net.params[0])
    return path


def test_updates_by_hand():
    def path(update, **hyper):
        return one_parameter(update, [1, 2], lr=0.1, **hyper)

    assert_allclose(path("sgd"), [0.9, 0.7])
    assert_allclose(path("sgd", weight_decay=0.5), [0.85, 0.85 - 0.1 * (2 + 0.425)])
    assert_allclose(path("momentum", beta1=0.5), [0.9, 0.9 - 0.1 * 2.5])
    assert_allclose(path("nesterov", beta1=0.5), [1 - 0.1 * 1.5, 0.85 - 0.1 * (2 + 0.5 * 2.5)])
    assert_allclose(path("adagrad", eps=0), [0.9, 0.9 - 0.1 * 2 / math.sqrt(5)])
    assert_allclose(path("rmsprop", beta1=0.75, eps=0),
                    [1 - 0.1 / math.sqrt(0.25), 0.8 - 0.1 * 2 / math.sqrt(0.75 * 0.25 + 0.25 * 4)])
    # Adam's first step is lr whatever the gradient's size; then (0.5 * 0.5 + 0.5 * 2) / 0.75 over its root mean square
    assert_allclose(path("adam", beta1=0.5, beta2=0.75, eps=0),
                    [0.9, 0.9 - 0.1 * (1.25 / 0.75) / math.sqrt((0.75 * 0.25 + 0.25 * 4) / (1 - 0.75**2))])
    assert_allclose(path("adamw", beta1=0.5, beta2=0.75, eps=0, weight_decay=0.5)[0], 0.95 - 0.1)


def test_clipping_by_norm_then_by_value():
    net = Network([Dense(1, 1)])
    net.grads[:] = [3, 4]
    Optimizer("sgd", lr=1, clip_norm=1).step(net)
    assert_allclose(net.params, [-0.6, -0.8])
    net.params[:] = 0
    Optimizer("sgd", lr=1, clip_norm=1, clip_value=0.7).step(net)
    assert_allclose(net.params, [-0.6, -0.7])
    net.params[:] = 0
    Optimizer("sgd", lr=1, clip_norm=6).step(net)
    assert_allclose(net.params, [-3, -4])


@pytest.mark.parametrize("update", UPDATES)
def test_every_update_goes_downhill(update):
    net = random_network([Dense(3, 4, "tanh"), Dense(4, 2)], loss="mse")
    X, y = random_examples(8, 3, 2)
    opt = Optimizer(update, lr=0.02, eps=1e-8)
    before = net.loss_and_grad(X, y)
    for _ in range(30):
        net.loss_and_grad(X, y)
        opt.step(net)
    assert net.loss_and_grad(X, y) < 0.9 * before
