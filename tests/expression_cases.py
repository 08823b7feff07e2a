"""Expressions to test, one or more for each operation of fastbp._ir.node.OPERATIONS: by broadcasting, axes and reader.

A case is a function of the leaves below and gives a loss. tests/ir/test_node.py sees to it that every operation has
one.
"""

from types import SimpleNamespace

import numpy as np

import fastbp as fb
from fastbp import graph as g

SEVERAL = 5  # samples


def leaves():
    """Inputs x (B, 3), z (B, 3), y (B, 1), w (B, 1), i and j of integers; parameters by their letter."""
    return SimpleNamespace(
        x=g.input("x", 3),
        z=g.input("z", 3),
        y=g.input("y"),
        w=g.input("w"),
        f=g.input("f", 6),
        i=g.input("i", integer=True),
        j=g.input("j", integer=True),
        a=g.parameter("a", 3),
        b=g.parameter("b"),
        c=g.parameter("c", 4),
        d=g.parameter("d", (2, 1)),
        M=g.parameter("M", (2, 3)),
        W=g.parameter("W", (3, 4)),
        V=g.parameter("V", (4, 3)),
        T=g.parameter("T", (5, 3)),
    )


def arrays(n=SEVERAL, seed=0):
    """Data for every input: real numbers in [0.3, 1.4], and integers."""
    rng = np.random.default_rng(seed)
    real = {
        name: rng.uniform(0.3, 1.4, (n, width)) for name, width in (("x", 3), ("z", 3), ("y", 1), ("w", 1), ("f", 6))
    }
    return {**real, "i": rng.integers(0, 5, n), "j": rng.integers(0, 3, n)}


def needed(node, data):
    """The data of the inputs that a node needs."""
    from fastbp._ir.node import ordered

    return {one.name: data[one.name] for one in ordered([node]) if one.op == "data"}


def ending(node):
    """A loss whose gradient differs from number to number and is not constant."""
    return g.mean(g.square(node + 0.3)) + 0.1 * g.mean(node * node * node)


# ---- elementwise: every way in which two shapes broadcast ----------------------------------------------------------

SHAPES = {
    "(B,3)": lambda s: s.x,
    "(B,3)'": lambda s: s.z,
    "(B,1)": lambda s: s.y,
    "(B,2,3)": lambda s: g.reshape(s.f, (2, 3)),
    "(B,2,1)": lambda s: g.reshape(s.f[:, 1:3], (2, 1)),
    "()": lambda s: s.b,
    "(3,)": lambda s: s.a,
    "(1,)": lambda s: s.a[1:2],
    "(2,1)": lambda s: s.d,
    "(2,3)": lambda s: s.M,
    "(1,3)": lambda s: s.W[1:2, 1:4],
    "number": lambda s: g.constant(0.7),
    "numbers": lambda s: g.constant([0.5, 0.9, 1.3]),
}
# what strides cannot say, and g refuses: a fixed matrix, or a row for each sample, beside (B, 2, 3) or (B, 3)
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "maximum": g.maximum,
    "minimum": g.minimum,
    "less": lambda a, b: (a < b) * a + b,
    "less_equal": lambda a, b: (a <= b) * b + a,
    "equal": lambda a, b: g.equal(a, b) * b + a,
}
UNARY = {
    "square": g.square,
    "power": lambda x: x**3 + x**1.7 - x**-2 + x**-0.5,
    "exp": g.exp,
    "log": g.log,
    "sqrt": g.sqrt,
    "abs": lambda x: abs(x - 0.8),
    "sign": lambda x: g.sign(x - 0.8) * x,
    "sin": lambda x: g.sin(3 * x),
    "cos": lambda x: g.cos(3 * x),
}


def pairs():
    """Names of shapes that broadcast together."""
    found = []
    for a in SHAPES:
        for b in SHAPES:
            s = leaves()
            try:
                SHAPES[a](s) + SHAPES[b](s)
            except ValueError:
                continue
            if {a, b} - {"number", "numbers"}:
                found.append((a, b))
    return found


def u(s):
    """(B, 2, 3), which depends on parameters."""
    return g.reshape(s.f, (2, 3)) * s.a


# ---- the other operations ------------------------------------------------------------------------------------------

CASES = {
    "select": {
        "of inputs": lambda s: ending(g.where(s.x < s.a, s.x * s.a, s.z * s.b)),
        "of one column": lambda s: ending(g.where(s.y < s.b, s.x * s.a, s.a)),
        "fixed": lambda s: ending(g.where(s.a < 0.7, s.a, s.b)),
    },
    "variable_power": {
        "of nodes": lambda s: ending(s.x**s.a + 2**s.a + s.a**s.b),
        "at 0": lambda s: ending((s.x * np.array([0.0, 1.0, 0.0])) ** (s.a + 1)),
        "several numbers": lambda s: ending((s.a - 0.8) ** np.array([0.0, 1.0, 2.0])),
        "slopes": lambda s: ending(g.grad(g.sum(s.x**s.a), s.a)) + ending(g.grad(g.sum(s.x**s.a), s.x)),
    },
    "and": {
        "a band": lambda s: ending(g.where((s.x < s.a) & (s.z < s.b), s.x * s.a, s.z)),
        "fixed": lambda s: ending(g.where((s.a < 0.9) & (s.b < 0.9), s.a, s.b)),
    },
    "or": {
        "two sides": lambda s: ending(g.where((s.x < 0.5) | (s.a < s.y), s.x * s.a, s.z)),
    },
    "expand": {
        "a parameter for each sample": lambda s: ending(g.concat([s.x, g.grad(g.sum(s.y * s.b), s.y)])),
        "a power of 0": lambda s: ending(s.x**0 * s.b + s.a**0) + ending(s.y**0 + s.M**0 * s.d),
        "kept by a product": lambda s: ending(g.dense(s.x * g.grad(g.sum(s.x * s.a), s.x), s.W)),
    },
    "reshape": {
        "batched": lambda s: ending(g.reshape(s.f, (2, 3)) * s.M[0]),
        "fixed": lambda s: ending(s.f * g.reshape(s.M, 6)),
        "of a part": lambda s: ending(s.f * g.reshape(s.T[0:2, :], 6) + g.reshape(s.W[0:3, 1:3], 6)),
        "there and back": lambda s: ending(g.reshape(g.tanh(g.reshape(s.f, (3, 2))), (6,)) * s.b),
        "with -1": lambda s: ending(g.reshape(s.f * s.b, (3, -1))),
    },
    "row_sum": {
        "batched": lambda s: ending(g.sum(s.x * s.a, axis=-1)),
        "two axes": lambda s: ending(g.sum(u(s), axis=-1) * s.d[1]),
        "fixed": lambda s: ending(g.sum(s.M * s.a, axis=-1)) + g.sum(g.exp(s.a)),
        "mean": lambda s: ending(g.mean(s.x * s.a, axis=-1)) + ending(g.mean(s.M, axis=-1)),
    },
    "column_sum": {
        "fixed": lambda s: ending(g.sum(s.M * s.M, axis=0) * s.a),
        "mean": lambda s: ending(g.mean(s.M, axis=0) * s.x),
        "all": lambda s: g.sum(s.M * s.M) * g.mean(s.M) + g.mean(s.W),
    },
    "batch_sum": {
        "used again": lambda s: ending(s.x * s.a - g.mean(s.x * s.a * s.a, axis=0)),
        "a sum": lambda s: ending(g.sum(s.x * s.a, axis=0) * s.b),
        "two axes": lambda s: ending(g.mean(u(s), axis=0) * s.M),
        "normalised": lambda s: ending(
            (s.x * s.a - g.mean(s.x * s.a, axis=0)) / g.sqrt(g.mean(g.square(s.x * s.a), axis=0) + 0.1)
        ),
    },
    "total": {
        "mean": lambda s: g.mean(s.x * s.a) * g.mean(s.z * s.b),
        "sum": lambda s: g.sum(s.x * s.a) * 0.01 + g.sum(s.y) * s.b,
        "of squares": lambda s: g.mean(g.square(s.x * s.a)) + g.exp(-g.mean(s.x * s.b)),
        "read by samples": lambda s: ending(s.x * s.a - g.mean(s.x * s.a)),
    },
    "row_max": {
        "batched": lambda s: ending(g.max(s.x * s.a) * s.x),
        "two axes": lambda s: ending(g.max(u(s)) + u(s)),
        "fixed": lambda s: ending(g.max(s.M * s.a) * s.M),
    },
    "row_logsumexp": {
        "batched": lambda s: ending(g.logsumexp(3 * s.x * s.a)),
        "two axes": lambda s: ending(g.logsumexp(u(s)) * s.y),
        "fixed": lambda s: ending(g.logsumexp(s.M)) + ending(g.logsumexp(s.a)),
    },
    "slice": {
        "columns": lambda s: ending(s.x[:, 0:2] * s.a[1:3] + s.x[:, 2] * s.a[0]),
        "fixed matrix": lambda s: ending(s.x @ s.W[:, 1:3] * s.W[0, 1:3] + s.W[2, 3]),
        "rows of a table": lambda s: ending(s.x * s.T[3] + s.T[-1] * s.T[1:2, 0]),
        "two axes": lambda s: ending(u(s)[:, 1, 0:2] * u(s)[..., 0, 2]),
        "a vector": lambda s: ending(s.a[0] * s.a[1:3] + s.a[-1]),
    },
    "pad": {
        "a part of the gradient": lambda s: ending(g.grad(g.sum(g.square(s.x[:, 1:3]) * s.b), s.x) * s.a),
        "fixed": lambda s: ending(g.grad(g.sum(s.W[1:3, 0:2] ** 3), s.W)),
        "fixed vector": lambda s: ending(g.grad(s.a[1] ** 3, s.a) * s.x),
        "two axes": lambda s: ending(g.grad(g.sum(g.exp(u(s)[:, 1:2, 0:2])), s.f)),
    },
    "concat": {
        "batched": lambda s: ending(g.tanh(g.concat([s.x * s.a, s.y * s.b]) @ s.V)),
        "fixed": lambda s: ending(s.c * g.concat([s.a, s.c[0:1]]) + g.concat([s.W[0:2, 0:1], s.M])),
        "two axes": lambda s: ending(g.concat([u(s), g.reshape(s.f, (2, 3))])),
        "twice the same": lambda s: ending(g.concat([s.x * s.b, s.x * s.b])),
    },
    "freeze": {
        "a part": lambda s: ending(s.x * s.a * g.freeze(g.tanh(s.a))),
        "batched": lambda s: ending(s.x * s.a - g.freeze(s.x * s.a) + g.freeze(s.x @ s.W)[:, 0:3]),
    },
    "gather": {
        "a table": lambda s: ending(g.gather(s.T, s.i) * s.x),
        "an expression": lambda s: ending(g.gather(s.T * s.a, s.i)),
        "twice": lambda s: ending(g.gather(s.T, s.i) * g.gather(s.T, s.j)),
    },
    "scatter": {
        "rows again": lambda s: ending(g.grad(g.mean(g.square(g.gather(s.T, s.i)) * s.x), s.T)),
        "gathered": lambda s: ending(g.gather(g.grad(g.sum(g.exp(g.gather(s.T, s.i))), s.T), s.j)),
    },
    "dense": {
        "with bias": lambda s: ending(g.dense(s.x, s.W, s.c)),
        "without": lambda s: ending(s.x @ s.W),
        "an expression of weights": lambda s: ending(s.x @ (s.W * s.a[0] + g.exp(s.W))),
        "a column": lambda s: ending(s.x @ s.a),
        "shared": lambda s: ending(g.tanh(g.tanh(s.x @ s.W) @ s.V) @ s.W),
        "two layers": lambda s: ending(g.dense(g.dense(s.x, s.W, s.c, "tanh"), s.V, s.a, "sigmoid")),
        "read in two ways": lambda s: ending((z := g.dense(s.x, s.W, s.c)) * g.tanh(z)),
        "part of weights": lambda s: ending(s.x @ s.W[:, 1:3]),
    },
    "input_gradient": {
        "of a network": lambda s: ending(g.grad(g.sum(g.tanh(g.dense(s.x, s.W, s.c))), s.x)),
    },
    "weight_gradient": {
        "used": lambda s: ending(g.grad(g.mean(g.tanh(g.dense(s.x, s.W, s.c))), s.W)),
        "read by samples": lambda s: ending(s.x @ g.grad(g.mean(g.square(s.x @ s.W)), s.W)),
    },
    "matmul": {
        "matrices": lambda s: ending(s.x @ (s.W @ s.V)),
        "vectors": lambda s: ending(s.a @ s.W + s.W @ s.c[0:4] @ s.a + s.a @ s.a),
        "a constant": lambda s: ending(np.ones((2, 3)) @ s.W),
    },
    "transpose": {
        "of a gradient": lambda s: ending(g.grad(g.sum(g.square(s.M @ s.W)), s.M)),
        "twice": lambda s: ending(g.grad(g.sum(g.exp(s.M @ s.W)), s.W) * s.c),
    },
    "activation": {
        name: lambda s, name=name: (
            ending(g.dense(s.x - 0.8, s.W, s.c - 0.7, name))
            + ending(getattr(g, name, g.exp)(s.a - 0.8))
            + ending(getattr(g, name, g.exp)(u(s)))
        )
        for name in sorted(set(fb.graph._p.activations()) - {"linear"})
    },
    "activation_gradient": {
        name: lambda s, name=name: ending(g.grad(g.sum(g.dense(s.x - 0.8, s.W, s.c - 0.7, name) * s.c), s.x))
        for name in sorted(set(fb.graph._p.activations()) - {"linear"})
    },
    "dropout": {
        "layers": lambda s: ending(fb.Dropout(0.4)(s.x * s.a)),
        "twice": lambda s: ending(fb.Dropout(0.5)(fb.Dropout(0.2)(s.x * s.a) * s.b)),
        "one that is read twice": lambda s: ending((m := fb.Dropout(0.4)(s.x * s.a)) * g.tanh(m)),
    },
    "penalty": {
        "l2": lambda s: ending(fb.Dense(3, 2, "tanh", l2=0.1)(s.x * s.a)),
        "l1 and l2": lambda s: ending(fb.Dense(3, 2, "tanh", l1=0.2, l2=0.1)(s.x)),
    },
    "loss": {
        "squared_error": lambda s: g.squared_error(s.x * s.a, s.z),
        "half_squared_error": lambda s: g.half_squared_error(s.x * s.a, s.z),
        "mse": lambda s: g.mse(s.x @ s.W[:, 0:3], s.z),
        "mae": lambda s: g.mae(s.x * s.a, s.z),
        "huber": lambda s: g.huber(s.x * s.a, s.z, delta=0.3),
        "quantile": lambda s: g.quantile(s.x * s.a, s.z, q=0.3),
        "poisson": lambda s: g.poisson(s.x * s.a, s.z),
        "binary_cross_entropy": lambda s: g.binary_cross_entropy(s.x * s.a, s.z),
        "cross_entropy": lambda s: g.cross_entropy(s.x * s.a, s.z),
        "labels": lambda s: g.cross_entropy(s.x * s.a, s.j, label_smoothing=0.1),
        "smoothed target": lambda s: g.cross_entropy(s.x * s.b, s.z * s.a, label_smoothing=0.2),
        "weights": lambda s: g.mse(s.x * s.a, s.z, weights=s.y) + g.cross_entropy(s.x @ s.W, s.j, weights=s.w),
        "target of parameters": lambda s: g.mse(s.x, s.z * s.a) + g.cross_entropy(s.x * s.b, s.z * s.a),
        "weights of parameters": lambda s: g.huber(s.x * s.a, s.z, s.y * s.b, delta=0.3),
        "two of one": lambda s: (m := g.mse(s.x * s.a, s.z)) * m + g.exp(-m),
    },
    "loss_gradient": {
        "squared_error": lambda s: ending(g.grad(g.squared_error(v := s.x * s.a, s.z), v)),
        "half_squared_error": lambda s: ending(g.grad(g.half_squared_error(v := s.x * s.a, s.z), v)),
        "mse": lambda s: ending(g.grad(g.mse(v := s.x * s.a, s.z, weights=s.y), v)),
        "mae": lambda s: ending(g.grad(g.mae(v := s.x * s.a, s.z), v) * v),
        "huber": lambda s: ending(g.grad(g.huber(v := s.x * s.a, s.z, delta=0.3), v)),
        "quantile": lambda s: ending(g.grad(g.quantile(v := s.x * s.a, s.z, q=0.3), v) * v),
        "poisson": lambda s: ending(g.grad(g.poisson(v := s.x * s.a, s.z), v)),
        "binary_cross_entropy": lambda s: ending(g.grad(g.binary_cross_entropy(v := s.x * s.a, s.z), v)),
        "cross_entropy": lambda s: ending(g.grad(g.cross_entropy(v := s.x * s.a, s.z), v)),
        "labels": lambda s: ending(g.grad(g.cross_entropy(v := s.x * s.a, s.j, label_smoothing=0.1), v)),
        "weights of parameters": lambda s: ending(g.grad(g.mse(v := s.x * s.a, s.z, s.y * s.b), v)),
    },
}

ELEMENTWISE = {*BINARY, *UNARY, "variable_power", "select", "and", "or"}
ELEMENTWISE |= {"expand", "reshape", "row_sum", "batch_sum", "column_sum"}
STRUCTURE = {"total", "row_max", "row_logsumexp", "slice", "pad", "concat", "freeze", "gather", "scatter"}
PRODUCTS = set(CASES) - ELEMENTWISE - STRUCTURE


def of(operations):
    """[(operation, name of a case)] for pytest to go through."""
    return [(op, name) for op in sorted(operations) if op in CASES for name in CASES[op]]


def case(op, name):
    """(loss, its data) of a case."""
    loss = CASES[op][name](leaves())
    return loss, needed(loss, arrays())
