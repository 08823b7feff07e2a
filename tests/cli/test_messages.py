"""Errors of the command line, word for word: one line that begins with the option, as it is written, and exit code "
  "2."""

import numpy as np
import pytest

import fastbp as fb

pytestmark = pytest.mark.usefixtures("place")


@pytest.mark.parametrize(("line", "message"), [
    ("train --epochs 0", "--epochs is '0', expected a whole number, at least 1 (see fastbp train --help)"),
    ("train --lr -1", "--lr is '-1', expected a finite number, at least 0 (see fastbp train --help)"),
    ("train --layers 4", "--layers is '4', expected two or more widths, from inputs to outputs, such as 784,16,16,10 "
                         "(see fastbp train --help)"),
    ("train --data digitz", "--data is 'digitz', expected one of: digits, mnist; did you mean 'digits'? (see fastbp "
                            "train --help)"),
    ("train --optimizer nadam", "--optimizer is 'nadam', expected one of: sgd, momentum, nesterov, adam, adamw, "
                                "rmsprop, adagrad; there is none of that name, the nearest is 'adam' (see fastbp train "
                                "--help)"),
    ("train --categorical x", "--categorical is 'x', expected auto, or the largest number of different words, 0 for "
                              "none (see fastbp train --help)"),
    ("train --epochs", "argument --epochs: expected one argument (see fastbp train --help)"),
    ("train --target y", "--target is given without --csv FILE, expected both; give --csv FILE, or leave it out"),
    ("train --csv t.csv", "--target is missing, expected the column of --csv to predict; give --target COLUMN"),
    ("train --csv t.csv --target y --separator ab",
     "--separator is 'ab', expected one character that is in no number or word, or one of tab, semicolon, pipe, comma, "
     "space; choose the one between the cells"),
    ("train --csv t.csv --target y --encoding x", "--encoding is 'x', which is not known, expected one such as utf-8, "
                                                  "utf-16, cp1252 or latin-1; choose the file's"),
    ("train --csv t.csv --target y --ignore z", "--ignore is z, expected a column of the file; name one of: a, y"),
    ("train --csv t.csv --target y --layers 2,1", "--layers begins with 2, expected 1, the inputs of t; change the "
                                                  "first width"),
    ("train --csv t.csv --target y --layers 1,2", "--layers ends with 2, expected 1, as t has one quantity to predict; "
                                                  "change the last width"),
    ("train --csv t.csv --target y --loss cross_entropy", "--loss is cross_entropy, which is for classes, expected one "
                                                          "for the quantity of t; choose mse or huber"),
    ("train --data mnist --data-dir no", "--data-dir is 'no', expected a folder with MNIST's four IDX files, and there "
                                         "is no such folder; correct the path"),
    ("train --csv t.csv --target y --out t.csv", "--out is t.csv, a file that exists, expected a folder; choose "
                                                 "another "
                                                 "name"),
    ("curve --nudge 0 --method perturb", "--nudge is 0.0, expected a finite number > 0; choose nudge in that range"),
    ("curve t.csv --degree 30", "--degree is 30, expected at most 29: there are 31 coefficients, which 30 distinct x "
                                "do not "
                          "determine; choose a lower degree or give more points"),
    ("curve --knobs 0,1", "--knobs is given without --animate FILE, expected both; give --animate FILE, or leave it "
                          "out"),
    ("predict no t.csv", "no: no such file, expected a model saved by net.save or fastbp train; correct the path"),
    ("predict net no.npy", "no.npy: no such file, expected a .npy file; correct the path"),
    ("predict net x.npy", "x.npy: an array of shape (4, 2), expected rows of 3 values, as the model has inputs; "
                          "reshape "
                          "it, or give another file"),
    ("predict --proba net x.npy", "--proba is given with net, which predicts a quantity, expected a model of classes; "
                                  "leave it out"),
    ("predict net t.csv", "t.csv: 2 columns, expected 3 of numbers, as the model has inputs; give a file of these"),
    ("evaluate net x.npy", "--labels is missing, expected with images or rows such as x.npy; give --labels FILE, a "
                           ".npy "
                           "or IDX file of a label for each (a table needs the ending .csv)"),
])
def test_what_is_told(run_line, place, line, message):
    (place / "t.csv").write_text("a,y\n" + "".join(f"{i},{i * 0.37}\n" for i in range(30)))
    np.save(place / "x.npy", np.ones((4, 2)))
    fb.mlp(3, 1, loss="mse").save(place / "net")
    code, _, err = run_line(*line.split(), *(["--no-plots"] if line.startswith(("train", "curve")) else []))
    assert (code, err) == (2, f"fastbp {line.split()[0]}: error: {message}\n")
