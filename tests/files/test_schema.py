"""The closed schema of a model's file: whatever is not as `save` writes it is refused, and never shown."""

import json
import struct

import numpy as np
import pytest
from model_files import SPEC, at, del_, example
from safetensors.numpy import save as to_bytes

import fastbp as fb
from fastbp import serialization
from fastbp._files import schema

BAD = [
    (at("format", value=2), "format is 2, expected 1, which this version of fastbp reads; install"),
    (at("format", value=True), "format is true or false, expected 1"),
    (at("format", value="2"), "format is text"),
    (at("format", value=del_), "no 'format'"),
    (at("extra", value=1), "the description has 1 unknown key, expected exactly format, dtype,"),
    (at("seed", value=del_), "no key 'seed'"),
    (at("seed", value=1.5), "seed is a number, expected a whole number"),
    (at("seed", value=-1), "seed is a number, expected"),
    (at("seed", value=True), "seed is true or false, expected"),
    (at("dtype", value="float16"), "dtype is text, expected"),
    (at("dtype", value=["float32"]), "dtype is"),
    (at("dtype", value="float64"), "parameters are float32, expected float64, as the description says; save"),
    (at("layers", value=[]), "layers is"),
    (at("layers", value={}), "layers is"),
    (at("layers", value=[{"kind": "dropout", "rate": 0.5}]), "no dense layer"),
    (at("layers", 0, value=7), r"layers\[0\] is a number, expected an object"),
    (at("layers", 0, "kind", value="conv"), r"layers\[0\] is .*expected an object of kind 'dense'"),
    (at("layers", 0, "kind", value=["dense"]), r"layers\[0\] is"),
    (at("layers", 0, "units", value=5), r"layers\[2\].inputs is 4, expected 5, the units of the layer before"),
    (at("layers", 0, "inputs", value=0), r"layers\[0\].inputs is a number, expected a whole number from 1"),
    (at("layers", 0, "inputs", value="2"), r"layers\[0\].inputs is text, expected"),
    (at("layers", 0, "inputs", value=2**40), r"layers\[0\].inputs is"),
    (at("layers", 0, "activation", value="rleu"), r"layers\[0\].activation is text that is no name of one, expected"),
    (at("layers", 0, "activation", value=1), r"layers\[0\].activation is a number, expected text"),
    (at("layers", 0, "activation", value="softmax"), "softmax"),
    (at("layers", 2, "activation", value="relu"), "cross_entropy"),
    (at("layers", 0, "l2", value=-0.5), r"layers\[0\].l2 is a number, expected a number >= 0"),
    (at("layers", 0, "l1", value=None), r"layers\[0\].l1 is null"),
    (at("layers", 0, "l1", value=10**400), r"layers\[0\].l1 is a number, expected a finite number"),
    (at("layers", 0, "init", value="zeros"), r"layers\[0\] has 1 unknown key, expected exactly kind, inputs"),
    (at("layers", 0, "l1", value=del_), r"layers\[0\] has no key 'l1'"),
    (at("layers", 1, "rate", value=1.0), r"layers\[1\].rate is a number, expected 0 <= rate < 1"),
    (at("layers", 1, "rate", value="0.5"), r"layers\[1\].rate is text, expected a finite number"),
    (at("loss", value="mse"), "loss is text, expected an object"),
    (at("loss", "name", value="mes"), "loss.name is text that is no name of one, expected one of: squared_error"),
    (at("loss", "name", value="mse"), "loss has 1 unknown key, expected exactly name"),
    (at("loss", "label_smoothing", value=del_), "loss has no key 'label_smoothing'"),
    (at("loss", "label_smoothing", value=1.5),
     "loss.label_smoothing is a number, expected what the loss 'cross_entropy' takes"),
    (at("loss", "label_smoothing", value=[]), "loss.label_smoothing is a list of 0, expected a finite number"),
    (at("data_spec", value=3), "data_spec is a number, expected None or a dict"),
    (at("data_spec", "unit", value="m"), "data_spec has 1 unknown key, expected exactly features"),
    (at("data_spec", "target", value=del_), "data_spec has no key 'target'"),
    (at("data_spec", "features", value=["a"]), "data_spec.features is a list of 1, expected a list of 2"),
    (at("data_spec", "features", value=["a", "a"]), "data_spec.features repeats"),
    (at("data_spec", "features", value=["a", 1]), r"data_spec.features\[1\] is a number, expected text"),
    (at("data_spec", "mean", value=None), "one of data_spec.mean and data_spec.scale is None, expected both"),
    (at("data_spec", "mean", value=[1, 2, 3]), "data_spec.mean is a list of 3"),
    (at("data_spec", "mean", value="12"), "data_spec.mean is text, expected a list of 2"),
    (at("data_spec", "scale", value=[1.0, 0.0]), r"data_spec.scale\[1\] is a number, expected a number > 0"),
    (at("data_spec", "target", value=""), "data_spec.target is empty text, expected text"),
    (at("data_spec", "classes", value=["x", "y"]), "data_spec.classes is a list of 2, expected a list of 3"),
    (at("data_spec", "classes", value=["x", "y", "y"]), "data_spec.classes repeats"),
    (at("data_spec", "classes", value=["x", "y", 1.5]), r"data_spec.classes\[2\] is a number, expected text or a"),
    (at("data_spec", "image_shape", value=[2, 2]), r"image_shape is \[2, 2\], expected 2 pixels, as the model has in"),
    (at("data_spec", "image_shape", value=[1, 2, 1]), "image_shape is a list of 3"),
    (at("data_spec", "image_shape", value=[1.0, 2]), r"image_shape\[0\] is a number, expected"),
    (lambda config: [config], "no 'format'"),
    (lambda config: config.update(data_spec=None) or at("layers", 0, "inputs", value=3)(config),
     r"parameters have shape \[27\], expected \[31\], as the layers need"),
]


@pytest.mark.parametrize("change, message", BAD)
def test_closed_schema(saved, change, message):
    path, rewrite = saved
    rewrite(change)
    with pytest.raises(ValueError, match=message) as error:
        fb.load(path)
    assert str(path) in str(error.value)


SECRET = "hunter2"


@pytest.mark.parametrize("change", [
    at("dtype", value=SECRET), at("seed", value=SECRET), at(SECRET, value=1), at("layers", value=SECRET),
    at("layers", value={SECRET: SECRET}), at("layers", 0, value=SECRET), at("layers", 0, SECRET, value=1),
    at("layers", 0, "kind", value=SECRET), at("layers", 0, "activation", value=SECRET),
    at("layers", 0, "inputs", value=SECRET), at("layers", 1, "rate", value=SECRET), at("loss", value=SECRET),
    at("loss", "name", value=SECRET), at("loss", SECRET, value=SECRET), at("loss", "label_smoothing", value=SECRET),
    at("data_spec", value=SECRET), at("data_spec", "features", value=[SECRET, 1]),
    at("data_spec", "mean", value=SECRET),
    at("data_spec", "classes", value=[SECRET, SECRET, 1.5]), at("format", value=SECRET),
    at("input_scale", value=SECRET),
])
def test_no_message_shows_what_is_in_a_file(saved, change):
    path, rewrite = saved
    rewrite(change)
    with pytest.raises(ValueError) as error:
        fb.load(path)
    assert SECRET not in str(error.value)


@pytest.mark.parametrize("data", [
    SECRET.encode(), b"{\"" + SECRET.encode() + b"\": 1}", b"\x80\x04" + SECRET.encode(),
    struct.pack("<Q", 30) + (b'{"%s": "%s", "x": [1, 2' % (SECRET.encode(), SECRET.encode())).ljust(30, b" "),
    to_bytes({SECRET: np.zeros(2)}), to_bytes({"params": np.zeros(2)}, metadata={SECRET: SECRET}),
    to_bytes({"params": np.zeros(2)}, metadata={"fastbp": SECRET}),
    to_bytes({"params": np.zeros(2)}, metadata={"fastbp": f'{{"{SECRET}": 1, "{SECRET}": 2}}'}),
    to_bytes({"params": np.zeros(2)}, metadata={"fastbp": f'{{"format": 1, "{SECRET}": 2}}'}),
    to_bytes({SECRET: np.zeros(2)}, metadata={"fastbp": json.dumps(serialization.PARAMETERS)}),
])
def test_no_message_shows_what_is_in_a_foreign_file(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    for read in (fb.load, lambda path: serialization.load_parameters({"k": np.zeros(2)}, path)):
        with pytest.raises(ValueError) as error:
            read(tmp_path / "file")
        assert SECRET not in str(error.value)


def test_what_a_user_saves_is_shown():
    net = example()
    net.data_spec = {**SPEC, "scale": [1.0, -2.5]}
    with pytest.raises(ValueError, match=r"data_spec.scale\[1\] is -2.5 \(float\), expected a number > 0"):
        schema.Schema(fb._check.shown).data_spec(net.data_spec, 2, 3)
    with pytest.raises(ValueError, match="data_spec has unknown key 'unit'"):
        schema.Schema(fb._check.shown).data_spec({**SPEC, "unit": 1}, 2, 3)


def test_many_names_are_compared_in_no_time():
    names = [f"layer{i}.W" for i in range(200_000)]
    schema.keys(names, names[::-1], "the file", "parameter")
    with pytest.raises(ValueError, match=r"no parameter 'layer7.W', expected exactly .*\(200000 in all\)") as error:
        schema.keys(names[:7] + names[8:], names, "the file", "parameter")
    assert len(str(error.value)) < 300
