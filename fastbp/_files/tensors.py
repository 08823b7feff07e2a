"""A safetensors file, at a path or open already, which may be in memory or come through a pipe.

It is read here and not by the library: that one takes the last of two tensors of one name, and maps a file into memory,
where whoever cuts it off meanwhile ends the process.
"""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp._files import signatures
from fastbp._files.schema import AGAIN, DTYPES
from fastbp._files.streams import DAMAGED, at_end, check_open, read

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER = 100_000_000  # bytes of the longest header that the format has
_DEPTH = 40  # of lists and objects in each other: less than what Python's own functions go down to
_DIGITS = 1000  # of a whole number: longer ones take long to read, and Python refuses them in words of its own
# bits of a number of each dtype that the format has
_BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
    "C64": 64,
}  # fmt: skip


class NoTensors(Exception):
    """What was read is no safetensors file, or a truncated one. Its text: what it seems to be, where that is known."""


class FileFails(Exception):
    """An open file did: `error` is what to raise, in words of its own."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Entry(NamedTuple):
    """What the header says of a tensor: begin and end in bytes of what follows the header."""

    dtype: str
    shape: list[int]
    begin: int
    end: int


class Tensors:
    """One safetensors file that is read from an open one. Its header is checked as it is opened: names, dtypes, sizes
    and places. The tensors are read when the first of them is wanted, all of them at once, and no byte more: what
    follows stays for the next reader.

    path: of the file, where that was opened for this; then it must be the whole of it. name: what messages call the
    argument that an open file came in.

    Raises NoTensors for what is none or truncated, ValueError for one that says something twice, OSError of a path;
    FileFails for errors of an open file, as fastbp._files.streams has them.
    """

    def __init__(self, file: Any, name: str = "path", path: str = "") -> None:
        self.file, self.path = file, path
        self.data: Any = None
        self.shown = path or _of_file(check_open, file, "readable", name)
        start = self._read(8)
        if not start and not path:
            raise FileFails(at_end(file, self.shown))
        self.head, size = start, int.from_bytes(start, "little")
        if not 2 <= size <= _HEADER or len(start) < 8 or (path and size > self._left()):
            raise self._none()
        header = self._read(size)
        self.head = (start + header)[:4096]
        if len(header) < size:
            raise self._none()
        found = _parsed(header)
        if found is None:
            raise self._none()
        self.description, self.entries = found
        self.size = max((entry.end for entry in self.entries.values()), default=0)  # bytes of all tensors
        if path and self.size != self._left():
            raise self._none()

    def metadata(self) -> Mapping[str, str] | None:
        return self.description

    def keys(self) -> list[str]:
        return list(self.entries)

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.entries[name].shape)

    def dtype(self, name: str) -> str:
        """As NumPy calls it where it is one of ours, else as the format does."""
        found = self.entries[name].dtype
        return DTYPES.get(found, found)

    def get_tensor(self, name: str) -> Any:
        """An array of its shape, float32 or float64."""
        entry = self.entries[name]
        if self.data is None:
            self.data = self._all()
        values = self.data[entry.begin:entry.end].view(np.dtype(DTYPES[entry.dtype]).newbyteorder("<"))
        values = values.astype(values.dtype.newbyteorder("="), copy=False).reshape(entry.shape)
        return np.require(values, requirements="A")

    def _all(self):
        """The bytes of all tensors, uint8."""
        if self.path:
            data = np.empty(self.size, np.uint8)
            count = self.file.readinto(data.data)
        else:
            data = np.frombuffer(self._read(self.size), np.uint8)
            count = len(data)
        if count < self.size:
            raise self._none()
        if isinstance(self.file, gzip.GzipFile):
            self._check_end()
        return data

    def _read(self, count):
        if self.path:
            return self.file.read(count)
        return _of_file(read, self.file, count, self.shown)

    def _left(self):
        """Bytes of the file behind where it stands."""
        return os.fstat(self.file.fileno()).st_size - self.file.tell()

    def _none(self):
        # a path is looked at again, as what an archive is, its end says
        return NoTensors(signatures.seems(self.path) if self.path else signatures.of_bytes(self.head))

    def _check_end(self):
        """Where a gzip file ends here, its checksum is looked at."""
        try:
            self.file.peek(1)
        except DAMAGED as error:
            raise FileFails(ValueError(f"{self.shown} is truncated or damaged ({error}), expected a whole file; "
                                       "fetch it again")) from None


def _of_file(function, *arguments):
    """function(*arguments), whose errors are those of an open file."""
    try:
        return function(*arguments)
    except Exception as error:
        raise FileFails(error) from None


def plain(text: str, what: str) -> Any:
    """What JSON says that a file holds, `what` in words. ValueError for a key that is there twice, and for numbers that
    are none or longer than any; json.JSONDecodeError as of json.loads, RecursionError for what is nested too deeply."""

    def no_repeats(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError(f"{what} has a key twice, expected different ones; {AGAIN}")
        return dict(pairs)

    def no_constants(constant):
        raise ValueError(f"{what} holds {constant}, expected finite numbers; {AGAIN}")

    def whole(digits):
        if len(digits) > _DIGITS:
            raise ValueError(f"{what} holds a number of {len(digits)} digits, expected at most {_DIGITS}; {AGAIN}")
        return int(digits)

    found = json.loads(text, object_pairs_hook=no_repeats, parse_constant=no_constants, parse_int=whole)
    level, depth = [found], 0
    while level := [inner for each in level for inner in _inside(each)]:
        if (depth := depth + 1) > _DEPTH:
            raise RecursionError
    return found


def _inside(value: Any) -> list[Any]:
    """The lists and objects in a value."""
    holder = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in holder if isinstance(each, list | dict)]


def _parsed(header):
    """({name: text} or None, {name: _Entry}) of a header's bytes; None where it is none. ValueError where it says
    something twice."""
    try:
        text = header.decode("utf-8")
        entries = plain(text, "its header") if text.startswith("{") else None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return None
    if not isinstance(entries, dict):
        return None
    description = entries.pop("__metadata__", None)
    if description is not None and not (isinstance(description, dict)
                                        and all(isinstance(each, str) for each in description.values())):
        return None
    found = {name: _entry(row) for name, row in entries.items()}
    place = 0  # the tensors lie one behind the other, without gaps
    for entry in sorted(found.values(), key=lambda entry: (-1, 0) if entry is None else entry[2:]):
        if entry is None or entry.begin != place:
            return None
        place = entry.end
    try:
        "".join([*found, *(description or {}).values()]).encode()
    except UnicodeEncodeError:  # half of a character
        return None
    return description, found


def _entry(row):
    """What a row of the header says of a tensor, None where it is not as the format has it."""
    if not isinstance(row, dict) or row.keys() != {"dtype", "shape", "data_offsets"}:
        return None
    dtype, shape, places = row["dtype"], row["shape"], row["data_offsets"]
    if not (isinstance(dtype, str) and dtype in _BITS and isinstance(shape, list) and isinstance(places, list)):
        return None
    if len(places) != 2 or not all(type(each) is int and 0 <= each < 2**62 for each in [*shape, *places]):
        return None
    bits = _BITS[dtype]
    for each in shape:
        bits *= each
        if bits >= 2**66:  # no file is as long, and a product of a million of them would take minutes
            return None
    begin, end = places
    return _Entry(dtype, shape, begin, end) if end - begin == bits // 8 and bits % 8 == 0 else None
