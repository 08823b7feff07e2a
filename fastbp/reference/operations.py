"""The operations of a graph of single numbers, one row each: what it computes, and beside it its local derivatives.

To be read, so in plain Python, with the best known activations; kernels.py has all, and tests compare both. At a kink
the derivative is that of the left side, 0 for relu and abs at 0; equal arguments of maximum and minimum share the
gradient. Numbers are float64 as IEEE 754 has them, without exceptions: 1 / 0 is inf and log(-1) nan, as in NumPy.
"""
import math


def ieee(f, *x):
    """f(*x) of the math module, but inf or nan where that raises an exception."""
    try:
        return f(*x)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


def quotient(a, b):
    return a / b if b else a * math.copysign(math.inf, b)       # 0 / 0 = 0 * inf = nan


def logarithm(x):
    return ieee(math.log, x) if x else -math.inf


def exponential(x):
    return ieee(math.exp, x)


def power(x, n):
    if x == 0 and n < 0:
        return quotient(1.0, math.pow(x, -n))
    y = ieee(math.pow, x, n)
    return -y if y == math.inf and x < 0 and n % 2 == 1 else y   # ieee does not know the sign of what overflowed


def sigmoid(x):
    e = math.exp(-abs(x))                                       # at most 1: never overflows
    return (1 if x >= 0 else e) / (1 + e)


def extreme(choose):
    return lambda *x: math.nan if any(map(math.isnan, x)) else choose(x)


def shares(y, *x):
    return [quotient(a == y, x.count(y)) for a in x]            # in equal parts to all that are the extreme


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772     # Klambauer et al., 2017, equation 14

OPERATIONS = {  # name: (the number y of the numbers x, [dy/dx for each x])
    "add":          (lambda *x: sum(x),                         lambda y, *x: [1.0] * len(x)),
    "subtract":     (lambda a, b: a - b,                        lambda y, a, b: [1.0, -1.0]),
    "multiply":     (lambda a, b: a * b,                        lambda y, a, b: [b, a]),
    "divide":       (quotient,                                  lambda y, a, b: [quotient(1.0, b), -quotient(y, b)]),
    "negative":     (lambda x: -x,                              lambda y, x: [-1.0]),
    "power":        (power,
                     lambda y, x, n: [n * power(x, n - 1) if n else 0.0,
                                                 y * logarithm(x) if x or n < 0 else 0.0]),     # 0 log 0 = 0
    "square":       (lambda x: x * x,                           lambda y, x: [2 * x]),
    "sqrt":         (lambda x: ieee(math.sqrt, x),              lambda y, x: [quotient(0.5, y)]),
    "abs":          (abs,                                       lambda y, x: [(x > 0) - (x < 0)]),
    "exp":          (exponential,                               lambda y, x: [y]),
    "log":          (logarithm,                                 lambda y, x: [quotient(1.0, x)]),
    "sin":          (lambda x: ieee(math.sin, x),               lambda y, x: [ieee(math.cos, x)]),
    "cos":          (lambda x: ieee(math.cos, x),               lambda y, x: [-ieee(math.sin, x)]),
    "maximum":      (extreme(max),                              shares),
    "minimum":      (extreme(min),                              shares),
    "less":         (lambda a, b: a < b,                        lambda y, a, b: [0.0, 0.0]),    # 1 for yes, 0 for no
    "less_equal":   (lambda a, b: a <= b,                       lambda y, a, b: [0.0, 0.0]),
    "equal":        (lambda a, b: a == b,                       lambda y, a, b: [0.0, 0.0]),
    "where":        (lambda c, a, b: a if c else b,             lambda y, c, a, b: [0.0, c != 0, c == 0]),
    "linear":       (lambda x: x,                               lambda y, x: [1.0]),
    "relu":         (lambda x: max(x, 0.0),                     lambda y, x: [x > 0]),
    "leaky_relu":   (lambda x: max(x, 0.01 * x),                lambda y, x: [1.0 if x > 0 else 0.01]),
    "elu":          (lambda x: x if x > 0 else math.expm1(x),   lambda y, x: [1.0 if x > 0 else math.exp(x)]),
    "selu":         (lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x)),
                     lambda y, x: [SELU_SCALE * (1.0 if x > 0 else SELU_ALPHA * math.exp(x))]),
    "sigmoid":      (sigmoid,                                   lambda y, x: [y * (1 - y)]),
    "hard_sigmoid": (lambda x: min(max((x + 3) / 6, 0.0), 1.0), lambda y, x: [1 / 6 if 0 < y < 1 else 0.0]),
    "tanh":         (math.tanh,                                 lambda y, x: [(1 - y) * (1 + y)]),
    "softsign":     (lambda x: x / (1 + abs(x)),                lambda y, x: [(1 - abs(y)) ** 2]),
    "softplus":     (lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),         lambda y, x: [sigmoid(x)]),
    "normal_cdf":   (lambda x: math.erfc(-x / math.sqrt(2)) / 2,
                     lambda y, x: [math.exp(-x * x / 2) / math.sqrt(2 * math.pi)]),
}
