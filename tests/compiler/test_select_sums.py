"""fastbp/_compiler/select_sums.py: losses, and where the sums over the batch are put."""

import pytest
from programs import NETWORKS, named, names, of_expression, of_network

from fastbp import graph as g
from fastbp._compiler import partitioning


def drivers(loss, **options):
    return [operation.name for operation in of_expression(loss, **options).operations]


# ---- losses --------------------------------------------------------------------------------------------------------


def test_labels_have_a_kernel_of_their_own():
    for labels, kernel in ((True, "cross_entropy_labels_loss"), (False, "cross_entropy_loss")):
        program = of_network(*NETWORKS["tiny"], loss="cross_entropy", labels=labels)
        assert named(program, "loss").kernel == kernel


@pytest.mark.parametrize(("loss", "scale"), [("squared_error", 1 / 64), ("mse", 1 / (64 * 3))])
def test_the_loss_is_scaled_by_the_batch(loss, scale):
    assert named(of_network((5, 7, 3), 64, loss=loss), "loss").scale == scale


def test_a_loss_and_its_gradient_come_from_one_pass():
    assert names(of_network((5, 7, 3)).operations).count("loss") == 1
    x, W, t = g.input("x", 3), g.parameter("W", (3, 2)), g.input("t", 2)
    assert drivers(g.squared_error(x @ W, t)) == ["dense", "loss", "weight_gradient"]



# ---- where gradients are put ---------------------------------------------------------------------------------------


def test_a_single_whole_sum_begins_its_place_and_parts_are_added_to_zeros():
    x, W, k = g.input("x", 3), g.parameter("W", (3, 3)), g.parameter("k", 3)
    once = of_expression(g.mean(g.square(x @ W)))
    assert "zero" not in names(once.operations)
    assert [operation.begins for operation in once.operations if operation.partial >= 0] == [True]
    for loss in (g.mean(g.square(g.tanh(x @ W) @ W)), g.mean(g.square(x[:, 0] * k[0] + x[:, 1] * k[1]))):
        program = of_expression(loss)
        assert program.operations[0].name == "zero"
        sums = [operation for operation in program.operations[1:] if operation.partial >= 0]
        assert len(sums) == 2
        assert not any(operation.begins for operation in sums)


def test_parts_are_added_where_they_belong():
    x, W = g.input("x", 3), g.parameter("W", (5, 4))
    program = of_expression(g.mean(g.square(x @ W[1:4, 1:3])))
    gradient = program.operations[-1]
    assert (gradient.name, gradient.partial, gradient.partial_ld) == ("weight_gradient", 5, 4)


def test_a_sum_that_is_used_again_has_a_place_beside_the_parameters():
    x, k = g.input("x", 3), g.parameter("k", 3)
    program = of_expression(g.mean(g.square(x * k - g.mean(x * k, axis=0))))
    assert program.extra >= 3
    first = next(operation for operation in program.operations if operation.name == "batch_sum")
    assert first.partial == program.size == 3
    assert first.begins


def test_a_table_is_summed_up_from_zeros():
    table, i = g.parameter("table", (6, 3)), g.input("i", integer=True)
    program = of_expression(g.mean(g.square(g.gather(table, i))))
    assert names(program.operations) == ["zero", "embedding_lookup", "total", "multiply", "scatter"]
    assert program.operations[0].n_out == 18


def test_in_tiles_whole_sums_are_made_by_range_and_others_in_the_slices(monkeypatch):
    monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", 0)
    x, W, k, i = g.input("x", 3), g.parameter("W", (3, 4)), g.parameter("k", 8), g.input("i", integer=True)
    loss = g.mean(g.square(g.tanh(x @ W) * k[4:] + g.reshape(k, (2, 4))[0])) + g.mean(g.gather(W, i))
    program = of_expression(loss)
    assert sorted(names(program.gradients)) == ["scatter", "weight_gradient"]
    assert names(program.operations).count("batch_sum") == 2
    assert program.extra == 8
    for item in program.ranges:
        assert (item.partial is None) == (item.begin < 12)
        assert bool(item.gradients) == (item.begin < 12)


@pytest.mark.parametrize("shape", [(6,), (3, 2), (1, 6)])
def test_in_tiles_a_reshaped_parameter_is_summed_up_in_the_slices(monkeypatch, shape):
    """The rows of its ranges are not those of the product's gradient."""
    monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", 0)
    x, k = g.input("x", 2), g.parameter("k", shape)
    program = of_expression(g.mean(g.square(x @ g.reshape(k, (2, 3)))))
    assert program.gradients == []
    assert program.extra == 6
