"""The state of one lowering, and the words that rules write a program with.

A rule (the tables RULES of select_elementwise.py, select_nn.py and select_sums.py) is a function of a Context and a
node. It reads the values of the node's inputs, which come before it, and leaves its own.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from fastbp._compiler import graph_partition
from fastbp._compiler.graph_facts import Facts
from fastbp._compiler.graph_partition import Partition
from fastbp._compiler.program import Operand, Operation, Program, Value
from fastbp._ir.node import layout


class Request(NamedTuple):
    """What a program is to be made for, as fastbp._compiler.lowering.lower says it.

    itemsize: bytes of a real; data: {name: Data} of the caller's arrays; nr: columns of the matrix product's tile;
    offsets: {parameter: its beginning in the vector of parameters}; training: whether dropout drops; results:
    {node: name} of what is written for the caller.
    """

    itemsize: int
    data: dict
    nr: int
    offsets: dict
    training: bool
    results: dict


@dataclass(slots=True, eq=False)
class Context:
    """One lowering at work. request, graph, partition and fused are settled before the first rule; the rest grows.

    fused: {multiplication: the only node that reads it, which takes its factors instead}, see fusion.py.
    program: what is being written.
    values: {node: index of its value}, for every node whose rule has run, but for those that make none: what is fused,
    a product whose activation alone is read, sums that are added up where a parameter's gradient is wanted, totals and
    losses that no node reads, and penalties.
    losses: {loss: the value of its gradient, or None where nothing reads that}; a loss is written once, for whichever
    of the two nodes comes first. sums: {total, loss or count: its number among the sums}, each below program.sums.
    callers: {input: the value its rows are read from, or None where they are split}; split_columns: then
    {split: the value of its columns}. readers: {input: the operations that bring its rows in}.
    prefetched: the input whose rows are prefetched a step ahead by products, or None so far: one at most, as each
    product has one budget of cache lines.
    any_stride: values of rows that lie where the caller has them, at any distance; own_slots: copies of such rows,
    whose slots no other value uses. rows_lists, invariant_lists: the operations of each sweep, over rows and over what
    is the same for all of them; split_lists: those of each split, which come before all sweeps. They become
    program.operations and program.invariant when all rules have run. now: the sweep at hand; nodes come in the order of
    their sweeps, so it only grows.
    """

    request: Request
    graph: Facts
    partition: Partition
    fused: dict
    program: Program
    values: dict = field(default_factory=dict)
    losses: dict = field(default_factory=dict)
    sums: dict = field(default_factory=dict)
    callers: dict = field(default_factory=dict)
    split_columns: dict = field(default_factory=dict)
    readers: dict = field(default_factory=dict)
    prefetched: object = None
    any_stride: set = field(default_factory=set)
    own_slots: set = field(default_factory=set)
    rows_lists: list = field(init=False)
    invariant_lists: list = field(init=False)
    split_lists: list = field(init=False)
    now: int = 0

    def __post_init__(self):
        levels = self.graph.levels
        self.rows_lists, self.invariant_lists = [[] for _ in range(levels)], [[] for _ in range(levels)]
        self.split_lists = [[] for _ in self.partition.splits]

    # ---- operations ------------------------------------------------------------------------------------------------

    def emit(self, name, *, invariant=False, at=None, split=None, **fields):
        """Adds an operation to the sweep at hand, or `at`, over rows, or over what is batch-invariant; or to a split.
        Returns it."""
        operation = Operation(name, **fields)
        if split is not None:
            self.split_lists[split].append(operation)
        else:
            (self.invariant_lists if invariant else self.rows_lists)[self.now if at is None else at].append(operation)
        return operation

    def row_operations(self):
        """How many operations over rows there are so far."""
        return sum(map(len, (*self.split_lists, *self.rows_lists)))

    def map_invariant(self, kernel, node, out, **values):
        """An elementwise operation on invariant values that all have the shape of a node."""
        operands = {name: Operand(value, node.rows > 1, 1) for name, value in values.items()}
        self.emit("map", kernel=kernel, invariant=True, out=out, rows=node.rows, n_out=node.width, **operands)

    # ---- values ----------------------------------------------------------------------------------------------------

    def value(self, mode, width, itemsize=None, **fields):
        """A new value; returns its index."""
        self.program.values.append(Value(mode, width, itemsize or self.request.itemsize, **fields))
        return len(self.program.values) - 1

    def place(self, node, itemsize=None):
        """A place for the value that `node` makes; writes values, and the program's data where the caller wants it."""
        if not node.batched:
            index = self.value("invariant", node.width, rows=node.rows, ld=node.width)
        elif node in self.request.results:
            index = self.program.data[self.request.results[node]] = self.value("direct", node.width)
        else:
            padded = len(node.shape) == 1
            index = self.value(self.partition.rows_mode, node.width, itemsize, padded=padded)
        self.values[node] = index
        return index

    def part(self, value, offset, width, rows=1, ld=None):
        """A part of a value: the same memory."""
        whole = self.program.values[value]
        return self.value(
            whole.mode, width, whole.itemsize, rows=rows, ld=whole.ld if ld is None else ld, base=value, offset=offset
        )

    def matrix(self, x):
        """The value of something batch-invariant, its rows one after another: a part of a matrix is copied first,
        once."""
        value = self.program.values[self.values[x]]
        if value.rows > 1 and value.ld != x.width:
            self.values[x] = self.contiguous(x)
        return self.values[x]

    def contiguous(self, x):
        """A copy of something batch-invariant, its rows one after another."""
        index = self.value("invariant", x.width, rows=x.rows, ld=x.width)
        self.copy_invariant(index, x)
        return index

    def own(self, x):
        """An invariant value that updates do not change: a copy of a parameter, or of a part of one; else the value
        itself."""
        value = self.program.values[self.values[x]]
        return self.values[x] if value.mode == "invariant" and value.base is None else self.contiguous(x)

    def touching(self, value):
        """A value whose rows are contiguous in memory, which kernels want of the lines of matrices and of sample
        weights: the value itself, or a copy where it is an array of the caller's of any stride."""
        if self.program.root_of(value) not in self.any_stride:
            return value
        width = self.program.values[value].width
        copy = self.value(self.partition.rows_mode, width, padded=False)
        self.copy_columns(copy, 0, value, 0, width)
        self.own_slots.add(copy)
        return copy

    # ---- operands --------------------------------------------------------------------------------------------------

    def operands(self, node, nodes):
        """The fields of an elementwise operation of this node's shape on these nodes."""
        group, width, steps = layout(node.batched, node.shape, nodes)
        fields = dict(zip("abc", self.read(node, nodes, steps), strict=False))
        if node.batched:
            return {"group": group, "n_out": width, **fields}
        return {"invariant": True, "rows": group, "n_out": width, **fields}

    def read(self, node, nodes, steps):
        """The operands of an elementwise operation. One over rows reads invariant values as contiguous rows, so a part
        of a wider matrix is copied first (matrix)."""
        values = [self.matrix(one) if node.batched else self.values[one] for one in nodes]
        return [Operand(value, *step) for value, step in zip(values, steps, strict=True)]

    # ---- copies ----------------------------------------------------------------------------------------------------

    def copy_columns(self, out, at, x, begin, width):
        """Columns [begin, begin + width) of the rows x, copied to column `at` of the rows `out`."""
        self.emit(
            "map",
            kernel="copy",
            out=out if not at else self.part(out, at, width),
            n_out=width,
            a=Operand(self.part(x, begin, width), True, 1),
        )

    def copied(self, node, x):
        """The rows of the node x, as one matrix, copied to where the node's are wanted."""
        self.copy_columns(self.place(node), 0, self.values[x], 0, node.width)

    def copy_invariant(self, out, x):
        """The numbers of something batch-invariant, copied into a block of the same shape."""
        self.map_invariant("copy", x, out, a=self.values[x])

    def zero(self):
        """An invariant value that is 0."""
        return self.value("invariant", 1, ld=1, initial=0.0)

    # ---- sums over the batch ---------------------------------------------------------------------------------------

    def new_sum(self, node):
        """The number of a new sum of single numbers, which is this node's."""
        self.sums[node] = self.program.sums
        self.program.sums += 1
        return self.sums[node]

    def extra(self, size):
        """Room for `size` more sums in the slices' vectors, beside those of the parameters; returns where it begins."""
        self.program.extra += size
        return self.program.size + self.program.extra - size

    def by_range(self, node):
        """Whether a sum that is a parameter's whole gradient is made by range, from the rows of the whole batch."""
        return graph_partition.by_range(node, self.graph, self.partition)

    def make_by_range(self, parameter, operation, first, rows):
        """Rows [first, first + rows) of a parameter's gradient are made from the whole batch, range by range."""
        self.graph.gradient_terms[parameter].operations.append((len(self.program.gradients), first, rows))
        self.program.gradients.append(operation)
