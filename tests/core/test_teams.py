"""fastbp/_core/teams.pyx: forks, and jobs for the team."""

import os

import pytest

from .processes import GCC, HAS_FORK, OPENMP, run

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
