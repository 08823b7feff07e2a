"""fastbp/_models/per_sample.py: gradients of single samples, against loops over batches of one and against
differences."""

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import Use
from fastbp._core import cpu
from fastbp._models import network_programs, per_sample
from fastbp.losses import LOSSES

WIDTHS = {"tiny": (5, 7, 3), "batch-parallel": (60, 48, 10), "tile-parallel": (90, 300, 310, 10), "a column": (1, 1, 2)}
DIFFERENT = {"float32": 2e-6, "float64": 1e-14}  # of the largest number: penalties are added in another order


def made(widths, n, loss="squared_error", labels=False, **options):
    """A network, and n samples for it."""
    rng = np.random.default_rng(len(widths) + n)
    net = fb.mlp(*widths, loss=loss, seed=2, **{"activation": "tanh", **options})
    X = rng.standard_normal((n, widths[0]))
    y = rng.integers(0, widths[-1], n) if labels else rng.random((n, widths[-1]))
    return net, X, y


def one_by_one(net, X, y, weights=None):
    """(n, P): `loss_and_grad` of each sample."""
    rows = np.empty((len(X), net.params.size), net.dtype)
    for i in range(len(X)):
        net.loss_and_grad(X[i : i + 1], y[i : i + 1], None if weights is None else weights[i : i + 1])
        rows[i] = net.grads
    return rows


def lengths(rows):
    return np.linalg.norm(rows.astype("float64"), axis=1)


# ---- networks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", WIDTHS)
def test_a_row_is_the_gradient_of_a_batch_of_one_to_the_bit(size, dtype, threads):
    net, X, y = made(WIDTHS[size], 67, dtype=dtype)
    assert np.array_equal(net.per_example_grads(X, y), one_by_one(net, X, y))


TARGETS = [(name, False) for name in LOSSES]
TARGETS += [(name, True) for name, loss in LOSSES.items() if loss.takes_labels or loss.one_hot]


@pytest.mark.parametrize(("loss", "labels"), TARGETS)
@pytest.mark.parametrize("penalties", [{}, {"l1": 0.03}, {"l2": 0.02}, {"l1": 0.01, "l2": 0.05}])
def test_every_loss_with_weights_and_penalties(loss, labels, penalties, dtype):
    net, X, y = made((6, 8, 3), 20, loss, labels, dtype=dtype, **penalties)
    weights = np.random.default_rng(0).random(20) * 3
    for given_weights in (None, weights):
        rows = one_by_one(net, X, y, given_weights)
        found = net.per_example_grads(X, y, sample_weight=given_weights)
        assert found.dtype == dtype
        assert np.abs(found - rows).max() <= DIFFERENT[dtype] * np.abs(rows).max()
        norms = net.per_example_grad_norms(X, y, sample_weight=given_weights)
        assert norms.shape == (20,) and norms.dtype == dtype
        assert np.abs(norms - lengths(rows)).max() <= DIFFERENT[dtype] * lengths(rows).max()


@pytest.mark.parametrize("activation", [name for name in cpu.activations() if name != "softmax"])
def test_every_activation(activation, dtype):
    net, X, y = made((6, 8, 3), 9, activation=activation, dtype=dtype)
    assert np.array_equal(net.per_example_grads(X, y), one_by_one(net, X, y))


def test_rows_and_norms_on_every_isa(isa, dtype):
    net, X, y = made((13, 21, 5), 40, "cross_entropy", True, l2=0.01, dtype=dtype)
    rows = one_by_one(net, X, y)
    assert np.abs(net.per_example_grads(X, y) - rows).max() <= DIFFERENT[dtype] * np.abs(rows).max()
    assert np.allclose(net.per_example_grad_norms(X, y), lengths(rows), rtol=DIFFERENT[dtype])


def test_rows_are_central_differences_of_one_samples_loss():
    net, X, y = made((4, 5, 3), 6, "cross_entropy", True, dtype="float64", l1=0.01, l2=0.02)
    rows, h = net.per_example_grads(X, y), 1e-6
    start = net.params.copy()
    for j in range(start.size):
        either = []
        for step in (h, -h):
            net.params[:] = start
            net.params[j] += step
            either.append([net.evaluate(X[i : i + 1], y[i : i + 1])["loss"] for i in range(6)])
        differences = np.subtract(*either) / (2 * h)
        assert np.abs(differences - rows[:, j]).max() < 1e-6 * max(1, np.abs(rows).max())


def test_the_mean_of_the_rows_is_the_gradient_of_the_batch(dtype):
    net, X, y = made((6, 8, 3), 32, "mse", dtype=dtype, l1=0.01, l2=0.02)
    weights = np.linspace(0, 2, 32)
    rows = net.per_example_grads(X, y, weights)
    net.loss_and_grad(X, y, weights)
    assert np.abs(rows.mean(0, dtype="float64") - net.grads).max() <= DIFFERENT[dtype] * np.abs(rows).max()


@pytest.mark.parametrize("size", ["batch-parallel", "tile-parallel"])
def test_bits_do_not_depend_on_threads_or_on_the_other_samples(size, dtype):
    """More samples than one plan takes, in several slices; a sample alone, and at another place."""
    net, X, y = made(WIDTHS[size], 300 if size == "tile-parallel" else per_sample.ROWS + 77, dtype=dtype, l2=0.01)
    found = []
    for count in (1, 2, 3):
        cpu.set_threads(count)
        found.append((net.per_example_grads(X, y), net.per_example_grad_norms(X, y)))
    cpu.set_threads(None)
    for rows, norms in found[1:]:
        assert np.array_equal(rows, found[0][0])
        assert np.array_equal(norms, found[0][1])
    for part in (slice(0, 1), slice(41, 60), slice(len(X) - 3, None)):
        assert np.array_equal(net.per_example_grads(X[part], y[part]), found[0][0][part])
        assert np.array_equal(net.per_example_grad_norms(X[part], y[part]), found[0][1][part])


def test_dropout_is_off_and_nothing_else_is_touched():
    layers = [fb.Dense(6, 8, "relu"), fb.Dropout(0.5), fb.Dense(8, 3)]
    net, X, y = made((6, 8, 3), 10, activation="relu")
    dropping = fb.Sequential(*layers)
    dropping.params[:] = net.params
    dropping.grads[:] = 7
    assert np.array_equal(dropping.per_example_grads(X, y), net.per_example_grads(X, y))
    assert np.array_equal(dropping.per_example_grad_norms(X, y), net.per_example_grad_norms(X, y))
    assert (dropping.grads == 7).all() and np.array_equal(dropping.params, net.params)
    assert dropping._draws == 0


def test_norms_need_the_memory_of_a_chunk():
    net, X, y = made((100, 900, 10), 12000, l2=0.01)
    net.per_example_grad_norms(X, y)
    X, y = X.astype("float32"), y.astype("float32")
    tracemalloc.start()
    net._plans.idle.clear()  # the plans' memory counts, too
    net.per_example_grad_norms(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6 < 12000 * net.params.size * 4 / 20


def test_norms_of_dense_networks_make_no_gradient():
    net, _, _ = made((6, 8, 3), 1, l1=0.1, l2=0.1)
    assert "outer" not in operations(net, per_sample.NORMS)
    assert operations(net, per_sample.GRADIENTS).count("outer") == 2


def operations(net, kind):
    return [operation.name for operation in network_programs.program(net, Use(kind, 16)).operations]


def test_norms_of_nothing_are_zero_and_never_nan(dtype):
    net, X, _ = made((6, 8, 3), 10, dtype=dtype)
    assert (net.per_example_grad_norms(X, net.predict(X)) == 0).all()
    single = fb.Sequential(fb.Dense(1, 1, l2=0.3, init=[[0.7]], bias_init="zeros"), dtype=dtype)
    x = np.linspace(0.5, 2, 50).reshape(-1, 1)
    wx = single.layers[0].W[0, 0] * x.astype(dtype)
    target = wx + 0.3 * single.layers[0].W[0, 0] / x.astype(dtype)  # the penalty takes back the gradient of W
    norms = single.per_example_grad_norms(x, target)
    assert np.allclose(norms, np.abs(2 * (wx - target))[:, 0], rtol={"float32": 1e-3, "float64": 1e-7}[dtype])


def test_several_threads_of_python_at_once():
    net, X, y = made(WIDTHS["batch-parallel"], 500)
    rows, norms = net.per_example_grads(X, y), net.per_example_grad_norms(X, y)
    right = []

    def ask():
        for _ in range(5):
            right.append(np.array_equal(net.per_example_grads(X, y), rows))
            right.append(np.array_equal(net.per_example_grad_norms(X, y), norms))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert right == [True] * 30


BAD = [
    ({"X": np.ones((4, 5))}, ValueError, r"X has shape \(4, 5\), expected \(n, 6\)"),
    ({"X": np.full((4, 6), np.nan)}, ValueError, r"X\[0, 0\] is nan"),
    ({"X": np.ones((0, 6)), "y": []}, ValueError, "X is empty"),
    ({"y": [0, 1, 2]}, ValueError, "y has 3 rows"),
    ({"y": [0, 1, 2, 3]}, ValueError, r"y\[3\] is 3, expected labels 0 .. 2"),
    ({"y": ["a", "b", "c", "d"]}, TypeError, "y has dtype"),
    ({"sample_weight": [1, 2]}, ValueError, r"sample_weight has shape \(2,\), expected \(4,\)"),
    ({"sample_weight": [1, 2, 3, -1]}, ValueError, r"sample_weight\[3\] is -1"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
@pytest.mark.parametrize("method", ["per_example_grads", "per_example_grad_norms"])
def test_bad_input_is_refused_as_by_loss_and_grad(method, change, error, message):
    net, _, _ = made((6, 8, 3), 4, "cross_entropy")
    arguments = {"X": np.ones((4, 6)), "y": [0, 1, 2, 0], **change}
    for call in (net.loss_and_grad, getattr(net, method)):
        with pytest.raises(error, match=message):
            call(**arguments)


@pytest.mark.parametrize("method", ["per_example_grads", "per_example_grad_norms"])
def test_what_is_not_finite_is_named(method):
    net, X, y = made((6, 8, 3), 5)
    X[3] = 1e30
    y[3] = 3e38
    with pytest.raises(FloatingPointError, match="sample 3 is not finite in float32"):
        getattr(net, method)(X, y)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(1, 40), st.sampled_from(["float32", "float64"]),
    st.sampled_from([0.0, 0.1]),
)  # fmt: skip
def test_any_network(widths, n, dtype, l2):
    net, X, y = made(widths, n, "mse", dtype=dtype, l2=l2)
    rows = one_by_one(net, X, y)
    largest = np.abs(rows).max()
    assert np.abs(net.per_example_grads(X, y) - rows).max() <= DIFFERENT[dtype] * largest
    most = lengths(rows).max()
    assert np.abs(net.per_example_grad_norms(X, y) - lengths(rows)).max() <= 4 * DIFFERENT[dtype] * most


# ---- expressions ---------------------------------------------------------------------------------------------------

x, t, X5, T5, label = g.input("x"), g.input("t"), g.input("X", 5), g.input("T", 5), g.input("label", integer=True)
s, k, W, b, V = (g.parameter(name, shape) for name, shape in zip("skWbV", [(), 6, (5, 5), 5, (5, 4)], strict=True))
twice = g.dense(g.dense(X5, W, b, "tanh"), W, b, "tanh")
thrice = g.dense(twice, W, b)
P, Q = g.parameter("P", (1, 4)), g.parameter("Q", (4, 1))
layer = fb.Dense(5, 5, "relu", l1=0.1, l2=0.2)
slope = g.grad(g.dense(g.dense(x, P, g.parameter("p", 4), "tanh"), Q), x)
EXPRESSIONS = {
    "a curve": g.mean((g.sum(k[i] * x**i for i in range(6)) - t) ** 2),
    "a sum, not a mean": g.sum((s * x - t) ** 2),
    "a number": g.mean((s * x - t) ** 2) + 0.1 * s * s,
    "a loss within": g.exp(g.mean((s * x - t) ** 2)) * s,
    "a named loss within": g.log(1 + g.mse(g.dense(X5, W, b), T5)),
    "a mean within": g.mean(g.square(X5 * b - g.mean(X5 * b, axis=0) * s + t)),
    "a layer used twice": g.mse(twice, T5) + 0.1 * g.sum(W * W),
    "a layer used three times": g.mse(thrice, T5) + 0.1 * g.sum(g.abs(W)),
    "labels": g.cross_entropy(X5 @ V, label),
    "weights": g.cross_entropy(X5 @ V, label, weights=x * x),
    "a part of a matrix": g.mse(X5 @ V[:, 1:3], T5[:, :2]),
    "one gradient of two": g.mse(X5 @ (V[:, :3] + g.parameter("U", (5, 3))), T5[:, :3]),
    "both gradients one": g.mse(X5 @ (W + g.parameter("N", (5, 5))), T5),
    "a matrix times itself": g.mse(X5 @ (W * W), T5),
    "a row of a matrix": g.mean(g.square(X5 * b + W[0])),
    "a matrix elementwise": g.mean(g.square(g.reshape(X5[:, :4], (2, 2)) * g.reshape(V[:, 0][:4], (2, 2))[0])),
    "a row beside rows": g.mean(g.square(g.reshape(X5[:, :4], (2, 2)) + g.parameter("A", (1, 2)))),
    "softmax": g.mean(g.softmax(X5 * b) * W[1]),
    "no sample": g.sum(W * W) * s + g.mean(x),
    "penalties of a layer": g.mse(layer(X5), T5),
    "a derivative": g.mean(g.square(slope - t)),
    "side by side": g.mse(g.dense(g.concat([X5, X5 * s]), g.parameter("C", (10, 5))), T5),
    "a frozen mean within": g.mean(g.square(X5 * b - g.logsumexp(g.freeze(g.mean(X5 * b, axis=0))))),
    "logsumexp": g.mean(g.logsumexp(X5 * b + W[2])) + g.logsumexp(b)[0],
}


def expression_data(plan, n):
    rng = np.random.default_rng(5)
    given = {name: rng.standard_normal((n, {"X": 5, "T": 5}.get(name, 1))) for name in plan.inputs}
    if "label" in given:
        given["label"] = rng.integers(0, 4, n)
    plan.params[:] = rng.standard_normal(plan.params.size) / 3
    return given


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_rows_of_an_expression_are_those_of_single_samples(name, threads):
    plan = g.compile(EXPRESSIONS[name], dtype="float64")
    given = expression_data(plan, 23)
    rows = []
    for i in range(23):
        plan.loss_and_grad(**{name: array[i : i + 1] for name, array in given.items()})
        rows.append(plan.grads.copy())
    rows = np.array(rows)
    found = plan.per_example_grads(**given)
    assert found.shape == rows.shape
    assert np.abs(found - rows).max() <= 1e-14 * np.abs(rows).max()
    norms = plan.per_example_grad_norms(**given)
    assert np.abs(norms - lengths(rows)).max() <= 1e-14 * lengths(rows).max()


def test_products_of_a_sample_are_added_in_place():
    """A layer used twice: a matrix for each sample is made where it is wanted, and nowhere else."""
    wide = g.input("wide", 270)
    M = g.parameter("M", (270, 270))  # large enough for values of the whole batch
    plan = g.compile(g.mse(g.dense(g.dense(wide, M), M), wide) + g.sum(g.abs(M)))
    compiled = plan._make_plan(Use(per_sample.GRADIENTS, 64, threads=1)).executable
    assert compiled.nbytes < 16 * M.size * 4


def test_a_gradient_that_a_penalty_takes_back_has_a_norm(dtype):
    """x dz + R = 0 but for rounding, and so is the sum of squares, which may come out below 0."""
    one = g.parameter("one", (1, 1), init=[[0.7]])
    plan = g.compile(g.mean(g.square(x @ one - t)) + 0.3 * g.sum(one * one), dtype=dtype)
    xs = np.linspace(0.5, 2, 200)
    norms = plan.per_example_grad_norms(x=xs, t=0.7 * xs + 0.3 * 0.7 / xs)
    assert norms.max() < {"float32": 1e-3, "float64": 1e-7}[dtype]


def test_what_is_not_trained_has_no_gradient():
    plan = g.compile(g.mse(g.dense(X5, g.freeze(W), b), T5), dtype="float64")
    given = expression_data(plan, 4)
    rows = plan.per_example_grads(**given)
    begin = plan._offsets[plan._names["W"]]
    assert (rows[:, begin : begin + 25] == 0).all()
    plan.loss_and_grad(**given)
    assert np.allclose(rows.mean(0), plan.grads)


REFUSED = {
    "matmul": g.mse(X5 @ (W @ V)[:, :3], T5[:, :3]),
    "scatter": g.mse(g.gather(V, label), T5[:, :4]),
    "multiply": g.mse(X5 @ (W * W[:, :1]), T5),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("method", ["per_example_grads", "per_example_grad_norms"])
def test_an_expression_that_cannot_is_refused(name, method):
    plan = g.compile(REFUSED[name])
    with pytest.raises(ValueError, match=f"goes through <{name} .*expected parameters in dense products"):
        getattr(plan, method)(**expression_data(plan, 4))


def test_a_graph_without_parameters_has_rows_without_numbers():
    plan = g.compile(g.mean(g.square(x)))
    assert plan.per_example_grads(x=[1.0, 2.0]).shape == (2, 0)
    assert plan.per_example_grad_norms(x=[1.0, 2.0]).tolist() == [0, 0]


def test_no_input_is_called_as_a_result():
    """Names of inputs are words."""
    for kind in per_sample.KINDS:
        for name in per_sample.results(kind, {s: g.grad(g.mean(s * x), s)}).values():
            assert not isinstance(name, str)


def test_inputs_of_an_expression_are_checked():
    plan = g.compile(EXPRESSIONS["a number"])
    with pytest.raises(ValueError, match="input 't' is missing"):
        plan.per_example_grads(x=[1.0])
    with pytest.raises(ValueError, match="input 't' has 1 rows, expected 2"):
        plan.per_example_grad_norms(x=[1.0, 2.0], t=[1.0])
