"""scikit-learn's MLPClassifier and MLPRegressor, through partial_fit: 32 batches a call, so that checks cost little.

It has no squared error on sigmoid outputs: there it does its own loss, cross-entropy, which is about the same work; so
its loss is not compared. It has no way to ask for value and gradient alone.
"""
import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.peers import Batches

NAME, VERSION = "sklearn", sklearn.__version__
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


class Contender:
    """One workload in scikit-learn; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1):
        if case.update is None:
            raise NotImplementedError("scikit-learn's networks give no gradient")
        self.case, self.X = case, X
        if case.output == "sigmoid":
            y = y.argmax(axis=1)
        self.classifier = y.dtype.kind == "i"
        self.y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
        self.multiple = 1 if case.flop > 1e9 else min(32, case.rows // case.batch)
        self.net = (MLPClassifier if self.classifier else MLPRegressor)(
            hidden_layer_sizes=case.widths[1:-1], activation=ACTIVATIONS[case.activation], alpha=0.0,
            batch_size=case.batch, solver="adam" if case.update == "adam" else "sgd",
            learning_rate_init=case.lr, momentum=0.9 if case.update == "momentum" else 0.0, nesterovs_momentum=False,
            random_state=0)
        self.batches = Batches(case.rows, case.batch * self.multiple, np.random.default_rng(0))
        if self.classifier:
            self.net.partial_fit(X[:case.batch], self.y[:case.batch], classes=np.arange(case.widths[-1]))

    def run(self, steps):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(steps // self.multiple):
                if self.case.shuffled:
                    index = self.batches.take()
                    self.net.partial_fit(self.X[index], self.y[index])
                else:
                    self.net.partial_fit(self.X, self.y)

    def loss(self):
        return None
