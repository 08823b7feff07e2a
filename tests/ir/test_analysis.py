"""fastbp/_ir/analysis.py: bounds of integer inputs, Hessian-vector products, derivatives within derivatives."""

import numpy as np
import pytest
from expression_cases import arrays, ending, leaves, needed
from oracle import agrees, central, close, compiled

import fastbp as fb
from fastbp import graph as g
from fastbp._ir import analysis
from fastbp._ir.node import ordered

# ---- integer inputs ------------------------------------------------------------------------------------------------


def test_the_tightest_table_or_loss_bounds_an_integer_input():
    i, x = g.input("i", integer=True), g.input("x", 4)
    big, small = g.parameter("big", (9, 4)), g.parameter("small", (3, 4))
    rows = g.gather(big, i)
    assert analysis.integer_limits(ordered([rows])) == {"i": 9}
    assert analysis.integer_limits(ordered([rows + g.gather(small, i)])) == {"i": 3}
    assert analysis.integer_limits(ordered([g.cross_entropy(x, i)])) == {"i": 4}
    assert analysis.integer_limits(ordered([g.grad(g.sum(g.square(rows)), big)])) == {"i": 9}
    assert analysis.integer_limits(ordered([x])) == {}


# ---- Hessian times vector ------------------------------------------------------------------------------------------


def test_the_hessian_of_a_quadratic_is_its_matrix(rng):
    a = g.parameter("a", 4)
    A = rng.standard_normal((4, 4))
    plan = compiled(0.5 * (a @ (A @ a)))
    for v in np.eye(4):
        assert np.allclose(plan.hvp(v), 0.5 * (A + A.T) @ v, rtol=1e-13)
        assert np.allclose(plan.hvp({"a": v})["a"], 0.5 * (A + A.T) @ v, rtol=1e-13)


def test_a_vector_may_name_some_of_the_parameters(rng):
    a, b = g.parameter("a", 2), g.parameter("b")
    plan = compiled(g.sum(a * a) * b)
    found = plan.hvp({"b": 1.0})
    assert np.allclose(found["a"], 2 * plan.parameters["a"])
    assert found["b"] == 0
    assert set(found) == {"a", "b"}


def test_inputs_may_have_any_name(rng):
    v0, k = g.input("v0", 2), g.parameter("k", 2, init=[1.0, 2.0])
    plan = g.compile(g.mean(g.sum(v0 * k**2, axis=-1)), dtype="float64")
    V = rng.standard_normal((5, 2))
    assert plan.hvp([1.0, 1.0], v0=V) == pytest.approx(2 * V.mean(0))


def test_hvp_leaves_params_and_grads_as_they_are(rng):
    s = leaves()
    loss = ending(g.dense(s.x, s.W, s.c, "tanh"))
    plan, data = compiled(loss), needed(loss, arrays())
    plan.loss_and_grad(**data)
    before = plan.params.copy(), plan.grads.copy()
    plan.hvp(rng.standard_normal(plan.params.size), **data)
    assert (plan.params == before[0]).all()
    assert (plan.grads == before[1]).all()


def test_hvp_is_linear_and_symmetric(rng):
    s = leaves()
    loss = ending(g.dense(g.dense(s.x, s.W, s.c, "gelu"), s.V, s.a, "softmax"))
    plan, data = compiled(loss), needed(loss, arrays(33))
    u, v = rng.standard_normal((2, plan.params.size))
    Hu, Hv = plan.hvp(u, **data), plan.hvp(v, **data)
    assert u @ Hv == pytest.approx(v @ Hu, rel=1e-10)
    assert close(plan.hvp(2 * u - v, **data), 2 * Hu - Hv, 1e-12)


def test_penalties_are_in_the_hessian(rng):
    layer, x = fb.Dense(3, 2, "tanh", l1=0.05, l2=0.2), g.input("x", 3)
    plan = compiled(ending(layer(x)))
    central(plan, {"x": rng.standard_normal((7, 3))})
    flat = compiled(g.mean(fb.Dense(3, 2, l2=0.2)(x)))
    v = rng.standard_normal(flat.params.size)
    assert np.allclose(flat.hvp(v, x=np.ones((4, 3)))[:6], 0.4 * v[:6], rtol=1e-12)


def test_the_same_bits_for_any_number_of_threads(threads, rng):
    s = leaves()
    loss = ending(g.dense(s.x, s.W, s.c, "tanh"))
    data = needed(loss, arrays(5000))
    v = rng.standard_normal(12 + 4)
    plan = compiled(loss, "float32")
    SAME.setdefault("hvp", plan.hvp(v, **data).tobytes())
    assert plan.hvp(v, **data).tobytes() == SAME["hvp"]


SAME = {}


@pytest.mark.parametrize(
    "v,error,message",
    [
        (np.ones(3), ValueError, r"v has shape \(3,\), expected \(2,\)"),
        ("word", TypeError, r"v .*expected .*numbers"),
        ({"other": 1.0}, ValueError, r"parameter in v is 'other', expected one of: a"),
        ({"a": np.ones(5)}, ValueError, r"v\['a'\] has shape \(5,\), expected \(2,\)"),
    ],
)
def test_vectors_that_are_refused(v, error, message):
    plan = compiled(g.sum(g.square(g.parameter("a", 2))))
    with pytest.raises(error, match=message):
        plan.hvp(v)


# ---- derivatives in the loss ---------------------------------------------------------------------------------------


def analytic(x, w):
    """tanh(w x): its first three derivatives for x."""
    t = np.tanh(w * x)
    s = 1 - t * t
    return w * s, -2 * w**2 * t * s, w**3 * (6 * t * t - 2) * s


def test_three_derivatives_of_each_sample(rng):
    x, w = g.input("x"), g.parameter("w", init=0.7)
    u = g.tanh(w * x)
    made = [u]
    for _ in range(3):
        made.append(g.grad(made[-1], x))
    plan = g.compile(g.mean(u), {f"d{i}": node for i, node in enumerate(made)}, dtype="float64")
    X = rng.standard_normal((9, 1))
    found = plan.forward(x=X)
    for i, expected in enumerate(analytic(X, 0.7), 1):
        assert np.allclose(found[f"d{i}"], expected, rtol=1e-11, atol=1e-13), i


def test_a_differential_equation_in_the_loss(rng):
    """u'' + u, of a network u: the loss and its gradient, three derivatives deep, by central differences; and by Value,
    which sees the derivatives as the nodes they are."""
    x = g.input("x")
    W, b, V = g.parameter("W", (1, 5)), g.parameter("b", 5), g.parameter("V", (5, 1))
    u = g.dense(g.dense(x, W, b, "tanh"), V)
    residual = g.grad(g.grad(u, x), x) + u
    loss = g.mean(residual**2) + g.mean((u - g.sin(x)) ** 2)
    data = {"x": rng.uniform(-2, 2, (11, 1))}
    central(agrees(loss, data), data)


def test_the_loss_of_a_differential_equation_by_hand(rng):
    """u = a sin(w x): u'' + u = a (1 - w^2) sin(w x), whose mean square has simple derivatives."""
    x, a, w = g.input("x"), g.parameter("a", init=1.3), g.parameter("w", init=0.6)
    u = a * g.sin(w * x)
    plan = g.compile(g.mean((g.grad(g.grad(u, x), x) + u) ** 2), dtype="float64")
    X = rng.standard_normal((50, 1))
    value, grads = plan.loss_and_grad(x=X)
    S, C = np.sin(0.6 * X), np.cos(0.6 * X)
    r = 1.3 * (1 - 0.36) * S
    assert value == pytest.approx((r * r).mean(), rel=1e-12)
    assert grads["a"] == pytest.approx((2 * r * (1 - 0.36) * S).mean(), rel=1e-11)
    assert grads["w"] == pytest.approx((2 * r * 1.3 * (-1.2 * S + (1 - 0.36) * X * C)).mean(), rel=1e-10)


def test_grad_of_several_and_of_what_it_does_not_depend_on():
    x, a, b = g.input("x", 3), g.parameter("a", 3), g.parameter("b")
    da, db = g.grad(g.mean(x * a) + 0 * b, [a, b])
    assert da.shape == (3,)
    assert db.shape == ()
    plan = compiled(g.sum(da) * 1.0 + db, outputs={"a": da, "b": db})
    found = plan.forward(x=np.ones((4, 3)))
    assert np.allclose(found["a"], 1 / 3)
    assert found["b"] == 0
    with pytest.raises(
        ValueError, match=r"grad: .* does not depend on <parameter 'b' \(\)>, expected .*; check the expr"
    ):
        g.grad(g.mean(x * a), b)


@pytest.mark.parametrize("node,wrt", [(3.0, None), ("word", None), (None, 1.0)])
def test_grad_of_what_is_no_node(node, wrt):
    x = g.input("x")
    with pytest.raises(TypeError, match=r"(node|wrt) is .*, expected a node; pass what the expression was made from"):
        g.grad(x if node is None else node, x if wrt is None else wrt)
