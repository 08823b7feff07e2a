"""The data of the study of initial values: what scikit-learn bundles and generates, and some functions.

The rules were chosen on all but those of HELD_OUT, which are there to tell whether the choice holds for other data.
"""

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


def column(load, target):
    """One column of scikit-learn's own sets from the others."""
    X = load().data
    return lambda: (np.delete(X, target, axis=1), X[:, target])


def ink():
    """How dark the lower quarters of a digit are, left and right, by its upper half."""
    images = datasets.load_digits().images
    return images[:, :4].reshape(-1, 32), images[:, 4:].reshape(-1, 4, 2, 4).sum((1, 3))


def heavy_tails():
    """A bent plane of six inputs with Student's t noise of three degrees of freedom."""
    random = np.random.default_rng(2)
    X = random.normal(size=(800, 6))
    return X, np.abs(X[:, 0] + X[:, 1]) + X[:, 2] + 0.5 * random.standard_t(3, 800)


def steps():
    """Two inputs: terraces, which no smooth function meets."""
    X = np.random.default_rng(3).uniform(-1, 1, (900, 2))
    return X, np.floor(3 * X[:, 0]) * np.sign(X[:, 1])


def waves():
    """Three inputs, no noise."""
    X = np.random.default_rng(4).uniform(-1, 1, (700, 3))
    return X, np.sin(5 * X[:, 0]) + np.cos(4 * X[:, 1] * X[:, 2])


def hastie():
    """Whether the ten inputs are far from the middle."""
    X, y = datasets.make_hastie_10_2(1200, random_state=5)
    return X, (y > 0).astype(int)


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
    "shells": lambda: datasets.make_gaussian_quantiles(n_samples=900, n_features=5, n_classes=3, random_state=5),
    "hastie": hastie,
    "blobs": lambda: datasets.make_blobs(600, n_features=12, centers=6, cluster_std=6.0, random_state=5),
    "few of many": lambda: datasets.make_classification(
        800, n_features=40, n_informative=5, n_classes=2, flip_y=0.1, random_state=5
    ),
    "blurred moons": lambda: datasets.make_moons(300, noise=0.35, random_state=5),
}
QUANTITIES = {
    "diabetes": bundled(datasets.load_diabetes),
    "linnerud": bundled(datasets.load_linnerud),
    "friedman1": lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "friedman2": lambda: datasets.make_friedman2(1000, noise=50.0, random_state=0),
    "friedman3": lambda: datasets.make_friedman3(1000, noise=0.1, random_state=0),
    "regression": lambda: datasets.make_regression(600, 20, n_informative=10, noise=30.0, random_state=0),
    "smooth": smooth,
    "alcohol": column(datasets.load_wine, 0),
    "radius": column(datasets.load_breast_cancer, 0),
    "petal": column(datasets.load_iris, 3),
    "ink": ink,
    "sparse": lambda: datasets.make_sparse_uncorrelated(600, n_features=10, random_state=5),
    "heavy tails": heavy_tails,
    "steps": steps,
    "waves": waves,
}
HELD_OUT = (
    "shells", "hastie", "blobs", "few of many", "blurred moons", "alcohol", "radius", "petal", "ink", "sparse",
    "heavy tails", "steps", "waves",
)  # fmt: skip
CHOSEN_ON = tuple(name for name in CLASSES | QUANTITIES if name not in HELD_OUT)


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
