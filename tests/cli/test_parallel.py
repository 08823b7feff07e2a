"""fastbp/cli/parallel.py: `fastbp info --parallel MODEL`."""

import re

import pytest

import fastbp as fb
from fastbp._models import scaling


@pytest.fixture
def run(run_line):
    return run_line


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    fb.mlp(30, 20, 5, loss="cross_entropy", seed=0).save(path)
    return str(path)


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    """Whatever else it does meanwhile."""
    monkeypatch.setattr(scaling, "this_machine", lambda: scaling.Machine(2e-7, 1e-7, 5e10))


def test_where_no_two_threads_run_side_by_side_only_one_is_told_of(run, model, monkeypatch):
    monkeypatch.setattr(scaling, "this_machine", lambda: None)
    code, out, err = run("info", "--parallel", model)
    assert (code, err) == (0, "") and "more threads   not looked at: " in out and "threads   us a step" not in out


def test_the_table_is_of_1_to_64_threads(run, model):
    code, out, err = run("info", "--parallel", model, "--batch-size", "16", "--optimizer", "adam")
    assert (code, err) == (0, "")
    assert re.findall(r"^ +(\d+)   ", out, re.MULTILINE) == ["1", "2", "4", "8", "16", "32", "64"]
    assert "725 parameters, float32, in batches of 16, adam" in out
    for name in ("one thread", "rows 0", "parameters", "a barrier", "crossing"):
        assert re.search(rf"^{name} +\S", out, re.MULTILINE), name


@pytest.mark.parametrize("loss", ["mse", "binary_cross_entropy", "poisson"])
def test_any_loss_and_dtype_can_be_looked_at(run, tmp_path, loss):
    path = tmp_path / "model.safetensors"
    fb.mlp(3, 4, 2, loss=loss, seed=0, dtype="float64").save(path)
    code, out, _ = run("info", "--parallel", str(path), "--batch-size", "5000")
    assert code == 0 and "float64, in batches of 5000, sgd" in out


def test_a_training_that_went_wrong_cannot_be_timed(run, tmp_path):
    net = fb.mlp(4, 8, 1, loss="mse", seed=0)
    net.params[:] = 1e30
    net.save(tmp_path / "model.safetensors")
    code, out, err = run("info", "--parallel", str(tmp_path / "model.safetensors"))
    assert (code, out) == (2, "") and "is not finite in step 0" in err and err.count("\n") == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (("--batch-size", "16"), "--batch-size is given without --parallel, expected both; say --parallel MODEL, or"),
    (("--optimizer", "adam"), "--optimizer is given without --parallel, expected both; say --parallel MODEL, or"),
    (("--parallel", "nowhere.safetensors"), "nowhere.safetensors: no such file"),
    (("--parallel", "MODEL", "--batch-size", "0"), "--batch-size is '0', expected a whole number, at least 1"),
    (("--parallel", "MODEL", "--optimizer", "Adam2"), "--optimizer is 'Adam2', expected"),
])
def test_bad_input_is_one_line(run, model, arguments, message):
    code, out, err = run("info", *(model if text == "MODEL" else text for text in arguments))
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
