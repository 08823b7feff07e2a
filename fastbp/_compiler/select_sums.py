"""How losses and sums over the batch are written into a program: a function for each kind of node.

A sum over the batch is added up where it is wanted: in a parameter's place of the slices' vectors, range by range from
the rows of the whole batch, or in room of its own, from which the next sweep reads it.
"""

from fastbp._compiler import partitioning
from fastbp._compiler.input_rows import prefetch
from fastbp._compiler.program import Operand, Operation
from fastbp._ir.node import layout

# ---- sums of rows --------------------------------------------------------------------------------------------------


def weight_gradient(c, node):
    """x^T dz. Where x goes by splits (partition.split_product), each makes its own rows of the gradient."""
    x, dz = node.inputs
    fields = {"y": c.values[dz], "n_out": dz.size, "partial_ld": dz.size, "prefetch": prefetch(c, x)}
    cut = c.partition.split_product
    if cut is not None and x is cut.inputs[0]:
        for number, begin, columns in c.partition.splits:
            split = Operation("weight_gradient", x=c.split_columns[number], n_in=columns, **fields)
            c.make_by_range(cut.inputs[1], split, begin, columns)
        return
    packed_a = partitioning.packs_a(x.size, dz.size)
    _sum_up(c, node, Operation("weight_gradient", x=c.values[x], n_in=x.size, packed_a=packed_a, **fields))


def batch_sum(c, node):
    x = node.inputs[0]
    fields = _factors(c, x)
    fields |= {"y": fields["a"].value, "n_out": x.size, "partial_ld": x.size}
    _sum_up(c, node, Operation("batch_sum", kernel="sum_product", **fields))


def scatter(c, node):
    """The rows of dy, added to those of a table that they were read from."""
    dy, index = node.inputs
    fields = {"x": c.values[index], "y": c.values[dy], "n_in": node.shape[0], "n_out": node.shape[1]}
    _sum_up(c, node, Operation("scatter", kernel="scatter_add", partial_ld=node.shape[1], **fields))


def _factors(c, x):
    """The operands of a sum over x: x itself, or the factors of a product that is made nowhere else (fused)."""
    if x not in c.fused:
        return {"a": Operand(c.values[x], True, 1)}
    nodes = x.inputs * 2 if x.op == "square" else x.inputs
    steps = layout(True, x.shape, nodes)[2]
    return dict(zip("ab", c.read(x, nodes, steps), strict=True))


def _sum_up(c, node, operation):
    """Puts a sum over the batch where it is wanted: a parameter's gradient, or an invariant value of the next sweep.
    Reads graph.destinations."""
    destination = c.graph.destinations.get(node)
    if destination is None:
        _for_next_sweep(c, node, operation)
    elif c.by_range(node):
        c.make_by_range(destination.parameter, operation, 0, destination.parameter.size)
    else:
        _into_gradient(c, node, operation, destination)


def _for_next_sweep(c, node, operation):
    """The sum has room of its own, and the next sweep begins with adding up the slices' parts of it. A scatter adds to
    what is there, so it begins with zeros."""
    operation.partial, operation.begins = c.extra(node.size), node.op != "scatter"
    fields = {"out": c.place(node), "rows": 1, "n_out": node.size, "partial": operation.partial}
    c.emit("reduce_partials", invariant=True, at=c.now + 1, kernel="reduce_partials", **fields)
    if not operation.begins:
        c.emit("zero", partial=operation.partial, n_out=node.size)
    c.rows_lists[c.now].append(operation)


def _into_gradient(c, node, operation, destination):
    """The sum is added in its parameter's place of the slices' vectors; writes the GradientTerms's partial. The only
    sum, if it is all of the gradient, begins there; several, and parts, are added to zeros, which come first of all."""
    parameter = destination.parameter
    terms = c.graph.gradient_terms[parameter]
    operation.begins = len(terms.sums) == 1 and destination.whole and node.op != "scatter"
    if terms.partial is None:
        terms.partial = c.extra(parameter.size) if c.partition.by_range else c.request.offsets[parameter]
        if not operation.begins:
            c.rows_lists[0].insert(0, Operation("zero", partial=terms.partial, n_out=parameter.size))
    operation.partial, operation.partial_ld = terms.partial + destination.offset, destination.ld
    c.program.partials = True
    c.rows_lists[c.now].append(operation)


# ---- sums of single numbers ----------------------------------------------------------------------------------------


def total(c, node):
    x = node.inputs[0]
    scale = node.scale / float(c.program.batch) ** node.per_batch
    c.emit("total", kernel="total", n_out=x.size, scale=scale, sums=c.new_sum(node), **_factors(c, x))
    _finish(c, node)


def loss(c, node):
    _make_loss(c, node)
    _finish(c, node)


def loss_gradient(c, node):
    _make_loss(c, node.loss)
    c.values[node] = c.losses[node.loss]


def _make_loss(c, node):
    """The loss and its gradient, which are made together, once: writes losses and sums."""
    if node in c.losses:
        return
    y, target, *weights = node.inputs
    function, labels = node.function, bool(target.attributes.get("integer"))
    out = c.value(c.partition.rows_mode, y.size) if node in c.graph.with_gradient else None
    c.losses[node] = out
    c.emit(
        "loss",
        kernel=f"{function.kernel(labels)}_loss",
        out=out,
        x=c.values[y],
        y=c.values[target],
        w=c.touching(c.values[weights[0]]) if weights else None,
        n_out=y.size,
        param=function.param,
        scale=function.scale(node.samples or c.program.batch, y.size),
        sums=c.new_sum(node),
    )


def correct(c, node):
    """How many answers are correct: a sum that no node reads."""
    y, target = node.inputs
    labels = target.attributes.get("integer")
    kernel = (
        "correct_labels"
        if labels
        else {"multiclass": "correct_multiclass", "multilabel": "correct_multilabel"}[node.target_type]
    )
    fields = {"x": c.values[y], "y": c.values[target], "n_out": y.size, "scale": 1.0}
    c.emit("correct", kernel=kernel, sums=c.new_sum(node), **fields)


def _finish(c, node):
    """The total of all slices as an invariant value of the next sweep, where anything reads it."""
    if c.graph.is_read(node):
        c.emit("finish_total", invariant=True, at=c.now + 1, out=c.place(node), rows=1, sums=c.sums[node])


# ---- penalties -----------------------------------------------------------------------------------------------------


def nothing(c, node):
    """A range's penalty is added, and its gradient too, while the range is warm: see updates.finish_gradient."""


RULES = {
    "weight_gradient": weight_gradient,
    "batch_sum": batch_sum,
    "scatter": scatter,
    "total": total,
    "loss": loss,
    "loss_gradient": loss_gradient,
    "correct": correct,
    "penalty": nothing,
    "penalty_gradient": nothing,
}
