"""fastbp/_models/scaling.py: what a step would take on many threads, worked by hand where it is small."""

import os
import subprocess
import sys
from itertools import pairwise, product

import numpy as np
import pytest
from programs import NETWORKS, of_network

import fastbp as fb
from fastbp._models import scaling
from fastbp._models.scaling import Machine, Phase, Step, seconds_of_phase
from fastbp._models.traffic import Crossing, Traffic

CORES = Machine(barrier=1e-6, latency=0.0, bandwidth=1e10)


def phase(*seconds, kind="rows"):
    return Phase(kind, 0, np.array(seconds, float), 0.0)


@pytest.mark.parametrize(("seconds", "threads", "expected"), [
    ((3, 1, 1, 1), 1, 6),
    ((3, 1, 1, 1), 2, 3),  # two lanes of neighbours; the second thread takes the first one's last task as well
    ((1, 1, 1, 3), 2, 4),
    ((4, 1, 1, 1, 1, 1), 2, 5),  # the second thread takes a task of the first one's lane: 4 + 1 and 1 + 1 + 1 + 1
    ((2, 2, 2), 64, 2),
])
def test_a_phase_is_as_long_as_its_busiest_thread(seconds, threads, expected):
    assert seconds_of_phase(phase(*seconds), threads, 1.0, {}) == expected
    assert seconds_of_phase(phase(*seconds), threads, 2.0, {}) == 2 * expected


def test_waiting_for_data_is_a_lanes_own():
    assert seconds_of_phase(phase(1, 1), 2, 1.0, {1: 0.5}) == 1.5
    assert seconds_of_phase(phase(1, 1, 1, 1), 2, 1.0, {0: 0.5}) == 2.5


def test_threads_share_the_arithmetic_of_all():
    machine = Machine(0, 0, 1, peak=100e9, all_peak=400e9, measured_peak=50e9)
    assert [machine.slowdown(threads) for threads in (1, 2, 4, 8, 16)] == [0.5, 0.5, 0.5, 1.0, 2.0]
    assert CORES.slowdown(64) == 1


def test_writing_where_another_core_has_read_costs_more_than_reading():
    cores = Machine(0, latency=1e-6, bandwidth=10e9, write_bandwidth=2e9)
    assert cores.seconds_to_cross(Crossing(10_000, 3, 4_000)) == pytest.approx(3e-6 + 1e-6 + 2e-6)
    assert cores._replace(write_bandwidth=None).seconds_to_cross(Crossing(0, 0, 4_000)) == pytest.approx(0.4e-6)


# ---- a step ----------------------------------------------------------------------------------------------------------


def measured(widths, batch, optimizer=None, **options):
    net = fb.mlp(*widths, seed=0, **options)
    rng = np.random.default_rng(0)
    X, y = (rng.random((2 * batch, width), np.float32) for width in (widths[0], widths[-1]))
    before = net.params.copy()
    step = scaling.measured(net, X, y, batch, optimizer or fb.SGD(), 0.01)
    np.testing.assert_array_equal(net.params, before)
    return step


@pytest.mark.parametrize("name", NETWORKS)
def test_more_threads_are_never_better_than_as_many_times_as_fast(name):
    step = measured(*NETWORKS[name])
    alone = step.times(CORES, 1)
    assert alone.total == pytest.approx(step.seconds) and alone.barriers == alone.memory == 0
    for threads in scaling.sizes(64)[1:]:
        times = step.times_of_team(CORES, threads)
        assert times.barriers == pytest.approx(1e-6 * len(step.phases))
        assert times.total > step.seconds / threads
        assert times.rows > 0 and times.parameters > 0


def test_each_piece_that_crosses_waits():
    program = of_network(*NETWORKS["batch-parallel"])
    step = of_equal_tasks(program, 1e-4)
    more = step.times_of_team(CORES._replace(latency=1e-6), 2).total - step.times_of_team(CORES, 2).total
    pieces = [max(crossing.pieces for crossing in found.values()) for found in Traffic(program, 4, 2).phases]
    assert more == pytest.approx(1e-6 * sum(pieces))


def of_equal_tasks(program, seconds):
    """The Step of a Program in which each phase's tasks take so many seconds in all."""
    slices = -(-program.batch // program.slice_rows)
    counts = [("rows", i, slices * stage.blocks) for i, stage in enumerate(program.stages)]
    phases = [Phase(kind, stage, np.full(count, seconds / count), 0.0)
              for kind, stage, count in [*counts, ("parameters", 0, len(program.groups))]]
    return Step(program, phases, 4, 0)


def test_a_large_network_scales_and_a_tiny_one_does_not():
    cores = CORES._replace(barrier=1e-7, bandwidth=1e11)
    large = of_equal_tasks(of_network((784, 512, 512, 10), 128), 1e-3)
    tiny = of_equal_tasks(of_network(*NETWORKS["tiny"]), 1e-6)
    few = large.times(cores, 4).total
    assert large.times(cores, 16).total < few < large.seconds / 3
    assert tiny.times_of_team(cores, 16).total >= tiny.seconds
    assert tiny.times(cores, 16).total == pytest.approx(tiny.seconds)  # a training takes one thread then


@pytest.mark.parametrize(("slots", "cut"), list(product([0, 2], [False, True])))
def test_bytes_of_weights_and_state(slots, cut):
    """Counted by hand: an update reads and writes parameters and state; layers read W, forward and, but for the first,
    backward, as often as slices pass by, or once where they are cut; and packed copies are written."""
    widths, batch = ((784, 512, 512, 10), 128) if cut else ((60, 48, 10), 256)
    program = of_network(widths, batch)
    step = Step(program, [], 4, slots)
    W = [inputs * units for inputs, units in pairwise(widths)]
    slices = -(-batch // program.slice_rows)
    read = (W[0] + 2 * W[1] + 2 * slices * W[2]) if cut else slices * (W[0] + 2 * W[1])
    packed = W[1] + W[2] if cut else 0  # the transposes of the last two; W is read where it lies
    assert step.weight_bytes == 4 * (2 * program.size * (1 + slots) + read + packed)


def test_weights_that_do_not_stay_in_the_cache_come_from_memory():
    step = measured((784, 512, 512, 10), 128)
    machine = CORES._replace(cache=1 << 20, all_bandwidth=2e10)
    expected = max(step.weight_bytes / 1e10, step.weight_bytes / 2e10)
    assert step.times(machine, 1).memory == pytest.approx(expected)
    assert step.times(machine, 2).memory == pytest.approx(step.weight_bytes / 2 / 1e10)
    assert step.times(machine, 4).memory == 0  # 0.67 MB each


def test_sizes_of_teams():
    assert scaling.sizes(1) == [1] and scaling.sizes(6) == [1, 2, 4, 6] and scaling.sizes(64)[-1] == 64


def test_who_has_one_thread_is_told_of_no_more():
    code = "from fastbp._models import scaling; print(scaling.this_machine())"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert (done.stdout, done.stderr) == ("None\n", "")


def test_this_machine_has_figures():
    found = scaling.this_machine()
    if found is None:
        pytest.skip("there are no two threads")
    assert found.barrier >= 0 and found.bandwidth > 0 and found.write_bandwidth > 0 and found.peak is None
