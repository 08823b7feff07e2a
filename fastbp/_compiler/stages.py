"""Stages: the row operations of a sweep between two barriers, and how each is cut into tasks.

Where the scheme is tile-parallel, rows are kept for the whole batch, so a sweep may stop between two operations and be
cut anew. A large product is a stage of its own, cut in two dimensions: a task is a block of rows x a block of units. So
there are tasks for many threads although the rows are few, a thread reads the weights of its own units alone, and a
block of weights (some 512 KB, or the columns of one tile) meets all rows while it is in the L2 cache. What is computed
unit by unit from the product - its activation, the derivative of the one before - belongs to the same task. All other
operations run slice by slice, as many in a row as there are.

Each element of a product is one chain of multiply-adds, whoever makes it: the cut changes no bit.
"""

from fastbp._compiler import partitioning
from fastbp._compiler.program import Stage

# Drivers that run on a block of units, of a value that the product before them has made.
FOLLOWERS = {"activate", "activation_gradient"}


def stages(program, scheme, itemsize, nr):
    """[Stage, ...] of a program whose operations are in order. scheme: partitioning.Scheme; nr: columns of the matrix
    product's tile. A product that is cut reads its left operand where it lies: writes packed_a."""
    found = []
    for sweep in program.sweeps:
        cuts = _cuts(program, sweep, scheme, itemsize, nr)
        edges = sorted({sweep.row, sweep.row_end, *cuts, *(end for end, *_ in cuts.values())})
        invariant = sweep.invariant
        for first, last in zip(edges, edges[1:] or edges, strict=False):  # a sweep without rows has one edge
            if first == last and invariant == sweep.invariant_end:
                continue  # nothing to do
            _, units, blocks = cuts.get(first, (last, 0, 1))
            if units:
                program.operations[first].packed_a = False
            found.append(Stage(invariant, sweep.invariant_end, first, last, units, blocks))
            invariant = sweep.invariant_end
    return found


def whole_rows(program):
    """{value: the first operation after the stage} of what a stage that is cut by units reads whole rows of: it must
    stay until all tasks have read it, whatever they write."""
    found = {}
    for stage in program.stages:
        if stage.units:
            operation = program.operations[stage.row]
            read = operation.y if operation.name == "input_gradient" else operation.x
            found[program.root_of(read)] = stage.row_end
    return found


def _cuts(program, sweep, scheme, itemsize, nr):
    """{the first operation of a stage that is cut by units: (the first after it, units of a task, blocks of them)}."""
    if not (scheme.by_range and scheme.shared and not scheme.splits):
        return {}
    found, operations = {}, program.operations
    for i in range(sweep.row, sweep.row_end):
        product = operations[i]
        n, k = _shape(product)
        units = partitioning.task_units(program.batch, n, k, scheme.slice_rows, itemsize, nr) if n else 0
        if units:
            end = i + 1
            while end < sweep.row_end and _follows(operations[end], product, n):
                end += 1
            found[i] = end, units, -(-n // units)
    return found


def _shape(operation):
    """(units, terms of each) of a product that can be cut by units, (0, 0) of all other operations: not where each
    thread packs its own copy of the weights, or prefetches rows by the way."""
    if operation.name == "dense" and not operation.prefetch:
        return operation.n_out, operation.n_in
    if operation.name == "input_gradient" and operation.packed_b == "shared":
        return operation.n_in, operation.n_out
    return 0, 0


def _follows(operation, product, n):
    """Whether an operation computes each of n units from the product's."""
    return (
        operation.name in FOLLOWERS
        and (operation.group, operation.rows, operation.n_out) == (1, 0, n)
        and product.out in (operation.x, operation.y)
    )
