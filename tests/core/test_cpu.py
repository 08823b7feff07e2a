"""fastbp/_core/cpu.pyx and threads.py: how many threads, and why that many; the ISA in use is in test_isa_in_use.py."""

import os
import subprocess
import sys
import warnings
from functools import cache

import numpy as np
import pytest

import fastbp as fb
from fastbp._core import cpu, threads


def run(code, **environ):
    """The finished process of Python code in a changed environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTBP_", "OMP_"))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**kept, **environ})


# ---- the build -----------------------------------------------------------------------------------------------------


def test_the_build_says_how_it_was_made():
    build = cpu.build()
    assert sorted(build) == ["compiler", "flags", "machine", "openmp"]
    assert build["compiler"]
    assert "-ffp-contract=off" in build["flags"]
    assert "fast-math" not in build["flags"]
    assert "-march=native" not in build["flags"]
    assert isinstance(build["openmp"], bool)


# ---- the number of threads -----------------------------------------------------------------------------------------


class Machine:
    """A tree of /sys and /proc: `cores` of two hyper-threads each where `smt`."""

    def __init__(self, root, monkeypatch, cpus=8, smt=False, usable=None):
        self.root = root
        for i in range(cpus):
            siblings = f"{i % (cpus // 2)},{i % (cpus // 2) + cpus // 2}" if smt else f"{i}"
            self.write(f"sys/devices/system/cpu/cpu{i}/topology/thread_siblings_list", siblings)
        usable = set(range(cpus) if usable is None else usable)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: usable, raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: cpus)

    def write(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
        return self

    def count(self, openmp=True, **environ):
        return threads.default_count(openmp, environ, self.root)


def test_physical_cores_are_counted(tmp_path, monkeypatch):
    assert Machine(tmp_path, monkeypatch).count() == (8, "8 physical cores")


def test_hyper_threads_share_a_core(tmp_path, monkeypatch):
    assert Machine(tmp_path, monkeypatch, smt=True).count() == (4, "4 physical cores")


def test_affinity_leaves_some(tmp_path, monkeypatch):
    machine = Machine(tmp_path, monkeypatch, usable={1, 2, 5})
    assert machine.count() == (3, "3 physical cores of the 3 CPUs this process may use")


def test_affinity_to_both_threads_of_a_core(tmp_path, monkeypatch):
    machine = Machine(tmp_path, monkeypatch, smt=True, usable={1, 5})
    assert machine.count() == (1, "1 physical cores of the 2 CPUs this process may use")


def test_a_machine_that_says_nothing(tmp_path, monkeypatch):
    Machine(tmp_path, monkeypatch, cpus=4)
    assert threads.default_count(True, {}, tmp_path / "nowhere") == (4, "4 physical cores")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert threads.default_count(True, {}, tmp_path / "nowhere") == (4, "4 physical cores")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.default_count(True, {}, tmp_path / "nowhere")[0] == 1


V2 = "sys/fs/cgroup"
V1 = "sys/fs/cgroup/cpu"


@pytest.mark.parametrize(("limit", "count", "quota"), [
    ("200000 100000", 2, "2"), ("150000 100000", 1, "1.5"), ("50000 100000", 1, "0.5"), ("350000 50000", 7, "7")])
def test_a_quota_of_cgroup_v2(tmp_path, monkeypatch, limit, count, quota):
    machine = Machine(tmp_path, monkeypatch).write("proc/self/cgroup", "0::/").write(f"{V2}/cpu.max", limit)
    assert machine.count() == (count, f"the container's quota of {quota} CPUs")


@pytest.mark.parametrize("limit", ["max 100000", "800000 100000", "1600000 100000", "nonsense", "max"])
def test_no_quota_or_one_above_the_cores(tmp_path, monkeypatch, limit):
    machine = Machine(tmp_path, monkeypatch).write("proc/self/cgroup", "0::/").write(f"{V2}/cpu.max", limit)
    assert machine.count() == (8, "8 physical cores")


def test_the_smallest_quota_of_nested_groups(tmp_path, monkeypatch):
    machine = Machine(tmp_path, monkeypatch).write("proc/self/cgroup", "0::/user.slice/pod/container")
    machine.write(f"{V2}/user.slice/pod/container/cpu.max", "max 100000")
    machine.write(f"{V2}/user.slice/pod/cpu.max", "300000 100000")
    machine.write(f"{V2}/user.slice/cpu.max", "500000 100000")
    assert machine.count() == (3, "the container's quota of 3 CPUs")
    machine.write(f"{V2}/user.slice/cpu.max", "200000 100000")
    assert machine.count()[0] == 2
    machine.write(f"{V2}/another/cpu.max", "100000 100000")  # not on the way
    assert machine.count()[0] == 2


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_a_quota_of_cgroup_v1(tmp_path, monkeypatch, mount):
    machine = Machine(tmp_path, monkeypatch)
    machine.write("proc/self/cgroup", "12:memory:/box\n4:cpu,cpuacct:/box/inner\n1:name=systemd:/box")
    folder = f"sys/fs/cgroup/{mount}/box"
    machine.write(f"{folder}/inner/cpu.cfs_quota_us", "-1").write(f"{folder}/inner/cpu.cfs_period_us", "100000")
    assert machine.count() == (8, "8 physical cores")
    machine.write(f"{folder}/cpu.cfs_quota_us", "250000").write(f"{folder}/cpu.cfs_period_us", "100000")
    assert machine.count() == (2, "the container's quota of 2.5 CPUs")


def test_a_container_that_sees_its_own_group_as_the_root(tmp_path, monkeypatch):
    """Docker without a namespace: the path is the host's, the mount is the container's."""
    machine = Machine(tmp_path, monkeypatch).write("proc/self/cgroup", "4:cpu,cpuacct:/docker/0123abcd")
    machine.write(f"{V1}/cpu.cfs_quota_us", "300000").write(f"{V1}/cpu.cfs_period_us", "100000")
    assert machine.count()[0] == 3
    machine = Machine(tmp_path / "v2", monkeypatch).write("proc/self/cgroup", "0::/../../docker/0123")
    machine.write(f"{V2}/cpu.max", "400000 100000")
    assert machine.count()[0] == 4


def test_affinity_and_quota_together(tmp_path, monkeypatch):
    machine = Machine(tmp_path, monkeypatch, usable={0, 1}).write("proc/self/cgroup", "0::/")
    machine.write(f"{V2}/cpu.max", "400000 100000")
    assert machine.count()[0] == 2
    machine.write(f"{V2}/cpu.max", "100000 100000")
    assert machine.count() == (1, "the container's quota of 1 CPUs")


@pytest.mark.parametrize(("environ", "count", "reason"), [
    ({"FASTBP_NUM_THREADS": "3"}, 3, "FASTBP_NUM_THREADS=3"),
    ({"OMP_NUM_THREADS": "5"}, 5, "OMP_NUM_THREADS=5"),
    ({"OMP_NUM_THREADS": "4,2,1"}, 4, "OMP_NUM_THREADS=4,2,1"),
    ({"OMP_NUM_THREADS": " 2 "}, 2, "OMP_NUM_THREADS= 2 "),
    ({"FASTBP_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3, "FASTBP_NUM_THREADS=3"),
    ({"FASTBP_NUM_THREADS": "3", "OMP_NUM_THREADS": "nonsense"}, 3, "FASTBP_NUM_THREADS=3"),
    ({"FASTBP_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}, 5, "OMP_NUM_THREADS=5"),
    ({"FASTBP_NUM_THREADS": "100"}, 100, "FASTBP_NUM_THREADS=100"),
    ({"OMP_NUM_THREADS": " "}, 8, "8 physical cores"),
])
def test_the_environment_goes_first(tmp_path, monkeypatch, environ, count, reason):
    machine = Machine(tmp_path, monkeypatch)
    assert machine.count(**environ) == (count, reason)
    machine.write("proc/self/cgroup", "0::/").write(f"{V2}/cpu.max", "100000 100000")
    assert machine.count(**environ)[0] == (count if count != 8 else 1)


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "inf", "2 3", "1_0", "2,1", "٣", "x" * 5000])
def test_nonsense_in_our_variable_is_refused(tmp_path, monkeypatch, value):
    shown = f"'{value}'" if len(value) < 50 else f"'{'x' * 57}...'"
    with pytest.raises(ValueError) as caught:
        Machine(tmp_path, monkeypatch).count(FASTBP_NUM_THREADS=value)
    assert str(caught.value) == (
        f"FASTBP_NUM_THREADS is {shown}, expected a whole number of threads, 1 or more; set it to one, such as 4")


@pytest.mark.parametrize("value", [
    "1.0", "0", "all", "-1", "2,,", ",2", "2,0", "9" * 20, "9" * 5000, "1_0", "٣", "2;3"])
def test_nonsense_in_openmps_variable_is_ignored_with_a_warning(tmp_path, monkeypatch, value):
    machine = Machine(tmp_path, monkeypatch)
    monkeypatch.setattr(threads, "_warned", set())
    with pytest.warns(RuntimeWarning, match="^OMP_NUM_THREADS is '.*expected whole numbers of threads.*ignored"):
        assert machine.count(OMP_NUM_THREADS=value) == (8, "8 physical cores")
    assert machine.count(OMP_NUM_THREADS=value) == (8, "8 physical cores")  # and not once more


@pytest.mark.parametrize("value", [2**31 - 1, 2**31, 10**20, "2147483648", "9" * 20, "0" * 5000 + "9" * 5000])
def test_as_many_threads_as_nobody_has(tmp_path, monkeypatch, value):
    """A number of threads is an upper limit."""
    machine = Machine(tmp_path, monkeypatch)
    look = threads.checked_text if isinstance(value, str) else threads.checked
    assert look("threads", value) == 2**31 - 1
    assert machine.count(FASTBP_NUM_THREADS=str(value)[-4000:])[0] == 2**31 - 1


@pytest.mark.parametrize("value", [2**31 - 1, 2**31, 10**20])
def test_calls_with_as_many_threads_as_nobody_has(value):
    net, X, Y = fb.mlp(4, 3), np.ones((5, 4)), np.ones((5, 3))
    cpu.set_threads(value)
    try:
        net.predict(X)
        net.loss_and_grad(X, Y)
        net.fit(X, Y)
        fb.fit_many([net], X, Y)
    finally:
        cpu.set_threads(None)
    net.fit(X, Y, threads=value)
    fb.fit_many([net], X, Y, threads=value)


def test_openmps_own_limit(tmp_path, monkeypatch):
    machine = Machine(tmp_path, monkeypatch)
    assert threads.default_count(True, {}, machine.root, limit=8) == (8, "8 physical cores")
    assert threads.default_count(True, {}, machine.root, limit=3, limited="why") == (3, "why")
    assert threads.default_count(True, {"OMP_NUM_THREADS": "4"}, machine.root, limit=3, limited="why") == (3, "why")
    if cpu.build()["openmp"]:
        code = "from fastbp._core import cpu; print(cpu.threads(), cpu.thread_reason())"
        assert run(code, OMP_THREAD_LIMIT="1", FASTBP_NUM_THREADS="3").stdout == "1 OMP_THREAD_LIMIT=1\n"


@pytest.mark.parametrize("value", ["x", None, 1.5, 0, -1, True, [1]])
def test_teams_of_what_is_no_number_are_refused(value):
    for call in (cpu.team, cpu.capped):
        with pytest.raises(ValueError, match=r"^wanted is .*, expected a whole number of threads, 1 or more; set it"):
            call(value)
    with pytest.raises(ValueError, match=r"^isa is .*, expected one of: .*; choose one of them$"):
        cpu.kernels(value, "float32")
    if not isinstance(value, bool):
        with pytest.raises(TypeError, match=r"^forced is .*, expected True or False; pass one of them$"):
            cpu.force_teams(value)


BINDINGS = [
    {"OMP_PROC_BIND": "true"}, {"OMP_PROC_BIND": "spread"}, {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"},
    {"OMP_PLACES": "threads"}, {"OMP_PLACES": "sockets"}, {"GOMP_CPU_AFFINITY": "0-1"}, {"OMP_PROC_BIND": "false"},
]


unbound = cache(run)  # where OpenMP binds no thread: the same for all that are compared with it


# Other libraries may bring a libgomp of their own into the process; this is about the one that fastbp runs on.
ON_LIBGOMP = pytest.mark.skipif(
    not cpu.build()["openmp"] or "Clang" in cpu.build()["compiler"] or "libgomp" not in threads.libraries(),
    reason="another runtime, or none",
)


@ON_LIBGOMP
@pytest.mark.parametrize("environ", BINDINGS)
@pytest.mark.parametrize("usable", [2, 1])
def test_cpus_are_counted_though_openmp_binds_this_thread(environ, usable):
    """As it is loaded it binds the first thread to one CPU; its team has all of them."""
    if "GOMP_CPU_AFFINITY" in environ and usable == 1:
        pytest.skip("GCC's own variable goes beyond what a process was told")
    cpus = sorted(os.sched_getaffinity(0))[:usable]
    code = f"import os; os.sched_setaffinity(0, {cpus}); os.execv({sys.executable!r}, [{sys.executable!r}, '-c', CODE])"
    seen = "from fastbp._core import cpu; print(len(cpu._allowed()), cpu.threads())"
    done = run(f"CODE = {seen!r}; {code}", **environ)
    assert done.stdout.split()[0] == str(len(cpus)), done.stderr
    assert done.stdout == unbound(f"CODE = {seen!r}; {code}").stdout


@ON_LIBGOMP
def test_a_place_that_leaves_one_cpu():
    one = min(os.sched_getaffinity(0))
    code = "from fastbp._core import cpu; print(cpu._allowed(), cpu.threads())"
    assert run(code, GOMP_CPU_AFFINITY=str(one)).stdout == f"{{{one}}} 1\n"
    assert run(code, OMP_PLACES=f"{{{one}}}").stdout == f"{{{one}}} 1\n"


@ON_LIBGOMP
@pytest.mark.parametrize("value", ["0-999", str(os.cpu_count() + 1)])
def test_places_without_a_cpu(value):
    """OpenMP itself would end the process."""
    code = """if True:
        import fastbp as fb, numpy as np
        print(fb.cpu.threads(), "binds threads to CPU" in fb.cpu.thread_reason())
        nets = [fb.mlp(4, 3, seed=seed) for seed in range(4)]
        for net in fb.fit_many(nets, np.ones((50, 4)), np.ones((50, 3)), threads=3):
            print(len(net.epoch))
    """
    done = run(code, GOMP_CPU_AFFINITY=value)
    assert done.stdout.split() == ["1", "True", "1", "1", "1", "1"], done.stderr
    assert done.stderr.count("RuntimeWarning: 3 threads were asked for, 1 runs: GOMP_CPU_AFFINITY binds threads") == 1


def test_without_openmp_there_is_one_thread(tmp_path, monkeypatch):
    assert Machine(tmp_path, monkeypatch).count(openmp=False, FASTBP_NUM_THREADS="4") == (1, "1: built without OpenMP")


def test_the_environment_is_read_at_import():
    code = "import fastbp; print(fastbp.cpu.threads(), fastbp.cpu.thread_reason())"
    if cpu.build()["openmp"]:
        assert run(code, FASTBP_NUM_THREADS="3").stdout.strip() == "3 FASTBP_NUM_THREADS=3"
        assert "FASTBP_NUM_THREADS is 'many', expected a whole number" in run(code, FASTBP_NUM_THREADS="many").stderr
        ignored = run(code, OMP_NUM_THREADS="1.0")
        assert ignored.stdout == run(code).stdout
        assert ignored.stderr.count("RuntimeWarning: OMP_NUM_THREADS is '1.0', expected") == 1
    count, _, reason = run(code).stdout.strip().partition(" ")
    assert int(count) >= 1
    assert reason


@pytest.mark.parametrize("value", ["", " ", "1.0", "0", "2,,", "all"])
def test_what_openmp_does_not_understand_is_kept_from_it(value):
    """LLVM's runtime would end the process by it, or hang."""
    done = run("import os, fastbp; print(repr(os.environ['OMP_NUM_THREADS']))", OMP_NUM_THREADS=value)
    assert (done.returncode, done.stdout.strip()) == (0, repr(value)), done.stderr
    assert "OMP:" not in done.stderr and "libgomp:" not in done.stderr


def test_set_threads():
    before, reason = cpu.threads(), cpu.thread_reason()
    try:
        cpu.set_threads(before + 2)
        assert cpu.threads() == before + 2
        assert cpu.thread_reason() == "set by fastbp.cpu.set_threads"
        for nonsense in (0, -1, 1.5, 2.0, "many", "", "2", [2], float("nan"), float("inf"), -(2**70), True, np.True_,
                         np.array([2])):
            with pytest.raises(ValueError, match=r"threads is .*, expected a whole number of threads, 1 or more"):
                cpu.set_threads(nonsense)
        assert cpu.threads() == before + 2
    finally:
        cpu.set_threads(None)
    assert cpu.threads() == threads.default_count(cpu.build()["openmp"])[0]
    assert (cpu.threads(), cpu.thread_reason()) == (before, reason)


def test_more_threads_than_cores_or_slices_do_no_harm():
    net = fb.mlp(4, 3)
    history = net.fit(np.ones((5, 4)), np.ones((5, 3)), threads=10_000)
    assert len(history.epoch) == 1


def test_a_serial_build_that_nobody_wanted_is_warned_of_once(monkeypatch):
    """`pip install` hides what the compiler's build said."""
    monkeypatch.setattr(threads, "_warned", set())
    with pytest.warns(RuntimeWarning, match="without OpenMP and runs on 1 of 8 CPUs, .*FASTBP_NO_OPENMP=1") as told:
        threads.warn_of_serial_build(8)
        threads.warn_of_serial_build(8)
    assert len(told) == 1 and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads.warn_of_serial_build(1)
