"""A network as a graph, and the programs of its uses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastbp._compiler import plan_cache
from fastbp._compiler.program import Data
from fastbp._ir.analysis import written_penalty
from fastbp._ir.elementwise import multiply, total_of
from fastbp._ir.leaves import rows
from fastbp._ir.nn import correct, loss, penalty
from fastbp._ir.node import constant, differentiate
from fastbp._models import per_sample

if TYPE_CHECKING:
    from typing import Any

    from fastbp._compiler.use import Use
    from fastbp._ir.node import Node
    from fastbp.layers import Layer
    from fastbp.network import Sequential


def output(layers, x, training=True):
    """(output node, [(layer, its parameters' nodes), ...]) of layers in a row applied to x."""
    parameters, node = [], x
    for number, layer in enumerate(layers):
        nodes = layer.make_nodes(node)
        node = layer.graph(node, *nodes, training=training, number=number)
        if nodes:
            parameters.append((layer, nodes))
    return node, parameters


def layers_of(net: Sequential) -> list[tuple[Layer, tuple[Node, ...]]]:
    """[(layer, its parameters' nodes), ...] of a network's layers that have parameters, where they stand in it."""
    return output(net.layers, rows("X", net.inputs))[1]


def offsets(parameters):
    """{parameter: where it begins} of parameters in a row, and their size altogether."""
    begin, found = 0, {}
    for node in parameters:
        found[node] = begin
        begin += node.size
    return found, begin


def program(net: Sequential, use: Use) -> Any:
    """The Program of a fastbp._compiler.use.Use of a network."""
    kind, gathered, labels, weighted, target_type = use.kind, use.gathered, use.labels, use.weighted, use.target_type
    itemsize = net.dtype.itemsize
    x = rows("X", net.inputs)
    y, layers = output(net.layers, x, training=kind in ("train", "keep"))
    data = {"X": Data.of_reals(net.inputs, net.dtype, gathered, dict(use.dtypes).get("X"), net.input_scale)}
    end: Any = None
    gradients, count, results = {}, None, {}
    if kind not in ("keep", "predict"):
        width, size = (1, 4) if labels else (net.units, itemsize)
        data["targets"] = Data(width, size, gathered)
        weights = None
        if weighted:
            data["weights"], weights = Data(1, itemsize, gathered), rows("weights", 1)
        targets = rows("targets", width, labels)
        end = loss(y, targets, net.loss, weights)
        count = correct(y, targets, target_type) if target_type else None
    wanted = [node for _, nodes in layers for node in nodes]
    where, size = offsets(wanted)
    lowered = partial(plan_cache.lowered, dtype=net.dtype, batch=use.batch, data=data, offsets=where, size=size)
    of_samples = kind in per_sample.KINDS
    made = written_penalty if of_samples else penalty
    penalties = [made(node, *node.penalty) for node in wanted if any(node.penalty)]
    if of_samples:
        gradients = differentiate(total_of(end, *penalties), constant(1.0), wanted, add=total_of)
        return lowered([], None, {}, results=per_sample.results(kind, gradients))
    if kind == "train":
        gradients = differentiate(total_of(end, *penalties), constant(1.0), wanted, add=total_of)
    elif kind == "keep":
        data["dY"] = Data(net.units, itemsize, False)
        gradients = differentiate(y, rows("dY", net.units), [*wanted, x], add=total_of)
        dX = gradients.pop(x)  # for X as the layers read it, which is times the scale what was passed
        results[dX if net.input_scale == 1 else multiply(dX, constant(net.input_scale))] = "dX"
        for node in penalties:  # the penalties do not pass through dY
            W = node.inputs[0]
            gradients[W] = total_of(gradients[W], *differentiate(node, constant(1.0), [W], add=total_of).values())
    if kind != "train":
        results[y] = "Y"
    return lowered([y], end, gradients, keep=kind == "keep", results=results, correct=count)
