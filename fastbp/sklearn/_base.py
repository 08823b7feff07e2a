"""What the two estimators have in common: how data, parameters and a network become a fit."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastbp import _check as check
from fastbp._check.errstate import quiet
from fastbp.sklearn import _lbfgs, _training
from fastbp.sklearn import _settings as settings
from fastbp.sklearn._job import Terms
from fastbp.sklearn._older_names import OlderNames
from fastbp.sklearn._sparse import is_sparse, predict
from fastbp.sklearn._training import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastbp._check.types import Array, Data
    from fastbp.losses import Loss
    from fastbp.network import Sequential
    from fastbp.optimizers import Optimizer

# scikit-learn's sentence, which programs may look for
NO_STOPPING = "partial_fit does not support early_stopping=True"


class MultilayerPerceptron(OlderNames, BaseEstimator):
    """The base of both estimators. One of a kind states its targets, its loss and its score."""

    _parameter_constraints: ClassVar[dict[str, Any]] = settings.CONSTRAINTS
    solver: Any
    early_stopping: Any
    random_state: Any
    net_: Sequential
    n_outputs_: int
    optimizer_: Optimizer
    _frame: Any

    def _store(self, parameters: dict[str, Any]) -> None:
        """Sets the parameters of a constructor: its locals()."""
        for name in self._get_param_names():
            setattr(self, name, parameters[name])

    # ---- of a kind -------------------------------------------------------------------------------------------------

    def _encoded(self, y: Any) -> Array:
        """The checked targets as a network reads them."""
        raise NotImplementedError

    def _loss_and_output(self) -> tuple[Loss, str]:
        """The loss of the network and fastbp's name of the output's activation."""
        raise NotImplementedError

    def _terms(self, samples: Samples, held: Samples | None) -> dict[str, Any]:
        """sums, units and offsets of the Terms."""
        raise NotImplementedError

    def _score_of(self, outputs: Array, samples: Samples) -> float:
        raise NotImplementedError

    # ---- what is fitted --------------------------------------------------------------------------------------------

    @property
    def coefs_(self) -> list[Array]:
        """The weights of the layers, [(inputs, units), ...]: views of the network's parameters."""
        return self._parameters_named("W", "coefs_")

    @coefs_.setter
    def coefs_(self, value: list[Array]) -> None:
        self._set_parameters("W", "coefs_", value)

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of the layers, [(units,), ...]: views of the network's parameters."""
        return self._parameters_named("b", "intercepts_")

    @intercepts_.setter
    def intercepts_(self, value: list[Array]) -> None:
        self._set_parameters("b", "intercepts_", value)

    @property
    def _optimizer(self) -> Optimizer:
        """scikit-learn's name of `optimizer_`."""
        return self.optimizer_

    def _parameters_named(self, name: str, public: str) -> list[Any]:
        if "net_" in self.__dict__:
            return settings.arrays_of(self.net_, name)
        if public in self.__dict__.get("_given", {}):
            found: list[Any] = self._given[public]
            return found
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {public!r}")

    def _set_parameters(self, name: str, public: str, value: list[Any]) -> None:
        if "net_" not in self.__dict__:  # kept for the network that partial_fit will make
            self.__dict__.setdefault("_given", {})[public] = value
            return
        arrays = settings.arrays_of(self.net_, name)
        shapes = [np.shape(each) for each in value]
        if shapes != [array.shape for array in arrays]:
            raise ValueError(f"{public} has shapes {shapes}, expected {[array.shape for array in arrays]}; give one "
                             "array for each layer")
        for array, each in zip(arrays, value, strict=True):
            array[:] = each

    # ---- fit -------------------------------------------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool = False,
        held: tuple[Any, Any, Any] = (None, None, None),
        resume: Any = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """`fit` and, incremental, `partial_fit`. prepare: called first. Where something is refused, the estimator is as
        it was."""
        before = dict(self.__dict__)
        began: list[bool] = []
        try:
            if not get_config()["skip_parameter_validation"] and not (incremental and "net_" in before):
                self._validate_params()
            if prepare is not None:
                prepare()
            self._fit_or_raise(X, y, sample_weight, incremental, held, resume, began)
        except BaseException:
            if not began:
                self.__dict__.clear()
                self.__dict__.update(before)
            raise

    def _fit_or_raise(
        self, X: Any, y: Any, sample_weight: Any, incremental: bool, held: Any, resume: Any, began: list[bool]
    ) -> None:
        widths = settings.hidden_widths(self.hidden_layer_sizes)
        settings.activations(self.activation, len(widths))
        self._refuse_what_does_not_go_together(incremental, sparse=is_sparse(X))
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y = self._validated(X, y, reset=first)
        samples = self._samples(X, y, sample_weight, first, incremental)
        validation = self._held_out_given(*held)
        if self.dtype is not None:
            dtype = check.dtype(self.dtype)
        else:
            dtype = np.dtype(X.dtype) if first or "net_" not in self.__dict__ else self.net_.dtype
        random_state = check_random_state(self.random_state)
        seed = int(self.random_state) if self._seeded() else int(copy.deepcopy(random_state).randint(2**31 - 1))
        if first:
            self._begin()
        self._make_network(samples, dtype, seed, random_state if first else None)
        try:
            if self.solver == "lbfgs":
                terms = Terms(None, samples.sample_weight, float(self.alpha), **self._terms(samples, None))
                _lbfgs.fit(self, self.net_, samples.X, self._as_targets(samples.y), terms)
            else:
                _training.train(self, samples, validation, random_state, incremental, resume, began)
        except FloatingPointError as error:
            message = f"{_training.NOT_FINITE} In numbers: {error}"
            raise ValueError(message) from error
        if not np.isfinite(self.net_.params).all():
            raise ValueError(_training.NOT_FINITE)

    def _seeded(self) -> bool:
        return isinstance(self.random_state, (int, np.integer)) and not isinstance(self.random_state, (bool, np.bool_))

    def _refuse_what_does_not_go_together(self, incremental: bool, sparse: bool) -> None:
        if self.solver == "lbfgs":
            for name, without in (("dropout", 0.0), ("checkpoint", None), ("callbacks", None), ("metrics", None),
                                  ("clip_norm", None), ("clip_value", None)):  # fmt: skip
                if (value := getattr(self, name)) != without:
                    raise ValueError(f"{name} is {check.shown(value)}, expected {without} with solver='lbfgs', which "
                                     f"takes no steps of its own; choose 'adam' or 'sgd', or leave {name} out")
        if incremental:
            if isinstance(self.early_stopping, bool) and self.early_stopping:
                raise ValueError(NO_STOPPING)
            for name in ("early_stopping", "checkpoint"):
                if (value := getattr(self, name)) not in (None, False):
                    raise ValueError(f"{name} is {check.shown(value)}, expected None for partial_fit, which trains on "
                                     f"all that it is given; call fit, or set_params({name}=None)")
        if self.checkpoint is not None:
            for name, value, wrong in (
                ("learning_rate", self.learning_rate, self.learning_rate in ("invscaling", "adaptive")),
                ("early_stopping", self.early_stopping, self.early_stopping is True),
                ("X", "sparse", sparse),
            ):
                if wrong:
                    raise ValueError(f"{name} is {check.shown(value)}, expected what a checkpoint can keep; pass a "
                                     "schedule of fastbp.schedules, a fb.EarlyStopping, dense rows, or no checkpoint")

    @quiet
    def _validated(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        kinds = {"accept_sparse": ["csr", "csc"], "dtype": [np.float64, np.float32], "multi_output": True}
        X, y = validate_data(self, X, y, reset=reset, **kinds, **self._of_targets)
        return (X.tocsr() if is_sparse(X) else X), y

    _of_targets: ClassVar[dict[str, Any]] = {}

    @quiet
    def _data(self, X: Any, reset: bool = False) -> Any:
        X = validate_data(self, X, reset=reset, accept_sparse=["csr", "csc"], dtype=[np.float64, np.float32])
        return X.tocsr() if is_sparse(X) else X

    def _samples(self, X: Any, y: Any, sample_weight: Any, first: bool, incremental: bool) -> Samples:
        if sample_weight is not None:
            sample_weight = quiet(_check_sample_weight)(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if not sample_weight.any():
                raise ValueError("sample_weight is 0 for all samples, expected some that count; give weights above 0")
        return Samples(X, self._encoded(y), sample_weight)

    def _held_out_given(self, X: Any, y: Any, sample_weight: Any) -> Samples | None:
        """The validation data that fit was given."""
        if (X is None) != (y is None) or (X is None and sample_weight is not None):
            missing, there = "X_val", "y_val or sample_weight_val"
            if X is not None:
                missing, there = "y_val", "X_val"
            raise ValueError(f"{missing} is None beside {there}, expected X_val and y_val together; pass both")
        if X is None:
            return None
        if self.solver == "lbfgs":
            raise ValueError("X_val is given with solver='lbfgs', expected none, as it has no epochs; leave X_val and "
                             "y_val out")
        X, y = self._validated(X, y, reset=False)
        if sample_weight is not None:
            sample_weight = quiet(_check_sample_weight)(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        return Samples(X, self._encoded_as_before(y), sample_weight)

    def _encoded_as_before(self, y: Any) -> Array:
        return self._encoded(y)

    def _begin(self) -> None:
        """What the first training begins with."""
        for name in ("net_", "optimizer_", "_given"):
            self.__dict__.pop(name, None)
        self.t_ = self.n_iter_ = self._no_improvement_count = 0
        self.loss_curve_: list[float] = []
        self._best_params: Any = None
        scored = self.early_stopping is True
        self.best_loss_ = None if scored else np.inf
        self.validation_scores_: list[float] | None = [] if scored else None
        self.best_validation_score_ = -np.inf if scored else None
        self.validation_loss_curve_: list[float] | None = None

    def _make_network(self, samples: Samples, dtype: Any, seed: int, random_state: Any) -> None:
        """The network of the parameters, with the values that it has or, with a random_state, drawn anew."""
        units = 1 if samples.y.ndim == 1 and not self._labels() else self._units(samples.y)
        loss, output = self._loss_and_output()
        self.n_outputs_ = units
        rows = len(samples.y) if samples.sample_weight is None else samples.sample_weight.sum()
        step = settings.batch_size(self, len(samples.y))
        own = self.solver == "lbfgs" or is_sparse(samples.X)  # the penalty is added apart
        l2 = 0.0 if own or not rows else float(self.alpha) / (2 * step)
        frame = settings.frame(self, samples.X.shape[1], units, loss, output, dtype, l2 > 0)
        old = self.__dict__.get("net_")
        if random_state is None and old is not None and self._frame == frame:
            return
        net, self._frame = settings.network(frame, l2, seed), frame
        if random_state is not None:
            settings.initialise(self, net, random_state)
        else:
            self._take_over(net, old)
        self.__dict__.pop("_given", None)
        self.net_ = net
        self.n_layers_ = len(settings.dense_layers(net)) + 1
        self.out_activation_ = settings.theirs(loss.link or output)
        if self._best_params is None or self._best_params.size != net.params.size:
            self._best_params = net.params.copy()

    def _take_over(self, net: Sequential, old: Sequential | None) -> None:
        """Gives a network the values and counts of the one that was trained before, or values that a user has set."""
        found = [(name, list(getattr(self, name))) for name in ("coefs_", "intercepts_")]
        for (public, values), name in zip(found, "Wb", strict=True):
            arrays = settings.arrays_of(net, name)
            if [np.shape(each) for each in values] != [each.shape for each in arrays]:
                raise ValueError(f"{public} has shapes {[np.shape(each) for each in values]}, expected "
                                 f"{[each.shape for each in arrays]}, as hidden_layer_sizes says; set it as it was, or "
                                 "begin anew with warm_start=False")
            for array, each in zip(arrays, values, strict=True):
                array[:] = each
        if old is not None:
            net.epochs, net._draws = old.epochs, old._draws
        if "optimizer_" in self.__dict__:
            self.optimizer_ = copy.deepcopy(self.optimizer_)  # which goes on with another network
        value: Any
        for name, value in (("t_", 0), ("_no_improvement_count", 0), ("loss_curve_", []), ("best_loss_", np.inf),
                            ("validation_scores_", None), ("best_validation_score_", None), ("_best_params", None),
                            ("validation_loss_curve_", None)):  # fmt: skip
            self.__dict__.setdefault(name, value)

    def _labels(self) -> bool:
        """Whether the targets of the network are labels (n,)."""
        return False

    def _units(self, y: Array) -> int:
        return y.shape[1]

    def _as_targets(self, y: Array) -> Array:
        return y if y.ndim == 2 or self._labels() else y[:, None]

    def _stratified(self) -> bool:
        """Whether rows are held out of each class alike: of two classes, as scikit-learn does."""
        return False

    # ---- use -------------------------------------------------------------------------------------------------------

    def _outputs(self, X: Data) -> Array:
        """The network's outputs (n, units) for X, in the wider dtype of the two."""
        check_is_fitted(self, "net_")
        X = self._data(X)
        found = predict(self.net_, X)
        return quiet(found.astype)(np.result_type(found.dtype, X.dtype), copy=False)

    def _can_go_on(self) -> bool:
        """scikit-learn's words where there is no partial_fit."""
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
