from fastbp._core.kernels cimport H_CONSTANTS, fbp_any, fbp_table, fbp_update
from fastbp._core.program cimport Op, Operand, Program, RangeGradient, Value

cdef struct Use:
    int value               # rows of the caller's, which the row operations first .. last read or write
    int first, last
    bint learns             # whether the gradients of ranges read them as well


cdef class Executable:
    cdef Program program
    cdef Value *values
    cdef int n_values
    cdef RangeGradient *gradients   # of all ranges
    cdef double *sums               # (sums, slices) losses and totals
    cdef readonly int team          # the largest team the arena has room for
    cdef readonly Py_ssize_t batch, nbytes, structs     # nbytes: of the arena; structs: bytes of what is beside it
    cdef char *base                 # of the arena, on a cache line
    cdef Py_ssize_t thread_bytes    # from one thread's own memory in the arena to the next one's
    cdef Py_ssize_t packed_a        # where in it there is room for MC rows of a left operand
    cdef char *partials             # slice 0's sums for the parameters, `slice_bytes` before the next slice's
    cdef char *extras               # slice 0's other sums, `extra_bytes` before the next slice's
    cdef Py_ssize_t size, slice_bytes, extra_bytes
    cdef object arena, params, grads
    cdef tuple places               # where slots, invariant values and packed weights begin in the arena
    cdef dict found                 # {kernel: its address}
    cdef Use *uses                  # of the caller's rows: none may be missing
    cdef int n_uses
    cdef int real                   # NumPy's number for the dtype
    cdef dict rows                  # {direct value: (numbers in a row, bytes of one)}
    cdef dict parts                 # {direct value: [(a part of it, offset), ...]}
    cdef object optimizer           # whose update it is that follows here
    cdef Py_ssize_t slots           # its vectors of state
    cdef long version               # of cpu's settings, then
    cdef double constants[H_CONSTANTS]
    cdef fbp_update *update
    cdef double clip_norm
    cdef list bound                 # the caller's arrays, kept alive while a call reads them
    cdef int _find_uses(self, program) except -1
    cdef void *_zeros(self, Py_ssize_t count, Py_ssize_t size) except NULL
    cdef int _allocate(self, program) except -1
    cdef Py_ssize_t _row_bytes(self, slot) except -1
    cdef Py_ssize_t _packed_b_bytes(self, operation) except -1
    cdef int _lay_out(self, program, const fbp_table *table) except -1
    cdef int _make_values(self, program) except -1
    cdef Value *_value(self, index) except? NULL
    cdef int _set_operand(self, Operand *place, operand) except -1
    cdef int _make_operations(self, program, const fbp_table *table) except -1
    cdef int _make_operation(self, Op *op, operation, const fbp_table *table) except -1
    cdef fbp_any *_find(self, const fbp_table *table, str name) except NULL
    cdef (char *, Py_ssize_t) _sum_at(self, Py_ssize_t number)
    cdef int _make_ranges(self, program) except -1
