"""The compiled plans of one network: made when first needed for a batch size and a use, and found again."""

from contextlib import contextmanager

import numpy as np

from . import graph, lowering
from ._core import cpu
from ._core import train as core
from ._core.plan import Plan as Compiled

MOST = 64  # plans kept for a network; a loop over ever new batch sizes does not fill the memory


def chunks(n, most):
    """n rows as (batch, first row, steps): as many whole batches of `most` as there are, then the rest."""
    whole, rest = divmod(n, most)
    if whole:
        yield most, 0, whole
    if rest:
        yield rest, n - rest, 1


class Plan:
    """A compiled plan and the names of its arrays. compiled: the core's plan; forward: the operations before backward;
    batch: rows of a step."""

    __slots__ = ("batch", "compiled", "data", "forward")

    def __init__(self, net, kind, batch, gathered, labels, weighted, team):
        itemsize = net.dtype.itemsize
        first, output, parameters = net._graph(training=kind in ("train", "keep"))
        rows = {"X": lowering.Data(net.inputs, itemsize, gathered)}
        gradients, loss, results = {}, None, {}
        if kind in ("train", "evaluate"):
            width, size = (1, 4) if labels else (net.units, itemsize)
            rows["targets"] = lowering.Data(width, size, gathered)
            if weighted:
                rows["weights"] = lowering.Data(1, itemsize, gathered)
            loss = graph.loss(output, graph.data("targets", width), net.loss)
        wanted = [node for W, b, _ in parameters for node in (W, b)]
        if kind == "train":
            total = graph.add(
                loss, *(graph.penalty(W, layer.l1, layer.l2) for W, _, layer in parameters if layer.l1 or layer.l2)
            )
            gradients = graph.differentiate(total, None, wanted)
        elif kind == "keep":
            rows["dY"] = lowering.Data(net.units, itemsize, False)
            gradients = graph.differentiate(output, graph.data("dY", net.units), [*wanted, first])
            results[gradients[first]] = "dX"
            for W, _, layer in parameters:  # the penalties do not pass through dY
                if layer.l1 or layer.l2:
                    gradients |= {
                        W: graph.add(
                            gradients[W], *graph.differentiate(graph.penalty(W, layer.l1, layer.l2), None, [W]).values()
                        )
                    }
        if kind != "train":
            results[output] = "Y"
        program = lowering.lower(
            output,
            loss,
            gradients,
            batch=batch,
            itemsize=itemsize,
            data=rows,
            panel=cpu.tile(cpu.selected(), net.dtype.name)[2],
            reads=cpu.activations(),
            labels=labels,
            keep=kind == "keep",
            results=results,
        )
        self.batch, self.data, self.forward = batch, program.data, program.forward
        self.compiled = Compiled(net.params, net.grads, program, min(team, program.slices))

    def run(self, part, *, dropout=(0, 0), first=0, steps=1, **named):
        """Runs a part of the plan on consecutive batches, without an update; returns the losses, float64 (steps,).

        part: "forward", "backward", "gradients" (both, and what they are for) or "outputs" (forward, and the loss if
        there is one). dropout: (key, steps that drew masks before). first: the first batch's row in the arrays `named`.
        """
        begin, end, learns = {
            "forward": (0, self.forward, False),
            "backward": (self.forward, -1, True),
            "gradients": (0, -1, True),
            "outputs": (0, -1, False),
        }[part]
        losses = np.empty(steps)
        core.run(self.compiled, self.arrays(**named), begin, end, learns, first, losses, dropout, cpu.threads())
        return losses

    def arrays(self, **named):
        """[(value, array), ...] for the core, of the arrays that this plan reads or writes."""
        return [(self.data[name], array) for name, array in named.items() if name in self.data]


class Cache:
    """The plans of a network by use: "train" (loss and gradients), "keep" (forward, then backward from a given dY),
    "predict" (outputs), "evaluate" (outputs and loss)."""

    def __init__(self, net):
        self.net = net
        self.plans = {}
        self.idle = {}

    def get(self, kind, batch, *, gathered=False, labels=False, weighted=False, threads=None):
        """The plan of a use and a batch size; the caller is the only one to use it."""
        key = self._key(kind, batch, gathered, labels, weighted, threads)
        plan = self.plans.get(key)
        if plan is None:
            if len(self.plans) >= MOST:
                self.plans.clear()
            plan = self.plans[key] = self._make(key)
        return plan

    @contextmanager
    def borrowed(self, kind, batch, **options):
        """A plan that no other thread uses at the same time."""
        key = self._key(kind, batch, False, options.get("labels", False), options.get("weighted", False), None)
        if len(self.idle) > MOST:
            self.idle.clear()
        idle = self.idle.setdefault(key, [])
        try:
            plan = idle.pop()  # atomic: two threads never get the same one
        except IndexError:
            plan = self._make(key)
        try:
            yield plan
        finally:
            idle.append(plan)

    def _key(self, kind, batch, gathered, labels, weighted, threads):
        return kind, batch, gathered, labels, weighted, threads or cpu.threads(), cpu.selected()

    def _make(self, key):
        return Plan(self.net, *key[:6])
