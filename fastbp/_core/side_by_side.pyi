from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastbp._core.epochs import Epochs, _Arrays, _Evaluated, _Failure
from fastbp._core.executable import Executable

_Stopping: TypeAlias = tuple[Any, int, bool]
_Training: TypeAlias = list[tuple[Executable, _Arrays]]
_Call: TypeAlias = tuple[Epochs, _Training, list[_Evaluated], NDArray[np.float64], _Stopping | None]

def run_each(calls: list[_Call], team: int) -> list[tuple[_Failure | None, float]]: ...
