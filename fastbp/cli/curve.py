"""`fastbp curve`: Curve Fitter 6000 on two columns of numbers: what its screens say, and how far each method comes."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import math
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp import curve
from fastbp._core import cpu
from fastbp.cli.common import columns, command, digits, one_of, output_folder, real, row, say, whole
from fastbp.cli.csv_options import add_format, format_of, said
from fastbp.datasets import tables

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from fastbp._check.types import Doubles

# y = 12 + 4 sin(0.6 x - 0.6) at forty random x in [0, 10], with normal noise of deviation 0.6
_EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "curve.csv")
_WIDE = 71    # characters of a line of the screens; where there are fewer the arrows are shorter

_CURVE = """\
Fit a polynomial to points, as a machine with a knob for each coefficient and one dial, the loss: the sum of squared
vertical distances. Backpropagation puts a screen beside each knob that says which way to nudge it, and how far; the
same number of evaluations of the loss is spent on random nudges, kept when the loss falls, for comparison. The exact
answer of least squares is the yardstick.

FILE is a CSV file with two columns, x and y; without it, forty noisy points that come with fastbp.
"""
_EXAMPLES = """\
examples:
  fastbp curve
  fastbp curve points.csv --degree 3 --method adam
  fastbp curve --method perturb --steps 20000 --nudge 0.03
  fastbp curve --steps 300 --batch-size 4 --animate fit.gif --knobs 1,3

what is written to --out: fit.png, the curves through the points, and loss.png, the loss over the evaluations spent.
--animate shows a descent with all points beside one with mini-batches: the fits of all knobs, and the paths of two
knobs over their loss, while the others stand at their best. With --method perturb: random nudges beside a descent.
"""


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(commands, "curve", "fit a polynomial, and watch gradients do it", _CURVE, _EXAMPLES, run)
    parser.add_argument("file", metavar="FILE", nargs="?", help="a CSV file of two columns, with a header or without")
    parser.add_argument("--degree", type=whole(0, curve.MOST), default=5, metavar="N",
                        help=f"of the polynomial, 0 to {curve.MOST} (default: 5)")
    parser.add_argument("--no-scale", action="store_true",
                        help="use x and y as they are; by default both are scaled to [-1, 1]")
    parser.add_argument("--dtype", type=one_of("dtype", ("float32", "float64")), default="float64", metavar="TYPE",
                        help="float32 or float64 (the default)")
    add_format(parser)
    fit = parser.add_argument_group("fitting")
    fit.add_argument("--method", type=one_of("method", curve.METHODS), default="gradient", metavar="NAME",
                     help=f"{', '.join(curve.METHODS)} (default: gradient)")
    fit.add_argument("--steps", type=whole(1, 10**8), default=5000, metavar="N",
                     help="evaluations of the loss to spend; a gradient step is one, and so is a pass of mini-batches "
                          "(default: 5000)")
    fit.add_argument("--lr", type=real(0), metavar="RATE",
                     help="learning rate (default: 0.01, or less where that may climb)")
    fit.add_argument("--nudge", type=real(0), default=curve.NUDGE, metavar="SIZE",
                     help=f"standard deviation of random nudges (default: {curve.NUDGE})")
    fit.add_argument("--batch-size", type=whole(1), metavar="N", help="points a gradient step (default: all)")
    fit.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N",
                     help="of random nudges and the order of mini-batches (default: 0)")
    fit.add_argument("--threads", type=whole(1), metavar="N",
                     help="number of threads (default: see fastbp info); changes the time, never the result")
    out = parser.add_argument_group("pictures")
    out.add_argument("--out", metavar="DIR", default="fastbp-curve",
                     help="folder for fit.png and loss.png (default: ./fastbp-curve)")
    out.add_argument("--no-plots", action="store_true", help="write neither of them")
    out.add_argument("--animate", type=_gif, metavar="FILE", help="write a moving picture, such as fit.gif")
    out.add_argument("--knobs", type=_pair, metavar="I,J", help="the two knobs of --animate (default: 0,1)")


def run(options: Namespace) -> int:
    """Fit as `options` say; returns the exit code."""
    if options.file is None and (option := said(options)) is not None:
        raise ValueError(f"{option} is given without FILE, expected both; give FILE, or leave it out")
    x, y, names = tables.load_points(options.file or _EXAMPLE, format_of(options))
    names = tuple(map(check.printable, names))
    fitter = curve.CurveFitter(x, y, options.degree, scale=not options.no_scale, dtype=options.dtype)
    pair = _knobs(options)
    if options.batch_size is not None and options.method == "perturb":
        raise ValueError("--batch-size is given with --method perturb, expected a gradient method, as perturb compares "
                         "losses of all points; leave it out, or choose another method")
    draw = _can_draw(options)
    if options.threads is not None:
        cpu.set_threads(options.threads)
    with output_folder(options.out) if draw and not options.no_plots else contextlib.nullcontext():
        _announce(options, fitter, names)
        runs = _runs(options, fitter)
        _report(fitter, runs, names)
        if draw:
            _pictures(options, fitter, runs, pair, names)
    return 0


def _knobs(options: Namespace) -> tuple[int, int] | None:
    """The two knobs to animate, or None."""
    if options.animate is None:
        if options.knobs is not None:
            raise ValueError("--knobs is given without --animate FILE, expected both; give --animate FILE, or leave it "
                             "out")
        return None
    if options.degree == 0:
        raise ValueError("--degree is 0, expected 1 or more with --animate, which draws the loss over two knobs; "
                         "choose 1 or more")
    pair = options.knobs or (0, 1)
    if max(pair) > options.degree:
        raise ValueError(f"--knobs is {pair[0]},{pair[1]}, expected two of the knobs 0 to {options.degree} of --degree "
                         f"{options.degree}; choose others, or a higher degree")
    folder = os.path.dirname(options.animate) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"--animate is {options.animate}, expected a file in a folder that is there, which "
                                f"{folder} is not; make it, or choose another")
    return pair


def _can_draw(options: Namespace) -> bool:
    """Whether pictures are wanted and can be drawn; an animation that cannot be is an error, before any work."""
    if options.no_plots and options.animate is None:
        return False
    if all(importlib.util.find_spec(name) for name in ("matplotlib", "PIL")):
        return True
    if options.animate is not None:
        raise ImportError('--animate needs matplotlib and pillow, not all of which are installed; '
                          'pip install "fastbp[plot]"')
    say('no pictures: they need matplotlib; pip install "fastbp[plot]"', file=sys.stderr)
    return False


def _settings(options: Namespace) -> dict[str, Any]:
    return {"steps": options.steps, "nudge": options.nudge, "seed": options.seed}


def _runs(options: Namespace, fitter: curve.CurveFitter) -> list[curve.Run]:
    """The run asked for, and what it is to be compared with: a descent with all points, and random nudges."""
    asked = fitter.run(options.method, lr=options.lr, batch_size=options.batch_size, **_settings(options))
    others = [fitter.run(method, **_settings(options)) for method in ("gradient", "perturb") if method != asked.label]
    return [asked, *others]


# ---- what is printed -------------------------------------------------------------------------------------------------

def _announce(options: Namespace, fitter: curve.CurveFitter, names: Sequence[str]) -> None:
    name = os.path.basename(options.file) if options.file else "the bundled example"
    row("data", f"{name}: {len(fitter.x):,} points, {names[0]} from {fitter.x.min():g} to {fitter.x.max():g}, "
                f"{names[1]} from {fitter.y.min():g} to {fitter.y.max():g}")
    t, u = names if options.no_scale else map(_scaled, names, (fitter.x_scale, fitter.y_scale))
    why = "as they are" if options.no_scale else "from -1 to 1, so that one learning rate suits all data"
    row("scaled", f"t = {t} and u = {u}, {why}")
    row("machine", f"{fitter.degree + 1} knob{'s' * (fitter.degree > 0)}: {_formula(fitter.degree)}; "
                   f"loss: the sum over the points of (curve - u)^2")
    lr = fitter.rate(options.method, options.batch_size) if options.lr is None else options.lr
    batch = f", mini-batches of {options.batch_size}" if options.batch_size else ""
    how = f"nudges of {options.nudge:g}" if options.method == "perturb" else f"lr {lr:.3g}"
    row("method", f"{options.method}, {how}{batch}, {options.steps:,} evaluations of the loss, {options.dtype}, "
                  f"seed {options.seed}")
    row("rate", f"above {2 / fitter.curvature:.3g} plain gradient steps climb (2 / the largest curvature of the loss)")
    if fitter.interpolates:
        row("note", f"{fitter.degree + 1} knobs for as many distinct {names[0]}: that is interpolation; the best curve "
                    f"passes through the points, noise and all")


def _scaled(name: str, scale: curve.Scale) -> str:
    return f"({name} {'+' if scale.middle < 0 else '-'} {abs(scale.middle):g}) / {scale.half:g}"


def _formula(degree: int) -> str:
    terms = ["k0", "k1 t", *(f"k{i} t^{i}" for i in range(2, degree + 1))][:degree + 1]
    return "curve = " + " + ".join(terms if degree < 4 else [*terms[:2], "...", terms[-1]])


def _report(fitter: curve.CurveFitter, runs: Sequence[curve.Run], names: Sequence[str]) -> None:
    asked, least = runs[0], fitter.loss(fitter.exact)
    _screens(f"the screens at the start: loss {asked.start.loss:.6g}", asked.start)
    _progress(runs, least)
    _screens(f"the screens at the end of {asked.label}: loss {asked.end.loss:.6g}", asked.end, fitter.exact)
    _coefficients(fitter, asked, names)
    print()
    row("loss", f"{asked.start.loss:.6g} at the start, {asked.end.loss:.6g} at the end")
    times = f"; the fit's is {asked.end.loss / least:.6g} times that" if least > 1e-12 * asked.start.loss else ""
    row("least squares", f"{least:.6g}{times}")
    if asked.end.loss > asked.start.loss:
        row("note", "the loss has risen: the steps are too long; choose a smaller --lr")
    distance = fitter.y_scale.half * math.sqrt(asked.end.loss / len(fitter.x))
    row("distance", f"{distance:.4g} from curve to point (root mean square, in units of {names[1]})")
    for other in runs[1:]:
        row("compared", f"{other.label} ends at {other.end.loss:.6g} after the same number of evaluations")
    row("counted", "a gradient step as one evaluation; its backward pass takes about as long again as the forward pass")


def _screens(title: str, screens: curve.Screens, exact: Doubles | None = None) -> None:
    """A line for each knob: its value, its gradient, and the next nudge in numbers and as an arrow."""
    narrow = (columns(sys.stdout) or _WIDE) < _WIDE
    most, line = (5, "{:<3} {:>12} {:>10} {:>10}  {:<5} {:>13}") if narrow else (
        12, "{:<5} {:>11} {:>12} {:>12}  {:<12} {:>13}")
    print()
    say(title, "  ")
    print(line.format("" if narrow else "knob", "value", "gradient", "next nudge", "way" if narrow else "which way",
                      "" if exact is None else "least squares").rstrip())
    longest = np.abs(screens.nudge).max() or 1.0
    for i, (value, gradient, nudge) in enumerate(zip(*screens[1:], strict=True)):
        arrow = (">" if nudge > 0 else "<") * math.ceil(most * abs(nudge) / longest)
        best = "" if exact is None else f"{exact[i]:.6g}"
        print(line.format(f"k{i}", f"{value:.6g}", f"{gradient:+.4g}", f"{nudge:+.4g}", arrow, best).rstrip())


def _progress(runs: Sequence[curve.Run], least: float) -> None:
    """The losses after 0, 1, 10, 100 ... evaluations."""
    budget = int(runs[0].evaluations[-1])
    heads = [run.label.replace(", ", ",\n").split("\n") for run in runs]     # "gradient," over "mini-batches of 4"
    widths = [max(12, *map(len, head)) for head in heads]
    tall = max(map(len, heads))
    print()
    for line in range(tall):
        cells = [head[line - tall] if line >= tall - len(head) else "" for head in heads]
        _columns("evaluations" if line == tall - 1 else "", cells, widths)
    for spent in sorted({0, *(10**e for e in range(9) if 10**e <= budget), budget}):
        _columns(f"{spent:,}", [digits(run.loss[run.at(spent)], 6) for run in runs], widths)
    print(f"least squares {least:.6g}")


def _columns(first: str, cells: Sequence[str], widths: Sequence[int]) -> None:
    line = " ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    print(f"{first:>11} {line}".rstrip())


def _coefficients(fitter: curve.CurveFitter, asked: curve.Run, names: Sequence[str]) -> None:
    print()
    say(f"the polynomial in the units of the file, {names[1]} over {names[0]}", "  ")
    print(f"{'power':<5} {'fitted':>17} {'least squares':>17}")
    both = map(fitter.polynomial, (asked.end.knobs, fitter.exact))
    for i, (fitted, exact) in enumerate(zip(*both, strict=True)):
        print(f"{i:<5} {fitted:>17.9g} {exact:>17.9g}")


# ---- what is drawn ---------------------------------------------------------------------------------------------------

def _pictures(
    options: Namespace,
    fitter: curve.CurveFitter,
    runs: Sequence[curve.Run],
    pair: tuple[int, int] | None,
    names: Sequence[str],
) -> None:
    from fastbp.plot import curve as curve_plot
    if not options.no_plots:
        fit, loss = (os.path.join(options.out, name) for name in ("fit.png", "loss.png"))
        curve_plot.fit(fitter, runs, fit, names)
        curve_plot.loss(fitter, runs, loss)
        row("pictures", f"{fit}, {loss}")
    if options.animate is not None and pair is not None:
        ways = _contenders(options, fitter)
        fits, walks = ([fitter.run(**how, **_settings(options), turn=turn) for how in ways] for turn in (None, pair))
        curve_plot.animate(fitter, fits, walks, pair, options.animate, names)
        row("animation", options.animate + (f": both ways with lr {ways[0]['lr']:.3g}" if "lr" in ways[0] else ""))


def _contenders(options: Namespace, fitter: curve.CurveFitter) -> list[dict[str, Any]]:
    """The two that are drawn side by side: with all points and with mini-batches, or random nudges and a descent."""
    if options.method == "perturb":
        return [{"method": "perturb"}, {"method": "gradient"}]
    size = options.batch_size or max(len(fitter.x) // 10, 1)
    lr = fitter.rate(options.method, size) if options.lr is None else options.lr      # the same for both
    return [{"method": options.method, "lr": lr, "batch_size": batch_size} for batch_size in (None, size)]


# ---- types of options ------------------------------------------------------------------------------------------------

def _gif(text: str) -> str:
    if not text.lower().endswith(".gif"):
        raise argparse.ArgumentTypeError(f"is {check.shown(text)}, expected the name of a GIF file, such as fit.gif")
    return text


def _pair(text: str) -> tuple[int, ...]:
    try:
        pair = tuple(int(part) for part in text.split(","))
    except ValueError:
        pair = ()
    if len(pair) != 2 or min(pair) < 0 or pair[0] == pair[1]:
        raise argparse.ArgumentTypeError(f"is {check.shown(text)}, expected the numbers of two different knobs, such "
                                         "as 0,1")
    return pair
