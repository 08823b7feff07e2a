"""The entrances to the executor: one pass, a run of training steps, one update."""
from libc.stdint cimport int64_t
from libc.string cimport memset
cimport numpy as cnp
from fastbp._core cimport updates
from fastbp._core.executor cimport Call, clip_scale, fill_hyper, start
from fastbp._core.kernels cimport H_COUNT, H_SCALE, fbp_update
from fastbp._core.plan cimport Plan
from fastbp._core.program cimport Program

cnp.import_array()


cdef int prepare(Plan plan, Call *call, list arrays, int first_op, int last_op) except -1:
    """Points the plan's direct values at the caller's arrays: [(index, array), ...]."""
    memset(call, 0, sizeof(Call))
    plan.bound.clear()
    for index, array in arrays:
        plan.bind(index, array)
    call.first_op, call.last_op = first_op, plan.program.n_ops if last_op < 0 else last_op
    plan.program.update = NULL
    plan.program.clip_norm = 0
    return 0


def run(Plan plan, list arrays, int first_op, int last_op, bint learns, Py_ssize_t first, double[::1] losses, dropout,
        int team):
    """`len(losses)` passes over consecutive batches without an update; losses (steps,) is filled (0 if there is none).

    arrays: [(value, array), ...] of the plan's direct values; the first batch begins at their row `first`. The row
    operations [first_op, last_op) run (last_op -1: to the end), then, if `learns`, the gradients of all parameters.
    dropout: (key, steps that drew from it before).
    """
    cdef Call call
    prepare(plan, &call, arrays, first_op, last_op)
    call.losses, call.steps = &losses[0], losses.shape[0]
    call.learns, call.first, call.epoch = learns, first, call.steps
    call.seed, call.draws = dropout
    start(&plan.program, &call, min(team, plan.team))
    plan.bound.clear()


def run_batches(Plan plan, list arrays, order, Py_ssize_t first, Py_ssize_t epoch, double[::1] lr, double[::1] losses,
                optimizer, kernel, dropout, int team):
    """`len(lr)` training steps, one a batch; returns (steps completed, whether an update gave a non-finite parameter).

    Step s uses the rows order[first + s * batch : first + (s + 1) * batch] of `arrays`, or those rows themselves where
    `order` is None, and begins again at `first` every `epoch` steps; order: (n,) int64. lr, losses: (steps,), losses is filled. optimizer: has .hyper(), .state, .steps
    and .clip_norm; kernel: the address of its update, or 0 for the value and gradient only. A loss that is not finite
    ends the call before the step's update.
    """
    cdef Call call
    prepare_batches(plan, &call, arrays, order, first, epoch, lr, losses, optimizer, kernel, dropout)
    start(&plan.program, &call, min(team, plan.team))
    plan.bound.clear()
    return call.done, plan.program.broken


cdef int prepare_batches(Plan plan, Call *call, list arrays, order, Py_ssize_t first, Py_ssize_t epoch, double[::1] lr,
                         double[::1] losses, optimizer, kernel, dropout) except -1:
    """Points a call at the arguments of `run_batches`, which must live until it ends."""
    cdef const int64_t[::1] rows
    cdef double[::1] constants
    prepare(plan, call, arrays, 0, -1)
    if order is not None:
        rows = order
        call.order = &rows[0]
    call.first, call.steps, call.epoch, call.learns = first, lr.shape[0], epoch, True
    call.lr, call.losses = &lr[0], &losses[0]
    call.seed, call.draws = dropout
    if kernel:
        hyper = optimizer.hyper()
        constants = hyper
        plan.bound.append(hyper)    # made here: nobody else keeps it
        call.constants, call.taken = &constants[0], optimizer.steps
        set_update(&plan.program, optimizer, kernel)
    return 0


cdef int set_update(Program *p, optimizer, size_t kernel) except -1:
    p.update = <fbp_update *>kernel
    p.clip_norm = optimizer.clip_norm or 0
    p.s0 = <char *>cnp.PyArray_DATA(optimizer.state[0]) if optimizer.slots > 0 else NULL
    p.s1 = <char *>cnp.PyArray_DATA(optimizer.state[1]) if optimizer.slots > 1 else NULL
    return 0


def apply_update(Plan plan, optimizer, size_t kernel, double lr):
    """One update of the parameters from the gradients as they stand.

    Returns "gradient", with nothing changed, if a gradient is not finite, "parameter" if a new parameter is not, else "".
    """
    cdef Program *p = &plan.program
    cdef double hyper[H_COUNT]
    cdef double[::1] given = optimizer.hyper()
    cdef bint finite = True
    cdef int i
    set_update(p, optimizer, kernel)
    fill_hyper(hyper, &given[0], lr, <double>(<int64_t>optimizer.steps + 1))
    p.broken = False
    with nogil:
        for i in range(p.n_tasks):
            finite = finite and p.all_finite(p.grads + p.tasks[i].begin * p.item, p.tasks[i].count)
            if p.clip_norm > 0:
                p.squares[i] = p.sum_squares(p.grads + p.tasks[i].begin * p.item, p.tasks[i].count)
        if finite:
            hyper[H_SCALE] = clip_scale(p)
            for i in range(p.n_tasks):
                updates.update(i, p, hyper)
    return "gradient" if not finite else "parameter" if p.broken else ""
