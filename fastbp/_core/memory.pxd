cdef bint is_as_made(object array, int real, Py_ssize_t rows, Py_ssize_t size, bint written) noexcept
cdef bint meets(const char *low, const char *high, const char *begin, Py_ssize_t size) noexcept
