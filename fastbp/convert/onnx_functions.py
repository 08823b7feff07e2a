"""ONNX's elementwise operators as functions of float64 arrays, to find out which activation a few of them make."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastbp._check.types import Doubles


def _erf(z: Doubles) -> Doubles:
    return cast("Doubles", np.vectorize(math.erf, otypes=[float])(z))


def _sigmoid(z: Doubles) -> Doubles:
    return cast("Doubles", np.exp(-np.logaddexp(0, -z)))


def _softplus(z: Doubles) -> Doubles:
    return np.logaddexp(0, z)


def _gelu(z: Doubles, approximate: str) -> Doubles:
    if approximate == "tanh":
        return cast("Doubles", 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))))
    return 0.5 * z * (1 + _erf(z / math.sqrt(2)))


# {operator: (its attributes with their defaults, its function of one array)}
UNARY: dict[str, tuple[dict[str, Any], Callable[..., Doubles]]] = {
    "Relu": ({}, lambda z: np.maximum(z, 0)),
    "LeakyRelu": ({"alpha": 0.01}, lambda z, alpha: np.where(z < 0, alpha * z, z)),
    "Elu": ({"alpha": 1.0}, lambda z, alpha: np.where(z < 0, alpha * np.expm1(np.minimum(z, 0)), z)),
    "Selu": ({"alpha": 1.6732632423543772, "gamma": 1.0507009873554805},
             lambda z, alpha, gamma: gamma * np.where(z < 0, alpha * np.expm1(np.minimum(z, 0)), z)),
    "Celu": ({"alpha": 1.0}, lambda z, alpha: np.where(z < 0, alpha * np.expm1(np.minimum(z, 0) / alpha), z)),
    "ThresholdedRelu": ({"alpha": 1.0}, lambda z, alpha: np.where(z > alpha, z, 0)),
    "Gelu": ({"approximate": "none"}, _gelu),
    "Mish": ({}, lambda z: z * np.tanh(_softplus(z))),
    "Swish": ({"alpha": 1.0}, lambda z, alpha: z * _sigmoid(alpha * z)),
    "HardSwish": ({}, lambda z: z * np.clip(z / 6 + 0.5, 0, 1)),
    "Softplus": ({}, _softplus),
    "Sigmoid": ({}, _sigmoid),
    "HardSigmoid": ({"alpha": 0.2, "beta": 0.5}, lambda z, alpha, beta: np.clip(alpha * z + beta, 0, 1)),
    "Tanh": ({}, np.tanh),
    "Softsign": ({}, lambda z: z / (1 + np.abs(z))),
    "Exp": ({}, np.exp),
    "Log": ({}, np.log),
    "Erf": ({}, _erf),
    "Neg": ({}, np.negative),
    "Abs": ({}, np.abs),
    "Sqrt": ({}, np.sqrt),
    "Reciprocal": ({}, np.reciprocal),
}

BINARY: dict[str, Callable[..., Doubles]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Max": np.maximum,
    "Min": np.minimum,
}


def unary(operator: str, given: dict[str, Any]) -> Callable[[Doubles], Doubles]:
    """The function of one of UNARY's operators with these attributes."""
    defaults, function = UNARY[operator]
    settings = {name: given.get(name, default) for name, default in defaults.items()}
    return lambda z: function(z, **settings)


def clipped(z: Doubles, low: float | None, high: float | None) -> Doubles:
    """ONNX's Clip between two numbers, each of which may be none."""
    return np.minimum(np.maximum(z, -np.inf if low is None else low), np.inf if high is None else high)
