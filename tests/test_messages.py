"""What users of the package are told, word for word: what came, what was expected, what to do.

The messages of `fastbp._check` are in tests/check, those of cells in tests/datasets, of the command in tests/cli.
"""

import io
import os

import numpy as np
import pytest

import fastbp as fb
from fastbp import curve, datasets, graph, layers, plot

X, Y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
NET = fb.mlp(3, 2)
x, t, W = graph.input("x", 3), graph.input("t", 3), graph.parameter("W", (3, 2))
SCALAR = graph.mean(x * x)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a table, one of a single column of features, and an empty folder."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("folder")
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{i * 0.37}\n" for i in range(20)))
    (tmp_path / "one.csv").write_text("a,y\n" + "".join(f"{i},3\n" for i in range(20)))
    (tmp_path / "images").write_bytes(b"\0\0\x08\x01\0\0\0\x05abc")
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\0")


def saved(spec):
    net = fb.mlp(3, 2)
    net.data_spec = spec
    net.save(io.BytesIO())


def tell(cases):
    return pytest.mark.parametrize(("call", "error", "message"), cases, ids=[case[2][:40] for case in cases])


def told(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error and str(caught.value) == message


@tell([
    (lambda: fb.losses.get("msee"), ValueError,
     "loss is 'msee', expected one of: squared_error, half_squared_error, mse, mae, huber, cross_entropy, "
     "binary_cross_entropy, poisson, quantile; did you mean 'mse'?"),
    (lambda: fb.optimizers.get("nadam"), ValueError,
     "optimizer is 'nadam', expected one of: sgd, adam, adamw, rmsprop, adagrad; there is none of that name, the "
     "nearest is 'adam'"),
    (lambda: fb.cpu.set_threads(0), ValueError,
     "threads is 0 (int), expected a whole number of threads, 1 or more; set it to one, such as 4"),
    (lambda: NET.fit(X, Y[:3]), ValueError,
     "y has 3 rows (shape (3, 2)), expected 4, one target for each row of X; pass X and y of the same length"),
    (lambda: NET.fit(X, Y, optimizer="sgd"), TypeError,
     "optimizer is 'sgd', expected an optimizer object; pass fb.SGD()"),
    (lambda: NET.fit(X, Y, callbacks=[5]), TypeError,
     "callbacks[0] is 5 (int), expected a Callback object or a function callback(net, epoch, logs); pass one of the "
     "two"),
    (lambda: NET.fit(X, Y, early_stopping=3), TypeError,
     "early_stopping is 3 (int), expected None or an EarlyStopping; pass fb.EarlyStopping(patience=5)"),
    (lambda: NET.fit(X, Y, metrics={"f": lambda y, p: 0.0}), ValueError,
     "metrics is given (f) without validation data, expected both, as metrics are computed of them; pass "
     "validation_data or validation_split"),
    (lambda: fb.EarlyStopping(monitor=3), TypeError,
     "monitor is 3 (int), expected a key of History; pass 'val_loss' or 'loss', say"),
    (lambda: fb.schedules.Schedule()(0), NotImplementedError,
     "Schedule has no rates(t), expected the rates of the steps t; write it"),
    (lambda: fb.fit_many([NET, 5], X, Y), TypeError,
     "nets[1] is 5 (int), expected a network; pass fb.mlp(...) or fb.Sequential(...)"),
    (lambda: fb.fit_many(5, X, Y), TypeError, "nets is 5 (int), expected a list of networks; pass one"),
    (lambda: fb.Sequential(7), TypeError,
     "layers[0] is 7 (int), expected a Dense, Dropout or LayerNorm layer; pass fb.Dense(inputs, units)"),
    (lambda: layers.from_config(7), TypeError,
     "layer is 7 (int), expected a dict with a 'kind'; pass what Layer.config() gives"),
])
def test_networks_and_training(call, error, message):
    told(call, error, message)


@tell([
    (lambda: graph.input(3, 1), TypeError, "name is 3 (int), expected a word; pass a str, such as 'x'"),
    (lambda: x[:, 9], IndexError,
     "index 9 is outside axis 0 of <data 'x' (batch, 3)>, expected -3 to 2; choose one of these"),
    (lambda: x[:, [0, 1]], IndexError,
     "index [0, 1] (list) on axis 0, expected an int or a slice; for rows by number use gather"),
    (lambda: bool(x), TypeError,
     "<data 'x' (batch, 3)> is neither true nor false before there are data, expected one of the two by Python's and, "
     "or, not, if, in, max, min, sorted and a < b < c; write graph.where(condition, a, b), (a < b) & (b < c), "
     "(a < b) | (b < c), ~(a < b), graph.maximum, graph.minimum, or `is` for the same node"),
    (lambda: np.exp(x), TypeError,
     "np.exp of <data 'x' (batch, 3)>, which is no array before there are data, expected one; use the functions of "
     "fastbp.graph, such as graph.exp for np.exp"),
    (lambda: graph.dense(x, W, graph.parameter("b", (3,))), ValueError,
     "dense: b is <parameter 'b' (3,)>, expected a fixed node of shape (2,), one number a unit; reshape it"),
    (lambda: graph.mse(graph.parameter("q", (3,)), t), ValueError,
     "mse: y is <parameter 'q' (3,)> and target <data 't' (batch, 3)>, expected a row for each sample in both; make "
     "both of inputs"),
    (lambda: graph.mse(x, t, weights=t), ValueError,
     "mse: weights is <data 't' (batch, 3)>, expected (batch, 1), a number for each sample; declare them with "
     "graph.input(name, 1)"),
    (lambda: graph.compile(3.0), ValueError,
     "loss is 3.0 (float), expected a scalar node; take the mean of it: graph.mean(...)"),
    (lambda: graph.compile(SCALAR).forward(x=X), ValueError,
     "outputs is empty, expected the nodes that forward gives; pass outputs={'name': node} to compile"),
    (lambda: graph.grad(SCALAR, 3), TypeError,
     "wrt is 3 (int), expected a node; pass what the expression was made from"),
    (lambda: graph.compile(graph.mean(x @ W), shared_with=3), TypeError,
     "shared_with is 3 (int), expected a Plan; pass what graph.compile gave"),
    (lambda: (x < 1) & "a", TypeError,
     "&: operand is 'a', expected a condition, such as (0 < s) & (s < 1), or bools; write the parentheses around each "
     "comparison, and x != 0 for a number x"),
])
def test_expressions(call, error, message):
    told(call, error, message)


@tell([
    (lambda: fb.load("nowhere"), FileNotFoundError,
     "nowhere: no such file, expected a model saved by net.save or fastbp train; correct the path"),
    (lambda: fb.load("t.csv"), ValueError,
     "t.csv: not a safetensors file, or a truncated one (it seems to be text), expected a model saved by net.save or "
     "fastbp train; give another file, or save or fetch this one again"),
    (lambda: NET.save("folder"), IsADirectoryError,
     "folder: a folder, expected the path of a file to write; put its name behind it"),
    (lambda: NET.save("nowhere/"), IsADirectoryError,
     "nowhere/: the path of a folder, expected that of a file to write; put its name behind it"),
    (lambda: NET.save("nowhere/net"), FileNotFoundError,
     "nowhere/net: no such folder, expected the path of a file in one that is there; create it first"),
    (lambda: NET.save(""), ValueError, "path is '', expected the path of a file; pass one that is not empty"),
    (lambda: saved({"a": 1}), ValueError,
     "data_spec has unknown key 'a', expected exactly features, mean, scale, target, classes, image_shape; correct it "
     "and save again"),
    (lambda: saved(3), ValueError,
     "data_spec is 3 (int), expected None or a dict with features, mean, scale, target, classes, image_shape; correct "
     "it and save again"),
    (lambda: saved({"a": X}), ValueError,
     "the network cannot be saved: its data_spec is not plain JSON (Object of type ndarray is not JSON serializable), "
     "expected dicts, lists, text, finite numbers, True, False and None; correct net.data_spec"),
    (lambda: datasets.load_mnist("nowhere"), FileNotFoundError,
     "data_dir is 'nowhere', expected a folder with MNIST's four IDX files, and there is no such folder; correct the "
     "path"),
    (lambda: datasets.load_mnist("folder", dtype=3), ValueError,
     "dtype is 3 (int), expected 'float32' or 'uint8'; pass one of the two"),
    (lambda: datasets.read_idx("nowhere"), FileNotFoundError,
     "nowhere: no such file, expected an IDX file; correct the path"),
    (lambda: datasets.read_idx("cut.gz"), ValueError,
     "cut.gz: a truncated or damaged gzip file (Compressed file ended before the end-of-stream marker was reached), "
     "expected a whole one; fetch it again"),
    (lambda: datasets.read_idx("images"), ValueError,
     "images: truncated: 3 bytes of values, expected 5: 5 of 1 bytes each, as its header says; fetch the file again"),
])
def test_files(call, error, message):
    told(call, error, message)


@tell([
    (lambda: datasets.load_csv("nowhere", "y"), FileNotFoundError,
     "nowhere: no such file, expected a CSV file; correct the path"),
    (lambda: datasets.load_csv("t.csv", "z"), ValueError,
     "t.csv: no column 'z', expected one of: a, y; name one of them"),
    (lambda: datasets.load_csv("t.csv", "y", task="x"), ValueError,
     "task is 'x', expected 'classification', 'regression' or None; pass None to tell from the column"),
    (lambda: datasets.load_csv("t.csv", "y", ignore=["a"]), ValueError,
     "t.csv: the only column is 'y', the target, expected at least one more to predict it from; give a file that has "
     "one, or ignore fewer"),
    (lambda: datasets.load_csv("one.csv", "y"), ValueError,
     "one.csv: column 'y' holds one value only ('3'), expected two or more, as else there is nothing to learn; choose "
     "another column"),
    (lambda: datasets.load_csv("t.csv", "a", "classification"), ValueError,
     "t.csv: column 'a' has 20 classes in 20 rows (is it a name or a key?), expected two rows or more a class; choose "
     "another column"),
    (lambda: datasets.Format(separator="ab"), ValueError,
     "separator is 'ab', expected one character that is in no number or word, or one of tab, semicolon, pipe, comma, "
     "space; choose the one between the cells"),
    (lambda: datasets.Format(decimal=3), ValueError,
     "decimal is 3 (int), expected one of: . ,; choose the one in the file"),
    (lambda: datasets.Format(decimal=",", thousands=","), ValueError,
     "thousands is ',', expected another mark than decimal; change one of them"),
    (lambda: datasets.Format(encoding="klingon"), ValueError,
     "encoding is 'klingon', which is not known, expected one such as utf-8, utf-16, cp1252 or latin-1; choose the "
     "file's"),
])
def test_tables(call, error, message):
    told(call, error, message)


@tell([
    (lambda: curve.CurveFitter(np.array([0, 1e-9, 2e-9, 3e-9, 1]), np.arange(5.0), 4), ValueError,
     "degree is 4, expected at most 2: some x lie so close together that they determine only 3 knobs of 5; choose a "
     "lower degree or give more points"),
    (lambda: plot.history({}), ValueError, "history has no loss of an epoch, expected at least one; train for one"),
    (lambda: plot.weights(NET, image_shape=(2, 2)), ValueError,
     "image_shape is (2, 2), expected 3 pixels, as the network has inputs; give such a (height, width)"),
    (lambda: plot.mistakes(fb.mlp(4, 1), X, Y), ValueError,
     "net has one output, expected one for each class; train it so to see its mistakes"),
])
def test_curves_and_pictures(call, error, message):
    told(call, error, message)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: fb.Sequential.from_config({}), ValueError, "config is [] (list), expected a dict with a list of"),
        (lambda: fb.Sequential.from_config(3), ValueError, "config is 3 (int), expected a dict with a list of layers"),
        (lambda: fb.SGD().step(3), TypeError, "net is 3 (int), expected a network or a Plan; pass the one"),
        (lambda: fb.mlp(2, 3).head(5), ValueError, "i is 5, expected an integer >= 0 and <= 0"),
        (lambda: fb.mlp(2, 3).head("a"), TypeError, "i is 'a', expected an integer"),
        (lambda: fb.cpu.use("sse2"), ValueError, "isa is 'sse2', which is unknown, expected one of: "),
    ],
)
def test_what_is_seldom_given_wrongly_is_told_as_well(call, kind, message):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).startswith(message)
