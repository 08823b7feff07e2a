"""Pictures of curve fits: what is drawn is what is true, and a file is written."""

import io

import numpy as np
import pytest

from fastbp.curve import CurveFitter

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import figures
from PIL import Image

from fastbp.plot import colours, curve


@pytest.fixture(scope="module")
def fitter():
    random = np.random.RandomState(0)
    x = random.uniform(0, 10, 24)
    return CurveFitter(x, 3 + np.sin(0.6 * x) + random.normal(0, 0.1, 24), 3)


@pytest.fixture(scope="module")
def runs(fitter):
    return [fitter.run(method, 60) for method in ("gradient", "perturb")]


def lines(axes):
    """{label: Line2D}"""
    return {line.get_label(): line for line in axes.lines}


def test_fit_draws_the_points_and_every_curve(fitter, runs, tmp_path):
    figure = curve.fit(fitter, runs, tmp_path / "fit.png", ("hour", "degrees"))
    assert (tmp_path / "fit.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    axes, = figure.axes
    drawn = lines(axes)
    assert np.array_equal(drawn["points"].get_xdata(), fitter.x)
    assert np.array_equal(drawn["points"].get_ydata(), fitter.y)
    least = drawn[f"least squares: loss {fitter.loss(fitter.exact):.4g}"]
    assert least.get_ydata() == pytest.approx(fitter.predict(least.get_xdata(), fitter.exact))
    for run in runs:
        line = drawn[f"{run.label}: loss {run.loss[-1]:.4g}"]
        assert line.get_ydata() == pytest.approx(fitter.predict(line.get_xdata(), run.end.knobs))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("hour", "degrees")
    assert axes.get_title() == "A polynomial of degree 3 through 24 points, after 60 evaluations of the loss"


def test_loss_draws_all_methods_in_one_plot_over_the_evaluations(fitter, runs, tmp_path):
    figure = curve.loss(fitter, runs, tmp_path / "loss.png")
    axes, = figure.axes
    drawn = lines(axes)
    for run in runs:
        line = drawn[f"{run.label}: {run.loss[-1]:.4g} at the end"]
        assert np.array_equal(line.get_xdata(), run.evaluations) and np.array_equal(line.get_ydata(), run.loss)
    least = fitter.loss(fitter.exact)
    assert set(drawn[f"least squares: {least:.4g}"].get_ydata()) == {least}
    assert axes.get_yscale() == "log" and axes.get_xlabel() == "evaluations of the loss"
    assert (tmp_path / "loss.png").stat().st_size > 5000


def test_runs_are_told_apart_without_colour(fitter, runs):
    axes, = curve.loss(fitter, [*runs, fitter.run("adam", 60)], "/dev/null").axes
    looks = [(line.get_linestyle(), line.get_marker()) for line in axes.lines[1:]]
    assert len({style for style, _ in looks}) == len({marker for _, marker in looks}) == 3


def look(line):
    return line.get_color(), line.get_linestyle(), line.get_marker()


def test_a_run_looks_the_same_in_every_picture(fitter, motion, tmp_path):
    """The command's own choice: mini-batches first in fit.png and loss.png, second in the animation."""
    full, batches = motion[2]
    company = [batches, full, fitter.run("perturb", 60)]
    known = {run.label: style for run, style in zip(company, (
        colours.RUNS["gradient, mini-batches"], colours.RUNS["gradient"], colours.RUNS["perturb"]), strict=True)}
    for draw in (curve.fit, curve.loss):
        drawn = lines(draw(fitter, company, tmp_path / "a.png").axes[0])
        for run in company:
            line, = (line for label, line in drawn.items() if label.startswith(f"{run.label}: "))
            assert (line.get_color(), line.get_marker()) == tuple(known[run.label][key] for key in ("color", "marker"))
    left, right = motion[1].axes[:2]
    others = right.lines[1:]
    paths, heads, keys = others[:2], others[2:4], others[4:]
    for run, path, head, key in zip((full, batches), paths, heads, keys, strict=True):
        color = known[run.label]["color"]
        assert lines(left)[run.label].get_color() == path.get_color() == head.get_color() == key.get_color() == color
        assert head.get_marker() == key.get_marker() == known[run.label]["marker"]
        assert key.get_label() == run.label


NAMES = ("hours since the beginning of the experiment, by a clock of the laboratory that is known to be wrong",
         "cost ($) of a unit, in dollars ($) of the year in which it was bought, $_{")


@pytest.mark.parametrize("names", [("x", "y"), NAMES], ids=["short", "long"])
@pytest.mark.parametrize("y", [5 + 1e-3 * np.sin(np.arange(9.0)), 1e9 * np.arange(9.0) ** 3, np.arange(9.0) % 2])
def test_texts_neither_overlap_nor_cover_data(y, names, tmp_path):
    fitter = CurveFitter(np.arange(9.0), y, 2)
    many = [fitter.run(method, 30, batch_size=size) for method, size in (
        ("gradient", None), ("gradient", 4), ("momentum", None), ("adam", 4), ("perturb", None), ("gradient", None))]
    for runs in (many[:1], many[:3], many):
        figure = curve.fit(fitter, runs, tmp_path / "fit.png", names)
        assert figures.faults(figure) == []
        assert len(figure.axes[0].lines) == len(runs) + 2                               # none is left out
        assert "".join(figure.axes[0].get_ylabel().split()) == "".join(names[1].replace("$", r"\$").split())
        assert figures.faults(curve.loss(fitter, runs, tmp_path / "loss.png")) == []


def test_the_animation_has_room_for_its_texts(motion):
    figure = motion[1]
    for artist in (*figure.axes[0].lines, *figure.axes[1].lines, *figure.texts):
        artist.set_animated(False)
    assert figures.faults(figure) == []
    legend, = figure.legends
    assert [text.get_text() for text in legend.texts] == [
        "least squares", "points", "gradient", "gradient, mini-batches of 4", "the least loss of the two"]


def test_numbers_stand_on_the_loss_axis(fitter, runs, tmp_path):
    """Numbers, and more than one, whether the loss falls by a lot or hardly."""
    flat = CurveFitter([0, 1, 2, 3], [0.0, 1, 0, 1], 1)
    for fit, ran, scale in ((fitter, runs, "log"), (flat, [flat.run("gradient", 20)], "linear")):
        figure = curve.loss(fit, ran, tmp_path / "loss.png")
        axes, = figure.axes
        low, high = axes.get_ylim()
        shown = [label.get_text() for at, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
                 if low <= at <= high]
        assert axes.get_yscale() == scale and len(shown) >= 2
        assert all(float(text.replace(",", "").replace("\N{MINUS SIGN}", "-")) is not None for text in shown)


def test_loss_of_an_interpolation_is_drawn_on_a_linear_axis():
    fitter = CurveFitter([0, 1, 2], [0, 1, 5], 2)
    assert curve.loss(fitter, [fitter.run("gradient", 5)], "/dev/null").axes[0].get_yscale() == "linear"


@pytest.fixture(scope="module")
def motion(fitter, tmp_path_factory):
    """The path of an animation, and the figure it was drawn with."""
    path = tmp_path_factory.mktemp("motion") / "fit.gif"
    how = [{"batch_size": None}, {"batch_size": 4}]
    fits, walks = ([fitter.run("gradient", 30, lr=0.01, turn=turn, **more) for more in how] for turn in (None, (1, 3)))
    with pytest.MonkeyPatch.context() as patch:
        figures = []
        make = curve.open_figure
        patch.setattr(curve, "open_figure", lambda *size: figures.append(make(*size)) or figures[-1])
        curve.animate(fitter, fits, walks, (1, 3), path, ("hour", "degrees"))
    return path, figures[0], fits, walks


def test_animation_is_a_gif_that_moves(motion):
    with Image.open(motion[0]) as image:
        assert image.format == "GIF" and 30 < image.n_frames <= 71 and image.info["loop"] == 0
        frames = []
        for i in (0, 10, image.n_frames - 1):
            image.seek(i)
            frames.append(np.asarray(image.convert("L"), dtype=int))
        assert image.info["duration"] >= 1000                                          # the last frame is held
    width = frames[0].shape[1] // 2
    for before, after in ((0, 1), (1, 2)):
        changed = np.abs(frames[after] - frames[before]) > 40
        assert changed[60:, :width].sum() > 100 and changed[60:, width:].sum() > 50    # fit and path, both


def test_an_open_file_that_takes_a_part_at_a_time_has_all_of_the_animation(fitter):
    class Some(io.BytesIO):
        def write(self, data):
            return super().write(bytes(data[:5000]))

    runs, some, whole = [fitter.run("gradient", 2)], Some(), io.BytesIO()
    for file in (some, whole):
        curve.animate(fitter, runs, runs, (1, 3), file)
    assert some.getvalue() == whole.getvalue()
    assert whole.getvalue().startswith(b"GIF89a")


def test_animation_ends_with_the_whole_way(fitter, motion):
    _, figure, fits, walks = motion
    left, right = figure.axes[:2]
    drawn = lines(left)
    for run in fits:
        line = drawn[run.label]
        assert line.get_ydata() == pytest.approx(fitter.predict(line.get_xdata(), run.knobs[-1]))
    minimum, *paths = right.lines
    assert (minimum.get_xdata()[0], minimum.get_ydata()[0]) == (fitter.exact[1], fitter.exact[3])
    assert minimum.get_zorder() > max(line.get_zorder() for line in paths)           # seen when they have come there
    for run, path, head in zip(walks, paths[:2], paths[2:4], strict=True):
        assert np.array_equal(path.get_xdata(), run.knobs[:, 1]) and np.array_equal(path.get_ydata(), run.knobs[:, 3])
        assert (head.get_xdata()[0], head.get_ydata()[0]) == (run.knobs[-1, 1], run.knobs[-1, 3])
        for values, (low, high) in ((run.knobs[:, 1], right.get_xlim()), (run.knobs[:, 3], right.get_ylim())):
            assert low < values.min() and values.max() < high
    assert (right.get_xlabel(), right.get_ylabel()) == ("k1", "k3")
    assert right.get_title() == "Only k1 and k3 turn, the others stand at their best"
    assert figure.get_suptitle() == "after 30 evaluations of the loss"


def test_the_surface_drawn_is_that_of_the_two_knobs(fitter, motion, monkeypatch):
    asked = []
    monkeypatch.setattr(CurveFitter, "surface", lambda self, *arguments: asked.append(arguments) or
                        np.add.outer(arguments[2] ** 2, arguments[1] ** 2) + 9)
    figure = curve.open_figure("unused", (5, 5))
    axes = figure.subplots()
    curve._draw_surface(figure, axes, fitter, motion[3], (1, 3))
    (pair, first, second), = asked
    assert pair == (1, 3)
    for values, way in ((first, 1), (second, 3)):
        seen = [fitter.exact[way], *(value for run in motion[3] for value in run.knobs[:, way])]
        assert values[0] < min(seen) and max(seen) < values[-1]
    assert axes.get_xlim() == (first[0], first[-1]) and axes.get_ylim() == (second[0], second[-1])


def test_frames_are_moments_of_the_runs():
    moments = np.arange(0, 5001) / 4
    frames = curve._frames(moments)
    assert frames[:3] == [0, 0.25, 0.5] and frames[-1] == 1250 and 40 < len(frames) <= 70
    assert set(frames) <= set(moments) and frames == sorted(frames)
    assert curve._frames(np.array([0.0, 1.0])) == [0, 1]
