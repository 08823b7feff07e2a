from fastbp._core.program cimport Op, Packing, Place, RangeGradient

cdef void dense(const Op *op, const Place *at) noexcept nogil
cdef void input_gradient(const Op *op, const Place *at) noexcept nogil
cdef void partial_weight_gradient(const Op *op, const Place *at) noexcept nogil
cdef void matmul(const Op *op, const Place *at) noexcept nogil
cdef void weight_rows(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at, bint accumulate) noexcept nogil
cdef void bias_columns(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at, bint accumulate) noexcept nogil
cdef void table_rows(const RangeGradient *g, char *out, Py_ssize_t batch, const Place *at, bint accumulate) noexcept nogil
cdef void pack_rows(const Packing *packing) noexcept nogil
