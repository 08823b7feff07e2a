"""From a graph to a program: values with a place in memory, operations in order, ranges of the parameters.

A graph is run in sweeps over the rows of the batch. A sum over the batch is known when a sweep is over, so what depends on
it belongs to the next one; a network, and any loss that is a mean over samples, is a single sweep.
"""


from itertools import count

from . import arena, ranges, regimes
from .node import OPERATIONS, layout, ordered
from .program import Operand, Operation, Program, Sweep, Value

SUMS = {*ranges.SUMS, "total", "loss"}


def lower(forward, loss, gradients, *, batch, itemsize, data, panel, reads, offsets, size, keep=False, training=True,
          results=None):
    """The Program of a graph.

    forward: nodes wanted, such as a network's outputs; loss: a fixed scalar node or None; gradients: {parameter: node} as
    differentiate gives it; data: {name: Data} of the caller's arrays; panel: columns of the matrix product's tile; reads:
    cpu.activations(); offsets: {parameter: its beginning in the vector of `size` numbers}; keep: backward is a separate
    call; training: whether dropout drops; results: {node: name} of the rows written into arrays of the caller's.
    """
    lowering = _Lowering(batch, itemsize, data, panel, reads, offsets, size, training, results or {})
    return lowering.lower(forward, loss, gradients, keep)


class _Lowering:
    """One use of `lower`. values: {node: index of its value}."""

    def __init__(self, batch, itemsize, data, panel, reads, offsets, size, training, results):
        self.program = Program(batch, size)
        self.itemsize, self.data, self.panel, self.reads = itemsize, data, panel, reads
        self.offsets, self.training, self.results = offsets, training, results
        self.values, self.losses, self.sums, self.callers, self.masks = {}, {}, {}, {}, {}

    def lower(self, forward, loss, gradients, keep):
        program = self.program
        roots = [*forward, *([] if loss is None else [loss])]
        self.wanted = {*forward, *self.results}
        others = [node for node in self.results if node not in forward]
        # the last layer's gradients first: the order in which backward reaches them
        self.consumers = _consumers(ordered([*roots, *reversed(list(gradients.values())), *others]))
        self.sources, self.destinations = ranges.sources(gradients, self.consumers)
        terms = [term for source in self.sources.values() for term in (*source.sums, *source.values)]
        order = ordered([*roots, *reversed(terms), *others])
        self.consumers = _consumers(order)
        self.level, levels = _levels(order)
        self.has_gradient = {node.loss for node in order if node.op == "loss_gradient"}
        regime = self.choose(order, keep)
        self.absorbed = self.absorbable(order)
        self.rows_lists, self.fixed_lists = [[] for _ in range(levels)], [[] for _ in range(levels)]
        self.now = 0
        for name in self.data:
            self.caller_rows(name)
        last_forward = set(ordered(roots))
        for node in sorted(order, key=self.level.__getitem__):
            self.now = self.level[node]
            getattr(self, f"lower_{OPERATIONS[node.op].kind}")(node)
            if node in last_forward:
                program.forward = sum(map(len, self.rows_lists))
        self.now = levels - 1
        self.take_results(forward, loss)
        self.make_ranges()
        self.put_in_order()
        pinned = {program.root_of(v) for operation in program.gradients for v in (operation.x, operation.y, operation.w)
                  if v is not None}
        arena.share(program, pinned)
        row_bytes = sum(slot.width * slot.itemsize for slot in program.slots)
        program.slice_rows = regime.slice_rows
        program.block_rows = regimes.block_rows(regime, row_bytes, keep)
        self.make_packings()
        return program

    def choose(self, order, keep):
        rows = [node for node in order if node.batched]
        products = [node.inputs[1].shape for node in rows if node.op == "dense"]
        maps = sum(node.size for node in rows if OPERATIONS[node.op].kind in ("map", "row_reduce", "total"))
        regime = regimes.choose(self.program.batch, products, maps, self.program.size, self.itemsize, keep)
        self.tiles, self.rows_mode = regime.tiles, "shared" if regime.shared else "local"
        return regime

    # ---- values ----------------------------------------------------------------------------------------------------

    def value(self, mode, width, itemsize=None, **fields):
        self.program.values.append(Value(mode, width, itemsize or self.itemsize, **fields))
        return len(self.program.values) - 1

    def place(self, node, itemsize=None):
        """A place for the value that `node` makes."""
        if not node.batched:
            index = self.value("fixed", node.width, rows=node.rows, ld=node.width)
        elif node in self.results:
            index = self.program.data[self.results[node]] = self.value("direct", node.width)
        else:
            padded = len(node.shape) == 1
            index = self.value(self.rows_mode, node.width, itemsize, padded=padded)
        self.values[node] = index
        return index

    def part(self, value, offset, width, rows=1, ld=None):
        """A part of a value: the same memory."""
        whole = self.program.values[value]
        return self.value(
            whole.mode, width, whole.itemsize, rows=rows, ld=whole.ld if ld is None else ld, source=value, offset=offset
        )

    def caller_rows(self, name):
        """The caller's rows, where they lie or gathered."""
        width, itemsize, gathered = self.data[name]
        index = self.program.data[name] = self.value("direct", width, itemsize)
        if gathered:
            source, index = index, self.value(self.rows_mode, width, itemsize)
            self.emit("gather", out=index, x=source, n_out=width * itemsize)
        self.callers[name] = index

    def emit(self, name, *, fixed=False, at=None, **fields):
        """Adds an operation to the sweep at hand: over rows, or over what is fixed."""
        operation = Operation(name, **fields)
        (self.fixed_lists if fixed else self.rows_lists)[self.now if at is None else at].append(operation)
        return operation

    # ---- leaves ----------------------------------------------------------------------------------------------------

    def lower_data(self, node):
        if node.batched:
            self.values[node] = self.callers[node.name]
        else:
            self.program.data[node.name] = self.place(node)

    def lower_parameter(self, node):
        self.values[node] = self.value(
            "parameter", node.width, rows=node.rows, ld=node.width, offset=self.offsets[node]
        )

    def lower_constant(self, node):
        self.place(node)
        self.program.values[self.values[node]].initial = node.value / float(self.program.batch) ** node.per_batch

    # ---- elementwise -----------------------------------------------------------------------------------------------

    def absorbable(self, order):
        """{multiplication: its only reader}, where that takes the factors instead of the product."""
        found = {}
        for node in order:
            if node.op not in ("add", "total", "batch_sum"):
                continue
            if node in self.destinations and self.by_range(node):
                continue
            for child in reversed(node.inputs):
                if child.op not in ("multiply", "square") or len(self.consumers[id(child)]) != 1 or child in self.wanted:
                    continue
                if self.level[child] != self.level[node]:
                    continue
                if child.op == "square" and node.op == "add":
                    continue
                if self.fits(node, child):
                    found[child] = node
                    break
        return found

    def fits(self, node, child):
        """Whether strides can say the operation that a reader and its factor make together."""
        try:
            if node.op == "add":
                if child.batched != node.batched:
                    return False
                layout(node.batched, node.shape, [*child.inputs, *_others(node, child)])
                return True
            return child.batched and layout(True, child.shape, child.inputs)[0] == 1
        except ValueError:
            return False

    def operands(self, node, nodes):
        """The fields of an elementwise operation of this shape on these nodes."""
        group, width, steps = layout(node.batched, node.shape, nodes)
        made = [Operand(self.values[one], moves, step) for one, (moves, step) in zip(nodes, steps, strict=True)]
        fields = dict(zip("abc", made, strict=False))
        if node.batched:
            return {"group": group, "n_out": width, **fields}
        return {"fixed": True, "rows": group, "n_out": width, **fields}

    def lower_map(self, node):
        if node in self.absorbed:
            return
        nodes, kernel = node.inputs, OPERATIONS[node.op].kernel
        product = next((child for child in nodes if self.absorbed.get(child) is node), None)
        if product is not None:
            nodes, kernel = (*product.inputs, *_others(node, product)), "multiply_add"
        fields = self.operands(node, nodes)
        self.emit("map", kernel=kernel, out=self.place(node), param=node.attributes.get("exponent", 0.0), **fields)

    def lower_row_reduce(self, node):
        x = node.inputs[0]
        size = {} if node.batched else {"fixed": True, "rows": x.rows}
        group = x.size // x.width if not x.batched else x.size // x.shape[-1]
        self.emit(
            "row_reduce",
            kernel=OPERATIONS[node.op].kernel,
            out=self.place(node),
            x=self.values[x],
            group=group if node.batched else 1,
            n_out=x.shape[-1] if x.shape else 1,
            **size,
        )

    def lower_column_sum(self, node):
        x = node.inputs[0]
        self.emit("column_sum", fixed=True, kernel="sum_product", out=self.place(node), x=self.values[x], rows=x.rows,
                  n_out=x.width)

    def lower_reshape(self, node):
        x = node.inputs[0]
        if node in self.results and node.batched:
            return self.copied(node, x)
        if not node.batched:
            self.values[node] = self.part(self.matrix(x), 0, node.width, node.rows, node.width)
            return
        root = self.program.values[self.program.root_of(self.values[x])]
        root.padded = root.padded and len(node.shape) == 1 == len(x.shape)
        self.values[node] = self.part(self.values[x], 0, node.width)

    def matrix(self, x):
        """The value of something fixed, its rows one after another: a part of a matrix is copied first."""
        value = self.program.values[self.values[x]]
        if value.rows > 1 and value.ld != x.width:
            self.values[x] = self.contiguous(x)
        return self.values[x]

    def contiguous(self, x):
        index = self.value("fixed", x.width, rows=x.rows, ld=x.width)
        self.emit("map", kernel="copy", fixed=True, out=index, a=Operand(self.values[x], x.rows > 1, 1), rows=x.rows,
                  n_out=x.width)
        return index

    # ---- parts -----------------------------------------------------------------------------------------------------

    def copied(self, node, x):
        """The rows of x, as one matrix, copied to where the node's are wanted."""
        self.copy_columns(self.place(node), 0, self.values[x], 0, node.width)

    def copy_columns(self, out, at, x, begin, width):
        self.emit("map", kernel="copy", out=out if not at else self.part(out, at, width), n_out=width,
                  a=Operand(self.part(x, begin, width), True, 1))

    def fill(self, out, at, width):
        zero = self.value("fixed", 1, ld=1, initial=0.0)
        self.emit("map", kernel="copy", out=out if not at else self.part(out, at, width), n_out=width,
                  a=Operand(zero, False, 0))

    def lower_slice(self, node):
        x = node.inputs[0]
        if not node.batched:
            columns = node.begins[-1] if node.begins else 0
            first = node.begins[0] * self.program.values[self.values[x]].ld if len(node.begins) == 2 else 0
            self.values[node] = self.part(self.values[x], first + columns, node.width, node.rows)
            return
        out, width = self.place(node), node.shape[-1]
        for i, (_, begin) in enumerate(_lines(node.begins, node.shape, x.shape)):
            self.copy_columns(out, i * width, self.values[x], begin, width)

    def lower_pad(self, node):
        x = node.inputs[0]
        out = self.place(node)
        if node.batched:
            self.fill(out, 0, node.width)
            for i, (_, begin) in enumerate(_lines(node.begins, x.shape, node.shape)):
                self.copy_columns(out, begin, self.values[x], i * x.shape[-1], x.shape[-1])
            return
        zero = self.value("fixed", 1, ld=1, initial=0.0)
        self.emit("map", kernel="copy", fixed=True, out=out, a=Operand(zero, False, 0), rows=node.rows, n_out=node.width)
        begin = node.begins[0] * node.width + node.begins[1] if len(node.begins) == 2 else node.begins[0]
        self.emit("map", kernel="copy", fixed=True, out=self.part(out, begin, x.width, x.rows), rows=x.rows, n_out=x.width,
                  a=Operand(self.values[x], x.rows > 1, 1))

    def lower_concat(self, node):
        out, begin = self.place(node), 0
        for x in node.inputs:
            if node.batched:
                for i, (_, at) in enumerate(_lines((0, begin)[-len(x.shape):], x.shape, node.shape)):
                    self.copy_columns(out, at, self.values[x], i * x.shape[-1], x.shape[-1])
            else:
                self.emit("map", kernel="copy", fixed=True, out=self.part(out, begin, x.width, x.rows), rows=x.rows,
                          n_out=x.width, a=Operand(self.values[x], x.rows > 1, 1))
            begin += x.shape[-1]

    # ---- products --------------------------------------------------------------------------------------------------

    def lower_dense(self, node):
        x, W = node.inputs[:2]
        readers = self.consumers[id(node)]
        activation = next((reader for reader in readers if reader.op == "activation"), None)
        name, out, kept = "linear", node, None
        if activation is not None:
            name, out = activation.activation, activation
            if len(readers) > 1 or node in self.wanted:
                kept = self.place(node)
        bytes_ = W.size * self.itemsize
        large = W.op == "parameter" and bytes_ > regimes.PANEL_BYTES and self.program.batch > self.panel
        self.emit(
            "dense",
            kernel=f"{name}_forward",
            out=self.place(out),
            kept=kept,
            x=self.values[x],
            W=self.matrix(W),
            bias=self.values[node.inputs[2]] if len(node.inputs) == 3 else None,
            n_in=W.shape[0],
            n_out=W.shape[1],
            panels="shared" if large else None,
            panels_size=self.panels_size(*W.shape),
        )

    def lower_activation(self, node):
        if node in self.values:  # the product made it
            return
        x = node.inputs[0]
        width = node.shape[-1] if node.shape else 1
        size = {} if node.batched else {"fixed": True, "rows": node.rows}
        self.emit("activate", kernel=f"{node.activation}_forward", out=self.place(node), x=self.values[x], n_out=width,
                  group=node.size // width if node.batched else 1, **size)

    def lower_activation_gradient(self, node):
        dy, v = node.inputs
        width = node.shape[-1] if node.shape else 1
        size = {} if node.batched else {"fixed": True, "rows": node.rows}
        self.emit("activation_gradient", kernel=f"{node.activation}_backward", out=self.place(node), x=self.values[v],
                  y=self.values[dy], n_out=width, group=node.size // width if node.batched else 1, **size)

    def lower_input_gradient(self, node):
        dz, W = node.inputs
        self.emit(
            "input_gradient",
            out=self.place(node),
            y=self.values[dz],
            W=self.matrix(W),
            n_in=W.shape[0],
            n_out=W.shape[1],
            panels="shared" if self.tiles and W.op == "parameter" else "own",
            panels_size=self.panels_size(W.shape[1], W.shape[0]),
        )

    def lower_matmul(self, node):
        A, B = node.inputs
        self.emit("matmul", fixed=True, out=self.place(node), x=self.matrix(A), y=self.matrix(B), rows=node.rows,
                  n_in=A.shape[1], n_out=node.width)

    def lower_transpose(self, node):
        A = node.inputs[0]
        self.emit("transpose", fixed=True, kernel="copy", out=self.place(node), x=self.matrix(A), rows=node.rows,
                  n_out=node.width)

    def lower_gather(self, node):
        table, index = node.inputs
        self.emit("embed", kernel="embed", out=self.place(node), x=self.values[index], W=self.matrix(table),
                  n_out=node.size)

    def lower_dropout(self, node):
        x = node.inputs[0]
        if not self.training:
            if node in self.results:
                self.copied(node, x)
            else:
                self.values[node] = self.values[x]
            return
        self.emit("dropout", kernel="dropout", out=self.place(node), x=self.values[x], n_out=node.size, param=node.rate,
                  number=self.number_of(node.mask))

    def number_of(self, mask):
        """The mask's number, or the next one that is free: a layer that is called twice drops differently each time."""
        if mask not in self.masks:
            taken = set(self.masks.values())
            self.masks[mask] = next(n for n in count(mask.number) if n not in taken)
        return self.masks[mask]

    def panels_size(self, k, n):
        return k * -(-n // self.panel) * self.panel

    # ---- sums over the batch ---------------------------------------------------------------------------------------

    def by_range(self, node):
        """Whether a sum that is a parameter's whole gradient is made by range, from the rows of the whole batch."""
        return self.tiles and self.destinations[node].whole

    def lower_weight_gradient(self, node):
        x, dz = node.inputs
        self.sum_up(node, Operation("weight_gradient", x=self.values[x], y=self.values[dz], n_in=x.size, n_out=dz.size,
                                    partial_ld=dz.size))

    def lower_batch_sum(self, node):
        x = node.inputs[0]
        fields = self.factors(x)
        self.sum_up(node, Operation("batch_sum", kernel="sum_product", n_out=x.size, partial_ld=x.size,
                                    y=fields["a"].value, **fields))

    def factors(self, x):
        """The operands of a sum over x: x itself, or the factors of a product that is made nowhere else."""
        if x not in self.absorbed:
            return {"a": Operand(self.values[x], True, 1)}
        nodes = x.inputs * 2 if x.op == "square" else x.inputs
        steps = layout(True, x.shape, nodes)[2]
        return {name: Operand(self.values[one], *step) for name, one, step in zip("ab", nodes, steps, strict=True)}

    def lower_scatter(self, node):
        dy, index = node.inputs
        self.sum_up(node, Operation("scatter", kernel="scatter_add", x=self.values[index], y=self.values[dy],
                                    n_in=node.shape[0], n_out=node.shape[1], partial_ld=node.shape[1]))

    def sum_up(self, node, operation):
        """Puts a sum over the batch where it is wanted: a parameter's gradient, or a fixed value of the next sweep."""
        destination = self.destinations.get(node)
        if destination is not None and self.by_range(node):
            self.sources[destination.parameter].operations.append(len(self.program.gradients))
            self.program.gradients.append(operation)
            return
        rows = self.rows_lists[self.now]
        if destination is None:
            operation.partial, zero = self.extra(node.size), node.op == "scatter"
            self.emit("combine", fixed=True, at=self.now + 1, kernel="combine", out=self.place(node), rows=1,
                      n_out=node.size, partial=operation.partial)
        else:
            source, parameter = self.sources[destination.parameter], destination.parameter
            # several sums, or sums of parts, are added to zeros
            zero = source.partial is None and not (len(source.sums) == 1 and destination.whole and node.op != "scatter")
            if source.partial is None:
                source.partial = self.extra(parameter.size) if self.tiles else self.offsets[parameter]
            operation.partial, operation.partial_ld = source.partial + destination.offset, destination.ld
            if zero:
                self.rows_lists[0].insert(0, Operation("zero", partial=source.partial, n_out=parameter.size))
            operation.begins = len(source.sums) == 1 and destination.whole and node.op != "scatter"
            self.program.partials = True
            rows.append(operation)
            return
        if zero:
            rows.append(Operation("zero", partial=operation.partial, n_out=node.size))
        operation.begins = not zero
        rows.append(operation)

    def extra(self, size):
        """Room for `size` more sums in the slices' vectors, beside those of the parameters."""
        self.program.extra += size
        return self.program.size + self.program.extra - size

    def lower_total(self, node):
        x = node.inputs[0]
        scale = node.scale / float(self.program.batch) ** node.per_batch
        self.emit("total", kernel="total", n_out=x.size, scale=scale, sums=self.new_sum(node), **self.factors(x))
        self.finish_sum(node)

    def lower_loss(self, node):
        self.make_loss(node)
        self.finish_sum(node)

    def lower_loss_gradient(self, node):
        self.make_loss(node.loss)
        self.values[node] = self.losses[node.loss]

    def make_loss(self, node):
        """The loss and its gradient, which are made together, once."""
        if node in self.losses:
            return
        y, target, *weights = node.inputs
        function, labels = node.function, bool(target.attributes.get("integer"))
        out = self.value(self.rows_mode, y.size) if node in self.has_gradient else None
        self.losses[node] = out
        self.emit(
            "loss",
            kernel=f"{function.kernel(labels)}_loss",
            out=out,
            x=self.values[y],
            y=self.values[target],
            w=self.values[weights[0]] if weights else None,
            n_out=y.size,
            param=function.param,
            scale=function.scale(self.program.batch, y.size),
            sums=self.new_sum(node),
        )

    def new_sum(self, node):
        self.sums[node] = self.program.sums
        self.program.sums += 1
        return self.sums[node]

    def finish_sum(self, node):
        """The total of all slices as a fixed value, where anything reads it."""
        if self.consumers[id(node)] or node in self.wanted:
            self.emit("finish_total", fixed=True, at=self.now + 1, out=self.place(node), rows=1, sums=self.sums[node])

    def lower_penalty(self, node):
        """A range's penalty is added, and its gradient too, while the range is warm: see updates.finish_gradient."""

    def lower_penalty_gradient(self, node):
        """See lower_penalty."""

    # ---- what the caller wants -------------------------------------------------------------------------------------

    def take_results(self, forward, loss):
        for node, name in self.results.items():
            if node.batched and name not in self.program.data:  # rows that lie elsewhere: an input, or a loss's gradient
                self.program.data[name] = out = self.value("direct", node.width)
                self.copy_columns(out, 0, self.values[node], 0, node.width)
            elif not node.batched:
                value = self.program.values[self.values[node]]
                own = value.mode == "fixed" and value.source is None
                self.program.data[name] = self.values[node] if own else self.contiguous(node)
        if loss is not None:
            self.program.root = (self.sums[loss], None) if loss in self.sums else (None, self.values[loss])

    def make_ranges(self):
        for source in self.sources.values():
            values = [self.values[node] for node in source.values]
            if len(values) > 1:
                width = source.values[0]
                total = self.value("fixed", width.width, rows=width.rows, ld=width.width)
                for value in values[1:]:
                    self.emit("map", kernel="add", fixed=True, out=total, rows=width.rows, n_out=width.width,
                              a=Operand(values[0], width.rows > 1, 1), b=Operand(value, width.rows > 1, 1))
                    values[0] = total
            elif values:
                values[0] = self.matrix(source.values[0])
            source.values = values[:1]
        self.program.ranges = ranges.cut(self.sources, self.offsets, self.tiles)

    def put_in_order(self):
        program = self.program
        for fixed, rows in zip(self.fixed_lists, self.rows_lists, strict=True):
            before = len(program.fixed), len(program.operations)
            program.fixed += fixed
            program.operations += rows
            program.sweeps.append(Sweep(before[0], len(program.fixed), before[1], len(program.operations)))

    def make_packings(self):
        for i, operation in enumerate(self.program.operations):
            if operation.panels == "shared":
                columns = operation.n_in if operation.name == "input_gradient" else operation.n_out
                self.program.packings += [(i, j) for j in range(0, columns, self.panel)]


# ---- the graph in order --------------------------------------------------------------------------------------------


def _consumers(order):
    """{id(node): the nodes that read it, once for each time}."""
    found = {id(node): [] for node in order}
    for node in order:
        for child in node.inputs:
            found[id(child)].append(node)
    return found


def _levels(order):
    """({node: the sweep it is computed in}, the number of sweeps). What a sum over the batch gives is there a sweep later."""
    made, ready, most = {}, {}, 0
    for node in order:
        made[node] = max((ready[child] for child in node.inputs), default=0)
        ready[node] = made[node] + (node.op in SUMS)
        most = max(most, ready[node])
    return made, most + 1


def _others(node, child):
    """The inputs of a binary node besides one of them."""
    a, b = node.inputs
    return (b,) if a is child else (a,)


def _lines(begins, shape, whole):
    """[(row, where it begins)] of a block of this shape in a sample's numbers of shape `whole`."""
    if len(shape) == 1:
        return [(0, begins[0])]
    return [(i, (begins[0] + i) * whole[1] + begins[1]) for i in range(shape[0])]


