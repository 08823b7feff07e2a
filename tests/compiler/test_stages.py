"""fastbp/_compiler/stages.py: large products are cut in two dimensions, and the cut changes no bit."""

import numpy as np
import pytest
from programs import NETWORKS, names, of_network, products_of

import fastbp as fb
from fastbp._compiler import partitioning, stages

MLP = (784, 512, 512, 10)


def tasks(program):
    """How many tasks each stage has."""
    slices = -(-program.batch // program.slice_rows)
    return [slices * stage.blocks for stage in program.stages]


@pytest.mark.parametrize("kind", ["train", "predict", "keep"])
@pytest.mark.parametrize("name", [*NETWORKS, "large"])
def test_stages_cover_all_operations_in_order(name, kind):
    program = of_network(*NETWORKS.get(name, (MLP, 128)), kind)
    first = program.splits[-1][1] if program.splits else 0
    assert [i for stage in program.stages for i in range(stage.row, stage.row_end)] == list(
        range(first, len(program.operations)))
    invariant = [i for stage in program.stages for i in range(stage.invariant, stage.invariant_end)]
    assert invariant == list(range(len(program.invariant)))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "tile-parallel"])
def test_where_rows_stay_in_the_cache_a_sweep_is_one_stage(name):
    program = of_network(*NETWORKS[name])
    assert [(stage.units, stage.blocks) for stage in program.stages] == [(0, 1)]


def test_a_large_product_is_cut_by_units_with_what_is_computed_of_each():
    program = of_network(MLP, 128, gathered=True, activation="relu", loss="cross_entropy", labels=True)
    found = [(names(program.operations[stage.row:stage.row_end]), stage.blocks > 1) for stage in program.stages]
    assert found == [
        (["gather_rows", "gather_rows"], False),
        (["dense"], True),
        (["dense"], True),
        (["dense", "loss", "input_gradient", "activation_gradient"], False),  # ten units
        (["input_gradient", "activation_gradient"], True),
    ]


def test_many_threads_have_work_although_rows_are_few():
    program = of_network(MLP, 128)
    cut = [count for count, stage in zip(tasks(program), program.stages, strict=True) if stage.units]
    assert cut == [64, 64, 64] and program.most_threads == 64
    assert len(program.groups) > 50
    assert all(item.count <= 32 * 512 for item in program.ranges)


@pytest.mark.parametrize("widths", [MLP, (1000, 777, 1030, 10), (2048, 2048, 2048, 10)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_of_units_are_whole_tiles_that_cover_the_columns(widths, dtype):
    program = of_network(widths, 512, dtype=dtype)
    nr = fb.cpu.tile(fb.cpu.selected(), dtype)[2]
    cut = [stage for stage in program.stages if stage.units]
    assert cut
    for stage in cut:
        product = program.operations[stage.row]
        units, terms = product.n_out, product.n_in
        if product.name == "input_gradient":
            units, terms = terms, units
        assert stage.units % nr == 0 and 0 < units - (stage.blocks - 1) * stage.units <= stage.units
        assert stage.units * terms * np.dtype(dtype).itemsize < 2 * partitioning.UNITS_BYTES or stage.units == nr
        assert not product.packed_a


def test_small_products_are_not_cut():
    assert partitioning.task_units(256, 256, 32, 32, 4, 32) == 0  # a quarter of a million multiply-adds for each slice
    assert partitioning.task_units(256, 256, 256, 32, 4, 32) == 32
    assert partitioning.task_units(128, 10, 512, 32, 4, 32) == 0  # less than a tile


def test_weights_that_each_thread_packs_are_not_cut():
    """A matrix that is computed is packed by each thread for itself: a cut would pack it once a task."""
    made = products_of(600, 600, 600, batch=256)
    gradient = next(i for i, operation in enumerate(made.operations) if operation.name == "input_gradient")
    made.operations[gradient].packed_b = "own"
    scheme = partitioning.choose(256, [(600, 600)] * 2, 0, 720000, 4)
    found = stages.stages(made, scheme, 4, 32)
    assert all(not (stage.units and stage.row == gradient) for stage in found)


# ---- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["train", "predict", "evaluate"])
def test_no_task_writes_where_another_still_reads(kind):
    """Whole rows are read by all tasks of a stage that is cut by units, so nothing that it writes lies there."""
    program = of_network((600, 600, 600, 600, 10), 256, kind)
    read = stages.whole_rows(program)
    assert read
    for stage in program.stages:
        if stage.units:
            operations = program.operations[stage.row:stage.row_end]
            product = operations[0]
            whole = program.root_of(product.y if product.name == "input_gradient" else product.x)
            for operation in operations:
                for out in (operation.out, operation.kept):
                    slot = None if out is None else program.values[program.root_of(out)].slot
                    assert slot is None or slot != program.values[whole].slot


def test_rows_that_are_needed_no_more_make_room():
    """A deep network predicts in two slots, however deep it is."""
    program = of_network((600,) * 12 + (10,), 256, "predict")
    assert len([slot for slot in program.slots if slot.width == 600]) == 2


# ---- bits ------------------------------------------------------------------------------------------------------------


def trained(dtype, threads, activation="tanh", dropout=0.0):
    """Parameters after a few steps of a network whose layers are no multiples of any tile, and predictions."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((150, 90)).astype(dtype), rng.integers(0, 7, 150)
    net = fb.mlp(90, 301, 533, 7, activation=activation, loss="cross_entropy", dtype=dtype, seed=1, dropout=dropout)
    net.fit(X, y, epochs=2, batch_size=64, optimizer=fb.Adam(), threads=threads, progress=False)
    fb.cpu.set_threads(threads)
    try:
        return net.params.copy(), net.predict(X)
    finally:
        fb.cpu.set_threads(None)


@pytest.mark.parametrize(("activation", "dropout"), [("tanh", 0.0), ("softplus", 0.0), ("relu", 0.1)])
def test_the_cut_changes_no_bit(monkeypatch, isa, dtype, activation, dropout):
    monkeypatch.setattr(partitioning, "task_units", lambda *shapes: 0)
    whole = trained(dtype, 1, activation, dropout)
    monkeypatch.undo()
    monkeypatch.setattr(partitioning, "TASK_WORK", 2e4)
    for threads in (1, 3):
        for found, expected in zip(trained(dtype, threads, activation, dropout), whole, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("threads", [2, 7, 33, 64])
def test_teams_of_any_size_have_the_same_bits(monkeypatch, threads):
    monkeypatch.setattr(partitioning, "TASK_WORK", 2e4)
    for found, expected in zip(trained("float32", threads), trained("float32", 1), strict=True):
        np.testing.assert_array_equal(found, expected)
