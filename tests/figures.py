"""What is wrong with a matplotlib figure's layout: text over text, text beyond the edge, a legend over data."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.legend import Legend
from matplotlib.text import Text


def faults(figure):
    """A list of words, empty for a figure whose texts neither overlap nor leave it and whose legends cover no axes."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    everything = figure.bbox
    legends = figure.findobj(Legend)
    boxes = [("legend", legend.get_window_extent()) for legend in legends]
    inside = {id(text) for legend in legends for text in legend.findobj(Text)}
    ticks = {id(text): text for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
             for tick in (*axis.majorTicks, *axis.minorTicks) for text in (tick.label1, tick.label2)}
    # Ticks beyond the limits are kept and not drawn.
    drawn = {id(text) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
             for tick in axis._update_ticks() for text in (tick.label1, tick.label2)}
    for text in figure.findobj(Text):
        hidden = id(text) in ticks and id(text) not in drawn
        if text.get_text().strip() and text.get_visible() and id(text) not in inside and not hidden:
            boxes.append((text.get_text(), text.get_window_extent()))
    found = [f"{a!r} lies on {b!r}" for (a, one), (b, other) in combinations(boxes, 2) if _meet(one, other)]
    found += [f"{name!r} leaves the figure" for name, box in boxes
              if box.x0 < -1 or box.y0 < -1 or box.x1 > everything.x1 + 1 or box.y1 > everything.y1 + 1]
    found += [f"a legend covers {axes.get_title()!r}" for name, box in boxes if name == "legend"
              for axes in figure.axes if _meet(box, axes.get_window_extent())]
    return found


def _meet(one, other):
    """Whether two boxes share more than a pixel's width."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    return wide > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
