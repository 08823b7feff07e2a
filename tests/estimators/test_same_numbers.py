"""The estimators' numbers are scikit-learn's: coefficients, losses, scores and the epoch at which training stops."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7", reason="its networks know no weights of samples before")

from sklearn import neural_network as theirs
from sklearn.datasets import load_iris, make_multilabel_classification

import fastbp.sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
R = np.random.default_rng(5)
Y = np.c_[X[:, 0] * X[:, 1], X[:, 2] ** 2]
COUNTS = R.poisson(2, (150, 2)).astype(float)
SEVERAL = make_multilabel_classification(150, 4, random_state=0)[1]
WEIGHTS = R.uniform(0, 3, 150)
TASKS = {
    "classes": ("MLPClassifier", LABELS), "two classes": ("MLPClassifier", LABELS > 0),
    "several labels": ("MLPClassifier", SEVERAL), "one": ("MLPRegressor", Y[:, 0]), "two": ("MLPRegressor", Y),
}
SETTINGS = {"hidden_layer_sizes": (9, 5), "batch_size": 40, "max_iter": 25, "random_state": 3}
ATTRIBUTES = ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "_no_improvement_count")
VALUES = ("loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_")


def both(kind, act, settings):
    """[theirs, ours] after `act(model)`."""
    pair = [getattr(module, kind)(**{**SETTINGS, **settings}) for module in (theirs, ours)]
    for model in pair:
        act(model)
    return pair


def compare(a, b, tolerance=1e-10):
    for name in ATTRIBUTES:
        assert getattr(a, name) == getattr(b, name), name
    for name in ("coefs_", "intercepts_"):
        for one, other in zip(getattr(a, name), getattr(b, name), strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=tolerance)
    for name in VALUES:
        if hasattr(a, name):
            one, other = getattr(a, name), getattr(b, name)
            assert (one is None) == (other is None), name
            if one is not None:
                np.testing.assert_allclose(other, one, rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(b.predict(X), a.predict(X), rtol=1e-8, atol=1e-10)
    if hasattr(a, "predict_log_proba"):
        with np.errstate(divide="ignore"):
            logs = a.predict_log_proba(X)
        np.testing.assert_allclose(b.predict_log_proba(X), logs, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("solver", ["sgd", "nesterov", "adam"])
def test_coefficients_agree(task, activation, solver):
    kind, y = TASKS[task]
    settings = {"activation": activation, "solver": "adam" if solver == "adam" else "sgd",
                "nesterovs_momentum": solver == "nesterov", "learning_rate_init": 0.01}
    compare(*both(kind, lambda model: model.fit(X, y), settings))


MORE = {
    "weights": {}, "weights of none": {"alpha": 0.0}, "strong": {"alpha": 5.0}, "one batch": {"batch_size": "auto"},
    "larger than the data": {"batch_size": 500}, "in order": {"shuffle": False},
    "plain": {"solver": "sgd", "momentum": 0},
    "all of the momentum": {"solver": "sgd", "momentum": 1.0, "learning_rate_init": 1e-4},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.2},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 1e-2,
                 "n_iter_no_change": 2, "max_iter": 60},
    "stops": {"learning_rate_init": 0.02, "tol": 1e-3, "n_iter_no_change": 3, "max_iter": 400},
    "early": {"early_stopping": True, "max_iter": 120, "n_iter_no_change": 4, "learning_rate_init": 0.02},
    "epsilon": {"epsilon": 1e-2, "beta_1": 0.0, "beta_2": 0.9}, "no hidden layer": {"hidden_layer_sizes": ()},
    "one width": {"hidden_layer_sizes": 7},
}


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.parametrize("task", ["classes", "two classes", "two"])
@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("weighted", [False, True])
def test_settings_agree(task, name, weighted):
    kind, y = TASKS[task]
    weights = WEIGHTS if weighted or name.startswith("weights") else None
    a, b = both(kind, lambda model: model.fit(X, y, sample_weight=weights), MORE[name])
    compare(a, b)
    if name in ("stops", "early"):
        assert b.n_iter_ < MORE[name]["max_iter"]


@pytest.mark.parametrize("y", [COUNTS[:, 0], COUNTS], ids=["one", "two"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_poisson_agrees(y, weights):
    if not hasattr(theirs.MLPRegressor(), "loss") or "loss" not in theirs.MLPRegressor().get_params():
        pytest.skip("this scikit-learn has no Poisson loss")
    compare(*both("MLPRegressor", lambda model: model.fit(X, y, sample_weight=weights), {"loss": "poisson"}))


@pytest.mark.parametrize("task", TASKS)
def test_training_that_goes_on_agrees(task):
    kind, y = TASKS[task]

    def twice(model):
        model.fit(X, y)
        model.set_params(alpha=0.1, max_iter=7).fit(X[::-1], y[::-1])

    compare(*both(kind, twice, {"warm_start": True}))

    def in_parts(model):
        more = {} if kind == "MLPRegressor" else {"classes": np.arange(y.shape[1]) if y.ndim == 2 else np.unique(y)}
        for part in (slice(100), slice(30, 150), slice(50), slice(100)):
            model.partial_fit(X[part], y[part], **more)

    compare(*both(kind, in_parts, {}))
    compare(*both(kind, in_parts, {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1}))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_lbfgs_finds_the_same(task, weights):
    """Of two outputs scikit-learn's loss and gradient do not belong together; ours do, so the paths differ."""
    kind, y = TASKS[task]
    settings = {"solver": "lbfgs", "activation": "tanh", "max_iter": 60 if task == "two" else 15, "alpha": 0.1}
    a, b = both(kind, lambda model: model.fit(X, y, sample_weight=weights), settings)
    if task == "two":
        assert b.score(X, y, weights) > 0.9
        return
    assert (a.n_iter_, a.n_outputs_) == (b.n_iter_, b.n_outputs_)
    np.testing.assert_allclose(b.loss_, a.loss_, rtol=1e-6)
    for one, other in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5)
    assert len(b.loss_curve_) == b.n_iter_ and b.loss_curve_[-1] == pytest.approx(b.loss_)


def test_float32_is_kept_and_agrees_to_its_precision():
    for task in ("classes", "one"):
        kind, y = TASKS[task]
        a, b = both(kind, lambda model, y=y: model.fit(X.astype("float32"), y), {})
        assert b.net_.dtype == b.coefs_[0].dtype == np.float32 and a.n_iter_ == b.n_iter_
        np.testing.assert_allclose(b.coefs_[0], a.coefs_[0], rtol=0, atol=1e-5)


def test_what_is_printed_is_theirs(capsys):
    for settings in ({"early_stopping": True, "max_iter": 40, "n_iter_no_change": 2, "tol": 0.05},
                     {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3, "tol": 0.1,
                      "max_iter": 60}):
        said = []
        for module in (theirs, ours):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module.MLPClassifier(**{**SETTINGS, **settings, "verbose": True}).fit(X, LABELS)
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] and "did not improve more than tol=" in said[1]


def test_any_number_of_threads_gives_the_same_bits():
    fits = [ours.MLPClassifier((40,), max_iter=3, random_state=0, threads=threads).fit(X, LABELS).net_.params.tobytes()
            for threads in (1, 2)]
    assert fits[0] == fits[1]
