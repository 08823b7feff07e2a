"""What crosses from core to core in a step: bytes that a task reads and another lane's task has written, and bytes that
it writes where another lane has read, whose cache holds them.

A *lane* is the tasks of a phase that one thread of a team takes, as long as nobody steals from it. Who computes what
follows from a program alone, so the bytes do too: rows of activations and gradients, weights that another lane has
updated, the slices' parts of a sum. What a lane reads twice in a phase counts once: it is in its cache.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

MOST_LANES = 32  # FBP_LANES of csrc/fastbp.h


def lanes_of(kind, tasks, threads):
    """The lane of each task of a phase, by the task's own number: neighbours where rows are computed, dealt out like
    cards where parameters are."""
    lanes = min(threads, MOST_LANES)
    if kind != "rows":
        return [task % lanes for task in range(tasks)]
    size, longer = divmod(tasks, lanes)
    return [lane for lane in range(lanes) for _ in range(size + (lane < longer))]


class Crossing(NamedTuple):
    """What crosses to a lane and from it in a phase: bytes that it reads, which others wrote, in so many pieces, each
    of which begins with a wait; and bytes that it writes, which others hold."""

    read: int
    pieces: int
    written: int


class Traffic:
    """The crossing bytes of a program's phases, one after another as a step runs them, on a team of `threads`."""

    def __init__(self, program, itemsize, threads):
        self.program, self.itemsize, self.threads = program, itemsize, threads
        self.slices = -(-program.batch // program.slice_rows)
        # {value's root or "sums": (n, 5) of first row, last, first column, last, lane}: who wrote it, and who has read
        # it since
        self.written, self.read = {}, {}
        for _ in range(2):  # in the steady state the weights are those of the step before
            self.phases = [self._phase(kind, stage, tasks) for kind, stage, tasks in self._kinds()]

    def of(self, kind, stage):
        """{lane: Crossing} of a phase."""
        return next(found for found, key in zip(self.phases, self._kinds(), strict=True) if key[:2] == (kind, stage))

    def _kinds(self):
        stages = self.program.stages
        found = [("splits", 0, len(self.program.splits))] if self.program.splits else []
        for i, stage in enumerate(stages):
            if stage.row < stage.row_end:
                found.append(("rows", i, self.slices * stage.blocks))
        return [*found, ("parameters", 0, len(self.program.groups))]

    def _phase(self, kind, stage, tasks):
        """{lane: Crossing}; notes what each lane has written."""
        taken, read, written = defaultdict(dict), defaultdict(list), defaultdict(list)
        for task, lane in enumerate(lanes_of(kind, tasks, self.threads)):
            pieces = getattr(self, f"_{kind}")(stage, task)
            for is_read, value, rows, columns in pieces:
                (read if is_read else written)[value].append((*rows, *columns, lane))
                # What nobody writes, the caller's rows, one thread reads as well: it belongs to the times of its tasks.
                others = (self.written if is_read else self.read).get(value)
                taken[lane][is_read, value, rows, columns] = _numbers_of_others(rows, columns, lane, others)
        for value, pieces in written.items():
            self.written[value] = np.array(pieces)
            self.read.pop(value, None)
        for value, pieces in read.items():
            before = self.read.get(value)
            self.read[value] = np.array(pieces) if before is None else np.concatenate([before, pieces])
        return {
            lane: Crossing(self._bytes(found, True), _pieces(found), self._bytes(found, False))
            for lane, found in taken.items()
        }

    def _bytes(self, found, is_read):
        return self.itemsize * sum(numbers for key, numbers in found.items() if key[0] is is_read)

    # ---- the pieces of a task: (whether it is read, value, (first row, last), (first column, last)) ------------------

    def _rows(self, number, task):
        stage, program = self.program.stages[number], self.program
        block, slice_ = divmod(task, self.slices)
        rows = slice_ * program.slice_rows, min((slice_ + 1) * program.slice_rows, program.batch)
        units = (block * stage.units, (block + 1) * stage.units) if stage.units else None
        for i in range(stage.row, stage.row_end):
            yield from self._operation(program.operations[i], rows, units, i == stage.row)
        yield False, "sums", (slice_, slice_ + 1), (0, program.size)

    def _splits(self, _, task):
        first, last = self.program.splits[self.program.groups[task].split]
        for i in range(first, last):
            yield from self._operation(self.program.operations[i], (0, self.program.batch), None, False)

    def _operation(self, operation, rows, units, is_product):
        """Pieces of a row operation; units: (first, last) of the columns that the task writes, None for all."""
        transposed = operation.name == "input_gradient"
        for value in (operation.x, operation.y, operation.w):
            if value is not None:
                width = self.program.values[value].width
                columns = (0, width) if units is None or is_product else _within(units, width)
                yield True, *self._piece(value, rows, columns)
        for operand in (operation.a, operation.b, operation.c):
            if operand is not None and operand.moves:
                yield True, *self._piece(operand.value, rows, (0, self.program.values[operand.value].width))
        if operation.W is not None:
            every, lines = (0, operation.n_out), (0, operation.n_in)
            cut = _within(units, operation.n_in if transposed else operation.n_out) if units else None
            piece = (cut or lines, every) if transposed else (lines, cut or every)
            yield True, *self._piece(operation.W, *piece)
        for value in (operation.out, operation.kept):
            if value is not None:
                width = self.program.values[value].width
                yield False, *self._piece(value, rows, (0, width) if units is None else _within(units, width))

    def _parameters(self, _, task):
        program, group = self.program, self.program.groups[task]
        every = 0, program.batch
        for number in range(group.first, group.last):
            item = program.ranges[number]
            if item.partial is not None:
                yield True, "sums", (0, self.slices), (item.begin, item.begin + item.count)
            for index, row, count in item.gradients:
                operation = program.gradients[index]
                if operation.name == "weight_gradient":
                    yield True, *self._piece(operation.x, every, (row, row + count))
                    yield True, *self._piece(operation.y, every, (0, operation.n_out))
                elif operation.y is not None:
                    yield True, *self._piece(operation.y, every, (row, row + count))
            for value, whole in enumerate(program.values):
                if whole.mode == "parameter" and whole.base is None:
                    begin, end = item.begin - whole.offset, item.begin + item.count - whole.offset
                    first, last = max(0, begin // whole.width), min(whole.rows, -(-end // whole.width))
                    if first < last:
                        yield False, value, (first, last), (0, whole.width)
        if group.split >= 0:
            yield from self._splits(0, task)

    def _piece(self, value, rows, columns):
        """A piece of the value whose memory it is."""
        whole = self.program.values[value]
        if whole.base is None:
            return value, rows, columns
        root, offset = whole.base, whole.offset
        width = self.program.values[root].width
        line, column = divmod(offset, width) if whole.mode == "parameter" else (0, offset)
        return root, (rows[0] + line, rows[1] + line), (columns[0] + column, columns[1] + column)


def _pieces(found):
    return sum(numbers > 0 for key, numbers in found.items() if key[0])


def _within(units, width):
    return units[0], min(units[1], width)


def _numbers_of_others(rows, columns, lane, pieces):
    """Numbers of a piece that lanes other than `lane` have, each once at most; pieces: (n, 5), or None for none."""
    if pieces is None:
        return 0
    height = np.minimum(rows[1], pieces[:, 1]) - np.maximum(rows[0], pieces[:, 0])
    width = np.minimum(columns[1], pieces[:, 3]) - np.maximum(columns[0], pieces[:, 2])
    others = (height > 0) & (width > 0) & (pieces[:, 4] != lane)
    return min(int((height * width)[others].sum()), (rows[1] - rows[0]) * (columns[1] - columns[0]))
