"""Entrances to the executor: one pass, one update; what every entrance looks at first, and what it counts."""
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject_GenericSetAttr
cimport numpy as cnp
from fastbp._core.binding cimport bind, check_vectors, complete, unbind
from fastbp._core.cpu cimport version
from fastbp._core.executor cimport CHECKS, Call, start
from fastbp._core.kernels cimport H_CONSTANTS, fbp_update
from fastbp._core.memory cimport is_as_made
from fastbp._core.executable cimport Executable
from fastbp._core.program cimport Program
from fastbp._core.teams cimport seconds

from . import cpu
from .memory import not_as_made

cnp.import_array()

cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX

cdef double BETWEEN = 0.05      # seconds between two looks at signals, if a batch takes less


# ---- what is counted -------------------------------------------------------------------------------------------------
# Ctrl-C, or whatever else the handler of a signal raises, comes between two instructions of Python's interpreter, and inside of
# a function of C only where that asks for it: in `run`, of passes that change nothing. So parameters and what is counted
# beside them change in one such function, and nobody ever finds the ones without the others: an optimizer's steps and a
# model's draws are those of its parameters, wherever Ctrl-C comes.


cdef int count(owner, str name, Py_ssize_t more) except -1:
    """Adds to a whole number that stands in an attribute, past the class's own __setattr__, which is Python."""
    PyObject_GenericSetAttr(owner, name, getattr(owner, name) + more)
    return 0


cdef class Snapshot:
    """What training changes of a model and its optimizer - parameters, the optimizer's vectors, what is counted - as it
    was at one moment; `restore` puts it back."""

    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.params, self.state = model.params, optimizer.state     # here: asking a model may be Python
        self.params_then = self.params.copy()
        self.state_then = None if self.state is None else self.state.copy()
        self.steps, self.draws, self.epochs = optimizer.steps, model._draws, model._epochs

    def become(self, params, state, steps, draws, epochs):
        """What `restore` puts back from now on: what a file holds, say. Returns self."""
        self.params_then, self.state_then = params, state
        self.steps, self.draws, self.epochs = steps, draws, epochs
        return self

    cpdef restore(self):
        self.params[...] = self.params_then
        if self.state is not None:
            self.state[...] = self.state_then
        PyObject_GenericSetAttr(self.model, "_draws", self.draws)
        PyObject_GenericSetAttr(self.model, "_epochs", self.epochs)
        PyObject_GenericSetAttr(self.optimizer, "steps", self.steps)


# ---- entrances -------------------------------------------------------------------------------------------------------


cdef int prepare(Executable plan, Call *call, list arrays, optimizer, int first_op, int last_op, bint learns,
                 Py_ssize_t rows_needed) except -1:
    """Points a call, and the plan's direct values, at the caller's arrays: [(index, array), ...].

    They were checked when they came, and may have changed since: a call that lacks one, that would read beyond them - of
    each it may read `rows_needed` rows - or that would write what is not as it was made, is refused here, before
    anything is written.
    """
    memset(call, 0, sizeof(Call))
    unbind(plan)
    try:
        bind_all(plan, call, arrays, optimizer, first_op, last_op, learns, rows_needed)
    except:     # whatever it is
        unbind(plan)
        raise
    call.learns = learns
    return 0


cdef int bind_all(Executable plan, Call *call, list arrays, optimizer, int first_op, int last_op, bint learns,
                  Py_ssize_t rows_needed) except -1:
    """`prepare`, of a plan without arrays."""
    cdef Py_ssize_t least = PY_SSIZE_T_MAX
    check_vectors(plan, learns, optimizer is not None)
    plan.program.update, plan.program.s0, plan.program.s1, plan.program.clip_norm = NULL, NULL, NULL, 0
    if optimizer is not None:
        set_update(plan, optimizer)
    for index, array in arrays:
        least = min(least, bind(plan, index, array, learns, optimizer is not None))
    call.first_op, call.last_op = first_op, plan.program.n_ops if last_op < 0 else last_op
    complete(plan, call.first_op, call.last_op, learns)
    if rows_needed > least:
        raise ValueError(f"data has become shorter: {least} rows, expected {rows_needed} or more, as when it "
                         "was checked; give it back its shape, or pass a copy of it")
    return 0


cdef int check_correct_counts(Executable plan, double[::1] correct_counts, Py_ssize_t steps) except -1:
    """Refuses an array that has no room for the counts of all steps, or a plan that counts none."""
    if correct_counts is not None and (plan.program.correct_sums is NULL or correct_counts.shape[0] != steps):
        counts = "no correct answers" if plan.program.correct_sums is NULL else "correct answers"
        raise ValueError(f"correct_counts has {correct_counts.shape[0]} numbers, for {steps} steps of a "
                         f"plan that counts {counts}, expected one for each step of a plan made for a target type; "
                         "pass None, or make the plan for one")
    return 0


def run(Executable plan, list arrays, int first_op, int last_op, bint learns, Py_ssize_t first, double[::1] losses,
        dropout,
        int team, model=None, double[::1] correct_counts=None):
    """`len(losses)` passes over consecutive batches without an update; losses (steps,) is filled (0 if there is none).
    What a signal's handler raises, as Ctrl-C does, ends them between two batches, some 50 ms later at most or after one batch,
    where they change nothing but the arrays that they fill.

    arrays: [(value, array), ...] of the plan's direct values; the first batch begins at their row `first`. The row
    operations [first_op, last_op) run (last_op -1: to the end), then, if `learns`, the gradients of all parameters.
    dropout: (key, steps that drew from it before). model: whose draws these passes count among, None where they do not.
    correct_counts: (steps,), filled with how many answers of a step were right, by a plan that counts them; or None.
    """
    cdef Call call
    cdef Py_ssize_t steps = losses.shape[0], done = 0
    cdef bint interruptible = steps > 1 and model is None and not learns
    cdef double begun
    check_correct_counts(plan, correct_counts, steps)
    prepare(plan, &call, arrays, None, first_op, last_op, learns, first + steps * plan.batch)
    call.seed, call.draws = dropout
    call.steps = 1 if interruptible else steps
    try:
        while True:
            call.first, call.losses, call.epoch, call.done = first + done * plan.batch, &losses[done], call.steps, 0
            if correct_counts is not None:
                call.correct_counts = &correct_counts[done]
            begun = seconds()
            start(&plan.program, &call, &plan.program.passes, min(team, plan.team))
            done += call.done
            call.draws += <uint64_t>call.done
            if call.done < call.steps or done == steps:
                break
            PyErr_CheckSignals()
            call.steps = portion(steps - done, (seconds() - begun) / call.steps)
        if model is not None:
            count(model, "_draws", done)
    finally:
        plan.bound.clear()


cdef Py_ssize_t portion(Py_ssize_t left, double step) noexcept:
    """How many of the steps that are left to take before signals are looked at, where one takes so many seconds."""
    return max(1, min(left, <Py_ssize_t>(BETWEEN / max(step, 1e-9))))


cdef int set_update(Executable plan, optimizer) except -1:
    """The update that follows is this optimizer's; where it is the last one's, only its state is looked at: to ask for
    all costs 3 us."""
    cdef Program *p = &plan.program
    cdef double[::1] constants
    cdef size_t kernel
    cdef object state
    if plan.optimizer is not optimizer or plan.version != version():
        kernel = cpu.update_address(optimizer.kernel, "float32" if p.item == sizeof(float) else "float64")
        constants = optimizer.constants()
        if constants.shape[0] != H_CONSTANTS:
            raise ValueError(f"optimizer {optimizer!r} has {constants.shape[0]} numbers, expected {H_CONSTANTS}; see constants()")
        memcpy(plan.constants, &constants[0], sizeof(plan.constants))
        plan.update = <fbp_update *>kernel
        plan.clip_norm = optimizer.clip_norm or 0
        plan.slots = optimizer.slots
        plan.optimizer, plan.version = optimizer, version()
    p.update, p.clip_norm, p.s0, p.s1 = plan.update, plan.clip_norm, NULL, NULL
    if plan.slots > 0:
        state = optimizer.state
        if not is_as_made(state, plan.real, plan.slots, plan.size, True):
            raise not_as_made("the optimizer's state", state, (plan.slots, plan.size), f"float{8 * p.item}")
        plan.bound.append(state)    # kept alive: another thread may set another state, or reset the optimizer, meanwhile
        p.s0 = <char *>cnp.PyArray_DATA(state)
        p.s1 = p.s0 + plan.size * p.item if plan.slots > 1 else NULL
    return 0


def apply_update(Executable plan, optimizer, double lr, int team):
    """The optimizer's next update of the parameters, from the gradients as they stand; it is counted.

    Returns "gradient", with nothing changed, if a gradient is not finite, "parameter" if a new parameter is not, else "".
    """
    cdef Program *p = &plan.program
    cdef Call call
    cdef double loss
    memset(&call, 0, sizeof(Call))
    check_vectors(plan, False, True)
    try:
        set_update(plan, optimizer)
        call.updates, call.steps, call.epoch, call.lr, call.losses = True, 1, 1, &lr, &loss
        call.constants, call.taken = plan.constants, optimizer.steps
        start(p, &call, &p.updates, max(1, min(team, p.n_groups)))
        if p.broken and call.phase == CHECKS:
            return "gradient"
        count(optimizer, "steps", 1)
        return "parameter" if p.broken else ""
    finally:
        plan.bound.clear()
