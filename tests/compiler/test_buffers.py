"""fastbp/_compiler/buffers.py: values share memory, and never two that are alive at the same time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import NETWORKS, of_expression, of_network, reads

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler import buffers, partitioning
from fastbp._compiler.program import Operand, Operation, Program, Sweep, Value
from fastbp._ir import leaves


def simulated(program, keep=False):
    """Runs a program's row operations in mind: every operation must find in its operands' memory what was written
    there last. AssertionError where another value has taken the place."""
    holds = {}  # {slot: the value whose rows are in it}

    def roots(indices):
        found = [program.root_of(i) for i in indices if i is not None]
        found = [root for root in found if program.values[root].mode in ("local", "shared")]
        assert all(program.values[root].slot is not None for root in found), "rows without a place"
        return found

    def check(operation):
        for root in roots(reads(operation)):
            slot = program.values[root].slot
            assert holds.get(slot) == root, f"{operation.name} reads value {root}; slot {slot} holds {holds.get(slot)}"

    begin = program.forward if keep else len(program.operations)
    for first, end in ((0, len(program.operations)), (begin, len(program.operations))):  # backward may come again
        for operation in program.operations[first:end]:
            check(operation)
            for root in roots((operation.out, operation.kept)):
                holds[program.values[root].slot] = root
    for operation in program.gradients:  # from the rows of the whole batch, after all
        check(operation)
    for i, value in enumerate(program.values):
        if value.slot is not None:
            slot = program.slots[value.slot]
            assert (slot.mode, slot.width, slot.itemsize) == (value.mode, value.width, value.itemsize), i


@settings(max_examples=80, deadline=None)
@given(widths=st.lists(st.sampled_from([3, 4, 300]), min_size=2, max_size=6), batch=st.sampled_from([1, 64, 300]),
       kind=st.sampled_from(["train", "keep", "predict", "evaluate"]), gathered=st.booleans(),
       activation=st.sampled_from(["tanh", "gelu", "linear"]), dropout=st.sampled_from([0.0, 0.5]))
def test_no_network_overwrites_what_it_still_needs(widths, batch, kind, gathered, activation, dropout):
    program = of_network(widths, batch, kind, gathered=gathered, activation=activation, dropout=dropout)
    simulated(program, kind == "keep")


@st.composite
def losses(draw):
    """A scalar node over inputs and parameters of width 4, of any shape of graph, with means over the batch in it."""
    nodes = [g.input("x", 4), g.input("y", 4)]
    parameters = [g.parameter("k", 4), g.parameter("W", (4, 4))]
    for _ in range(draw(st.integers(1, 14))):
        a, b = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        nodes.append(draw(st.sampled_from([
            lambda a, b: a + b, lambda a, b: a * b + a, lambda a, b: g.tanh(a) - b, lambda a, b: a * parameters[0],
            lambda a, b: g.tanh(a @ parameters[1]), lambda a, b: g.concat([a[:, :1], b[:, 1:]]),
            lambda a, b: g.reshape(g.reshape(a, (2, 2)) * g.sum(b, axis=-1), 4), lambda a, b: a - g.mean(b, axis=0),
            lambda a, b: g.where(a > b, a, b), lambda a, b: g.softmax(a) * b, lambda a, b: g.gelu(a) + g.gelu(b),
        ]))(a, b))
    return g.mean(g.square(nodes[-1] * parameters[0]))


@settings(max_examples=150, deadline=None)
@given(loss=losses(), tiles=st.booleans(), gathered=st.booleans())
def test_no_expression_overwrites_what_it_still_needs(loss, tiles, gathered):
    before = partitioning.BATCH_PARALLEL_BYTES
    partitioning.BATCH_PARALLEL_BYTES = 0 if tiles else before
    try:
        simulated(of_expression(loss, gathered=gathered))
    finally:
        partitioning.BATCH_PARALLEL_BYTES = before


# ---- what is shared ------------------------------------------------------------------------------------------------


def chain(*names):
    """A Program of elementwise operations in a row, each on the last one's output, widths 4."""
    program = Program(8, 0)
    program.values = [Value("direct", 4, 4), *(Value("local", 4, 4) for _ in names)]
    program.operations = [Operation(name, out=i + 1, a=Operand(i, True, 1)) for i, name in enumerate(names)]
    program.sweeps = [Sweep(0, 0, 0, len(names))]
    return program


def slots(program):
    return [value.slot for value in program.values]


def test_an_elementwise_chain_needs_one_row():
    program = chain("map", "map", "map")
    buffers.assign_buffers(program, set())
    assert slots(program) == [None, 0, 0, 0]


def test_an_operation_that_is_not_in_place_needs_two():
    program = chain("map", "row_reduce", "map")
    program.operations[1] = Operation("row_reduce", out=2, x=1)
    buffers.assign_buffers(program, set())
    assert slots(program) == [None, 0, 1, 1]


def test_what_was_read_for_the_last_time_makes_room():
    program = chain("map", "row_reduce", "row_reduce", "row_reduce")
    program.operations[1:] = [Operation("row_reduce", out=i + 1, x=i) for i in (1, 2, 3)]
    buffers.assign_buffers(program, set())
    assert slots(program) == [None, 0, 1, 0, 1]


def test_what_tasks_of_a_stage_read_stays_until_its_end():
    """A product reads whole rows, 1, for each block of units; what follows, 3, may not lie there, the next stage's 4
    may."""
    program = chain("map", "dense", "activate", "map")
    program.operations[1:] = [
        Operation("dense", out=2, x=1),
        Operation("activate", out=3, x=2),
        Operation("map", out=4, a=Operand(2, True, 0), b=Operand(3, True, 0)),
    ]
    buffers.assign_buffers(program, set(), until={1: 3})
    assert slots(program) == [None, 0, 1, 2, 0]
    for value in program.values:
        value.slot = None
    buffers.assign_buffers(program, set())
    assert slots(program)[3] == slots(program)[1]  # slice by slice it may


@pytest.mark.parametrize("field", ["width", "itemsize", "padded"])
def test_only_values_that_are_alike_split(field):
    program = chain("map", "map")
    setattr(program.values[2], field, {"width": 5, "itemsize": 8, "padded": False}[field])
    buffers.assign_buffers(program, set())
    assert slots(program) == [None, 0, 1]


def test_a_broadcast_operand_is_not_overwritten_while_it_is_read():
    """A column that is repeated along the row is read again after the row's first number was written."""
    program = chain("map", "map")
    program.operations[1] = Operation("map", out=2, a=Operand(1, True, 0))
    buffers.assign_buffers(program, set())
    assert slots(program) == [None, 0, 1]


def test_a_part_of_a_row_is_not_overwritten_while_it_is_read():
    program = chain("map", "map")
    program.values.append(Value("local", 2, 4, base=1, offset=2))
    program.operations[1] = Operation("map", out=2, a=Operand(3, True, 1))
    buffers.assign_buffers(program, set())
    assert slots(program) == [None, 0, 1, None]


def test_what_outlives_the_row_operations_is_kept_for_all_rows():
    program = chain("map", "map", "map")
    buffers.assign_buffers(program, {2})
    assert slots(program) == [None, 0, 1, 0]
    assert [value.mode for value in program.values] == ["direct", "local", "shared", "local"]


def test_what_crosses_a_sweep_is_kept_for_all_rows():
    program = chain("map", "map", "map")
    program.sweeps = [Sweep(0, 0, 0, 2), Sweep(0, 0, 2, 3)]
    buffers.assign_buffers(program, set())
    assert [value.mode for value in program.values] == ["direct", "local", "shared", "local"]


def test_what_backward_needs_is_kept_for_another_backward():
    program = chain("map", "map", "map")
    program.forward = 2
    buffers.assign_buffers(program, set(), keep=True)
    assert slots(program) == [None, 0, 1, 0]
    net = fb.mlp(6, 6, 6, 6, 6, activation="tanh", seed=0)
    rng = np.random.default_rng(0)
    net.forward(rng.standard_normal((37, 6)))
    dY = rng.standard_normal((37, 6))
    net.backward(dY)
    first = net.grads.copy()
    net.backward(dY)
    assert np.array_equal(net.grads, first)


@pytest.mark.parametrize("name", NETWORKS)
def test_training_needs_less_memory_than_all_its_values(name):
    widths, batch = NETWORKS[name]
    program = of_network((*widths[:-1], widths[-2], widths[-2], widths[-1]), batch)
    placed = [value for value in program.values if value.slot is not None]
    assert len(program.slots) < len(placed)


def test_a_long_chain_of_samples_needs_the_memory_of_a_few():
    x = leaves.rows("x", 1)
    k, node = g.parameter("k"), x
    for _ in range(50):
        node = g.sin(node * k)
    assert len(of_expression(g.mean(node), learns=False).slots) <= 2
