"""scikit-learn estimators: a multilayer perceptron to classify and one for quantities, for pipelines and searches.

    from fastbp.sklearn import MLPClassifier
    make_pipeline(StandardScaler(), MLPClassifier(hidden=(64, 64))).fit(X, y).score(X_test, y_test)

Constructors only store; `fit` checks everything and returns the estimator. Networks learn best from features, and for
MLPRegressor from targets, that are about standardised: use StandardScaler and TransformedTargetRegressor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError:
    raise ImportError('fastbp.sklearn needs scikit-learn 1.6 or newer; pip install "fastbp[sklearn]"') from None

from fastbp import _check as check
from fastbp import optimizers
from fastbp._check.errstate import quiet
from fastbp._training.splits import split_rows
from fastbp.network import mlp

if TYPE_CHECKING:
    from fastbp.optimizers import Optimizer
    _Self = TypeVar("_Self", bound="_MLP")
    from collections.abc import Sequence

    from fastbp._check.types import Array, Data, DType, Path
    from fastbp.callbacks import EarlyStopping
    from fastbp.checkpoints import Checkpoint
    from fastbp.losses import Loss

__all__ = ["MLPClassifier", "MLPRegressor"]


@quiet
def _as(values: Array, dtype: np.dtype[Any]) -> Array:
    return values.astype(dtype, copy=False)


class _MLP(BaseEstimator):
    def __init__(
        self,
        hidden: int | Sequence[int] = (64,),
        activation: str = "relu",
        *,
        optimizer: str | Optimizer = "adam",
        lr: float | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        dropout: float = 0.0,
        l2: float = 0.0,
        early_stopping: EarlyStopping | None = None,
        validation_split: float = 0.0,
        dtype: DType = "float32",
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.dropout = dropout
        self.l2 = l2
        self.early_stopping = early_stopping
        self.validation_split = validation_split
        self.dtype = dtype
        self.threads = threads
        self.random_state = random_state
        self.checkpoint = checkpoint

    @quiet
    def _data(self, X: Data, **rest: Any) -> Any:
        return validate_data(self, X, dtype=[np.float32, np.float64], order="C", **rest)

    def _start(self, units: int, loss: str | Loss) -> None:
        """A fresh network and optimizer for the n_features_in_ of the data."""
        widths = [check.integer("hidden", width, minimum=1) for width in np.atleast_1d(self.hidden).tolist()]
        self.optimizer_ = self._optimizer()
        state = self.random_state
        if isinstance(state, (int, np.integer)) and not isinstance(state, (bool, np.bool_)):
            state = check.integer("random_state", state, minimum=0, maximum=2**32 - 1)  # as scikit-learn's own take
        try:
            seed = int(check_random_state(state).randint(np.iinfo(np.int32).max))
        except ValueError:  # whose words do not say which argument it is
            raise ValueError(
                f"random_state is {check.shown(state)}, expected an int, a numpy.random.RandomState or None; pass 0"
            ) from None
        self.net_ = mlp(self.n_features_in_, *widths, units, activation=self.activation, loss=loss,
                        dropout=self.dropout, l2=self.l2, dtype=self.dtype, seed=seed)
        self.n_iter_ = 0

    def _optimizer(self) -> Optimizer:
        if isinstance(self.optimizer, str):
            return optimizers.get(self.optimizer, **({} if self.lr is None else {"lr": self.lr}))
        if self.lr is not None:
            raise ValueError(f"lr is {check.shown(self.lr)}, expected None, as optimizer is an object with an lr of "
                             "its own; give lr=None")
        if not isinstance(self.optimizer, optimizers.Optimizer):
            raise TypeError(
                f"optimizer is {check.shown(self.optimizer)}, expected a name or an optimizer object; pass 'adam' or "
                "fb.Adam(lr=1e-3)"
            )
        return self.optimizer.fresh()

    def _refuse_what_is_of_fit(self) -> None:
        """What partial_fit, which trains for one epoch on what it is given, cannot do."""
        for name, without in (("validation_split", 0.0), ("early_stopping", None), ("checkpoint", None)):
            value = getattr(self, name)
            if value is not None and value != without:
                raise ValueError(
                    f"{name} is {check.shown(value)}, expected {without} for partial_fit, which trains on all that it "
                    f"is given; call fit, or set_params({name}={without})"
                )

    def _train(
        self: _Self,
        X: Any,
        y: Any,
        sample_weight: Any,
        epochs: int,
        fraction: float = 0.0,
        early_stopping: EarlyStopping | None = None,
        checkpoint: Checkpoint | None = None,
        resume: Path | None = None,
    ) -> _Self:
        if sample_weight is not None:
            sample_weight = quiet(_check_sample_weight)(sample_weight, X, ensure_non_negative=True)
        if not hasattr(self, "optimizer_"):
            self.optimizer_ = self._optimizer()
        validation, fraction = None, check.fraction("validation_split", fraction)
        if fraction:
            # Data are often sorted by class: a random part is held out, not the last one as in Sequential.fit.
            classes = getattr(self, "classes_", None)
            train, test = split_rows(y, fraction, self.net_.seed, stratify=classes is not None, name="validation_split",
                                     classes=classes, rows="samples")
            weights = (None, None) if sample_weight is None else (sample_weight[train], sample_weight[test])
            validation = (X[test], y[test], weights[1])
            X, y, sample_weight = X[train], y[train], weights[0]
        self.history_ = self.net_.fit(
            X, y, epochs=epochs, batch_size=self.batch_size, optimizer=self.optimizer_, sample_weight=sample_weight,
            validation_data=validation, early_stopping=early_stopping, progress=False, threads=self.threads,
            callbacks=() if checkpoint is None else [checkpoint], resume=resume)
        self.n_iter_ += len(self.history_.epoch)
        return self

    def _outputs(self, X: Data) -> Array:
        """The network's outputs (n, units), in the dtype of X."""
        check_is_fitted(self)
        X = self._data(X, reset=False)
        return _as(self.net_.predict(X), X.dtype)


class MLPClassifier(ClassifierMixin, _MLP):
    """A multilayer perceptron that tells classes apart by softmax and cross-entropy.

    hidden: widths of the hidden layers. activation: theirs. optimizer: a name or an object of fastbp.optimizers;
    lr: its learning rate, None for the name's default or the object's own. epochs, batch_size, dropout, l2, dtype,
    threads: as in Sequential.fit and mlp. early_stopping: a fastbp.EarlyStopping; validation_split: the fraction of the
    n rows that fit holds out for it: round(n validation_split) of them at random, as evenly from all classes as can be,
    with a warning where a class is too small for both parts. random_state: an int makes `fit` repeatable. checkpoint: a
    fastbp.Checkpoint, from which `fit(X, y, resume=path)` of an estimator with the same settings, and an int as
    random_state, goes on.

    After fit: classes_, n_features_in_, net_ (the Sequential), history_ (its History), n_iter_ (epochs trained).
    """

    def fit(
        self: _Self, X: Data, y: Data, sample_weight: Data | None = None, *, resume: Path | None = None
    ) -> _Self:
        """Train from scratch on X (n, features) and labels y (n,) of any kind, or from the checkpoint `resume`, as in
        Sequential.fit; returns self."""
        X, y = self._data(X, y=y)
        self.classes_, y = self._labels(y, None)
        self._start(len(self.classes_), "cross_entropy")
        return self._train(X, y, sample_weight, self.epochs, self.validation_split, self.early_stopping,
                           self.checkpoint, resume)

    def partial_fit(
        self: _Self, X: Data, y: Data, classes: Data | None = None, sample_weight: Data | None = None
    ) -> _Self:
        """One more epoch, on X (n, features) and y (n,); the first call needs all classes that will ever come.

        As many calls as fit has epochs have its bits, on the same data. Nothing is held out and nothing stops early:
        ValueError where validation_split or early_stopping is set."""
        self._refuse_what_is_of_fit()
        first = not hasattr(self, "net_")
        X, y = self._data(X, y=y, reset=first)
        if first:
            self.classes_, _ = self._labels(y if classes is None else classes, None)
            self._start(len(self.classes_), "cross_entropy")
        _, y = self._labels(y, self.classes_)
        return self._train(X, y, sample_weight, 1)

    @staticmethod
    @quiet
    def _labels(y: Any, classes: Any) -> tuple[Array, Array]:
        """The classes, and each label's place among them, int64 (n,)."""
        check_classification_targets(y)
        if classes is None:
            classes, places = np.unique(y, return_inverse=True)
            if len(classes) < 2:
                raise ValueError(f"y has one class only ({classes[0]}), expected two or more; give samples of others")
            return classes, places.astype(np.int64)
        places = np.searchsorted(classes, y).clip(max=len(classes) - 1)
        if not (classes[places] == y).all():
            raise ValueError(f"y has the class {y[classes[places] != y][0]}, expected one of {classes}; name all "
                             "classes in the first call")
        return classes, places.astype(np.int64)

    def predict_proba(self, X: Data) -> Array:
        """Probability of each class for X (n, features): (n, classes), in the order of classes_."""
        return self._outputs(X)

    def predict(self, X: Data) -> Array:
        """The most probable class for each row of X (n, features): (n,)."""
        outputs = self._outputs(X)
        labels: Array = self.classes_[outputs.argmax(axis=1)]
        return labels


class MLPRegressor(RegressorMixin, _MLP):
    """A multilayer perceptron that predicts one or several quantities.

    loss: "mse", "mae", "huber", "quantile", "poisson" or an object of fastbp.losses; the other arguments are those of
    MLPClassifier. y may be (n,) or (n, outputs). After fit: n_features_in_, n_outputs_, net_, history_, n_iter_.
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (64,),
        activation: str = "relu",
        *,
        loss: str | Loss = "mse",
        optimizer: str | Optimizer = "adam",
        lr: float | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        dropout: float = 0.0,
        l2: float = 0.0,
        early_stopping: EarlyStopping | None = None,
        validation_split: float = 0.0,
        dtype: DType = "float32",
        threads: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        super().__init__(hidden, activation, optimizer=optimizer, lr=lr, epochs=epochs, batch_size=batch_size,
                         dropout=dropout, l2=l2, early_stopping=early_stopping, validation_split=validation_split,
                         dtype=dtype, threads=threads, random_state=random_state, checkpoint=checkpoint)
        self.loss = loss

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(
        self: _Self, X: Data, y: Data, sample_weight: Data | None = None, *, resume: Path | None = None
    ) -> _Self:
        """Train from scratch on X (n, features) and y (n,) or (n, outputs), or from the checkpoint `resume`, as in
        Sequential.fit; returns self."""
        X, y = self._data(X, y=y, multi_output=True, y_numeric=True)
        self._flat = y.ndim == 1
        self.n_outputs_ = 1 if self._flat else y.shape[1]
        self._start(self.n_outputs_, self.loss)
        return self._train(X, y, sample_weight, self.epochs, self.validation_split, self.early_stopping,
                           self.checkpoint, resume)

    def partial_fit(self: _Self, X: Data, y: Data, sample_weight: Data | None = None) -> _Self:
        """One more epoch, on X (n, features) and y as in fit; returns self.

        As many calls as fit has epochs have its bits, on the same data. Nothing is held out and nothing stops early:
        ValueError where validation_split or early_stopping is set."""
        self._refuse_what_is_of_fit()
        first = not hasattr(self, "net_")
        X, y = self._data(X, y=y, reset=first, multi_output=True, y_numeric=True)
        if first:
            self._flat = y.ndim == 1
            self.n_outputs_ = 1 if self._flat else y.shape[1]
            self._start(self.n_outputs_, self.loss)
        return self._train(X, y, sample_weight, 1)

    def predict(self, X: Data) -> Array:
        """The quantities for X (n, features): (n,), or (n, outputs) if y was so in fit."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs
