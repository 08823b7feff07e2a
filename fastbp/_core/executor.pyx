"""The executor: runs a plan, step after step, in one call without the GIL.

A call runs phases, one after another. A phase is a set of tasks that any thread of the team may take. The thread that
finishes the last task runs the sequential part that follows it (`after`), and opens the next phase. A phase without tasks is
skipped. What a task computes does not depend on its thread, so the size of the team changes no bit. One thread alone runs the
same tasks in a loop.

phase       tasks (tasks_of)                 what a task does (run_task)         sequential part (after)   next phase
----------  -------------------------------  ----------------------------------  ------------------------  --------------------
PACK        packings, when a call begins     packs weights                       -                         SPLITS
SPLITS      splits of the inputs' columns    multiplies them by their weights    -                         ROWS
ROWS        slices of the batch x blocks of  runs the stage's row operations     the loss, after the last  ROWS of the next stage;
            units, after the stage's         on its rows, block by block         stage                     PARAMETERS; or, without
            invariant operations                                                                           gradients, end of step
PARAMETERS  groups of ranges of the          makes gradients; updates at once,   penalties; the norm that  UPDATES, if the norm is
            parameters                       unless the norm is clipped          is clipped                clipped; end of step
CHECKS      groups of ranges                 looks for numbers that are not      the norm that is clipped  UPDATES
                                             finite
UPDATES     groups of ranges                 updates by gradients that are       -                         end of step
                                             there already

A call begins with PACK, or with CHECKS where it is an update by gradients that the caller has made. The end of a step
notes its loss. The next step begins with ROWS if the updates have computed its column splits already, else with SPLITS. A
call is OVER after its last step, or after the step in which a number stopped being finite.
"""
from libc.math cimport isfinite, sqrt
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset
from fastbp._core cimport cpu, pace as paces, teams, updates
from fastbp._core.gemm cimport pack_rows
from fastbp._core.kernels cimport (FBP_LANES, H_CORRECTION1, H_CORRECTION2, H_COUNT, H_EPS, H_LOG1, H_LOG1_LOW, H_LOG2,
                                   H_LOG2_LOW, H_LR, H_SCALE, fbp_prefetch, get_real)
from fastbp._core.portable cimport power_of_log
from fastbp._core.program cimport Group, Pace, Place, Program, Stage
from fastbp._core.teams cimport WorkerState, Job

cdef void fill_hyper(double *hyper, const double *constants, double lr, double t) noexcept nogil:
    """hyper (H_COUNT,) = the optimizer's constants (H_CONSTANTS,) and what depends on the step, t = 1, 2 ... An eps below 0 is,
    negated, the epsilon hat of Kingma and Ba, section 2: added to the root of the second moment before that is corrected."""
    memcpy(hyper, constants, H_COUNT * sizeof(double))
    hyper[H_LR] = lr
    hyper[H_CORRECTION1] = 1 - power_of_log(constants[H_LOG1], constants[H_LOG1_LOW], t)
    hyper[H_CORRECTION2] = 1 - power_of_log(constants[H_LOG2], constants[H_LOG2_LOW], t)
    hyper[H_SCALE] = 1
    hyper[H_EPS] = constants[H_EPS] if constants[H_EPS] >= 0 else -constants[H_EPS] / sqrt(hyper[H_CORRECTION2])


cdef double clip_scale(const Program *p) noexcept nogil:
    """What the gradient is multiplied by so that its norm is at most clip_norm."""
    cdef double length = updates.norm(p)
    return p.clip_norm / length if 0 < p.clip_norm < length else 1


# ---- tasks -----------------------------------------------------------------------------------------------------------


cdef inline int in_lane(int task, int tasks, int lanes) noexcept nogil:
    """The task-th of the tasks that a queue hands out, which deals them out to its lanes like cards: so that those of a
    lane are neighbours, 0, 1, 2 ... of the first one."""
    cdef int lane
    if lanes == 1:      # a division takes as long as a small kernel: 3 % of a step of XOR each
        return task
    lane = task % lanes
    return lane * (tasks // lanes) + min(lane, tasks % lanes) + task // lanes


cdef void run_slice(Program *p, const Call *call, Place *at, int task) noexcept nogil:
    """A task of a stage: a slice of the batch, and a block of units, each block of its rows through the stage's
    operations while it is warm. A thread's tasks are neighbours, block of units by block of units: its weights are in
    its cache for all rows."""
    cdef const Stage *stage = &p.stages[call.stage]
    cdef int index = in_lane(task, p.slices * stage.blocks, call.lanes)
    cdef Py_ssize_t number = call.done * p.n_stages + call.stage
    cdef int first = max(call.first_op, stage.row), last = min(call.last_op, stage.row_end)
    cdef Py_ssize_t end
    cdef int i
    at.slice_, at.opens_slice = index, True
    if stage.blocks > 1:
        at.slice_ = index % p.slices
        at.unit, at.units = index // p.slices * stage.units, stage.units
    at.opens_step = at.stage != number
    at.stage, at.seed, at.draw = number, call.seed, call.draws + <uint64_t>call.done
    at.row = at.slice_ * p.slice_rows
    end = min(at.row + p.slice_rows, p.batch)
    while at.row < end:
        at.rows = min(p.block_rows, end - at.row)
        for i in range(first, last):
            p.ops[i].drive(&p.ops[i], at)
        at.row += at.rows
        at.opens_slice = at.opens_step = False
    if stage.blocks > 1:
        at.unit = at.units = 0


cdef void run_split(Program *p, Place *at, int index) noexcept nogil:
    """Split `index` of the columns of the inputs: its products for all rows of the batch."""
    cdef fbp_prefetch *own = at.prefetch
    cdef int i
    at.row, at.rows, at.prefetch = 0, p.batch, &p.splits[index].prefetch
    for i in range(p.splits[index].first, p.splits[index].last):
        p.ops[i].drive(&p.ops[i], at)
    at.prefetch = own


cdef void run_group(Program *p, const Call *call, Place *at, const Group *group, bint makes, bint checks,
                    bint updates_now) noexcept nogil:
    """Task of one group of ranges: for each range its gradient (makes), its check or its update, or several of these;
    after updates, the group's column split of the next step."""
    cdef fbp_prefetch *own = at.prefetch
    cdef bint more = updates_now and goes_on(p, call)
    cdef bint kept = not (makes and more)
    cdef double factor = call.penalty_factors[call.done] if call.penalty_factors is not NULL else 1
    cdef char *g
    cdef int index
    if group.split >= 0:
        at.prefetch = &p.splits[group.split].prefetch
    at.row = 0          # the gradient of a range is summed over the whole batch
    for index in range(group.first, group.last):
        g = updates.gradient_of(index, p, at, kept)
        if makes:
            updates.make_gradient(index, g, p, at)
            updates.finish_gradient(index, g, p, factor)
        if checks:
            updates.check_gradient(index, p)
        if updates_now:
            updates.update(index, g, p, call.hyper, call.done + 1 < call.steps)
    if more and group.split >= 0:
        at.first, at.next = call.next_row, first_row(p, call, call.done + 2)
        run_split(p, at, group.split)
    at.prefetch = own


cdef inline bint goes_on(const Program *p, const Call *call) noexcept nogil:
    """Whether the updates of the step at hand are followed by another step, whose splits they make."""
    return p.update is not NULL and call.done + 1 < call.stop


cdef inline bint waits(const Program *p) noexcept nogil:
    """Whether updates wait for the norm of the whole gradient."""
    return p.update is not NULL and p.clip_norm > 0


cdef inline Py_ssize_t first_row(const Program *p, const Call *call, Py_ssize_t step) noexcept nogil:
    """The first row of a step's batch, or -1 where the call has no such step."""
    return call.first + step % call.epoch * p.batch if step < call.steps else -1


cdef void run_task(Program *p, const Call *call, Place *at, int index) noexcept nogil:
    """A task of the phase at hand."""
    at.first, at.next = call.row, call.next_row
    if call.phase == ROWS:
        run_slice(p, call, at, index)
    elif call.phase == PARAMETERS:
        run_group(p, call, at, &p.groups[index], True, False, p.update is not NULL and not waits(p))
    elif call.phase == SPLITS:
        run_split(p, at, p.groups[index].split)     # groups with splits come first
    elif call.phase == UPDATES:
        run_group(p, call, at, &p.groups[index], False, False, True)
    elif call.phase == CHECKS:
        run_group(p, call, at, &p.groups[index], False, True, False)
    else:
        pack_rows(&p.packings[index])


# ---- between two phases ----------------------------------------------------------------------------------------------


cdef int begin(Program *p, Call *call) noexcept nogil:
    """The first phase; returns the number of its tasks."""
    cdef int i
    if call.updates:
        return open_phase(p, call, CHECKS)
    for i in range(p.n_splits):     # what the last call prefetched may be gone
        memset(&p.splits[i].prefetch, 0, sizeof(fbp_prefetch))
    call.row, call.next_row = first_row(p, call, call.done), first_row(p, call, call.done + 1)
    return open_phase(p, call, PACK)


cdef int advance(Program *p, Call *call) noexcept nogil:
    """What follows the phase that has just been finished; returns the number of the next one's tasks, 0 when the call
    is over."""
    return open_phase(p, call, after(p, call))


cdef int open_phase(Program *p, Call *call, Phase phase) noexcept nogil:
    """The phase, or the first one after it that has tasks; returns their number, 0 when the call is over."""
    cdef int tasks
    while phase != OVER:
        call.phase = phase
        tasks = tasks_of(p, call)
        if tasks > 0:
            return tasks
        phase = after(p, call)
    return 0


cdef int tasks_of(Program *p, Call *call) noexcept nogil:
    """How many tasks the phase has; of a stage, after its invariant operations, which the thread at hand runs."""
    if call.phase == ROWS:
        return begin_stage(p, call, &p.stages[call.stage])
    if call.phase == PACK:
        return p.n_packings if call.done == 0 else 0
    if call.phase == SPLITS:
        return p.n_splits if call.first_op == 0 else 0
    return p.n_groups       # PARAMETERS, CHECKS, UPDATES


cdef int begin_stage(Program *p, const Call *call, const Stage *stage) noexcept nogil:
    """The invariant operations of a stage; returns the tasks of its rows, 0 where the call runs none of them."""
    cdef Place at
    cdef int i
    if stage.invariant < stage.invariant_end:
        memset(&at, 0, sizeof(at))
    for i in range(stage.invariant, stage.invariant_end):
        p.invariant[i].drive(&p.invariant[i], &at)
    return p.slices * stage.blocks if max(call.first_op, stage.row) < min(call.last_op, stage.row_end) else 0


cdef Phase after(Program *p, Call *call) noexcept nogil:
    """What runs between the phase that has just been finished and the next one, which is returned."""
    if call.phase == ROWS:
        call.stage += 1
        return ROWS if call.stage < p.n_stages else after_rows(p, call)
    if call.phase == PARAMETERS:
        return after_parameters(p, call)
    if call.phase == PACK:
        return SPLITS
    if call.phase == SPLITS:
        call.stage = 0
        return ROWS
    if call.phase == CHECKS:
        return after_checks(p, call)
    return end_step(p, call)        # UPDATES


cdef Phase after_rows(Program *p, Call *call) noexcept nogil:
    """Notes the loss. One that is not finite ends a call that updates; a call for gradients goes on."""
    call.loss = loss_of(p)
    if not call.learns:
        return end_step(p, call)
    if p.update is not NULL:
        if not isfinite(call.loss):
            call.losses[call.done] = call.loss
            return OVER
        fill_hyper(call.hyper, call.constants, call.lr[call.done], <double>(call.taken + call.done + 1))
    return PARAMETERS


cdef Phase after_parameters(Program *p, Call *call) noexcept nogil:
    """Adds the penalties, which the ranges have computed beside their gradients, to the loss; begins clipped updates."""
    cdef int i
    if p.penalised:
        for i in range(p.n_ranges):
            call.loss += p.penalties[i] if call.penalty_factors is NULL else call.penalty_weight * p.penalties[i]
        if p.update is not NULL and not isfinite(call.loss):    # by the penalties: what was updated meanwhile is put back
            p.broken = True
            return end_step(p, call)
    if not waits(p):
        return end_step(p, call)
    call.hyper[<int>H_SCALE] = clip_scale(p)
    return UPDATES


cdef Phase after_checks(Program *p, Call *call) noexcept nogil:
    """All gradients are finite, or nothing is changed."""
    if p.broken:
        return OVER
    fill_hyper(call.hyper, call.constants, call.lr[0], <double>(call.taken + 1))
    call.hyper[<int>H_SCALE] = clip_scale(p)
    return UPDATES


cdef Phase end_step(Program *p, Call *call) noexcept nogil:
    """A step is done: its loss is noted, and the next one begins, or the call is over."""
    cdef bint splits_made = goes_on(p, call)
    call.losses[call.done] = call.loss
    if call.correct_counts is not NULL:
        call.correct_counts[call.done] = sum_of(p.correct_sums, p.slices)
    if p.broken:
        return OVER
    call.done += 1
    if call.done == call.stop:
        return OVER
    call.row, call.next_row = call.next_row, first_row(p, call, call.done + 1)
    call.stage = 0
    return ROWS if splits_made or p.n_splits == 0 else SPLITS


cdef double sum_of(const double *sums, int slices) noexcept nogil:
    """The sum of the slices' partial sums, in the order of the slices."""
    cdef double value = 0
    cdef int i
    for i in range(slices):
        value += sums[i]
    return value


cdef double loss_of(const Program *p) noexcept nogil:
    if p.root_sums is not NULL:
        return sum_of(p.root_sums, p.slices)
    return get_real(p.root, p.item) if p.root is not NULL else 0


# ---- who does it -----------------------------------------------------------------------------------------------------


cdef void enter(WorkerState *worker, const Call *call, int member) noexcept nogil:
    """A thread's state before its first task: nothing to prefetch, no packed copies of weights (stage -1)."""
    memset(worker, 0, sizeof(WorkerState))
    worker.at.prefetch, worker.at.thread, worker.at.order, worker.at.stage = &worker.prefetch, member, call.order, -1


cdef void run_serially(Program *p, Call *call, int tasks) noexcept nogil:
    """All tasks in order, of which `tasks` are those of the first phase."""
    cdef WorkerState worker
    cdef int task
    enter(&worker, call, 0)
    while tasks > 0:
        for task in range(tasks):
            run_task(p, call, &worker.at, task)
        tasks = advance(p, call)


# A call as a job of the team's. `base` comes first: a pointer to it is one to all of it.
cdef struct CallJob:
    Job base
    Program *program
    Call *call


cdef void enter_call(const Job *job, WorkerState *worker, int member) noexcept nogil:
    cdef const Program *p = (<const CallJob *>job).program
    enter(worker, (<const CallJob *>job).call, member)
    if member > 0 and p.enter is not NULL:      # thread 0 has done so: see run
        p.enter()
        worker.leave = p.leave


cdef void run_of_call(const Job *job, WorkerState *worker, int task) noexcept nogil:
    run_task((<const CallJob *>job).program, (<const CallJob *>job).call, &worker.at, task)


cdef int advance_call(const Job *job) noexcept nogil:
    return advance((<const CallJob *>job).program, (<const CallJob *>job).call)


cdef void run(Program *p, Call *call, int team, Py_ssize_t stop) noexcept nogil:
    """The call's steps up to `stop`."""
    cdef CallJob job
    cdef int tasks
    call.stop, call.lanes = stop, min(team, FBP_LANES)
    if p.enter is not NULL:
        p.enter()
    tasks = begin(p, call)
    if team == 1:
        run_serially(p, call, tasks)
    else:
        job.base.enter, job.base.run, job.base.advance = enter_call, run_of_call, advance_call
        job.program, job.call = p, call
        teams.work_in_team(&job.base, team, tasks)
    if p.leave is not NULL:
        p.leave()


cdef void run_at_pace(Program *p, Call *call, Pace *pace, int team) noexcept nogil:
    """The whole call, on as many threads, up to `team`, as are the fastest at the moment."""
    cdef double before = teams.seconds(), now
    cdef Py_ssize_t done, stop
    cdef int threads
    while True:
        threads = paces.choose(pace, team, before)
        done = call.done
        stop = done + paces.stretch(pace, threads, call.steps - done)
        run(p, call, threads, stop)
        if call.done < stop:        # something went wrong
            return
        now = teams.seconds()
        paces.note(pace, threads, stop - done, now - before, now)
        if stop == call.steps:
            return
        before = now


cdef void run_call(Program *p, Call *call, Pace *pace, int team) noexcept nogil:
    """The whole call on a team of at most so many threads, of those that there are."""
    p.broken = False
    if team == 1 or teams.is_forced():
        run(p, call, team, call.steps)
    else:
        run_at_pace(p, call, pace, team)


cdef int start(Program *p, Call *call, Pace *pace, int team) except -1:
    """Runs the call on at most `team` threads."""
    if call.steps < 1:
        return 0
    team = cpu.team_limit(team)
    with nogil:
        run_call(p, call, pace, team)
    return 0
