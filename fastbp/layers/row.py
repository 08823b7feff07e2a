"""Layers in a row: which make a network, and where their parameters lie in its vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastbp import _check as check
from fastbp.layers.base import KINDS, Layer, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastbp._check.types import Shape
    from fastbp.losses import Loss


class Part(NamedTuple):
    """Where a parameter of a network lies: elements begin to end of the vector of all. layer: its layer's number; name,
    shape: its own; penalty: (l1, l2)."""

    layer: int
    name: str
    shape: Shape
    begin: int
    end: int
    penalty: tuple[float, float]


def parts(layers: Iterable[Layer]) -> list[Part]:
    """The Part of each parameter of the layers: layer by layer, and in the order of `Layer.parameters`."""
    found, begin = [], 0
    for i, layer in enumerate(layers):
        for each in layer.parameters():
            end = begin + each.size
            found.append(Part(i, each.name, each.shape, begin, end, layer.penalty_of(each)))
            begin = end
    return found


def in_a_row(given: Iterable[Layer], loss: Loss) -> list[Layer]:
    """Copies of the layers, if they make a network whose outputs this loss takes."""
    made = []
    width = None
    for i, layer in enumerate(given):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"layers[{i}] is {check.shown(layer)}, expected a {listed([cls.__name__ for cls in KINDS.values()])} "
                "layer; pass fb.Dense(inputs, units)"
            )
        if layer.units is not None:
            if width is not None and layer.inputs != width:
                raise ValueError(
                    f"layers[{i}] takes {layer.inputs} inputs, expected {width}, the units of the layer "
                    f"before it; make it {_as_wide(layer, width)}"
                )
            width = layer.units
        made.append(layer.copy())
    if not made or made[-1].units is None:
        last = repr(made[-1]) if made else "nothing"
        raise ValueError(f"the last layer is {last}, expected a Dense layer; a network ends with its outputs")
    for i, layer in enumerate(made[:-1]):
        if layer.output_only:
            raise ValueError(
                f"layers[{i}] has activation {layer.activation!r}, expected it in the last layer only; "
                "choose another one, such as 'relu' or 'tanh'"
            )
    loss.check_output(made[-1].activation, made[-1].units)
    return made


def _as_wide(layer: Layer, width: int) -> str:
    """A layer like this one that takes inputs of this width, in words: Dense(3, 4)."""
    widths = layer.widths or ("", "")  # of one that has an own width
    numbers = {name: getattr(layer, name) for name in widths}
    return f"{type(layer).__name__}({', '.join(map(str, {**numbers, widths[0]: width}.values()))})"


def narrower(made: Sequence[Layer]) -> str:
    """What to do about a network that has no room: its largest layer."""
    largest = max(range(len(made)), key=lambda i: made[i].size)
    return f"make its largest layer narrower, layers[{largest}], {made[largest]!r}"
