"""fastbp/lowering.py: from a graph to operations in order, values with a place, and ranges of the parameters."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp import graph, losses, lowering, regimes
from fastbp._core import cpu

NETWORKS = {"tiny": (5, 7, 3), "slices": (60, 48, 10), "tiles": (90, 300, 310, 10)}
BATCHES = {"tiny": 8, "slices": 256, "tiles": 128}


def lowered(widths, batch=64, *, activation="tanh", loss="squared_error", l2=0.0, dropout=0.0, gathered=False,
            weighted=False, labels=False, itemsize=4, keep=False, results=None, learns=True, panel=16):
    """The Program of a network of these widths, as fastbp.plans makes it."""
    x = node = graph.data("X", widths[0])
    parameters, begin, penalties = [], 0, []
    for number, (inputs, units) in enumerate(itertools.pairwise(widths)):
        W, b = graph.parameter(begin, (inputs, units)), graph.parameter(begin + inputs * units, (units,))
        last = number == len(widths) - 2
        node = graph.dense(node, W, b, "linear" if last else activation)
        if dropout and not last:
            node = graph.dropout(node, dropout, number)
        if l2 and number == 0:
            penalties.append(graph.penalty(W, 0.0, l2))
        parameters += [W, b]
        begin += (inputs + 1) * units
    data = {"X": lowering.Data(widths[0], itemsize, gathered)}
    end = None
    if not keep:
        data["targets"] = lowering.Data(1 if labels else widths[-1], 4 if labels else itemsize, gathered)
        if weighted:
            data["weights"] = lowering.Data(1, itemsize, gathered)
        end = graph.loss(node, graph.data("targets", widths[-1]), losses.get(loss))
        gradients = graph.differentiate(graph.add(end, *penalties), None, parameters) if learns else {}
    else:
        data["dY"] = lowering.Data(widths[-1], itemsize, False)
        gradients = graph.differentiate(node, graph.data("dY", widths[-1]), [*parameters, x])
        results = {node: "Y", gradients[x]: "dX"}
    program = lowering.lower(node, end, gradients, batch=batch, itemsize=itemsize, data=data, panel=panel,
                             reads=cpu.activations(), labels=labels, keep=keep, results=results)
    return program, begin


def names(program):
    return [operation.name for operation in program.operations]


def covered(program, size):
    """How many ranges hold each element of the parameter vector."""
    count = np.zeros(size, int)
    for item in program.ranges:
        assert item.count > 0
        count[item.begin:item.begin + item.count] += 1
        assert item.begin + item.count <= size
    return count


# ---- operations and values -----------------------------------------------------------------------------------------


def test_the_operations_of_a_step_in_slices():
    program, _ = lowered(NETWORKS["tiny"])
    assert names(program) == ["dense", "dense", "loss", "bias_gradient", "weight_gradient", "input_gradient",
                              "activation_gradient", "bias_gradient", "weight_gradient"]
    assert program.partials
    assert program.gradients == []
    assert program.packings == []
    assert program.forward == 3


def test_the_operations_of_a_step_in_tiles():
    program, _ = lowered(NETWORKS["tiles"])
    assert names(program) == ["dense", "dense", "dense", "loss", "input_gradient", "activation_gradient",
                              "input_gradient", "activation_gradient"]
    assert sorted(operation.name for operation in program.gradients) == 3 * ["bias_gradient"] + 3 * ["weight_gradient"]
    assert not program.partials


@pytest.mark.parametrize("regime", NETWORKS)
@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"gathered": True, "weighted": True}, {"keep": True},
                                     {"activation": "gelu"}, {"l2": 0.1}, {"labels": True, "loss": "cross_entropy"}],
                         ids=str)
def test_nothing_is_read_before_it_is_written(regime, options):
    program, _ = lowered(NETWORKS[regime], BATCHES[regime], **options)
    direct = {i for i, (mode, *_) in enumerate(program.values) if mode == "direct"}
    written = set(direct)
    for operation in program.operations:
        for read in (operation.x, operation.y, operation.w):
            assert read is None or read in written, operation
        written |= {i for i in (operation.out, operation.kept) if i is not None}
    assert written == set(range(len(program.values)))  # and no value is without a use
    for operation in program.gradients:
        assert {i for i in (operation.x, operation.y) if i is not None} <= written


def test_rows_taken_in_an_order_of_their_own_are_gathered_first():
    program, _ = lowered(NETWORKS["slices"], gathered=True, weighted=True, itemsize=8)
    first = program.operations[:3]
    assert [operation.name for operation in first] == 3 * ["gather"]
    assert [operation.n_out for operation in first] == [60 * 8, 10 * 8, 8]  # bytes of a row
    assert [program.data[name] for name in ("X", "targets", "weights")] == [operation.x for operation in first]
    loss = next(operation for operation in program.operations if operation.name == "loss")
    assert (loss.y, loss.w) == (first[1].out, first[2].out)
    plain, _ = lowered(NETWORKS["slices"], weighted=True)
    assert "gather" not in names(plain)


def test_labels_have_a_kernel_of_their_own():
    for labels, kernel in ((True, "cross_entropy_labels_loss"), (False, "cross_entropy_loss")):
        program, _ = lowered(NETWORKS["tiny"], loss="cross_entropy", labels=labels)
        assert next(operation.kernel for operation in program.operations if operation.name == "loss") == kernel


@pytest.mark.parametrize(("loss", "scale"), [("squared_error", 1 / 64), ("mse", 1 / (64 * 3))])
def test_the_loss_is_scaled_by_the_batch(loss, scale):
    program, _ = lowered(NETWORKS["tiny"], 64, loss=loss)
    assert next(operation.scale for operation in program.operations if operation.name == "loss") == scale


def test_what_backward_reads_is_kept_only_where_it_is_not_the_output():
    for activation, kept in (("tanh", False), ("gelu", True)):
        first = lowered(NETWORKS["tiny"], activation=activation)[0].operations[0]
        assert (first.kept is not None) is kept
    assert lowered(NETWORKS["tiny"], activation="gelu", learns=False)[0].operations[0].kept is None


def test_the_activations_derivative_is_taken_in_place_but_not_in_the_callers_array():
    program, _ = lowered(NETWORKS["tiny"])
    operation = next(operation for operation in program.operations if operation.name == "activation_gradient")
    assert operation.out == operation.y
    x, W, b, dy = graph.data("X", 2), graph.parameter(0, (2, 2)), graph.parameter(4, (2,)), graph.data("dY", 2)
    out = graph.dense(x, W, b, "tanh")
    program = lowering.lower(out, None, graph.differentiate(out, dy, [W, b]), batch=4, itemsize=4,
                             data={"X": lowering.Data(2, 4, False), "dY": lowering.Data(2, 4, False)}, panel=16,
                             reads=cpu.activations(), keep=True, results={out: "Y"})
    operation = next(operation for operation in program.operations if operation.name == "activation_gradient")
    assert operation.y == program.data["dY"] != operation.out


def test_a_forward_pass_alone_makes_no_gradients():
    program, _ = lowered(NETWORKS["slices"], learns=False)
    assert names(program) == ["dense", "dense", "loss"]
    assert program.operations[2].out is None
    assert program.ranges == []
    assert not program.partials


def test_keep_ends_forward_at_the_outputs_and_writes_the_callers_arrays():
    program, _ = lowered(NETWORKS["tiny"], keep=True)
    assert names(program)[:program.forward] == ["dense", "dense"]
    assert program.operations[1].out == program.data["Y"]
    assert program.data["dX"] in {operation.out for operation in program.operations[program.forward:]}
    for name in ("X", "Y", "dY", "dX"):
        assert program.values[program.data[name]][0] == "direct"


@pytest.mark.parametrize("regime", NETWORKS)
def test_rows_are_shared_in_tiles_and_local_in_slices(regime):
    program, _ = lowered(NETWORKS[regime], BATCHES[regime])
    modes = {mode for mode, *_ in program.values}
    assert modes == {"direct", "shared" if regime == "tiles" else "local"}


# ---- weights in panels ---------------------------------------------------------------------------------------------


def test_large_weights_are_read_from_panels_that_are_shared():
    program, _ = lowered((300, 310, 10), 128, panel=32)
    forward = [operation.panels for operation in program.operations if operation.name == "dense"]
    assert forward == ["shared", None]  # 310 x 10 is read where it lies
    packed = {i for i, _ in program.packings}
    assert packed == {i for i, operation in enumerate(program.operations) if operation.panels == "shared"}
    for i in packed:
        operation = program.operations[i]
        columns = operation.n_out if operation.name == "dense" else operation.n_in
        depth = operation.n_in if operation.name == "dense" else operation.n_out
        starts = [j for number, j in program.packings if number == i]
        assert starts == list(range(0, columns, 32))
        assert operation.panels_size == len(starts) * 32 * depth


def test_few_rows_are_not_worth_a_copy_of_the_weights():
    program, _ = lowered((300, 310, 10), 8, panel=32)
    assert all(operation.panels is None for operation in program.operations if operation.name == "dense")


def test_small_weights_are_transposed_by_each_thread():
    program, _ = lowered(NETWORKS["slices"])
    assert [operation.panels for operation in program.operations if operation.name == "input_gradient"] == ["own"]
    assert program.packings == []


# ---- ranges of the parameters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.5])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("regime", NETWORKS)
def test_ranges_cover_every_parameter_once(regime, keep, l2):
    program, size = lowered(NETWORKS[regime], BATCHES[regime], keep=keep, l2=l2)
    assert (covered(program, size) == 1).all()


@settings(max_examples=60, deadline=None)
@given(widths=st.lists(st.integers(1, 400), min_size=2, max_size=5), batch=st.integers(1, 300),
       l2=st.sampled_from([0.0, 0.5]), itemsize=st.sampled_from([4, 8]))
def test_ranges_of_any_network_cover_every_parameter_once(widths, batch, l2, itemsize):
    program, size = lowered(widths, batch, l2=l2, itemsize=itemsize)
    assert (covered(program, size) == 1).all()
    penalised = np.zeros(size)
    for item in program.ranges:
        penalised[item.begin:item.begin + item.count] = item.l2
    expected = np.zeros(size)
    expected[:widths[0] * widths[1]] = l2  # the first W, not its b
    assert (penalised == expected).all()
    assert program.slices == -(-batch // program.slice_rows)


def test_ranges_of_tiles_are_strips_of_rows_of_their_own_matrix():
    program, _ = lowered(NETWORKS["tiles"])
    for item in program.ranges:
        operation = program.gradients[item.gradient]
        if operation.name == "weight_gradient":
            assert item.begin == operation.W + item.row * operation.n_out
            assert item.count == item.rows * operation.n_out
            assert item.rows <= regimes.TASK_ROWS
        else:
            assert (item.begin, item.row, item.rows, item.count) == (operation.b, 0, operation.n_out, operation.n_out)
    counts = [item.count for item in program.ranges]
    assert counts == sorted(counts, reverse=True)  # no thread begins a large one last


def test_ranges_of_slices_do_not_split_cache_lines():
    program, _ = lowered((200, 100, 10), 256)
    assert 1 < len(program.ranges) <= regimes.MOST_SLICES
    for item in program.ranges:
        assert item.begin % 64 == 0
        assert item.gradient is None


def test_ranges_do_not_depend_on_the_batch():
    """The norm of a gradient is the sum of the ranges' norms: other ranges would be other bits."""
    for widths in NETWORKS.values():
        programs = [lowered(widths, batch)[0] for batch in (1, 7, 64, 1000)]
        cut = {tuple((item.begin, item.count) for item in program.ranges) for program in programs}
        assert len(cut) == 1
