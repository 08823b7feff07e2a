"""The estimators among scikit-learn's tools: searches, pipelines, ensembles, calibration, routing, tables."""

import io

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_predict, cross_validate
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
SHORT = {"hidden_layer_sizes": (8,), "max_iter": 30, "learning_rate_init": 0.02, "random_state": 0}


def pipeline(**settings):
    return make_pipeline(StandardScaler(), MLPClassifier(**{**SHORT, **settings}))


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_searches_in_parallel(backend):
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__hidden_layer_sizes": [(8,), (8, 8)]}
    with joblib.parallel_backend(backend, n_jobs=2):
        found = GridSearchCV(pipeline(), grid, cv=2).fit(X, LABELS)
    alone = GridSearchCV(pipeline(), grid, cv=2).fit(X, LABELS)
    assert np.array_equal(found.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    assert found.best_score_ > 0.8


def test_halving_by_epochs():
    search = HalvingGridSearchCV(pipeline(), {"mlpclassifier__alpha": [1e-4, 1e-2, 1.0]}, cv=2, random_state=0,
                                 resource="mlpclassifier__max_iter", max_resources=40, min_resources=10)
    assert search.fit(X, LABELS).best_score_ > 0.7


def test_models_of_models():
    assert CalibratedClassifierCV(pipeline(), cv=2).fit(X, LABELS).score(X, LABELS) > 0.8
    assert BaggingClassifier(pipeline(), n_estimators=3, random_state=0).fit(X, LABELS).score(X, LABELS) > 0.8
    assert VotingClassifier([("a", pipeline()), ("b", pipeline(solver="lbfgs"))], voting="soft").fit(X, LABELS)
    net = make_pipeline(StandardScaler(), MLPRegressor(**SHORT))
    stack = StackingRegressor([("net", net), ("ridge", Ridge())], cv=2)
    assert stack.fit(X, X[:, 0]).score(X, X[:, 0]) > 0.9
    both = MultiOutputClassifier(MLPClassifier(**SHORT)).fit(X, np.c_[LABELS, LABELS > 0])
    assert both.predict(X).shape == (150, 2)
    assert permutation_importance(pipeline().fit(X, LABELS), X, LABELS, n_repeats=2).importances_mean.shape == (4,)
    assert cross_val_predict(pipeline(), X, LABELS, cv=2, method="predict_log_proba").shape == (150, 3)


def test_memory_maps_of_joblib(tmp_path):
    model = pipeline().fit(X, LABELS)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert np.array_equal(mapped.predict_proba(X), model.predict_proba(X))
    joblib.dump(X, tmp_path / "X.joblib")
    rows = joblib.load(tmp_path / "X.joblib", mmap_mode="r")
    assert np.array_equal(pipeline().fit(rows, LABELS).predict_proba(rows), model.predict_proba(X))
    file = io.BytesIO()
    joblib.dump(model[-1], file)
    file.seek(0)
    assert joblib.load(file).partial_fit(X, LABELS).n_iter_ == 1


def test_metadata_are_routed():
    weights = np.arange(150.0) + 1
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**SHORT).set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = cross_validate(model, X, LABELS, cv=2, params={"sample_weight": weights}, return_estimator=True)
        with pytest.raises(Exception, match="sample_weight"):
            cross_validate(MLPClassifier(**SHORT), X, LABELS, cv=2, params={"sample_weight": weights})
    plain = cross_validate(MLPClassifier(**SHORT), X, LABELS, cv=2, return_estimator=True)
    assert not np.allclose(found["estimator"][0].coefs_[0], plain["estimator"][0].coefs_[0])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables_and_names_of_features(library):
    frames = pytest.importorskip(library)
    names = [f"x{i}" for i in range(4)]
    table = frames.DataFrame({name: X[:, i] for i, name in enumerate(names)})
    model = MLPClassifier(**SHORT, early_stopping=True).fit(table, frames.Series(LABELS))
    assert list(model.feature_names_in_) == names
    assert np.array_equal(model.coefs_[0], MLPClassifier(**SHORT, early_stopping=True).fit(X, LABELS).coefs_[0])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    scaler = StandardScaler().set_output(transform=library)
    piped = make_pipeline(scaler, MLPRegressor(**SHORT)).fit(table, X[:, 0])
    assert list(piped[-1].feature_names_in_) == names
