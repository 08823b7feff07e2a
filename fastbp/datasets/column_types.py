"""The kinds of columns that inputs are made of: numbers, yes or no, words, dates.

A kind reads the cells of its column into as many inputs as it is wide; it is decided on once, when a model is trained
(fastbp/datasets/column_inference.py), and goes into the model's file as plain JSON, so that prediction reads other
files alike. `imputed` is what a missing value becomes; None where it is refused. Files call it fill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp.datasets import cells, dates, units
from fastbp.datasets.number_format import python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Bools, Config, Doubles, Integers
    from fastbp.datasets.csv_file import Cells
    from fastbp.datasets.number_format import Notation

_OTHER_ORDER = {"dmy": "mdy", "mdy": "dmy"}
PAIRS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))


class Kind:
    """What all kinds have. name: the column's. kind, keys: what a file calls the kind, and its settings."""

    kind = ""
    keys: tuple[str, ...] = ()
    width = 1

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """One of its `keys`, or what it makes of a text: each kind has its own."""

    def __init__(self, name: str, imputed: float | None = None) -> None:
        self.name, self.imputed = name, imputed

    def inputs(self) -> list[str]:
        """The names of the inputs."""
        return [self.name]

    def missing(self, text: str) -> bool:
        """Whether a cell marks a missing value."""
        return cells.missing(text)

    def encode(self, column: Cells, notation: Notation, handle_unknown: str = "refuse") -> Doubles:
        """The inputs (n, width) float64 of a csv_file.Cells, NaN where a cell is missing.

        handle_unknown: "refuse" a word that is not known, or take it as "zeros". Raises ValueError naming line, column
        and cell.
        """
        texts = column.texts()
        values = {text: self._value(text, notation) for text in set(texts)}
        wrong = {text for text, value in values.items() if value is None and not self.missing(text)}
        if wrong:
            row = next(i for i, text in enumerate(texts) if text in wrong)
            count = sum(text in wrong for text in texts)
            raise ValueError(f"{column.at(row)}: {self._wrong(texts[row], notation, count, len(texts))}")
        return np.array([np.nan if values[text] is None else values[text] for text in texts])[:, None]

    def spec(self) -> Config:
        """The kind as a file keeps it."""
        return {"name": self.name, "kind": self.kind, "fill": self.imputed,
                **{key: getattr(self, key) for key in self.keys}}


class Number(Kind):
    """unit: None, or the (before, after) that stands around each number."""

    kind, keys = "number", ("unit",)
    advice = "leave the column out (--ignore) or take its cells as words (--words) in training"

    def __init__(self, name: str, imputed: float | None = None, unit: Sequence[str] | None = None) -> None:
        super().__init__(name, imputed)
        self.unit = None if unit is None else list(unit)

    def encode(self, column: Cells, notation: Notation, handle_unknown: str = "refuse") -> Doubles:
        if self.unit is None and column.values is not None and (notation.decimal == "." or not column.has(".")):
            return column.values[:, None]
        if self.unit is None and column.commas is not None and notation.decimal == ",":
            return column.commas[:, None]
        return super().encode(column, notation)

    def _value(self, text: str, notation: Notation) -> float | None:
        if self.unit is not None:
            found = units.split(text)
            if found is None or found[0] != tuple(self.unit):
                return None
            text = found[1]
        return notation.number(text)

    def _wrong(self, text: str, notation: Notation, count: int, rows: int) -> str:
        shown, others, so = check.shown(text), cells.others(count - 1), cells.others(count - 1, "so")
        if self.unit is not None:
            if doubt := units.doubt(text):
                return f"{shown} has {doubt[0]}{so}, expected a number and its unit; {doubt[1]}"
            return (f"{shown} is not a number with {str(units.Unit(*self.unit))!r}{others}, expected one, as the other "
                    f"cells of the column are; write all of them alike")
        if python(text) is not None and notation.decimal == ".":
            return f"{shown} is not finite{others}, expected a finite number; fill one in or remove the row"
        found = units.split(text)
        if found is not None and found[0].usual:
            return (f"{shown} has {str(found[0])!r} beside the number{so}, expected a number alone, as in other "
                    f"cells; write all of them alike")
        return (f"{shown} is not a number{others}, expected one, as {rows - count} of the {rows} cells of the column "
                f"are numbers or missing; correct the cell, or {self.advice}")


class Flag(Kind):
    """words: the two words for 0 and 1, in small letters, one of PAIRS. 0 and 1 themselves are read as well. None, nil,
    dashes and dots are words, as in a column of Words, and so neither of the two."""

    kind, keys = "flag", ("words",)

    def __init__(self, name: str, imputed: float | None = None, words: Sequence[str] = PAIRS[0]) -> None:
        super().__init__(name, imputed)
        self.words = list(words)

    def missing(self, text: str) -> bool:
        return cells.missing(text, words=True)

    def _value(self, text: str, notation: Notation) -> float | None:
        text = text.casefold()
        if text in self.words:
            return float(self.words.index(text))
        return {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0}.get(text)

    def _wrong(self, text: str, notation: Notation, count: int, rows: int) -> str:
        mend = "make such cells empty if they are missing values" if cells.missing(text) else "correct the cell"
        return (f"{check.shown(text)} is neither {self.words[0]!r} nor {self.words[1]!r}{cells.others(count - 1)}, "
                f"expected one of them, as when the model was trained; {mend}")


class Words(Kind):
    """words: the different words; each is an input that is 1 where the cell holds it, and else 0 (one-hot). A word that
    is not known, and a missing one that is filled in, are zeros."""

    kind, keys = "words", ("words",)

    def __init__(self, name: str, imputed: float | None = None, words: Sequence[str] = ()) -> None:
        super().__init__(name, imputed)
        self.words, self.width, self._known = list(words), len(words), frozenset(words)

    def inputs(self) -> list[str]:
        return [f"{self.name}={word}" for word in self.words]

    def encode(self, column: Cells, notation: Notation, handle_unknown: str = "refuse") -> Doubles:
        texts = column.texts()
        places = {word: i for i, word in enumerate(self.words)}
        made = np.zeros((len(texts), self.width))
        for row, text in enumerate(texts):
            place = places.get(text)
            if place is not None:
                made[row, place] = 1
            elif self.missing(text):
                made[row] = np.nan
            elif handle_unknown != "zeros":
                raise ValueError(f"{column.at(row)}: {self._wrong(text, self.unknown(column))}")
        return made

    def missing(self, text: str) -> bool:
        return cells.missing(text, words=True)

    def unknown(self, column: Cells) -> int:
        """How many cells hold words that are none of these."""
        return sum(map(self.no_word, column.texts()))

    def no_word(self, text: str) -> bool:
        """Whether a cell holds a word that is none of these."""
        return text not in self._known and not self.missing(text)

    def _wrong(self, text: str, count: int) -> str:
        alike = [word for word in self.words if word.casefold() == text.casefold()]
        hint = f"; did you mean {check.shown(alike[0])}?" if alike else ""
        listed = ", ".join(cells.plain(word) for word in self.words[:8]) + (
            f", ... ({self.width} in all)" if self.width > 8 else "")
        return (f"{check.shown(text)} is a word that the model was not trained on{cells.others(count - 1)}, expected "
                f"one of: {listed}{hint}; correct the cell, or take unknown words as none of these with --unknown "
                "zeros")


class Date(Kind):
    """order: "dmy" or "mdy" for dates such as 1/2/2024; None where there were none."""

    kind, keys = "date", ("order",)

    def __init__(self, name: str, imputed: float | None = None, order: str | None = None) -> None:
        super().__init__(name, imputed)
        self.order = order

    def _value(self, text: str, notation: Notation) -> float | None:
        return dates.days(text, self.order)

    def _wrong(self, text: str, notation: Notation, count: int, rows: int) -> str:
        verb = "so"
        if dates.short_year(text):
            what, wanted = "has a year of two digits, which may be of any century", "one of four; write four"
        elif self.order is None and dates.order(text):
            what, wanted = "has day and month first", "the year first, as when the model was trained; write 2024-12-31"
        elif self.order and dates.days(text, _OTHER_ORDER[self.order]) is not None:
            first, other = ("day", "month") if self.order == "dmy" else ("month", "day")
            what = f"has the {other} first"
            wanted = (f"the {first}, as all dates of the column have (--date-order {self.order} in training); write it "
                      f"so, or as 2024-12-31")
        else:
            what, verb = "is not a date that is read", "nor"
            last = {"dmy": ", 31.12.2024", "mdy": ", 12/31/2024"}.get(self.order or "", "")
            wanted = f"one such as 2024-12-31{last} or 31 Dec 2024, a time behind it or not; write it so"
        return f"{check.shown(text)} {what}{cells.others(count - 1, verb)}, expected {wanted}"


KINDS: dict[str, type[Kind]] = {each.kind: each for each in (Number, Flag, Words, Date)}


def from_spec(spec: Config) -> Kind:
    """The kind that `spec()` gave."""
    settings = {key: value for key, value in spec.items() if key not in ("name", "kind", "fill")}
    return KINDS[spec["kind"]](spec["name"], spec["fill"], **settings)


def encode(
    columns: Sequence[Cells], kinds: Sequence[Kind], notation: Notation, handle_unknown: str = "refuse"
) -> Doubles:
    """The inputs (n, all widths) of some columns, each by its kind."""
    total = sum(kind.width for kind in kinds)
    X, at = np.empty((len(columns[0].sheet.lines), total)), 0
    for column, kind in zip(columns, kinds, strict=True):
        X[:, at:at + kind.width] = kind.encode(column, notation, handle_unknown)
        at += kind.width
    return X


def owners(kinds: Sequence[Kind]) -> Integers:
    """(inputs,) the number of the column that each input is made of."""
    return np.repeat(np.arange(len(kinds)), [kind.width for kind in kinds])


def names(kinds: Sequence[Kind]) -> list[str]:
    """The names of all inputs, which differ."""
    made, seen = [], set()
    for name in (name for kind in kinds for name in kind.inputs()):
        while name in seen:
            name += "'"
        seen.add(name)
        made.append(name)
    return made


def cells_of(marked: Bools, kinds: Sequence[Kind]) -> Bools:
    """(n, columns) which cells are marked, of a mark for each input; all inputs of a cell are marked together."""
    return marked[:, np.cumsum([0, *(kind.width for kind in kinds)])[:-1]]


def impute(X: Doubles, kinds: Sequence[Kind]) -> Doubles:
    """Puts each kind's `imputed` in place of what is missing in its inputs."""
    if not np.isnan(X).any():
        return X
    for i, place in enumerate(owners(kinds)):
        if kinds[place].imputed is not None:
            X[np.isnan(X[:, i]), i] = kinds[place].imputed
    return X


def describe_imputed(filled: Bools, kinds: Sequence[Kind]) -> str:
    """In words, how many missing values were filled in, and with what; "" for none. filled: bools like X."""
    counts = cells_of(filled, kinds).sum(axis=0)
    words = int(sum(count for count, kind in zip(counts, kinds, strict=True) if kind.kind == "words"))
    total = int(counts.sum())
    if not total:
        return ""
    parts = ["numbers by the median of the training rows"] * (words < total) + ["words by zeros"] * (words > 0)
    return f"{total} missing value{'s' * (total != 1)} filled in: {', '.join(parts)}"


def not_imputed(X: Doubles, kinds: Sequence[Kind]) -> Bools:
    """bools like X: what is missing and whose kind imputes nothing."""
    made: Bools = np.isnan(X) & np.array([kind.imputed is None for kind in kinds])[owners(kinds)]
    return made


def check_missing(columns: Sequence[Cells], kinds: Sequence[Kind], X: Doubles, remedy: str) -> None:
    """Raise the ValueError of the first missing value whose kind fills in none."""
    missing = not_imputed(X, kinds)
    if not missing.any():
        return
    row = int(missing.any(axis=1).argmax())
    place = int(owners(kinds)[missing[row].argmax()])
    found = cells_of(missing, kinds)
    total, rows, count = int(found.sum()), int(found.any(axis=1).sum()), int(found.any(axis=0).sum())
    text = columns[place].texts()[row]
    of = f" and {count} columns" if count > 1 else ""
    raise ValueError(f"{columns[place].at(row)}: missing value ({check.shown(text)}), {cells.first_of(total)} in "
                     f"{rows} of {len(X)} rows{of}, expected none; {remedy}")
