"""The names that parameters had before: taken with a warning, stored as those of today."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import fastbp as fb
from fastbp.sklearn import MLPClassifier, MLPRegressor

SAYS = "an older name, which version 0.4 will not know; pass "


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(("older", "value", "today", "becomes"), [
    ("hidden", (3, 4), "hidden_layer_sizes", (3, 4)), ("optimizer", "sgd", "solver", "sgd"),
    ("lr", 0.5, "learning_rate_init", 0.5), ("lr", None, "learning_rate_init", 0.001), ("epochs", 7, "max_iter", 7),
    ("validation_split", 0.3, "validation_fraction", 0.3), ("l2", 0.25, "alpha", 16.0),
])
def test_an_older_name_is_that_of_today(kind, older, value, today, becomes):
    with pytest.warns(FutureWarning, match=f"^{older} is {SAYS}{today}") as said:
        model = kind(**{older: value})
    assert said[0].filename == __file__
    assert model.get_params()[today] == becomes and older not in model.get_params()
    with pytest.warns(FutureWarning, match=f"^{older} is {SAYS}{today}") as said:
        assert kind().set_params(**{older: value}).get_params()[today] == becomes
    assert said[0].filename == __file__
    with pytest.warns(FutureWarning, match=f"^{older} is an older name, .*; read {today}"):
        assert getattr(model, older) == becomes
    assert clone(model).get_params() == model.get_params()  # without a warning
    with pytest.raises(TypeError, match=f"{older} is .* beside {today}, expected one of the two; leave {older} out"):
        kind(**{older: value, today: becomes})


def test_l2_is_counted_by_the_rows_of_a_batch():
    with pytest.warns(FutureWarning, match=r"pass alpha, here 2 \* 10 \* l2"):
        model = MLPRegressor(l2=0.1, batch_size=10, max_iter=1, tol=1.0, n_iter_no_change=1)
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, X[:, 0])
    assert model.net_.layers[0].l2 == pytest.approx(0.1)


def test_a_search_may_say_them():
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = MLPRegressor(max_iter=300, early_stopping=fb.EarlyStopping("loss"))
    search = GridSearchCV(model, {"lr": [1e-6, 1e-2]}, cv=2)
    with pytest.warns(FutureWarning, match="lr is an older name"):
        search.fit(X, X[:, 0])
    assert search.best_estimator_.learning_rate_init == 1e-2


def test_what_never_was_a_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'widht'"):
        _ = MLPClassifier().widht
    with pytest.raises(TypeError, match="widht"):
        MLPClassifier(widht=3)
