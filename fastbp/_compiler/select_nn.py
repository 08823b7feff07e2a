"""How products, activations and dropout are written into a program: a function for each kind of node.

A rule reads its inputs' values of the Context `c`, emits what it needs, and writes its node's value.
"""

from fastbp._compiler import fusion, partitioning
from fastbp._compiler.input_rows import prefetch
from fastbp._compiler.program import Operand
from fastbp._compiler.select_elementwise import lines

# ---- products of rows ----------------------------------------------------------------------------------------------


def dense(c, node):
    """A product with its bias, and the activation that reads it (fusion.activation_of), whose value it makes; the
    product itself is kept beside where it is wanted. Reads partition.split_product, which goes by splits; may
    prefetch."""
    x, W = node.inputs[:2]
    activation, keeps = fusion.activation_of(node, c.graph)
    name, out = ("linear", node) if activation is None else (activation.activation, activation)
    kept = c.place(node) if keeps else None
    if node is c.partition.split_product:
        _by_splits(c, node, name, out, kept)
        return
    bytes_ = W.size * c.request.itemsize
    large = (
        c.partition.by_range
        and W.op == "parameter"
        and bytes_ > partitioning.PACKED_B_BYTES
        and W.width * c.request.itemsize > partitioning.PACKED_B_ROW
        and c.program.batch > c.request.nr
    )
    c.emit(
        "dense",
        kernel=f"{name}_forward",
        out=c.place(out),
        kept=kept,
        x=c.values[x],
        W=c.matrix(W),
        bias=_bias(c, node),
        n_in=W.shape[0],
        n_out=W.shape[1],
        packed_b="shared" if large else None,
        packed_a=partitioning.packs_a(c.program.batch, W.shape[1]),
        prefetch=prefetch(c, x),
    )


def _bias(c, node):
    return c.values[node.inputs[2]] if len(node.inputs) == 3 else None


def _by_splits(c, node, name, out, kept):
    """Split-K: the product of each column split; they are added up before the activation. Reads split_columns; writes
    split_lists."""
    (x, W), units = node.inputs[:2], node.inputs[1].width
    terms = []
    for number, begin, columns in c.partition.splits:
        terms.append(c.value("shared", units, padded=False))
        c.emit(
            "dense",
            split=number,
            out=terms[-1],
            x=c.split_columns[number],
            W=c.part(c.values[W], begin * units, units, rows=columns),
            n_in=columns,
            n_out=units,
            prefetch=prefetch(c, x),
        )
    place = c.place(out)
    for a, b in zip([terms[0], *[place] * (len(terms) - 2)], terms[1:], strict=True):
        c.emit("map", kernel="add", out=place, n_out=units, a=Operand(a, True, 1), b=Operand(b, True, 1))
    kernel, bias = f"{name}_forward", _bias(c, node)
    c.emit("activate", kernel=kernel, out=place, kept=kept, x=place, bias=bias, n_out=units)


def input_gradient(c, node):
    """dz W^T, by packed W^T: a copy that all threads read is packed by who updates W, so only of a parameter."""
    dz, W = node.inputs
    c.emit(
        "input_gradient",
        out=c.place(node),
        y=c.values[dz],
        W=c.matrix(W),
        n_in=W.shape[0],
        n_out=W.shape[1],
        packed_b="shared" if c.partition.by_range and W.op == "parameter" else "own",
        packed_a=partitioning.packs_a(c.program.batch, W.shape[0]),
    )


def outer(c, node):
    """Each sample's own x^T dz, of all pairs of them, added up in the node's place, and what is added besides."""
    out, pairs, besides = c.place(node), 2 * node.pairs, None
    for other in node.inputs[pairs:]:
        besides = Operand(c.values[other] if other.batched else c.matrix(other), other.batched, 1)
    for x, dz in zip(node.inputs[:pairs:2], node.inputs[1:pairs:2], strict=True):
        kernel = "multiply_add" if besides else "multiply"
        fields = {"x": c.values[x], "y": c.values[dz], "c": besides, "n_in": x.size, "n_out": dz.size}
        c.emit("outer", kernel=kernel, out=out, **fields)
        besides = Operand(out, True, 1)


def gather(c, node):
    """Rows of a table, by numbers that the caller gives."""
    table, index = node.inputs
    c.emit(
        "embedding_lookup",
        kernel="embedding_lookup",
        out=c.place(node),
        x=c.values[index],
        W=c.matrix(table),
        n_out=node.size,
    )


# ---- products of what is batch-invariant -----------------------------------------------------------------------------


def matmul(c, node):
    A, B = node.inputs
    out, x, y = c.place(node), c.matrix(A), c.matrix(B)
    c.emit("matmul", invariant=True, out=out, x=x, y=y, rows=node.rows, n_in=A.shape[1], n_out=node.width)


def transpose(c, node):
    out, x = c.place(node), c.matrix(node.inputs[0])
    c.emit("transpose", invariant=True, kernel="copy", out=out, x=x, rows=node.rows, n_out=node.width)


# ---- activations and dropout ---------------------------------------------------------------------------------------


def activation(c, node):
    if node in c.values:  # the product made it
        return
    kernel, x = f"{node.activation}_forward", c.values[node.inputs[0]]
    c.emit("activate", kernel=kernel, out=c.place(node), x=x, **lines(node))


def activation_gradient(c, node):
    dy, v = (c.values[child] for child in node.inputs)
    kernel = f"{node.activation}_backward"
    c.emit("activation_gradient", kernel=kernel, out=c.place(node), x=v, y=dy, **lines(node))


def dropout(c, node):
    """Reads request.training, without which nothing drops: then its input's value, or a copy where it is wanted."""
    x = node.inputs[0]
    if c.request.training:
        number = c.graph.masks[node.mask]
        fields = {"n_out": node.size, "param": node.rate, "number": number}
        c.emit("dropout", kernel="dropout", out=c.place(node), x=c.values[x], **fields)
    elif node in c.request.results:
        c.copied(node, x)
    else:
        c.values[node] = c.values[x]


RULES = {
    "dense": dense,
    "input_gradient": input_gradient,
    "outer": outer,
    "gather": gather,
    "matmul": matmul,
    "transpose": transpose,
    "activation": activation,
    "activation_gradient": activation_gradient,
    "dropout": dropout,
}
