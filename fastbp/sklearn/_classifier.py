"""MLPClassifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from fastbp import _check as check
from fastbp import losses
from fastbp._check.errstate import quiet
from fastbp.sklearn import _settings as settings
from fastbp.sklearn._base import MultilayerPerceptron
from fastbp.sklearn._older_names import takes_older_names
from fastbp.sklearn._progress import accuracy

if TYPE_CHECKING:
    from fastbp._check.types import Array, Data, DType, Path
    from fastbp.sklearn._training import Samples


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):
    """scikit-learn's MLPClassifier on the compiled engine: softmax and cross-entropy, or a sigmoid for two classes and
    for several labels a sample.

    With scikit-learn's parameters the fitted numbers are its own, up to rounding.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of ints, default=(100,)
        The widths of the hidden layers; () for none.
    activation : str or sequence of str, default="relu"
        Of the hidden layers: "identity", "logistic", "tanh", "relu" or any other of `fastbp.layers.Dense`, such as
        "gelu"; or a name for each of them.
    solver : str or fastbp optimizer, default="adam"
        "lbfgs", "sgd", "adam" as in scikit-learn; "adamw", "rmsprop", "adagrad"; or an object such as
        `fb.AdamW(lr=1e-3, weight_decay=0.1)`, which brings its own rate and is copied.
    alpha : float, default=1e-4
        The penalty: a step's loss grows by alpha / (2 m) sum W^2 of a batch of m rows (with weights, of their sum m).
    batch_size : int or "auto", default="auto"
        Rows of a step; "auto" is min(200, n). "lbfgs" takes all.
    learning_rate : {"constant", "invscaling", "adaptive"} or a schedule of fastbp, default="constant"
        For "sgd" alone, as in scikit-learn; a schedule gives the rate of every step, of any solver with a name.
    learning_rate_init, power_t : float, default=0.001, 0.5
        The first rate, and how it falls with "invscaling": learning_rate_init / (t_ + 1) ** power_t.
    max_iter : int, default=200
        Epochs; of "lbfgs", iterations.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    random_state : int, RandomState or None, default=None
        Of initial values, orders and what is held out: the draws are those of scikit-learn.
    tol, n_iter_no_change : float, int or inf, default=1e-4, 10
        Training stops after more than n_iter_no_change epochs in a row that were not better by tol.
    verbose : bool, default=False
        Whether each epoch prints a line.
    warm_start : bool, default=False
        Whether `fit` begins with what the last one ended with.
    momentum, nesterovs_momentum : float in [0, 1], bool, default=0.9, True
        Of "sgd".
    early_stopping : bool or fb.EarlyStopping, default=False
        True: a part of the data is held out, and its score decides, as in scikit-learn; the best parameters are put
        back. An object decides by what it monitors, such as "val_loss", and not tol and n_iter_no_change.
    validation_fraction : float in [0, 1), default=0.1
        The part that is held out where early_stopping needs one and `fit` is given none.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Of "adam" and "adamw".
    max_fun : int, default=15000
        Of "lbfgs": the most evaluations.
    class_weight : dict {class: weight}, "balanced" or None, default=None
        By which samples count, times their sample_weight. "balanced": n / (classes * samples of the class).
    dropout : float in [0, 1), default=0
        The rate after each hidden layer.
    clip_norm, clip_value : float or None, default=None
        Of the gradient, as in `fastbp.optimizers`.
    callbacks : callbacks of fastbp or None, default=None
        Objects or functions (net, epoch, logs), called after each epoch; they are not copied.
    metrics : dict {name: f} or None, default=None
        f(y, p) gives a number of the validation data after each epoch: y as the network reads it, p its outputs.
    dtype : {"float32", "float64"} or None, default=None
        Of parameters and arithmetic; None is that of X, where integers become float64.
    threads : int or None, default=None
        The most that train; the result does not depend on it.
    checkpoint : fb.Checkpoint or None, default=None
        From which `fit(X, y, resume=path)` goes on, with an int as random_state.

    Attributes
    ----------
    classes_ : array (classes,)
        The labels, in the order of outputs.
    coefs_, intercepts_ : list of arrays (inputs, units), (units,)
        Weights and biases, views of the network's parameters. Who writes into them, or sets them, changes the network.
    loss_, best_loss_, loss_curve_ : float, float or None, list
        The last loss with its penalty, the least one (None with early_stopping=True), and that of each epoch.
    validation_scores_, best_validation_score_ : list, float; None without early_stopping=True
        The accuracy of what is held out.
    validation_loss_curve_ : list or None
        The loss of the validation data without the penalty, of each epoch.
    n_iter_, t_ : int
        Epochs of the last fit; rows that have been trained on.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.
    net_, optimizer_, history_
        The `fb.Sequential`, its optimizer, and the History of the last fit.
    """

    _parameter_constraints: ClassVar = {**settings.CONSTRAINTS, "class_weight": [StrOptions({"balanced"}), dict, None]}

    @takes_older_names
    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: Any = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
        dropout: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        callbacks: Any = None,
        metrics: Any = None,
        dtype: DType | None = None,
        threads: int | None = None,
        checkpoint: Any = None,
    ) -> None:
        self._store(locals())

    def fit(
        self,
        X: Data,
        y: Data,
        sample_weight: Data | None = None,
        *,
        X_val: Data | None = None,
        y_val: Data | None = None,
        sample_weight_val: Data | None = None,
        resume: Path | None = None,
    ) -> MLPClassifier:
        """Trains from scratch, or with warm_start on; returns self.

        X: (n, features), dense or sparse: sparse rows are made dense batch by batch. y: labels
        (n,) of any kind, or zeros and ones (n, labels). sample_weight: (n,), >= 0.
        X_val, y_val, sample_weight_val: validation data in place of a part that is held out.
        resume: a checkpoint to go on from, as for `Sequential.fit`.

        Raises ValueError and TypeError, in scikit-learn's words where it has some, and then the estimator is as it was;
        ValueError where the parameters stop being finite. Warns by ConvergenceWarning where max_iter was not enough.
        """
        self._fit(X, y, sample_weight, held=(X_val, y_val, sample_weight_val), resume=resume)
        return self

    @available_if(lambda self: self._can_go_on())
    def partial_fit(
        self, X: Data, y: Data, sample_weight: Data | None = None, classes: Data | None = None
    ) -> MLPClassifier:
        """One more epoch on these samples; returns self. The optimizer, its rate and t_ go on, in a copy and a
        pickle too. The first call needs `classes`, all that will ever come.

        The order is drawn from random_state anew, in every call alike where that is an int. ValueError where
        early_stopping is set, AttributeError for solver="lbfgs".
        """
        if self.class_weight == "balanced":
            raise ValueError("class_weight is 'balanced', expected a dict or None for partial_fit, which does not see "
                             "all samples; compute the weights of all, and pass them as a dict")

        def prepare() -> None:
            if _check_partial_fit_first_call(self, classes):
                multilabel = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(y if multilabel else classes)

        self._fit(X, y, sample_weight, incremental=True, prepare=prepare)
        return self

    # ---- targets ---------------------------------------------------------------------------------------------------

    def _samples(self, X: Any, y: Any, sample_weight: Any, first: bool, incremental: bool) -> Samples:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._compare_classes(unique_labels(y))
        samples = super()._samples(X, y, sample_weight, first, incremental)
        if self.class_weight is None:
            return samples
        by_class = self._class_weights(samples.y)
        weights = by_class if samples.sample_weight is None else samples.sample_weight * by_class
        return samples._replace(sample_weight=weights)

    def _compare_classes(self, classes: Array) -> None:
        """Refuses classes that are not those of the training that goes on, in scikit-learn's words."""
        if self.warm_start:
            if set(classes) != set(self.classes_):
                message = ("warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                           f"Previously got {self.classes_}, `y` has {classes}")
                raise ValueError(message)
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            message = f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            raise ValueError(message)

    @quiet
    def _class_weights(self, y: Array) -> Any:
        """(n,): the weight of each sample's class."""
        if self._label_binarizer.y_type_.startswith("multilabel"):
            raise ValueError(f"class_weight is {check.shown(self.class_weight)} with several labels a sample, expected "
                             "None; pass a sample_weight")
        labels = y if self._labels() else y[:, 0].astype(np.intp)
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[labels])
        return weights[labels]

    def _labels(self) -> bool:
        return bool(self._label_binarizer.y_type_ == "multiclass")

    def _units(self, y: Array) -> int:
        return len(self.classes_) if self._labels() else y.shape[1]

    @quiet
    def _encoded(self, y: Any) -> Array:
        """int64 (n,), places in classes_; or float64 (n, units) of zeros and ones for two classes and for labels."""
        if self._labels():
            return np.searchsorted(self.classes_, y).astype(np.int64)
        return self._label_binarizer.transform(y).astype(np.float64)

    def _encoded_as_before(self, y: Any) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        classes = unique_labels(y)
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            message = f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            raise ValueError(message)
        return self._encoded(y)

    def _loss_and_output(self) -> tuple[Any, str]:
        return (losses.CrossEntropy() if self._labels() else losses.BinaryCrossEntropy()), "linear"

    def _terms(self, samples: Samples, held: Samples | None) -> dict[str, Any]:
        return {"sums": 1 if self._labels() else samples.y.shape[1]}

    def _score_of(self, outputs: Array, samples: Samples) -> float:
        return accuracy(outputs, samples.y, samples.sample_weight)

    def _stratified(self) -> bool:
        return not self._labels() and self.n_outputs_ == 1

    # ---- use -------------------------------------------------------------------------------------------------------

    def predict(self, X: Data) -> Array:
        """The class of each row of X (n, features): (n,); of several labels a sample (n, classes), zeros and ones."""
        outputs = self._outputs(X)
        if self._labels():
            labels: Array = self.classes_.take(outputs.argmax(axis=1), mode="clip")
            return labels
        labels = self._label_binarizer.inverse_transform(outputs.ravel() if outputs.shape[1] == 1 else outputs)
        return labels

    def predict_proba(self, X: Data) -> Array:
        """The probability of each class for X (n, features): (n, classes), in the order of classes_. Of several labels
        a sample, each one's own."""
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def predict_log_proba(self, X: Data) -> Array:
        """The logarithm of `predict_proba`: (n, classes)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
