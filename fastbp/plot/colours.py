"""The colours of all pictures: the same thing has the same colour, line and marker wherever it is drawn.

Nothing is told by colour alone: curves differ in line and marker, nodes of a graph in their outline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from fastbp.curve import Run

    Style: TypeAlias = dict[str, Any]  # attributes of a line, or of a node, by name

TRAINING: Style = {"color": "#1f77b4", "marker": "o"}
VALIDATION: Style = {"color": "#d95f02", "marker": "s"}

# Ways to turn the knobs of a curve fit, by what a Run's label begins with.
RUNS: dict[str, Style] = {
    "gradient": {"color": "#1f77b4", "linestyle": "-", "marker": "o", "linewidth": 2.2},
    "gradient, mini-batches": {"color": "#d95f02", "linestyle": (0, (3, 1)), "marker": "s", "linewidth": 1.4},
    "perturb": {"color": "#55833a", "linestyle": "-.", "marker": "^", "linewidth": 1.6},
    "momentum": {"color": "#7b3294", "linestyle": (0, (7, 2)), "marker": "D", "linewidth": 1.8},
    "momentum, mini-batches": {"color": "#c2185b", "linestyle": (0, (2, 1)), "marker": "v", "linewidth": 1.4},
    "adam": {"color": "#8c5a0a", "linestyle": (0, (7, 2, 2, 2)), "marker": "P", "linewidth": 1.8},
    "adam, mini-batches": {"color": "#008080", "linestyle": (0, (1, 1)), "marker": "X", "linewidth": 1.4},
}
EXACT: Style = {"color": "0.75", "linewidth": 6, "solid_capstyle": "round", "zorder": 1}  # a band for lines
POINTS: Style = {"color": "0.25", "linestyle": "", "marker": "o", "markerfacecolor": "none", "markersize": 5,
                 "zorder": 4}
MINIMUM: Style = {"color": "black", "linestyle": "", "marker": "+", "markersize": 13, "markeredgewidth": 1.8,
                  "zorder": 7}
SURFACE, RINGS = "Greys", "0.55"         # the loss over two knobs
SIGNED, GREY = "RdBu_r", "gray_r"        # weights, red up and blue down; images, ink on paper
FRAME = "0.75"

# Kinds of nodes of a graph: attributes of graphviz.
NODES: dict[str, Style] = {
    "data": {"shape": "note", "fillcolor": "#dbe9f6", "margin": "0.12,0.05"},
    "parameter": {"shape": "ellipse", "fillcolor": "#fde0c5", "margin": "0.02,0.02"},
    "constant": {"shape": "plaintext", "fillcolor": "transparent"},
    "operation": {"shape": "box", "style": "filled,rounded", "fillcolor": "#f4f4f4"},
    "loss": {"shape": "box", "fillcolor": "#d9ead3", "peripheries": "2"},
}
ARROW: Style = {"color": "gray40", "fontcolor": "#a33c00"}  # an arrow between nodes, and the gradient that comes back


def of_runs(runs: Sequence[Run]) -> list[Style]:
    """A style for each Run: that of its way in RUNS. Where several go the same way, the others get the next ones that
    are free; with more runs than styles they come round again."""
    wanted = [run.label.partition(" of ")[0] for run in runs]
    spare = [name for name in RUNS if name not in wanted] or list(RUNS)
    given, used = [], 0
    for i, name in enumerate(wanted):
        if name not in RUNS or name in wanted[:i]:
            name, used = spare[used % len(spare)], used + 1
        given.append(RUNS[name])
    return given
