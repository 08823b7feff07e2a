"""Independent networks side by side: a thread takes one network's steps and runs them alone, then the next network's."""
from cython.parallel cimport parallel
from libc.stdlib cimport calloc, free
from fastbp._core cimport cpu
from fastbp._core.executor cimport Call, begin, work_alone
from fastbp._core.kernels cimport fbp_queue
from fastbp._core.plan cimport Plan
from fastbp._core.program cimport Program
from fastbp._core.train cimport prepare_batches, settle


cdef struct Job:
    Program *program
    Call call


def run_each(list calls, int team):
    """The training steps of several networks, in one parallel region of at most `team` threads.

    calls: the arguments of `train.run_batches`, all but its team, for each network, no plan twice. Threads take the
    networks in this order. Returns a list of what `train.run_batches` returns for each; a network whose loss is not finite
    stops alone.
    """
    cdef int count = <int>len(calls), i
    cdef Plan plan
    cdef fbp_queue queue
    cdef Job *jobs = <Job *>calloc(max(1, count), sizeof(Job))
    if jobs is NULL:
        raise MemoryError("no memory for the calls of many networks")
    try:
        for i in range(count):
            plan, arrays, order, first, epoch, lr, losses, model, optimizer, _ = calls[i]
            prepare_batches(plan, &jobs[i].call, arrays, order, first, epoch, lr, losses, model, optimizer)
            jobs[i].program = &plan.program
            jobs[i].call.stop = jobs[i].call.steps
        team = cpu.team_limit(min(team, count))
        cpu.start_queue(&queue, team)
        cpu.open_phase(&queue, count)
        with nogil, parallel(num_threads=team):
            work(jobs, &queue, cpu.team_member())
        results, failed = [], None
        for i in range(count):      # all of them, also where there is no memory for one
            plan, _, _, _, _, _, _, model, optimizer, before = calls[i]
            try:
                results.append(settle(plan, &jobs[i].call, model, optimizer, before))
            except MemoryError as error:
                failed = error
        if failed is not None:
            raise failed
        return results
    finally:
        free(jobs)
        for call in calls:
            plan = call[0]
            plan.bound.clear()


cdef void work(Job *jobs, fbp_queue *queue, int member) noexcept nogil:
    """One thread: networks, until all are taken."""
    cdef Job *job
    cdef int task
    while True:
        task = cpu.take_task(queue, member)
        if task < 0:
            return
        job = &jobs[task]
        job.program.broken = False
        work_alone(job.program, &job.call, begin(job.program, &job.call))
        if cpu.finish_task(queue):
            cpu.open_phase(queue, 0)
