"""fastbp/_check/errstate.py: nothing inside depends on the caller's np.seterr, and the user's own functions see
theirs."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._check.errstate import quiet
from fastbp._models import inspection

STRICT = {"divide": "raise", "over": "raise", "under": "raise", "invalid": "raise"}


def test_quiet_leaves_the_callers_state_as_it_was():
    @quiet
    def tiny(x, *, again=None):
        """Its own words."""
        assert set(np.geterr().values()) == {"ignore"}
        if again is not None:
            again()
        return np.array([1e-300]) * x

    with np.errstate(**STRICT):
        assert tiny(1e-300) == 0
        assert np.geterr() == STRICT
        assert tiny(1e-300, again=lambda: tiny(1.0)) == 0
        with pytest.raises(ZeroDivisionError):
            tiny(1.0, again=lambda: 1 // 0)
        assert np.geterr() == STRICT
        with pytest.raises(FloatingPointError):
            np.array([1e-300]) * 1e-300
    assert tiny.__doc__ == "Its own words."
    assert tiny.__name__ == "tiny"


# ---- the story of the public API, with numbers at the ends of what there is ------------------------------------------

STEPS = np.arange(0, 10**6, 997)
SCHEDULES = [
    fb.schedules.Constant(1e-308), fb.schedules.Step(1e-3, 1, 0.1), fb.schedules.Exponential(1e-3, 1e-3),
    fb.schedules.Cosine(1e-300, 7, 1e-308), fb.schedules.Linear(1e-300, 7, 0.0),
    fb.schedules.OneCycle(1e-300, 70, final_factor=1e300), fb.schedules.WarmUp(1e-308, 50_000),
    fb.schedules.WarmUp(fb.schedules.Exponential(1e-3, 1e-3), 40), fb.schedules.ReduceOnPlateau(1e-308, 0.5),
]


def rates():
    return [schedule(steps) for schedule in SCHEDULES for steps in (STEPS, 0, 5, 10**6)]


times = quiet(np.multiply)  # the arithmetic of the tests themselves


@quiet
def data(dtype, n=50):
    random = np.random.default_rng(0)
    X = random.standard_normal((n, 6)).astype(dtype)
    X[::7] *= np.finfo(dtype).tiny
    return X, random.standard_normal((n, 3)).astype(dtype), random.integers(0, 3, n)


def network(dtype):
    """Training, predicting, evaluating and whatever else there is to do with a network."""
    X, Y, labels = data(dtype)
    seen = []
    tiny = np.full(len(X), 1e-300) if dtype == "float64" else np.full(len(X), 1e-30)
    net = fb.mlp(6, 8, 3, activation="sigmoid", loss="cross_entropy", l1=1e-300, l2=1e-300, dtype=dtype, dropout=0.1)
    net.layers[0].W[0] = 1e-200 if dtype == "float64" else 1e-30
    for optimizer in (fb.SGD(lr=fb.schedules.Exponential(0.1, 1e-3), momentum=0.9), fb.Adam(clip_norm=1e-30),
                      fb.RMSprop(lr=fb.schedules.WarmUp(fb.schedules.Step(1e-3, 2, 1e-3), 3))):
        history = net.fit(X, labels, epochs=3, batch_size=7, optimizer=optimizer, sample_weight=tiny,
                          class_weight={0: 1e-300, 1: 1e300 if dtype == "float64" else 1e30},
                          validation_split=0.2, early_stopping=fb.EarlyStopping("loss", patience=9))
        seen += [history.history["loss"], history.history["val_accuracy"]]
    for xb, yb in fb.batches(X, labels, 7):
        seen.append(net.loss_and_grad(xb, yb, sample_weight=tiny[: len(xb)], class_weight=[1e-30, 1e-30, 1e-30]))
        optimizer.step(net)
    seen += [net.predict(X), net.predict(times(X.astype("f8"), 1e-39)), net.evaluate(X, labels), net.forward(X)]
    seen += [net.backward(times(Y, 1e-30)), net.per_example_grads(X, labels)]
    seen += [net.per_example_grad_norms(X, labels, tiny)]
    seen += [fb.gradcheck(net, X[:5], labels[:5], most=20)]
    squared = fb.Sequential(fb.Dense(6, 3, init=np.full((6, 3), 1e-30), l2=1e-20), dtype=dtype)
    small = times(Y, 1e-20)
    seen += [squared.evaluate(times(X, 1e-20), small), squared.fit(X, small).history["loss"]]
    least = np.full(50, 1e-310 if dtype == "float64" else 1e-42)
    seen += [squared.fit(X, Y, batch_size=7, sample_weight=least).history["loss"], squared.evaluate(X, Y, least)]
    nets = [copy.deepcopy(squared) for _ in range(3)]
    for history in fb.fit_many(nets, X, Y, epochs=2, rows=[None, [1, 2, 3], None],
                               optimizers=fb.SGD(lr=fb.schedules.Exponential(0.1, 1e-6))):
        seen.append(history.history["loss"])
    return [*seen, net.params, squared.params, *(one.params for one in nets), pickle.dumps(net.predict(X))]


def expression(dtype):
    """Expressions, their constants, and looks at them."""
    X, Y, _ = data(dtype)
    x, y = g.inputs("x", "y")
    k = g.parameter("k", 6, init=np.full(6, 1e-200))
    scale = (g.constant(1e-200) * 1e-200 + g.constant(1e200) * 1e-320) / 1e300 + g.exp(g.constant(-800.0))
    loss = g.mean((g.sum(k[i] * x**i for i in range(6)) - y) ** 2) + scale + 1e-60 * g.mean(x / 1.7e308)
    assert g.constant(np.longdouble("1e-4000")).value == 0
    plan = g.compile(loss, outputs={"x": x * 1e-50}, dtype=dtype)
    one = {"x": np.linspace(-1, 1, 50) * (1 if dtype == "float64" else 1e-3), "y": times(Y[:, 0], 1e-20)}
    seen = [plan.fit(one, epochs=3, batch_size=7, optimizer=fb.SGD(lr=0.1)).history["loss"]]
    seen += [plan.loss_and_grad(**one), plan.loss(**one), plan.forward(**one), plan.hvp(np.full(6, 1e-40), **one)]
    seen += [plan.show(), plan.values(plan.nodes()), plan.params]
    net = fb.mlp(6, 4, 3, dtype="float32")
    z = g.input("z", 6)
    plan = g.compile(g.mean(net(z) ** 2), dtype="float64")
    plan.params[:] = 1e-60
    plan.write_to(net)
    return [*seen, net.params, plan.per_example_grads(z=X.astype("f8")), inspection.numbers(np.full(50, 1e308))]


def refusals(dtype):
    """Messages of what is refused; making them must not fail."""
    X, Y, labels = data(dtype)
    net = fb.mlp(6, 3, dtype=dtype, input_scale=1e-30)
    seen = []
    for call in (
        lambda: net.predict(np.where(X > 1, np.inf, X)), lambda: net.predict(np.where(X > 1, np.nan, X)),
        lambda: net.predict(times(X.astype(np.longdouble) + 2, np.longdouble("1e4000"))),
        lambda: net.predict(np.full((3, 6), 1e300) if dtype == "float32" else np.full((3, 6), np.inf)),
        lambda: fb.mlp(6, 3, dtype=dtype, input_scale=1e30).predict(np.full((3, 6), np.finfo(dtype).max / 4)),
        lambda: net.fit(X, Y, sample_weight=np.full(50, 1e-5), class_weight=[1e30] * 3),
        lambda: fb.mlp(6, 3, loss="cross_entropy", dtype=dtype).fit(
            X, labels, sample_weight=np.full(50, 1e38 if dtype == "float32" else 1e300), class_weight=[1e30] * 3),
        lambda: fb.mlp(6, 3, dtype=dtype).fit(X, times(Y, 1e15), epochs=50, optimizer=fb.SGD(lr=1e30)),
    ):
        with pytest.raises((ValueError, FloatingPointError)) as caught:
            call()
        seen.append((type(caught.value).__name__, str(caught.value)))
    return seen


def curve(dtype):
    from fastbp.curve import CurveFitter, Scale

    x = np.linspace(-1, 1, 30)
    small = Scale.of(times(x, 1.7e-308))
    seen = [small, small.back(x), Scale(0.0, 1e200)(times(x, 1e-150))]
    fitter = CurveFitter(x, times(np.sin(x), 1e-60), 3, scale=False, dtype=dtype)
    seen += [fitter.exact, *list(fitter.run(steps=5, turn=[0]))[:4], fitter.loss(times(fitter.exact, 1e-300))]
    seen += [fitter.predict([1e-200]), CurveFitter(times(x, 1e-60), x, 3, scale=False).polynomial(np.ones(4))]
    seen += [CurveFitter(times(x, 1e-90), x, 3, scale=False).rate(batch_size=7)]
    for scale in (1.0, 1e-150, 1.7e-308, 1e200):
        fitter = CurveFitter(times(x, scale), times(np.sin(x), scale), 4, dtype=dtype)
        for options in ({}, {"method": "perturb", "nudge": 1e-308}, {"method": "adam", "batch_size": 7}):
            seen += list(fitter.run(steps=30, **options))[:4]
        seen += [fitter.polynomial(), fitter.predict(times(x, scale)), fitter.predict(times(x, 1e-150))]
        seen += [fitter.surface((0, 1), [0, 1e-30], [0, 1e-200])]
    return seen


def doors(dtype):
    from fastbp import datasets, plot
    from fastbp.curve import CurveFitter
    from fastbp.datasets import tables
    from fastbp.plot import curve as curve_plot

    X, _, labels = data("float64")
    seen = [tables.Table(times(X, 1e-300), labels, tuple("abcdef"), "y", "classification", "", (0, 1, 2)).split()]
    net = fb.mlp(6, 3, loss="cross_entropy", dtype=dtype)
    history = net.fit(X, labels, epochs=3)
    net.layers[0].W[0] = 1e-38
    pictures = [lambda: plot.weights(net, "weights.png", image_shape=(2, 3))]
    if dtype == "float64":  # the others show the same in each dtype
        pictures += [lambda: plot.history(history, "curves.png"),
                     lambda: plot.mistakes(net, X, labels, "mistakes.png", image_shape=(2, 3))]
    seen += [len(draw().axes) for draw in pictures]
    x = np.linspace(-1, 1, 30)
    fitter = CurveFitter(times(x, 1e-150), times(x, 1e-307), 2, dtype=dtype)
    runs = [fitter.run(steps=20), fitter.run("perturb", steps=20)]
    for draw in (curve_plot.fit, curve_plot.loss):
        seen.append(len(draw(fitter, runs, "fit.png").axes))
    if dtype == "float64":  # each frame takes a tenth of a second to draw
        short = [fitter.run(steps=2), fitter.run("perturb", steps=2)]
        curve_plot.animate(fitter, short, short, (0, 1), "fit.gif")
    return [*seen, datasets.load_digits()]


def estimators(dtype):
    from fastbp.sklearn import MLPClassifier, MLPRegressor

    X, Y, labels = data("float32")
    weights = np.full(50, 1e-30)
    classifier = MLPClassifier(max_iter=3, dtype=dtype, random_state=0, alpha=1e-30, early_stopping=fb.EarlyStopping(),
                               solver=fb.SGD(lr=fb.schedules.Exponential(0.1, 1e-6)))
    classifier.fit(X, labels, weights).set_params(early_stopping=None).partial_fit(X, labels)
    regressor = MLPRegressor(tol=1e300, n_iter_no_change=1, dtype=dtype, random_state=0, early_stopping=True)
    regressor.fit(X, times(Y, 1e-30), weights)
    return [classifier.predict_proba(times(X, 1e-30)), classifier.predict(X), regressor.predict(times(X, 1e-30))]


def flattened(value):
    """A value as bytes and texts that can be compared."""
    if isinstance(value, (list, tuple)):
        return [part for item in value for part in flattened(item)]
    if isinstance(value, dict):
        return [part for name, item in value.items() if name not in ("seconds", "samples_per_second")
                for part in [name, *flattened(item)]]
    return [value.tobytes()] if isinstance(value, np.ndarray) else [repr(value)]


@pytest.mark.parametrize("story", [network, expression, refusals, curve, doors, estimators])
def test_the_callers_error_state_changes_nothing(story, dtype, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = flattened(story(dtype))
    with np.errstate(**STRICT):
        assert flattened(story(dtype)) == wanted
        assert np.geterr() == STRICT
    with np.errstate(all="warn"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert flattened(story(dtype)) == wanted


def test_schedules_in_the_callers_error_state():
    with np.errstate(all="ignore"):
        wanted = flattened(rates())
    with np.errstate(**STRICT):
        assert flattened(rates()) == wanted


class Theirs(fb.schedules.Schedule):
    """A user's schedule, which notes the error state it is called in."""

    name = "theirs"

    def __init__(self):
        self.seen = []

    def rates(self, t):
        self.seen.append(np.geterr())
        return np.full_like(t, 0.1)


def test_functions_of_the_user_see_their_own_error_state():
    schedule, seen = Theirs(), []
    X, Y, _ = data("float32")

    class Callback(fb.Callback):
        def on_train_begin(self, net):
            seen.append(np.geterr())

        on_train_end = on_epoch_begin = on_epoch_end = lambda self, net, *_: seen.append(np.geterr())

    def note(net, epoch, logs):
        seen.append(np.geterr())

    for state in (STRICT, {**STRICT, "under": "warn", "divide": "ignore"}):
        del schedule.seen[:], seen[:]
        with np.errstate(**state):
            net = fb.mlp(6, 3)
            net.fit(X, Y, epochs=2, optimizer=fb.SGD(lr=schedule), callbacks=[Callback(), note])
            fb.fit_many([net], X, Y, optimizers=[fb.SGD(lr=fb.schedules.WarmUp(schedule, 3))])
            fb.SGD(lr=schedule).step(net)
        assert len(schedule.seen) >= 4
        assert all(one == state for one in [*schedule.seen, *seen])
        assert len(seen) == 8


def test_a_schedule_of_the_users_may_fail_as_they_want_it_to():
    class Underflows(Theirs):
        def rates(self, t):
            return 1e-300 * np.full_like(t, 1e-300)

    net, (X, Y, _) = fb.mlp(6, 3), data("float32")
    with np.errstate(under="raise"), pytest.raises(FloatingPointError, match="underflow"):
        net.fit(X, Y, optimizer=fb.SGD(lr=Underflows()))
    net.fit(X, Y, optimizer=fb.SGD(lr=Underflows()))
