"""What crosses from core to core in a step: the bytes that a task reads and another lane's task has written.

A *lane* is the tasks of a phase that one thread of a team takes, as long as nobody steals from it. Who computes what
follows from a program alone, so the bytes do too: rows of activations and gradients, weights that another lane has
updated, the slices' parts of a sum. What a lane reads twice in a phase counts once: it is in its cache.
"""

from collections import defaultdict

MOST_LANES = 32  # FBP_LANES of csrc/fastbp.h


def lanes_of(kind, tasks, threads):
    """The lane of each task of a phase, by the task's own number: neighbours where rows are computed, dealt out like
    cards where parameters are."""
    lanes = min(threads, MOST_LANES)
    if kind != "rows":
        return [task % lanes for task in range(tasks)]
    size, longer = divmod(tasks, lanes)
    return [lane for lane in range(lanes) for _ in range(size + (lane < longer))]


class Traffic:
    """The crossing bytes of a program's phases, one after another as a step runs them, on a team of `threads`."""

    def __init__(self, program, itemsize, threads):
        self.program, self.itemsize, self.threads = program, itemsize, threads
        self.slices = -(-program.batch // program.slice_rows)
        self.written = defaultdict(dict)  # {value's root or "sums": {(rows, columns): lane}}, each of both as (a, b)
        for _ in range(2):  # in the steady state the weights are those of the step before
            self.phases = [self._phase(kind, stage, tasks) for kind, stage, tasks in self._kinds()]

    def of(self, kind, stage):
        """{lane: bytes} of a phase."""
        return next(found for found, key in zip(self.phases, self._kinds(), strict=True) if key[:2] == (kind, stage))

    def _kinds(self):
        stages = self.program.stages
        found = [("splits", 0, len(self.program.splits))] if self.program.splits else []
        for i, stage in enumerate(stages):
            if stage.row < stage.row_end:
                found.append(("rows", i, self.slices * stage.blocks))
        return [*found, ("parameters", 0, len(self.program.groups))]

    def _phase(self, kind, stage, tasks):
        """{lane: bytes that it reads of others}; notes what each lane has written."""
        read, written = defaultdict(dict), []
        for task, lane in enumerate(lanes_of(kind, tasks, self.threads)):
            pieces = getattr(self, f"_{kind}")(stage, task)
            for is_read, value, rows, columns in pieces:
                if is_read:
                    read[lane][value, rows, columns] = self._foreign(value, rows, columns, lane)
                else:
                    written.append((value, rows, columns, lane))
        fresh = {value for value, *_ in written}
        for value in fresh:
            self.written[value] = {}
        for value, rows, columns, lane in written:
            self.written[value][rows, columns] = lane
        return {lane: self.itemsize * sum(pieces.values()) for lane, pieces in read.items()}

    def _foreign(self, value, rows, columns, lane):
        """Numbers of a piece that other lanes have written. What nobody writes, the caller's rows, one thread reads as
        well: it belongs to the times of its tasks."""
        return sum(
            _overlap(rows, of_rows) * _overlap(columns, of_columns)
            for (of_rows, of_columns), writer in self.written.get(value, {}).items()
            if writer != lane
        )

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
                if whole.mode == "parameter" and whole.base is None and self._holds(whole, item):
                    first = (item.begin - whole.offset) // whole.width
                    yield False, value, (first, first + max(1, item.count // whole.width)), (0, whole.width)
        if group.split >= 0:
            yield from self._splits(0, task)

    def _holds(self, whole, item):
        return whole.offset <= item.begin < whole.offset + whole.rows * whole.width

    def _piece(self, value, rows, columns):
        """A piece of the value whose memory it is."""
        whole = self.program.values[value]
        if whole.base is None:
            return value, rows, columns
        root, offset = whole.base, whole.offset
        width = self.program.values[root].width
        line, column = divmod(offset, width) if whole.mode == "parameter" else (0, offset)
        return root, (rows[0] + line, rows[1] + line), (columns[0] + column, columns[1] + column)


def _within(units, width):
    return units[0], min(units[1], width)


def _overlap(a, b):
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))
