from fastbp._core.program cimport Op, Place

cdef void map_rows(const Op *op, const Place *at) noexcept nogil
cdef void row_reduce(const Op *op, const Place *at) noexcept nogil
cdef void activate(const Op *op, const Place *at) noexcept nogil
cdef void total(const Op *op, const Place *at) noexcept nogil
cdef void finish_total(const Op *op, const Place *at) noexcept nogil
cdef void zero(const Op *op, const Place *at) noexcept nogil
cdef void batch_sum(const Op *op, const Place *at) noexcept nogil
cdef void reduce_partials(const Op *op, const Place *at) noexcept nogil
cdef void column_sum(const Op *op, const Place *at) noexcept nogil
cdef void transpose(const Op *op, const Place *at) noexcept nogil
cdef void outer(const Op *op, const Place *at) noexcept nogil
cdef void embedding_lookup(const Op *op, const Place *at) noexcept nogil
cdef void scatter(const Op *op, const Place *at) noexcept nogil
