"""solver="lbfgs": SciPy's L-BFGS-B on the compiled value and gradient of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp.sklearn import _settings as settings
from fastbp.sklearn._gradient import gradient
from fastbp.sklearn._job import Batches
from fastbp.sklearn._sparse import chunks, dense

if TYPE_CHECKING:
    from fastbp._check.types import Array, Doubles
    from fastbp.sklearn._job import Terms

_ROWS = 8192  # of a chunk of the data


class Objective:
    """The loss of all rows and its gradient, as functions of the parameters. X (n, features) dense or sparse, y: the
    targets; net: a network without penalties of its own; threads: the most that work on it."""

    def __init__(self, net: Any, X: Any, y: Array, terms: Terms, threads: int | None) -> None:
        self.net, self.X, self.units, self.threads = net, X, terms.units, check.threads(threads)
        n = len(y)
        self.y, self.labels = check.targets(y, n, net.loss, net.units, net.dtype)
        batches = Batches(n, n, terms)
        v, (self.factor,) = batches.scales(None)
        self.v = None if terms.sample_weight is None and terms.sums == 1 else v.astype(net.dtype)
        self.offset = batches.offset(None)
        self.loss = np.nan

    def __call__(self, params: Doubles) -> tuple[float, Doubles]:
        """(loss, gradient (P,)) at the parameters (P,)."""
        net, n = self.net, len(self.y)
        net.params[:] = params
        total, slope = 0.0, np.zeros(len(params))
        for rows in chunks(self.X, _ROWS):
            v = None if self.v is None else self.v[rows]
            share = (rows.stop - rows.start) / n
            total += share * gradient(net, dense(self.X[rows]), self.y[rows], self.labels, v, self.threads)
            slope += share * net.grads
        net.grads[:] = 0
        penalty = settings.add_penalty(net, self.factor)
        self.loss = total / self.units + self.offset + penalty
        return total + penalty, slope + net.grads


def fit(model: Any, net: Any, X: Any, y: Array, terms: Terms) -> None:
    """Trains the network; sets the estimator's n_iter_, loss_, best_loss_ and loss_curve_. Raises FloatingPointError
    where a loss is not finite."""
    import scipy.optimize  # these come with scikit-learn
    from sklearn.utils.optimize import _check_optimize_result
    from threadpoolctl import threadpool_limits

    objective = Objective(net, X, y, terms, model.threads)

    def said(params: Any) -> None:
        model.loss_curve_.append(objective.loss)  # of the point that the line search ended at
        if model.verbose:
            print("Iteration %d, loss = %.8f" % (len(model.loss_curve_), objective.loss))  # noqa: UP031  # scikit-learn's words

    # SciPy's own part is of a few vectors: threads of its BLAS would only be in the way of ours
    with threadpool_limits(1, "blas"):
        result = scipy.optimize.minimize(
            objective, net.params.astype(np.float64), method="L-BFGS-B", jac=True, callback=said,
            options={"maxfun": model.max_fun, "maxiter": model.max_iter, "gtol": model.tol},
        )  # fmt: skip
    model.n_iter_ = _check_optimize_result("lbfgs", result, model.max_iter)
    objective(result.x)
    model.loss_ = model.best_loss_ = objective.loss
