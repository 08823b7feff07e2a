"""How the operations of a graph are written into a program: one method for each kind of operation."""

from fastbp._compiler import partitioning
from fastbp._compiler.program import Operand, Operation, Value
from fastbp._ir.node import OPERATIONS, layout


class Rules:
    """The methods of a lowering (fastbp._compiler.lowering) that write operations; a node's row in OPERATIONS names its
    kind.

    values: {node: index of its value}. now: the sweep at hand. Every method leaves its node in `values`, or has a
    reason.
    """

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
        """The caller's rows: where they lie, one after another or in an order of their own; gathered; or converted,
        which gathers too."""
        width, itemsize, gathered, dtype, _, anyhow = self.data[name]
        in_place = gathered and dtype is None and not anyhow and self.in_place(name, width * itemsize)
        source = self.program.data[name] = self.value("ordered" if in_place else "direct", width, itemsize)
        if self.cut is None or self.cut.inputs[0].name != name:
            self.callers[name] = self.rows_read(name, source, None, in_place)
            return
        for number, begin, columns in self.shares:
            self.share_columns[number] = self.rows_read(name, self.part(source, begin, columns), number, in_place)
        self.callers[name] = None  # shares are in memory of their own, and who reads them knows them apart

    def rows_read(self, name, x, share, in_place):
        """Where the caller's rows x, or a share of their columns, are read from: a value.

        Copies of shares lie apart. Side by side, the lines beside those that one thread reads, which the hardware
        fetches along, are what another one writes: digits16 from bytes 43 -> 35 us.
        """
        _, itemsize, gathered, dtype, scale, anyhow = self.data[name]
        if dtype is None and not gathered:
            if anyhow:
                self.anyhow.add(x)
            return x
        columns = self.program.values[x].width
        fields = {"share": share, "x": x, "ahead": columns * itemsize <= partitioning.SHORT_ROW}
        out = x
        if in_place:
            operation = self.emit("ask", n_out=columns * itemsize, **fields)
        elif dtype is None:
            out = self.value(self.rows_mode, columns, itemsize)
            operation = self.emit("gather", out=out, n_out=columns * itemsize, **fields)
        else:
            out, kernel = self.value(self.rows_mode, columns), f"convert_{dtype}"
            operation = self.emit(
                "convert", kernel=kernel, out=out, n_in=itemsize, n_out=columns, scale=scale, **fields
            )
        self.readers.setdefault(name, []).append(operation)
        return out

    def in_place(self, name, row_bytes):
        """Whether products read the caller's rows where they lie, in any order: they do it as fast as from a copy when
        the rows were asked for a step ahead, and nothing else can. If so, they are what is asked for. digits16: 49.7 ->
        39.3 us."""
        nodes = [node for node in self.inputs if node.name == name]
        products = all(
            reader.op in ("dense", "weight_gradient") and reader.inputs[1] is not node
            for node in nodes
            for reader in self.consumers[id(node)]
        )
        if not nodes or not products or self.ahead is not None or row_bytes <= partitioning.SHORT_ROW:
            return False
        if not self.products_ask() or self.wanted.intersection(nodes):
            return False
        self.ahead = nodes[0]
        return True

    def products_ask(self):
        """Whether products ask for the next step's rows: not where they take so long that it does not matter."""
        return self.shares or not self.tiles

    def ask_ahead(self, x):
        """Whether the product at hand, which reads the rows x, asks for those of the next step meanwhile: not where x
        is not gathered, or short."""
        readers = self.readers.get(x.name, []) if x.op == "data" else []
        if not self.products_ask() or (self.ahead is not None and self.ahead is not x) or not readers:
            return False
        if self.ahead is None and readers[0].ahead:
            return False
        self.ahead = x
        for operation in readers:
            operation.ahead = True
        return True

    def emit(self, name, *, fixed=False, at=None, share=None, **fields):
        """Adds an operation to the sweep at hand, over rows, or over what is fixed; or to a share."""
        operation = Operation(name, **fields)
        if share is not None:
            self.share_lists[share].append(operation)
        else:
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
                if (
                    child.op not in ("multiply", "square")
                    or len(self.consumers[id(child)]) != 1
                    or child in self.wanted
                ):
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
        fields = dict(zip("abc", self.read(node, nodes, steps), strict=False))
        if node.batched:
            return {"group": group, "n_out": width, **fields}
        return {"fixed": True, "rows": group, "n_out": width, **fields}

    def read(self, node, nodes, steps):
        """The operands of an operation of this node's kind. What a row of a sample meets is one row: no part of a
        matrix."""
        values = [self.matrix(one) if node.batched else self.values[one] for one in nodes]
        return [Operand(value, *step) for value, step in zip(values, steps, strict=True)]

    def lower_map(self, node):
        if node in self.absorbed:
            return
        nodes, kernel = node.inputs, OPERATIONS[node.op].kernel
        if node.op == "expand":  # what it stands beside does not change it
            nodes = nodes[:1]
        product = next((child for child in nodes if self.absorbed.get(child) is node), None)
        if product is not None:
            nodes, kernel = (*product.inputs, *_others(node, product)), "multiply_add"
        fields = self.operands(node, nodes)
        self.emit("map", kernel=kernel, out=self.place(node), param=node.attributes.get("param", 0.0), **fields)

    def lower_row_reduce(self, node):
        x = node.inputs[0]
        kernel = OPERATIONS[node.op].kernel
        self.emit("row_reduce", kernel=kernel, out=self.place(node), x=self.values[x], **lines(x))

    def lower_column_sum(self, node):
        x = node.inputs[0]
        self.emit(
            "column_sum",
            fixed=True,
            kernel="sum_product",
            out=self.place(node),
            x=self.values[x],
            rows=x.rows,
            n_out=x.width,
        )

    def lower_reshape(self, node):
        x = node.inputs[0]
        if node in self.results and node.batched:
            return self.copied(node, x)
        if not node.batched:
            self.values[node] = self.part(self.matrix(x), 0, node.width, node.rows, node.width)
            return
        value = self.touching(self.values[x]) if len(node.shape) > 1 else self.values[x]
        root = self.program.values[self.program.root_of(value)]
        root.padded = root.padded and len(node.shape) == 1 == len(x.shape)
        self.values[node] = self.part(value, 0, node.width)

    def touching(self, value):
        """A value whose rows follow each other, as lines of matrices and the weights of samples must: the value itself,
        or a copy of the caller's rows where these may lie anyhow."""
        if self.program.root_of(value) not in self.anyhow:
            return value
        width = self.program.values[value].width
        copy = self.value(self.rows_mode, width, padded=False)
        self.copy_columns(copy, 0, value, 0, width)
        self.own_slots.add(copy)
        return copy

    def matrix(self, x):
        """The value of something fixed, its rows one after another: a part of a matrix is copied first."""
        value = self.program.values[self.values[x]]
        if value.rows > 1 and value.ld != x.width:
            self.values[x] = self.contiguous(x)
        return self.values[x]

    def contiguous(self, x):
        index = self.value("fixed", x.width, rows=x.rows, ld=x.width)
        self.copy_fixed(index, x)
        return index

    def copy_fixed(self, out, x):
        """The numbers of something fixed, copied into a block of the same shape."""
        self.map_fixed("copy", x, out, a=self.values[x])

    def map_fixed(self, kernel, node, out, **values):
        """An elementwise operation on fixed values that all have the shape of a node."""
        operands = {name: Operand(value, node.rows > 1, 1) for name, value in values.items()}
        self.emit("map", kernel=kernel, fixed=True, out=out, rows=node.rows, n_out=node.width, **operands)

    # ---- parts -----------------------------------------------------------------------------------------------------

    def copied(self, node, x):
        """The rows of x, as one matrix, copied to where the node's are wanted."""
        self.copy_columns(self.place(node), 0, self.values[x], 0, node.width)

    def copy_columns(self, out, at, x, begin, width):
        self.emit(
            "map",
            kernel="copy",
            out=out if not at else self.part(out, at, width),
            n_out=width,
            a=Operand(self.part(x, begin, width), True, 1),
        )

    def fill(self, out, at, width):
        zero = self.value("fixed", 1, ld=1, initial=0.0)
        self.emit(
            "map",
            kernel="copy",
            out=out if not at else self.part(out, at, width),
            n_out=width,
            a=Operand(zero, False, 0),
        )

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
        self.emit(
            "map", kernel="copy", fixed=True, out=out, a=Operand(zero, False, 0), rows=node.rows, n_out=node.width
        )
        begin = node.begins[0] * node.width + node.begins[1] if len(node.begins) == 2 else node.begins[0]
        self.copy_fixed(self.part(out, begin, x.width, x.rows), x)

    def lower_concat(self, node):
        out, begin = self.place(node), 0
        for x in node.inputs:
            if node.batched:
                for i, (_, at) in enumerate(_lines((0, begin)[-len(x.shape) :], x.shape, node.shape)):
                    self.copy_columns(out, at, self.values[x], i * x.shape[-1], x.shape[-1])
            else:
                self.copy_fixed(self.part(out, begin, x.width, x.rows), x)
            begin += x.shape[-1]


def lines(node):
    """The fields of an operation that goes along the last axis of a node, line by line."""
    width = node.shape[-1] if node.shape else 1
    if node.batched:
        return {"group": node.size // width, "n_out": width}
    return {"fixed": True, "rows": node.rows, "n_out": width}


def _others(node, child):
    """The inputs of a binary node besides one of them."""
    a, b = node.inputs
    return (b,) if a is child else (a,)


def _lines(begins, shape, whole):
    """[(row, where it begins)] of a block of this shape in a sample's numbers of shape `whole`."""
    if len(shape) == 1:
        return [(0, begins[0])]
    return [(i, (begins[0] + i) * whole[1] + begins[1]) for i in range(shape[0])]
