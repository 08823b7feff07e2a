"""Where the time of a step goes: each of its tasks on one thread, what a barrier of a team costs, and how fast a core reads
what another one has written, and writes what another one has read. What a model of many threads is fed with
(fastbp/_models/scaling.py); nothing here is part of a training."""
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
cimport numpy as cnp
from fastbp._core cimport teams
from fastbp._core.calls cimport prepare
from fastbp._core.cpu cimport team_limit
from fastbp._core.executable cimport Executable
from fastbp._core.executor cimport PACK, PARAMETERS, ROWS, SPLITS, UPDATES, Call, advance, begin, enter, run_task
from fastbp._core.program cimport APART, Program
from fastbp._core.teams cimport Job, WorkerState

import numpy as np

cnp.import_array()

PHASES = {PACK: "pack", SPLITS: "splits", ROWS: "rows", PARAMETERS: "parameters", UPDATES: "updates"}


cdef Py_ssize_t most_tasks(const Program *p) noexcept nogil:
    """Tasks of one step, at most, and a note between any two phases."""
    cdef Py_ssize_t found = p.n_packings + p.n_splits + 2 * p.n_groups + p.n_stages + 4
    cdef int i
    for i in range(p.n_stages):
        found += p.slices * p.stages[i].blocks
    return found


def task_times(Executable plan, list arrays, optimizer, int64_t[::1] order, Py_ssize_t steps):
    """What each task of a step takes on one thread: ([(phase, stage, tasks), ...] of the step's phases in order, seconds
    (steps, tasks of all phases), seconds (steps, phases) of what one thread does after each phase).

    `steps` steps with an update by `optimizer` (or without, None) at a learning rate of 0, on arrays [(value, array), ...]:
    on their first batch, or on one batch after another of `order`, int64 (a multiple of the batch,), of a plan that gathers
    rows. The first step, which packs, is not among those that are returned. Raises ValueError where a number stops being
    finite, or the order is shorter than a batch.
    """
    cdef Call call
    cdef Program *p = &plan.program
    cdef WorkerState worker
    cdef cnp.ndarray losses = np.empty(steps + 1), rates = np.zeros(steps + 1)
    cdef Py_ssize_t capacity = (steps + 1) * most_tasks(p), count = 0, i
    cdef int32_t *where
    cdef double *spent
    if order is not None and order.shape[0] < p.batch:
        raise ValueError(f"order has {order.shape[0]} rows, expected {p.batch} or more, those of a batch; give it more")
    where, spent = <int32_t *>malloc(4 * capacity * sizeof(int32_t)), <double *>malloc(capacity * sizeof(double))
    try:
        if where is NULL or spent is NULL:
            raise MemoryError("no memory for the times of a step's tasks")
        prepare(plan, &call, arrays, optimizer, 0, -1, True, p.batch)
        call.steps = call.stop = steps + 1
        call.epoch, call.lanes = 1, 1
        call.losses, call.lr = <double *>cnp.PyArray_DATA(losses), <double *>cnp.PyArray_DATA(rates)
        if order is not None:
            call.order, call.epoch = &order[0], order.shape[0] // p.batch
        if optimizer is not None:
            call.constants, call.taken = plan.constants, optimizer.steps
        with nogil:
            count = run_timed(p, &call, &worker, where, spent)
        if call.done <= steps:
            raise ValueError(f"the loss or a parameter is not finite in step {call.done}, expected finite numbers to time "
                             "a step by; look at the parameters, which may be those of a training that went wrong")
        noted = np.array([[where[4 * i + j] for j in range(4)] for i in range(count)], np.int64).reshape(-1, 4)
        seconds = np.array([spent[i] for i in range(count)])
    finally:
        plan.bound.clear()
        free(where)
        free(spent)
    return _by_phase(noted, seconds, steps)


cdef Py_ssize_t run_timed(Program *p, Call *call, WorkerState *worker, int32_t *where, double *spent) noexcept nogil:
    """The call on one thread. Notes (step, phase, stage, task) and the seconds of each task; task -1 is what runs after a
    phase. Returns how many notes there are."""
    cdef Py_ssize_t count = 0
    cdef double before, now
    cdef int task, tasks
    p.broken = False
    enter(worker, call, 0)
    if p.enter is not NULL:
        p.enter()
    tasks = begin(p, call)
    while tasks > 0:
        for task in range(tasks + 1):
            where[4 * count], where[4 * count + 1] = <int32_t>call.done, call.phase
            where[4 * count + 2], where[4 * count + 3] = call.stage if call.phase == ROWS else 0, task if task < tasks else -1
            before = teams.seconds()
            if task < tasks:
                run_task(p, call, &worker.at, task)
            else:
                tasks = advance(p, call)
            now = teams.seconds()
            spent[count] = now - before
            count += 1
            if where[4 * count - 1] < 0:
                break
    if p.leave is not NULL:
        p.leave()
    return count


def _by_phase(noted, seconds, steps):
    """The notes of the steps after the first, in the form that task_times returns."""
    found, tasks, after = [], [], []
    for step in range(1, steps + 1):
        mine, took = noted[noted[:, 0] == step], seconds[noted[:, 0] == step]
        ends = np.flatnonzero(mine[:, 3] < 0)
        begins = [0, *(ends + 1)]
        found = [(PHASES[mine[end, 1]], int(mine[end, 2]), int(end - begun)) for begun, end in zip(begins, ends)]
        tasks.append(took[mine[:, 3] >= 0])
        after.append(took[ends])
    return found, np.array(tasks), np.array(after)


# ---- what two threads say to each other ------------------------------------------------------------------------------

cdef double BUSY = 2e-6     # seconds that a task waits, so that the other thread takes the other one
cdef enum:
    TRIES = 200             # phases that are tried for one that both threads had a part in: a team may be asleep, or held up

# What a task leaves, apart from what the other one writes.
cdef struct Result:
    double read, wrote      # seconds
    int64_t sum             # of what was read, so that it is
    const WorkerState *worker
    char apart[APART]

# A job of two threads, a task for each in every phase. By turns a task writes its half of the memory, and reads the other
# one's; of a barrier alone, without memory, it does nothing.
cdef struct Exchange:
    Job base
    char *memory            # (2, size) bytes
    Py_ssize_t size
    Py_ssize_t phase        # counted from 0
    bint shared             # whether both threads had a part in the phase before
    double begun            # when the phase at hand was opened
    Result results[2]
    double *found           # (wanted,) seconds: of the slower one of the two that read; without memory, of a phase beyond BUSY
    double *wrote           # (wanted,) seconds in which the slower one of the two wrote, in the phase before
    Py_ssize_t count, wanted


cdef void enter_exchange(const Job *job, WorkerState *worker, int member) noexcept nogil:
    pass


cdef void write_or_read(const Job *job, WorkerState *worker, int task) noexcept nogil:
    cdef Exchange *exchange = <Exchange *>job
    cdef const int64_t *other = <const int64_t *>(exchange.memory + (1 - task) * exchange.size)
    cdef char *own = exchange.memory + task * exchange.size
    cdef Py_ssize_t size = exchange.size, i
    cdef bint writes = exchange.phase % 2 == 0      # read before the clock is: the other core has just written it
    cdef double begun = teams.seconds()
    cdef int64_t sum = 0
    while teams.seconds() - begun < BUSY:
        pass
    begun = teams.seconds()
    if writes:
        memset(own, task + 1, size)
    else:
        for i in range(size // <Py_ssize_t>sizeof(int64_t)):
            sum += other[i]
    if writes:
        exchange.results[task].wrote = teams.seconds() - begun
    else:
        exchange.results[task].read = teams.seconds() - begun
    exchange.results[task].sum, exchange.results[task].worker = sum, worker


cdef int next_exchange(const Job *job) noexcept nogil:
    """Notes the phase that is over, where both threads had a part in it and, of memory, in the one before, which wrote."""
    cdef Exchange *exchange = <Exchange *>job
    cdef const Result *results = exchange.results
    cdef bint shared = results[0].worker != results[1].worker
    cdef double now = teams.seconds(), seconds = now - exchange.begun - BUSY
    if exchange.size > 0:
        seconds = max(results[0].read, results[1].read)
    if shared and (exchange.size == 0 or exchange.shared and exchange.phase % 2 == 1):
        exchange.found[exchange.count] = max(seconds, 1e-9)
        exchange.wrote[exchange.count] = max(results[0].wrote, results[1].wrote, 1e-9)
        exchange.count += 1
    exchange.shared, exchange.begun = shared, now
    exchange.phase += 1
    return 2 if exchange.count < exchange.wanted and exchange.phase < 2 * TRIES * exchange.wanted else 0


cdef _exchanged(Py_ssize_t size, Py_ssize_t times):
    """The medians of what so many phases of two threads gave, (found, wrote); None where there are no two, or one of them
    never came."""
    cdef Exchange exchange
    cdef cnp.ndarray memory = np.zeros(2 * size + APART, np.uint8)
    cdef cnp.ndarray seconds = np.zeros(times), wrote = np.zeros(times)
    if team_limit(2) < 2:
        return None
    memset(&exchange, 0, sizeof(exchange))
    exchange.base.enter, exchange.base.run, exchange.base.advance = enter_exchange, write_or_read, next_exchange
    exchange.memory, exchange.found = <char *>cnp.PyArray_DATA(memory), <double *>cnp.PyArray_DATA(seconds)
    exchange.wrote = <double *>cnp.PyArray_DATA(wrote)
    exchange.size, exchange.wanted, exchange.begun = size, times, teams.seconds()
    with nogil:
        teams.work_in_team(&exchange.base, 2, 2)
    if exchange.count * 2 <= times:
        return None
    return float(np.median(seconds[:exchange.count])), float(np.median(wrote[:exchange.count]))


def barrier(Py_ssize_t times):
    """Seconds that a barrier of two threads costs, the median of so many: what a phase takes beyond its tasks, which are equally
    long. None where there are no two threads that come."""
    found = _exchanged(0, times)
    return found[0] if found else None


def crossing(Py_ssize_t size, Py_ssize_t times):
    """Seconds that a core takes to read `size` bytes (a multiple of 8, 8 or more) that another has just written, and to write
    as many that another has just read, (read, written), medians of so many times. None where there are no two threads that
    come."""
    return _exchanged(size, times)
