"""Pictures of a training run: its curves, the first layer's weights, the images most confidently mistaken.

Each function returns a matplotlib Figure; with `path` it is also written there (PNG, PDF, SVG by the name's ending, PNG
into an open binary file) and no window or backend is touched. Without `path` the figure is pyplot's, for `plt.show()`
or a notebook. matplotlib is imported at the first call; ImportError names the extra to install if it is missing.
"""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._check.errstate import quiet
from fastbp._check.logs import BUILT_IN
from fastbp._files.streams import fill, target
from fastbp.plot.colours import FRAME, GREY, SIGNED, TRAINING, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastbp._check.types import Data, File
    from fastbp.callbacks import History
    from fastbp.network import Sequential

__all__ = ["history", "mistakes", "weights"]

_MARKED = 60     # epochs of which each has a marker; more would be a rope


@quiet
def history(
    history: History | dict[str, list[float]],
    path: File | None = None,
    title: str = "Training",
    validation: str = "validation",
) -> Figure:
    """Curves over the epochs: the loss, and the accuracy where there is one; with `validation`'s beside the training's.
    Then those of metrics and callbacks, each by itself, or beside the one that is called "val_" and its name.

    history: a History, or its dict of lists "loss", "val_loss", "accuracy", "val_accuracy" and others; NaN is left out.
    Raises ValueError if empty.
    """
    given: Any = history
    curves: dict[str, list[float]] = getattr(given, "history", given)
    if not curves.get("loss"):
        raise ValueError("history has no loss of an epoch, expected at least one; train for one")
    first = 1 + (getattr(history, "epoch", None) or [0])[0]  # of a network that was trained before, a later one
    names = [name for name in ("loss", "accuracy") if curves.get(name)]
    own = {key: values for key, values in curves.items() if key not in BUILT_IN and len(values)}
    names += [name for name in own if not (name.startswith("val_") and name.removeprefix("val_") in own)]
    rows, columns = _grid(len(names), most=3)
    figure = open_figure(path, (5.2 * columns + 0.4, 4.2 * rows))
    figure.suptitle(wrapped(title, 5.2 * columns, 13), fontsize=13)
    parts = np.atleast_1d(figure.subfigures(rows, columns)).ravel()
    for part, name in zip(parts, names, strict=False):
        axes = part.subplots()
        for key, label, style in ((name, "training", TRAINING), ("val_" + name, validation, VALIDATION)):
            if curves.get(key):
                _curve(axes, key, label if key in BUILT_IN else key, style, first, curves[key])
        _style_curves(axes, name, first, len(curves["loss"]))
        legend_below(part, 5.2)
    return finish(figure, path)


def _curve(axes: Axes, key: str, label: str, style: dict[str, Any], first: int, values: Sequence[float]) -> None:
    """The curve of one key of the History, from epoch number `first` on; what is not finite is left out."""
    values = (100 if key in ("accuracy", "val_accuracy") else 1) * np.array(values, dtype=float)
    there = np.flatnonzero(np.isfinite(values))
    last = values[there[-1]] if len(there) else math.nan
    label += f": {last:.1f} % at the end" if key in ("accuracy", "val_accuracy") else f": {last:.3g} at the end"
    axes.plot(there + first, values[there], label=label, linewidth=1.8, markersize=3 if len(there) > 1 else 6,
              **{**style, "marker": style["marker"] if len(there) <= _MARKED else ""})


def _style_curves(axes: Axes, name: str, first: int, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy (%)" if name == "accuracy" else wrapped(name, 3.2, 10))
    axes.set_title(name.capitalize() if name in BUILT_IN else wrapped(name, 4.4, 11), fontsize=11)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.xaxis.set_major_formatter(lambda epoch, _: f"{epoch:,.0f}")
    beside = 0.5 if epochs < 3 else 0.02 * epochs
    axes.set_xlim(first - beside, first - 1 + epochs + beside)
    if name == "accuracy":
        axes.set_ylim(top=min(100.5, axes.get_ylim()[1]))
    elif name == "loss":
        values = np.concatenate([line.get_ydata() for line in axes.lines])
        # A loss that falls by a factor of a hundred is a hook in the corner on a linear axis.
        if values.min(initial=np.inf) > 0 and values.max(initial=0) > 50 * values.min():
            axes.set_yscale("log")
            plain_numbers(axes.yaxis)
        elif values.min(initial=np.inf) >= 0:
            axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


@quiet
def weights(
    net: Sequential,
    path: File | None = None,
    image_shape: Sequence[int] | None = None,
    title: str | None = None,
    most: int = 64,
) -> Figure:
    """The first layer's matrix of weights, one picture for each unit: red pushes the unit up, blue down.

    image_shape (h, w): of the inputs; by default net.data_spec's, or the square of as many pixels. At most `most` units
    are drawn, the first ones. Raises ValueError if the inputs are not an image of that shape.
    """
    W = next((values for layer in net.layers for values in layer.values() if values.ndim == 2), None)
    if W is None:
        raise ValueError(f"net is {check.shown(net)}, which has no matrix of weights, expected a network with a Dense "
                         f"layer; draw another one")
    inputs, units = W.shape
    if image_shape is None:
        image_shape = (net.data_spec or {}).get("image_shape") or (math.isqrt(inputs),) * 2
    height, width = image_shape
    if height * width != inputs:
        raise ValueError(f"image_shape is {tuple(image_shape)}, expected {inputs} pixels, as the network has inputs; "
                         f"give such a (height, width)")
    shown = min(units, most)
    rows, columns = _grid(shown)
    across, high = max(1.02 * columns + 1.3, 4.5), 1.02 * min(max(height / width, 1 / 3), 3)
    figure = open_figure(path, (across, rows * high + 0.9))
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    limit = float(np.percentile(np.abs(W[:, :shown]), 99.5)) or 1.0   # one wild weight must not pale all others
    for axes in grid[shown:]:
        axes.remove()
    for unit, axes in enumerate(grid[:shown]):
        drawn = axes.imshow(W[:, unit].reshape(height, width), cmap=SIGNED, vmin=-limit, vmax=limit,
                            aspect="equal" if 1 / 3 <= height / width <= 3 else "auto")
        _bare(axes)
    title = title or f"First layer: the weights of {'1 unit' if units == 1 else _part(shown, units) + ' units'}"
    figure.suptitle(wrapped(title, across, 12), fontsize=12)
    bar = figure.colorbar(drawn, ax=list(grid[:shown]), fraction=0.04, pad=0.02, aspect=25)
    bar.set_label("weight", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return finish(figure, path)


@quiet
def mistakes(
    net: Sequential,
    X: Data,
    y: Data,
    path: File | None = None,
    image_shape: Sequence[int] | None = None,
    classes: Sequence[Any] | None = None,
    title: str | None = None,
    most: int = 24,
) -> Figure:
    """The images of X (n, h*w) whose wrong class got the largest output, surest first, with true and given class.

    y (n,) integer labels; classes: their names, by default net.data_spec's or the numbers. Without a mistake the figure
    says so. Raises ValueError if the network has one output or the inputs are not an image of image_shape.
    """
    spec = net.data_spec or {}
    image_shape = image_shape or spec.get("image_shape") or (math.isqrt(net.inputs),) * 2
    if math.prod(image_shape) != net.inputs:
        raise ValueError(f"image_shape is {tuple(image_shape)}, expected {net.inputs} pixels, as the network has "
                         "inputs; give such a (height, width)")
    if net.units < 2:
        raise ValueError("net has one output, expected one for each class; train it so to see its mistakes")
    X, y = np.asarray(X), np.asarray(y)
    outputs = net.predict(X)
    given = outputs.argmax(axis=1)
    names = classes or spec.get("classes") or range(net.units)
    wrong = np.flatnonzero(given != y)
    sure = outputs[wrong, given[wrong]]
    shown = wrong[np.argsort(-sure, kind="stable")[:most]]
    rows, columns = _grid(max(len(shown), 1))
    across = max(1.3 * columns, 4.5)
    figure = open_figure(path, (across, 1.55 * rows + 0.7))
    said = "probability" if net.loss.link in ("softmax", "sigmoid") else "output"
    if not len(shown):
        figure.text(0.5, 0.4, f"All {len(y):,} images were recognised.", ha="center", fontsize=12)
        figure.suptitle(wrapped(title or "No mistakes", across, 12), fontsize=12)
        return finish(figure, path)
    grid = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in grid[len(shown):]:
        axes.remove()
    for axes, place in zip(grid, shown, strict=False):
        axes.imshow(X[place].reshape(image_shape), cmap=GREY, vmin=0, vmax=max(float(X[place].max()), 1e-12))
        axes.set_title(_confusion(names[y[place]], names[given[place]]), fontsize=9, pad=3)
        axes.set_xlabel(f"{said} {outputs[place, given[place]]:.2f}", fontsize=8, labelpad=2)
        _bare(axes)
    what = f"Mistakes, the most confident first: {_part(len(shown), len(wrong))}, in {len(y):,} images"
    figure.suptitle(wrapped(title or what, across, 12), fontsize=12)
    return finish(figure, path)


def _confusion(true: object, given: object) -> str:
    """"3 read as 5" above an image 1.3 inches wide: in two lines where the names are long, and shortened if need be."""
    line = f"{true} read as {given}"
    if _wide(line, 9) > 1.25:
        line = f"{_short(true)}\n{_short(f'read as {given}')}"
    return plain(line)


def _short(text: object) -> str:
    """The beginning of a text, as much of it as stands above an image."""
    text, most = " ".join(str(text).split()), 60
    while _wide(shown := text if len(text) <= most else f"{text[:most]}\N{HORIZONTAL ELLIPSIS}", 9) > 1.25:
        most -= 1
    return shown


def _grid(count: int, most: int = 8) -> tuple[int, int]:
    """Rows and columns of `count` pictures, rows of nearly equal length, at most `most` in each."""
    rows = math.ceil(count / most)
    return rows, math.ceil(count / rows)


def _part(shown: int, total: int) -> str:
    return f"all {total:,}" if shown == total else f"{shown:,} of {total:,}"


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(FRAME)


def open_figure(path: File | None, size: tuple[float, float]) -> Any:
    """A Figure of `size` (width, height) in inches: pyplot's without a path, one of its own with one, which is looked
    at."""
    if path is not None:
        target(path)
    try:
        if path is None:
            from matplotlib import pyplot
            return pyplot.figure(figsize=size, layout="constrained")
        # Not pyplot's: no backend is chosen, no window opened, nothing kept after the file is written.
        from matplotlib.figure import Figure
        return Figure(figsize=size, layout="constrained")
    except ImportError:
        raise ImportError('pictures need matplotlib, which is not installed; pip install "fastbp[plot]"') from None


def plain(text: object) -> str:
    """Text as it is drawn: a dollar, as in the name of a file or a column, is a dollar and begins no formula."""
    return str(text).replace("$", r"\$")


def wrapped(text: object, inches: float, size: float) -> str:
    """Text as it is drawn, in lines that are at most so many inches wide in a font of `size` points."""
    text = " ".join(str(text).split())
    most = len(text)
    if _wide(text, size) > inches:
        most = max(int(most * inches / _wide(text, size)), 1)
    while most > 1 and any(_wide(line, size) > inches for line in textwrap.wrap(text, most)):
        most -= 1
    return plain(textwrap.fill(text, most) if text else text)


def _wide(text: str, size: float) -> float:
    """The width of a line of text in inches, in matplotlib's font of so many points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path
    width: float = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)[0]
    return width / 72


def legend_below(figure: Any, inches: float, handles: Sequence[Any] | None = None) -> None:
    """A legend beneath the axes of a figure or subfigure of so many inches: it covers no data."""
    handles = figure.axes[-1].lines if handles is None else handles
    labels = [wrapped(line.get_label(), inches - 0.8, 9) for line in handles]
    # In inches, with the line before it and the space around.
    lengths = [max(_wide(line, 9) for line in label.split("\n")) + 0.65 for label in labels]
    rows = 1 if sum(lengths) < inches else math.ceil(len(labels) / max(int(inches / max(lengths)), 1))
    figure.legend(handles, labels, loc="outside lower center", frameon=False, fontsize=9,
                  ncols=math.ceil(len(labels) / rows))


def plain_numbers(axis: Any) -> None:
    """Ticks at 1, 2 and 5 times the powers of ten of a logarithmic axis that spans a few, as numbers: 0.02, not a
    power; at the powers where it spans more."""
    from matplotlib.ticker import LogLocator, NullFormatter
    low, high = axis.get_view_interval()
    decades = math.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,), numticks=12))
    axis.set_minor_formatter(NullFormatter())
    if low > 1e-6 and high < 1e9:
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")


def finish(figure: Figure, path: File | None) -> Figure:
    """The figure, written to `path` where there is one: PNG into an open file."""
    if path is not None:
        # into an open file PNG, whatever format the settings of matplotlib name
        fill(path, lambda to: figure.savefig(to, dpi=130, format=None if isinstance(to, str) else "png"))
    return figure
