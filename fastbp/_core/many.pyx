"""Independent networks side by side: a thread takes one network's steps and runs them alone, then the next network's."""
from libc.stdlib cimport calloc, free
from fastbp._core cimport cpu, teams
from fastbp._core.executor cimport Call, begin, run_alone
from fastbp._core.plan cimport Plan
from fastbp._core.program cimport Program
from fastbp._core.teams cimport Desk, Job
from fastbp._core.train cimport prepare_batches, settle


cdef struct Member:
    Program *program
    Call call


# The job of the team's: one phase, in which each network is a task. `base` comes first.
cdef struct ManyJob:
    Job base
    Member *members


def run_each(list calls, int team):
    """The training steps of several networks, on at most `team` threads.

    calls: the arguments of `train.run_batches`, all but its team, for each network, no plan twice. Threads take the
    networks in this order. Returns a list of what `train.run_batches` returns for each; a network whose loss is not finite
    stops alone.
    """
    cdef int count = <int>len(calls), i
    cdef Plan plan
    cdef ManyJob job
    cdef Member *members = <Member *>calloc(max(1, count), sizeof(Member))
    if members is NULL:
        raise MemoryError("no memory for the calls of many networks")
    try:
        for i in range(count):
            plan, arrays, order, first, epoch, lr, losses, model, optimizer, _ = calls[i]
            prepare_batches(plan, &members[i].call, arrays, order, first, epoch, lr, losses, model, optimizer)
            members[i].program = &plan.program
            members[i].call.stop = members[i].call.steps
        team = cpu.team_limit(min(team, count))
        job.base.enter, job.base.run, job.base.advance, job.members = begin_nothing, run_network, end_all, members
        with nogil:
            teams.work_together(&job.base, team, count)
        results, failed = [], None
        for i in range(count):      # all of them, also where there is no memory for one
            plan, _, _, _, _, _, _, model, optimizer, before = calls[i]
            try:
                results.append(settle(plan, &members[i].call, model, optimizer, before))
            except MemoryError as error:
                failed = error
        if failed is not None:
            raise failed
        return results
    finally:
        free(members)
        for call in calls:
            plan = call[0]
            plan.bound.clear()


cdef void begin_nothing(const Job *job, Desk *desk, int member) noexcept nogil:
    pass


cdef void run_network(const Job *job, Desk *desk, int task) noexcept nogil:
    """All steps of one network."""
    cdef Member *member = &(<const ManyJob *>job).members[task]
    member.program.broken = False
    if member.call.steps < 1:
        return
    run_alone(member.program, &member.call, begin(member.program, &member.call))


cdef int end_all(const Job *job) noexcept nogil:
    return 0
