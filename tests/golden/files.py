"""Files that were written once and are read for good: models, parameters of expressions, pickles, checkpoints.

Each reader takes a dtype and returns the arrays that are hashed. `write` writes what is not there, and never over it.
"""

import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import fastbp as fb
from fastbp import graph as g

from .networks import data, network
from .numbers import uniform

FOLDER = Path(__file__).with_name("files")
TABLE = FOLDER / "table.safetensors"
ROWS, ANSWERS = FOLDER / "rows.csv", FOLDER / "answers.csv"
TRAININGS = {}


def reader(function):
    TRAININGS[f"file: {function.__name__.replace('_', ' ')}"] = function
    return function


def made(dtype):
    """A network of all that a file keeps, that has been trained for two epochs, its optimizer and its History."""
    net, optimizer = fresh(dtype)
    history = net.fit(*rows(), epochs=2, batch_size=8, optimizer=optimizer, progress=False)
    return net, optimizer, history


def fresh(dtype):
    """The same that has not been trained."""
    net = network((5, 9, 6, 3), dtype, dropout=0.25, l1=0.001, l2=0.01, input_scale=0.5,
                  loss=fb.losses.CrossEntropy(label_smoothing=0.1))
    return net, fb.Adam(lr=fb.schedules.Cosine(0.02, steps=20))


def rows():
    X, _ = data(30, 5, 3)
    return X, [i * i % 3 for i in range(30)]


def expression(dtype):
    """A plan of parameters, a layer and dropout, and its data."""
    x, y = g.input("x", 5), g.input("y")
    layer = fb.Dense(5, 6, "tanh", l2=0.01, init=uniform(5, 6, seed=3), bias_init="zeros")
    out = fb.Dropout(0.25)(layer(x)) @ g.parameter("V", (6, 1), init=uniform(6, 1, seed=4))
    return g.compile(g.huber(out, y, delta=0.5), {"out": out}, dtype=dtype), {"x": data(30, 5, 1)[0],
                                                                              "y": data(30, 1, 1)[1]}


@reader
def a_network(dtype):
    net = fb.load(FOLDER / f"network-{dtype}.safetensors")
    first = net.predict(rows()[0])
    net.fit(*rows(), epochs=1, batch_size=8, progress=False)
    return [first, net.params]


@reader
def parameters_of_an_expression(dtype):
    plan, arrays = expression(dtype)
    plan.load(FOLDER / f"expression-{dtype}.safetensors")
    first = plan.forward(x=arrays["x"])["out"]
    plan.fit(arrays, epochs=1, batch_size=8, progress=False)
    return [first, plan.params]


@reader
def a_pickle_of_a_network(dtype):
    net, optimizer, history = pickle.loads((FOLDER / f"network-{dtype}.pickle").read_bytes())
    assert history.epoch == [0, 1] and net.epochs == 2 and optimizer.steps == 8
    net.fit(*rows(), epochs=1, batch_size=8, optimizer=optimizer, progress=False)
    return [net.params, optimizer.state]


@reader
def a_pickle_of_an_expression(dtype):
    plan = pickle.loads((FOLDER / f"expression-{dtype}.pickle").read_bytes())
    plan.fit(expression(dtype)[1], epochs=1, batch_size=8, progress=False)
    return [plan.params]


@reader
def a_checkpoint_of_a_network(dtype):
    return go_on(dtype, FOLDER / f"checkpoint-{dtype}.safetensors")


@reader
def a_checkpoint_of_an_expression(dtype):
    plan, arrays = expression(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it may have been written with other kernels
        path = FOLDER / f"checkpoint-expression-{dtype}.safetensors"
        history = plan.fit(arrays, epochs=4, batch_size=8, optimizer=fb.SGD(0.05, momentum=0.9), progress=False,
                           resume=path)
    assert history.epoch == [0, 1, 2, 3]
    return [plan.params]


def go_on(dtype, path=None, **options):
    """A training of which an early stopping, a plateau and validation data are part, from a checkpoint or from its
    beginning."""
    net, _ = fresh(dtype)
    optimizer = fb.RMSprop(lr=fb.schedules.ReduceOnPlateau(0.01, patience=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        history = net.fit(*rows(), epochs=4, batch_size=7, optimizer=optimizer, progress=False, resume=path,
                          validation_split=0.2, early_stopping=fb.EarlyStopping(patience=9), **options)
    assert history.epoch == [0, 1, 2, 3]
    return [net.params, optimizer.state]


def checkpoint(path, train):
    """A checkpoint at `path`, amid the third epoch of what `train` trains with the callbacks that it is given."""
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            train([fb.Checkpoint(folder, every="2 steps", keep=99)])
            (Path(folder) / "epoch-000002-step-000002.safetensors").rename(path)


def answers():
    """What the command says of some rows by the model of a table: its table, as bytes."""
    command = [sys.executable, "-m", "fastbp", "predict", str(TABLE), str(ROWS)]
    environ = {**os.environ, "FASTBP_ISA": "scalar"}
    return subprocess.run(command, capture_output=True, check=True, env=environ, cwd=FOLDER).stdout


def write():
    """Writes the files that are not there."""
    FOLDER.mkdir(exist_ok=True)
    for dtype in ("float32", "float64"):
        net, optimizer, history = made(dtype)
        plan, arrays = expression(dtype)
        plan.fit(arrays, epochs=2, batch_size=8, progress=False)
        for model, name, held in ((net, "network", (net, optimizer, history)), (plan, "expression", plan)):
            if not (path := FOLDER / f"{name}-{dtype}.safetensors").exists():
                model.save(path)
            if not (path := path.with_suffix(".pickle")).exists():
                path.write_bytes(pickle.dumps(held, protocol=4))
        checkpoint(FOLDER / f"checkpoint-{dtype}.safetensors", lambda run, dtype=dtype: go_on(dtype, callbacks=run))
        plan, arrays = expression(dtype)
        options = {"epochs": 4, "batch_size": 8, "optimizer": fb.SGD(0.05, momentum=0.9), "progress": False}
        checkpoint(FOLDER / f"checkpoint-expression-{dtype}.safetensors",
                   lambda run, plan=plan, arrays=arrays, options=options: plan.fit(arrays, callbacks=run, **options))
    if not TABLE.exists():
        lines = ["town,area,built,sold,price"]
        for i, part in enumerate(uniform(60, seed=11, low=0.0)):
            lines.append(f"{('Aachen', 'Bonn', 'Celle')[i % 3]},{40 + 80 * part:.1f},{('yes', 'no')[i % 2]},"
                         f"20{10 + i % 13}-0{1 + i % 9}-17,{100 + i % 3 * 40 + 300 * part:.2f}")
        train = FOLDER / "train.csv"
        train.write_text("\n".join(lines) + "\n")
        options = ["--target", "price", "--dates", "sold", "--epochs", "20", "--no-plots", "--quiet", "--out", "table"]
        subprocess.run([sys.executable, "-m", "fastbp", "train", "--csv", train.name, *options], check=True, cwd=FOLDER)
        (FOLDER / "table" / "model.safetensors").rename(TABLE)
        ROWS.write_text("\n".join(line.rpartition(",")[0] for line in lines[:21]) + "\n")
        for path in [train, *(FOLDER / "table").iterdir()]:
            path.unlink()
        (FOLDER / "table").rmdir()
        ANSWERS.write_bytes(answers())
