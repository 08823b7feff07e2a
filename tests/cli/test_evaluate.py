"""`fastbp evaluate` and `fastbp predict --proba`: what they print, beside what NumPy says, and what they refuse."""

import csv
import io
import re

import numpy as np
import pytest

import fastbp as fb
from fastbp.datasets import tables

pytestmark = pytest.mark.usefixtures("place")
QUICK = ["--epochs", "4", "--no-plots", "--quiet", "--out", "m"]
MODEL = "m/model.safetensors"


@pytest.fixture
def run(run_line):
    def run(*line):
        code, out, err = run_line(*line)
        assert "Traceback" not in err and (code == 0 or (code == 2 and err.count("\n") == 1))
        return code, out, err
    return run


def write(place, text, name="t.csv"):
    (place / name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def flowers(place, rng):
    def row(i):
        return f"{rng.normal(i % 3, 0.8):.3f},{rng.normal(-(i % 3), 0.8):.3f},{('iris', 'rose', 'tulip')[i % 3]}\n"
    return write(place, "a,b,species\n" + "".join(row(i) for i in range(120)))


def found(out, name):
    return re.search(rf"^{name} +(.*)$", out, re.M)[1]


def test_classes(run, flowers):
    assert run("train", "--csv", flowers, "--target", "species", *QUICK)[0] == 0
    code, out, err = run("evaluate", MODEL, flowers, "--threads", 1)
    table, net = tables.load_csv(flowers, "species"), fb.load(MODEL)
    X = (table.X - net.data_spec["mean"]) / net.data_spec["scale"]
    given = net.predict(X).argmax(1)
    right = (given == table.y).sum()
    assert (code, err) == (0, "") and found(out, "rows") == "120"
    assert found(out, "accuracy") == f"{100 * right / 120:.2f} % ({right} of 120)"
    assert float(found(out, "loss").split()[0]) == pytest.approx(net.evaluate(X, table.y)["loss"], rel=1e-5)
    for k, name in enumerate(table.classes):
        rows, recall, precision, most = re.search(rf"^{name} +(\d+) +([\d.]+) % +([\d.]+) %  (.*)$", out, re.M).groups()
        both = ((given == k) & (table.y == k)).sum()
        assert int(rows) == 40 and float(recall) == pytest.approx(100 * both / 40, abs=0.005)
        assert float(precision) == pytest.approx(100 * both / (given == k).sum(), abs=0.005)
        others = np.bincount(given[(table.y == k) & (given != k)], minlength=3)
        assert most == (f"{table.classes[others.argmax()]} ({others.max()})" if others.any() else "-")


def test_what_is_missing_is_told_in_words(run, place):
    rows = "".join(f"{i},{'AB'[i % 2]},{i}.5\n" for i in range(40))
    train = ["train", "--csv", write(place, "a,b,y\n" + rows + "40,,40.5\n"), "--target", "y", *QUICK[:3], "--out", "m"]
    code, out, _ = run(*train, "--missing", "median")
    assert code == 0 and "\n1 missing value filled in: words by zeros\n" in out
    for command in ("predict", "evaluate"):
        code, _, err = run(command, MODEL, write(place, "a,b,y\n1,,1.5\n2,,2.5\n", "new.csv"))
        assert code == 0 and err == "new.csv: 2 missing values filled in: words by zeros\n"
    assert run(*train[:2], write(place, "a,b,y\n" + rows), *train[3:])[0] == 0
    for count, told in ((1, "1 row with missing values"), (2, "2 rows with missing values")):
        name = write(place, "a,b,y\n1,A,1.5\n2,B,3\n" + "3,,2.5\n" * count, "new.csv")
        assert f"new.csv: {told} left out\n" in run("evaluate", MODEL, name, "--missing", "drop")[1]


def test_a_class_that_is_never_given(run, place):
    net = fb.mlp(1, 3, loss="cross_entropy")
    net.params[:] = 0
    net.data_spec = {"features": ["a"], "mean": None, "scale": None, "target": "y", "classes": ["x", "y", "z"],
                     "image_shape": None}
    net.save("net")
    out = run("evaluate", "net", write(place, "a,y\n1,x\n2,y\n3,y\n"))[1]
    assert re.search(r"^x +1 +100.00 % +33.33 %  -$", out, re.M) and re.search(r"^y +2 +0.00 % +-  x \(2\)$", out, re.M)
    assert re.search(r"^z +0 +- +-  -$", out, re.M)


def test_two_classes_by_one_output(run, place):
    rows = "".join(f"{i - 50},{'no' if i < 50 else 'yes'}\n" for i in range(100))
    name = write(place, "a,y\n" + rows)
    more = ["--loss", "binary_cross_entropy", "--lr", "0.05"]
    assert run("train", "--csv", name, "--target", "y", *QUICK, *more)[0] == 0
    code, out, _ = run("evaluate", MODEL, name)
    assert code == 0 and float(found(out, "accuracy").split()[0]) > 90 and re.search(r"^yes +50 ", out, re.M)
    lines = list(csv.DictReader(io.StringIO(run("predict", "--proba", MODEL, name)[1])))
    assert list(lines[0]) == ["row", "class", "probability no", "probability yes"]
    for line in lines:
        p = [float(line["probability no"]), float(line["probability yes"])]
        assert sum(p) == pytest.approx(1, abs=1e-5) and (line["class"] == "yes") == (p[1] > 0.5)


def test_quantities(run, place):
    name = write(place, "a,b,y\n" + "".join(f"{i},{i % 7},{2.5 * i - 3 * (i % 7)}\n" for i in range(80)))
    assert run("train", "--csv", name, "--target", "y", *QUICK)[0] == 0
    code, out, _ = run("evaluate", MODEL, name)
    predicted = np.array([float(line["y"]) for line in csv.DictReader(io.StringIO(run("predict", MODEL, name)[1]))])
    y = tables.load_csv(name, "y").y
    mae, r2 = np.abs(predicted - y).mean(), 1 - ((predicted - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert code == 0 and found(out, "rows") == "80"
    assert float(found(out, "R squared").split()[0]) == pytest.approx(r2, abs=1e-4)
    assert float(found(out, "error").split(", ")[1].split()[0]) == pytest.approx(mae, rel=1e-4)
    assert float(found(out, "loss").split()[0]) == pytest.approx(((predicted - y) ** 2).mean(), rel=1e-3)
    assert "R squared" not in run("evaluate", MODEL, write(place, "a,b,y\n1,2,3\n4,5,3\n", "one.csv"))[1]


def test_probabilities_of_every_class(run, flowers):
    assert run("train", "--csv", flowers, "--target", "species", *QUICK)[0] == 0
    plain = list(csv.DictReader(io.StringIO(run("predict", MODEL, flowers)[1])))
    code, out, _ = run("predict", "--proba", MODEL, flowers)
    lines = list(csv.DictReader(io.StringIO(out)))
    assert code == 0 and list(lines[0]) == ["row", "class", "probability iris", "probability rose", "probability tulip"]
    for one, all_ in zip(plain, lines, strict=True):
        p = {name: float(all_[f"probability {name}"]) for name in ("iris", "rose", "tulip")}
        assert sum(p.values()) == pytest.approx(1, abs=1e-5) and all_["class"] == one["class"] == max(p, key=p.get)
        assert p[one["class"]] == pytest.approx(float(one["probability"]), abs=1e-4)


def test_outputs_that_are_no_probabilities(run, flowers):
    assert run("train", "--csv", flowers, "--target", "species", *QUICK, "--loss", "squared_error")[0] == 0
    assert run("predict", "--proba", MODEL, flowers)[1].startswith("row,class,output iris,output rose,output tulip\n")
    code, out, _ = run("evaluate", MODEL, flowers)
    assert code == 0 and "(squared_error)" in found(out, "loss")


def test_images_and_their_labels(run):
    rng = np.random.default_rng(0)
    net = fb.mlp(4, 3, loss="cross_entropy")
    net.save("net")
    X, y = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    np.save("x.npy", X)
    np.save("y.npy", y)
    code, out, _ = run("evaluate", "net", "x.npy", "--labels", "y.npy")
    assert code == 0 and found(out, "accuracy").startswith(f"{100 * net.evaluate(X, y)['accuracy']:.2f} %")
    np.save("y.npy", y + 1)
    assert "label 3 of row " in run("evaluate", "net", "x.npy", "--labels", "y.npy")[2]
    np.save("y.npy", y[:5])
    evaluate = ["evaluate", "net", "x.npy", "--labels", "y.npy"]
    assert "labels of shape (5,), expected (30,), one for each row" in run(*evaluate)[2]
    assert "--labels is missing, expected" in run("evaluate", "net", "x.npy")[2]
    for option, value in (("--decimal", ","), ("--missing", "drop")):
        told = f"{option} is given with x.npy, which is read as an array, expected a CSV file; leave it out"
        assert told in run(*evaluate, option, value)[2]
    assert "--unknown is given with x.npy, which is read" in run("predict", "net", "x.npy", "--unknown", "zeros")[2]
    fb.mlp(4, 1, loss="mse").save("net")
    assert "--labels is given with net, which predicts a quantity, expected a model of classes" in run(*evaluate)[2]


def test_what_cannot_be_evaluated(run, place, flowers):
    fb.mlp(2, 1, loss="mse").save("net")
    assert "was not trained on a table, expected one that knows which column" in run("evaluate", "net", flowers)[2]
    assert "--proba is given with net, which predicts a quantity" in run("predict", "--proba", "net", flowers)[2]
    assert run("train", "--csv", flowers, "--target", "species", *QUICK)[0] == 0
    assert "no column 'species'" in run("evaluate", MODEL, write(place, "a,b\n1,2\n", "new.csv"))[2]
    assert "--labels is given with the table" in run("evaluate", MODEL, flowers, "--labels", "y.npy")[2]
    assert "no such file" in run("evaluate", MODEL, "nowhere.csv")[2]
    assert "no such file" in run("evaluate", "no", flowers)[2]
    err = run("evaluate", MODEL, write(place, "a,b,species\n1,2,daisy\n", "new.csv"))[2]
    assert ("line 2, column 'species': 'daisy' is none of the classes that the model was trained on, expected one of: "
            "iris, rose, tulip") in err
