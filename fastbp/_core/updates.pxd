from fastbp._core.program cimport Place, Program

# The penalty of a part [begin, begin + count) of the parameters.
cdef struct Penalty:
    Py_ssize_t begin, count
    double l1, l2

cdef double penalties_of(const char *params, Py_ssize_t item, const Penalty *penalties, int n) noexcept nogil
cdef char *gradient_of(int index, const Program *program, const Place *at, bint kept) noexcept nogil
cdef void make_gradient(int index, char *g, Program *program, const Place *at) noexcept nogil
cdef void finish_gradient(int index, char *g, Program *program, double factor) noexcept nogil
cdef void update(int index, const char *g, Program *program, const double *hyper, bint pack) noexcept nogil
cdef void check_gradient(int index, Program *program) noexcept nogil
cdef double norm(const Program *program) noexcept nogil
