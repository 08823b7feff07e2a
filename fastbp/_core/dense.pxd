from fastbp._core.program cimport Op, Packing, Place, Program, Task

cdef void dense(const Op *op, const Place *at) noexcept nogil
cdef void input_gradient(const Op *op, const Place *at) noexcept nogil
cdef void weight_partial(const Op *op, const Place *at) noexcept nogil
cdef void bias_partial(const Op *op, const Place *at) noexcept nogil
cdef void weight_rows(const Task *task, const Program *program, const Place *at) noexcept nogil
cdef void bias_columns(const Task *task, const Program *program, const Place *at) noexcept nogil
cdef void pack_panel(const Packing *packing) noexcept nogil
