from fastbp._core.executor cimport Call
from fastbp._core.plan cimport Plan

cdef int prepare_batches(Plan plan, Call *call, list arrays, order, Py_ssize_t first, Py_ssize_t epoch, double[::1] lr,
                         double[::1] losses, optimizer, dropout) except -1
