"""fastbp/_compiler/partitioning.py: how the work is cut up, from shapes alone."""

import inspect
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp._compiler import partitioning
from fastbp._core import cpu

SMALL, MIDDLE, LARGE = [(8, 16), (16, 4)], [(784, 16), (16, 16), (16, 10)], [(784, 512), (512, 10)]


def choose(batch, products, itemsize=4, keep=False, maps=0, first=None):
    """The Scheme of a network whose parameters are the weights of its products."""
    size = sum(inputs * units for inputs, units in products)
    return partitioning.choose(batch, products, maps, size, itemsize, keep, first)


def test_only_shapes_are_asked_for():
    """The number of threads must not choose: the sums of a batch would be cut in other places."""
    asked = ["batch", "products", "maps", "size", "itemsize", "keep", "first"]
    assert list(inspect.signature(partitioning.choose).parameters) == asked
    chosen = set()
    for count in (1, 2, 7):
        cpu.set_threads(count)
        try:
            chosen.add(choose(1000, MIDDLE))
        finally:
            cpu.set_threads(None)
    assert len(chosen) == 1


def test_tiny_work_is_one_slice():
    scheme = choose(4, SMALL)
    assert scheme == (4, False, False, 0)
    assert partitioning.block_rows(scheme, 2 * 4 * (16 + 4)) >= 4  # one block
    assert choose(1, LARGE).slice_rows == 1


def test_more_work_is_cut_into_slices():
    scheme = choose(4096, MIDDLE)
    assert not scheme.by_range
    assert not scheme.shared
    assert scheme.slice_rows == 4096 // partitioning.MOST_SLICES
    assert partitioning.BLOCK_ROWS <= partitioning.block_rows(scheme, 2 * 4 * (16 + 16 + 10)) < scheme.slice_rows


def test_elementwise_operations_are_work_as_well():
    """A graph without a product is cut up by the numbers that it makes for each row."""
    rows = 1 << 20
    assert choose(rows, [], maps=0).slice_rows == rows
    per_slice = int(partitioning.SLICE_WORK / partitioning.MAP_WORK)  # numbers worth a slice
    assert choose(per_slice, [], maps=1).slice_rows == per_slice
    assert choose(2 * per_slice, [], maps=1).slice_rows == per_slice
    assert choose(2 * per_slice, [], maps=2).slice_rows == per_slice // 2
    assert choose(rows, [], maps=1000).slice_rows == rows // partitioning.MOST_SLICES


@pytest.mark.parametrize(("itemsize", "tiles"), [(4, False), (8, True)])
def test_parameters_beyond_the_cache_are_trained_in_tiles(itemsize, tiles):
    count = partitioning.BATCH_PARALLEL_BYTES // 4 // 256  # exactly as many floats as fit; twice that in doubles
    scheme = choose(64, [(256, count)], itemsize)
    assert scheme.by_range is tiles
    assert scheme.shared is tiles
    assert choose(64, [(257, count)], itemsize).by_range


def splits(batch, products, **options):
    return choose(batch, products, first=products[0], **options).splits


def test_the_inputs_of_a_large_first_layer_are_cut_into_splits():
    scheme = choose(100, MIDDLE, first=MIDDLE[0])
    assert scheme == (50, True, True, 4)  # the small layers after it go by slices
    assert splits(10, [(784, 30), (30, 10)]) == 2  # of 4 us each
    assert splits(1, MIDDLE) == 0
    assert splits(100, [(255, 16), (16, 10)]) == 0  # too few columns
    assert splits(100, [(256, 16), (16, 10)]) == 2
    assert splits(100, [(256, 64), (64, 64), (64, 32)]) == 0  # most weights are elsewhere
    rows = partitioning.SPLIT_BYTES // (4 * 784)
    assert [splits(batch, MIDDLE) for batch in (rows, rows + 1)] == [4, 0]  # the inputs must fit the L2 cache
    assert splits(rows, MIDDLE, itemsize=8) == 0
    assert splits(100, LARGE) == 0  # tiles
    assert splits(100, MIDDLE, keep=True) == 4


def test_twice_as_many_in_slices_where_the_batch_is_long():
    """The activations of 4096 rows are more to move than the sums of 16 slices."""
    products = [(10, 256), (256, 256), (256, 10)]
    assert [choose(batch, products).by_range for batch in (64, 1024, 4096)] == [True, True, False]
    assert choose(4096, [(10, 512), (512, 512), (512, 10)]).by_range


def test_long_slices_of_the_tile_parallel_scheme_go_through_the_layers_in_blocks():
    scheme = choose(4096, LARGE)
    assert partitioning.block_rows(scheme, 4000) == partitioning.TILE_BLOCK < scheme.slice_rows
    assert partitioning.block_rows(choose(128, LARGE), 4000) == 32


def test_parameters_count_that_are_in_no_product():
    """Biases, knobs and embedding tables: their slices' sums fill the cache like those of weights."""
    most = partitioning.BATCH_PARALLEL_BYTES // 4
    assert not partitioning.choose(64, [], 0, most, 4).by_range
    assert partitioning.choose(64, [], 0, most + 1, 4).by_range


def test_keep_keeps_the_whole_batch():
    scheme = choose(4096, MIDDLE, keep=True)
    assert scheme.shared
    assert not scheme.by_range
    assert partitioning.block_rows(scheme, 336, keep=True) == scheme.slice_rows


@settings(max_examples=200, deadline=None)
@given(batch=st.integers(1, 100_000), widths=st.lists(st.integers(1, 3000), min_size=2, max_size=6),
       maps=st.integers(0, 5000), itemsize=st.sampled_from([4, 8]), keep=st.booleans(), cut=st.booleans())
def test_any_shape_is_cut_into_slices_that_cover_the_batch(batch, widths, maps, itemsize, keep, cut):
    products = list(itertools.pairwise(widths))
    scheme = choose(batch, products, itemsize, keep, maps, products[0] if cut else None)
    slices = -(-batch // scheme.slice_rows)
    assert 1 <= slices <= partitioning.MOST_SLICES
    assert (slices - 1) * scheme.slice_rows < batch <= slices * scheme.slice_rows
    assert 1 <= partitioning.block_rows(scheme, itemsize * sum(widths), keep) <= scheme.slice_rows
    assert slices == 1 or scheme.slice_rows >= 8
    bytes_ = sum(a * b for a, b in products) * itemsize
    assert scheme.by_range >= (bytes_ > 2 * partitioning.BATCH_PARALLEL_BYTES)
    assert scheme.by_range <= (bytes_ > partitioning.BATCH_PARALLEL_BYTES or scheme.splits > 0)
    assert scheme.splits in ((0, 2, 4) if cut else (0,))
    assert scheme.shared == (scheme.by_range or keep)


@settings(max_examples=50, deadline=None)
@given(batch=st.integers(1, 100_000), width=st.integers(1, 64))
def test_blocks_of_the_batch_parallel_scheme_fit_the_first_cache(batch, width):
    row_bytes = 4 * (width + 2 * width + 10)
    scheme = choose(batch, [(width, 2 * width), (2 * width, 10)])
    assert partitioning.block_rows(scheme, row_bytes) * row_bytes <= max(
        partitioning.BLOCK_BYTES, partitioning.BLOCK_ROWS * row_bytes
    )
