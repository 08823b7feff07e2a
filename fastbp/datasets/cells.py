"""Which cells of a table are missing values, and how messages count cells and name columns."""

from __future__ import annotations

import shlex

from fastbp import _check as check

# What marks a missing value in a column of numbers, case aside; nan is one, not a number.
MISSING = frozenset((
    "", "?", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "na", "n/a", "n.a.", "n.a", "#n/a", "#na",
    "#n/a n/a", "<na>", "nan", "-nan", "+nan", "nan()", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "null", "#null!",
    "nil", "none", "\\n"))
# Of these, some may be a word among words: classes are called None, and + and -.
_WORDS = frozenset(("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "nil", "none"))
MISSING_WORD = MISSING - _WORDS

_LONGEST = 40       # characters of a name that a message shows without quotes


def missing(text: str, words: bool = False) -> bool:
    """Whether a cell marks a missing value: in a column of numbers or, with words, in one of words, where None, nil,
    dashes and dots are words."""
    return text.strip().casefold() in (MISSING_WORD if words else MISSING)


def others(count: int, verb: str = "nor") -> str:
    """How many more cells of a column are like the one a message names, in parentheses: "" for none."""
    more = {"nor": "nor is 1 more" if count == 1 else f"nor are {count} more",
            "so": "so has 1 more" if count == 1 else f"so have {count} more"}[verb]
    return f" ({more})" if count else ""


def first_of(count: int) -> str:
    """What the cell that a message names is among those like it."""
    return f"the first of {count}" if count > 1 else "the only one"


def plain(text: str) -> str:
    """A name without quotes, short, nothing in it that a terminal obeys."""
    return check.printable(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def quoted(name: str) -> str:
    """A name as a shell takes it, for options that messages name."""
    return shlex.quote(plain(name))
