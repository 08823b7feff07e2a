"""csrc/queue.c: how a team that stays together shares out its work."""

import ctypes
import threading
from ctypes import POINTER, c_char, c_int, c_uint64, c_void_p

import numpy as np
import pytest

from fastbp._core import teams

LIBRARY = ctypes.CDLL(teams.__file__)
SIZE = 8192  # bytes, more than a queue has


def function(name, result, *arguments):
    found = getattr(LIBRARY, name)
    found.restype, found.argtypes = result, arguments
    return found


start = function("fbp_start", None, c_void_p)
post = function("fbp_post", None, c_void_p, c_void_p, c_int, c_int, c_int)
open_phase = function("fbp_open", None, c_void_p, c_int)
take_of_job = function("fbp_take", c_int, c_void_p, c_int, POINTER(c_uint64))
finish = function("fbp_finish", c_int, c_void_p)
end = function("fbp_end", None, c_void_p)


def new():
    queue = (c_char * SIZE)()
    start(queue)
    return queue


def take(queue, member):
    """(task, number of its job)."""
    number = c_uint64()
    return take_of_job(queue, member, number), number.value


class Team:
    """Threads 1 .. count that run `work(member, task)` of what is posted, and advance() after the last of a phase."""

    def __init__(self, count, work, advance):
        self.queue, self.work, self.advance = new(), work, advance
        self.threads = [threading.Thread(target=self.serve, args=(i + 1,), daemon=True) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def serve(self, member):
        while True:
            task, _ = take(self.queue, member)
            if task < 0:
                return
            self.work(member, task)
            if finish(self.queue):
                open_phase(self.queue, self.advance())

    def leave(self):
        end(self.queue)
        for thread in self.threads:
            thread.join(timeout=20)
            assert not thread.is_alive(), "a thread waits forever"


@pytest.mark.parametrize("count", [0, 1, 2, 4])
@pytest.mark.parametrize("crowded", [False, True])
def test_every_task_of_a_phase_is_finished_before_the_next_begins(count, crowded):
    """More threads than cores too. Jobs of several phases of 1 to 5 tasks; each task must see all before it."""
    jobs, phases = 40, 10
    done, early, current = np.zeros((jobs, phases, 5), np.int64), [], [0, 0]

    def work(member, task):
        job, phase = current
        before = done[:job].sum() + done[job, :phase].sum()
        if before != job * sum(i % 5 + 1 for i in range(phases)) + sum(i % 5 + 1 for i in range(phase)):
            early.append((job, phase))
        done[job, phase, task] += 1

    def advance():
        current[1] += 1
        return current[1] % 5 + 1 if current[1] < phases else 0

    team = Team(count, work, advance)
    for job in range(jobs):
        current[:] = job, 0
        post(team.queue, None, count + 1, crowded, 1)
        team.serve(0)  # returns when the job is over
    team.leave()
    assert early == []
    for phase in range(phases):
        assert (done[:, phase] == [1] * (phase % 5 + 1) + [0] * (4 - phase % 5)).all()


def test_a_thread_takes_its_own_tasks_first_and_then_the_others():
    queue = new()
    post(queue, None, 3, False, 8)
    assert [take(queue, 1)[0] for _ in range(8)] == [1, 4, 7, 2, 5, 0, 3, 6]


def test_the_caller_waits_for_tasks_and_for_no_thread():
    """Of threads that were never there, and of one that comes when the job is over."""
    queue = new()
    for job in range(1, 4):
        post(queue, None, 8, False, 3)
        assert sorted(take(queue, 0) for _ in range(3)) == [(0, job), (1, job), (2, job)]
        assert [finish(queue) for _ in range(3)] == [0, 0, 1]
        open_phase(queue, 0)
        assert take(queue, 0)[0] == -1
    late = threading.Thread(target=lambda: seen.append(take(queue, 1)), daemon=True)
    seen = []
    late.start()
    late.join(timeout=0.2)
    assert late.is_alive() and seen == []  # there is nothing of an old job for it
    post(queue, None, 2, False, 1)
    late.join(timeout=20)
    assert seen == [(0, 4)]


def test_who_is_at_a_task_holds_up_nothing_but_it():
    """Thread 1 takes a task and stops; the caller does the rest, and waits for that one alone."""
    queue = new()
    post(queue, None, 2, False, 4)
    stopped, _ = take(queue, 1)
    assert sorted(take(queue, 0)[0] for _ in range(3)) == sorted({0, 1, 2, 3} - {stopped})
    assert [finish(queue) for _ in range(3)] == [0, 0, 0]
    waits = threading.Thread(target=lambda: seen.append(take(queue, 0)), daemon=True)
    seen = []
    waits.start()
    waits.join(timeout=0.1)
    assert waits.is_alive()
    assert finish(queue) == 1
    open_phase(queue, 0)
    waits.join(timeout=20)
    assert [task for task, _ in seen] == [-1]


def test_a_job_of_fewer_threads_is_nobody_elses():
    queue = new()
    seen = []
    other = threading.Thread(target=lambda: seen.append(take(queue, 2)), daemon=True)
    post(queue, None, 2, False, 2)
    other.start()
    other.join(timeout=0.2)
    assert other.is_alive() and seen == []
    assert sorted(take(queue, member)[0] for member in (0, 1)) == [0, 1]
    assert [finish(queue), finish(queue)] == [0, 1]
    open_phase(queue, 0)
    post(queue, None, 3, False, 1)
    other.join(timeout=20)
    assert seen == [(0, 2)]


def test_phases_go_on_where_their_numbers_come_round():
    """The numbers have 39 bits; a lane's last one may be from before, and is then the earlier one."""
    queue, seen = new(), []
    open_word = ctypes.cast(queue, POINTER(c_uint64))
    open_word[0] = 1 << 63 | (2**39 - 3) << 24

    def work():
        for _ in range(6):
            post(queue, None, 1, False, 2)
            seen.extend(take(queue, 0) for _ in range(2))
            assert [finish(queue), finish(queue)] == [0, 1]
            open_phase(queue, 0)
            assert take(queue, 0)[0] == -1

    worker = threading.Thread(target=work, daemon=True)  # which would wait forever for a lane of a later phase
    worker.start()
    worker.join(timeout=20)
    assert seen == [(task, job) for job in range(1, 7) for task in (0, 1)]
