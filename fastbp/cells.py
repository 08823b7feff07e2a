"""What a cell of a table says: a number, a missing value, or a word."""

import math
import re

from fastbp import check

# What marks a missing value in a column of numbers, case aside; nan is one, not a number.
MISSING = frozenset((
    "", "?", "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "na", "n/a", "n.a.", "n.a", "#n/a", "#na",
    "#n/a n/a", "<na>", "nan", "-nan", "+nan", "nan()", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "null", "#null!",
    "nil", "none", "\\n"))
# Of these, some may be a word among words: classes are called None, and + and -.
_WORDS = frozenset(("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "*", "nil", "none"))
MISSING_WORD = MISSING - _WORDS

_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(,\d{3})+\s*", re.ASCII)
# 1.234,56 and 1,234.56 and 1 234 and 1'234: what separates groups of three digits is a matter of the country.
_GROUPED = re.compile(r"\s*[+-]?\d{1,3}([., '\u2019\u00a0\u202f]\d{3})+([.,]\d*)?\s*", re.ASCII)
_LONGEST = 40       # characters of a cell that a message shows


def missing(text, words=False):
    """Whether a cell marks a missing value: in a column of numbers or, with words, in one of words, where None, nil,
    dashes and dots are words."""
    return text.strip().casefold() in (MISSING_WORD if words else MISSING)


def number(text, comma=False):
    """The number a cell holds, or None; 1,5 is one with `comma`. Python's own underscores (1_000) are not."""
    if comma and has_comma(text):
        text = text.replace(",", ".")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def finite(text, comma=False):
    """The finite number a cell holds, or None."""
    value = number(text, comma)
    return value if value is not None and math.isfinite(value) else None


def has_comma(text):
    """Whether a cell is a number with a decimal comma."""
    return _DECIMAL_COMMA.fullmatch(text) is not None


def thousands(text):
    """Whether the comma of a cell may as well separate thousands: 1,500."""
    return _THOUSANDS.fullmatch(text) is not None


def like_a_number(text):
    """Whether a cell was meant as a number, though it may be none that can be read: 1,5 among commas, 1.234,5, inf."""
    return number(text) is not None or has_comma(text) or _GROUPED.fullmatch(text) is not None


def others(count, verb="nor"):
    """How many more cells of a column are like the one a message names, in parentheses: "" for none."""
    more = {"nor": "nor is 1 more" if count == 1 else f"nor are {count} more",
            "so": "so has 1 more" if count == 1 else f"so have {count} more"}[verb]
    return f" ({more})" if count else ""


def first_of(count):
    """What the cell that a message names is among those like it."""
    return f"the first of {count}" if count > 1 else "the only one"


def shown(text):
    """A cell or a name as a message shows it: short, in quotes, nothing in it that a terminal obeys."""
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")


def plain(text):
    """A name without quotes, short, nothing in it that a terminal obeys."""
    return check.printable(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")
