"""Derivatives of functions of fastbp.reference.Value, and by central differences."""

from fastbp.reference import Value
from fastbp.reference.gradcheck import gradcheck


def gradients(result, inputs):
    result.backward()
    return [x.grad for x in inputs]


def differentiate(f, *numbers):
    """The value and the gradient of f, a function of Values, at the given numbers."""
    inputs = [Value(x) for x in numbers]
    result = f(*inputs)
    return result.data, gradients(result, inputs)


def agree_with_differences(f, *numbers):
    _, gradient = differentiate(f, *numbers)
    return gradcheck(lambda x: f(*map(Value, x)).data, numbers, gradient).error < 1e-8
