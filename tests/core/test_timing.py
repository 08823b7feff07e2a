"""fastbp/_core/timing.pyx: what is measured for a model of many threads."""

import numpy as np
import pytest
from programs import NETWORKS

import fastbp as fb
from fastbp._compiler.plan_cache import BoundPlan
from fastbp._compiler.use import Use
from fastbp._core import timing
from fastbp._models import network_programs


def plan_of(name, optimizer, gathered=True):
    """(BoundPlan, Program, arrays) of a network's step on one thread."""
    widths, batch = NETWORKS[name]
    net = fb.mlp(*widths, seed=0)
    program = network_programs.program(net, Use("train", batch, gathered=gathered, threads=1))
    plan = BoundPlan(net.params, net.grads, program, 1)
    optimizer.bind(net.params)
    rng = np.random.default_rng(0)
    X, y = (rng.random((3 * batch, width), np.float32) for width in (widths[0], widths[-1]))
    return net, plan, program, plan.arrays({"X": X, "targets": y})


@pytest.mark.parametrize("name", NETWORKS)
def test_all_tasks_of_a_step_are_timed_and_nothing_is_learnt(name):
    optimizer = fb.Adam(clip_norm=1.0) if name == "tiny" else fb.SGD(momentum=0.9)
    net, plan, program, arrays = plan_of(name, optimizer)
    before, order = net.params.copy(), np.random.default_rng(1).permutation(3 * plan.batch)
    phases, tasks, after = timing.task_times(plan.executable, arrays, optimizer, order, 4)
    slices = -(-program.batch // program.slice_rows)
    rows = [("rows", i, slices * stage.blocks) for i, stage in enumerate(program.stages)]
    groups = len(program.groups)
    expected = [*rows, ("parameters", 0, groups)] + [("updates", 0, groups)] * (name == "tiny")
    assert phases == expected
    assert tasks.shape == (4, sum(count for _, _, count in phases)) and (tasks >= 0).all() and tasks.sum() > 0
    assert after.shape == (4, len(phases)) and (after >= 0).all()
    np.testing.assert_array_equal(net.params, before)
    assert optimizer.steps == 0


def test_rows_as_they_lie_need_no_order():
    _, plan, _, arrays = plan_of("tiny", fb.SGD(), gathered=False)
    phases, tasks, _ = timing.task_times(plan.executable, arrays, fb.SGD(), None, 2)
    assert [kind for kind, _, _ in phases] == ["rows", "parameters"] and len(tasks) == 2


def test_data_too_short_are_refused():
    _, plan, _, arrays = plan_of("tiny", fb.SGD(), gathered=False)
    short = [(value, array[:5]) for value, array in arrays]
    with pytest.raises(ValueError, match="data has become shorter: 5 rows, expected 8 or more"):
        timing.task_times(plan.executable, short, fb.SGD(), None, 2)


@pytest.mark.parametrize(("value", "step"), [(np.nan, 0), (1e30, 0)])
def test_numbers_that_are_not_finite_end_it_in_words(value, step):
    net, plan, _, arrays = plan_of("tiny", fb.SGD(), gathered=False)
    net.params[:] = value
    with pytest.raises(ValueError, match=f"not finite in step {step}, expected finite numbers"):
        timing.task_times(plan.executable, arrays, fb.SGD(), None, 2)


def test_an_order_of_less_than_a_batch_is_refused():
    _, plan, _, arrays = plan_of("tiny", fb.SGD())
    with pytest.raises(ValueError, match="order has 5 rows, expected 8 or more"):
        timing.task_times(plan.executable, arrays, fb.SGD(), np.arange(5), 2)


@pytest.mark.parametrize("measure", [lambda: timing.barrier(50), lambda: timing.crossing(1 << 12, 50)])
def test_two_threads_are_measured_or_nothing_is(measure):
    found = measure()
    assert found is None or np.all(np.array(found) > 0)
