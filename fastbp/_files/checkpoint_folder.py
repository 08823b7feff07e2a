"""The folder of a training's checkpoints.

    last.safetensors                        the newest
    best.safetensors                        the one of the best epoch among those that were saved at the end of one
    epoch-000012.safetensors                older ones, by the epochs that the model had been trained for,
    epoch-000012-step-000345.safetensors    and the steps of the next

Each is a whole file at any moment. The older ones and the best are second names of a file (hard links) that was `last`
when it was written, so they cost no writing; where a file system has no such names, they are copies.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Any

from fastbp._files import writing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Path

LAST, BEST = "last.safetensors", "best.safetensors"
_OLDER = re.compile(r"epoch-(\d{6,})(?:-step-(\d{6,}))?\.safetensors")


def name_of(position: tuple[int, int]) -> str:
    """The name of an older checkpoint. position: (epochs, steps of the next)."""
    epoch, step = position
    return f"epoch-{epoch:06d}{f'-step-{step:06d}' if step else ''}.safetensors"


def position_of(name: str) -> tuple[int, int] | None:
    """The position of an older checkpoint, None for another file."""
    found = _OLDER.fullmatch(name)
    return None if found is None else (int(found[1]), int(found[2] or 0))


class Folder:
    """Where the checkpoints of one training are kept. keep: how many older ones beside the last.

    newest: the position of the last one, (epochs, steps of the next), None where there is none or nobody knows.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path = os.path.abspath(writing.path_of(path))  # wherever the program goes meanwhile
        self.keep = keep
        self.newest: tuple[int, int] | None = None

    @property
    def last(self) -> str:
        """The path of the newest one."""
        return os.path.join(self.path, LAST)

    def older(self) -> list[tuple[tuple[int, int], str]]:
        """[(position, path), ...] of the older ones, the oldest first."""
        try:
            names = os.listdir(self.path)
        except OSError:
            return []
        return sorted((where, os.path.join(self.path, name)) for name in names if (where := position_of(name)))

    def holds(self, path: str) -> bool:
        """Whether a path is this folder, or that of a file in it."""
        own, path = os.path.realpath(self.path), os.path.realpath(path)
        return path == own or os.path.dirname(path) == own

    def prepare(self) -> None:
        """Makes the folder where it is not there, and tries whether it can be written to. Raises OSError where it
        cannot, NotADirectoryError for a file."""
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise NotADirectoryError(f"{self.path}: a file, expected a folder for checkpoints; choose another path")
        made = not os.path.isdir(self.path)
        try:
            os.makedirs(self.path, exist_ok=True)
        except OSError as error:
            raise writing.failed(error, self.path, os.path.dirname(self.path)) from None
        if made:
            writing.sync(os.path.dirname(self.path))
        writing.check_writable(self.path)

    def write(self, data: bytes | Sequence[Any], position: tuple[int, int], best: bool) -> None:
        """Writes the newest checkpoint, bytes or pieces of memory; the one before it becomes an older one. best:
        whether it is the best, too.

        Raises OSError where it cannot: the last one is then whole, the one before or this one.
        """
        before = self.newest
        if self.keep and before is not None and before != position and os.path.exists(self.last):
            self._name(os.path.join(self.path, name_of(before)))
        self.newest = None  # nobody knows which one it is, should this fail
        writing.write_atomically(self.last, data)
        self.newest = position
        if best:
            self._name(os.path.join(self.path, BEST))
            writing.sync(self.path)
        older = [(where, path) for where, path in self.older() if where < position]
        for _, path in older[: max(0, len(older) - self.keep)]:
            with contextlib.suppress(OSError):  # it is in nobody's way
                os.unlink(path)

    def _name(self, path):
        """Gives the last one a second name, which stays when the first is given to another."""
        aside = os.path.join(self.path, writing.aside_name())
        try:
            os.link(self.last, aside)
        except OSError:  # a file system, or a system, without links
            with open(self.last, "rb") as file:
                data = file.read()
            writing.write_atomically(path, data)
            return
        try:
            os.replace(aside, path)
        except OSError as error:
            raise writing.failed(error, path, self.path) from None
        finally:
            with contextlib.suppress(OSError):  # where both were names of one file already, replace leaves it
                os.unlink(aside)
