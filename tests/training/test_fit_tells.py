"""What fit tells - rates, validation, accuracies, causes of what is not finite - and which seeds it takes. The training
itself is in test_network_fit.py."""

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, bits, made

import fastbp as fb
from fastbp import graph as g

# ---- what is said of an epoch ----------------------------------------------------------------------------------------


SCHEDULES = {
    "constant": lambda: 0.05,
    "linear": lambda: fb.schedules.Linear(0.1, 30),
    "warm-up": lambda: fb.schedules.WarmUp(fb.schedules.Exponential(0.1, 0.9), 4),
    "one cycle": lambda: fb.schedules.OneCycle(0.1, 15),
    "plateau": lambda: fb.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=0, min_delta=1e9),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_of_an_epoch_is_that_of_its_first_step(data, name):
    X, Y, _ = data
    rates, optimizer = [], fb.SGD(lr=SCHEDULES[name]())

    class First(fb.Callback):
        def on_epoch_begin(self, net, epoch):
            rates.append(optimizer.rate())

    history = made().fit(X, Y, epochs=3, batch_size=10, optimizer=optimizer, callbacks=[First()])
    assert history.history["lr"] == rates
    if name != "constant":
        assert len(set(rates)) > 1
    many = fb.fit_many([made()], X, Y, epochs=3, batch_size=10, optimizers=[fb.SGD(lr=SCHEDULES[name]())])
    assert many[0].history["lr"] == rates


def test_a_schedule_is_not_asked_for_steps_that_are_never_taken(data):
    class Table(fb.schedules.Schedule):
        def rates(self, t):
            return np.linspace(0.1, 0.01, 10)[t.astype(int)]

    history = made().fit(*data[:2], epochs=2, batch_size=10, optimizer=fb.SGD(lr=Table()))
    assert history.history["lr"] == [pytest.approx(0.1), pytest.approx(0.05)]


# ---- weights and validation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sample_weight", [None, np.linspace(0.5, 2, N)])
def test_the_same_rows_have_the_same_val_loss_in_both_ways(data, sample_weight):
    """A sample has its own weight wherever it is; its class's weight is of training alone, as in Keras."""
    X, _, labels = data
    ways, class_weight = [], {0: 5.0, 1: 0.5}
    parts = (None, None) if sample_weight is None else (sample_weight[:40], sample_weight[40:])
    for options in (
        {"X": X, "y": labels, "validation_split": 0.2, "sample_weight": sample_weight},
        {"X": X[:40], "y": labels[:40], "validation_data": (X[40:], labels[40:], parts[1]), "sample_weight": parts[0]},
    ):
        net = made(loss="cross_entropy")
        history = net.fit(**options, epochs=2, batch_size=8, class_weight=class_weight)
        assert history.history["val_loss"][-1] == net.evaluate(X[40:], labels[40:], parts[1])["loss"]
        ways.append((bits(net), tuple(history.history["val_loss"])))
    assert ways[0] == ways[1]
    plain = made(loss="cross_entropy")
    plain.fit(X[:40], labels[:40], epochs=2, batch_size=8, sample_weight=parts[0])
    assert bits(plain) != ways[0][0]  # which class_weight did train


# ---- one-hot rows are classes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["squared_error", "half_squared_error", "mse", "mae", "huber", "binary_cross_entropy"])
def test_one_hot_rows_have_the_history_of_their_labels(data, loss):
    X, _, labels = data
    hot, histories = np.eye(UNITS)[labels], []
    for y in (labels, hot, hot.astype("float32"), hot.astype(int), hot.astype(bool)):
        net = made(loss=loss)
        history = net.fit(X, y, epochs=2, validation_data=(X[:20], y[:20]))
        split = made(loss=loss).fit(X, y, validation_split=0.3)
        assert {"accuracy", "val_accuracy"} <= set(history.history) & set(split.history)
        histories.append((history.history["accuracy"], history.history["val_accuracy"], split.history["val_accuracy"]))
    assert all(each == histories[0] for each in histories)
    for y in (hot, labels):
        assert histories[0][1][-1] == net.evaluate(X[:20], y[:20])["accuracy"]
    many = fb.fit_many([made(loss=loss), made(loss=loss)], X, hot, epochs=2, validation_data=(X[:20], hot[:20]))
    assert all(each.history["accuracy"] == histories[0][0] for each in many)
    assert all(each.history["val_accuracy"] == histories[0][1] for each in many)


SPOILT = {"a soft row": (3, [0.5, 0.5, 0]), "two ones": (49, [1, 1, 0]), "none": (0, [0, 0, 0]),
          "a two and a minus one": (7, [2, -1, 0]), "a half": (7, [0.5, 0.5, 0.0])}


@pytest.mark.parametrize("what", SPOILT)
def test_rows_that_are_not_all_one_hot_are_numbers(data, what):
    X, _, labels = data
    row, values = SPOILT[what]
    y = np.eye(UNITS)[labels]
    y[row] = values
    assert "accuracy" not in made(loss="mse").fit(X, y).history
    assert "accuracy" not in made(loss="mse").evaluate(X, y)
    # those of the validation data are asked by themselves
    history = made(loss="mse").fit(X, y, validation_data=(X, np.eye(UNITS)[labels])).history
    assert "accuracy" not in history and "val_accuracy" in history
    assert "val_accuracy" not in made(loss="mse").fit(X, np.eye(UNITS)[labels], validation_data=(X, y)).history


def test_questions_are_the_same_of_training_and_validation(data):
    """Of yes-or-no answers some rows may be one-hot by chance: then all rows are answers."""
    X, _, labels = data
    hot, answers = np.eye(UNITS)[labels], (np.arange(N * UNITS) % 2).reshape(N, UNITS)
    net = made(loss="binary_cross_entropy")
    history = net.fit(X, answers, validation_data=(X, hot)).history
    assert history["val_accuracy"][-1] == float(((net.predict(X) > 0.5) == (hot > 0.5)).mean())
    history = net.fit(X, hot, validation_data=(X, answers), optimizer=fb.SGD(lr=0.0)).history
    assert history["accuracy"][-1] == float(((net.predict(X) > 0.5) == (hot > 0.5)).mean())


def test_one_column_is_no_class(data):
    net = fb.mlp(INPUTS, 1)
    assert list(net.evaluate(data[0], np.ones((N, 1)))) == ["loss"]


# ---- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("take", [
    lambda seed: made(seed=seed),
    lambda seed: fb.Sequential(fb.Dense(2, 1), seed=seed),
    lambda seed: fb.batches(np.ones((3, 1)), np.ones(3), 2, seed=seed),
    lambda seed: made().fit(np.ones((4, INPUTS)), np.ones((4, UNITS)), seed=seed),
    lambda seed: fb.gradcheck(made(), np.ones((4, INPUTS)), np.ones((4, UNITS)), most=3, seed=seed),
    lambda seed: g.compile(g.square(g.parameter("a")), seed=seed),
], ids=["mlp", "Sequential", "batches", "fit", "gradcheck", "compile"])
def test_seeds_end_where_they_would_begin_again(take):
    take(2**64 - 1)
    for seed in (2**64, 2**64 + 1, 2**70, 10**30):
        with pytest.raises(ValueError, match=f"seed is {seed}, expected an integer >= 0 and <= 18446744073709551615"):
            take(seed)


def test_the_seed_of_every_epoch_is_one(data):
    """Epoch e is shuffled by seed + e, as fb.batches would: it takes no seed beyond the last one."""
    X, Y, _ = data
    net, optimizer = made(seed=2**64 - 2), fb.SGD(lr=0.1)
    net.fit(X, Y, epochs=2, batch_size=10)
    before, net.epochs = net.params.copy(), 0
    for call in (lambda: net.fit(X, Y, epochs=3, batch_size=10, optimizer=optimizer),
                 lambda: fb.fit_many([net], X, Y, epochs=3, batch_size=10, optimizers=[optimizer])):
        with pytest.raises(ValueError, match=r"is 18446744073709551614 and epochs 3, expected their sum .* choose"):
            call()
    assert (net.params == before).all() and optimizer.steps == 0
    net.epochs = 1
    with pytest.raises(ValueError, match=r"epochs 2, expected their sum with the 1 epochs before to be at most"):
        net.fit(X, Y, epochs=2, batch_size=10)
    net.fit(X, Y, epochs=3, batch_size=10, shuffle=False)
    with pytest.raises(ValueError, match=r"seeds\[0\] is 18446744073709551616, expected an integer"):
        fb.fit_many([net], X, Y, seeds=[2**64])


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_a_failing_callback_leaves_the_last_step_and_the_others_hear_of_the_end(data):
    X, Y, _ = data
    ended = []

    class Ends(fb.Callback):
        def on_train_end(self, net, history):
            ended.append(len(history.epoch))

    net, other, optimizer = made(), made(), fb.Adam()
    with pytest.raises(TypeError, match=r"callbacks\[0\] .*lambda.* returned 1 \(int\) from on_epoch_end"):
        net.fit(X, Y, epochs=5, callbacks=[lambda net, epoch, logs: epoch or None, Ends()], optimizer=optimizer)
    other.fit(X, Y, epochs=2, optimizer=fb.Adam())
    assert bits(net) == bits(other) and optimizer.steps == 4 and ended == [2]
    with net._exclusive:
        pass


def test_early_stopping_puts_back_the_best_also_where_a_training_fails(data):
    X, Y, _ = data
    net, early, kept = made(), fb.EarlyStopping("loss", patience=9), []

    class Spoil(fb.Callback):
        def on_epoch_begin(self, net, epoch):
            kept.append(net.params.copy())
            if epoch == 3:
                net.layers[0].W[:] = net.layers[-1].W[:] = 3e38

    message = r"epoch 4, step 1: .*\. Early stopping has put back the parameters of epoch 3, the best$"
    with pytest.raises(FloatingPointError, match=message):
        net.fit(X, Y, epochs=9, early_stopping=early, callbacks=Spoil())
    assert early.best_epoch == 2 and (net.params == kept[3]).all()


CAUSES = {
    "inputs": ("mse", 3e38, 1.0, r"at the output of layer 0 \(Dense.*, of inputs up to 3e\+38 and weights up to 1"),
    "targets": ("mse", 1.0, 3e38, r"in mse, although every layer's output is finite, of .*, targets up to 3e\+38"),
    "a pole": ("poisson", 500.0, 1.0, r"in poisson, although every layer's output is finite, of outputs up to 2e\+03"),
}


@pytest.mark.parametrize("what", CAUSES)
def test_a_loss_that_is_not_finite_names_its_cause(what):
    loss, x, y, message = CAUSES[what]
    net = fb.mlp(4, 2, loss=loss, seed=1)
    net.layers[0].W[:] = 1.0
    X, Y = np.full((6, 4), x, "f"), np.full((6, 2), y, "f")
    for call in (lambda: net.fit(X, Y, batch_size=3), lambda: net.loss_and_grad(X, Y)):
        with pytest.raises(FloatingPointError, match=message):
            call()


def test_sample_weights_and_penalties_are_named_as_well():
    X, Y = np.ones((4, 4)), np.full((4, 2), 1e3)
    with pytest.raises(FloatingPointError, match=r"in mse, .* targets up to 1e\+03, sample weights up to 1e\+308"):
        fb.mlp(4, 2, loss="mse", seed=1, dtype="float64").loss_and_grad(X, Y, sample_weight=np.full(4, 1e308))
    net = fb.mlp(4, 2, loss="mse", seed=1, l2=1e308, dtype="float64")
    with pytest.raises(FloatingPointError, match=r"in the penalties \(l1, l2\), of parameters up to 1e\+03"):
        net.layers[0].W[:] = 1e3
        net.loss_and_grad(np.zeros((4, 4)), Y)
