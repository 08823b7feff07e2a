"""scikit-learn's multilayer perceptrons on the compiled engine: a classifier and a regressor.

    from fastbp.sklearn import MLPClassifier          # instead of sklearn.neural_network
    make_pipeline(StandardScaler(), MLPClassifier((64, 64))).fit(X, y).score(X_test, y_test)

Parameters, defaults, attributes and the fitted numbers are scikit-learn's; docs/migrating.md says what there is beside.
Constructors only store; `fit` checks everything and returns the estimator.
"""

try:
    import sklearn.base as _  # noqa: F401
except ImportError:
    raise ImportError('fastbp.sklearn needs scikit-learn 1.6 or newer; pip install "fastbp[sklearn]"') from None

from fastbp.sklearn._classifier import MLPClassifier
from fastbp.sklearn._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
