"""The kernels of one table as Python functions of NumPy arrays, for the tests.

Every argument is copied into guarded memory: canaries before it, after it and between its rows, a leading dimension
and an alignment chosen by the layout. After the call the canaries and every input must be as they were.
"""

import ctypes
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastbp._core import cpu
from fastbp.reference import kernels as reference

ISAS = next(folder / "csrc/isa" for folder in Path(__file__).resolve().parents if (folder / "csrc/isa").is_dir())
LISTED = re.findall(r'^#include "(\w+)\.h"', (ISAS / "isas.def").read_text(), re.MULTILINE)  # best first


def said(isa, pattern):
    """What the header of an ISA says: the first group of the pattern, or None."""
    found = re.search(pattern, (ISAS / f"{isa}.h").read_text(), re.MULTILINE)
    return found and found[1]


def narrow(isa):
    """The ISA that narrow products of an ISA are made by, or None."""
    return said(isa, r'^#define NARROW "(\w+)"')


POINTER, SIZE, INT, DOUBLE, WORD = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int, ctypes.c_double, ctypes.c_uint64
MATRIX, OPERAND = [POINTER, SIZE], [POINTER, SIZE, SIZE]
SIGNATURES = {  # of fastbp.h: result, arguments
    "gemm": (None, [*MATRIX, POINTER, SIZE, SIZE, SIZE, POINTER, *MATRIX, POINTER, SIZE, SIZE, SIZE, INT, INT]),
    "pack_b": (None, [POINTER, *MATRIX, SIZE, SIZE]),
    "pack_a": (None, [POINTER, POINTER, SIZE, SIZE, SIZE, SIZE]),
    "forward": (None, [*MATRIX, *MATRIX, POINTER, SIZE, SIZE]),
    "backward": (None, [*MATRIX, *MATRIX, *MATRIX, SIZE, SIZE]),
    "loss": (DOUBLE, [*MATRIX, *MATRIX, *MATRIX, POINTER, SIZE, SIZE, DOUBLE, DOUBLE]),
    "correct": (DOUBLE, [*MATRIX, *MATRIX, *MATRIX, POINTER, SIZE, SIZE, DOUBLE, DOUBLE]),
    "update": (INT, [POINTER, POINTER, POINTER, POINTER, SIZE, POINTER]),
    "reduce_partials": (None, [POINTER, *MATRIX, SIZE, SIZE]),
    "reduce": (DOUBLE, [POINTER, SIZE]),
    "penalty": (DOUBLE, [POINTER, POINTER, SIZE, DOUBLE, DOUBLE]),
    "dropout": (None, [*MATRIX, *MATRIX, SIZE, SIZE, WORD, WORD, DOUBLE]),
    "map": (None, [*MATRIX, *OPERAND, *OPERAND, *OPERAND, SIZE, SIZE, DOUBLE]),
    "row_reduce": (None, [*MATRIX, *MATRIX, SIZE, SIZE]),
    "sum_product": (None, [POINTER, *OPERAND, *OPERAND, SIZE, SIZE, INT]),
    "total": (DOUBLE, [*OPERAND, *OPERAND, SIZE, SIZE]),
    "embedding_lookup": (None, [*MATRIX, *MATRIX, POINTER, SIZE, SIZE]),
    "convert": (None, [*MATRIX, *MATRIX, POINTER, SIZE, SIZE, DOUBLE]),
    "scatter": (None, [*MATRIX, *MATRIX, POINTER, SIZE, SIZE, SIZE, SIZE]),
}


class Prefetch(ctypes.Structure):
    """fbp_prefetch."""

    _fields_ = (("base", POINTER), ("stride", SIZE), ("index", POINTER), ("rows", SIZE), ("bytes", SIZE), ("row", SIZE),
                ("at", SIZE), ("lines", SIZE))


class Layout(NamedTuple):
    """pad: elements between rows. offset: elements by which every array is moved off its alignment. only: which of a
    call's arrays has the pad, None for all of them."""

    pad: int = 0
    offset: int = 0
    only: int | None = None


PACKED, PADDED = Layout(), Layout(pad=3, offset=1)
CANARY, MARGIN = 0xFF, 64  # all bits set is a NaN: what is read from outside shows in the result


def draw(dtype, *shape, scale=2.0, seed=0):
    """Normal numbers among which there are zeros of both signs: the caller's own copy of those drawn once."""
    return _drawn(np.dtype(dtype), shape, scale, seed).copy()


@cache
def _drawn(dtype, shape, scale, seed):
    values = np.random.default_rng((seed, *shape)).normal(0, scale, shape)
    values.flat[2::7], values.flat[5::11] = 0.0, -0.0
    return values.astype(dtype)


def bits(x):
    return np.ascontiguousarray(x).tobytes()


def in_order(A, s=None):
    """The sum (n,) of the rows of A (m, n), from the first to the last, added to s where given."""
    total = np.zeros(A.shape[1], A.dtype) if s is None else s.copy()
    for row in A:
        total += row
    return total


class Guarded:
    """values (n,) or (m, n) in the middle of canaries; `transposed` lays the columns out as rows."""

    def __init__(self, values, layout, output=False, transposed=False):
        rows = np.atleast_2d(values.T if transposed else values)
        self.ld = rows.shape[1] + layout.pad
        self.start = MARGIN + layout.offset
        self.rows, self.shape, self.output = rows.shape, values.shape, output
        self.memory = np.empty(self.start + rows.shape[0] * self.ld + MARGIN, rows.dtype)
        self.memory.view(np.uint8).fill(CANARY)
        self.inside(self.memory)[...] = rows
        self.pointer = self.memory[self.start:].ctypes.data
        self.before = self.memory.copy()

    def inside(self, memory):
        """The view of `memory` where the values lie."""
        rows, columns = self.rows
        return memory[self.start : self.start + rows * self.ld].reshape(rows, self.ld)[:, :columns]

    @property
    def values(self):
        return self.inside(self.memory).reshape(self.shape).copy()

    def check(self):
        now, before = self.memory, self.before
        if self.output:
            now = now.copy()
            self.inside(now)[...] = 0
            self.inside(before)[...] = 0
        assert now.tobytes() == before.tobytes(), f"the kernel wrote outside its {'output' if self.output else 'rows'}"


class Call:
    """Wraps the arguments of one call of a kernel, and checks all of them after it."""

    def __init__(self, layout):
        self.layout, self.arrays = layout, []

    def input(self, values, **how):
        alone = self.layout.only not in (None, len(self.arrays))
        self.arrays.append(Guarded(values, self.layout._replace(pad=0) if alone else self.layout, **how))
        return self.arrays[-1]

    def output(self, values):
        return self.input(values, output=True)

    def operand(self, values, m, n, output=False):
        """The pointer and the strides of values (m, n), where m and n may be 1 instead; None: no operand."""
        if values is None:
            return None, (None, 0, 0)
        array = self.input(values, output=output)
        rows, columns = values.shape
        return array, (array.pointer, 0 if rows < m else array.ld, 0 if columns < n else 1)

    def check(self):
        for array in self.arrays:
            array.check()


class Kernel:
    """One row of a table. Its call is the method named after its signature."""

    def __init__(self, isa, dtype, name, layout=PACKED):
        row = next(row for row in cpu.kernels(isa, dtype) if row[0] == name)
        self.name, self.signature, self.reads, address = row
        self.dtype, self.layout = np.dtype(dtype), layout
        self.lanes, self.mr, self.nr = cpu.tile(isa, dtype)
        result, arguments = SIGNATURES[self.signature]
        self.function = ctypes.CFUNCTYPE(result, *arguments)(address)

    def __call__(self, *arguments, **how):
        return getattr(self, self.signature)(*arguments, **how)

    def empty(self, *shape):
        """An output before the call: NaN, so that an element which is not written is seen."""
        return np.full(shape, np.nan, self.dtype)

    def gemm(self, A, B, C=None, how="rows", prefetch=None, index=None, ones=False):
        """A (m, k), B (k, n), C (m, n) to accumulate in. how A lies: in "rows", in "columns", or "packed". prefetch: an
        Prefetch, that of B's rows for packed A. index: which of A's rows, or columns, are multiplied.
        ones: A has one more row, of ones, which is not in memory."""
        (m, k), n = A.shape, B.shape[1]
        if index is not None:
            index = np.ascontiguousarray(index, np.int64)
            m, k = (m, len(index)) if how == "columns" else (len(index), k)
        m += ones
        call = Call(self.layout)
        out = call.output(self.empty(m, n) if C is None else C)
        b = call.input(B)
        if how == "packed":
            a = call.input(reference.pack_a(A, self.mr).astype(self.dtype).reshape(-1))
            strides = (1, self.mr, self.mr * k)
        else:
            a = call.input(A, transposed=how == "columns")
            strides = (1, a.ld, 0) if how == "columns" else (a.ld, 1, 0)
        if how == "packed" and prefetch is None:
            prefetch = Prefetch(b.pointer, b.ld * self.dtype.itemsize, None, k, n, 0, 0, 3)
        prefetch = None if prefetch is None else ctypes.byref(prefetch)
        index = None if index is None else index.ctypes.data_as(ctypes.c_void_p)
        self.function(
            out.pointer, out.ld, a.pointer, *strides, index, b.pointer, b.ld, prefetch, m, n, k, C is not None, ones
        )
        call.check()
        return out.values

    def pack_b(self, B):
        """B (k, n), or (n, k) for pack_b_transposed."""
        k, n = B.shape[::-1] if self.name == "pack_b_transposed" else B.shape
        call = Call(self.layout)
        out, b = call.output(self.empty(-(-n // self.nr) * k * self.nr)), call.input(B)
        self.function(out.pointer, b.pointer, b.ld, k, n)
        call.check()
        return out.values.reshape(-(-n // self.nr), k, self.nr)

    def pack_a(self, A, by_columns=False):
        """A (m, k); by_columns: A lies transposed in memory."""
        m, k = A.shape
        call = Call(self.layout)
        out, a = call.output(self.empty(-(-m // self.mr) * k * self.mr)), call.input(A, transposed=by_columns)
        self.function(out.pointer, a.pointer, *((1, a.ld) if by_columns else (a.ld, 1)), m, k)
        call.check()
        return out.values.reshape(-1, k, self.mr) if k else out.values.reshape(-(-m // self.mr), 0, self.mr)

    def forward(self, Y, b=None, keep=True):
        """Y (m, n), b (n,) or None; returns (Y, Z), Z being None unless `keep`."""
        call = Call(self.layout)
        y = call.output(Y)
        z = call.output(self.empty(*Y.shape)) if keep else None
        bias = None if b is None else call.input(b).pointer
        self.function(y.pointer, y.ld, z.pointer if keep else None, z.ld if keep else 0, bias, *Y.shape)
        call.check()
        return y.values, z.values if keep else None

    def backward(self, dY, V, place=None):
        """dY, V (m, n); place: "dY" or "V" to overwrite that one. Returns dZ."""
        call = Call(self.layout)
        dy, v = call.input(dY, output=place == "dY"), call.input(V, output=place == "V")
        out = {"dY": dy, "V": v}.get(place) or call.output(self.empty(*dY.shape))
        self.function(out.pointer, out.ld, dy.pointer, dy.ld, v.pointer, v.ld, *dY.shape)
        call.check()
        return out.values

    def loss(self, Y, T, w=None, scale=1.0, param=0.0, place=None, gradient=True):
        """Y (m, n), T (m, n) or labels (m,), w (m,) or None; place: "Y" or "T" to overwrite. Returns (value, dY)."""
        call = Call(self.layout)
        y, t = call.input(Y, output=place == "Y"), call.input(T, output=place == "T")
        out = {"Y": y, "T": t}.get(place) or (call.output(self.empty(*Y.shape)) if gradient else None)
        weights = None if w is None else call.input(w).pointer
        value = self.function(out and out.pointer, out.ld if out else 0, y.pointer, y.ld, t.pointer, t.ld, weights,
                              *Y.shape, scale, param)
        call.check()
        return value, out and out.values

    def correct(self, Y, T, scale=1.0):
        """Y (m, n), T (m, n) or labels (m,)."""
        call = Call(self.layout)
        y, t = call.input(Y), call.input(T)
        value = self.function(None, 0, y.pointer, y.ld, t.pointer, t.ld, None, *Y.shape, scale, 0.0)
        call.check()
        return value

    def update(self, p, s0, s1, g, h):
        """p, g (n,), s0, s1 (n,) or None, h a Hyper. Returns (finite, p, s0, s1)."""
        call = Call(self.layout)
        moved = [None if x is None else call.output(x) for x in (p, s0, s1)]
        h = np.array(h, dtype=np.float64)
        finite = self.function(*(x and x.pointer for x in moved), call.input(g).pointer, len(p), h.ctypes.data)
        call.check()
        return finite, *(x and x.values for x in moved)

    def reduce_partials(self, partials):
        """partials (slices, n)."""
        call = Call(self.layout)
        out, a = call.output(self.empty(partials.shape[1])), call.input(partials)
        self.function(out.pointer, a.pointer, a.ld, *partials.shape)
        call.check()
        return out.values

    def reduce(self, x):
        call = Call(self.layout)
        value = self.function(call.input(x).pointer, len(x))
        call.check()
        return value

    def penalty(self, W, l1, l2, g=None):
        """W (n,), g (n,) to add the gradient to, or None. Returns (value, g)."""
        call = Call(self.layout)
        out = None if g is None else call.output(g)
        value = self.function(out and out.pointer, call.input(W).pointer, len(W), l1, l2)
        call.check()
        return value, out and out.values

    def dropout(self, X, row, key, rate, place=None):
        """X (m, n); place "X" to overwrite it."""
        call = Call(self.layout)
        x = call.input(X, output=place == "X")
        out = x if place == "X" else call.output(self.empty(*X.shape))
        self.function(out.pointer, out.ld, x.pointer, x.ld, *X.shape, row, key, rate)
        call.check()
        return out.values

    def map(self, *operands, param=0.0, place=None):
        """1 to 3 operands that broadcast to (m, n); place: the number of the one to overwrite."""
        m, n = np.broadcast_shapes(*(x.shape for x in operands))
        call = Call(self.layout)
        arrays, arguments = zip(*(call.operand(x, m, n, i == place) for i, x in enumerate([*operands, None, None][:3])),
                                strict=True)
        out = call.output(self.empty(m, n)) if place is None else arrays[place]
        self.function(out.pointer, out.ld, *sum(arguments, ()), m, n, param)
        call.check()
        return out.values

    def row_reduce(self, A):
        """A (m, n), n >= 1; returns (m,)."""
        call = Call(self.layout)
        out, a = call.output(self.empty(len(A), 1)), call.input(A)
        self.function(out.pointer, out.ld, a.pointer, a.ld, *A.shape)
        call.check()
        return out.values[:, 0]

    def sum_product(self, A, B=None, s=None):
        """A and B or A alone broadcast to (m, n), s (n,) to accumulate in."""
        m, n = np.broadcast_shapes(*(x.shape for x in (A, B) if x is not None))
        call = Call(self.layout)
        (_, a), (_, b) = call.operand(A, m, n), call.operand(B, m, n)
        out = call.output(self.empty(n) if s is None else s)
        self.function(out.pointer, *a, *b, m, n, s is not None)
        call.check()
        return out.values

    def total(self, A, B=None):
        m, n = np.broadcast_shapes(*(x.shape for x in (A, B) if x is not None))
        call = Call(self.layout)
        (_, a), (_, b) = call.operand(A, m, n), call.operand(B, m, n)
        value = self.function(*a, *b, m, n)
        call.check()
        return value

    def embedding_lookup(self, W, index):
        """W (rows, n), index (m,) of int32."""
        call = Call(self.layout)
        out, w = call.output(self.empty(len(index), W.shape[1])), call.input(W)
        self.function(out.pointer, out.ld, w.pointer, w.ld, call.input(index).pointer, len(index), W.shape[1])
        call.check()
        return out.values

    def scatter(self, dW, dY, index, first):
        """dW (count, n), dY (m, n), index (m,) of int32."""
        call = Call(self.layout)
        out, dy = call.output(dW), call.input(dY)
        self.function(out.pointer, out.ld, dy.pointer, dy.ld, call.input(index).pointer, first, len(dW), *dY.shape)
        call.check()
        return out.values

    def convert(self, source, index, scale):
        """source (rows, n) of the kernel's own dtype, index (m,) of int64, or None for all rows as they lie."""
        m, n = len(source) if index is None else len(index), source.shape[1]
        call = Call(self.layout)
        out, x = call.output(self.empty(m, n)), call.input(source)
        order = None if index is None else call.input(index).pointer
        self.function(out.pointer, out.ld, x.pointer, x.ld * source.itemsize, order, m, n, scale)
        call.check()
        return out.values
