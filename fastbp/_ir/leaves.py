"""The leaves of a graph: rows that the caller gives, and parts of the parameter vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastbp._ir.node import Node

if TYPE_CHECKING:
    from fastbp._check.types import Shape


def rows(name: str, width: int, integer: bool = False) -> Node:
    """Rows given by the caller: inputs, targets, weights of samples, or a gradient to start backward from."""
    return Node("data", batched=True, shape=(width,), name=name, integer=integer)


def parameter(shape: Shape, name: str = "", **attributes: Any) -> Node:
    """A part of the parameter vector. attributes: what an expression knows of it: layer, before, depth, penalty,
    init."""
    return Node("parameter", batched=False, shape=shape, name=name, **attributes)
