"""A network or a plan minimised by SciPy's optimizers, on the compiled value and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._models.expression import Plan
from fastbp.layers import Dropout
from fastbp.network import Sequential

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastbp._check.types import Doubles

_WITHOUT_GRADIENT = ("nelder-mead", "powell", "cobyla", "cobyqa")
_OURS = ("fun", "x0", "jac", "args")


def minimize(model: Any, data: Any, method: str = "L-BFGS-B", **settings: Any) -> Any:
    """Minimises the loss over all of the data by scipy.optimize.minimize; returns its OptimizeResult.

    model: a network or a plan; its parameters are the starting point, and afterwards the result's `x`, (P,), in the
    model's dtype. data: of a network (X, y) or (X, y, sample_weight), of a plan {name of an input: array}. method,
    settings: as SciPy takes them, such as tol, bounds, callback and options={"maxiter": 500}. A method that uses second
    derivatives needs hess or hessp among them.

    float64 models go on where the loss of float32 ones has no more digits. Where the loss stops being finite, the
    method is told that it is infinite there.

    Raises ImportError without SciPy, TypeError and ValueError for what cannot be, among them a model with dropout,
    whose loss is another one each time. Where an error or Ctrl-C ends it, the parameters are as they were.
    """
    try:
        from scipy.optimize import minimize as scipy_minimize
    except ImportError:
        raise ImportError("minimize needs SciPy; pip install scipy") from None
    function = _function(model, data)
    for name in _OURS:
        if name in settings:
            raise ValueError(f"{name} is {check.shown(settings[name])}, expected to be left to minimize, which gives "
                             "it to SciPy; leave it out")
    with_gradient = not (isinstance(method, str) and method.lower() in _WITHOUT_GRADIENT)
    start = model.params.copy()
    finite = False

    def value_and_gradient(x: Doubles) -> Any:
        nonlocal finite
        model.params[:] = x
        try:
            value = function()
        except FloatingPointError:
            if not finite:  # there is no better place to go back to
                raise
            return (np.inf, np.zeros_like(x)) if with_gradient else np.inf
        finite = True
        return (value, model.grads.astype(np.float64)) if with_gradient else value

    try:
        found = scipy_minimize(value_and_gradient, start.astype(np.float64), method=method,
                               jac=with_gradient or None, **settings)
        model.params[:] = found.x
    except BaseException:
        model.params[:] = start
        raise
    return found


def _function(model: Any, data: Any) -> Callable[[], float]:
    """The loss of the model as it is; fills its gradients. The data are checked by the first call."""
    if isinstance(model, Sequential):
        if any(isinstance(layer, Dropout) and layer.rate > 0 for layer in model.layers):
            raise ValueError(f"model is {check.shown(model)}, with dropout, expected one whose loss is the same each "
                             "time; make one without")
        if not isinstance(data, tuple | list) or len(data) not in (2, 3):
            raise TypeError(f"data is {check.shown(data)}, expected (X, y) or (X, y, sample_weight) of a network; pass "
                            "a tuple")
        return lambda: model.loss_and_grad(*data)
    if isinstance(model, Plan):
        if not isinstance(data, Mapping):
            raise TypeError(f"data is {check.shown(data)}, expected the arrays of a plan by name; pass a dict such as "
                            "{'x': X, 'y': y}")
        if model._masks:
            raise ValueError("model is a plan with dropout, expected one whose loss is the same each time; compile one "
                             "without")
        return lambda: model.loss_and_grad(**data)[0]
    raise TypeError(f"model is {check.shown(model)}, expected a network or a plan; pass what fb.mlp or "
                    "fb.graph.compile gives")
