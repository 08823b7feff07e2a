"""fastbp/_compiler/lowering.py: from a graph to operations in order, sweep after sweep, and values with a place."""

import numpy as np
import pytest
from programs import NETWORKS, named, names, of_converted, of_expression, of_network, products_of, reads

from fastbp import graph as g
from fastbp._compiler import lowering, partitioning, plan_cache, select_elementwise, select_nn, select_sums
from fastbp._compiler.program import Data
from fastbp._core import cpu
from fastbp._ir import leaves
from fastbp._ir.elementwise import total_of
from fastbp._ir.nn import dense
from fastbp._ir.node import OPERATIONS, constant, differentiate
from fastbp._models import network_programs

STEP = ["dense", "dense", "loss", "weight_gradient", "input_gradient", "activation_gradient", "weight_gradient"]


def mode(program, value):
    return program.values[program.root_of(value)].mode


# ---- rules ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_node_has_one_rule_and_every_rule_a_kind():
    assert set(lowering.RULES) == {operation.kind for operation in OPERATIONS.values()}
    tables = (select_elementwise.RULES, select_nn.RULES, select_sums.RULES)
    assert sum(map(len, tables)) == len(lowering.RULES)  # none is in two of them


# ---- operations and values -----------------------------------------------------------------------------------------


def test_the_operations_of_a_step_in_slices():
    program = of_network(*NETWORKS["tiny"])
    assert names(program.operations) == STEP
    assert program.partials
    assert (program.invariant, program.gradients, program.packings, program.extra) == ([], [], [], 0)


def test_the_operations_of_a_step_in_tiles():
    program = of_network(*NETWORKS["tile-parallel"])
    assert names(program.operations) == ["dense", "dense", "dense", "loss", "input_gradient", "activation_gradient",
                                         "input_gradient", "activation_gradient"]
    assert sorted(names(program.gradients)) == 3 * ["batch_sum"] + 3 * ["weight_gradient"]
    assert not program.partials


@pytest.mark.parametrize("scheme", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"gathered": True, "weighted": True}, {"kind": "keep"},
                                     {"activation": "gelu"}, {"l2": 0.1}, {"labels": True, "loss": "cross_entropy"}],
                         ids=str)
def test_nothing_is_read_before_it_is_written(scheme, options):
    program = of_network(*NETWORKS[scheme], **options)
    given = {i for i, value in enumerate(program.values) if value.mode in ("direct", "ordered", "parameter")}
    written = set(given)
    for operation in program.operations:
        assert set(reads(operation)) <= written, operation
        written |= {i for i in (operation.out, operation.kept) if i is not None}
    written |= {program.root_of(i) for i in written}  # what splits write is a part of the whole
    assert written == set(range(len(program.values)))  # and no value is without a use
    for operation in program.gradients:
        assert {operation.x, operation.y} - {None} <= written


def test_blocks_are_as_long_as_if_rows_were_copied():
    """So that a loss has the bits of one whose rows are converted."""
    in_place, converted = (of_network((60, 20, 5), 1000, gathered=True, input_scale=scale) for scale in (1.0, 0.5))
    assert (names(in_place.operations)[0], names(converted.operations)[0]) == ("prefetch", "convert")
    assert in_place.block_rows == converted.block_rows < in_place.slice_rows


def test_a_forward_pass_alone_makes_no_gradients():
    program = of_network(*NETWORKS["batch-parallel"], "evaluate")
    assert names(program.operations) == ["dense", "dense", "loss"]
    assert program.operations[2].out is None
    assert program.ranges == []
    assert not program.partials


def test_keep_ends_forward_at_the_outputs_and_writes_the_callers_arrays():
    program = of_network(*NETWORKS["tiny"], "keep")
    assert names(program.operations[:program.forward]) == ["dense", "dense"]
    assert program.operations[1].out == program.data["Y"]
    assert program.data["dX"] in {operation.out for operation in program.operations[program.forward:]}
    for name in ("X", "Y", "dY", "dX"):
        assert mode(program, program.data[name]) == "direct"


def test_the_callers_gradient_is_not_written_to():
    x, W, b, dy = leaves.rows("X", 2), leaves.parameter((2, 2)), leaves.parameter((2,)), leaves.rows("dY", 2)
    out = dense(x, W, b, "tanh")
    where, size = network_programs.offsets([W, b])
    program = plan_cache.lowered([out], None, differentiate(out, dy, [W, b], add=total_of), np.dtype("float32"),
                            batch=4, data={"X": Data(2, 4, False), "dY": Data(2, 4, False)}, offsets=where, size=size,
                            keep=True, results={out: "Y"})
    operation = named(program, "activation_gradient")
    assert operation.y == program.data["dY"] != operation.out


@pytest.mark.parametrize("scheme", NETWORKS)
def test_rows_are_shared_tile_parallel_and_local_batch_parallel(scheme):
    program = of_network(*NETWORKS[scheme])
    assert {value.mode for value in program.values} == {
        "direct",
        "parameter",
        "shared" if scheme in ("input-split", "tile-parallel") else "local",
    }


# ---- splits of the inputs' columns -----------------------------------------------------------------------------------


def test_the_products_of_splits_cover_the_inputs_and_their_sum_is_activated():
    program = of_network(*NETWORKS["input-split"], gathered=True)
    assert len(program.splits) == 4
    columns, terms = [], []
    for first, last in program.splits:
        ask, product = program.operations[first:last]
        part, W = program.values[product.x], program.values[product.W]
        assert (ask.name, product.name, product.kernel, product.bias) == ("prefetch", "dense", None, None)
        assert ask.x == product.x
        assert (W.offset, W.rows, product.n_in) == (part.offset * 24, part.width, part.width)
        columns.append((part.offset, part.width))
        terms.append(product.out)
    if cpu.available() == ["scalar"]:  # a build of these kernels alone, of tiles of 2 rows
        assert columns == [(0, 130), (130, 130), (260, 130), (390, 130)]
    else:
        assert columns == [(0, 128), (128, 128), (256, 128), (384, 136)]  # whole tiles of 16 rows
    sweep = program.operations[program.sweeps[0].row:]
    adds = [operation for operation in sweep if operation.kernel == "add"]
    assert [operation.b.value for operation in adds] == terms[1:]
    assert adds[0].a.value == terms[0]
    activate = next(operation for operation in sweep if operation.name == "activate")
    assert (activate.kernel, activate.x) == ("tanh_forward", adds[-1].out)
    assert activate.bias is not None


def of_matrices():
    """The Program of samples that are matrices, in rows like those of a split's product."""
    x, W, k = g.input("x", 520), g.parameter("W", (520, 24)), g.parameter("k", (4, 6))
    return of_expression(g.mean(g.square(g.tanh(g.reshape(g.dense(x, W), (4, 6)) * k) * k)), 100, gathered=True)


@pytest.mark.parametrize(
    "made", [lambda: of_network(*NETWORKS["input-split"], gathered=True), of_matrices, of_converted]
)
def test_what_a_split_writes_is_nobody_elses_memory(made):
    """It is written for the next step while others still read what belongs to this one."""
    program = made()
    assert program.splits
    written = {program.root_of(operation.out) for first, last in program.splits
               for operation in program.operations[first:last] if operation.out is not None}
    for value in written:
        users = [i for i, other in enumerate(program.values) if other.slot == program.values[value].slot]
        assert users == [value]


# ---- packed weights -------------------------------------------------------------------------------------------------


def test_large_weights_are_packed_once_for_all_threads():
    program = products_of(300, 600, 10, batch=128)
    forward = [operation.packed_b for operation in program.operations if operation.name == "dense"]
    assert forward == ["shared", None]  # 600 x 10 is read where it lies
    packed = {packing.operation for packing in program.packings}
    assert packed == {i for i, operation in enumerate(program.operations) if operation.packed_b == "shared"}
    for i in packed:
        operation = program.operations[i]
        rows = [(packing.row, packing.rows) for packing in program.packings if packing.operation == i]
        assert sorted(rows) == [(row, min(32, operation.n_in - row)) for row in range(0, operation.n_in, 32)]


def test_a_range_copies_the_rows_that_it_updates():
    program = products_of(300, 600, 10, batch=128)
    for item in program.ranges:
        first, count = item.packings
        packings = program.packings[first:first + count]
        weights = program.values[program.operations[packings[0].operation].W]
        assert item.piece == 32 * weights.width
        begin, rows = (item.begin - weights.offset) // weights.width, item.count // weights.width
        for operation in {packing.operation for packing in packings}:
            mine = [packing for packing in packings if packing.operation == operation]
            assert [packing.row for packing in mine] == list(range(begin, begin + rows, 32))
            assert sum(packing.rows for packing in mine) == rows
            assert [packing.end for packing in mine] == [
                (packing.row - begin + packing.rows) * weights.width for packing in mine]


def test_large_weights_of_short_rows_are_read_where_they_lie():
    program = products_of(300, 512, 512, 10, batch=128)
    assert [operation.packed_b for operation in program.operations if operation.name == "dense"] == [None] * 3


def test_weights_that_nothing_updates_are_copied_as_well():
    x = leaves.rows("x", 300)
    program = of_expression(g.mean(g.square(x @ g.parameter("W", (300, 600)))), 128, nr=32, learns=False)
    assert program.ranges == []
    assert [packing.row for packing in program.packings] == list(range(0, 300, 32))


def test_few_rows_are_not_worth_a_copy_of_the_weights():
    program = products_of(300, 310, 10, batch=8)
    assert all(operation.packed_b is None for operation in program.operations if operation.name == "dense")


def test_small_weights_are_transposed_by_each_thread():
    program = of_network(*NETWORKS["batch-parallel"])
    assert [operation.packed_b for operation in program.operations if operation.name == "input_gradient"] == ["own"]
    assert program.packings == []


def test_weights_that_are_computed_are_packed_when_they_are_known(monkeypatch):
    """What all threads share is packed before the step, when only parameters are."""
    monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", 0)
    x, W, V = leaves.rows("x", 3), g.parameter("W", (3, 4)), g.parameter("V", (4, 4))
    program = of_expression(g.mean(g.square(g.tanh(x @ W) @ (V * V))))
    assert [operation.packed_b for operation in program.operations if operation.name == "input_gradient"] == ["own"]


# ---- sweeps --------------------------------------------------------------------------------------------------------


def sweeps(program):
    """[(invariant operations, row operations), ...] of the sweeps that have any."""
    found = [(names(program.invariant[s.invariant:s.invariant_end]), names(program.operations[s.row:s.row_end]))
             for s in program.sweeps]
    return [pair for pair in found if pair != ([], [])]


def test_a_mean_over_samples_is_a_single_sweep():
    x, k = g.input("x"), g.parameter("k")
    assert sweeps(of_expression(g.mean(g.square(x * k)))) == [
        ([], ["multiply", "total", "multiply", "batch_sum"])]
    for scheme in NETWORKS:
        assert len(sweeps(of_network(*NETWORKS[scheme]))) == 1


def test_a_batch_mean_that_is_used_again_makes_a_second_sweep():
    x = g.input("x", 4)
    program = of_expression(g.mean(g.square(x - g.mean(x, axis=0))))
    assert sweeps(program) == [([], ["batch_sum"]), (["reduce_partials", "multiply"], ["subtract", "total"])]


def test_rows_that_two_sweeps_read_are_kept_for_the_whole_batch():
    x, W = g.input("x", 4), g.parameter("W", (4, 3))
    z = x @ W
    program = of_expression(g.mean(g.square(z - g.mean(z, axis=0))), learns=False)
    made = named(program, "dense").out
    assert mode(program, made) == "shared"
    subtract = next(operation for operation in program.operations if operation.kernel == "subtract")
    assert subtract.a.value == made
    assert mode(program, subtract.out) == "local"  # that one sweep reads only


def test_a_total_that_is_used_again_is_finished_first():
    x, k = g.input("x"), g.parameter("k")
    program = of_expression(g.sqrt(g.mean(g.square(x * k))), learns=False)
    assert sweeps(program) == [([], ["multiply", "total"]), (["finish_total", "sqrt"], [])]
    assert program.root == (None, program.invariant[-1].out)


def test_what_does_not_depend_on_the_samples_is_computed_once_a_step():
    x, a, b = g.input("x"), g.parameter("a"), g.parameter("b")
    program = of_expression(g.mean(x * g.exp(a * b)), learns=False)
    assert sweeps(program) == [(["multiply", "exp"], ["total"])]


# ---- results -------------------------------------------------------------------------------------------------------


def test_rows_that_are_wanted_are_written_into_the_callers_array():
    x, k = g.input("x", 3), g.parameter("k", 3)
    y = x * k
    program = of_expression(g.mean(g.square(y)), learns=False, results={y: "y"})
    assert next(one.out for one in program.operations if one.kernel == "multiply") == program.data["y"]
    assert mode(program, program.data["y"]) == "direct"


def test_rows_that_lie_elsewhere_are_copied_for_the_caller():
    x, k = g.input("x", 3), g.parameter("k", 3)
    program = of_expression(g.mean(g.square(x * k)), learns=False, results={x: "same"})
    assert program.operations[-1].kernel == "copy"
    assert program.operations[-1].out == program.data["same"]


def test_what_is_invariant_is_wanted_in_memory_of_its_own():
    """A parameter, or a part of one, is copied: what is read afterwards is the value of that step."""
    x, k = g.input("x", 3), g.parameter("k", 5)
    part = k[1:4]
    program = of_expression(g.mean(x * part), learns=False, results={k: "k", part: "part"})
    for name in ("k", "part"):
        value = program.values[program.data[name]]
        assert (value.mode, value.base) == ("invariant", None)
    assert names(program.invariant).count("copy") == 2


def test_the_root_of_a_constant_loss_is_a_constant():
    program = of_expression(constant(2.5), learns=False)
    value = program.values[program.root[1]]
    assert float(value.initial) == 2.5
