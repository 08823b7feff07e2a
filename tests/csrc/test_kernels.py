"""Every kernel of every table against fastbp.reference, at sizes around the vector's width.

A new row of kernels.def needs a reference of its name, and one of a new signature a comparison in kernel_comparisons.py
and a method of kernel_calls.Kernel: test_nothing_is_left_out is red until they exist.
"""

import itertools

import numpy as np
import pytest
from kernel_calls import PADDED, Kernel, Layout, bits, draw

from fastbp._core import cpu
from fastbp.reference import kernels as reference

from . import kernel_comparisons as comparisons
from .kernel_comparisons import (
    LAYOUTS,
    NAMES,
    PARAMS,
    ROWS,
    SLOTS,
    close,
    exact,
    loss_case,
    names,
    reference_of,
    sizes,
    update_case,
)


def test_nothing_is_left_out():
    for name, signature, *_ in ROWS:
        assert reference_of(name), f"{name} has no reference in fastbp/reference/kernels.py or maps.py"
        assert hasattr(Kernel, signature), f"tests/kernel_calls.py cannot call {name}: no signature {signature}"
        assert hasattr(comparisons, f"compare_{signature}"), f"{name} is not compared: no compare_{signature}"


def test_tables_of_one_build_are_the_same(isa, dtype):
    assert [row[:3] for row in cpu.kernels(isa, dtype)] == [row[:3] for row in ROWS]


@pytest.mark.parametrize("layout", LAYOUTS, ids=["packed", "padded"])
@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_reference(isa, dtype, name, layout, tolerance):
    kernel = Kernel(isa, dtype, name, layout)
    comparisons.compare(kernel, name, tolerance)


@pytest.mark.parametrize("only", range(3))
@pytest.mark.parametrize("name", names("forward") + names("backward") + names("dropout"))
def test_rows_of_which_one_operand_has_gaps(isa, dtype, name, only, tolerance, monkeypatch):
    """What is written as one long row, if all operands are that, is not where one of them is none."""
    monkeypatch.setattr(comparisons, "sizes", lambda lanes, least=0: (3, 2 * lanes + 1))
    comparisons.compare(Kernel(isa, dtype, name, Layout(pad=3, only=only)), name, tolerance)


@pytest.mark.smoke
@pytest.mark.parametrize("name", NAMES)
def test_the_isa_in_use_agrees_with_reference_at_a_few_sizes(name, monkeypatch):
    monkeypatch.setattr(comparisons, "sizes", lambda lanes, least=0: (1, 2 * lanes + 1))
    kernel = Kernel(cpu.selected(), "float32", name)
    comparisons.compare(kernel, name, 1e-5)


@pytest.mark.parametrize("name", names("forward") + names("backward") + names("loss"))
def test_bits_do_not_depend_on_the_place(isa, dtype, name):
    """One element alone, or for softmax one row, gives what it gives among others."""
    kernel = Kernel(isa, dtype, name)
    m, n = 3, 4 * kernel.lanes + 3
    rowwise = "softmax" in name or name.startswith("cross_entropy")
    if kernel.signature == "loss":
        Y, T, w = loss_case(name, dtype, m, n)
        whole = kernel(Y, T, w, 0.7, 0.3)[1]
    elif kernel.signature == "backward":
        Y, T, w = draw(dtype, m, n, scale=4), draw(dtype, m, n, seed=1), None
        whole = kernel(Y, T)
    else:
        Y, T, w = draw(dtype, m, n, scale=4), None, None
        whole = kernel(Y)[0]
    for i, j in itertools.product(range(m), range(1 if rowwise else n)):
        rows, columns = slice(i, i + 1), slice(None) if rowwise else slice(j, j + 1)
        y = Y[rows, columns].copy()
        t = None if T is None else T[rows].copy() if T.ndim == 1 else T[rows, columns].copy()
        part = kernel(y, t, w[rows].copy(), 0.7, 0.3)[1] if w is not None else kernel(y) if t is None else kernel(y, t)
        assert bits(part[0] if t is None else part) == bits(whole[rows, columns]), (i, j)


@pytest.mark.parametrize("name", names("update"))
def test_an_update_does_not_depend_on_the_place(isa, dtype, name):
    kernel = Kernel(isa, dtype, name)
    h = reference.Hyper(correction1=0.3, correction2=0.2, weight_decay=0.01, scale=0.9, limit=3)
    arrays = update_case(name, dtype, 4 * kernel.lanes + 3)
    _, *whole = kernel(*arrays, h)
    for i in range(len(arrays[0])):
        _, *part = kernel(*(None if x is None else x[i:i + 1] for x in arrays), h)
        for one, all_of_them in zip(part, whole, strict=True):
            assert one is None or bits(one) == bits(all_of_them[i:i + 1]), i


def test_dropout_does_not_depend_on_the_cut_of_rows(isa, dtype):
    kernel = Kernel(isa, dtype, "dropout")
    X = np.ones((7, 133), dtype)
    whole = kernel(X, 5, 99, 0.4)
    for i in range(7):
        assert bits(kernel(X[i:], 5 + i, 99, 0.4)) == bits(whole[i:])
    assert abs((whole == 0).mean() - 0.4) < 0.06
    assert not np.array_equal(whole, kernel(X, 5, 100, 0.4))


@pytest.mark.parametrize("name", names("update"))
def test_an_update_tells_what_is_not_finite(isa, dtype, name):
    """At every place, from the gradient, clipped or not; and eps = 0 beyond the end is nobody's NaN."""
    kernel = Kernel(isa, dtype, name, PADDED)
    for n, limit in itertools.product(sizes(kernel.lanes, least=1), (1.0, np.inf)):
        p, s0, s1, g = update_case(name, dtype, n)
        h = reference.Hyper(eps=0.0, limit=limit)
        g[g == 0] = 1
        assert kernel(p, s0, s1, g, h)[0] == 1
        for i in range(n):
            bad = g.copy()
            bad[i] = np.nan
            finite, moved, *_ = kernel(p, s0, s1, bad, h)
            assert finite == 0
            assert np.isnan(moved[i])
            broken = p.copy()
            broken[i] = np.inf
            assert kernel(broken, s0, s1, g, h)[0] == 0


@pytest.mark.parametrize("name", [name for name in names("update") if SLOTS[name[:-7]]])
def test_state_does_not_stay_among_the_denormals(isa, dtype, name):
    """Where a gradient has become 0, state decays to 0 and not to numbers that make every step slow."""
    kernel, tiny = Kernel(isa, dtype, name), np.finfo(dtype).tiny
    n = kernel.lanes + 1
    state = [np.full(n, tiny / 2, dtype) if slot < SLOTS[name[:-7]] else None for slot in range(2)]
    _, _, *after = kernel(np.ones(n, dtype), *state, np.zeros(n, dtype), reference.Hyper())
    for s in after:
        assert s is None or (s == 0).all()
    state = [None if s is None else np.full(n, 4 * tiny, dtype) for s in state]
    _, _, *after = kernel(np.ones(n, dtype), *state, np.zeros(n, dtype), reference.Hyper())
    for s in after:
        assert s is None or (s >= tiny).all()


def test_all_finite_knows_the_largest_and_the_smallest(isa, dtype):
    kernel, info = Kernel(isa, dtype, "all_finite"), np.finfo(dtype)
    assert kernel(np.array([info.max, info.min, info.tiny, info.smallest_subnormal, -0.0], dtype)) == 1


@pytest.mark.parametrize("name", names("loss"))
def test_a_loss_of_nan_is_nan(isa, dtype, name):
    """Promise 6: what stops being finite must be seen."""
    kernel = Kernel(isa, dtype, name)
    for n in sizes(kernel.lanes, least=1):
        Y, T, w = loss_case(name, dtype, 2, n)
        for j in range(n):
            bad = Y.copy()
            bad[1, j] = np.nan
            if "missing" in name and np.isnan(T[1, j]):  # which leaves it out, whatever it is
                T[1, j] = 1
            assert np.isnan(kernel(bad, T, w, 1.0, PARAMS.get(name, 0.0))[0]), (n, j)


@pytest.mark.parametrize("name", names("forward"))
def test_far_from_zero(isa, dtype, name):
    """Outputs that are finite come out finite: exp must not overflow inside."""
    kernel = Kernel(isa, dtype, name)
    Z = np.array([[-1e4, -700, -100, -50, -1, 0, 1, 20, 50, 60, 80]], dtype)
    if name != "exponential_forward":
        Z = np.append(Z, [[100, 700, 1e4]], axis=1).astype(dtype)
    tolerance = {"float32": 1e-5, "float64": 1e-12}[dtype]
    close(kernel(Z)[0], getattr(reference, name)(exact(Z)[0]), tolerance, 1e-30)


def test_every_half_is_converted_exactly(isa, dtype):
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(64, 1024)
    got, want = Kernel(isa, dtype, "convert_float16")(halves, None, 1.0), halves.astype(dtype)
    number = ~np.isnan(want)
    assert bits(got[number]) == bits(want[number])
    assert np.isnan(got[~number]).all()
