"""What happens to one range of the parameter vector: gradient, penalty, norm, update."""
from libc.math cimport sqrt
from libc.string cimport memcpy, memset
cimport numpy as cnp
from fastbp._core.gemm cimport pack_rows
from fastbp._core.kernels cimport real
from fastbp._core.program cimport Place, Program, Range

cnp.import_array()


cdef char *gradient_of(int index, const Program *program, const Place *at, bint kept) noexcept nogil:
    """Address of the range's gradient: in `grads` where it is kept, or where the only slice has summed it there; else in the
    thread's scratch memory, which its ranges use in turn and which so stays in its cache."""
    cdef const Range *range_ = &program.ranges[index]
    if kept or (range_.partial is not NULL and program.slices == 1):
        return program.grads + range_.begin * program.item
    return program.scratch + at.thread * program.scratch_bytes


cdef void make_gradient(int index, char *g, Program *program, const Place *at) noexcept nogil:
    """g = the range's gradient: the slices' parts in their order, then what is summed over the whole batch, then what
    is batch-invariant."""
    cdef const Range *range_ = &program.ranges[index]
    cdef bint begun = range_.partial is not NULL
    cdef int i
    if begun and range_.partial != g:     # the sums of a single slice are the gradient
        program.reduce_partials(g, range_.partial, range_.slice_bytes // program.item, program.slices, range_.count)
    for i in range(range_.n_gradients):
        range_.gradients[i].drive(&range_.gradients[i], g, program.batch, at, begun)
        begun = True
    if range_.added is not NULL:
        if begun:
            program.add(g, range_.count, range_.added, 0, 1, g, 0, 1, NULL, 0, 0, 1, range_.count, 0)
        else:
            memcpy(g, range_.added, range_.count * program.item)
    elif not begun:
        memset(g, 0, range_.count * program.item)     # nothing but a penalty


cdef void finish_gradient(int index, char *g, Program *program, double factor) noexcept nogil:
    """Adds the penalty's gradient, times a factor, to g, and notes the penalty and, for clipping, the squared norm."""
    cdef const Range *range_ = &program.ranges[index]
    if program.penalised:
        program.penalties[index] = 0
        if range_.l1 != 0 or range_.l2 != 0:
            program.penalties[index] = program.penalty(g, program.params + range_.begin * program.item, range_.count,
                                                       factor * range_.l1, factor * range_.l2)
    if program.clip_norm > 0:
        program.squares[index] = program.sum_squares(g, range_.count)


cdef void check_gradient(int index, Program *program) noexcept nogil:
    """Notes whether the range's gradient is finite and, for clipping, its squared norm."""
    cdef const Range *range_ = &program.ranges[index]
    cdef const char *g = program.grads + range_.begin * program.item
    if not program.all_finite(g, range_.count):
        program.broken = True
    if program.clip_norm > 0:
        program.squares[index] = program.sum_squares(g, range_.count)


cdef double norm(const Program *program) noexcept nogil:
    """The norm of the whole gradient: every thread adds the same numbers in the same order."""
    cdef double total = 0
    cdef int i
    for i in range(program.n_ranges):
        total += program.squares[i]
    return sqrt(total)


cdef void update(int index, const char *g, Program *program, const double *hyper, bint pack) noexcept nogil:
    """Moves the range's parameters by one step against g. hyper (H_COUNT,). pack: there is a next step,
    whose packed weights are made here, piece by piece, while they are in the L2 cache."""
    cdef const Range *range_ = &program.ranges[index]
    cdef Py_ssize_t done = 0, count, offset
    cdef int packed = 0
    while done < range_.count:
        count = min(range_.piece, range_.count - done)
        offset = (range_.begin + done) * program.item
        if not program.update(program.params + offset, program.s0 + offset if program.s0 is not NULL else NULL,
                              program.s1 + offset if program.s1 is not NULL else NULL, g + done * program.item,
                              count, hyper):
            program.broken = True
        done += count
        while pack and packed < range_.n_packings and range_.packings[packed].end <= done:
            pack_rows(&range_.packings[packed])
            packed += 1


# ---- penalties by themselves, of an evaluation -----------------------------------------------------------------------


cdef double penalty_of(const real *W, Py_ssize_t n, double l1, double l2) noexcept nogil:
    """l1 * sum |W| + l2 * sum W^2, of W (n,)."""
    cdef double magnitudes = 0, squares = 0
    cdef Py_ssize_t i
    for i in range(n):
        magnitudes += abs(<double>W[i])
        squares += <double>W[i] * W[i]
    return l1 * magnitudes + l2 * squares


cdef double penalties_of(const char *params, Py_ssize_t item, const Penalty *penalties, int n) noexcept nogil:
    cdef double value = 0
    cdef const Penalty *part
    cdef int i
    for i in range(n):
        part = &penalties[i]
        if item == sizeof(float):
            value += penalty_of(<const float *>params + part.begin, part.count, part.l1, part.l2)
        else:
            value += penalty_of(<const double *>params + part.begin, part.count, part.l1, part.l2)
    return value


def penalty(params, list parts):
    """The penalties, a float, of [(begin, count, l1, l2), ...] of params (P,)."""
    cdef Penalty part
    cdef double value = 0
    for begin, size, l1, l2 in parts:
        if not 0 <= begin <= begin + size <= params.size:
            raise ValueError(f"a penalty is of [{begin}, {begin + size}), expected a part of {params.size} parameters")
        part = Penalty(begin, size, l1, l2)
        value += penalties_of(<const char *>cnp.PyArray_DATA(params), params.itemsize, &part, 1)
    return value
