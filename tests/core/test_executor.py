"""fastbp/_core/executor.pyx: the phases of a call are those of the table at its head."""

import re

import numpy as np
import pytest
from source_files import ROOT, TEXTS

import fastbp as fb
from fastbp import graph as g

EXECUTOR = TEXTS[ROOT / "fastbp" / "_core" / "executor.pyx"]
PHASES = re.search(r"cdef enum Phase:\n((?: +\w+.*\n)+)", TEXTS[ROOT / "fastbp" / "_core" / "executor.pxd"]).group(1)


def names():
    return [line.split()[0] for line in PHASES.splitlines()]


def test_the_table_has_a_row_for_each_phase_and_no_code_asks_for_their_order():
    head = EXECUTOR.split('"""')[1]
    rows = [line.split()[0] for line in head.splitlines() if re.match(r"[A-Z]{3,} ", line)]
    assert rows == names()[:-1]
    assert names()[-1] == "OVER"
    assert re.findall(r"phase\s*(?:<|>|<=|>=)\s*[A-Z]", EXECUTOR) == []


def test_every_phase_has_tasks_and_an_end():
    functions = {part.split("(")[0].split()[-1]: part for part in EXECUTOR.split("\ncdef ")}
    for function in ("run_task", "after"):
        asked = set(re.findall(r"call\.phase == ([A-Z]+)", functions[function]))
        assert len(asked) == len(names()) - 2, function  # one is what is left
    for name in names()[:-1]:
        assert name in functions["after"] or name == "UPDATES"


# ---- phases without tasks are passed over --------------------------------------------------------------------------


def test_a_plan_that_trains_nothing_has_steps():
    """No ranges: neither gradients nor updates have a task."""
    x = g.input("x")
    with pytest.warns(UserWarning, match="does not reach k"):
        plan = g.compile(g.mean(g.square(x)), {"y": g.parameter("k")})
    history = plan.fit({"x": np.full(40, 2.0)}, batch_size=8, epochs=3, optimizer=fb.SGD(lr=0.5, clip_norm=1.0))
    assert history.history["loss"] == [4.0] * 3
    optimizer = fb.SGD()
    plan.loss_and_grad(x=np.full(8, 3.0))
    optimizer.step(plan)
    assert optimizer.steps == 1


def test_a_sweep_without_rows_is_its_fixed_operations():
    k = g.parameter("k", 3, [1.0, 2.0, 3.0])
    plan = g.compile(g.sum(k * k), dtype="float64")
    value, gradients = plan.loss_and_grad()
    assert (value, list(gradients["k"])) == (14.0, [2.0, 4.0, 6.0])


@pytest.mark.parametrize("clip_norm", [None, 1e-3, 1e6])
@pytest.mark.parametrize(
    "widths", [(5, 7, 3), (520, 24, 10), (90, 300, 310, 10)], ids=["tiny", "input-split", "tile-parallel"]
)
def test_one_call_of_many_steps_is_many_calls_of_one(widths, clip_norm):
    """Whatever phases a step begins with: column splits that the last update multiplied, or not, and weights that it
    packed."""
    rng = np.random.default_rng(0)
    X, Y = (rng.standard_normal((300, width)).astype("float32") for width in (widths[0], widths[-1]))
    nets = [fb.mlp(*widths, activation="tanh", l2=1e-3, seed=1) for _ in range(2)]
    optimizers = [fb.SGD(lr=0.01, momentum=0.9, clip_norm=clip_norm) for _ in range(2)]
    nets[0].fit(X, Y, batch_size=100, optimizer=optimizers[0], shuffle=False)
    for begin in (0, 100, 200):
        nets[1].loss_and_grad(X[begin:begin + 100], Y[begin:begin + 100])
        optimizers[1].step(nets[1])
    assert nets[0].params.tobytes() == nets[1].params.tobytes()
