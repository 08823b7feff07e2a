from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._core.executable import Executable

NAMES: tuple[str, ...]

# [(value, array), ...] of a plan; and the steps of validation data: (plan, arrays, first row, steps, weight)
_Arrays: TypeAlias = list[tuple[int, NDArray[Any]]]
_Evaluated: TypeAlias = tuple[Executable, _Arrays, int, int, float]
# where a number stopped being finite: loss, parameters or None, epochs finished since `remember`, step
_Failure: TypeAlias = tuple[float, NDArray[Any] | None, int, int]

def grown(old: NDArray[np.float64], begun: slice, room: int) -> NDArray[np.float64]: ...

class Epochs:
    def __new__(
        cls,
        model: Any,
        optimizer: Any,
        n: int,
        batch: int,
        rows: NDArray[np.int64] | None,
        shuffled: bool,
        seed: int,
        rest: bool = True,
        counted: int = 0,
        val_counted: int = 0,
        penalties: Sequence[tuple[int, int, float, float]] = (),
    ) -> Epochs: ...
    @property
    def epoch(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def done(self) -> int: ...
    @property
    def stopped(self) -> bool: ...
    @property
    def in_order(self) -> bool: ...
    def order_at_hand(self) -> NDArray[np.int64] | None: ...
    def set_order(
        self,
        order: NDArray[np.int64] | None,
        penalty_factors: NDArray[np.float64] | None = None,
        penalty_weight: float = 1,
    ) -> None: ...
    def last_losses(self) -> NDArray[np.float64]: ...
    def last_correct_counts(self) -> NDArray[np.float64]: ...
    def results_since(self, epoch: int) -> NDArray[np.float64]: ...
    def remember(self) -> None: ...
    def epoch_at_hand(self) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64]]: ...
    def go_on(
        self,
        first: int,
        epoch: int,
        step: int,
        lr: float,
        seconds: float,
        losses: NDArray[np.float64],
        correct_counts: NDArray[np.float64],
    ) -> None: ...
    def run(
        self,
        training: list[tuple[Executable, _Arrays]],
        evaluated: list[_Evaluated],
        rates: NDArray[np.float64],
        stopping: tuple[Any, int, bool] | None,
        team: int,
        steps: int | None = None,
    ) -> _Failure | None: ...
