from fastbp._core.kernels cimport fbp_table
from fastbp._core.program cimport Op, Packing, Program, Task, Value

cdef class Plan:
    cdef Program program
    cdef Value *values
    cdef int n_values
    cdef readonly int team          # the largest team the arena has room for
    cdef readonly Py_ssize_t batch, nbytes
    cdef char *base                 # of the arena, on a cache line
    cdef object arena, params, grads
    cdef list bound                 # the caller's arrays, kept alive while a call reads them
    cdef int bind(self, int index, array) except -1
    cdef int _allocate(self, program) except -1
    cdef int _make_values(self, program) except -1
    cdef Value *_value(self, index) except? NULL
    cdef int _make_operations(self, program, const fbp_table *table) except -1
    cdef int _make_ranges(self, program) except -1
