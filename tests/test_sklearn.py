"""The estimators: scikit-learn's own checks of estimators, and what those do not look at."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastbp as fb
from fastbp.sklearn import MLPClassifier, MLPRegressor

NOT_CONVERGED = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.filterwarnings("default")
@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_scikit_learns_own_checks(estimator, check):
    """With the parameters under which it checks its own; none is expected to fail."""
    check(estimator)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("estimator", [
    MLPClassifier(max_iter=100, solver="lbfgs"), MLPRegressor(max_iter=100, solver="sgd", tol=1e-2, random_state=42),
], ids=["lbfgs", "sgd"])
def test_weights_are_rows_given_more_than_once(estimator):
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    checks.check_sample_weight_equivalence_on_dense_data(type(estimator).__name__, estimator)


def test_constructors_only_store():
    solver = fb.SGD(lr=0.1)
    for kind in (MLPClassifier, MLPRegressor):
        estimator = kind(hidden_layer_sizes="nonsense", solver=solver, max_iter=-3, dtype=7)
        assert estimator.hidden_layer_sizes == "nonsense" and estimator.solver is solver and estimator.max_iter == -3
        assert clone(estimator).get_params()["max_iter"] == -3


def test_parameters_and_their_defaults_are_scikit_learns():
    from sklearn import neural_network as theirs

    for kind in (MLPClassifier, MLPRegressor):
        wanted, found = getattr(theirs, kind.__name__)().get_params(), kind().get_params()
        assert wanted.items() <= found.items()
        more = {"loss", "out_activation", "class_weight", "dropout", "clip_norm", "clip_value", "callbacks", "metrics",
                "dtype", "threads", "checkpoint"}
        assert set(found) - set(wanted) <= more


@pytest.mark.smoke
def test_classifier_learns_iris_and_names():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_pipeline(StandardScaler(), MLPClassifier((16,), solver="lbfgs", alpha=1.0, random_state=0))
    assert cross_val_score(model, X, names, cv=3).mean() > 0.93
    model.fit(X, names)
    assert set(model.predict(X)) == {"setosa", "versicolor", "virginica"}
    assert np.allclose(model.predict_proba(X).sum(1), 1)


@NOT_CONVERGED
def test_regressor_learns_one_and_several_outputs():
    X, y = make_regression(300, 5, n_targets=3, random_state=0)
    Y = StandardScaler().fit_transform(y)
    settings = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01, "random_state": 0}
    model = MLPRegressor(**settings).fit(X, Y)
    assert model.score(X, Y) > 0.95 and model.predict(X).shape == (300, 3) and model.n_outputs_ == 3
    model = MLPRegressor(**settings).fit(X, Y[:, 0])
    assert model.predict(X).shape == (300,) and model.score(X, Y[:, 0]) > 0.95


@NOT_CONVERGED
@pytest.mark.parametrize("model", [MLPClassifier(max_iter=2, random_state=0), MLPRegressor(max_iter=2, random_state=0)])
def test_pickle_keeps_the_network_and_its_optimizer(model):
    X, y = make_classification(50, random_state=0)
    model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert again.net_.params.tobytes() == model.net_.params.tobytes()
    assert np.array_equal(again.predict(X), model.predict(X))
    again.coefs_[0][:] += 0  # still views of its network
    assert np.shares_memory(again.coefs_[0], again.net_.params)
    again.partial_fit(X, y)
    model.partial_fit(X, y)
    assert again.net_.params.tobytes() == model.net_.params.tobytes() and again.optimizer_.steps == 3


@NOT_CONVERGED
def test_an_object_holds_out_some_of_every_class():
    """The rows are sorted by class and the last class is the last fifth: held out whole, it would never be learned."""
    y = np.repeat(np.arange(5), 20)
    X = np.eye(5)[y]
    stopping = fb.EarlyStopping(patience=3, min_delta=1e-3)
    model = MLPClassifier(max_iter=500, learning_rate_init=0.05, early_stopping=stopping, validation_fraction=0.2,
                          random_state=0).fit(X, y)
    assert model.n_iter_ < 500 and model.history_.params["samples"] == 80
    assert model.score(X, y) == 1 and model.history_.history["val_accuracy"][-1] == 1
    assert len(model.validation_loss_curve_) == model.n_iter_


@NOT_CONVERGED
@pytest.mark.parametrize(("classes", "size", "share"), [(100, 5, 0.1), (100, 4, 0.1), (10, 1, 0.5)])
def test_small_classes_hold_out_the_share_asked_for(classes, size, share):
    y = np.repeat([f"c{i}" for i in range(classes)], size)
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    settings = {"hidden_layer_sizes": (), "max_iter": 1, "validation_fraction": share, "random_state": 0,
                "early_stopping": fb.EarlyStopping()}
    model = MLPClassifier(**settings)
    said = rf"validation_fraction {share} of {len(y)} rows .* classes have no row .*'c\d"
    with pytest.warns(UserWarning, match=said):
        model.fit(X, y)
    assert model.history_.params["samples"] == len(y) - round(len(y) * share)
    model = MLPRegressor(**settings).fit(X, np.arange(len(y)) / 9)
    assert model.history_.params["samples"] == len(y) - round(len(y) * share)


@pytest.mark.parametrize("n, share", [(2, 0.2), (3, 0.1), (4, 0.1), (2, 0.9), (4, 0.95)])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_part_of_nothing_is_refused(kind, n, share):
    X, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n) % 2
    message = rf"validation_fraction is {share} of {n} samples, of which \d would be held out and \d left to train on"
    with pytest.raises(ValueError, match=message):
        kind(validation_fraction=share, early_stopping=fb.EarlyStopping()).fit(X, y)


def test_without_sklearn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn'] = None; import fastbp; import fastbp.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ImportError: fastbp.sklearn needs scikit-learn" in done.stderr
    assert 'pip install "fastbp[sklearn]"' in done.stderr


@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_partial_fit_refuses_what_it_would_ignore(Estimator):
    model = Estimator(early_stopping=fb.EarlyStopping("loss"))
    more = {"classes": [0, 1]} if Estimator is MLPClassifier else {}
    message = r"early_stopping is .*, expected None for partial_fit, .*; call fit, or set_params"
    with pytest.raises(ValueError, match=message):
        model.partial_fit(np.eye(4), [0, 1, 0, 1], **more)
    assert not hasattr(model, "net_") and not hasattr(model, "classes_")
