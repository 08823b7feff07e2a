"""What a setting of a layer may be: one that a user passes, and one that a file holds, whose words are not shown.

Each has `taken(name, value)`, the value as the layer keeps it, and `in_file(values, value, where)`, the same question
of a file's: `values` has the checks of `fastbp._files.schema.Values`, which say what a value is in words of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fastbp import _check as check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fastbp._files.schema import Values

MOST = 2**31  # the largest width that a file may speak of


class Width:
    """How many numbers a sample has: an int from 1."""

    def taken(self, name: str, value: Any) -> int:
        return check.integer(name, value, minimum=1)

    def in_file(self, values: Values, value: Any, where: str) -> None:
        values.whole(value, where, 1, MOST)


class Name(NamedTuple):
    """One of the names that `choices()` gives."""

    choices: Callable[[], Iterable[str]]

    def taken(self, name: str, value: Any) -> str:
        return check.choice(name, value, self.choices())

    def in_file(self, values: Values, value: Any, where: str) -> None:
        values.name(value, where, self.choices())


class Number(NamedTuple):
    """A number from `minimum` to `maximum`, and below `below`, where these are not None."""

    minimum: float
    maximum: float | None = None
    below: float | None = None

    def taken(self, name: str, value: Any) -> float:
        return check.number(name, value, minimum=self.minimum, maximum=self.maximum, below=self.below)

    def in_file(self, values: Values, value: Any, where: str) -> None:
        inside = values.number(value, where) >= self.minimum
        inside = inside and (self.maximum is None or value <= self.maximum)
        if not (inside and (self.below is None or value < self.below)):
            raise values.wrong(where, value, self._wanted(where.rpartition(".")[2]))

    def _wanted(self, name: str) -> str:
        if self.below is not None:
            return f"{self.minimum:g} <= {name} < {self.below:g}"
        if self.maximum is not None:
            return f"{self.minimum:g} <= {name} <= {self.maximum:g}"
        return f"a number >= {self.minimum:g}"
