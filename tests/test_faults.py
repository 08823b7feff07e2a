"""tests/faults: every fault can still be planted, and names tests that there are."""

import importlib
import pkgutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LISTS = sorted(module.name for module in pkgutil.iter_modules([str(ROOT / "tests" / "faults")]))
LISTS.remove("__main__")


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("tests.faults.__main__")


@pytest.mark.parametrize(("returncode", "output", "said"), [
    (1, "FAILED a::b\n1 failed, 3 passed in 0.1s\n", "red"),
    (-11, "", "red"),
    (0, "3 passed, 1 skipped in 0.1s\n", "green"),
    (0, "2 skipped in 0.1s\n", "no test ran"),
    (1, "ERROR a::b\n1 error in 0.1s\n", "pytest ended with 1 and no failed test: 1 error in 0.1s"),
    (2, "Interrupted: 1 error during collection\n", "pytest ended with 2 and no failed test: Interrupted"),
    (3, "INTERNALERROR", "pytest ended with 3 and no failed test: INTERNALERROR"),
    (4, "ERROR: not found: a::b\n", "pytest ended with 4 and no failed test: ERROR"),
    (5, "no tests ran in 0.1s\n", "pytest ended with 5 and no failed test: no tests ran"),
    (-9, "", "pytest ended with -9 and no failed test: "),
])
def test_caught_is_what_a_test_failed_for(script, returncode, output, said):
    assert script.outcome(returncode, output).startswith(said)


def test_a_sample_is_the_same_for_the_same_seed(script):
    faults = script.chosen([])
    picked = [script.sample(faults, 5, seed) for seed in (1, 1, 2)]
    assert picked[0] == picked[1] != picked[2]
    assert len(picked[0]) == 5
    assert all(each in faults for each in picked[0])
    assert script.sample(faults[:3], 5, 1) == faults[:3]
    with pytest.raises(SystemExit):
        script.arguments(["--sample", "0"])


@pytest.mark.parametrize(("file", "environ", "builds"), [
    ("csrc/maps.inc", (), ["1", "0"]), ("csrc/isa/avx2.h", (), ["0"]),
    ("csrc/maps.inc", (("CC", "clang"),), ["0"]),
    ("fastbp/_core/maps.pyx", (), [None]), ("fastbp/graph.py", (), []),
])
def test_a_fault_of_all_kernels_is_tried_in_a_scalar_build_first(script, monkeypatch, tmp_path, file, environ, builds):
    """It survives there, so a whole build follows; the last build is of the source as it was."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("right")
    seen = []

    def run(command, env=None, **how):
        if command == script.BUILD:
            seen.append((env.get("FASTBP_SCALAR"), (tmp_path / file).read_text()))
        return subprocess.CompletedProcess(command, 0, "3 passed in 0.1s\n")

    monkeypatch.delenv("FASTBP_SCALAR", raising=False)
    monkeypatch.setattr(script.subprocess, "run", run)
    fault = script.tests.faults.Fault("a fault", file, "right", "wrong", ("a::b",), environ)
    assert script.verdict(fault, tmp_path) == "SURVIVED a::b"
    assert seen == [(build, "wrong") for build in builds] + [(None, "right")] * bool(builds)


def test_a_run_goes_on_where_it_was_and_counts(script, monkeypatch, tmp_path, capsys):
    came = iter(["caught", "SURVIVED a::b", "not planted: gone", "caught"])
    monkeypatch.setattr(script, "verdict", lambda fault, folder: next(came))
    monkeypatch.setattr(script.shutil, "copytree", lambda *where, **how: (tmp_path / "fastbp").mkdir(exist_ok=True))
    monkeypatch.setattr(script.subprocess, "run", lambda *command, **how: None)
    done, names = tmp_path / "done.txt", ["init:0", "init:1", "init:2"]
    monkeypatch.setattr(script.sys, "argv", ["faults", *names, "--done", str(done)])
    assert script.main()
    assert capsys.readouterr().out.endswith("2 planted: 1 caught, 1 survived; 1 could not be tried\n")
    assert len(done.read_text().splitlines()) == 1
    monkeypatch.setattr(script.sys, "argv", ["faults", *names[:1], names[1], "--done", str(done)])
    assert not script.main()
    assert capsys.readouterr().out.endswith("1 planted: 1 caught, 0 survived; 0 could not be tried, 1 caught before\n")


@pytest.mark.parametrize("name", LISTS)
def test_every_fault_can_be_planted(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    for fault in importlib.import_module(f"tests.faults.{name}").FAULTS:
        assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old) == 1, fault.what
        assert fault.new != fault.old, fault.what
        for test in fault.red:
            file, _, function = test.partition("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert f"def {function.partition('[')[0]}(" in text, (fault.what, test)
