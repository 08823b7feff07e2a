"""Functions of float64 numbers whose bits do not depend on the C library, on NumPy, on the compiler or on the CPU.

What enters trained parameters is computed with these: normal initial values, the rates of schedules, and the powers in
Adam's corrections. csrc/portable.c holds them and says why.
"""
from libc.stdint cimport uint64_t

import numpy as np

cdef extern from "fastbp.h" nogil:
    double fbp_log(double x, double *low) noexcept
    double fbp_power_of_log(double high, double low, double y) noexcept
    double fbp_power(double x, double y) noexcept
    double fbp_cos_pi(double x) noexcept
    double fbp_normal(uint64_t word) noexcept


cdef double power_of_log(double high, double low, double y) noexcept nogil:
    """x^y, where high + low = log(x)."""
    return fbp_power_of_log(high, low, y)


cdef double normal_of(uint64_t word) noexcept nogil:
    """A standard normal number of the upper 53 of 64 random bits."""
    return fbp_normal(word)


def log(double x):
    """(high, low): the logarithm of x >= 0 as the sum of two floats, of which high is the nearest; of 0 -inf and 0."""
    cdef double low
    cdef double high = fbp_log(x, &low)
    return high, low


def power(double x, y):
    """x^y for 0 <= x <= 1 and y >= 0, an array of float64 of any shape; float64 of that shape. 0^0 is 1."""
    values = np.array(y, np.float64, order="C")
    cdef double[::1] v = values.reshape(-1)
    cdef Py_ssize_t i
    cdef double low
    cdef double high = fbp_log(x, &low)
    with nogil:
        for i in range(v.shape[0]):
            v[i] = fbp_power_of_log(high, low, v[i])
    return values


def cos_pi(x):
    """cos(pi x) for 0 <= x <= 1, an array of float64 of any shape; float64 of that shape. Exact at 0, 1/2 and 1."""
    values = np.array(x, np.float64, order="C")
    cdef double[::1] v = values.reshape(-1)
    cdef Py_ssize_t i
    with nogil:
        for i in range(v.shape[0]):
            v[i] = fbp_cos_pi(v[i])
    return values
