"""Which operations are made together: a multiplication with the addition or sum that reads it, an activation with its
product, the gradient of a bias with that of the weights before it.

What is decided here follows from the graph and from what was already written; fused operations compute what they would
one by one, so their numbers are those of a fused multiply-add, and never depend on the batch.
"""

from fastbp._compiler import graph_partition
from fastbp._ir.node import layout

TAKES_FACTORS = ("add", "total", "batch_sum")  # operations whose kernels multiply two factors themselves


def factors(graph, cuts):
    """{multiplication: the node that takes its factors instead of the product}: an addition, or a sum, that alone reads
    it, in the same sweep. graph: graph_facts.Facts; cuts: graph_partition.Partition."""
    found = {}
    for node in graph.order:
        if node.op not in TAKES_FACTORS:
            continue
        if node in graph.destinations and graph_partition.by_range(node, graph, cuts):
            continue
        for child in reversed(node.inputs):
            if child.op not in ("multiply", "square") or child in graph.wanted:
                continue
            if len(graph.consumers[id(child)]) != 1 or graph.level[child] != graph.level[node]:
                continue
            if child.op == "square" and node.op == "add":
                continue
            if _fits(node, child):
                found[child] = node
                break
    return found


def _fits(node, child):
    """Whether the fused operation can read all its operands by strides of rows and columns."""
    try:
        if node.op == "add":
            if child.batched != node.batched:
                return False
            layout(node.batched, node.shape, [*child.inputs, *others(node, child)])
            return True
        return child.batched and layout(True, child.shape, child.inputs)[0] == 1
    except ValueError:
        return False


def others(node, child):
    """The inputs of a binary node besides one of them."""
    a, b = node.inputs
    return (b,) if a is child else (a,)


def activation_of(node, graph):
    """(the activation that a product makes with its output, or None; whether the product itself is wanted as well)."""
    readers = graph.consumers[id(node)]
    activation = next((reader for reader in readers if reader.op == "activation"), None)
    return activation, activation is not None and (len(readers) > 1 or node in graph.wanted)


def fuse_bias_sums(rows, program):
    """Fuses the gradient of a bias, the sum of dz over the batch, into the weight-gradient GEMM x^T dz, which lies
    right before it in the slices' vectors of partial sums, as one more row of x^T, of ones. Alone the sum is bound by
    the latency of additions (chain24 on Zen 4: 3.4 us, fused 3.2).

    rows: the operations of a sweep, from which the sums that were fused are taken out. Not where x is packed
    or read in an order of its own, which a row of ones cannot follow.
    """
    sums = {(op.partial, op.n_out): op for op in rows if op.name == "batch_sum" and op.b is None}
    fused_sums = []
    for product in rows:
        if product.name != "weight_gradient" or product.packed_a or product.partial_ld != product.n_out:
            continue
        below = sums.get((product.partial + product.n_in * product.n_out, product.n_out))
        if below is None or below.y != product.y or below.begins != product.begins:
            continue
        in_order = program.values[program.root_of(product.x)].mode != "ordered"
        if in_order and below.partial < program.size:
            product.ones = True
            fused_sums.append(below)
    rows[:] = [operation for operation in rows if operation not in fused_sums]
