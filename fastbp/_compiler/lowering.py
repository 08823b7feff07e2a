"""From a graph to a program: values with a place in memory, operations in order, ranges of the parameters.

A graph is run in sweeps over the rows of the batch. A sum over the batch is known when a sweep is over, so what
depends on it belongs to the next one; a network, and any loss that is a mean over samples, is a single sweep.
"""

from fastbp._compiler import (
    buffers,
    fusion,
    graph_facts,
    graph_partition,
    input_rows,
    partitioning,
    ranges,
    select_elementwise,
    select_nn,
    select_sums,
    stages,
)
from fastbp._compiler.context import Context, Request
from fastbp._compiler.program import Program, Sweep
from fastbp._ir.node import OPERATIONS

# {kind of node: the function that writes it}; a node's row in OPERATIONS names its kind
RULES = {**select_elementwise.RULES, **select_nn.RULES, **select_sums.RULES}


def lower(
    forward,
    loss,
    gradients,
    *,
    batch,
    itemsize,
    data,
    nr,
    offsets,
    size,
    keep=False,
    training=True,
    results=None,
    masks=None,
    correct=None,
):
    """The Program of a graph.

    forward: nodes wanted, such as a network's outputs; loss: an invariant scalar node or None; gradients: {parameter:
    node} as differentiate gives it; data: {name: Data} of the caller's arrays; nr: columns of the matrix product's
    tile; offsets: {parameter: its beginning in the vector of `size` numbers}; keep: backward is a separate
    call; training: whether dropout drops; results: {node: name} of the rows written into arrays of the caller's, of
    which none is called as one of the data is: names of inputs are words, so those of an expression's are tuples;
    masks: {dropout's mask: its number}, where other programs draw the same ones; correct: a node that counts correct
    answers, or None.
    """
    request = Request(itemsize, data, nr, offsets, training, results or {})
    graph = graph_facts.facts(
        forward, loss, gradients, keep=keep, results=request.results, masks=masks, correct=correct
    )
    cuts = graph_partition.partition(graph, batch, size, itemsize, nr, keep)
    c = Context(request, graph, cuts, fusion.factors(graph, cuts), Program(batch, size))
    for name in data:
        input_rows.bring_in(c, name)
    _write_nodes(c)
    _take_results(c, loss)
    c.program.correct = c.sums.get(correct)
    _make_ranges(c)
    _put_in_order(c)
    _share_memory(c, keep)
    ranges.pack(c.program, nr)
    return c.program


def _write_nodes(c):
    """The operations of all nodes, sweep after sweep, each by the rule of its kind. Writes now, and how many
    operations come before backward."""
    for node in sorted(c.graph.order, key=c.graph.level.__getitem__):
        c.now = c.graph.level[node]
        RULES[OPERATIONS[node.op].kind](c, node)
        if node in c.graph.last_forward:
            c.program.forward = c.row_operations()
    c.now = c.graph.levels - 1


def _take_results(c, loss):
    """What the caller wants and no rule put where he wants it: rows that lie elsewhere, such as an input, or a loss's
    gradient; invariant values; and the loss. Writes program.data and program.root."""
    for node, name in c.request.results.items():
        if not node.batched:
            c.program.data[name] = c.own(node)
        elif name not in c.program.data:
            c.program.data[name] = out = c.value("direct", node.width)
            c.copy_columns(out, 0, c.values[node], 0, node.width)
    if loss is not None:
        c.program.root = (c.sums[loss], None) if loss in c.sums else (None, c.values[loss])


def _make_ranges(c):
    """The invariant terms of each gradient, added up, and the ranges of the parameters. Writes the values of the
    GradientTerms, program.ranges and program.groups."""
    for terms in c.graph.gradient_terms.values():
        values = [c.values[node] for node in terms.values]  # all of the parameter's shape
        if len(values) > 1:
            alike = terms.values[0]
            total = c.value("invariant", alike.width, rows=alike.rows, ld=alike.width)
            for value in values[1:]:
                c.map_invariant("add", alike, total, a=values[0], b=value)
                values[0] = total
        elif values:
            values[0] = c.own(terms.values[0])
        terms.values = values[:1]
    cuts, request = c.partition, c.request
    shared = None if cuts.split_product is None else cuts.split_product.inputs[1]
    c.program.ranges, c.program.groups = ranges.cut(
        c.graph.gradient_terms, request.offsets, cuts.by_range, request.nr, shared, cuts.splits
    )


def _put_in_order(c):
    """The lists of operations, one after another: those of the splits, then those of each sweep; and the stages."""
    program = c.program
    for operations in c.split_lists:
        begin = len(program.operations)
        program.operations += operations
        program.splits.append((begin, len(program.operations)))
    for invariant, rows in zip(c.invariant_lists, c.rows_lists, strict=True):
        fusion.fuse_bias_sums(rows, program)
        before = len(program.invariant), len(program.operations)
        program.invariant += invariant
        program.operations += rows
        program.sweeps.append(Sweep(before[0], len(program.invariant), before[1], len(program.operations)))
    program.stages = stages.stages(program, c.partition.scheme, c.request.itemsize, c.request.nr)


def _share_memory(c, keep):
    """Which values use the same memory, and so how many rows of all that are alive at once fit the L1 cache: the slices
    and blocks of rows."""
    program, scheme = c.program, c.partition.scheme
    pinned = {
        program.root_of(v)
        for operation in program.gradients
        for v in (operation.x, operation.y, operation.w)
        if v is not None
    }
    # a thread computes its split of the next step while others still work on this one, so splits share no slot
    made = (operation.out for operations in c.split_lists for operation in operations)
    pinned.update(program.root_of(out) for out in made if out is not None)
    buffers.assign_buffers(program, pinned, keep, c.own_slots, stages.whole_rows(program))
    # Copies are not counted: blocks, and with them the bits of a loss, do not depend on whether rows are copied.
    copies = {program.values[value].slot for value in c.own_slots}
    local = (slot for i, slot in enumerate(program.slots) if slot.mode == "local" and i not in copies)
    # Rows that are read through an index are counted like their copy, for the same reason: with the blocks, the bits
    # are those of rows that were converted.
    in_any_order = (value for value in program.values if value.mode == "ordered" and value.base is None)
    row_bytes = sum(rows.width * rows.itemsize for rows in (*local, *in_any_order))
    program.slice_rows = scheme.slice_rows
    program.block_rows = partitioning.block_rows(scheme, row_bytes, keep)
