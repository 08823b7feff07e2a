"""fastbp/_training/network_fit.py: batches and their order, fit and its options. Kinds of arrays are in
test_kinds_of_arrays.py."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_network import INPUTS, UNITS, N, bits, made

import fastbp as fb
from fastbp._compiler.use import Use
from fastbp._core import cpu, random
from fastbp._training import job, network_fit

# ---- batches and their order ---------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 60), size=st.integers(1, 70), seed=st.integers(0, 2**64 - 1), shuffle=st.booleans())
def test_batches_hold_every_row_once(n, size, seed, shuffle):
    X, y, w = np.arange(2 * n).reshape(n, 2), np.arange(n), np.arange(n) / 2
    batches = list(fb.batches(X, y, size, seed=seed, shuffle=shuffle, sample_weight=w))
    assert [len(xb) for xb, _, _ in batches] == [size] * (n // size) + [n % size] * bool(n % size)
    order = np.concatenate([yb for _, yb, _ in batches])
    assert sorted(order) == list(range(n))
    for xb, yb, wb in batches:
        assert (xb == X[yb]).all()
        assert (wb == yb / 2).all()
    if not shuffle or size >= n:
        assert (order == np.arange(n)).all()


def test_the_order_is_the_seeds():
    y = np.arange(100)
    orders = [np.concatenate([yb for _, yb in fb.batches(y, y, 10, seed=seed)]) for seed in (0, 0, 1, 2)]
    assert (orders[0] == orders[1]).all()
    assert (orders[1] != orders[2]).any()
    assert (orders[2] != orders[3]).any()
    assert (orders[0] == random.permutation(100, 0)).all()


def test_batches_without_shuffling_are_views():
    X = np.zeros((10, 2))
    assert all(np.shares_memory(xb, X) for xb, _ in fb.batches(X, np.zeros(10), 3, shuffle=False))


@pytest.mark.parametrize(("options", "kind", "parts"), [
    ({"batch_size": 0}, ValueError, ["batch_size is 0", "expected an integer >= 1"]),
    ({"batch_size": 2.0}, TypeError, ["batch_size is 2.0 (float)", "expected an integer"]),
    ({"y": np.zeros(4)}, ValueError, ["y has 4 rows", "expected 5"]),
    ({"sample_weight": np.zeros(4)}, ValueError, ["sample_weight has 4 rows", "expected 5"]),
    ({"seed": -1}, ValueError, ["seed is -1", "expected an integer >= 0"]),
])
def test_batches_refuses(options, kind, parts):
    options = {"X": np.zeros((5, 2)), "y": np.zeros(5), "batch_size": 2, **options}
    with pytest.raises((ValueError, TypeError)) as caught:
        next(iter(fb.batches(**options)))
    assert type(caught.value) is kind
    for part in parts:
        assert part in str(caught.value)


# ---- fit: data, order, history -------------------------------------------------------------------------------------


def test_each_epoch_has_an_order_of_its_own_and_the_seed_makes_them(data):
    X, Y, _ = data
    result = {}
    for name, options in {"seed 0": {"seed": 0}, "again": {"seed": 0}, "seed 1": {"seed": 1}, "net's": {},
                          "seed 4": {"seed": 4}, "none": {"shuffle": False}}.items():
        net = made()
        net.fit(X, Y, epochs=2, batch_size=7, **options)
        result[name] = bits(net)
    assert result["seed 0"] == result["again"]
    assert result["net's"] == result["seed 4"]  # the network's seed
    assert len(set(result.values())) == 4
    net = made()
    for _ in range(2):
        net.fit(X, Y, batch_size=7, seed=0)  # the same order twice
    assert bits(net) != result["seed 0"]


def test_history_has_a_value_for_each_epoch(data):
    X, Y, labels = data
    net = made(loss="cross_entropy")
    history = net.fit(X, labels, epochs=3, batch_size=8, validation_split=0.2)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds",
                                    "samples_per_second"}
    assert {len(values) for values in history.history.values()} == {3}
    assert history.epoch == [0, 1, 2]
    assert history.params == {"epochs": 3, "batch_size": 8, "samples": 40, "steps": 5}
    assert not history.interrupted
    assert history.history["lr"] == [0.1, 0.1, 0.1]
    assert history.history["val_accuracy"][-1] == net.evaluate(X[40:], labels[40:])["accuracy"]
    assert history.history["val_loss"][-1] == net.evaluate(X[40:], labels[40:])["loss"]
    assert all(seconds > 0 for seconds in history.history["seconds"])
    assert list(made().fit(X, Y).history) == ["loss", "lr", "seconds", "samples_per_second"]


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples(data):
    """With lr 0 nothing moves: 50 samples in batches of 8, and 2 left over, which count for 2."""
    X, Y, _ = data
    net = made(l2=0.1, dtype="float64")
    history = net.fit(X, Y, batch_size=8, optimizer=fb.SGD(lr=0.0))
    assert history.history["loss"][0] == pytest.approx(net.evaluate(X, Y)["loss"], rel=1e-12)


def test_the_loss_of_the_validation_data_has_the_penalties(data):
    """To the bit what evaluate says of the same rows, whatever the dtype."""
    X, _, labels = data
    for dtype in ("float32", "float64"):
        net = made(loss="cross_entropy", l1=0.1, l2=0.2, dtype=dtype)
        history = net.fit(X, labels, epochs=3, batch_size=8, validation_data=(X[:20], labels[:20]))
        assert history.history["val_loss"][-1] == net.evaluate(X[:20], labels[:20])["loss"]
        assert net.evaluate(X, labels)["loss"] > 0.2 * np.square(net.layers[0].W).sum()


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_the_accuracy_of_an_epoch_is_counted_from_its_batches(data, rate):
    """Each by the parameters before its step, with the step's masks of dropout."""
    X, _, labels = data
    net, twin = (made(loss="cross_entropy", dropout=rate) for _ in range(2))
    optimizer, found = fb.SGD(lr=0.1), []
    for epoch in range(3):
        right = 0
        for xb, yb in fb.batches(X, labels, 8, seed=twin.seed + epoch):
            right += (copy.deepcopy(twin).forward(xb).argmax(1) == yb).sum()
            twin.loss_and_grad(xb, yb)
            optimizer.step(twin)
        found.append(right / len(X))
    assert net.fit(X, labels, epochs=3, batch_size=8).history["accuracy"] == found


def test_the_tail_of_the_data_is_trained_on(data):
    X, Y, _ = data
    opt = fb.SGD(lr=0.1)
    net, short = made(), made()
    net.fit(X, Y, batch_size=48, shuffle=False, optimizer=opt)
    short.fit(X[:48], Y[:48], batch_size=48, shuffle=False)
    assert opt.steps == 2
    assert bits(net) != bits(short)
    short.loss_and_grad(X[48:], Y[48:])
    fb.SGD(lr=0.1).step(short)
    assert bits(net) == bits(short)


def test_a_batch_larger_than_the_data_is_all_of_it(data):
    X, Y, _ = data
    results = set()
    for size in (50, 51, 10**9):
        net = made()
        history = net.fit(X, Y, epochs=2, batch_size=size)
        assert history.params["steps"] == 1
        assert history.params["batch_size"] == 50
        results.add(bits(net))
    assert len(results) == 1


def test_one_sample_and_one_column(dtype):
    net = fb.mlp(1, 2, 1, dtype=dtype, activation="tanh")
    before = net.params.copy()
    history = net.fit([[0.5]], [1.0], epochs=3)
    assert (net.params != before).any()
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert net.predict([[0.5]]).shape == (1, 1)


@pytest.mark.smoke
def test_what_no_line_separates_is_learned():
    """Exclusive or, which needs a hidden layer."""
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"), np.array([0, 1, 1, 0])
    net = fb.mlp(2, 8, 1, activation="tanh", loss="binary_cross_entropy", seed=0)
    history = net.fit(X, y, epochs=300, batch_size=4, optimizer=fb.Adam(lr=0.05)).history
    assert history["loss"][-1] < 0.05 < 0.5 < history["loss"][0]
    assert (net.predict(X)[:, 0] > 0.5).tolist() == [False, True, True, False]
    assert net.evaluate(X, y)["accuracy"] == 1


def test_training_goes_on_where_it_was(data):
    X, Y, _ = data
    net, opt = made(), fb.Adam()
    net.fit(X, Y, epochs=2, batch_size=10, optimizer=opt)
    state = opt.state.copy()
    assert opt.steps == 10
    assert state.shape == (2, net.params.size)
    net.fit(X, Y, batch_size=10, optimizer=opt)
    assert opt.steps == 15
    assert (opt.state != state).any()


@pytest.mark.parametrize("hidden", [(8,), (260, 270)], ids=["batch-parallel", "tile-parallel"])
def test_fit_is_the_same_in_chunks_of_any_length(data, hidden, monkeypatch):
    """A compiled call is as long as the clock says; what it computes does not depend on that: copies of the weights
    are as fresh in its last step as in its first."""
    X, Y, _ = data
    results = set()
    for seconds in (0.0, 1e-4, 10.0):
        monkeypatch.setattr(job, "CALL_SECONDS", seconds)
        net = fb.mlp(INPUTS, *hidden, UNITS, activation="tanh", seed=4, dropout=0.2)
        history = net.fit(X, Y, epochs=3, batch_size=3, optimizer=fb.Adam(lr=fb.schedules.Exponential(0.01, 0.99)))
        results.add((bits(net), tuple(history.history["loss"])))
    assert len(results) == 1


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_many_slices_give_the_same_bits_for_any_number_of_threads(isa, dtype, dropout, rng):
    """Sixteen slices: the order in which their gradients are added shows."""
    X, y = rng.standard_normal((1700, 60)), rng.integers(0, 10, 1700)
    results = set()
    for count in (1, 2, 3, 5):
        net = fb.mlp(60, 48, 10, activation="tanh", dropout=dropout, dtype=dtype, loss="cross_entropy", seed=1)
        history = net.fit(X, y, epochs=2, batch_size=1700, threads=count, optimizer=fb.SGD(lr=0.1, clip_norm=0.1))
        results.add((bits(net), tuple(history.history["loss"])))
    assert net._plans.get(Use("train", 1700, labels=True, threads=5)).executable.team == 5
    assert len(results) == 1


@pytest.mark.parametrize("hidden", [48, 300], ids=["batch-parallel", "tile-parallel"])
def test_a_call_that_tries_a_team_computes_what_one_thread_does(hidden, rng):
    """Calls of many steps try both, and go on with what was faster; dropout's masks and fresh copies of weights show
    whether the parts join."""
    X, y = rng.standard_normal((6400, 60)), rng.integers(0, 10, 6400)
    results = set()
    for threads in (1, 2):
        net = fb.mlp(60, hidden, 300, 10, dropout=0.2, loss="cross_entropy", seed=1)
        losses = network_fit.run_steps(net, X, y, fb.Adam(lr=1e-3), 32, 200, threads=threads)
        results.add((bits(net), losses.tobytes()))
    assert len(results) == 1


def test_short_calls_that_take_turns_compute_what_one_thread_does(rng):
    """Of every 64 short calls one is made as a team and one alone, and then the faster way is gone on with."""
    X, y = rng.standard_normal((640, 60)), rng.integers(0, 10, 640)
    results = set()
    for threads in (1, 2):
        net = fb.mlp(60, 64, 10, dropout=0.2, loss="cross_entropy", seed=1)
        losses = network_fit.run_steps(net, X, y, fb.Adam(lr=1e-3), 320, 150, threads=threads)  # two steps a call
        results.add((bits(net), losses.tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize("bad", [0, 2, 5, 150])
def test_a_loss_that_ends_a_trial_of_a_team_ends_the_call(bad, rng, monkeypatch):
    """After a first step the other 255 are one call; its trial takes 3 of them alone, and 3 as a team."""
    monkeypatch.setattr(job, "CALL_SECONDS", 10.0)
    X, Y = np.ones((256 * 128, 60), "f"), rng.standard_normal((256 * 128, 10)).astype("f")
    X[bad * 128] = 3e38
    found = set()
    for threads in (1, 2):
        net = fb.mlp(60, 64, 10, activation="linear", loss="mse", seed=1)
        assert net._plans.get(Use("train", 128, threads=2)).executable.team == 2
        with pytest.raises(FloatingPointError) as error:
            net.fit(X, Y, batch_size=128, shuffle=False, optimizer=fb.SGD(lr=1e-6), threads=threads)
        assert f"step {bad + 1}" in str(error.value)
        found.add((str(error.value), bits(net)))
    assert len(found) == 1


@pytest.mark.parametrize("hidden", [8, 700, 7000], ids=["one range", "batch-parallel", "tile-parallel"])
def test_clip_norm_is_the_norm_of_the_whole_gradient(data, dtype, hidden):
    X, Y, _ = data
    for by_hand in (False, True):
        net = fb.mlp(INPUTS, hidden, UNITS, activation="tanh", dtype=dtype, seed=4)
        before, opt = net.params.copy(), fb.SGD(lr=1.0, clip_norm=0.25)
        if by_hand:
            net.loss_and_grad(X, Y)
            opt.step(net)
        else:
            net.fit(X, Y, batch_size=N, optimizer=opt)
        assert np.linalg.norm(net.grads) > 0.25
        assert np.linalg.norm(net.params - before) == pytest.approx(0.25, rel=1e-5)
        assert np.allclose((net.params - before) * np.linalg.norm(net.grads), -0.25 * net.grads, rtol=1e-3, atol=1e-5)


# ---- validation ----------------------------------------------------------------------------------------------------


def test_validation_data_and_split_are_two_ways_to_say_it(data):
    X, Y, _ = data
    weights = np.linspace(0, 1, N)
    split, given, plain = made(), made(), made()
    one = split.fit(X, Y, epochs=2, batch_size=8, validation_split=0.3, sample_weight=weights)
    two = given.fit(X[:35], Y[:35], epochs=2, batch_size=8, sample_weight=weights[:35],
                    validation_data=(X[35:], Y[35:], weights[35:]))
    plain.fit(X[:35], Y[:35], epochs=2, batch_size=8, sample_weight=weights[:35])
    assert bits(split) == bits(given) == bits(plain)  # what is held out is not trained on
    assert one.history["val_loss"] == two.history["val_loss"]
    assert one.history["val_loss"][-1] == split.evaluate(X[35:], Y[35:], weights[35:])["loss"]


def test_validation_leaves_no_trace(data):
    X, _, labels = data
    nets = made(dropout=0.3, loss="cross_entropy"), made(dropout=0.3, loss="cross_entropy")
    nets[0].fit(X, labels, epochs=3, batch_size=8)
    nets[1].fit(X, labels, epochs=3, batch_size=8, validation_data=[X[:20], labels[:20]])
    assert bits(nets[0]) == bits(nets[1])


# ---- run_steps, for measuring --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 50])
def test_run_steps_takes_the_steps_of_fit(data, size):
    X, Y, _ = data
    ours, theirs = made(dropout=0.2), made(dropout=0.2)
    one, two = fb.Adam(), fb.Adam()
    losses = network_fit.run_steps(ours, X, Y, one, size, 2 * (N // size), seed=3)
    history = theirs.fit(X, Y, epochs=2, batch_size=size, optimizer=two, seed=3)
    assert bits(ours) == bits(theirs)
    assert losses.reshape(2, -1).mean(1) == pytest.approx(history.history["loss"], rel=1e-12)
    assert one.steps == two.steps


def test_run_steps_without_an_optimizer_only_measures(data):
    X, Y, _ = data
    net = made()
    before = bits(net)
    losses = network_fit.run_steps(net, X, Y, None, 50, 3)
    assert bits(net) == before
    assert losses.tolist() == 3 * [net.loss_and_grad(X, Y)]
    assert net.grads.any()


# ---- threads and copies ----------------------------------------------------------------------------------------------


def test_threads_of_one_fit_are_that_fits(data):
    X, Y, _ = data
    before = cpu.threads()
    made().fit(X, Y, threads=before + 1)
    assert cpu.threads() == before


def test_right_arrays_are_not_copied(data):
    X, Y, _ = data
    job = network_fit.NetworkJob(made(), X, Y, None, None, 8, None, 0.0, None)
    assert job.arrays["X"] is X
    assert job.arrays["targets"] is Y
