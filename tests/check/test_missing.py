"""Targets that are missing: with missing="ignore" they add nothing to the loss nor to the gradient, on every path; no
other loss takes them."""

import io
import math
import pickle

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, bits

import fastbp as fb
from fastbp import _check as check
from fastbp import graph as g
from fastbp.reference import kernels

KINDS = ["SquaredError", "HalfSquaredError", "MSE", "MAE", "Huber", "Quantile", "Poisson", "BinaryCrossEntropy"]
SETTINGS = {"Huber": {"delta": 0.6}, "Quantile": {"q": 0.3}}
RNG = np.random.default_rng(5)
GAPS = RNG.random((N, UNITS)) < 0.3
GAPS[7] = GAPS[40:] = True  # a row of nothing else, and the last batch
X = RNG.standard_normal((N, INPUTS))


def ignoring(kind):
    return getattr(fb.losses, kind)(**SETTINGS.get(kind, {}), missing="ignore")


def targets(kind, units=UNITS):
    y = np.random.default_rng(6).standard_normal((N, units))  # the same, whatever was drawn before
    y = np.abs(y).round() if kind == "Poisson" else (y > 0) * 1.0 if kind == "BinaryCrossEntropy" else y
    y[GAPS[:, :units]] = np.nan
    return y


def made(kind, dtype="float64", units=UNITS, **options):
    return fb.mlp(INPUTS, 8, units, activation="tanh", loss=ignoring(kind), dtype=dtype, seed=4, **options)


def by_hand(net, X, y, w=None):
    """The loss, by the reference: what is missing is left out, what the sum is divided by is not."""
    outputs = net.forward(X).astype(float)
    there, loss = ~np.isnan(y), net.loss
    w, scale = np.ones(len(y)) if w is None else w, loss.scale(*y.shape)
    function = getattr(kernels, f"{loss.row}_loss")
    cells = [(i, j) for i, j in zip(*np.nonzero(there), strict=True)]
    return sum(function(outputs[i : i + 1, j : j + 1], y[i : i + 1, j : j + 1], w[i : i + 1], scale, loss.param)[0]
               for i, j in cells)  # fmt: skip


# ---- what it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_what_is_there(kind, isa, dtype, threads):
    net, y, w = made(kind, dtype, l2=0.01), targets(kind), np.linspace(0, 2, N)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    penalty = 0.01 * sum(float((layer.W.astype(float) ** 2).sum()) for layer in net.layers)
    for weights in (None, w):
        expected = by_hand(net, X, y, weights) + penalty
        assert net.loss_and_grad(X, y, weights) == pytest.approx(expected, rel=tolerance)
        assert net.evaluate(X, y, weights)["loss"] == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_central_differences(kind, isa, threads):
    assert fb.gradcheck(made(kind), X, targets(kind)).max_error < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_without_gaps_it_has_the_bits_of_the_loss_without(kind, isa, dtype):
    y, nets = np.where(np.isnan(full := targets(kind)), 1.0, full), [made(kind, dtype)]
    plain = getattr(fb.losses, kind)(**SETTINGS.get(kind, {}))
    nets.append(fb.mlp(INPUTS, 8, UNITS, activation="tanh", loss=plain, dtype=dtype, seed=4))
    histories = [net.fit(X, y, epochs=2, batch_size=16, validation_split=0.2).history for net in nets]
    assert bits(nets[0]) == bits(nets[1])
    assert histories[0]["val_loss"] == histories[1]["val_loss"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_miss_everything_are_rows_of_weight_0(kind, dtype):
    net, y = made(kind, dtype), targets(kind)
    loss, grads = net.loss_and_grad(X[40:], y[40:]), net.grads.copy()
    assert (loss, grads.any(), net.evaluate(X[40:], y[40:])["loss"]) == (0.0, False, 0.0)
    y[np.isnan(y)] = 1.0
    holed, w = y.copy(), np.ones(N)
    holed[::3], w[::3] = np.nan, 0
    one, grads = net.loss_and_grad(X, holed), net.grads.copy()
    assert net.loss_and_grad(X, y, w) == pytest.approx(one, rel=1e-6)
    assert np.allclose(net.grads, grads, rtol=1e-5, atol=1e-7)


def test_what_is_missing_does_not_matter_whatever_the_output_is():
    net = fb.mlp(1, 2, activation="linear", loss=ignoring("MSE"), dtype="float32")
    net.params[:] = [3e38, 1, 0, 0]
    assert net.loss_and_grad([[2.0]], [[np.nan, 1.0]]) == 0.5
    assert np.isfinite(net.grads).all()
    assert math.isinf(float(net.predict([[2.0]])[0, 0]))


# ---- every path ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(8,), (300, 270)], ids=["batch-parallel", "tile-parallel"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_is_the_loop_by_hand_for_any_number_of_threads(dtype, hidden):
    y, w, found = targets("MSE"), np.linspace(0, 2, N), set()

    def new():
        return fb.mlp(INPUTS, *hidden, UNITS, loss=ignoring("MSE"), dtype=dtype, dropout=0.2, seed=4)

    for threads in (1, 2, 3):
        net = new()
        history = net.fit(X, y, epochs=2, batch_size=16, optimizer=fb.Adam(), sample_weight=w, threads=threads)
        found.add((bits(net), tuple(history.history["loss"])))
    hand, optimizer = new(), fb.Adam()
    for epoch in range(2):
        for xb, yb, wb in fb.batches(X, y, 16, seed=4 + epoch, sample_weight=w):
            hand.loss_and_grad(xb, yb, wb)
            optimizer.step(hand)
    many = [new(), new()]
    fb.fit_many(many, X, y, epochs=2, batch_size=16, optimizers=fb.Adam(), sample_weight=w)
    assert {each for each, _ in found} == {bits(hand)} == {bits(net) for net in many}
    assert len(found) == 1
    assert np.isfinite(hand.params).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_single_samples(kind):
    net, y = made(kind), targets(kind)
    rows = net.per_example_grads(X, y)
    assert not rows[7].any()
    assert not rows[40:].any()
    net.loss_and_grad(X, y)
    assert np.allclose(rows.mean(axis=0), net.grads, rtol=1e-12, atol=1e-15)
    for i in (0, 7, 20):
        net.loss_and_grad(X[i : i + 1], y[i : i + 1])
        assert np.allclose(rows[i], net.grads, rtol=1e-12, atol=1e-15)
    assert np.allclose(net.per_example_grad_norms(X, y), np.linalg.norm(rows, axis=1), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_expressions(kind, dtype):
    """A network in an expression has the network's numbers; NaN is for targets of such losses alone."""
    net, y = made(kind, dtype), targets(kind)
    x, t = g.input("x", INPUTS), g.input("t", UNITS)
    plan = g.compile(getattr(g, net.loss.name)(net(x), t, missing="ignore", **SETTINGS.get(kind, {})), dtype=dtype)
    loss = net.loss_and_grad(X, y)
    for given in (y, y.astype(dtype), np.ma.masked_invalid(y)):
        assert plan.loss_and_grad(x=X, t=given)[0] == loss
        assert plan.grads.tobytes() == net.grads.tobytes()
        assert plan.loss(x=X, t=given) == pytest.approx(loss, rel=1e-6)
    plan.fit({"x": X, "t": y}, epochs=2, batch_size=16, seed=4, validation_data={"x": X, "t": y})
    net.fit(X, y, epochs=2, batch_size=16)
    assert plan.params.tobytes() == net.params.tobytes()
    for bad, spoiled in ((np.inf, y.copy()), (1e300 if dtype == "float32" else -np.inf, y.copy())):
        spoiled[0, 0] = bad
        for call in (lambda t: plan.loss(x=X, t=t), lambda t: plan.fit({"x": X, "t": t})):
            with pytest.raises(ValueError, match=r"t\[0, 0\] is .*expected (finite|at most)"):
                call(spoiled)
    with pytest.raises(ValueError, match=r"NaN|nan"):
        plan.fit({"x": np.where(GAPS[:, :1], np.nan, X), "t": y})


def test_what_is_no_target_alone_may_not_be_missing():
    x, t = g.input("x", 2), g.input("t", 2)
    both = g.compile(g.mse(g.parameter("k", 2) * x, t, missing="ignore") + g.mean(t**2))
    with pytest.raises(ValueError, match="input 't' has NaN or infinity in it"):
        both.fit({"x": np.ones((4, 2), "f"), "t": np.full((4, 2), np.nan, "f")})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("MAE", "Quantile", "Huber")])
def test_hessians_of_expressions(kind):
    net, y = made(kind), targets(kind)
    x, t = g.input("x", INPUTS), g.input("t", UNITS)
    plan = g.compile(getattr(g, net.loss.name)(net(x), t, missing="ignore"), dtype="float64")
    v, h, at = np.random.default_rng(1).standard_normal(plan.params.size), 1e-5, plan.params.copy()
    around = []
    for sign in (1, -1):
        plan.params[:] = at + sign * h * v
        plan.loss_and_grad(x=X, t=y)
        around.append(plan.grads.copy())
    plan.params[:] = at
    assert np.allclose(plan.hvp(v, x=X, t=y), (around[0] - around[1]) / (2 * h), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("through", ["pickle", "file", "config"])
def test_it_travels_with_the_network(through):
    net, y, file = made("Huber"), targets("Huber"), io.BytesIO()
    if through == "pickle":
        again = pickle.loads(pickle.dumps(net))
    elif through == "config":
        again = fb.Sequential.from_config(net.config())
        again.params[:] = net.params
    else:
        net.save(file)
        file.seek(0)
        again = fb.load(file)
    assert again.loss == net.loss != fb.losses.Huber(0.6)
    assert repr(again.loss) == "Huber(missing='ignore', delta=0.6)"
    assert again.loss_and_grad(X, y) == net.loss_and_grad(X, y)


def test_what_refuses_is_written_as_ever():
    assert fb.losses.Huber(0.6).config() == {"name": "huber", "delta": 0.6}
    assert fb.losses.MSE().config() == {"name": "mse"}
    assert repr(fb.losses.MSE()) == "MSE()"
    assert fb.losses.MSE(missing="ignore").config() == {"name": "mse", "missing": "ignore"}


# ---- accuracies, classes and metrics ---------------------------------------------------------------------------------


def test_an_accuracy_is_of_the_targets_that_are_there():
    net, y = made("BinaryCrossEntropy"), targets("BinaryCrossEntropy")
    right = ((net.predict(X) > 0.5) == (y > 0.5))[~np.isnan(y)]
    assert net.evaluate(X, y)["accuracy"] == pytest.approx(right.mean())
    assert math.isnan(net.evaluate(X[40:], y[40:])["accuracy"])
    seen = []
    history = net.fit(X, y, epochs=2, optimizer=fb.SGD(lr=0.0), validation_data=(X, y),
                      metrics={"m": lambda y, p: seen.append(y) or np.nan})
    assert history.history["val_accuracy"][-1] == net.evaluate(X, y)["accuracy"] == history.history["accuracy"][-1]
    assert np.array_equal(seen[0], y, equal_nan=True)
    folds = fb.fit_many([made("BinaryCrossEntropy")], X, y, rows=[np.arange(40, N)])
    assert math.isnan(folds[0].history["accuracy"][0])
    with pytest.raises(ValueError, match=r"y.*is nan"):  # of the same loss, beside it, which refuses
        fb.fit_many([net, fb.mlp(INPUTS, UNITS, loss="binary_cross_entropy", dtype="float64")], X, y)


def test_one_hot_rows_may_be_missing_as_a_whole():
    labels = np.arange(N) % UNITS
    y = np.eye(UNITS)[labels]
    y[::3] = np.nan
    net = made("MSE")
    there = np.arange(N) % 3 != 0
    assert net.evaluate(X, y)["accuracy"] == np.mean((net.predict(X).argmax(1) == labels)[there])
    assert "val_accuracy" in net.fit(X, y, validation_split=0.2).history
    y[1, 0] = np.nan  # a part of a row is no class
    assert "accuracy" not in net.evaluate(X, y)
    assert "accuracy" not in net.evaluate(X, np.full((N, UNITS), np.nan))


def test_weights_of_classes_pass_over_gaps():
    net, y = made("BinaryCrossEntropy", units=1), targets("BinaryCrossEntropy", 1)
    one = net.loss_and_grad(X, y, class_weight={1: 3.0})
    w = np.where(y[:, 0] == 1, 3.0, 1.0)
    assert net.loss_and_grad(X, y, sample_weight=w) == one


@pytest.mark.parametrize("held", [slice(None), slice(35, None), slice(0, 35)])
def test_labels_in_order_and_none(held):
    y = np.repeat([0.0, 1.0], N // 2)
    y[held] = np.nan
    net = made("BinaryCrossEntropy", units=1)
    net.fit(X, y, validation_split=0.3)  # without a warning that could not be
    assert np.isfinite(net.params).all()


# ---- what comes in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda y: y, lambda y: y.astype("f"), lambda y: y.tolist(), np.asfortranarray, lambda y: y.astype(">f8"),
    lambda y: np.ma.masked_invalid(y), lambda y: np.ma.array(np.where(np.isnan(y), 99, y), mask=np.isnan(y)),
    lambda y: y.astype("f2").astype("f2"), lambda y: np.array(y, np.longdouble),
])  # fmt: skip
def test_gaps_of_all_kinds(make):
    y = targets("MSE").astype("f2").astype(float)
    net = made("MSE")
    assert net.loss_and_grad(X, make(y.copy())) == net.loss_and_grad(X, y)
    assert net.evaluate(X, make(y.copy())) == net.evaluate(X, y)
    one = fb.mlp(INPUTS, 1, loss=ignoring("MSE"))
    assert one.loss_and_grad(X, make(y.copy())[:, 0] if not isinstance(make(y.copy()), list) else y[:, 0].tolist()) > 0


def test_masked_integers_are_gaps_as_well():
    y = np.ma.array(np.ones((N, UNITS), int), mask=GAPS)
    holed = np.where(GAPS, np.nan, 1.0)
    net = made("MSE")
    assert net.loss_and_grad(X, y) == net.loss_and_grad(X, holed)
    seen = []
    net.fit(X, y, validation_split=0.2, metrics={"m": lambda y, p: seen.append(y) or 0})
    assert np.array_equal(seen[0], holed[40:], equal_nan=True)


@pytest.mark.parametrize("kind, bad, message", [
    ("MSE", np.inf, r"y\[1, 0\] is inf \(row 1, column 0\), expected finite numbers"),
    ("MSE", -1e300, r"y\[1, 0\] is -1e\+300 .* overflows float32"),
    ("Poisson", -1, r"y\[1, 0\] is -1.0 .*, expected targets >= 0 for poisson"),
    ("BinaryCrossEntropy", 2, r"y\[1, 0\] is 2.0 .*, expected targets in \[0, 1\] for binary_cross_entropy"),
])
def test_what_is_there_must_be_a_target(kind, bad, message):
    net, y = made(kind, "float32"), targets(kind)
    y[1, 0] = bad
    for call in (net.loss_and_grad, net.evaluate, net.per_example_grads, net.fit):
        with pytest.raises(ValueError, match=message):
            call(X, y)


@pytest.mark.parametrize("loss, told", [
    ("mse", r"or have the loss leave out what is missing: loss=fb\.losses\.MSE\(missing='ignore'\)$"),
    (fb.losses.Huber(0.5), r"loss=fb\.losses\.Huber\(delta=0\.5, missing='ignore'\)$"),
    ("cross_entropy", "leave rows without y out$"),
])
def test_a_loss_that_takes_no_gaps_says_which_does(loss, told):
    net = fb.mlp(INPUTS, UNITS, loss=loss)
    y = np.eye(UNITS)[np.zeros(N, int)]
    y[1, 0] = np.nan
    for call in (net.loss_and_grad, net.evaluate, net.fit):
        with pytest.raises(ValueError, match=rf"y\[1, 0\] is nan .*, expected finite numbers; .*{told}"):
            call(X, y)


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", fb.losses.MSE(missing="ignore")])
def test_labels_that_are_missing_are_not_made_integers(loss):
    with pytest.raises(ValueError, match=r"y\[2\] is nan, expected a label for each row; leave rows without one"):
        fb.mlp(INPUTS, UNITS, loss=loss).fit(X[:4], [0, 1, np.nan, 2])


@pytest.mark.parametrize("make, kind, message", [
    (lambda: fb.losses.MSE(missing="skip"), ValueError, "missing is 'skip', expected one of: refuse, ignore; choose"),
    (lambda: fb.losses.MSE(missing=True), TypeError, "missing is True, expected a name"),
    (lambda: fb.losses.CrossEntropy(missing="ignore"), ValueError, "'ignore' with cross_entropy, expected 'refuse'"),
    (lambda: fb.losses.MSE("ignore"), TypeError, "positional"),
])  # fmt: skip
def test_settings_that_are_none(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def test_known_and_there():
    y = np.array([[1, np.nan], [2, 3]], "f")
    assert check.nan_to_zero(y).tolist() == [[1, 0], [2, 3]]
    assert check.nan_to_zero(y).dtype == y.dtype
    assert check.nan_to_zero(y[1:]) is not y
    full = y[1:]
    assert check.nan_to_zero(full) is full
    assert check.complete_rows(y).tolist() == [False, True]
