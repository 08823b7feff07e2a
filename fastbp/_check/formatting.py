"""Text that people read: lines that end at a word, and reprs of things with many parts."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 79  # characters of a line where nobody knows how wide the screen is


def filled(text: str, width: int | None = WIDTH, first: str = "", then: str = "") -> str:
    """`text` in lines of at most `width` characters that end at a word; None: in one line, as it is.

    first, then: what stands before the first line and before the others. A word that is longer than a line stays whole,
    as it may be a path to copy.
    """
    if width is None:
        return first + text
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=then, break_long_words=False,
                         break_on_hyphens=False)  # fmt: skip


def call(name: str, parts: Iterable[str], width: int = WIDTH) -> str:
    """name(part, part ...), as Python writes a call: in one line, or in several that end between two parts."""
    parts = list(parts)
    line = f"{name}({', '.join(parts)})"
    if len(line) <= width:
        return line
    indent = " " * (len(name) + 1)
    room, lines = width - len(indent), [""]
    for part in [*(part + "," for part in parts[:-1]), parts[-1] + ")"]:
        for piece in filled(part, room).split("\n") if len(part) > room else [part]:
            if lines[-1] and len(lines[-1]) + 1 + len(piece) > room:
                lines.append(piece)
            else:
                lines[-1] += " " * bool(lines[-1]) + piece
    return f"{name}(" + f"\n{indent}".join(lines)
