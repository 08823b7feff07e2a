"""IDX files, gzipped or not, by a path and open."""

import gzip
import io
import math
import zlib

from fastbp.datasets import read_idx
from fuzz.judge import attempt, check
from fuzz.models import on_disk
from fuzz.mutation import changed_bytes

CORPUS = "idx"


def mutate(data, rng):
    """Changes of the bytes, of what is in a gzip file, or of the header's words."""
    zipped = data[:2] == b"\x1f\x8b"
    if zipped and rng.random() < 0.5:
        return changed_bytes(data, rng)
    if zipped:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            return changed_bytes(data, rng)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if rng.random() < 0.4 and len(data) >= 8:
            at = 4 + 4 * rng.randrange(min(8, len(data) // 4))
            word = rng.choice((0, 1, 2, 3, 4, 6, 12, 2**16, 2**31, 2**32 - 1)).to_bytes(4, "big")
            data = data[:at] + word + data[at + 4 :]
        else:
            data = changed_bytes(data, rng)
    if rng.random() < 0.1:
        data = data[:2] + bytes([rng.choice((8, 9, 11, 12, 13, 14)), rng.choice((0, 1, 2, 3, 32, 33, 255))]) + data[4:]
    return gzip.compress(data, 1, mtime=0) if zipped else data


def run(data):
    by_path = zlib.crc32(data) & 1
    taken, array = attempt(read_idx, on_disk(data) if by_path else io.BytesIO(data))
    if taken:
        plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        count = plain[3]
        sides = [int.from_bytes(plain[4 + 4 * i : 8 + 4 * i], "big") for i in range(count)]
        check(array.shape == tuple(sides), "another shape than the header's")
        check(array.dtype.isnative and array.size == math.prod(sides), "another dtype")
        check(array.astype(array.dtype.newbyteorder(">")).tobytes() == plain[4 + 4 * count :], "other values")
    return taken
