"""Central differences: the slope of a function by trying, to check a gradient that claims to know it.

Nudge a number a little up and a little down; the slope is the difference of the two results over the distance:

    (f(x + h) - f(x - h)) / (2 h) = f'(x) + O(h^2) + O(rounding / h)

The two errors balance near h = cbrt(2.2e-16) = 6e-6 for numbers of size 1, which leaves about ten correct digits in
float64: enough to tell a wrong derivative from a right one, and hopeless in float32. f must be smooth between x - h
and x + h: keep the kinks of relu or mae out of reach.

Source: Nocedal and Wright, "Numerical Optimization", 2nd edition, section 8.1.
"""
from typing import NamedTuple

import numpy as np

STEP = 6e-6


class Result(NamedTuple):
    """The worst disagreement found. Tests compare `error` with a tolerance; the rest helps to find the fault."""

    error: float        # |numerical - claimed|, relative to the larger of the two (or to what rounding can resolve)
    place: tuple        # index of the entry of x, or (number of the random direction,)
    numerical: float    # the slope by central differences
    claimed: float      # the slope by the gradient under test


def slope(f, x, direction, step=STEP):
    """The derivative of f at x along `direction`, by one central difference; x and direction: arrays of one shape."""
    return (f(x + step * direction) - f(x - step * direction)) / (2 * step)


def numerical_gradient(f, x, step=STEP):
    """The gradient of f at x, an array of x's shape, two calls of f for each entry. Each entry's step grows with it."""
    x = np.asarray(x, np.float64)
    gradient = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        direction = np.zeros(x.shape)
        direction[place] = max(1.0, abs(x[place]))
        gradient[place] = slope(f, x, direction, step) / direction[place]
    return gradient


def gradcheck(f, x, gradient, step=STEP):
    """Compares every entry of `gradient`, shaped like x, with central differences of f: array -> float. A Result."""
    x, gradient = np.asarray(x, np.float64), _shaped(gradient, x)
    numerical = numerical_gradient(f, x, step)
    return _worst(numerical, gradient, f(x), step)


def gradcheck_directions(f, x, gradient, directions=3, step=STEP, seed=0):
    """The same along a few random directions of length about 1: a wrong entry anywhere spoils every projection, so two
    calls of f a direction check a gradient of any size. It says that something is wrong; gradcheck says what."""
    x, gradient = np.asarray(x, np.float64), _shaped(gradient, x)
    drawn = np.random.default_rng(seed).standard_normal((directions, *x.shape)) / np.sqrt(max(x.size, 1))
    numerical = np.array([slope(f, x, direction, step) for direction in drawn])
    claimed = np.array([np.sum(gradient * direction) for direction in drawn])
    return _worst(numerical, claimed, f(x), step)


def _shaped(gradient, x):
    gradient = np.asarray(gradient, np.float64)
    if gradient.shape != np.shape(x):
        raise ValueError(f"gradient has shape {gradient.shape}, but x has shape {np.shape(x)}: they must be equal")
    return gradient


def _worst(numerical, claimed, value, step):
    """A slope is not known better than rounding lets f be: below 1e7 roundings of f over the step, errors are counted
    against that floor, so that an exact zero does not fail for being compared with noise."""
    floor = 1e7 * np.finfo(np.float64).eps * max(abs(value), 1e-300) / step
    error = np.abs(numerical - claimed) / np.maximum(np.maximum(np.abs(numerical), np.abs(claimed)), floor)
    error = np.where(np.isnan(error), np.inf, error)
    place = np.unravel_index(np.argmax(error), error.shape)
    return Result(float(error[place]), tuple(int(i) for i in place), float(numerical[place]), float(claimed[place]))
