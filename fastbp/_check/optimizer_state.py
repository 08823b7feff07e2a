"""The state of an optimizer: its memory, what it may be set to, and whose parameters it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._check import allocation

if TYPE_CHECKING:
    from fastbp._check.types import Floats, Shape
    from fastbp.optimizers import Optimizer


def zeros(optimizer: Optimizer, shape: Shape, dtype: np.dtype[Any]) -> Floats:
    """The memory of a state, or the MemoryError where there is no room for it."""
    return allocation.zeros(
        shape,
        dtype,
        lambda: f"the state of {type(optimizer).__name__}",
        lambda: "choose an optimizer that keeps less, such as SGD, or a smaller model",
    )


def own(optimizer: Optimizer, value: Any) -> Floats | None:
    """A copy of `value` as the state, in memory that nobody else has; ValueError where it cannot be the state."""
    params = optimizer._params
    if value is None and (params is None or not optimizer.slots):
        return None
    wanted = "None" if not optimizer.slots else f"an array of shape ({optimizer.slots}, P) and dtype float32 or float64"
    fits = isinstance(value, np.ndarray) and optimizer.slots and value.ndim == 2 and len(value) == optimizer.slots
    if fits and params is None:  # whose it is will be found out at the first step
        fits = value.dtype in (np.float32, np.float64)
    elif params is not None and optimizer.slots:
        wanted = f"an array of shape ({optimizer.slots}, {params.size}) and dtype {params.dtype}"
        fits = fits and value.shape[1] == params.size and value.dtype == params.dtype
    if not fits:
        raise ValueError(
            f"state of optimizer {optimizer!r} is {check.shown(value)}, expected {wanted}; pass a state of this "
            "optimizer, or write into the one there is: optimizer.state[:] = ..."
        )
    made = zeros(optimizer, value.shape, value.dtype)
    made[...] = value
    return made


def check_free(optimizer: Optimizer, params: Floats) -> None:
    """Raises the ValueError that `bind` would, and changes nothing."""
    state = optimizer.state
    if optimizer._params is not None:
        same = params.shape == optimizer._params.shape and params.dtype == optimizer._params.dtype
        if not (same and params.ctypes.data == optimizer._params.ctypes.data):
            raise ValueError(
                f"optimizer {optimizer!r} already trains another network ({optimizer._params.size} parameters, "
                f"{optimizer.steps} steps), expected one optimizer for each network; pass optimizer.fresh() for one "
                "that begins, copy.deepcopy(optimizer) for a copy that goes on"
            )
    elif state is not None and optimizer.steps and (state.shape[1:] != params.shape or state.dtype != params.dtype):
        raise ValueError(
            f"optimizer {optimizer!r} is a copy with the state of {state.shape[1]} {state.dtype} parameters, expected "
            f"{params.size} of {params.dtype}; pass optimizer.fresh()"
        )
