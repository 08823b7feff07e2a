"""The training of an estimator's network by steps: what is held out, what the loop is given, and what is said at the
end."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastbp._core import caller
from fastbp._training import loop
from fastbp._training.splits import split_rows
from fastbp.callbacks import Callback, EarlyStopping
from fastbp.sklearn import _optimizers
from fastbp.sklearn import _settings as settings
from fastbp.sklearn._job import EstimatorJob, Orders, Terms
from fastbp.sklearn._progress import Bookkeeping, Progress
from fastbp.sklearn._sparse import SparseJob, is_sparse

if TYPE_CHECKING:
    from fastbp._check.types import Array

# scikit-learn's sentences, which programs may look for
NOT_FINITE = ("Solver produced non-finite parameter weights. The input data may contain large values and need to be "
              "preprocessed.")
TOO_SMALL = "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
CLIPPED = "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped"


class Samples(NamedTuple):
    """Rows that were checked: X (n, features), dense or CSR; y, the targets as a network reads them; sample_weight
    (n,), float64, or None."""

    X: Any
    y: Array
    sample_weight: Any

    def at(self, rows: Any) -> Samples:
        """Those of these numbers."""
        return Samples(self.X[rows], self.y[rows], None if self.sample_weight is None else self.sample_weight[rows])


def train(
    model: Any,
    samples: Samples,
    held: Samples | None,
    random_state: Any,
    incremental: bool,
    resume: Any,
    began: list[bool],
) -> None:
    """Trains `model.net_`, for one epoch where it is incremental; sets the estimator's attributes. held: validation
    data that were given; began: filled when all is checked."""
    if not incremental or "optimizer_" not in model.__dict__:
        model.optimizer_ = _optimizers.make(model)
    scored = model.early_stopping is True
    stopping = copy.deepcopy(model.early_stopping) if isinstance(model.early_stopping, EarlyStopping) else None
    if held is None and (scored or (stopping is not None and stopping.monitor.startswith("val_"))):
        samples, held = split(model, samples, random_state, scored)
    if model.metrics and held is None:
        raise ValueError(f"metrics is given ({', '.join(map(str, model.metrics))}) without validation data, expected "
                         "both; pass X_val and y_val to fit, or early_stopping=True")
    if model.batch_size != "auto" and model.batch_size > len(samples.y):
        caller.warn(CLIPPED)
    model.n_iter_ = 0
    job = made(model, samples, held, random_state, scored)
    books = Bookkeeping(model, job, scored, stopping is None, began)
    callbacks: Any = [] if model.callbacks is None else model.callbacks
    if callable(callbacks) or isinstance(callbacks, Callback):
        callbacks = [callbacks]
    callbacks = [Progress(books), *callbacks] + ([] if model.checkpoint is None else [model.checkpoint])
    epochs, broken = 1 if incremental else int(model.max_iter), None
    try:
        model.history_ = loop.run(
            job, epochs, model.optimizer_, False, None, callbacks, stopping, False, resume
        )  # fmt: skip
    except FloatingPointError as error:
        if not scored:
            raise
        diverged(model, job)
        broken = error
    books.catch_up(model.net_)
    if scored:
        model.net_.params[:] = model._best_params
    if broken is not None:
        caller.warn(f"Stochastic Optimizer: {broken}", ConvergenceWarning)
    elif job.record.interrupted:
        caller.warn("Training interrupted by user.")
    elif not incremental and model.n_iter_ == model.max_iter and not books.converged and stopping is None:
        caller.warn(f"Stochastic Optimizer: Maximum iterations ({model.max_iter}) reached and the optimization hasn't "
                    "converged yet.", ConvergenceWarning)


def diverged(model: Any, job: EstimatorJob) -> None:
    """Notes an epoch whose loss is no number: the best network of those before is put back."""
    model.history_ = job.record
    model.n_iter_ += 1
    model.loss_ = float("nan")
    model.loss_curve_.append(model.loss_)
    model.validation_scores_.append(model.loss_)


def made(model: Any, samples: Samples, held: Samples | None, random_state: Any, scored: bool) -> EstimatorJob:
    """The job of a training."""

    def score(outputs: Array) -> float:
        return float(model._score_of(outputs, held))

    terms = Terms(
        Orders(len(samples.y), random_state) if model.shuffle else None,
        samples.sample_weight,
        float(model.alpha),
        score=score if scored else None,
        **model._terms(samples, held),
    )
    validation = None
    if held is not None:
        validation = (held.X, model._as_targets(held.y), held.sample_weight)
    kind = SparseJob if is_sparse(samples.X) else EstimatorJob
    batch = settings.batch_size(model, len(samples.y))
    targets = model._as_targets(samples.y)
    return kind(model.net_, samples.X, targets, batch, validation, model.threads, model.metrics, terms)


def split(model: Any, samples: Samples, random_state: Any, scored: bool) -> tuple[Samples, Samples]:
    """Rows to train on, and a validation_fraction of them that is held out: with early_stopping=True those that
    scikit-learn holds out, of the same draws; else of all classes alike."""
    n, fraction = len(samples.y), float(model.validation_fraction)
    if scored:
        stratify = samples.y.astype(bool) if model._stratified() else None
        train, test = train_test_split(np.arange(n), random_state=random_state, test_size=fraction, stratify=stratify)
        if len(test) < 2:
            raise ValueError(TOO_SMALL)
        return samples.at(train), samples.at(test)
    classes = getattr(model, "classes_", None)
    stratified = classes is not None and samples.y.shape[1:] in ((), (1,))
    y = samples.y if samples.y.ndim == 1 else samples.y[:, 0]
    train, test = split_rows(
        y, fraction, int(random_state.randint(2**31 - 1)), stratify=stratified, name="validation_fraction",
        classes=classes if stratified else None, rows="samples",
    )  # fmt: skip
    return samples.at(train), samples.at(test)
