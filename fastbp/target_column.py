"""The column of a table that is to be predicted: a quantity or classes, and which of its cells are missing."""

from collections import Counter

import numpy as np

from fastbp import cells

_FEW = 20                # a column of whole numbers with more distinct values than this is a quantity, not a class


class Target:
    """What a column of texts says of what is to be predicted.

    columns: the csv_file.Columns that holds `texts`; place: the column's number. A column with more numbers than words
    is one of numbers: every mark of cells.MISSING is a missing value in it. In a column of words, or of numbers and
    words that are said to be classes, None, nil, dashes and dots are words. task: as in tables.load_csv.
    """

    def __init__(self, columns, place, task):
        self.columns, self.texts, self.task, self.place = columns, columns.texts, task, place
        self.name = cells.shown(columns.header[place])
        self.values = [cells.finite(text, columns.comma) for text in self.texts]
        missing = [cells.missing(text) for text in self.texts]
        alike = [value is not None or cells.like_a_number(text)
                 for value, text in zip(self.values, self.texts, strict=True)]
        words = sum(not (a or b) for a, b in zip(missing, alike, strict=True))
        self.count = sum(value is not None for value in self.values)
        # nan and inf are like numbers, but words may say so as well: only what is not missing counts
        likely = sum(a and not b for a, b in zip(alike, missing, strict=True))
        self.numeric = likely > words or task == "regression"
        self.whole_text = task == "classification" and bool(words)       # numbers are names of classes here
        if not self.numeric or self.whole_text:
            missing = [cells.missing(text, words=True) for text in self.texts]
        self.missing = np.array(missing)

    def at(self, row):
        """Where a row's target is, as messages begin."""
        return f"{self.columns.path}, line {self.columns.lines[row]}, column {self.name}"

    def check_missing(self, remedy):
        """Raise the ValueError of the first missing target."""
        if not self.missing.any():
            return
        first, count = int(self.missing.argmax()), int(self.missing.sum())
        words = "; or, where that is a class of its own, give it another name" \
            if self.texts[first] and (self.whole_text or not self.numeric) else ""
        raise ValueError(f"{self.at(first)}: the target is missing ({cells.shown(self.texts[first])}), "
                         f"{cells.first_of(count)} in "
                         f"{len(self.texts)} rows; {remedy}{words}")

    def read(self, rows):
        """(y, task, reason, classes) of these rows, which have a target: as tables.Table has them."""
        texts, values = [self.texts[i] for i in rows], [self.values[i] for i in rows]
        if self.numeric and not self.whole_text:
            self._check_numbers(rows)
        numbers = all(value is not None for value in values)
        whole = numbers and all(value == int(value) for value in values)
        distinct = len(set(map(_integer, texts, values) if whole else values if numbers else texts))
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
            raise ValueError(f"{self.columns.path}: column {self.name} holds one value only ({cells.shown(texts[0])}); "
                             f"there is nothing to learn")
        if task == "regression":
            return np.array(values, dtype=np.float64), task, reason, None
        # Whole numbers are ordered as numbers (2 before 10) and 1, 1.0 and 01 are one class; text is ordered as text.
        labels = [_integer(text, value) for text, value in zip(texts, values, strict=True)] if whole else texts
        classes = tuple(sorted(set(labels)))
        if 2 * len(classes) > len(labels):
            raise ValueError(f"{self.columns.path}: column {self.name} has {len(classes)} classes in {len(labels)} "
                             f"rows; too few rows a class to learn from (is it a name or a key?)")
        places = {label: i for i, label in enumerate(classes)}
        return np.array([places[label] for label in labels], dtype=np.int64), task, reason, classes

    def _check_numbers(self, rows):
        """Raise the ValueError of the first cell that is no number in a column of numbers."""
        wrong = [i for i in rows if self.values[i] is None]
        if wrong:
            text = self.texts[wrong[0]]
            where = f"{self.at(wrong[0])}: {cells.shown(text)} is not a finite number{cells.others(len(wrong) - 1)}"
            if self.task == "regression":
                why = "regression needs numbers; correct the cell (or choose classification)"
            elif cells.has_comma(text):
                why = "a decimal comma is read only where cells are separated by semicolons or tabs; write a point"
            else:
                why = (f"but {self.count} of the {len(self.texts)} cells are, so the column is taken as a quantity; "
                       f"correct the cell, or choose classification (--task classification) if the cells name classes")
            raise ValueError(f"{where}; {why}")
        for i in rows:
            text, line = self.texts[i], int(self.columns.lines[i])
            if self.columns.comma and "," in text:
                self.columns.note_comma(line, self.place, text)
            elif self.columns.comma and "." in text:
                self.columns.note_point(line, self.place, text)
        self.columns.check_commas()

    @staticmethod
    def _marks(texts):
        """In words, which classes of a column of words mark missing values elsewhere."""
        found = Counter(text for text in texts if cells.missing(text))
        if not found:
            return ""
        marks = ", ".join(f"{cells.shown(text)} in {count} row{'s' * (count > 1)}" for text, count in found.items())
        return f" ({marks} taken as a class; make such cells empty if they are missing values)"


def _integer(text, value):
    """The whole number of a cell: beyond 2**53 the text knows it better than the double `value`."""
    return int(value) if abs(value) < 2**53 or not text.lstrip("+-").isdecimal() else int(text)
