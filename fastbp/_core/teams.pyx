"""The team: threads that stay together from one call to the next, and take tasks of the job that is posted.

The threads are OpenMP's, in a parallel region that an owner thread opens once and keeps open, so that OpenMP's
settings hold: stacks, places, limits. A call posts a job, works on it as thread 0, and returns when all tasks are done,
on whatever thread; where another call has the team at the moment, it runs serially. What a task computes does not depend on the thread.

Whether the operating system has the threads is found out before OpenMP is asked, as GCC's runtime ends the process where it
cannot start one. A fork leaves all threads but the forking one behind: the child begins a team of its own.
"""
from cython.parallel cimport parallel
from libc.math cimport INFINITY
from libc.stdint cimport SIZE_MAX, uint64_t
from libc.string cimport memset
from fastbp._core cimport openmp
from fastbp._core.kernels cimport fbp_queue
from fastbp._core.locks cimport *
from fastbp._core.os_threads cimport STACK, hold_signals, run_anywhere, stack_left, startable, take_signals

from . import threads as _threads

cdef extern from *:
    """
    static fbp_queue fastbp_the_queue __attribute__((aligned(128)));
    """
    fbp_queue queue "fastbp_the_queue"

cdef extern from "fastbp.h" nogil:
    void fbp_start(fbp_queue *queue)
    void fbp_post(fbp_queue *queue, const void *job, int team, bint crowded, int tasks)
    void fbp_open(fbp_queue *queue, int tasks)
    int fbp_take(fbp_queue *queue, int member, uint64_t *number)
    int fbp_finish(fbp_queue *queue)
    void fbp_end(fbp_queue *queue)
    void fbp_forked()

cdef extern from *:
    """
    /* 0 -> 1 by one thread of several: whether this is the one. */
    static int fastbp_try_lock(int *word) { return __atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE) == 0; }
    static void fastbp_unlock(int *word) { __atomic_store_n(word, 0, __ATOMIC_RELEASE); }
    """
    bint try_lock "fastbp_try_lock"(int *word) noexcept nogil
    void unlock "fastbp_unlock"(int *word) noexcept nogil

cdef double PATIENCE = 1.0          # seconds after which a thread that had fewer than it wanted tries again

cdef size_t OWNER_STACK = 256 * 1024    # of the owner thread, which opens the parallel region and then only waits

cdef bint _recovers = True          # whether OpenMP has threads again in a forked process
cdef bint _cut_off = False          # whether this process cannot have any, as it was forked from one that may have had some
cdef long _generation = 1           # 1 more with every fork on the way to this process
cdef size_t _worker_stack = 0       # bytes; 0: the system's default
cdef int _most = _threads.MOST_TEAM
cdef int _cpus = 1                  # that a team may run on
cdef bint _forced = False           # whether teams are used without asking whether they are of any use
cdef int _openmp_threads = 0        # that OpenMP would have taken when it was loaded
cdef str _refused = ""              # why there can be no teams, in words


# The team as it is. `lock` guards what the owner thread, the workers and the thread that lets the team grow write.
cdef struct Team:
    fbp_mutex lock
    fbp_condition changed
    bint owned                      # there is an owner thread
    long region                     # the number of the parallel region that is open, or is opened next
    int wanted                      # its threads, the owner included
    int granted                     # threads that OpenMP gives it, the owner included; 0 before it is open
    int present                     # workers that have entered it; the owner is none of them
    size_t least_stack              # bytes, the smallest stack of those
    int requested                       # threads that were requested when it grew last; `size` were had
    double retry_at                    # where that was fewer: the second from which on it may be tried again
    int size                        # threads that a job may have, its caller included
    int busy                        # locked while a job runs on the team, or the team grows

cdef Team the_team


# ---- forks ---------------------------------------------------------------------------------------------------------


cdef int begin(bint recovers, size_t stack, int cpus, str why) except -1:
    """What teams are to know of this machine. recovers: whether OpenMP has threads again in a forked process; stack: bytes of
    that of its threads, 0 for the system's default; cpus: how many of them a team may run on; why: there can be no team, or "".

    Of all threads only the forking one lives on in the child, and OpenMP believes that it still has those that it had. GCC's
    runtime keeps them by the thread that opened the region, the owner thread, so that an owner thread of the child's own has
    new ones, whatever other libraries did. LLVM's begins anew by itself, unless it was told not to.
    """
    global _recovers, _worker_stack, _refused, _cpus, _openmp_threads
    _recovers, _worker_stack, _refused, _openmp_threads = recovers, stack, why, openmp.most_threads()
    _cpus = _most if why else cpus      # a call that wants a team shall be told why there is none
    forget_threads()
    if fbp_at_fork(after_fork) != 0:
        raise MemoryError("no memory to watch forks")
    return 0


cdef void after_fork() noexcept nogil:
    global _cut_off, _generation
    _cut_off = _cut_off or (the_team.owned and not _recovers)
    _generation += 1
    fbp_forked()
    forget_threads()


cdef void forget_threads() noexcept nogil:
    memset(&the_team, 0, sizeof(the_team))
    fbp_mutex_init(&the_team.lock)
    fbp_condition_init(&the_team.changed)
    the_team.size = 1
    fbp_start(&queue)


cdef long generation() noexcept nogil:
    """A number that no process has in common with the one that it was forked from."""
    return _generation


cdef bint is_cut_off() noexcept nogil:
    """Whether this process has no teams, as it was forked from one that may have had some."""
    return _cut_off


cdef void cut_off() noexcept:
    global _cut_off
    _cut_off = True


# ---- jobs ----------------------------------------------------------------------------------------------------------


cdef void work_serially(Job *job, int tasks) noexcept nogil:
    """All tasks of a job in order, of which `tasks` are those of its first phase."""
    cdef WorkerState worker
    cdef int task
    job.enter(job, &worker, 0)
    while tasks > 0:
        for task in range(tasks):
            job.run(job, &worker, task)
        tasks = job.advance(job)


cdef void work_in_team(Job *job, int team, int tasks) noexcept nogil:
    """The same, on at most `team` threads; serially where another call has the team at the moment."""
    if tasks < 1:
        return
    if team < 2 or not try_lock(&the_team.busy):
        work_serially(job, tasks)
        return
    fbp_post(&queue, job, min(team, the_team.size), team > _cpus, tasks)
    serve(0)
    unlock(&the_team.busy)


cdef void serve(int member) noexcept nogil:
    """One thread of the team: tasks of whatever job there is, until threads are to leave; thread 0, whose job it is, until
    that is over."""
    cdef WorkerState worker
    cdef Job *job
    cdef uint64_t number = 0, last = 0
    cdef int task
    worker.leave = NULL
    while True:
        task = fbp_take(&queue, member, &number)
        if (task < 0 or number != last) and worker.leave is not NULL:
            worker.leave()
            worker.leave = NULL
        if task < 0:
            return
        job = <Job *>queue.job          # which stays while its task is not finished
        if number != last:
            job.enter(job, &worker, member)
            last = number
        job.run(job, &worker, task)
        if fbp_finish(&queue):
            fbp_open(&queue, job.advance(job))


# ---- how the team is formed ------------------------------------------------------------------------------------------


cdef void *own_region(void *argument) noexcept nogil:
    """The owner thread: opens a parallel region of as many threads as are wanted, and waits until that changes."""
    cdef long region = 0
    cdef int wanted
    if openmp.places() == 0:
        run_anywhere()
    while True:
        fbp_mutex_lock(&the_team.lock)
        while the_team.region == region:
            fbp_condition_wait(&the_team.changed, &the_team.lock)
        region, wanted = the_team.region, the_team.wanted
        fbp_mutex_unlock(&the_team.lock)
        fbp_start(&queue)
        with parallel(num_threads=wanted):
            if openmp.thread_number() == 0:
                wait_for_next(region)
            else:
                join_team()
                serve(openmp.thread_number())


cdef void wait_for_next(long region) noexcept nogil:
    """The owner thread, within its region, which stays open until another one is wanted."""
    fbp_mutex_lock(&the_team.lock)
    the_team.granted = openmp.threads_here()
    fbp_condition_broadcast(&the_team.changed)
    while the_team.region == region:
        fbp_condition_wait(&the_team.changed, &the_team.lock)
    fbp_mutex_unlock(&the_team.lock)


cdef void join_team() noexcept nogil:
    cdef size_t left = stack_left()
    fbp_mutex_lock(&the_team.lock)
    the_team.present += 1
    the_team.least_stack = min(the_team.least_stack, left)
    fbp_condition_broadcast(&the_team.changed)
    fbp_mutex_unlock(&the_team.lock)


cdef bint has_owner() noexcept nogil:
    """Whether there is an owner thread; it is started when it is first needed."""
    cdef fbp_thread thread
    if not the_team.owned:
        # where other libraries want more of every thread's stack than that, it has the usual one
        the_team.owned = (fbp_thread_start(&thread, OWNER_STACK, own_region, NULL) == 0
                          or fbp_thread_start(&thread, 0, own_region, NULL) == 0)
        if the_team.owned:
            fbp_thread_detach(thread)
    return the_team.owned


cdef void form_team(int wanted) noexcept nogil:
    """Lets the owner thread open a region of `wanted` threads, itself included, and waits until they are there."""
    fbp_end(&queue)
    fbp_mutex_lock(&the_team.lock)
    the_team.region += 1
    the_team.wanted, the_team.granted, the_team.present, the_team.least_stack = wanted, 0, 0, SIZE_MAX
    fbp_condition_broadcast(&the_team.changed)
    while the_team.granted == 0 or the_team.present < the_team.granted - 1:
        fbp_condition_wait(&the_team.changed, &the_team.lock)
    fbp_mutex_unlock(&the_team.lock)


cdef int team_of(int wanted) except -1:
    """How many threads a job of `wanted`, 2 or more, may have: all of them where they can be had, which is tried the first
    time; else it is looked up."""
    if wanted <= the_team.size:
        return wanted
    if _cut_off or (the_team.requested >= wanted and the_team.size < the_team.requested and seconds() < the_team.retry_at):
        return the_team.size
    wanted = capped(wanted)
    if wanted <= the_team.size or not try_lock(&the_team.busy):     # another thread has it at the moment: as many as it has
        return min(wanted, the_team.size)
    try:
        return grow(wanted)
    finally:
        unlock(&the_team.busy)


cdef int grow(int wanted) except -1:
    """Lets the team, which the caller has locked, grow to `wanted` threads, or as many as there can be; returns how many.

    No other thread may let it grow meanwhile: two that both found room for the last thread would end the process.
    """
    cdef int had = the_team.size, team = had, possible
    cdef size_t stack = SIZE_MAX
    if _refused:
        warn_of_fewer(wanted, 1, _refused)
        return 1
    with nogil:
        hold_signals()
        possible = had + (startable(wanted - had, _worker_stack) if has_owner() else 0)
        if possible > had:
            form_team(min(wanted, possible))
            team, stack = the_team.granted, the_team.least_stack
        take_signals()
        # before anything can be raised; what OpenMP and its stacks forbid is not tried again
        the_team.requested, the_team.size = wanted, 1 if stack < STACK else team
        the_team.retry_at = INFINITY if stack < STACK or team < min(wanted, possible) else seconds() + PATIENCE
    if stack < STACK:
        why = (f"the stacks of OpenMP's threads have {stack // 1024} KB, expected {STACK // 1024} KB; set OMP_STACKSIZE=1M "
               "before Python starts")
    elif team < min(wanted, possible):
        why = "OpenMP starts no more (OMP_THREAD_LIMIT, OMP_DYNAMIC)"
    else:
        why = "the system starts no more (ulimit -u and -v, or the container's pids.max)"
    if the_team.size < wanted:
        warn_of_fewer(wanted, the_team.size, why)
    return the_team.size


cdef int useful(int wanted) noexcept nogil:
    """How many of `wanted` threads there is any use for: not more than CPUs, or than another library's settings allow now
    (threadpoolctl sets the number of the calling thread)."""
    cdef int most = openmp.most_threads()
    if most < _openmp_threads:
        wanted = min(wanted, most)
    return wanted if _forced else min(wanted, _cpus)


cdef bint is_forced() noexcept nogil:
    return _forced


cdef void force(bint forced) noexcept:
    """Whether a call of so many threads has so many, also where there are fewer CPUs, or one thread is faster."""
    global _forced
    _forced = forced


cdef int capped(int wanted) except -1:
    """The size of a team of at most `wanted` threads. Warns, once, where that is more than can be of use."""
    if wanted > _most:
        warn_of_fewer(wanted, _most, f"more would only wait for each other on {_threads.CPUS} CPUs")
    return min(wanted, _most)


cdef int warn_of_fewer(int wanted, int team, why) except -1:
    _threads.warn_once(
        "teams", f"{wanted} threads were asked for, {team} {'runs' if team == 1 else 'run'}: {why}; results are the same"
    )
    return 0


cdef double seconds() noexcept nogil:
    """Seconds since some moment."""
    return fbp_seconds()
