# The team of threads, and jobs for it. An executor says what a task is.
from fastbp._core.kernels cimport fbp_prefetch, fbp_hook
from fastbp._core.program cimport Place

# What one thread has of its own while it works on a job.
cdef struct WorkerState:
    Place at
    fbp_prefetch prefetch
    fbp_hook *leave     # what the thread calls when it takes a task of another job, or goes; or NULL

# Phases one after another, each of a number of tasks. It must stay where it is until its last task is done.
cdef struct Job:
    void (*enter)(const Job *job, WorkerState *worker, int member) noexcept nogil  # before a thread's first task
    void (*run)(const Job *job, WorkerState *worker, int task) noexcept nogil
    int (*advance)(const Job *job) noexcept nogil   # after a phase's last task: the next one's number of tasks, 0 for none

cdef void work_serially(Job *job, int tasks) noexcept nogil
cdef void work_in_team(Job *job, int team, int tasks) noexcept nogil
cdef int useful(int wanted) noexcept nogil
cdef int team_of(int wanted) except -1

cdef int begin(bint recovers, size_t stack, int cpus, str why) except -1
cdef long generation() noexcept nogil
cdef bint is_cut_off() noexcept nogil
cdef void cut_off() noexcept
cdef bint is_forced() noexcept nogil
cdef void force(bint forced) noexcept
cdef int capped(int wanted) except -1
cdef double seconds() noexcept nogil
