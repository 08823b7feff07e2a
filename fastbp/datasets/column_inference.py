"""Which kind a column of a training file is: by what most of its cells say, and by what was asked for.

A column with more numbers than words is one of numbers, and a word in it an error. Dates, numbers with units, and
columns in which nearly every row has a word of its own are refused until somebody says what they are: each error names
the option.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from fastbp import _check as check
from fastbp.datasets import cells, dates, number_format, units
from fastbp.datasets.column_types import PAIRS, Date, Flag, Number, Words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fastbp.datasets.column_types import Kind
    from fastbp.datasets.csv_file import Cells
    from fastbp.datasets.number_format import Notation

MOST_WORDS = 100        # different words of a column that are encoded unasked


class ColumnOptions(NamedTuple):
    """What was said of the columns: names of those to leave out, of words, of dates, of numbers with units; the order
    of dates ("dmy", "mdy"; None for seeing it); how many different words a column may have ("auto" or a number)."""

    ignore: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    date_order: str | None = None
    categorical: str | int = "auto"

    def check(self, names: Sequence[str], target: str, nearest: Callable[[str], str]) -> None:
        """ValueError where names are not among `names`, or contradict each other; nearest(name): what to do."""
        seen: dict[str, str] = {}
        for option in ("ignore", "words", "dates", "units"):
            given = getattr(self, option)
            for name in given:
                if name not in names:
                    raise ValueError(f"--{option} is {cells.quoted(str(name))}, expected a column of the file; "
                                     f"{nearest(name)}")
                if seen.setdefault(name, option) != option:
                    raise ValueError(f"--{seen[name]} and --{option} are both said of column {check.shown(name)}, "
                                     f"expected one of them; choose one")
                if name == target and option != "units":
                    raise ValueError(f"--{option} is {cells.quoted(name)}, the target, expected a column of features; "
                                     f"name one, or leave it out")
        if self.date_order is not None:
            check.choice("date_order", self.date_order, ("dmy", "mdy"))
            if not self.dates:
                raise ValueError(f"--date-order is {self.date_order} without --dates, expected columns of dates; give "
                                 f"--dates COLUMN, or leave it out")
        if self.categorical != "auto":
            check.integer("categorical", self.categorical, minimum=0)


def column_names(option: str, given: Any) -> tuple[str, ...]:
    """The names in a list that was given for an option; TypeError for what is no list, a name alone above all."""
    if isinstance(given, str):
        raise TypeError(f"{option} is {check.shown(given)}, expected a list of columns; pass [{check.shown(given)}]")
    if isinstance(given, bytes) or not hasattr(given, "__iter__"):
        raise TypeError(f"{option} is {check.shown(given)}, expected a list of columns; pass their names, such as "
                        f"{option}=[\"town\"], or leave it out for none")
    return tuple(given)


class Profile:
    """What the cells of a column are: how many are numbers, words, missing values. counts: Counter of the different
    texts.

    plain: whether all are missing or numbers as Python writes them, or with decimal commas, which are then not looked
    at one by one; not so where `asked` says that something else was asked for. odd: the texts of numbers in another
    notation.
    """

    def __init__(self, column: Cells, asked: bool = False) -> None:
        self.column, self.plain, self.odd = column, False, []
        self.missing = self.numbers = self.words = 0
        values = None if asked else column.values if column.values is not None else column.commas
        if values is not None:
            self.missing = int(np.isnan(values).sum())
            self.numbers = len(values) - self.missing
            self.plain = True
            if column.values is None:
                self.odd = _comma(column)
            return
        self.counts = Counter(column.texts())
        for text, count in self.counts.items():
            if cells.missing(text):
                self.missing += count
            elif number_format.python(text) is not None:
                self.numbers += count
            elif number_format.signs(text) is not None:
                self.numbers += count
                self.odd.append(text)
            else:
                self.words += count

    @property
    def numeric(self) -> bool:
        return self.numbers > self.words

    def share(self, holds: Callable[[str], bool]) -> float:
        """Which share of the cells that are not missing `holds` is true of."""
        there = [(holds(text), count) for text, count in self.counts.items() if not cells.missing(text)]
        return sum(count for held, count in there if held) / max(sum(count for _, count in there), 1)


def _comma(column: Cells) -> list[str]:
    """One cell of a column of decimal commas that shows that it is one; where none does, the first with a comma."""
    first = ""
    for text in (text.strip() for part in column.parts() for text in part if "," in text):
        first = first or text
        if (shows := number_format.signs(text)) is not None and shows[0] == ",":
            return [text]
    return [first]


def evidence(
    profiles: Sequence[Profile], united: Iterable[Profile] = (), usual: Notation = number_format.PLAIN
) -> number_format.Evidence:
    """What the cells of some columns of numbers show of their notation. united: those that have units.

    Where no cell is written otherwise than Python does, the others are not looked at, unless `usual` says that Python's
    notation is not the file's.
    """
    found, united = number_format.Evidence(), set(map(id, united))
    for each in profiles:
        if id(each) in united:
            found.add(each.column, ((text, part[1]) for text in each.counts if (part := units.split(text))))
        else:
            found.add(each.column, ((text, text) for text in each.odd))
    if found or usual != number_format.PLAIN:
        for each in profiles:
            if id(each) not in united and "." not in found.decimal and each.column.has("."):
                texts = set(each.column.texts()) if each.plain else each.counts
                found.add(each.column, ((text, text) for text in texts if "." in text))
    return found


def choose(profile: Profile, options: ColumnOptions) -> Kind:
    """The kind of a column of features, or the ValueError that names what to say of it."""
    column, name = profile.column, profile.column.name
    if name in options.words:
        return _words(profile, options)
    if name in options.dates:
        return Date(name, order=_order(profile, options.date_order))
    if name in options.units:
        return Number(name, unit=unit_of(profile))
    if not profile.numbers and not profile.words:
        raise ValueError(f"{column.sheet.path}: column {check.shown(name)} has no value in any row, expected some; "
                         f"leave it out with --ignore {cells.quoted(name)}")
    if profile.plain or profile.numeric:
        _check_index(column)
        return Number(name)
    check_dates(profile, f"read it as days since 1970-01-01 with --dates {cells.quoted(name)}, or leave it out with "
                         f"--ignore {cells.quoted(name)}")
    check_units(profile)
    # None, nil, dashes and dots are words among yes and no as among all words.
    there = {text.casefold() for text in profile.counts if not cells.missing(text, words=True)}
    for pair in PAIRS:
        if there <= set(pair):
            return Flag(name, words=pair)
    return _words(profile, options)


def _check_index(column: Cells) -> None:
    """ValueError for a column without a name: pandas' index, or one that has lost its name."""
    if column.place not in column.sheet.unnamed:
        return
    path, name, values = column.sheet.path, cells.quoted(column.name), column.values
    if values is not None and any(np.array_equal(values, np.arange(first, first + len(values))) for first in (0, 1)):
        raise ValueError(f"{path}, line {column.sheet.line}: column {column.place + 1} has no name and counts the "
                         f"rows, expected a name: it is an index, as written by `to_csv` without `index=False`; leave "
                         f"it out with --ignore {name}")
    raise ValueError(f"{path}, line {column.sheet.line}: column {column.place + 1} has no name, expected one in "
                     f"the header row; give it one, or leave it out with --ignore {name}")


# ---- words -----------------------------------------------------------------------------------------------------------

def _words(profile: Profile, options: ColumnOptions) -> Kind:
    column = profile.column
    _check_index(column)
    words = sorted(text for text in profile.counts if not cells.missing(text, words=True))
    rows = sum(profile.counts.values())
    most: Any = max(min(MOST_WORDS, rows // 2), 2) if options.categorical == "auto" else options.categorical
    if len(words) > most:
        known, texts = set(words), column.texts()
        row = next(i for i, text in enumerate(texts) if text in known)
        name, more = cells.quoted(column.name), ""
        if profile.share(lambda text: units.split(text) is not None) > 0.5:
            more = f", read the numbers in it without what stands around them with --units {name}"
        raise ValueError(
            f"{column.at(row)}: {check.shown(texts[row])} is not a number, and the column holds {len(words)} different "
            f"words in {rows} rows (is it a name or a key?), expected at most {most}, an input each; leave it out with "
            f"--ignore {name}{more}, or allow more with --categorical {len(words)}")
    if not words:
        raise ValueError(f"{column.sheet.path}: column {check.shown(column.name)} has no value in any row, "
                         f"expected some; leave it out with --ignore {cells.quoted(column.name)}")
    return Words(column.name, words=words)


# ---- dates -----------------------------------------------------------------------------------------------------------

def check_dates(profile: Profile, remedy: str, what: str = "") -> None:
    """ValueError where most cells of a column that nobody called one of dates are dates. remedy: what to do then; what:
    the cell in words, in front of it."""
    if profile.share(dates.like_a_date) > 0.5:
        column = profile.column
        row = next(i for i, text in enumerate(column.texts()) if dates.like_a_date(text))
        raise ValueError(f"{column.at(row)}: {what}{check.shown(column.texts()[row])} is a date, and so are most cells "
                         f"of the column, expected numbers or words; {remedy}")


def _order(profile: Profile, asked: str | None) -> str | None:
    """The order of the dates of a column whose year stands last."""
    found: dict[str, str] = {}
    for text in profile.counts:
        if (shows := dates.order(text)) is not None:
            found.setdefault(shows, text)
    if not found:
        return None
    if asked is not None:
        return asked
    column = profile.column
    if "dmy" in found and "mdy" in found:
        raise ValueError(f"{column.at(column.find(found['dmy']))}: {check.shown(found['dmy'])} has the day first, and "
                         f"{check.shown(found['mdy'])} in line {column.sheet.lines[column.find(found['mdy'])]} the "
                         f"month, expected one order; write all dates alike")
    shows = "dmy" if "dmy" in found else "mdy" if "mdy" in found else None
    if shows is None:
        text = found["either"]
        raise ValueError(f"{column.at(column.find(text))}: {check.shown(text)} may have the day or the month first, "
                         "and so may all dates of the column, expected one that shows it; say --date-order dmy or "
                         "--date-order mdy")
    return shows


# ---- units -----------------------------------------------------------------------------------------------------------

def unit_like(text: str) -> bool:
    """Whether a cell is a number with a percent sign, a currency or a usual measure."""
    found = units.split(text)
    return found is not None and found[0].usual and number_format.signs(found[1]) is not None


def check_units(profile: Profile) -> None:
    """ValueError where most cells of a column are numbers with units, which nobody said."""
    if profile.share(unit_like) > 0.5:
        column, name = profile.column, cells.quoted(profile.column.name)
        row = next(i for i, text in enumerate(column.texts()) if unit_like(text))
        text = column.texts()[row]
        unit, _ = cast("tuple[units.Unit, str]", units.split(text))
        raise ValueError(f"{column.at(row)}: {check.shown(text)} has {str(unit)!r} beside the number, "
                         f"and so have most cells of the column, expected numbers alone; read them without it with "
                         f"--units {name}")


def unit_of(profile: Profile) -> units.Unit | None:
    """The unit that most numbers of a column have, or None where none has any."""
    found: Counter[units.Unit] = Counter()
    for text, count in profile.counts.items():
        if (parts := units.split(text)) is not None and number_format.signs(parts[1]) is not None:
            found[parts[0]] += count
    if not found:
        column = profile.column
        row = next((i for i, text in enumerate(column.texts()) if units.doubt(text)), 0)
        text = column.texts()[row]
        what, mend = units.doubt(text) or ("", "leave the column out of --units")
        raise ValueError(f"{column.at(row)}: {check.shown(text)} is not a number with a "
                         f"unit{what and f' (it has {what})'}, and neither is any other cell, expected such as 12 %, "
                         f"$1.50 or 7 kg; {mend}")
    return found.most_common(1)[0][0]
