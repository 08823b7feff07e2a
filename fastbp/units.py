"""Numbers with something around them: 12 %, $1,234.50, 7.5 kg."""

import re
import unicodedata
from typing import NamedTuple

_PARTS = re.compile(r"([+\u2212-]?)\s*([^\d.,+\u2212\s-]*)\s*"                                            # -$
                    r"([+\u2212-]?(?:\d[\d.,'\u2019\s]*|[.,]\d+)(?:[eE][+-]?\d+)?)([^\d]*)", re.ASCII)     # -5 kg
_LONGEST = 64           # characters of such a cell: the pattern's time grows with the square
_CURRENCIES = frozenset((
    "eur", "usd", "gbp", "chf", "jpy", "cny", "inr", "sek", "nok", "dkk", "pln", "czk", "aud", "cad", "brl"))
# Single letters are not among them: 5a and m3 are names as well.
_MEASURES = frozenset((
    "%", "\u2030", "mm", "cm", "dm", "km", "kg", "mg", "lb", "lbs", "oz", "ml", "cl", "dl", "ft", "in", "mi",
    "yd", "mph", "hr", "hrs", "min", "ms", "sec", "kw", "kwh", "mw", "mv", "ma", "hz", "khz", "mhz", "ghz",
    "kb", "mb", "gb", "tb", "pa", "kpa", "hpa", "bar", "db", "ha", "m\u00b2", "m2", "km2", "sqft", "\u00b0",
    "\u00b0c", "\u00b0f", "km/h", "m/s", "l/100km"))


class Unit(NamedTuple):
    """What stands before and after the numbers of a column."""

    before: str
    after: str

    def __str__(self):
        return self.before or self.after

    @property
    def usual(self):
        """Whether this is a currency, or behind a number a percent sign or a measure that everybody knows."""
        if self.before and self.after:
            return False
        text = str(self).casefold()
        return (text in _CURRENCIES or any(unicodedata.category(each) == "Sc" for each in text)
                or (text in _MEASURES and not self.before))


def split(text):
    """(Unit, the text of the number) of a cell, or None where nothing or too much stands around a number."""
    found = _PARTS.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or (found[1] and found[3][:1] in "+-\u2212"):
        return None
    unit = Unit(found[2], found[4].strip())
    return (unit, found[1] + found[3].strip()) if str(unit) else None
