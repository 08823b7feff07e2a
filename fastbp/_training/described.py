"""What stays the same all through a training, as a checkpoint says it, and in words where two of them differ."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastbp._check.types import Array, Config
    from fastbp._ir.node import Node
    from fastbp._training.job import Job
    from fastbp.callbacks import EarlyStopping
    from fastbp.optimizers import Optimizer

WHOLE, ROWS = 1 << 20, 256  # bytes of an array that all of is looked at, rows of a longer one
_STOPPING = ("monitor", "patience", "min_delta", "mode", "restore_best")


def training(
    job: Job, optimizer: Optimizer, shuffle: bool, seed: int, stoppings: Sequence[EarlyStopping]
) -> Config:
    """All that must be the same where a training goes on: plain JSON, if the settings are."""
    validated = job.validation_arrays()
    return {
        "model": job.described(),
        "data": {job.called(name): _print(array) for name, array in job.trained_arrays().items()},
        "validation": validated and {name: _print(array) for name, array in validated.items()},
        "batch_size": job.batch,
        "shuffle": shuffle,
        "seed": seed if shuffle else 0,
        "logs": job.names(),
        "optimizer": optimizer.config(),
        "early_stopping": [{name: getattr(each, name) for name in _STOPPING} for each in stoppings],
    }


def _print(array: Array) -> Config:
    """Shape, dtype and a checksum: of all values of an array up to 1 MiB, of a longer one those of 256 rows from the
    first to the last. It tells other data, another order or another scale; not some changed rows among many."""
    looked = array
    if array.nbytes > WHOLE and len(array) > ROWS:
        looked = array[np.linspace(0, len(array) - 1, ROWS).astype(np.int64)]
    values = np.ascontiguousarray(looked).reshape(-1).view(np.uint8)
    return {"shape": list(array.shape), "dtype": array.dtype.name, "checksum": f"{zlib.crc32(values.data):08x}"}


def graph(nodes: Iterable[Node]) -> str:
    """A checksum of a graph's nodes, each after its inputs: their operations, shapes and settings, of which numbers,
    text and arrays are looked at, and how they are put together."""
    places: dict[Node, int] = {}
    found = 0
    for node in nodes:
        names = ["penalty"] if node.op == "parameter" else sorted(node.attributes)  # not its initial values
        settings = [(name, _plain(node.attributes.get(name))) for name in names]
        row = (node.op, [places[each] for each in node.inputs], node.batched, node.shape, settings)
        found = zlib.crc32(repr(row).encode(), found)
        places[node] = len(places)
    return f"{found:08x}"


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value)  # one of NumPy's is written in another way
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype != object:
        return value.dtype.name, value.shape, zlib.crc32(value.tobytes())
    if isinstance(value, dict):
        return [(str(key), _plain(each)) for key, each in value.items()]
    if callable(getattr(value, "config", None)):  # a loss
        return _plain(value.config())
    return type(value).__name__


# ---- where two differ ------------------------------------------------------------------------------------------------


def difference(now: Any, then: Any, where: str = "") -> tuple[str, str, str] | None:
    """The first place where two of these differ: (its name, what it is now, what it was then), in words, or None."""
    if isinstance(now, dict) and isinstance(then, dict):
        for key in [*now, *(key for key in then if key not in now)]:
            name = _named(where, key)
            if key not in then or key not in now:
                both = ("given", "none") if key in now else ("missing", "one")
                return name, *both
            if (found := difference(now[key], then[key], name)) is not None:
                return found
        return None
    if isinstance(now, list) and isinstance(then, list) and any(isinstance(each, dict) for each in [*now, *then]):
        for i, (one, other) in enumerate(zip(now, then)):  # noqa: B905 -- their lengths come after what is in both
            if (found := difference(one, other, f"{where}[{i}]")) is not None:
                return found
        if len(now) == len(then):
            return None
        return f"the length of {where}", str(len(now)), str(len(then))
    if type(now) is type(then) and now == then:
        return None
    if where.endswith((".checksum", "graph")):
        same = "the same values" if "." in where else "the same operations"
        return where.removesuffix(".checksum"), "another one", same
    if where == "validation" and None in (now, then):
        return ("validation_data", *(("given", "none") if then is None else ("None", "some")))
    return where, check.shown(now), check.shown(then)


def _named(where: str, key: str) -> str:
    """What a user calls an entry: X.shape, layers[1].units, validation X.shape."""
    if where in ("", "model", "data"):
        return key
    return f"{where} {key}" if where == "validation" else f"{where}.{key}"
