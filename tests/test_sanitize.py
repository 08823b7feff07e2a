"""tests/sanitize.sh: its part that takes seconds, and what it is told."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sanitize.sh")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sanitizers' runtimes are those of Linux")


def run(*words, compiler="gcc"):
    return subprocess.run(["bash", SCRIPT, *words], env={"CC": compiler, "PATH": "/usr/bin:/bin:/usr/local/bin"},
                          capture_output=True, text=True, timeout=600)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs GCC")
def test_no_team_over_the_queue_races(tmp_path):
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if subprocess.run(["gcc", "-fsanitize=thread", probe, "-o", tmp_path / "probe"], capture_output=True).returncode:
        pytest.skip("gcc has no ThreadSanitizer")
    done = run("queue")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "jobs each: ok" in done.stdout and "a planted race is reported" in done.stdout


def test_a_part_that_there_is_not():
    done = run("kernel")
    assert done.returncode == 2
    assert "tests/sanitize.sh has no part 'kernel', expected: kernels queue threads memory; name one" in done.stdout
