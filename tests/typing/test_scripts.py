"""Annotations as users have them: a script that uses them runs, mypy agrees with it, strictly, and refuses each line of
another one."""

import subprocess
import sys
from pathlib import Path

import pytest
from source_files import ROOT

HERE = Path(__file__).parent


def test_the_users_script_runs(tmp_path):
    pytest.importorskip("sklearn")
    done = subprocess.run([sys.executable, "-W", "error", HERE / "user_script.py", tmp_path], capture_output=True,
                          text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.split()) == 3


def test_mypy_agrees_with_the_script_and_refuses_the_other(tmp_path):
    """With mypy, as .ci/run has it: an unused `type: ignore` of refused.py is an error."""
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path, "--follow-imports=silent",
         HERE / "user_script.py", HERE / "refused.py"],
        capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_each_line_that_is_refused_says_so():
    lines = (HERE / "refused.py").read_text().partition("-> None:\n")[2].splitlines()
    assert len(lines) > 25
    assert [line for line in lines if "# type: ignore[" not in line] == ["        pass"]
