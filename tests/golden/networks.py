"""Networks trained by `fit` and by hand. Each training takes a dtype and returns the arrays that are hashed."""

import dataclasses

import numpy as np

import fastbp as fb

from .numbers import integers, uniform

TRAININGS = {}


def training(name, **settings):
    """Lists a function (dtype, **settings) under `name`."""

    def listed(function):
        assert name not in TRAININGS, name
        TRAININGS[name] = lambda dtype: function(dtype, **settings)
        return function

    return listed


def network(widths, dtype, **options):
    """A network of these widths whose parameters are given: smaller where more of them are added up."""
    net = fb.mlp(*widths, dtype=dtype, **{"activation": "tanh", "seed": 3, **options})
    for i, layer in enumerate(layer for layer in net.layers if layer.size):
        layer.W[:] = uniform(*layer.W.shape, seed=i) * 2.0 ** -(layer.inputs.bit_length() // 2)
        layer.b[:] = uniform(layer.units, seed=100 + i) / 4
    return net


def data(n, inputs, units, dtype="float64"):
    """X (n, inputs) in [-1, 1), Y (n, units) in [0, 1)."""
    return uniform(n, inputs, seed=7).astype(dtype), uniform(n, units, seed=8, low=0.0).astype(dtype)


def trained(dtype, widths=(5, 7, 3), n=48, batch=16, epochs=2, optimizer=None, fit=None, **options):
    net = network(widths, dtype, **options)
    X, Y = data(n, widths[0], widths[-1], dtype)
    optimizer = fb.SGD(lr=0.125) if optimizer is None else optimizer()
    net.fit(X, Y, epochs=epochs, batch_size=batch, optimizer=optimizer, progress=False, **(fit or {}))
    return [net.params] if optimizer.state is None else [net.params, optimizer.state]


# ---- how the work is cut up ----------------------------------------------------------------------------------------

REGIMES = {  # widths, samples, batch
    "tiny": ((5, 7, 3), 24, 8),
    "tiny, a sample a step": ((6, 8, 2), 12, 1),
    "tiny, long rows": ((60, 5, 3), 40, 8),
    "slices": ((60, 48, 10), 600, 256),
    "slices, many rows": ((8, 16, 4), 4100, 2048),
    "slices, deep": ((12, 32, 32, 32, 32, 32, 6), 300, 128),
    "slices, rows of a cache line": ((16, 64, 8), 700, 256),
    "slices, packed left operand": ((20, 1030, 2), 70, 64),
    "shares, two": ((300, 20, 10), 130, 64),
    "shares, four": ((520, 24, 10), 220, 100),
    "tiles": ((90, 300, 310, 10), 150, 128),
    "tiles, wide": ((40, 1100, 70), 100, 96),
    "tiles, a sample a step": ((200, 400, 3), 5, 1),
    "tiles, blocks of a slice": ((260, 260, 12), 1100, 1100),
}
for _name, (_widths, _n, _batch) in REGIMES.items():
    for _shuffle in (True, False):
        training(f"regime: {_name}{'' if _shuffle else ', in order'}", widths=_widths, n=_n, batch=_batch, epochs=1,
                 fit={"shuffle": _shuffle})(trained)
training("regime: tiles, Adam and penalties", widths=(90, 300, 310, 10), n=130, batch=128, epochs=1,
         optimizer=lambda: fb.Adam(lr=0.01, clip_norm=0.5), l1=0.001, l2=0.01)(trained)
training("regime: shares, Adam and penalties", widths=(520, 24, 10), n=130, batch=100, epochs=1,
         optimizer=lambda: fb.Adam(lr=0.01, clip_norm=0.5), l1=0.001, l2=0.01)(trained)

# ---- optimizers and schedules --------------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": lambda: fb.SGD(lr=0.25),
    "SGD, decay": lambda: fb.SGD(lr=0.25, weight_decay=0.01),
    "momentum": lambda: fb.SGD(lr=0.125, momentum=0.9, weight_decay=0.01),
    "Nesterov": lambda: fb.SGD(lr=0.125, momentum=0.9, nesterov=True),
    "Adam": lambda: fb.Adam(lr=0.01),
    "Adam, other betas": lambda: fb.Adam(lr=0.01, beta1=0.8, beta2=0.99, eps=1e-6, weight_decay=0.01),
    "AdamW": lambda: fb.AdamW(lr=0.01),
    "RMSprop": lambda: fb.RMSprop(lr=0.01, weight_decay=0.01),
    "Adagrad": lambda: fb.Adagrad(lr=0.1, weight_decay=0.01),
    "clip_norm": lambda: fb.SGD(lr=0.5, clip_norm=0.05),
    "clip_value": lambda: fb.Adam(lr=0.01, clip_norm=0.5, clip_value=0.01),
}
for _name, _optimizer in OPTIMIZERS.items():
    training(f"optimizer: {_name}", epochs=4, optimizer=_optimizer)(trained)
    if "clip" in _name or _name in ("Nesterov", "AdamW"):
        training(f"optimizer: {_name}, in slices", widths=(60, 48, 10), n=300, batch=256,
                 optimizer=_optimizer)(trained)

_s = fb.schedules
SCHEDULES = {
    "constant": lambda: _s.Constant(0.125),
    "step": lambda: _s.Step(0.25, every=4, factor=0.5),
    "exponential": lambda: _s.Exponential(0.25, decay=0.7, every=3),
    "cosine": lambda: _s.Cosine(0.25, steps=9, final=0.01),
    "linear": lambda: _s.Linear(0.25, steps=9),
    "one cycle": lambda: _s.OneCycle(0.5, steps=12),
    "warm-up": lambda: _s.WarmUp(_s.Cosine(0.25, steps=8), steps=4),
    "plateau": lambda: _s.ReduceOnPlateau(0.25, patience=0, min_delta=1.0, mode="min"),
}
for _name, _schedule in SCHEDULES.items():
    training(f"schedule: {_name}", epochs=4,
             optimizer=lambda schedule=_schedule: fb.SGD(lr=schedule(), momentum=0.5))(trained)

# ---- activations, losses, layers -----------------------------------------------------------------------------------

ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish", "softplus",
               "sigmoid", "hard_sigmoid", "tanh", "softsign", "exponential")
for _name in ACTIVATIONS:
    training(f"activation: {_name}", widths=(5, 19, 3), activation=_name)(trained)
training("activation: softmax", output="softmax", loss="mse")(trained)

LOSSES = {
    "squared_error": fb.losses.SquaredError(),
    "half_squared_error": fb.losses.HalfSquaredError(),
    "mse": fb.losses.MSE(),
    "mae": fb.losses.MAE(),
    "huber": fb.losses.Huber(delta=0.3),
    "quantile": fb.losses.Quantile(q=0.3),
    "poisson": fb.losses.Poisson(),
    "binary_cross_entropy": fb.losses.BinaryCrossEntropy(),
}
for _name, _loss in LOSSES.items():
    training(f"loss: {_name}", loss=_loss)(trained)


@training("loss: cross_entropy, rows", loss="cross_entropy", kind="rows")
@training("loss: cross_entropy, labels", loss="cross_entropy", kind="labels")
@training("loss: cross_entropy, smoothed", loss=fb.losses.CrossEntropy(label_smoothing=0.1), kind="labels")
@training("loss: cross_entropy, weights of samples", loss="cross_entropy", kind="labels", weights=True)
@training("loss: cross_entropy, weights of classes", loss="cross_entropy", kind="labels",
          class_weight={0: 0.5, 1: 2.0, 4: 1.5})
@training("loss: mse, labels and weights", loss="mse", kind="labels", weights=True, class_weight={2: 3.0})
def of_classes(dtype, loss, kind, weights=False, class_weight=None):
    net = network((6, 9, 5), dtype, loss=loss)
    X, _ = data(70, 6, 1)
    labels = integers(70, 5, seed=4)
    y = labels if kind == "labels" else np.eye(5)[labels] * 0.75 + 0.05
    net.fit(X, y, epochs=2, batch_size=16, optimizer=fb.Adam(lr=0.02), progress=False, class_weight=class_weight,
            sample_weight=uniform(70, seed=5, low=0.0, high=2.0) if weights else None)
    return [net.params, net.predict(X[:9])]


for _name, _loss in LOSSES.items():
    if "squared" not in _name:
        @training(f"targets that are missing: {_name}", loss=_loss)
        def with_missing(dtype, loss):
            net = network((5, 7, 3), dtype, loss=dataclasses.replace(loss, missing="ignore"))
            X, Y = data(48, 5, 3)
            Y[uniform(48, 3, seed=9) > 0.4] = np.nan
            net.fit(X, Y, epochs=2, batch_size=16, progress=False)
            return [net.params]


training("penalties", widths=(5, 9, 9, 3), l1=0.002, l2=0.01, epochs=3)(trained)
training("dropout", widths=(5, 20, 20, 3), dropout=0.3, epochs=3)(trained)
training("dropout, in slices", widths=(60, 48, 10), n=600, batch=256, dropout=0.5)(trained)
training("dropout, in tiles", widths=(90, 300, 310, 10), n=128, batch=128, epochs=1, dropout=0.25)(trained)


@training("initial values that are drawn")
def drawn(dtype):
    kinds = ("glorot_uniform", "he_uniform", "lecun_uniform", "fan_in_uniform")
    layers = [fb.Dense(i, u, "relu", init=kind, bias_init="fan_in_uniform")
              for (i, u), kind in zip(((6, 11), (11, 12), (12, 13), (13, 2)), kinds, strict=True)]
    net = fb.Sequential(*layers, dtype=dtype, seed=12)
    first = net.params.copy()
    net.fit(*data(40, 6, 2), epochs=2, batch_size=8, optimizer=fb.Adam(lr=0.01), progress=False)
    return [first, net.params]


# ---- data as it is -------------------------------------------------------------------------------------------------


def rows_of(kind, n, width):
    """X (n, width) of a dtype or a layout."""
    X = uniform(n, width, seed=7) / 3  # float64 that float32 has to round
    if kind == "uint8":
        return (128 + 380 * X).astype(np.uint8)
    if kind == "int8":
        return (380 * X).astype(np.int8)
    if kind == "backwards":
        return X.astype(np.float32)[::-1]
    if kind == "windows":
        return np.lib.stride_tricks.sliding_window_view(uniform(n + width - 1, seed=7) / 3, width)
    if kind == "columns":
        return np.asfortranarray(X)
    return X.astype(kind)


for _kind in ("uint8", "int8", "float16", "float32", "float64", "backwards", "windows", "columns"):
    for _name, _widths, _n, _batch in (("tiny", (6, 8, 3), 40, 8), ("shares", (520, 24, 10), 120, 100)):
        @training(f"X: {_kind}, {_name}", kind=_kind, widths=_widths, n=_n, batch=_batch)
        def of_kind(dtype, kind, widths, n, batch):
            net = network(widths, dtype, input_scale=1 / 255 if kind == "uint8" else 1 / 64 if kind == "int8" else 1.0)
            X, Y = rows_of(kind, n, widths[0]), data(n, 1, widths[-1])[1]
            net.fit(X, Y, epochs=1, batch_size=batch, progress=False)
            return [net.params, net.predict(X[:5])]


# ---- by hand, in parts, stopped ------------------------------------------------------------------------------------


@training("a loop by hand")
def by_hand(dtype):
    net, optimizer = network((5, 12, 3), dtype, dropout=0.2), fb.Adam(lr=0.02, clip_norm=0.3)
    X, Y = data(50, 5, 3, dtype)
    for epoch in range(2):
        for xb, yb in fb.batches(X, Y, 16, seed=epoch):
            net.loss_and_grad(xb, yb)
            optimizer.step(net)
    return [net.params, net.grads, optimizer.state]


@training("forward and backward", widths=(5, 12, 3), n=30)
@training("forward and backward, in shares", widths=(520, 24, 10), n=100)
@training("forward and backward, in tiles", widths=(90, 300, 310, 10), n=64)
def forward_and_backward(dtype, widths, n):
    net, optimizer = network(widths, dtype, l2=0.01), fb.SGD(lr=0.125, momentum=0.5)
    X, Y = data(n, widths[0], widths[-1], dtype)
    for _ in range(2):
        outputs = net.forward(X)
        slopes = net.backward(outputs - Y)
        optimizer.step(net)
    return [outputs, slopes, net.grads, net.params]


@training("in parts")
def in_parts(dtype):
    net, optimizer = network((5, 12, 3), dtype, dropout=0.2), fb.AdamW(lr=0.02)
    X, Y = data(50, 5, 3)
    for epochs in (1, 2):
        net.fit(X, Y, epochs=epochs, batch_size=16, optimizer=optimizer, progress=False)
    net.fit(X, Y, batch_size=16, seed=40, optimizer=optimizer, progress=False)
    return [net.params, optimizer.state]


@training("stopped early, and put back")
def stopped(dtype):
    net = network((5, 12, 3), dtype)
    X, Y = data(60, 5, 3)
    stop = fb.EarlyStopping(monitor="val_loss", patience=1, min_delta=1.0)
    net.fit(X, Y, epochs=9, batch_size=16, validation_split=0.25, early_stopping=stop, progress=False)
    return [net.params]


@training("gradients of samples", widths=(5, 12, 3), n=20)
@training("gradients of samples, wide", widths=(130, 70, 4), n=40)
def of_samples(dtype, widths, n):
    net = network(widths, dtype, l2=0.01)
    X, Y = data(n, widths[0], widths[-1])
    weights = uniform(n, seed=5, low=0.0, high=2.0)
    return [net.per_example_grads(X, Y, weights), net.per_example_grad_norms(X, Y, weights)]


@training("predictions", widths=(5, 12, 3), n=1500)
@training("predictions, many columns", widths=(520, 24, 10), n=70)
@training("predictions, large", widths=(90, 300, 310, 10), n=40)
def predictions(dtype, widths, n):
    net = network(widths, dtype, loss="cross_entropy")
    X, _ = data(n, widths[0], 1)
    return [net.predict(X), net.predict(X[:1]), net.head(0).predict(X[:7])]
