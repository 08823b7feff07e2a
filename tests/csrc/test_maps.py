"""The kernels of expressions where they are more than their formula: special values, layouts, the order of sums.

That they agree with fastbp/reference/maps.py, broadcast, in place and at sizes around the vector's width, is in
test_kernels.py; how exact sin and cos are, in test_vecmath.py.
"""

import itertools

import numpy as np
import pytest
from kernel_calls import PACKED, PADDED, Kernel, bits, draw, in_order

from .kernel_comparisons import map_case, names, operands_of, reference_of, same

ENDS = [-np.inf, -2.5, -1.0, -0.0, 0.0, 0.75, 1.0, 3.0, np.inf, np.nan]


# ---- maps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names("map"))
def test_special_values(isa, dtype, name):
    """Every pair or triple of zeros, infinities, NaN and some numbers, with NumPy's answer."""
    count = len(operands_of(name))
    operands = [np.array([x], dtype) for x in np.array(list(itertools.product(ENDS, repeat=count)), dtype).T]
    powers = {"power": (0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 64.0, 0.5, -0.5), "variable_power": (0.0, 1.0, 2.0)}
    powers = powers.get(name, (None,))
    for power in powers:
        how = {} if power is None else {"param": power}
        with np.errstate(all="ignore"):
            want = reference_of(name)(*operands, **how)
        got = Kernel(isa, dtype, name)(*operands, **how)
        np.testing.assert_allclose(got, want, rtol=1e-5 if dtype == "float32" else 1e-13, atol=0, err_msg=f"{how}")


@pytest.mark.parametrize("name", ["abs", "copy", "sin"])
def test_zeros_keep_their_sign(isa, dtype, name):
    got = Kernel(isa, dtype, name)(np.array([[-0.0, 0.0]], dtype))
    assert list(np.signbit(got[0])) == {"abs": [False, False]}.get(name, [True, False])


@pytest.mark.parametrize("name", names("map"))
def test_an_element_does_not_depend_on_its_place(isa, dtype, name):
    """One element alone, in a row, in a column, in a column of a wider array, and broadcast gives the same bits."""
    kernel, strided = Kernel(isa, dtype, name), Kernel(isa, dtype, name, PADDED)
    how = {"param": {"power": 2.5, "variable_power": 1.0}[name]} if name.endswith("power") else {}
    n = 4 * kernel.lanes + 3
    operands = map_case(name, dtype, *[(1, n)] * len(operands_of(name)))
    whole = kernel(*operands, **how)
    columns = [x.reshape(n, 1) for x in operands]
    assert bits(kernel(*columns, **how)) == bits(whole)
    assert bits(strided(*columns, **how)) == bits(whole)
    for j in range(n):
        alone = [x[:, j:j + 1] for x in operands]
        assert bits(kernel(*alone, **how)) == bits(whole[:, j:j + 1]), j
    for constant in range(1, len(operands)):
        mixed = [x if i != constant else x[:, :1] for i, x in enumerate(operands)]
        spread = [np.ascontiguousarray(np.broadcast_to(x, (1, n))) for x in mixed]
        assert bits(kernel(*mixed, **how)) == bits(kernel(*spread, **how))


def test_many_narrow_rows(isa, dtype):
    """More of them than are copied at once; what is broadcast along them, and rows that do not touch."""
    n_of_rows = 1000
    for layout, n in itertools.product((PACKED, PADDED), (1, 2, 3, 7)):
        subtract, total = (Kernel(isa, dtype, name, layout) for name in ("subtract", "total"))
        A = draw(dtype, n_of_rows, n)
        for shape in ((n_of_rows, n), (1, n), (n_of_rows, 1), (1, 1)):
            B = draw(dtype, *shape, seed=1)
            same(subtract(A, B), A - B)
            same(subtract(B, A, place=1), B - A)
            want, size = (A.astype(float) * B).sum(), np.abs(A * B).sum()
            assert abs(total(A, B) - want) <= size * (1e-6 if dtype == "float32" else 1e-14)
    apart, A = Kernel(isa, dtype, "subtract", PADDED), draw(dtype, n_of_rows, 3)
    B, Z = draw(dtype, 1, 3), np.zeros((n_of_rows, 3), dtype)
    wide = np.pad(A, ((0, 0), (0, 2)), constant_values=np.nan)
    apart.function(Z.ctypes.data, 3, wide.ctypes.data, 5, 1, B.ctypes.data, 0, 1, None, 0, 0, n_of_rows, 3, 0.0)
    same(Z, A - B)


def test_a_column_may_have_either_column_stride(isa, dtype):
    """Where n is 1, csP is never multiplied with anything but 0."""
    kernel = Kernel(isa, dtype, "subtract")
    m = 4 * kernel.lanes + 3
    A, B, Z = draw(dtype, m), draw(dtype, m, seed=1), np.zeros(m, dtype)
    for csa, csb, rsb in itertools.product((0, 1), (0, 1), (0, 1)):
        kernel.function(Z.ctypes.data, 1, A.ctypes.data, 1, csa, B.ctypes.data, rsb, csb, None, 0, 0, m, 1, 0.0)
        same(Z, A - (B if rsb else B[0]))


def test_rows_of_the_output_may_be_apart(isa, dtype):
    """Though those of the operands touch, what lies between is left alone; a column's elements likewise."""
    kernel = Kernel(isa, dtype, "subtract")
    for m, n in itertools.product((1, 3, 4 * kernel.lanes + 3), repeat=2):
        A, B, Z = draw(dtype, m, n), draw(dtype, 1, 1, seed=1), np.full((m, n + 2), 7, dtype)
        kernel.function(Z.ctypes.data, n + 2, A.ctypes.data, n, 1, B.ctypes.data, 0, 0, None, 0, 0, m, n, 0.0)
        same(Z[:, :n], A - B)
        same(Z[:, n:], 7)


def test_powers_of_whole_numbers_are_products(isa, dtype):
    """x ** 3 is x * (x * x), of negative numbers too; x ** -2 is 1 / (x * x); beyond 64 it is exp and log."""
    kernel, x = Kernel(isa, dtype, "power"), draw(dtype, 1, 50)
    x[x == 0] = -1.5
    same(kernel(x, param=3.0), x * (x * x))
    same(kernel(x, param=-2.0), 1 / (x * x))
    same(kernel(x, param=0.0), np.ones_like(x))
    same(kernel(x, param=1.0), x)
    near_one = np.array([[-1.01, 1.01]], dtype)
    np.testing.assert_allclose(kernel(near_one, param=64.0), near_one.astype(float) ** 64, rtol=1e-5)
    assert list(np.isnan(kernel(near_one, param=65.0)[0])) == [True, False]


# ---- reductions ----------------------------------------------------------------------------------------------------


def test_row_max_and_logsumexp_of_infinities(isa, dtype):
    inf, nan = np.inf, np.nan
    rows = [[-inf, -inf], [inf, 0], [inf, -inf], [inf, inf], [nan, 1], [1, nan], [nan, inf], [-inf, nan], [-inf, 2],
            [1e30, -1e30]]
    largest = [-inf, inf, inf, inf, nan, nan, nan, nan, 2, 1e30]
    lanes = Kernel(isa, dtype, "row_max").lanes
    for n in sorted({2, 3, max(2, lanes), lanes + 2, 4 * lanes + 3}):
        for last in (False, True):
            A = np.array([[*row, *[row[0]] * (n - 2)] for row in rows], dtype)
            A = A[:, ::-1].copy() if last else A
            same(Kernel(isa, dtype, "row_max")(A), np.array(largest, dtype))
            with np.errstate(all="ignore"):
                want = reference_of("row_logsumexp")(A.astype(float))
            np.testing.assert_allclose(Kernel(isa, dtype, "row_logsumexp")(A), want, rtol=1e-6)


@pytest.mark.parametrize("name", names("row_reduce"))
def test_nan_in_any_column_is_seen(isa, dtype, name):
    kernel = Kernel(isa, dtype, name)
    for n in (1, kernel.lanes, kernel.lanes + 1, 4 * kernel.lanes + 3):
        for j in range(n):
            A = np.zeros((2, n), dtype)
            A[0, j] = np.nan
            assert list(np.isnan(kernel(A))) == [True, False], (n, j)


def test_logsumexp_neither_overflows_nor_vanishes(isa, dtype):
    kernel = Kernel(isa, dtype, "row_logsumexp")
    A = np.array([[1000, 1000], [-1000, -1000], [0, 1000], [3, -1000]], dtype)
    np.testing.assert_allclose(kernel(A), [1000 + np.log(2), -1000 + np.log(2), 1000, 3], rtol=1e-6)


def test_long_sums_lose_nothing_to_their_size(isa, dtype):
    """A lane that went on for long in float32 would not see a one beside its 2^24."""
    A = np.ones((1, 300000), dtype)
    A[0, 0] = 2.0**24
    for call in (A, A.T.copy()):
        assert abs(Kernel(isa, dtype, "total")(call) - (2.0**24 + 299999)) < 140
        assert abs(Kernel(isa, dtype, "total")(call, np.ones((1, 1), dtype)) - (2.0**24 + 299999)) < 140
    column = A.T.copy()
    assert abs(float(Kernel(isa, dtype, "sum_product")(column)[0]) - (2.0**24 + 299999)) < 140
    same(Kernel(isa, dtype, "row_sum")(A), Kernel(isa, dtype, "sum_product")(column))


def test_a_broadcast_infinity_does_not_meet_the_zeros_beyond_the_end(isa, dtype):
    kernel = Kernel(isa, dtype, "total")
    for n in (1, 2, kernel.lanes + 1, 4 * kernel.lanes + 3):
        assert kernel(np.ones((2, n), dtype), np.full((1, 1), np.inf, dtype)) == np.inf


def test_sums_over_rows_are_in_their_order(isa, dtype):
    sum_product = Kernel(isa, dtype, "sum_product")
    A = draw(dtype, 9, 9 * sum_product.lanes + 3)
    assert bits(sum_product(A)) == bits(in_order(A))
    assert bits(sum_product(A, np.ones((1, 1), dtype))) == bits(in_order(A))


def test_scatter_add_goes_in_order(isa, dtype):
    """Rows of one index are added first to last: another order rounds otherwise."""
    kernel, dY = Kernel(isa, dtype, "scatter_add"), draw(dtype, 30, 3)
    want = np.zeros((1, 3), dtype)
    for row in dY:
        want += row
    assert bits(kernel(np.zeros((1, 3), dtype), dY, np.full(30, 7, np.int32), 7)) == bits(want)
