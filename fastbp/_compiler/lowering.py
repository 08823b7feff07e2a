"""From a graph to a program: values with a place in memory, operations in order, ranges of the parameters.

A graph is run in sweeps over the rows of the batch. A sum over the batch is known when a sweep is over, so what
depends on it belongs to the next one; a network, and any loss that is a mean over samples, is a single sweep.
"""

from itertools import pairwise

from fastbp._compiler import buffers, partitioning, ranges
from fastbp._compiler.program import Program, Sweep
from fastbp._compiler.select_nn import RulesOfRows
from fastbp._ir.nn import numbered
from fastbp._ir.node import OPERATIONS, ordered

SUMS = {*ranges.SUMS, "total", "loss", "right"}


def lower(
    forward,
    loss,
    gradients,
    *,
    batch,
    itemsize,
    data,
    panel,
    offsets,
    size,
    keep=False,
    training=True,
    results=None,
    masks=None,
    right=None,
):
    """The Program of a graph.

    forward: nodes wanted, such as a network's outputs; loss: a fixed scalar node or None; gradients: {parameter: node}
    as differentiate gives it; data: {name: Data} of the caller's arrays; panel: columns of the matrix product's tile;
    offsets: {parameter: its beginning in the vector of `size` numbers}; keep: backward is a separate
    call; training: whether dropout drops; results: {node: name} of the rows written into arrays of the caller's, of
    which none is called as one of the data is: names of inputs are words, so those of an expression's are tuples;
    masks: {dropout's mask: its number}, where other programs draw the same ones; right: a node that counts right
    answers, or None.
    """
    lowering = _Lowering(batch, itemsize, data, panel, offsets, size, training, results or {}, masks)
    return lowering.lower(forward, loss, gradients, keep, right)


class _Lowering(RulesOfRows):
    """One use of `lower`. values: {node: index of its value}."""

    def __init__(self, batch, itemsize, data, panel, offsets, size, training, results, masks):
        self.program = Program(batch, size)
        self.itemsize, self.data, self.panel = itemsize, data, panel
        self.offsets, self.training, self.results = offsets, training, results
        self.values, self.losses, self.sums, self.callers, self.masks = {}, {}, {}, {}, masks
        self.readers, self.ahead = {}, None  # {name: operations that read the rows}, the node whose rows are asked for
        # values: the caller's rows that may lie anyhow; copies of them
        self.anyhow, self.own_slots = set(), set()
        # a product that is cut; [(number, first column, columns)] of the shares of its x; their values, and operations
        self.cut, self.shares, self.share_columns, self.share_lists = None, [], {}, []

    def lower(self, forward, loss, gradients, keep, right):
        program = self.program
        # answers are counted before the loss, after which the outputs' place is the gradient's: that needs no more room
        roots = [*forward, *(node for node in (right, loss) if node is not None)]
        self.wanted = {*forward, *self.results}
        others = [node for node in self.results if all(node is not one for one in forward)]
        # the last layer's gradients first: the order in which backward reaches them
        self.consumers = _consumers(ordered([*roots, *reversed(list(gradients.values())), *others]))
        self.sources, self.destinations = ranges.sources(gradients, self.consumers)
        # a gradient that was taken apart reads its terms no more, but the ranges do
        self.wanted.update(node for source in self.sources.values() for node in source.values)
        terms = [term for source in self.sources.values() for term in (*source.sums, *source.values)]
        order = ordered([*roots, *reversed(terms), *others])
        self.consumers = _consumers(order)
        self.level, levels = _levels(order)
        self.has_gradient = {node.loss for node in order if node.op == "loss_gradient"}
        self.masks = numbered(order) if self.masks is None else self.masks
        self.inputs = [node for node in order if node.op == "data" and node.batched]
        regime = self.choose(order, keep)
        self.absorbed = self.absorbable(order)
        self.rows_lists, self.fixed_lists = [[] for _ in range(levels)], [[] for _ in range(levels)]
        self.now = 0
        for name in self.data:
            self.caller_rows(name)
        last_forward = set(ordered(roots)) if keep else ()
        for node in sorted(order, key=self.level.__getitem__):
            self.now = self.level[node]
            getattr(self, f"lower_{OPERATIONS[node.op].kind}")(node)
            if node in last_forward:
                program.forward = sum(map(len, (*self.share_lists, *self.rows_lists)))
        self.now = levels - 1
        self.take_results(loss)
        program.right = self.sums.get(right)
        self.make_ranges()
        self.put_in_order()
        pinned = {
            program.root_of(v)
            for operation in program.gradients
            for v in (operation.x, operation.y, operation.w)
            if v is not None
        }
        # a share is multiplied for the next step while others still make their gradients of this one
        made = (operation.out for operations in self.share_lists for operation in operations)
        pinned.update(program.root_of(out) for out in made if out is not None)
        buffers.share(program, pinned, keep, self.own_slots)
        # blocks, and with them the bits of a loss, are those of rows that need no copy
        copies = {program.values[value].slot for value in self.own_slots}
        local = (slot for i, slot in enumerate(program.slots) if slot.mode == "local" and i not in copies)
        alive = [*local, *self.in_any_order()]
        row_bytes = sum(rows.width * rows.itemsize for rows in alive)
        program.slice_rows = regime.slice_rows
        program.block_rows = partitioning.block_rows(regime, row_bytes, keep)
        ranges.pack(program, self.panel)
        return program

    def choose(self, order, keep):
        rows = [node for node in order if node.batched]
        products = [node.inputs[1].shape for node in rows if node.op == "dense"]
        maps = sum(node.size for node in rows if OPERATIONS[node.op].kind in ("map", "row_reduce", "total"))
        cut = max(filter(self.may_be_cut, rows), key=lambda node: node.inputs[1].size, default=None)
        first = None if cut is None else cut.inputs[1].shape
        regime = partitioning.choose(self.program.batch, products, maps, self.program.size, self.itemsize, keep, first)
        self.tiles, self.rows_mode = regime.tiles, "shared" if regime.shared else "local"
        if regime.shares:
            panels = first[0] // self.panel
            edges = [panels * i // regime.shares * self.panel for i in range(regime.shares)]
            self.cut = cut
            self.shares = [(i, a, b - a) for i, (a, b) in enumerate(pairwise([*edges, first[0]]))]
            self.share_lists = [[] for _ in self.shares]
        return regime

    def may_be_cut(self, node):
        """Whether a node is a product of the caller's rows and a trained matrix, and nothing else reads these rows.

        Those of a share make room for the next step's as soon as its own gradient is made.
        """
        if node.op != "dense" or node.inputs[0].op != "data" or node.inputs[1].op != "parameter":
            return False
        x, W = node.inputs[:2]
        readers = sorted(reader.op for reader in self.consumers[id(x)])
        return readers == ["dense", "weight_gradient"] and W in self.sources

    # ---- what the caller wants -------------------------------------------------------------------------------------

    def take_results(self, loss):
        for node, name in self.results.items():
            if (
                node.batched and name not in self.program.data
            ):  # rows that lie elsewhere: an input, or a loss's gradient
                self.program.data[name] = out = self.value("direct", node.width)
                self.copy_columns(out, 0, self.values[node], 0, node.width)
            elif not node.batched:
                self.program.data[name] = self.own(node)
        if loss is not None:
            self.program.root = (self.sums[loss], None) if loss in self.sums else (None, self.values[loss])

    def own(self, node):
        """A fixed value in memory of its own: parameters, and parts of them, change while ranges are updated."""
        value = self.program.values[self.values[node]]
        return self.values[node] if value.mode == "fixed" and value.source is None else self.contiguous(node)

    def make_ranges(self):
        for source in self.sources.values():
            values = [self.values[node] for node in source.values]  # all of the parameter's shape
            if len(values) > 1:
                alike = source.values[0]
                total = self.value("fixed", alike.width, rows=alike.rows, ld=alike.width)
                for value in values[1:]:
                    self.map_fixed("add", alike, total, a=values[0], b=value)
                    values[0] = total
            elif values:
                values[0] = self.own(source.values[0])
            source.values = values[:1]
        shared = None if self.cut is None else self.cut.inputs[1]
        self.program.ranges, self.program.groups = ranges.cut(
            self.sources, self.offsets, self.tiles, self.panel, shared, self.shares
        )

    def join_sums(self, rows):
        """Makes the sum of dz over the batch, a bias's gradient, in the weight gradient x^T dz that lies before it in
        the slices' vectors, as if x had a column of ones: alone it waits for one addition after another (chain24: 3.4
        us, so 3.2)."""
        sums = {(op.partial, op.n_out): op for op in rows if op.name == "batch_sum" and op.b is None}
        joined = []
        for product in rows:
            if product.name != "weight_gradient" or product.strips or product.partial_ld != product.n_out:
                continue
            below = sums.get((product.partial + product.n_in * product.n_out, product.n_out))
            if below is None or below.y != product.y or below.begins != product.begins:
                continue
            in_order = self.program.values[self.program.root_of(product.x)].mode != "ordered"
            if in_order and below.partial < self.program.size:
                product.ones = True
                joined.append(below)
        rows[:] = [operation for operation in rows if operation not in joined]

    def in_any_order(self):
        """The caller's rows that lie in an order of their own. A block of them is in the cache like a copy, so that
        blocks, and the bits of a loss, are those of rows that were converted."""
        return [value for value in self.program.values if value.mode == "ordered" and value.source is None]

    def put_in_order(self):
        program = self.program
        for operations in self.share_lists:
            begin = len(program.operations)
            program.operations += operations
            program.shares.append((begin, len(program.operations)))
        for fixed, rows in zip(self.fixed_lists, self.rows_lists, strict=True):
            self.join_sums(rows)
            before = len(program.fixed), len(program.operations)
            program.fixed += fixed
            program.operations += rows
            program.sweeps.append(Sweep(before[0], len(program.fixed), before[1], len(program.operations)))


# ---- the graph in order --------------------------------------------------------------------------------------------


def _consumers(order):
    """{id(node): the nodes that read it, once for each time}."""
    found = {id(node): [] for node in order}
    for node in order:
        for child in node.inputs:
            found[id(child)].append(node)
    return found


def _levels(order):
    """({node: the sweep it is computed in}, the number of sweeps). What a sum over the batch gives is there a sweep
    later."""
    made, ready, most = {}, {}, 0
    for node in order:
        made[node] = max((ready[child] for child in node.inputs), default=0)
        ready[node] = made[node] + (node.op in SUMS)
        most = max(most, ready[node])
    return made, most + 1
