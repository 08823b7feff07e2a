"""How the caller's rows come into a program: read where they lie, gathered, or converted - and prefetched a step ahead.

The functions read the Context's request (data), graph and partition; each names what it writes.
"""

from fastbp._compiler import partitioning


def bring_in(c, name):
    """The rows of the input `name`, as its array gives them: where they lie, one after another or in an order of their
    own; gathered; or converted, which gathers too. Writes program.data, callers, and split_columns where they are
    split."""
    width, itemsize, gathered, dtype, _, any_stride = c.request.data[name]
    in_place = gathered and dtype is None and not any_stride and _in_place(c, name, width * itemsize)
    rows = c.program.data[name] = c.value("ordered" if in_place else "direct", width, itemsize)
    cut = c.partition.split_product
    if cut is None or cut.inputs[0].name != name:
        c.callers[name] = _read(c, name, rows, None, in_place)
        return
    for number, begin, columns in c.partition.splits:
        c.split_columns[number] = _read(c, name, c.part(rows, begin, columns), number, in_place)
    c.callers[name] = None  # readers of column splits find them in split_columns, not here


def _read(c, name, x, split, in_place):
    """Where the caller's rows x, or a split of their columns, are read from: a value. Writes the operation that brings
    them there, and readers; any_stride, where rows that lie at any distance are read as they are.

    The copies of column splits lie apart in memory. Side by side, the adjacent-line prefetcher of one core would pull
    lines that another core writes (digits16 from bytes on Zen 4: 43 us, apart 35).
    """
    _, itemsize, gathered, dtype, scale, any_stride = c.request.data[name]
    if dtype is None and not gathered:
        if any_stride:
            c.any_stride.add(x)
        return x
    columns = c.program.values[x].width
    fields = {"split": split, "x": x, "prefetch": columns * itemsize <= partitioning.SHORT_ROW}
    out = x
    if in_place:
        operation = c.emit("prefetch", n_out=columns * itemsize, **fields)
    elif dtype is None:
        out = c.value(c.partition.rows_mode, columns, itemsize)
        operation = c.emit("gather_rows", out=out, n_out=columns * itemsize, **fields)
    else:
        out, kernel = c.value(c.partition.rows_mode, columns), f"convert_{dtype}"
        operation = c.emit("convert", kernel=kernel, out=out, n_in=itemsize, n_out=columns, scale=scale, **fields)
    c.readers.setdefault(name, []).append(operation)
    return out


def _in_place(c, name, row_bytes):
    """Whether the gather of these rows can be left out: GEMM reads rows through an index, as fast as from a copy if
    they were prefetched a step ahead. So all readers must be GEMMs, and the rows long enough to be prefetched in
    parts. If so, they become the rows that GEMMs prefetch: writes prefetched. digits16 on Zen 4: 49.7 -> 39.3 us."""
    nodes = [node for node in c.graph.inputs if node.name == name]
    products = all(
        reader.op in ("dense", "weight_gradient") and reader.inputs[1] is not node
        for node in nodes
        for reader in c.graph.consumers[id(node)]
    )
    if not nodes or not products or c.prefetched is not None or row_bytes <= partitioning.SHORT_ROW:
        return False
    if not _products_prefetch(c) or c.graph.wanted.intersection(nodes):
        return False
    c.prefetched = nodes[0]
    return True


def _products_prefetch(c):
    """Whether GEMMs prefetch the next step's rows: not in the tile-parallel scheme, whose products take so long that it
    makes no difference."""
    return c.partition.splits or not c.partition.by_range


def prefetch(c, x):
    """Whether the product at hand, which reads the rows x, prefetches those of the next step meanwhile: not where x is
    not gathered, or short, or another input is prefetched already. Writes prefetched, and `prefetch` of the operations
    that bring x in."""
    readers = c.readers.get(x.name, []) if x.op == "data" else []
    if not _products_prefetch(c) or (c.prefetched is not None and c.prefetched is not x) or not readers:
        return False
    if c.prefetched is None and readers[0].prefetch:
        return False
    c.prefetched = x
    for operation in readers:
        operation.prefetch = True
    return True
