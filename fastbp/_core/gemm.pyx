"""Matrix products of the dense layer: drivers that cut them into tiles for the micro-kernel.

    forward            Y  (B, O) = activation(X (B, I) W (I, O) + b)
    input gradient     dX (B, I) = dZ (B, O) W^T
    weight gradient    dW (I, O) = X^T dZ,  db (O,) = sum of dZ over the batch

In every product C = A B, A is broadcast element by element and B is read by rows, in place or packed: a copy in tiles
of NR columns, each contiguous. B is packed where W is read across its rows (the transpose), and where it is too large
to be read in place. The A of a wide product is packed in tiles of MR rows, MC rows at a time, as each is read once for
every NR columns of B.
"""
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset
from fastbp._core.kernels cimport fbp_prefetch, fbp_forward, fbp_scatter, fbp_sum_product
from fastbp._core.program cimport LINE, Op, Packing, Place, RangeGradient, index_of, rows_of, units_of

cdef inline Py_ssize_t smaller(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b


cdef inline Py_ssize_t parts(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    """How many parts of at most `most` n is cut into."""
    return (n + most - 1) // most


cdef void product(const Op *op, const Place *at, char *C, Py_ssize_t ldc, const char *A, Py_ssize_t rsa, Py_ssize_t csa,
                  const int64_t *index, const char *B, Py_ssize_t ldb, bint packed, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
                  bint accumulate) noexcept nogil:
    """C (m, n) = A (m, k) B (k, n), or += where `accumulate`. A in rows in an order of their own where index is not NULL (see
    fbp_gemm); B in rows of `ldb`, or packed in tiles of (k, nr).

    What multiplies and packs, and the sizes MC, KC, MR and NR, are the operation's.
    """
    cdef Py_ssize_t item = op.item, row = ldb * item, step = op.nr * item, p = 0, i, j, kb
    cdef const char *b
    cdef fbp_prefetch *prefetch = prefetch_budget(op, at, m, n, k, csa != 1)
    if packed:
        ldb, row, step = op.nr, op.b_row, op.b_tile
    while p < k:
        kb, i, j, b = smaller(op.kc, k - p), 0, 0, B + p * row
        if op.pack_a is not NULL:
            while i < m:
                packed_product(op, at, C + i * ldc * item, ldc, A + i * rsa * item, rsa, csa, b, ldb, row, step,
                               smaller(op.mc, m - i), n, kb, accumulate or p > 0)
                i += op.mc
        else:
            while j < n:
                op.gemm(C + j * item, ldc, A, rsa, csa, 0, index, b, ldb, prefetch, m, smaller(op.nr, n - j), kb,
                        accumulate or p > 0, op.ones)
                b += step
                j += op.nr
        p += kb
        if index is not NULL and csa != 1:
            index += kb
        else:
            A += kb * csa * item


cdef inline fbp_prefetch *prefetch_budget(const Op *op, const Place *at, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
                                          bint everything) noexcept nogil:
    """The prefetch cursor of this GEMM, or NULL. Its budget are the lines of the next step's rows that are not prefetched
    yet: all of them (everything), or half, which leaves the rest to the weight gradient of the same rows. They are spread
    evenly over the product (Zen 4, digits16: 0.78 of the time of bursts from doubles, 0.95 from floats)."""
    cdef Py_ssize_t left
    if not op.prefetch:    # always so for invariant operations, whose `at` has no prefetch cursor
        return NULL
    left = (at.prefetch.rows - at.prefetch.row) * parts(at.prefetch.bytes, LINE)
    if left == 0:
        return NULL
    at.prefetch.lines = parts(left if everything else left // 2, prefetch_calls(op, m, n, k))
    return at.prefetch


cdef inline Py_ssize_t prefetch_calls(const Op *op, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k) noexcept nogil:
    """How often gemm prefetches lines: every four p of each tile; those of one vector are twice as high."""
    return parts(m, op.mr if 2 * n > op.nr else 2 * op.mr) * parts(n, op.nr) * parts(k, 4)


cdef void packed_product(const Op *op, const Place *at, char *C, Py_ssize_t ldc, const char *A, Py_ssize_t rsa,
                         Py_ssize_t csa, const char *B, Py_ssize_t ldb, Py_ssize_t row, Py_ssize_t step, Py_ssize_t m,
                         Py_ssize_t n, Py_ssize_t kb, bint accumulate) noexcept nogil:
    """C (m, n) = or += A (m, kb) B (kb, n), A packed here, m <= mc. B's rows are `row` bytes apart. While nr columns of B are
    read, the next ones, `step` bytes further, are prefetched."""
    cdef Py_ssize_t item = op.item, j = 0
    cdef char *packed_a = op.packed_a + at.thread * op.packed_a_bytes
    cdef fbp_prefetch coming
    memset(&coming, 0, sizeof(coming))
    coming.stride, coming.rows, coming.bytes = row, kb, smaller(row, step)     # of nr columns, packed or in place
    coming.lines = parts(kb * parts(coming.bytes, LINE), prefetch_calls(op, m, op.nr, kb))
    op.pack_a(packed_a, A, rsa, csa, m, kb)
    while j < n:
        coming.base, coming.row, coming.at = B + step, 0, 0
        op.gemm(C, ldc, packed_a, 1, op.mr, op.mr * kb, NULL, B, ldb, &coming, m, smaller(op.nr, n - j), kb, accumulate,
                False)
        B += step
        C += op.nr * item
        j += op.nr


# ---- over rows -----------------------------------------------------------------------------------------------------

cdef inline Py_ssize_t packed_at(const Op *op, const Place *at) noexcept nogil:
    """Bytes of packed B before the task's units: whole tiles."""
    return at.unit // op.nr * op.b_tile if at.unit > 0 else 0     # a division is 3 % of a step of XOR


cdef void dense(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = activation(x (rows, n_in) W + b); kept = what the activation was applied to, if wanted. Without
    activation and bias where there is no kernel."""
    cdef Py_ssize_t offset = at.unit * op.item, n = units_of(at, op.n_out)
    cdef char *Y = rows_of(op.out, at) + offset
    cdef const char *X = rows_of(op.x, at)
    cdef bint packed = op.packed_b is not NULL
    product(op, at, Y, op.out.ld, X, op.x.ld, 1, index_of(op.x, at),
            op.packed_b + packed_at(op, at) if packed else op.W + offset, op.n_out, packed, at.rows, n, op.n_in,
            False)
    if op.kernel is not NULL:
        (<fbp_forward *>op.kernel)(Y, op.out.ld, rows_of(op.kept, at) + offset if op.kept is not NULL else NULL,
                                   op.kept.ld if op.kept is not NULL else 0,
                                   op.bias + offset if op.bias is not NULL else NULL, at.rows, n)


cdef void input_gradient(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_in) = y (rows, n_out) W^T, W^T packed, by the thread itself where W is small."""
    cdef char *packed_b = op.packed_b + at.thread * op.packed_b_bytes
    if op.packed_b_bytes > 0 and at.opens_step:
        op.pack_b(packed_b, op.W, op.n_out, op.n_out, op.n_in)
    product(op, at, rows_of(op.out, at) + at.unit * op.item, op.out.ld, rows_of(op.y, at), op.y.ld, 1, NULL,
            packed_b + packed_at(op, at), 0, True, at.rows, units_of(at, op.n_in), op.n_out, False)


cdef void partial_weight_gradient(const Op *op, const Place *at) noexcept nogil:
    """The slice's part of dW (n_in, n_out) += x (rows, n_in)^T y (rows, n_out), and that of the sum of y below it, if wanted."""
    product(op, at, op.partial + at.slice_ * op.slice_bytes, op.partial_ld, rows_of(op.x, at), 1, op.x.ld,
            index_of(op.x, at), rows_of(op.y, at), op.y.ld, False, op.n_in + op.ones, op.n_out, at.rows,
            not (op.begins and at.opens_slice))


# ---- over parameters -----------------------------------------------------------------------------------------------

cdef void weight_rows(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at,
                      bint accumulate) noexcept nogil:
    """out, rows [row, row + rows) of dW (n_in, n_out) = x (batch, n_in)^T y (batch, n_out).

    Both operands are read where they lie: their rows are padded, and packing them first cost 2 % more than
    it saved.
    """
    cdef const Op *op = g.op
    product(op, at, out, op.n_out, rows_of(op.x, at) + g.row * op.item, 1, op.x.ld, index_of(op.x, at),
            rows_of(op.y, at), op.y.ld, False, g.rows, op.n_out, batch, accumulate)


cdef void bias_columns(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at,
                       bint accumulate) noexcept nogil:
    """out, columns [row, row + rows) of db (n_out,) = the sum of y (batch, n_out) over its rows."""
    (<fbp_sum_product *>g.op.kernel)(out, rows_of(g.op.y, at) + g.row * g.op.item, g.op.y.ld, 1, NULL, 0, 0, batch, g.rows,
                                     accumulate)


cdef void table_rows(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at,
                     bint accumulate) noexcept nogil:
    """out, rows [row, row + rows) of a table's gradient (n_in, n_out): row x[i] += row i of y (batch, n_out)."""
    cdef const Op *op = g.op
    if not accumulate:
        memset(out, 0, g.rows * op.n_out * op.item)
    (<fbp_scatter *>op.kernel)(out, op.n_out, rows_of(op.y, at), op.y.ld, <const int32_t *>rows_of(op.x, at), g.row, g.rows,
                               batch, op.n_out)


# ---- what is batch-invariant -----------------------------------------------------------------------------------------

cdef void matmul(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = x (rows, n_in) y (n_in, n_out)."""
    product(op, at, op.out.base, op.out.ld, op.x.base, op.x.ld, 1, NULL, op.y.base, op.y.ld, False,
            op.invariant_rows, op.n_out, op.n_in, False)


cdef void pack_rows(const Packing *packing) noexcept nogil:
    """Some rows of W in the copy of it, or of its transpose, that all threads read."""
    cdef const Op *op = packing.op
    cdef bint transposed = op.y is not NULL     # the input gradient reads y
    cdef const char *W = op.W + packing.row * op.n_out * op.item
    cdef char *tile = op.packed_b + packing.row * op.b_row
    cdef Py_ssize_t j = 0
    if transposed:      # whole tiles: they begin at multiples of nr
        op.pack_b(op.packed_b + packing.row // op.nr * op.b_tile, W, op.n_out, op.n_out, packing.rows)
        return
    while j < op.n_out:
        op.pack_b(tile, W + j * op.item, op.n_out, packing.rows, smaller(op.nr, op.n_out - j))
        tile += op.b_tile
        j += op.nr
