"""fastbp/convert/sklearn.py: fitted perceptrons become networks that predict the same."""

import warnings

import numpy as np
import pytest

import fastbp as fb

neural = pytest.importorskip("sklearn.neural_network")
RNG = np.random.default_rng(2)
X = RNG.normal(0, 1, (60, 4))
Y = {"two": (X[:, 0] > 0).astype(int), "three": np.array(["a", "b", "c"])[RNG.integers(0, 3, 60)],
     "labels": (X[:, :3] > 0).astype(int)}


def fitted(model, y, dtype="float64"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X.astype(dtype), y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("kind", Y)
def test_classifiers_give_the_same_probabilities(kind, activation, dtype):
    model = fitted(neural.MLPClassifier((7, 5), activation=activation, max_iter=20, random_state=0), Y[kind], dtype)
    net = fb.from_sklearn(model, seed=3)
    wanted = model.predict_proba(X.astype(dtype))
    wanted = wanted[:, 1:] if kind == "two" else wanted
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(net.predict(X.astype(dtype)), wanted, rtol=tolerance, atol=tolerance)
    assert (net.dtype, net.seed, net.loss.classification) == (np.dtype(dtype), 3, True)
    assert not np.shares_memory(net.params, model.coefs_[0])
    if kind == "three":
        assert (model.classes_[net.predict(X).argmax(1)] == model.predict(X.astype(dtype))).all()


@pytest.mark.parametrize("outputs", [1, 2])
def test_regressors_give_the_same_values(outputs):
    model = neural.MLPRegressor(hidden_layer_sizes=(6,), activation="tanh", max_iter=20, random_state=0)
    fitted(model, X[:, :outputs].squeeze())
    net = fb.from_sklearn(model)
    np.testing.assert_allclose(net.predict(X), model.predict(X).reshape(60, outputs), rtol=1e-12, atol=1e-12)
    assert net.loss.name == "mse"
    assert fb.from_sklearn(model, loss="huber").loss.name == "huber"


def test_counts_by_poisson_where_scikit_learn_has_it():
    try:
        model = neural.MLPRegressor(hidden_layer_sizes=(6,), loss="poisson", max_iter=20, random_state=0)
    except TypeError:
        pytest.skip("this scikit-learn has no Poisson loss")
    fitted(model, RNG.poisson(2, 60))
    net = fb.from_sklearn(model)
    np.testing.assert_allclose(net.predict(X)[:, 0], model.predict(X), rtol=1e-12)
    assert net.loss.name == "poisson"


def test_what_is_none_is_refused():
    with pytest.raises(ValueError, match=r"model is MLPClassifier.*, which is not fitted, expected one that is; call"):
        fb.from_sklearn(neural.MLPClassifier())
    with pytest.raises(TypeError, match=r"model is 3 .*, expected an MLPClassifier or MLPRegressor of scikit-learn"):
        fb.from_sklearn(3)
    with pytest.raises(ValueError, match="loss is 'no loss', expected"):
        fb.from_sklearn(neural.MLPClassifier(), loss="no loss")
    model = fitted(neural.MLPClassifier((3,), max_iter=2), Y["two"])
    model.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"coefs_\[0\] has weights that are not finite"):
        fb.from_sklearn(model)
    model.coefs_[0][0, 0], model.activation = 0, "cube"
    with pytest.raises(ValueError, match="activation of model is 'cube', expected identity, logistic"):
        fb.from_sklearn(model)
