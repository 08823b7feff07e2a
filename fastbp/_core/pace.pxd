# How many threads pay: a choice by what was measured, corrected within some ten milliseconds.
from fastbp._core.program cimport Pace

cdef int choose(Pace *pace, int team, double now) noexcept nogil
cdef Py_ssize_t stretch(const Pace *pace, int threads, Py_ssize_t left) noexcept nogil
cdef void note(Pace *pace, int threads, Py_ssize_t steps, double seconds, double now) noexcept nogil
