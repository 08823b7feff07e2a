"""The counter-based random generator: Threefry-2x32-20, stream version 2.

A number depends on (key, counter) alone, so any thread can make any part of a stream. Every function below and the
dropout kernel draw from it; changing what a seed gives is a new stream version.
"""
from libc.stdint cimport int64_t, uint64_t
from fastbp._core.cpu cimport threefry, threefry_words
from fastbp._core.portable cimport normal_of

import math

import numpy as np

STREAM_VERSION = 2

cdef enum:
    WORDS = 64      # drawn at a time


def fold(key, counter):
    """A new 64-bit key from a 64-bit key and a counter."""
    return threefry(<uint64_t>(key & 0xFFFFFFFFFFFFFFFF), <uint64_t>(counter & 0xFFFFFFFFFFFFFFFF))


def bits(count, key):
    """(count,) uint64: the words of counters 0, 1, 2 ..."""
    words = np.empty(count, np.uint64)
    cdef uint64_t[::1] out = words
    cdef uint64_t seed = <uint64_t>(key & 0xFFFFFFFFFFFFFFFF)
    if count > 0:
        with nogil:
            threefry_words(&out[0], seed, 0, out.shape[0])
    return words


def uniform(shape, key):
    """float64 numbers in [0, 1), of 53 random bits each."""
    return (bits(math.prod(shape), key) >> np.uint64(11)).reshape(shape) * 2.0**-53


def normal(shape, key):
    """Standard normal float64 numbers: quantiles (Wichura, 1988) at the middles of 2^53 intervals, which words choose."""
    count = math.prod(shape)
    words = bits(count, key)
    numbers = np.empty(count)
    cdef uint64_t[::1] drawn = words
    cdef double[::1] out = numbers
    cdef Py_ssize_t i
    with nogil:
        for i in range(out.shape[0]):
            out[i] = normal_of(drawn[i])
    return numbers.reshape(shape)


cdef void permute(int64_t *out, Py_ssize_t n, uint64_t key) noexcept nogil:
    """out (n,) = 0 .. n-1 in random order (Fisher and Yates, with Lemire's multiply-shift for the choice)."""
    cdef uint64_t seed = threefry(key, 0x7065726D)      # "perm": apart from the streams of the same key
    cdef uint64_t words[WORDS]
    cdef uint64_t word, half, low = 0xFFFFFFFF
    cdef int64_t i, j, swap, last = n - 1
    for i in range(n):
        out[i] = i
    for i in range(last, 0, -1):
        # 32 random bits for a choice among i + 1: biased by less than (i + 1) / 2^32. A word is two choices'.
        if i == last or i // 2 % WORDS == WORDS - 1 and i % 2:
            threefry_words(words, seed, <uint64_t>(i // 2 // WORDS * WORDS), WORDS)
        word = words[i // 2 % WORDS]
        half = word >> 32 if i % 2 else word & low
        j = <int64_t>((half * <uint64_t>(i + 1)) >> 32)
        swap = out[i]
        out[i] = out[j]
        out[j] = swap


def permutation(Py_ssize_t n, key):
    """(n,) int64: 0 .. n-1 in random order."""
    order = np.empty(n, np.int64)
    cdef int64_t[::1] out = order
    cdef uint64_t seed = <uint64_t>(key & 0xFFFFFFFFFFFFFFFF)
    if n > 0:
        with nogil:
            permute(&out[0], n, seed)
    return order
