"""What is read off a graph beside its plan: bounds of integer inputs, Hessian-vector products, the graph as text."""

import numpy as np

from .elementwise import absolute, multiply, square, total_of
from .node import Node, constant, differentiate
from .structure import fixed_sum

LONGEST = 6  # numbers of a value that are written out


def integer_limits(order):
    """{input's name: how many values it may have} of the integer inputs among these nodes: rows of tables, classes."""
    limits = {}
    for node in order:
        for child in node.inputs:
            if child.attributes.get("integer"):
                most = node.inputs[0].shape[0] if node.op == "gather" else node.inputs[0].size
                limits[child.name] = min(most, limits.get(child.name, most))
    return limits


def hessian_vector(wanted, loss):
    """{parameter: node} of the Hessian of `loss` times a vector, whose parts are the fixed data "v0", "v1" ... in order.

    d/dp <dloss/dp, v>: differentiation twice (Pearlmutter, 1994).
    """
    gradients = differentiate(loss, constant(1.0), list(wanted), add=total_of)
    products = [
        fixed_sum(multiply(gradients[node], Node("data", batched=False, shape=node.shape, name=f"v{i}")))
        for i, node in enumerate(wanted)
    ]
    return differentiate(total_of(*products), constant(1.0), list(wanted), add=total_of)


def written_penalty(W, l1, l2):
    """fastbp.products.penalty in small nodes, which can be differentiated again."""
    return l1 * fixed_sum(absolute(W)) + l2 * fixed_sum(square(W))


def text(plan):
    """The graph of a plan as text, a line for each node: number, operation, shape, what it is made from, value, gradient."""
    order = plan.nodes()
    number = {node: i for i, node in enumerate(order)}
    values = grads = [None] * len(order)
    if plan.has_values():
        real = [node for node in order if not node.attributes.get("integer")]
        values = dict(zip(real, plan.values(real), strict=True))
        grads = dict(zip(real, plan.grads_of(real), strict=True))
        values, grads = [values.get(node) for node in order], [grads.get(node) for node in order]
    lines = []
    for i, node in enumerate(order):
        made = f" {', '.join(f'%{number[child]}' for child in node.inputs)}" if node.inputs else ""
        line = f"%{i} = {label(node)}{made}"
        if values[i] is not None:
            line = f"{line:<40} value {numbers(values[i])}   grad {numbers(grads[i])}"
        lines.append(line)
    return "\n".join(lines)


def label(node):
    """A node in a few words: its operation, and its name, number or exponent."""
    if node.op == "constant":
        return f"{numbers(node.value)}{f' / batch^{node.per_batch}' * bool(node.per_batch)}"
    if node.op in ("data", "parameter"):
        name = node.name or (f"{node.attributes['layer']!r}" if "layer" in node.attributes else "")
        return f"{'input' if node.op == 'data' else node.op} {name}"
    if node.op == "activation":
        return node.activation
    if node.op == "loss":
        return node.function.name
    return f"{node.op} {node.exponent:g}" if node.op == "power" else node.op


def numbers(array):
    """An array in a few characters: its numbers where they are few, else its shape, mean and extremes."""
    array = np.asarray(array, np.float64)
    if array.size == 1:
        return f"{array.reshape(())[()]:.4g}"
    if array.size <= LONGEST:
        return "[" + " ".join(f"{x:.4g}" for x in array.ravel()) + "]"
    return f"{array.shape} mean {array.mean():.4g}, {array.min():.4g} .. {array.max():.4g}"
