"""fastbp/cli/info.py: what it says of the build, of what is installed, and of what is wrong."""

import importlib.metadata

import pytest

from fastbp._core import cpu, threads
from fastbp.cli import info, main


@pytest.fixture
def said(monkeypatch):
    """What is wrong on a machine of 8 cores where all is as it should be, but for what is changed."""

    def look(environ=(), **changes):
        facts = {"selected": "avx2", "available": ("avx2", "scalar"), "threads": 8, "thread_reason": "8 physical cores",
                 "build": {"openmp": True}} | changes
        for name, value in facts.items():
            if hasattr(cpu, name):
                monkeypatch.setattr(info.cpu, name, lambda value=value: value)
        monkeypatch.setattr(threads, "default_count", lambda environ: facts.get("machine", (8, "8 physical cores")))
        monkeypatch.setattr(threads, "affinity", lambda: facts.get("affinity", set(range(8))))
        monkeypatch.setattr(threads, "CPUS", 8)
        monkeypatch.setattr(info.platform, "machine", lambda: "x86_64")
        return info.wrong(dict(environ))

    return look


def test_nothing_is_wrong_where_nothing_is(said):
    assert said() == []


@pytest.mark.parametrize(("changes", "what"), [
    ({"selected": "scalar"}, "scalar is in use, and avx2 is there: unset FASTBP_ISA"),
    ({"selected": "scalar", "available": ("scalar",)}, "there is neither AVX2 nor AVX-512"),
    ({"build": {"openmp": False}, "threads": 1}, "this build runs on one thread: install the compiler's OpenMP"),
    ({"threads": 2, "thread_reason": "OMP_NUM_THREADS=2"},
     "OMP_NUM_THREADS=2 leaves 6 of 8 cores idle: unset OMP_NUM_THREADS"),
    ({"threads": 1, "thread_reason": "OMP_THREAD_LIMIT=1"}, "OMP_THREAD_LIMIT=1 leaves 7 of 8 cores idle"),
    ({"threads": 1, "thread_reason": "GOMP_CPU_AFFINITY binds threads to CPU 99"}, "99: unset it, or name CPUs"),
    ({"machine": (2, "the container's quota of 2 CPUs"), "threads": 2}, "the container's quota of 2 CPUs allows fewer"),
    ({"affinity": {0, 1}, "threads": 2}, "this process may use 2 of 8 CPUs: start it without taskset"),
    ({"environ": {"OMP_PROC_BIND": "close"}}, "OMP_PROC_BIND binds each thread to a CPU"),
])
def test_what_is_wrong_is_said_with_what_to_do(said, changes, what):
    found = said(**changes)
    assert len(found) == 1 and what in found[0]


@pytest.mark.parametrize("changes", [
    {"threads": 8, "thread_reason": "OMP_NUM_THREADS=8"},
    {"environ": {"OMP_PROC_BIND": "false"}},
    {"environ": {"OMP_PROC_BIND": "true"}, "threads": 1, "thread_reason": "1 physical core", "machine": (1, "1")},
])
def test_what_does_no_harm_is_not_wrong(said, changes):
    assert said(**changes) == []


def test_packages_are_there_with_their_versions_or_not_installed(capsys, monkeypatch):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert f"safetensors {importlib.metadata.version('safetensors')}" in " ".join(out.split())
    assert "\nwrong" in out and "\npeak" not in out
    monkeypatch.setattr(info, "_PACKAGES", ("no-package-of-this-name",))
    assert main(["info"]) == 0
    assert "no-package-of-this-name not installed" in capsys.readouterr().out


def test_the_peak_is_measured_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr(info.peak, "gflops", lambda threads: 70.4 * threads)
    monkeypatch.setattr(info.cpu, "threads", lambda: 2)
    assert main(["info", "--peak"]) == 0
    assert f"70.4 GFLOP/s of float32 by the matrix kernel of {cpu.selected()} on one thread, 141 on 2" in " ".join(
        capsys.readouterr().out.split())


def test_the_peak_is_of_the_machine_not_of_a_model(capsys):
    assert main(["info", "--peak", "--parallel", "model.safetensors"]) == 2
    said = "--peak is given with --parallel, expected one of them; ask for one after the other"
    assert said in capsys.readouterr().err
