"""The arrays of a call: bound to the values of an executable for as long as it lasts, and looked at again before that.

They were checked when they came; their owner, or another thread, may have changed them since. What is refused here is refused
before anything is written.
"""
cimport numpy as cnp
from fastbp._core.executable cimport Executable, Use
from fastbp._core.memory cimport is_as_made, meets
from fastbp._core.program cimport Program, Value

from .memory import not_as_made

cnp.import_array()


cdef int unbind(Executable plan) except -1:
    """Forgets the arrays of the last call."""
    cdef int i
    for i in range(plan.n_uses):
        plan.values[plan.uses[i].value].base = NULL
    plan.bound.clear()
    return 0


cdef int complete(Executable plan, int first_op, int last_op, bint learns) except -1:
    """Refuses a call whose operations would read or write rows that no array was given for."""
    cdef int i
    cdef Use *use
    for i in range(plan.n_uses):
        use = &plan.uses[i]
        if plan.values[use.value].base is NULL and (
                (use.first < last_op and use.last >= first_op) or (learns and use.learns)):
            raise ValueError(f"value {use.value} of the plan has no array, expected one for each that the call reads "
                             "or writes; pass it")
    return 0


cdef int check_vectors(Executable plan, bint gradients, bint parameters) except -1:
    """Refuses a call where the array over the gradients, or the parameters, is not what it was made as, and writable if the
    call writes them."""
    if not is_as_made(plan.grads, plan.real, 0, plan.size, gradients) or cnp.PyArray_DATA(plan.grads) != plan.program.grads:
        raise not_as_made("grads", plan.grads, (plan.size,), f"float{8 * plan.program.item}")
    if not is_as_made(plan.params, plan.real, 0, plan.size, parameters) or (
            cnp.PyArray_DATA(plan.params) != plan.program.params):
        raise not_as_made("params", plan.params, (plan.size,), f"float{8 * plan.program.item}")
    return 0


cdef bint is_written(Executable plan, const char *low, const char *high, bint gradients, bint parameters) noexcept:
    """Whether some of the bytes [low, high) lie in what a call writes that makes gradients, or new parameters, and with
    them the optimizer's state."""
    cdef Program *p = &plan.program
    cdef Py_ssize_t size = plan.size * p.item
    if gradients and meets(low, high, p.grads, size):
        return True
    return parameters and (meets(low, high, p.params, size) or (p.s0 is not NULL and meets(low, high, p.s0, size)) or (
        p.s1 is not NULL and meets(low, high, p.s1, size)))


cdef Py_ssize_t bind(Executable plan, int index, array, bint gradients, bint parameters) except -1:
    """Value `index` is the rows of `array` (n, width) or (n,), until the call ends; returns n. gradients, parameters: what
    the call writes. What a plan counts on is looked at again: the array's owner may have changed its shape or dtype."""
    cdef cnp.ndarray given = array
    cdef Py_ssize_t width, item, n, between, past
    cdef char *begin = <char *>cnp.PyArray_DATA(given)
    width, item = plan.rows[index]
    n = cnp.PyArray_DIM(given, 0) if cnp.PyArray_NDIM(given) > 0 else 0
    if n == 0 or cnp.PyArray_ITEMSIZE(given) != item or not cnp.PyArray_ISALIGNED(given) or not (
            (cnp.PyArray_NDIM(given) == 1 and width == 1) or (
                cnp.PyArray_NDIM(given) == 2 and cnp.PyArray_DIM(given, 1) == width and (
                    width == 1 or cnp.PyArray_STRIDE(given, 1) == item))):
        raise ValueError(
            f"data has become an array of shape {array.shape} and dtype {array.dtype}, expected rows of {width} numbers of "
            f"{item} bytes, as when it was checked; give it back its shape and dtype, or pass a copy of it")
    between = cnp.PyArray_STRIDE(given, 0) if n > 1 else width * item    # a single row may have any stride
    past = between * (n - 1)
    if is_written(plan, begin + min(past, 0), begin + max(past, 0) + width * item, gradients, parameters):
        raise ValueError(
            f"data of shape {array.shape} lies in params, grads or the optimizer's state, which this call writes while it "
            "reads them, expected memory of its own; pass a copy of it")
    place(plan, index, begin, between, item)
    plan.bound.append(array)
    return n


cdef int place(Executable plan, int index, char *base, Py_ssize_t row_bytes, Py_ssize_t itemsize) except -1:
    """Value `index`, and what is a part of it, are the rows at `base`, row_bytes apart: any distance, 0 and back too."""
    cdef Value *value = &plan.values[index]
    cdef Value *part
    value.base, value.row_bytes, value.ld = base, row_bytes, row_bytes // itemsize
    if plan.parts:
        for i, offset in plan.parts.get(index, ()):
            part = &plan.values[<int>i]
            part.base = base + <Py_ssize_t>offset * itemsize
            part.row_bytes, part.ld = value.row_bytes, value.ld
    return 0
