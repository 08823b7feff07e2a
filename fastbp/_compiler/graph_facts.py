"""What the lowering knows of a graph before it writes the first operation: the order of its nodes, who reads which, and
in which sweep each is computed."""

from typing import NamedTuple

from fastbp._compiler import ranges
from fastbp._ir.nn import numbered
from fastbp._ir.node import ordered

ENDS_A_SWEEP = {*ranges.SUMS, "total", "loss", "correct"}  # nodes whose value is known when a sweep has passed all rows


class Facts(NamedTuple):
    """A graph, looked at as a whole. Nothing here changes while it is lowered, but for what a GradientTerms says of
    where its sums were put.

    order: all nodes, each after those it reads. consumers: {id(node): the nodes that read it, once for each time}.
    level: {node: the sweep it is computed in}; levels: the number of sweeps. wanted: the nodes whose values something
    besides a node reads: the caller, or a range of the parameters. gradient_terms: {parameter: GradientTerms}, what its
    gradient is made of; destinations: {sum over the batch: Destination}, where in a gradient it is added.
    with_gradient: the losses whose gradient a node reads. masks: {dropout's mask: its number}. inputs: the caller's
    rows. last_forward: the nodes of a call that ends before backward, if that is a call of its own.
    """

    order: list
    consumers: dict
    level: dict
    levels: int
    wanted: set
    gradient_terms: dict
    destinations: dict
    with_gradient: set
    masks: dict
    inputs: list
    last_forward: frozenset

    def is_read(self, node):
        """Whether anything reads the value of this node."""
        return bool(self.consumers[id(node)]) or node in self.wanted


def facts(forward, loss, gradients, *, keep, results, masks, correct):
    """The Facts of a graph; the arguments are those of fastbp._compiler.lowering.lower."""
    # correct answers are counted before the loss, whose gradient then takes the slot of the outputs
    roots = [*forward, *(node for node in (correct, loss) if node is not None)]
    wanted = {*forward, *results}
    others = [node for node in results if all(node is not one for one in forward)]
    # the last layer's gradients first: the order in which backward reaches them
    consumers = _consumers(ordered([*roots, *reversed(list(gradients.values())), *others]))
    gradient_terms, destinations = ranges.gradient_terms(gradients, consumers)
    # the terms of a gradient that was taken apart are read by its ranges, not by its node
    wanted.update(node for terms in gradient_terms.values() for node in terms.values)
    terms = [term for terms in gradient_terms.values() for term in (*terms.sums, *terms.values)]
    order = ordered([*roots, *reversed(terms), *others])
    level, levels = _levels(order)
    return Facts(
        order=order,
        consumers=_consumers(order),
        level=level,
        levels=levels,
        wanted=wanted,
        gradient_terms=gradient_terms,
        destinations=destinations,
        with_gradient={node.loss for node in order if node.op == "loss_gradient"},
        masks=numbered(order) if masks is None else masks,
        inputs=[node for node in order if node.op == "data" and node.batched],
        last_forward=frozenset(ordered(roots)) if keep else frozenset(),
    )


def _consumers(order):
    """{id(node): the nodes that read it, once for each time}."""
    found = {id(node): [] for node in order}
    for node in order:
        for child in node.inputs:
            found[id(child)].append(node)
    return found


def _levels(order):
    """({node: the sweep it is computed in}, the number of sweeps). What a sum over the batch gives is there a sweep
    later."""
    made, ready, most = {}, {}, 0
    for node in order:
        made[node] = max((ready[child] for child in node.inputs), default=0)
        ready[node] = made[node] + (node.op in ENDS_A_SWEEP)
        most = max(most, ready[node])
    return made, most + 1
