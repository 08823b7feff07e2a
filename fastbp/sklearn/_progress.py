"""What follows an epoch of an estimator's training: its attributes, what `verbose` prints, and when to stop.

The criterion is scikit-learn's: more than n_iter_no_change epochs in a row in which the loss, or with early stopping
the score of the validation data, has not become better by tol.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp.callbacks import Callback
from fastbp.sklearn import _optimizers

if TYPE_CHECKING:
    from fastbp._check.types import Array, Doubles, Logs
    from fastbp.sklearn._job import EstimatorJob


class Bookkeeping:
    """scored: whether the score of the validation data decides; own: whether this decides at all. began: filled when
    all is checked and the training begins."""

    def __init__(self, model: Any, job: EstimatorJob, scored: bool, own: bool, began: list[bool]) -> None:
        self.model, self.job, self.scored, self.own, self.began = model, job, scored, own, began
        self.told, self.converged = 0, False

    def catch_up(self, net: Any) -> bool:
        """Looks at the epochs that the history has and that it has not looked at: the last one, but after Ctrl-C, or
        where the training goes on from a checkpoint. Returns whether to stop."""
        columns = self.job.record.history
        while self.told < len(self.job.record.epoch):
            self.take(net, {name: values[self.told] for name, values in columns.items() if self.told < len(values)})
            self.told += 1
        return self.converged

    def take(self, net: Any, logs: Logs) -> None:
        """One epoch."""
        model = self.model
        model.n_iter_ += 1
        model.t_ += self.job.n
        model.loss_ = logs["loss"]
        model.loss_curve_.append(model.loss_)
        if "val_loss" in logs:
            model.validation_loss_curve_ = [*(model.validation_loss_curve_ or []), logs["val_loss"]]
        if model.verbose:
            print("Iteration %d, loss = %.8f" % (model.n_iter_, model.loss_))  # noqa: UP031  # scikit-learn's words
        self.compare(net, logs.get("val_score", math.nan))
        _optimizers.end_epoch(model.optimizer_, model)
        if self.own and model._no_improvement_count > model.n_iter_no_change:
            self.stand_still()

    def compare(self, net: Any, score: float) -> None:
        """Counts epochs without an improvement; keeps the parameters of the best score."""
        model = self.model
        if not self.scored:
            loss = model.loss_
            model._no_improvement_count = model._no_improvement_count + 1 if loss > model.best_loss_ - model.tol else 0
            model.best_loss_ = min(model.best_loss_, loss)
            return
        model.validation_scores_.append(score)
        if model.verbose:
            print("Validation score: %f" % score)  # noqa: UP031
        best = model.best_validation_score_
        model._no_improvement_count = model._no_improvement_count + 1 if score < best + model.tol else 0
        if score > best:
            model.best_validation_score_ = score
            model._best_params = net.params.copy()

    def stand_still(self) -> None:
        """Nothing has improved for long enough: the end, or a smaller rate."""
        model = self.model
        what = "Validation score" if self.scored else "Training loss"
        more = _optimizers.goes_on(model.optimizer_, model)
        if more:
            model._no_improvement_count = 0
        self.converged = not more
        if model.verbose:
            print(f"{what} did not improve more than tol={model.tol:f} for {model.n_iter_no_change} consecutive epochs."
                  + (more or " Stopping."))


class Progress(Callback):
    """The callback that keeps the books."""

    puts = ()

    def __init__(self, books: Bookkeeping) -> None:
        self.books = books

    def on_train_begin(self, net: Any) -> None:
        self.books.began.append(True)

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> bool:
        return self.books.catch_up(net)


# ---- scores ----------------------------------------------------------------------------------------------------------


def accuracy(outputs: Array, y: Array, weights: Doubles | None) -> float:
    """The share of rows that are right, as `sklearn.metrics.accuracy_score` counts them. outputs (n, units):
    probabilities; y: labels (n,), or (n, units) of zeros and ones."""
    right = outputs.argmax(axis=1) == y if y.ndim == 1 else ((outputs > 0.5) == (y > 0.5)).all(axis=1)
    return float(np.average(right, weights=weights)) if np.isfinite(outputs).all() else math.nan


@quiet
def r2(outputs: Array, y: Array, weights: Doubles | None) -> float:
    """The coefficient of determination, a mean over the outputs, as `sklearn.metrics.r2_score` gives it. outputs, y:
    (n, units)."""
    if not np.isfinite(outputs).all():
        return math.nan
    w = np.ones((len(y), 1)) if weights is None else weights[:, None]
    left = (w * (y - outputs.astype(np.float64)) ** 2).sum(axis=0)
    whole = (w * (y - np.average(y, axis=0, weights=weights)) ** 2).sum(axis=0)
    scores = np.where(left == 0, 1.0, 0.0)
    np.divide(left, whole, out=left, where=whole != 0)
    return float(np.mean(np.where(whole != 0, 1 - left, scores)))
