"""What a file that is not the expected one seems to be: told from its first bytes, none of which is ever shown."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NPY = "a NumPy array (.npy)"
_BEGINNINGS = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes (.h5)"),
    (b"\x93NUMPY", NPY),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"GGUF", "a GGUF model"),
    (b"PAR1", "a Parquet table"),
    (b"ARROW1", "an Arrow table"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as Excel writes (.xls)"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def special(mode: int) -> str:
    """What a path leads to that is no file, by its st_mode: "a folder", "a named pipe" ...; "" for a file."""
    return "" if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "a special file")


def special_path(path: str) -> str:
    """What a path leads to that is no file; "" for a file, and "nothing" where nobody can look."""
    try:
        return special(os.stat(path).st_mode)
    except (OSError, ValueError):
        return "nothing"


def seems(path: str) -> str:
    """In words, what the file at `path` seems to be: "a pickle", "an HDF5 file ..."; "" where nothing is known of it.

    Nothing in it is run or unpacked. A path that cannot be read is "", and so is a pipe, which would have to be waited
    for.
    """
    if special_path(path):
        return ""
    try:
        with open(path, "rb") as file:
            head, size = file.read(4096), os.fstat(file.fileno()).st_size
    except (OSError, ValueError):
        return ""
    return of_bytes(head, lambda: _archive(path)) if size else "an empty file"


def of_bytes(head: bytes, archive: Callable[[], str] = lambda: "a zip file") -> str:
    """In words, what a file that begins with these bytes seems to be; "" where nothing is known of it. archive: what
    looks into a zip file."""
    if not head:
        return "an empty file"
    if not any(head):
        return "a file of zeros"
    for beginning, what in _BEGINNINGS:
        if head.startswith(beginning):
            return what
    if head.startswith(b"PK"):
        return archive()
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "a pickle, which could run code when it is read"
    if head[:2] == b"\0\0" and len(head) > 3 and 8 <= head[2] <= 14 and 1 <= head[3] <= 4:
        return "an IDX file, as MNIST is kept in"
    if len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 1 << 40:
        return "a safetensors file"
    return _text(head)


def _archive(path: str) -> str:
    """A zip file by the names in it: many formats are one."""
    import zipfile  # here: it is rarely needed, and slow to import

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:1000]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return "a damaged zip file"
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch file (.pt, .pth), which holds a pickle"
    if any(name.endswith(".weights.h5") for name in names):
        return "a Keras model (.keras)"
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook (.xlsx)"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays (.npz)"
    return "a zip file"


def _text(head: bytes) -> str:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:         # not merely a character cut in two at the end
            return ""
        text = head[:error.start].decode("utf-8")
    if any(ord(each) < 32 and each not in "\t\n\r\f\x1b" for each in text):
        return ""
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return "JSON text"
    return "text"
