"""Options that say how a CSV file is to be read: what it does not tell by itself, and what its columns are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp.cli.common import one_of
from fastbp.datasets import csv_file

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

_FORMAT = ("encoding", "separator", "decimal", "thousands", "header")
_COLUMNS = ("ignore", "words", "dates", "units")
_TABLE = (*_COLUMNS, "date_order", "categorical")


def add_format(parser: Any) -> None:
    """Options of every command that reads a CSV file."""
    group = parser.add_argument_group("what a CSV file does not tell by itself")
    group.add_argument("--encoding", metavar="NAME", help="of a file that is no UTF-8, UTF-16 or UTF-32: cp1252, "
                                                          "latin-1 ...")
    group.add_argument("--separator", metavar="MARK",
                       help="between cells: one character, or comma, semicolon, tab, pipe, space (default: the one "
                            "that cuts the first lines alike)")
    group.add_argument("--decimal", metavar="MARK", help="the decimal mark: . or , (default: what the cells show)")
    group.add_argument("--thousands", metavar="MARK",
                       help="what separates thousands: , . space ' or none (default: what the cells show)")
    header = group.add_mutually_exclusive_group()
    header.add_argument("--header", dest="header", action="store_const", const=True,
                        help="the first row names the columns, though it holds numbers")
    header.add_argument("--no-header", dest="header", action="store_const", const=False,
                        help="the first row is one of data; the columns are called 1, 2, 3 ...")


def add_columns(parser: Any) -> None:
    """Options of the training file's columns; the model remembers them."""
    group = parser.add_argument_group("columns of --csv")
    group.add_argument("--ignore", action="append", metavar="COLUMN", help="leave this column out (again for others)")
    group.add_argument("--words", action="append", metavar="COLUMN",
                       help="take numbers as words, as of postal codes (again for others)")
    group.add_argument("--dates", action="append", metavar="COLUMN",
                       help="read dates as days since 1970-01-01 (again for others)")
    group.add_argument("--date-order", type=one_of("date-order", ("dmy", "mdy")), metavar="ORDER",
                       help="dmy if 1/2/2024 is in February, mdy if it is in January, where the dates do not show it")
    group.add_argument("--units", action="append", metavar="COLUMN",
                       help="read 12 %%, $5 or 7 kg as numbers (again for others)")
    group.add_argument("--categorical", type=_categorical, metavar="N",
                       help="a column of words is an input for each different word: at most N, or auto (the default: "
                            "100, and at most half as many as rows)")


def _categorical(text: str) -> str | int:
    from argparse import ArgumentTypeError
    if text == "auto":
        return text
    if not text.isdecimal() or len(text) > 9:
        raise ArgumentTypeError(f"is {check.shown(text)}, expected auto, or the largest number of different words, 0 "
                                "for none")
    return int(text)


def format_of(options: Namespace) -> csv_file.Format:
    """The csv_file.Format that the options say."""
    return csv_file.Format(**{name: getattr(options, name) for name in _FORMAT})


def columns_of(options: Namespace) -> dict[str, Any]:
    """What the options say of the columns, as arguments of tables.load_csv."""
    found = {name: tuple(getattr(options, name) or ()) for name in _COLUMNS}
    return {**found, "date_order": options.date_order, "categorical": "auto" if options.categorical is None
            else options.categorical}


def said(options: Namespace, more: Sequence[str] = ()) -> str | None:
    """The first of these options that was given, as it is written; None for none."""
    for name in (*more, *_FORMAT, *_TABLE):
        value = getattr(options, name, None)
        if value is not None:
            return "--no-header" if name == "header" and value is False else f"--{name.replace('_', '-')}"
    return None
