"""The programs of an expression's uses: which part of its graph each needs, and what data.

plan: a fastbp._models.expression.Plan, of which its graph is read: loss_node, outputs, the gradients of what is
trained, the masks of dropout, and where each parameter begins.
"""

from functools import partial

from fastbp._compiler import plan_cache
from fastbp._compiler.program import Data
from fastbp._ir import analysis
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import constant, differentiate, ordered
from fastbp._models import per_sample


def program(plan, use):
    """The Program of a fastbp._compiler.use.Use of an expression. Its labels, weights and questions are a network's:
    an expression says them by its nodes."""
    common = {"batch": use.batch, "offsets": plan._offsets, "size": plan.params.size, "masks": plan._masks}
    lowered = partial(plan_cache.lowered, dtype=plan.dtype, **common)
    data = partial(_data, plan, dict(use.dtypes), use.gathered)
    if use.kind in ("train", "loss"):
        training = use.kind == "train"
        inputs = data(plan._inputs_of["loss"])
        return lowered([], plan.loss_node, plan._trained if training else {}, data=inputs, training=training)
    if use.kind == "hvp":
        gradients = analysis.hessian_vector(plan._trained, plan._total_written())
        return lowered([], None, gradients, data=data(ordered(list(gradients.values()))))
    if use.kind in per_sample.KINDS:
        gradients = differentiate(plan._total_written(), constant(1.0), list(plan._trained), add=total_of)
        results = per_sample.results(use.kind, gradients)
        return lowered([], None, {}, data=data(ordered(list(results))), training=False, results=results)
    # values of nodes: with the masks that a step has drawn, or, of outputs, without any
    nodes = outputs(plan) if use.kind == "forward" else list(use.nodes)
    results = {node: ("out", i) for i, node in enumerate(nodes)}  # what no input is called
    return lowered(nodes, None, {}, data=data(ordered(nodes)), training=use.kind != "forward", results=results)


def outputs(plan):
    """The nodes of the outputs, each once."""
    return list(dict.fromkeys(plan.outputs.values()))


def _data(plan, dtypes, gathered, nodes):
    """{name: Data} of the inputs among these nodes."""
    return {
        node.name: Data(node.width, 4, gathered)
        if node.attributes.get("integer")
        else Data.of_reals(node.width, plan.dtype, gathered, dtypes.get(node.name))
        for node in nodes
        if node.op == "data" and node.batched
    }
