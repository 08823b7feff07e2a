"""`fastbp curve`: what it prints is what the machine did, the pictures are written, and bad input is one line."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from fastbp.cli import curve
from fastbp.curve import CurveFitter
from fastbp.datasets import tables

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def run(run_line):
    """Runs a command line; gives exit code, stdout and stderr."""
    return lambda line: run_line(*line.split())


@pytest.fixture(scope="module")
def example():
    return tables.load_points(curve._EXAMPLE)[:2]


def block(out, title):
    """The cells of the lines below the one that begins with `title` and below their head, until an empty line."""
    lines = out[out.index(f"\n{title}"):].split("\n\n")[0].strip().splitlines()
    return [line.split() for line in lines[2 if title.startswith("the") else 1:]]


def test_curve_without_options_shows_the_screens_and_how_close_it_came(run, example):
    code, out, err = run("curve --no-plots")
    assert code == 0 and err == "" and not os.listdir()
    fitter = CurveFitter(*example)
    fitted = fitter.run("gradient", 5000)
    for title, screens in (("the screens at the start: loss", fitted.start), ("the screens at the end of", fitted.end)):
        rows = block(out, title)
        assert [row[0] for row in rows] == [f"k{i}" for i in range(6)]
        assert [float(row[1]) for row in rows] == pytest.approx(screens.knobs, rel=1e-4)
        assert [float(row[2]) for row in rows] == pytest.approx(screens.gradient, rel=1e-2)
        assert [float(row[3]) for row in rows] == pytest.approx(-0.01 * screens.gradient, rel=1e-2)
        for row, nudge in zip(rows, screens.nudge, strict=True):
            assert set(row[4]) == {">" if nudge > 0 else "<"}
            assert len(row[4]) == np.ceil(12 * abs(nudge) / abs(screens.nudge).max())
    assert [float(row[5]) for row in rows] == pytest.approx(fitter.exact, rel=1e-4)
    least = fitter.loss(fitter.exact)
    assert f"{fitted.start.loss:.6g} at the start, {fitted.end.loss:.6g} at the end" in out
    assert f"least squares  {least:.6g}; the fit's is {fitted.end.loss / least:.6g} times that" in out
    distance = np.sqrt(np.mean((fitter.predict(example[0], fitted.end.knobs) - example[1]) ** 2))
    assert f"distance       {distance:.4g} from curve to point" in out


def test_progress_compares_the_methods_at_the_same_number_of_evaluations(run, example):
    _, out, _ = run("curve --steps 250 --method adam --lr 0.05 --seed 3 --nudge 0.3 --no-plots")
    fitter = CurveFitter(*example)
    runs = [fitter.run("adam", 250, lr=0.05), fitter.run("gradient", 250),
            fitter.run("perturb", 250, nudge=0.3, seed=3)]
    lines = block(out, "evaluations         adam     gradient      perturb")
    assert [line[0] for line in lines] == ["0", "1", "10", "100", "250", "least"]
    for line in lines[:-1]:
        assert [float(cell) for cell in line[1:]] == pytest.approx([r.loss[int(line[0])] for r in runs], rel=1e-5)
    for other in runs[1:]:
        assert f"compared       {other.label} ends at {other.end.loss:.6g} after the same number of evaluations" in out


def test_the_polynomial_is_in_the_units_of_the_file(run, example):
    _, out, _ = run("curve --steps 30 --no-plots")
    rows = block(out, "the polynomial in the units of the file, y over x")
    fitter = CurveFitter(*example)
    fitter.run("gradient", 30)
    assert [float(row[1]) for row in rows] == pytest.approx(fitter.polynomial(), rel=1e-7)
    exact = np.polynomial.Polynomial.fit(*example, 5).convert().coef
    assert [float(row[2]) for row in rows] == pytest.approx(exact, rel=1e-7)
    assert "scaled         t = (x - 4.94) / 4.89 and u = (y - 12.335) / 4.305, from -1 to 1" in out


@pytest.mark.parametrize("text", ["x,y\n0,1\n1,3\n2,5\n3,7\n", "0,1\n1,3\n2,5\n3,7\n", "x;y\n0;1\n1;3\n2;5\n3;7\n",
                                  "0\t1\n1\t3\n2\t5\n3\t7"])
def test_a_file_with_or_without_a_header(run, place, text):
    (place / "line.csv").write_text(text)
    code, out, _ = run("curve line.csv --degree 1 --no-plots")
    rows = block(out, "the polynomial in the units of the file, y over x")
    assert code == 0 and "line.csv: 4 points, x from 0 to 3, y from 1 to 7" in out
    assert [float(row[1]) for row in rows] == pytest.approx([1, 2], abs=1e-6)


def test_names_of_the_header_and_a_negative_middle(run, place):
    (place / "p.csv").write_text("hour,degrees\n-4,1\n-2,3\n0,5\n")
    _, out, _ = run("curve p.csv --degree 1 --steps 10 --no-plots")
    assert "t = (hour + 2) / 2 and u = (degrees - 3) / 2" in out
    assert "in the units of the file, degrees over hour" in out


def test_options_reach_the_machine(run, place, monkeypatch):
    made, told = [], []
    monkeypatch.setattr(CurveFitter, "__init__", lambda self, *a, init=CurveFitter.__init__, **o: made.append((a[2], o))
                        or init(self, *a, **o))
    monkeypatch.setattr(curve.cpu, "set_threads", told.append)
    code, out, _ = run("curve --degree 2 --dtype float32 --no-scale --batch-size 7 --threads 2 --steps 3 --no-plots")
    assert code == 0 and made == [(2, {"scale": False, "dtype": "float32"})] and told == [2]
    assert "t = x and u = y, as they are" in out and "gradient, mini-batches of 7" in out


def test_interpolation_is_said(run, place):
    (place / "p.csv").write_text("0,1\n1,3\n2,0\n")
    said = "3 knobs for as many distinct x: that is interpolation"
    assert said in run("curve p.csv --degree 2 --steps 10 --no-plots")[1]
    assert "interpolation" not in run("curve p.csv --degree 1 --steps 10 --no-plots")[1]


def test_a_loss_that_rises_is_said_and_one_that_explodes_is_an_error(run, place):
    assert "note           the loss has risen" in run("curve --steps 20 --lr 0.03 --no-plots")[1]
    code, _, err = run("curve --lr 1")
    assert code == 2 and re.search(r"after \d+ steps with lr 1: .* choose a smaller lr, such as 0.1", err)
    assert not os.path.exists("fastbp-curve")


# ---- pictures -------------------------------------------------------------------------------------------------------

def test_pictures_are_written_where_asked(run, place):
    pytest.importorskip("matplotlib")
    code, out, _ = run("curve --steps 20 --out here/there")
    assert code == 0 and sorted(os.listdir("here/there")) == ["fit.png", "loss.png"]
    assert "\npictures       here/there/fit.png, here/there/loss.png\n" in out
    for name in ("fit", "loss"):
        assert Path(f"here/there/{name}.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("line, methods, pair", [
    ("", [("gradient", None), ("gradient", 4)], (0, 1)),
    ("--method momentum --batch-size 5 --knobs 3,1", [("momentum", None), ("momentum", 5)], (3, 1)),
    ("--method perturb", [("perturb", None), ("gradient", None)], (0, 1)),
])
def test_animation_shows_two_ways_side_by_side(run, place, monkeypatch, line, methods, pair):
    pytest.importorskip("matplotlib")
    from fastbp.plot import curve
    shown = []
    monkeypatch.setattr(curve, "animate", lambda *arguments: shown.append(arguments))
    code, out, _ = run(f"curve --steps 10 --animate fit.gif --no-plots {line}")
    (fitter, fits, walks, knobs, path, names), = shown
    assert code == 0 and path == "fit.gif" and knobs == pair and names == ("x", "y") and "animation      fit.gif" in out
    labels = [name if size is None else f"{name}, mini-batches of {size}" for name, size in methods]
    assert [run.label for run in fits] == [run.label for run in walks] == labels
    others = [i for i in range(6) if i not in pair]
    for run_ in walks:
        assert (run_.knobs[:, others] == fitter.exact[others]).all()
    assert not (fits[0].knobs[-1, others] == fitter.exact[others]).any()
    if methods[1][1]:
        firsts = [run_.start.nudge for run_ in fits]
        assert np.array_equal(*firsts)                                          # one learning rate for both


def test_animation_is_written(run, place):
    pytest.importorskip("matplotlib")
    assert run("curve --degree 1 --steps 3 --animate Fit.GIF --no-plots")[0] == 0
    assert Path("Fit.GIF").read_bytes()[:6] == b"GIF89a" and os.listdir() == ["Fit.GIF"]


def test_without_matplotlib_the_extra_is_named(run, monkeypatch):
    monkeypatch.setattr(curve.importlib.util, "find_spec", lambda name: None)
    code, out, err = run("curve --steps 5")
    assert code == 0 and "distance" in out and not os.listdir()
    assert err == 'no pictures: they need matplotlib; pip install "fastbp[plot]"\n'
    code, _, err = run("curve --steps 5 --animate fit.gif")
    assert code == 2 and '--animate needs matplotlib and pillow, not all of which are installed; pip install' in err


# ---- refusals -------------------------------------------------------------------------------------------------------

BAD = [
    ("curve --degree -1", "--degree is '-1', expected a whole number, at least 0 and at most 30"),
    ("curve --degree 31", "--degree is '31'"),
    ("curve three.csv --degree 3", "--degree is 3, expected at most 2"),
    ("curve one.csv --degree 0", "x holds 1 point, expected two or more"),
    ("curve nowhere.csv", "nowhere.csv: no such file"),
    ("curve empty.csv", "empty.csv: the file is empty, expected two columns"),
    ("curve header.csv", "header.csv: a header row but no rows below it"),
    ("curve nan.csv", "nan.csv, line 3, column 'y': missing value ('nan')"),
    ("curve inf.csv", "inf.csv, line 2, column 'y': 'inf' is not finite"),
    ("curve text.csv", "text.csv, line 3, column 'b': 'x' is not a number"),
    ("curve first.csv", "first.csv, line 1, column 'y': missing value ('')"),
    ("curve short.csv", "short.csv, line 2: 1 cell, expected 2, as the first row has"),
    ("curve wide.csv", "wide.csv, line 1: 3 columns, expected two columns of numbers, x and y"),
    ("curve --method newton", "--method is 'newton', expected one of: gradient, momentum, adam, perturb"),
    ("curve --method pertrub", "did you mean 'perturb'"),
    ("curve --steps 0", "--steps is '0'"),
    ("curve --lr -1", "--lr is '-1'"),
    ("curve --lr nan", "--lr is 'nan'"),
    ("curve --nudge 0 --method perturb", "--nudge is 0.0, expected a finite number > 0"),
    ("curve --seed -1", "--seed is '-1'"),
    ("curve --dtype float16", "--dtype is 'float16', expected one of: float32"),
    ("curve --batch-size 4 --method perturb", "--batch-size is given with --method perturb, expected a gradient "
                                              "method"),
    ("curve --animate fit.png", "--animate is 'fit.png', expected the name of a GIF file"),
    ("curve --animate nowhere/fit.gif", "--animate is nowhere/fit.gif, expected a file in a folder that is there"),
    ("curve --knobs 0,1", "--knobs is given without --animate FILE, expected both"),
    ("curve --animate a.gif --knobs 0,6", "--knobs is 0,6, expected two of the knobs 0 to 5"),
    ("curve --animate a.gif --knobs 1,1", "--knobs is '1,1', expected the numbers of two different knobs"),
    ("curve --animate a.gif --knobs 1", "--knobs is '1'"),
    ("curve --animate a.gif --degree 0", "--degree is 0, expected 1 or more with --animate"),
    ("curve --out one.csv", "--out is one.csv, a file that exists, expected a folder"),
    ("curve one.csv two.csv", "unrecognized arguments: two.csv"),
]
FILES = {"three": "0,1\n1,2\n2,4\n", "one": "x,y\n1,2\n", "empty": "", "header": "x,y\n", "nan": "x,y\n1,2\n2,nan\n",
         "inf": "1,2\n2,inf\n", "text": "a,b\n1,2\n3,x\n", "first": "1,\n2,3\n", "short": "1,2\n3\n", "wide": "1,2,3\n"}


@pytest.mark.parametrize("line, message", BAD)
def test_errors_are_one_line_and_change_nothing(run, place, line, message):
    for name, text in FILES.items():
        (place / f"{name}.csv").write_text(text)
    before = sorted(os.listdir())
    code, _, err = run(line)
    assert code == 2 and message in err and err.count("\n") == 1 and err.startswith("fastbp")
    assert sorted(os.listdir()) == before


def test_help_fits_the_screen(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = run("curve --help")
    assert code == 0 and max(map(len, out.splitlines())) <= 120 and "fastbp curve --steps 300" in out
