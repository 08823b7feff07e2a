from typing import Any

from numpy.typing import NDArray

def penalty(params: NDArray[Any], parts: list[tuple[int, int, float, float]]) -> float: ...
