from fastbp._core.executable cimport Executable

cdef int unbind(Executable plan) except -1
cdef int complete(Executable plan, int first_op, int last_op, bint learns) except -1
cdef int check_vectors(Executable plan, bint gradients, bint parameters) except -1
cdef bint is_written(Executable plan, const char *low, const char *high, bint gradients, bint parameters) noexcept
cdef Py_ssize_t bind(Executable plan, int index, array, bint gradients, bint parameters) except -1
cdef int place(Executable plan, int index, char *base, Py_ssize_t row_bytes, Py_ssize_t itemsize) except -1
