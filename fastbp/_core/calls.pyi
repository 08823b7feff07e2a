from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastbp._core.executable import Executable

class Snapshot:
    def __init__(self, model: Any, optimizer: Any) -> None: ...
    def become(
        self, params: NDArray[Any], state: NDArray[Any] | None, steps: int, draws: int, epochs: int
    ) -> Snapshot: ...
    def restore(self) -> None: ...

def run(
    plan: Executable,
    arrays: list[tuple[int, NDArray[Any]]],
    first_op: int,
    last_op: int,
    learns: bool,
    first: int,
    losses: NDArray[np.float64],
    dropout: tuple[int, int],
    team: int,
    model: Any = None,
    correct_counts: NDArray[np.float64] | None = None,
) -> None: ...
def apply_update(plan: Executable, optimizer: Any, lr: float, team: int) -> Literal["", "gradient", "parameter"]: ...
