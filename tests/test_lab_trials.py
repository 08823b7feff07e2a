"""The laboratory's trials that are a matter of time: each runs, and compares what it says it compares."""

import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp._core import cpu

sys.path.append(str(Path(__file__).resolve().parents[1]))
from bench import worker
from bench.cases import CASES
from bench.lab import by_hand, casting, isa, shuffling, turns, vector_functions

LAB = Path(__file__).resolve().parents[1] / "bench" / "lab"
HELPERS = {"__init__", "turns", "initial_data"}
TRIALS = sorted({path.stem for path in LAB.glob("*.py")} - HELPERS)


def rows_of(text):
    """The cells of a printed table's rows."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert len({len(row) for row in rows}) == 1, "every row has a cell for each column"
    return rows[2:]


@pytest.mark.parametrize("name", TRIALS)
def test_every_trial_has_its_question_its_command_and_its_last_answer(name):
    text = (LAB / f"{name}.py").read_text().split('"""')[1]
    question = text.splitlines()[0]
    assert "?" in question
    assert f"python -m bench.lab.{name}" in text and f"python -m bench.lab.{name} --quick" in text
    assert re.search(r"^Last answer: .{20}", text, re.MULTILINE | re.DOTALL)
    row = re.search(rf"^\| \[{name}\.py\]\({name}\.py\) \| .*\? \| `python -m bench.lab.{name}` \|$",
                    (LAB / "README.md").read_text(), re.MULTILINE)  # fmt: skip
    assert row, "README.md has a row for it"


def test_the_pages_of_the_laboratory_list_what_is_there():
    listed = set(re.findall(r"^\| \[(\w+)\.py\]", (LAB / "README.md").read_text(), re.MULTILINE))
    assert listed == set(TRIALS)
    for page in ("README.md", "log.md"):
        for target in re.findall(r"\]\(([^)#]+)", (LAB / page).read_text()):
            assert (LAB / target).exists(), f"{page} links to {target}"
    tables = re.findall(r"(?:^\|.*\n)+", (LAB / "log.md").read_text(), re.MULTILINE)
    for row in rows_of(tables[0]):
        assert re.fullmatch(r"11-(20|24|25|28)", row[0]) and row[1] in ("Zen 3", "Zen 4") and all(row), row


@pytest.mark.parametrize("name", sorted(set(TRIALS) - {"initial_values", "by_hand", "isa"}))
def test_a_trial_runs_quickly(name, capsys):
    assert importlib.import_module(f"bench.lab.{name}").main(["--quick"]) == 0
    rows = rows_of(capsys.readouterr().out)
    kinds = {"casting": 12, "shuffling": 8, "vector_functions": 3 * len(cpu.available())}
    assert len(rows) == kinds[name]
    assert all(cell for row in rows for cell in row)


# ---- turns ---------------------------------------------------------------------------------------------------------


def test_jobs_take_turns_and_each_begins_a_round():
    """On a clock that only the jobs move: b takes three times as long a unit as a, whatever minute it is."""
    now, calls = [0.0], []

    def job(name, seconds):
        def call():
            calls.append(name)
            now[0] += seconds * (10 if len(calls) > 4 else 1)  # the machine becomes slow after a round

        return call

    found = turns.by_turns({"a": (job("a", 2.0), 2), "b": (job("b", 12.0), 4)}, 3, clock=lambda: now[0])
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert found["a"].seconds == [1.0, 10.0, 10.0]
    assert found["b"].seconds == [3.0, 30.0, 30.0]
    assert found["b"].ratios == [3.0, 3.0, 3.0]
    assert found["b"].said(1.0) == ("30.0", "3.00", "30.0", "3.00")


# ---- the trials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", ["1", "2"])
def test_fit_and_a_loop_by_hand_have_the_same_bits(threads, capsys):
    before = fb.cpu.threads()
    assert by_hand.main(["--quick", "--threads", threads]) == 0
    text = capsys.readouterr().out
    assert [row[:2] for row in rows_of(text)] == [[name, way] for name in by_hand.USUAL
                                                  for way in ("steps", "fit", "by hand")]  # fmt: skip
    assert "have the same bits" in text
    assert fb.cpu.threads() == before


def test_a_loop_by_hand_that_differs_is_told(capsys, monkeypatch):
    monkeypatch.setattr(by_hand.ByHand, "fit", lambda self, epochs: self.model.params.fill(0.5))
    assert by_hand.main(["--quick", "--only", "xor"]) == 1
    assert "WRONG: fit and the loop by hand differ" in capsys.readouterr().out


@pytest.mark.parametrize("kind", casting.KINDS)
def test_cast_before_or_read_as_it_is_a_training_is_the_same(kind):
    case = CASES["digits16"]
    X, y = replace(case, rows=300).data()
    X = np.floor(X * 128).astype(kind) if kind == "uint8" else X.astype(kind)
    as_it_is, cast = (call() for call, _ in casting.ways(case, X, y, 2, 1).values())
    assert as_it_is.input_scale == (casting.SCALE if kind == "uint8" else 1) and cast.input_scale == 1
    np.testing.assert_allclose(as_it_is.params, cast.params, rtol=1e-4, atol=1e-6)
    assert (cast.params != fb.mlp(*case.widths, activation=case.activation, output=case.output).params).any()


def test_rows_in_order_and_shuffled():
    case = replace(CASES["policy64"], rows=256)
    X, y = case.data()
    found = {way: call().history["loss"] for way, (call, _) in shuffling.ways(case, 2, 1).items()}
    for way, shuffle in (("in order", False), ("shuffled", True)):
        net = shuffling.fastbp.network(case)
        history = net.fit(X, y, epochs=2, batch_size=case.batch, optimizer=shuffling.fastbp.optimizer(case),
                          shuffle=shuffle, progress=False)  # fmt: skip
        assert found[way] == history.history["loss"]
    assert found["in order"] != found["shuffled"]


def test_isas_run_in_processes_of_their_own(capsys, monkeypatch):
    made = []

    class Recorded(worker.Worker):
        def __init__(self, name, threads, **variables):
            made.append(variables)
            super().__init__(name, threads, **variables)

    monkeypatch.setattr(isa, "Worker", Recorded)
    chosen = cpu.available()[:2]
    assert isa.main(["--quick", "--threads", "1", "--isas", ",".join(chosen)]) == 0
    assert [row[:2] for row in rows_of(capsys.readouterr().out)] == [["xor", name] for name in chosen]
    assert made == [{"FASTBP_ISA": name} for name in chosen]
    assert worker.environment(1, **made[0])["FASTBP_ISA"] == chosen[0]
    with pytest.raises(SystemExit):
        isa.main(["--isas", "mmx"])
    assert "mmx" in capsys.readouterr().err


def test_an_isa_that_reaches_another_loss_is_told(capsys, monkeypatch):
    class Scripted:
        def __init__(self, name, threads, FASTBP_ISA):
            self.loss = {"scalar": 1.01}.get(FASTBP_ISA, 1.0)

        def ask(self, do, **details):
            return {"load": {"loss": self.loss}, "pace": {"steps": 50}, "run": {"seconds": 1e-4}, "drop": {}}[do]

        def close(self):
            pass

    monkeypatch.setattr(isa, "Worker", Scripted)
    monkeypatch.setattr(isa, "MACHINES", ("best", "good", "scalar"))
    assert isa.main(["--quick"]) == 0  # scalar only where it is asked for
    assert isa.main(["--quick", "--isas", "best,scalar"]) == 1
    assert "xor: scalar reaches the loss 1.01, not 1.0" in capsys.readouterr().err


def test_functions_are_those_of_numpy_and_stay_finite(capsys, monkeypatch):
    for name, function in (("exponential_forward", np.exp), ("tanh_forward", np.tanh)):
        for one in (vector_functions.Kernel(known, "float64", name) for known in cpu.available()):
            np.testing.assert_allclose(one.run(1), function(one.z - 1.5), rtol=1e-12)
            again = function(function(one.z - 1.5) - 1.5)
            np.testing.assert_allclose(one.run(2), again, rtol=1e-12)
            assert np.isfinite(one.run(1000)).all()
    assert vector_functions.main(["--quick", "--only", "tanh_forward", "--ghz", "2"]) == 0
    for row in rows_of(capsys.readouterr().out):
        assert float(row[6]) == pytest.approx(2 * float(row[3]), abs=0.02)
    right = vector_functions.Kernel.run
    monkeypatch.setattr(vector_functions.Kernel, "run", lambda self, rows: right(self, rows) + id(self) % 97)
    if len(cpu.available()) > 1:
        assert vector_functions.main(["--quick", "--only", "tanh_forward"]) == 1
        assert "tanh_forward of" in capsys.readouterr().err
