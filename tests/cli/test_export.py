"""`fastbp export`: a saved model becomes a file for other programs."""

import pytest
from model_files import saved_model

import fastbp as fb


@pytest.fixture
def model(place):
    fb.mlp(3, 4, 2, activation="tanh", loss="cross_entropy").save(place / "model.safetensors")
    return place


def test_a_header_is_written_by_the_ending_of_its_name(run, model):
    code, out, err = run("export model.safetensors net.h")
    assert (code, err) == (0, "")
    text = (model / "net.h").read_text("ascii")
    assert "net_predict(const float *x, float *y)" in text
    assert out.split() == ["written", "net.h,", f"{len(text):,}", "bytes"]
    fb.load(model / "model.safetensors").to_c(model / "again.h", name="net")
    assert (model / "again.h").read_text("ascii") == text


def test_an_onnx_model_is_written_by_the_ending_of_its_name(run, model):
    pytest.importorskip("onnx")
    code, out, err = run("export model.safetensors net.onnx")
    assert (code, err, out.split()[:2]) == (0, "", ["written", "net.onnx,"])
    X = [[0.5, -1, 2]]
    assert abs(fb.from_onnx("net.onnx").predict(X) - fb.load("model.safetensors").predict(X)).max() < 1e-6


def test_the_names_may_begin_with_another_word(run, model):
    assert run("export --name brain model.safetensors net.h")[0] == 0
    assert "brain_predict(" in (model / "net.h").read_text("ascii")


def test_what_a_table_needs_besides_is_said(run, place):
    saved_model(place / "table.safetensors")
    _, out, _ = run("export table.safetensors net.h")
    assert "inputs         those of the network: what fastbp predict does to a file's columns or pixels" in out


@pytest.mark.parametrize(("line", "said"), [
    ("export model.safetensors net.hpp", "FILE is 'net.hpp', expected a name that ends with .h or .onnx"),
    ("export --name a model.safetensors net.onnx", "--name is given with net.onnx, expected a header"),
    ("export model.safetensors net", "FILE is 'net', expected a name that ends with .h"),
    ("export none.safetensors net.h", "none.safetensors: no such file"),
    ("export --name 1 model.safetensors net.h", "--name is '1', expected letters, digits and _"),
    ("export model.safetensors none/net.h", "none/net.h: no such folder"),
])
def test_what_cannot_be_exported_is_refused(run, model, line, said):
    code, out, err = run(line)
    assert (code, out) == (2, "") and err.startswith("fastbp export: error: ") and said in err
    assert [each.name for each in model.iterdir()] == ["model.safetensors"]
