"""Rows of a CSV file, a line at a time: the separator, the header, and the cells of its columns.

Only the standard library's csv module. What is no row - blank lines, comments, Excel's sep=; - is passed over here;
what cells mean is in fastbp/datasets/column_types.py.
"""

from __future__ import annotations

import csv
import itertools
import re
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp.datasets import cells, csv_text, number_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fastbp._check.types import Doubles, File

SEPARATORS = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ",", "space": " "}
_LINES = 50              # that are looked at to find the separator
_ALIKE = 0.9             # of which this share must be cut alike
_CHUNK = 1 << 18         # cells that are cut into columns at a time
_UNIT = "\x1f"           # joins the cells of a column: the character that ASCII has for that


@dataclass(frozen=True)
class Format:
    """What is said of a CSV file, None where it is to be found out.

    encoding: a name such as "cp1252". separator: one character, or "tab", "space" ... decimal: "." or ",". thousands:
    ",", ".", "space", "'" or "none". header: whether the first row names the columns. Raises ValueError, and TypeError
    where header is neither True nor False.
    """

    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        if self.encoding is not None:
            object.__setattr__(self, "encoding", csv_text.check_encoding(self.encoding))
        if self.separator is not None:
            mark = self.separator
            if isinstance(mark, str):
                mark = SEPARATORS.get(mark, "\t" if mark == "\\t" else mark)
            if not isinstance(mark, str) or len(mark) != 1 or mark.isalnum() or mark in '"\r\n.-+\0':
                raise ValueError(f"separator is {check.shown(mark)}, expected one character that is in no number or "
                                 f"word, or one of {', '.join(SEPARATORS)}; choose the one between the cells")
            object.__setattr__(self, "separator", mark)
        for name, choices in (("decimal", (".", ",")), ("thousands", (",", ".", "space", "'", "none"))):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, str) and given in choices):
                raise ValueError(f"{name} is {check.shown(given)}, expected one of: {' '.join(choices)}; choose the "
                                 "one in the file")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError(f"thousands is {check.shown(self.thousands)}, expected another mark than decimal; change "
                             "one of them")
        if self.header is not None:
            object.__setattr__(self, "header", check.flag("header", self.header))

    @property
    def mark(self) -> str | None:
        """What separates thousands of the two marks that need saying; "" for none of them, None where nothing was
        said."""
        return self.thousands if self.thousands in (None, ",", ".") else ""


def form_of(format: Format | None) -> Format:
    """A Format that was given, or for None one that says nothing; TypeError for anything else."""
    if format is None:
        return Format()
    if not isinstance(format, Format):
        raise TypeError(f"format is {check.shown(format)}, expected a Format; pass one, such as "
                        f"datasets.Format(decimal=\",\"), or None")
    return format


class Rows:
    """The rows of a file: iterates over (number of the line it begins in, cells). separator: what is between cells;
    comment: the last line before the rows that begins with #, without it. Errors name the file, and the line where
    there is one. path: a str, bytes or os.PathLike, or an open binary file."""

    def __init__(self, path: File, form: Format | None = None) -> None:
        self.comment: str | None
        self.path, self.comment, self._line = csv_text.Source(path), None, 0
        self._rows = self._read(form_of(form))
        self.separator = next(self._rows)

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        return self._rows

    def _numbered(self, lines: Iterable[str]) -> Iterator[str]:
        for text in lines:
            self._line += 1
            yield text

    def _read(self, form: Format) -> Iterator[Any]:
        lines = csv_text.lines(self.path, form.encoding)
        said, first = None, None
        for first in lines:
            if self._line == 0 and (found := re.fullmatch(r'"?sep=(\\t|.)"?\s*', first, re.IGNORECASE)):
                said = found[1].replace("\\t", "\t")
            elif first.startswith("#"):
                self.comment = first[1:]
            elif first.strip():
                break
            self._line += 1
        else:
            first = None
        head = [] if first is None else [first, *itertools.islice(lines, _LINES - 1)]
        separator = form.separator or said or _separator(head)
        yield separator
        dialect: dict[str, Any] = {"delimiter": separator, "strict": True, "skipinitialspace": separator != " "}
        every = itertools.chain(head, lines)
        reader = csv.reader(self._numbered(csv_text.single_spaces(every) if separator == " " else every), **dialect)
        width, blank = None, []
        while True:
            begun = self._line + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                quote = " (a quote that is not closed?)" if "end of data" in str(error) or "limit" in str(error) else ""
                raise ValueError(f"{self.path}: not a readable CSV file: the row that begins in line {begun}: "
                                 f"{error}{quote}, expected cells between separators; correct the row") from None
            if row is None:
                return
            if not row or not (row[0] or "".join(row)).strip():
                if len(row) > 1:                              # a row of empty cells, as Excel leaves them at the end
                    blank.append((begun, row))
                continue
            if row[0][:1] == "#" and width is not None and len(row) != width:
                continue
            width = width or len(row)
            if blank:
                yield from blank
                blank.clear()
            yield begun, row


def _separator(lines: Sequence[str]) -> str:
    """The first of tab, semicolon, pipe and comma that cuts the first line and nearly all others into as many cells,
    two or more: a line may be wrong, and in a file of semicolons commas may cut all lines alike, being decimal ones.
    Where none does, the one that cuts most lines alike; the comma where there is none."""
    whole = lines if len(lines) < _LINES else lines[:-1]                 # a quoted cell may go on
    best = (0, ",")
    for separator in "\t;|,":
        if not any(separator in line for line in lines):
            continue
        try:
            rows = [row for row in csv.reader(whole, delimiter=separator, skipinitialspace=True)
                    if row and not row[0].startswith("#")]
        except csv.Error:
            continue
        widths = Counter(map(len, rows))
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        if width > 1 and len(rows[0]) == width and count >= _ALIKE * len(rows):
            return separator
        if width > 1 and count / len(rows) > best[0]:
            best = (count / len(rows), separator)
    return best[1]


_GAPS = frozenset(form for mark in cells.MISSING for form in (mark, mark.upper(), mark.capitalize())) | {"NaN"}


def _floats(texts: Sequence[str]) -> Doubles | None:
    """The numbers in some cells as Python writes them, NaN for missing ones; None where one is no finite number. This
    is what columns are fast by: they are looked at cell by cell only where it fails."""
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        try:
            values = np.array([np.nan if text in _GAPS else float(text) for text in texts])
        except ValueError:
            return None
    return None if np.isinf(values).any() else values


class Cells:
    """The cells of one column, read to the end. name: the column's.

    values: (n,) float64 where all of them are finite numbers as Python writes them or missing, which is NaN; else None.
    commas: the same where none has a point, and commas are read as decimal ones.
    """

    def __init__(self, sheet: Sheet, place: int) -> None:
        self.sheet, self.place, self.name = sheet, place, sheet.names[place]
        self._parts: list[str | list[str]] = []
        self._values: list[Doubles] | None = []
        self._seen = False                     # whether it was tried to read decimal commas
        self._commas: Doubles | None = None

    def add(self, texts: Sequence[str]) -> None:
        part = _UNIT.join(texts)
        self._parts.append(part if part.count(_UNIT) == len(texts) - 1 else list(texts))
        if self._values is not None:
            values = None if "_" in part else _floats(texts)
            if values is None:
                self._values = None
            else:
                self._values.append(values)

    @property
    def values(self) -> Doubles | None:
        if self._values is not None and len(self._values) > 1:
            self._values = [np.concatenate(self._values)]
        return self._values[0] if self._values else None

    @property
    def commas(self) -> Doubles | None:
        if not self._seen:
            self._seen = True
            if self.values is None and self.has(",") and not self.has(".") and not self.has("_"):
                found = []
                for part in self.parts():
                    values = _floats([text.replace(",", ".") for text in part])
                    if values is None:
                        break
                    found.append(values)
                else:
                    self._commas = np.concatenate(found)
        return self._commas

    def parts(self) -> Iterator[Sequence[str]]:
        """The texts, some thousands at a time."""
        for part in self._parts:
            yield part.split(_UNIT) if isinstance(part, str) else part

    def first(self) -> str:
        """The text of the first cell."""
        return next(self.parts())[0].strip()

    def texts(self) -> list[str]:
        """The texts of all cells, without spaces around them."""
        return [text.strip() for part in self.parts() for text in part]

    def has(self, mark: str) -> bool:
        """Whether a character is in any cell."""
        return any(mark in part if isinstance(part, str) else any(mark in text for text in part)
                   for part in self._parts)

    def empty(self) -> bool:
        """Whether nothing is in any cell."""
        return all(not (part.replace(_UNIT, "") if isinstance(part, str) else "".join(part)).strip()
                   for part in self._parts)

    def find(self, text: str) -> int:
        """The first row whose cell holds this text."""
        return self.texts().index(text)

    def at(self, row: int, path: bool = True) -> str:
        """Where a row's cell is, as messages begin."""
        where = f"line {self.sheet.lines[row]}, column {check.shown(self.name)}"
        return f"{self.sheet.path}, {where}" if path else where


class Sheet:
    """A CSV file, opened: its names are known, its rows are read by `read`.

    names: the columns', in the order of the file. A column without a name is called "Unnamed: " and its number, counted
    from 0, as pandas calls it; the columns of a file without a header row are called 1, 2, 3 ... line: the first row's;
    lines: each row's line number, once they are read.
    """

    def __init__(
        self,
        path: File,
        form: Format | None = None,
        header: bool | Callable[[list[str]], bool] | None = None,
        expected: str = "a header row and rows of numbers",
    ) -> None:
        """header: whether there is one where `form` does not say; a function of the first row that tells, or None for
        finding out, which refuses what seems to have none. expected: what an empty file is said to lack."""
        self.form = form_of(form)
        self.rows = Rows(path, self.form)
        self.path = self.rows.path
        self._ahead = list(itertools.islice(self.rows, 1))
        if not self._ahead:
            what = "the file is empty" if self.rows.comment is None else \
                "every line in which there is something begins with #, so all are comments (take the # away where " \
                "one is a row)"
            raise ValueError(f"{self.path}: {what}, expected {expected}; give a file that has them")
        first = [name.strip() for name in self._ahead[0][1]]
        self.line, self.width = self._ahead[0][0], len(first)
        self.lines: Any = None                      # array of ints, once rows are read
        self.header = header if self.form.header is None else self.form.header
        if callable(self.header):
            self.header = self.header(first)
        if self.header is None:
            self._ahead += itertools.islice(self.rows, _LINES)
            self._check_header(first)
        if self.header is False:
            self.names = [str(i + 1) for i in range(len(first))]
        else:
            self._ahead.pop(0)
            self.names = [name or f"Unnamed: {i}" for i, name in enumerate(first)]
        self.unnamed = {i for i, name in enumerate(self.names) if name == f"Unnamed: {i}"}
        self.header = self.header is not False

    def _check_header(self, names: list[str]) -> None:
        """ValueError where the first row seems to be one of data: a number stands above every column of numbers."""
        below = [row for _, row in self._ahead[1:] if len(row) == len(names)]
        columns = [i for i, column in enumerate(zip(*below, strict=True)) if _numbers(column)]
        numbers = [number_format.python(names[i]) for i in columns if number_format.is_number(names[i])]
        if not numbers or len(numbers) < len(columns) or _counts(numbers):
            return
        all_numbers = len(numbers) == len(names)
        raise ValueError(f"{self.path}, line {self._ahead[0][0]}: the first row holds "
                         f"numbers{'' if all_numbers else ' where columns of numbers begin'}{self.hint()}, expected a "
                         "header row that names the columns; say --no-header if it is a row of data (the columns are "
                         "then called 1, 2, 3 ...), or --header if these are names")

    def hint(self) -> str:
        """What to say where the first row names no columns, but another line may; else ""."""
        if self.width == 1 and (wider := next((line for line, row in self._ahead if len(row) > 1), None)) is not None:
            return f" (line {wider} has more cells: if the first one is a title, remove it or let it begin with #)"
        if self.rows.comment is None or self.rows.comment.count(self.rows.separator) + 1 != self.width:
            return ""
        return " (the line above it begins with #: take the # away if it names the columns)"

    def check_names(self, places: Iterable[int]) -> None:
        """ValueError where two of these columns have one name."""
        seen: dict[str, int] = {}
        for i in places:
            name = self.names[i]
            if name in seen:
                raise ValueError(f"{self.path}, line {self.line}: two columns are named {check.shown(name)} (columns "
                                 f"{seen[name] + 1} and {i + 1}), expected different names; rename one, or leave "
                                 f"both out with --ignore {cells.quoted(name)}")
            seen[name] = i

    def read(self, places: Sequence[int]) -> list[Cells]:
        """The Cells of the columns at these places; of those without a name only the ones that hold something."""
        columns = [Cells(self, i) for i in places]
        self.lines, chunk = array("q"), []
        most = max(_CHUNK // self.width, 16)
        for line, row in itertools.chain(self._ahead, self.rows):
            chunk.append(row if len(row) == self.width else self._fitted(line, row))
            self.lines.append(line)
            if len(chunk) == most:
                self._add(columns, chunk)
        self._ahead = []
        if not self.lines:
            raise ValueError(f"{self.path}: a header row but no rows below it, expected rows of numbers; give a file "
                             "that has some")
        self._add(columns, chunk)
        return [column for column in columns if column.place not in self.unnamed or not column.empty()]

    @staticmethod
    def _add(columns: list[Cells], chunk: list[list[str]]) -> None:
        if chunk:
            cut = list(zip(*chunk, strict=True))
            for column in columns:
                column.add(cut[column.place])
            chunk.clear()

    def _fitted(self, line: int, row: list[str]) -> list[str]:
        """A row of another length than the first one, if it is so by separators at the end of the lines alone."""
        if len(row) > self.width and not "".join(row[self.width:]).strip():
            return row[:self.width]
        if len(row) < self.width and all(i in self.unnamed for i in range(len(row), self.width)):
            return [*row, *[""] * (self.width - len(row))]
        mend = "if that is a title, remove it or let it begin with #" if self.width == 1 else "correct the line"
        raise ValueError(f"{self.path}, line {line}: {len(row)} cell{'s' * (len(row) != 1)}, expected {self.width}, as "
                         f"the first row has; {mend} (cells are separated by {_named(self.rows.separator)}; "
                         "--separator says another)")


def _numbers(texts: Iterable[str]) -> bool:
    """Whether these cells are numbers, some of which may be missing."""
    there = [text for text in map(str.strip, texts) if not cells.missing(text)]
    return bool(there) and all(map(number_format.is_number, there))


def _counts(numbers: list[float | None]) -> bool:
    """Whether these are names: numbers of columns counted from 0 or 1, or years."""
    return numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1))) or all(
        value in range(1800, 2201) for value in numbers)


def _named(separator: str) -> str:
    return next((f"{name}s" for name, mark in SEPARATORS.items() if mark == separator), check.shown(separator))
