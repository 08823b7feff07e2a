"""The compiled engine against fastbp/reference: the same parameters and data through both, in float32 and float64.

float32 data are rounded before the reference sees them, so that only the arithmetic differs. "Agrees" is relative to
the size of the whole array (its largest entry): where a sum cancels, its small remainder is not known to more digits.
"""
from itertools import pairwise

import numpy as np
import pytest
import worked
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import fastbp as fb
from fastbp._compiler.use import Use
from fastbp._models import network_programs
from fastbp.reference import kernels
from fastbp.reference.network import LOSSES, Dense, Dropout, Network, Optimizer

ACTIVATIONS = sorted(name[:-8] for name in dir(kernels) if name.endswith("_forward"))
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
LINKS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid", "poisson": "exponential"}
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True,
                    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much])


def agree(got, expected, tolerance, size=None):
    """size: of what `expected` was summed from, where all of it may cancel."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected)
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    size = np.abs(expected).max(initial=0) if size is None else size
    assert_allclose(got, expected, rtol=0, atol=tolerance * max(size, 1e-3))


def twin(net):
    """The reference network with the layers, loss and parameters of net."""
    layers = [Dropout(layer.rate) if layer.kind == "dropout"
              else Dense(layer.inputs, layer.units, layer.activation, layer.l1, layer.l2) for layer in net.layers]
    reference = Network(layers, net.loss.name, net.loss.param)
    reference.params[:] = net.params
    return reference


def randomise(net, rng, scale=1.0):
    """Weights and biases of a size that keeps signals near 1."""
    for layer in net.layers:
        if layer.kind == "dense":
            layer.W[:] = rng.standard_normal(layer.W.shape) * scale / np.sqrt(layer.inputs)
            layer.b[:] = rng.standard_normal(layer.b.shape) * 0.3 * scale


def data_for(loss, samples, inputs, outputs, rng, dtype, labels=False):
    X = rng.standard_normal((samples, inputs))
    if loss == "cross_entropy" and labels:
        return X.astype(dtype), rng.integers(outputs, size=samples)
    if loss == "cross_entropy":
        y = rng.dirichlet(np.ones(outputs), size=samples)
    elif loss == "binary_cross_entropy":
        y = rng.uniform(size=(samples, outputs))
    elif loss == "poisson":
        y = rng.poisson(2.0, size=(samples, outputs))
    else:
        y = rng.standard_normal((samples, outputs))
    return X.astype(dtype), y.astype(dtype)


# Where the slope jumps, a rounding decides which slope is taken, and both answers are right.
KINKS = {"relu": [0], "leaky_relu": [0], "selu": [0], "hard_sigmoid": [-3, 3]}
KINKS_OF_LOSSES = {"mae": [0], "quantile": [0]}  # in y - t, of the losses with their defaults


def far_from_kinks(reference, X, y, keys=None):
    Y = reference.forward(X, keys)
    near = 1e-4
    for layer, kept in zip(reference.layers, reference.kept, strict=True):
        for kink in KINKS.get(getattr(layer, "activation", ""), []):
            if np.any(np.abs(kept["Z"] - kink) < near):
                return False
    kinks = KINKS_OF_LOSSES.get(reference.loss.kernel, [])
    return not any(np.any(np.abs(Y - y - kink) < near) for kink in kinks)


def fold(key, counter):
    """A new key from a key and a counter, as docs/numerics.md says."""
    low, high = kernels.threefry2x32((key % 2**32, key >> 32), (counter % 2**32, counter >> 32))
    return int(low[0]) | int(high[0]) << 32


def mask_keys(net, draw):
    """The keys of the dropout masks of the draw-th pass (from 0) of a new network: one for each layer."""
    step = fold(fold(net.seed, 0x64726F70), draw)
    return [fold(step, number) for number in range(len(net.layers))]


def compare_step(net, X, y, tolerance, **more):
    """Loss, outputs and gradients of one batch. The first comparison of a network, if it has dropout."""
    reference = twin(net)
    expected = reference.loss_and_grad(X, y, keys=mask_keys(net, 0), **more)
    agree(net.loss_and_grad(X, y, **more), expected, tolerance)
    for i, layer in enumerate(net.layers):
        if layer.kind == "dense":
            agree(layer.dW, reference.dW[i], tolerance)
            summed = np.abs(reference.kept[i]["dZ"]).sum(axis=0).max()  # of one unit nothing but the remainder is left
            agree(layer.db, reference.db[i], tolerance, summed)
    agree(net.forward(X), reference.forward(X, keys=mask_keys(net, 1)), tolerance)


# ---- the network worked by hand -------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_the_hand(dtype, isa, threads):
    digits = {"rtol": 0, "atol": 5.1e-7 if dtype == "float64" else 1e-6}
    net = fb.mlp(3, 2, 1, activation="sigmoid", output="sigmoid", loss="squared_error", dtype=dtype)
    net.params[:] = worked.PARAMS
    X, y = np.array(worked.INPUTS, dtype), np.array(worked.TARGETS, dtype)
    assert_allclose(net.predict(X)[:, 0], [worked.FIRST["a2"][0], worked.SECOND["a2"][0]], **digits)
    assert_allclose(net.loss_and_grad(X, y), worked.COST, **digits)
    assert_allclose(net.grads, worked.GRADIENT, **digits)
    fb.SGD(lr=worked.LR).step(net)
    assert_allclose(net.params, worked.UPDATED, **digits)
    assert_allclose(net.evaluate(X, y)["loss"], worked.COST_AFTER, **digits)


def test_the_hand_with_a_gradient_of_ones_own(dtype, isa):
    """forward, then backward from the slope of each example's own cost: the sum of the examples, not their mean."""
    digits = {"rtol": 0, "atol": 1.1e-6}
    net = fb.mlp(3, 2, 1, activation="sigmoid", output="sigmoid", loss="squared_error", dtype=dtype)
    net.params[:] = worked.PARAMS
    net.forward(np.array(worked.INPUTS, dtype))
    dX = net.backward(np.array([worked.FIRST["dC_da2"], worked.SECOND["dC_da2"]], dtype))
    assert_allclose(dX, [worked.FIRST["dC_dx"], worked.SECOND["dC_dx"]], **digits)
    assert_allclose(net.grads, 2 * np.array(worked.GRADIENT), **{**digits, "atol": 2e-6})


@pytest.mark.smoke
def test_the_hand_by_fit(dtype, isa, threads):
    net = fb.mlp(3, 2, 1, activation="sigmoid", output="sigmoid", loss="squared_error", dtype=dtype)
    net.params[:] = worked.PARAMS
    X, y = np.array(worked.INPUTS, dtype), np.array(worked.TARGETS, dtype)
    history = net.fit(X, y, epochs=1, batch_size=2, optimizer=fb.SGD(lr=worked.LR), progress=False)
    assert_allclose(history.history["loss"], [worked.COST], atol=1e-6)
    assert_allclose(net.params, worked.UPDATED, atol=1e-6)


# ---- everything once ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation, dtype, isa, threads, rng):
    hidden = "tanh" if activation == "softmax" else activation
    net = fb.mlp(13, 21, 9, 5, activation=hidden, output=activation, loss="squared_error", dtype=dtype)
    randomise(net, rng, 0.6)
    X, y = data_for("squared_error", 37, 13, 5, rng, dtype)
    compare_step(net, X, y, TOLERANCE[dtype])


@pytest.mark.parametrize(("loss", "labels"), [*((name, False) for name in LOSSES), ("cross_entropy", True)])
def test_every_loss(loss, labels, dtype, isa, threads, rng):
    net = fb.mlp(13, 21, 5, activation="tanh", loss=loss, dtype=dtype)
    randomise(net, rng)
    X, y = data_for(loss, 37, 13, 5, rng, dtype, labels)
    w = rng.uniform(0, 2, size=37).astype(dtype)
    compare_step(net, X, y, TOLERANCE[dtype])
    compare_step(net, X, y, TOLERANCE[dtype], sample_weight=w)


@pytest.mark.parametrize("loss", [
    ("huber", {"delta": 0.4}), ("quantile", {"q": 0.9}), ("cross_entropy", {"label_smoothing": 0.1})])
def test_losses_with_settings(loss, dtype, isa, rng):
    name, setting = loss
    function = {"huber": fb.losses.Huber, "quantile": fb.losses.Quantile, "cross_entropy": fb.losses.CrossEntropy}[name]
    net = fb.mlp(7, 6, 5, activation="tanh", loss=function(**setting), dtype=dtype)
    randomise(net, rng)
    assert twin(net).loss.param == next(iter(setting.values()))
    compare_step(net, *data_for(name, 20, 7, 5, rng, dtype), TOLERANCE[dtype])
    if name == "cross_entropy":
        compare_step(net, *data_for(name, 20, 7, 5, rng, dtype, labels=True), TOLERANCE[dtype])


@pytest.mark.parametrize("loss", LINKS)
def test_predict_applies_the_link(loss, dtype, isa, rng):
    net = fb.mlp(7, 6, 5, activation="tanh", loss=loss, dtype=dtype)
    randomise(net, rng)
    X, _ = data_for(loss, 20, 7, 5, rng, dtype)
    link = getattr(kernels, f"{LINKS[loss]}_forward")
    agree(net.predict(X), link(twin(net).forward(X)), TOLERANCE[dtype])


def test_class_weight_multiplies_the_weight_of_the_sample(dtype, isa, rng):
    net = fb.mlp(7, 6, 3, activation="tanh", loss="cross_entropy", dtype=dtype)
    randomise(net, rng)
    X, y = data_for("cross_entropy", 20, 7, 3, rng, dtype, labels=True)
    w = rng.uniform(0, 2, size=20).astype(dtype)
    class_weight = {0: 0.5, 1: 3.0, 2: 1.0}
    reference = twin(net)
    expected = reference.loss_and_grad(X, y, sample_weight=w * np.array([0.5, 3.0, 1.0])[y])
    agree(net.loss_and_grad(X, y, sample_weight=w, class_weight=class_weight), expected, TOLERANCE[dtype])
    agree(net.grads, reference.grads, TOLERANCE[dtype])


def test_labels_of_the_classic_cost_become_one_hot(dtype, isa, rng):
    net = fb.mlp(7, 6, 4, activation="sigmoid", output="sigmoid", loss="squared_error", dtype=dtype)
    randomise(net, rng)
    X, y = data_for("cross_entropy", 20, 7, 4, rng, dtype, labels=True)
    reference = twin(net)
    agree(net.loss_and_grad(X, y), reference.loss_and_grad(X, np.eye(4)[y]), TOLERANCE[dtype])
    agree(net.grads, reference.grads, TOLERANCE[dtype])


def test_penalties(dtype, isa, threads, rng):
    net = fb.Sequential(fb.Dense(7, 40, "tanh", l1=0.01), fb.Dense(40, 30, "sigmoid", l2=0.02),
                        fb.Dense(30, 4, l1=0.003, l2=0.1), loss="mse", dtype=dtype)
    randomise(net, rng)
    compare_step(net, *data_for("mse", 25, 7, 4, rng, dtype), TOLERANCE[dtype])


def test_dropout(dtype, isa, threads, rng):
    """Before the first layer, between layers, twice in a row; the same masks whoever computes them."""
    net = fb.Sequential(fb.Dropout(0.2), fb.Dense(7, 40, "tanh"), fb.Dropout(0.5), fb.Dropout(0.1),
                        fb.Dense(40, 30, "gelu"), fb.Dropout(0), fb.Dense(30, 4), loss="mse", dtype=dtype,
                        seed=2**40 + 3)
    randomise(net, rng)
    X, y = data_for("mse", 45, 7, 4, rng, dtype)
    compare_step(net, X, y, TOLERANCE[dtype])
    agree(net.predict(X), twin(net).forward(X), TOLERANCE[dtype])


def test_backward_gives_the_gradient_for_the_inputs(dtype, isa, threads, rng):
    net = fb.mlp(9, 33, 17, 5, activation="gelu", output="tanh", dtype=dtype)
    randomise(net, rng)
    reference = twin(net)
    X, dY = data_for("mse", 26, 9, 5, rng, dtype)
    agree(net.forward(X), reference.forward(X), TOLERANCE[dtype])
    agree(net.backward(dY), reference.backward(dY), TOLERANCE[dtype])
    agree(net.grads, reference.grads, TOLERANCE[dtype])


@pytest.mark.parametrize("activation", ["linear", "relu", "gelu", "sigmoid", "mish"])
def test_inputs_in_splits(activation, dtype, isa, threads, rng):
    """The sum of the splits' products meets the activation as a whole product does, its input kept where backward needs
    it; backward by itself, and the gradient for the inputs, whose packed weights are of all splits."""
    net = fb.Sequential(fb.Dense(300, 31, activation), fb.Dense(31, 5, "tanh"), loss="mse", dtype=dtype)
    randomise(net, rng)
    reference = twin(net)
    X, y = data_for("mse", 43, 300, 5, rng, dtype)
    while activation == "relu" and not far_from_kinks(reference, X, y):
        randomise(net, rng)
        reference = twin(net)
    assert len(network_programs.program(net, Use("train", 43)).splits) == 2
    compare_step(net, X, y, TOLERANCE[dtype])
    agree(net.forward(X), reference.forward(X), TOLERANCE[dtype])
    agree(net.backward(y), reference.backward(y), TOLERANCE[dtype])
    agree(net.grads, reference.grads, TOLERANCE[dtype])


@pytest.mark.parametrize("widths", [(784, 16, 16, 10), (64, 300, 300, 10), (40, 512, 512, 512, 3), (1, 1), (2, 700)])
@pytest.mark.parametrize("samples", [1, 2, 100, 517])
def test_every_scheme(widths, samples, dtype, threads, rng):
    """Shapes on both sides of the choices made when a plan is compiled: one slice, several slices, tiles."""
    net = fb.mlp(*widths, activation="tanh", output="linear", loss="mse", dtype=dtype)
    randomise(net, rng)
    compare_step(net, *data_for("mse", samples, widths[0], widths[-1], rng, dtype), TOLERANCE[dtype])


# ---- training -------------------------------------------------------------------------------------------------------


OPTIMIZERS = {
    "sgd": (lambda **more: fb.SGD(lr=0.1, **more), {"lr": 0.1}),
    "momentum": (lambda **more: fb.SGD(lr=0.1, momentum=0.9, **more), {"lr": 0.1, "beta1": 0.9}),
    "nesterov": (lambda **more: fb.SGD(lr=0.1, momentum=0.9, nesterov=True, **more), {"lr": 0.1, "beta1": 0.9}),
    # eps large enough that a gradient of almost nothing is not blown up, rounding included, to a step of full size
    "adam": (lambda **more: fb.Adam(lr=0.01, eps=1e-3, **more), {"lr": 0.01, "eps": 1e-3}),
    "adamw": (lambda **more: fb.AdamW(lr=0.01, eps=1e-3, **more), {"lr": 0.01, "eps": 1e-3, "weight_decay": 0.01}),
    "rmsprop": (lambda **more: fb.RMSprop(lr=0.01, rho=0.8, eps=1e-3, **more), {"lr": 0.01, "beta1": 0.8, "eps": 1e-3}),
    "adagrad": (lambda **more: fb.Adagrad(lr=0.05, eps=1e-3, **more), {"lr": 0.05, "eps": 1e-3}),
}
MORE = {
    "plain": {},
    "weight_decay": {"weight_decay": 0.02},
    "clip_norm": {"clip_norm": 0.05},
    "loose_norm": {"clip_norm": 50.0},      # never reached
    "clip_value": {"clip_value": 0.01},
    "both_clips": {"clip_norm": 0.1, "clip_value": 0.02},
}


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
@pytest.mark.parametrize("update", OPTIMIZERS)
def test_every_update_for_some_steps(update, more, dtype, isa, rng):
    net = fb.mlp(6, 15, 3, activation="tanh", loss="mse", dtype=dtype)
    randomise(net, rng)
    reference = twin(net)
    X, y = data_for("mse", 24, 6, 3, rng, dtype)
    make, hyper = OPTIMIZERS[update]
    optimizer, expected = make(**more), Optimizer(update, **(hyper | more))
    for _ in range(8):
        agree(net.loss_and_grad(X, y), reference.loss_and_grad(X, y), 10 * TOLERANCE[dtype])
        optimizer.step(net)
        expected.step(reference)
        agree(net.params, reference.params, TOLERANCE[dtype])
    assert optimizer.steps == 8


@pytest.mark.parametrize("update", ["sgd", "adam"])
def test_fit_is_the_plain_loop(update, dtype, threads, rng):
    """Two epochs, the last batch shorter, weights of samples, against the reference fed the same batches."""
    net = fb.mlp(6, 15, 3, activation="tanh", loss="cross_entropy", dtype=dtype, seed=4)
    randomise(net, rng)
    reference = twin(net)
    X, y = data_for("cross_entropy", 53, 6, 3, rng, dtype, labels=True)
    w = rng.uniform(0.5, 2, size=53).astype(dtype)
    make, hyper = OPTIMIZERS[update]
    history = net.fit(X, y, epochs=2, batch_size=10, optimizer=make(), sample_weight=w, shuffle=False, progress=False)
    expected, losses = Optimizer(update, **hyper), []
    for _ in range(2):
        total = 0.0
        for start in range(0, 53, 10):
            rows = slice(start, start + 10)
            total += reference.loss_and_grad(X[rows], y[rows], w[rows]) * len(X[rows])
            expected.step(reference)
        losses.append(total / 53)
    agree(net.params, reference.params, TOLERANCE[dtype])
    agree(history.history["loss"], losses, TOLERANCE[dtype])


def test_shuffled_fit_visits_the_batches_that_batches_gives(dtype, rng):
    net = fb.mlp(6, 15, 3, activation="tanh", loss="mse", dtype=dtype)
    randomise(net, rng)
    reference = twin(net)
    X, y = data_for("mse", 53, 6, 3, rng, dtype)
    net.fit(X, y, epochs=1, batch_size=10, optimizer=fb.SGD(lr=0.1), seed=11, progress=False)
    expected = Optimizer("sgd", lr=0.1)
    for xb, yb in fb.batches(X, y, 10, seed=11):
        reference.loss_and_grad(xb, yb)
        expected.step(reference)
    agree(net.params, reference.params, TOLERANCE[dtype])


# ---- anything -------------------------------------------------------------------------------------------------------


@st.composite
def networks(draw):
    widths = draw(st.lists(st.integers(1, 40), min_size=2, max_size=5))
    loss = draw(st.sampled_from(sorted(LOSSES)))
    if loss == "cross_entropy" and widths[-1] == 1:
        widths[-1] = 2
    hidden = [name for name in ACTIVATIONS if name not in ("softmax", "exponential")]
    layers = []
    for inputs, units in pairwise(widths[:-1]):
        l1, l2 = draw(st.sampled_from([(0, 0), (0.01, 0), (0, 0.1), (0.02, 0.05)]))
        layers.append(fb.Dense(inputs, units, draw(st.sampled_from(hidden)), l1=l1, l2=l2))
        if draw(st.booleans()):
            layers.append(fb.Dropout(draw(st.sampled_from([0.1, 0.5]))))
    last = "linear" if loss in LINKS else draw(st.sampled_from(hidden + ["softmax"] * (widths[-1] > 1)))
    layers.append(fb.Dense(widths[-2], widths[-1], last))
    return layers, loss


@SETTINGS
@given(network=networks(), samples=st.integers(1, 70), seed=st.integers(0, 2**32 - 1), weighted=st.booleans(),
       labels=st.booleans())
@example(network=([fb.Dense(40, 1)], "binary_cross_entropy"), samples=3, seed=0, weighted=False, labels=False)
def test_any_network(dtype, threads, network, samples, seed, weighted, labels):
    layers, loss = network
    rng = np.random.default_rng(seed)
    net = fb.Sequential(*layers, loss=loss, dtype=dtype)
    randomise(net, rng)
    X, y = data_for(loss, samples, net.inputs, net.units, rng, dtype, labels)
    w = rng.uniform(0, 3, size=samples).astype(dtype) if weighted else None
    assume(dtype == "float64" or far_from_kinks(twin(net), X, y, mask_keys(net, 0)))
    compare_step(net, X, y, TOLERANCE[dtype], sample_weight=w)


@SETTINGS
@given(network=networks(), samples=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 2**32 - 1),
       update=st.sampled_from(sorted(OPTIMIZERS)))
def test_any_training(network, samples, batch_size, seed, update):
    """Three epochs in float64, where rounding has no room to grow."""
    layers, loss = network
    rng = np.random.default_rng(seed)
    net = fb.Sequential(*layers, loss=loss, dtype="float64")
    randomise(net, rng)
    reference = twin(net)
    X, y = data_for(loss, samples, net.inputs, net.units, rng, "float64")
    make, hyper = OPTIMIZERS[update]
    net.fit(X, y, epochs=3, batch_size=batch_size, optimizer=make(clip_norm=1.0), shuffle=False, progress=False)
    expected, draw = Optimizer(update, clip_norm=1.0, **hyper), 0
    for _ in range(3):
        for start in range(0, samples, batch_size):
            rows, keys = slice(start, start + batch_size), mask_keys(net, draw)
            assume(far_from_kinks(reference, X[rows], y[rows], keys))
            reference.loss_and_grad(X[rows], y[rows], keys=keys)
            expected.step(reference)
            draw += 1
    agree(net.params, reference.params, 1e-10)
