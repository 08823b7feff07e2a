"""What the commands share: how a command and its options are declared, the folder for results, what is printed.

On a terminal, or where COLUMNS says how wide the screen is, lines end at a word; in a file or a pipe a row of a summary
is one line, for programs to find.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._check import formatting
from fastbp._training.progress import is_terminal
from fastbp.optimizers import OPTIMIZERS as _CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NARROWEST = 30
OF_SGD = ("momentum", "nesterov")  # names that only commands have: SGD with these settings
OPTIMIZERS = tuple(dict.fromkeys(("sgd", *OF_SGD, *_CLASSES)))


def command(
    commands: Any,
    name: str,
    summary: str,
    description: str,
    epilog: str | None,
    run: Callable[[argparse.Namespace], int],
) -> Any:
    parser = commands.add_parser(name, help=summary, description=description, epilog=epilog, allow_abbrev=False,
                                 formatter_class=Help)
    parser.set_defaults(run=run)
    return parser


class Help(argparse.HelpFormatter):
    """Help as wide as the screen: paragraphs are filled, and examples, the lines that begin with two spaces, stay
    commands that can be copied."""

    def _fill_text(self, text_: str, width: int, indent: str) -> str:
        return "\n\n".join(_paragraph(part, width) for part in text_.strip().split("\n\n"))


def _paragraph(lines: str, width: int) -> str:
    """A paragraph of a help text in lines of at most `width` characters."""
    made, prose = [], []
    for line in lines.replace("\\\n", " ").splitlines():
        if not line.startswith("  "):
            prose.append(line)
            continue
        if prose:
            made.append(formatting.filled(" ".join(prose), width))
            prose = []
        made.append(formatting.filled(line.strip(), width - 2, first="  ", then=" " * 6).replace("\n", " \\\n"))
    if prose:
        made.append(formatting.filled(" ".join(prose), width))
    return "\n".join(made)


def columns(stream: Any) -> int | None:
    """How long a line on `stream` may be: COLUMNS less one, or the terminal's width; None in a file or a pipe."""
    try:
        wide = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        wide = 0
    if wide <= 0 and is_terminal(stream):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            wide = os.get_terminal_size(stream.fileno()).columns
    return max(wide - 1, NARROWEST) if wide > 0 else None


def say(line: str, then: str = "", file: Any = None) -> None:
    """Print `line`, broken at words where the screen is narrower; `then` stands before the second line and others.

    What comes from a file or a path in it moves no cursor and changes no colour.
    """
    _print(line, sys.stdout if file is None else file, then=then)


def digits(value: float, count: int) -> str:
    """A number of a column, with as many digits as its neighbours: 0.0403 has a zero at its end for four."""
    return f"{value:#.{count}g}".removesuffix(".")


def row(name: str, text_: str) -> None:
    """Print a row of the summary, likewise."""
    _print(text_, sys.stdout, first=f"{name:<13}  ", then=" " * 15)


def _print(line: str, file: Any, **before: str) -> None:
    """What is not printable is escaped first, so that no line ends there, and each is as wide as it looks."""
    print(formatting.filled(check.printable(line), columns(file), **before), file=file, flush=True)


@contextlib.contextmanager
def output_folder(path: str) -> Iterator[None]:
    """Make the folder and try to write there, before minutes are spent; if nothing comes of it, it is gone again."""
    made = not os.path.isdir(path)
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise FileExistsError(f"--out is {path}, a file that exists, expected a folder; choose another name") from None
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"--out is {path}, expected a folder that can be written to ({why}); choose another "
                      "one") from None
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(path)                                     # only if nothing was written into it
        raise


# ---- types of options: each takes the text and returns the value, or says what it is and what was expected -----------

def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low or (high is not None and value > high):
            most = f" and at most {high}" if high is not None else ""
            raise argparse.ArgumentTypeError(f"is {check.shown(text)}, expected a whole number, at least {low}{most}")
        return value
    return parse


def real(low: float, below: float | None = None) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value) or value < low or (below is not None and value >= below):
            most = f" and below {below}" if below is not None else ""
            raise argparse.ArgumentTypeError(f"is {check.shown(text)}, expected a finite number, at least {low}{most}")
        return value
    return parse


def one_of(what: str, choices: Iterable[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        try:
            return check.choice(what, text, choices)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{what} ")) from None
    return parse


def widths(text: str) -> list[int]:
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) < 2 or min(values) < 1:
        raise argparse.ArgumentTypeError(f"is {check.shown(text)}, expected two or more widths, from inputs to "
                                         "outputs, such as 784,16,16,10")
    return values
