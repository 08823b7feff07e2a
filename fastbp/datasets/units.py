"""Numbers with something around them: 12 %, $1,234.50, 7.5 kg, 12 m2.

What may be the sign of the number, or say that it is none, is no unit: (5) and 5- are negative in some tables, <2 and
65+ are no numbers at all.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_PARTS = re.compile(r"([+\u2212-]?)\s*([^\d.,+\u2212\s-]*)\s*"                                        # -$
                    r"([+\u2212-]?(?:\d[\d.,'\u2019\s]*|[.,]\d+)(?:[eE][+-]?\d+)?)"                      # -5
                    r"((?:\D|(?<=[A-Za-z^])[23](?![A-Za-z\d])|(?<=[A-Za-z]/)10+(?= ?[A-Za-z]))*)",     # kg, m2, l/100km
                    re.ASCII)
_LONGEST = 64           # characters of such a cell: the pattern's time grows with the square
_CURRENCIES = frozenset((
    "eur", "usd", "gbp", "chf", "jpy", "cny", "inr", "sek", "nok", "dkk", "pln", "czk", "aud", "cad", "brl"))
# Single letters are not among them: 5a and m3 are names as well.
_MEASURES = frozenset((
    "%", "\u2030", "mm", "cm", "dm", "km", "kg", "mg", "lb", "lbs", "oz", "ml", "cl", "dl", "ft", "in", "mi",
    "yd", "mph", "hr", "hrs", "min", "ms", "sec", "kw", "kwh", "mw", "mv", "ma", "hz", "khz", "mhz", "ghz",
    "kb", "mb", "gb", "tb", "pa", "kpa", "hpa", "bar", "db", "ha", "sqft", "\u00b0", "\u00b0c", "\u00b0f", "km/h",
    "m/s", "l/100km", "l/100 km", *(f"{length}{power}" for length in ("mm", "cm", "m", "km", "ft")
                                    for power in ("2", "3", "\u00b2", "\u00b3"))))
_SIGNS = frozenset("+\u2212\uff0b\u207a\u207b\u208a\u208b")               # and all dashes
_TIMES = "\u00d7"


class Unit(NamedTuple):
    """What stands before and after the numbers of a column."""

    before: str
    after: str

    def __str__(self) -> str:
        return self.before or self.after

    @property
    def usual(self) -> bool:
        """Whether this is a currency, or behind a number a percent sign or a measure that everybody knows."""
        if self.before and self.after:
            return False
        text = str(self).casefold()
        return (text in _CURRENCIES or any(unicodedata.category(each) == "Sc" for each in text)
                or (text in _MEASURES and not self.before))


def _parts(text: str) -> tuple[Unit, str] | None:
    found = _PARTS.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or (found[1] and found[3][:1] in "+-\u2212"):
        return None
    unit = Unit(found[2], found[4].strip())
    return (unit, found[1] + found[3].strip()) if str(unit) else None


def split(text: str) -> tuple[Unit, str] | None:
    """(Unit, the text of the number) of a cell, or None where nothing or too much stands around a number, or what is no
    unit (`doubt`)."""
    found = _parts(text)
    return None if found is None or _doubt(*found[0]) else found


def doubt(text: str) -> tuple[str, str] | None:
    """In words, what beside a cell's number is no unit and changes its value, and what to do; None for nothing."""
    found = _parts(text)
    return None if found is None else _doubt(*found[0])


def _doubt(before: str, after: str) -> tuple[str, str] | None:
    for each in before + after:
        if unicodedata.category(each) == "Sm" and each not in _SIGNS and each != _TIMES:        # <, ~ and the like
            return f"{each!r} beside the number, which is then no exact one", "write a number, or leave the cell empty"
    # 5 (net) has brackets around a word; around a number, or a part of it, they are accountants' minus.
    kinds = [unicodedata.category(each) for each in after]
    if ("Ps" in map(unicodedata.category, before) or kinds.count("Ps") != kinds.count("Pe")
            or kinds[:1] == ["Pe"]):
        return "brackets around the number, which may make it negative", "write -5 for (5)"
    for each in before + after[:1] + after[-1:]:
        if each in _SIGNS or unicodedata.category(each) == "Pd":
            return f"{each!r} beside the number, which may be its sign, or say that it is none", "write -5 or 5"
    return None
