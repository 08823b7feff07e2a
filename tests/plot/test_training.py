"""Pictures: what is drawn is what is true, a file is written, and matplotlib is wanted only when something is drawn."""

import io
import subprocess
import sys

import numpy as np
import pytest

import fastbp as fb

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

import figures

from fastbp import plot
from fastbp.plot import colours, training

CURVES = {"loss": [1.0, 0.5, 0.25], "val_loss": [1.1, 0.7, 0.5], "accuracy": [0.5, 0.75, 1.0],
          "val_accuracy": [0.4, 0.6, 0.9], "lr": [0.1, 0.1, 0.1]}


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


def ticks(axis):
    axis.figure.canvas.draw()
    return [label.get_text() for label in axis.get_ticklabels()]


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 5000


@pytest.fixture
def net():
    """A network that gives the number of its brightest pixel: 12 inputs (4x3), 12 units, 12 outputs."""
    net = fb.Sequential(fb.Dense(12, 12), fb.Dense(12, 12), loss="squared_error")
    net.params[:] = 0
    for layer in net.layers:
        layer.W[:] = np.eye(12)
    net.data_spec = {"features": None, "mean": None, "scale": None, "target": None,
                     "classes": list("abcdefghijkl"), "image_shape": [4, 3]}
    return net


def test_history_draws_loss_and_accuracy(tmp_path):
    figure = plot.history(CURVES, tmp_path / "curves.png", "A title", validation="test")
    assert is_png(tmp_path / "curves.png")
    loss, accuracy = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [CURVES["loss"], CURVES["val_loss"]]
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2, 3]] * 2
    assert np.allclose(accuracy.lines[1].get_ydata(), [40, 60, 90])
    assert accuracy.get_ylabel() == "accuracy (%)" and loss.get_xlabel() == "epoch"
    assert {"A title", "test: 90.0 % at the end", "training: 0.25 at the end"} <= set(texts(figure))


def test_history_of_one_epoch_or_of_loss_alone(tmp_path):
    assert len(plot.history({"loss": [0.5]}, tmp_path / "a.png").axes) == 1
    figure = plot.history({"loss": [100.0, 1.0, 0.01]}, tmp_path / "b.png")
    assert figure.axes[0].get_yscale() == "log"
    assert {"100", "1", "0.01"} <= set(ticks(figure.axes[0].yaxis))               # not 10 with an exponent
    figure = plot.history({"loss": [2.0, -1.0]}, tmp_path / "c.png")             # a loss may be negative
    assert figure.axes[0].get_yscale() == "linear" and figure.axes[0].get_ylim()[0] < -1


def test_training_and_validation_look_the_same_in_both_curves(tmp_path):
    for axes in plot.history(CURVES, tmp_path / "a.png").axes:
        assert [(line.get_color(), line.get_marker()) for line in axes.lines] == [
            (style["color"], style["marker"]) for style in (colours.TRAINING, colours.VALIDATION)]


def test_thousands_of_epochs_are_lines_without_markers(tmp_path):
    figure = plot.history({"loss": np.linspace(2, 1, 3000).tolist()}, tmp_path / "a.png")
    assert figure.axes[0].lines[0].get_marker() in ("", "None") and "1,000" in ticks(figure.axes[0].xaxis)


def test_a_long_name_of_the_validation_data_fits(tmp_path):
    figure = plot.history(CURVES, tmp_path / "a.png", validation="the last third of " + LONG)
    assert figures.faults(figure) == []


LONG = "measurements of the laboratory's third floor: 784-512-512-512-512-512-512-512-10, binary_cross_entropy"


@pytest.mark.parametrize("curves, title", [
    (CURVES, "Training"), (CURVES, LONG), ({"loss": [1.0]}, LONG),
    ({"loss": [1e9, 1e-12], "val_loss": [1e9, 1.0]}, "x"),
    ({"loss": [0.001, 0.00099], "accuracy": [1.0, 1.0], "val_accuracy": [1.0, 1.0]}, "x" * 200),
])
def test_texts_of_curves_neither_overlap_nor_cover_data(tmp_path, curves, title):
    figure = plot.history(curves, tmp_path / "a.png", title)
    assert figures.faults(figure) == []
    assert "".join(figure.get_suptitle().split()) == "".join(title.split())


def test_what_is_ugly_is_found():
    """The check itself: a legend on the data, a title on the title, a label that leaves the figure."""
    figure = training.open_figure("unused", (4, 3))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="a line")
    assert figures.faults(figure) == []
    axes.legend(loc="center")
    figure.text(0.5, 0.5, "over it", ha="center")
    figure.text(0.9, 0.5, "a long way beyond the edge")
    found = figures.faults(figure)
    for said in ("a legend covers ''", "'legend' lies on 'over it'", "'a long way beyond the edge' leaves the figure"):
        assert said in found


@pytest.mark.parametrize("empty", [{}, {"loss": []}, fb.History()])
def test_history_without_epochs_is_refused(tmp_path, empty):
    with pytest.raises(ValueError, match="history has no loss of an epoch, expected at least one"):
        plot.history(empty, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_history_plots_itself(tmp_path, net):
    X = np.eye(12)
    history = net.fit(X, X, epochs=2)
    history.plot(tmp_path / "own.png")
    assert is_png(tmp_path / "own.png")


def test_weights_are_the_first_layers_columns_as_images(tmp_path, net, rng):
    net.layers[0].W[:] = rng.normal(size=(12, 12))
    figure = plot.weights(net, tmp_path / "weights.png", most=5)
    assert is_png(tmp_path / "weights.png")
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(shown) == 5 and "First layer: the weights of 5 of 12 units" in texts(figure)
    for unit, image in enumerate(shown):
        assert np.array_equal(image, net.layers[0].W[:, unit].reshape(4, 3))
    low, high = figure.axes[0].images[0].get_clim()
    assert low == -high                                                           # white is zero


def test_weights_after_a_dropout_and_of_a_square(tmp_path):
    net = fb.Sequential(fb.Dropout(0.5), fb.Dense(9, 2))
    figure = plot.weights(net, tmp_path / "weights.png")
    assert figure.axes[0].images[0].get_array().shape == (3, 3)
    net = fb.mlp(8, 2)
    with pytest.raises(ValueError, match=r"image_shape is \(2, 2\), expected 8 pixels, as the network"):
        plot.weights(net, tmp_path / "no.png")
    assert plot.weights(net, tmp_path / "yes.png", (2, 4)).axes[0].images[0].get_array().shape == (2, 4)
    assert not (tmp_path / "no.png").exists()


def test_weights_are_the_first_matrix(tmp_path):
    """What a layer without one has, as the scale and shift of a LayerNorm, is no picture."""
    net = fb.Sequential(fb.LayerNorm(9), fb.Dense(9, 2))
    figure = plot.weights(net)
    assert np.array_equal(figure.axes[1].images[0].get_array(), net.layers[1].W[:, 1].reshape(3, 3))
    with pytest.raises(ValueError, match=r"net is Sequential\(LayerNorm\(9\).*no matrix of weights, expected .* Dense"):
        plot.weights(fb.Sequential(fb.LayerNorm(9)), tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()


def test_mistakes_are_the_wrong_ones_surest_first(tmp_path, net):
    X = np.eye(12)[[0, 1, 2, 3]] * np.array([[0.5], [0.9], [0.7], [1.0]])
    y = np.array([5, 6, 2, 7])                                                    # the third is right
    figure = plot.mistakes(net, X, y, tmp_path / "mistakes.png")
    assert is_png(tmp_path / "mistakes.png")
    assert [axes.get_title() for axes in figure.axes] == ["h read as d", "g read as b", "f read as a"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["output 1.00", "output 0.90", "output 0.50"]
    assert np.array_equal(figure.axes[1].images[0].get_array(), X[1].reshape(4, 3))
    assert "Mistakes, the most confident first: all 3, in 4 images" in texts(figure)
    figure = plot.mistakes(net, X, y, tmp_path / "mistakes.png", most=2, classes=range(12))
    assert [axes.get_title() for axes in figure.axes] == ["7 read as 3", "6 read as 1"]


@pytest.mark.parametrize("count", [1, 2, 9, 24])
@pytest.mark.parametrize("names", [
    list("abcdefghijkl"), [f"Iris ($) of variety number {i}, from $ here" for i in range(12)], ["W" * 80] * 12,
], ids=["short", "long", "endless"])
def test_texts_of_mistakes_do_not_overlap(tmp_path, net, count, names):
    X, y = np.eye(12)[np.arange(count) % 12], (np.arange(count) + 1) % 12
    figure = plot.mistakes(net, X, y, tmp_path / "a.png", classes=names)
    assert figures.faults(figure) == []
    title = figure.axes[0].get_title()
    assert title == "b read as a" if names[0] == "a" else "\nread as " in title and "\N{HORIZONTAL ELLIPSIS}" in title


@pytest.mark.parametrize("inputs, units, shape", [(12, 1, (4, 3)), (12, 70, (4, 3)), (64, 9, (64, 1)),
                                                  (64, 9, (1, 64))])
def test_weights_of_any_shape_make_a_picture_that_fits_a_screen(tmp_path, inputs, units, shape):
    figure = plot.weights(fb.mlp(inputs, units, 2), tmp_path / "a.png", shape)
    assert figures.faults(figure) == [] and max(figure.get_size_inches()) < 12
    assert min(axes.get_window_extent().height for axes in figure.axes[:-1]) > 15
    assert f"weights of {'64 of 70' if units == 70 else 'all 9' if units == 9 else 1} unit" in figure.get_suptitle()


def test_no_mistakes_are_said(tmp_path, net):
    figure = plot.mistakes(net, np.eye(12), np.arange(12), tmp_path / "none.png")
    assert "All 12 images were recognised." in texts(figure) and is_png(tmp_path / "none.png")


def test_mistakes_need_several_outputs_and_images(tmp_path, net):
    with pytest.raises(ValueError, match="one output"):
        plot.mistakes(fb.mlp(4, 1), np.zeros((1, 4)), [0], tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"image_shape is \(5, 3\)"):
        plot.mistakes(net, np.eye(12), np.arange(12), tmp_path / "a.png", image_shape=(5, 3))


def test_a_file_is_drawn_without_a_window(tmp_path):
    """With a path pyplot is not even imported, so no backend that wants a display can be chosen."""
    code = f"from fastbp import plot; import sys; plot.history({{'loss': [1, 2]}}, {str(tmp_path / 'a.png')!r}); " \
           f"assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_path_the_figure_is_pyplots(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    from matplotlib import pyplot
    figure = plot.history(CURVES)
    assert pyplot.fignum_exists(figure.number)
    pyplot.close(figure)


def test_without_matplotlib_the_extra_is_named():
    code = "import sys; sys.modules['matplotlib'] = None; from fastbp import plot; plot.history({'loss': [1]}, 'a.png')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'ImportError: pictures need matplotlib' in done.stderr and 'pip install "fastbp[plot]"' in done.stderr


def test_a_dollar_is_a_dollar_in_titles_and_legends(tmp_path):
    curves = {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}
    figure = plot.history(curves, tmp_path / "a.png", title="a $_{$ title", validation="$\\frac$")
    assert figure.get_suptitle() == r"a \$_{\$ title"
    labels = [text.get_text() for part in figure.subfigs for text in part.legends[0].get_texts()]
    assert labels[1] == r"\$\frac\$: 1.5 at the end"


class Some(io.RawIOBase):
    """Takes at most 100 bytes at a time."""

    def __init__(self):
        self.data = b""

    def writable(self):
        return True

    def write(self, data):
        self.data += bytes(data[:100])
        return len(data[:100])


def test_an_open_file_has_all_of_a_png_whatever_the_settings_of_matplotlib(tmp_path):
    import matplotlib

    some, whole = Some(), io.BytesIO()
    with matplotlib.rc_context({"savefig.format": "pdf"}):
        plot.history(CURVES, some)
        plot.history(CURVES, whole)
        plot.history(CURVES, tmp_path / "a.svg")
    assert some.data.startswith(b"\x89PNG\r\n\x1a\n")
    assert some.data == whole.getvalue()
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
