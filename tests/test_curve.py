"""Curve Fitter 6000: its loss, its screens, and every way of turning its knobs, against NumPy and least squares."""

import numpy as np
import pytest
from numpy.polynomial import Polynomial

import fastbp as fb
from fastbp import curve
from fastbp.curve import CurveFitter


@pytest.fixture(scope="module")
def points():
    """x (30,), y (30,): a cubic with noise, in units far from [-1, 1]."""
    random = np.random.RandomState(1)
    x = np.sort(random.uniform(100, 180, 30))
    t = (x - 140) / 40
    return x, 5000 + 300 * (1 - t - 2 * t**2 + 2 * t**3) + random.normal(0, 40, 30)


@pytest.fixture
def fitter(points):
    return CurveFitter(*points, degree=3)


def descended(fitter, steps, lr, knobs=None):
    """Gradient descent written out: (steps + 1, degree + 1) knobs, (steps + 1,) losses."""
    V = np.vander(fitter.t, fitter.degree + 1, increasing=True)
    k, way = np.zeros(fitter.degree + 1), []
    for _ in range(steps + 1):
        way.append(k)
        k = k - lr * 2 * V.T @ (V @ k - fitter.u)
    way = np.array(way)
    return way, ((way @ V.T - fitter.u) ** 2).sum(axis=1)


# ---- looking --------------------------------------------------------------------------------------------------------

def test_the_loss_is_the_sum_of_squared_distances(fitter, rng):
    k = rng.normal(size=4)
    expected = ((Polynomial(k)(fitter.t) - fitter.u) ** 2).sum()
    assert fitter.loss(k) == pytest.approx(expected, rel=1e-13)
    assert np.array_equal(fitter.knobs, np.zeros(4))                    # looked at, not turned
    fitter.knobs[:] = k
    assert fitter.loss() == pytest.approx(expected, rel=1e-13)


def test_screens_show_the_gradient_and_the_next_nudge(fitter, rng):
    k = rng.normal(size=4)
    fitter.knobs[:] = k
    for optimizer in (fb.SGD(lr=0.003), fb.Adam(lr=0.003)):
        screens = fitter.screens(optimizer)
        slopes = [(fitter.loss(k + h) - fitter.loss(k - h)) / 2e-6 for h in 1e-6 * np.eye(4)]
        assert screens.gradient == pytest.approx(slopes, rel=1e-6, abs=1e-6)
        assert screens.loss == fitter.loss() and np.array_equal(screens.knobs, k)
        by_hand = -0.003 * screens.gradient if optimizer.name == "sgd" else -0.003 * np.sign(screens.gradient)
        assert screens.nudge == pytest.approx(by_hand, rel=1e-6)
        assert np.array_equal(fitter.knobs, k) and optimizer.steps == 0   # a look changes nothing


def test_exact_is_least_squares_and_has_no_slope(fitter, points):
    assert fitter.polynomial(fitter.exact) == pytest.approx(Polynomial.fit(*points, 3).convert().coef, rel=1e-9)
    fitter.knobs[:] = fitter.exact
    assert np.abs(fitter.screens(fb.SGD()).gradient).max() < 1e-12


def test_the_polynomial_speaks_the_units_of_the_points(fitter, points, rng):
    k = rng.normal(size=4)
    x, _ = points
    expected = fitter.y_scale.back(Polynomial(k)((x - fitter.x_scale.middle) / fitter.x_scale.half))
    assert fitter.predict(x, k) == pytest.approx(expected, rel=1e-12)
    assert Polynomial(fitter.polynomial(k))(x) == pytest.approx(expected, rel=1e-9)
    assert len(fitter.polynomial([1, 0, 0, 0])) == 4                    # zeros at the end are coefficients, too
    assert fitter.plan.forward(t=fitter.t)["curve"].shape == (30, 1)


def test_points_are_scaled_unless_told_not_to_be(points):
    scaled, plain = CurveFitter(*points, 3), CurveFitter(*points, 3, scale=False)
    for values in (scaled.t, scaled.u):
        assert values.min() == pytest.approx(-1) and values.max() == pytest.approx(1)
    assert np.array_equal(plain.t, points[0]) and np.array_equal(plain.u, points[1])
    assert plain.polynomial(plain.exact) == pytest.approx(scaled.polynomial(scaled.exact), rel=1e-6)


def test_the_surface_is_the_loss(fitter, rng):
    first, second = rng.normal(size=3), rng.normal(size=2)
    heights = fitter.surface((2, 0), first, second)
    assert heights.shape == (2, 3)
    for row, column in np.ndindex(2, 3):
        at = fitter.exact.copy()
        at[2], at[0] = first[column], second[row]
        assert heights[row, column] == pytest.approx(((Polynomial(at)(fitter.t) - fitter.u) ** 2).sum(), rel=1e-12)


# ---- turning the knobs ----------------------------------------------------------------------------------------------

def test_gradient_is_the_loop_written_out(fitter):
    run = fitter.run("gradient", 50, lr=0.01)
    way, losses = descended(fitter, 50, 0.01)
    assert run.knobs == pytest.approx(way, rel=1e-10, abs=1e-12)
    assert run.loss == pytest.approx(losses, rel=1e-10)
    assert run.evaluations.tolist() == list(range(51))
    assert np.array_equal(run.end.knobs, fitter.knobs) and run.end.loss == run.loss[-1]
    assert run.start.loss == run.loss[0] and run.label == "gradient"


@pytest.mark.parametrize("method, steps", [("gradient", 3000), ("momentum", 500), ("adam", 3000)])
def test_gradient_methods_find_least_squares(fitter, method, steps):
    run = fitter.run(method, steps)
    assert run.knobs[-1] == pytest.approx(fitter.exact, abs=1e-3)
    assert run.loss[-1] == pytest.approx(fitter.loss(fitter.exact), rel=1e-6)


def test_momentum_and_adam_are_the_optimizers(fitter):
    for method, optimizer in (("momentum", fb.SGD(lr=0.02, momentum=0.9)), ("adam", fb.Adam(lr=0.02))):
        run = fitter.run(method, 20, lr=0.02)
        fitter.knobs[:] = 0
        for _ in range(20):
            fitter.plan.loss_and_grad(t=fitter.t, u=fitter.u)
            optimizer.step(fitter.plan)
        assert np.array_equal(run.knobs[-1], fitter.knobs)


def test_mini_batches_are_those_of_the_seed_and_a_pass_is_one_evaluation(fitter):
    run = fitter.run("gradient", 3, lr=0.002, batch_size=8, seed=5)
    V, k = np.vander(fitter.t, 4, increasing=True), np.zeros(4)
    for epoch in range(3):
        for v, u in fb.batches(V, fitter.u, 8, seed=5 + epoch):
            k = k - 0.002 * 30 / len(v) * 2 * v.T @ (v @ k - u)         # the sum over 30 points, by that over a batch
    assert run.knobs[-1] == pytest.approx(k, rel=1e-10)
    assert run.evaluations == pytest.approx(np.arange(13) / 4) and run.label == "gradient, mini-batches of 8"
    assert run.loss[-1] == pytest.approx(((V @ k - fitter.u) ** 2).sum(), rel=1e-10)          # of all points
    assert not np.array_equal(fitter.run("gradient", 3, batch_size=8, seed=6).knobs[-1], run.knobs[-1])
    assert fitter.run("gradient", 3, batch_size=99).label == "gradient"


def test_perturb_keeps_a_nudge_of_one_knob_if_the_loss_fell(fitter):
    run = fitter.run("perturb", 300, nudge=0.2, seed=1)
    kept = np.diff(run.loss)
    assert (kept <= 0).all() and 20 < (kept < 0).sum() < 280
    turned = np.count_nonzero(np.diff(run.knobs, axis=0), axis=1)
    assert np.array_equal(turned > 0, kept < 0) and turned.max() == 1
    nudges = np.diff(run.knobs, axis=0).sum(axis=1)
    assert 0.05 < np.abs(nudges[nudges != 0]).mean() < 0.3
    assert all(run.loss[i] == pytest.approx(fitter.loss(run.knobs[i]), rel=1e-12) for i in (0, 100, 300))
    assert np.array_equal(run.knobs, fitter.run("perturb", 300, nudge=0.2, seed=1).knobs)
    assert not np.array_equal(run.knobs, fitter.run("perturb", 300, nudge=0.2, seed=2).knobs)


def test_perturb_spends_as_many_evaluations_as_gradient_steps(fitter, monkeypatch):
    """The first one tells the loss of the start; a run's own looks, for the picture, are left out here."""
    asked = []
    loss = CurveFitter.loss
    monkeypatch.setattr(CurveFitter, "loss", lambda self: asked.append(1) or loss(self))
    assert len(list(fitter._perturb(40, 0.1, np.random.RandomState(0), np.arange(4)))) == len(asked) == 40
    run = fitter.run("perturb", 40)
    assert run.evaluations[-1] == 40 and run.loss[1] == run.loss[0]


def test_gradients_beat_random_nudges(points):
    fitter = CurveFitter(*points, 5)
    least = fitter.loss(fitter.exact)
    above = {method: fitter.run(method, 1000).loss[-1] - least for method in ("gradient", "perturb")}
    assert 0 < above["gradient"] < above["perturb"] / 3


@pytest.mark.parametrize("how", [{"method": "gradient"}, {"method": "adam", "batch_size": 4}, {"method": "perturb"}])
def test_only_the_knobs_asked_for_turn(fitter, how):
    run = fitter.run(**how, steps=100, turn=(0, 2))
    assert (run.knobs[:, [1, 3]] == fitter.exact[[1, 3]]).all()
    assert np.array_equal(run.knobs[0, [0, 2]], [0, 0]) and (run.knobs[-1, [0, 2]] != 0).all()
    assert run.loss[-1] < run.loss[0]


def test_a_long_run_is_kept_thinned_out(fitter):
    run = fitter.run("gradient", 5000)
    assert len(run.loss) == len(run.knobs) == len(run.evaluations) < 2010
    assert {1, 10, 100, 1000, 5000} <= set(run.evaluations)
    assert run.evaluations[:20].tolist() == list(range(20)) and run.evaluations[-1] == 5000
    assert run.at(0) == 0 and run.evaluations[run.at(4999.5)] <= 4999 and run.at(1e9) == len(run.loss) - 1


def test_float32_computes_in_float32(points):
    fitter = CurveFitter(*points, 3, dtype="float32")
    assert fitter.knobs.dtype == fitter.t.dtype == np.float32
    assert fitter.run("momentum", 500).loss[-1] == pytest.approx(fitter.loss(fitter.exact), rel=1e-3)


# ---- learning rates -------------------------------------------------------------------------------------------------

def test_curvature_is_the_limit_of_descent(fitter):
    just_below = fitter.run("gradient", 200, lr=1.98 / fitter.curvature).loss
    just_above = fitter.run("gradient", 200, lr=2.02 / fitter.curvature).loss
    assert just_below[-1] < just_below[0] and just_above[-1] > just_above[100] > just_above[50]


@pytest.mark.parametrize("method", curve.OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [None, 1, 4])
@pytest.mark.parametrize("n", [12, 300])
def test_the_default_rate_does_not_climb(rng, n, method, batch_size):
    x = rng.uniform(-1, 1, n)
    fitter = CurveFitter(x, np.sin(3 * x) + rng.normal(0, 0.2, n))
    run = fitter.run(method, 50 if batch_size is None else 2, batch_size=batch_size)
    assert run.loss[-1] < run.loss[0]
    assert fitter.rate(method, batch_size) <= 0.01
    assert fitter.rate(method, n) == fitter.rate(method)


def test_the_rate_is_a_hundredth_where_it_can_be(rng):
    few, many = (CurveFitter(np.linspace(0, 1, n), rng.normal(size=n), 1) for n in (20, 2000))
    assert few.rate() == 0.01 and many.rate() == 1 / many.curvature < 0.01 == many.rate("adam")


def test_a_loss_that_is_no_longer_finite_is_an_error(fitter):
    for method in ("gradient", "momentum"):
        with pytest.raises(FloatingPointError, match=r"after \d+ steps with lr 5.*choose a smaller lr, such as 0\.5"):
            fitter.run(method, 1000, lr=5)


# ---- what is refused ------------------------------------------------------------------------------------------------

X = [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("arguments, error, message", [
    (([1.0], [2.0], 0), ValueError, "x holds 1 point, expected two or more"),
    (([], [], 0), ValueError, "x holds 0 points"),
    ((X, X[:3]), ValueError, r"y has shape \(3,\), expected \(4,\)"),
    ((X, [0, 1, np.nan, 3]), ValueError, r"y\[2\] is nan"),
    (([0, 1, np.inf, 3], X), ValueError, r"x\[2\] is inf"),
    ((X, list("abcd")), TypeError, "y has dtype"),
    ((np.ones((4, 1)), X), ValueError, r"x has shape \(4, 1\)"),
    ((X, X, -1), ValueError, "degree is -1, expected an integer >= 0"),
    ((X, X, 31), ValueError, "degree is 31, expected an integer >= 0 and <= 30"),
    ((X, X, 2.0), TypeError, "degree is 2.0"),
    ((X, X, 4), ValueError, "degree is 4, expected at most 3: .* 4 distinct x do not determine"),
    (([1, 1, 2, 2], X, 2), ValueError, "degree is 2, expected at most 1"),
    (([0, 1e-17, 1e-16, 1], X, 3), ValueError, "degree is 3, expected at most|so close together"),
])
def test_points_that_do_not_do(arguments, error, message):
    with pytest.raises(error, match=message):
        CurveFitter(*arguments)


def test_points_too_close_together():
    x = np.concatenate([np.linspace(0, 1e-9, 10), [1.0]])
    with pytest.raises(ValueError, match="some x lie so close together"):
        CurveFitter(x, x, 9)


@pytest.mark.parametrize("x, y", [([0, 1e200, 2e200], [0, 1, 2]), ([0, 1, 2], [0, 1e200, 2])])
def test_unscaled_points_whose_powers_are_not_finite(x, y):
    with pytest.raises(ValueError, match=r"powers beyond the largest number.*pass scale=True"):
        CurveFitter(x, y, 2, scale=False)
    assert CurveFitter(x, y, 2).run("gradient", 5).loss[-1] > 0


@pytest.mark.parametrize("how, error, message", [
    ({"method": "newton"}, ValueError, "method is 'newton', expected one of: gradient, momentum, adam, perturb"),
    ({"steps": 0}, ValueError, "steps is 0"),
    ({"lr": -1}, ValueError, "lr is -1"),
    ({"batch_size": 0}, ValueError, "batch_size is 0"),
    ({"method": "perturb", "batch_size": 4}, ValueError, "batch_size is 4, expected None, as perturb"),
    ({"method": "perturb", "nudge": 0}, ValueError, "nudge is 0"),
    ({"seed": -1}, ValueError, "seed is -1"),
    ({"turn": (0, 4)}, ValueError, "turn is 4"),
])
def test_runs_that_are_refused(fitter, how, error, message):
    with pytest.raises(error, match=message):
        fitter.run(**how)


def test_interpolation_is_known():
    fitter = CurveFitter(X, [1.0, -1.0, 2.0, 0.0], 3)
    assert fitter.interpolates and fitter.loss(fitter.exact) < 1e-25
    assert not CurveFitter(X, X, 2).interpolates


def test_points_of_one_x_one_y_and_enormous_ones():
    assert CurveFitter([3, 3, 3], [1, 2, 6], 0).polynomial([0.2]) == pytest.approx([3.5 + 0.2 * 2.5])
    flat = CurveFitter(X, [7, 7, 7, 7], 2)
    assert flat.predict(X) == pytest.approx([7] * 4) and flat.run("gradient", 5).loss[-1] == 0
    huge = CurveFitter([-1.7e308, 0, 1.7e308], [-1.7e308, 0, 1.7e308], 1)
    assert huge.t.tolist() == [-1, 0, 1] and huge.loss(huge.exact) < 1e-25
