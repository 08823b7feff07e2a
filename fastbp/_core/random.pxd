from libc.stdint cimport int64_t, uint64_t

cdef void permute(int64_t *out, Py_ssize_t n, uint64_t key) noexcept nogil
