"""The twelve workloads, as data: what is trained, on rows of which shape, with which update.

Each is a shape somebody trains on a CPU: the classic digit networks, a middling and a wide classifier, the smallest
network there is, SimpleChains.jl's matrix exponential, a table of numbers, a control policy, the value and gradient
that an optimizer from another library asks for, a table as small as iris (with validation data too; in whole batches,
as peers drop a rest), and a curve through a hundred points, which is no network. Inputs are synthetic (the arithmetic
does not depend on their values), targets come from a fixed teacher, so that the loss has something to descend.
"""
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Case:
    """One workload. A step gathers `batch` shuffled rows (where batch < rows), runs forward, loss, backward, update."""

    name: str
    widths: tuple          # inputs, hidden ..., outputs
    activation: str        # of the hidden layers: "relu", "sigmoid" or "tanh"
    output: str            # of the last layer: "linear" or "sigmoid"
    loss: str              # "squared_error", "mse" or "cross_entropy"
    batch: int
    rows: int
    update: str | None     # "sgd", "momentum" (0.9), "adam", or None: value and gradient only
    lr: float
    epochs: int = 1        # of one call of fit: as many as a user asks for, or as a benchmark has time for
    held: int = 0          # rows of validation data, which are judged after each epoch of fit

    @property
    def shapes(self):
        """(inputs, units) of each layer."""
        return tuple(zip(self.widths[:-1], self.widths[1:], strict=True))

    @property
    def activations(self):
        """The activation of each layer."""
        return (self.activation,) * (len(self.shapes) - 1) + (self.output,)

    @property
    def parameters(self):
        """The number of weights and biases."""
        return sum((inputs + 1) * units for inputs, units in self.shapes)

    @property
    def flop(self):
        """Floating-point operations of a step's products: forward, weight gradients, and the input gradient of every
        layer but the first. Activations, loss and update are not counted."""
        weights = [inputs * units for inputs, units in self.shapes]
        return 2 * self.batch * (3 * sum(weights) - weights[0])

    @property
    def shuffled(self):
        """Whether a step gathers its rows; a batch of all rows is used where it lies."""
        return self.batch < self.rows

    @property
    def epoch_steps(self):
        """The steps of an epoch of fit, whose last batch holds the rest."""
        return -(-self.rows // self.batch)

    @property
    def classes(self):
        """Whether targets are integer labels."""
        return self.loss == "cross_entropy"

    def one_batch(self):
        """This workload on a single batch of rows, used over and over: every contender sees the same steps."""
        return replace(self, rows=self.batch, held=0)

    def initial_parameters(self, dtype="float32"):
        """(parameters,): layer by layer W (inputs, units) then b (units,). Normal weights of variance 1 / inputs
        (2 / inputs for relu), small biases that are not zero, so that a forgotten bias is seen."""
        rng = np.random.default_rng([7, self.parameters])
        gain = 2.0 if self.activation == "relu" else 1.0
        parts = []
        for inputs, units in self.shapes:
            parts += [rng.normal(0.0, (gain / inputs) ** 0.5, inputs * units), rng.uniform(-0.1, 0.1, units)]
        return np.concatenate(parts).astype(dtype)

    def data(self):
        """X (rows, inputs) float32 and y: labels (rows,) int64, or targets (rows, outputs) float32."""
        X, y = self._rows()
        return X[:self.rows], y[:self.rows]

    def held_data(self):
        """X (held, inputs) and y (held, ...) of the validation data."""
        X, y = self._rows()
        return X[self.rows:], y[self.rows:]

    def _rows(self):
        """X and y of all rows, the validation data behind the others."""
        rng = np.random.default_rng([11, self.rows, self.widths[0]])
        inputs, outputs = self.widths[0], self.widths[-1]
        if self.name == "xor":
            X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
            return X, (X[:, :1] != X[:, 1:]).astype(np.float32)
        if self.name == "matexp":
            X = rng.uniform(-1.0, 1.0, (self.rows, inputs)).astype(np.float32)
            return X, matrix_exponential(X.reshape(-1, 2, 2)).reshape(self.rows, outputs)
        X = rng.random((self.rows + self.held, inputs), dtype=np.float32)
        teacher = rng.normal(0.0, (12.0 / inputs) ** 0.5, (inputs, outputs)).astype(np.float32)
        score = (X - np.float32(0.5)) @ teacher
        if self.classes:
            return X, score.argmax(axis=1)
        if self.output == "sigmoid":
            return X, (score == score.max(axis=1, keepdims=True)).astype(np.float32)
        return X, np.tanh(score)


@dataclass(frozen=True)
class Curve:
    """A polynomial through points, k0 + k1 x + ... + kd x^d, by the mean square of its errors: an expression of
    fastbp's. All points are one batch; the powers are computed anew in every step."""

    name: str
    degree: int
    rows: int
    lr: float
    epochs: int
    update = "sgd"
    held, shuffled, epoch_steps = 0, False, 1

    @property
    def batch(self):
        """The points of a step: all of them."""
        return self.rows

    @property
    def parameters(self):
        """The number of coefficients."""
        return self.degree + 1

    @property
    def flop(self):
        """Floating-point operations of a step: for each point d - 1 for the powers, 2 d for their sum, 3 for the error,
        its square and the mean, 2 (d + 1) for the gradient."""
        return self.rows * ((self.degree - 1) + 2 * self.degree + 3 + 2 * self.parameters)

    def one_batch(self):
        """This workload: it is a single batch."""
        return self

    def initial_parameters(self, dtype="float32"):
        """(degree + 1,): k0, k1 ..."""
        return np.linspace(0.5, -0.5, self.parameters).astype(dtype)

    def data(self):
        """x, y (rows,) float32: a noisy sine."""
        rng = np.random.default_rng(self.rows)
        x = rng.uniform(-1, 1, self.rows).astype(np.float32)
        return x, (np.sin(3 * x) + 0.1 * rng.standard_normal(self.rows)).astype(np.float32)


def matrix_exponential(M):
    """exp of the matrices M (n, 2, 2), |entries| <= 1, by its power series: 16 terms leave less than 1e-8."""
    term = result = np.broadcast_to(np.eye(2), M.shape)
    for i in range(1, 17):
        term = term @ M.astype(np.float64) / i
        result = result + term
    return result.astype(np.float32)


CASES = {case.name: case for case in (
    Case("digits16", (784, 16, 16, 10), "sigmoid", "sigmoid", "squared_error", 100, 60000, "sgd", 0.05, epochs=10),
    Case("nielsen30", (784, 30, 10), "sigmoid", "sigmoid", "squared_error", 10, 50000, "sgd", 0.05, epochs=10),
    Case("mlp512", (784, 512, 512, 10), "relu", "linear", "cross_entropy", 128, 60000, "momentum", 0.01),
    Case("wide2048", (1024, 2048, 2048, 2048, 10), "relu", "linear", "cross_entropy", 512, 8192, "sgd", 0.01),
    Case("xor", (2, 4, 1), "tanh", "linear", "mse", 4, 4, "sgd", 0.1, epochs=5000),
    Case("matexp", (4, 32, 16, 4), "tanh", "linear", "mse", 10000, 10000, "adam", 0.001, epochs=200),
    Case("tabular", (32, 256, 256, 1), "relu", "linear", "mse", 256, 100000, "adam", 0.001, epochs=2),
    Case("policy64", (17, 64, 64, 6), "tanh", "linear", "mse", 64, 2048, "adam", 0.001, epochs=100),
    Case("chain24", (24, 8, 2), "tanh", "linear", "mse", 200, 200, None, 0.0),
    Case("iris", (4, 16, 3), "relu", "linear", "cross_entropy", 32, 160, "sgd", 0.1, epochs=200),
    Case("iris_val", (4, 16, 3), "relu", "linear", "cross_entropy", 32, 160, "sgd", 0.1, epochs=200, held=50),
    Curve("curve5", 5, 100, lr=0.1, epochs=5000),
)}
