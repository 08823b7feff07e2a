"""Programs of networks and of expressions, for tests that look at what a graph was compiled to."""

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler import lowering
from fastbp._compiler.program import Data
from fastbp._compiler.use import Use
from fastbp._ir import leaves
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import constant, differentiate, ordered
from fastbp._models import network_programs

# a network for each scheme: its widths, and rows of a batch
NETWORKS = {
    "tiny": ((5, 7, 3), 8),
    "batch-parallel": ((60, 48, 10), 256),
    "input-split": ((520, 24, 10), 100),
    "tile-parallel": ((90, 300, 310, 10), 128),
}


def of_network(widths, batch=64, kind="train", *, gathered=False, labels=False, weighted=False, target_type=None,
               **options):
    """The Program of a network of these widths."""
    net = fb.mlp(*widths, seed=0, **{"activation": "tanh", **options})
    use = Use(kind, batch, gathered=gathered, labels=labels, weighted=weighted, target_type=target_type)
    return network_programs.program(net, use)


def of_expression(loss, batch=64, *, itemsize=4, learns=True, results=None, gathered=False, nr=16):
    """The Program of a scalar node, all of whose parameters are trained; of its value alone where not `learns`."""
    order = ordered([loss, *(results or {})])
    parameters = [node for node in order if node.op == "parameter"]
    gradients = differentiate(loss, constant(1.0), parameters, add=total_of) if learns else {}
    offsets, size = network_programs.offsets(parameters)
    data = {node.name: Data(node.width, 4 if node.integer else itemsize, gathered) for node in order
            if node.op == "data"}
    return lowering.lower([], loss, gradients, batch=batch, itemsize=itemsize, data=data, nr=nr, offsets=offsets,
                          size=size, results=results)


def of_converted():
    """The Program of a network whose inputs are converted, by shares."""
    return of_network(*NETWORKS["input-split"], gathered=True, input_scale=0.5)


def products_of(*widths, batch):
    """The Program of linear layers without biases, for a product whose tile has 32 columns."""
    node = leaves.rows("x", widths[0])
    for i, units in enumerate(widths[1:]):
        node = node @ g.parameter(f"W{i}", (node.width, units))
    return of_expression(g.mean(g.square(node)), batch, nr=32)


def names(operations):
    """The operations' drivers; for elementwise ones their kernels."""
    return [operation.kernel if operation.name == "map" else operation.name for operation in operations]


def reads(operation):
    """The values that an operation reads."""
    operands = (operand.value for operand in (operation.a, operation.b, operation.c) if operand is not None)
    return [value for value in (operation.x, operation.y, operation.w, operation.W, operation.bias, *operands)
            if value is not None]


def named(program, name):
    """The first operation over rows of this driver."""
    return next(operation for operation in program.operations if operation.name == name)
