"""The command line on tables as they come: missing values, odd names, small classes, numbers too large."""

import csv
import os
import subprocess
import sys

import numpy as np
import pytest

import fastbp as fb
from fastbp.cli import predict

QUICK = ["--epochs", "1", "--no-plots", "--quiet"]

pytestmark = pytest.mark.usefixtures("place")


@pytest.fixture
def run(run_line):
    """Runs a command line; gives exit code, stdout and stderr, in which nothing is that a terminal obeys."""
    def run(*line):
        code, out, err = run_line(*line)
        assert (out + err).replace("\n", "").isprintable()
        return code, out, err
    return run


def write(place, text, name="t.csv"):
    (place / name).write_text(text, encoding="utf-8")
    return name


def rows(make, n=100):
    return "a,y\n" + "".join(f"{i},{make(i)}\n" for i in range(n))


@pytest.mark.parametrize("mark", ["?", "NA", "", "-", "#N/A", "none"])
def test_a_missing_target_is_refused_or_dropped(run, place, mark):
    name = write(place, rows(lambda i: f"{i * 0.37:.2f}") + f"3,{mark}\n")
    code, out, err = run("train", "--csv", name, "--target", "y", *QUICK)
    assert code == 2 and out == "" and err.count("\n") == 1 and os.listdir() == ["t.csv"]
    assert f"t.csv, line 102, column 'y': the target is missing ({mark!r}), the only one in 101 rows" in err
    assert "--missing drop" in err
    code, out, err = run("train", "--csv", name, "--target", "y", "--missing", "drop", *QUICK)
    assert code == 0 and err == "" and "80 training and 20 test rows" in out
    assert out.startswith("t.csv: 100 rows (1 more with missing values left out), 1 features; regression: column 'y'")
    assert run("train", "--csv", name, "--target", "y", "--missing", "refuse", *QUICK)[0] == 2


def test_a_word_among_numbers_is_refused(run, place):
    name = write(place, rows(lambda i: f"{i * 0.37:.2f}") + "3,12 kg\n")
    code, _, err = run("train", "--csv", name, "--target", "y", *QUICK)
    told = "line 102, column 'y': '12 kg' is not a finite number, expected one, as 100 of the 101 cells are"
    assert code == 2 and told in err


def test_missing_goes_with_a_table(run):
    assert "--missing is given without --csv FILE" in run("train", "--missing", "drop")[2]
    assert "--missing is 'fill', expected one of: refuse, drop" in run("train", "--missing", "fill")[2]


@pytest.mark.smoke
def test_decimal_commas(run, place):
    name = write(place, "a;y\n" + "".join(f"{i},5;{i},25\n" for i in range(50)))
    assert run("train", "--csv", name, "--target", "y", *QUICK)[0] == 0
    write(place, "id;a\nx;1,5\ny;2\n", "new.csv")
    assert run("predict", "fastbp-t/model.safetensors", "new.csv")[1].count("\n") == 3


ODD = "\x1b[31mred\x1b[0m\u202e\x07"


def test_nothing_from_outside_is_printed_that_a_terminal_obeys(run, place):
    """`run` looks at every line."""
    name = write(place, f"{ODD}a,{ODD}y\n" + "".join(f"{i},{ODD}{i % 2}\n" for i in range(100)), f"{ODD}.csv")
    code, out, _ = run("train", "--csv", name, "--target", f"{ODD}y", *QUICK, "--out", f"{ODD}.out")
    assert code == 0 and r"column '\x1b[31mred\x1b[0m\u202e\x07y' holds text, 2 different values" in out
    model = f"{ODD}.out/model.safetensors"
    code, out, _ = run("predict", model, name)
    assert code == 0 and out.splitlines()[1].startswith(r"1,\x1b[31mred\x1b[0m\u202e\x07")
    assert run("train", "--csv", name, "--target", f"{ODD}z", *QUICK)[0] == 2
    assert run("train", "--csv", name, "--target", f"{ODD}y", "--loss", ODD)[0] == 2
    assert run("train", "--csv", f"{ODD}nowhere", "--target", "y")[0] == 2
    assert run(ODD)[0] == 2
    assert run("predict", model, write(place, f"b,{ODD}\n1,2\n", "other.csv"))[0] == 2
    assert run("predict", name, name)[0] == 2
    name = write(place, f"{ODD}a,{ODD}y\n" + "".join(f"{i},{i * i}.5\n" for i in range(30)), f"{ODD}.csv")
    assert run("train", "--csv", name, "--target", f"{ODD}y", *QUICK, "--out", "q")[0] == 0
    assert r"row,\x1b[31mred" in run("predict", "q/model.safetensors", name)[1]
    assert run("curve", name, "--steps", "10", "--no-plots")[0] == 0
    assert run("curve", write(place, f"{ODD}a,y\n1,2\n{ODD},3\n"))[0] == 2


def test_a_name_in_csv_stays_one_cell(place):
    """A line break in a class would begin a line of its own."""
    net = fb.mlp(1, 2, loss="cross_entropy")
    with open("out.csv", "w", newline="") as file:
        predict.write(net, np.eye(2), {"classes": ["li\nne", "a,b"]}, file)
    with open("out.csv", newline="") as file:
        assert [row[1] for row in csv.reader(file)] == ["class", r"li\nne", "a,b"]


def test_an_encoding_that_lacks_a_letter(place):
    write(place, "größe,ärt\n" + "".join(f"{i},{'übel' if i % 2 else 'gut'}\n" for i in range(40)))
    done = subprocess.run([sys.executable, "-m", "fastbp", "train", "--csv", "t.csv", "--target", "ärt", *QUICK],
                          capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and rb"column '\xe4rt' holds text" in done.stdout


def test_small_classes_are_told_and_the_share_is_kept(run, place):
    code, out, err = run("train", "--csv", write(place, rows(lambda i: f"c{i % 50}")), "--target", "y", *QUICK)
    assert code == 0 and "80 training and 20 test rows" in out
    assert err.startswith("fastbp train: warning: test_size 0.2 of 100 rows holds out 20: 30 of 50 classes have no row "
                          "to validate with ('c") and err.count("\n") == 1


def test_too_few_rows(run, place):
    code, _, err = run("train", "--csv", write(place, "a,y\n1,2.5\n2,3.5\n"), "--target", "y", *QUICK)
    assert code == 2 and "t.csv has 2 rows to train on, expected 3 or more" in err


@pytest.mark.parametrize(("make", "dtype", "most"), [(lambda i: f"{i}e300", "float64", "at most 1e+150, so that"),
                                                     (lambda i: f"{i}e40", "float32", "or choose --dtype float64")])
def test_quantities_too_large_are_refused_before_training(run, place, make, dtype, most):
    code, out, err = run("train", "--csv", write(place, rows(make)), "--target", "y", *QUICK, "--dtype", dtype)
    assert code == 2 and "the target 'y' holds numbers up to 9.9e+" in err and most in err and "training" not in out


def test_features_too_large_to_be_scaled(run, place):
    text = "a,y\n" + "".join(f"{(i - 50) * 3}e306,{i % 2}\n" for i in range(100))
    code, _, err = run("train", "--csv", write(place, text), "--target", "y", *QUICK)
    assert code == 2 and "column 'a' holds numbers up to 1.5e+308, whose mean and deviation are beyond" in err


def test_whole_numbers_beyond_doubles_are_different_classes(run, place):
    name = write(place, rows(lambda i: 10**17 + i % 3))
    code, out, _ = run("train", "--csv", name, "--target", "y", *QUICK)
    assert code == 0 and "column 'y' holds 3 different whole numbers" in out
    out = run("predict", "fastbp-t/model.safetensors", name)[1]
    assert {row["class"] for row in csv.DictReader(out.splitlines())} <= {str(10**17 + i) for i in range(3)}


def test_a_pipe_in_place_of_the_model_is_refused_before_training(run, place):
    os.mkdir("out")
    os.mkfifo("out/model.safetensors")
    name = write(place, rows(lambda i: i % 2))
    code, out, err = run("train", "--csv", name, "--target", "y", *QUICK, "--out", "out")
    assert code == 2 and "out/model.safetensors: a named pipe" in err and "training" not in out


@pytest.mark.parametrize(("header", "shape"), [("SECRET", "(3,)"), ("<f8", "(3000000000000, 3)")])
def test_no_word_of_a_damaged_array_is_shown(run, place, header, shape):
    text = f"{{'descr': '{header}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    (place / "x.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + text)
    fb.mlp(2, 1).save("m")
    code, _, err = run("predict", "m", "x.npy")
    assert code == 2 and "x.npy: not a readable .npy array of numbers" in err and "SECRET" not in err
    os.mkdir("d.npy")
    assert "d.npy: a folder, expected a .npy file" in run("predict", "m", "d.npy")[2]


@pytest.mark.parametrize("name", ["a$b_{$", "$\\frac$", ODD, "%s^_{}"])
def test_pictures_of_any_name(run, place, name):
    """Two dollars make a formula of what is between them, which need not be one."""
    pytest.importorskip("matplotlib")
    file = write(place, rows(lambda i: i % 2), f"{name}.csv".replace("/", ""))
    code, _, err = run("train", "--csv", file, "--target", "y", "--epochs", "1", "--quiet", "--out", "out")
    assert (code, err) == (0, "") and os.path.exists("out/curves.png")
    write(place, f"{name},y$_{{$\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    assert run("curve", "t.csv", "--steps", "10", "--out", "c")[::2] == (0, "")
