"""The partitioning of a graph's work, chosen when a plan is made: from shapes alone, never from the number of threads.

One of three schemes:

* batch-parallel: the parameters fit the L2 cache. Each slice of the batch goes forward and backward while it is warm,
  and leaves a gradient vector of its own; these are added in the order of the slices. A plan of one slice is *tiny*:
  one thread, no barrier.
* input-split: as batch-parallel, but nearly all the parameters are weights of the inputs, whose columns are split
  (split-K): a split's columns of the batch meet its rows of the weights, and later make their gradient and update.
  Threads pass on products alone, neither weights nor sums of gradients; the layers after it are batch-parallel.
* tile-parallel: the parameters are large. Each large product is cut by rows and by units (stages.py), what lies
  between them by slices of the batch; then each range of the weights gets its gradient, summed over the whole batch,
  and its update from one writer.
"""

from typing import NamedTuple

BATCH_PARALLEL_BYTES = 256 * 1024  # larger parameters are trained tile-parallel; twice this where batches are long
SLICE_WORK = 6.5e5  # least multiply-adds of a slice, 7-15 us (Zen 4): they pay for two barriers and the data moved
ELEMENT_WORK = 40  # multiply-adds that one activation, its derivative and its loss cost
MAP_WORK = 4  # multiply-adds that an elementwise operation costs for each number it makes, in the L1 cache
MOST_SLICES = 16
TILE_SLICES = 8  # most slices, of TILE_ROWS rows or more; 16 slices of 16 rows take 1 % more (tabular, Zen 4)
TILE_ROWS = 32
TILE_BLOCK = 128  # rows of such a slice that go through a stage together: saves 3-5 % at widths of 256 and 384
BLOCK_BYTES = 32 * 1024  # of the values of a block that are alive at once: the L1 cache
BLOCK_ROWS = 32  # a slice of fewer is one block: digits16 in blocks of 16 and 9 rows took 118 us, in one of 25 105
PACKED_B_BYTES = 256 * 1024  # a weight matrix larger than this is packed for the forward pass,
PACKED_B_ROW = 2048  # where its rows are longer than this: 512 floats read in place reach 99 % of the peak, 2048 90 %
RANGE_SIZE = 2048  # parameters in one range of the batch-parallel scheme, at least
SHORT_ROW = 128  # bytes of a gathered row that is prefetched at once, a step ahead, without the help of GEMMs
PACKED_A_COLUMNS = 1024  # least columns of a product whose A is packed; at 512 packing costs 2-6 % more than it saves
MOST_SPLITS = 4
SPLIT_WORK = 2e5  # least multiply-adds of a split, its product and its gradient together: 4 us of one core (Zen 4)
SPLIT_COLUMNS = 128  # least columns of a split: each split is one more partial product to add up
SPLIT_BYTES = 512 * 1024  # most bytes of a batch's inputs: they are read twice and must stay in the L2 cache
SPLIT_SLICE_WORK = 1e5  # as SLICE_WORK, of the layers after a split, which needs the two barriers anyway
# ---- tasks of the tile-parallel scheme
TASKS = 64  # that a stage is cut into where the work allows, so that as many threads have some
TASK_WORK = 2.5e5  # multiply-adds worth a task of its own: 2-4 us of one core
UNITS_BYTES = 512 * 1024  # about, of the weights of a block of units, which are to stay in the L2 cache for all rows
RANGE_ROWS, LEAST_ROWS = 128, 32  # rows of a weight matrix in one task of the parameter phase, at most and at least


class Scheme(NamedTuple):
    """slice_rows: rows of the batch in a slice; shared: whether the activations of the whole batch are kept; by_range:
    whether weight gradients are made by range rather than by slice; splits: of the columns of the inputs, or 0."""

    slice_rows: int
    shared: bool
    by_range: bool
    splits: int = 0


def choose(batch, products, maps, size, itemsize, keep=False, first=None):
    """The Scheme of a graph.

    batch: rows; products: [(inputs, units), ...] of its matrix products; maps: numbers that its elementwise operations
    make, for each row; size: of the parameter vector; keep: the activations of the whole batch are wanted (forward and
    backward are separate calls); first: (inputs, units) of a product of the inputs that may be split by columns.
    """
    weights = sum(inputs * units for inputs, units in products)
    units = sum(units for _, units in products)
    # batch-parallel writes a gradient vector a slice, tile-parallel activations of all rows: which is less?
    moved = MOST_SLICES * size < 2 * batch * units
    tiles = size * itemsize > (2 * BATCH_PARALLEL_BYTES if moved else BATCH_PARALLEL_BYTES)
    row_work = 3 * weights + ELEMENT_WORK * units + MAP_WORK * maps
    splits = 0 if tiles or first is None else _column_splits(batch, *first, weights, itemsize)
    if tiles:
        slices = min(TILE_SLICES, batch // TILE_ROWS)
    elif splits:
        rest = row_work - 3 * first[0] * first[1]
        slices = _power_of_two(min(MOST_SLICES, int(batch * rest / SPLIT_SLICE_WORK), batch // 8))
    else:
        slices = _power_of_two(min(MOST_SLICES, int(batch * row_work / SLICE_WORK), batch // 8))
    by_range = tiles or splits > 0
    return Scheme(-(-batch // max(1, slices)), by_range or keep, by_range, splits)


def _column_splits(batch, inputs, units, weights, itemsize):
    """How many splits the columns of the inputs are cut into; 0 where that does not pay."""
    if 4 * inputs * units < 3 * weights or batch * inputs * itemsize > SPLIT_BYTES:
        return 0
    count = _power_of_two(min(MOST_SPLITS, int(2 * batch * inputs * units / SPLIT_WORK), inputs // SPLIT_COLUMNS))
    return count if count > 1 else 0


def _power_of_two(most):
    """The largest one up to `most`, at least 1: teams of 2 and 4 have equal parts."""
    return 1 << max(0, most.bit_length() - 1)


def task_units(batch, n, k, slice_rows, itemsize, nr):
    """Units in a task of a product (batch, k) x (k, n), whose rows are cut into slices: a multiple of nr; 0 where it is
    not cut by units."""
    slices = -(-batch // slice_rows)
    blocks = max(int(min(TASKS, batch * n * k / TASK_WORK)) // slices, -(-n * k * itemsize // UNITS_BYTES))
    units = -(-n // max(1, blocks) // nr) * nr
    return units if units < n else 0


def range_rows(rows, nr):
    """Rows of a weight matrix in one task of the parameter phase, of `rows` in all matrices: a multiple of nr, as those
    of a tile are packed together."""
    least = max(nr, LEAST_ROWS)
    return max(least, min(RANGE_ROWS, -(-rows // (2 * TASKS) // least) * least))


def packs_a(rows, columns):
    """Whether a product of so many rows and columns packs its left operand."""
    return rows >= TILE_ROWS and columns >= PACKED_A_COLUMNS


def block_rows(scheme, row_bytes, keep=False):
    """Rows that go through the operations together. row_bytes: of the values that are alive at once."""
    if keep:
        return scheme.slice_rows
    if scheme.by_range:
        return min(scheme.slice_rows, TILE_BLOCK)
    return min(scheme.slice_rows, max(BLOCK_ROWS, BLOCK_BYTES // max(1, row_bytes)))
