"""fastbp/_ir/nn.py: products, activations, losses, dropout, penalties, against single numbers and differences."""

import numpy as np
import pytest
from expression_cases import CASES, PRODUCTS, arrays, case, ending, leaves, needed, of
from oracle import SLOPES, agrees, central, close, compiled, truth

import fastbp as fb
from fastbp import graph as g
from fastbp import losses
from fastbp._ir import nn

DROPPED = {"dropout"}  # masks are random: see below
BATCH = 67  # rows: several vectors and a rest


@pytest.mark.parametrize("op,name", of(PRODUCTS - DROPPED))
def test_against_single_numbers_and_differences(op, name):
    loss, data = case(op, name)
    central(agrees(loss, data), data)


@pytest.mark.parametrize("op,name", of(PRODUCTS - DROPPED))
def test_float32(op, name):
    loss, data = case(op, name)
    agrees(loss, data, tolerance=3e-5, dtype="float32")


@pytest.mark.parametrize("op,name", of(PRODUCTS - DROPPED))
def test_every_isa_and_many_rows(op, name, isa):
    loss = CASES[op][name](leaves())
    agrees(loss, needed(loss, arrays(BATCH)), tolerance=1e-11)


# ---- tables that must know everything ------------------------------------------------------------------------------


def test_every_activation_has_its_slope_as_nodes():
    assert set(nn.SLOPES) | {"gelu", "linear"} == set(nn.activations())
    assert set(SLOPES) | {"softmax", "linear"} == set(nn.activations())
    for name in set(nn.activations()) - {"linear"}:
        assert name in CASES["activation"]
        assert name in CASES["activation_gradient"]


def test_every_loss_is_written_as_nodes():
    assert all("nodes" in vars(cls) for cls in losses.LOSSES.values())
    assert set(losses.LOSSES) <= set(CASES["loss"])
    assert set(losses.LOSSES) <= set(CASES["loss_gradient"])


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_a_loss_as_nodes_is_the_loss(name):
    """What its kernel computes and what it is differentiated by for targets are the same number."""
    s = leaves()
    node = CASES["loss"][name](s)
    data = needed(node, arrays(9))
    whole, small = compiled(node), compiled(nn.written(node))
    assert close(small.loss_and_grad(**data)[0], whole.loss_and_grad(**data)[0], 1e-13)
    assert close(small.grads, whole.grads, 1e-13)


# ---- second derivatives of all activations, losses and networks ----------------------------------------------------


@pytest.mark.parametrize("activation", sorted(set(nn.activations()) - {"linear"}))
@pytest.mark.parametrize("loss", sorted(losses.LOSSES))
def test_hessian_vector_products_of_networks(activation, loss, rng):
    """Of two layers, in all combinations, against differences of gradients; targets in every loss's range."""
    x, t = g.input("x", 3), g.input("t", 3)
    W, b = g.parameter("W", (3, 4)), g.parameter("b", 4)
    V, c = g.parameter("V", (4, 3)), g.parameter("c", 3)
    y = g.dense(g.dense(x, W, b, activation), V, c)
    plan = compiled(getattr(g, loss)(y, t), low=-0.9, high=0.9)
    central(plan, {"x": rng.uniform(-1, 1, (6, 3)), "t": rng.uniform(0.1, 0.9, (6, 3))})


# ---- dropout -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES["dropout"])
def test_dropout_with_its_masks_known(name):
    """A mask is what the operation multiplied by: its input is never 0 here."""
    loss, data = case("dropout", name)
    plan = compiled(loss)
    value, grads = plan.loss_and_grad(**data)
    masks = {}
    for node in plan.nodes():
        if node.op == "dropout":
            given, got = plan.value(node.inputs[0]), plan.value(node)
            if not (given == 0).any():
                masks[node.mask] = got / given
            else:  # of what another one has dropped
                masks[node.mask] = np.divide(got, given, out=np.zeros_like(got), where=given != 0)
            kept = masks[node.mask][masks[node.mask] != 0]
            assert np.allclose(kept, 1 / (1 - node.rate), rtol=1e-12)
    expected, slopes = truth(plan, data, masks)
    assert close(value, expected, 1e-12)
    for parameter, gradient in grads.items():
        assert close(gradient, slopes[parameter], 1e-11)


def test_dropout_drops_its_share_anew_each_step_and_not_in_loss_or_forward():
    x, a = g.input("x", 10), g.parameter("a", init=1.0)
    dropped = fb.Dropout(0.3)(x * a)
    plan = g.compile(g.mean(dropped), {"y": dropped}, dtype="float64")
    ones = np.ones((1000, 10))
    values = [plan.loss_and_grad(x=ones)[0] for _ in range(2)]
    assert values[0] != values[1]
    assert (plan.value(dropped) == 0).mean() == pytest.approx(0.3, abs=0.03)
    assert plan.loss(x=ones) == 1.0
    assert (plan.forward(x=ones)["y"] == 1).all()


def test_two_calls_of_one_dropout_drop_differently_and_a_rate_of_zero_nothing():
    x, a, layer = g.input("x", 50), g.parameter("a", init=1.0), fb.Dropout(0.5)
    left, right = layer(x * a), layer(x * a)
    plan = g.compile(g.mean(left * right))
    plan.loss_and_grad(x=np.ones((40, 50)))
    assert (plan.value(left) != plan.value(right)).any()
    assert fb.Dropout(0.0)(x) is x


# ---- penalties -----------------------------------------------------------------------------------------------------


def test_a_layer_brings_its_penalty_once_however_often_it_is_called():
    x, layer = g.input("x", 2), fb.Dense(2, 2, "tanh", l1=0.3, l2=0.1)
    with_it = compiled(ending(layer(layer(x))))
    X = {"x": np.random.default_rng(0).standard_normal((5, 2))}
    _, grads = with_it.loss_and_grad(**X)
    W = with_it.parameters["layer0.W"]
    plain = fb.Dense(2, 2, "tanh")
    without = compiled(ending(plain(plain(x))))
    _, bare = without.loss_and_grad(**X)
    assert np.allclose(grads["layer0.W"] - bare["layer0.W"], 0.3 * np.sign(W) + 0.2 * W, rtol=1e-9)
    assert np.allclose(grads["layer0.b"], bare["layer0.b"], rtol=1e-12)


# ---- sizes of the matrix products ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m,k,n", [(1, 1, 1), (2, 3, 4), (7, 17, 33), (65, 130, 9), (1, 300, 70)])
def test_fixed_products_of_all_sizes(m, k, n, dtype, rng, isa):
    A, B = g.parameter("A", (m, k)), g.parameter("B", (k, n))
    C = rng.uniform(-1, 1, (m, n))
    plan = compiled(g.sum((A @ B) * C), dtype, outputs={"y": A @ B})
    _, grads = plan.loss_and_grad()
    a, b = plan.parameters["A"].astype(float), plan.parameters["B"].astype(float)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    assert close(plan.forward()["y"], a @ b, tolerance)
    assert close(grads["A"], C @ b.T, tolerance)
    assert close(grads["B"], a.T @ C, tolerance)
