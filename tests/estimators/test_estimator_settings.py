"""What the estimators have beside scikit-learn's, and what they refuse."""

import pickle
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import scipy.sparse as sparse
from sklearn.datasets import load_iris
from sklearn.utils.class_weight import compute_sample_weight

import fastbp as fb
from fastbp.sklearn import MLPClassifier, MLPRegressor
from fastbp.sklearn._job import Terms
from fastbp.sklearn._lbfgs import Objective

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_iris(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
SHORT = {"hidden_layer_sizes": (6, 4), "max_iter": 8, "batch_size": 32, "random_state": 1}


def bits(model):
    return model.net_.params.tobytes()


# ---- beside scikit-learn's -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("y", [LABELS, LABELS > 0, np.array(["a", "b", "c"])[LABELS]], ids=["three", "two", "names"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weight_is_a_sample_weight(y, solver):
    weights = {label: 1.0 + 3 * i for i, label in enumerate(np.unique(y))}
    for given in (weights, "balanced"):
        model = MLPClassifier(class_weight=given, solver=solver, **SHORT).fit(X[:120], y[:120])
        twin = MLPClassifier(solver=solver, **SHORT).fit(X[:120], y[:120], compute_sample_weight(given, y[:120]))
        np.testing.assert_allclose(model.coefs_[0], twin.coefs_[0], rtol=1e-12)
    model = MLPClassifier(class_weight=weights, **SHORT).partial_fit(X, y, classes=np.unique(y))
    twin = MLPClassifier(**SHORT).partial_fit(X, y, compute_sample_weight(weights, y), classes=np.unique(y))
    assert bits(model) == bits(twin)


def test_an_activation_for_each_layer_and_one_of_the_outputs():
    model = MLPRegressor(activation=["gelu", "logistic"], out_activation="softplus", **SHORT).fit(X, abs(X[:, 0]))
    assert [layer.activation for layer in model.net_.layers] == ["gelu", "sigmoid", "softplus"]
    assert model.out_activation_ == "softplus" and (model.predict(X) > 0).all()
    with pytest.raises(ValueError, match=r"activation is \['relu'\] \(list\), expected a name, or one for each"):
        MLPRegressor(hidden_layer_sizes=(6, 4), activation=["relu"]).fit(X, X[:, 0])


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "quantile", fb.losses.Quantile(0.9), fb.losses.SquaredError()])
def test_losses_of_fastbp(loss):
    model = MLPRegressor(loss=loss, solver="lbfgs", random_state=0, max_iter=300).fit(X, X[:, 0])
    assert abs(model.predict(X) - X[:, 0]).mean() < 0.5
    high = MLPRegressor(loss=fb.losses.Quantile(0.9), max_iter=400, learning_rate_init=0.01, random_state=0)
    noise = np.random.default_rng(0).normal(size=150)
    assert 0.8 < (noise <= high.fit(X[:, :1] * 0, noise).predict(X[:, :1] * 0)).mean() < 0.97


@pytest.mark.parametrize("solver", ["adamw", "rmsprop", "adagrad", fb.AdamW(lr=0.01), fb.SGD(lr=0.01)])
def test_other_updates(solver):
    model = MLPClassifier(solver=solver, **SHORT).fit(X, LABELS)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.optimizer_ is not solver and model.optimizer_.steps == 8 * 5


def test_schedules_clipping_and_dropout():
    model = MLPClassifier(solver="sgd", learning_rate=fb.schedules.Step(0.1, every=5, factor=0.5), clip_norm=0.1,
                          clip_value=0.05, dropout=0.2, **SHORT).fit(X, LABELS)
    assert model.history_.history["lr"][:3] == [0.1, 0.05, 0.025]
    assert (model.optimizer_.clip_norm, model.optimizer_.clip_value) == (0.1, 0.05)
    assert [type(layer).__name__ for layer in model.net_.layers] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert len(model.coefs_) == 3 and model.n_layers_ == 4


def test_validation_data_metrics_and_callbacks():
    heard = []

    def hears(net, epoch, logs):
        heard.append((epoch, logs["val_score"], logs["sure"]))

    metrics = {"sure": lambda y, p: p.max(axis=1).mean()}
    model = MLPClassifier(metrics=metrics, early_stopping=True, callbacks=hears, **SHORT)
    model.fit(X[::2], LABELS[::2], X_val=X[1::2], y_val=LABELS[1::2], sample_weight_val=np.arange(75) + 1.0)
    assert len(heard) == model.n_iter_ == len(model.validation_loss_curve_) == len(model.validation_scores_)
    assert [each[1] for each in heard] == model.validation_scores_ and model.history_.params["samples"] == 75
    best = model.score(X[1::2], LABELS[1::2], np.arange(75) + 1.0)
    assert best == pytest.approx(model.best_validation_score_)
    plain = MLPClassifier(**SHORT).fit(X, LABELS, X_val=X, y_val=LABELS)
    assert plain.validation_scores_ is None and len(plain.validation_loss_curve_) == plain.n_iter_
    probabilities = plain.predict_proba(X)[np.arange(150), LABELS]
    assert plain.validation_loss_curve_[-1] == pytest.approx(-np.log(probabilities).mean())  # without the penalty
    stopped = MLPClassifier(callbacks=[lambda net, epoch, logs: epoch == 2], **SHORT).fit(X, LABELS)
    assert stopped.n_iter_ == 3


def test_parts_go_on_through_pickles():
    whole = MLPClassifier(**SHORT)
    part = MLPClassifier(**SHORT)
    for rows in (slice(90), slice(40, 150), slice(33)):
        whole.partial_fit(X[rows], LABELS[rows], classes=[0, 1, 2])
        part = pickle.loads(pickle.dumps(part.partial_fit(X[rows], LABELS[rows], classes=[0, 1, 2])))
    assert bits(whole) == bits(part) and part.t_ == 90 + 110 + 33 and part.optimizer_.steps == 3 + 4 + 2


def test_coefficients_are_views_and_can_be_set():
    model = MLPRegressor(**SHORT).fit(X, X[:, 0])
    before = model.predict(X)
    model.coefs_[-1][:] *= 2
    model.intercepts_[-1][:] *= 2
    np.testing.assert_allclose(model.predict(X), 2 * before, rtol=1e-12, atol=1e-15)
    model.coefs_ = [each * 0 for each in model.coefs_]
    assert np.ptp(model.predict(X)) == 0
    with pytest.raises(ValueError, match=r"coefs_ has shapes \[\(1,\)\], expected \[\(4, 6\).*; give one array"):
        model.coefs_ = [np.zeros(1)]


def test_lbfgs_follows_the_gradient():
    """Value and gradient of one objective, by differences: with weights, chunks, and two outputs."""
    targets = X[:, :2] * X[:, 1:3]
    model = MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", solver="lbfgs", max_iter=3).fit(X, targets)
    terms = Terms(None, np.arange(150.0), 0.7, units=2)
    objective, at = Objective(model.net_, X, targets, terms, None), model.net_.params.copy()
    step = np.random.default_rng(0).normal(size=at.size)
    _, gradient = objective(at)
    slope = (objective(at + 1e-6 * step)[0] - objective(at - 1e-6 * step)[0]) / 2e-6
    assert slope == pytest.approx(gradient @ step, rel=1e-7)


# ---- sparse rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"solver": "sgd"}],
                         ids=["adam", "early", "lbfgs", "sgd"])
def test_sparse_rows_are_the_dense_ones(make, settings):
    rows = np.where(abs(X) > 0.5, X, 0)
    weights = np.arange(150) % 4 + 0.5
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, X[:, :2])):
        dense = kind(**SHORT, **settings).fit(rows, y, weights)
        model = kind(**SHORT, **settings).fit(make(rows), y, weights)
        tolerance = 1e-6 if settings.get("solver") == "lbfgs" else 1e-11
        np.testing.assert_allclose(model.net_.params, dense.net_.params, rtol=0, atol=tolerance)
        np.testing.assert_allclose(model.predict(make(rows)), model.predict(rows), rtol=1e-12)
        assert model.n_iter_ == dense.n_iter_ and np.allclose(model.loss_curve_, dense.loss_curve_)
        if "early_stopping" in settings:
            assert np.allclose(model.validation_loss_curve_, dense.validation_loss_curve_)
    model = MLPClassifier(**SHORT).partial_fit(make(rows), LABELS, classes=[0, 1, 2])
    twin = MLPClassifier(**SHORT).partial_fit(rows, LABELS, classes=[0, 1, 2]).partial_fit(rows, LABELS)
    np.testing.assert_allclose(model.partial_fit(make(rows), LABELS).net_.params, twin.net_.params, rtol=0, atol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_never_dense_as_a_whole(solver):
    wide = sparse.random(6000, 3000, density=1e-3, format="csr", random_state=0)
    y = np.asarray(wide[:, :5].sum(axis=1)).ravel()
    model = MLPRegressor(hidden_layer_sizes=(2,), solver=solver, max_iter=1, random_state=0)
    tracemalloc.start()
    model.fit(wide, y).predict(wide)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 6000 * 3000 * 8 / 4


# ---- what is refused -------------------------------------------------------------------------------------------------

LB = {"solver": "lbfgs"}


@pytest.mark.parametrize(("settings", "message"), [
    ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes must be > 0, got"),
    ({"activation": "rleu"}, "The 'activation' parameter of MLPClassifier must be"),
    ({"activation": ["rleu", "relu"]}, "did you mean 'relu'"),
    ({"solver": "adamm"}, "The 'solver' parameter of MLPClassifier must be"),
    ({"solver": fb.SGD(), "clip_norm": 1.0}, "clip_norm is 1.0 .*, expected None, as solver is an object .*; give"),
    ({"learning_rate_init": -1.0}, "The 'learning_rate_init' parameter"),
    ({"max_iter": 0}, "The 'max_iter' parameter"),
    ({"dtype": "float16"}, "dtype is 'float16'"),
    ({"random_state": "x"}, "The 'random_state' parameter"),
    ({"class_weight": "even"}, "The 'class_weight' parameter"),
    ({"metrics": {"f": max}}, "metrics is given .f. without validation data, expected both; pass X_val and y_val"),
    ({"dropout": 0.5, **LB}, "dropout is 0.5 .*, expected 0.0 with solver='lbfgs', .*; choose 'adam' or 'sgd', or"),
    ({"metrics": {"f": max}, **LB}, "metrics is .*, expected None with solver='lbfgs'"),
])
def test_bad_settings_are_refused_and_leave_all_as_it_was(settings, message):
    model = MLPClassifier(**SHORT).fit(X, LABELS)
    then, kept = bits(model), {name: value for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises((ValueError, TypeError), match=message):
        model.set_params(**settings).fit(X[:, :3], LABELS)
    assert {name: value for name, value in vars(model).items() if name.endswith("_")}.keys() == kept.keys()
    assert all(getattr(model, name) is value for name, value in kept.items()) and bits(model) == then


@pytest.mark.parametrize(("data", "message"), [
    ({"sample_weight": np.zeros(150)}, "sample_weight is 0 for all samples|at least one non-zero"),
    ({"X_val": X}, "y_val is None beside X_val, expected X_val and y_val together; pass both"),
    ({"y_val": LABELS}, "X_val is None beside y_val"),
    ({"X_val": X[:, :2], "y_val": LABELS}, "X has 2 features, but MLPClassifier is expecting 4"),
    ({"X_val": X, "y_val": LABELS + 5}, "`y` has classes not in `self.classes_`"),
])
def test_bad_data_are_refused(data, message):
    model = MLPClassifier(**SHORT)
    with pytest.raises(ValueError, match=message):
        model.fit(X, LABELS, **data)
    assert vars(model).keys() == vars(MLPClassifier()).keys()


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match=r"X_val is given with solver='lbfgs', expected none, .*; leave X_val"):
        MLPClassifier(solver="lbfgs").fit(X, LABELS, X_val=X, y_val=LABELS)
    with pytest.raises(ValueError, match=r"class_weight is 'balanced', expected a dict or None .*; compute"):
        MLPClassifier(class_weight="balanced").partial_fit(X, LABELS, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"class_weight is .* with several labels a sample, expected None; pass"):
        MLPClassifier(class_weight={0: 2}).fit(X, X[:, :2] > 0)
    for settings in ({"learning_rate": "adaptive"}, {"early_stopping": True}):
        (name, value), = settings.items()
        with pytest.raises(ValueError, match=rf"{name} is {value!r}.*, expected what a checkpoint can keep; pass a"):
            MLPClassifier(checkpoint=fb.Checkpoint("run"), **settings).fit(X, LABELS)
    model = MLPRegressor(warm_start=True, **SHORT).fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"coefs_ has shapes .*, expected .*, as hidden_layer_sizes says; set it"):
        model.set_params(hidden_layer_sizes=(3,)).fit(X, X[:, 0])


def test_what_diverges_says_so():
    model = MLPRegressor(solver="sgd", learning_rate_init=1e3, random_state=0)
    with pytest.raises(ValueError, match=r"^Solver produced non-finite parameter weights.* In numbers: epoch \d+, s"):
        model.fit(X, X[:, 0] * 1e3)
    with pytest.raises(ValueError, match="Solver produced non-finite"):
        MLPRegressor(solver="lbfgs").fit(X * 1e300, X[:, 0] * 1e300)


def test_a_batch_without_weight_adds_nothing():
    weights = np.r_[np.zeros(40), np.ones(110)]
    settings = {**SHORT, "batch_size": 40, "shuffle": False, "solver": "sgd", "momentum": 0, "max_iter": 1}
    for targets in (X[:, 0], X[:, :2]):
        model = MLPRegressor(**settings).fit(X, targets, weights)
        twin = MLPRegressor(**settings).fit(X[40:], targets[40:])
        np.testing.assert_allclose(model.net_.params, twin.net_.params, rtol=1e-12)
        found = MLPRegressor(**settings).fit(sparse.csr_matrix(X), targets, weights)
        np.testing.assert_allclose(found.net_.params, twin.net_.params, rtol=1e-12)


def test_ctrl_c_keeps_what_was_trained():
    def interrupt(net, epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    model = MLPClassifier(callbacks=[interrupt], **SHORT)
    with pytest.warns(UserWarning, match="^Training interrupted by user"):
        model.fit(X, LABELS)
    assert model.n_iter_ == len(model.loss_curve_) == 3 and model.predict(X).shape == (150,)
    short = MLPClassifier(**{**SHORT, "max_iter": 3}).fit(X, LABELS)
    assert bits(model) == bits(short)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("float32")])
def test_a_dtype_that_is_asked_for(dtype):
    model = MLPRegressor(dtype=dtype, **SHORT).fit(X, X[:, 0])
    assert model.coefs_[0].dtype == np.float32 and model.predict(X).dtype == np.float64
    assert model.predict(X.astype("float32")).dtype == np.float32
    assert MLPRegressor(**SHORT).fit((10 * X).astype(int), X[:, 0]).coefs_[0].dtype == np.float64
