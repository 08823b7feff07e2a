"""The baseline: backpropagation written by hand in NumPy, as well as NumPy lets it be written.

Parameters and gradients are flat vectors with a view for each layer, so that an update is a few operations on whole
vectors; every array a step needs is made once and written with out=. Products go to BLAS through ndarray.dot, whose
call costs a third of np.matmul's for small operands. A bias gradient is a product with ones: BLAS sums columns up to
five times faster than np.add.reduce. sigmoid goes through tanh, which NumPy has vectorised: a fifth faster than by exp.
"""
import math

import numpy as np

from bench.peers import Batches

NAME, VERSION = "numpy", np.__version__
MOMENTUM, BETA1, BETA2, EPS = 0.9, 0.9, 0.999, 1e-8


def views(vector, shapes):
    """[(W (inputs, units), b (units,)), ...]: one contiguous vector seen layer by layer."""
    pairs, at = [], 0
    for inputs, units in shapes:
        W = vector[at:at + inputs * units].reshape(inputs, units)
        at += inputs * units
        pairs.append((W, vector[at:at + units]))
        at += units
    return pairs


class Contender:
    """One workload in NumPy; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1, dtype="float32"):
        self.case, self.X, self.y = case, X, y
        self.params = case.initial_parameters(dtype)
        self.grads = np.zeros_like(self.params)
        slots = {"momentum": 1, "adam": 2}.get(case.update, 0)
        self.state = np.zeros((slots, self.params.size), dtype)
        self.scratch = np.empty_like(self.params)
        self.layers = views(self.params, case.shapes)
        self.dlayers = views(self.grads, case.shapes)
        B = case.batch
        self.Y = [np.empty((B, units), dtype) for _, units in case.shapes]    # each layer's outputs
        self.dY = [np.empty((B, units), dtype) for _, units in case.shapes]   # and the gradient of the loss by them
        self.tmp = [np.empty((B, units), dtype) for _, units in case.shapes]
        self.mask = [np.empty((B, units), bool) for _, units in case.shapes]
        self.ones = np.ones(B, dtype)
        self.column = np.empty((B, 1), dtype)
        self.row = np.arange(B)
        self.xb, self.yb = np.empty((B, *X.shape[1:]), X.dtype), np.empty((B, *y.shape[1:]), y.dtype)
        self.batches = Batches(case.rows, B, np.random.default_rng(0))
        self.update = {None: None, "sgd": self.sgd, "momentum": self.momentum, "adam": self.adam}[case.update]
        self.steps = 0

    def run(self, steps):
        xb, yb = (self.xb, self.yb) if self.case.shuffled else (self.X, self.y)
        for _ in range(steps):
            if self.case.shuffled:
                index = self.batches.take()
                self.X.take(index, axis=0, out=xb, mode="clip")  # "raise" would go through a buffer
                self.y.take(index, axis=0, out=yb, mode="clip")
            self.loss_and_grad(xb, yb)
            if self.update:
                self.update()

    def loss(self):
        B = self.case.batch
        return float(self.loss_and_grad(self.X[:B], self.y[:B]))

    def loss_and_grad(self, X, y):
        """The loss of one batch, X (B, inputs); fills self.grads."""
        self.forward(X, self.Y)
        value = self.loss_backward(y)
        for i in reversed(range(len(self.layers))):
            self.activation_backward(i)
            dZ, (dW, db) = self.dY[i], self.dlayers[i]
            (self.Y[i - 1] if i else X).T.dot(dZ, out=dW)
            self.ones.dot(dZ, out=db)
            if i:
                dZ.dot(self.layers[i][0].T, out=self.dY[i - 1])
        return value

    def forward(self, X, outputs):
        """Fills outputs, those of each layer (n, units), from X (n, inputs)."""
        A = X
        for (W, b), Y, activation in zip(self.layers, outputs, self.case.activations, strict=True):
            A.dot(W, out=Y)
            np.add(Y, b, out=Y)
            if activation == "relu":
                np.maximum(Y, 0, out=Y)
            elif activation == "tanh":
                np.tanh(Y, out=Y)
            elif activation == "sigmoid":  # = (1 + tanh(z / 2)) / 2
                np.multiply(Y, 0.5, out=Y)
                np.tanh(Y, out=Y)
                np.multiply(Y, 0.5, out=Y)
                np.add(Y, 0.5, out=Y)
            A = Y

    def loss_backward(self, y):
        """The loss; self.dY[-1] becomes its gradient by the outputs."""
        Y, dY, B = self.Y[-1], self.dY[-1], self.case.batch
        if self.case.classes:
            np.maximum.reduce(Y, axis=1, keepdims=True, out=self.column)
            np.subtract(Y, self.column, out=Y)
            np.exp(Y, out=dY)
            np.add.reduce(dY, axis=1, keepdims=True, out=self.column)
            np.divide(dY, self.column, out=dY)
            np.log(self.column, out=self.column)
            value = (self.column.sum() - Y[self.row, y].sum()) / B
            dY[self.row, y] -= 1
            np.multiply(dY, 1 / B, out=dY)
            return value
        np.subtract(Y, y, out=dY)
        count = B if self.case.loss == "squared_error" else dY.size
        value = np.vdot(dY, dY) / count
        np.multiply(dY, 2 / count, out=dY)
        return value

    def activation_backward(self, i):
        """self.dY[i] *= activation'(.) of layer i, from its outputs."""
        Y, dY, tmp, activation = self.Y[i], self.dY[i], self.tmp[i], self.case.activations[i]
        if activation == "relu":
            np.greater(Y, 0, out=self.mask[i])
            np.multiply(dY, self.mask[i], out=dY)
        elif activation == "tanh":
            np.multiply(Y, Y, out=tmp)
            np.subtract(1, tmp, out=tmp)
            np.multiply(dY, tmp, out=dY)
        elif activation == "sigmoid":
            np.subtract(1, Y, out=tmp)
            np.multiply(Y, tmp, out=tmp)
            np.multiply(dY, tmp, out=dY)

    def sgd(self):
        np.multiply(self.grads, self.case.lr, out=self.scratch)
        np.subtract(self.params, self.scratch, out=self.params)

    def momentum(self):
        velocity, t = self.state[0], self.scratch
        np.multiply(velocity, MOMENTUM, out=velocity)
        np.add(velocity, self.grads, out=velocity)
        np.multiply(velocity, self.case.lr, out=t)
        np.subtract(self.params, t, out=self.params)

    def adam(self):
        """Kingma and Ba, "Adam" (2015), in the order of the end of its section 2: the two corrections in one scalar."""
        self.steps += 1
        (m, v), g, t = self.state, self.grads, self.scratch
        root = math.sqrt(1 - BETA2 ** self.steps)
        np.multiply(m, BETA1, out=m)
        np.multiply(g, 1 - BETA1, out=t)
        np.add(m, t, out=m)
        np.multiply(v, BETA2, out=v)
        np.multiply(g, g, out=t)
        np.multiply(t, 1 - BETA2, out=t)
        np.add(v, t, out=v)
        np.sqrt(v, out=t)
        np.add(t, EPS * root, out=t)
        np.divide(m, t, out=t)
        np.multiply(t, self.case.lr * root / (1 - BETA1 ** self.steps), out=t)
        np.subtract(self.params, t, out=self.params)


class Validating(Contender):
    """A classification whose epochs end with a look at the validation data; see bench/peers/__init__.py."""

    def __init__(self, case, X, y, threads=1, dtype="float32"):
        super().__init__(case, X, y, threads, dtype)
        self.held = case.held_data()
        self.judged = [np.empty((case.held, units), dtype) for _, units in case.shapes]
        self.least, self.best, self.validated = np.inf, np.empty_like(self.params), None

    def run(self, steps):
        for _ in range(steps):
            super().run(1)
            if self.batches.ended:
                self.validated = value, _ = self.validate()
                if value < self.least:
                    self.least, self.best[:] = value, self.params

    def validate(self):
        """(cross-entropy, accuracy) of the validation data."""
        X, y = self.held
        self.forward(X, self.judged)
        Z, rows = self.judged[-1], np.arange(len(y))
        right = (Z.argmax(axis=1) == y).mean()
        np.subtract(Z, Z.max(axis=1, keepdims=True), out=Z)
        return float((np.log(np.exp(Z).sum(axis=1)) - Z[rows, y]).mean()), float(right)


class Curve:
    """A polynomial in NumPy; see bench/peers/__init__.py."""

    multiple = 1

    def __init__(self, case, X, y, threads=1, dtype="float32"):
        self.case, self.x, self.y = case, X, y
        self.k = case.initial_parameters(dtype)
        self.grads = np.zeros_like(self.k)
        self.powers = np.ones((case.parameters, len(X)), dtype)
        self.error = np.empty(len(X), dtype)

    def run(self, steps):
        for _ in range(steps):
            self.loss_and_grad()
            np.subtract(self.k, self.case.lr * self.grads, out=self.k)

    def loss(self):
        return float(self.loss_and_grad())

    def loss_and_grad(self):
        """The mean square of the errors; fills self.grads."""
        for i in range(1, len(self.k)):
            np.multiply(self.powers[i - 1], self.x, out=self.powers[i])
        self.k.dot(self.powers, out=self.error)
        np.subtract(self.error, self.y, out=self.error)
        self.powers.dot(self.error, out=self.grads)
        np.multiply(self.grads, 2 / len(self.x), out=self.grads)
        return np.vdot(self.error, self.error) / len(self.x)
