"""The small operations of expressions: elementwise, reductions, rows of a table. Over rows, or over what is
batch-invariant.

A sample is `group` rows of n_out numbers for an elementwise operation; an invariant operation says its rows itself.
"""
from libc.stdint cimport int32_t
from libc.string cimport memset
from fastbp._core.kernels cimport (fbp_embedding_lookup, fbp_forward, fbp_map, fbp_reduce_partials, fbp_row_reduce,
                                   fbp_scatter, fbp_sum_product, fbp_total, put_real)
from fastbp._core.program cimport INVARIANT, Op, Operand, Place, Value, rows_of, units_of


cdef inline Py_ssize_t count_rows(const Op *op, const Place *at) noexcept nogil:
    return op.invariant_rows if op.invariant_rows > 0 else at.rows * op.group


cdef inline Py_ssize_t distance(const Op *op, const Value *value) noexcept nogil:
    """From one row of the operation to the next one, in elements."""
    return value.ld if value.mode == INVARIANT else value.ld // op.group


cdef inline Py_ssize_t row_step(const Op *op, const Operand *operand) noexcept nogil:
    return distance(op, operand.value) if operand.moves else 0


cdef inline const void *first_of(const Operand *operand, const Place *at) noexcept nogil:
    return rows_of(operand.value, at) if operand.value is not NULL else NULL


cdef void map_rows(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = the kernel's function of a, b and c, which are broadcast."""
    (<fbp_map *>op.kernel)(
        rows_of(op.out, at), distance(op, op.out), first_of(&op.a, at), row_step(op, &op.a), op.a.step,
        first_of(&op.b, at), row_step(op, &op.b) if op.b.value is not NULL else 0, op.b.step, first_of(&op.c, at),
        row_step(op, &op.c) if op.c.value is not NULL else 0, op.c.step, count_rows(op, at), op.n_out, op.param)


cdef void row_reduce(const Op *op, const Place *at) noexcept nogil:
    """out (rows, 1) = the kernel's function of each row of x (rows, n_out)."""
    (<fbp_row_reduce *>op.kernel)(rows_of(op.out, at), distance(op, op.out), rows_of(op.x, at), distance(op, op.x),
                                  count_rows(op, at), op.n_out)


cdef void activate(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = activation(x + b), in place or not, b being there or not; kept = x + b, if wanted."""
    cdef Py_ssize_t m = count_rows(op, at), ld = distance(op, op.out)
    cdef Py_ssize_t offset = at.unit * op.item, n = units_of(at, op.n_out)
    cdef char *Y = rows_of(op.out, at) + offset
    cdef const char *X = rows_of(op.x, at) + offset
    if X != Y:
        op.copy(Y, ld, X, distance(op, op.x), 1, NULL, 0, 0, NULL, 0, 0, m, n, 0)
    (<fbp_forward *>op.kernel)(Y, ld, rows_of(op.kept, at) + offset if op.kept is not NULL else NULL,
                               distance(op, op.kept) if op.kept is not NULL else 0,
                               op.bias + offset if op.bias is not NULL else NULL, m, n)


# ---- sums over the batch ---------------------------------------------------------------------------------------------


cdef void total(const Op *op, const Place *at) noexcept nogil:
    """Adds the block's sum of a (rows, n_out), or of a * b, to the slice's total."""
    cdef double value = op.scale * (<fbp_total *>op.kernel)(
        first_of(&op.a, at), row_step(op, &op.a), op.a.step, first_of(&op.b, at),
        row_step(op, &op.b) if op.b.value is not NULL else 0, op.b.step, at.rows, op.n_out)
    op.sums[at.slice_] = value if at.opens_slice else op.sums[at.slice_] + value


cdef void finish_total(const Op *op, const Place *at) noexcept nogil:
    """out, one number = the sum of the slices' totals, in their order."""
    cdef double value = 0
    cdef int i
    for i in range(op.slices):
        value += op.sums[i]
    put_real(op.out.base, op.item, value)


cdef void zero(const Op *op, const Place *at) noexcept nogil:
    """The slice's part of a sum (n_out,) = 0, for those that only add to it."""
    if at.opens_slice:
        memset(op.partial + at.slice_ * op.slice_bytes, 0, op.n_out * op.item)


cdef void batch_sum(const Op *op, const Place *at) noexcept nogil:
    """The slice's part of a sum (n_out,) += the sum of a (rows, n_out), or of a * b, over the rows."""
    (<fbp_sum_product *>op.kernel)(
        op.partial + at.slice_ * op.slice_bytes, first_of(&op.a, at), row_step(op, &op.a), op.a.step, first_of(&op.b, at),
        row_step(op, &op.b) if op.b.value is not NULL else 0, op.b.step, at.rows, op.n_out,
        not (op.begins and at.opens_slice))


cdef void reduce_partials(const Op *op, const Place *at) noexcept nogil:
    """out (n_out,) = the slices' parts of a sum, in the order of the slices."""
    (<fbp_reduce_partials *>op.kernel)(op.out.base, op.partial, op.slice_bytes // op.item, op.slices, op.n_out)


cdef void column_sum(const Op *op, const Place *at) noexcept nogil:
    """out (n_out,) = the sum of x (rows, n_out), invariant, over its rows."""
    (<fbp_sum_product *>op.kernel)(op.out.base, op.x.base, op.x.ld, 1, NULL, 0, 0, op.invariant_rows, op.n_out, False)


# ---- invariant matrices, and rows of them ----------------------------------------------------------------------------


cdef void transpose(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = the transpose of x (n_out, rows), invariant: a column of the output at a time."""
    cdef Py_ssize_t j
    for j in range(op.n_out):
        op.copy(op.out.base + j * op.item, op.out.ld, op.x.base + j * op.x.row_bytes, 1, 0, NULL, 0, 0, NULL, 0, 0,
                op.invariant_rows, 1, 0)


cdef void outer(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_in * n_out) = x (n_in, 1) y (1, n_out) of each sample, and c (n_in * n_out,) besides, where there is one.

    Written once, in the order of memory: it is the writing that takes the time.
    """
    cdef const char *x = rows_of(op.x, at)
    cdef const char *y = rows_of(op.y, at)
    cdef const char *c = <const char *>first_of(&op.c, at)
    cdef Py_ssize_t c_bytes = op.c.value.row_bytes if c is not NULL and op.c.moves else 0
    cdef char *out = rows_of(op.out, at)
    cdef Py_ssize_t i
    for i in range(at.rows):
        (<fbp_map *>op.kernel)(out + i * op.out.row_bytes, op.n_out, x + i * op.x.row_bytes, 1, 0, y + i * op.y.row_bytes, 0,
                               1, c + i * c_bytes if c is not NULL else NULL, op.n_out, 1, op.n_in, op.n_out, 0)


cdef void embedding_lookup(const Op *op, const Place *at) noexcept nogil:
    """out (rows, n_out) = the rows of W that x (rows,) names."""
    (<fbp_embedding_lookup *>op.kernel)(rows_of(op.out, at), op.out.ld, op.W, op.n_out,
                                        <const int32_t *>rows_of(op.x, at), at.rows,
                                        op.n_out)


cdef void scatter(const Op *op, const Place *at) noexcept nogil:
    """Row x[i] of the slice's part of a sum (n_in, n_out) += row i of y (rows, n_out)."""
    (<fbp_scatter *>op.kernel)(op.partial + at.slice_ * op.slice_bytes, op.n_out, rows_of(op.y, at), op.y.ld,
                               <const int32_t *>rows_of(op.x, at), 0, op.n_in, at.rows, op.n_out)
