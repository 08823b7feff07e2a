from fastbp._core.program cimport Op, Place

cdef void convert(const Op *op, const Place *at) noexcept nogil
cdef void gather(const Op *op, const Place *at) noexcept nogil
cdef void ask(const Op *op, const Place *at) noexcept nogil
cdef void activation_gradient(const Op *op, const Place *at) noexcept nogil
cdef void dropout(const Op *op, const Place *at) noexcept nogil
cdef void loss(const Op *op, const Place *at) noexcept nogil
