"""A dense network out of an ONNX model: its nodes one after another, all of which must be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp._files.streams import is_stream
from fastbp._files.writing import path_of
from fastbp.convert.assembly import GRID, activation_like, network_of, refused, taken
from fastbp.convert.onnx_export import needed
from fastbp.convert.onnx_functions import BINARY, UNARY, clipped, unary
from fastbp.convert.steps import Step

if TYPE_CHECKING:
    from fastbp._check.types import Array, Doubles, File
    from fastbp.losses import Loss
    from fastbp.network import Sequential

_TAKEN = ("Gemm, MatMul, Add, activations, Softmax, LayerNormalization, Dropout, Flatten, Identity, and Mul of the "
          "inputs by a number")  # fmt: skip


class _Rows(NamedTuple):
    """A value with a row for each sample: a function, element by element, of what the reader's steps gave when it was
    at `place`. values: of that function on assembly.GRID. first: its first node, None where there is none yet."""

    place: int
    values: Doubles = GRID
    first: str | None = None


def from_onnx(path: File | Any, *, loss: str | Loss | None = None, seed: int = 0) -> Sequential:
    """The network that an ONNX model of dense layers is, with its parameters and its dtype, float32 or float64.

    path: a path, an open binary file, or an onnx.ModelProto. The graph is a row of Gemm or MatMul and Add, activations,
    LayerNormalization, Dropout, Flatten of what is flat, from one input (n, inputs) to one output.
    loss: None takes cross_entropy for a graph that ends with Softmax, binary_cross_entropy with Sigmoid, poisson with
    Exp - `predict` gives the same, as these losses apply it - and otherwise squared_error. With a loss that applies
    one, and a graph without it at its end, the graph's outputs are those before it, as logits are.

    Raises ImportError without the package onnx, FileNotFoundError, and ValueError naming the first node that cannot be
    taken, or what else is wrong.
    """
    loss, seed = taken(loss), check.seed("seed", seed)
    model = _read(path)
    reader = _Reader(model)
    for number, node in enumerate(model.graph.node):
        reader.take(node, f"node {number} ({node.op_type}{' ' + check.shown(node.name) if node.name else ''})")
    return network_of(reader.finish(), loss, reader.dtype, seed)


def _read(path: Any) -> Any:
    """The onnx.ModelProto, looked at by ONNX's own checker."""
    onnx = needed()
    if isinstance(path, onnx.ModelProto):
        model, name = path, "the model"
    else:
        stream = is_stream(path, "read")
        instead = "an open binary file or an onnx.ModelProto"
        name = f"path {check.shown(path)}" if stream else path_of(path, instead=instead)
        try:
            model = onnx.load(path if stream else name)
        except FileNotFoundError:
            raise FileNotFoundError(f"{name}: no such file, expected an ONNX model; correct the path") from None
        except OSError:
            raise
        except Exception as error:  # of protobuf, whose classes differ by version
            raise ValueError(f"{name} is no ONNX model ({type(error).__name__}), expected one; give another file, or "
                             "export it again") from None
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        said = str(error).split("\n")[0]
        raise ValueError(f"{name} is no valid ONNX model ({check.printable(said)}), expected one; export it "
                         "again") from None
    return model


class _Reader:
    """The state of reading a graph: steps so far, and what is known of each value."""

    def __init__(self, model: Any) -> None:
        onnx = needed()
        self.numpy_helper, self.attribute = onnx.numpy_helper, onnx.helper.get_attribute_value
        self.steps: list[Step] = []
        self.constants: dict[str, Array] = {each.name: self.numpy_helper.to_array(each)
                                            for each in model.graph.initializer}
        inputs = [one for one in model.graph.input if one.name not in self.constants]
        if len(inputs) != 1 or len(model.graph.output) != 1:
            raise ValueError(f"the graph has {len(inputs)} inputs and {len(model.graph.output)} outputs, expected one "
                             "of each; export a network with one input and one output")
        kind = inputs[0].type.tensor_type
        shape = [axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim]
        if len(shape) != 2:
            raise ValueError(f"the input {check.shown(inputs[0].name)} has {len(shape)} axes, expected 2, (n, inputs); "
                             "export the dense layers alone")
        self.width: int | None = shape[1]
        found = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}.get(kind.elem_type)
        if found is None:
            raise ValueError(f"the input {check.shown(inputs[0].name)} is of "
                             f"{onnx.TensorProto.DataType.Name(kind.elem_type)}, expected FLOAT or DOUBLE; export the "
                             "model in float32")
        self.dtype: Any = found
        self.place = 0  # how often the steps were changed: what was given before cannot be read any more
        self.rows = {inputs[0].name: _Rows(0)}
        self.output = model.graph.output[0].name

    def take(self, node: Any, where: str) -> None:
        """One node. What it gives is known by name afterwards."""
        kind = node.op_type
        attributes = {each.name: self.attribute(each) for each in node.attribute}
        attributes = {name: value.decode() if isinstance(value, bytes) else value for name, value in attributes.items()}
        if node.domain not in ("", "ai.onnx"):
            raise refused(where, f"of the operators {check.shown(node.domain)}", "ONNX's own", "export it without them")
        if all(one in self.constants for one in node.input if one):
            self.constants[node.output[0]] = self._constant(kind, node, attributes, where)
            return
        names = [one for one in node.input if one]
        if kind == "Clip":  # whose ends are inputs, either of which may be left out
            for name, one in zip(("min", "max"), node.input[1:], strict=False):
                if one in self.constants and self.constants[one].size == 1:
                    attributes[name] = float(self.constants[one].reshape(()))
                    names.remove(one)
        given = [self.rows.get(one, self.constants.get(one)) for one in names]
        if any(one is None for one in given):
            raise refused(where, "reading what an earlier node gives beside its first output", _TAKEN, "leave it out")
        self.rows[node.output[0]] = self._rows(kind, given, attributes, where)

    def _rows(self, kind: str, given: list[Any], attributes: dict[str, Any], where: str) -> _Rows:
        """What a node gives that has rows among its inputs."""
        rows = [one for one in given if isinstance(one, _Rows)]
        if any(one.place != self.place for one in rows):
            raise refused(where, "reading what stands before an earlier layer", "one layer behind another",
                          "a network has no branches")
        if kind in ("Identity", "Dropout", "Flatten"):
            return self._passed(kind, given, attributes, where)
        if kind in ("Gemm", "MatMul", "LayerNormalization", "Softmax"):
            return self._layer(kind, given, attributes, where)
        first = next((one.first for one in rows if one.first), where)
        with np.errstate(all="ignore"):
            if kind in UNARY:
                return _Rows(self.place, unary(kind, attributes)(given[0].values), first)
            if kind == "Clip" and len(given) == 1:
                values = clipped(given[0].values, attributes.get("min"), attributes.get("max"))
                return _Rows(self.place, values, first)
            if kind in BINARY and len(given) == 2:
                return self._binary(kind, given, where, first)
        raise refused(where, "no operator of a dense network", _TAKEN, "leave it out")

    def _binary(self, kind: str, given: list[Any], where: str, first: str) -> _Rows:
        """Two values, at least one of which has rows, element by element; or a bias."""
        arrays = [one for one in given if not isinstance(one, _Rows)]
        rows = next(one for one in given if isinstance(one, _Rows))
        if kind == "Add" and arrays and rows.first is None and self.steps and self.steps[-1].kind == "dense":
            return self._changed(self.steps.pop(), self._vector(arrays[0], where, "bias"))
        for array in arrays:
            if array.size != 1:
                raise refused(where, f"{kind} with an array of shape {array.shape}", "a number, or the bias of a "
                              "MatMul", "make it a layer of its own")
        values = [one.values if isinstance(one, _Rows) else np.full_like(GRID, one.reshape(())) for one in given]
        return _Rows(self.place, BINARY[kind](*values), first)

    def _changed(self, step: Step, bias: Array | None = None) -> _Rows:
        """The step is the last one, with a bias added to its own; what it gives."""
        self.steps.append(step if bias is None else step._replace(b=step.b + bias))
        self.place += 1
        return _Rows(self.place)

    def _passed(self, kind: str, given: list[Any], attributes: dict[str, Any], where: str) -> _Rows:
        """What does not change anything, but for a dropout in training."""
        rows = given[0]
        if kind == "Flatten" and attributes.get("axis", 1) not in (1, -1):
            raise refused(where, f"flattening from axis {attributes['axis']}", "1, which keeps the rows",
                          "export it so")
        if kind != "Dropout":
            return rows  # type: ignore[no-any-return]
        training = len(given) > 2 and bool(given[2].reshape(()))
        if training:
            raise refused(where, "a dropout that is active", "one that is not",
                          "export the model for use, not for training")
        ratio = float(given[1].reshape(())) if len(given) > 1 else float(attributes.get("ratio", 0.5))
        self._settle(rows)
        return self._changed(Step("dropout", where, rate=ratio))

    def _layer(self, kind: str, given: list[Any], attributes: dict[str, Any], where: str) -> _Rows:
        """A step of its own."""
        rows, arrays = given[0], given[1:]
        if not isinstance(rows, _Rows) or any(isinstance(one, _Rows) for one in arrays):
            raise refused(where, "a product of other than rows by constants", "X W", "fold it into a weight")
        self._settle(rows)
        if kind == "Softmax":
            if attributes.get("axis", -1) not in (1, -1):
                raise refused(where, f"a softmax along axis {attributes['axis']}", "1", "export it so")
            return self._changed(Step("activation", where, name="softmax"))
        if kind == "LayerNormalization":
            if attributes.get("axis", -1) not in (1, -1):
                raise refused(where, f"along axis {attributes['axis']}", "1", "export it so")
            gamma = np.ravel(arrays[0])
            beta = self._vector(arrays[1], where, "shift", len(gamma)) if len(arrays) > 1 else np.zeros_like(gamma)
            self._fits(len(gamma), where)
            eps = float(np.float32(attributes.get("epsilon", 1e-5)))
            return self._changed(Step("layer_norm", where, gamma=gamma, beta=beta, eps=eps))
        if any(attributes.get(name, one) != one for name, one in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))):
            raise refused(where, "with alpha, beta or transA", "X W + b", "fold them into the weights")
        if arrays[0].ndim != 2:
            raise refused(where, f"with weights of {arrays[0].ndim} axes", "2", "export the dense layers alone")
        W = arrays[0].T if attributes.get("transB") else arrays[0]
        self._fits(len(W), where)
        self.width = W.shape[1]
        step = Step("dense", where, W=W, b=np.zeros(W.shape[1], W.dtype))
        return self._changed(step, self._vector(arrays[1], where, "bias") if len(arrays) > 1 else None)

    def _fits(self, inputs: int, where: str) -> None:
        """Refuses a layer that is not as wide as what stands before it."""
        if self.width is not None and self.width != inputs:
            raise refused(where, f"of {inputs} inputs", f"{self.width}, as it is given", "correct the model")
        self.width = inputs

    def _vector(self, array: Array, where: str, what: str, width: int | None = None) -> Array:
        """A bias or a shift as a vector: a number, (width,) or (1, width)."""
        width = width or self.width or 0
        if array.size not in (1, width) or array.shape[:-1] not in ((), (1,)):
            raise refused(where, f"with a {what} of shape {array.shape}", f"({width},)", "export it so")
        return np.broadcast_to(array.ravel(), (width,)).copy()

    def _settle(self, rows: _Rows) -> None:
        """The function that a value is, as a step: an activation, or the scale of the inputs."""
        if rows.first is None:
            return
        name = activation_like(rows.values)
        if name == "linear":
            return
        if name is not None:
            self.steps.append(Step("activation", rows.first, name=name))
            return
        factor = float(rows.values[-1] / GRID[-1])
        if self.steps or not factor > 0 or not np.allclose(rows.values, factor * GRID, rtol=1e-9, atol=0):
            raise refused(rows.first, "the beginning of a function that no activation is", "one of fb.Dense's",
                          "choose such a one in the model")
        self.steps.append(Step("scale", rows.first, factor=factor))

    def _constant(self, kind: str, node: Any, attributes: dict[str, Any], where: str) -> Array:
        """What a node gives that has constants alone."""
        values = [self.constants[one] for one in node.input if one]
        if kind == "Constant" and "value" in attributes:
            return np.asarray(self.numpy_helper.to_array(attributes["value"]))
        if kind == "Constant" and attributes.keys() <= {"value_float", "value_floats"}:
            return np.asarray(next(iter(attributes.values())), np.float32)
        if kind == "Constant" and attributes.keys() <= {"value_int", "value_ints"}:
            return np.asarray(next(iter(attributes.values())), np.int64)
        if kind == "Identity":
            return values[0]
        if kind == "Transpose":
            return np.transpose(values[0], attributes.get("perm"))
        raise refused(where, "computing a constant", "a Constant, Identity or Transpose",
                      "have the exporter fold constants")

    def finish(self) -> list[Step]:
        """All steps, the last function too."""
        rows = self.rows.get(self.output)
        if rows is None or rows.place != self.place:
            raise ValueError(f"the output {check.shown(self.output)} is not what the last layer gives, expected that; "
                             "leave out what comes after it")
        self._settle(rows)
        if all(step.kind in ("scale", "activation", "dropout") for step in self.steps):
            raise ValueError(f"the graph has no layer with weights, expected {_TAKEN}; export a dense network")
        return self.steps
