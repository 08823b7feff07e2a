from fastbp._core.executor cimport Call
from fastbp._core.executable cimport Plan

cdef class State:
    cdef object model, optimizer, params, params_then, state, state_then, steps, draws, epochs
    cpdef restore(self)

cdef int count(owner, str name, Py_ssize_t more) except -1
cdef int prepare(Plan plan, Call *call, list arrays, optimizer, int first_op, int last_op, bint learns, Py_ssize_t reach) except -1
cdef int check_rights(Plan plan, double[::1] rights, Py_ssize_t steps) except -1
