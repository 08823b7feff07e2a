from fastbp._core.program cimport Place, Program

cdef char *gradient_of(int index, const Program *program, const Place *at, bint kept) noexcept nogil
cdef void make_gradient(int index, char *g, Program *program, const Place *at) noexcept nogil
cdef void finish_gradient(int index, char *g, Program *program) noexcept nogil
cdef void update(int index, const char *g, Program *program, const double *hyper, bint pack) noexcept nogil
cdef void check_gradient(int index, Program *program) noexcept nogil
cdef double norm(const Program *program) noexcept nogil
