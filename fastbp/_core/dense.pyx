"""Matrix products of the dense layer: drivers that cut them into tiles for the micro-kernel.

    forward            Y  (B, O) = activation(X (B, I) W (I, O) + b)
    input gradient     dX (B, I) = dZ (B, O) W^T
    weight gradient    dW (I, O) = X^T dZ,  db (O,) = sum of dZ over the batch

In every product the left operand is broadcast element by element and the right one is read by rows, in place or from
panels (copies, contiguous and as wide as a tile). Panels are made where W is read across its rows (the transpose), and
where it is too large to be read in place.
"""
from libc.stdint cimport int32_t
from libc.string cimport memset
from fastbp._core.kernels cimport fbp_forward, fbp_scatter, fbp_sum_product
from fastbp._core.program cimport Op, Packing, Place, RangeGradient, rows_of

cdef inline Py_ssize_t smaller(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return a if a < b else b


cdef void product(const Op *op, char *C, Py_ssize_t ldc, const char *A, Py_ssize_t rsa, Py_ssize_t csa, const char *B,
                  Py_ssize_t ldb, bint panels, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
                  bint accumulate) noexcept nogil:
    """C (m, n) = A (m, k) B (k, n), or += where `accumulate`. B in rows of `ldb`, or in panels of (k, nr). The micro-kernel
    and the sizes of its tiles are the operation's."""
    cdef Py_ssize_t item = op.item, nr = op.nr, tiles = (m + op.mr - 1) // op.mr
    cdef Py_ssize_t p, depth, j, i, t, rows
    cdef const char *b
    p = 0
    while p < k:
        depth = smaller(op.depth, k - p)
        j = 0
        while j < n:
            b = B + (j * k + p * nr) * item if panels else B + (p * ldb + j) * item
            i = 0
            for t in range(tiles):
                rows = (m - i) // (tiles - t)       # tiles of nearly equal height, none a thin remainder
                op.gemm(C + (i * ldc + j) * item, ldc, A + (i * rsa + p * csa) * item, rsa, csa, b, nr if panels else ldb,
                        rows, smaller(nr, n - j), depth, accumulate or p > 0)
                i += rows
            j += nr
        p += depth


# ---- over rows -----------------------------------------------------------------------------------------------------

cdef void dense(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = activation(x (rows, n_in) W + b); kept = what the activation was applied to, if wanted."""
    cdef char *Y = rows_of(op.out, at)
    cdef const char *X = rows_of(op.x, at)
    if op.panels is NULL:
        product(op, Y, op.out.ld, X, op.x.ld, 1, op.W, op.n_out, False, at.rows, op.n_out,
                op.n_in, False)
    else:
        product(op, Y, op.out.ld, X, op.x.ld, 1, op.panels, 0, True, at.rows, op.n_out,
                op.n_in, False)
    (<fbp_forward *>op.kernel)(Y, op.out.ld, rows_of(op.kept, at) if op.kept is not NULL else NULL,
                               op.kept.ld if op.kept is not NULL else 0, op.bias, at.rows, op.n_out)


cdef void input_gradient(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_in) = y (rows, n_out) W^T, W^T in panels that the thread packs itself where W is small."""
    cdef char *panels = op.panels + at.thread * op.panels_bytes
    if op.panels_bytes > 0 and at.opens_step:
        op.pack(panels, op.W, op.n_out, op.n_out, op.n_in)
    product(op, rows_of(op.out, at), op.out.ld, rows_of(op.y, at), op.y.ld, 1, panels, 0,
            True, at.rows, op.n_in, op.n_out, False)


cdef void weight_partial(const Op *op, const Place *at) noexcept nogil:
    """The slice's part of dW (n_in, n_out) += x (rows, n_in)^T y (rows, n_out)."""
    product(op, op.partial + at.slice_ * op.slice_bytes, op.partial_ld, rows_of(op.x, at), 1,
            op.x.ld, rows_of(op.y, at), op.y.ld, False, op.n_in, op.n_out, at.rows, not (op.begins and at.opens_slice))


# ---- over parameters -----------------------------------------------------------------------------------------------

cdef void weight_rows(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at,
                      bint accumulate) noexcept nogil:
    """out, rows [row, row + rows) of dW (n_in, n_out) = x (batch, n_in)^T y (batch, n_out).

    Both operands are read where they lie: their rows are padded, and copying them into panels first cost 2 % more than
    it saved.
    """
    cdef const Op *op = g.op
    product(op, out, op.n_out, rows_of(op.x, at) + g.row * op.item, 1, op.x.ld,
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


# ---- what is fixed ---------------------------------------------------------------------------------------------------

cdef void matmul(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = x (rows, n_in) y (n_in, n_out)."""
    product(op, op.out.base, op.out.ld, op.x.base, op.x.ld, 1, op.y.base, op.y.ld, False,
            op.fixed_rows, op.n_out, op.n_in, False)


cdef void pack_panel(const Packing *packing) noexcept nogil:
    """One panel of W, or of its transpose, into the copy that all threads share."""
    cdef const Op *op = packing.op
    cdef Py_ssize_t j = packing.panel
    cdef bint transposed = op.y is not NULL     # the input gradient reads y
    cdef Py_ssize_t k = op.n_out if transposed else op.n_in
    cdef Py_ssize_t n = op.n_in if transposed else op.n_out
    cdef const char *W = op.W + (j * op.n_out if transposed else j) * op.item
    op.pack(op.panels + j * k * op.item, W, op.n_out, k, smaller(op.nr, n - j))
