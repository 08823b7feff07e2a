"""fastbp/_models/traffic.py: what crosses from core to core in a step, worked by hand where it is small."""

import pytest
from programs import NETWORKS, of_network

from fastbp._models.traffic import Traffic, lanes_of


@pytest.mark.parametrize("tasks", [1, 2, 7, 64])
@pytest.mark.parametrize("threads", [1, 2, 5, 32, 64])
def test_a_lane_of_rows_has_neighbours_and_one_of_parameters_every_nth(tasks, threads):
    lanes = min(threads, 32)
    rows, parameters = lanes_of("rows", tasks, threads), lanes_of("parameters", tasks, threads)
    assert rows == sorted(rows) and len(rows) == tasks
    assert parameters == [task % lanes for task in range(tasks)]
    for lane in range(lanes):
        assert rows.count(lane) == parameters.count(lane)


def test_one_thread_reads_only_what_it_wrote():
    for name in NETWORKS:
        program = of_network(*NETWORKS[name])
        phases = Traffic(program, 4, 1).phases
        assert all(crossing == (0, 0, 0) for found in phases for crossing in found.values()), name


def test_crossing_bytes_of_slices():
    """60-48-10, 256 rows, in slices that add up gradients of their own: two threads have half of the slices each. The
    rows read the parameters that the other one has updated; a range reads the sums of the other one's slices, and
    updates parameters that the other one has read. The rows in turn write sums that the other's ranges have read."""
    program = of_network(*NETWORKS["batch-parallel"])
    slices = -(-256 // program.slice_rows)
    assert slices % 2 == 0
    traffic, size = Traffic(program, 4, 2), program.size
    updated = [0, 0]  # by each lane
    for number, group in enumerate(program.groups):
        updated[number % 2] += sum(item.count for item in program.ranges[group.first:group.last])
    assert sum(updated) == size
    for lane, crossing in traffic.of("parameters", 0).items():
        assert crossing.read == pytest.approx(4 * updated[lane] * slices // 2, rel=0.02)
        assert crossing.written == pytest.approx(4 * updated[lane], rel=0.02)
    sums = [4 * slices // 2 * updated[1 - lane] for lane in (0, 1)]
    for lane, crossing in traffic.of("rows", 0).items():
        assert crossing.read == pytest.approx(4 * updated[1 - lane], rel=0.02)
        assert crossing.written == pytest.approx(sums[lane], rel=0.02)


def test_crossing_bytes_of_blocks_of_units():
    """784-512-512-10 in 16 lanes, a block of 32 units each: the second layer reads all rows of the first, of which the
    lane has made a sixteenth, and the weights of its units, whose rows were updated by all lanes; and it writes rows
    that all lanes have read in the step before."""
    program = of_network((784, 512, 512, 10), 128, gathered=True)
    traffic = Traffic(program, 4, 16)
    number = [i for i, stage in enumerate(program.stages) if stage.units][1]
    rows, weights, written = 128 * 512 * 15 / 16, 512 * 32 * 15 / 16, 128 * 32
    for crossing in traffic.of("rows", number).values():
        assert crossing.read == pytest.approx(4 * (rows + weights), rel=0.05)
        assert crossing.written == 4 * written
        assert crossing.pieces == 4 + 1  # rows of each slice, and weights
    whole = Traffic(program, 4, 64).of("rows", number)
    assert max(crossing.read + crossing.written for crossing in whole.values()) < 4 * (128 * 512 + 512 * 64 + 128 * 64)
