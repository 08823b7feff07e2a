"""fastbp/_models/expression.py: a compiled expression: its parameters, threads, sizes, memory and sharing."""

import copy
import warnings

import numpy as np
import pytest
from expression_cases import CASES, arrays, leaves, needed
from oracle import agrees, central, close, compiled

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler import partitioning
from fastbp._core import cpu

MANY = 5000  # rows: several slices
DEEP = 100_000  # nodes


def curve(degree=5):
    x, y = g.inputs("x", "y")
    k = g.parameter("k", degree + 1)
    return g.mean((g.sum(k[i] * x**i for i in range(degree + 1)) - y) ** 2)


def points(n, dtype="float64"):
    x = np.linspace(-1, 1, n).astype(dtype)
    return {"x": x, "y": np.sin(3 * x)}


# ---- parameters ----------------------------------------------------------------------------------------------------


def test_parameters_are_views_of_one_vector():
    plan = compiled(g.sum(g.parameter("M", (2, 3))) + g.parameter("b"))
    assert plan.params.shape == (7,)
    for views, vector in ((plan.parameters, plan.params), (plan.gradients, plan.grads)):
        assert {name: view.shape for name, view in views.items()} == {"M": (2, 3), "b": ()}
        assert all(np.shares_memory(view, vector) for view in views.values())
    with pytest.raises(AttributeError, match=r"params of a plan cannot be replaced: .*plan.params\[:\] ="):
        plan.params = np.zeros(7)


def test_initial_values():
    a, b = g.parameter("a", 3, init=[1, 2, 3]), g.parameter("b", init=0.5)
    M, N = g.parameter("M", (30, 20)), g.parameter("N", (2, 2), init="zeros")
    loss = g.sum(a) + b + g.sum(M) + g.sum(N)
    plan = g.compile(loss, seed=3)
    assert plan.parameters["a"].tolist() == [1, 2, 3]
    assert plan.parameters["b"] == 0.5
    assert (plan.parameters["N"] == 0).all()
    assert 0 < np.abs(plan.parameters["M"]).max() <= (6 / 50) ** 0.5  # glorot_uniform
    assert (g.compile(loss, seed=3).params == plan.params).all()
    assert (g.compile(loss, seed=4).params != plan.params).any()


def test_what_init_is_given_is_copied():
    start = np.ones(3)
    a = g.parameter("a", 3, init=start)
    start[:] = 7
    assert g.compile(g.sum(a)).params.tolist() == [1, 1, 1]


def test_a_parameter_that_the_loss_does_not_reach_is_named():
    a, b, c = g.parameter("a"), g.parameter("b"), g.parameter("c")
    with pytest.warns(
        UserWarning, match=r"the loss does not reach b: not trained; leave them out, or freeze them"
    ) as told:
        g.compile(a * a, {"b": b})
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        g.compile(a * g.freeze(c))


def test_frozen_parameters_stay(rng):
    x, a, b = g.input("x"), g.parameter("a", init=0.3), g.parameter("b", init=0.4)
    plan = g.compile(g.mean((x * a * g.freeze(b) - 1) ** 2))
    plan.fit({"x": rng.standard_normal(20)}, epochs=3, optimizer=fb.Adam(), progress=False)
    assert plan.parameters["b"] == np.float32(0.4)
    assert plan.parameters["a"] != np.float32(0.3)


# ---- threads, schemes, sizes ---------------------------------------------------------------------------------------

BITS = {}
WIDE = {"batch-parallel": (20, 30), "tile-parallel": (300, 310)}


def wide(inputs, units):
    """A loss of two matrices and small operations."""
    x = g.input("X", inputs)
    W, b, V = g.parameter("W", (inputs, units)), g.parameter("b", units), g.parameter("V", (units, 3))
    h = g.tanh(x @ (W * 0.3) + b)
    y = g.dense(h, V) + g.mean(h, axis=-1) * b[0:3]
    return g.mean(y * y) + 0.01 * g.sum(W * W) + g.exp(-g.mean(h))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scheme", WIDE)
def test_the_same_bits_for_any_number_of_threads_and_either_way_of_a_call(scheme, dtype, threads):
    plan = compiled(wide(*WIDE[scheme]), dtype, low=-0.2, high=0.2)
    assert (plan.params.nbytes > partitioning.BATCH_PARALLEL_BYTES) == (scheme == "tile-parallel")
    X = (
        np.random.default_rng(0)
        .standard_normal((MANY if scheme == "batch-parallel" else 300, WIDE[scheme][0]))
        .astype(dtype)
    )
    made = []
    for given in (X, X, X[::1].tolist() if scheme == "batch-parallel" and dtype == "float64" else X.astype("float64")):
        value, _ = plan.loss_and_grad(X=given)
        made.append((value, plan.grads.tobytes()))
    assert made[0] == made[1]  # as before, ready to go
    assert made[0] == made[2]  # cast
    assert made[0] == BITS.setdefault((scheme, dtype), made[0])


@pytest.mark.parametrize("op", sorted(set(CASES) - {"dropout", "penalty"}))
def test_many_rows_of_every_operation_have_the_same_bits_for_any_number_of_threads(op, threads):
    for name in CASES[op]:
        loss = CASES[op][name](leaves())
        plan, data = compiled(loss, "float32"), needed(loss, arrays(MANY))
        value, _ = plan.loss_and_grad(**data)
        found = value, plan.grads.tobytes()
        assert found == BITS.setdefault((op, name), found), name


@pytest.mark.parametrize("scheme", WIDE)
def test_gradients_in_every_scheme(scheme):
    """Against differences: single numbers would take minutes here."""
    plan = compiled(wide(*WIDE[scheme]), low=-0.2, high=0.2)
    central(plan, {"X": np.random.default_rng(0).standard_normal((300, WIDE[scheme][0]))})


@pytest.mark.parametrize("op,name", [("batch_sum", "normalised"), ("total", "read by samples")])
def test_rows_that_a_later_sweep_reads_are_kept(op, name):
    """More rows than a block holds, against differences."""
    loss = CASES[op][name](leaves())
    central(compiled(loss), needed(loss, arrays(MANY)))


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 63, 1000])
def test_batches_of_all_sizes(n, isa):
    loss = CASES["batch_sum"]["normalised"](leaves()) if n > 1 else CASES["total"]["mean"](leaves())
    agrees(loss, needed(loss, arrays(n)), tolerance=1e-10)


def test_sizes_may_alternate():
    plan = compiled(curve())
    first = plan.loss_and_grad(**points(10))[0], plan.loss_and_grad(**points(1000))[0]
    for _ in range(3):
        assert (plan.loss_and_grad(**points(10))[0], plan.loss_and_grad(**points(1000))[0]) == first


def test_a_change_of_isa_or_threads_between_calls():
    plan = compiled(curve())
    data = points(MANY)
    first = plan.loss_and_grad(**data)[0]
    before = cpu.selected()
    try:
        for isa in cpu.available():
            cpu.use(isa)
            assert close(plan.loss_and_grad(**data)[0], first, 1e-13)
    finally:
        cpu.use(before)
    assert plan.loss_and_grad(**data)[0] == first


# ---- memory and large graphs ---------------------------------------------------------------------------------------


def arena(n):
    plan = g.compile(curve(), dtype="float64")
    plan.loss_and_grad(**points(n))
    return plan._last.executable.nbytes


def test_a_million_points_need_the_memory_of_a_block():
    small, large = arena(10_000), arena(1_000_000)
    assert large <= 4 * small  # a block for each thread, sums for each of at most 16 slices
    assert large < 500_000  # a column alone has 8 MB


def test_a_million_points_give_the_fit_of_numpy():
    data = points(1_000_000)
    plan = g.compile(curve(), dtype="float64")
    value, grads = plan.loss_and_grad(**data)
    assert value == pytest.approx((data["y"] ** 2).mean(), rel=1e-12)
    powers = data["x"][:, None] ** np.arange(6)
    assert np.allclose(grads["k"], -2 * (powers * data["y"][:, None]).mean(0), rtol=1e-11, atol=1e-14)


def test_a_chain_of_100_000_nodes():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    node = x * a
    for i in range(DEEP // 2):
        node = (node + 0.5) if i % 2 else (node - 0.5)
    plan = g.compile(g.mean(node), dtype="float64")
    value, grads = plan.loss_and_grad(x=[1.0, 3.0])
    assert value == 2.0
    assert grads["a"] == 2.0


def test_a_sum_of_30_000_nodes():
    """A constant, a product and an addition for each term."""
    x, a = g.input("x"), g.parameter("a", init=0.5)
    product = x * a
    plan = g.compile(g.mean(g.sum(product * float(i % 3) for i in range(DEEP // 10))), dtype="float64")
    value, grads = plan.loss_and_grad(x=[1.0, 3.0])
    total = sum(i % 3 for i in range(DEEP // 10))
    assert value == pytest.approx(total, rel=1e-12)
    assert grads["a"] == pytest.approx(2 * total, rel=1e-12)


# ---- sharing, copying, networks ------------------------------------------------------------------------------------


def test_two_plans_share_their_parameters():
    x, y, k = *g.inputs("x", "y"), g.parameter("k", 2)
    first = g.compile(g.mean((x * k[0] + k[1] - y) ** 2))
    second = g.compile(g.mean(x * k[0]), shared_with=first)
    assert second.params is first.params
    first.parameters["k"][:] = [2, 1]
    assert second.loss(x=[3.0]) == 6.0
    second.fit({"x": [1.0]}, optimizer=fb.SGD(lr=1.0), progress=False)
    assert first.parameters["k"].tolist() == [1, 1]


def test_sharing_that_is_refused():
    x, a, b = g.input("x"), g.parameter("a"), g.parameter("b")
    plan = g.compile(g.mean(x * a))
    with pytest.raises(
        ValueError, match=r"shared_with lacks the parameter b, expected .*; compile the larger graph first"
    ):
        g.compile(g.mean(x * b), shared_with=plan)
    with pytest.raises(ValueError, match=r"shared_with has dtype float32, expected float64; compile both"):
        g.compile(g.mean(x * a), shared_with=plan, dtype="float64")
    with pytest.raises(TypeError, match=r"shared_with is 3 \(int\), expected a Plan; pass what graph.compile gave"):
        g.compile(g.mean(x * a), shared_with=3)


def test_write_to_gives_a_network_its_trained_parameters(rng):
    net, x, y = fb.mlp(3, 4, 2, seed=1), g.input("x", 3), g.input("y", 2)
    plan = g.compile(g.mse(net(x), y))
    assert (plan.params == net.params).all()
    before, X = net.params.copy(), rng.standard_normal((20, 3)).astype("float32")
    plan.fit({"x": X, "y": X[:, :2]}, epochs=2, progress=False)
    assert (net.params == before).all()
    plan.write_to(net)
    assert (net.params == plan.params).all()
    with pytest.raises(
        ValueError, match=r"model is .*, expected a network or layer of this expression; call it on a node"
    ):
        plan.write_to(fb.mlp(3, 4, 2))
    layer = fb.Dense(3, 2)
    alone = g.compile(g.mse(layer(x), y))
    with pytest.raises(ValueError, match=r"expected a layer with values of its own; read plan.parameters"):
        alone.write_to(layer)


def test_a_plan_says_what_it_is():
    assert repr(compiled(curve())) == "Plan(6 parameters, inputs x, y, dtype='float64')"


def test_nodes_are_copied_as_themselves():
    x = g.input("x")
    assert copy.deepcopy(x) is x
    assert copy.copy(x) is x
