"""A safetensors file that is read from an open one, which may be in memory or come through a pipe."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from fastbp._files import signatures
from fastbp._files.schema import DTYPES
from fastbp._files.streams import DAMAGED, at_end, check_open, read

_HEADER = 100_000_000  # bytes of the longest header that the format has


class Tensors:
    """One safetensors file that is read from an open one, and of it no byte more: what follows stays for the next
    reader. Its methods are those of safetensors.safe_open.

    Raises SafetensorError, with what it seems to be, for what is none or truncated; errors of the open file as
    fastbp._files.streams.
    """

    def __init__(self, file: Any, name: str = "path") -> None:
        shown = check_open(file, "readable", name)
        start, header = read(file, 8, shown), b""
        if not start:
            raise at_end(file, shown)
        size = int.from_bytes(start, "little")
        try:
            if not 2 <= size <= _HEADER or len(start) < 8:
                raise SafetensorError
            header = read(file, size, shown)
            end = _end(header)
            data = read(file, end, shown)
            self.found = dict(deserialize(start + header + data))
        except SafetensorError:  # its words may be the file's
            raise SafetensorError(signatures.of_bytes((start + header)[:4096])) from None
        self.description = json.loads(header).get("__metadata__")
        if isinstance(file, gzip.GzipFile):
            _check_end(file, shown)

    def metadata(self):
        return self.description

    def keys(self):
        return list(self.found)

    def get_slice(self, name):
        return _Slice(self.found[name])

    def get_tensor(self, name):
        found = self.found[name]
        dtype = np.dtype(DTYPES[found["dtype"]]).newbyteorder("<")
        return np.frombuffer(found["data"], dtype).reshape(found["shape"]).astype(dtype.newbyteorder("="), copy=False)


class _Slice:
    def __init__(self, found):
        self.found = found

    def get_shape(self):
        return self.found["shape"]

    def get_dtype(self):
        return self.found["dtype"]


def _end(header):
    """The bytes of values that a header speaks of."""
    try:
        entries = json.loads(header)
        ends = [entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"]
        end = max(ends, default=0)
        if not all(type(each) is int for each in ends) or not 0 <= end < 2**62:
            raise ValueError
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise SafetensorError from None
    return end


def _check_end(file, shown):
    """Where a gzip file ends here, its checksum is looked at."""
    try:
        file.peek(1)
    except DAMAGED as error:
        raise ValueError(f"{shown} is truncated or damaged ({error}), expected a whole file; fetch it again") from None
