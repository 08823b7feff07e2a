from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from fastbp._core.executable import Executable

MOST_ARRAYS: int

_T = TypeVar("_T")

class ExclusiveUse:
    def __init__(self, message: str) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def call(self, function: Callable[..., _T], *arguments: Any) -> _T: ...

def use_all(uses: dict[str, ExclusiveUse], function: Callable[..., _T], *arguments: Any) -> _T: ...

class Ready:
    def __init__(
        self,
        plan: Executable,
        names: Sequence[str],
        specs: Sequence[tuple[int, int, int, bool]],
        part: tuple[int, int, bool],
        team: int,
        owner: Any,
    ) -> None: ...
    @property
    def owner(self) -> Any: ...
    @property
    def version(self) -> int: ...
    def run(self, arrays: tuple[Any, ...], model: Any = None) -> float | None: ...
    def run_named(self, arrays: dict[str, Any], model: Any = None) -> float | None: ...
