"""Every kernel of csrc/kernels.def in NumPy and float64: one function for each row, of the same name.

Here are products, sums, masks, conversion and counts; activations, losses and updates have files of their own, as in
csrc, and are found here too. Shapes: B samples, O outputs; matrices are (rows, columns). A gradient begins with d.
"""

import numpy as np

from fastbp.reference.activations import *  # noqa: F403 -- a function for each row of csrc/activations.inc
from fastbp.reference.losses import *  # noqa: F403 -- of csrc/losses.inc
from fastbp.reference.updates import *  # noqa: F403 -- of csrc/updates.inc

# ---- products, sums and masks ----------------------------------------------------------------------------------------


def gemm(A, B, C=None):
    """A (m, k) times B (k, n), added to C (m, n) where given."""
    product = np.asarray(A, dtype=np.float64) @ np.asarray(B, dtype=np.float64)
    return product if C is None else C + product


def pack_b(B, nr):
    """Packed B (ceil(n / nr), k, nr): B (k, n) cut into tiles of nr columns, the last one filled up with zeros."""
    k, n = B.shape
    packed = np.zeros((-(-n // nr), k, nr))
    for j in range(n):
        packed[j // nr, :, j % nr] = B[:, j]
    return packed


def pack_b_transposed(B, nr):
    """pack_b of the transpose of B (n, k)."""
    return pack_b(B.T, nr)


def pack_a(A, mr):
    """Packed A (tiles, k, mr) of A (m, k): its rows in tiles of nearly equal height, at most mr, the lower ones first,
    each transposed and filled up with zeros."""
    tiles = -(-len(A) // mr)
    heights = [len(A) // tiles + (t >= tiles - len(A) % tiles) for t in range(tiles)] if tiles else []
    out = np.zeros((tiles, A.shape[1], mr))
    for t, height in enumerate(heights):
        begin = sum(heights[:t])
        out[t, :, :height] = A[begin : begin + height].T
    return out


def reduce_partials(partials):
    """Sum (n,) of the rows of partials (slices, n)."""
    return partials.sum(axis=0)


def sum_squares(x):
    return float(np.sum(x * x))


def all_finite(x):
    return float(np.isfinite(x).all())


def penalty(W, l1, l2):
    """l1 sum |W| + l2 sum W^2, and its gradient; that of |W| is 0 at 0."""
    return l1 * np.abs(W).sum() + l2 * (W * W).sum(), l1 * np.sign(W) + 2 * l2 * W


def threefry2x32(key, counter):
    """Threefry-2x32 with 20 rounds (Salmon et al., SC 2011, section 4.2). key and counter are pairs of 32-bit words or
    of arrays of them; returns the pair of random words (uint32 arrays)."""
    rotations = [13, 15, 26, 6, 17, 29, 16, 24]
    keys = [np.atleast_1d(np.asarray(word, dtype=np.uint32)) for word in key]
    keys.append(np.uint32(0x1BD11BDA) ^ keys[0] ^ keys[1])
    a, b = (np.atleast_1d(np.asarray(word, dtype=np.uint32)) + k for word, k in zip(counter, keys, strict=False))
    for round_ in range(20):
        bits = rotations[round_ % 8]
        a = a + b
        b = (b << np.uint32(bits) | b >> np.uint32(32 - bits)) ^ a
        if round_ % 4 == 3:  # every fourth round a part of the key goes in
            i = round_ // 4 + 1
            a = a + keys[i % 3]
            b = b + keys[(i + 1) % 3] + np.uint32(i)
    return a, b


def dropout(X, row, key, rate):
    """X (m, n) with a part `rate` of its elements set to zero and the others divided by 1 - rate. Element (i, j) stays
    where the first random word of the counter (row + i, j) is at least rate * 2^32."""
    i, j = np.indices(X.shape).reshape(2, -1)
    row_words = (i + row) % 2**32
    word, _ = threefry2x32((key % 2**32, key // 2**32), (row_words, j))
    keep = word.reshape(X.shape) >= rate * 2.0**32
    return np.where(keep, X / (1 - rate), 0.0)


# ---- the caller's data: one function for each dtype that it may have -------------------------------------------------


def convert(source, index, dtype, scale):
    """Rows index (m,) of source (rows, n), or all where it is None, rounded to dtype and then multiplied in it."""
    rows = source if index is None else source[index]
    return rows.astype(dtype) * np.dtype(dtype).type(scale)


convert_uint8 = convert_int8 = convert_float16 = convert_float32 = convert_float64 = convert


# ---- correct answers: how many there are, times scale ----------------------------------------------------------------


def correct_labels(Y, T, scale):
    """Rows of Y (B, O) whose largest element, the first of equal ones, is that of the number T (B,)."""
    return scale * float((Y.argmax(axis=1) == T).sum()) if Y.size else 0.0


def correct_multiclass(Y, T, scale):
    """The same with the largest of each row of T (B, O); rows in which one is NaN do not count."""
    there = ~np.isnan(T).any(axis=1)
    return correct_labels(Y[there], T[there].argmax(axis=1) if T.size else [], scale)


def correct_multilabel(Y, T, scale):
    """Elements that say yes, Y > 0, where it is wanted, T > 1/2, and no where it is not; not where T is NaN."""
    return scale * float((((Y > 0) == (T > 0.5)) & ~np.isnan(T)).sum())
