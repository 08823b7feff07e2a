"""An estimator's training as a job of fastbp's loop: scikit-learn's order of the rows, its weights and its penalty, in
compiled epochs.

The gradient of scikit-learn's step is (sum_i w_i g_i + alpha W) / sum_i w_i over the rows of a batch. A step of fastbp
takes mean_i v_i g_i, and the penalty l2 sum W^2 times a factor. So v_i = w_i B / sum w, for a batch of B rows, and the
factor is that of alpha / (2 sum w) over l2; both are known once the order of an epoch is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._training.network_fit import NetworkJob
from fastbp.sklearn import _settings as settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastbp._check.types import Array, Doubles, Integers, Logs
    from fastbp.callbacks import History
    from fastbp.network import Sequential


class Orders:
    """The orders of the epochs, drawn one after another from a RandomState as scikit-learn draws them: each shuffles
    that of the epoch before."""

    def __init__(self, n: int, random_state: Any) -> None:
        self.random_state, self.drawn = random_state, 0
        self.order: Integers = np.arange(n)

    def of(self, epoch: int) -> Integers:
        """int64 (n,): that of an epoch counted from 0, which is the last one drawn or a later one."""
        while self.drawn <= epoch:
            indices = np.arange(len(self.order))
            self.random_state.shuffle(indices)
            self.order = self.order[indices]
            self.drawn += 1
        return self.order


class Terms:
    """What a job knows beside network and data.

    orders: the Orders, or None for the rows as they lie. sample_weight: (n,) or None. alpha: scikit-learn's.
    sums: whether a row's loss is the sum over the outputs, where the loss of fastbp is the mean. units: by which the
    loss that is shown is less than the one that is followed: scikit-learn shows squared errors as a mean over outputs.
    offsets: for the rows and for those of the validation data (n,), what the loss that is shown has beside, or None.
    score: a function of the outputs (m, units) of the validation data, or None.
    """

    def __init__(
        self,
        orders: Orders | None,
        sample_weight: Doubles | None,
        alpha: float,
        sums: int = 1,
        units: int = 1,
        offsets: tuple[Doubles | None, Doubles | None] = (None, None),
        score: Callable[[Array], float] | None = None,
    ) -> None:
        self.orders, self.sample_weight, self.alpha = orders, sample_weight, alpha
        self.sums, self.units, self.score = sums, units, score
        self.offsets = offsets


class Batches:
    """How the rows of the batches count: of `n` rows in batches of `size`, by the terms of a training."""

    def __init__(self, n: int, size: int, terms: Terms) -> None:
        self.n, self.terms = n, terms
        self.starts = np.arange(0, n, size)
        self.counts = np.diff(np.append(self.starts, n))

    def sums(self, order: Integers | None) -> tuple[Doubles, Doubles]:
        """(the rows' weights in this order, float64 (n,); their sums by batch), 1 where there are no weights."""
        given = self.terms.sample_weight
        if given is None:
            return np.ones(self.n), self.counts.astype(np.float64)
        weights = given if order is None else given[order]
        return weights, np.add.reduceat(weights, self.starts)

    @quiet
    def scales(self, order: Integers | None) -> tuple[Doubles, Doubles]:
        """(v of each row in this order, the penalty's factor alpha / sum w of each batch). A batch whose weights are
        all 0 changes nothing: both are 0."""
        weights, sums = self.sums(order)
        inverse = np.divide(1.0, sums, out=np.zeros(len(sums)), where=sums > 0)
        return weights * np.repeat(self.counts * inverse, self.counts) * self.terms.sums, self.terms.alpha * inverse

    def offset(self, order: Integers | None) -> float:
        """What an epoch's loss has in addition."""
        offsets = self.terms.offsets[0]
        if offsets is None:
            return 0.0
        v = self.scales(order)[0] / self.terms.sums
        return float(np.mean(v * (offsets if order is None else offsets[order])))


def val_weights(weights: Doubles | None, n: int, sums: int) -> Doubles | None:
    """The weights of validation data as a mean over them takes them: of mean 1, times `sums`."""
    if weights is None:
        return None if sums == 1 else np.full(n, float(sums))
    scaled: Doubles = weights * (sums * n / weights.sum())
    return scaled


def val_offset(offsets: Doubles | None, weights: Doubles | None) -> float:
    """What their loss has in addition."""
    return 0.0 if offsets is None else float(np.average(offsets, weights=weights))


class EstimatorJob(NetworkJob):
    """The training of an estimator's network on dense rows. validation: None or (X, targets, weights), these checked
    and with v as above."""

    record: History

    def __init__(
        self, net: Sequential, X: Any, y: Any, batch_size: int, validation: Any, threads: int | None, metrics: Any,
        terms: Terms,
    ) -> None:  # fmt: skip
        self.terms, self.begun = terms, -1
        self.l2 = settings.dense_layers(net)[0].l2
        n = len(y)
        self.batches = Batches(n, batch_size, terms)
        if terms.sample_weight is not None or terms.sums != 1:
            self.v: Array | None = np.full(n, float(terms.sums), net.dtype)
        else:
            self.v = None
        self.val_weight = None if validation is None else validation[2]
        if validation is not None:
            validation = (*validation[:2], val_weights(validation[2], len(validation[1]), terms.sums))
        super().__init__(net, X, y, self.v, None, batch_size, validation, 0.0, threads, metrics)
        if self.v is not None:
            self.arrays["weights"] = self.v
        if terms.orders is not None and self.batch < n:
            self.rows = np.arange(n)

    def history(self, epochs: int) -> History:
        self.record = super().history(epochs)
        return self.record

    def runs_without_python(self) -> bool:
        return False  # each epoch has an order of its own

    def epochs(self, most: int, stopping: Any, history: Any, bar: Any) -> Iterator[Any]:
        if self.begun != self.training_state.epoch:
            self.begin_epoch(self.training_state.epoch)
        yield from super().epochs(1, stopping, history, bar)

    def begin_epoch(self, epoch: int) -> None:
        """The order of an epoch, counted from 0 in this training, and what depends on it."""
        order = self.order = None if self.terms.orders is None else self.terms.orders.of(epoch)
        v, factors = self.batches.scales(order)
        whole = 2 * self.l2
        factors = factors / whole if whole else factors * 0
        exact = self.terms.units == 1 and bool((factors == 1).all())
        self.training_state.set_order(
            None if self.rows is None else order, None if exact or not whole else factors, float(self.terms.units)
        )
        if self.terms.sample_weight is not None and self.v is not None:
            self.v[slice(None) if order is None else order] = v
        self.begun = epoch

    # ---- what is shown ---------------------------------------------------------------------------------------------

    def results(self, row: Array, names: Any, epoch: int) -> Logs:
        return self.shown(super().results(row, names, epoch))

    def shown(self, logs: Logs) -> Logs:
        """The losses as scikit-learn shows them."""
        logs["loss"] = logs["loss"] / self.terms.units + self.batches.offset(self.order)
        if "val_loss" in logs:
            loss = logs["val_loss"] - self.penalty()  # what is shown of the validation data has none
            logs["val_loss"] = loss / self.terms.units + val_offset(self.terms.offsets[1], self.val_weight)
        return logs

    def penalty(self) -> float:
        """What the engine's loss of the validation data has of penalties."""
        return self.model._penalty()

    def names(self) -> list[str]:
        return super().names() + ["val_score"] * (self.terms.score is not None)

    def more_logs(self, when: str) -> Logs:
        logs = super().more_logs(when)
        if self.terms.score is not None:
            logs["val_score"] = self.terms.score(self.model._linked(self.Y.copy()))
        return logs

    def hint(self, history: Any, known: int) -> str:
        return ""  # whether it converges is said by ConvergenceWarning

    def warn_of_data(self) -> None:
        """Nothing: a part held out is drawn, or given."""
