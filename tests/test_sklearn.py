"""The estimators: scikit-learn's own checks, and what those do not look at."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastbp as fb
from fastbp.sklearn import MLPClassifier, MLPRegressor

# Mini-batches are cut from rows: a row of weight 2 and the same row twice are different batches.
_BATCHES = "training by mini-batches: a weight of two is not the row given twice"
EXPECTED = {"check_sample_weight_equivalence_on_dense_data": _BATCHES}


@parametrize_with_checks([MLPClassifier(epochs=60, batch_size=8, lr=0.01, random_state=0),
                          MLPRegressor(epochs=60, batch_size=8, lr=0.01, random_state=0)],
                         expected_failed_checks=lambda estimator: EXPECTED)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_constructors_only_store():
    optimizer = fb.SGD(lr=0.1)
    for kind in (MLPClassifier, MLPRegressor):
        estimator = kind(hidden="nonsense", optimizer=optimizer, epochs=-3, dtype=7)
        assert estimator.hidden == "nonsense" and estimator.optimizer is optimizer and estimator.epochs == -3
        assert clone(estimator).get_params()["epochs"] == -3


@pytest.mark.smoke
def test_classifier_learns_iris_and_names():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_pipeline(StandardScaler(), MLPClassifier((16,), lr=0.01, random_state=0))
    assert cross_val_score(model, X, names, cv=3).mean() > 0.93
    model.fit(X, names)
    assert set(model.predict(X)) == set(names)
    chances = model.predict_proba(X)
    assert chances.shape == (150, 3) and np.allclose(chances.sum(1), 1, atol=1e-5)
    assert (model.classes_[chances.argmax(1)] == model.predict(X)).all()


def test_regressor_learns_one_and_two_outputs():
    X, Y = make_regression(300, 5, n_informative=5, n_targets=2, random_state=0)
    Y = (Y - Y.mean(0)) / Y.std(0)
    model = MLPRegressor((32,), lr=0.01, random_state=0).fit(X, Y)
    assert model.predict(X).shape == (300, 2) and model.score(X, Y) > 0.95
    model = MLPRegressor((32,), loss=fb.losses.Huber(0.5), lr=0.01, random_state=0).fit(X, Y[:, 0])
    assert model.predict(X).shape == (300,) and model.score(X, Y[:, 0]) > 0.95


def test_same_seed_same_network_any_threads():
    X, y = make_classification(200, random_state=0)
    fits = [MLPClassifier(epochs=3, random_state=seed, threads=threads).fit(X, y).net_.params.tobytes()
            for seed, threads in ((0, 1), (0, 2), (1, 1))]
    assert fits[0] == fits[1] != fits[2]


def test_sample_weight_counts():
    X, y = np.array([[0.0], [0.0]]), np.array([0, 1])
    for weight in ([9, 1], [1, 9]):
        model = MLPClassifier((), lr=0.1, epochs=200, random_state=0).fit(X, y, sample_weight=weight)
        assert abs(model.predict_proba(X)[0, 0] - weight[0] / 10) < 0.02


def test_partial_fit_goes_on_training():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = MLPClassifier((16,), lr=0.01, random_state=0)
    model.partial_fit(X[:50], y[:50], classes=[0, 1, 2])                  # one class only, but all are known
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.93 and model.n_iter_ == 61 and model.optimizer_.steps == 2 + 60 * 5
    with pytest.raises(ValueError, match="y has the class 7, expected one of"):
        model.partial_fit(X[:1], [7])
    model = MLPRegressor((16,), lr=0.01, random_state=0)
    for _ in range(60):
        model.partial_fit(X, X[:, 0])
    assert model.score(X, X[:, 0]) > 0.95


@pytest.mark.parametrize("model", [MLPClassifier(epochs=2, random_state=0), MLPRegressor(epochs=2, random_state=0)])
def test_pickle_keeps_the_network(model):
    X, y = make_classification(50, random_state=0)
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.net_.params.tobytes() == model.net_.params.tobytes()
    assert np.array_equal(again.predict(X), model.predict(X))
    assert again.partial_fit(X, y).n_iter_ == 3


def test_grid_search():
    X, y = load_iris(return_X_y=True)
    grid = {"lr": [1e-6, 1e-2], "hidden": [(8,), (8, 8)]}
    search = GridSearchCV(MLPClassifier(epochs=20, random_state=0), grid, cv=2)
    assert search.fit(X, y).best_params_["lr"] == 1e-2


def test_early_stopping_holds_out_some_of_every_class():
    """The rows are sorted by class and the last class is the last fifth: held out whole, it would never be learned."""
    y = np.repeat(np.arange(5), 20)
    X = np.eye(5)[y]
    model = MLPClassifier(epochs=500, lr=0.05, early_stopping=fb.EarlyStopping(patience=3, min_delta=1e-3),
                          validation_split=0.2, random_state=0).fit(X, y)
    assert model.n_iter_ < 500 and model.history_.params["samples"] == 80
    assert model.score(X, y) == 1 and model.history_.history["val_accuracy"][-1] == 1


@pytest.mark.parametrize(("classes", "size", "share"), [(100, 5, 0.1), (100, 4, 0.1), (10, 1, 0.5)])
def test_small_classes_hold_out_the_share_asked_for(classes, size, share):
    y = np.repeat([f"c{i}" for i in range(classes)], size)
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    model = MLPClassifier((), epochs=1, validation_split=share, random_state=0)
    with pytest.warns(UserWarning, match=rf"validation_split {share} of {len(y)} rows .* classes have no row .*'c\d"):
        model.fit(X, y)
    assert model.history_.params["samples"] == len(y) - round(len(y) * share)
    model = MLPRegressor((), epochs=1, validation_split=share, random_state=0).fit(X, np.arange(len(y)) / 9)
    assert model.history_.params["samples"] == len(y) - round(len(y) * share)


@pytest.mark.parametrize("settings, message", [
    ({"validation_split": 0.01}, "validation_split is 0.01 of 2 samples, of which 0 would be held out and 2 left"),
    ({"validation_split": 1.5}, "validation_split is 1.5, expected a finite number >= 0 and < 1"),
    ({"hidden": (0,)}, "hidden is 0"),
    ({"activation": "rleu"}, "did you mean 'relu'"),
    ({"optimizer": "rmsporp"}, "did you mean 'rmsprop'"),
    ({"optimizer": fb.SGD(), "lr": 0.1}, "give lr=None"),
    ({"lr": -1.0}, "lr is -1"),
    ({"epochs": 0}, "epochs is 0"),
    ({"dtype": "float16"}, "dtype is 'float16'"),
])
def test_fit_refuses_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**settings).fit([[0.0], [1.0]], [0, 1])


def test_classifier_needs_two_classes():
    with pytest.raises(ValueError, match="one class only"):
        MLPClassifier().fit([[0.0], [1.0]], [3, 3])


def test_without_sklearn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn'] = None; import fastbp; import fastbp.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: fastbp.sklearn needs scikit-learn" in done.stderr
    assert 'pip install "fastbp[sklearn]"' in done.stderr


@pytest.mark.parametrize("n, share", [(2, 0.2), (3, 0.1), (4, 0.1), (2, 0.9), (4, 0.95)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_part_of_nothing_is_refused(kind, n, share):
    X, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n) % 2
    message = rf"validation_split is {share} of {n} samples, of which \d would be held out and \d left to train on"
    with pytest.raises(ValueError, match=message):
        kind(validation_split=share, early_stopping=fb.EarlyStopping()).fit(X, y)


def test_random_state_ends_where_numpys_does():
    with pytest.raises(ValueError, match=r"random_state is 18446744073709551616, expected .* <= 4294967295"):
        MLPClassifier(random_state=2**64).fit([[0.0], [1.0]], [0, 1])


def test_a_random_state_that_is_none():
    with pytest.raises(ValueError, match=r"random_state is 'x', expected an int, a numpy.random.RandomState or None"):
        MLPClassifier(random_state="x").fit(np.eye(4), [0, 1, 0, 1])


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("option", [{"validation_split": 0.2}, {"early_stopping": fb.EarlyStopping("loss")}])
def test_partial_fit_refuses_what_it_would_ignore(Estimator, option):
    model, (name,) = Estimator(**option), option
    with pytest.raises(ValueError, match=rf"{name} is .*, expected .* for partial_fit, .*; call fit, or set_params"):
        model.partial_fit(np.eye(4), [0, 1, 0, 1])
    assert not hasattr(model, "net_")
