"""The data of the study of initial values: what scikit-learn bundles and generates, and a smooth function."""

import math

import numpy as np
from sklearn import datasets

ROWS = 3200  # of an epoch at least, as a shorter one would cost more than its steps


def bundled(load):
    """A function that gives (X, y) of one of scikit-learn's own sets."""
    return lambda: load(return_X_y=True)


def smooth():
    """One input: a sine that turns faster and faster."""
    x = np.random.default_rng(0).uniform(-1, 1, 600)
    return x[:, None], np.sin(4 * x + 3 * x**2)


CLASSES = {
    "iris": bundled(datasets.load_iris),
    "wine": bundled(datasets.load_wine),
    "breast cancer": bundled(datasets.load_breast_cancer),
    "digits": bundled(datasets.load_digits),
    "moons": lambda: datasets.make_moons(600, noise=0.2, random_state=0),
    "circles": lambda: datasets.make_circles(600, noise=0.1, factor=0.5, random_state=0),
    "classification": lambda: datasets.make_classification(
        1000, n_features=20, n_informative=10, n_classes=4, random_state=0
    ),
}
QUANTITIES = {
    "diabetes": bundled(datasets.load_diabetes),
    "linnerud": bundled(datasets.load_linnerud),
    "friedman1": lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "friedman2": lambda: datasets.make_friedman2(1000, noise=50.0, random_state=0),
    "friedman3": lambda: datasets.make_friedman3(1000, noise=0.1, random_state=0),
    "regression": lambda: datasets.make_regression(600, 20, n_informative=10, noise=30.0, random_state=0),
    "smooth": smooth,
}


class Task:
    """Standardised data: 70 % of the rows to learn from, X and y, often enough for an epoch; the rest to judge by."""

    def __init__(self, name):
        X, y = (CLASSES | QUANTITIES)[name]()
        self.classes = name in CLASSES
        order, count = np.random.default_rng(1).permutation(len(X)), int(0.7 * len(X))
        learn, judge = order[:count], order[count:]
        X, y = standardised(X, learn), y if self.classes else standardised(y, learn)
        again = np.tile(learn, math.ceil(ROWS / count))
        self.X, self.y, self.X_unseen, self.y_unseen = X[again], y[again], X[judge], y[judge]
        self.units = int(y.max()) + 1 if self.classes else y.shape[1]
        self.loss = "cross_entropy" if self.classes else "mse"

    def score(self, net):
        """R squared (the mean over targets), or the share of right answers, on the unseen rows."""
        found = net.predict(self.X_unseen).astype(float)
        if self.classes:
            return float((found.argmax(1) == self.y_unseen).mean())
        error = ((found - self.y_unseen) ** 2).sum(0) / ((self.y_unseen - self.y_unseen.mean(0)) ** 2).sum(0)
        return float(1 - error.mean())


def standardised(A, rows):
    """float32 (n, columns) with mean 0 and deviation 1 of the columns in `rows`; what is constant becomes 0."""
    A = np.asarray(A, float).reshape(len(A), -1)
    deviation = A[rows].std(0)
    return ((A - A[rows].mean(0)) / np.where(deviation > 0, deviation, 1)).astype("float32")
