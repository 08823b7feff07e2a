"""What a plan is made of, in Python: `fastbp._compiler.lowering` fills it in, `fastbp._core.executable` turns it into C
structs."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


@dataclass(slots=True, eq=False)
class Value:
    """A place for numbers.

    mode: "local" (a block of rows, one for each thread), "shared" (the rows of the whole batch), "direct" (an array of
    the caller's), "ordered" (such an array, its rows in an order of their own, which only products can read),
    "invariant" (batch-invariant: the same for all rows) or "parameter" (a part of the parameter vector). width: numbers
    in a row; rows: of an invariant value; ld: from one row of an invariant value to the next. base, offset: the value
    that this is a part of, and where it begins, in numbers (in the parameter vector, for "parameter"). slot: its
    memory, which values that live at different times use in turn. initial: a constant's numbers.
    """

    mode: str
    width: int
    itemsize: int
    rows: int = 1
    ld: int = 0
    base: int | None = None
    offset: int = 0
    padded: bool = True
    slot: int | None = None
    initial: np.ndarray | None = None


class Slot(NamedTuple):
    """Memory of the arena for rows: one value after another may live in it."""

    mode: str
    width: int
    itemsize: int
    padded: bool


class Operand(NamedTuple):
    """How an elementwise operation reads a value: whether it goes on from row to row, and from column to column (1 or
    0)."""

    value: int
    moves: bool
    step: int


@dataclass(slots=True, eq=False)
class Operation:
    """One operation: its driver's name, the values it reads and writes, and its numbers. What each field is, and which
    of them mean something to a driver: see fastbp._compiler.operations.

    Over rows: each sample is `group` rows of n_out numbers. Over invariant values: `rows` rows, not 0.
    a, b, c: operands of an elementwise operation. packed_b: None, "own" (each thread packs its copy of the weights) or
    "shared". packed_a: whether a product packs its left operand. kept:
    what backward will read beside the output.
    partial: where its sum over a slice's rows begins in the slice's vector of sums; begins: whether it is the first to
    write there; ones: of a weight gradient, whether the sum of y follows it there. sums: the number of its total, kept
    in double. prefetch: whether this GEMM prefetches the next step's input rows; of a gather, a conversion or a
    "prefetch": whether its source rows are prefetched.
    """

    name: str
    kernel: str | None = None
    out: int | None = None
    kept: int | None = None
    x: int | None = None
    y: int | None = None
    w: int | None = None
    W: int | None = None
    bias: int | None = None
    a: Operand | None = None
    b: Operand | None = None
    c: Operand | None = None
    group: int = 1
    rows: int = 0
    packed_b: str | None = None
    packed_a: bool = False
    partial: int = -1
    partial_ld: int = 0
    begins: bool = False
    ones: bool = False
    sums: int = 0
    n_in: int = 0
    n_out: int = 0
    scale: float = 0.0
    param: float = 0.0
    number: int = 0
    prefetch: bool = False


class Range(NamedTuple):
    """Elements [begin, begin + count) of the parameters, a unit of work of the parameter phase.

    Their gradient is what is summed over the slices from `partial` on (None: nothing is), and over the whole batch by
    the operations `gradients`, [(index, row, rows)] - the range as rows of W, or as columns of b -, and the invariant
    value `added`, from its number `added_at` on. l1, l2: the penalty. piece: elements that are updated at a time, 0 for
    all; packings: the first and the number of those that follow the updates.
    """

    begin: int
    count: int  # type: ignore[assignment]  # a tuple has a method of this name
    partial: int | None
    gradients: tuple
    added: int | None
    added_at: int
    l1: float
    l2: float
    piece: int = 0
    packings: tuple = (0, 0)


class Packing(NamedTuple):
    """Rows [row, row + rows) of an operation's weights, packed: when a call begins, and when `end` elements
    of their range have been updated."""

    operation: int
    row: int
    rows: int
    end: int


class Group(NamedTuple):
    """Ranges [first, last), one task of the parameter phase. split: the number of the split whose products for the next
    step follow the updates, or -1."""

    first: int
    last: int
    split: int = -1


class Sweep(NamedTuple):
    """A pass over all rows, which begins with what is batch-invariant: operations [invariant, invariant_end), then
    [row, row_end)."""

    invariant: int
    invariant_end: int
    row: int
    row_end: int


class Stage(NamedTuple):
    """A part of a sweep between two barriers: the invariant operations [invariant, invariant_end), which
    one thread runs, then the row operations [row, row_end) as tasks. A task is a slice of the batch x `units` of the
    columns that are written; 0: all columns. blocks: how many such parts the columns have."""

    invariant: int
    invariant_end: int
    row: int
    row_end: int
    units: int = 0
    blocks: int = 1


class Data(NamedTuple):
    """One array of the caller's: columns, bytes of an element; whether its rows are taken in an order of their own.

    converted_from: None where they are read as they are, or the name of the dtype (cpu.input_dtypes()) that they are
    converted from, and then multiplied by `scale`. any_stride: whether rows that are read as they are may lie at any
    distance, overlap too.
    """

    width: int
    itemsize: int
    gathered: bool
    converted_from: str | None = None
    scale: float = 1.0
    any_stride: bool = False

    @classmethod
    def of_reals(cls, width, dtype, gathered, input_dtype=None, scale=1.0):
        """Of an array that a graph of np.dtype `dtype` reads as reals times `scale`. input_dtype: what
        fastbp._check.input_arrays.input_dtypes says of it, None for nothing; the same dtype, for rows at any stride."""
        any_stride, stored = input_dtype is not None, dtype if input_dtype is None else np.dtype(input_dtype)
        converted = stored != dtype or scale != 1
        return cls(width, stored.itemsize, gathered, stored.name if converted else None, scale, any_stride)


@dataclass(slots=True)
class Program:
    """data: {name: value} of the caller's arrays; forward: how many row operations come before backward; size: numbers
    in the parameter vector. Numbers of a slice's vector of sums below `size` are those of the parameters, the `extra`
    ones after them are other sums. root: the loss, as (its number among the sums, None) or (None, an invariant value).
    correct: the number among the sums of how many answers are correct, or None where nobody counts.
    splits: [(first, last), ...] row operations of each split of the inputs' columns, which come before the sweeps."""

    batch: int
    size: int
    slice_rows: int = 0
    block_rows: int = 0
    values: list = field(default_factory=list)
    slots: list = field(default_factory=list)
    invariant: list = field(default_factory=list)
    operations: list = field(default_factory=list)
    sweeps: list = field(default_factory=list)
    stages: list = field(default_factory=list)
    gradients: list = field(default_factory=list)
    ranges: list = field(default_factory=list)
    groups: list = field(default_factory=list)
    splits: list = field(default_factory=list)
    packings: list = field(default_factory=list)
    data: dict = field(default_factory=dict)
    forward: int = 0
    partials: bool = False
    extra: int = 0
    sums: int = 0
    root: tuple = (None, None)
    correct: int | None = None

    @property
    def most_threads(self):
        """More threads than the rows have tasks would only wait."""
        slices = -(-self.batch // self.slice_rows)
        return max(slices * max((stage.blocks for stage in self.stages), default=1), len(self.splits))

    def root_of(self, value):
        """The value whose memory a value is a part of."""
        while self.values[value].base is not None:
            value = self.values[value].base
        return value
