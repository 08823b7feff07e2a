"""A network from scikit-learn's fitted MLPClassifier or MLPRegressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp.convert.assembly import network_of, taken
from fastbp.convert.steps import Step

if TYPE_CHECKING:
    from fastbp.losses import Loss
    from fastbp.network import Sequential

_NAMES = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "softmax": "softmax",
          "exp": "exponential"}


def from_sklearn(model: Any, *, loss: str | Loss | None = None, seed: int = 0) -> Sequential:
    """The network that a fitted MLPClassifier or MLPRegressor of scikit-learn is, with copies of its coefficients and
    their dtype.

    `predict` of the network gives what `predict_proba` does, but for one output, the probability of classes_[1], where
    scikit-learn has one (two classes; or one for each label of several); for a regressor, what its `predict` does, as
    (n, outputs). loss: None takes cross_entropy or binary_cross_entropy for a classifier, mse for a regressor, or
    poisson for one of that loss. The penalty alpha is none of the network's: give Dense an l2 for it.

    Raises ImportError without scikit-learn, TypeError for another model, ValueError for one that is not fitted.
    """
    try:
        from sklearn.neural_network import MLPClassifier, MLPRegressor
    except ImportError:
        raise ImportError('from_sklearn needs scikit-learn; pip install "fastbp[sklearn]"') from None
    loss, seed = taken(loss), check.seed("seed", seed)
    if not isinstance(model, MLPClassifier | MLPRegressor):
        remedy = "pass model.net_" if hasattr(model, "net_") else "pass the last step of a pipeline, say"
        raise TypeError(f"model is {check.shown(model)}, expected an MLPClassifier or MLPRegressor of scikit-learn; "
                        f"{remedy}")
    if not hasattr(model, "coefs_"):
        raise ValueError(f"model is {check.shown(model)}, which is not fitted, expected one that is; call its fit "
                         "first")
    steps = []
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        last = i == len(model.coefs_) - 1
        name = model.out_activation_ if last else model.activation
        if name not in _NAMES:
            raise ValueError(f"activation of model is {check.shown(name)}, expected {', '.join(_NAMES)}; fit a model "
                             "with one of them")
        steps.append(Step("dense", f"coefs_[{i}]", W=np.array(W), b=np.array(b)))
        if _NAMES[name] != "linear":
            steps.append(Step("activation", f"the activation behind coefs_[{i}]", name=_NAMES[name]))
    if loss is None and isinstance(model, MLPRegressor) and model.out_activation_ == "identity":
        loss = "mse"
    dtype: Any = np.result_type(*model.coefs_).name
    return network_of(steps, loss, dtype, seed)
