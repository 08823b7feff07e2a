"""fastbp/layers/base.py: what a layer states is all that anybody needs to know of it."""

import copy
import io
import json
import math
import pickle
from typing import ClassVar

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp import layers
from fastbp._ir import nn
from fastbp._ir.elementwise import multiply
from fastbp.layers import KINDS, Dense, Dropout, Layer, Parameter
from fastbp.layers.settings import Name, Number, Width

X = np.random.default_rng(1).normal(size=(30, 4))
LABELS = np.random.default_rng(2).integers(0, 3, 30)


class Bend:
    """Y = gain tanh(X M), as `bend` makes a layer of it: names, shapes and penalties that no other layer has."""

    kind = "bend"
    settings: ClassVar = {"width": Width(), "l1": Number(0.0)}
    widths = ("width", "width")

    def __init__(self, width, *, start=None, l1=0.0):
        self.take(width=width, l1=l1)
        self.start = start
        self.unbind()

    def parameters(self, before=None, depth=0):
        square = self.width, self.width
        start = 0.5 if self.start is None else np.full(self.width, self.start)
        return (
            Parameter("M", square, "he_uniform", square, penalised=True),
            Parameter("gain", (self.width,), start, given="start"),
        )

    def graph(self, x, M, gain, training=True, number=0):
        return multiply(nn.dense(x, M, activation="tanh"), gain)


@pytest.fixture
def bend(monkeypatch):
    """The class, known to files while the test runs."""
    for kind in list(KINDS):
        monkeypatch.setitem(KINDS, kind, KINDS[kind])
    made = type("Bend", (Layer,), {name: value for name, value in vars(Bend).items() if name[:2] != "__" or
                                   name in ("__init__", "__module__", "__doc__")})
    yield made
    KINDS.pop("bend")


def network(bend, **options):
    return fb.Sequential(fb.Dense(4, 5, "tanh", l2=0.01), fb.Dropout(0.1), bend(5, l1=0.02), fb.Dense(5, 3),
                         loss="cross_entropy", **{"dtype": "float64", "seed": 3, **options})


# ---- everything follows from what a layer states ---------------------------------------------------------------------


def test_names_and_views(bend):
    net = network(bend)
    layer = net.layers[2]
    assert [each.name for each in layer.parameters()] == ["M", "gain"]
    assert (layer.M.shape, layer.dgain.shape, layer.size, net.params.size) == ((5, 5), (5,), 30, 25 + 30 + 18)
    assert all(np.shares_memory(one, net.params) for one in (layer.M, layer.gain))
    assert all(np.shares_memory(one, net.grads) for one in (layer.dM, layer.dgain))
    with pytest.raises(AttributeError, match=r"dM of a network's layer cannot be replaced .*layer.dM\[:\] = "):
        layer.dM = 0
    with pytest.raises(AttributeError, match=r"width of a network's layer cannot be replaced .*; make a new network"):
        layer.width = 6
    assert bend(5).M is None


def test_initial_values_have_streams_of_their_own(bend):
    net, same = network(bend), network(bend)
    assert np.array_equal(net.params, same.params)
    assert np.unique(net.layers[2].M).size == 25 and np.abs(net.layers[2].gain).max() < 0.5
    assert fb.Sequential(bend(4, start=2.0), fb.Dense(4, 1)).layers[0].gain.tolist() == [2.0] * 4
    with pytest.raises(ValueError, match=r"start\[0\] is 1e\+300 .*overflows float32"):
        fb.Sequential(bend(4, start=1e300))


def test_penalties_and_gradients(bend):
    net = network(bend)
    assert net._penalties() == [(0, 20, 0.0, 0.01), (25, 25, 0.02, 0.0)]
    assert fb.gradcheck(net, X, LABELS).max_error < 1e-6
    net.params[26] = np.nan
    assert net._layer_of(net.params) == "layer 2 (Bend(5, l1=0.02))"


def test_an_error_of_the_gradient_is_named(bend, monkeypatch):
    net = network(bend)
    loss_and_grad = fb.Sequential.loss_and_grad

    def wrong(self, *args, **more):
        value = loss_and_grad(self, *args, **more)
        self.layers[2].dM[1, 2] += 3
        return value

    monkeypatch.setattr(fb.Sequential, "loss_and_grad", wrong)
    assert fb.gradcheck(net, X, LABELS).worst == "layers[2].M[1, 2]"


def test_gradients_of_single_samples(bend):
    net = network(bend)
    rows = net.per_example_grads(X, LABELS)
    norms = net.per_example_grad_norms(X, LABELS)
    plain = fb.Sequential(net.layers[0], net.layers[2], net.layers[3], loss="cross_entropy", dtype="float64")
    plain.params[:] = net.params
    for i in (0, 29):
        plain.loss_and_grad(X[i:i + 1], LABELS[i:i + 1])
        assert np.allclose(rows[i], plain.grads, rtol=0, atol=1e-14)
    assert np.allclose(norms, np.linalg.norm(rows, axis=1), rtol=1e-12)


def test_fit_is_fit_many_and_the_loop_by_hand(bend):
    nets = [network(bend, dtype="float32") for _ in range(3)]
    nets[0].fit(X, LABELS, epochs=3, batch_size=8, optimizer=fb.Adam(0.01))
    fb.fit_many([nets[1]], X, LABELS, epochs=3, batch_size=8, optimizers=fb.Adam(0.01))
    adam, data = fb.Adam(0.01), (X.astype("float32"), LABELS)
    for epoch in range(3):
        for xb, yb in fb.batches(*data, 8, seed=3 + epoch):
            nets[2].loss_and_grad(xb, yb)
            adam.step(nets[2])
    assert nets[0].params.tobytes() == nets[1].params.tobytes() == nets[2].params.tobytes()


def test_files_and_copies(bend, monkeypatch):
    net, file = network(bend), io.BytesIO()
    net.save(file)
    file.seek(0)
    for again in (fb.load(file), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert repr(again) == repr(net) and again.params.tobytes() == net.params.tobytes()
    config = {**net.config(), "layers": [{**item, "l1": -1.0} if item["kind"] == "bend" else item
                                         for item in net.config()["layers"]]}
    monkeypatch.setattr(net, "config", lambda: config)
    with pytest.raises(ValueError, match=r"layers\[2\].l1 is -1.0 .*expected a number >= 0"):
        net.save(io.BytesIO())
    config["layers"][2] = {"kind": "bend", "width": 6, "l1": 0.0}
    with pytest.raises(ValueError, match=r"layers\[2\].width is 6, expected 5, the units of the layer before it; "
                                         r"correct it"):
        net.save(io.BytesIO())
    config["layers"][2] = {"kind": "bend", "width": 5}
    with pytest.raises(ValueError, match=r"layers\[2\] has no key 'l1', expected exactly kind, width, l1"):
        net.save(io.BytesIO())


def test_expressions(bend):
    net, x, t = network(bend), g.input("x", 4), g.input("t", integer=True)
    plan = g.compile(g.cross_entropy(net(x), t), {"y": net(x)}, dtype="float64", seed=net.seed)
    assert list(plan.parameters) == ["layer0.W", "layer0.b", "layer1.M", "layer1.gain", "layer2.W", "layer2.b"]
    assert plan.loss_and_grad(x=X, t=LABELS)[0] == net.loss_and_grad(X, LABELS)
    assert plan.grads.tobytes() == net.grads.tobytes()
    plan.params[:] += 1
    plan.write_to(net)
    assert net.params.tobytes() == plan.params.tobytes()
    alone = bend(4, l1=0.5)
    plan = g.compile(g.mean(alone(x)), dtype="float64")
    M = plan.parameters["layer0.M"]
    assert np.array_equal(M, fb.Sequential(alone, dtype="float64").layers[0].M)
    with_penalty = plan.loss_and_grad(x=X)[0]
    assert with_penalty == pytest.approx(plan.loss(x=X) + 0.5 * np.abs(M).sum())
    with pytest.raises(ValueError, match=r"layer Bend\(4, l1=0.5\) is called on .*shape \(batch, 4\)"):
        alone(g.input("z", 3))
    with pytest.raises(ValueError, match=r"model is Bend\(4, l1=0.5\), expected a layer with values of its own"):
        plan.write_to(alone)


def test_a_loss_that_reaches_some_parameters_of_a_layer_has_their_initial_values():
    """The slope of a linear layer does not depend on its bias."""
    x, layer = g.input("x", 2), fb.Dense(2, 1)
    plan = g.compile(g.mean(g.grad(layer(x), x) ** 2), dtype="float64")
    assert list(plan.parameters) == ["layer0.W"]
    assert np.array_equal(plan.parameters["layer0.W"], fb.Sequential(layer, dtype="float64").layers[0].W)


OF_A_SETTING = {Width: 4, Number: 0.25, Name: "tanh"}


@pytest.mark.parametrize("cls", [getattr(layers, name) for name in layers.__all__])
def test_every_layer_goes_through_everything(cls):
    """A layer of some settings, between others: gradients, also of single samples, a file, a config, an expression."""
    needed = [argument.name for argument in cls._arguments if argument.default is argument.empty]
    layer = cls(**{name: OF_A_SETTING[type(cls.settings[name])] for name in needed})
    assert repr(cls(**layer._given())) == repr(layer) == repr(copy.deepcopy(layer))
    dense = fb.Dense(4, 4, "tanh"), fb.Dense(4, 3)
    net = fb.Sequential(dense[0], layer, dense[1], loss="cross_entropy", dtype="float64", seed=3)
    x, t, file = g.input("x", 4), g.input("t", integer=True), io.BytesIO()
    plan = g.compile(g.cross_entropy(net(x), t), dtype="float64", seed=net.seed)
    assert plan.loss_and_grad(x=X, t=LABELS)[0] == net.loss_and_grad(X, LABELS)
    assert plan.grads.tobytes() == net.grads.tobytes()
    if layer.parameters():
        rows = net.per_example_grads(X, LABELS)
        assert np.allclose(rows.mean(0), net.grads, rtol=0, atol=1e-14)
    assert repr(fb.Sequential.from_config(net.config())) == repr(net)
    assert fb.gradcheck(net, X, LABELS).max_error < 1e-6
    net.save(file)
    file.seek(0)
    assert fb.load(file).predict(X).tobytes() == net.predict(X).tobytes()


def test_where_it_is_not_finite_is_told(bend):
    net = network(bend)
    net.layers[2].gain[:] = 1e308
    with pytest.raises(FloatingPointError, match=r"at the output of layer 3 \(Dense.*inputs up to .*e\+30"):
        net.layers[3].W[:] = 10
        net.loss_and_grad(X, LABELS)


# ---- kinds -----------------------------------------------------------------------------------------------------------


def test_a_kind_is_of_one_layer(bend):
    with pytest.raises(ValueError, match=r"kind of the layer .*Other is 'dense', which is Dense's, expected a word of"):
        type("Other", (Layer,), {"kind": "dense", "__init__": lambda self: None})
    assert KINDS["dense"] is Dense
    made = type("Bend", (Layer,), {"kind": "bend", "__module__": bend.__module__, "__init__": bend.__init__})
    assert KINDS["bend"] is made  # the same class, defined again


def test_a_layer_of_a_layer_is_known_by_its_kind():
    class Mine(Dense):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)

    assert KINDS["dense"] is Dense
    assert repr(Mine(2, 3, l2=0.5).copy()) == "Mine(2, 3, 'linear', l2=0.5)"


def test_a_layer_without_a_graph_says_so():
    with pytest.raises(NotImplementedError, match="Layer has no graph"):
        Layer().graph(g.input("x", 3))


# ---- settings, configs, copies ---------------------------------------------------------------------------------------


def test_copies_share_nothing_with_a_bound_layer():
    layer = Dense(2, 3, "tanh", init=np.ones((2, 3)), l2=0.5)
    layer.bind(np.zeros(9), np.zeros(9))
    twin = layer.copy()
    assert repr(twin) == repr(layer) and twin.W is None and np.array_equal(twin.init, layer.init)
    assert Dropout(0.25).copy().rate == 0.25


@pytest.mark.parametrize("layer", [Dense(2, 3, "tanh", init="zeros", l1=0.25, l2=0.5), Dropout(0.25)], ids=repr)
def test_config_and_back(layer):
    config = json.loads(json.dumps(layer.config()))
    twin = layers.from_config(config)
    assert type(twin) is type(layer) and twin.config() == layer.config()
    with pytest.raises(ValueError, match=r"expected the settings of a .*widht.*pass what"):
        layers.from_config({**config, "widht": 3})


def test_config_is_the_schema_of_files():
    assert Dense(2, 3, "tanh", l2=0.5).config() == {
        "kind": "dense", "inputs": 2, "units": 3, "activation": "tanh", "l1": 0.0, "l2": 0.5
    }
    assert Dropout(0.5).config() == {"kind": "dropout", "rate": 0.5}


@pytest.mark.parametrize(
    "kind, config, message",
    [
        (TypeError, "dense", "layer is 'dense', expected a dict with a 'kind'; pass what"),
        (TypeError, {"inputs": 1}, "expected a dict with a 'kind'"),
        (ValueError, {"kind": "dence"}, r"layer kind is 'dence', expected one of: .*; did you mean 'dense'\?"),
        (ValueError, {"kind": "dense", "units": 3}, "expected the settings of a Dense .*inputs"),
        (ValueError, {"kind": "dropout", "rate": 2}, "rate is 2, expected"),
        (TypeError, {"kind": "dropout", "rate": "x"}, "rate is 'x', expected a finite number"),
        (ValueError, {"kind": "dropout", "rate": math.nan}, "rate is nan, expected"),
    ],
)
def test_from_config_refuses(kind, config, message):
    with pytest.raises(kind, match=message):
        layers.from_config(config)
