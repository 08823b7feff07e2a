"""fastbp/layers/layer_norm.py: by hand, against the reference and torch, and through everything a network does."""

import copy
import io
import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp import serialization
from fastbp._core import cpu
from fastbp._files.schema import Schema
from fastbp.reference import network as reference

X = np.random.default_rng(1).normal(size=(30, 4)) * [1, 2, 3, 4] + [0, 1, 0, -5]
LABELS = np.random.default_rng(2).integers(0, 3, 30)


def network(dtype="float64", widths=(4, 5, 3), **options):
    """Dense, LayerNorm, Dropout, Dense, with a gamma and a beta that are not those it begins with."""
    inputs, width, units = widths
    net = fb.Sequential(fb.Dense(inputs, width, "tanh", l2=0.01), fb.LayerNorm(width, eps=1e-3), fb.Dropout(0.0),
                        fb.Dense(width, units), loss="cross_entropy", dtype=dtype, **options)
    rng = np.random.default_rng(5)
    net.layers[1].gamma[:], net.layers[1].beta[:] = rng.uniform(0.5, 2, width), rng.normal(size=width)
    return net


def alone(width, loss="mse", dtype="float64", **settings):
    return fb.Sequential(fb.LayerNorm(width, **settings), loss=loss, dtype=dtype)


def twin(net):
    """The reference of such a network."""
    made = {"dense": lambda layer: reference.Dense(layer.inputs, layer.units, layer.activation, layer.l1, layer.l2),
            "dropout": lambda layer: reference.Dropout(layer.rate),
            "layer_norm": lambda layer: reference.LayerNorm(layer.width, layer.eps)}
    other = reference.Network([made[layer.kind](layer) for layer in net.layers], net.loss.name, net.loss.param)
    other.params[:] = net.params
    return other


# ---- the numbers -----------------------------------------------------------------------------------------------------


def test_by_hand(dtype, isa):
    """x = (1, 3): mean 2, variance ((-1)^2 + 1^2) / 2 = 1, root sqrt(1 + 3) = 2, so h = (-1, 1) / 2.
    y = (2, 4) h + (1, 1) = (0, 3). From dy = (1, 0): dgamma = dy h = (-1/2, 0), dbeta = (1, 0), d = dy gamma = (2, 0),
    mean d = 1, mean d h = -1/2, dx = ((2, 0) - 1 + h / 2) / 2 = (3, -3) / 8. The second sample is two equal features:
    h = 0, y = beta, and from dy = (0, 1): d = (0, 4), dx = ((0, 4) - 2) / sqrt(3)."""
    net = alone(2, dtype=dtype, eps=3.0)
    net.layers[0].gamma[:], net.layers[0].beta[:] = (2, 4), (1, 1)
    X = [[1, 3], [7, 7]]
    assert net.predict(X).tolist() == [[0, 3], [1, 1]]
    net.forward(X)
    dX = net.backward([[1, 0], [0, 1]])
    assert np.allclose(dX, [[0.375, -0.375], [-2 / 3**0.5, 2 / 3**0.5]], rtol=1e-6 if dtype == "float32" else 1e-15)
    assert net.layers[0].dgamma.tolist() == [-0.5, 0]
    assert net.layers[0].dbeta.tolist() == [1, 1]


@pytest.mark.parametrize("width", [1, 2, 3, 16, 33, 100])
def test_torch_agrees(width):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(width)
    X, T = rng.normal(size=(17, 6)) * 3 + 1, rng.normal(size=(17, 2))
    net = fb.Sequential(fb.Dense(6, width), fb.LayerNorm(width), fb.Dense(width, 2), loss="mse", dtype="float64")
    net.params[:] = rng.normal(size=net.params.size)
    made = torch.nn.Sequential(torch.nn.Linear(6, width), torch.nn.LayerNorm(width), torch.nn.Linear(width, 2)).double()
    first, norm, last = net.layers
    ours = [first.W.T, first.b, norm.gamma, norm.beta, last.W.T, last.b]
    with torch.no_grad():
        for parameter, values in zip(made.parameters(), ours, strict=True):
            parameter.copy_(torch.tensor(np.array(values)))
    x = torch.tensor(X, requires_grad=True)
    loss = torch.nn.functional.mse_loss(made(x), torch.tensor(T))
    loss.backward()
    assert abs(net.loss_and_grad(X, T) - loss.item()) < 1e-10
    grads = [first.dW.T, first.db, norm.dgamma, norm.dbeta, last.dW.T, last.db]
    for parameter, gradient in zip(made.parameters(), grads, strict=True):
        assert np.abs(parameter.grad.numpy() - gradient).max() < 1e-10
    dX = net.backward(2 * (net.forward(X) - T) / T.size)
    assert np.abs(x.grad.numpy() - dX).max() < 1e-10


@pytest.mark.parametrize(("widths", "batch"), [
    ((4, 5, 3), 1), ((4, 5, 3), 30), ((60, 48, 10), 256), ((520, 24, 10), 100), ((90, 600, 10), 128), ((8, 1, 2), 9),
], ids=str)
def test_the_reference_agrees_in_each_scheme(widths, batch, dtype, isa, tolerance, rng):
    """tiny, slices, shares and tiles; each ISA and dtype."""
    X, y = rng.normal(size=(batch, widths[0])).astype(dtype), rng.integers(widths[-1], size=batch)
    net = network(dtype, widths, seed=2)
    other = twin(net)
    assert net.loss_and_grad(X, y) == pytest.approx(other.loss_and_grad(X, y), rel=tolerance)
    assert np.abs(net.grads - other.grads).max() < tolerance * max(1, np.abs(other.grads).max())
    Y = other.forward(X)
    assert np.abs(net.forward(X) - Y).max() < tolerance * np.abs(Y).max()


def test_threads_change_no_bit(dtype):
    def trained(threads, widths):
        cpu.set_threads(threads)
        net = network(dtype, widths)
        rng = np.random.default_rng(0)
        net.fit(rng.normal(size=(200, widths[0])), rng.integers(widths[-1], size=200), epochs=2, optimizer=fb.Adam())
        return net.params.tobytes()

    try:
        for widths in ((60, 48, 10), (90, 600, 10)):
            assert len({trained(threads, widths) for threads in (1, 2, 3)}) == 1
    finally:
        cpu.set_threads(None)


def test_samples_do_not_depend_on_each_other():
    net = network("float32")
    Y = net.predict(X)
    assert net.predict(X[7:8]).tobytes() == Y[7:8].tobytes()
    assert net.forward(X[:1]).shape == (1, 3)


def test_features_that_are_equal_have_no_slope_that_is_not_finite(dtype):
    net = alone(3, dtype=dtype, eps=1e-30)
    net.layers[0].beta[:] = 1, 2, 3
    assert net.predict([[5, 5, 5]]).tolist() == [[1, 2, 3]]
    net.forward([[5, 5, 5], [0, 0, 0]])
    assert np.isfinite(net.backward(np.ones((2, 3)))).all()
    assert np.isfinite(net.per_example_grads([[5, 5, 5]], [[0, 0, 0]])).all()


def test_one_feature_is_beta():
    net = alone(1)
    net.layers[0].gamma[:], net.layers[0].beta[:] = 3, 2
    assert net.predict([[5.0], [-7.0]]).tolist() == [[2], [2]]
    net.forward([[5.0], [-7.0]])
    assert net.backward([[1.0], [1.0]]).tolist() == [[0], [0]]
    assert (net.layers[0].dgamma.tolist(), net.layers[0].dbeta.tolist()) == ([0], [2])


# ---- with everything -------------------------------------------------------------------------------------------------


def test_it_begins_as_standardisation():
    layer = alone(4).layers[0]
    assert (layer.gamma.tolist(), layer.beta.tolist()) == ([1] * 4, [0] * 4)
    Y = alone(4, eps=1e-12).predict(X)
    assert np.allclose(Y.mean(1), 0, atol=1e-12) and np.allclose(Y.std(1), 1)


def test_what_follows_it_begins_as_if_its_inputs_were_data():
    """Three layers deep or not: what it takes is standardised."""
    net = fb.Sequential(fb.Dense(400, 400, "tanh"), fb.Dense(400, 400, "tanh"), fb.LayerNorm(400),
                        fb.Dense(400, 400, "tanh"), fb.Dense(400, 400, "tanh"))
    bounds = [400 * np.abs(layer.W).max() ** 2 for layer in net.layers if layer.kind == "dense"]
    assert bounds == pytest.approx([1, 1.5, 1, 1.5], rel=0.02)
    x = g.input("x", 400)
    loose = [copy.copy(layer.copy()) for layer in net.layers]
    y = x
    for layer in loose:
        y = layer(y)
    assert g.compile(g.mean(y)).params.tobytes() == net.params.tobytes()


def test_gradcheck():
    assert fb.gradcheck(network(), X, LABELS).max_error < 1e-6
    assert fb.gradcheck(alone(4), X, X[::-1]).max_error < 1e-6


def test_gradients_of_single_samples(dtype):
    net = network(dtype)
    rows = net.per_example_grads(X, LABELS)
    scale = 1e-5 if dtype == "float32" else 1e-13
    for i in (0, 13, 29):
        net.loss_and_grad(X[i : i + 1], LABELS[i : i + 1])
        assert np.allclose(rows[i], net.grads, rtol=0, atol=scale)
    assert np.allclose(net.per_example_grad_norms(X, LABELS), np.linalg.norm(rows, axis=1), rtol=scale)


def test_fit_is_fit_many_and_the_loop_by_hand(dtype):
    nets = [network(dtype) for _ in range(3)]
    history = nets[0].fit(X, LABELS, epochs=30, batch_size=8, optimizer=fb.Adam(0.01), validation_split=0.2)
    assert history.history["loss"][-1] < 0.9 * history.history["loss"][0]
    fb.fit_many(nets[1:2], X[:24], LABELS[:24], epochs=30, batch_size=8, optimizers=fb.Adam(0.01))
    adam = fb.Adam(0.01)
    for epoch in range(30):
        for xb, yb in fb.batches(X[:24].astype(dtype), LABELS[:24], 8, seed=epoch):
            nets[2].loss_and_grad(xb, yb)
            adam.step(nets[2])
    assert nets[0].params.tobytes() == nets[1].params.tobytes() == nets[2].params.tobytes()


def test_files_and_copies(dtype):
    net, file = network(dtype), io.BytesIO()
    net.save(file)
    file.seek(0)
    for again in (fb.load(file), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert repr(again) == repr(net) and again.params.tobytes() == net.params.tobytes()
    assert net.config()["layers"][1] == {"kind": "layer_norm", "width": 5, "eps": 1e-3}


@pytest.mark.parametrize(("changes", "told"), [
    ({"width": 6}, r"layers\[1\].width is 6; the layer before it has 5 units"),
    ({"width": 0}, r"layers\[1\].width is a number; expected a whole number from 1"),
    ({"eps": 0.0}, r"layers\[1\].eps is a number; expected 1e-30 <= eps <= 1e\+30"),
    ({"eps": None}, r"layers\[1\].eps is null; expected a finite number"),
    ({"gamma": 1.0}, r"layers\[1\] has 1 unknown key; expected exactly kind, width, eps"),
])
def test_a_file_that_says_something_else_is_refused(changes, told):
    config = {"format": 1, **network().config()}
    config["layers"][1].update(changes)
    with pytest.raises(ValueError, match=told):
        Schema().config(config)


def test_a_file_of_a_width_beyond_any_memory_is_refused_by_its_tensor(tmp_path):
    net, path = alone(2, dtype="float32"), tmp_path / "net.safetensors"
    config = net.config()
    config["layers"][0]["width"] = 2**31
    serialization.write_network(config, net.params, path)
    with pytest.raises(ValueError, match=r"parameters have shape \[4\]; the layers described need \[4294967296\]"):
        fb.load(path)


def test_expressions(dtype):
    net, x, t = network(dtype), g.input("x", 4), g.input("t", integer=True)
    plan = g.compile(g.cross_entropy(net(x), t), {"y": net(x)}, dtype=dtype)
    assert list(plan.parameters) == ["layer0.W", "layer0.b", "layer1.gamma", "layer1.beta", "layer2.W", "layer2.b"]
    assert plan.loss_and_grad(x=X.astype(dtype), t=LABELS)[0] == net.loss_and_grad(X.astype(dtype), LABELS)
    assert plan.grads.tobytes() == net.grads.tobytes()
    plan.fit({"x": X, "t": LABELS}, epochs=3, optimizer=fb.Adam())
    plan.write_to(net)
    assert net.params.tobytes() == plan.params.tobytes()
    rows = plan.per_example_grads(x=X, t=LABELS)
    assert np.allclose(rows, net.per_example_grads(X, LABELS), rtol=0, atol=1e-6)


def test_the_second_derivative():
    layer, x = fb.LayerNorm(4), g.input("x", 4)
    plan = g.compile(g.mean(g.tanh(layer(g.dense(x, g.parameter("A", (4, 4))))) ** 2), dtype="float64", seed=1)
    v, step, at = np.random.default_rng(0).normal(size=plan.params.size), 1e-6, plan.params.copy()
    slopes = []
    for sign in (1, -1):
        plan.params[:] = at + sign * step * v
        plan.loss_and_grad(x=X)
        slopes.append(plan.grads.copy())
    plan.params[:] = at
    assert np.allclose(plan.hvp(v, x=X), (slopes[0] - slopes[1]) / (2 * step), atol=1e-7)


def test_bytes_dropout_and_the_first_place(dtype):
    """A LayerNorm that reads the data, as they are and shuffled; dropout behind it."""
    pixels = np.random.default_rng(3).integers(0, 256, (40, 6)).astype("uint8")
    made = [fb.Sequential(fb.LayerNorm(6), fb.Dropout(0.25), fb.Dense(6, 3), loss="cross_entropy", dtype=dtype,
                          input_scale=1 / 255) for _ in range(2)]
    for net, data in zip(made, (pixels, pixels.astype(dtype)), strict=True):
        net.fit(data, np.arange(40) % 3, epochs=4, batch_size=16, optimizer=fb.SGD(0.1))
    assert made[0].params.tobytes() == made[1].params.tobytes()
    dX = made[0].backward(np.ones_like(made[0].forward(pixels)))
    assert dX.shape == (40, 6) and np.isfinite(dX).all()


def test_what_is_not_finite_is_found_behind_it():
    net = network("float32")
    net.layers[1].gamma[:] = 3e38
    with pytest.raises(FloatingPointError, match=r"at the output of layer 1 \(LayerNorm\(5, eps=0.001\)\), of inputs up"
                                                 r" to .* and weights up to 3e\+38"):
        net.loss_and_grad(X.astype("float32"), LABELS)


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "error", "told"), [
    (lambda: fb.LayerNorm(0), ValueError, "width is 0, expected an integer >= 1; choose width"),
    (lambda: fb.LayerNorm(4.0), TypeError, r"width is 4.0 \(float\), expected an integer >= 1; write it as an int"),
    (lambda: fb.LayerNorm(4, eps=0), ValueError, r"eps is 0, expected a finite number >= 1e-30 and <= 1e\+30; choose"),
    (lambda: fb.LayerNorm(4, eps=np.nan), ValueError, "eps is nan, expected a finite number"),
    (lambda: fb.LayerNorm(4, eps="small"), TypeError, "eps is 'small', expected a finite number"),
    (lambda: fb.Sequential(fb.Dense(3, 4), fb.LayerNorm(5), fb.Dense(5, 1)), ValueError,
     r"layers\[1\] takes 5 inputs, expected 4, the units of the layer before it; make it LayerNorm\(4\)"),
    (lambda: fb.Sequential(fb.Dense(3, 4), fb.LayerNorm(4), fb.Dense(5, 1)), ValueError,
     r"layers\[2\] takes 5 inputs, expected 4, the units of the layer before it; make it Dense\(4, 1\)"),
    (lambda: fb.Sequential(fb.Dense(3, 4, "softmax"), fb.LayerNorm(4)), ValueError,
     r"layers\[0\] has activation 'softmax', expected it in the last layer only"),
    (lambda: fb.LayerNorm(3)(g.input("x", 4)), ValueError,
     r"layer LayerNorm\(3\) is called on <data 'x' \(batch, 4\)>.*expected a node of shape \(batch, 3\)"),
])
def test_refused(make, error, told):
    with pytest.raises(error, match=told):
        make()


def test_it_stores_and_describes_itself():
    layer = fb.LayerNorm(np.int64(4), eps=1e-6)
    assert repr(layer) == repr(layer.copy()) == "LayerNorm(4, eps=1e-06)" and repr(fb.LayerNorm(4)) == "LayerNorm(4)"
    assert (layer.width, layer.inputs, layer.units, layer.size, layer.gamma, layer.dbeta) == (4, 4, 4, 8, None, None)
    bound = alone(4).layers[0]
    with pytest.raises(AttributeError, match=r"gamma of a network's layer cannot be replaced .*layer.gamma\[:\] = "):
        bound.gamma = 1
    with pytest.raises(AttributeError, match="eps of a network's layer cannot be replaced"):
        bound.eps = 1
