"""Dates as numbers: days since 1970-01-01, with the time of day as a fraction."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

ORDERS = ("ymd", "dmy", "mdy")
_LONGEST = 64           # characters of a date with its time
_FARTHEST = 14 * 60     # minutes from UTC: no zone is farther
_EPOCH = date(1970, 1, 1).toordinal()
_TIME = r"(?:[T\s]\s*(?P<h>\d{1,2}):(?P<min>\d\d)(?::(?P<s>\d\d(?:[.,]\d+)?))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?" \
        r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?)?"
_FORMS = [re.compile(form + _TIME, re.ASCII) for form in (
    r"(?P<y>\d{4})(?P<mark>[-/.])(?P<m>\d{1,2})(?P=mark)(?P<d>\d{1,2})",
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<y>\d{4}|\d\d)",
    r"(?P<d>\d{1,2})\.?[-\s](?P<name>[A-Za-z]{3,9})\.?,?[-\s](?P<y>\d{4})",
    r"(?P<name>[A-Za-z]{3,9})\.?\s(?P<d>\d{1,2}),?\s(?P<y>\d{4})",
)]
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)", re.ASCII)
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
           "december")


def _match(text: str) -> re.Match[str] | None:
    if len(text) > _LONGEST:
        return None
    return next((found for form in _FORMS if (found := form.fullmatch(text))), None)


def like_a_date(text: str) -> bool:
    """Whether a cell that is no number was meant as a date."""
    found = _match(text)
    return found is not None and ("name" not in found.groupdict() or _month(found) is not None)


def order(text: str) -> str | None:
    """Which order a date shows beyond doubt: "dmy" or "mdy"; "either" for 1/2/2024; None where the year is first or the
    month is a word."""
    found = _match(text)
    if found is None or "first" not in found.groupdict():
        return None
    if found["mark"] == "." or int(found["first"]) > 12:        # points stand between day, month and year
        return "dmy"
    return "mdy" if int(found["second"]) > 12 else "either"


def short_year(text: str) -> bool:
    """Whether a date's year has two digits, so that nobody knows the century."""
    found = _match(text)
    return found is not None and len(found["y"]) == 2


def days(text: str, order: str | None = None) -> float | None:
    """Days since 1970-01-01 of a date, or None where it is none. order: "dmy" or "mdy" for dates such as 1/2/2024."""
    found = _match(text) or _COMPACT.fullmatch(text)
    if found is None or len(found["y"]) == 2:
        return None
    parts: dict[str, Any] = found.groupdict()
    if "first" in parts:
        if order not in ("dmy", "mdy"):
            return None
        day: Any
        month: Any
        day, month = (parts["first"], parts["second"]) if order == "dmy" else (parts["second"], parts["first"])
    else:
        day, month = parts["d"], _month(found) if "name" in parts else parts["m"]
    try:
        return date(int(parts["y"]), int(month), int(day)).toordinal() - _EPOCH + _time(parts)
    except (ValueError, TypeError):                                     # no such day, or month
        return None


def _month(found: re.Match[str]) -> int | None:
    name = found["name"].lower()
    name = "sep" if name == "sept" else name
    return next((i for i, month in enumerate(_MONTHS, 1) if name in (month, month[:3])), None)


def _time(parts: dict[str, Any]) -> float:
    """The time of day, as a share of it, less the zone's."""
    if parts.get("h") is None:
        return 0
    hour, minute, second = int(parts["h"]), int(parts["min"]), float((parts["s"] or "0").replace(",", "."))
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + 12 * (half[0] in "Pp")
    # 24:00 is the end of a day. A leap second is the last one of a quarter of an hour, in every zone.
    if (hour > 23 and (hour, minute, second) != (24, 0, 0)) or minute > 59 or second >= 60 + (minute % 15 == 14):
        raise ValueError
    zone, shift = parts["zone"] or "", 0
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "").ljust(4, "0")
        hours, minutes = int(digits[:2]), int(digits[2:])
        if minutes > 59 or hours * 60 + minutes > _FARTHEST:
            raise ValueError
        shift = (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)
    return (hour * 3600 + (minute - shift) * 60 + second) / 86400
