"""fastbp/_training/hints.py: what is warned of, and that healthy trainings are not."""

import warnings

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._training import hints

RNG = np.random.default_rng(0)
LABELS = np.arange(200) % 5
PIXELS = RNG.integers(0, 256, (200, 30)).astype("uint8")
PIXELS[np.arange(200), LABELS] = 255  # there is something to learn


def pixels(scale=1.0, **options):
    return fb.mlp(30, 16, 5, loss="cross_entropy", input_scale=scale, seed=1, **options)


# ---- when it is looked -----------------------------------------------------------------------------------------------


def history_of(losses):
    history = fb.History({"steps": 4})
    for epoch, loss in enumerate(losses):
        history.append(epoch, {"loss": loss})
    return history


def test_a_loss_is_looked_at_after_3_6_12_epochs():
    looked = [count for count in range(1, 50) if hints.stands_still(history_of([1.0] * count), count - 1)]
    assert looked == [3, 6, 12, 24, 48]
    # of several epochs that come at once, the first look that finds it
    assert [hints.stands_still(history_of([1.0] * 50), known) for known in (0, 2, 3, 11, 12, 47, 48)] == [
        3, 3, 6, 12, 24, 48, 0
    ]  # fmt: skip


@pytest.mark.parametrize(("losses", "still"), [
    ([1, 1.009, 0.995], False), ([1, 1.009, 1.001], True), ([1, 0.99, 0.98], False), ([-5, -5.01, -5], True),
    ([0.0, 0.0, 0.0], True), ([9, 5, 2, 2.001, 2, 2.01], True), ([9, 5, 2, 1.9, 2, 2], False),
    ([np.nan, np.nan, np.nan], False),
])
def test_still_is_within_one_per_cent(losses, still):
    assert bool(hints.stands_still(history_of(losses), len(losses) - 1)) is still


# ---- large inputs ----------------------------------------------------------------------------------------------------


def test_bytes_that_are_not_scaled_are_warned_of_once_and_scaled_they_train():
    stuck = fb.mlp(30, 16, 5, loss="mse", output="sigmoid", activation="sigmoid", seed=1)
    stuck.layers[0].W[:] = 1.0  # all of the units saturated
    message = r"not moved by 1 % in 3 epochs: X goes up to 255 .* input_scale=0.00392 to the network"
    with pytest.warns(UserWarning, match=message) as told:
        stuck.fit(PIXELS, LABELS, epochs=20, batch_size=50, optimizer=fb.SGD(lr=1e-4))
    assert len(told) == 1 and told[0].filename == __file__
    history = pixels(1 / 255).fit(PIXELS, LABELS, epochs=10, optimizer=fb.Adam(lr=0.01))
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]


def test_the_scale_of_the_network_counts_and_who_goes_on_is_left_alone():
    net, optimizer = pixels(1 / 255), fb.SGD(lr=1e-9)
    net.fit(PIXELS, LABELS, epochs=4, optimizer=optimizer)  # stands still, of inputs up to 1
    raw, optimizer = pixels(), fb.SGD(lr=1e-9)
    with pytest.warns(UserWarning, match="X goes up to 255"):
        raw.fit(PIXELS, LABELS, epochs=3, optimizer=optimizer)
    raw.fit(PIXELS, LABELS, epochs=4, optimizer=optimizer)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_the_inputs_of_an_expression_are_looked_at_too(dtype):
    def plan(scale):
        x, t = g.input("x", 30), g.input("t", 5)
        w = g.parameter("w", (30, 5), init=np.full((30, 5), 0.5))
        return g.compile(g.mean(g.square(g.tanh(scale * x @ w) - t)))

    data = {"x": PIXELS.astype(dtype), "t": np.eye(5)[LABELS]}
    with pytest.warns(UserWarning, match=r"moved by 1 % in 3 epochs: 'x' goes up to 255 .*: divide it by 255") as told:
        plan(1.0).fit(data, epochs=5, optimizer=fb.SGD(lr=1e-3))
    assert len(told) == 1 and told[0].filename == __file__
    plan(1 / 2550).fit(data, epochs=5, optimizer=fb.SGD(lr=0.5))  # it learns, whatever the size


def test_indices_of_an_expression_are_not_sizes():
    rows, t = g.input("rows", integer=True), g.input("t")
    table = g.parameter("table", (5000, 1), init=np.zeros((5000, 1)))
    plan = g.compile(g.mean(g.square(g.gather(table, rows) - t)))
    data = {"rows": np.arange(1000, 1200), "t": np.ones(200)}
    plan.fit(data, epochs=5, optimizer=fb.SGD(lr=1e-9))


# ---- dead layers -----------------------------------------------------------------------------------------------------


def dead(layer=0, scale=1 / 255, bias=-1e3):
    net = fb.mlp(30, 16, 12, 5, loss="cross_entropy", seed=1, input_scale=scale)
    net.layers[layer].b[:] = bias
    return net


@pytest.mark.parametrize("layer", [0, 1])
def test_a_dead_layer_is_named(layer):
    with pytest.warns(UserWarning, match=rf"every output of layer {layer} \(Dense\(.*'relu'.*\) is 0 .* 'leaky_relu'"):
        dead(layer).fit(PIXELS, LABELS, epochs=6)


def test_a_dead_layer_with_a_penalty_is_named_as_well():
    """The penalty's gradient is no sign of life."""
    net = fb.mlp(30, 16, 5, loss="cross_entropy", seed=1, input_scale=1 / 255, l2=1e-9)
    net.layers[0].b[:] = -1000.0
    with pytest.warns(UserWarning, match="every output of layer 0"):
        net.fit(PIXELS, LABELS, epochs=6, optimizer=fb.SGD(lr=1e-3))


def test_bytes_that_killed_a_layer_are_named_as_well():
    with pytest.warns(UserWarning, match=r"every output of layer 0 .*; X goes up to 255 .* input_scale=0.00392 to"):
        dead(scale=1.0, bias=-1e6).fit(PIXELS, LABELS, epochs=6)


def test_a_layer_that_dies_later_is_found():
    net = fb.mlp(30, 16, 5, loss="cross_entropy", seed=1, input_scale=1 / 255)

    def kill(net, epoch, logs):
        if epoch == 3:
            net.layers[0].b[:] = -1000.0

    with pytest.warns(UserWarning, match="every output of layer 0"):
        net.fit(PIXELS, LABELS, epochs=24, callbacks=kill, optimizer=fb.SGD(lr=1e-3))


def test_a_layer_that_lives_for_one_sample_is_not_dead(monkeypatch):
    """Of many samples some are looked at first, and all of them before anything is said."""
    monkeypatch.setattr(hints, "ROWS", 10)
    X = np.zeros((201, 30), "f")
    X[7] = 1.0
    net = fb.mlp(30, 4, 5, loss="cross_entropy", seed=1)
    net.layers[0].W[:], net.layers[0].b[:] = 1.0, -1.0
    net.fit(X, np.arange(201) % 5, epochs=3, optimizer=fb.SGD(lr=1e-9))
    X[7] = 0.0
    with pytest.warns(UserWarning, match="every output of layer 0"):
        net.fit(X, np.arange(201) % 5, epochs=3, optimizer=fb.SGD(lr=1e-9))


# ---- labels in order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["labels", "one-hot", "binary"])
def test_labels_in_order_are_warned_of_before_the_first_step(kind):
    classes = 2 if kind == "binary" else 5
    order = np.argsort(LABELS % classes, kind="stable")
    y = (LABELS % classes)[order]
    share = 0.5 if kind == "binary" else 0.2
    net = {
        "labels": lambda: pixels(1 / 255),
        "one-hot": lambda: fb.mlp(30, 5, loss="mse", input_scale=1 / 255),
        "binary": lambda: fb.mlp(30, 1, loss="binary_cross_entropy", input_scale=1 / 255),
    }[kind]()
    before = net.params.copy()
    y = np.eye(5)[y] if kind == "one-hot" else y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"class \d is there \d+ times, and \d+ times in the \d+ samples trained"):
            net.fit(PIXELS[order], y, validation_split=share)
    assert (net.params == before).all()
    mixed = RNG.permutation(200)
    net.fit(PIXELS[order][mixed], y[mixed], validation_split=share)


@pytest.mark.parametrize(("trained", "held", "told"), [
    ([0] * 80, [1] * 20, "class 1 is there 20 times, and 0 times in the 80"),
    ([0] * 79 + [1], [1] * 20, "class 1 is there 20 times, and 1 times in the 80"),
    ([0] * 50 + [1] * 30, [1] * 20, ""),  # in order, but trained on
    ([0, 1] * 40, [0, 1] * 9 + [2, 0], ""),  # one alone may be chance
    ([0, 1, 2], [0], ""),
])
def test_what_is_hardly_seen(trained, held, told):
    text = hints.unseen_classes(np.array(trained), np.array(held))
    assert told in text and bool(text) == bool(told)


# ---- they change nothing ---------------------------------------------------------------------------------------------


def test_bits_are_those_without_hints(monkeypatch):
    told, silent = dead(), dead()
    with pytest.warns(UserWarning, match="layer 0"):
        told.fit(PIXELS, LABELS, epochs=6, optimizer=fb.Adam())
    monkeypatch.setattr(hints, "stands_still", lambda history, known: 0)
    silent.fit(PIXELS, LABELS, epochs=6, optimizer=fb.Adam())
    assert told.params.tobytes() == silent.params.tobytes() and told._draws == silent._draws


def test_many_networks_are_warned_of_at_the_end_by_number():
    with pytest.warns(UserWarning, match=r"^nets\[1\]: every output of layer 0") as told:
        histories = fb.fit_many([pixels(1 / 255), dead()], PIXELS, LABELS, epochs=6, rows=[None, np.arange(100)])
    assert len(told) == 1 and told[0].filename == __file__
    assert [len(history.epoch) for history in histories] == [6, 6]


def test_a_training_that_goes_well_is_silent():
    pixels(1 / 255).fit(PIXELS, LABELS, epochs=60, validation_split=0.2, optimizer=fb.Adam(lr=0.01))
