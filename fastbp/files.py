"""A network in one safetensors file: the parameters as a tensor, everything else as JSON against a closed schema.

The file holds one tensor, "params" (P,), and in its metadata one entry, "fastbp": the JSON of `net.config()` with
"format": 1. Nothing in it is code: loading cannot run anything, and what the schema does not name is refused.

The parameters of an expression are a tensor for each, by name, and the entry is {"format": 1, "kind": "parameters"}:
the graph is the program that wrote it, not part of the file.
"""

import json
import math
import os
import tempfile
from contextlib import contextmanager

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from fastbp import check
from fastbp._core import cpu
from fastbp.losses import LOSSES
from fastbp.losses import from_config as loss_from_config

FORMAT = 1
PARAMETERS = {"format": FORMAT, "kind": "parameters"}
_DTYPES = {"F32": "float32", "F64": "float64"}
_DENSE = ("kind", "inputs", "units", "activation", "l1", "l2")
_SPEC = ("features", "mean", "scale", "target", "classes", "image_shape")


def save(net, path):
    """Write a network to `path`. A reader sees the old file or the whole new one: it is written aside, then renamed.

    Raises ValueError if a parameter is not finite or data_spec is not of the schema, OSError if the folder cannot be
    written to; a file already at `path` is then as it was.
    """
    path = os.fspath(path)
    text = description(net)
    params = np.ascontiguousarray(net.params)
    _check_finite(params, "the network cannot be saved: ")
    write_atomically(path, to_bytes({"params": params}, metadata={"fastbp": text}))


def description(net):
    """What a file says of a network beside its parameters: JSON. Raises the ValueError that `save` would, so that a
    program can find out before it trains."""
    try:
        text = json.dumps({"format": FORMAT, **net.config()}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the network cannot be saved: its data_spec is not plain JSON ({error})") from None
    _check_config(json.loads(text))
    return text


def load(path):
    """Read a network written by `save` -> Sequential with the same parameters, dtype, seed, loss and data_spec.

    Raises FileNotFoundError, or ValueError naming the file and what is wrong with it: a foreign or truncated file,
    unknown, missing or mistyped entries, sizes that do not match the tensor, parameters that are not finite.
    """
    with _opened(path, "model saved by net.save or fastbp train") as file:
        config = _read_config(file.metadata(), list(file.keys()))
        total = sum(row["inputs"] * row["units"] + row["units"] for row in config["layers"] if "units" in row)
        tensor = file.get_slice("params")
        shape, dtype = list(tensor.get_shape()), tensor.get_dtype()
        if _DTYPES.get(dtype) != config["dtype"]:
            raise ValueError(f"the parameters are {dtype}; the description says {config['dtype']}")
        if shape != [total]:
            raise ValueError(f"the parameters have shape {shape}; the layers described need [{total}]")
        params = file.get_tensor("params")
        _check_finite(params, "")
        from .network import Sequential
        net = Sequential.from_config({key: value for key, value in config.items() if key != "format"})
    net.params[:] = params
    return net


def save_parameters(parameters, path):
    """Write {name: array} to `path`, a tensor for each, as atomically as `save`.

    Raises ValueError if a number is not finite or a name cannot be one in a file, OSError if the folder cannot be
    written to; a file already at `path` is then as it was.
    """
    for name, array in parameters.items():
        if name == "__metadata__":
            raise ValueError("a parameter is called '__metadata__', which a safetensors file cannot hold; rename it")
        _check_finite(array.ravel(), f"the parameters cannot be saved: {name}: ")
    tensors = {name: array.copy() for name, array in parameters.items()}
    write_atomically(os.fspath(path), to_bytes(tensors, metadata={"fastbp": json.dumps(PARAMETERS)}))


def load_parameters(parameters, path):
    """Read what `save_parameters` wrote into the arrays of {name: array}.

    Raises FileNotFoundError, or ValueError naming the file and what is wrong with it: a foreign or truncated file, a
    network's, other names, shapes or dtypes, numbers that are not finite. Nothing is then changed.
    """
    with _opened(path, "file of parameters saved by plan.save") as file:
        description = _description(file.metadata())
        if isinstance(description, dict) and "layers" in description:
            raise ValueError("it holds a network; read it with fastbp.load")
        _check_format(description)
        if description != PARAMETERS:
            raise ValueError(f"its description is {_short(description)}; expected {PARAMETERS}")
        _keys(list(file.keys()), tuple(parameters), "the file", "parameter")
        tensors = {name: _read_tensor(file, name, array) for name, array in parameters.items()}
    for name, tensor in tensors.items():
        parameters[name][...] = tensor


def _read_tensor(file, name, array):
    """The tensor of this name, if it is as the array that it will be written into."""
    tensor = file.get_slice(name)
    shape, dtype = tuple(tensor.get_shape()), _DTYPES.get(tensor.get_dtype(), tensor.get_dtype())
    if (shape, dtype) != (array.shape, array.dtype.name):
        raise ValueError(f"{name} is {dtype} of shape {shape}; expected {array.dtype} of shape {array.shape}")
    values = file.get_tensor(name)
    _check_finite(values.ravel(), f"{name}: ")
    return values


@contextmanager
def _opened(path, what):
    """The safetensors file at `path`, which should be a `what`; anything wrong with it is a ValueError that says so."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{path}: no such file; expected a {what}")
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file, or a truncated one ({error}); expected a {what}") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not a usable {what}: {error}") from None


def write_atomically(path, data):
    """Write bytes to `path` through a temporary file in the same folder and a rename; all or nothing."""
    path = os.path.realpath(path)                                 # a link keeps pointing to its file
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path}: a folder; expected the path of a file to write")
    try:
        handle, aside = tempfile.mkstemp(prefix=".fastbp-", dir=os.path.dirname(path))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such folder; create it first") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(aside, _mode(path))
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise


def _mode(path):
    """The permissions of the file to be replaced, or those a new file gets: mkstemp's are the owner's alone."""
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _check_finite(params, prefix):
    if not np.isfinite(params).all():
        at = int(np.flatnonzero(~np.isfinite(params))[0])
        raise ValueError(f"{prefix}parameter {at} of {params.size} is {params[at]}; expected finite numbers")


def _description(metadata):
    """What the entry "fastbp" of the metadata says."""
    if not metadata or "fastbp" not in metadata:
        raise ValueError("its metadata has no entry 'fastbp': a safetensors file of another program")
    try:
        return json.loads(metadata["fastbp"], object_pairs_hook=_no_repeats, parse_constant=_no_constants)
    except json.JSONDecodeError as error:
        raise ValueError(f"its description is not JSON ({error})") from None
    except RecursionError:
        raise ValueError("its description is nested too deeply") from None


def _read_config(metadata, names):
    config = _description(metadata)
    if config == PARAMETERS:
        raise ValueError("it holds the parameters of an expression; compile the graph, and read it with plan.load")
    if names != ["params"]:
        raise ValueError(f"its tensors are {', '.join(sorted(names)) or 'none'}; expected 'params' alone")
    _check_config(config)
    return config


def _no_repeats(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError(f"its description repeats a key: {', '.join(key for key, _ in pairs)}")
    return dict(pairs)


def _no_constants(text):
    raise ValueError(f"its description holds {text}; expected finite numbers")


def _check_config(config):
    """The closed schema: ValueError at the first thing that is not as `save` writes it."""
    _check_format(config)
    expected = ("format", "dtype", "seed", "layers", "loss", "data_spec")
    if "input_scale" in config:  # older files do not have it; the network checks it
        expected += ("input_scale",)
    _keys(config, expected, "the description")
    if config["dtype"] not in _DTYPES.values():
        raise ValueError(f"dtype is {config['dtype']!r}; expected 'float32' or 'float64'")
    _whole(config["seed"], "seed", 0, 2**64 - 1)
    inputs, units = _check_layers(config["layers"])
    _check_loss(config["loss"])
    check_data_spec(config["data_spec"], inputs, units)


def _check_format(config):
    """The number of the format comes first: of a newer file, everything else may differ."""
    if not isinstance(config, dict) or "format" not in config:
        raise ValueError("its description has no 'format'")
    if config["format"] != FORMAT or isinstance(config["format"], bool):
        raise ValueError(f"format is {config['format']!r}; this version of fastbp reads format {FORMAT}")


def _check_layers(layers):
    """Width of the first and of the last layer."""
    if not isinstance(layers, list) or not layers:
        raise ValueError(f"layers is {_short(layers)}; expected a list of layers")
    first = last = None
    for i, layer in enumerate(layers):
        where = f"layers[{i}]"
        kind = layer.get("kind") if isinstance(layer, dict) else None
        if kind == "dropout":
            _keys(layer, ("kind", "rate"), where)
            if not 0 <= _number(layer["rate"], f"{where}.rate") < 1:
                raise ValueError(f"{where}.rate is {layer['rate']!r}; expected 0 <= rate < 1")
        elif kind == "dense":
            _keys(layer, _DENSE, where)
            _whole(layer["inputs"], f"{where}.inputs", 1, 2**31)
            _whole(layer["units"], f"{where}.units", 1, 2**31)
            check.choice(f"{where}.activation", _text(layer["activation"], f"{where}.activation"), cpu.activations())
            for key in ("l1", "l2"):
                if _number(layer[key], f"{where}.{key}") < 0:
                    raise ValueError(f"{where}.{key} is {layer[key]!r}; expected a number >= 0")
            if last is not None and layer["inputs"] != last:
                raise ValueError(f"{where}.inputs is {layer['inputs']}; the layer before it has {last} units")
            first, last = first or layer["inputs"], layer["units"]
        else:
            raise ValueError(f"{where} is {_short(layer)}; expected an object of kind 'dense' or 'dropout'")
    if first is None:
        raise ValueError("layers has no dense layer; expected at least one")
    return first, last


def _check_loss(loss):
    if not isinstance(loss, dict) or "name" not in loss:
        raise ValueError(f"loss is {_short(loss)}; expected an object with 'name' and the loss's settings")
    kind = LOSSES[check.choice("loss.name", _text(loss["name"], "loss.name"), LOSSES)]
    _keys(loss, ("name", *kind.settings()), "loss")
    for key in kind.settings():
        _number(loss[key], f"loss.{key}")
    loss_from_config(loss)


def check_data_spec(spec, inputs, units):
    """How `fastbp predict` makes a row of the model's inputs from raw data; None, or a dict of exactly

    features: None or the `inputs` columns' names; mean, scale: None or numbers (`inputs` of them, or one for all),
    row = (raw - mean) / scale; target: None or a name; classes: None or the names of the outputs, text or whole
    numbers; image_shape: None or [height, width], height * width = inputs. Raises ValueError otherwise.
    """
    if spec is None:
        return
    if not isinstance(spec, dict):
        raise ValueError(f"data_spec is {_short(spec)}; expected None or a dict with {', '.join(_SPEC)}")
    _keys(spec, _SPEC, "data_spec")
    features, target, classes, image = (spec[key] for key in ("features", "target", "classes", "image_shape"))
    if features is not None:
        _list(features, "data_spec.features", inputs)
        for i, name in enumerate(features):
            _text(name, f"data_spec.features[{i}]")
        if len(set(features)) != len(features):
            raise ValueError("data_spec.features repeats a name")
    if (spec["mean"] is None) != (spec["scale"] is None):
        raise ValueError("data_spec.mean and data_spec.scale go together; one of them is None")
    for key in ("mean", "scale"):
        if spec[key] is not None:
            _list(spec[key], f"data_spec.{key}", 1 if isinstance(spec[key], list) and len(spec[key]) == 1 else inputs)
            for i, value in enumerate(spec[key]):
                if _number(value, f"data_spec.{key}[{i}]") <= 0 and key == "scale":
                    raise ValueError(f"data_spec.scale[{i}] is {value!r}; expected a number > 0")
    if target is not None:
        _text(target, "data_spec.target")
    if classes is not None:
        _list(classes, "data_spec.classes", 2 if units == 1 else units)
        for i, value in enumerate(classes):
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise ValueError(f"data_spec.classes[{i}] is {_short(value)}; expected text or a whole number")
        if len(set(classes)) != len(classes):
            raise ValueError("data_spec.classes repeats a class")
    if image is not None:
        _list(image, "data_spec.image_shape", 2)
        for i, side in enumerate(image):
            _whole(side, f"data_spec.image_shape[{i}]", 1, inputs)
        if image[0] * image[1] != inputs:
            raise ValueError(f"data_spec.image_shape is {image}; the model has {inputs} inputs")


def _keys(given, expected, where, what="key"):
    unknown = [key for key in given if key not in expected]
    absent = [key for key in expected if key not in given]
    if unknown or absent:
        found = f"unknown {what} {unknown[0]!r}" if unknown else f"no {what} {absent[0]!r}"
        raise ValueError(f"{where} has {found}; expected exactly {', '.join(expected) or 'none'}")


def _whole(value, where, low, high):
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{where} is {_short(value)}; expected a whole number from {low} to {high}")
    return value


def _number(value, where):
    try:
        finite = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:                                         # JSON knows whole numbers beyond any float
        finite = False
    if not finite:
        raise ValueError(f"{where} is {_short(value)}; expected a finite number")
    return value


def _text(value, where):
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where} is {_short(value)}; expected text")
    return value


def _list(value, where, length):
    if not isinstance(value, list) or len(value) != length:
        found = f"a list of {len(value)}" if isinstance(value, list) else _short(value)
        raise ValueError(f"{where} is {found}; expected a list of {length}")


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
