"""How leaves, elementwise operations and parts are written into a program: a function for each kind of node.

A rule reads its inputs' values of the Context `c`, emits what it needs, and writes its node's value.
"""

from fastbp._compiler.fusion import others
from fastbp._compiler.program import Operand
from fastbp._ir.node import OPERATIONS

# ---- leaves --------------------------------------------------------------------------------------------------------


def data(c, node):
    """The caller's rows are there already (callers); an invariant array is a place that the caller writes into."""
    if node.batched:
        c.values[node] = c.callers[node.name]
    else:
        c.program.data[node.name] = c.place(node)


def parameter(c, node):
    c.values[node] = c.value("parameter", node.width, rows=node.rows, ld=node.width, offset=c.request.offsets[node])


def constant(c, node):
    c.program.values[c.place(node)].initial = node.value / float(c.program.batch) ** node.per_batch


# ---- elementwise ---------------------------------------------------------------------------------------------------


def map_(c, node):
    """An elementwise operation; nothing, where its reader takes its factors (fused). An expansion reads its first
    input alone: what it stands beside does not change it."""
    if node in c.fused:
        return
    nodes, kernel = node.inputs, OPERATIONS[node.op].kernel
    if node.op == "expand":
        nodes = nodes[:1]
    product = next((child for child in nodes if c.fused.get(child) is node), None)
    if product is not None:
        nodes, kernel = (*product.inputs, *others(node, product)), "multiply_add"
    fields = c.operands(node, nodes)
    c.emit("map", kernel=kernel, out=c.place(node), param=node.attributes.get("param", 0.0), **fields)


def row_reduce(c, node):
    x = node.inputs[0]
    kernel = OPERATIONS[node.op].kernel
    c.emit("row_reduce", kernel=kernel, out=c.place(node), x=c.values[x], **lines(x))


def column_sum(c, node):
    x = node.inputs[0]
    fields = {"kernel": "sum_product", "out": c.place(node), "x": c.values[x], "rows": x.rows, "n_out": x.width}
    c.emit("column_sum", invariant=True, **fields)


def lines(node):
    """The fields of an operation that goes along the last axis of a node, line by line."""
    width = node.shape[-1] if node.shape else 1
    if node.batched:
        return {"group": node.size // width, "n_out": width}
    return {"invariant": True, "rows": node.rows, "n_out": width}


# ---- the same numbers in another shape -----------------------------------------------------------------------------


def reshape(c, node):
    """The same memory, where the rows follow each other (touching, matrix) and are not wanted elsewhere."""
    x = node.inputs[0]
    if node in c.request.results and node.batched:
        c.copied(node, x)
        return
    if not node.batched:
        c.values[node] = c.part(c.matrix(x), 0, node.width, node.rows, node.width)
        return
    value = c.touching(c.values[x]) if len(node.shape) > 1 else c.values[x]
    root = c.program.values[c.program.root_of(value)]
    root.padded = root.padded and len(node.shape) == 1 == len(x.shape)
    c.values[node] = c.part(value, 0, node.width)


# ---- parts ---------------------------------------------------------------------------------------------------------


def slice_(c, node):
    """Of something batch-invariant: the same memory. Of a sample: a copy of its columns, line by line."""
    x = node.inputs[0]
    if not node.batched:
        columns = node.begins[-1] if node.begins else 0
        first = node.begins[0] * c.program.values[c.values[x]].ld if len(node.begins) == 2 else 0
        c.values[node] = c.part(c.values[x], first + columns, node.width, node.rows)
        return
    out, width = c.place(node), node.shape[-1]
    for i, begin in enumerate(_begins(node.begins, node.shape, x.shape)):
        c.copy_columns(out, i * width, c.values[x], begin, width)


def pad(c, node):
    """Zeros, and x copied into them."""
    x = node.inputs[0]
    out = c.place(node)
    zero = Operand(c.zero(), False, 0)
    if node.batched:
        c.emit("map", kernel="copy", out=out, n_out=node.width, a=zero)
        for i, begin in enumerate(_begins(node.begins, x.shape, node.shape)):
            c.copy_columns(out, begin, c.values[x], i * x.shape[-1], x.shape[-1])
        return
    c.emit("map", kernel="copy", invariant=True, out=out, a=zero, rows=node.rows, n_out=node.width)
    begin = node.begins[0] * node.width + node.begins[1] if len(node.begins) == 2 else node.begins[0]
    c.copy_invariant(c.part(out, begin, x.width, x.rows), x)


def concat(c, node):
    """Each input copied to its columns."""
    out, begin = c.place(node), 0
    for x in node.inputs:
        if node.batched:
            for i, at in enumerate(_begins((0, begin)[-len(x.shape) :], x.shape, node.shape)):
                c.copy_columns(out, at, c.values[x], i * x.shape[-1], x.shape[-1])
        else:
            c.copy_invariant(c.part(out, begin, x.width, x.rows), x)
        begin += x.shape[-1]


def _begins(begins, shape, whole):
    """Where each line of a block of this shape begins, in a sample's numbers of shape `whole`."""
    if len(shape) == 1:
        return [begins[0]]
    return [(begins[0] + i) * whole[1] + begins[1] for i in range(shape[0])]


RULES = {
    "data": data,
    "parameter": parameter,
    "constant": constant,
    "map": map_,
    "row_reduce": row_reduce,
    "column_sum": column_sum,
    "reshape": reshape,
    "slice": slice_,
    "pad": pad,
    "concat": concat,
}
