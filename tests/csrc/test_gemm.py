"""csrc/gemm.inc: what a product's bits may depend on, rows in an order of their own, and what is asked for meanwhile.
That its numbers are right is test_kernels.py's."""

import itertools

import numpy as np
import pytest
from kernel_calls import PADDED, Kernel, Prefetch, bits, draw, in_order, narrow

from fastbp._core import cpu


def test_gemm_does_not_depend_on_the_cut(isa, dtype):
    kernel = Kernel(isa, dtype, "gemm", PADDED)
    m, n, k = 2 * kernel.mr + 1, kernel.nr, 4 * kernel.lanes + 3
    A, B, C = draw(dtype, m, k), draw(dtype, k, n), draw(dtype, m, n)
    whole = kernel(A, B, C)
    assert bits(kernel(A, B, C, "columns")) == bits(whole)
    assert bits(kernel(A, B, C, "packed")) == bits(whole)
    for cut in range(k + 1):
        assert bits(kernel(A[:, cut:], B[cut:], kernel(A[:, :cut], B[:cut], C))) == bits(whole), f"k cut at {cut}"
    for i in range(m):
        assert bits(kernel(A[i:], B, C[i:])) == bits(whole[i:]), f"m cut at {i}"
    for j in range(n):
        assert bits(kernel(A, B[:, j:], C[:, j:])) == bits(whole[:, j:]), f"n cut at {j}"
    for i, j in itertools.product(range(m), range(n)):
        assert bits(kernel(A[i:i + 1], B[:, j:j + 1], C[i:i + 1, j:j + 1])) == bits(whole[i, j]), (i, j)


def test_gemm_reads_rows_in_an_order_of_their_own(isa, dtype):
    """At every height of a tile, some rows twice, others not at all, with the bits of rows that were gathered first."""
    kernel = Kernel(isa, dtype, "gemm", PADDED)
    rng = np.random.default_rng(5)
    heights, columns = [*range(2 * kernel.mr + 2), 5 * kernel.mr - 1], (kernel.lanes, kernel.lanes + 1, kernel.nr)
    for m, n, k in itertools.product(heights, columns, (0, 1, 5, 2 * kernel.lanes + 3)):
        A, B, C = draw(dtype, m + 3, k), draw(dtype, k, n), draw(dtype, m, n)
        index = rng.integers(0, m + 3, m)
        for start in (None, C):
            assert bits(kernel(A, B, start, index=index)) == bits(kernel(A[index], B, start)), (m, n, k)
        A, index = draw(dtype, m, k + 3), rng.integers(0, k + 3, k)
        for start in (None, C):
            want = kernel(A[:, index], B, start, "columns")
            assert bits(kernel(A, B, start, "columns", index=index)) == bits(want), (m, n, k)


def test_gemm_with_a_row_of_ones_adds_up_the_rows_of_b(isa, dtype):
    """At every height of a tile, and alone, with the bits of a product and a sum made apart."""
    kernel = Kernel(isa, dtype, "gemm", PADDED)
    heights, columns = [*range(1, 2 * kernel.mr + 2), 5 * kernel.mr - 1], (1, kernel.lanes, kernel.lanes + 1, kernel.nr)
    for m, n, k in itertools.product(heights, columns, (0, 1, 5, 2 * kernel.lanes + 3)):
        A, B, C = draw(dtype, m, k), draw(dtype, k, n), draw(dtype, m + 1, n)
        for start in (None, C):
            got = kernel(A, B, start, "columns", ones=True)
            above = None if start is None else start[:m]
            assert m == 0 or bits(got[:m]) == bits(kernel(A, B, above, "columns")), (m, n, k)
            assert bits(got[m]) == bits(in_order(B, None if start is None else start[m])), (m, n, k)


def test_gemm_has_the_same_bits_in_vectors_of_any_width(isa, dtype):
    """A plan takes narrow products from the narrower of two tables."""
    if narrow(isa) not in cpu.available():
        pytest.skip(f"{isa} makes all products itself")
    wide, half = Kernel(isa, dtype, "gemm", PADDED), Kernel(narrow(isa), dtype, "gemm", PADDED)
    for m, n, k in itertools.product((1, 5, 13, 30, 60), range(1, half.lanes + 1), (0, 1, 3, 8, 25)):
        A, B, C = draw(dtype, m, k), draw(dtype, k, n), draw(dtype, m, n)
        for how in ("rows", "columns", "packed"):
            assert bits(wide(A, B, C, how)) == bits(half(A, B, C, how)), (m, n, k, how)


@pytest.mark.parametrize("index", [None, np.array([4, 0, 3, 1, 2])], ids=["in order", "by index"])
def test_gemm_prefetches_lines_until_there_are_no_more(isa, dtype, index):
    """Rows of 130 bytes are three lines each; three tiles of two turns of four p ask for six, or for twelve."""
    kernel = Kernel(isa, dtype, "gemm", PADDED)
    A, B = draw(dtype, 3 * kernel.mr, 8), draw(dtype, 8, kernel.nr)
    rows = np.zeros((5, 130), np.uint8)
    for how, lines in itertools.product(("rows", "columns", "packed"), (1, 2)):
        prefetch = Prefetch(rows.ctypes.data, 130, None if index is None else index.ctypes.data, 5, 130, 0, 0, lines)
        places = []
        for _ in range(4):
            kernel(A, B, None, how, prefetch)
            places.append((prefetch.row, prefetch.at))
        assert places == [(min(5, 2 * lines * i), 0) for i in (1, 2, 3, 4)], how
