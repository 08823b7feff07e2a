"""fastbp/network.py: Sequential and mlp, their views and copies, and every way to use a network but `fit`."""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp._models import network_evaluation

WIDTHS = {"tiny": (5, 7, 3), "batch-parallel": (60, 48, 10), "tile-parallel": (90, 300, 310, 10)}


def made(widths=(4, 6, 3), **options):
    return fb.mlp(*widths, **{"activation": "tanh", "seed": 2, **options})


def rows(net, n=20):
    return np.random.default_rng(7).standard_normal((n, net.inputs)).astype(net.dtype)


# ---- what a network is made of -------------------------------------------------------------------------------------


def test_mlp_is_a_row_of_dense_layers():
    net = fb.mlp(784, 16, 16, 10, activation="sigmoid", output="sigmoid")
    assert [(layer.inputs, layer.units, layer.activation) for layer in net.layers] == [
        (784, 16, "sigmoid"), (16, 16, "sigmoid"), (16, 10, "sigmoid")]
    assert net.params.size == net.grads.size == 13_002
    assert (net.inputs, net.units, net.dtype, net.seed, net.data_spec) == (784, 10, np.float32, 0, None)
    assert net.loss == fb.losses.SquaredError()


def test_mlp_puts_dropout_after_hidden_layers_and_penalties_on_all():
    net = fb.mlp(4, 5, 6, 2, dropout=0.25, l1=0.1, l2=0.2, loss="mae", dtype="float64", seed=9)
    assert [layer.kind for layer in net.layers] == ["dense", "dropout", "dense", "dropout", "dense"]
    assert {layer.rate for layer in net.layers if layer.kind == "dropout"} == {0.25}
    assert {(layer.l1, layer.l2) for layer in net.layers if layer.size} == {(0.1, 0.2)}
    assert net.layers[0].activation == "relu"
    assert net.layers[-1].activation == "linear"
    assert (net.loss.name, net.dtype, net.seed) == ("mae", np.float64, 9)


def test_mlp_is_the_sequential_written_out():
    written = fb.Sequential(fb.Dense(4, 6, "tanh"), fb.Dense(6, 3), seed=2)
    assert (written.params == made().params).all()
    assert repr(written) == repr(made())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_are_views_of_two_vectors(dtype):
    net = made((4, 6, 3), dtype=dtype, dropout=0.5)
    assert net.params.flags.c_contiguous
    assert net.grads.flags.c_contiguous
    first, _, last = net.layers
    place = 0
    for layer in (first, last):
        for name in ("W", "b"):
            view, gradient = getattr(layer, name), getattr(layer, "d" + name)
            assert view.shape == gradient.shape == ((layer.inputs, layer.units) if name == "W" else (layer.units,))
            assert view.dtype == gradient.dtype == net.dtype
            assert np.shares_memory(view, net.params)
            assert np.shares_memory(gradient, net.grads)
            assert (view.ravel() == net.params[place:place + view.size]).all()
            view.flat[-1] = 77
            assert net.params[place + view.size - 1] == 77
            place += view.size
    assert place == net.params.size
    net.loss_and_grad(rows(net), np.zeros((20, 3)))
    assert (net.grads[:24].reshape(4, 6) == first.dW).all()
    assert first.dW.any()


def test_what_is_written_into_the_parameters_counts():
    net = made()
    X = rows(net)
    net.predict(X)
    net.params[:] = 0
    net.layers[-1].b[:] = [1, 2, 3]
    assert (net.predict(X) == [1, 2, 3]).all()
    assert (net.forward(X) == [1, 2, 3]).all()


def test_layers_given_are_kept_as_copies():
    layer = fb.Dense(4, 4)
    first, second = fb.Sequential(layer, layer), fb.Sequential(layer)
    assert layer.W is None
    assert first.layers[0] is not layer
    assert not np.shares_memory(first.layers[0].W, first.layers[1].W)
    assert not np.shares_memory(first.params, second.params)
    layer.activation = "relu"
    assert first.layers[0].activation == "linear"


def test_the_seed_makes_the_parameters():
    assert (made(seed=2).params == made(seed=2).params).all()
    assert (made(seed=2).params != made(seed=3).params).any()
    W0, W1 = (layer.W.ravel() for layer in fb.mlp(5, 5, 5, activation="tanh").layers)
    assert (W0 != W1).any()  # every layer draws from a stream of its own
    assert np.allclose(made(dtype="float64").params, made().params, rtol=1e-7)


def test_repr_shows_the_settings():
    net = fb.Sequential(fb.Dropout(0.1), fb.Dense(2, 3, "relu", l2=0.5), fb.Dense(3, 1), loss="huber", seed=4)
    assert repr(net) == ("Sequential(Dropout(0.1), Dense(2, 3, 'relu', l2=0.5), Dense(3, 1, 'linear'),\n"
                         "           loss=Huber(delta=1.0), dtype='float32', seed=4)")


# ---- copies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
                         ids=["copy", "deepcopy", "pickle"])
def test_a_copy_is_a_network_of_its_own(how):
    net = made(dropout=0.3, l2=0.01, loss="huber")
    net.data_spec = {"features": ["a"], "target": "b"}
    X, y = rows(net), np.ones((20, 3))
    net.fit(X, y, epochs=2, batch_size=5)
    twin = how(net)
    assert repr(twin) == repr(net)
    assert twin.data_spec == net.data_spec
    assert (twin.params == net.params).all()
    assert not np.shares_memory(twin.params, net.params)
    assert np.shares_memory(twin.layers[0].W, twin.params)
    assert (twin.predict(X) == net.predict(X)).all()
    for other in (net, twin):  # also the dropout masks go on where they were
        other.fit(X, y, epochs=2, batch_size=5, optimizer=fb.Adam())
    assert (twin.params == net.params).all()
    twin.params[:] = 0
    assert net.params.any()


def test_the_configuration_comes_back():
    net = fb.Sequential(fb.Dense(4, 6, "gelu", l1=0.1, init="he_uniform"), fb.Dropout(0.2), fb.Dense(6, 3),
                        loss=fb.losses.CrossEntropy(label_smoothing=0.1), dtype="float64", seed=8)
    net.data_spec = {"classes": ["a", "b", "c"]}
    again = fb.Sequential.from_config(net.config())
    assert again.config() == net.config()
    assert not again.params.any()
    again.params[:] = net.params
    assert (again.predict(rows(net)) == net.predict(rows(net))).all()
    made = again.fit(rows(net), np.arange(20) % 3, epochs=1)
    assert np.isfinite(made.history["loss"][0])


# ---- predict -------------------------------------------------------------------------------------------------------


@pytest.mark.smoke
@pytest.mark.parametrize(("loss", "link"), [
    ("squared_error", lambda y: y),
    ("quantile", lambda y: y),
    ("cross_entropy", lambda y: np.exp(y) / np.exp(y).sum(1, keepdims=True)),
    ("binary_cross_entropy", lambda y: 1 / (1 + np.exp(-y))),
    ("poisson", np.exp),
])
def test_predict_gives_what_the_loss_says_of_the_outputs(loss, link, dtype, tolerance):
    net = made(loss=loss, dtype=dtype)
    X = rows(net)
    P = net.predict(X)
    assert P.dtype == net.dtype
    assert P.shape == (20, 3)
    assert np.allclose(P, link(net.forward(X).astype("float64")), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scheme", WIDTHS)
@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_rows_predicted_together_or_alone_have_the_same_bits(isa, dtype, threads, scheme, loss, monkeypatch):
    net = made(WIDTHS[scheme], dtype=dtype, loss=loss, activation="sigmoid")
    X = rows(net, 150)
    alone = np.concatenate([net.predict(X[i:i + 1]) for i in range(len(X))])
    assert (net.predict(X) == alone).all()
    assert (net.predict(X[3:60]) == alone[3:60]).all()
    for most in (1, 32, 64):  # in chunks, with and without a rest
        monkeypatch.setattr(network_evaluation, "PREDICT_ROWS", most)
        assert (net.predict(X) == alone).all()
    if loss == "squared_error":
        assert (net.forward(X) == alone).all()


def test_many_rows_are_predicted_in_chunks(dtype):
    net = made(dtype=dtype)
    X = rows(net, 2 * network_evaluation.PREDICT_ROWS + 5)
    Y = net.predict(X)
    assert (Y[-7:] == net.predict(X[-7:])).all()
    assert (Y[:9] == net.predict(X[:9])).all()


def test_predict_is_without_dropout_and_leaves_the_network_alone():
    net = made(dropout=0.5)
    X = rows(net)
    before, kept = net.params.copy(), net.forward(X)
    assert (net.predict(X) == net.predict(X)).all()
    assert (net.predict(X) != kept).any()
    assert (net.params == before).all()
    assert not net.grads.any()
    again = made(dropout=0.5)
    again.forward(X)
    assert (again.forward(X) == net.forward(X)).all()  # predictions take no masks from the stream


# ---- what makes no network -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "kind", "parts"), [
    (lambda: fb.Sequential(), ValueError, ["the last layer is nothing", "expected a Dense layer"]),
    (lambda: fb.Sequential(fb.Dense(2, 3), fb.Dropout(0.1)), ValueError, ["Dropout(0.1)", "ends with its outputs"]),
    (lambda: fb.Sequential(fb.Dense(2, 3), fb.Dense(4, 1)), ValueError,
     ["layers[1] takes 4 inputs", "expected 3", "Dense(3, 1)"]),
    (lambda: fb.Sequential(fb.Dense), TypeError, ["layers[0]", "expected a Dense"]),
    (lambda: fb.Sequential([fb.Dense(2, 3)]), TypeError, ["layers[0]", "expected a Dense"]),
    (lambda: fb.Sequential(fb.Dense(2, 3, "softmax"), fb.Dense(3, 2)), ValueError,
     ["layers[0]", "'softmax'", "last layer only"]),
    (lambda: fb.Sequential(fb.Dense(2, 3, "relu"), loss="cross_entropy"), ValueError, ["'relu'", "expected 'linear'"]),
    (lambda: fb.mlp(2, 1, loss="cross_entropy"), ValueError, ["1 unit", "'binary_cross_entropy'"]),
    (lambda: fb.mlp(2, 1, output="softmax"), ValueError, ["softmax", "2 units or more"]),
    (lambda: fb.mlp(2, 1, loss="cros_entropy"), ValueError,
     ["loss is 'cros_entropy', expected one of: squared_error, ", "did you mean 'cross_entropy'"]),
    (lambda: fb.mlp(2, 3, 1, activation="rellu"), ValueError, ["activation is 'rellu', expected one of: linear, "
                                                               "relu", "did you mean 'relu'"]),
    (lambda: fb.mlp(2, 1, dtype="float16"), ValueError, ["dtype is 'float16'", "expected 'float32' or 'float64'"]),
    (lambda: fb.mlp(2, 1, seed=-1), ValueError, ["seed is -1", "expected an integer >= 0"]),
    (lambda: fb.mlp(2, 1, seed=1.5), TypeError, ["seed is 1.5 (float)", "expected an integer"]),
    (lambda: fb.mlp(2), ValueError, ["widths is (2,)", "expected at least two"]),
    (lambda: fb.mlp(2, 0, 1), ValueError, ["units is 0", "expected an integer >= 1"]),
    (lambda: fb.mlp(2, 1, dropout=1.0), ValueError, ["dropout is 1.0", "expected a finite number >= 0 and < 1"]),
    (lambda: fb.mlp(2, 1, l2=-0.1), ValueError, ["l2 is -0.1", "expected a finite number >= 0"]),
    (lambda: fb.Sequential(fb.Dense(2, 3, init=np.ones((3, 2)))), ValueError,
     ["init has shape (3, 2)", "expected (2, 3)"]),
])
def test_what_makes_no_sense_is_refused_at_construction(make, kind, parts):
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    assert type(caught.value) is kind, caught.value
    for part in parts:
        assert part in str(caught.value), caught.value


def test_many_rows_of_a_wide_layer_are_those_of_a_few(dtype, rng):
    """1300 rows are slices of 163, which are packed 128 rows at a time."""
    net = fb.mlp(40, 520, 530, 3, activation="tanh", dtype=dtype, seed=1)
    X = rng.standard_normal((1300, 40)).astype(dtype)
    few = np.concatenate([net.predict(X[i:i + 50]) for i in range(0, 1300, 50)])
    assert (net.forward(X) == few).all()
    dX = net.backward(np.ones((1300, 3), dtype))
    net.forward(X[700:750])
    assert (net.backward(np.ones((50, 3), dtype)) == dX[700:750]).all()
