"""The names that parameters of the estimators had before they had scikit-learn's: each is still taken, with a
FutureWarning, by constructors, `set_params`, and as an attribute. They go with version 0.4.

What is stored is the parameter of today, so that `get_params`, `clone` and searches know no other.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeVar

from fastbp import _check as check
from fastbp._core import caller

if TYPE_CHECKING:
    from collections.abc import Callable

    _Init = TypeVar("_Init", bound=Callable[..., None])

RENAMED = {
    "hidden": "hidden_layer_sizes",
    "optimizer": "solver",
    "lr": "learning_rate_init",
    "epochs": "max_iter",
    "validation_split": "validation_fraction",
    "l2": "alpha",
}
_BATCH = 32  # rows of a batch, where an older program did not say
_FUTURE = "is an older name, which version 0.4 will not know"


def takes_older_names(init: _Init) -> _Init:
    """A constructor that takes the older names too. Its signature, which scikit-learn reads, names those of today."""

    @functools.wraps(init)
    def taking(self: Any, *args: Any, **settings: Any) -> None:
        init(self, *args, **of_today(settings))

    return taking  # type: ignore[return-value]


def of_today(settings: dict[str, Any], batch_size: Any = _BATCH) -> dict[str, Any]:
    """{name of today: value}, with a warning for each older name. An lr of None, which was the optimizer's own, is left
    out. l2, a factor of sum W^2 in the loss of a batch, becomes the alpha of which that is alpha / (2 rows)."""
    found = {}
    for name, value in settings.items():
        today = RENAMED.get(name)
        if today is None:
            found[name] = value
            continue
        if today in settings:
            raise TypeError(f"{name} is {check.shown(value)} beside {today}, expected one of the two; leave {name} "
                            "out, which is an older name of it")
        if name == "l2":
            rows = settings.get("batch_size", batch_size)
            rows = rows if isinstance(rows, int) else _BATCH
            value, more = 2 * rows * check.number("l2", value, minimum=0.0), f", here 2 * {rows} * l2"
        elif name == "validation_split":
            more = ", which counts where early_stopping is on; or pass X_val and y_val to fit"
        else:
            more = ""
        caller.warn(f"{name} {_FUTURE}; pass {today}{more}", FutureWarning)
        if not (name == "lr" and value is None):
            found[today] = value
    return found


class OlderNames:
    """What an estimator has of its parameters' older names, beside its constructor."""

    def set_params(self, **params: Any) -> Any:
        """scikit-learn's `set_params`, which takes older names as well."""
        if RENAMED.keys() & params.keys():
            params = of_today(params, getattr(self, "batch_size", _BATCH))
        return super().set_params(**params)  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        today = RENAMED.get(name)
        if today is None or today not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        caller.warn(f"{name} {_FUTURE}; read {today}", FutureWarning)
        return self.__dict__[today]
