"""The column of a table that is to be predicted: a quantity or classes, and which of its cells are missing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp.datasets import cells, column_inference, units
from fastbp.datasets.column_types import PAIRS
from fastbp.datasets.number_format import like_an_address, python

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastbp._check.types import Array, Doubles, Integers
    from fastbp.datasets.column_inference import Profile
    from fastbp.datasets.number_format import Notation

_FEW = 20                # a column of whole numbers with more distinct values than this is a quantity, not a class


class Target:
    """What a column says of what is to be predicted.

    profile: the column_choice.Profile of all its cells, looked at one by one. A column with more numbers than words is
    one of numbers: every mark of cells.MISSING is a missing value in it. In a column of words, or of numbers and words
    that are said to be classes, None, nil, dashes and dots are words. task: as in tables.load_csv. unit: whether its
    numbers have units.
    """

    def __init__(self, profile: Profile, task: str | None, unit: bool = False) -> None:
        self.profile, self.column, self.task = profile, profile.column, task
        self.texts, self.name = self.column.texts(), check.shown(self.column.name)
        self.unit = column_inference.unit_of(profile) if unit else None
        if task != "classification" and not profile.numeric and not unit:
            column_inference.check_units(profile)
            column_inference.check_dates(profile, "write it as a number, such as days from some day, or choose --task "
                                               "classification if each date is a class", "the target ")
        self.numeric = profile.numeric or unit or task == "regression"
        # numbers are names of classes as well, and so are addresses
        self.whole_text = task == "classification" and not unit and (
            profile.words > 0 or any(map(like_an_address, profile.odd)))
        words = not self.numeric or self.whole_text
        missing = {text: cells.missing(text, words) for text in profile.counts}
        self.missing = np.array([missing[text] for text in self.texts])

    def settle(self, notation: Notation) -> None:
        """Read the numbers, once it is known how the file writes them."""
        found = {text: notation.number(self._number(text)) for text in self.profile.counts}
        self.values = [found[text] for text in self.texts]
        self.count = sum(value is not None for value in self.values)

    def _number(self, text: str) -> str:
        """The text of a cell's number."""
        if self.unit is None:
            return text
        found = units.split(text)
        return found[1] if found is not None and found[0] == self.unit else ""

    def check_missing(self, remedy: str) -> None:
        """Raise the ValueError of the first missing target."""
        if not self.missing.any():
            return
        first, count = int(self.missing.argmax()), int(self.missing.sum())
        words = "; or, where that is a class of its own, give it another name" \
            if self.texts[first] and (self.whole_text or not self.numeric) else ""
        raise ValueError(f"{self.column.at(first)}: the target is missing ({check.shown(self.texts[first])}), "
                         f"{cells.first_of(count)} in {len(self.texts)} rows, expected none; {remedy}{words}")

    def read(self, rows: Array) -> tuple[Array, str, str, tuple[Any, ...] | None]:
        """(y, task, reason, classes) of these rows, which have a target: as tables.Table has them."""
        texts, values = [self.texts[i] for i in rows], [self.values[i] for i in rows]
        if self.numeric and not self.whole_text:
            self._check_numbers(rows)
        numbers = all(value is not None for value in values)
        whole = numbers and all(value == int(value) for value in values)
        # Numbers are classes by their values: 1, 1.0 and 01 are one, and so are 0.5 and 0.50.
        labels = list(map(_integer, texts, values)) if whole else values if numbers else texts
        distinct = len(set(labels))
        if not numbers:
            told, reason = "classification", f"column {self.name} holds text, {distinct} different values"
            reason += self._marks(texts)
        elif whole and distinct <= _FEW and 2 * distinct <= len(values):
            told = "classification"
            reason = f"column {self.name} holds {distinct} different whole numbers in {len(values)} rows"
        else:
            kind = "whole numbers" if whole else "numbers"
            told, reason = "regression", f"column {self.name} holds {distinct} different {kind} in {len(values)} rows"
        task = self.task or told
        if task != told:
            reason += f"; {task} was asked for"
        if distinct < 2:
            raise ValueError(f"{self.column.sheet.path}: column {self.name} holds one value only "
                             f"({check.shown(texts[0])}), expected two or more, as else there is nothing to learn; "
                             "choose another column")
        if task == "regression":
            return np.array(values, dtype=np.float64), task, reason, None
        classes = sorted(set(labels))           # numbers as numbers, 2 before 10; text as text
        if 2 * len(classes) > len(labels):
            raise ValueError(f"{self.column.sheet.path}: column {self.name} has {len(classes)} classes in "
                             f"{len(labels)} rows (is it a name or a key?), expected two rows or more a class; choose "
                             "another column")
        places = {label: i for i, label in enumerate(classes)}
        names = classes if whole or not numbers else map(_fraction, classes)
        return np.array([places[label] for label in labels], dtype=np.int64), task, reason, tuple(names)

    def labels(self, classes: Sequence[Any]) -> Integers:
        """(n,) places of the cells in a model's classes; ValueError for one that is none of them.

        Of two classes such as True and False the case of letters is no matter: other programs write TRUE and FALSE.
        """
        numbers = {each: i for i, each in enumerate(classes) if isinstance(each, int)}
        texts = {each: i for i, each in enumerate(classes) if isinstance(each, str)}
        fractions = {python(each): i for each, i in reversed(texts.items())}
        if None in fractions:                                   # classes of words, among which numbers are words
            fractions = {}
        alike = {each.casefold(): i for each, i in texts.items()}
        flags = len(alike) == len(classes) and any(set(alike) == set(pair) for pair in PAIRS)
        made = np.empty(len(self.texts), dtype=np.int64)
        for row, (text, value) in enumerate(zip(self.texts, self.values, strict=True)):
            place = texts.get(text)
            if place is None and value is not None:
                place = numbers.get(_integer(text, value)) if value == int(value) else None
                place = fractions.get(value) if place is None else place
            if place is None and flags:
                place = alike.get(text.casefold())
            if place is None and not self.missing[row]:
                listed = ", ".join(cells.plain(str(each)) for each in classes[:8]) + (
                    f", ... ({len(classes)} in all)" if len(classes) > 8 else "")
                meant = alike.get(text.casefold())
                hint = "" if meant is None else f"; did you mean {check.shown(classes[meant])}?"
                raise ValueError(f"{self.column.at(row)}: {check.shown(text)} is none of the classes that the model "
                                 f"was trained on, expected one of: {listed}{hint}; correct the cell, or remove the "
                                 "row")
            made[row] = -1 if place is None else place
        return made

    def quantities(self) -> Doubles:
        """(n,) float64, NaN where the target is missing; ValueError where a cell is no number."""
        self._check_numbers(np.flatnonzero(~self.missing))
        return np.array([np.nan if value is None else value for value in self.values])

    def _check_numbers(self, rows: Array) -> None:
        """Raise the ValueError of the first cell that is no number in a column of numbers."""
        wrong = [i for i in rows if self.values[i] is None]
        if wrong:
            text = self.texts[wrong[0]]
            what, wanted, mend = "", "one", "correct the cell"
            if self.unit is not None and (doubt := units.doubt(text)):
                what, wanted, mend = f" (it has {doubt[0]})", "a number and its unit", doubt[1]
            elif self.unit is not None:
                wanted, mend = f"one with {str(self.unit)!r}, as the other cells of the column are", "write all alike"
            elif self.task == "regression":
                wanted, mend = "one, as regression needs", "correct the cell (or choose classification)"
            else:
                wanted = (f"one, as {self.count} of the {len(self.texts)} cells are, so that the column is taken as a "
                          f"quantity")
                mend += ", or choose classification (--task classification) if the cells name classes"
            raise ValueError(f"{self.column.at(wrong[0])}: {check.shown(text)} is not a finite number{what}"
                             f"{cells.others(len(wrong) - 1)}, expected {wanted}; {mend}")

    @staticmethod
    def _marks(texts: Iterable[str]) -> str:
        """In words, which classes of a column of words mark missing values elsewhere."""
        found = Counter(text for text in texts if cells.missing(text))
        if not found:
            return ""
        marks = ", ".join(f"{check.shown(text)} in {count} row{'s' * (count > 1)}" for text, count in found.items())
        return f" ({marks} taken as a class; make such cells empty if they are missing values)"


def _fraction(value: float) -> str:
    """The name of a class that is a number among fractions: as Python writes it, however the file does."""
    return repr(value + 0.0)                                    # -0.0 is 0.0


def _integer(text: str, value: float) -> int:
    """The whole number of a cell: beyond 2**53 the text knows it better than the double `value`."""
    return int(value) if abs(value) < 2**53 or not text.lstrip("+-").isdecimal() else int(text)
