from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastbp._core.executable import Executable

PHASES: dict[int, str]

def task_times(
    plan: Executable,
    arrays: list[tuple[int, NDArray[Any]]],
    optimizer: Any,
    order: NDArray[np.int64] | None,
    steps: int,
) -> tuple[list[tuple[str, int, int]], NDArray[np.float64], NDArray[np.float64]]: ...
def barrier(times: int) -> float | None: ...
def crossing(size: int, times: int) -> tuple[float, float] | None: ...
