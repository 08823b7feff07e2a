"""Gradients of single samples: the graph of a batch's gradient, rewritten so that each sample is a batch of its own.

What was a sum over the batch becomes its term: x^T dz an outer product of each sample, the mean loss the sample's loss.
So what is computed, for all samples together, is what `loss_and_grad` gives for each of them alone. Norms need no
gradient: |x^T dz|^2 = |x|^2 |dz|^2 (Goodfellow, "Efficient per-example gradient computations", 2015), and what does not
depend on the sample, a penalty's gradient R, meets it as <x^T dz, R> = <x R, dz>.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._compiler import plan_cache
from fastbp._compiler.use import Use
from fastbp._core import cpu
from fastbp._ir.elementwise import apply, expand, maximum, multiply, reshape, row_sum, sqrt, square, total_of
from fastbp._ir.indexing import column_sum, invariant_sum, part
from fastbp._ir.nn import dense, loss, loss_gradient, outer, written
from fastbp._ir.node import OPERATIONS, Node, constant, ordered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastbp._check.types import Array, Floats

KINDS = ("gradients of samples", "norms of samples")
GRADIENTS, NORMS = KINDS
ROWS = 1024  # samples at a time: the memory of a call, beside its result, does not grow with the data


# ---- a batch of one, many times ------------------------------------------------------------------------------------


def each_sample(roots):
    """The nodes of the same graph for each sample alone: batched where they depend on it, () being (1,) there.

    ValueError, naming the node, where that cannot be said: a matrix that depends on the sample, a table's rows.
    """
    made = {}
    for node in ordered(roots):
        inputs, kind = [made[child] for child in node.inputs], OPERATIONS[node.op].kind
        if node.op in _RULES:
            made[node] = _RULES[node.op](node, *inputs)
        elif all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
            made[node] = node
        elif kind == "map":
            made[node] = _elementwise(node, inputs)
        elif kind in _EITHER or [new.batched for new in inputs] == [old.batched for old in node.inputs]:
            made[node] = Node(node.op, inputs, **_kind(node, inputs), **node.attributes)
        else:
            raise _refusal(node)
    return [made[root] for root in roots]


def _kind(node, inputs):
    batched = node.batched or any(new.batched for new in inputs)
    return {"batched": batched, "shape": node.shape or (1,) if batched else node.shape}


def _elementwise(node, inputs):
    """An addition to products of a sample is made where they are; everything else is the same operation again."""
    if node.op == "add" and inputs[0].shape == inputs[1].shape:
        (pairs, besides), (more, others) = map(_taken_apart, inputs)
        if (pairs or more) and len(besides) + len(others) <= 1:
            return outer(pairs + more, besides + others)
    batched, shape = _kind(node, inputs).values()
    if node.op == "expand":
        return expand(inputs[0], batched, shape, inputs[1:])
    try:
        return apply(node.op, *inputs, **node.attributes)
    except ValueError:
        raise _refusal(node) from None


def _taken_apart(node):
    """(pairs, [what is added to their products]) of a gradient."""
    if node.op != "outer":
        return [], [node]
    inputs, count = node.inputs, 2 * node.pairs
    return list(zip(inputs[:count:2], inputs[1:count:2], strict=True)), list(inputs[count:])


def _refusal(node):
    return ValueError(
        f"the gradient of a single sample goes through {node!r}, expected parameters in dense products, biases and "
        "elementwise operations; call loss_and_grad with one sample after another"
    )


def _of_constant(node):
    return constant(node.value) if node.per_batch else node


def _of_total(node, x):
    return multiply(node.scale, row_sum(reshape(x, (x.size,))))


def _of_column_sum(node, x):
    if not x.batched:
        return column_sum(x)
    return total_of(*(part(x, (i, 0), (1, x.shape[1]), result=node.shape) for i in range(x.shape[0])))


def _of_loss(node, y, target, *weights):
    total = written(loss(y, target, node.function, *weights))
    return _of_total(total, *total.inputs)


def _of_loss_gradient(node, y, target, *weights):
    return loss_gradient(loss(y, target, node.loss.function, *weights, samples=1))


def _of_scatter(node, dy, index):
    raise _refusal(node)


# sums over the batch or over rows, and what divides by the size of the batch
_RULES = {
    "constant": _of_constant,
    "weight_gradient": lambda node, x, dz: outer([(x, dz)]),
    "batch_sum": lambda node, x: reshape(x, node.shape or (1,)),
    "total": _of_total,
    "column_sum": _of_column_sum,
    "loss": _of_loss,
    "loss_gradient": _of_loss_gradient,
    "scatter": _of_scatter,
}
# kinds of operations that take a batched node where a batch-invariant one of the same shape was
_EITHER = {"reshape", "row_reduce", "slice", "pad", "activation"}


# ---- what is wanted ------------------------------------------------------------------------------------------------


def results(kind, gradients):
    """{node: name} of what a call of this kind gives: rows, as `_name_of` calls each parameter's, or the norms.

    gradients: {parameter: node}, with penalties in small nodes.
    """
    made = each_sample(list(gradients.values()))
    if kind == NORMS:
        squares = total_of(constant(0.0), *map(_squared_norm, made))
        return {_rows(sqrt(maximum(squares, 0.0)), {}): _OF_NORMS}  # what is all but 0 may be rounded to less
    found = {}
    for i, node in enumerate(made):
        found[_rows(node, found)] = _name_of(i)
    return found


_OF_NORMS = ("norms",)  # the name of this result


def _name_of(i):
    return "gradient", i  # what no input is called


def _rows(node, taken):
    """A batched node of these numbers in a row, which no other result is."""
    if not node.batched:
        return expand(reshape(node, (node.size,)), True, (node.size,))
    if node not in taken and (node.op == "outer" or len(node.shape) == 1):
        return node
    return Node("reshape", (node,), batched=True, shape=(node.size,))


def _squared_norm(gradient):
    """A number of each sample, (1,), or a batch-invariant one."""
    pairs, besides = _taken_apart(gradient)
    terms = [_pair_product(one, one) for one in pairs] + [_product(one, one) for one in besides]
    crossed = [_pair_product(a, b) for a, b in combinations(pairs, 2)]
    crossed += [_through(pair, one) for pair in pairs for one in besides]
    return total_of(*terms, *(multiply(2.0, term) for term in crossed))


def _pair_product(a, b):
    """<x u^T, y v^T> = <x, y> <u, v>"""
    return multiply(*(_product(one, other) for one, other in zip(a, b, strict=True)))


def _through(pair, R):
    """<x u^T, R> = <x R, u>; where R is the sample's own, so is the product."""
    x, u = pair
    return _product(outer([pair]), R) if R.batched else _product(dense(x, R), u)


def _product(a, b):
    """The inner product of two nodes of a size."""
    products = square(a) if a is b else multiply(a, b)
    return row_sum(reshape(products, (products.size,))) if products.batched else invariant_sum(products)


# ---- calls ---------------------------------------------------------------------------------------------------------


def gradients_of(
    model: Any, n: int, arrays: Mapping[str, Array | None], parts: Sequence[tuple[int, int]], **options: Any
) -> Floats:
    """(n, P), a row for each sample, laid out as the model's gradient vector; what is not trained is 0.

    model: what has _plans, params and dtype; arrays: {name: checked array}; parts: (begin, end) of each parameter, in
    the order of the plan; options: of the plan's Use.
    """
    size = model.params.size
    rows = np.zeros((n, size), model.dtype)
    views = {_name_of(i): rows[:, begin:end] for i, (begin, end) in enumerate(parts)}
    return _run(model, GRADIENTS, n, {**arrays, **views}, rows, options)


def norms_of(model: Any, n: int, arrays: Mapping[str, Array | None], **options: Any) -> Floats:
    """(n,), the lengths of the rows of `gradients_of`, which are not made."""
    norms = np.empty((n, 1), model.dtype)
    return _run(model, NORMS, n, {**arrays, _OF_NORMS: norms}, norms, options)[:, 0]


def _run(model, kind, n, arrays, result, options):
    for batch, first, steps in plan_cache.chunks(n, ROWS):
        with model._plans.borrowed(Use(kind, batch, **options)) as plan:
            plan.run("outputs", arrays, first=first, steps=steps)
    if not cpu.all_finite(result):
        sample = int(np.flatnonzero(~np.isfinite(result).all(axis=1))[0])
        raise FloatingPointError(
            f"the gradient of sample {sample} is not finite in {model.dtype}; look at that sample, scale the data, or "
            "use dtype='float64'"
        )
    return result
