"""fastbp/convert/scipy.py: SciPy's optimizers find minima of networks and plans; what ends early changes nothing."""

import re

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g

pytest.importorskip("scipy")
RNG = np.random.default_rng(3)
X = RNG.normal(0, 1, (40, 3))
T = X @ [1.0, -2.0, 0.5] + 0.25


PRODUCT = g.mean(g.input("x") * g.parameter("w", 1))
DROPPED = g.mean(fb.Dropout(0.5)(g.input("x")) * g.parameter("w", 1))


def linear():
    return fb.mlp(3, 1, loss="mse", dtype="float64")


def test_a_linear_network_finds_least_squares():
    net = linear()
    found = fb.minimize(net, (X, T), options={"maxiter": 200}, tol=1e-14)
    assert type(found).__name__ == "OptimizeResult" and found.success
    np.testing.assert_allclose(net.params, [1, -2, 0.5, 0.25], atol=1e-5)
    assert (net.params == found.x).all()
    assert abs(net.evaluate(X, T)["loss"] - found.fun) < 1e-15


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "SLSQP"])
def test_methods_with_a_gradient(method):
    net = fb.mlp(3, 4, 1, activation="tanh", loss="mse", dtype="float64", seed=1)
    before = net.evaluate(X, T)["loss"]
    found = fb.minimize(net, [X, T, np.ones(40)], method, options={"maxiter": 30})
    assert found.fun < before / 5 and (net.params == found.x).all()


def test_a_method_without_a_gradient():
    net = linear()
    found = fb.minimize(net, (X, T), "Nelder-Mead", options={"maxiter": 2000}, tol=1e-10)
    np.testing.assert_allclose(found.x, [1, -2, 0.5, 0.25], atol=1e-4)


def test_float32_and_callback_and_penalties():
    net = fb.mlp(3, 1, loss="mse", l2=0.1)
    seen = []
    found = fb.minimize(net, (X, T), callback=lambda x: seen.append(x.copy()))
    assert seen and net.params.dtype == np.float32 and (net.params == found.x.astype(np.float32)).all()
    A = np.column_stack([X, np.ones(40)])
    ridge = np.linalg.solve(A.T @ A / 40 + np.diag([0.1, 0.1, 0.1, 0]), A.T @ T / 40)
    np.testing.assert_allclose(found.x, ridge, atol=1e-3)


def test_a_plan_is_minimised_by_the_names_of_its_inputs():
    x, y = g.input("x", 3), g.input("y", 1)
    plan = g.compile(g.mean((fb.Dense(3, 1)(x) - y) ** 2), dtype="float64")
    found = fb.minimize(plan, {"x": X, "y": T}, tol=1e-14)
    np.testing.assert_allclose(plan.params, [1, -2, 0.5, 0.25], atol=1e-5)
    assert (plan.params == found.x).all()


def test_an_error_puts_the_parameters_back():
    net = linear()
    before = net.params.copy()

    def fail(x):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        fb.minimize(net, (X, T), callback=fail)
    assert (net.params == before).all()
    with pytest.raises(ValueError, match="y has 39"):
        fb.minimize(net, (X, T[1:]))
    with pytest.raises(ValueError, match="Unknown solver"):
        fb.minimize(net, (X, T), "no method")
    assert (net.params == before).all()


def test_a_loss_that_leaves_the_numbers_is_infinite_there_and_an_error_at_the_start():
    net = fb.mlp(1, 1, loss="poisson", dtype="float64")
    net.params[:] = [800, 800]
    with pytest.raises(FloatingPointError):
        fb.minimize(net, ([[1.0]], [1.0]))
    assert (net.params == 800).all()
    net.params[:] = [1, 0]
    found = fb.minimize(net, ([[30.0]], [1.0]), "BFGS")
    assert np.isfinite(found.fun) and np.isfinite(net.params).all()


@pytest.mark.parametrize(("make", "error", "said"), [
    (lambda: fb.minimize(3, ()), TypeError, "model is 3 (int), expected a network or a plan; pass what"),
    (lambda: fb.minimize(linear(), X), TypeError, "data is an array of shape (40, 3)"),
    (lambda: fb.minimize(linear(), (X,)), TypeError, "expected (X, y) or (X, y, sample_weight) of a network"),
    (lambda: fb.minimize(fb.mlp(3, 4, 1, dropout=0.5), (X, T)), ValueError, "with dropout, expected one whose loss is"),
    (lambda: fb.minimize(linear(), (X, T), jac=True), ValueError, "jac is True, expected to be left to minimize"),
    (lambda: fb.minimize(g.compile(PRODUCT), (X, T)), TypeError,
     "expected the arrays of a plan by name; pass a dict such as {'x': X, 'y': y}"),
    (lambda: fb.minimize(g.compile(DROPPED), {}), ValueError,
     "model is a plan with dropout"),
])
def test_what_cannot_be_minimised_is_refused(make, error, said):
    with pytest.raises(error, match=re.escape(said)):
        make()
