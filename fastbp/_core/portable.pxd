# Functions of single doubles with the same bits on every machine; csrc/portable.c says how.
from libc.stdint cimport uint64_t

cdef double power_of_log(double high, double low, double y) noexcept nogil
cdef double normal_of(uint64_t word) noexcept nogil
