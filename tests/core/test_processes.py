"""What is around a process: forks and workers of all kinds, other libraries beside, quotas, CPUs that come and go,
limits of memory and of stacks, threads that want one network. Each is a row of "Processes" in docs/reliability.md.

FASTBP_FORKS says how many processes are forked, 6 by default.
"""

import os
import sys
import textwrap

import pytest

from .processes import HAS_FORK, OPENMP, TRAIN, run
from .test_cpu import Machine

FORKS = int(os.environ.get("FASTBP_FORKS", "6"))
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")


# ---- processes that come of one ------------------------------------------------------------------------------------


@HAS_FORK
def test_forks_after_training():
    """One after another, each of which trains on a team of its own, forks again, and leaves its parent's team alone."""
    words, errors = run(f"""
        import fastbp as fb
        fb.cpu.force_teams(True)
        bits = train()
        for i in range({FORKS}):
            print(child(lambda: train() == bits and (i % 5 or child(lambda: train() == bits))))
            if i % 10 == 0:
                print(train() == bits)
    """)
    assert words == ["True"] * (FORKS + -(-FORKS // 10)), errors


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_of_multiprocessing(method, tmp_path):
    """Which trained before, and whose workers send their networks back, by pickle."""
    if method != "spawn" and not hasattr(os, "fork"):
        pytest.skip("this platform has no fork")
    (tmp_path / "work_of_mine.py").write_text(textwrap.dedent(TRAIN) + textwrap.dedent("""
        def work(seed):
            import numpy as np
            import fastbp as fb
            net, optimizer = fb.mlp(5, 4, 3, seed=seed), fb.Adam()
            X = np.random.default_rng(seed).random((50, 5)).astype("f4")
            net.fit(X, X[:, :3], epochs=2, batch_size=16, optimizer=optimizer, threads=2)
            return train(), net, optimizer
    """))
    words, errors = run(f"""
        sys.path.insert(0, {str(tmp_path)!r})
        import multiprocessing
        import work_of_mine
        if __name__ == "__main__":
            bits = train()
            with multiprocessing.get_context({method!r}).Pool(2) as pool:
                found = pool.map(work_of_mine.work, range(4), 1)
            print(all(each == bits for each, _, _ in found))
            for seed, (_, net, optimizer) in enumerate(found):
                _, own, other = work_of_mine.work(seed)
                print((net.params == own.params).all() and (optimizer.state == other.state).all()
                      and net.epochs == 2 and optimizer.steps == other.steps)
            print(train() == bits)
    """, PYTHONPATH=os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    assert words == ["True"] * 6, errors


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_of_joblib(backend):
    pytest.importorskip("joblib")
    words, errors = run(f"""
        import joblib, numpy as np
        import fastbp as fb
        X = np.random.default_rng(0).random((300, 8)).astype("f4"); y = np.arange(300) % 3
        def work(seed):
            import fastbp as fb
            net = fb.mlp(8, 16, 3, seed=seed, loss="cross_entropy")
            net.fit(X, y, epochs=3, batch_size=100, optimizer=fb.Adam(), threads=2)
            return net
        alone = [work(seed) for seed in range(4)]
        for _ in range(2 if {backend!r} == "threading" else 1):
            found = joblib.Parallel(n_jobs=2, backend={backend!r})(joblib.delayed(work)(seed) for seed in range(4))
            print(all((a.params == b.params).all() for a, b in zip(alone, found)))
        print((work(0).params == alone[0].params).all())
    """)
    assert words == ["True"] * (3 if backend == "threading" else 2), errors


# ---- quotas, and CPUs that come and go -----------------------------------------------------------------------------

QUOTAS = [(0.5, 1), (0.75, 1), (1, 1), (1.5, 1), (2, 2), (2.5, 2), (2.99, 2), (3, 3)]


@pytest.mark.parametrize(("quota", "count"), QUOTAS)
@pytest.mark.parametrize("layout", ["v2", "v2 nested", "v1", "v1 nested", "v1 and v2"])
def test_quotas_of_containers(layout, quota, count, tmp_path, monkeypatch):
    """Whole CPUs of the smallest quota on the way to the root, at least one; other groups and larger do nothing."""
    machine, period = Machine(tmp_path, monkeypatch), 100_000
    group = "/pod/box" if "nested" in layout else "/"
    inside, outside = (group, "/pod") if "nested" in layout else ("", "")
    lines = ["7:memory:/elsewhere"]

    def v1(at, cpus):
        folder = f"sys/fs/cgroup/cpu,cpuacct{at}"
        machine.write(f"{folder}/cpu.cfs_quota_us", str(int(cpus * period)) if cpus else "-1")
        machine.write(f"{folder}/cpu.cfs_period_us", str(period))

    def v2(at, cpus):
        machine.write(f"sys/fs/cgroup{at}/cpu.max", f"{int(cpus * period) if cpus else 'max'} {period}")

    if "v1" in layout:
        lines.append(f"4:cpu,cpuacct:{group}")
        v1(inside, None if outside else quota)
    if "v2" in layout:
        lines.append(f"0::{group}")
        v2(inside, None if outside or "v1" in layout else quota)
    if outside:
        (v1 if "v1" in layout else v2)(outside, quota)
        (v1 if "v1" in layout else v2)("", 6)
    machine.write("proc/self/cgroup", "\n".join(lines))
    assert machine.count() == (count, f"the container's quota of {quota:g} CPUs")


@LINUX
def test_a_set_of_cpus():
    """Of a cpuset, a process has that affinity: it is counted before a team is made."""
    cpus = sorted(os.sched_getaffinity(0))
    words, errors = run(f"""
        os.sched_setaffinity(0, {cpus[:1]})
        import fastbp as fb
        print(fb.cpu.threads(), train() == train(threads=1))
    """)
    assert words == ["1", "True"], errors


@LINUX
@OPENMP
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", lambda pid: ())(0)) < 2, reason="one CPU")
def test_an_affinity_that_changes_amid_a_training():
    """Of all threads, as a cpuset changes it: to one CPU, to another, to all of them; the bits stay, and it ends."""
    words, errors = run("""
        import numpy as np
        import fastbp as fb
        cpus = sorted(os.sched_getaffinity(0))
        X = np.random.default_rng(0).random((2000, 20)).astype("f4"); y = np.arange(2000) % 4
        def made(change, threads):
            def moves(net, epoch, logs):
                if change and epoch % 3 == 0:
                    allowed = [cpus[:1], cpus[-1:], cpus][epoch // 3 % 3]
                    for task in os.listdir("/proc/self/task"):
                        os.sched_setaffinity(int(task), allowed)
            net = fb.mlp(20, 64, 64, 4, seed=1, loss="cross_entropy")
            net.fit(X, y, epochs=30, batch_size=500, optimizer=fb.Adam(), threads=threads, callbacks=[moves])
            return net.params.tobytes()
        bits = made(False, 1)
        for forced in (False, True):
            fb.cpu.force_teams(forced)
            print(made(True, 2) == bits)
            for task in os.listdir("/proc/self/task"):
                os.sched_setaffinity(int(task), cpus)
            print(made(False, 2) == bits)
    """)
    assert words == ["True"] * 4, errors


# ---- limits --------------------------------------------------------------------------------------------------------


@LINUX
def test_a_limit_of_memory():
    """`ulimit -v`: what is too large is a MemoryError, whoever asked for it; what there is of threads and of networks
    goes on, with the same bits."""
    words, errors = run("""
        import resource
        import numpy as np
        import fastbp as fb
        bits = train(threads=1)
        X, y = np.zeros((2**19, 8), "f4"), np.zeros((2**19, 1), "f4")
        net = fb.mlp(8, 64, 1)
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**27, -1))
        before = net.params.copy()
        for too_large in (lambda: fb.mlp(2**14, 2**14, 1), lambda: net.per_example_grads(X, y),
                          lambda: net.loss_and_grad(np.broadcast_to(X[:1], (2**26, 8)),
                                                    np.broadcast_to(y[:1], (2**26, 1)))):
            try:
                too_large()
                print("it fits")
            except MemoryError:
                print((net.params == before).all())
        print(train() == bits, train(threads=1) == bits)
    """, MALLOC_ARENA_MAX="1", OPENBLAS_NUM_THREADS="1", OMP_STACKSIZE="1M")
    assert words == ["True"] * 5, errors


@LINUX
@pytest.mark.parametrize("kilobytes", [256, 512])
def test_stacks_of_256_kb(kilobytes):
    """`ulimit -s`, from which threads of OpenMP have theirs, and threads of Python's own."""
    code = textwrap.dedent(TRAIN) + textwrap.dedent("""
        import threading
        threading.stack_size(256 * 1024)
        import fastbp as fb
        fb.cpu.force_teams(True)
        found = [train(threads=2)]
        thread = threading.Thread(target=lambda: found.append(train(threads=2)))
        thread.start(); thread.join()
        print(len(found), len(set(found)), fb.cpu.team(2))
    """)
    words, errors = run(f"""
        import resource
        hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
        resource.setrlimit(resource.RLIMIT_STACK, ({kilobytes * 1024}, hard))
        os.execv(sys.executable, [sys.executable, "-c", {code!r}])
    """)
    assert words == ["2", "1", "2" if "Warning" not in errors else words[2]], errors


# ---- locks ---------------------------------------------------------------------------------------------------------


def test_threads_that_want_one_network():
    """By turns of a microsecond, or without the interpreter's lock: a second one that trains gets an error or its turn,
    never a half; those that predict get a plan of their own. What came of it are whole steps, each counted once."""
    words, errors = run("""
        import numpy as np
        import fastbp as fb
        sys.setswitchinterval(1e-6)
        X = np.random.default_rng(0).random((64, 6)).astype("f4"); Y = X[:, :2].copy()
        def made():
            return fb.mlp(6, 8, 2, seed=1, dropout=0.3)
        def step(net, optimizer):
            net.loss_and_grad(X, Y)
            optimizer.step(net)
        whole, optimizer, states = made(), fb.SGD(lr=0.01), {}
        for count in range(400):
            states[whole.params.tobytes()] = count
            whole.fit(X, Y, batch_size=64, optimizer=optimizer, shuffle=False)
        net, optimizer, other, wrong, done = made(), fb.SGD(lr=0.01), made(), [], [0] * 4
        rows = [np.random.default_rng(i).random((3000, 6)).astype("f4") for i in range(4)]
        expected = [other.predict(each).tobytes() for each in rows]
        def trains(number):
            while sum(done) < 300:
                try:
                    net.fit(X, Y, batch_size=64, optimizer=optimizer, shuffle=False)
                    done[number] += 1
                except RuntimeError as error:
                    if "another thread" not in str(error):
                        wrong.append(str(error))
                except BaseException as error:
                    wrong.append(repr(error))
        def predicts(number):
            for _ in range(100):
                if other.predict(rows[number]).tobytes() != expected[number]:
                    wrong.append("another prediction")
        threads = [threading.Thread(target=trains, args=(i,)) for i in range(4)]
        threads += [threading.Thread(target=predicts, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(wrong[:1] or "none", states.get(net.params.tobytes()) == optimizer.steps == net.epochs)
    """)
    assert words == ["none", "True"], errors
