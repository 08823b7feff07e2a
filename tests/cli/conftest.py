"""What tests of the command share: a command line to run, and a small MNIST to run it on."""

import gzip
import struct

import numpy as np
import pytest


@pytest.fixture
def run(run_line):
    """Runs a command line; gives exit code, stdout and stderr."""
    return lambda line, *more: run_line(*line.split(), *more)


def idx(array):
    array = np.asarray(array, dtype=np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def mnist(place, rng):
    """A folder with a small MNIST: 4x4 images with a bright row at the digit's place in 0..3."""
    (place / "data").mkdir()
    for prefix, count in (("train", 200), ("t10k", 40)):
        labels = rng.integers(0, 4, count)
        images = rng.integers(0, 60, (count, 4, 4))
        images[np.arange(count), labels] += 190
        (place / "data" / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (place / "data" / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return place / "data"
