"""`fastbp predict`: every kind of file that it reads, and what it refuses."""

import csv
import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb
from fastbp import datasets

from .conftest import idx

PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = pytest.mark.usefixtures("place")


def table(out):
    return list(csv.DictReader(io.StringIO(out)))


@pytest.fixture
def model(run, mnist):
    assert run("train --data mnist --data-dir data --no-plots --quiet --loss cross_entropy --optimizer adam "
               "--activation relu --lr 0.01 --out m")[0] == 0
    return "m/model.safetensors"


def test_predict_reads_every_kind_of_file_alike(run, place, model):
    images = datasets.read_idx("data/t10k-images-idx3-ubyte")
    labels = datasets.read_idx("data/t10k-labels-idx1-ubyte.gz")
    np.save("bytes.npy", images)
    np.save("rows.npy", images.reshape(40, 16).astype(np.int64))
    np.save("raw_floats.npy", images.astype(np.float64))
    np.save("fractions.npy", (images / 255).astype(np.float32))
    (place / "zipped").write_bytes(gzip.compress(idx(images)))
    rows = "\n".join(",".join(map(str, image.ravel())) for image in images)
    (place / "rows.csv").write_text(",".join(f"p{i}" for i in range(16)) + "\n" + rows + "\n")
    (place / "fractions.csv").write_text(",".join(f"p{i}" for i in range(16)) + "\n" + "\n".join(
        ",".join(map(repr, (image.ravel() / 255).tolist())) for image in images))
    expected = None
    for file in ("data/t10k-images-idx3-ubyte", "bytes.npy", "rows.npy", "raw_floats.npy", "zipped", "rows.csv",
                 "fractions.npy", "fractions.csv"):
        code, out, err = run(f"predict {model} {file} --threads 1")
        assert code == 0 and err == ""
        got = [(row["row"], row["class"], round(float(row["probability"]), 3)) for row in table(out)]
        expected = expected or got
        assert got == expected
    assert np.mean([int(row[1]) == label for row, label in zip(got, labels, strict=True)]) > 0.9


def test_predict_one_sample(run, model):
    np.save("one.npy", np.zeros((4, 4), np.uint8))
    np.save("flat.npy", np.zeros(16, np.uint8))
    one, flat = run(f"predict {model} one.npy")[1], run(f"predict {model} flat.npy")[1]
    assert len(table(one)) == 1 and one == flat


def test_predict_with_a_net_made_in_python(run, place):
    net = fb.mlp(3, 2, loss="mse")
    net.save("net")
    np.save("x.npy", np.ones((2, 3)))
    rows = table(run("predict net x.npy")[1])
    assert list(rows[0]) == ["row", "value 0", "value 1"]
    values = [float(rows[1]["value 0"]), float(rows[1]["value 1"])]
    assert np.allclose(values, net.predict(np.ones((1, 3)))[0], atol=1e-5)
    (place / "x.csv").write_text("a,b,c\n1,1,1\n")
    assert len(table(run("predict net x.csv")[1])) == 1


@pytest.mark.parametrize("make, message", [
    (lambda: np.save("f.npy", np.zeros((2, 15), np.uint8)), "shape (2, 15), expected rows of 16 values"),
    (lambda: np.save("f.npy", np.zeros((2, 8, 2), np.uint8)), "images of 8x2, expected 4x4"),
    (lambda: np.save("f.npy", np.zeros((0, 16), np.uint8)), "no rows"),
    (lambda: np.save("f.npy", np.full((2, 16), np.nan)), "row 1, value 1 is nan, expected finite"),
    (lambda: np.save("f.npy", np.full((2, 16), 300)), "pixels from 300 to 300"),
    (lambda: np.save("f.npy", np.full((2, 16), 1.5)), "pixels from 1.5 to 1.5"),
    (lambda: np.save("f.npy", np.full((2, 16), -1)), "pixels from -1 to -1"),
    (lambda: np.save("f.npy", np.zeros((2, 16), complex)), "complex128, expected real numbers"),
    (lambda: np.save("f.npy", np.array([{}] * 16)), "not a readable .npy"),
    (lambda: Path("f.npy").write_bytes(b"nothing"), "not a readable .npy"),
    (lambda: np.save("f.npy", 3.0), "shape ()"),
    (lambda: np.savez("f.npz", a=1), "an archive of several arrays"),
    (lambda: Path("f.csv").write_text("a,b\n1,2\n"), "2 columns, expected 16 of numbers"),
    (lambda: Path("f.idx").write_bytes(idx(np.zeros((3, 4, 4)))[:-1]), "truncated"),
    (lambda: Path("f.idx").write_bytes(idx(np.zeros(3))), "an IDX file of labels"),
    (lambda: Path("f.png").write_bytes(PNG), "not an IDX file"),
    (lambda: None, "no such file"),
])
def test_predict_refuses_what_does_not_fit(run, place, model, make, message):
    make()
    file = next((name for name in os.listdir() if name.startswith("f.")), "f.csv")
    code, out, err = run(f"predict {model} {file}")
    assert code == 2 and message in err and err.count("\n") == 1 and out == ""


def test_predict_refuses_what_is_no_model(run, place):
    (place / "x.csv").write_text("a\n1\n")
    code, _, err = run("predict x.csv x.csv")
    assert code == 2 and "x.csv: not a safetensors file" in err and err.count("\n") == 1
    assert run("predict nowhere x.csv")[0] == 2
