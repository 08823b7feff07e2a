"""The parameters and gradients of expressions: two vectors that plans may share, as their copies do, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastbp import initializers
from fastbp._check import allocation
from fastbp._check.errstate import quiet
from fastbp._core import random
from fastbp._core.shown import shown
from fastbp._models import network_programs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastbp._check.types import Floats
    from fastbp._ir.node import Node


class Views(dict):
    """{name: view of a vector}, whose views stay: another array in their place would be nobody's. A copy is a dict."""

    def __setitem__(self, name: str, value: object) -> NoReturn:
        raise TypeError(f"the array of {name!r} cannot be replaced, expected to stay a view; write into it: "
                        f"[{name!r}][...] = ...")

    def update(self, *others: Any, **arrays: Any) -> None:
        for name in dict(*others, **arrays):
            self[name] = None

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class Vectors:
    """params, grads: (P,), aligned, of np.dtype `dtype`. names: {name: parameter's node}; offsets: {node: where its
    part of them begins}."""

    def __init__(self, names: dict[str, Node], dtype: np.dtype[Any]) -> None:
        self.names, self.dtype = names, np.dtype(dtype)
        self.offsets, self.size = network_programs.offsets(names.values())
        self.params, self.grads = self.zeros("the plan"), self.zeros("the plan")

    def zeros(self, what: str) -> Floats:
        """A vector (P,) of zeros; MemoryError, naming `what` it is for, where there is no room for it."""
        return allocation.zeros(self.size, self.dtype, lambda: what, lambda: _smaller(self.names))

    def views(self, vector: Floats) -> dict[str, Floats]:
        """{name: its part of a vector (P,), in the parameter's shape}."""
        return {
            name: vector[self.offsets[node] : self.offsets[node] + node.size].reshape(node.shape)
            for name, node in self.names.items()
        }

    @quiet
    def initialise(self, seed: int) -> None:
        """Writes initial values: as each parameter says; those of a network's layers as they are there; those of other
        layers as the layer says, from a stream for each."""
        drawn: set[str] = set()
        views = self.views(self.params)
        for name, node in self.names.items():
            layer = node.attributes.get("layer")
            if layer is None:
                init, fans = node.attributes.get("init"), (node.rows, node.width)
                key = random.fold(random.fold(seed, 0x65787072), self.offsets[node])  # "expr"
                values = initializers.values(init, node.shape, fans, key) if isinstance(init, str) else init
                views[name][...] = values
                continue
            owner, part = name.rsplit(".", 1)
            values = getattr(layer, part, None)
            if values is not None:
                views[name][...] = values
            elif owner not in drawn:  # the loss may reach some of its parameters alone
                arrays = [views.get(f"{owner}.{each.name}") for each in layer.parameters()]
                layer.initialise(arrays, random.fold(seed, len(drawn)), node.before, node.depth)
                drawn.add(owner)

    def __getstate__(self):
        return {"names": self.names, "dtype": self.dtype.name, "params": self.params, "grads": self.grads}

    def __setstate__(self, state):
        self.__init__(state["names"], state["dtype"])
        self.params[:], self.grads[:] = state["params"], state["grads"]


def named(order: Iterable[Node]) -> dict[str, Node]:
    """{name: node} of the parameters among these nodes, in their order; those of layers are called layer0.W ..."""
    found: dict[str, Node] = {}
    count: dict[int, int] = {}
    for node in order:
        if node.op != "parameter":
            continue
        layer = node.attributes.get("layer")
        name = node.name
        if layer is not None:
            name = f"layer{count.setdefault(id(layer), len(count))}.{layer.name_of(node)}"
        if found.setdefault(name, node) is not node:
            raise ValueError(f"two parameters are called {name!r}, expected a name for each; rename one")
    return found


def shared(nodes: dict[str, Node], dtype: np.dtype[Any], plan: Any) -> Vectors:
    """The Vectors of another plan, which must have all these parameters, {name: node}, in this dtype."""
    vectors = getattr(plan, "_vectors", None)
    if not isinstance(vectors, Vectors):
        raise TypeError(f"shared_with is {shown(plan)}, expected a Plan; pass what graph.compile gave")
    if vectors.dtype != dtype:
        raise ValueError(
            f"shared_with has dtype {vectors.dtype}, expected {dtype}; compile both with the same dtype"
        )
    for name, node in nodes.items():
        if node not in vectors.offsets:
            raise ValueError(
                f"shared_with lacks the parameter {name}, expected all of this loss; compile the larger graph first"
            )
    return vectors


def _smaller(nodes):
    """What to do about parameters {name: node} that have no room: the largest."""
    name = max(nodes, key=lambda each: nodes[each].size)
    return f"make its largest parameter smaller, {name} of shape {nodes[name].shape}"
