"""Model files: what is saved comes back bit for bit, anything else is refused in one sentence, writing is atomic."""

import json
import os
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes

import fastbp as fb
from fastbp import files

SPEC = {"features": ["a", "b"], "mean": [0.5, 1.0], "scale": [2.0, 1.0], "target": "t", "classes": ["x", "y", "z"],
        "image_shape": None}


def example(dtype="float32"):
    net = fb.Sequential(fb.Dense(2, 4, "relu", l1=0.125, l2=0.25), fb.Dropout(0.5), fb.Dense(4, 3),
                        loss=fb.losses.CrossEntropy(label_smoothing=0.1), dtype=dtype, seed=7)
    net.data_spec = dict(SPEC)
    return net


@pytest.fixture
def saved(tmp_path):
    """A saved model's path, and a function that writes it again with its description or parameters changed."""
    path = tmp_path / "net.safetensors"
    files.save(example(), path)
    params = example().params.copy()

    def rewrite(change=None, params=params, text=None, name="params", key="fastbp"):
        config = description(path)
        if change is not None:
            config = change(config) or config
        text = json.dumps(config) if text is None else text
        path.write_bytes(to_bytes({name: params}, metadata={key: text}))
    return path, rewrite


def description(path):
    data = path.read_bytes()
    header = json.loads(data[8:8 + struct.unpack("<Q", data[:8])[0]])
    return json.loads(header["__metadata__"]["fastbp"])


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

def at(*path, value):
    """A change of the description: sets, or with value `del` removes, what lies at a path."""
    def change(config):
        place = config
        for step in path[:-1]:
            place = place[step]
        if value is del_:
            del place[path[-1]]
        else:
            place[path[-1]] = value
    return change


del_ = object()
BAD = [
    (at("format", value=2), "format is 2; this version of fastbp reads format 1"),
    (at("format", value=True), "format is True"),
    (at("format", value=del_), "no 'format'"),
    (at("extra", value=1), "unknown key 'extra'"),
    (at("seed", value=del_), "no key 'seed'"),
    (at("seed", value=1.5), "seed is 1.5; expected a whole number"),
    (at("seed", value=-1), "seed is -1"),
    (at("seed", value=True), "seed is True"),
    (at("dtype", value="float16"), "dtype is 'float16'"),
    (at("dtype", value=["float32"]), "dtype is"),
    (at("dtype", value="float64"), "parameters are F32; the description says float64"),
    (at("layers", value=[]), "layers is"),
    (at("layers", value={}), "layers is"),
    (at("layers", value=[{"kind": "dropout", "rate": 0.5}]), "no dense layer"),
    (at("layers", 0, value=7), r"layers\[0\] is 7"),
    (at("layers", 0, "kind", value="conv"), r"layers\[0\] is .*expected an object of kind 'dense' or 'dropout'"),
    (at("layers", 0, "kind", value=["dense"]), r"layers\[0\] is"),
    (at("layers", 0, "units", value=5), r"layers\[2\].inputs is 4; the layer before it has 5 units"),
    (at("layers", 0, "inputs", value=0), r"layers\[0\].inputs is 0"),
    (at("layers", 0, "inputs", value="2"), r"layers\[0\].inputs is '2'"),
    (at("layers", 0, "inputs", value=2**40), r"layers\[0\].inputs is"),
    (at("layers", 0, "activation", value="rleu"), "did you mean 'relu'"),
    (at("layers", 0, "activation", value=1), r"layers\[0\].activation is 1"),
    (at("layers", 0, "activation", value="softmax"), "softmax"),
    (at("layers", 2, "activation", value="relu"), "cross_entropy"),
    (at("layers", 0, "l2", value=-0.5), r"layers\[0\].l2 is -0.5"),
    (at("layers", 0, "l1", value=None), r"layers\[0\].l1 is None"),
    (at("layers", 0, "l1", value=10**400), r"layers\[0\].l1 is 1000"),
    (at("layers", 0, "init", value="zeros"), r"layers\[0\] has unknown key 'init'"),
    (at("layers", 0, "l1", value=del_), r"layers\[0\] has no key 'l1'"),
    (at("layers", 1, "rate", value=1.0), r"layers\[1\].rate is 1.0"),
    (at("layers", 1, "rate", value="0.5"), r"layers\[1\].rate is '0.5'"),
    (at("loss", value="mse"), "loss is 'mse'"),
    (at("loss", "name", value="mes"), "unknown loss.name 'mes'"),
    (at("loss", "name", value="mse"), "loss has unknown key 'label_smoothing'"),
    (at("loss", "label_smoothing", value=del_), "loss has no key 'label_smoothing'"),
    (at("loss", "label_smoothing", value=1.5), "label_smoothing is 1.5"),
    (at("loss", "label_smoothing", value=[]), r"loss.label_smoothing is \[\]"),
    (at("data_spec", value=3), "data_spec is 3"),
    (at("data_spec", "unit", value="m"), "data_spec has unknown key 'unit'"),
    (at("data_spec", "target", value=del_), "data_spec has no key 'target'"),
    (at("data_spec", "features", value=["a"]), "data_spec.features is a list of 1; expected a list of 2"),
    (at("data_spec", "features", value=["a", "a"]), "data_spec.features repeats"),
    (at("data_spec", "features", value=["a", 1]), r"data_spec.features\[1\] is 1"),
    (at("data_spec", "mean", value=None), "data_spec.mean and data_spec.scale go together"),
    (at("data_spec", "mean", value=[1, 2, 3]), "data_spec.mean is a list of 3"),
    (at("data_spec", "mean", value="12"), "data_spec.mean is '12'"),
    (at("data_spec", "scale", value=[1.0, 0.0]), r"data_spec.scale\[1\] is 0.0; expected a number > 0"),
    (at("data_spec", "target", value=""), "data_spec.target is ''"),
    (at("data_spec", "classes", value=["x", "y"]), "data_spec.classes is a list of 2; expected a list of 3"),
    (at("data_spec", "classes", value=["x", "y", "y"]), "data_spec.classes repeats"),
    (at("data_spec", "classes", value=["x", "y", 1.5]), r"data_spec.classes\[2\] is 1.5"),
    (at("data_spec", "image_shape", value=[2, 2]), r"image_shape is \[2, 2\]; the model has 2 inputs"),
    (at("data_spec", "image_shape", value=[1, 2, 1]), "image_shape is a list of 3"),
    (at("data_spec", "image_shape", value=[1.0, 2]), r"image_shape\[0\] is 1.0"),
    (lambda config: [config], "no 'format'"),
    (lambda config: config.update(data_spec=None) or at("layers", 0, "inputs", value=3)(config),
     r"parameters have shape \[27\]; the layers described need \[31\]"),
]


@pytest.mark.parametrize("change, message", BAD)
def test_closed_schema(saved, change, message):
    path, rewrite = saved
    rewrite(change)
    with pytest.raises(ValueError, match=message) as error:
        fb.load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text, message", [
    ("{", "not JSON"),
    ('{"format": 1, "format": 1}', "repeats a key"),
    ('{"format": NaN}', "holds NaN"),
    ("[" * 200_000, "nested too deeply"),
    ("null", "no 'format'"),
])
def test_description_that_is_not_one(saved, text, message):
    path, rewrite = saved
    rewrite(text=text)
    with pytest.raises(ValueError, match=message):
        fb.load(path)


@pytest.mark.parametrize("params, message", [
    (np.zeros(26, "f4"), r"shape \[26\]; the layers described need \[27\]"),
    (np.zeros((27, 1), "f4"), r"shape \[27, 1\]"),
    (np.zeros(27, "f8"), "parameters are F64; the description says float32"),
    (np.zeros(27, "i4"), "parameters are I32"),
    (np.where(np.arange(27) == 5, np.nan, 1).astype("f4"), "parameter 5 of 27 is nan; expected finite numbers"),
    (np.where(np.arange(27) == 26, np.inf, 1).astype("f4"), "parameter 26 of 27 is inf"),
])
def test_tensor_that_does_not_fit(saved, params, message):
    path, rewrite = saved
    rewrite(params=params)
    with pytest.raises(ValueError, match=message):
        fb.load(path)


def test_foreign_files(saved):
    path, rewrite = saved
    rewrite(name="weights")
    with pytest.raises(ValueError, match="its tensors are weights; expected 'params' alone"):
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
    files.save(example(), path)
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
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file; expected a model"):
            fb.load(path)


# ---- saving ---------------------------------------------------------------------------------------------------------

def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    path, _ = saved
    before, net = path.read_bytes(), example()
    net.params[3] = np.nan
    with pytest.raises(ValueError, match="cannot be saved: parameter 3 of 27 is nan"):
        net.save(path)
    net = example()
    net.data_spec = {"features": None}
    with pytest.raises(ValueError, match="data_spec has no key"):
        net.save(path)
    net.data_spec = {**SPEC, "mean": np.zeros(2)}
    with pytest.raises(ValueError, match="data_spec is not plain JSON"):
        net.save(path)

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        example().save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_saving_where_it_cannot_be(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder; create it first"):
        example().save(tmp_path / "nowhere" / "net")
    with pytest.raises(IsADirectoryError, match="a folder; expected the path of a file"):
        example().save(tmp_path)


def test_saving_keeps_permissions_and_links(tmp_path):
    path, link = tmp_path / "net", tmp_path / "link"
    mask = os.umask(0o027)
    try:
        example().save(path)
        assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(mask)
    path.chmod(0o600)
    link.symlink_to(path)
    net = example()
    net.params[:] = 1
    net.save(link)
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o600
    assert (fb.load(path).params == 1).all()


# ---- parameters of an expression -------------------------------------------------------------------------------------

def expression(dtype="float32", seed=0):
    from fastbp import graph as g
    x, t, k = g.input("x", 3), g.input("t", 2), g.parameter("k")
    loss = g.mse(fb.Dense(3, 2)(x) * k + g.parameter("shift", 2), t)
    plan = g.compile(loss, dtype=dtype, seed=seed)
    plan.params[:] += np.arange(1, plan.params.size + 1)
    return plan


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
    files.save_parameters({}, tmp_path / "parameters")
    files.load_parameters({}, tmp_path / "parameters")


def changed(**change):
    def change_(made):
        return {name: array for name, array in {**made, **change}.items() if array is not None}
    return change_


PARAMETERS = {"fastbp": json.dumps(files.PARAMETERS)}
WRONG = [
    (changed(k=None), PARAMETERS, "the file has no parameter 'k'; expected exactly"),
    (changed(extra=np.ones(2, "float32")), PARAMETERS, "the file has unknown parameter 'extra'"),
    (changed(k=np.ones(1, "float32")), PARAMETERS, r"k is float32 of shape \(1,\); expected float32 of shape \(\)"),
    (changed(shift=np.ones(3, "float32")), PARAMETERS, r"shift is float32 of shape \(3,\); expected .* \(2,\)"),
    (changed(shift=np.ones(2)), PARAMETERS, "shift is float64 of shape .* expected float32"),
    (changed(shift=np.ones(2, "int32")), PARAMETERS, "shift is I32 of shape"),
    (changed(shift=np.array([1, np.nan], "float32")), PARAMETERS, "shift: parameter 1 of 2 is nan"),
    (changed(), {"fastbp": json.dumps({"format": 2, "kind": "parameters"})}, "format is 2; this version"),
    (changed(), {"fastbp": json.dumps({"format": True, "kind": "parameters"})}, "format is True"),
    (changed(), {"fastbp": json.dumps({"format": 1, "kind": "table"})}, "its description is .*table"),
    (changed(), {"fastbp": json.dumps({"format": 1, "kind": "parameters", "more": 1})}, "its description is .*more"),
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
    with pytest.raises(ValueError, match=r"holds the parameters of an expression; .* read it with plan.load"):
        fb.load(tmp_path / "parameters")
    with pytest.raises(ValueError, match=r"holds a network; read it with fastbp.load"):
        plan.load(saved[0])


def test_parameters_from_no_file(tmp_path):
    plan = expression()
    with pytest.raises(FileNotFoundError, match=r"no such file; expected a file of parameters saved by plan.save"):
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
        files.save_parameters({"__metadata__": np.ones(2)}, tmp_path / "parameters")
    assert (tmp_path / "parameters").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["parameters"]
