"""A call that is ready to go: arrays that are as they must be are checked, bound and run in a microsecond.

A plan of small work is over before Python has looked at a shape. `Ready` looks at arrays in C, and says None where one of
them is anything but what the plan reads as it lies: then the caller takes the long way, which casts, and explains.
"""
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset
cimport numpy as cnp
from fastbp._core cimport cpu
from fastbp._core.binding cimport check_vectors, is_written, place
from fastbp._core.executor cimport Call, start
from fastbp._core.executable cimport Executable
from fastbp._core.program cimport Program
from fastbp._core.calls cimport count

import numpy as np

cnp.import_array()

cdef extern from *:
    """
    /* 1 where *owner was `expected` and is `wanted` now; no other thread came between. */
    static int fastbp_replace(long *owner, long expected, long wanted)
    {
        return __atomic_compare_exchange_n(owner, &expected, wanted, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    static long fastbp_owner(const long *owner) { return __atomic_load_n(owner, __ATOMIC_ACQUIRE); }
    static void fastbp_release(long *owner) { __atomic_store_n(owner, 0, __ATOMIC_RELEASE); }
    """
    int fastbp_replace(long *owner, long expected, long wanted) nogil
    long fastbp_owner(const long *owner) nogil
    void fastbp_release(long *owner) nogil

cdef enum:
    MOST = 16

MOST_ARRAYS = MOST  # of one call

cdef struct Spec:
    int index               # of the plan's value
    Py_ssize_t width
    int limit               # integers below this, or 0 for reals
    bint scanned            # whether NaN and infinity are looked for
    int32_t *labels         # (batch,) of its own: integers are checked in a copy, which their owner cannot change


cdef class ExclusiveUse:
    """`with` it, one thread of Python at a time: a second one gets a RuntimeError with this message, not a race.

    An atomic word, which holds with and without the interpreter's lock; a lock of the library costs 0.6 us.
    What another thread had taken before a fork is free in the child, where that thread is not. It may have been amid an
    update: then the parameters and the optimizer's state are of two steps, some of one, some of the next.
    """

    cdef long taken     # the process of the thread that has it, or 0
    cdef str message

    def __init__(self, str message):
        self.message = message

    cdef bint take(self) noexcept:
        """Whether nobody had it; then the caller has."""
        cdef long owner = fastbp_owner(&self.taken), process = cpu.process()
        return owner != process and fastbp_replace(&self.taken, owner, process)

    def __enter__(self):
        if not self.take():
            raise RuntimeError(self.message)

    def __exit__(self, kind, value, traceback):
        fastbp_release(&self.taken)

    def call(self, function, *arguments):
        """function(*arguments), exclusively. All of it is C's, so that nothing that a signal's handler raises can come
        between the function's end and this one's, as it might at the end of a `with` statement."""
        self.__enter__()
        try:
            return function(*arguments)
        finally:
            fastbp_release(&self.taken)


def use_all(dict uses, function, *arguments):
    """function(*arguments), alone with each of {name: ExclusiveUse}. Where one of them is taken: its RuntimeError, with
    its name."""
    cdef ExclusiveUse use
    cdef list taken = []
    try:
        for name, use in uses.items():
            if not use.take():
                raise RuntimeError(f"{name}: {use.message}")
            taken.append(use)
        return function(*arguments)
    finally:
        for use in taken:
            fastbp_release(&use.taken)


cdef class Ready:
    """One pass of a plan, of `plan.batch` rows.

    plan: a fastbp._core.executable.Executable; names, specs: of each array of the call its name and (value, width, limit,
    scanned), limit 0 for reals of the plan's dtype, else for integers from 0 to limit - 1; part: (first operation, last
    operation or -1, whether gradients are made); team: threads. The caller sees to it that nobody else runs the plan.
    """

    cdef Executable plan
    cdef Spec specs[MOST]
    cdef int count, first_op, last_op, team, real
    cdef bint learns
    cdef tuple names
    cdef object labels              # int32 (arrays, batch), copies of integers
    cdef readonly object owner      # what the caller wants to find here
    cdef readonly long version      # of cpu's settings, when this was made

    def __init__(self, Executable plan, names, specs, part, int team, owner):
        cdef int32_t[:, ::1] rows
        cdef int i
        if len(specs) > MOST:
            raise ValueError(f"a call has {len(specs)} arrays, expected at most {MOST}")
        self.plan, self.team, self.owner, self.count = plan, min(team, plan.team), owner, <int>len(specs)
        self.first_op, self.last_op, self.learns = part
        self.version, self.names = cpu.version(), tuple(names)
        self.real = cnp.NPY_FLOAT32 if plan.program.item == sizeof(float) else cnp.NPY_FLOAT64
        self.labels = rows = np.empty((len(specs), plan.batch), np.int32)
        for i, spec in enumerate(specs):
            self.specs[i] = Spec(spec[0], spec[1], spec[2], spec[3], &rows[i, 0])
        bound = {spec[0] for spec in specs}
        for i in range(plan.n_uses):  # before any call: afterwards nobody looks
            if plan.uses[i].value not in bound:
                raise ValueError(f"value {plan.uses[i].value} of the plan has no array, expected one for each; name it too")

    def run(self, tuple arrays, model=None):
        """The loss of one pass over these arrays (0.0 where the plan has none), or None where they are not of the kind, or
        where the loss is not finite. model: whose next masks are drawn, and counted, unless the answer is None."""
        cdef int i
        if self.version != cpu.version() or len(arrays) != self.count:
            return None
        for i in range(self.count):
            if not self._bind(arrays[i], &self.specs[i]):
                return None
        return self._pass(model)

    def run_named(self, dict arrays, model=None):
        """`run`, of arrays by their names."""
        cdef int i
        cdef PyObject *given
        if self.version != cpu.version() or len(arrays) != self.count:
            return None
        for i in range(self.count):
            given = PyDict_GetItem(arrays, self.names[i])
            if given is NULL or not self._bind(<object>given, &self.specs[i]):
                return None
        return self._pass(model)

    cdef object _pass(self, model):
        cdef Call call
        cdef double loss = 0
        check_vectors(self.plan, self.learns, False)
        memset(&call, 0, sizeof(Call))
        call.first_op = self.first_op
        call.last_op = self.plan.program.n_ops if self.last_op < 0 else self.last_op
        call.learns, call.steps, call.epoch, call.losses = self.learns, 1, 1, &loss
        if model is not None:
            call.seed, call.draws = model._dropout_key, model._draws
        self.plan.program.update = NULL
        self.plan.program.clip_norm = 0
        start(&self.plan.program, &call, &self.plan.program.passes, self.team)
        if not isfinite(loss):
            return None
        if model is not None:
            count(model, "_draws", 1)
        return loss

    cdef bint _bind(self, object given, const Spec *spec):
        """Whether an array is what the plan reads as it lies; then it is bound."""
        cdef cnp.ndarray array
        cdef Program *p = &self.plan.program
        cdef const char *begin
        if not cnp.PyArray_CheckExact(given):
            return False
        array = given
        if not cnp.PyArray_IS_C_CONTIGUOUS(array) or not cnp.PyArray_ISBEHAVED_RO(array) or cnp.PyArray_NDIM(array) == 0 or (
                cnp.PyArray_DIM(array, 0) != p.batch):
            return False
        if spec.limit > 0:
            return self._bind_labels(array, spec)
        if cnp.PyArray_TYPE(array) != self.real or cnp.PyArray_SIZE(array) != p.batch * spec.width or (
                cnp.PyArray_NDIM(array) != 2 and (cnp.PyArray_NDIM(array) != 1 or spec.width != 1)):
            return False
        begin = <const char *>cnp.PyArray_DATA(array)
        if self.learns and is_written(self.plan, begin, begin + cnp.PyArray_NBYTES(array), True, False):
            return False
        if spec.scanned and p.all_finite(begin, cnp.PyArray_SIZE(array)) == 0:
            return False
        place(self.plan, spec.index, <char *>begin, spec.width * p.item, p.item)
        return True

    cdef bint _bind_labels(self, cnp.ndarray array, const Spec *spec):
        cdef const int32_t *narrow = <const int32_t *>cnp.PyArray_DATA(array)
        cdef const int64_t *wide = <const int64_t *>narrow
        cdef int64_t label
        cdef int kind = cnp.PyArray_TYPE(array)
        cdef Py_ssize_t i, n = cnp.PyArray_SIZE(array)
        if n != self.plan.program.batch or (kind != cnp.NPY_INT32 and kind != cnp.NPY_INT64):
            return False
        for i in range(n):
            label = narrow[i] if kind == cnp.NPY_INT32 else wide[i]
            if label < 0 or label >= spec.limit:
                return False
            spec.labels[i] = <int32_t>label
        place(self.plan, spec.index, <char *>spec.labels, sizeof(int32_t), sizeof(int32_t))
        return True
