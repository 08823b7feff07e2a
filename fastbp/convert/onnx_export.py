"""A network as an ONNX model: one graph of float32, for any number of rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._files.streams import target, write
from fastbp._files.writing import write_atomically
from fastbp.convert.steps import Step, as_float32, steps_of

if TYPE_CHECKING:
    from fastbp._check.types import Array, File
    from fastbp.network import Sequential

OPSET = 17  # the first that has LayerNormalization; of 2022
IR_VERSION = 8  # that of its time, which runtimes of then and of today read

# Activations that are an operator: its name, and its attributes.
_OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}),
    "softplus": ("Softplus", {}),
    "sigmoid": ("Sigmoid", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "tanh": ("Tanh", {}),
    "softsign": ("Softsign", {}),
    "exponential": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
}
# The others, as operators one after another: (operator, what it takes). z is the activation's input, "" what the one
# before gives, a number a constant.
_Z, _LAST = "z", ""
_COMPOSED: dict[str, list[tuple[str, list[Any]]]] = {
    "silu": [("Sigmoid", [_Z]), ("Mul", [_Z, _LAST])],
    "mish": [("Softplus", [_Z]), ("Tanh", [_LAST]), ("Mul", [_Z, _LAST])],
    "gelu": [("Mul", [_Z, math.sqrt(0.5)]), ("Erf", [_LAST]), ("Add", [_LAST, 1.0]), ("Mul", [_Z, _LAST]),
             ("Mul", [_LAST, 0.5])],
    "gelu_tanh": [("Mul", [_Z, _Z]), ("Mul", [_LAST, 0.044715 * math.sqrt(8 / math.pi)]),
                  ("Add", [_LAST, math.sqrt(8 / math.pi)]), ("Mul", [_Z, _LAST]), ("Sigmoid", [_LAST]),
                  ("Mul", [_Z, _LAST])],
}  # fmt: skip


def to_onnx(net: Sequential, path: File) -> None:
    """Writes what a network predicts as an ONNX model to `path`, a path or an open binary file.

    Raises ImportError without the package onnx, ValueError for parameters that are not finite or not of float32,
    OSError where it cannot be written; a file already at `path` is then as it was.
    """
    place = target(path)
    data = model(net).SerializeToString()
    if isinstance(place, str):
        write_atomically(place, data)
    else:
        write(place, data)


def model(net: Sequential) -> Any:
    """The onnx.ModelProto: input "X" (n, inputs), output "Y" (n, units)."""
    onnx = needed()
    nodes: list[Any] = []
    constants: list[Any] = []
    value = "X"

    def constant(name: str, array: Any) -> str:
        constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def add(operator: str, inputs: list[str], **attributes: Any) -> str:
        """The name of what a new node gives."""
        given = f"{operator.lower()}_{len(nodes)}"
        nodes.append(onnx.helper.make_node(operator, inputs, [given], name=f"node_{given}", **attributes))
        return given

    for step in steps_of(net):
        if step.kind == "scale":
            value = add("Mul", [value, constant("input_scale", step.factor)])
        elif step.kind == "dense":
            value = add("Gemm", [value, *_parameters(step, ("W", "b"), constant)])
        elif step.kind == "layer_norm":
            given = [value, *_parameters(step, ("gamma", "beta"), constant)]
            value = add("LayerNormalization", given, axis=-1, epsilon=step.eps)
        elif step.kind == "activation":
            value = _activation(step.name, value, add, constant)
    nodes[-1].output[0] = "Y"
    of_reals = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "fastbp",
        [onnx.helper.make_tensor_value_info("X", of_reals, ["n", net.inputs])],
        [onnx.helper.make_tensor_value_info("Y", of_reals, ["n", net.units])],
        constants,
    )
    made = onnx.helper.make_model(graph, producer_name="fastbp",
                                  opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made)
    return made


def _parameters(step: Step, names: tuple[str, str], constant: Any) -> list[str]:
    """The names of constants that hold these parameters of a step."""
    made = []
    for name in names:
        array: Array = as_float32(step, name, getattr(step, name))
        made.append(constant(f"{step.where}.{name}", array))
    return made


def _activation(name: str, value: str, add: Any, constant: Any) -> str:
    """The name of an activation of a value."""
    if name in _OPERATORS:
        operator, attributes = _OPERATORS[name]
        return str(add(operator, [value], **attributes))
    last = value
    for number, (operator, taken) in enumerate(_COMPOSED[name]):
        names = {_Z: value, _LAST: last}
        inputs = [names[one] if isinstance(one, str) else constant(f"{value}.{name}.{number}", one) for one in taken]
        last = add(operator, inputs)
    return last


def needed() -> Any:
    """The package onnx."""
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError:
        raise ImportError('ONNX models need the package onnx; pip install "fastbp[onnx]"') from None
    return onnx
