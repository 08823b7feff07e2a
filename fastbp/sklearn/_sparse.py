"""Sparse rows: made dense a few at a time, a batch of a training or a chunk of a prediction, and never as a whole.

An epoch of sparse rows is the loop by hand, batch by batch: it has the bits that the same dense rows would have there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._core.epochs import NAMES
from fastbp.sklearn import _settings as settings
from fastbp.sklearn._gradient import gradient
from fastbp.sklearn._job import EstimatorJob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastbp._check.types import Array, Doubles

_NUMBERS = 2**20  # of a chunk that is made dense
_ROWS = 1024


def is_sparse(X: Any) -> bool:
    """Whether X is a matrix or array of scipy.sparse."""
    return hasattr(X, "tocsr") and hasattr(X, "toarray")


def chunks(X: Any, most: int = _ROWS) -> Iterator[slice]:
    """Slices of the rows of X, dense or sparse, in order: a sparse one's so that a chunk of it has room when dense."""
    n, features = X.shape
    size = max(1, min(most, _NUMBERS // max(1, features))) if is_sparse(X) else most
    return (slice(first, min(first + size, n)) for first in range(0, n, size))


def dense(X: Any) -> Array:
    """The rows of X as an array."""
    rows: Array = X.toarray() if is_sparse(X) else X
    return rows


def predict(net: Any, X: Any) -> Array:
    """What the network says of X (n, features), dense or sparse: (n, units)."""
    if not is_sparse(X):
        outputs: Array = net.predict(X)
        return outputs
    parts = [net.predict(X[rows].toarray()) for rows in chunks(X)]
    return np.concatenate(parts)


class _Epochs:
    """The epochs of a training on sparse rows, as the loop asks those of the core: see fastbp._core.epochs.Epochs."""

    in_order, stopped, done = True, False, 0

    def __init__(self, job: SparseJob) -> None:
        self.job, self.epoch, self.step, self.seconds = job, 0, 0, 0.0
        self.steps = len(job.batches.starts)
        self.losses: Doubles = np.zeros(self.steps)

    def remember(self) -> None:
        """Nothing: a step that fails has changed no parameter."""

    def results_since(self, epoch: int) -> Doubles:
        """float64 (1, len(NAMES)): the results of the last epoch, if it was after `epoch` epochs."""
        return self.results if epoch < self.epoch else self.results[:0]

    results: Doubles = np.empty((0, len(NAMES)))

    def run(self, training: Any, evaluated: Any, rates: Doubles, stopping: Any, team: int) -> None:
        """The next len(rates) steps, of the epoch at hand."""
        job, net, began = self.job, self.job.model, time.perf_counter()
        if not self.step:
            self.rate, self.seconds = float(rates[0]), 0.0
        self.done = 0
        for _ in rates:
            first = job.batches.starts[self.step]
            places = slice(first, first + job.batches.counts[self.step])
            rows = places if job.order is None else job.order[places]
            weights = None if job.step_weights is None else job.step_weights[places]
            loss = gradient(net, job.X[rows], job.arrays["targets"][rows], job.labels, weights, job.threads)
            penalty = settings.add_penalty(net, job.factors[self.step])
            net._update(job.optimizer)
            self.losses[self.step] = loss + job.terms.units * penalty
            self.step += 1
            self.done += 1
        self.seconds += time.perf_counter() - began
        if self.step == self.steps:
            self.end_epoch()

    def end_epoch(self) -> None:
        result = dict.fromkeys(NAMES, np.nan)
        result["loss"] = float(np.dot(self.losses, self.job.batches.counts) / self.job.n)
        result["lr"], result["seconds"] = self.rate, self.seconds
        result["samples_per_second"] = self.job.n / self.seconds if self.seconds else np.inf
        if self.job.validation is not None:
            result["val_loss"] = self.job.evaluated_loss()
        self.results = np.array([list(result.values())])
        self.epoch, self.step = self.epoch + 1, 0
        self.job.model._epochs += 1


class _Rows:
    """Sparse rows as a job has them: they have a length, and those that are asked for come dense."""

    def __init__(self, X: Any) -> None:
        self.X = X

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def __getitem__(self, rows: Any) -> Array:
        return dense(self.X[rows])


class SparseJob(EstimatorJob):
    """The training of an estimator's network on sparse rows, X (n, features) of CSR. The layers have no l2 of their
    own."""

    training_state: Any
    order: Any = None

    def __init__(self, net: Any, X: Any, y: Any, batch_size: int, validation: Any, *more: Any) -> None:
        super().__init__(net, X, y, batch_size, validation, *more)
        self.X = self.arrays.pop("X")
        self.target_type = self.val_target_type = None  # an accuracy is not counted

    def checked(self, X: Any, y: Any, sample_weight: Any, prefix: str) -> tuple[Any, ...]:
        net = self.model
        y, labels = check.targets(y, X.shape[0], net.loss, net.units, net.dtype, name=f"{prefix}y")
        weights = check.weights(sample_weight, None, y, len(y), net.loss, net.dtype)
        return _Rows(X), y, labels, weights, None

    def begin(self, optimizer: Any, shuffle: bool, seed: int, rest: bool = True) -> None:
        self.optimizer, self.first = optimizer, self.model.epochs
        self.training_state = _Epochs(self)

    def begin_epoch(self, epoch: int) -> None:
        self.order = None if self.terms.orders is None else self.terms.orders.of(epoch)
        v, self.factors = self.batches.scales(self.order)
        self.step_weights = None if self.v is None else v.astype(self.v.dtype)
        self.begun = epoch

    def penalty(self) -> float:
        return 0.0

    def training(self) -> tuple[Any, list[Any]]:
        return self.model._last, [None]

    def evaluated(self) -> list[Any]:
        return []

    def give_back(self) -> None:
        """Nothing: no plan is taken for good."""

    def evaluated_loss(self) -> float:
        """The loss of the validation data, whose outputs are kept for the score."""
        X, targets, labels, weights = self.validation  # type: ignore[misc]  # where there are validation data
        total, parts = 0.0, []
        for rows in chunks(X.X):
            part = None if weights is None else weights[rows]
            Y, loss, _ = self.model._outputs(X[rows], targets[rows], labels, part)
            total += loss * len(Y) / len(X)
            parts.append(Y)
        self.Y = np.concatenate(parts)
        return total
