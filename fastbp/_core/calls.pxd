from fastbp._core.executor cimport Call
from fastbp._core.executable cimport Executable

cdef class Snapshot:
    cdef object model, optimizer, params, params_then, state, state_then, steps, draws, epochs
    cpdef restore(self)

cdef int count(owner, str name, Py_ssize_t more) except -1
cdef int prepare(Executable plan, Call *call, list arrays, optimizer, int first_op, int last_op, bint learns,
                 Py_ssize_t rows_needed) except -1
cdef int check_correct_counts(Executable plan, double[::1] correct_counts, Py_ssize_t steps) except -1
