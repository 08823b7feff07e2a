"""Independent networks side by side: a thread takes one network's steps and runs them alone, then the next
network's."""
from libc.stdlib cimport calloc, free
from fastbp._core cimport cpu, teams
from fastbp._core.epochs cimport Epochs
from fastbp._core.teams cimport WorkerState, Job
from fastbp._core.training_state cimport TrainingState, run_epochs


# The job of the team's: one phase, in which each network is a task. `base` comes first.
cdef struct ManyJob:
    Job base
    TrainingState **states


def run_each(list calls, int team):
    """The next steps of several trainings, on at most `team` threads.

    calls: for each an Epochs and the arguments of its `run`, all but the team. Threads take them in this order. Returns a list
    of (what `run` returns, the seconds that its steps took) for each; a training whose numbers are not finite stops alone.
    """
    cdef int count = <int>len(calls), i
    cdef Epochs epochs
    cdef ManyJob job
    cdef TrainingState **states = <TrainingState **>calloc(max(1, count), sizeof(TrainingState *))
    if states is NULL:
        raise MemoryError("no memory for the calls of many networks")
    try:
        for i in range(count):
            epochs, training, evaluated, rates, stopping = calls[i]
            epochs.bind(training, evaluated, rates, len(rates), stopping)
            states[i] = &epochs.at
        team = cpu.team_limit(min(team, count))
        job.base.enter, job.base.run, job.base.advance, job.states = begin_nothing, run_one, end_all, states
        with nogil:
            teams.work_in_team(&job.base, team, count)
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
        free(states)
        for call in calls:
            epochs = call[0]
            epochs.release()


cdef void begin_nothing(const Job *job, WorkerState *worker, int member) noexcept nogil:
    pass


cdef void run_one(const Job *job, WorkerState *worker, int task) noexcept nogil:
    run_epochs((<const ManyJob *>job).states[task], 1)


cdef int end_all(const Job *job) noexcept nogil:
    return 0
