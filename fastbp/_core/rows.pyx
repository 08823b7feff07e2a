"""Operations that need nothing but their own rows: gather, conversion, activation's derivative, dropout, loss."""
from libc.stdint cimport int64_t, uint64_t
from fastbp._core cimport cpu
from fastbp._core.kernels cimport fbp_prefetch, fbp_prefetch_ends, fbp_backward, fbp_convert, fbp_dropout, fbp_loss
from fastbp._core.program cimport LINE, Op, Place, rows_of, units_of


cdef void prefetch_next(const Op *op, const Place *at, Py_ssize_t item) noexcept nogil:
    """The rows of x, of elements of `item` bytes, that the next step reads here are prefetched: their first and last
    line at once, the lines between them by the GEMMs of this step."""
    cdef fbp_prefetch rows
    if op.prefetch and at.next >= 0 and at.order is not NULL:
        rows = fbp_prefetch(op.x.base, op.x.row_bytes, at.order + at.next + at.row, at.rows, op.n_out * item, 0, 0, 0)
        fbp_prefetch_ends(&rows)
        if rows.bytes > 2 * LINE:
            at.prefetch[0] = rows


cdef void gather_rows(const Op *op, const Place *at) noexcept nogil:
    """out (rows, width) = the rows of x, the caller's array, that `order` names."""
    cpu.gather_rows(rows_of(op.out, at), op.out.row_bytes, op.x.base, op.x.row_bytes, at.order + at.first + at.row,
                    at.rows, op.n_out * op.item)
    prefetch_next(op, at, op.item)


cdef void prefetch(const Op *op, const Place *at) noexcept nogil:
    """For rows that GEMMs read where they lie: nothing is copied, but the next step's are prefetched."""
    prefetch_next(op, at, op.item)


cdef void convert(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = scale * x, the caller's rows of another dtype, of n_in bytes an element: those `order` names,
    or as they lie, at any distance from each other."""
    cdef const int64_t *index = at.order + at.first + at.row if at.order is not NULL else NULL
    (<fbp_convert *>op.kernel)(rows_of(op.out, at), op.out.ld, rows_of(op.x, at) if index is NULL else op.x.base,
                               op.x.row_bytes, index, at.rows, op.n_out, op.scale)
    prefetch_next(op, at, op.n_in)


cdef void activation_gradient(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = y (rows, n_out) * activation'(x), x being the output or the input of the activation."""
    cdef Py_ssize_t m = op.invariant_rows if op.invariant_rows > 0 else at.rows * op.group, offset = at.unit * op.item
    (<fbp_backward *>op.kernel)(rows_of(op.out, at) + offset, op.out.ld // op.group, rows_of(op.y, at) + offset,
                                op.y.ld // op.group, rows_of(op.x, at) + offset, op.x.ld // op.group, m,
                                units_of(at, op.n_out))


cdef void dropout(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = x kept or zeroed by the step's mask; the same operation is its own derivative."""
    cdef uint64_t key = cpu.threefry(cpu.threefry(at.seed, at.draw), op.number)
    (<fbp_dropout *>op.kernel)(rows_of(op.out, at), op.out.ld, rows_of(op.x, at), op.x.ld, at.rows, op.n_out,
                               <uint64_t>at.row, key, op.param)


cdef void loss(const Op *op, const Place *at) noexcept nogil:
    """Adds the block's loss to the slice's sum; out (rows, n_out) = its gradient for the outputs x, unless NULL. Or its
    number of correct answers, whose kernels have the same arguments."""
    cdef double value = (<fbp_loss *>op.kernel)(
        rows_of(op.out, at) if op.out is not NULL else NULL, op.out.ld if op.out is not NULL else 0,
        rows_of(op.x, at), op.x.ld, rows_of(op.y, at), op.y.ld, rows_of(op.w, at) if op.w is not NULL else NULL,
        at.rows, op.n_out, op.scale, op.param)
    op.sums[at.slice_] = value if at.opens_slice else op.sums[at.slice_] + value
