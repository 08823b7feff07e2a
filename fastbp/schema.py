"""The closed schema of what a model's file says of itself: the one `net.config()` gives, and nothing else.

What a message shows of a wrong value is the choice of who checks: a file that is read may be somebody's secret, or no
model at all, so of it only names, sizes and kinds are told; of what a user saves, the value.
"""

import math

import numpy as np

from fastbp import check, column_kinds
from fastbp._core import cpu
from fastbp.losses import LOSSES
from fastbp.losses import from_config as loss_from_config

FORMAT = 1
PARAMETERS = {"format": FORMAT, "kind": "parameters"}
DTYPES = {"F32": "float32", "F64": "float64"}
_DENSE = ("kind", "inputs", "units", "activation", "l1", "l2")
_TRAINED = ("epochs", "draws")
_SPEC = ("features", "mean", "scale", "target", "classes", "image_shape")
_TABLE = ("version", "header", "width", "decimal", "thousands", "target_unit", "columns")
TABLE_VERSION = 1
_MOST = 8       # names that a message lists


def kind(value):
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


def keys(given, expected, where, what="key", show=None):
    """ValueError unless `given` has exactly the names `expected`. show: how an unknown name is shown, if at all."""
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
    raise ValueError(f"{where} has {found}; expected exactly {listed}{more}")


def check_format(config):
    """The number of the format comes first: of a newer file, everything else may differ."""
    if not isinstance(config, dict) or "format" not in config:
        raise ValueError("its description has no 'format'")
    number = config["format"]
    if number != FORMAT or isinstance(number, bool):
        found = number if type(number) is int and 0 <= number < 10**6 else kind(number)
        raise ValueError(f"format is {found}; this version of fastbp reads format {FORMAT}")


class Schema:
    """The checks; each raises ValueError at the first thing that is not as `save` writes it.

    show: how a message shows a wrong value; `kind` where it is a file's."""

    def __init__(self, show=kind):
        self.show = show
        self._show_key = None if show is kind else show

    def config(self, config):
        """All of a network's description."""
        check_format(config)
        expected = ("format", "dtype", "seed", "layers", "loss", "data_spec")
        expected += tuple(key for key in ("input_scale", "trained") if key in config)  # older files do not have them
        self._keys(config, expected, "the description")
        if config["dtype"] not in DTYPES.values():
            raise ValueError(f"dtype is {self.show(config['dtype'])}; expected 'float32' or 'float64'")
        self._whole(config["seed"], "seed", 0, 2**64 - 1)
        limits = np.finfo(config["dtype"])
        scale = self._number(config.get("input_scale", 1.0), "input_scale")
        if not float(limits.tiny) <= scale <= float(limits.max):
            raise ValueError(f"input_scale is {self.show(scale)}; expected one from {limits.tiny:g} to {limits.max:g}")
        inputs, units = self._layers(config["layers"])
        self._loss(config["loss"])
        self.data_spec(config["data_spec"], inputs, units)
        if "trained" in config:
            self.trained(config["trained"])

    def trained(self, counts):
        """What training goes on from: the epochs, and the steps that have drawn masks of dropout."""
        if not isinstance(counts, dict):
            raise ValueError(f"trained is {self.show(counts)}; expected an object with {' and '.join(_TRAINED)}")
        self._keys(counts, _TRAINED, "trained")
        for key in _TRAINED:
            self._whole(counts[key], f"trained.{key}", 0, 2**62)

    def _layers(self, layers):
        """Width of the first and of the last layer."""
        if not isinstance(layers, list) or not layers:
            raise ValueError(f"layers is {self.show(layers)}; expected a list of layers")
        first = last = None
        for i, layer in enumerate(layers):
            where = f"layers[{i}]"
            sort = layer.get("kind") if isinstance(layer, dict) else None
            if sort == "dropout":
                self._keys(layer, ("kind", "rate"), where)
                if not 0 <= self._number(layer["rate"], f"{where}.rate") < 1:
                    raise ValueError(f"{where}.rate is {self.show(layer['rate'])}; expected 0 <= rate < 1")
            elif sort == "dense":
                self._keys(layer, _DENSE, where)
                self._whole(layer["inputs"], f"{where}.inputs", 1, 2**31)
                self._whole(layer["units"], f"{where}.units", 1, 2**31)
                self._name(layer["activation"], f"{where}.activation", cpu.activations())
                for key in ("l1", "l2"):
                    if self._number(layer[key], f"{where}.{key}") < 0:
                        raise ValueError(f"{where}.{key} is {self.show(layer[key])}; expected a number >= 0")
                if last is not None and layer["inputs"] != last:
                    raise ValueError(f"{where}.inputs is {layer['inputs']}; the layer before it has {last} units")
                first, last = first or layer["inputs"], layer["units"]
            else:
                raise ValueError(f"{where} is {self.show(layer)}; expected an object of kind 'dense' or 'dropout'")
        if first is None:
            raise ValueError("layers has no dense layer; expected at least one")
        return first, last

    def _loss(self, loss):
        if not isinstance(loss, dict) or "name" not in loss:
            raise ValueError(f"loss is {self.show(loss)}; expected an object with 'name' and the loss's settings")
        name = self._name(loss["name"], "loss.name", LOSSES)
        settings = [key for key in LOSSES[name].settings() if key != "missing"]
        self._keys(loss, ("name", *settings, *(("missing",) if "missing" in loss else ())), "loss")
        if "missing" in loss:  # as files with missing="refuse", and all older ones, have none
            self._name(loss["missing"], "loss.missing", ("refuse", "ignore"))
        for key in settings:
            self._number(loss[key], f"loss.{key}")
        try:
            loss_from_config(loss)
        except ValueError:                                        # its words show the value
            values = ", ".join(f"loss.{key} is {self.show(loss[key])}" for key in loss if key != "name")
            raise ValueError(f"{values}; expected what the loss {name!r} takes") from None

    def data_spec(self, spec, inputs, units):
        """How `fastbp predict` makes a row of the model's inputs from raw data; None, or a dict of exactly

        features: None or the `inputs` columns' names; mean, scale: None or numbers (`inputs` of them, or one for all),
        row = (raw - mean) / scale; target: None or a name; classes: None or the names of the outputs, text or whole
        numbers; image_shape: None or [height, width], height * width = inputs; and, where the data were a table, table:
        see `_table`. Raises ValueError otherwise.
        """
        if spec is None:
            return
        if not isinstance(spec, dict):
            raise ValueError(f"data_spec is {self.show(spec)}; expected None or a dict with {', '.join(_SPEC)}")
        self._keys(spec, (*_SPEC, "table") if "table" in spec else _SPEC, "data_spec")
        features, target, classes, image = (spec[key] for key in ("features", "target", "classes", "image_shape"))
        if features is not None:
            self._list(features, "data_spec.features", inputs)
            for i, name in enumerate(features):
                self._text(name, f"data_spec.features[{i}]")
            if len(set(features)) != len(features):
                raise ValueError("data_spec.features repeats a name")
        if (spec["mean"] is None) != (spec["scale"] is None):
            raise ValueError("data_spec.mean and data_spec.scale go together; one of them is None")
        for key in ("mean", "scale"):
            given = spec[key]
            if given is not None:
                self._list(given, f"data_spec.{key}", 1 if isinstance(given, list) and len(given) == 1 else inputs)
                for i, value in enumerate(given):
                    if self._number(value, f"data_spec.{key}[{i}]") <= 0 and key == "scale":
                        raise ValueError(f"data_spec.scale[{i}] is {self.show(value)}; expected a number > 0")
        if target is not None:
            self._text(target, "data_spec.target")
        if classes is not None:
            self._list(classes, "data_spec.classes", 2 if units == 1 else units)
            for i, value in enumerate(classes):
                if isinstance(value, bool) or not isinstance(value, str | int):
                    raise ValueError(f"data_spec.classes[{i}] is {self.show(value)}; expected text or a whole number")
            if len(set(classes)) != len(classes):
                raise ValueError("data_spec.classes repeats a class")
        if image is not None:
            self._list(image, "data_spec.image_shape", 2)
            for i, side in enumerate(image):
                self._whole(side, f"data_spec.image_shape[{i}]", 1, inputs)
            if image[0] * image[1] != inputs:
                raise ValueError(f"data_spec.image_shape is {image}; the model has {inputs} inputs")

        if "table" in spec:
            self._table(spec["table"], inputs, features)

    def _table(self, table, inputs, features):
        """How columns of a table become the inputs: a dict of exactly

        version: 1. header: whether the first row named the columns; else they are called "1", "2" ... width: how many
        columns the file had. decimal, thousands: its marks, "." or "," or, of thousands, "". target_unit: None, or the
        two texts around each number of the target. columns: a list of dicts with name, kind, fill (None or what a
        missing value becomes) and the kind's settings (column_kinds), of `inputs` inputs in all, whose names are the
        `features`.
        """
        where = "data_spec.table"
        if not isinstance(table, dict):
            raise ValueError(f"{where} is {self.show(table)}; expected a dict with {', '.join(_TABLE)}")
        version = table.get("version")
        if version != TABLE_VERSION or isinstance(version, bool):
            raise ValueError(f"{where}.version is {self.show(version)}; this version of fastbp reads {TABLE_VERSION}")
        self._keys(table, _TABLE, where)
        if not isinstance(table["header"], bool):
            raise ValueError(f"{where}.header is {self.show(table['header'])}; expected true or false")
        self._whole(table["width"], f"{where}.width", 1, 2**31)
        self._name(table["decimal"], f"{where}.decimal", (".", ","))
        if table["thousands"] != "":
            self._name(table["thousands"], f"{where}.thousands", (".", ","))
        if table["decimal"] == table["thousands"]:
            raise ValueError(f"{where}.decimal and {where}.thousands are one mark")
        self._unit(table["target_unit"], f"{where}.target_unit")
        columns = table["columns"]
        if not isinstance(columns, list) or not columns:
            raise ValueError(f"{where}.columns is {self.show(columns)}; expected a list of columns")
        for i, column in enumerate(columns):
            self._column(column, f"{where}.columns[{i}]")
        if len({column["name"] for column in columns}) != len(columns):
            raise ValueError(f"{where}.columns repeats a name")
        if not table["header"] and not all(
                len(column["name"]) < 12 and column["name"].isdecimal() and 1 <= int(column["name"]) <= table["width"]
                for column in columns):
            raise ValueError(f"{where}.columns has a name that is no number of a column; without a header row they are "
                             f"called 1 to {table['width']}")
        kinds = [column_kinds.from_spec(column) for column in columns]
        if sum(kind.width for kind in kinds) != inputs:
            raise ValueError(f"{where}.columns make {sum(kind.width for kind in kinds)} inputs; the model has {inputs}")
        if features != column_kinds.names(kinds):
            raise ValueError(f"data_spec.features are not the names of the inputs that {where}.columns make")

    def _column(self, column, where):
        sort = column.get("kind") if isinstance(column, dict) else None
        if not isinstance(sort, str) or sort not in column_kinds.KINDS:
            raise ValueError(f"{where} is {self.show(column)}; expected an object of kind "
                             f"{', '.join(map(repr, column_kinds.KINDS))}")
        self._keys(column, ("name", "kind", "fill", *column_kinds.KINDS[sort].keys), where)
        self._text(column["name"], f"{where}.name")
        if column["fill"] is not None:
            self._number(column["fill"], f"{where}.fill")
        if sort == "number":
            self._unit(column["unit"], f"{where}.unit")
        elif sort == "flag":
            if column["words"] not in [list(pair) for pair in column_kinds.PAIRS]:
                raise ValueError(f"{where}.words is {self.show(column['words'])}; expected one of the pairs that are "
                                 f"0 and 1")
        elif sort == "words":
            words = column["words"]
            if not isinstance(words, list) or not words:
                raise ValueError(f"{where}.words is {self.show(words)}; expected a list of words")
            for i, word in enumerate(words):
                self._text(word, f"{where}.words[{i}]")
            if len(set(words)) != len(words):
                raise ValueError(f"{where}.words repeats a word")
        elif column["order"] is not None:
            self._name(column["order"], f"{where}.order", ("dmy", "mdy"))

    def _unit(self, unit, where):
        if unit is None:
            return
        self._list(unit, where, 2)
        if not all(isinstance(part, str) for part in unit) or not any(unit):
            raise ValueError(f"{where} is {self.show(unit)}; expected None or the texts before and after a number")

    # ---- single values -----------------------------------------------------------------------------------------------

    def _keys(self, given, expected, where):
        keys(given, expected, where, show=self._show_key)

    def _name(self, value, where, choices):
        if self._text(value, where) not in choices:
            raise ValueError(f"{where} is {self.show(value)} that is no name of one; expected one of: "
                             f"{', '.join(choices)}")
        return value

    def _whole(self, value, where, low, high):
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"{where} is {self.show(value)}; expected a whole number from {low} to {high}")

    def _number(self, value, where):
        try:
            finite = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        except OverflowError:                                         # JSON knows whole numbers beyond any float
            finite = False
        if not finite:
            raise ValueError(f"{where} is {self.show(value)}; expected a finite number")
        return value

    def _text(self, value, where):
        if not isinstance(value, str) or not value:
            raise ValueError(f"{where} is {self.show(value)}; expected text")
        return value

    def _list(self, value, where, length):
        if not isinstance(value, list) or len(value) != length:
            found = f"a list of {len(value)}" if isinstance(value, list) else self.show(value)
            raise ValueError(f"{where} is {found}; expected a list of {length}")
