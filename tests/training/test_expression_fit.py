"""fastbp/_training/expression_fit.py: training an expression; and a network written as an expression is that network,
bit for bit."""

import numpy as np
import pytest
from oracle import compiled

import fastbp as fb
from fastbp import graph as g

QUIET = {"progress": False}


def samples(n=100, inputs=6, units=3, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, inputs)).astype(dtype)
    return X, np.tanh(X[:, :units] - X[:, 1 : units + 1]).astype(dtype)


def model(layers=None, **options):
    layers = layers or (fb.Dense(6, 8, "tanh"), fb.Dense(8, 3))
    return fb.Sequential(*layers, loss="squared_error", seed=4, **options)


def expression(make=model, dtype="float32"):
    """(the network, a plan of the same network written as an expression), made alike."""
    net = make(dtype=dtype)
    x, y = g.input("x", 6), g.input("y", 3)
    return net, g.compile(g.squared_error(net(x), y), dtype=dtype, seed=net.seed)


LAYERS = {
    "dense": lambda **options: model(**options),
    "dropout": lambda **options: model(
        (fb.Dense(6, 8, "relu"), fb.Dropout(0.3), fb.Dense(8, 8, "gelu"), fb.Dropout(0.1), fb.Dense(8, 3)), **options
    ),
    "penalties": lambda **options: model(
        (fb.Dense(6, 8, "tanh", l2=0.01), fb.Dense(8, 3, l1=0.001, l2=0.1)), **options
    ),
    "softmax inside": lambda **options: model((fb.Dense(6, 8, "softsign"), fb.Dense(8, 3, "softmax")), **options),
    "large": lambda **options: model(
        (fb.Dense(6, 300, "relu"), fb.Dense(300, 310, "relu"), fb.Dense(310, 3)), **options
    ),
}
OPTIMIZERS = {
    "SGD": lambda: fb.SGD(lr=0.05),
    "momentum": lambda: fb.SGD(lr=0.05, momentum=0.9, clip_norm=0.5),
    "Adam": lambda: fb.Adam(lr=0.01),
    "decay": lambda: fb.SGD(lr=fb.schedules.Exponential(0.02, 0.9), weight_decay=0.01),
}


# ---- a network as an expression ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_loss_and_gradient_are_the_networks_bits(name, dtype):
    net, plan = expression(LAYERS[name], dtype)
    X, Y = samples(dtype=dtype)
    for _ in range(3):  # the masks go on alike
        assert plan.loss_and_grad(x=X, y=Y)[0] == net.loss_and_grad(X, Y)
        assert plan.grads.tobytes() == net.grads.tobytes()


@pytest.mark.smoke
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", LAYERS)
def test_fit_gives_the_networks_bits(name, optimizer):
    """100 rows in batches of 32: the last one has 4."""
    net, plan = expression(LAYERS[name])
    X, Y = samples()
    a = net.fit(X, Y, epochs=3, batch_size=32, optimizer=OPTIMIZERS[optimizer](), **QUIET)
    b = plan.fit({"x": X, "y": Y}, epochs=3, batch_size=32, optimizer=OPTIMIZERS[optimizer](), **QUIET)
    assert plan.params.tobytes() == net.params.tobytes()
    assert a.history["loss"] == b.history["loss"]


def test_layers_called_one_by_one_are_the_network_too():
    layers = fb.Dense(6, 8, "tanh"), fb.Dropout(0.3), fb.Dense(8, 3)
    net, x, y = model(layers), g.input("x", 6), g.input("y", 3)
    plan = g.compile(g.squared_error(layers[2](layers[1](layers[0](x), number=1)), y), seed=net.seed)
    X, Y = samples()
    assert plan.loss_and_grad(x=X, y=Y)[0] == net.loss_and_grad(X, Y)
    assert plan.grads.tobytes() == net.grads.tobytes()


def test_labels_and_weights_are_the_networks():
    net = fb.mlp(6, 8, 3, loss="cross_entropy", seed=2)
    x, y, w = g.input("x", 6), g.input("y", integer=True), g.input("w")
    X, Y = samples()
    labels, weights = Y.argmax(1), np.linspace(0, 2, len(X)).astype("float32")
    plan = g.compile(g.cross_entropy(net(x), y, weights=w), seed=2)
    assert plan.loss_and_grad(x=X, y=labels, w=weights)[0] == net.loss_and_grad(X, labels, sample_weight=weights)
    assert plan.grads.tobytes() == net.grads.tobytes()


# ---- more than a network can -----------------------------------------------------------------------------------------


def test_shared_weights_residuals_several_inputs_and_heads_learn():
    a, b, labels, target = g.input("a", 6), g.input("b", 6), g.input("labels", integer=True), g.input("target")
    tower, block = fb.Dense(6, 16, "tanh"), fb.Dense(16, 16, "tanh")
    joined = tower(a) * tower(b)  # one set of weights for both
    hidden = joined + block(joined)  # residual
    classes, number = fb.Dense(16, 3)(hidden), fb.Dense(16, 1)(g.concat([hidden, a])[:, 0:16])
    loss = g.cross_entropy(classes, labels) + 0.5 * g.mse(number, target)
    plan = g.compile(loss, {"classes": g.softmax(classes), "number": number}, seed=1)
    X, Y = samples(300)
    data = {"a": X, "b": X[:, ::-1], "labels": Y.argmax(1), "target": Y[:, 0]}
    assert sorted(plan.parameters) == [f"layer{i}.{part}" for i in range(4) for part in "Wb"]
    history = plan.fit(data, epochs=150, optimizer=fb.Adam(lr=0.01), **QUIET)
    assert history.history["loss"][-1] < 0.3 * history.history["loss"][0]
    found = plan.forward(a=X, b=X[:, ::-1])
    assert (found["classes"].argmax(1) == data["labels"]).mean() > 0.9
    assert np.allclose(found["classes"].sum(1), 1, atol=1e-6)


@pytest.mark.smoke
def test_a_curve_is_found():
    x, y = g.inputs("x", "y")
    k = g.parameter("k", 3)
    plan = g.compile(g.mean((g.sum(k[i] * x**i for i in range(3)) - y) ** 2), dtype="float64")
    X = np.linspace(-1, 1, 64)
    plan.fit({"x": X, "y": 1 - 2 * X + 3 * X**2}, epochs=500, batch_size=16, optimizer=fb.SGD(lr=0.2), **QUIET)
    assert np.allclose(plan.parameters["k"], [1, -2, 3], atol=1e-8)


# ---- the loop --------------------------------------------------------------------------------------------------------


def square_fit(dtype="float64"):
    """A fit with a sum over the batch that is used again, and a loss of two terms."""
    x, y, a, b = *g.inputs("x", "y"), g.parameter("a", init=0.2), g.parameter("b", init=0.1)
    z = a * x + b
    return g.compile(g.mean((z - y) ** 2) + 0.1 * g.mean((z - g.mean(z, axis=0)) ** 2) ** 2, dtype=dtype, seed=5)


def line(n=100):
    x = np.random.default_rng(3).standard_normal(n)
    return {"x": x, "y": 2 * x + 1}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_is_the_loop_written_by_hand(optimizer, dtype, threads):
    data, fitted, looped = line(), square_fit(dtype), square_fit(dtype)
    history = fitted.fit(data, epochs=2, batch_size=16, optimizer=OPTIMIZERS[optimizer](), seed=7, **QUIET)
    step = OPTIMIZERS[optimizer]()
    for epoch in range(2):
        losses = []
        for xb, yb in fb.batches(data["x"], data["y"], 16, seed=7 + epoch):
            losses.append(looped.loss_and_grad(x=xb, y=yb)[0] * len(xb) / 100)
            step.step(looped)
        assert history.history["loss"][epoch] == pytest.approx(sum(losses), rel=1e-12)
    assert fitted.params.tobytes() == looped.params.tobytes()


def test_fit_without_shuffling_and_with_more_rows_than_there_are():
    data, fitted, looped = line(10), square_fit(), square_fit()
    fitted.fit(data, epochs=2, batch_size=64, shuffle=False, optimizer=fb.SGD(lr=0.1), **QUIET)
    step = fb.SGD(lr=0.1)
    for _ in range(2):
        looped.loss_and_grad(**data)
        step.step(looped)
    assert fitted.params.tobytes() == looped.params.tobytes()


def test_validation_data_and_validation_split_are_the_loss_of_those_rows():
    data = line()
    plan = square_fit()
    held = {name: array[80:] for name, array in data.items()}
    history = plan.fit(data, epochs=2, validation_split=0.2, **QUIET)
    assert history.history["val_loss"][-1] == plan.loss(**held)
    again = square_fit()
    given = again.fit({name: array[:80] for name, array in data.items()}, epochs=2, validation_data=held, **QUIET)
    assert given.history["val_loss"] == history.history["val_loss"]
    assert plan.params.tobytes() == again.params.tobytes()


def test_early_stopping_and_callbacks():
    seen = []
    plan = square_fit()
    history = plan.fit(
        line(),
        epochs=500,
        optimizer=fb.SGD(lr=0.3),
        early_stopping=fb.EarlyStopping(monitor="loss", patience=3),
        callbacks=[lambda model, epoch, logs: seen.append((model, epoch, logs["loss"]))],
        **QUIET,
    )
    assert 3 < len(history.history["loss"]) < 500
    assert [loss for _, _, loss in seen] == history.history["loss"]
    assert all(model is plan for model, _, _ in seen)


def test_a_callback_may_use_the_plan():
    plan, data, seen = square_fit(), line(), []
    plan.fit(data, epochs=2, callbacks=[lambda model, epoch, logs: seen.append(model.loss(**data))], **QUIET)
    assert seen[-1] == plan.loss(**data)


# ---- numbers that stop being finite ----------------------------------------------------------------------------------


def exploding():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    return g.compile(g.mean(g.log(a * x)), dtype="float64")


def test_the_last_finite_parameters_stay_and_the_node_is_named():
    """log(a x), pushed down by 30 a step, is of a negative number at step 2."""
    plan, once = exploding(), exploding()
    with pytest.raises(
        FloatingPointError,
        match=r"epoch 1, step 2: the loss became nan at <log \(batch, 1\)>, made from <multiply \(batch, 1\)>; the "
        r"parameters are those before this step. Keep what it is made from where its value is finite, .* smaller lr",
    ):
        plan.fit({"x": np.ones(4)}, epochs=1, batch_size=1, shuffle=False, optimizer=fb.SGD(lr=30), **QUIET)
    once.fit({"x": np.ones(1)}, epochs=1, batch_size=1, optimizer=fb.SGD(lr=30), **QUIET)
    assert plan.params.tobytes() == once.params.tobytes()
    assert plan.params[0] == 1 - 30


def test_a_parameter_that_stops_being_finite_is_named():
    x, big = g.input("x"), g.parameter("big", init=1.0)
    plan = g.compile(g.mean(x * big), dtype="float32")
    with pytest.raises(
        FloatingPointError, match=r"epoch 1, step 1: a parameter of big stopped being finite; the param"
    ):
        plan.fit({"x": np.full(4, 1e30)}, optimizer=fb.SGD(lr=1e30), **QUIET)
    assert plan.params.tolist() == [1.0]


def test_a_loss_that_is_not_finite_in_a_call():
    plan = exploding()
    with pytest.raises(FloatingPointError, match=r"the loss is nan at <log \(batch, 1\)>, made from <multiply"):
        plan.loss_and_grad(x=[1.0, -1.0])


def test_debug_names_a_node_though_the_loss_stays_finite():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    loss = g.mean(g.where(x > 0, g.log(a * x), 0.0))
    assert np.isfinite(g.compile(loss).loss(x=[1.0, -1.0]))
    with pytest.raises(FloatingPointError, match=r"the loss is 0.0 at <log \(batch, 1\)>, made from <multiply"):
        g.compile(loss, debug=True).loss_and_grad(x=[1.0, -1.0])


def test_debug_holds_in_fit_too():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    loss = g.mean(g.where(x > 0, g.log(a * x), 0.0))
    plan = g.compile(loss, debug=True)
    with pytest.raises(FloatingPointError, match=r"at <log \(batch, 1\)>"):
        plan.fit({"x": [1.0, 2.0, -1.0]}, batch_size=1, shuffle=False, **QUIET)


# ---- refused ---------------------------------------------------------------------------------------------------------

REFUSED = {
    "no dict": (lambda plan: plan.fit([1.0]), TypeError, r"data is list, expected a dict .*; pass \{'x': \.\.\.\}"),
    "missing": (lambda plan: plan.fit({"x": [1.0]}), ValueError, r"input 'y' is missing, expected x, y; pass y="),
    "unknown": (
        lambda plan: plan.fit(line() | {"z": [1.0]}),
        ValueError,
        r"input 'z' is unknown, expected x, y; check",
    ),
    "rows": (
        lambda plan: plan.fit({"x": [1.0, 2.0], "y": [1.0]}),
        ValueError,
        r"input 'y' has 1 rows, expected 2, as 'x' has; pass",
    ),
    "nan": (
        lambda plan: plan.fit({"x": [1.0, np.nan], "y": [1.0, 2.0]}),
        ValueError,
        r"input 'x' has NaN or infinity in it, expected finite numbers; clean it",
    ),
    "validation": (
        lambda plan: plan.fit(line(), validation_data=[1]),
        TypeError,
        r"validation_data is list, expected a dict",
    ),
    "both": (
        lambda plan: plan.fit(line(), validation_data=line(), validation_split=0.1),
        ValueError,
        r"validation_split is 0.1 and validation_data is given, expected one of them; leave one out",
    ),
    "epochs": (lambda plan: plan.fit(line(), epochs=0), ValueError, r"epochs is 0, expected an integer >= 1"),
    "batch_size": (lambda plan: plan.fit(line(), batch_size="a"), TypeError, r"batch_size is 'a', expected an integer"),
    "optimizer": (
        lambda plan: plan.fit(line(), optimizer="adam"),
        TypeError,
        r"optimizer is 'adam', expected an optimizer",
    ),
    "empty": (
        lambda plan: plan.fit({"x": [], "y": []}),
        ValueError,
        r"x is empty \(shape \(0, 1\)\), expected at least",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_fits_that_are_refused_change_nothing(what):
    call, error, message = REFUSED[what]
    plan = square_fit()
    before = plan.params.copy()
    with pytest.raises(error, match=message):
        call(plan)
    assert (plan.params == before).all()


def test_a_loss_without_inputs_has_nothing_to_fit():
    with pytest.raises(ValueError, match=r"the loss has no inputs, expected data to train on; use loss_and_grad and"):
        compiled(g.parameter("a") ** 2).fit({})
