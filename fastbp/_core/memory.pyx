"""The vectors that networks and optimizers share with their users: memory that stays where it is, and a look at whether the
array over it is still what it was made as.

A user may write numbers into such an array. NumPy also lets him give it another shape or dtype, or make it read-only: that
changes the array, not the memory, and whoever reads the memory by its address must look first.
"""
from cpython.buffer cimport PyBuffer_FillInfo
cimport numpy as cnp
from fastbp._core.kernels cimport itemsize_of
from fastbp._core.program cimport LINE

import math

import numpy as np

from fastbp._core.shown import shown

cnp.import_array()


cdef class Memory:
    """`size` zero bytes that begin a cache line. They stay as long as an array lies in them: an array's own memory could be
    resized, and would move away from those who know its address."""

    cdef object owner
    cdef char *begin
    cdef Py_ssize_t size

    def __cinit__(self, Py_ssize_t size):
        cdef size_t begin
        self.owner, self.size = np.zeros(size + LINE, np.uint8), size
        begin = <size_t>cnp.PyArray_DATA(self.owner)
        self.begin = <char *>(begin + (LINE - begin % LINE) % LINE)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.begin, self.size, 0, flags)


def aligned_zeros(shape, dtype):
    """np.zeros whose first element begins a cache line. NumPy's own large arrays begin 16 bytes after one, and then every
    vector as wide as a line is read from two."""
    size = math.prod(shape) if isinstance(shape, tuple) else shape
    return np.ndarray(shape, dtype, buffer=Memory(size * np.dtype(dtype).itemsize))


cdef bint is_as_made(object array, int real, Py_ssize_t rows, Py_ssize_t size, bint written) noexcept:
    """Whether this is an array (size,), or (rows, size) where rows > 0, of the NumPy type `real`, one number after another,
    and, if it is written, writable."""
    cdef cnp.ndarray one
    if not cnp.PyArray_CheckExact(array):
        return False
    one = array
    if cnp.PyArray_TYPE(one) != real or not cnp.PyArray_ISCARRAY_RO(one) or (written and not cnp.PyArray_ISWRITEABLE(one)):
        return False
    if rows > 0:
        return cnp.PyArray_NDIM(one) == 2 and cnp.PyArray_DIM(one, 0) == rows and cnp.PyArray_DIM(one, 1) == size
    return cnp.PyArray_NDIM(one) == 1 and cnp.PyArray_DIM(one, 0) == size


def not_as_made(name, array, shape, dtype):
    """The error for such an array that its user has changed."""
    if type(array) is not np.ndarray:
        return ValueError(f"{name} is {shown(array)}, expected an array of shape {shape} and dtype {dtype}; leave it as it was")
    still = "" if array.flags.writeable else ", read-only"
    return ValueError(
        f"{name} is an array of shape {array.shape} and dtype {array.dtype}{still}, expected what it was made as: shape {shape}, "
        f"dtype {dtype}, writable, one number after another; change nothing but its numbers, or set it back"
    )


def check_made(name, array, shape, dtype, bint written=True):
    """Refuses an array that is not (any more) one of `shape`, (size,) or (rows, size), and np.dtype `dtype`, one number after
    another, and, if it is written, writable."""
    cdef int real = cnp.NPY_FLOAT32 if itemsize_of(dtype) == sizeof(float) else cnp.NPY_FLOAT64
    if not is_as_made(array, real, shape[0] if len(shape) == 2 else 0, shape[len(shape) - 1], written):
        raise not_as_made(name, array, tuple(shape), dtype)


cdef bint meets(const char *low, const char *high, const char *begin, Py_ssize_t size) noexcept:
    """Whether bytes [low, high) and the `size` bytes at `begin` have any in common."""
    return low < begin + size and begin < high
