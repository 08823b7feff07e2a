"""Powers, with their derivatives beneath them: of a number, of a node, and what they are at a base of 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp._ir.elementwise import add, apply, exp, expand, log, multiply, row, sqrt, square, subtract
from fastbp._ir.node import Node, constant, node_of

if TYPE_CHECKING:
    from fastbp._ir.node import Operand


def power(x: Operand, exponent: Operand) -> Node:
    """x ** exponent. A number as the exponent: products where it is whole, exp(exponent * log(x)) where not. A node, or
    several numbers: exp(exponent * log(x)), and of a negative x the powers of whole exponents."""
    x, exponent = node_of(x), node_of(exponent)
    if exponent.op == "constant" and exponent.shape == () and not exponent.per_batch:
        return _of_number(x, float(exponent.value))
    if x.op == "constant" and not x.per_batch and (x.value > 0).all():
        return exp(multiply(exponent, log(x)))
    return variable_power(x, exponent)


def _of_number(x, p):
    if p == 0:  # of what shape and made from what it is, the value does not say
        return constant(np.ones(x.shape)) if x.op == "constant" else expand(1.0, x.batched, x.shape, (x,))
    special = {1: lambda: x, 2: lambda: square(x), 0.5: lambda: sqrt(x)}
    return special[p]() if p in special else apply("power", x, param=p)


def variable_power(x, exponent, factor=1.0, logarithms=0):
    """factor * x ** exponent * log(x) ** logarithms: a family that has its own derivatives in it. 0 ** 0 is 1, log(0)
    beside it, or beside a power with a positive exponent, counts as 0, and all of it is 0 where the factor is."""
    return apply("variable_power", x, exponent, factor, param=logarithms)


def _power_derivative(node, dy):
    x = node.inputs[0]
    yield lambda: multiply(dy, multiply(node.param, power(x, node.param - 1)))


def _power(x, param):
    return x**param


def _variable_power_derivative(node, dy):
    x, n, factor = node.inputs
    k = node.param

    def slope():
        made = variable_power(x, subtract(n, 1.0), multiply(n, factor), k)
        return add(made, variable_power(x, subtract(n, 1.0), multiply(k, factor), k - 1)) if k else made

    yield lambda: multiply(dy, slope())
    yield lambda: multiply(dy, variable_power(x, n, factor, k + 1))
    yield lambda: multiply(dy, variable_power(x, n, 1.0, k))


def _variable_power(x, exponent, factor, param):
    whole = np.round(exponent) == exponent
    made = np.abs(x) ** exponent * np.where((x < 0) & (np.abs(exponent) % 2 == 1), -1.0, 1.0)
    made = np.where((x < 0) & ~whole, np.nan, made)
    logarithm = np.where((x == 0) & ~(exponent < 0), 0.0, np.log(x))
    return np.where(factor == 0, 0.0, factor * made * logarithm**param)


row("power", _power_derivative, _power)
row("variable_power", _variable_power_derivative, _variable_power)

Node.__pow__, Node.__rpow__ = power, lambda a, b: power(b, a)
