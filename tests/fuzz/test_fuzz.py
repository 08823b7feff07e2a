"""Every target takes its corpus, and refuses some hundred changes of it as it should; the same ones in every run."""

import importlib
import io
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import judge
from fuzz.mutation import changed_file, put_together, said, taken_apart

HERE = Path(__file__).parent
RUNS = {"models": 400, "checkpoints": 200, "idx": 400, "csv": 300, "arguments": 500, "graphs": 20}


@pytest.fixture
def runner(monkeypatch):
    """tests.fuzz, as `python -m` has it."""
    monkeypatch.syspath_prepend(str(HERE.parent.parent))
    before = signal.getsignal(signal.SIGPROF)
    yield importlib.import_module("tests.fuzz.__main__")
    signal.signal(signal.SIGPROF, before)


def test_every_target_is_tried(runner):
    assert set(RUNS) == set(runner.TARGETS)
    assert {folder.name for folder in (HERE / "corpus").iterdir()} == set(RUNS)
    assert sum(path.stat().st_size for path in (HERE / "corpus").rglob("*") if path.is_file()) < 300_000


@pytest.mark.parametrize("name", RUNS)
def test_a_target(runner, name):
    """Nothing but documented refusals, in the corpus and in changes of it."""
    module, corpus = runner.target(name)
    tried = runner.Judge(module)
    taken = [tried(data) for data in corpus.values()]
    assert tried.findings == {} and len(taken) >= 5
    assert all(taken) or name in ("arguments", "checkpoints")  # of which some are of another training
    runner.loop(tried, corpus, RUNS[name], seed=2)
    assert tried.findings == {}
    assert tried.taken > len(corpus) and (tried.refused > RUNS[name] // 10 or name == "graphs")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("lr is -1, expected a number >= 0; choose another", True),
        ("lr is -1, expected a number >= 0", False),
        ("lr is wrong; choose another", False),
        ("'x'", False),
        ("", False),
        (f"lr is {'1' * 3000}, expected one; choose another", False),
    ],
)
def test_a_refusal_is_in_the_dialect_and_of_a_documented_kind(text, is_one):
    assert judge.refusal(ValueError(text)) == is_one
    assert not judge.refusal(KeyError(text)) and not judge.refusal(UnicodeError(text))
    assert judge.refusal(TypeError(text), (ValueError, TypeError)) == is_one


def test_what_is_no_refusal_is_a_finding_once_for_each_place(runner, capsys, tmp_path):
    class Module:
        CORPUS = "x"

        @staticmethod
        def run(data):
            judge.attempt(io.BytesIO(data).fileno)

    tried = runner.Judge(Module, tmp_path / "found")
    assert not tried(b"a") and not tried(b"b")
    assert list(tried.findings.values()) == [2] and tried.taken == tried.refused == 0
    assert capsys.readouterr().out == "FINDING: Module, an input of 1 bytes: b'a'\n"
    assert [path.read_bytes() for path in (tmp_path / "found").iterdir()] == [b"a"]


def test_the_same_seed_gives_the_same_inputs(runner):
    for name in RUNS:
        module, corpus = runner.target(name)
        data = next(iter(corpus.values()))
        first, second, third = (
            [module.mutate(data, random.Random(seed)) for seed in seeds] for seeds in (range(5), range(5), range(5, 10))
        )
        assert first == second != third


def test_a_safetensors_file_is_changed_by_its_parts():
    data = next(iter((HERE / "corpus" / "models").iterdir())).read_bytes()
    header, body = taken_apart(data)
    assert taken_apart(put_together(header, body)) == (header, body)
    assert said(header)["format"] == 1
    changed = [taken_apart(changed_file(data, random.Random(seed))) for seed in range(60)]
    assert sum(each is not None and said(each[0]) not in (None, said(header)) for each in changed) > 15
    assert sum(each is None or each[1] != body for each in changed) > 3


def test_the_command_says_what_came(tmp_path):
    def run(*line):  # from tests/: in the checkout, it would import the sources, which may not be compiled
        command = [sys.executable, "-m", "fuzz", *line]
        return subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=300)

    done = run("idx", "--runs", "300", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert "idx: 300 runs of seed 3: " in done.stdout and " 0 findings; " in done.stdout
    (tmp_path / "one").write_bytes(b"\0\0\x08\x01\0\0\0\x02ab")
    assert run("idx", str(tmp_path / "one")).stdout == "1 inputs: 1 taken, 0 refused, 0 findings\n"
    assert "--runs is -1, expected an integer >= 0; leave it out" in run("idx", "--runs", "-1").stderr
