"""How a file writes its numbers: which mark is the decimal one, and which separates thousands.

A cell such as 1,5 shows that commas are decimal marks; 1.234,5 and 1,234,567 show what separates thousands; 1,234 may
be either. A file is read by what its cells show beyond doubt; where they show nothing, or different things, it is
refused until somebody says it (--decimal, --thousands). 1.234 alone is a decimal fraction, as everywhere else in
computing.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from fastbp import _check as check
from fastbp.datasets.cells import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from fastbp.datasets.csv_file import Cells

    Example: TypeAlias = tuple[Cells, str, str]  # a column, a cell of it, its number

MARKS = {".": "point", ",": "comma"}
ALWAYS = frozenset(" \u00a0\u202f\u2009'\u2019")       # these separate thousands and can be nothing else
_GROUPED = re.compile(rf"[+-]?[1-9]\d{{0,2}}([.,{''.join(sorted(ALWAYS))}])\d{{3}}(?:\1\d{{3}})*(?:([.,])\d*)?",
                      re.ASCII)
_PLAIN = re.compile(r"[+-]?(?:\d+([.,])\d*|([.,])\d+|\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_ADDRESS = re.compile(r"(\d{1,3})" + r"\.(\d{3})" * 3, re.ASCII)
_LONGEST = 400           # characters of a number; a cell may be of any length
_MINUS = "\u2212"       # as typesetters write it


def python(text: str) -> float | None:
    """The number as Python writes it, or None; Python's own underscores (1_000) are none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def signs(text: str) -> tuple[str | None, str | None, str | None] | None:
    """(decimal, thousands, either): the marks of which a number in any notation shows what they are, and the one of
    which it does not; None where the text is no number."""
    if len(text) > _LONGEST:
        return None
    text = text.replace(_MINUS, "-")
    if (found := _GROUPED.fullmatch(text)) and found[1] != found[2]:
        mark, decimal = found[1], found[2]
        if decimal is None and mark in MARKS and text.count(mark) == 1:
            return None, None, mark
        return decimal, mark, None
    if found := _PLAIN.fullmatch(text):
        return found[1] or found[2], None, None
    return None if python(text) is None else (None, None, None)


def is_number(text: str) -> bool:
    """Whether a text is a number in any notation."""
    return signs(text) is not None


def like_an_address(text: str) -> bool:
    """Whether a number with points between thousands may be the address of a computer as well: 192.168.100.100."""
    found = _ADDRESS.fullmatch(text)
    return found is not None and all(int(group) <= 255 for group in found.groups())


def other(mark: str) -> str:
    """The comma for the point, the point for the comma."""
    return "." if mark == "," else ","


class Notation(NamedTuple):
    """decimal: "." or ",". thousands: the one of these two that separates thousands, or ""; spaces and apostrophes
    always do."""

    decimal: str = "."
    thousands: str = ""

    def number(self, text: str) -> float | None:
        """The finite number that a text is in this notation, or None."""
        value = self._number(text.replace(_MINUS, "-"))
        return value if value is not None and math.isfinite(value) else None

    def _number(self, text: str) -> float | None:
        if self.decimal == "." and (value := python(text)) is not None:
            return value
        if (found := _GROUPED.fullmatch(text)) and found[2] in (None, self.decimal) and found[1] != self.decimal:
            if found[1] in ALWAYS or found[1] == self.thousands:
                return float(text.replace(found[1], "").replace(self.decimal, "."))
        elif (found := _PLAIN.fullmatch(text)) and (found[1] or found[2]) in (None, self.decimal):
            return float(text.replace(self.decimal, "."))
        return None


PLAIN = Notation()


class Evidence:
    """What the number cells of a file show of its notation: the first cell that shows each thing."""

    def __init__(self) -> None:
        self.decimal: dict[str, Example] = {}       # mark -> (csv_file.Cells, cell, its number)
        self.thousands: dict[str, Example] = {}
        self.either: dict[str, Example] = {}
        self.address: Example | None = None         # the same of a number that may be an address

    def __bool__(self) -> bool:
        return bool(self.decimal or self.thousands or self.either)

    def add(self, column: Cells, numbers: Iterable[tuple[str, str]]) -> None:
        """Look at the different cells of a column of numbers: (cell, the number in it) each."""
        address, plainly = None, False
        for cell, text in numbers:
            if (found := signs(text)) is not None:
                if cell == text and like_an_address(text):
                    address = address or (column, cell, text)
                elif found[1] == ".":
                    plainly = True                          # no address, so that the others in the column are none
                for kept, mark in zip((self.decimal, self.thousands, self.either), found, strict=True):
                    if mark is not None and mark in MARKS and mark not in kept:
                        kept[mark] = column, cell, text
        self.address = self.address or (None if plainly else address)

    def notation(
        self, decimal: str | None = None, thousands: str | None = None, usual: Notation | None = None
    ) -> Notation:
        """The Notation that the cells show, or ValueError.

        decimal, thousands: what was said, "" for none. usual: the Notation of the file that a model was trained on,
        which decides where the cells show nothing.
        """
        if self.address and thousands != "." and (usual is None or usual.thousands != "."):
            raise ValueError(self._address(self.address))
        if decimal is not None or thousands is not None:
            return self._said(decimal, thousands)
        for mark in MARKS:
            if mark in self.decimal and mark in self.thousands:
                raise ValueError(self._contradiction(self.decimal[mark], mark, self.thousands[mark], mark))
        for shows in (self.decimal, self.thousands):
            if len(shows) == 2:
                raise ValueError(self._contradiction(shows[","], ",", shows["."], "."))
        if self.decimal or self.thousands:
            decimal = next(iter(self.decimal)) if self.decimal else other(next(iter(self.thousands)))
            mark = other(decimal)
            if mark in self.thousands or usual == (decimal, mark):
                return Notation(decimal, mark)
            if mark in self.either:
                raise ValueError(self._unclear(decimal))
            return Notation(decimal)
        usual = usual or PLAIN
        mark = other(usual.decimal)
        if mark in self.either and usual.thousands != mark:
            raise ValueError(self._ambiguous(mark))
        return usual

    def _said(self, decimal: str | None, thousands: str | None) -> Notation:
        if decimal is None and thousands:
            decimal = other(thousands)
        if decimal is None:
            marks = {**self.decimal, **self.either}
            if len(marks) == 2:
                raise ValueError(self._contradiction(marks[","], ",", marks["."], "."))
            decimal = next(iter(marks), ".")
        return Notation(decimal, other(decimal) if thousands is None else thousands)

    def _address(self, example: Example) -> str:
        column, _, text = example
        name = quoted(column.name)
        return (f"{_cell(example)} may be an address, or the number {text.replace('.', '')} with points between "
                "thousands, and so may all such cells of the column, expected one that shows it; say --thousands . if "
                f"it is a number; if it is none, take it as a word with --words {name} or leave it out with --ignore "
                f"{name} in training (of a target say --task classification)")

    @staticmethod
    def _contradiction(one: Example, mark: str, another: Example, its: str) -> str:
        return (f"{_cell(one)} has a {MARKS[mark]}, and {_cell(another, path=False)} a {MARKS[its]}, which cannot "
                f"both be read (is it the decimal mark, or does it separate thousands?), expected one notation; write "
                f"all numbers of the file alike, with a decimal point")

    def _unclear(self, decimal: str) -> str:
        mark = other(decimal)
        shows = self.decimal.get(decimal) or self.thousands[mark]
        return (f"{_cell(self.either[mark])} has a {MARKS[mark]}, and {_cell(shows, path=False)} a {MARKS[decimal]}, "
                f"expected numbers that show which of them is the decimal one; say --decimal {decimal} if the "
                f"{MARKS[mark]} separates thousands, or write all numbers alike")

    def _ambiguous(self, mark: str) -> str:
        text = self.either[mark][2]
        fraction, whole = Notation(mark).number(text), Notation(other(mark), mark).number(text)
        return (f"{_cell(self.either[mark])} may have a decimal {MARKS[mark]} or a separator of thousands, and so may "
                f"all numbers with a {MARKS[mark]} in the file, expected one that shows it; say --decimal {mark} if it "
                f"is {fraction:g}, or --thousands {mark} if it is {whole:.0f}")


def _cell(example: Example, path: bool = True) -> str:
    column, cell, _ = example
    return f"{column.at(column.find(cell), path)}: {check.shown(cell)}"
