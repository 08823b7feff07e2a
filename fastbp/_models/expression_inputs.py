"""What an expression is given, checked: its loss and outputs, the arrays of its inputs, vectors like its parameters."""

import numpy as np

from fastbp import _check as check
from fastbp._check import input_arrays
from fastbp._ir.node import Node


def scalar(loss):
    """The loss, a scalar node."""
    if not isinstance(loss, Node) or loss.batched or loss.shape:
        raise ValueError(f"loss is {check.shown(loss)}, expected a scalar node; take the mean of it: graph.mean(...)")
    return loss


def outputs_of(outputs):
    """{name: node} of what forward gives, a copy."""
    if outputs is None:
        return {}
    if not isinstance(outputs, dict) or not all(isinstance(node, Node) for node in outputs.values()):
        raise TypeError(f"outputs is {check.shown(outputs)}, expected a dict of nodes; pass outputs={{'y': y}}")
    return dict(outputs)


def checked(plan, given, needed):
    """({name: array} as the compiled core reads them, their number of rows), of the inputs that are needed.

    Raises ValueError and TypeError where one is missing, unknown, or not what its node takes.
    """
    arrays, n, first = {}, None, ""
    for name in needed:
        if name not in given:
            raise ValueError(f"input {name!r} is missing, expected {', '.join(needed)}; pass {name}=...")
        node = plan._leaves[name]
        array = given[name]
        if name in plan._limits:
            array = check.indices(array, plan._limits[name], name)
        else:
            if type(array) is not np.ndarray:
                array = check.unmasked(array) if name in plan._may_miss else array
                array = check.numeric(array, name)
            if node.width == 1 and array.ndim == 1:
                array = array.reshape(-1, 1)
            if name in plan._may_miss:
                array = check.with_missing(array, plan.dtype, name)
            array = input_arrays.rows(array, node.width, plan.dtype, name, finite=False)
        if n is None:
            n, first = len(array), name
        elif len(array) != n:
            raise ValueError(
                f"input {name!r} has {len(array)} rows, expected {n}, as {first!r} has; pass matching arrays"
            )
        arrays[name] = array
    for name in given:
        if name not in plan._leaves:
            raise ValueError(
                f"input {name!r} is unknown, expected {', '.join(plan._leaves) or 'none'}; check the name"
            )
    return arrays, 1 if n is None else n


def vector(plan, v):
    """v as one vector (P,), from {name: array in the parameter's shape} too: what is not named is 0."""
    if not isinstance(v, dict):
        return check.array("v", v, plan.params.shape, plan.dtype)
    made = np.zeros_like(plan.params)
    views = plan._views(made)
    for name, value in v.items():
        check.choice("parameter in v", name, views)
        views[name][...] = check.array(f"v[{name!r}]", value, views[name].shape, plan.dtype)
    return made
