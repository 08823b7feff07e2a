"""The text of a CSV file, a line at a time: which encoding it is in, and what is said where it is in none.

A mark at the beginning tells UTF-8, UTF-16 and UTF-32; a file without one is read as UTF-8, or as it is said to be.
Nothing else is guessed: a wrong guess would be other letters without a word.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from typing import TYPE_CHECKING, cast

from fastbp import _check as check
from fastbp._files import signatures
from fastbp._files.streams import OR_OPEN, all_of, is_stream
from fastbp._files.writing import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastbp._check.types import File, Path

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HEAD = 4096            # bytes that are looked at for zeros, which UTF-8 text has none of
_QUOTED = re.compile(r'(?:[^"]|"")*("?)')                             # the rest of a cell in quotes, and the last one
_PIECE = re.compile(rf' +|"{_QUOTED.pattern}|[^ ]+')                # spaces, a cell in quotes, another one
_ELSE = ("cp1252", "latin-1")


def check_encoding(name: str) -> str:
    """The name of a text encoding as Python has it, or ValueError."""
    try:
        found = codecs.lookup(name)
        if found._is_text_encoding:         # base64 and rot13 are codecs as well
            return found.name
    except (LookupError, ValueError, TypeError):
        pass
    raise ValueError(f"encoding is {check.shown(name)}, which is not known, expected one such as utf-8, utf-16, cp1252 "
                     f"or latin-1; choose the file's")


class Source:
    """What a table is read from: a path, or an open binary file, which is read to its end here and stays open. Its text
    is what messages call it; name: the file's without folders and ending, "" of an open one.

    Raises TypeError for what is neither, or a file of text, ValueError for an open one that is closed or at its end.
    """

    def __init__(self, given: File) -> None:
        self._data, self.name = None, ""
        if is_stream(given, "read"):
            self._text, self._data = all_of(given)
        else:
            self._text = path_of(cast("Path", given), instead=OR_OPEN)
            self.name = os.path.splitext(os.path.basename(self._text))[0]

    def __str__(self) -> str:
        return self._text

    def open(self) -> io.BufferedReader:
        """An io.BufferedReader of the bytes, from the first one."""
        return open(self._text, "rb") if self._data is None else io.BufferedReader(io.BytesIO(self._data))

    def seems(self) -> str:
        """What it seems to be, as fastbp._files.signatures says."""
        return signatures.seems(self._text) if self._data is None else signatures.of_bytes(self._data[:_HEAD])

    def again(self) -> bool:
        """Whether it can be read once more: a pipe cannot."""
        return self._data is not None or not signatures.special_path(self._text)


def lines(path: Source, encoding: str | None = None) -> Iterator[str]:
    """The lines of a Source with their ends; a carriage return alone ends one too. Errors name the file."""
    used = encoding
    try:
        with path.open() as file:
            head = file.peek(_HEAD)[:_HEAD]
            used = encoding or _told(path, head)
            text = io.TextIOWrapper(file, encoding=used, newline="")
            for first in text:
                if first := first.removeprefix("\ufeff"):
                    yield first
                break
            yield from text
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, expected a CSV file; correct the path") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path}: a folder, expected a CSV file; give the path of one in it") from None
    except UnicodeError as error:
        raise ValueError(_not_text(path, used, error, encoding is not None)) from None


def single_spaces(lines: Iterable[str]) -> Iterator[str]:
    """The lines with one space for several between cells, and none in front; what is in quotes stays, line breaks
    too."""
    quoted = False                          # whether a line begins in quotes
    for text in lines:
        if not quoted and '"' not in text:
            yield re.sub(" +", " ", text.strip(" "))
            continue
        kept, at = "", 0
        if quoted:
            rest = cast("re.Match[str]", _QUOTED.match(text))  # it may be of no characters
            kept, at, quoted = rest[0], rest.end(), not rest[1]
        else:
            text = text.strip(" ")
        for piece in _PIECE.finditer(text, at):
            kept += " " if piece[0][0] == " " else piece[0]
            quoted = piece[1] == ""
        yield kept


def _told(path: Source, head: bytes) -> str:
    """The encoding that the first bytes tell."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    zeros = head.count(0)
    seems = path.seems() if zeros else ""
    if 3 * zeros > len(head) and not seems:
        name = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
        raise ValueError(f"{path}: not a text file in UTF-8 (many bytes are zero; it seems to be text in UTF-16 "
                         f"without a mark), expected a CSV file; say --encoding {name}")
    if zeros:
        raise ValueError(f"{path}: not a text file (byte {head.index(0)} is zero"
                         f"{f'; it seems to be {seems}' if seems else ''}), expected a CSV file; save it as CSV in "
                         f"UTF-8")
    return "utf-8"


def _not_text(path: Source, used: str | None, error: UnicodeError, asked: bool) -> str:
    """What is wrong with a file whose bytes are no text in the encoding `used`."""
    if asked:
        return f"{path}: not a text file in {used} ({error.reason if hasattr(error, 'reason') else error}), expected " \
               f"one, as --encoding says; choose another one"
    byte, where, hint = getattr(error, "start", 0), "", ""
    if used != "utf-8":
        return (f"{path}: text in {str(used).upper()} by its first bytes, and damaged or cut off: not all of it can be "
                f"read ({getattr(error, 'reason', error)}), expected a whole CSV file; save it again")
    seems = path.seems()
    if (found := _first_wrong(path)) is not None:
        byte, line, piece = found
        where = f" in line {line}"
        if not seems or seems == "text":
            hint = _as_another(piece)
    return (f"{path}: not a text file in UTF-8 (byte {byte} cannot be read{where}"
            f"{f'; it seems to be {seems}' if seems and seems != 'text' else ''}), expected a CSV file; "
            f"{hint or 'save it as CSV in UTF-8'}")


def _first_wrong(path: Source) -> tuple[int, int, bytes] | None:
    """(number of the first byte that is no UTF-8, its line, the bytes around it); None where nobody can look again."""
    if not path.again():
        return None
    before = 0
    with path.open() as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return before + error.start, number, line[max(error.start - 12, 0):error.start + 12].strip()
            before += len(line)
    return None


def _as_another(piece: bytes) -> str:
    """The advice to say another encoding, with what the text would be in it."""
    for name in _ELSE:
        try:
            text = piece.decode(name)
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            return (f"save it as CSV in UTF-8, or say --encoding {name} if {check.shown(text)} is what should stand "
                    f"there (Excel and older Windows programs write so)")
    return ""
