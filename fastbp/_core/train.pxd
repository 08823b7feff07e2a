from fastbp._core.executor cimport Call
from fastbp._core.plan cimport Plan

cdef class State:
    cdef object model, optimizer, params, params_then, state, state_then, steps, draws
    cpdef restore(self)

cdef int count(owner, str name, Py_ssize_t more) except -1
cdef object settle(Plan plan, Call *call, model, optimizer, State before)
cdef int prepare_batches(Plan plan, Call *call, list arrays, order, Py_ssize_t first, Py_ssize_t epoch, double[::1] lr,
                         double[::1] losses, model, optimizer, double[::1] rights=*) except -1
