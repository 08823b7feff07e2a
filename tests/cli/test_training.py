"""`fastbp train`: validation and early stopping, and options that make no sense together."""

import os
import re

import numpy as np
import pytest

import fastbp as fb
from fastbp import cli, schedules
from fastbp._training.splits import split_rows
from fastbp.cli import command, train
from fastbp.datasets import tables

pytestmark = pytest.mark.usefixtures("place")
MODEL = "m/model.safetensors"
TRAIN = ["train", "--csv", "t.csv", "--target", "y", "--no-plots", "--out", "m"]


@pytest.fixture
def run(capsys, place):
    rng = np.random.default_rng(0)
    (place / "t.csv").write_text("a,b,y\n" + "".join(
        f"{x:.3f},{i % 5},{'yes' if x + rng.normal() > 0 else 'no'}\n" for i, x in enumerate(rng.normal(size=150))))
    (place / "q.csv").write_text("a,y\n" + "".join(f"{x:.3f},{x * x:.3f}\n" for x in rng.normal(size=150)))

    def run(*line):
        code = cli.main([str(each) for each in line])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err
    return run


def epochs(out):
    return re.findall(r"^ +(\d+)/\d+ +([\d.]+) ", out, re.M)


def test_validation_is_of_training_rows_and_is_shown(run):
    code, out, _ = run(*TRAIN, "--epochs", 3, "--validation-split", 0.25, "--seed", 5)
    assert code == 0 and "t: 90 training, 30 validation and 30 test rows of 2 inputs" in out
    assert "train acc   val acc" in out
    data = tables.load_csv("t.csv", "y").split()
    train, held = split_rows(data.y_train, 0.25, 5)
    net = fb.mlp(2, 64, 64, 2, loss="cross_entropy", seed=5)
    history = net.fit(data.X_train[train], data.y_train[train], epochs=3, batch_size=32, optimizer=fb.Adam(lr=1e-3),
                      seed=5, validation_data=(data.X_train[held], data.y_train[held])).history
    assert re.findall(r"([\d.]+) % +([\d.]+) %", out)[-1] == (
        f"{100 * history['accuracy'][-1]:.2f}", f"{100 * history['val_accuracy'][-1]:.2f}")
    assert np.array_equal(fb.load(MODEL).params, net.params)
    right = (net.predict(data.X_test).argmax(1) == data.y_test).sum()
    assert f"({right} of 30)" in out                                            # the test part is the same as ever


def test_patience_stops_and_keeps_the_best(run):
    code, out, _ = run(*TRAIN, "--epochs", 500, "--patience", 4, "--lr", 0.05)
    count, best = map(int, re.search(r"^stopped +after epoch (\d+), as none was better for 4 epochs; the parameters "
                                      "are those "
                                     r"of epoch (\d+)", out, re.M).groups())
    assert code == 0 and count == best + 4 == len(epochs(out)) < 500
    assert "108 training, 12 validation and 30 test rows" in out and "no better for 4" in out
    data = tables.load_csv("t.csv", "y").split()
    train, held = split_rows(data.y_train, 0.1, 0)
    net, stopping = fb.mlp(2, 64, 64, 2, loss="cross_entropy", seed=0), fb.EarlyStopping(patience=4)
    net.fit(data.X_train[train], data.y_train[train], epochs=500, batch_size=32, optimizer=fb.Adam(lr=0.05), seed=0,
            validation_data=(data.X_train[held], data.y_train[held]), early_stopping=stopping)
    assert stopping.best_epoch + 1 == best and np.array_equal(fb.load(MODEL).params, net.params)


def test_patience_with_quantities(run):
    line = ["train", "--csv", "q.csv", "--target", "y", "--no-plots", "--out", "m", "--patience", 3]
    code, out, _ = run(*line, "--epochs", 300, "--lr", 0.03)
    assert code == 0 and "val loss" in out and re.search(r"^stopped ", out, re.M)
    assert float(re.search(r"R squared +([\d.]+)", out)[1]) > 0.8                # in the units of the target again
    code, out, _ = run(*line, "--epochs", 3)
    assert re.search(r"^best +the parameters are those of epoch 3, validation loss [\d.]+$", out, re.M)


@pytest.mark.parametrize(("line", "message"), [
    ("--patience 0", "--patience is '0', expected a whole number, at least 1"),
    ("--validation-split 1", "--validation-split is '1', expected a finite number, at least 0 and below 1"),
    ("--validation-split 0", "--validation-split is 0, expected a share above 0"),
    ("--validation-split 0.001", "--validation-split is 0.001 of 120 training rows, of which 0 would be held out"),
    ("--momentum 0.5", "--momentum is given with the optimizer by default, expected"),
    ("--momentum 0.5 --optimizer adam", "--momentum is given with the optimizer adam, expected"),
    ("--layers 2,2 --dropout 0.5", "--dropout is given with --layers 2,2, expected hidden layers"),
    ("--layers 2,2 --activation relu", "--activation is given with --layers 2,2, expected hidden layers"),
    ("--date-order dmy", "--date-order is dmy without --dates, expected"), ("--ignore y", "--ignore is y, the target, "
                                                                                          "expected"),
    ("--ignore q", "--ignore is q, expected a column of the file"), ("--ignore a --words a", "--words are both said "
                                                                                             "of column "
                                                                                    "'a'"),
    ("--decimal , --thousands ,", "--thousands is ',', expected another mark than decimal"),
    ("--decimal x", "--decimal is 'x', expected one of: . ,"), ("--thousands x", "--thousands is 'x', expected one "
                                                                                 "of: , ."),
    ("--encoding klingon", "--encoding is 'klingon', which is not known"), ("--separator ab", "--separator is 'ab', "
                                                                                              "expected "
                                                                                    "one char"),
    ("--separator a", "--separator is 'a'"), ("--header --no-header", "not allowed with argument --header"),
    ("--categorical x", "--categorical is 'x', expected auto, or the largest number"),
    ("--missing mean", "--missing is 'mean', expected one of: refuse, drop, median"),
    ("--units a", "'a': '0.126' is not a number with a unit"), ("--dates b", "'b': '0' is not a date that is read"),
    ("--encoding utf-16", "t.csv: not a text file in utf-16"), ("--separator ;", "no column 'y'"),
    ("--no-header", "no column 'y', expected one of: 1, 2, 3"), ("--categorical -1", "expected"),
])
def test_what_makes_no_sense_is_one_line(run, line, message):
    before = sorted(os.listdir())
    code, out, err = run(*TRAIN, *line.split())
    assert (code, err.count("\n")) == (2, 1) and message in err and "training" not in out
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("option", [
    "--ignore a", "--words a", "--dates a", "--units a", "--date-order dmy", "--categorical 3", "--encoding utf-8",
    "--separator ;", "--decimal ,", "--thousands ,", "--header", "--no-header", "--missing drop", "--target y",
    "--task regression"])
def test_options_of_tables_go_with_one(run, option):
    code, _, err = run("train", *option.split())
    assert code == 2 and f"{option.split()[0]} is given without --csv FILE, expected both" in err
    if option.split()[0] in ("--encoding", "--separator", "--decimal", "--thousands", "--header", "--no-header"):
        assert f"{option.split()[0]} is given without FILE, expected both" in run("curve", *option.split())[2]


def test_momentum_is_as_ever_where_it_is_used(run):
    params = []
    for more in ([], ["--momentum", "0.9"], ["--momentum", "0.5"]):
        assert run(*TRAIN, "--optimizer", "momentum", "--epochs", 2, *more)[0] == 0
        params.append(fb.load(MODEL).params.copy())
    assert np.array_equal(params[0], params[1]) and not np.array_equal(params[0], params[2])


# ---- what follows from a name --------------------------------------------------------------------------------------


def test_optimizers_and_the_rates_that_they_begin_with():
    assert {name: train._rate(name) for name in command.OPTIMIZERS}.items() >= {
        "sgd": 0.1, "momentum": 0.01, "nesterov": 0.01, "adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2,
    }.items()
    assert command.OPTIMIZERS[:4] == ("sgd", "momentum", "nesterov", "adam")
    assert set(fb.optimizers.OPTIMIZERS) <= set(command.OPTIMIZERS)


def test_schedules_of_a_training():
    """Of 100 steps and of one; the plateau is the training loss's, as what is held out must not steer."""
    assert {name: cls._over(0.5, 100) for name, cls in schedules.SCHEDULES.items()}.items() >= {
        "constant": schedules.Constant(0.5),
        "step": schedules.Step(0.5, 33, 0.1),
        "exponential": schedules.Exponential(0.5, 0.01, 100),
        "cosine": schedules.Cosine(0.5, 100),
        "linear": schedules.Linear(0.5, 100),
        "one_cycle": schedules.OneCycle(0.5, 100),
        "warm_up": schedules.WarmUp(0.5, 10),
        "reduce_on_plateau": schedules.ReduceOnPlateau(0.5, factor=0.3, patience=3, monitor="loss"),
    }.items()
    assert all(cls._over(0.5, 1)(0) >= 0 for cls in schedules.SCHEDULES.values())
