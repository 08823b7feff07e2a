"""Activations and their slopes in NumPy and float64: forward Y = f(Z), backward dZ = dY f'(Z).

A backward reads the output Y or the input Z, whichever csrc/activations.inc says: the argument's name tells which.
"""

from math import erfc, pi, sqrt

import numpy as np

LEAKY_SLOPE = 0.01
ELU_ALPHA = 1.0
SELU_SCALE = 1.0507009873554804934  # Klambauer et al., 2017, equation 14
SELU_ALPHA = 1.6732632423543772848


def linear_forward(Z):
    return Z.copy()


def linear_backward(dY, Y):  # compiled code leaves it out
    return dY.copy()


def relu_forward(Z):
    return np.where(Z > 0, Z, 0)


def relu_backward(dY, Y):
    return np.where(Y > 0, dY, 0)


def leaky_relu_forward(Z):
    return np.where(Z > 0, Z, LEAKY_SLOPE * Z)


def leaky_relu_backward(dY, Y):
    return np.where(Y > 0, dY, LEAKY_SLOPE * dY)


def elu_forward(Z):
    """Clevert et al., 2016."""
    return np.where(Z > 0, Z, ELU_ALPHA * np.expm1(np.minimum(Z, 0)))


def elu_backward(dY, Y):
    return np.where(Y > 0, dY, dY * (Y + ELU_ALPHA))  # alpha exp(Z) = Y + alpha


def selu_forward(Z):
    return SELU_SCALE * np.where(Z > 0, Z, SELU_ALPHA * np.expm1(np.minimum(Z, 0)))


def selu_backward(dY, Y):
    return np.where(Y > 0, SELU_SCALE * dY, dY * (Y + SELU_SCALE * SELU_ALPHA))


def normal_cdf(Z):
    """Phi of the standard normal distribution; by erfc, because 1 + erf loses the digits of the lower tail."""
    return np.vectorize(lambda z: 0.5 * erfc(-z / sqrt(2)), otypes=[float])(Z)


def gelu_forward(Z):
    """Z Phi(Z), Hendrycks and Gimpel, 2016."""
    return Z * normal_cdf(Z)


def gelu_backward(dY, Z):
    return dY * (normal_cdf(Z) + Z * np.exp(-Z * Z / 2) / sqrt(2 * pi))


def gelu_tanh_forward(Z):
    """The same paper's approximation by tanh."""
    return 0.5 * Z * (1 + np.tanh(sqrt(2 / pi) * (Z + 0.044715 * Z**3)))


def gelu_tanh_backward(dY, Z):
    t = np.tanh(sqrt(2 / pi) * (Z + 0.044715 * Z**3))
    slope = sqrt(2 / pi) * (1 + 3 * 0.044715 * Z**2)
    return dY * (0.5 * (1 + t) + 0.5 * Z * (1 - t * t) * slope)


def silu_forward(Z):
    return Z * sigmoid_forward(Z)


def silu_backward(dY, Z):
    s = sigmoid_forward(Z)
    return dY * (s + Z * s * (1 - s))


def mish_forward(Z):
    """Z tanh(softplus(Z)), Misra, 2019."""
    return Z * np.tanh(softplus_forward(Z))


def mish_backward(dY, Z):
    t = np.tanh(softplus_forward(Z))
    return dY * (t + Z * (1 - t * t) * sigmoid_forward(Z))


def softplus_forward(Z):
    """log(1 + exp(Z))."""
    return np.maximum(Z, 0) + np.log1p(np.exp(-np.abs(Z)))


def softplus_backward(dY, Y):
    return dY * -np.expm1(-Y)  # sigmoid(Z) = 1 - exp(-Y)


def sigmoid_forward(Z):
    e = np.exp(-np.abs(Z))  # at most 1: never overflows
    return np.where(Z >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_backward(dY, Y):
    return dY * Y * (1 - Y)


def hard_sigmoid_forward(Z):
    """clip(Z / 6 + 1 / 2, 0, 1)."""
    return np.clip(Z / 6 + 0.5, 0, 1)


def hard_sigmoid_backward(dY, Y):
    return np.where((Y > 0) & (Y < 1), dY / 6, 0)


def tanh_forward(Z):
    return np.tanh(Z)


def tanh_backward(dY, Y):
    return dY * (1 - Y * Y)


def softsign_forward(Z):
    return Z / (1 + np.abs(Z))


def softsign_backward(dY, Y):
    return dY * (1 - np.abs(Y)) ** 2  # 1 - |Y| = 1 / (1 + |Z|)


def exponential_forward(Z):
    return np.exp(Z)


def exponential_backward(dY, Y):
    return dY * Y


def softmax_forward(Z):
    """exp(Z) / sum exp(Z) of each row."""
    e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_backward(dY, Y):
    return Y * (dY - (dY * Y).sum(axis=1, keepdims=True))


ACTIVATIONS = [name.removesuffix("_forward") for name in dir() if name.endswith("_forward")]
