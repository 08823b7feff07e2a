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
    """The Regime of a network whose parameters are the weights of its products."""
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
    regime = choose(4, SMALL)
    assert regime == (4, False, False, 0)
    assert partitioning.block_rows(regime, 2 * 4 * (16 + 4)) >= 4  # one block
    assert choose(1, LARGE).slice_rows == 1


def test_more_work_is_cut_into_slices():
    regime = choose(4096, MIDDLE)
    assert not regime.tiles
    assert not regime.shared
    assert regime.slice_rows == 4096 // partitioning.MOST_SLICES
    assert partitioning.BLOCK_ROWS <= partitioning.block_rows(regime, 2 * 4 * (16 + 16 + 10)) < regime.slice_rows


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
    count = partitioning.SLICES_BYTES // 4 // 256  # exactly as many floats as fit; twice that in doubles
    regime = choose(64, [(256, count)], itemsize)
    assert regime.tiles is tiles
    assert regime.shared is tiles
    assert choose(64, [(257, count)], itemsize).tiles


def shares(batch, products, **options):
    return choose(batch, products, first=products[0], **options).shares


def test_the_inputs_of_a_large_first_layer_are_cut_into_shares():
    regime = choose(100, MIDDLE, first=MIDDLE[0])
    assert regime == (50, True, True, 4)  # the small layers after it go by slices
    assert shares(10, [(784, 30), (30, 10)]) == 2  # of 4 us each
    assert shares(1, MIDDLE) == 0
    assert shares(100, [(255, 16), (16, 10)]) == 0  # too few columns
    assert shares(100, [(256, 16), (16, 10)]) == 2
    assert shares(100, [(256, 64), (64, 64), (64, 32)]) == 0  # most weights are elsewhere
    rows = partitioning.SHARE_BYTES // (4 * 784)
    assert [shares(batch, MIDDLE) for batch in (rows, rows + 1)] == [4, 0]  # the inputs must fit the L2 cache
    assert shares(rows, MIDDLE, itemsize=8) == 0
    assert shares(100, LARGE) == 0  # tiles
    assert shares(100, MIDDLE, keep=True) == 4


def test_twice_as_many_in_slices_where_the_batch_is_long():
    """The activations of 4096 rows are more to move than the sums of 16 slices."""
    products = [(10, 256), (256, 256), (256, 10)]
    assert [choose(batch, products).tiles for batch in (64, 1024, 4096)] == [True, True, False]
    assert choose(4096, [(10, 512), (512, 512), (512, 10)]).tiles


def test_long_slices_of_the_tiles_regime_go_through_the_layers_in_blocks():
    regime = choose(4096, LARGE)
    assert partitioning.block_rows(regime, 4000) == partitioning.TILE_BLOCK < regime.slice_rows
    assert partitioning.block_rows(choose(128, LARGE), 4000) == 32


def test_parameters_count_that_are_in_no_product():
    """Biases, knobs and embedding tables: their slices' sums fill the cache like those of weights."""
    most = partitioning.SLICES_BYTES // 4
    assert not partitioning.choose(64, [], 0, most, 4).tiles
    assert partitioning.choose(64, [], 0, most + 1, 4).tiles


def test_keep_keeps_the_whole_batch():
    regime = choose(4096, MIDDLE, keep=True)
    assert regime.shared
    assert not regime.tiles
    assert partitioning.block_rows(regime, 336, keep=True) == regime.slice_rows


@settings(max_examples=200, deadline=None)
@given(batch=st.integers(1, 100_000), widths=st.lists(st.integers(1, 3000), min_size=2, max_size=6),
       maps=st.integers(0, 5000), itemsize=st.sampled_from([4, 8]), keep=st.booleans(), cut=st.booleans())
def test_any_shape_is_cut_into_slices_that_cover_the_batch(batch, widths, maps, itemsize, keep, cut):
    products = list(itertools.pairwise(widths))
    regime = choose(batch, products, itemsize, keep, maps, products[0] if cut else None)
    slices = -(-batch // regime.slice_rows)
    assert 1 <= slices <= partitioning.MOST_SLICES
    assert (slices - 1) * regime.slice_rows < batch <= slices * regime.slice_rows
    assert 1 <= partitioning.block_rows(regime, itemsize * sum(widths), keep) <= regime.slice_rows
    assert slices == 1 or regime.slice_rows >= 8
    bytes_ = sum(a * b for a, b in products) * itemsize
    assert regime.tiles >= (bytes_ > 2 * partitioning.SLICES_BYTES)
    assert regime.tiles <= (bytes_ > partitioning.SLICES_BYTES or regime.shares > 0)
    assert regime.shares in ((0, 2, 4) if cut else (0,))
    assert regime.shared == (regime.tiles or keep)


@settings(max_examples=50, deadline=None)
@given(batch=st.integers(1, 100_000), width=st.integers(1, 64))
def test_blocks_of_the_slices_regime_fit_the_first_cache(batch, width):
    row_bytes = 4 * (width + 2 * width + 10)
    regime = choose(batch, [(width, 2 * width), (2 * width, 10)])
    assert partitioning.block_rows(regime, row_bytes) * row_bytes <= max(
        partitioning.BLOCK_BYTES, partitioning.BLOCK_ROWS * row_bytes
    )
