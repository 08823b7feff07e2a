"""The closed schema of what a model's file says of itself: the one `net.config()` gives, and nothing else.

What a message shows of a wrong value is the choice of who checks: a file that is read may be somebody's secret, or no
model at all, so of it only names, sizes and kinds are told; of what a user saves, the value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastbp import _check as check
from fastbp.layers.base import KINDS, listed
from fastbp.losses import LOSSES
from fastbp.losses import from_config as loss_from_config

FORMAT = 1
PARAMETERS = {"format": FORMAT, "kind": "parameters"}
DTYPES = {"F32": "float32", "F64": "float64"}
_TRAINED = ("epochs", "draws")
_SPEC = ("features", "mean", "scale", "target", "classes", "image_shape")
_MOST = 8       # names that a message lists
AGAIN = "save the model again, or fetch its file again"


def kind(value: object) -> str:
    """What a value of a file is, without the value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text" if value else "empty text"
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"


def keys(given: Any, expected: Any, where: str, what: str = "key", show: Any = None, remedy: str = AGAIN) -> None:
    """ValueError unless `given` has exactly the names `expected`. show: how an unknown name is shown, if at all;
    remedy: what to do."""
    there, wanted = set(given), set(expected)
    unknown = [key for key in given if key not in wanted]
    absent = [key for key in expected if key not in there]
    if not unknown and not absent:
        return
    if not unknown:
        found = f"no {what} {absent[0]!r}"
    elif show:
        found = f"unknown {what} {show(unknown[0])}"
    else:
        found = f"{len(unknown)} unknown {what}{'s' * (len(unknown) > 1)}"
    listed = ", ".join(map(check.printable, list(expected)[:_MOST])) or "none"
    more = f", ... ({len(expected)} in all)" if len(expected) > _MOST else ""
    raise ValueError(f"{where} has {found}, expected exactly {listed}{more}; {remedy}")


def check_format(config: object) -> None:
    """The number of the format comes first: of a newer file, everything else may differ."""
    if not isinstance(config, dict) or "format" not in config:
        raise ValueError(f"its description has no 'format', expected {FORMAT}; {AGAIN}")
    number = config["format"]
    if number != FORMAT or type(number) is not int:
        found = number if type(number) is int and 0 <= number < 10**6 else kind(number)
        raise ValueError(f"format is {found}, expected {FORMAT}, which this version of fastbp reads; install the "
                         "version that saved the model, or a newer one")


class Values:
    """Checks of single values; each raises ValueError where one is not what it should be.

    show: how a message shows a wrong value; `kind` where it is a file's. remedy: what to do about one, in words."""

    def __init__(self, show: Any = kind, remedy: str = AGAIN) -> None:
        self.show, self.remedy = show, remedy
        self._show_key = None if show is kind else show

    def wrong(self, where: str, value: object, expected: str) -> ValueError:
        """The error for a value."""
        return self.refusal(f"{where} is {self.show(value)}", expected)

    def refusal(self, found: str, expected: str) -> ValueError:
        """The error for what was found, in words."""
        return ValueError(f"{found}, expected {expected}; {self.remedy}")

    def keys(self, given: Any, expected: Any, where: str) -> None:
        keys(given, expected, where, show=self._show_key, remedy=self.remedy)

    def name(self, value: Any, where: str, choices: Any) -> str:
        if self.text(value, where) not in choices:
            raise self.refusal(f"{where} is {self.show(value)} that is no name of one", f"one of: {', '.join(choices)}")
        return value

    def whole(self, value: Any, where: str, low: int, high: int) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(where, value, f"a whole number from {low} to {high}")

    def number(self, value: Any, where: str) -> float:
        try:
            finite = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        except OverflowError:                                         # JSON knows whole numbers beyond any float
            finite = False
        if not finite:
            raise self.wrong(where, value, "a finite number")
        return value

    def text(self, value: Any, where: str) -> str:
        if not isinstance(value, str) or not value:
            raise self.wrong(where, value, "text")
        return value

    def listed(self, value: Any, where: str, length: int) -> None:
        if not isinstance(value, list) or len(value) != length:
            found = f"a list of {len(value)}" if isinstance(value, list) else self.show(value)
            raise self.refusal(f"{where} is {found}", f"a list of {length}")


class Schema(Values):
    """The checks of a description; each raises ValueError at the first thing that is not as `save` writes it."""

    def config(self, config: Any) -> None:
        """All of a network's description."""
        check_format(config)
        expected: tuple[str, ...] = ("format", "dtype", "seed", "layers", "loss", "data_spec")
        expected += tuple(key for key in ("input_scale", "trained") if key in config)  # older files do not have them
        self.keys(config, expected, "the description")
        if config["dtype"] not in DTYPES.values():
            raise self.wrong("dtype", config["dtype"], "'float32' or 'float64'")
        self.whole(config["seed"], "seed", 0, 2**64 - 1)
        limits = np.finfo(config["dtype"])
        scale = self.number(config.get("input_scale", 1.0), "input_scale")
        if not float(limits.tiny) <= scale <= float(limits.max):
            raise self.wrong("input_scale", scale, f"one from {limits.tiny:g} to {limits.max:g}")
        inputs, units = self._layers(config["layers"])
        self._loss(config["loss"])
        self.data_spec(config["data_spec"], inputs, units)
        if "trained" in config:
            self.trained(config["trained"])

    def trained(self, counts: Any) -> None:
        """What training goes on from: the epochs, and the steps that have drawn masks of dropout."""
        if not isinstance(counts, dict):
            raise self.wrong("trained", counts, f"an object with {' and '.join(_TRAINED)}")
        self.keys(counts, _TRAINED, "trained")
        for key in _TRAINED:
            self.whole(counts[key], f"trained.{key}", 0, 2**62)

    def _layers(self, layers):
        """Width of the first and of the last layer."""
        if not isinstance(layers, list) or not layers:
            raise self.wrong("layers", layers, "a list of layers")
        first = last = None
        for i, layer in enumerate(layers):
            where = f"layers[{i}]"
            sort = layer.get("kind") if isinstance(layer, dict) else None
            cls = KINDS.get(sort) if isinstance(sort, str) else None
            if cls is None:
                kinds = listed(list(map(repr, KINDS)))
                raise self.wrong(where, layer, f"an object of kind {kinds}")
            self.keys(layer, ("kind", *cls.settings), where)
            for name, setting in cls.settings.items():
                setting.in_file(self, layer[name], f"{where}.{name}")
            if cls.widths:
                inputs, units = cls.widths
                if last is not None and layer[inputs] != last:
                    raise self.refusal(f"{where}.{inputs} is {layer[inputs]}", f"{last}, the units of the layer "
                                                                               "before it")
                first, last = first or layer[inputs], layer[units]
        if first is None:
            raise self.refusal("layers has no dense layer", "at least one")
        return first, last

    def _loss(self, loss):
        if not isinstance(loss, dict) or "name" not in loss:
            raise self.wrong("loss", loss, "an object with 'name' and the loss's settings")
        name = self.name(loss["name"], "loss.name", LOSSES)
        settings = [key for key in LOSSES[name].settings() if key != "missing"]
        self.keys(loss, ("name", *settings, *(("missing",) if "missing" in loss else ())), "loss")
        if "missing" in loss:  # as files with missing="refuse", and all older ones, have none
            self.name(loss["missing"], "loss.missing", ("refuse", "ignore"))
        for key in settings:
            self.number(loss[key], f"loss.{key}")
        try:
            loss_from_config(loss)
        except ValueError:                                        # its words show the value
            values = ", ".join(f"loss.{key} is {self.show(loss[key])}" for key in loss if key != "name")
            raise self.refusal(values, f"what the loss {name!r} takes") from None

    def data_spec(self, spec: Any, inputs: int, units: int) -> None:
        """How `fastbp predict` makes a row of the model's inputs from raw data; None, or a dict of exactly

        features: None or the `inputs` columns' names; mean, scale: None or numbers (`inputs` of them, or one for all),
        row = (raw - mean) / scale; target: None or a name; classes: None or the names of the outputs, text or whole
        numbers; image_shape: None or [height, width], height * width = inputs; and, where the data were a table, table:
        see fastbp/datasets/table_schema.py. Raises ValueError otherwise.
        """
        if spec is None:
            return
        if not isinstance(spec, dict):
            raise self.wrong("data_spec", spec, f"None or a dict with {', '.join(_SPEC)}")
        self.keys(spec, (*_SPEC, "table") if "table" in spec else _SPEC, "data_spec")
        features, target, classes, image = (spec[key] for key in ("features", "target", "classes", "image_shape"))
        if features is not None:
            self.listed(features, "data_spec.features", inputs)
            for i, name in enumerate(features):
                self.text(name, f"data_spec.features[{i}]")
            if len(set(features)) != len(features):
                raise self.refusal("data_spec.features repeats a name", "different ones")
        if (spec["mean"] is None) != (spec["scale"] is None):
            raise self.refusal("one of data_spec.mean and data_spec.scale is None", "both or neither")
        for key in ("mean", "scale"):
            given = spec[key]
            if given is not None:
                self.listed(given, f"data_spec.{key}", 1 if isinstance(given, list) and len(given) == 1 else inputs)
                for i, value in enumerate(given):
                    if self.number(value, f"data_spec.{key}[{i}]") <= 0 and key == "scale":
                        raise self.wrong(f"data_spec.scale[{i}]", value, "a number > 0")
        if target is not None:
            self.text(target, "data_spec.target")
        if classes is not None:
            self.listed(classes, "data_spec.classes", 2 if units == 1 else units)
            for i, value in enumerate(classes):
                if isinstance(value, bool) or not isinstance(value, str | int):
                    raise self.wrong(f"data_spec.classes[{i}]", value, "text or a whole number")
            if len(set(classes)) != len(classes):
                raise self.refusal("data_spec.classes repeats a class", "different ones")
        if image is not None:
            self.listed(image, "data_spec.image_shape", 2)
            for i, side in enumerate(image):
                self.whole(side, f"data_spec.image_shape[{i}]", 1, inputs)
            if image[0] * image[1] != inputs:
                raise self.refusal(f"data_spec.image_shape is {image}", f"{inputs} pixels, as the model has inputs")

        if "table" in spec:
            from fastbp.datasets.table_schema import TableSchema  # only of what a table was the data

            TableSchema(self.show, self.remedy).table(spec["table"], inputs, features)
