"""Files that earlier versions have written, one of each layout that there has been, are read for good.

Nobody can write them again: what they are, and what their own versions made of them, stands in older/expected.json.
Their number of the format is that of today, as what was added since may be left out: a network's file had no scale of
the inputs at first, then no counts of its training; parameters of expressions had no counts; a checkpoint's layout has
been one since the first. Where a number is raised one day, `fastbp._files.schema.check_format` reads it first.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from model_files import description

import fastbp as fb
from fastbp import cli
from fastbp import graph as g

from .numbers import uniform

FOLDER = Path(__file__).with_name("older")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
NETWORKS = [name for name in EXPECTED if name.startswith("network")]
# what each layout has that the ones before it had not, and where the description says it
ADDED = {"network-without-scale": [], "network-without-counts": ["input_scale"],
         "network-with-counts": ["input_scale", "trained"]}  # fmt: skip


def are_those(params, expected):
    first, total = [float.fromhex(each) for each in expected[:3]], float.fromhex(expected[3])
    assert params[:3].tolist() == first and float(params.astype("f8").sum()) == total


def test_every_file_is_tried():
    assert sorted(path.stem for path in FOLDER.glob("*.safetensors")) == sorted(EXPECTED)


@pytest.mark.parametrize(("name", "added"), ADDED.items())
def test_what_a_layout_has(name, added):
    found = description(FOLDER / f"{name}.safetensors")
    assert [key for key in ("input_scale", "trained") if key in found] == added and found["format"] == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_what_it_was(name, tmp_path):
    net, X = fb.load(FOLDER / f"{name}.safetensors"), uniform(30, 5, seed=7).astype("f4")
    are_those(net.params, EXPECTED[name]["params"])
    assert np.allclose(net.predict(X).ravel()[:6], EXPECTED[name]["first"], rtol=1e-5, atol=1e-6)
    assert net.epochs == (2 if "trained" in description(FOLDER / f"{name}.safetensors") else 0)
    net.save(tmp_path / "net")  # as today's versions write it
    again, found = fb.load(tmp_path / "net"), description(tmp_path / "net")
    assert again.params.tobytes() == net.params.tobytes() and again.config() == net.config()
    assert found["input_scale"] == (0.5 if name == "network-without-counts" else 1.0)
    y = np.arange(30) % 3 if net.loss.name == "cross_entropy" else np.zeros((30, 3))
    for each in (net, again):
        each.fit(X, y, epochs=1)
    assert again.params.tobytes() == net.params.tobytes()


@pytest.mark.parametrize("name", ["parameters-without-counts", "parameters-with-counts"])
def test_parameters_are_what_they_were(name):
    X = uniform(30, 5, seed=7).astype("f4")
    x, t = g.input("x", 5), g.input("t")
    plan = g.compile(g.mse(fb.Dense(5, 6, "tanh")(x) @ g.parameter("V", (6, 1)), t))
    plan.load(FOLDER / f"{name}.safetensors")
    are_those(np.concatenate([plan.parameters[each].ravel() for each in sorted(plan.parameters)]),
              EXPECTED[name]["params"])
    assert plan.loss(x=X, t=X[:, :1]) == pytest.approx(EXPECTED[name]["first"][0], rel=1e-5)
    assert plan.epochs == (2 if name == "parameters-with-counts" else 0)


def test_the_model_of_a_table_says_what_it_said(tmp_path, capsys):
    expected = EXPECTED["table-of-words"]
    (tmp_path / "rows.csv").write_text(expected["rows"])
    assert cli.main(["predict", str(FOLDER / "table-of-words.safetensors"), str(tmp_path / "rows.csv")]) == 0

    def numbers(text):
        return np.array([row.split(",")[1:] for row in text.split()[1:]], float)

    assert np.allclose(numbers(capsys.readouterr().out), numbers(expected["said"]), rtol=1e-3)
