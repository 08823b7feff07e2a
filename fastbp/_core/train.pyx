"""The executor: runs a plan, step after step, in one call without the GIL.

All threads of a team go through the same steps; in a phase each takes every team-th slice or range, and they meet at a
barrier after it. What a slice or a range computes does not depend on who computes it, so the team's size changes no bit.
"""
from cython.parallel cimport parallel
from libc.math cimport isfinite, pow
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset
cimport numpy as cnp
from fastbp._core cimport cpu, updates
from fastbp._core.dense cimport pack_panel
from fastbp._core.kernels cimport (H_BETA1, H_BETA2, H_CORRECTION1, H_CORRECTION2, H_COUNT, H_LR, H_SCALE, fbp_update)
from fastbp._core.plan cimport Plan
from fastbp._core.program cimport Place, Program

cnp.import_array()

cdef struct Call:
    int first_op, last_op       # of the row operations: forward, backward or both
    bint learns                 # whether the parameter phase runs
    Py_ssize_t first, steps     # the first step's first row, and how many steps of `batch` rows follow
    Py_ssize_t epoch            # steps after which the rows begin again at `first`
    const int64_t *order        # (n,) or NULL for the rows as they lie
    const double *lr            # (steps,)
    const double *hyper         # (H_COUNT,)
    double *losses              # (steps,)
    int64_t taken               # updates taken before this call
    uint64_t seed, draws        # of dropout: the key, and how many steps drew from it before this call
    Py_ssize_t done             # steps that were completed


cdef inline void meet(Program *p, int team) noexcept nogil:
    if team > 1:
        cpu.wait(&p.barrier, team)


cdef void run_rows(Program *p, const Call *call, Place *at, int team) noexcept nogil:
    """The row phase: this thread's slices, each block through all the operations while it is warm."""
    cdef Py_ssize_t end
    cdef int s, i
    at.opens_step = True
    s = at.thread
    while s < p.slices:
        at.slice_, at.opens_slice = s, True
        at.row = s * p.slice_rows
        end = min(at.row + p.slice_rows, p.batch)
        while at.row < end:
            at.rows = min(p.block_rows, end - at.row)
            for i in range(call.first_op, call.last_op):
                p.ops[i].drive(&p.ops[i], at)
            at.row += at.rows
            at.opens_slice = at.opens_step = False
        s += team


cdef void run_packings(Program *p, int member, int team) noexcept nogil:
    cdef int i = member
    while i < p.n_packings:
        pack_panel(&p.packings[i])
        i += team


cdef void fill_hyper(double *hyper, const double *constants, double lr, double t) noexcept nogil:
    """hyper (H_COUNT,) = the optimizer's constants and what depends on the step, t = 1, 2 ..."""
    memcpy(hyper, constants, H_COUNT * sizeof(double))
    hyper[H_LR] = lr
    hyper[H_CORRECTION1] = 1 - pow(hyper[H_BETA1], t)
    hyper[H_CORRECTION2] = 1 - pow(hyper[H_BETA2], t)
    hyper[H_SCALE] = 1


cdef double clip_scale(const Program *p) noexcept nogil:
    """What the gradient is multiplied by so that its norm is at most clip_norm: every thread finds the same number."""
    cdef double length = updates.norm(p)
    return p.clip_norm / length if 0 < p.clip_norm < length else 1


cdef void run_parameters(Program *p, const Call *call, Place *at, Py_ssize_t step, int team) noexcept nogil:
    """The parameter phase: this thread's ranges; gradient, penalty and update of a range while it is warm.

    Clipping by the norm of the whole gradient needs all of it before the first update, and costs one more barrier.
    """
    cdef double hyper[H_COUNT]
    cdef int i
    cdef bint apart = p.clip_norm > 0
    if p.update is not NULL:
        fill_hyper(hyper, call.hyper, call.lr[step], <double>(call.taken + step + 1))
    at.row = 0      # the parameter phase reads whole columns of the batch
    i = at.thread
    while i < p.n_tasks:
        p.tasks[i].gradient(&p.tasks[i], p, at)
        updates.finish_gradient(i, p)
        if p.update is not NULL and not apart:
            updates.update(i, p, hyper)
        i += team
    if p.update is not NULL and apart:
        meet(p, team)
        hyper[H_SCALE] = clip_scale(p)
        i = at.thread
        while i < p.n_tasks:
            updates.update(i, p, hyper)
            i += team
    if p.update is not NULL and p.n_packings > 0:
        meet(p, team)
        run_packings(p, at.thread, team)
    meet(p, team)


cdef void run_steps(Program *p, Call *call, int member, int team) noexcept nogil:
    """Every step, as thread `member` of `team`. All threads see the same sums and stop at the same step."""
    cdef Place at
    cdef Py_ssize_t step
    cdef double loss, penalty
    cdef int i
    memset(&at, 0, sizeof(at))
    at.thread, at.order = member, call.order
    run_packings(p, member, team)
    meet(p, team)
    for step in range(call.steps):
        at.first = call.first + step % call.epoch * p.batch
        at.key = cpu.threefry(call.seed, call.draws + <uint64_t>step)
        run_rows(p, call, &at, team)
        meet(p, team)
        loss = 0
        for i in range(p.slices):
            loss += p.sums[i]
        if call.learns:
            if p.update is not NULL and not isfinite(loss):
                if member == 0:
                    call.losses[step] = loss
                return
            run_parameters(p, call, &at, step, team)
            if p.penalised:
                penalty = 0
                for i in range(p.n_tasks):
                    penalty += p.penalties[i]
                loss += penalty
        if member == 0:
            call.losses[step] = loss
        if p.broken:
            return
        if member == 0:
            call.done = step + 1


cdef int start(Program *p, Call *call, int team) except -1:
    """Runs the call on `team` threads: one parallel region, or none for a team of one."""
    team = cpu.team_limit(team)
    p.broken = False
    with nogil:
        if team == 1:
            run_steps(p, call, 0, 1)
        else:
            memset(&p.barrier, 0, sizeof(p.barrier))
            with parallel(num_threads=team):
                run_steps(p, call, cpu.team_member(), cpu.team_size())
    return 0


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


def run_batches(Plan plan, list arrays, order, Py_ssize_t first, Py_ssize_t epoch, double[::1] lr, double[::1] losses,
                optimizer, kernel, dropout, int team):
    """`len(lr)` training steps, one a batch; returns (steps completed, whether an update gave a non-finite parameter).

    Step s uses the rows order[first + s * batch : first + (s + 1) * batch] of `arrays`, or those rows themselves where
    `order` is None, and begins again at `first` every `epoch` steps; order: (n,) int64. lr, losses: (steps,), losses is filled. optimizer: has .hyper(), .state, .steps
    and .clip_norm; kernel: the address of its update, or 0 for the value and gradient only. A loss that is not finite
    ends the call before the step's update.
    """
    cdef Call call
    cdef const int64_t[::1] rows
    cdef double[::1] hyper
    cdef Program *p = &plan.program
    prepare(plan, &call, arrays, 0, -1)
    if order is not None:
        rows = order
        call.order = &rows[0]
    call.first, call.steps, call.epoch, call.learns = first, lr.shape[0], epoch, True
    call.lr, call.losses = &lr[0], &losses[0]
    call.seed, call.draws = dropout
    if kernel:
        hyper = optimizer.hyper()
        call.hyper, call.taken = &hyper[0], optimizer.steps
        set_update(p, optimizer, kernel)
    start(p, &call, min(team, plan.team))
    return call.done, p.broken


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
