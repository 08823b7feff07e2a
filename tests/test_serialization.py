"""Model files: what is saved comes back bit for bit, anything else is refused in one sentence, writing is atomic."""

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import SPEC, description, example
from safetensors.numpy import save as to_bytes

import fastbp as fb
from fastbp import serialization


@pytest.mark.smoke
def test_saved_network_comes_back(tmp_path, dtype):
    net = example(dtype)
    X = np.random.default_rng(0).normal(size=(5, 2))
    net.save(tmp_path / "net")
    got = fb.load(tmp_path / "net")
    assert got.params.dtype == dtype and got.params.tobytes() == net.params.tobytes()
    assert got.config() == net.config() and got.data_spec == SPEC
    assert np.array_equal(got.predict(X), net.predict(X))
    y = np.array([0, 1, 2, 1, 0])
    net.fit(X, y, epochs=2)                                               # the same seed, loss, penalties and dropout
    got.fit(X, y, epochs=2)
    assert got.params.tobytes() == net.params.tobytes()


def test_the_scale_of_the_inputs_comes_back_and_older_files_have_none(saved, tmp_path):
    path, rewrite = saved
    net = fb.mlp(2, 4, 3, input_scale=1 / 255, seed=7)
    net.save(tmp_path / "scaled")
    got, X = fb.load(tmp_path / "scaled"), np.array([[0, 255], [7, 1]], np.uint8)
    assert got.input_scale == 1 / 255
    assert np.array_equal(got.predict(X), net.predict(X))
    rewrite(lambda config: config.pop("input_scale") and None)
    assert "input_scale" not in description(path)
    assert fb.load(path).input_scale == 1


@pytest.mark.parametrize("value", [0, -1.0, "1", None, True, 1e60, 1e400])
def test_a_bad_scale_in_a_file_is_refused(saved, value):
    path, rewrite = saved
    rewrite(lambda config: config.update(input_scale=value))
    with pytest.raises(ValueError, match=r"input_scale is|holds Infinity"):
        fb.load(path)


def test_what_the_model_refuses_is_told_of_the_file(saved):
    path, _ = saved

    def make(config):
        raise TypeError(f"{config['dtype']} does not fit")

    with pytest.raises(ValueError) as told:
        serialization.read_network(path, make)
    assert str(told.value) == f"{path}: not a usable model saved by net.save or fastbp train: float32 does not fit"


def test_the_same_network_makes_the_same_file(tmp_path):
    example().save(tmp_path / "a")
    example().save(str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_is_plain_safetensors(saved):
    from safetensors.numpy import load_file
    tensors = load_file(saved[0])
    assert list(tensors) == ["params"] and tensors["params"].tobytes() == example().params.tobytes()
    assert description(saved[0]) == {"format": 1, **example().config()}


@pytest.mark.parametrize("loss", ["squared_error", "half_squared_error", "mse", "mae", fb.losses.Huber(2.5), "poisson",
                                  "cross_entropy", "binary_cross_entropy", fb.losses.Quantile(0.9)])
def test_every_loss_comes_back(tmp_path, loss):
    net = fb.mlp(3, 4, 2, loss=loss)
    net.save(tmp_path / "net")
    assert fb.load(tmp_path / "net").loss.config() == net.loss.config()


# ---- refused --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, message", [
    ("{", "not JSON"),
    ('{"format": 1, "format": 1}', "has a key twice, expected different ones; save"),
    ('{"format": NaN}', "holds NaN"),
    ("[" * 200_000, "nested too deeply"),
    ("[" * 42 + "]" * 42, "nested too deeply, expected a flat one; save the model again"),
    ("[" * 41 + "]" * 41, "no 'format'"),
    ('{"format": ' + "1" * 1001 + "}", "a number of 1001 digits, expected at most 1000; save the model again"),
    ('{"format": ' + "9" * 10_000 + "}", "a number of 10000 digits, expected at most 1000"),
    ("null", "no 'format'"),
])
def test_description_that_is_not_one(saved, text, message):
    path, rewrite = saved
    rewrite(text=text)
    with pytest.raises(ValueError, match=message):
        fb.load(path)


@pytest.mark.parametrize("params, message", [
    (np.zeros(26, "f4"), r"shape \[26\], expected \[27\], as the layers need"),
    (np.zeros((27, 1), "f4"), r"shape \[27, 1\]"),
    (np.zeros(27, "f8"), "parameters are float64, expected float32, as the description says; save"),
    (np.zeros(27, "i4"), "parameters are I32"),
    (np.where(np.arange(27) == 5, np.nan, 1).astype("f4"), "parameter 5 of 27 is nan, expected finite numbers"),
    (np.where(np.arange(27) == 26, np.inf, 1).astype("f4"), "parameter 26 of 27 is inf"),
])
def test_tensor_that_does_not_fit(saved, params, message):
    path, rewrite = saved
    rewrite(params=params)
    with pytest.raises(ValueError, match=message):
        fb.load(path)


@pytest.mark.smoke
def test_foreign_files(saved):
    path, rewrite = saved
    rewrite(name="weights")
    with pytest.raises(ValueError, match="it has 1 tensor, expected one, called 'params'"):
        fb.load(path)
    rewrite(key="other")
    with pytest.raises(ValueError, match="of another program"):
        fb.load(path)
    path.write_bytes(to_bytes({"params": np.zeros(3)}))
    with pytest.raises(ValueError, match="of another program"):
        fb.load(path)
    path.write_bytes(b"\x80\x04\x95 a pickle, say")
    with pytest.raises(ValueError, match="not a safetensors file, or a truncated one"):
        fb.load(path)


def test_every_truncation_is_refused(saved):
    path, _ = saved
    data = path.read_bytes()
    for length in [*range(0, len(data), 13), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match="truncated"):
            fb.load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(ValueError, match="not a safetensors file"):
        fb.load(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_any_changed_byte_is_read_or_refused(tmp_path, place, byte):
    path = tmp_path / "net"
    example().save(path)
    data = bytearray(path.read_bytes())
    data[place % len(data)] = byte
    path.write_bytes(data)
    try:
        net = fb.load(path)
    except ValueError as error:
        assert str(path) in str(error)
    else:
        assert net.params.shape == (27,) and np.isfinite(net.params).all()


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file, expected a model"):
        fb.load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError, match=r"a folder, expected a model .*; give the path of a file in it"):
        fb.load(tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(IsADirectoryError, match=r"did you mean .*/model.safetensors"):
        fb.load(tmp_path)
    with pytest.raises(ValueError, match=r"model.safetensors: an empty file, or one truncated to nothing, expected"):
        fb.load(tmp_path / "model.safetensors")
    os.mkfifo(tmp_path / "pipe")
    for path, what in ((tmp_path / "pipe", "a named pipe"), ("/dev/null", "a device")):
        with pytest.raises(ValueError, match=f"{what}, expected a model .*; give the path of a file"):
            fb.load(path)


@pytest.mark.parametrize(("path", "error", "message"), [
    (3, TypeError, r"path is 3 \(int\), expected the path of a file; pass a str or a pathlib.Path"),
    (None, TypeError, "path is None, expected the path"),
    ("", ValueError, "path is '', expected the path of a file; pass one that is not empty"),
    ("a\0b", ValueError, r"path is 'a\\x00b', expected the path of a file; pass one without NUL"),
])
def test_what_is_no_path(path, error, message):
    with pytest.raises(error, match=message):
        fb.load(path)
    with pytest.raises(error, match=message):
        example().save(path)
    with pytest.raises(error, match=message):
        serialization.save_parameters({}, path)


# ---- parameters of an expression -------------------------------------------------------------------------------------

def expression(dtype="float32", seed=0):
    from fastbp import graph as g
    x, t, k = g.input("x", 3), g.input("t", 2), g.parameter("k")
    loss = g.mse(fb.Dense(3, 2)(x) * k + g.parameter("shift", 2), t)
    plan = g.compile(loss, dtype=dtype, seed=seed)
    plan.params[:] += np.arange(1, plan.params.size + 1)
    return plan


@pytest.mark.smoke
def test_parameters_come_back_by_name(tmp_path, dtype):
    plan, other = expression(dtype), expression(dtype, seed=1)
    plan.save(tmp_path / "parameters")
    assert other.params.tobytes() != plan.params.tobytes()
    views = dict(other.parameters)
    assert other.load(tmp_path / "parameters") is other
    assert other.params.tobytes() == plan.params.tobytes()
    assert all(other.parameters[name] is view for name, view in views.items())


def test_parameters_are_a_tensor_each(tmp_path):
    from safetensors.numpy import load_file
    plan = expression()
    plan.save(tmp_path / "parameters")
    found = load_file(tmp_path / "parameters")
    assert {name: array.shape for name, array in found.items()} == {
        "k": (), "shift": (2,), "layer0.W": (3, 2), "layer0.b": (2,)}
    assert all(found[name].tobytes() == array.tobytes() for name, array in plan.parameters.items())
    assert description(tmp_path / "parameters") == {"format": 1, "kind": "parameters"}


def test_an_expression_without_parameters_has_a_file(tmp_path):
    serialization.save_parameters({}, tmp_path / "parameters")
    serialization.load_parameters({}, tmp_path / "parameters")


def changed(**change):
    def change_(made):
        return {name: array for name, array in {**made, **change}.items() if array is not None}
    return change_


PARAMETERS = {"fastbp": json.dumps(serialization.PARAMETERS)}
WRONG = [
    (changed(k=None), PARAMETERS, "the file has no parameter 'k', expected exactly"),
    (changed(extra=np.ones(2, "float32")), PARAMETERS, "the file has 1 unknown parameter, expected exactly layer0.W"),
    (changed(k=np.ones(1, "float32")), PARAMETERS, r"k is float32 of shape \(1,\), expected float32 of shape \(\)"),
    (changed(shift=np.ones(3, "float32")), PARAMETERS, r"shift is float32 of shape \(3,\), expected .* \(2,\)"),
    (changed(shift=np.ones(2)), PARAMETERS, "shift is float64 of shape .* expected float32"),
    (changed(shift=np.ones(2, "int32")), PARAMETERS, "shift is I32 of shape"),
    (changed(shift=np.array([1, np.nan], "float32")), PARAMETERS, "shift: parameter 1 of 2 is nan"),
    (changed(), {"fastbp": json.dumps({"format": 2, "kind": "parameters"})}, "format is 2, expected 1"),
    (changed(), {"fastbp": json.dumps({"format": True, "kind": "parameters"})}, "format is true or false"),
    (changed(), {"fastbp": json.dumps({"format": 1, "kind": "table"})}, "its description is another one"),
    (changed(), {"fastbp": json.dumps({"format": 1, "kind": "parameters", "more": 1})},
     "its description is another one"),
    (changed(), {"fastbp": "[1]"}, "its description has no 'format'"),
    (changed(), {"fastbp": "{"}, "its description is not JSON"),
    (changed(), {"other": "x"}, "safetensors file of another program"),
]


@pytest.mark.parametrize(("change", "metadata", "message"), WRONG)
def test_parameters_that_do_not_fit_change_nothing(tmp_path, change, metadata, message):
    plan = expression()
    path = tmp_path / "parameters"
    others = {name: np.array(array + 1) for name, array in plan.parameters.items()}
    path.write_bytes(to_bytes(change(others), metadata=metadata))
    before = plan.params.copy()
    with pytest.raises(ValueError, match=message) as error:
        plan.load(path)
    assert str(path) in str(error.value)
    assert np.array_equal(plan.params, before)


def test_files_of_networks_and_of_parameters_are_told_apart(tmp_path, saved):
    plan = expression()
    plan.save(tmp_path / "parameters")
    with pytest.raises(ValueError, match=r"has the parameters of an expression, expected a network; .* read it with "
                                         r"plan.load"):
        fb.load(tmp_path / "parameters")
    with pytest.raises(ValueError, match=r"has a network, expected parameters of an expression; read it with "
                                         r"fastbp.load"):
        plan.load(saved[0])


def test_parameters_from_no_file(tmp_path):
    plan = expression()
    with pytest.raises(FileNotFoundError, match=r"no such file, expected a file of parameters saved by plan.save"):
        plan.load(tmp_path / "nothing")
    (tmp_path / "torn").write_bytes(b"torn")
    with pytest.raises(ValueError, match="not a safetensors file"):
        plan.load(tmp_path / "torn")


def test_a_failed_save_of_parameters_leaves_the_old_file(tmp_path):
    plan = expression()
    plan.save(tmp_path / "parameters")
    before = (tmp_path / "parameters").read_bytes()
    plan.parameters["layer0.W"][1, 1] = np.inf
    with pytest.raises(ValueError, match=r"layer0.W: parameter 3 of 6 is inf"):
        plan.save(tmp_path / "parameters")
    with pytest.raises(ValueError, match="a parameter is called '__metadata__'"):
        serialization.save_parameters({"__metadata__": np.ones(2)}, tmp_path / "parameters")
    assert (tmp_path / "parameters").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["parameters"]
