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
    try:
        text = " ".join(line.strip() for line in repr(value).split("\n"))
    except Exception:  # of a class of somebody's, or of a number of more digits than Python writes
        text = written(value) if isinstance(value, int) else "one that cannot be shown"
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    return text if value is None or isinstance(value, bool) else f"{text} ({type(value).__name__})"


def written(value: object) -> str:
    """As `shown`, but numbers without their type, as in an index; of an int whose digits would fill the message, its
    size."""
    if not isinstance(value, int):
        return repr(value) if type(value) is float else shown(value)
    return str(value) if value.bit_length() <= 256 else f"{'-' * (value < 0)}2^{value.bit_length() - 1} or more"
