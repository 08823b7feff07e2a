"""A graph as a picture, drawn by graphviz (https://graphviz.org): a box for each node, an arrow for each operand.

The Python package `graphviz` writes the description, the program `dot` draws it; the package is imported at the first
call, the program is needed only where a file is wanted. ImportError and RuntimeError say what to install.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastbp._files.writing import path_of
from fastbp._ir.node import described
from fastbp._models.inspection import numbers
from fastbp.plot import colours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphviz import Digraph

    from fastbp._check.types import Path as Given
    from fastbp._ir.node import Node
    from fastbp._models.expression import Plan

__all__ = ["draw"]

SUFFIXES = (".svg", ".png", ".pdf")
FONT = {"fontname": "Helvetica", "fontsize": "11"}


def draw(plan: Plan, path: Given | None = None) -> Digraph:
    """The graph of a plan as a graphviz.Digraph, with values and gradients if there was a step; written to `path`, if
    given, in the format of its ending: .svg, .png or .pdf.

    An arrow carries what comes back along it where a node is used more than once: its gradient is their sum.
    Raises ImportError without the package graphviz, RuntimeError for a path without the program dot, ValueError for
    another ending.
    """
    if path is not None:
        path = Path(path_of(path))
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"path is {str(path)!r}, expected an ending {', '.join(SUFFIXES)}; choose one "
                             "of them")
    try:
        import graphviz
    except ImportError:
        raise ImportError('drawing graphs needs graphviz, which is not installed; pip install "fastbp[draw]"') from None
    picture = graphviz.Digraph(
        graph_attr={"rankdir": "LR", "ranksep": "0.35", "nodesep": "0.15"},
        node_attr={"style": "filled", "margin": "0.08,0.05", "height": "0.3", **FONT},
        edge_attr={"arrowsize": "0.6", **colours.ARROW, **FONT, "fontsize": "9"},
    )
    seen, back = plan.seen(), plan.paths() if plan.has_values() else {}
    number = {node: f"n{i}" for i, (node, *_) in enumerate(seen)}
    uses = Counter(child for node, *_ in seen for child in node.inputs)
    for node, label, value, grad in seen:
        lines = "\\n".join(map(graphviz.escape, _lines(node, label, value, grad)))
        picture.node(number[node], lines, tooltip=graphviz.escape(repr(node)), **colours.NODES[_kind(node, plan)])
        for i, child in enumerate(node.inputs):
            branches = uses[child] > 1 and (node, i) in back
            picture.edge(number[child], number[node], numbers(back[node, i]) if branches else None)
    if path is not None:
        _write(picture, path, graphviz.ExecutableNotFound)
    return picture


def _kind(node: Node, plan: Plan) -> str:
    if node is plan.loss_node:
        return "loss"
    return node.op if node.op in ("data", "parameter", "constant") else "operation"


def _lines(node: Node, label: str, value: Any, grad: Any) -> Iterator[str]:
    """What stands in a box: the operation, the shape unless it is a single number, value and gradient."""
    yield label
    if node.batched or node.shape:
        yield described(node.batched, node.shape)
    if value is not None:
        if node.op != "constant":  # whose label is its value
            yield f"value {numbers(value)}"
        yield f"grad {numbers(grad)}"


def _write(picture: Digraph, path: Path, missing: type[Exception]) -> None:
    try:
        drawn = picture.pipe(format=path.suffix[1:].lower())
    except missing:
        raise RuntimeError(
            f"{path} needs the program dot, which is not installed; install Graphviz (apt install graphviz, brew "
            "install graphviz), or leave path out and use the source of what draw returns"
        ) from None
    path.write_bytes(drawn)
