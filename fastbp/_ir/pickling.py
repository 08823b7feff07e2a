"""Nodes as pickle writes them: the nodes that one is made from in a list, each with the places of its inputs.

Pickled by references, each node would be written inside of the node that reads it, and a chain of a few hundred
operations would exceed the interpreter's recursion limit. Within one pickle a node stays one node, whichever nodes
read it.
"""

import threading
from weakref import WeakValueDictionary

from fastbp._ir.node import Node


class _Known(threading.local):
    """flats: {id of a node: the Flat it is in}, of the Flats that a pickle at work in this thread keeps alive."""

    def __init__(self):
        self.flats = WeakValueDictionary()


_known = _Known()


class Flat:
    """Nodes in order, each after its inputs; those that are in an earlier Flat are left to it.

    A new one has so many nodes without anything in them, so that what a node's attributes hold - a layer that holds the
    node - may speak of it before it is filled in.
    """

    __slots__ = ("__weakref__", "nodes", "places")

    def __init__(self, count):
        self.nodes = [object.__new__(Node) for _ in range(count)]

    @classmethod
    def of(cls, node):
        """The Flat that a node is in: one that is being pickled, or a new one of what it is made from."""
        known = _known.flats.get(id(node))
        if known is not None:
            return known
        flat = cls(0)
        flat.nodes = list(_unknown(node))
        flat.places = {id(one): i for i, one in enumerate(flat.nodes)}
        _known.flats.update(dict.fromkeys(flat.places, flat))
        return flat

    def __reduce__(self):
        rows = [
            (node.op, [self.places.get(id(one), one) for one in node.inputs], node.batched, node.shape, node.attributes)
            for node in self.nodes
        ]
        return Flat, (len(self.nodes),), rows

    def __setstate__(self, rows):
        for node, (op, inputs, batched, shape, attributes) in zip(self.nodes, rows, strict=True):
            inputs = tuple(self.nodes[one] if isinstance(one, int) else one for one in inputs)
            parts = {"op": op, "inputs": inputs, "batched": batched, "shape": shape, "attributes": attributes}
            for name, part in parts.items():
                object.__setattr__(node, name, part)


def _unknown(root):
    """What a node is made from and it itself, in order, without what is in a Flat already."""
    stack, met = [(root, False)], set()
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            yield node
        elif id(node) not in met and id(node) not in _known.flats:
            met.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.inputs))


def taken(flat, place):
    """A node of a Flat."""
    return flat.nodes[place]


def _reduced(node):
    flat = Flat.of(node)
    return taken, (flat, flat.places[id(node)])


Node.__reduce__ = _reduced
