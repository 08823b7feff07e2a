# The one owner of the kernel tables, of the choice of ISA and of the number of threads. Other modules cimport from here.
from libc.stdint cimport int64_t, uint64_t
from fastbp._core.kernels cimport fbp_any, fbp_table

cdef const fbp_table *table_for(int itemsize) except NULL
cdef const fbp_table *table_of_columns(int itemsize, Py_ssize_t columns) except NULL
cdef fbp_any *find(const fbp_table *table, str name) except NULL

cpdef long version() noexcept
cdef int team_limit(int wanted) except -1
cdef long process() noexcept nogil

cdef void gather_rows(void *out, Py_ssize_t out_stride, const void *source, Py_ssize_t source_stride,
                      const int64_t *index, Py_ssize_t m, Py_ssize_t row_bytes) noexcept nogil
cdef uint64_t threefry(uint64_t key, uint64_t counter) noexcept nogil
cdef void threefry_words(uint64_t *words, uint64_t key, uint64_t first, Py_ssize_t count) noexcept nogil
