"""Independent networks side by side: a thread takes one network's steps and runs them alone, then the next network's."""
from libc.stdlib cimport calloc, free
from fastbp._core cimport cpu, teams
from fastbp._core.epochs cimport Course, Epochs, advance
from fastbp._core.teams cimport Desk, Job


# The job of the team's: one phase, in which each network is a task. `base` comes first.
cdef struct ManyJob:
    Job base
    Course **courses


def run_each(list calls, int team):
    """The next steps of several trainings, on at most `team` threads.

    calls: for each an Epochs and the arguments of its `run`, all but the team. Threads take them in this order. Returns a list
    of (what `run` returns, the seconds that its steps took) for each; a training whose numbers are not finite stops alone.
    """
    cdef int count = <int>len(calls), i
    cdef Epochs epochs
    cdef ManyJob job
    cdef Course **courses = <Course **>calloc(max(1, count), sizeof(Course *))
    if courses is NULL:
        raise MemoryError("no memory for the calls of many networks")
    try:
        for i in range(count):
            epochs, training, evaluated, rates, stopping = calls[i]
            epochs.bind(training, evaluated, rates, len(rates), stopping)
            courses[i] = &epochs.at
        team = cpu.team_limit(min(team, count))
        job.base.enter, job.base.run, job.base.advance, job.courses = begin_nothing, advance_one, end_all, courses
        with nogil:
            teams.work_together(&job.base, team, count)
        results, failed = [], None
        for i in range(count):      # all of them, also where there is no memory for one
            epochs, _, _, _, stopping = calls[i]
            try:
                results.append((epochs.settle(stopping), epochs.at.seconds))
            except MemoryError as error:
                failed = error
        if failed is not None:
            raise failed
        return results
    finally:
        free(courses)
        for call in calls:
            epochs = call[0]
            epochs.release()


cdef void begin_nothing(const Job *job, Desk *desk, int member) noexcept nogil:
    pass


cdef void advance_one(const Job *job, Desk *desk, int task) noexcept nogil:
    advance((<const ManyJob *>job).courses[task], 1)


cdef int end_all(const Job *job) noexcept nogil:
    return 0
