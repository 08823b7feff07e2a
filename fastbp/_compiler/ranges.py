"""Where the gradient of each parameter comes from, and how the parameter vector is cut into ranges of work."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from fastbp._compiler import partitioning
from fastbp._compiler.program import Group, Packing, Range
from fastbp._ir.elementwise import reshape
from fastbp._ir.node import Node

# Nodes that are sums over the batch: their rows can be added up where the parameter's gradient is wanted.
SUMS = {"weight_gradient", "batch_sum", "scatter"}


@dataclass(slots=True)
class Destination:
    """A block of a parameter's gradient that a sum over the batch is added to: at `offset` of the parameter, rows `ld`
    apart; whole: it is all of the gradient."""

    parameter: object
    offset: int
    ld: int
    whole: bool


@dataclass(slots=True)
class GradientTerms:
    """What the gradient of one parameter is made of. sums: nodes that are added up; values: invariant nodes;
    operations: those that make it from the whole batch, [(index, first row of the parameter, rows)]; partial: where it
    is in the slices' vectors of sums, if it is."""

    sums: list = field(default_factory=list)
    values: list = field(default_factory=list)
    operations: list = field(default_factory=list)
    partial: int | None = None
    l1: float = 0.0
    l2: float = 0.0


def gradient_terms(gradients, consumers):
    """({parameter: GradientTerms}, {sum node: Destination}) of {parameter: gradient node}.

    A gradient that is an addition is taken apart, so that its terms are added where they belong and none is made by
    itself. consumers: {id(node): the nodes that read it}; a term that something else reads as well, or that is the
    gradient of another parameter, is a value like any other.
    """
    times = Counter(map(id, gradients.values()))
    found, destinations = {}, {}
    for parameter, gradient in gradients.items():
        terms = found[parameter] = GradientTerms()
        private = times[id(gradient)] == 1 and not consumers[id(gradient)]
        stack = [(gradient, private, 0, parameter.width, True)]
        while stack:
            node, private, offset, ld, whole = stack.pop()
            inner = [(child, len(consumers[id(child)]) == 1 and not times[id(child)]) for child in node.inputs]
            if node.op == "penalty_gradient":
                terms.l1, terms.l2 = terms.l1 + node.l1, terms.l2 + node.l2
            elif private and node.op == "add" and whole and node.inputs[0].shape == node.inputs[1].shape == node.shape:
                stack += [(child, alone, 0, ld, True) for child, alone in reversed(inner)]
            elif private and node.op == "pad" and whole:
                at = sum(b * s for b, s in zip(node.begins, _strides(node.shape), strict=True))
                all_of_it = node.inputs[0].size == node.size  # the slice was of the whole node
                stack.append((*inner[0], at, ld, all_of_it))
            elif private and node.op == "reshape" and (ld == node.width or node.rows == 1):
                stack.append((*inner[0], offset, inner[0][0].width, whole))
            elif private and node.op in SUMS and (whole or _fits(node, ld)):
                destinations[node] = Destination(parameter, offset, ld, whole)
                terms.sums.append(node)
            elif whole:
                terms.values.append(reshape(node, parameter.shape))
            else:  # a part that cannot be added in place: padded with zeros to the shape of the whole
                terms.values.append(_padded(node, offset, parameter))
    return found, destinations


def _fits(node, ld):
    """Whether the slices' sums of this kind can be added to a block whose rows are `ld` apart."""
    return node.op == "weight_gradient" or (node.op == "batch_sum" and (node.rows == 1 or ld == node.width))


def _strides(shape):
    return (shape[1], 1) if len(shape) == 2 else (1,) * len(shape)


def _padded(node, offset, parameter):
    begins = divmod(offset, parameter.width) if len(parameter.shape) == 2 else (offset,)[: len(parameter.shape)]
    rows = node.size // node.width
    shape = (rows, node.width) if len(parameter.shape) == 2 else (node.size,)
    return Node("pad", (reshape(node, shape),), batched=False, shape=parameter.shape, begins=begins)


def by_range(node, parameter):
    """Whether a sum that is the whole gradient of a parameter can be made range by range: the rows of a range must be
    rows of the sum, which they are not where one of the two was reshaped."""
    rows, columns = _grid(parameter)
    if node.op == "batch_sum":  # its rows are single numbers
        return columns == 1
    return (node.rows, node.width) == (rows, columns)


def _grid(parameter):
    """(rows, columns) that the ranges of the tile-parallel scheme are cut from: a vector is a column."""
    return (parameter.rows, parameter.width) if len(parameter.shape) == 2 else (parameter.size, 1)


def cut(found, offsets, gradients_by_range, nr, shared=None, splits=()):
    """(ranges, groups) of a plan. found: {parameter: GradientTerms}; offsets: {parameter: where it begins in the
    vector}; nr: rows of a matrix that are packed together; shared: the parameter whose rows belong to `splits`,
    [(number, first row, rows), ...], which begin with a tile of packed B."""
    if not gradients_by_range:
        ranges = _slice_ranges(found, offsets)
    elif not splits:
        ranges = _tile_ranges(found, offsets, nr)
    else:
        return _split_ranges(found, offsets, nr, shared, splits)
    return ranges, [Group(i, i + 1) for i in range(len(ranges))]


def _tile_ranges(found, offsets, nr):
    """Ranges of the tile-parallel scheme: some rows of a matrix each (partitioning.range_rows), or a whole
    vector."""
    ranges, rows = [], partitioning.range_rows(sum(_grid(node)[0] for node in found if len(node.shape) == 2), nr)
    for node, terms in found.items():
        ranges += _rows_of(node, terms, offsets[node], 0, _grid(node)[0], rows)
    # the large ones first, so that no thread is left alone with one at the end
    return sorted(ranges, key=lambda item: -item.count)


def _split_ranges(found, offsets, nr, shared, splits):
    """Those of each split are a group: it stays with one thread, whose caches hold its columns of the inputs. They are
    so short that a gradient is still in the L1 cache when the update comes. What is left is little: matrices, then
    all vectors together."""
    ranges, groups = [], []
    short = max(1, partitioning.RANGE_SIZE // shared.width // nr) * nr
    for i in range(len(splits)):
        # Tasks go to threads in turn: in the order 0, 2, 1, 3 each of two threads owns adjacent splits, so the
        # adjacent-line prefetcher does not pull lines that the other core writes (digits16: 78 -> 71 us)
        number, row, rows = splits[i // 2 + i % 2 * (len(splits) // 2)]
        begin = len(ranges)
        ranges += _rows_of(shared, found[shared], offsets[shared], row, rows, short)
        groups.append(Group(begin, len(ranges), number))
    others = {node: terms for node, terms in found.items() if node is not shared}
    matrices = {node: terms for node, terms in others.items() if len(node.shape) == 2}
    begin = len(ranges)
    ranges += _tile_ranges(matrices, offsets, nr)
    groups += [Group(i, i + 1) for i in range(begin, len(ranges))]
    begin = len(ranges)
    ranges += _tile_ranges({node: terms for node, terms in others.items() if node not in matrices}, offsets, nr)
    if begin < len(ranges):
        groups.append(Group(begin, len(ranges)))
    return ranges, groups


def _rows_of(node, terms, offset, row, rows, most):
    """The ranges of some rows of a parameter, of at most `most` rows each; a vector is one."""
    columns, end = _grid(node)[1], row + rows
    cuts = [*range(row, end, most if len(node.shape) == 2 else rows), end]
    return [_range(terms, offset, a * columns, (b - a) * columns, a, b - a) for a, b in pairwise(cuts)]


def pack(program, nr):
    """Adds to a program what is packed, `nr` rows at a time: those of a range are packed by whoever
    updates it, and all of them when a call begins."""
    readers = {}
    for i, operation in enumerate(program.operations):
        if operation.packed_b == "shared":
            readers.setdefault(operation.W, []).append(i)
    for weights, operations in readers.items():
        value = program.values[weights]
        end = value.offset + value.rows * value.width
        within = [i for i, item in enumerate(program.ranges) if value.offset <= item.begin < end]
        for i in within:
            item = program.ranges[i]
            first, start = (item.begin - value.offset) // value.width, len(program.packings)
            program.packings += _packings(operations, first, item.count // value.width, value.width, nr)
            count = len(program.packings) - start
            program.ranges[i] = item._replace(piece=nr * value.width, packings=(start, count))
        if not within:  # nothing changes them
            program.packings += _packings(operations, 0, value.rows, value.width, nr)


def _packings(operations, first, rows, width, nr):
    starts = range(first, first + rows, nr)
    counts = [min(nr, first + rows - row) for row in starts]
    return [
        Packing(operation, row, count, (row + count - first) * width)
        for row, count in zip(starts, counts, strict=True)
        for operation in operations
    ]


def _range(terms, offset, at, count, row, rows):
    return Range(
        offset + at,
        count,
        None if terms.partial is None else terms.partial + at,
        tuple((index, row - first, rows) for index, first, most in terms.operations if first <= row < first + most),
        terms.values[0] if terms.values else None,
        at,
        terms.l1,
        terms.l2,
    )


def _slice_ranges(found, offsets):
    """Equal ranges of the whole vector, cut where the penalty changes and where an invariant value is added: there are
    no layers in this phase."""
    runs = []
    for node, terms in sorted(found.items(), key=lambda pair: offsets[pair[0]]):
        begin, value = offsets[node], terms.values[0] if terms.values else None
        what = (terms.partial is None, terms.l1, terms.l2)
        if runs and runs[-1][2] == what and runs[-1][0] + runs[-1][1] == begin and value is None is runs[-1][3]:
            runs[-1][1] += node.size
        else:
            runs.append([begin, node.size, what, value])
    ranges = []
    for begin, count, (nothing, l1, l2), value in runs:
        parts = max(1, min(partitioning.MOST_SLICES, count // partitioning.RANGE_SIZE))
        cuts = [
            begin + (count * i // parts) // 64 * 64 if 0 < i < parts else begin + count * i // parts
            for i in range(parts + 1)
        ]
        for a, b in pairwise(cuts):
            if b > a:
                ranges.append(Range(a, b - a, None if nothing else a, (), value, a - begin, l1, l2))
    return ranges
