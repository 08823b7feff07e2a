"""How a kernel is compared with fastbp.reference: inputs of the kind that it takes, sizes around the vector's width.

A comparison is named after the kernel's signature: `compare` finds it.
"""

import inspect
import itertools

import numpy as np
from kernel_calls import PACKED, PADDED, bits, draw, in_order

from fastbp._core import cpu
from fastbp.reference import kernels as reference
from fastbp.reference import maps

ROWS = cpu.kernels(cpu.selected(), "float64")
NAMES = [name for name, *_ in ROWS]
LAYOUTS = (PACKED, PADDED)
# Each loss's own number, which is not its default: that might be built in.
PARAMS = {f"{name}_loss": 0.6 * function.__defaults__[0] for name in reference.LOSSES
          if (function := getattr(reference, f"{name}_loss")).__defaults__}
PARAMS |= {"huber_loss": 0.7, "cross_entropy_loss": 0.1, "cross_entropy_labels_loss": 0.1}
PARAMS |= {name.replace("_loss", "_missing_loss"): number for name, number in PARAMS.items() if "entropy" not in name}
SLOTS = cpu.updates()


def names(signature):
    return [name for name, of, *_ in ROWS if of == signature]


def reference_of(name):
    return getattr(maps, name, None) or getattr(reference, name, None)


def sizes(lanes, least=0):
    """Around one vector, around the unrolled loops of vectors (4 and 8), and never a multiple by chance."""
    return sorted({n for n in (0, 1, lanes - 1, lanes, lanes + 1, 4 * lanes + 3, 9 * lanes + 1) if n >= least})


def shapes_around(lanes):
    """(m, n) of elementwise kernels: every number of columns around the vector's width in few rows, and every number of
    rows in few columns, where rows are done as one."""
    found = [*itertools.product((0, 1, 2, 5), sizes(lanes)), *itertools.product(sizes(lanes), (1, 2))]
    return list(dict.fromkeys(found))


def exact(*arrays):
    return [np.asarray(a, dtype=np.float64) if np.asarray(a).dtype.kind == "f" else a for a in arrays]


def close(got, want, tolerance, magnitude=0.0):
    """magnitude: of the terms that `want` is a sum of, where they may cancel."""
    error, bound = np.abs(got - want), tolerance * (np.abs(want) + magnitude) + 1e-37
    if not (error < bound).all():  # NumPy's own words, which cost ten times the comparison
        np.testing.assert_array_less(error, bound)


def same(got, want):
    """Bit for bit, zeros' signs apart."""
    if not np.array_equal(got, want):
        np.testing.assert_array_equal(got, want)


def loss_case(name, dtype, m, n):
    """Y, T, w for a loss: targets of the kind it takes, for those that may miss some with gaps and a row of gaps."""
    Y, rng = draw(dtype, m, n), np.random.default_rng((m, n))
    T = draw(dtype, m, n, seed=1)
    if name == "cross_entropy_labels_loss":
        T = rng.integers(0, n, m).astype(np.int32)
    elif name == "cross_entropy_loss":
        T = np.abs(T) / np.abs(T).sum(axis=1, keepdims=True).clip(1e-6)
    elif name.startswith("binary_cross_entropy"):
        T = rng.random((m, n)).round(1).astype(dtype)
    elif name.startswith("poisson"):
        T = rng.integers(0, 5, (m, n)).astype(dtype)
    if "missing" in name:
        T[rng.random((m, n)) < 1 / 3] = np.nan
        T[m // 2 : m // 2 + 1] = np.nan
    return Y, T, rng.random(m).astype(dtype)


def update_case(name, dtype, n, scale=1.0):
    p, g = draw(dtype, n), draw(dtype, n, seed=1, scale=scale)
    state = [np.abs(draw(dtype, n, seed=2 + i)) + np.dtype(dtype).type(0.01) for i in range(SLOTS[name[:-7]])]
    if name != "rmsprop_update" and name != "adagrad_update" and state:
        state[0] *= np.sign(draw(dtype, n, seed=4))  # a momentum has both signs, a mean square has not
    return p, *[*state, None, None][:2], g


# ---- comparisons -----------------------------------------------------------------------------------------------------


def compare_gemm(kernel, ref, tolerance):
    columns = sorted({1, kernel.lanes - 1, kernel.lanes, kernel.lanes + 1, kernel.nr - 1, kernel.nr} - {0})
    heights = [*range(1, 2 * kernel.mr + 2), 5 * kernel.mr - 1]
    for m, n, k in itertools.product(heights, columns, sizes(kernel.lanes)):
        A, B, C = draw(kernel.dtype, m, k), draw(kernel.dtype, k, n), draw(kernel.dtype, m, n)
        for start, how in itertools.product((None, C), ("rows", "columns", "packed")):
            want = ref(*exact(A, B), start)
            close(kernel(A, B, start, how), want, tolerance, np.abs(A) @ np.abs(B) + 1)


def compare_pack_b(kernel, ref, tolerance):
    for k, n in itertools.product(sizes(kernel.lanes), [*sizes(kernel.lanes), 2 * kernel.nr]):
        B = draw(kernel.dtype, *((n, k) if kernel.name == "pack_b_transposed" else (k, n)))
        same(kernel(B), ref(B, kernel.nr))


def compare_pack_a(kernel, ref, tolerance):
    for m, k in itertools.product([*range(2 * kernel.mr + 2), 5 * kernel.mr - 1], sizes(kernel.lanes)):
        A = draw(kernel.dtype, m, k)
        for by_columns in (False, True):
            same(kernel(A, by_columns), ref(A, kernel.mr))


def compare_forward(kernel, ref, tolerance):
    for m, n in itertools.product(sizes(kernel.lanes), sizes(kernel.lanes, least=1 if "softmax" in kernel.name else 0)):
        Y, b = draw(kernel.dtype, m, n, scale=4), draw(kernel.dtype, n, seed=1)
        got, Z = kernel(Y, b)
        same(Z, Y + b)
        close(got, ref(exact(Z)[0]) if m else Z, tolerance, np.minimum(np.abs(Z), 1))
        same(kernel(Y, b, keep=False)[0], got)
        same(kernel(Y)[0], kernel(Y, b * 0)[0])


def compare_backward(kernel, ref, tolerance):
    forward = getattr(reference, kernel.name.replace("backward", "forward"))
    for m, n in itertools.product(sizes(kernel.lanes), sizes(kernel.lanes, least=1 if "softmax" in kernel.name else 0)):
        dY, V = draw(kernel.dtype, m, n, seed=1), draw(kernel.dtype, m, n, scale=4)
        if kernel.reads == "OUTPUT" and m:
            V = forward(exact(V)[0]).astype(kernel.dtype)
        got = kernel(dY, V)
        close(got, ref(*exact(dY, V)), tolerance, np.abs(dY))
        same(kernel(dY, V, place="dY"), got)
        same(kernel(dY, V, place="V"), got)


def compare_loss(kernel, ref, tolerance):
    param, least = PARAMS.get(kernel.name, 0.0), 1 if "cross_entropy_l" in kernel.name else 0
    for m, n in itertools.product(sizes(kernel.lanes), sizes(kernel.lanes, least)):
        Y, T, w = loss_case(kernel.name, kernel.dtype, m, n)
        value, dY = kernel(Y, T, w, 0.7, param)
        want, dwant = ref(*exact(Y, T, w), 0.7, param)
        close(value, want, tolerance, np.abs(Y).sum() + 1)
        close(dY, dwant, tolerance, w[:, None])
        assert kernel(Y, T, w, 0.7, param, gradient=False)[0] == value
        ones, (unweighted, dunweighted) = np.ones(m, kernel.dtype), kernel(Y, T, None, 0.7, param)
        close(unweighted, kernel(Y, T, ones, 0.7, param)[0], tolerance, np.abs(Y).sum() + 1)
        same(dunweighted, kernel(Y, T, ones, 0.7, param)[1])
        for place in ("Y",) if T.ndim == 1 else ("Y", "T"):
            again, placed = kernel(Y, T, w, 0.7, param, place=place)
            assert again == value
            same(placed, dY)


def compare_correct(kernel, ref, tolerance):
    """Of outputs among which some are equal; more in test_correct.py."""
    for m, n in itertools.product(sizes(kernel.lanes), sizes(kernel.lanes, least=kernel.name == "correct_labels")):
        rng = np.random.default_rng((m, n))
        Y, T = draw(kernel.dtype, m, n, scale=1).round(1), rng.random((m, n)).round(1).astype(kernel.dtype)
        T[rng.random((m, n)) < 1 / (3 + n)] = np.nan
        if kernel.name == "correct_labels":
            T = np.where(rng.random(m) < 0.5, Y.argmax(axis=1), rng.integers(0, n, m)).astype(np.int32)
        assert kernel(Y, T, 0.7) == ref(*exact(Y, T), 0.7)


def compare_update(kernel, ref, tolerance):
    plain = reference.Hyper(correction1=0.19, correction2=0.01)
    together = {"scale": 0.5, "limit": 0.8, "weight_decay": 0.03, "lr": 0.7}
    changes = ({}, {"scale": 0.5}, {"limit": 0.3}, {"weight_decay": 0.03}, together)
    for n, change in itertools.product(sizes(kernel.lanes), changes):
        h = plain._replace(**change)
        p, s0, s1, g = update_case(kernel.name, kernel.dtype, n)
        finite, *got = kernel(p, s0, s1, g, h)
        assert finite == 1
        want = ref(*(None if x is None else exact(x)[0] for x in (p, s0, s1, g)), h)
        for moved, expected in zip(got, want, strict=True):
            if expected is not None:
                close(moved, expected, tolerance, np.abs(g) + np.abs(p))
        if SLOTS[kernel.name[:-7]]:  # the first step: state is one product, and has all the digits of the dtype
            p, zero = np.ones(n, kernel.dtype), np.zeros(n, kernel.dtype)
            s0, s1 = (None if s is None else zero for s in (s0, s1))
            _, _, s0, s1 = kernel(p, s0, s1, g, plain)
            _, want0, want1 = ref(p, zero, zero, exact(g)[0], plain)
            close(s0, want0, tolerance / 10)
            close(zero if s1 is None else s1, want1, tolerance / 10)


def compare_reduce_partials(kernel, ref, tolerance):
    for slices, n in itertools.product((0, 1, 2, 3, 8, 13), sizes(kernel.lanes)):
        partials = draw(kernel.dtype, slices, n)
        close(kernel(partials), ref(exact(partials)[0]), tolerance, np.abs(partials).sum(axis=0))
        same(kernel(partials), in_order(partials))


def compare_reduce(kernel, ref, tolerance):
    for n in [*sizes(kernel.lanes), 70]:
        x = draw(kernel.dtype, n, scale=100)
        close(kernel(x), ref(exact(x)[0]), 1e-12)
        for i, bad in itertools.product(range(n), (np.nan, -np.inf, np.inf)):
            x[i], was = bad, x[i]
            same(kernel(x), ref(exact(x)[0]))
            x[i] = was


def compare_penalty(kernel, ref, tolerance):
    for n in [*sizes(kernel.lanes), 70]:
        W, g = draw(kernel.dtype, n), draw(kernel.dtype, n, seed=1)
        for l1, l2 in ((0.3, 0.7), (0.3, 0.0), (0.0, 0.7)):
            want, dwant = ref(exact(W)[0], l1, l2)
            value, got = kernel(W, l1, l2, g)
            close(value, want, 1e-12)
            close(got, g + dwant, tolerance, np.abs(g) + np.abs(dwant))
            assert kernel(W, l1, l2) == (value, None)


def compare_dropout(kernel, ref, tolerance):
    for (m, n), row, rate in itertools.product(
            itertools.product(sizes(kernel.lanes), [*sizes(kernel.lanes), 133]), (0, 2**32 - 2), (0.0, 0.3, 0.875)):
        X, key = draw(kernel.dtype, m, n), 0xFEDCBA9876543210
        got = kernel(X, row, key, rate)
        close(got, ref(exact(X)[0], row, key, rate), tolerance)
        same(kernel(X, row, key, rate, place="X"), got)


POSITIVE = {"log", "sqrt", "power", "variable_power", "divide"}  # other values: test_maps.py
POWERS = (0.0, 1.0, 2.0, 3.0, 7.0, -1.0, -4.0, 0.5, 2.5, -1.5)


def operands_of(name):
    return [key for key in inspect.signature(reference_of(name)).parameters if key in "ABC"]


def map_case(name, dtype, *shapes):
    cases = [draw(dtype, *shape, seed=seed) for seed, shape in enumerate(shapes)]
    if name in ("less", "less_equal", "equal"):
        cases = [x.round() for x in cases]
    return [np.abs(x) + x.dtype.type(0.1) for x in cases] if name in POSITIVE else cases


def compare_map(kernel, ref, tolerance):
    params = {"power": POWERS, "variable_power": (0.0, 1.0, 2.0)}.get(kernel.name)
    params = [{}] if params is None else [{"param": p} for p in params]
    count = len(operands_of(kernel.name))
    for m, n in shapes_around(kernel.lanes):
        shapes = dict.fromkeys([(m, n), (1, n), (m, 1), (1, 1)])
        for chosen, param in itertools.product(itertools.product(shapes, repeat=count), params):
            if np.broadcast_shapes(*chosen) != (m, n):
                continue
            operands = map_case(kernel.name, kernel.dtype, *chosen)
            got, want = kernel(*operands, **param), ref(*exact(*operands), **param)
            close(got, want, tolerance, sum(np.abs(x) for x in operands) if kernel.name == "multiply_add" else 0)
            for place in range(count):
                if chosen[place] == (m, n):
                    same(kernel(*operands, place=place, **param), got)


def compare_row_reduce(kernel, ref, tolerance):
    for m, n in itertools.product(sizes(kernel.lanes), [*sizes(kernel.lanes, least=1), 300]):
        A = draw(kernel.dtype, m, n)
        got = kernel(A)
        close(got, ref(exact(A)[0]), tolerance, np.abs(A).sum(axis=1))
        for i in range(m):
            same(kernel(A[i:i + 1]), got[i:i + 1])


def operand_pairs(kernel):
    """A and B (or None) that broadcast together, and the shape to which they do."""
    for m, n in shapes_around(kernel.lanes):
        for of_a, of_b in itertools.product(dict.fromkeys([(m, n), (1, n), (m, 1), (1, 1)]), repeat=2):
            if np.broadcast_shapes(of_a, of_b) == (m, n):
                yield draw(kernel.dtype, *of_a), draw(kernel.dtype, *of_b, seed=1), (m, n)
        yield draw(kernel.dtype, m, n), None, (m, n)


def product_size(A, B, shape):
    return np.abs(np.broadcast_to(A if B is None else A * B, shape))


def compare_sum_product(kernel, ref, tolerance):
    for A, B, shape in operand_pairs(kernel):
        s, wide = draw(kernel.dtype, shape[1], seed=2), [None if x is None else exact(x)[0] for x in (A, B)]
        magnitude = product_size(A, B, shape).sum(axis=0)
        close(kernel(A, B), ref(*wide), tolerance, magnitude)
        close(kernel(A, B, s), ref(*wide, exact(s)[0]), tolerance, magnitude + np.abs(s))
    several = [n for n in sizes(kernel.lanes) if n > 1]  # numbers of one column may be summed several at a time
    for m, n in itertools.product(sizes(kernel.lanes), [*several, 6 * kernel.lanes, 8 * kernel.lanes - 1]):
        A, s = draw(kernel.dtype, m, n), draw(kernel.dtype, n)
        for start in (None, s):
            same(kernel(A, s=start), in_order(A, start))


def compare_total(kernel, ref, tolerance):
    for A, B, shape in operand_pairs(kernel):
        want = ref(*(None if x is None else exact(x)[0] for x in (A, B)))
        close(kernel(A, B), want, tolerance, product_size(A, B, shape).sum())


def compare_embedding_lookup(kernel, ref, tolerance):
    for m, n in itertools.product((0, 1, 2, 11), sizes(kernel.lanes)):
        W, index = draw(kernel.dtype, 5, n), (np.arange(m) * 3 % 5).astype(np.int32)
        same(kernel(W, index), ref(W, index))


def numbers_of(kind, *shape):
    """Random numbers of a dtype, its extremes among them."""
    rng = np.random.default_rng(shape)
    if np.dtype(kind).kind != "f":
        info = np.iinfo(kind)
        return rng.integers(info.min, info.max, shape, kind, endpoint=True)
    values = draw(kind, *shape, scale=100)
    values.flat[3::7] = np.finfo(kind).tiny / 4
    values.flat[4::13] = min(float(np.finfo(kind).max), 3e38)
    return values


def compare_convert(kernel, ref, tolerance):
    kind = kernel.name.removeprefix("convert_")
    for m, n, scale in itertools.product((0, 1, 2, 11), [*sizes(kernel.lanes), 133], (1.0, 1 / 255)):
        source, index = numbers_of(kind, 7, n), np.arange(m) * 3 % 7
        for order in (None, index):
            got, want = kernel(source, order, scale), ref(source, order, kernel.dtype, scale)
            assert bits(got) == bits(want)


def compare_scatter(kernel, ref, tolerance):
    for m, n, (first, count) in itertools.product((0, 1, 2, 11), sizes(kernel.lanes), ((0, 5), (1, 3), (2, 0), (4, 1))):
        dW, dY = draw(kernel.dtype, count, n), draw(kernel.dtype, m, n, seed=1)
        index = (np.arange(m) * 3 % 5).astype(np.int32)
        same(kernel(dW, dY, index, first), ref(dW, dY, index, first))


def compare(kernel, name, tolerance):
    """The kernel of this name against its reference, by its signature."""
    globals()[f"compare_{kernel.signature}"](kernel, reference_of(name), tolerance)
