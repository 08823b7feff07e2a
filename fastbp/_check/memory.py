"""Memory that a call writes: vectors that users can reach too are still as they were made, and no data overlap them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._core.memory import check_made

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastbp._check.types import Array


def vectors(model: Any, written: Iterable[str]) -> None:
    """Refuses a network or a plan of which `params` or `grads` is not what it was made as. written: which of them a
    call writes.

    A user may write numbers into them. NumPy also lets him give them another shape or dtype, or make them read-only.
    """
    for name in ("params", "grads"):
        check_made(name, getattr(model, name), (model._size,), model.dtype, name in written)


def apart(arrays: Mapping[str, Array | None], written: Mapping[str, Array | None]) -> None:
    """Refuses arrays, {name: array or None}, that lie in memory which a call writes, {name: vector or None}, while it
    reads them: what it would read depends on which thread comes first."""
    for owner, vector in written.items():
        for name, array in arrays.items():
            if array is not None and vector is not None and np.may_share_memory(array, vector):  # by their bounds
                raise ValueError(
                    f"{name} lies in the memory of {owner}, which this call writes while it reads {name}, expected "
                    f"memory of its own; pass {name}.copy()"
                )
