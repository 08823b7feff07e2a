"""The oracle of expressions: any graph evaluated sample by sample in single numbers, fastbp.reference.Value, which has
the chain rule of its own. Arrays here are of objects, one Value for each number; nothing is shared with the engine.

Differences beside it: the same graph's loss, moved along random directions.
"""

import math
import warnings

import numpy as np

from fastbp import graph as g
from fastbp._ir.node import ordered
from fastbp.reference import kernels
from fastbp.reference import value as v
from fastbp.reference.value import Value, apply, number

# ---- operations ----------------------------------------------------------------------------------------------------

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def each(function, *arrays):
    """function of single numbers, applied element by element: an array of objects."""
    out = np.frompyfunc(function, len(arrays), 1)(*arrays)
    return out if isinstance(out, np.ndarray) else np.array(out, object)


def rowwise(function, array):
    """function of a list, applied to the last axis; it gives a list."""
    rows = [function(list(row)) for row in array.reshape(-1, array.shape[-1])]
    return np.array(rows, object).reshape(*array.shape[:-1], -1)


def logistic(x):
    return apply("sigmoid", x)


def normal_density(x):
    return apply("exp", -0.5 * x * x) / math.sqrt(2 * math.pi)


def gelu_tanh_slope(x):
    k = 2 * math.sqrt(2 / math.pi)
    s = logistic(k * (x + 0.044715 * x * x * x))
    return s + x * s * (1 - s) * k * (1 + 3 * 0.044715 * x * x)


def mish_slope(x):
    t = apply("tanh", apply("softplus", x))
    return t + x * (1 - t * t) * logistic(x)


def positive(y, yes, no):
    return yes if number(y) > 0 else no


# d activation / dz from what the operation reads: the output y or, for the smooth ones that have no such form, z
SLOPES = {
    "relu": lambda y: positive(y, 1.0, 0.0),
    "leaky_relu": lambda y: positive(y, 1.0, 0.01),
    "elu": lambda y: positive(y, 1.0, y + 1),
    "selu": lambda y: positive(y, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),
    "gelu": lambda z: apply("normal_cdf", z) + z * normal_density(z),
    "gelu_tanh": gelu_tanh_slope,
    "silu": lambda z: logistic(z) * (1 + z * (1 - logistic(z))),
    "mish": mish_slope,
    "softplus": lambda y: 1 - apply("exp", -y),
    "sigmoid": lambda y: y * (1 - y),
    "hard_sigmoid": lambda y: 1 / 6 if 0 < number(y) < 1 else 0.0,
    "tanh": lambda y: 1 - y * y,
    "softsign": lambda y: (1 - apply("abs", y)) * (1 - apply("abs", y)),
    "exponential": lambda y: y,
}


def activation_gradient(node, dy, y):
    if node.activation == "softmax":
        return y * (dy - (dy * y).sum(-1, keepdims=True))
    return dy * each(SLOPES[node.activation], y)


def cross_entropy(y, t, smoothing):
    t = [(1 - smoothing) * one + smoothing / len(t) for one in t]
    return v.logsumexp(y) * sum(t) - sum(a * b for a, b in zip(y, t, strict=True))


def units(function):
    """A loss that is a sum over outputs."""
    return lambda y, t, param: v.sum_([function(a, b, param) for a, b in zip(y, t, strict=True)])


def huber(y, t, delta):
    d = apply("abs", y - t)
    return d * d / 2 if number(d) <= delta else delta * (d - delta / 2)


# the loss of one sample, of lists of outputs and targets, before its scale
LOSSES = {
    "squared_error": units(lambda y, t, _: (y - t) * (y - t)),
    "half_squared_error": units(lambda y, t, _: 0.5 * (y - t) * (y - t)),
    "mae": units(lambda y, t, _: apply("abs", y - t)),
    "huber": units(huber),
    "quantile": units(lambda y, t, q: apply("maximum", q * (t - y), (q - 1) * (t - y))),
    "poisson": units(lambda y, t, _: apply("exp", y) - t * y),
    "binary_cross_entropy": units(lambda y, t, _: apply("softplus", y) - t * y),
    "cross_entropy": cross_entropy,
}


def softmax_less(y, t, smoothing):
    t = [(1 - smoothing) * one + smoothing / len(t) for one in t]
    return [a * sum(t) - b for a, b in zip(v.softmax(y), t, strict=True)]


def each_unit(function):
    return lambda y, t, param: [function(a, b, param) for a, b in zip(y, t, strict=True)]


def clipped(d, delta):
    return apply("minimum", apply("maximum", d, -delta), delta)


def sign(x):
    return float(np.sign(number(x)))


# d loss of one sample / dy
LOSS_SLOPES = {
    "squared_error": each_unit(lambda y, t, _: 2 * (y - t)),
    "half_squared_error": each_unit(lambda y, t, _: y - t),
    "mae": each_unit(lambda y, t, _: sign(y - t)),
    "huber": each_unit(lambda y, t, delta: clipped(y - t, delta)),
    "quantile": each_unit(lambda y, t, q: 1 - q if number(y) > number(t) else -q),
    "poisson": each_unit(lambda y, t, _: apply("exp", y) - t),
    "binary_cross_entropy": each_unit(lambda y, t, _: logistic(y) - t),
    "cross_entropy": softmax_less,
}


def samples(node, table, y, t, *weights):
    """[a row of `table` for each sample, times its weight and the loss's scale]."""
    function, width = node.function, y.shape[1]
    scale = 1 / (len(y) * (width if function.over_units else 1))
    if node.inputs[1].attributes.get("integer"):
        t = np.eye(width)[t[:, 0].astype(int)]
    found = [table[function.row](list(a), list(b), function.param) for a, b in zip(y, t, strict=True)]
    w = weights[0][:, 0] if weights else np.ones(len(y))
    return [np.array(one, object) * w_i * scale for one, w_i in zip(found, w, strict=True)]


def scattered(node, dy, index):
    out = np.zeros(node.shape, object)
    for i, row in zip(index[:, 0].astype(int), dy, strict=True):
        out[i] = out[i] + row
    return out


def block(node, shape):
    """The index of a block of this shape that begins at node.begins, beside the batch."""
    return (..., *(slice(b, b + n) for b, n in zip(node.begins, shape, strict=True)))


def padded(node, x):
    out = np.zeros((*x.shape[: x.ndim - len(node.shape)], *node.shape), object)
    out[block(node, node.inputs[0].shape)] = x
    return out


def with_batch(node, x):
    return (len(x), *node.shape) if node.batched else node.shape


ROWS = {
    "slice": lambda node, x: x[block(node, node.shape)],
    "pad": padded,
    "concat": lambda node, *x: np.concatenate(x, -1),
    "reshape": lambda node, x: x.reshape(with_batch(node, x)),
    "freeze": lambda node, x: each(number, x),
    "row_sum": lambda node, x: x.sum(-1, keepdims=True),
    "row_max": lambda node, x: rowwise(lambda row: [v.max_(row)], x),
    "row_logsumexp": lambda node, x: rowwise(lambda row: [v.logsumexp(row)], x),
    "column_sum": lambda node, x: x.reshape(node.inputs[0].rows, -1).sum(0),
    "batch_sum": lambda node, x: x.sum(0).reshape(node.shape),
    "gather": lambda node, table, index: table[index[:, 0].astype(int)],
    "scatter": scattered,
    "dense": lambda node, x, W, *b: x @ W + (b[0] if b else 0.0),
    "input_gradient": lambda node, dz, W: dz @ W.T,
    "weight_gradient": lambda node, x, dz: x.reshape(len(x), -1).T @ dz.reshape(len(dz), -1),
    "matmul": lambda node, a, b: a @ b,
    "transpose": lambda node, a: a.T,
    "activation": lambda node, z: (
        rowwise(v.softmax, z)
        if node.activation == "softmax"
        else each(lambda one: apply_activation(node.activation, one), z)
    ),
    "activation_gradient": activation_gradient,
    "loss": lambda node, *x: np.array(sum(samples(node, LOSSES, *x)), object),
    "loss_gradient": lambda node, *x: np.array(samples(node.loss, LOSS_SLOPES, *x), object),
}


def apply_activation(name, z):
    """By the Value's own method; an activation that it has none of is the reference kernel's, of one number."""
    z = z if isinstance(z, Value) else Value(z)
    if hasattr(z, name):
        return getattr(z, name)()
    y = float(getattr(kernels, f"{name}_forward")(np.float64(z.data)))
    backward = getattr(kernels, f"{name}_backward")
    reads = z.data if "Z" in backward.__code__.co_varnames[:2] else y
    return Value(y, None, name, (z,), [float(backward(np.float64(1), np.float64(reads)))])


# {operation: the row of fastbp/reference/operations.py, or a function of Values made of such rows}
MAPS = {
    **{name: name for name in ("add", "subtract", "multiply", "divide", "square", "exp", "log", "sqrt", "abs", "sin")},
    **{name: name for name in ("cos", "less", "less_equal", "equal", "maximum", "minimum")},
    **{"select": "where", "and": "multiply", "or": "maximum"},
}


def evaluate(roots, leaves, batch, masks=None):
    """{node: array of objects} of everything that roots need. leaves: {input's name or parameter node: array}; masks:
    {dropout's mask: what it multiplies by}."""
    known = {}
    for node in ordered(roots):
        x = [known[child] for child in node.inputs]
        if node.op in ("data", "parameter"):
            made = leaves[node.name if node.op == "data" else node]
        elif node.op == "constant":
            made = (node.value / batch**node.per_batch).astype(object)
        elif node.op == "total":
            made = np.array(x[0].sum() * (node.scale / batch**node.per_batch), object)
        elif node.op == "dropout":
            made = x[0] * masks[node.mask]
        elif node.op in ROWS:
            made = ROWS[node.op](node, *x)
        else:
            made = mapped(node, x, batch)
        known[node] = made if isinstance(made, np.ndarray) else np.array(made, object)
    return known


def variable_power(x, n, factor, logarithms):
    power, log = apply("power", x, n), 0.0 if number(x) == 0 and number(n) >= 0 else apply("log", x)
    if logarithms:
        for _ in range(logarithms):
            power = power * log
    return 0.0 if number(factor) == 0 and not math.isfinite(number(power)) else power * factor


def mapped(node, x, batch):
    """An elementwise operation: operands broadcast beside the batch."""
    aligned = []
    for child, one in zip(node.inputs, x, strict=True):
        axes = (1,) * (len(node.shape) - len(child.shape)) if child.batched else ()
        aligned.append(one.reshape(len(one), *axes, *child.shape) if child.batched else one)
    if node.op == "expand":
        made = aligned[0]
    elif node.op == "power":
        made = each(lambda one: apply("power", one, node.param), *aligned)
    elif node.op == "variable_power":
        made = each(lambda *one: variable_power(*one, node.param), *aligned)
    elif node.op == "sign":
        made = each(sign, *aligned)
    else:
        of = MAPS[node.op]
        made = each(of if callable(of) else lambda *one: apply(of, *one), *aligned)
    return np.broadcast_to(made, (batch, *node.shape) if node.batched else node.shape)


def known_operations():
    others = {"data", "parameter", "constant", "total", "dropout", "expand", "power", "variable_power", "sign"}
    return {*ROWS, *MAPS, *others}


# ---- a plan against the oracle -------------------------------------------------------------------------------------


def compiled(loss, dtype="float64", low=0.3, high=1.2, **options):
    """A plan with parameters drawn from an interval."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a case may leave parameters out
        plan = g.compile(loss, dtype=dtype, **options)
    plan.params[:] = np.random.default_rng(1).uniform(low, high, plan.params.size)
    return plan


def truth(plan, data, masks=None):
    """(value, {name: gradient}) of a plan's loss, penalties included: inputs and parameters, by the chain rule over
    single numbers."""
    as_values = {}
    for name in plan._of_loss:
        array = np.asarray(data[name])
        array = array.reshape(len(array), -1)
        as_values[name] = array if plan._leaves[name].integer else each(Value, array.astype(float))
    for name, node in plan._names.items():
        as_values[node] = each(Value, plan.parameters[name].astype(float))
    n = len(next(iter(data.values()))) if data else 1
    result = evaluate([plan.loss_node], as_values, n, masks)[plan.loss_node][()]
    for node in plan._names.values():
        l1, l2 = node.attributes.get("penalty", (0, 0))
        result = result + v.sum_([l1 * apply("abs", w) + l2 * w * w for w in as_values[node].ravel()])
    result = result if isinstance(result, Value) else Value(result)
    result.backward()
    names = {node: name for name, node in plan._names.items()}
    grads = {
        names.get(key, key): each(lambda one: one.grad, array).astype(float)
        for key, array in as_values.items()
        if array.dtype == object
    }
    return result.data, grads


def close(found, expected, tolerance):
    size = max(1.0, float(np.abs(expected).max(initial=0)))
    return np.abs(np.asarray(found, float) - expected).max(initial=0) <= tolerance * size


def agrees(loss, data, tolerance=1e-12, dtype="float64", **options):
    """Asserts value and gradients, for parameters and for inputs, against Value; returns the plan."""
    plan = compiled(loss, dtype, **options)
    value, grads = plan.loss_and_grad(**data)
    expected, slopes = truth(plan, {name: data[name] for name in plan._of_loss})
    assert close(value, expected, tolerance), (value, expected)
    for name, gradient in grads.items():
        assert close(gradient, slopes[name], 10 * tolerance), (name, gradient, slopes[name])
    leaves = [plan._leaves[name] for name in plan._of_loss if not plan._leaves[name].integer]
    for node, gradient in zip(leaves, plan.grads_of(leaves), strict=True):
        assert close(gradient, slopes[node.name], 10 * tolerance), (node, gradient, slopes[node.name])
    return plan


def central(plan, data, tolerance=1e-6, second=True, seed=2):
    """Asserts the gradient, and the Hessian times a vector, of a float64 plan against central differences along random
    directions, 1e-6 relative to their size."""
    rng, h, at = np.random.default_rng(seed), 1e-5, plan.params.copy()
    for _ in range(2):
        along = rng.standard_normal(at.size)
        values, grads = [], []
        for step in (h, -h):
            plan.params[:] = at + step * along
            values.append(plan.loss_and_grad(**data)[0])
            grads.append(plan.grads.copy())
        plan.params[:] = at
        plan.loss_and_grad(**data)
        exact, numeric = float(plan.grads @ along), (values[0] - values[1]) / (2 * h)
        assert abs(exact - numeric) <= tolerance * max(1, abs(exact)), (exact, numeric)
        if second:
            numeric = (grads[0] - grads[1]) / (2 * h)
            exact = plan.hvp(along, **data)
            assert close(numeric, exact, tolerance), (exact, numeric)
