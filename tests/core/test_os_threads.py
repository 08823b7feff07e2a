"""fastbp/_core/os_threads.pyx: threads that the system, or OpenMP, does not have, and stacks that are too small."""

import os
import sys
import textwrap

import pytest

from .processes import HAS_GCCS, OPENMP, run, run_all

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")

# The stacks of threads, here, are larger than what a process has left: none but the first is started.
GIGABYTES = {"OMP_STACKSIZE": "1G", "MALLOC_ARENA_MAX": "1", "OPENBLAS_NUM_THREADS": "1", "FASTBP_NUM_THREADS": "1"}
LIMITED = """
import resource
import numpy as np
import fastbp as fb
fb.cpu.force_teams(True)
bits = train(threads=1)

def limit(room):
    "Leaves this process room for so many more bytes of memory."
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room, -1))
"""


@LINUX
@OPENMP
@pytest.mark.parametrize(("room", "had"), [(2**29, 1), (5 * 2**29, 3)])
def test_fewer_threads_than_the_system_starts(room, had):
    """Each thread wants a gigabyte for its stack; GCC's runtime would end the process where there is none."""
    words, errors = run(LIMITED + f"""
        limit({room})
        print(fb.cpu.team(4), train(threads=4) == bits, train(threads=4) == bits, fb.cpu.team(2))
    """.replace("\n        ", "\n"), **GIGABYTES)
    assert words == [str(had), "True", "True", str(min(2, had))]
    assert errors.count("RuntimeWarning") == 1
    verb = "runs" if had == 1 else "run"
    assert f"4 threads were asked for, {had} {verb}: the system starts no more (ulimit -u and -v" in errors


@LINUX
@OPENMP
@pytest.mark.parametrize("wanted", [2, 4])
def test_what_openmp_refuses_is_not_waited_for(wanted):
    """A second later as little as at once."""
    environs = [{"OMP_THREAD_LIMIT": "2"}, {"OMP_DYNAMIC": "true"}, {"OMP_STACKSIZE": "24k"}, {}]
    for words, errors in run_all(f"""
        import time
        import fastbp as fb
        fb.cpu.force_teams(True)
        bits = train(threads=1)
        for _ in range(2):
            print(train(threads={wanted}) == bits)
            time.sleep(1.1)
        signal.alarm(20)
        print(train(threads={wanted}) == bits)
    """, environs):
        assert words == ["True"] * 3, errors


@LINUX
@OPENMP
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda pid: ())(0)) < 2, reason="one CPU")
def test_a_team_runs_where_the_process_may():
    """Not only where the thread may that was the first to want one."""
    words, errors = run("""
        import fastbp as fb
        before, cpus = set(os.listdir("/proc/self/task")), os.sched_getaffinity(0)
        def work():
            os.sched_setaffinity(0, {min(cpus)})
            train(threads=2)
            ours.update(int(task) for task in os.listdir("/proc/self/task") if task not in before)
            ours.remove(threading.get_native_id())
        ours = set()
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
        print(len(ours), all(os.sched_getaffinity(task) == cpus for task in ours))
    """, FASTBP_NUM_THREADS="1")
    assert words == ["2", "True"], errors


@LINUX
@OPENMP
def test_a_shortage_that_passes():
    words, errors = run(LIMITED + textwrap.dedent("""
        import time
        limit(2**29)
        print(fb.cpu.team(4))
        limit(2**40)
        print(fb.cpu.team(4))
        time.sleep(1.1)
        print(fb.cpu.team(4))
    """), **GIGABYTES)
    assert words == ["1", "1", "4"], errors


@OPENMP
def test_more_threads_than_anybody_needs():
    words, errors = run("""
        import numpy as np
        import fastbp as fb
        fb.cpu.force_teams(True)
        X = np.random.default_rng(0).random((400, 5)); y = np.arange(400) % 2
        def made(count):
            return [fb.mlp(5, 3, 2, seed=seed, loss="cross_entropy") for seed in range(count)]
        some, alike = made(300), made(300)
        fb.fit_many(some, X, y, threads=20_000)
        print(tasks() <= max(64, 4 * os.cpu_count()) + 8)
        fb.fit_many(alike, X, y, threads=1)
        print(all((a.params == b.params).all() for a, b in zip(some, alike)))
        wide, narrow = fb.mlp(5, 3, 2, loss="cross_entropy"), fb.mlp(5, 3, 2, loss="cross_entropy")
        X = np.random.default_rng(0).random((200_000, 5)).astype("f4"); y = np.arange(len(X)) % 2
        wide.fit(X, y, batch_size=len(X), threads=10**30)
        narrow.fit(X, y, batch_size=len(X), threads=1)
        print((wide.params == narrow.params).all())
    """)
    assert words == ["True", "True", "True"], errors
    assert errors.count("RuntimeWarning") == 1
    assert "<string>" in errors  # the line is the user's
    assert "300 threads were asked for, " in errors


@LINUX
@OPENMP
@pytest.mark.parametrize("name", ["OMP_STACKSIZE", "GOMP_STACKSIZE"])
def test_stacks_of_openmps_threads_that_are_too_small(name):
    if name == "GOMP_STACKSIZE" and not HAS_GCCS:
        pytest.skip("another runtime")
    words, errors = run("print(train(threads=1) == train(threads=2) == train(threads=2))", **{name: "20k"})
    assert words == ["True"]
    if HAS_GCCS:  # others do not start threads with stacks as small
        assert errors.count("RuntimeWarning") == 1
        assert "2 threads were asked for, 1 runs: the stacks of OpenMP's threads have 1" in errors
        assert "KB, expected 32 KB; set OMP_STACKSIZE=1M before Python starts" in errors


@LINUX
def test_a_stack_of_the_callers_that_is_too_small():
    words, errors = run("""
        import numpy as np
        import fastbp as fb
        net, plain = fb.mlp(4, 3), fb.mlp(4, 3)
        X, y = np.ones((5, 4), "f4"), np.ones((5, 3), "f4")
        def work():
            for call in (lambda: net.fit(X, y), lambda: net.loss_and_grad(X, y), lambda: net.predict(X)):
                try:
                    call()
                    print("fine")
                except RuntimeError as error:
                    print("KB" in str(error) and "threading.stack_size(1 << 20)" in str(error))
        threading.stack_size(32 * 1024)
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
        print((net.params == plain.params).all())
        threading.stack_size(256 * 1024)
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
    """)
    assert words == ["True"] * 4 + ["fine"] * 3, errors


@LINUX
@OPENMP
def test_a_warning_that_is_an_error_changes_nothing():
    words, errors = run(LIMITED + textwrap.dedent("""
        warnings.simplefilter("error")
        limit(2**29)
        nets = [fb.mlp(5, 3, seed=seed) for seed in range(4)]
        before = [net.params.copy() for net in nets]
        X, y = np.ones((40, 5)), np.ones((40, 3))
        try:
            fb.fit_many(nets, X, y, threads=3)
        except RuntimeWarning:
            print(all((net.params == old).all() for net, old in zip(nets, before)))
        fb.fit_many(nets, X, y, threads=3)
        print(not any((net.params == old).all() for net, old in zip(nets, before)))
    """), **GIGABYTES)
    assert words == ["True", "True"], errors


@OPENMP
def test_what_openmp_itself_forbids():
    code = """
        import fastbp as fb
        print(fb.cpu.threads(), fb.cpu.thread_reason().replace(" ", "_"), train(threads=2) == train(threads=1))
    """
    words, errors = run(code, OMP_THREAD_LIMIT="1")
    assert words == ["1", "OMP_THREAD_LIMIT=1", "True"]
    assert "2 threads were asked for, 1 runs: OpenMP starts no more (OMP_THREAD_LIMIT" in errors
