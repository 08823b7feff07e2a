"""Rows of a CSV file, a line at a time: the separator, the header, and columns of numbers with what is wrong in them.

Only the standard library's csv module. What cells mean is in fastbp/cells.py.
"""

import csv
import itertools
import math
from array import array

import numpy as np

from fastbp import cells, foreign

_SEPARATORS = "\t;,"
_LINES = 20              # that are looked at to find the separator


class Rows:
    """The rows of a file: iterates over (line number, cells). comma: whether 1,5 is a number in it, as the cells are
    separated by something else. Errors name the file, and the line where there is one."""

    def __init__(self, path):
        self.path = path
        self._rows = self._read()
        self.comma = next(self._rows) != ","

    def __iter__(self):
        return self._rows

    def _read(self):
        path = self.path
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                head = list(itertools.islice(file, _LINES))
                separator = _separator(head)
                yield separator
                reader = csv.reader(itertools.chain(head, file), delimiter=separator, strict=True)
                for row in reader:
                    if row:
                        yield reader.line_num, row
        except FileNotFoundError:
            raise FileNotFoundError(f"{path}: no such file") from None
        except IsADirectoryError:
            raise IsADirectoryError(f"{path}: a folder; expected a CSV file; give the path of one in it") from None
        except UnicodeDecodeError as error:
            seems = foreign.seems(path)
            raise ValueError(f"{path}: not a text file in UTF-8 (byte {error.start} cannot be read"
                             f"{f'; it seems to be {seems}' if seems else ''}); expected a CSV file; save it as CSV in "
                             f"UTF-8") from None
        except csv.Error as error:
            raise ValueError(f"{path}: not a readable CSV file ({error})") from None


def _separator(lines):
    """Tab, semicolon or comma: the first that cuts all these lines into the same number of cells, two or more. Where
    none does, the comma if it is in the first line, and the others if they are."""
    for separator in _SEPARATORS:
        if not any(separator in line for line in lines):
            continue
        try:
            widths = {len(row) for row in csv.reader(lines, delimiter=separator) if row}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return separator
    first = next((line for line in lines if line.strip()), "")
    return next((separator for separator in ",;\t" if separator in first), ",")


def open_table(path):
    """Rows after the header, and the header's names."""
    rows = Rows(path)
    first = next(iter(rows), None)
    if first is None:
        raise ValueError(f"{path}: the file is empty; expected a header row and rows of numbers")
    line, header = first[0], [name.strip() for name in first[1]]
    seen = set()
    for i, name in enumerate(header):
        if not name:
            raise ValueError(f"{path}, line {line}: column {i + 1} has no name; every column needs one in the header "
                             f"row")
        if name in seen:
            raise ValueError(f"{path}, line {line}: two columns are named {cells.shown(name)}; names must differ")
        seen.add(name)
    return rows, header


class Fault:
    """The first of several cells with the same thing wrong, and how many there are."""

    def __init__(self, line, column, text):
        self.line, self.column, self.text, self.count = line, column, text, 1


class Columns:
    """Some columns of a file as numbers, read to the end; what is no number is noted, and refused by `check`.

    X (rows, columns) float64, NaN where a value is missing; texts: the cells of column `place` (if not None), stripped;
    lines: each row's line number, int64.
    """

    def __init__(self, rows, header, keep, place=None, first=()):
        self.path, self.header, self.keep, self.comma = rows.path, header, keep, rows.comma
        self.missing, self.words, self.commas, self.points = {}, {}, {}, {}    # column -> Fault
        self.ambiguous = True                                      # whether all commas may separate thousands
        values, self.texts, lines = array("d"), [], array("q")
        for line, row in itertools.chain(first, rows):
            if len(row) != len(header):
                raise ValueError(f"{rows.path}, line {line}: {len(row)} cells; the first row has {len(header)}")
            values.extend(self._numbers(line, row))
            lines.append(line)
            if place is not None:
                self.texts.append(row[place].strip())
        if not lines:
            raise ValueError(f"{rows.path}: a header row but no rows below it; expected rows of numbers")
        self.X = np.array(values, dtype=np.float64).reshape(len(lines), len(keep))
        self.lines = np.array(lines, dtype=np.int64)

    def _numbers(self, line, row):
        """The numbers of a row: all at once where all are, which is the case to be fast in."""
        if self.comma and len(self.points) < len(self.keep):
            self._note_points(line, row)
        try:
            found = [float(row[i]) for i in self.keep]
            if all(map(math.isfinite, found)) and not ("_" in "".join(row) and any("_" in row[i] for i in self.keep)):
                return found
        except ValueError:
            pass
        return [self._number(line, i, row[i]) for i in self.keep]

    def _number(self, line, i, text):
        value = cells.finite(text, self.comma)
        if value is None:
            self._note(self.missing if cells.missing(text) else self.words, line, i, text)
            return math.nan
        if "," in text:
            self.note_comma(line, i, text)
        return value

    def note_comma(self, line, i, text):
        """Remember a decimal comma of column i."""
        self._note(self.commas, line, i, text)
        self.ambiguous = self.ambiguous and cells.thousands(text)

    def note_point(self, line, i, text):
        """Remember a decimal point of column i."""
        self._note(self.points, line, i, text)

    def _note_points(self, line, row):
        for i in self.keep:
            if "." in row[i] and i not in self.points and cells.finite(row[i]) is not None:
                self.note_point(line, i, row[i])

    @staticmethod
    def _note(faults, line, i, text):
        if i in faults:
            faults[i].count += 1
        else:
            faults[i] = Fault(line, i, text)

    def complete(self):
        """bool (rows,): whether no value of a row is missing."""
        return ~np.isnan(self.X).any(axis=1)

    def at(self, fault):
        """Where a fault is, as messages begin."""
        return f"{self.path}, line {fault.line}, column {cells.shown(self.header[fault.column])}"

    def check(self, remedy, drop=False):
        """Raise the ValueError of the first cell that is no number or, unless they are dropped, is missing."""
        faults = [*self.words.values()] + ([] if drop else [*self.missing.values()])
        if faults:
            first = min(faults, key=lambda fault: (fault.line, fault.column))
            if first in self.words.values():
                raise ValueError(f"{self.at(first)}: {self._word(first)}")
            raise ValueError(self._absent(first, remedy))
        self.check_commas()

    def _word(self, fault):
        text, where = cells.shown(fault.text), cells.others(fault.count - 1)
        if cells.number(fault.text) is not None:
            return f"{text} is not finite{where}; fill in a number or remove the row"
        if cells.has_comma(fault.text):
            return (f"{text} has a decimal comma{cells.others(fault.count - 1, 'so')}, which is read only where cells "
                    f"are separated by semicolons or tabs; write a point")
        return (f"{text} is not a number{where}; features must be numbers (correct the cell, encode the column as "
                f"numbers or remove it)")

    def _absent(self, fault, remedy):
        total = sum(each.count for each in self.missing.values())
        rows = int((~self.complete()).sum())
        text = f"{self.at(fault)}: missing value ({cells.shown(fault.text)})"
        columns = f" and {len(self.missing)} columns" if len(self.missing) > 1 else ""
        return f"{text}, {cells.first_of(total)} in {rows} of {len(self.lines)} rows{columns}; {remedy}"

    def check_commas(self):
        """Raise a ValueError where it is not clear whether a comma is a decimal one."""
        if not self.commas:
            return
        comma = min(self.commas.values(), key=lambda fault: (fault.line, fault.column))
        if self.points:
            point = min(self.points.values(), key=lambda fault: (fault.line, fault.column))
            raise ValueError(f"{self.at(comma)}: {cells.shown(comma.text)} has a comma, and line {point.line}, column "
                             f"{cells.shown(self.header[point.column])}: {cells.shown(point.text)} a point; which of "
                             f"them is the decimal one? write all numbers with a point and without thousands "
                             f"separators")
        if self.ambiguous:
            raise ValueError(f"{self.at(comma)}: {cells.shown(comma.text)} may have a decimal comma or a separator of "
                             f"thousands, and so may all numbers with a comma in the file; write decimal points, or no "
                             f"separators")
