"""Expressions trained by `plan.fit` and by hand. Each training takes a dtype and returns the arrays that are hashed."""

import numpy as np

import fastbp as fb
from fastbp import graph as g

from .numbers import integers, uniform

TRAININGS = {}


def training(function):
    TRAININGS[f"expression: {function.__name__.replace('_', ' ')}"] = function
    return function


def parameter(name, *shape, seed=0):
    return g.parameter(name, shape, init=uniform(*shape, seed=seed) / 2 if shape else uniform(1, seed=seed)[0].item())


def fitted(plan, data, epochs=2, batch=16, optimizer=None, **options):
    optimizer = optimizer or fb.Adam(lr=0.02)
    plan.fit(data, epochs=epochs, batch_size=batch, optimizer=optimizer, progress=False, **options)
    return [plan.params, *([] if optimizer.state is None else [optimizer.state])]


def xy(n=60, width=4):
    return {"x": uniform(n, width, seed=7), "y": uniform(n, 1, seed=8, low=0.1)}


@training
def a_polynomial(dtype):
    t, y = g.inputs("t", "y")
    k = parameter("k", 5)
    plan = g.compile(g.mean(g.square(k[0] + t * (k[1] + t * (k[2] + t * (k[3] + t * k[4]))) - y)), dtype=dtype)
    return fitted(plan, {"t": uniform(60, seed=7), "y": uniform(60, seed=8)}, optimizer=fb.SGD(lr=0.1, momentum=0.9))


@training
def a_dense_network_of_parameters(dtype):
    x, y = g.input("x", 4), g.input("y")
    h = g.dense(x, parameter("W", 4, 9), parameter("b", 9, seed=1), "tanh")
    out = g.dense(h, parameter("V", 9, 1, seed=2), parameter("c", 1, seed=3))
    plan = g.compile(g.mse(out, y), {"out": out}, dtype=dtype)
    found = fitted(plan, xy(), epochs=3)
    return [*found, plan.forward(x=xy()["x"])["out"]]


@training
def every_elementwise_operation(dtype):
    x, y = g.input("x", 4), g.input("y")
    a = parameter("a", 4) + 1.5
    z = g.exp(-x * a) + g.log(a) + g.sqrt(a + 1) + g.abs(x - a) + g.sin(x * a) * g.cos(a) + g.square(x) / a
    z = z + (x + 2) ** a + a**3 + a**-0.5 + g.maximum(x, a) - g.minimum(x * a, 0.25) + g.sign(x) * a
    z = z + g.where((x < a) & (x > -a) | (y <= 0.5), x * a, a) + g.where(g.equal(y, 0.5), a, x)
    return fitted(g.compile(g.mean(z * z) / 50 + g.norm(a), dtype=dtype), xy())


@training
def every_sum(dtype):
    x, y = g.input("x", 4), g.input("y")
    a, M = parameter("a", 4), parameter("M", 3, 4, seed=1)
    u = g.reshape(g.concat([x * a, x, x - a]), (3, 4)) * M
    terms = [
        g.mean(g.sum(u, axis=-1) * 0.1), g.mean(u), g.sum(M * M) * 0.01, g.mean(g.sum(M, axis=0) * a),
        g.mean(g.max(u)), g.mean(g.logsumexp(x * a)), g.mean(g.square(g.mean(x * a, axis=0))),
        g.mean(g.softmax(x * a) * x), g.mean(g.square(g.sum(x * a, axis=-1) - y)),
    ]
    return fitted(g.compile(g.sum(terms), dtype=dtype), xy())


@training
def several_sweeps(dtype):
    x, y = g.input("x", 4), g.input("y")
    a, W = parameter("a", 4), parameter("W", 4, 6, seed=1)
    z = (x @ W) * 0.5
    for _ in range(2):
        centred = z - g.mean(z, axis=0)
        z = centred / g.sqrt(g.mean(g.square(centred), axis=0) + 0.1)
    out = g.sum(z, axis=-1) * g.mean(a) - g.mean(x * a)
    return fitted(g.compile(g.mean(g.square(out - y)), dtype=dtype), xy(300), batch=128)


@training
def layer_norm(dtype):
    x, y = g.input("x", 4), g.input("y")
    h = g.dense(x, parameter("W", 4, 10), parameter("b", 10, seed=1), "gelu")
    centred = h - g.mean(h, axis=-1)
    h = centred / g.sqrt(g.mean(g.square(centred), axis=-1) + 1e-5)
    h = h * (parameter("scale", 10, seed=2) + 1) + parameter("shift", 10, seed=3)
    plan = g.compile(g.huber(h @ parameter("V", 10, 1, seed=4), y, delta=0.5), dtype=dtype)
    return fitted(plan, xy(200), batch=64, optimizer=fb.AdamW(lr=0.01, clip_norm=0.5))


@training
def an_embedding(dtype):
    i, j, y = g.input("i", integer=True), g.input("j", integer=True), g.input("y")
    T = parameter("T", 11, 6)
    h = g.tanh(g.concat([g.gather(T, i), g.gather(T, j)]) @ parameter("W", 12, 5, seed=1))
    plan = g.compile(g.mse(h @ parameter("v", 5, 1, seed=2), y), dtype=dtype)
    data = {"i": integers(90, 11, seed=1), "j": integers(90, 11, seed=2), "y": uniform(90, 1, seed=8)}
    return fitted(plan, data, batch=32, optimizer=fb.Adagrad(lr=0.1))


@training
def labels_and_weights(dtype):
    x, label, w = g.input("x", 4), g.input("label", integer=True), g.input("w")
    logits = g.dense(x, parameter("W", 4, 3), parameter("b", 3, seed=1))
    plan = g.compile(g.cross_entropy(logits, label, w, label_smoothing=0.05), dtype=dtype)
    data = {"x": xy()["x"], "label": integers(60, 3, seed=3), "w": uniform(60, 1, seed=4, low=0.0)}
    return fitted(plan, data, optimizer=fb.RMSprop(lr=0.01))


@training
def gradients_of_gradients(dtype):
    """A network that is to have a given slope."""
    x, y = g.input("x", 4), g.input("y")
    W, V = parameter("W", 4, 8), parameter("V", 8, 1, seed=2)
    u = g.dense(x, W, parameter("b", 8, seed=1), "softplus") @ V
    slope = g.grad(g.sum(u), x)
    plan = g.compile(g.mean(g.square(u - y)) + 0.1 * g.mean(g.square(slope - 0.5)), {"slope": slope}, dtype=dtype)
    found = fitted(plan, xy(), epochs=3)
    return [*found, plan.forward(x=xy()["x"])["slope"], plan.hvp(uniform(plan.params.size, seed=9), **xy())]


@training
def products_of_parameters(dtype):
    x, y = g.input("x", 4), g.input("y")
    W, V = parameter("W", 4, 5), parameter("V", 5, 4, seed=1)
    out = x @ (W @ V) @ V[1] + g.sum(g.freeze(x @ W) * W[0], axis=-1) + x[:, 1:3] @ W[1:3, 2] + V[-1, 0]
    return fitted(g.compile(g.mae(g.reshape(out, (1,)), y), dtype=dtype), xy())


@training
def layers_and_dropout(dtype):
    x, y = g.input("x", 4), g.input("y")
    net = fb.mlp(4, 20, 20, 1, activation="relu", dropout=0.3, l1=0.001, l2=0.01, dtype=dtype, seed=5)
    net.params[:] = uniform(net.params.size, seed=6) / 2
    plan = g.compile(g.quantile(net(x), y, q=0.25), dtype=dtype, seed=2)
    found = fitted(plan, xy(), epochs=3)
    plan.write_to(net)
    return [*found, net.params, net.predict(xy()["x"])]


@training
def targets_that_are_missing(dtype):
    x, y = g.input("x", 4), g.input("y", 2)
    out = x @ parameter("W", 4, 2)
    Y = uniform(60, 2, seed=8)
    Y[uniform(60, 2, seed=9) > 0.5] = np.nan
    return fitted(g.compile(g.mse(out, y, missing="ignore"), dtype=dtype), {"x": xy()["x"], "y": Y})


@training
def data_of_other_dtypes(dtype):
    x, p, y = g.input("x", 4), g.input("p", 3), g.input("y")
    out = g.sum(g.tanh(x @ parameter("W", 4, 3)) * p / 64, axis=-1)
    data = {"x": xy()["x"].astype(np.float16), "p": (127 * uniform(60, 3, seed=5)).astype(np.int8), "y": xy()["y"]}
    return fitted(g.compile(g.half_squared_error(out, y), dtype=dtype), data)


@training
def a_large_one_in_tiles(dtype):
    x, y = g.input("x", 130), g.input("y")
    h = g.dense(x, parameter("W", 130, 600), parameter("b", 600, seed=1), "relu")
    out = (h * h) @ parameter("V", 600, 1, seed=2) / 600
    return fitted(g.compile(g.mse(out, y), dtype=dtype), xy(130, 130), epochs=1, batch=128)


@training
def a_loop_by_hand(dtype):
    x, y = g.input("x", 4), g.input("y")
    out = g.dense(x, parameter("W", 4, 7), parameter("b", 7, seed=1), "silu") @ parameter("V", 7, 1, seed=2)
    plan, optimizer = g.compile(g.binary_cross_entropy(out, y), dtype=dtype), fb.SGD(lr=0.25, momentum=0.9)
    for _ in range(6):
        plan.loss_and_grad(**xy())
        optimizer.step(plan)
    return [plan.params, plan.grads, optimizer.state]


@training
def gradients_of_samples(dtype):
    x, y = g.input("x", 4), g.input("y")
    layer = fb.Dense(4, 6, "tanh", l2=0.01, init=uniform(4, 6, seed=3), bias_init="zeros")
    plan = g.compile(g.mse(layer(x) @ parameter("V", 6, 1), y), dtype=dtype)
    return [plan.per_example_grads(**xy()), plan.per_example_grad_norms(**xy())]


@training
def parameters_that_plans_share(dtype):
    x, y = g.input("x", 4), g.input("y")
    W = parameter("W", 4, 3)
    h = g.tanh(x @ W)
    plan = g.compile(g.mse(h @ parameter("v", 3, 1, seed=1), y), dtype=dtype)
    other = g.compile(g.mean(g.square(h)), dtype=dtype, shared_with=plan)
    found = fitted(plan, xy())
    return [*found, *fitted(other, {"x": xy()["x"]}), plan.params]
