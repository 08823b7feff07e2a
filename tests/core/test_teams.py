"""fastbp/_core/teams.pyx: forks, and threads that the system does not have."""

import contextlib
import os
import subprocess
import sys
import textwrap

import pytest

from fastbp._core import cpu

HAS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
# by the compiler: other libraries of this process may have brought another runtime
HAS_GCCS = cpu.build()["openmp"] and "Clang" not in cpu.build()["compiler"]
OPENMP = pytest.mark.skipif(not cpu.build()["openmp"], reason="built without OpenMP")
GCC = pytest.mark.skipif(not HAS_GCCS, reason="another runtime, or none")

# One training on a team of two, and its bits.
TRAIN = """
import hashlib, os, signal, sys, threading, warnings

def train(**options):
    import numpy as np
    import fastbp as fb
    X = np.random.default_rng(0).random((2000, 20)); y = np.arange(2000) % 4
    net = fb.mlp(20, 32, 4, seed=1, loss="cross_entropy")
    net.fit(X, y, epochs=2, batch_size=500, **{"threads": 2, **options})
    nets = [fb.mlp(20, 8, 4, seed=seed, loss="cross_entropy") for seed in range(4)]
    fb.fit_many(nets, X, y, batch_size=500, **{"threads": 2, **options})
    return hashlib.sha256(b"".join(net.params.tobytes() for net in [net, *nets])).hexdigest()

def others_team(count):
    import ctypes
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda argument: None)
    ctypes.CDLL("libgomp.so.1").GOMP_parallel(run, None, count, 0)

def tasks():
    return len(os.listdir("/proc/self/task"))

def child(work):
    "Whether `work` is true in a forked process; None where it takes more than 20 seconds."
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(3)
    return {0: True, 1: False, 3: "an exception"}.get(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def run(code, **environ):
    """What Python code prints, word for word, after TRAIN; what it writes to stderr is in the assertion's message."""
    result, = run_all(code, [environ])
    return result


def run_all(code, environs):
    """`run` in each of several environments, side by side: what they wait for, they wait for together."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTBP_", "OMP_", "GOMP_"))}
    line = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", TRAIN + textwrap.dedent(code)]
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(line, env={**kept, **each}, **how)) for each in environs]
        for process in processes:
            stack.callback(process.kill)
        results = [process.communicate(timeout=120) for process in processes]
    for process, (_, errors) in zip(processes, results, strict=True):
        assert process.returncode == 0, errors
    return [(out.split(), errors) for out, errors in results]


# ---- forks ---------------------------------------------------------------------------------------------------------


@HAS_FORK
@GCC
def test_a_fork_after_the_team_of_another_library():
    words, errors = run("""
        import fastbp as fb
        others_team(3)
        seen = {}
        def work():
            before = tasks()
            same = train() == bits and "fork" in fb.cpu.thread_reason()
            return same and tasks() == before + 2        # a team of two has one more, and an owner thread
        bits = train(threads=1)
        others_team(3)
        print(child(work), child(lambda: child(work)), train() == bits)
        others_team(3)
        print(child(work))
    """)
    assert words == ["True", "True", "True", "True"], errors


@HAS_FORK
@GCC
def test_a_fork_in_a_team_of_another_library():
    """Which the child has not, and does not need."""
    words, errors = run("""
        import ctypes
        import fastbp as fb
        def work():
            before = tasks()
            return train() == bits and tasks() == before + 2
        def body(argument):
            if threading.current_thread() is threading.main_thread():
                print(child(work))
        bits = train()
        run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(body)
        ctypes.CDLL("libgomp.so.1").GOMP_parallel(run, None, 2, 0)
        print(train() == bits)
    """)
    assert words == ["True", "True"], errors


@HAS_FORK
@GCC
@pytest.mark.parametrize("before", ["others_team(3)", "ctypes.CDLL('libgomp.so.1')", ""])
def test_an_import_after_a_fork(before):
    words, errors = run(f"""
        import ctypes
        def work():
            import fastbp as fb
            fb.cpu.set_threads(2)
            print(fb.cpu.threads(), train() == train(threads=1), flush=True)
            return child(lambda: fb.cpu.threads() == 2 and train() == train(threads=1))
        {before}
        print(child(work))
    """)
    assert words == ["2", "True", "True"], errors


@HAS_FORK
def test_a_fork_while_another_thread_trains():
    """The child may use the network that the other thread, which it has not, was training."""
    words, errors = run("""
        import time
        import numpy as np
        import fastbp as fb
        X = np.random.default_rng(0).random((2000, 20)).astype("f4"); y = np.arange(2000) % 4
        wanted = fb.mlp(20, 64, 4, seed=1, loss="cross_entropy")
        begin = wanted.params.copy()
        wanted.fit(X, y, epochs=2, batch_size=500, optimizer=fb.Adam(), threads=1)
        net, optimizer = fb.mlp(20, 64, 4, seed=1, loss="cross_entropy"), fb.Adam()
        nets = [fb.mlp(20, 64, 4, seed=1, loss="cross_entropy") for _ in range(2)]
        going = True
        def stop(net, epoch, logs):
            return not going
        def many():
            while going:
                fb.fit_many(nets, X, y, epochs=5, batch_size=500, optimizers=fb.Adam())
        training = [threading.Thread(target=net.fit, args=(X, y), kwargs={
            "epochs": 10**6, "batch_size": 500, "optimizer": optimizer, "callbacks": [stop]}),
            threading.Thread(target=many)]
        for thread in training:
            thread.start()
        def work():
            same = []
            for one in (net, *nets):
                one.params[:], one.epochs = begin, 0
                one.fit(X, y, epochs=2, batch_size=500, optimizer=fb.Adam(), threads=2)
                same.append(one.params.tobytes() == wanted.params.tobytes())
            one.loss_and_grad(X[:10], y[:10])
            return all(same)
        for i in range(12):
            time.sleep(0.002 * i)
            print(child(work))
        going = False
        for thread in training:
            thread.join()
    """)
    assert words == ["True"] * 12, errors


def test_a_network_is_still_one_threads_alone_in_the_child():
    words, errors = run("""
        import numpy as np
        import fastbp as fb
        net = fb.mlp(2, 1)
        def work():
            with net._exclusive:
                try:
                    net.loss_and_grad(np.ones((1, 2)), np.ones(1))
                except RuntimeError:
                    return True
        print(child(work), work())
    """)
    assert words == ["True", "True"], errors


# ---- jobs ----------------------------------------------------------------------------------------------------------


def test_callers_at_the_same_time():
    """One has the team, the others go alone; nobody sees a task of another's."""
    words, errors = run("""
        import fastbp as fb
        fb.cpu.force_teams(True)
        bits, found = train(threads=1), []
        def work():
            for _ in range(5):
                found.append(train(threads=3) == bits)
        working = [threading.Thread(target=work) for _ in range(4)]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        print(len(found), all(found))
    """)
    assert words == ["20", "True"], errors


def test_no_thread_of_a_call_is_left_when_it_returns():
    """What a call has written is its caller's: nobody writes there afterwards."""
    words, errors = run("""
        import numpy as np
        import fastbp as fb
        fb.cpu.force_teams(True)
        fb.cpu.set_threads(3)
        X = np.random.default_rng(0).random((3000, 20)).astype("f4"); y = np.arange(3000) % 4
        net = fb.mlp(20, 64, 4, seed=1, loss="cross_entropy")
        same = []
        for _ in range(300):
            net.loss_and_grad(X, y)
            grads = net.grads.copy()
            net.grads[:] = 7
            net.predict(X[:500])
            same.append((net.grads == 7).all())
        print(all(same))
    """)
    assert words == ["True"], errors


@GCC
def test_a_limit_of_another_library():
    """As threadpoolctl sets it, for this thread, from one call to the next."""
    words, errors = run("""
        import ctypes
        import fastbp as fb
        limit = ctypes.CDLL("libgomp.so.1").omp_set_num_threads
        fb.cpu.force_teams(True)
        before, bits = tasks(), train(threads=1)
        limit(1)
        print(train(threads=3) == bits, tasks() == before)
        limit(os.cpu_count())
        print(train(threads=3) == bits, tasks() == before + 3)
    """, FASTBP_NUM_THREADS="1")
    assert words == ["True"] * 4, errors


@OPENMP
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="Linux tells of threads")
def test_signals_of_the_process_are_for_other_threads():
    """A program that waits for one (signal.sigwait) must not be ended by it in a thread of ours."""
    words, errors = run("""
        def blocked(task):
            with open(f"/proc/self/task/{task}/status") as lines:
                return int(next(line for line in lines if line.startswith("SigBlk")).split()[1], 16)
        import fastbp as fb
        fb.cpu.force_teams(True)
        before = set(os.listdir("/proc/self/task"))
        train(threads=3)
        ours = set(os.listdir("/proc/self/task")) - before
        wanted = sum(1 << number - 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM))
        print(len(ours), all(blocked(task) & wanted == wanted for task in ours))
    """, FASTBP_NUM_THREADS="1")
    assert words == ["3", "True"], errors


@OPENMP
def test_there_is_no_use_for_more_threads_than_cpus():
    words, errors = run("""
        import fastbp as fb
        before, bits = tasks(), train(threads=1)
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        print(train(threads=count + 3) == bits, tasks() - before == (count if count > 1 else 0))
    """, FASTBP_NUM_THREADS="1")
    assert words == ["True", "True"], errors


# ---- threads that cannot be had ------------------------------------------------------------------------------------

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
