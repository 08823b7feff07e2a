"""Arguments of fit, predict, evaluate, loss_and_grad and forward: values of every kind, drawn from the bytes."""

import itertools
import warnings

import numpy as np

import fastbp as fb
from fuzz.judge import attempt, check

CORPUS = "arguments"
INPUTS, UNITS = 3, 2


class Draw:
    """Choices from bytes; zeros after their end."""

    def __init__(self, data):
        self.bytes = itertools.chain(data, itertools.repeat(0))

    def below(self, n):
        return next(self.bytes) % n

    def of(self, table):
        return table[self.below(len(table))]


SIZES = (4, 4, 4, 4, 1, 5, 0, 3, 2, 7)
DTYPES = ("float32", "float64", "float32", "uint8", "int8", "float16", "int64", "uint64", "bool", ">f4", ">f8",
          "longdouble", "complex64", "object", "U3", "S2", "M8[s]", "int32", "uint16", "V4")  # fmt: skip
SCALARS = (None, True, False, 0, 1, -1, 2, 3, 4, 0.5, 1.5, -0.0, 2**31, 2**63, 2**64, -(2**70), 1e30, 1e-320,
           float("nan"), float("inf"), "", "auto", "x", "ignore", "float32", b"x", 1j, np.float32(0.5), np.int64(3),
           np.bool_(True), (), [], {}, [1], (2, 1), {0: 1.0, 1: 2.0}, {"a": 1}, {5: 1.0}, {0: -1.0}, object, len,
           np.array(2), np.ones(1), 10**400, -(10**5000), np.datetime64("2024-01-01"), range(3), {1,
           2})  # fmt: skip


def rows(draw, n, width):
    """An array of about (n, width), in some dtype and layout, with some values in it; or what is none."""
    kind = draw.below(12)
    if kind == 0:
        return draw.of(SCALARS)
    shape = (n + draw.of((0, 0, 0, 1, -n)), width + draw.of((0, 0, 0, 0, 1, -1)))[: draw.of((2, 2, 2, 2, 1))]
    shape = tuple(max(0, side) for side in shape) + (1,) * draw.of((0, 0, 0, 0, 1))
    dtype = np.dtype(draw.of(DTYPES))
    values = (np.arange(np.prod(shape, dtype=int) * 4) % 7 - (0 if dtype.kind in "ub" else 3)).astype("float64")
    array = values[: np.prod(shape, dtype=int)].reshape(shape)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            array = array.astype(dtype) if dtype.kind != "V" else array.astype("f4").view("V4")
        except (TypeError, ValueError):
            return draw.of(SCALARS)
    if draw.below(6) == 1 and array.size and array.dtype.kind in ("f", "O"):
        array.flat[draw.below(array.size)] = draw.of((np.nan, np.inf, -np.inf, 1e38, 60000.0, 1e-40, -1.0))
    if draw.below(9) == 1 and array.size and array.dtype.kind in "iu":
        array.flat[draw.below(array.size)] = draw.of((127, 5, 2, 1, 0))
    return laid_out(draw, array)


def laid_out(draw, array):
    kind = draw.below(16)
    if kind == 1:
        return array.tolist()
    if kind == 2:
        return np.asfortranarray(array)
    if kind == 3:
        return np.repeat(array, 2, axis=0)[::2]
    if kind == 4:
        return array[::-1]
    if kind == 5 and array.ndim > 1:
        return np.concatenate([array, array], axis=1)[:, : array.shape[1]]
    if kind == 6:
        return np.broadcast_to(array[:1], array.shape)
    if kind == 7:
        array.flags.writeable = False
        return array
    if kind == 8:
        return np.ma.masked_array(array, mask=draw.below(2) * np.ones(array.shape, bool))
    if kind == 9:
        return array.T
    if kind == 10 and array.dtype.itemsize > 1:
        buffer = np.zeros(array.nbytes + 1, np.uint8)
        moved = buffer[1:].view(array.dtype).reshape(array.shape) if array.dtype.kind not in "O" else array
        moved[...] = array
        return moved
    if kind == 11:
        return memoryview(array) if array.dtype.kind in "fiu" else array
    if kind == 12:
        return array.view(np.matrix) if array.ndim == 2 else array
    if kind == 13:
        return iter(array.tolist())
    return array


def target(draw, n):
    kind = draw.below(5)
    if kind <= 1:
        labels = (np.arange(n) % UNITS).astype(
            draw.of(("int64", "int32", "uint8", "bool", "float32", "int8", "uint64"))
        )
        if draw.below(6) == 1 and n:
            labels[draw.below(n)] = draw.of((2, 1, 0, 127))
        return laid_out(draw, labels if draw.below(4) else labels.reshape(-1, 1))
    return rows(draw, n, UNITS)


NETS = [fb.mlp(INPUTS, 4, UNITS, activation="tanh", loss=loss, seed=1, dtype=dtype, **more)
        for loss, dtype, more in (("cross_entropy", "float32", {}), ("mse", "float64", {}), ("poisson", "float32", {}),
                                  ("binary_cross_entropy", "float64", {"dropout": 0.5}), ("huber", "float32", {}),
                                  ("cross_entropy", "float64", {"input_scale": 1 / 255}))]  # fmt: skip
SETTINGS = ("epochs", "batch_size", "shuffle", "seed", "sample_weight", "class_weight", "validation_split",
            "validation_data", "metrics", "callbacks", "early_stopping", "threads", "progress",
            "optimizer")  # fmt: skip
USUAL = {"epochs": 1, "batch_size": 3, "progress": False}
KINDS = (ValueError, TypeError, FloatingPointError)


def settings(draw, n):
    found = dict(USUAL)
    for _ in range(draw.of((0, 0, 1, 1, 2, 3))):
        name, value = draw.of(SETTINGS), draw.of(SCALARS)
        if name == "sample_weight" and draw.below(3):
            value = rows(draw, n, 1)
        elif name == "validation_data" and draw.below(3):
            value = rows(draw, n, INPUTS), target(draw, n)
        if name in ("callbacks", "metrics") and callable(value):
            value = None  # what it raised when it is called would be its own
        if name in ("epochs", "threads") and isinstance(value, int) and value > 4:
            value = 4
        if name == "progress" and value is True:
            value = False
        found[name] = value
    return found


def mutate(data, rng):
    data = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at, kind = rng.randrange(len(data)), rng.randrange(4)
        if kind <= 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 4))))
        elif len(data) > 2:
            del data[at]
    return bytes(data[:64])


def run(data):
    """Whether the call was taken."""
    draw = Draw(data)
    net, n, call = draw.of(NETS), draw.of(SIZES), draw.below(6)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return CALLS[call](net, draw, n)


def unchanged(net, function, *arguments, **options):
    """As attempt; whoever refuses has changed nothing."""
    before = net.params.tobytes(), net.grads.tobytes(), net.epochs
    taken, result = attempt(function, *arguments, kinds=KINDS, **options)
    after = net.params.tobytes(), net.grads.tobytes(), net.epochs
    check(taken or after == before, "refused, and something is changed")
    return taken, result


def plain_rows(X):
    """What an array should be read as, or None where that cannot be said."""
    try:
        array = np.asarray(X)
        return array.astype("float64") if array.dtype.kind in "fiub" and array.ndim == 2 else None
    except (TypeError, ValueError):
        return None


def predict(net, draw, n):
    X = rows(draw, n, INPUTS)
    copy = plain_rows(X)
    taken, outputs = unchanged(net, net.predict, X)
    if taken:
        check(outputs.dtype == net.dtype and outputs.ndim == 2 and outputs.shape[1] == UNITS, "outputs of another form")
        if copy is not None:
            check(np.array_equal(outputs, net.predict(copy), equal_nan=True), "other outputs than those of float64")
    return taken


def forward(net, draw, n):
    X, dY = rows(draw, n, INPUTS), rows(draw, n, UNITS)
    taken, outputs = unchanged(net, net.forward, X)
    if taken:
        backward, dX = attempt(net.backward, dY, kinds=KINDS)
        check(not backward or dX.shape == (len(outputs), INPUTS), "a gradient of another shape")
        net.grads[:] = 0
    return taken


def loss_and_grad(net, draw, n):
    X, y = rows(draw, n, INPUTS), target(draw, n)
    more = {} if draw.below(3) else {"sample_weight": rows(draw, n, 1)}
    taken, loss = unchanged(net, net.loss_and_grad, X, y, **more)
    check(not taken or isinstance(loss, float), "a loss that is no float")
    net.grads[:] = 0
    return taken


def evaluate(net, draw, n):
    X, y = rows(draw, n, INPUTS), target(draw, n)
    more = {} if draw.below(3) else {"sample_weight": rows(draw, n, 1)}
    taken, found = unchanged(net, net.evaluate, X, y, **more)
    check(not taken or isinstance(found["loss"], float), "a loss that is no float")
    return taken


def fit(net, draw, n):
    X, y, options = rows(draw, n, INPUTS), target(draw, n), settings(draw, n)
    params = net.params.copy()
    before, epochs = params.tobytes(), net.epochs
    taken, history = attempt(net.fit, X, y, kinds=KINDS, **options)
    check(np.isfinite(net.params).all(), "parameters are not finite")
    check(taken or net.params.tobytes() == before or net.epochs >= epochs, "fewer epochs than before")
    check(not taken or len(history.epoch) <= max(4, options["epochs"] or 0), "more epochs than were asked for")
    net.params[:] = params
    return taken


def norms(net, draw, n):
    """Gradients of single samples, of good numbers in any layout."""
    numbers = (np.arange(12.0) % 5).reshape(4, INPUTS)
    X = laid_out(draw, numbers.astype(draw.of(("float32", "float64", "uint8", "int8", "float16"))))
    taken, _ = unchanged(net, net.per_example_grad_norms, X, target(draw, 4))
    net.grads[:] = 0
    return taken


CALLS = (predict, norms, loss_and_grad, evaluate, fit, forward)
