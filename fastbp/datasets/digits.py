"""Handwritten digits: scikit-learn's 8x8 images and MNIST, and the IDX files MNIST is kept in.

Loaders return a Dataset of float32 pixels in 0..1 (or MNIST's bytes), one image a row, and int64 labels.
Source of MNIST: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import sys
import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastbp import _check as check
from fastbp._check.errstate import quiet
from fastbp._files import signatures
from fastbp._files.streams import OR_OPEN, all_of, is_stream
from fastbp._files.writing import path_of
from fastbp._training.splits import split_rows
from fastbp.datasets.csv_file import Format
from fastbp.datasets.tables import Dataset, Table, load_csv, load_features

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastbp._check.types import Array, File, Path, Shape

__all__ = ["Dataset", "Format", "Table", "load_csv", "load_digits", "load_features", "load_mnist", "read_idx"]

# Name in the set, MD5 of the published .gz archive, SHA-256 of the bytes inside it.
_MNIST = (
    ("train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873",
     "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    ("train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432",
     "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ("t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3",
     "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    ("t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c",
     "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
)
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@quiet
def load_digits(test_size: float = 0.2, seed: int = 0) -> Dataset:
    """scikit-learn's bundled digits: 1,797 images of 8x8, pixels scaled from 0..16 to 0..1 -> Dataset.

    round(1797 test_size) images are held out, `test_size` of each digit, the same ones for the same seed. X is float32
    (n, 64), y int64 (n,).
    Raises ImportError naming the extra to install if scikit-learn is missing.
    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998 (its test part).
    """
    try:
        from sklearn.datasets import load_digits as bundled
    except ImportError:
        raise ImportError('the bundled digits come with scikit-learn, which is not installed; '
                          'pip install "fastbp[sklearn]"') from None
    data, labels = bundled(return_X_y=True)
    X, y = (data / 16).astype(np.float32), labels.astype(np.int64)
    train, test = split_rows(y, test_size, seed)
    return _images(X[train], y[train], X[test], y[test], (8, 8), 16, "digits")


def load_mnist(data_dir: Path | None = None, dtype: Literal["float32", "uint8"] = "float32") -> Dataset:
    """MNIST: 60,000 training and 10,000 test images of 28x28 -> Dataset; X float32 (n, 784) in 0..1, y int64 (n,).

    dtype="uint8" leaves X as the bytes 0..255 of the files, a quarter of the memory, for a network with
    input_scale=1 / 255; such a network predicts from raw pixels, and its data_spec divides by nothing.
    Reads the four IDX files, gzipped or not, from data_dir (or its folder "mnist"); without data_dir from
    $FASTBP_DATA/mnist, else the user's cache, else downloads them into the cache with pooch, checksums verified.
    Raises FileNotFoundError if data_dir lacks a file, ValueError for a file that is not what it should be,
    ImportError if a download needs pooch and it is missing, ConnectionError if no mirror answers.
    """
    if dtype not in ("float32", "uint8"):
        raise ValueError(f"dtype is {check.shown(dtype)}, expected 'float32' or 'uint8'; pass one of the two")
    paths = _find_mnist(data_dir) or _download_mnist()
    X_train, y_train = _read_pair(*paths[:2])
    X_test, y_test = _read_pair(*paths[2:])
    if X_train.shape[1:] != X_test.shape[1:]:
        raise ValueError(f"{paths[2]}: images of {_by(X_test.shape[1:])}, expected {_by(X_train.shape[1:])}, as the "
                         f"training images in {paths[0]} are; give files of one set")
    shape, raw = X_train.shape[1:], dtype == "uint8"
    X_train, X_test = (X.reshape(len(X), -1) if raw else _pixels(X) for X in (X_train, X_test))
    return _images(X_train, y_train, X_test, y_test, shape, None if raw else 255, "mnist")


def _images(
    X_train: Array, y_train: Array, X_test: Array, y_test: Array, shape: Shape, white: float | None, name: str
) -> Dataset:
    """Dataset of digits; its data_spec divides raw pixels by `white`, the brightest one, or None for as they are."""
    classes = tuple(range(10))
    shape = tuple(int(side) for side in shape)
    mean, scale = (None, None) if white is None else ([0.0], [float(white)])
    spec = {"features": None, "mean": mean, "scale": scale, "target": None, "classes": list(classes),
            "image_shape": list(shape)}
    return Dataset(X_train, y_train, X_test, y_test, classes, shape, name, spec)


@quiet
def _pixels(images: Array) -> Array:
    """(n, h, w) bytes -> (n, h*w) float32 in 0..1."""
    return np.divide(images.reshape(len(images), -1), np.float32(255), dtype=np.float32)


def _read_pair(image_path: str, label_path: str) -> tuple[Array, Array]:
    images, labels = read_idx(image_path), read_idx(label_path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(f"{image_path}: an IDX file of {images.ndim} dimensions, {images.dtype}, expected images: "
                         f"3 dimensions (number, height, width) of bytes; give the set's files by their names")
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise ValueError(f"{label_path}: an IDX file of {labels.ndim} dimensions, {labels.dtype}, expected labels: "
                         f"1 dimension of bytes; give the set's files by their names")
    if len(images) != len(labels):
        raise ValueError(f"{label_path}: {len(labels)} labels, expected {len(images)}, as {image_path} has images; "
                         "give files that are a pair")
    if not images.size:
        raise ValueError(f"{image_path}: no images (dimensions {_by(images.shape)}), expected at least one; fetch the "
                         "file again")
    if labels.max() > 9:
        raise ValueError(f"{label_path}: label {labels.max()} at row {labels.argmax()}, expected digits 0 to 9; fetch "
                         f"the file again")
    return images, labels.astype(np.int64)


def read_idx(path: File) -> Array:
    """Read an IDX file, gzipped or not -> array of the file's shape and type in the machine's byte order.

    path: a str, bytes or os.PathLike, or an open binary file, which is read to its end.

    The format: two zero bytes, a type byte, the number of dimensions, each as a big-endian uint32, then the values.
    Raises ValueError for a foreign, truncated or over-long file, FileNotFoundError if there is none.
    """
    path, opened = _opened(path)
    try:
        with opened() as raw:
            # The content says whether it is gzipped: downloaded archives often lose or keep a wrong ".gz".
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"           # a pipe cannot be read twice
            with gzip.GzipFile(fileobj=raw) if zipped else raw as file:
                return _read_idx(path, file)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file, expected an IDX file; correct the path") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"{path}: a folder, expected an IDX file; give the path of one in it") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: a truncated or damaged gzip file ({error}), expected a whole one; fetch it "
                         "again") from None


def _opened(path: Any) -> tuple[str, Callable[[], Any]]:
    """(what messages call it, what opens it) of a path or an open binary file."""
    if not is_stream(path, "read"):
        path = path_of(path, instead=OR_OPEN)
        return path, lambda: open(path, "rb")
    shown, data = all_of(path)
    return shown, lambda: io.BufferedReader(io.BytesIO(data))


def _read_idx(path: str, file: Any) -> Array:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not 1 <= magic[3] <= 32:
        seems = signatures.seems(path)
        raise ValueError(f"{path}: not an IDX file{seems and f' (it seems to be {seems})'}, expected one that begins "
                         f"with two zero bytes, a type (08 for bytes) and the number of dimensions; give another file")
    header = file.read(4 * magic[3])
    if len(header) < 4 * magic[3]:
        raise ValueError(f"{path}: truncated in the header: {4 + len(header)} bytes, expected {4 + 4 * magic[3]}; "
                         f"fetch it again")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    dtype = np.dtype(_IDX_TYPES[magic[2]])
    size = math.prod(shape) * dtype.itemsize
    # Read in pieces: a damaged header may claim more than memory holds, and the file's end comes first.
    pieces, got = [], 0
    while got <= size and (piece := file.read(min(1 << 24, size + 1 - got))):
        pieces.append(piece)
        got += len(piece)
    if got != size:
        found = f"truncated: {got} bytes of values" if got < size else f"more than {size} bytes of values"
        raise ValueError(f"{path}: {found}, expected {size}: {_by(shape)} of {dtype.itemsize} bytes each, as its "
                         f"header says; fetch the file again")
    values = np.frombuffer(b"".join(pieces), dtype).astype(dtype.newbyteorder("="), copy=False)
    try:
        return values.reshape(shape)
    except ValueError:                            # a side of 0 among sides whose product is no number of bytes
        raise ValueError(f"{path}: no values, but sides of {_by(shape)}, expected fewer, as no array can have so many: "
                         f"its header is damaged; fetch the file again") from None


def _by(shape: Sequence[int]) -> str:
    return "x".join(str(int(n)) for n in shape)


def _cache() -> str:
    """The user's cache of fastbp: where pooch would put it, also without pooch."""
    try:
        import pooch
        return os.path.join(pooch.os_cache("fastbp"), "mnist")
    except ImportError:
        root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        return os.path.join(root, "fastbp", "mnist")


def _find_mnist(data_dir: Path | None) -> list[str] | None:
    """Paths of the four files in the first folder that has them all; None if they must be downloaded."""
    if data_dir is not None:
        data_dir = path_of(data_dir, "data_dir")
        places = [data_dir, os.path.join(data_dir, "mnist")]
    else:
        root = os.environ.get("FASTBP_DATA")
        places = ([os.path.join(root, "mnist")] if root else []) + [_cache()]
    for place in places:
        paths = [path for name, _, _ in _MNIST if (path := _find_file(place, name))]
        if len(paths) == len(_MNIST):
            return paths
    if data_dir is None:
        return None
    if not os.path.isdir(data_dir):
        raise FileNotFoundError(f"data_dir is {data_dir!r}, expected a folder with MNIST's four IDX files, "
                                "and there is no such folder; correct the path")
    absent = [name for name, _, _ in _MNIST if not _find_file(data_dir, name)]
    raise FileNotFoundError(f"data_dir is {data_dir!r}, which lacks {', '.join(absent)} (with or without "
                            ".gz), expected a folder with MNIST's four IDX files; give such a one, or none to use the "
                            "cache or download them")


def _find_file(folder: str, name: str) -> str | None:
    for form in (name, name.replace("-idx", ".idx")):
        for ending in ("", ".gz"):
            path = os.path.join(folder, form + ending)
            if os.path.isfile(path):
                return path
    return None


def _download_mnist() -> list[str]:
    """Fetch the four archives into the cache and return their paths; each is checked before it is kept."""
    try:
        import pooch
    except ImportError:
        raise ImportError('MNIST is not on this machine and downloading it needs pooch; pip install "fastbp[data]", or '
                          'give data_dir, or set FASTBP_DATA to the folder above mnist/') from None
    return [_download(pooch, *row) for row in _MNIST]


def _download(pooch: Any, name: str, md5: str, sha256: str) -> str:
    fetch = pooch.HTTPDownloader(timeout=30, progressbar=sys.stderr is not None and sys.stderr.isatty())
    failed = []
    for mirror in MIRRORS:
        try:
            path: str = pooch.retrieve(mirror + name + ".gz", known_hash="md5:" + md5, fname=name + ".gz",
                                       path=_cache(), downloader=fetch)
        except (OSError, ValueError) as error:               # requests' errors are OSErrors; a wrong sum a ValueError
            failed.append(f"{mirror}: {_short(error)}")
            continue
        # MD5 is what the mirrors publish; the contents are held to the stronger sum.
        try:
            with gzip.open(path, "rb") as file:
                right = hashlib.sha256(file.read()).hexdigest() == sha256
        except (OSError, EOFError, zlib.error):
            right = False
        if right:
            return path
        os.remove(path)
        failed.append(f"{mirror}: the contents of {name}.gz are not MNIST's (SHA-256 differs)")
    raise ConnectionError(f"MNIST could not be downloaded ({'; '.join(failed)}), expected one of the mirrors to "
                          f"answer; without a network, put its four IDX files into a folder and give it as data_dir "
                          f"(--data-dir), or into $FASTBP_DATA/mnist")


def _short(error: Exception) -> str:
    """An error's name and the beginning of its first line: requests' messages run over many."""
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:120]}"
