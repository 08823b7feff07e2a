from fastbp._core.program cimport Op, Place

cdef void convert(const Op *op, const Place *at) noexcept nogil
cdef void gather_rows(const Op *op, const Place *at) noexcept nogil
cdef void prefetch(const Op *op, const Place *at) noexcept nogil
cdef void activation_gradient(const Op *op, const Place *at) noexcept nogil
cdef void dropout(const Op *op, const Place *at) noexcept nogil
cdef void loss(const Op *op, const Place *at) noexcept nogil
