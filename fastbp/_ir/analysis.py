"""What is derived from a graph beside its gradient: bounds of inputs, missing targets, Hessian-vector products."""

from fastbp._ir.elementwise import absolute, multiply, square, total_of
from fastbp._ir.indexing import invariant_sum
from fastbp._ir.node import Node, constant, differentiate


def integer_limits(order):
    """{input's name: how many values it may have} of the integer inputs among these nodes: rows of tables, classes."""
    limits = {}
    for node in order:
        for child in node.inputs:
            if child.attributes.get("integer"):
                rows = {"gather": node.inputs[0].shape, "scatter": node.shape}  # of a table; a loss has classes
                most = rows[node.op][0] if node.op in rows else node.inputs[0].size
                limits[child.name] = min(most, limits.get(child.name, most))
    return limits


def targets_that_may_miss(order):
    """The names of the inputs among these nodes that may be NaN: that are nothing but targets of losses which leave
    missing ones out."""
    found, others = set(), set()
    for node in order:
        for place, child in enumerate(node.inputs):
            if child.op == "data":
                is_target = node.op == "loss" and place == 1 and node.function.ignores_missing
                (found if is_target else others).add(child.name)
    return found - others


def hessian_vector(wanted, loss):
    """{parameter: node} of the Hessian of `loss` times a vector, whose parts are the batch-invariant data ("v", 0) ...
    in order.

    d/dp <dloss/dp, v>: differentiation twice (Pearlmutter, 1994).
    """
    gradients = differentiate(loss, constant(1.0), list(wanted), add=total_of)
    products = [
        invariant_sum(multiply(gradients[node], Node("data", batched=False, shape=node.shape, name=("v", i))))
        for i, node in enumerate(wanted)
    ]
    root = total_of(constant(0.0), *products)  # of no parameters, too
    return differentiate(root, constant(1.0), list(wanted), add=total_of)


def written_penalty(W, l1, l2):
    """fastbp._ir.nn.penalty in small nodes, which can be differentiated again."""
    return l1 * invariant_sum(absolute(W)) + l2 * invariant_sum(square(W))
