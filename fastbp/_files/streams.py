"""Files that are open already: anything with write or read that takes or gives bytes - io.BytesIO, open(..., "wb"),
gzip files, what a socket's makefile gives - though it can neither seek nor be renamed over an old one.

What is a path stays one: str, bytes and os.PathLike, as for open().
"""

from __future__ import annotations

import gzip
import io
import lzma
import os
import sys
import zlib
from typing import TYPE_CHECKING, Any, cast

from fastbp import _check as check
from fastbp._files.writing import path_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO


OR_OPEN = "or an open binary file"
_PIECE = 1 << 24  # bytes read at a time: what a damaged header claims is not allocated before it has come
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)


def is_stream(value: object, method: str) -> bool:
    """Whether a value is no path, and has this method: "read" or "write"."""
    return not isinstance(value, (str, bytes, os.PathLike)) and callable(getattr(value, method, None))


def target(path: Any) -> str | IO[bytes]:
    """Where something is written to: the text of a path, or the open binary file itself; refused where that is no
    use."""
    if not is_stream(path, "write"):
        return path_of(path, instead=OR_OPEN)
    check_open(path, "writable")
    return cast("IO[bytes]", path)


def write(file: Any, data: bytes, name: str = "path") -> None:
    """Writes all of the bytes to an open binary file, from where it stands, and flushes it; it stays open.

    Raises TypeError for a text file, ValueError for one that is closed or not open for writing, OSError, with the
    system's number, where not all could be written: what was written by then stays.
    """
    shown = check_open(file, "writable", name)
    done, text = 0, ""
    try:
        while done < len(data):
            count = file.write(memoryview(data)[done:] if done else data)  # the rest is not copied each time
            if count is None and not isinstance(file, io.RawIOBase):
                break  # of a file-like object that says nothing: it would have raised
            if type(count) is not int or not 0 < count <= len(data) - done:
                text = f"{done} of {len(data)} bytes were written, and then {count!r}"
                break
            done += count
        flush = getattr(file, "flush", None)
        if callable(flush) and not text:
            flush()
    except TypeError as error:
        raise _of_text(shown, "wb", error) from None
    except OSError as error:
        raise failed(error, f"{shown} cannot be written") from None
    if text:
        raise OSError(f"{shown} took not all: {text}; what came through is no whole file; make room, or write again")


def fill(path: Any, draw: Callable[[Any], object]) -> None:
    """Calls draw(where), which writes into what it is given: the text of a path, or io.BytesIO, whose bytes then go
    whole into `path`, an open binary file."""
    path = target(path)
    if isinstance(path, str):
        draw(path)
    else:
        buffer = io.BytesIO()
        draw(buffer)
        write(path, buffer.getvalue())


def check_open(file, method, name="path"):
    """What messages call an open binary file, after TypeError for a text file, ValueError for one that is closed or
    whose method "readable" or "writable" says no."""
    shown, mode = f"{name} is {check.shown(file)}, which", "rb" if method == "readable" else "wb"
    if isinstance(file, io.TextIOBase) or hasattr(file, "encoding"):
        raise _of_text(shown, mode)
    if getattr(file, "closed", False) is True:
        raise ValueError(f"{shown} is closed, expected an open binary file; use it before it is closed")
    able = getattr(file, method, None)
    if callable(able) and able() is False:
        raise ValueError(f"{shown} is not {method}, expected a file that is; open it with mode {mode!r}")
    return shown


def read(file, count, shown):
    """`count` bytes from where an open binary file stands, or fewer at its end."""
    pieces = []
    while count > 0:
        try:
            piece = file.read(min(count, _PIECE))
        except TypeError as error:
            raise _of_text(shown, "rb", error) from None
        except DAMAGED as error:
            raise ValueError(f"{shown} is truncated or damaged ({error}), expected a whole file; fetch it "
                             "again") from None
        except OSError as error:
            raise failed(error, f"{shown} cannot be read") from None
        if isinstance(piece, str):
            raise _of_text(shown, "rb")
        if piece is None:
            raise BlockingIOError(f"{shown} has no more bytes yet, expected all of them; make it blocking, or read it "
                                  "into io.BytesIO first")
        piece = bytes(piece)
        if not piece:
            break
        if len(piece) > count:
            raise ValueError(f"{shown} gave {len(piece)} bytes, expected at most {count}, as were asked for; pass "
                             "io.BytesIO(...)")
        pieces.append(piece)
        count -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def all_of(file: Any, name: str = "path") -> tuple[str, bytes]:
    """(what messages call it, bytes) of an open binary file from where it stands to its end; ValueError where it stands
    there."""
    shown = check_open(file, "readable", name)
    data = read(file, sys.maxsize, shown)
    if not data:
        raise at_end(file, shown)
    return f"{name} {check.shown(file)}", data


def at_end(file, shown):
    """The ValueError for an open binary file that gave no byte: it is empty, or stands at its end, where writing has
    left it."""
    try:
        place = file.tell()
    except (OSError, ValueError, TypeError, AttributeError):        # of a pipe, a socket
        place = None
    if place == 0:
        return ValueError(f"{shown} is an empty file, expected bytes in it; write into it first, or open another one")
    where = "" if place is None else f" (byte {place})"
    return ValueError(f"{shown} stands at its end{where}, expected something left to read; go back to where it was "
                      f"written, such as with f.seek(0)")


def _of_text(shown, mode, error=None):
    """The error for a file that is of text, or that raised this TypeError."""
    what = "is a file of text" if error is None else f"does not work with bytes ({str(error)[:100]})"
    return TypeError(f"{shown} {what}, expected a binary one; open it with mode {mode!r}, or use io.BytesIO")


def failed(error: OSError, text: str, remedy: str = "make it possible, or choose another file") -> OSError:
    """The error to raise for an OSError: of the same class where that takes a text, with the same number."""
    text = f"{text} ({error.strerror or error}); {remedy}"
    try:
        told = type(error)(text)
    except Exception:  # a class of somebody's with arguments of its own
        told = OSError(text)
    told.errno = error.errno
    return told
