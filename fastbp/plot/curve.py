"""Pictures of Curve Fitter 6000: the fit through the points, the loss of each method, and both in motion.

Runs (curve.Run) are told apart by line and marker as well as by colour, and look the same in all three (colours.py).
`fit` and `loss` return a matplotlib Figure, also written to `path` where one is given, as in fastbp.plot; `animate`
writes a GIF. ImportError names the extra to install.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._files.streams import fill
from fastbp.plot import colours
from fastbp.plot.training import finish, legend_below, open_figure, plain_numbers, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fastbp._check.types import Array, Doubles, File
    from fastbp.curve import CurveFitter, Run

_FRAMES, _MILLISECONDS, _HOLD = 70, 90, 2000       # the last frame is held


@quiet
def fit(
    fitter: CurveFitter, runs: Sequence[Run], path: File | None = None, names: Sequence[str] = ("x", "y")
) -> Figure:
    """The points, the curve each run ended with, and beneath them the exact one of least squares."""
    figure = open_figure(path, (7.2, 5.2))
    axes = figure.subplots()
    x = _grid(fitter)
    least = fitter.loss(fitter.exact)
    axes.plot(x, fitter.predict(x, fitter.exact), label=f"least squares: loss {least:.4g}", **colours.EXACT)
    _points(axes, fitter, names)
    for run, style in zip(runs, colours.of_runs(runs), strict=True):
        axes.plot(x, fitter.predict(x, run.knobs[-1]), label=f"{run.label}: loss {run.loss[-1]:.4g}", markevery=0.1,
                  markersize=5, **style)
    title = f"A polynomial of degree {fitter.degree} through {len(fitter.x):,} points, after " \
            f"{_count(runs[0].evaluations[-1])} evaluations of the loss"
    axes.set_title(wrapped(title, 7, 11), fontsize=11)
    legend_below(figure, 7.2)
    return finish(figure, path)


@quiet
def loss(fitter: CurveFitter, runs: Sequence[Run], path: File | None = None) -> Figure:
    """The loss of each run over the evaluations it spent, both axes logarithmic, and the least there is."""
    figure = open_figure(path, (7.2, 5.2))
    axes = figure.subplots()
    least = fitter.loss(fitter.exact)
    axes.axhline(least, label=f"least squares: {least:.4g}", **colours.EXACT)
    for run, style in zip(runs, colours.of_runs(runs), strict=True):
        axes.plot(run.evaluations, run.loss, label=f"{run.label}: {run.loss[-1]:.4g} at the end", markersize=5,
                  markevery=_decades(run.evaluations), **style)
    # From 0 to 1 linear: the start, before anything was spent, belongs into the picture.
    longest = max(run.evaluations[-1] for run in runs)
    axes.set_xscale("symlog", linthresh=1, linscale=0.3, subs=(2, 5))
    axes.set_xlim(0, longest * 1.15)
    if longest < 200:
        axes.xaxis.get_major_locator().set_params(subs=(1, 2, 5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    most = max(run.loss.max() for run in runs)
    # On a logarithmic axis that spans less than a factor of five hardly a number would stand.
    if least > 1e-12 * runs[0].loss[0] and most > 5 * least:
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
    axes.set_xlabel("evaluations of the loss")
    scaled = tuple(fitter.y_scale) != (0, 1)
    axes.set_ylabel(f"loss: sum of squared distances{', y scaled to -1 .. 1' * scaled}")
    axes.set_title("Gradients against random nudges", fontsize=11)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    legend_below(figure, 7.2)
    return finish(figure, path)


@quiet
def animate(
    fitter: CurveFitter,
    fits: Sequence[Run],
    walks: Sequence[Run],
    pair: Sequence[int],
    path: File,
    names: Sequence[str] = ("x", "y"),
) -> None:
    """Write a GIF: left the fits of runs of all knobs, right the paths of runs of two knobs over their loss.

    fits: one or two Runs. walks: as many of the knobs `pair` alone (run(turn=pair)), so that their paths lie on the
    surface drawn. A frame shows all of them after the same number of evaluations.
    """
    figure = open_figure(path, (10.4, 5.1))
    left, right = figure.subplots(1, 2)
    x, styles = _grid(fitter), colours.of_runs(fits)
    left.plot(x, fitter.predict(x, fitter.exact), label="least squares", **colours.EXACT)
    _points(left, fitter, names)
    curves = [left.plot(x, x, label=run.label, **_bare(style))[0] for run, style in zip(fits, styles, strict=True)]
    left.set_title(f"All {fitter.degree + 1} knobs turn", fontsize=11)
    _draw_surface(figure, right, fitter, walks, pair)
    minimum, = right.plot(*fitter.exact[list(pair)], label="the least loss of the two", **colours.MINIMUM)
    paths = [right.plot([], [], zorder=4 - n, **{**_bare(style), "linewidth": 2.2 - 1.2 * n})[0]
             for n, style in enumerate(styles)]
    heads = [right.plot([], [], style["marker"], color=style["color"], markersize=9, zorder=6)[0] for style in styles]
    # In the legend each way has the line of its fit and the marker of its path.
    keys = [right.plot([], [], label=run.label, **style)[0] for run, style in zip(fits, styles, strict=True)]
    legend_below(figure, 10.4, [*left.lines[:2], *keys, minimum])
    title = figure.suptitle("after", fontsize=12)

    def draw(spent: float) -> None:
        title.set_text(f"after {_count(spent)} evaluation{'s' * (spent != 1)} of the loss")
        for run, curve in zip(fits, curves, strict=True):
            curve.set_ydata(fitter.predict(x, run.knobs[run.at(spent)]))
        for run, path_line, head in zip(walks, paths, heads, strict=True):
            way = run.knobs[:run.at(spent) + 1, list(pair)]
            path_line.set_data(way[:, 0], way[:, 1])
            head.set_data(way[-1:, 0], way[-1:, 1])

    moments = _frames(np.unique(np.concatenate([run.evaluations for run in (*fits, *walks)])))
    _write(figure, [title, *curves, *paths, *heads, minimum], draw, moments, path)


def _draw_surface(figure: Figure, axes: Axes, fitter: CurveFitter, walks: Sequence[Run], pair: Sequence[int]) -> None:
    """Contours of the loss over two knobs around the walks and the minimum, the other knobs at their exact values."""
    i, j = pair
    seen = np.concatenate([run.knobs[:, [i, j]] for run in walks] + [fitter.exact[None, [i, j]]])
    low, high = seen.min(axis=0), seen.max(axis=0)
    margin = 0.2 * (high - low) + 0.1 * (high - low).max() + 1e-3
    first, second = (np.linspace(a, b, 48) for a, b in zip(low - margin, high + margin, strict=True))
    heights = fitter.surface(pair, first, second)
    floor = fitter.loss(fitter.exact)
    # Steps of the contours grow with the square of their number, like a bowl's: even rings, also near the bottom.
    levels = floor + (heights.max() - floor) * np.linspace(0, 1, 15) ** 2
    drawn = axes.contourf(first, second, heights, levels=levels, cmap=colours.SURFACE, alpha=0.6)
    axes.contour(first, second, heights, levels=levels, colors=colours.RINGS, linewidths=0.5)
    axes.set_xlabel(f"k{i}")
    axes.set_ylabel(f"k{j}")
    axes.set_title(f"Only k{i} and k{j} turn, the others stand at their best" if fitter.degree > 1
                   else f"The loss over k{i} and k{j}", fontsize=11)
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, aspect=25, format="%.3g")
    bar.set_label("loss", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _write(
    figure: Figure, moving: Sequence[Any], draw: Callable[[float], None], moments: Sequence[float], path: File
) -> None:
    """Write the frames draw(moment) as a GIF. What does not move is drawn once: that is ten times as fast."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(90)
    canvas: Any = FigureCanvasAgg(figure)
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still, frames = canvas.copy_from_bbox(figure.bbox), []
    for moment in moments:
        canvas.restore_region(still)
        draw(moment)
        for artist in sorted(moving, key=lambda artist: artist.zorder):
            figure.draw_artist(artist)
        frames.append(Image.fromarray(np.array(canvas.buffer_rgba())[..., :3]))
    # One palette for all frames, that of the last, where everything is seen: colours that flicker are no picture.
    palette = frames[-1].quantize(256)
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    durations = [_MILLISECONDS] * len(others) + [_HOLD]
    options: dict[str, Any] = {"save_all": True, "append_images": others, "duration": durations, "loop": 0}
    fill(path, lambda to: first.save(to, "GIF", **options))


def _points(axes: Axes, fitter: CurveFitter, names: Sequence[str]) -> None:
    axes.plot(fitter.x, fitter.y, label="points", **colours.POINTS)
    reach = np.ptp(fitter.y) or 1.0
    axes.set_ylim(fitter.y.min() - 0.25 * reach, fitter.y.max() + 0.25 * reach)
    axes.set_xlabel(wrapped(names[0], 4.5, 10))
    axes.set_ylabel(wrapped(names[1], 3.2, 10))
    axes.spines[["top", "right"]].set_visible(False)


def _grid(fitter: CurveFitter) -> Doubles:
    return np.linspace(fitter.x.min(), fitter.x.max(), 400)


def _frames(moments: Doubles) -> list[float]:
    """At most _FRAMES of the ascending moments, dense at the beginning, the last one among them."""
    wanted = np.concatenate([[0], np.geomspace(moments[1], moments[-1], _FRAMES - 1)])
    found: list[float] = np.unique(moments[np.searchsorted(moments, wanted).clip(max=len(moments) - 1)]).tolist()
    return found


def _count(spent: float) -> str:
    return f"{spent:,.0f}" if spent == int(spent) else f"{spent:,.1f}"


def _decades(evaluations: Array) -> list[int]:
    """Places where the evaluations pass 1, 2, 5, 10, 20, 50 ...: markers evenly spaced on a logarithmic axis."""
    marks = [m * 10.0**e for e in range(12) for m in (1, 2, 5)]
    return sorted({0, *(int(np.searchsorted(evaluations, mark)) for mark in marks if mark <= evaluations[-1])})


def _bare(style: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in style.items() if key != "marker"}
