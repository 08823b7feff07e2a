"""fastbp/_compiler/program.py: what a plan is made of."""

import pytest
from programs import NETWORKS, of_network

from fastbp._compiler.program import Operation, Program, Value


@pytest.mark.parametrize(("batch", "slice_rows", "splits", "threads"),
                         [(1, 1, 0, 1), (10, 10, 0, 1), (10, 4, 0, 3), (12, 4, 0, 3), (12, 4, 4, 4), (10, 10, 2, 2)])
def test_as_many_threads_as_slices_or_splits_have_work(batch, slice_rows, splits, threads):
    program = Program(batch, 0, slice_rows=slice_rows, splits=[(0, 0)] * splits)
    assert program.most_threads == threads


def test_a_part_of_a_part_is_in_the_memory_of_the_whole():
    program = Program(4, 0)
    program.values = [
        Value("invariant", 8, 4),
        Value("invariant", 4, 4, base=0, offset=2),
        Value("invariant", 1, 4, base=1),
        Value("local", 3, 4),
    ]
    assert [program.root_of(i) for i in range(4)] == [0, 0, 0, 3]


def test_values_and_operations_are_told_apart_by_identity():
    """Two places for the same kind of numbers are two places."""
    assert Value("local", 3, 4) != Value("local", 3, 4)
    assert Operation("dense") != Operation("dense")


def test_lists_are_each_programs_own():
    first, second = Program(1, 0), Program(1, 0)
    first.values.append(Value("local", 1, 4))
    first.data["x"] = 0
    assert (second.values, second.data) == ([], {})


@pytest.mark.parametrize("name", NETWORKS)
def test_splits_then_sweeps_cover_all_operations_in_order(name):
    program = of_network(*NETWORKS[name])
    splits = [i for first, last in program.splits for i in range(first, last)]
    rows = splits + [i for sweep in program.sweeps for i in range(sweep.row, sweep.row_end)]
    invariant = [i for sweep in program.sweeps for i in range(sweep.invariant, sweep.invariant_end)]
    assert rows == list(range(len(program.operations)))
    assert invariant == list(range(len(program.invariant)))
