"""How a message shows a value, for the core and for every floor above it."""

from __future__ import annotations

import sys

LONGEST = 60  # characters of a value that a message shows


def shown(value: object) -> str:
    """A value as a message shows it: short, in one line, with its type where that is no matter of course. Text is in
    quotes, and nothing in it that a terminal obeys."""
    if isinstance(value, str):
        return repr(str(value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."))
    numpy = sys.modules.get("numpy")  # not imported here: the core looks at the process before anything is loaded
    if numpy is not None and isinstance(value, numpy.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = " ".join(line.strip() for line in repr(value).split("\n"))
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return text if value is None or isinstance(value, bool) else f"{text} ({type(value).__name__})"
