"""Models in safetensors files: their descriptions, JSON against a closed schema, and their parameters, tensors.

The file of a network holds one tensor, "params" (P,), and in its metadata one entry, "fastbp": the JSON of
`net.config()` with "format": 1 and, where it was trained, "trained", the counts that training goes on from. Nothing in
it is code: loading cannot run anything, and what the schema does not name is refused.

A checkpoint holds a network as well, and the state of its training: see _files/checkpoint_schema.py.

The parameters of an expression are a tensor for each, by name, and the entry is {"format": 1, "kind": "parameters"},
with "trained" likewise: the graph is the program that wrote it, not part of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from safetensors.numpy import save as to_bytes

from fastbp import _check as check
from fastbp._files import checkpoint_schema, signatures
from fastbp._files.schema import AGAIN, DTYPES, FORMAT, PARAMETERS, Schema, check_format, keys
from fastbp._files.streams import OR_OPEN, failed, is_stream, target, write
from fastbp._files.tensors import FileFails, NoTensors, Tensors, plain
from fastbp._files.writing import path_of, write_atomically
from fastbp.layers import from_config as layer_from_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fastbp._check.types import Array, Config, Counts, File

    _T = TypeVar("_T")

_SAME = "compile the expression that the file was saved from"  # what to do where a file has other parameters


def write_network(config: Config, params: Array, path: File, counts: Counts | None = None) -> None:
    """Write a network - what its `config` gives, its parameters (P,), and the counts of its training if it has any - to
    `path`: a str, bytes or os.PathLike, or an open binary file, such as io.BytesIO.

    A reader of the path sees the old file or the whole new one: it is written aside, then renamed. A symbolic link is
    followed. The file keeps its permissions and, where the system lets us, its owner and group; other hard links to it
    keep the old content. What a save that was killed has left in the folder, a file called .fastbp-*.part, the next
    save there removes. Raises ValueError if a parameter is not finite, data_spec is not of the schema or `path` is a
    pipe, a socket or a device, IsADirectoryError for a folder, OSError where it cannot be written; a file already at
    `path` is then as it was.

    An open file is written from where it stands, flushed and left open; it need not be able to seek. Raises TypeError
    for one of text, ValueError for one that is closed or not writable, OSError where it did not take everything.
    """
    path = target(path)
    text = description(config, counts)
    params = np.ascontiguousarray(params)
    _check_finite(params, "the network cannot be saved: ", "train it with a smaller lr, or write finite ones into it")
    _write(path, to_bytes({"params": params}, metadata={"fastbp": text}))


def _write(path: Any, data: bytes) -> None:
    if isinstance(path, str):
        write_atomically(path, data)
    else:
        write(path, data)


def description(config: Config, counts: Counts | None = None) -> str:
    """What a file says of a network beside its parameters: JSON. Raises the ValueError that `write_network` would, so
    that a program can find out before it trains."""
    trained = {"trained": counts} if counts else {}
    try:
        text = json.dumps({"format": FORMAT, **config, **trained}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the network cannot be saved: its data_spec is not plain JSON ({error}), expected dicts, "
                         "lists, text, finite numbers, True, False and None; correct net.data_spec") from None
    Schema(check.shown, "correct it and save again").config(json.loads(text))
    return text


def read_network(path: File, make: Callable[[Config], _T]) -> tuple[_T, Array, Counts]:
    """Read what `write_network` wrote; returns (the model, its parameters (P,), the counts, {} where there are none).

    make: gives the model of a config; what it refuses is told as something wrong with the file.
    """
    with _opened(path, "model saved by net.save or fastbp train") as file:
        config, digest = _read_config(file)
        total = sum(layer_from_config(row).size for row in config["layers"])
        shape, dtype = list(file.shape("params")), file.dtype("params")
        if dtype != config["dtype"]:
            raise ValueError(f"the parameters are {dtype}, expected {config['dtype']}, as the description says; "
                             f"{AGAIN}")
        if shape != [total]:
            raise ValueError(f"the parameters have shape {shape}, expected [{total}], as the layers need; {AGAIN}")
        if digest:
            _read_tensors(file)
        params = file.get_tensor("params")
        _check_finite(params)
        model = make(config)
    return model, params, config.get("trained", {})


def save_parameters(parameters: Mapping[str, Array], path: File, counts: Counts | None = None) -> None:
    """Write {name: array} to `path`, a tensor for each, as atomically as a network, with the counts of their plan if
    any.

    Raises ValueError if a number is not finite or a name cannot be one in a file, OSError if the folder cannot be
    written to; a file already at `path` is then as it was.
    """
    for name, array in parameters.items():
        if name == "__metadata__":
            raise ValueError("a parameter is called '__metadata__', expected a name that a safetensors file can hold; "
                             "rename it")
        _check_finite(array.ravel(), f"the parameters cannot be saved: {check.printable(name)}: ",
                      "train them with a smaller lr, or write finite ones into them")
    path = target(path)
    tensors = {name: array.copy() for name, array in parameters.items()}
    description = {**PARAMETERS, "trained": counts} if counts else PARAMETERS
    _write(path, to_bytes(tensors, metadata={"fastbp": json.dumps(description)}))


def load_parameters(parameters: Mapping[str, Array], path: File) -> Counts:
    """Read what `save_parameters` wrote into the arrays of {name: array}; returns the counts, {} where there are none.

    Raises FileNotFoundError, IsADirectoryError, or ValueError naming the file and what is wrong with it: a foreign or
    truncated file, a network's, other names, shapes or dtypes, numbers that are not finite. Nothing is then changed.
    """
    with _opened(path, "file of parameters saved by plan.save") as file:
        description = _description(file.metadata())
        if isinstance(description, dict) and "layers" in description:
            raise ValueError("it has a network, expected parameters of an expression; read it with fastbp.load")
        check_format(description)
        counts: Counts = description.pop("trained", {})
        if description != PARAMETERS:
            raise ValueError(f"its description is another one, expected {PARAMETERS}; {AGAIN}")
        if counts != {}:  # as older files have none
            Schema().trained(counts)
        keys(file.keys(), tuple(parameters), "the file", "parameter", remedy=_SAME)
        for name, array in parameters.items():
            _check_fits(file, name, array)
        tensors = {name: file.get_tensor(name) for name in parameters}
        for name, values in tensors.items():
            _check_finite(values.ravel(), f"{name}: ")
    for name, tensor in tensors.items():
        parameters[name][...] = tensor
    return counts


def _check_fits(file: Tensors, name: str, array: Array) -> None:
    """Refuses a tensor that is not as the array that it would be written into."""
    shape, dtype = file.shape(name), file.dtype(name)
    if (shape, dtype) != (array.shape, array.dtype.name):
        raise ValueError(f"{name} is {dtype} of shape {shape}, expected {array.dtype} of shape {array.shape}; "
                         f"{_SAME}")


@contextmanager
def _opened(path: Any, what: str) -> Iterator[Tensors]:
    """The safetensors file at `path`, or at which an open file is, that should be a `what`; anything wrong with it is a
    ValueError that says so."""
    given, by_path = path, not is_stream(path, "read")
    if by_path:
        path = path_of(path, instead=OR_OPEN)
        _check_file(path, what)
    else:
        path = f"path {check.shown(path)}"
    try:
        with open(path, "rb") if by_path else nullcontext(given) as file:
            yield Tensors(file, path=path if by_path else "")
    except FileFails as told:
        raise told.error from None
    except NoTensors as error:
        raise _none(path, what, str(error)) from None
    except OSError as error:
        raise failed(error, f"{path}: cannot be read", f"give a {what} that can") from None
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: not a usable {what}: {error}") from None


def _none(path: str, what: str, seems: str) -> ValueError:
    """The error for what is no safetensors file; seems: what it seems to be."""
    return ValueError(f"{path}: not a safetensors file, or a truncated one{seems and f' (it seems to be {seems})'}, "
                      f"expected a {what}; give another file, or save or fetch this one again")


def _check_file(path: str, what: str) -> None:
    """What is no file, or an empty one, is refused."""
    try:
        found = os.stat(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise failed(error, f"{path}: cannot be read", f"give a {what} that can") from None
        raise FileNotFoundError(f"{path}: no such file, expected a {what}; correct the path") from None
    special = signatures.special(found.st_mode)
    if special == "a folder":
        inside = os.path.join(path, "model.safetensors")
        hint = f"did you mean {inside}?" if os.path.isfile(inside) else "give the path of a file in it"
        raise IsADirectoryError(f"{path}: a folder, expected a {what}; {hint}")
    if special:
        raise ValueError(f"{path}: {special}, expected a {what}; give the path of a file")
    if not found.st_size:
        raise ValueError(f"{path}: an empty file, or one truncated to nothing, expected a {what}; save it again")


def _check_finite(params: Array, prefix: str = "", remedy: str = AGAIN) -> None:
    if not np.isfinite(params).all():
        at = int(np.flatnonzero(~np.isfinite(params))[0])
        raise ValueError(f"{prefix}parameter {at} of {params.size} is {params[at]}, expected finite numbers; {remedy}")


def _description(metadata: Mapping[str, str] | None) -> Any:
    """What the entry "fastbp" of the metadata says."""
    if not metadata or "fastbp" not in metadata:
        raise ValueError("its metadata has no entry 'fastbp', expected one: it is a safetensors file of another "
                         "program; give a file saved by fastbp")
    try:
        return plain(metadata["fastbp"], "its description")
    except json.JSONDecodeError as error:
        raise ValueError(f"its description is not JSON ({error}), expected an object; {AGAIN}") from None
    except RecursionError:
        raise ValueError(f"its description is nested too deeply, expected a flat one; {AGAIN}") from None


def _read_config(file: Tensors) -> tuple[Config, bool]:
    """(the description of a network, whether it is that of a checkpoint)."""
    config: Config = _description(file.metadata())
    if isinstance(config, dict) and config.get("kind") == checkpoint_schema.KIND:
        return _config_of_checkpoint(*_read_checkpoint(file)), True
    names = file.keys()
    if isinstance(config, dict) and config.get("kind") == PARAMETERS["kind"]:
        raise ValueError("it has the parameters of an expression, expected a network; compile the graph, and read it "
                         "with plan.load")
    if names != ["params"]:
        raise ValueError(f"it has {len(names)} tensor{'s' * (len(names) != 1)}, expected one, called 'params'; {AGAIN}")
    Schema().config(config)
    return config, False


# ---- checkpoints ---------------------------------------------------------------------------------------------------


def checkpoint(description: Config, tensors: Mapping[str, Array]) -> list[Any]:
    """A checkpoint's file: what checkpoint_schema.described gives, and its tensors, as pieces of memory, some of them
    the tensors' own. Raises ValueError where the description is no plain JSON."""
    try:
        text = json.dumps(description, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the description of the training is not plain JSON ({error}), expected settings that are "
                         "numbers, text, lists and dicts; train without fb.Checkpoint, or change them") from None
    # written here and not by the library, which would copy the tensors three times: longer than their way to the disk
    tensors = {name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for name, array in tensors.items()}
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0]))  # so that each is aligned
    header: Config = {"__metadata__": {"fastbp": text, "sha256": _digest(text, tensors)}}
    begin = 0
    for name, array in ordered:
        end = begin + array.nbytes
        dtype = f"F{8 * array.itemsize}"
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return [len(head).to_bytes(8, "little") + head, *(_memory(array) for _, array in ordered)]


def _memory(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _digest(text: str, tensors: Mapping[str, Array]) -> str:
    """A checksum of all that a checkpoint holds, as a file of tensors alone may be damaged and look whole."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode())
        digest.update(_memory(array))
    return digest.hexdigest()


def read_checkpoint(path: str) -> tuple[Config, Config, dict[str, Array]]:
    """Read what `checkpoint` gave; returns (what stays the same of the training, its state, {name: tensor}).

    Raises FileNotFoundError, IsADirectoryError, or ValueError naming the file and what is wrong with it: a foreign,
    truncated or damaged file, one of a newer version, what the schema does not name.
    """
    with _opened(path, "checkpoint of fb.Checkpoint") as file:
        return *_read_checkpoint(file), _read_tensors(file)


def _read_checkpoint(file: Tensors) -> tuple[Config, Config]:
    """The description, checked, and the tensors as far as its header tells of them; they are not read yet."""
    description = _description(file.metadata())
    check_format(description)
    checkpoint_schema.CheckpointSchema(remedy="go on from another checkpoint").description(description)
    unknown = sorted({file.dtype(name) for name in file.keys()} - {*DTYPES.values()})  # noqa: SIM118 -- it is no dict
    if unknown:
        raise ValueError(f"it has tensors of {', '.join(unknown)}, expected {' or '.join(DTYPES)}; {AGAIN}")
    found = {name: (file.shape(name), file.dtype(name)) for name in file.keys()}  # noqa: SIM118
    checkpoint_schema.check_tensors(description["state"], found)
    return description["training"], description["state"]


def _read_tensors(file: Tensors) -> dict[str, Array]:
    """All tensors of a checkpoint, of which its checksum is."""
    metadata: Any = file.metadata()
    tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata.get("sha256") != _digest(metadata["fastbp"], tensors):
        raise ValueError("its checksum is another one, expected that of what it holds: it is damaged; go on from an "
                         "older checkpoint")
    return tensors


def _config_of_checkpoint(training: Config, state: Config) -> Config:
    """The description of a network that a checkpoint has."""
    model = training["model"]
    if not isinstance(model, dict) or model.get("kind") != "network":
        raise ValueError("it is a checkpoint of an expression, expected one of a network; pass it to the fit of a plan "
                         "of the same graph, as resume")
    counts = {"epochs": state["first"] + state["epoch"], "draws": state["draws"]}
    config = {"format": FORMAT, **model, "data_spec": state["data_spec"], "trained": counts}
    del config["kind"]
    Schema().config(config)
    return config
