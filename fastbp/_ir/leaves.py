"""The leaves of a graph: rows that the caller gives, and parts of the parameter vector."""

from fastbp._ir.node import Node


def rows(name, width, integer=False):
    """Rows given by the caller: inputs, targets, weights of samples, or a gradient to start backward from."""
    return Node("data", batched=True, shape=(width,), name=name, integer=integer)


def parameter(shape, name="", **attributes):
    """A part of the parameter vector. attributes: what an expression knows of it: layer, before, depth, penalty,
    init."""
    return Node("parameter", batched=False, shape=shape, name=name, **attributes)
