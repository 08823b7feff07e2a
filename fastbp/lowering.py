"""From a graph to what a plan is made of: values with a place in memory, row operations in order, parameter ranges."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from . import regimes
from .graph import ordered


@dataclass(slots=True)
class Operation:
    """One row operation: its driver's name, the indices of the values it reads and writes, and its numbers.

    W, b: offsets in the parameter vector. panels: None, "own" (each thread packs its copy of the weights) or "shared";
    panels_size: reals in one copy. kept: what backward reads beside the output.
    """

    name: str
    out: int | None = None
    kept: int | None = None
    x: int | None = None
    y: int | None = None
    w: int | None = None
    W: int | None = None
    b: int | None = None
    kernel: str | None = None
    panels: str | None = None
    panels_size: int = 0
    n_in: int = 0
    n_out: int = 0
    scale: float = 0.0
    param: float = 0.0
    number: int = 0


class Range(NamedTuple):
    """Elements [begin, begin + count) of the parameters, a unit of work of the parameter phase.

    gradient: the index of the operation that makes its gradient, or None for the sum of the slices' partial gradients;
    row, rows: the range as rows of W, or as columns of b; l1, l2: its penalty.
    """

    begin: int
    count: int
    gradient: int | None
    row: int
    rows: int
    l1: float
    l2: float


class Data(NamedTuple):
    """One array of the caller's: columns, bytes of an element; whether its rows are taken in an order of their own."""

    width: int
    itemsize: int
    gathered: bool


@dataclass(slots=True)
class Program:
    """What `Plan` reads. values: [(mode, width, itemsize), ...]; data: {name: value} of the caller's arrays; forward:
    how many of the operations come before backward."""

    batch: int
    slice_rows: int = 0
    block_rows: int = 0
    values: list = field(default_factory=list)
    operations: list = field(default_factory=list)
    gradients: list = field(default_factory=list)
    ranges: list = field(default_factory=list)
    packings: list = field(default_factory=list)
    data: dict = field(default_factory=dict)
    forward: int = 0
    partials: bool = False

    @property
    def slices(self):
        """The number of slices: more threads than these would only wait."""
        return -(-self.batch // self.slice_rows)


def lower(output, loss, gradients, *, batch, itemsize, data, panel, reads, labels=False, keep=False, results=None):
    """The Program of a graph.

    output: the node of the network's outputs; loss: the loss node or None; gradients: {node: gradient node} as
    differentiate gives it; data: {name: Data} of the data nodes that the caller has, besides "targets" and "weights" of
    the loss; panel: columns of the matrix product's tile; reads: cpu.activations(); labels: the targets are int32
    classes; keep: backward is a separate call; results: {node: name} of the rows that are written into arrays of the
    caller's.
    """
    return _Lowering(batch, itemsize, data, panel, reads, labels, results or {}).lower(output, loss, gradients, keep)


class _Lowering:
    """One use of `lower`: `values` maps a node to the index of its value."""

    def __init__(self, batch, itemsize, data, panel, reads, labels, results):
        self.program = Program(batch)
        self.itemsize, self.data, self.panel, self.reads = itemsize, data, panel, reads
        self.labels, self.results = labels, results
        self.values = {}
        self.kept = {}

    def lower(self, output, loss, gradients, keep):
        program = self.program
        forward = ordered([output if loss is None else loss])
        # the last layer's gradients first: the order in which backward reaches them
        order = ordered([output if loss is None else loss, *reversed(list(gradients.values()))])
        products = [node.inputs[1].shape for node in order if node.op == "dense"]
        widths = [node.width for node in order if node.op not in ("data", "parameter")]
        regime = regimes.choose(program.batch, products, widths, self.itemsize, keep)
        self.tiles, self.rows_mode = regime.tiles, "shared" if regime.shared else "local"
        program.slice_rows, program.block_rows = regime.slice_rows, regime.block_rows
        self.learns = bool(gradients)
        self.has_gradient = any(node.op == "loss_gradient" for node in order)
        for name in self.data:
            self.caller_rows(name)
        for i, node in enumerate(order):
            getattr(self, f"lower_{node.op}")(node)
            if i + 1 == len(forward):
                program.forward = len(program.operations)
        self.make_ranges(gradients)
        self.make_packings()
        return program

    # ---- values ----------------------------------------------------------------------------------------------------

    def value(self, mode, width, itemsize):
        self.program.values.append((mode, width, itemsize))
        return len(self.program.values) - 1

    def rows(self, node):
        """A place for the rows that `node` makes."""
        if node in self.results:
            index = self.program.data[self.results[node]] = self.value("direct", node.width, self.itemsize)
        else:
            index = self.value(self.rows_mode, node.width, self.itemsize)
        self.values[node] = index
        return index

    def caller_rows(self, name):
        """The caller's rows, where they lie or gathered; both are found in program.data and by self.named."""
        width, itemsize, gathered = self.data[name]
        index = self.program.data[name] = self.value("direct", width, itemsize)
        if gathered:
            source, index = index, self.value(self.rows_mode, width, itemsize)
            self.emit("gather", out=index, x=source, n_out=width * itemsize)
        self.kept[name] = index
        return index

    def emit(self, name, **fields):
        self.program.operations.append(Operation(name, **fields))

    # ---- one method for each operation of the graph ----------------------------------------------------------------

    def lower_data(self, node):
        self.values[node] = self.kept[node.name]

    def lower_parameter(self, node):
        pass

    def lower_dense(self, node):
        x, W, b = node.inputs
        kept = None
        if self.reads[node.activation] == "INPUT" and self.learns:
            kept = self.kept[node] = self.value(self.rows_mode, node.width, self.itemsize)
        large = W.shape[0] * W.shape[1] * self.itemsize > regimes.PANEL_BYTES and self.program.batch > self.panel
        self.emit(
            "dense",
            out=self.rows(node),
            kept=kept,
            x=self.values[x],
            W=W.offset,
            b=b.offset,
            kernel=f"{node.activation}_forward",
            n_in=W.shape[0],
            n_out=W.shape[1],
            panels="shared" if large else None,
            panels_size=self.panels_size(*W.shape),
        )

    def lower_dropout(self, node):
        x = node.inputs[0]
        self.emit(
            "dropout",
            out=self.rows(node),
            x=self.values[x],
            n_out=node.width,
            kernel="dropout",
            param=node.rate,
            number=node.number,
        )

    def lower_loss(self, node):
        y = node.inputs[0]
        function, out = node.function, None
        if self.has_gradient:
            out = self.kept[node] = self.value(self.rows_mode, y.width, self.itemsize)
        self.emit(
            "loss",
            out=out,
            x=self.values[y],
            y=self.kept["targets"],
            w=self.kept.get("weights"),
            n_out=y.width,
            kernel=f"{function.kernel(self.labels)}_loss",
            param=function.param,
            scale=function.scale(self.program.batch, y.width),
        )

    def lower_loss_gradient(self, node):
        self.values[node] = self.kept[node.inputs[0]]

    def lower_activation_gradient(self, node):
        dy, forward = node.inputs
        # in place: nothing else reads dy, unless it is an array of the caller's
        out = self.rows(node) if dy.op == "data" else self.values.setdefault(node, self.values[dy])
        read = self.kept[forward] if forward in self.kept else self.values[forward]
        self.emit(
            "activation_gradient",
            out=out,
            x=read,
            y=self.values[dy],
            n_out=node.width,
            kernel=f"{forward.activation}_backward",
        )

    def lower_input_gradient(self, node):
        dz, W = node.inputs
        self.emit(
            "input_gradient",
            out=self.rows(node),
            y=self.values[dz],
            W=W.offset,
            n_in=W.shape[0],
            n_out=W.shape[1],
            panels="shared" if self.tiles else "own",
            panels_size=self.panels_size(W.shape[1], W.shape[0]),
        )

    def lower_weight_gradient(self, node):
        x, dz, W = node.inputs
        self.gradient(
            node,
            Operation(
                "weight_gradient", x=self.values[x], y=self.values[dz], W=W.offset, n_in=W.shape[0], n_out=W.shape[1]
            ),
        )

    def lower_bias_gradient(self, node):
        dz, b = node.inputs
        self.gradient(
            node, Operation("bias_gradient", y=self.values[dz], b=b.offset, kernel="column_sum", n_out=b.width)
        )

    def lower_penalty_gradient(self, node):
        pass  # added to a range's gradient while it is warm: see make_ranges

    def lower_add(self, node):
        pass  # of a parameter's gradients: the product's and the penalty's

    def gradient(self, node, operation):
        """In slices, a row operation that adds to the slice's gradient vector; in tiles, the maker of ranges."""
        self.program.partials = not self.tiles
        if self.tiles:
            self.values[node] = len(self.program.gradients)
            self.program.gradients.append(operation)
        else:
            self.program.operations.append(operation)

    def panels_size(self, k, n):
        return k * -(-n // self.panel) * self.panel

    # ---- the parameter phase ---------------------------------------------------------------------------------------

    def make_ranges(self, gradients):
        pieces = []
        for node, gradient in gradients.items():
            if node.op != "parameter":
                continue
            l1, l2, source = 0.0, 0.0, None
            for term in gradient.inputs if gradient.op == "add" else (gradient,):
                if term.op == "penalty_gradient":
                    l1, l2 = l1 + term.l1, l2 + term.l2
                else:
                    source = self.values.get(term)
            pieces.append((node, source, l1, l2))
        self.program.ranges = _tile_ranges(pieces) if self.tiles else _slice_ranges(pieces)

    def make_packings(self):
        for i, operation in enumerate(self.program.operations):
            if operation.panels == "shared":
                columns = operation.n_in if operation.name == "input_gradient" else operation.n_out
                self.program.packings += [(i, j) for j in range(0, columns, self.panel)]


def _tile_ranges(pieces):
    """Ranges that make their own gradients: strips of rows of W, and whole biases."""
    ranges = []
    for node, source, l1, l2 in pieces:
        rows, columns = (node.shape[0], node.width) if len(node.shape) == 2 else (node.width, 1)
        step = regimes.TASK_ROWS if len(node.shape) == 2 else rows
        ranges += [
            Range(
                node.offset + row * columns, min(step, rows - row) * columns, source, row, min(step, rows - row), l1, l2
            )
            for row in range(0, rows, step)
        ]
    # the large ones first, so that no thread is left alone with one at the end
    return sorted(ranges, key=lambda item: -item.count)


def _slice_ranges(pieces):
    """Equal ranges of the whole vector, cut where the penalty changes: there are no layers in this phase."""
    runs = []
    for node, _, l1, l2 in sorted(pieces, key=lambda piece: piece[0].offset):
        count = node.width * (node.shape[0] if len(node.shape) == 2 else 1)
        if runs and runs[-1][2:] == (l1, l2):
            runs[-1] = (runs[-1][0], runs[-1][1] + count, l1, l2)
        else:
            runs.append((node.offset, count, l1, l2))
    ranges = []
    for begin, count, l1, l2 in runs:
        parts = max(1, min(regimes.MOST_SLICES, count // regimes.RANGE_SIZE))
        cuts = [
            begin + (count * i // parts) // 64 * 64 if 0 < i < parts else begin + count * i // parts
            for i in range(parts + 1)
        ]
        ranges += [Range(a, b - a, None, 0, 0, l1, l2) for a, b in pairwise(cuts) if b > a]
    return ranges
