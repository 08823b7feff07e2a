"""Data of integer arithmetic alone: the same on every machine, with every NumPy."""

import hashlib

import numpy as np

_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def bits(count, seed):
    """uint64 (count,) that look random: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014)."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP) + np.uint64((seed + 1) * _FIRST % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    return z ^ (z >> np.uint64(31))


def uniform(*shape, seed=0, low=-1.0, high=1.0):
    """float64 of this shape, multiples of 2^-20 in [0, 1) from `low` to `high`."""
    whole = (bits(int(np.prod(shape)), seed) >> np.uint64(44)).astype(np.float64)
    return (low + (high - low) * (whole / 2.0**20)).reshape(shape)


def integers(count, below, seed=0):
    """int64 (count,) from 0 to below - 1."""
    return (bits(count, seed) % np.uint64(below)).astype(np.int64)


def digest(arrays):
    """The SHA-256 of arrays, one after another: of their dtypes, shapes and bits."""
    found = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        found.update(f"{array.dtype.str} {array.shape};".encode())
        found.update(array.tobytes())
    return found.hexdigest()
