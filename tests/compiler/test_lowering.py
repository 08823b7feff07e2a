"""fastbp/_compiler/lowering.py: from a graph to operations in order, sweep after sweep, and values with a place."""

import numpy as np
import pytest
from programs import NETWORKS, names, of_expression, of_network, reads

from fastbp import graph as g
from fastbp._compiler import partitioning, plan_cache, ranges
from fastbp._compiler.program import Data
from fastbp._ir import leaves
from fastbp._ir.elementwise import total_of
from fastbp._ir.nn import dense, weight_gradient
from fastbp._ir.node import constant, differentiate
from fastbp._models import network_programs

STEP = ["dense", "dense", "loss", "weight_gradient", "input_gradient", "activation_gradient", "weight_gradient"]


def named(program, name):
    return next(operation for operation in program.operations if operation.name == name)


def mode(program, value):
    return program.values[program.root_of(value)].mode


# ---- operations and values -----------------------------------------------------------------------------------------


def test_the_operations_of_a_step_in_slices():
    program = of_network(*NETWORKS["tiny"])
    assert names(program.operations) == STEP
    assert program.partials
    assert (program.fixed, program.gradients, program.packings, program.extra) == ([], [], [], 0)


def test_the_gradient_of_a_bias_is_made_with_that_of_the_weights_before_it():
    """Where rows of x do not lie in an order of their own, and both are whole sums of the same slices."""
    def sums(program):
        return [(operation.name, operation.ones) for operation in program.operations if operation.name in ranges.SUMS]

    joined, apart = ("weight_gradient", True), [("batch_sum", False), ("weight_gradient", False)]
    assert sums(of_network(*NETWORKS["slices"])) == [joined, joined]
    assert sums(of_network(*NETWORKS["slices"], gathered=True)) == [joined, *apart]
    x = leaves.rows("x", 6)
    W, b = g.parameter("W", (6, 4)), g.parameter("b", 4)
    assert sums(of_expression(g.mean(g.square(g.dense(x, W, b))))) == [joined]
    assert sorted(sums(of_expression(g.mean(g.square(b + x @ W))))) == apart  # b lies before W
    assert sorted(sums(of_expression(g.mean(g.square(g.dense(x, W, b) * b)))))[0] == apart[0]  # two sums are added up
    K = g.parameter("K", (6, 8))  # a block of a matrix, and a part of one of its rows, where one would follow the other
    assert sorted(sums(of_expression(g.mean(g.square(x[:, :5] @ K[:5, :4] + K[2, 4:8]))))) == apart
    times = g.parameter("c", 4) * leaves.rows("z", 4)
    assert sorted(sums(of_expression(g.mean(g.square(x @ W + times))))) == apart  # c's gradient is the sum of dz z
    wide = of_network((60, 1024, 1), 64)
    assert not wide.gradients and sums(wide) == [joined, *apart]  # what is copied into strips has no row of ones


def test_the_operations_of_a_step_in_tiles():
    program = of_network(*NETWORKS["tiles"])
    assert names(program.operations) == ["dense", "dense", "dense", "loss", "input_gradient", "activation_gradient",
                                         "input_gradient", "activation_gradient"]
    assert sorted(names(program.gradients)) == 3 * ["batch_sum"] + 3 * ["weight_gradient"]
    assert not program.partials


@pytest.mark.parametrize("regime", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"gathered": True, "weighted": True}, {"kind": "keep"},
                                     {"activation": "gelu"}, {"l2": 0.1}, {"labels": True, "loss": "cross_entropy"}],
                         ids=str)
def test_nothing_is_read_before_it_is_written(regime, options):
    program = of_network(*NETWORKS[regime], **options)
    given = {i for i, value in enumerate(program.values) if value.mode in ("direct", "ordered", "parameter")}
    written = set(given)
    for operation in program.operations:
        assert set(reads(operation)) <= written, operation
        written |= {i for i in (operation.out, operation.kept) if i is not None}
    written |= {program.root_of(i) for i in written}  # what shares write is a part of the whole
    assert written == set(range(len(program.values)))  # and no value is without a use
    for operation in program.gradients:
        assert {operation.x, operation.y} - {None} <= written


def test_rows_taken_in_an_order_of_their_own_are_gathered_first_but_for_those_that_products_read():
    program = of_network(*NETWORKS["slices"], gathered=True, weighted=True, dtype="float64")
    first = program.operations[:3]
    assert names(first) == ["ask", "gather", "gather"]
    assert [operation.n_out for operation in first] == [60 * 8, 10 * 8, 8]  # bytes of a row
    assert [program.data[name] for name in ("X", "targets", "weights")] == [operation.x for operation in first]
    loss = named(program, "loss")
    assert (loss.y, loss.w) == (first[1].out, first[2].out)
    assert {"ask", "gather"}.isdisjoint(names(of_network(*NETWORKS["slices"], weighted=True).operations))


def test_products_read_rows_in_any_order_where_nothing_else_does():
    """Long rows of the network's dtype that the products ask for a step ahead, in slices or shares."""
    x, W, y = leaves.rows("x", 60), g.parameter("W", (60, 10)), leaves.rows("y", 60)
    product = g.mean(g.square(x @ W))

    def of(loss, batch=64):
        return names(of_expression(loss, batch, gathered=True).operations)[:2]

    assert of(product)[0] == "ask"
    assert of(product + g.mean(x))[0] == "gather"
    assert set(of(product + g.mean(g.square(y @ g.parameter("V", (60, 10)))))) == {"ask", "gather"}  # one is asked for
    assert of(g.mean(g.square(leaves.rows("x", 16) @ g.parameter("W", (16, 10)))))[0] == "gather"
    assert of(g.mean(g.square(leaves.rows("x", 300) @ g.parameter("W", (300, 400)))))[0] == "gather"  # tiles
    assert names(of_network(*NETWORKS["slices"], gathered=True, input_scale=0.5).operations)[0] == "convert"
    assert names(of_expression(product, gathered=True, results={x: "rows"}).operations)[0] == "gather"
    short, dz = leaves.rows("short", 16), leaves.rows("dz", 60)
    assert of(g.mean(g.square(short @ weight_gradient(short, dz)))) == ["gather", "gather"]  # the right operand


def test_blocks_are_as_long_as_if_rows_were_copied():
    """So that a loss has the bits of one whose rows are converted."""
    in_place, converted = (of_network((60, 20, 5), 1000, gathered=True, input_scale=scale) for scale in (1.0, 0.5))
    assert (names(in_place.operations)[0], names(converted.operations)[0]) == ("ask", "convert")
    assert in_place.block_rows == converted.block_rows < in_place.slice_rows


def test_labels_have_a_kernel_of_their_own():
    for labels, kernel in ((True, "cross_entropy_labels_loss"), (False, "cross_entropy_loss")):
        program = of_network(*NETWORKS["tiny"], loss="cross_entropy", labels=labels)
        assert named(program, "loss").kernel == kernel


@pytest.mark.parametrize(("loss", "scale"), [("squared_error", 1 / 64), ("mse", 1 / (64 * 3))])
def test_the_loss_is_scaled_by_the_batch(loss, scale):
    assert named(of_network((5, 7, 3), 64, loss=loss), "loss").scale == scale


def test_a_forward_pass_alone_makes_no_gradients():
    program = of_network(*NETWORKS["slices"], "evaluate")
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


@pytest.mark.parametrize("regime", NETWORKS)
def test_rows_are_shared_in_tiles_and_local_in_slices(regime):
    program = of_network(*NETWORKS[regime])
    assert {value.mode for value in program.values} == {"direct", "parameter",
                                                        "shared" if regime in ("shares", "tiles") else "local"}


# ---- shares of the inputs' columns -----------------------------------------------------------------------------------


def test_the_products_of_shares_cover_the_inputs_and_their_sum_is_activated():
    program = of_network(*NETWORKS["shares"], gathered=True)
    assert len(program.shares) == 4
    columns, terms = [], []
    for first, last in program.shares:
        ask, product = program.operations[first:last]
        part, W = program.values[product.x], program.values[product.W]
        assert (ask.name, product.name, product.kernel, product.bias) == ("ask", "dense", None, None)
        assert ask.x == product.x
        assert (W.offset, W.rows, product.n_in) == (part.offset * 24, part.width, part.width)
        columns.append((part.offset, part.width))
        terms.append(product.out)
    assert columns == [(0, 128), (128, 128), (256, 128), (384, 136)]  # whole panels of 16 rows
    sweep = program.operations[program.sweeps[0].row:]
    adds = [operation for operation in sweep if operation.kernel == "add"]
    assert [operation.b.value for operation in adds] == terms[1:]
    assert adds[0].a.value == terms[0]
    activate = next(operation for operation in sweep if operation.name == "activate")
    assert (activate.kernel, activate.x) == ("tanh_forward", adds[-1].out)
    assert activate.bias is not None


def of_matrices():
    """The Program of samples that are matrices, in rows like those of a share's product."""
    x, W, k = g.input("x", 520), g.parameter("W", (520, 24)), g.parameter("k", (4, 6))
    return of_expression(g.mean(g.square(g.tanh(g.reshape(g.dense(x, W), (4, 6)) * k) * k)), 100, gathered=True)


def of_converted():
    return of_network(*NETWORKS["shares"], gathered=True, input_scale=0.5)


def test_converted_shares_lie_apart_and_each_makes_its_rows_of_the_gradient():
    program = of_converted()
    copies = []
    for first, last in program.shares:
        convert, product = program.operations[first:last]
        assert (convert.name, product.name, convert.out) == ("convert", "dense", product.x)
        assert program.values[convert.x].offset == program.values[product.W].offset // 24
        copies.append((convert.out, convert.n_out))
    roots = {program.root_of(value) for value, _ in copies}
    assert len(roots) == len({program.values[root].slot for root in roots}) == 4
    made = {(operation.x, operation.n_in) for operation in program.gradients if operation.name == "weight_gradient"}
    assert made.issuperset(copies)


@pytest.mark.parametrize("made", [lambda: of_network(*NETWORKS["shares"], gathered=True), of_matrices, of_converted])
def test_what_a_share_writes_is_nobody_elses_memory(made):
    """It is written for the next step while others still read what belongs to this one."""
    program = made()
    assert program.shares
    written = {program.root_of(operation.out) for first, last in program.shares
               for operation in program.operations[first:last] if operation.out is not None}
    for value in written:
        users = [i for i, other in enumerate(program.values) if other.slot == program.values[value].slot]
        assert users == [value]


@pytest.mark.parametrize("widths", [(520, 24, 10), (784, 10)])
def test_only_rows_that_one_product_reads_are_cut(widths):
    x = leaves.rows("x", widths[0])
    once = g.mean(g.square(x @ g.parameter("W", widths[:2])))
    assert len(of_expression(once, 100).shares) == 4
    for other in (x @ g.parameter("V", (widths[0], 2)), x * g.parameter("k", widths[0]), x[:, :3] * g.parameter("k")):
        assert of_expression(once + g.mean(g.square(other)), 100).shares == []
    fixed = g.mean(g.square(x @ (2 * g.parameter("W", widths[:2]))))
    assert of_expression(fixed, 100).shares == []
    assert of_expression(once, 100, learns=False).shares == []


# ---- rows that the next step reads ---------------------------------------------------------------------------------


def asking(program):
    operations = (*program.operations, *program.gradients)
    return {operation.name for operation in operations if operation.ahead}


def of_rows(batch, units):
    """The Program of a linear layer on 784 numbers, whose rows are taken in an order of their own."""
    x, y = leaves.rows("x", 784), leaves.rows("y", units)
    loss = g.mean(g.square(x @ g.parameter("W", (784, units)) - y))
    return of_expression(loss, batch, gathered=True)


def test_the_products_that_read_gathered_rows_ask_for_the_next_ones():
    program = of_rows(100, 16)
    assert asking(program) == {"ask", "gather", "dense", "weight_gradient"}
    asks = [operation.ahead for operation in program.operations if operation.name == "ask"]
    assert asks == [True] * 4  # of each share
    gathers = [operation.ahead for operation in program.operations if operation.name == "gather"]
    assert gathers == [True]  # the targets are short


def test_short_rows_are_asked_for_without_products():
    """Rows of two cache lines at most: there is nothing between their ends."""
    program = of_network((16, 8, 3), gathered=True)
    assert asking(program) == {"gather"}
    assert asking(of_network((90, 300, 310, 64), gathered=True)) == set()
    assert asking(of_network((33, 8, 3), gathered=True)) == {"ask", "gather", "dense", "weight_gradient"}


def test_rows_where_they_lie_and_those_of_large_layers_are_not_asked_for():
    assert asking(products_of(784, 16, batch=100)) == set()
    assert asking(of_rows(100, 512)) == set()


# ---- weights in panels ---------------------------------------------------------------------------------------------


def products_of(*widths, batch):
    """The Program of linear layers without biases, for a product whose tile has 32 columns."""
    node = leaves.rows("x", widths[0])
    for i, units in enumerate(widths[1:]):
        node = node @ g.parameter(f"W{i}", (node.width, units))
    return of_expression(g.mean(g.square(node)), batch, panel=32)


def test_large_weights_are_read_from_panels_that_are_shared():
    program = products_of(300, 310, 10, batch=128)
    forward = [operation.panels for operation in program.operations if operation.name == "dense"]
    assert forward == ["shared", None]  # 310 x 10 is read where it lies
    packed = {packing.operation for packing in program.packings}
    assert packed == {i for i, operation in enumerate(program.operations) if operation.panels == "shared"}
    for i in packed:
        operation = program.operations[i]
        columns = operation.n_out if operation.name == "dense" else operation.n_in
        depth = operation.n_in if operation.name == "dense" else operation.n_out
        assert operation.panels_size == -(-columns // 32) * 32 * depth
        rows = [(packing.row, packing.rows) for packing in program.packings if packing.operation == i]
        assert sorted(rows) == [(row, min(32, operation.n_in - row)) for row in range(0, operation.n_in, 32)]


def test_a_range_copies_the_rows_that_it_updates():
    program = products_of(300, 310, 10, batch=128)
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


def test_weights_that_nothing_updates_are_copied_as_well():
    x = leaves.rows("x", 300)
    program = of_expression(g.mean(g.square(x @ g.parameter("W", (300, 310)))), 128, panel=32, learns=False)
    assert program.ranges == []
    assert [packing.row for packing in program.packings] == list(range(0, 300, 32))


def test_few_rows_are_not_worth_a_copy_of_the_weights():
    program = products_of(300, 310, 10, batch=8)
    assert all(operation.panels is None for operation in program.operations if operation.name == "dense")


def test_small_weights_are_transposed_by_each_thread():
    program = of_network(*NETWORKS["slices"])
    assert [operation.panels for operation in program.operations if operation.name == "input_gradient"] == ["own"]
    assert program.packings == []


def test_weights_that_are_computed_are_packed_when_they_are_known(monkeypatch):
    """Panels that are shared are packed before the step, when only parameters are."""
    monkeypatch.setattr(partitioning, "SLICES_BYTES", 0)
    x, W, V = leaves.rows("x", 3), g.parameter("W", (3, 4)), g.parameter("V", (4, 4))
    program = of_expression(g.mean(g.square(g.tanh(x @ W) @ (V * V))))
    assert [operation.panels for operation in program.operations if operation.name == "input_gradient"] == ["own"]


# ---- sweeps --------------------------------------------------------------------------------------------------------


def sweeps(program):
    """[(fixed operations, row operations), ...] of the sweeps that have any."""
    found = [(names(program.fixed[s.fixed:s.fixed_end]), names(program.operations[s.row:s.row_end]))
             for s in program.sweeps]
    return [pair for pair in found if pair != ([], [])]


def test_a_mean_over_samples_is_a_single_sweep():
    x, k = g.input("x"), g.parameter("k")
    assert sweeps(of_expression(g.mean(g.square(x * k)))) == [
        ([], ["multiply", "total", "multiply", "batch_sum"])]
    for regime in NETWORKS:
        assert len(sweeps(of_network(*NETWORKS[regime]))) == 1


def test_a_batch_mean_that_is_used_again_makes_a_second_sweep():
    x = g.input("x", 4)
    program = of_expression(g.mean(g.square(x - g.mean(x, axis=0))))
    assert sweeps(program) == [([], ["batch_sum"]), (["combine", "multiply"], ["subtract", "total"])]


def test_rows_that_two_sweeps_read_are_kept_for_the_whole_batch():
    x, W = g.input("x", 4), g.parameter("W", (4, 3))
    z = x @ W
    program = of_expression(g.mean(g.square(z - g.mean(z, axis=0))), learns=False)
    made = named(program, "dense").out
    assert mode(program, made) == "shared"
    subtract = next(operation for operation in program.operations if operation.kernel == "subtract")
    assert subtract.a.value == made
    assert mode(program, subtract.out) == "local"  # that one sweep reads only


def test_gathered_rows_that_two_sweeps_read_are_gathered_once():
    x = g.input("x", 4)
    program = of_expression(g.mean(g.square(x - g.mean(x, axis=0))), gathered=True)
    assert names(program.operations).count("gather") == 1
    assert mode(program, named(program, "gather").out) == "shared"


def test_a_total_that_is_used_again_is_finished_first():
    x, k = g.input("x"), g.parameter("k")
    program = of_expression(g.sqrt(g.mean(g.square(x * k))), learns=False)
    assert sweeps(program) == [([], ["multiply", "total"]), (["finish_total", "sqrt"], [])]
    assert program.root == (None, program.fixed[-1].out)


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


def test_what_is_fixed_is_wanted_in_memory_of_its_own():
    """A parameter, or a part of one, is copied: what is read afterwards is the value of that step."""
    x, k = g.input("x", 3), g.parameter("k", 5)
    part = k[1:4]
    program = of_expression(g.mean(x * part), learns=False, results={k: "k", part: "part"})
    for name in ("k", "part"):
        value = program.values[program.data[name]]
        assert (value.mode, value.source) == ("fixed", None)
    assert names(program.fixed).count("copy") == 2


def test_the_root_of_a_constant_loss_is_a_constant():
    program = of_expression(constant(2.5), learns=False)
    value = program.values[program.root[1]]
    assert float(value.initial) == 2.5
