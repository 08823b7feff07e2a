"""fastbp/_models/fast_calls.py: which calls are made again the short way, and that it is right where it is taken."""

import sys
import threading

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import Use
from fastbp._models.fast_calls import FastCalls, may_repeat

CONDITIONS = [  # (use, scale, loss, whether a call may be made again)
    (Use("train", 8), 1.0, "squared_error", True),
    (Use("predict", 8), 0.5, None, True),
    (Use("train", 8, labels=True), 1.0, "cross_entropy", True),
    (Use("train", 8), 1.0, "cross_entropy", False),  # its targets are between 0 and 1
    (Use("train", 8), 1.0, "poisson", False),
    (Use("train", 8), 1.0, fb.losses.MSE(missing="ignore"), False),
    (Use("train", 8, dtypes=(("X", "B"),)), 1.0, "squared_error", False),
    (Use("train", 8, weighted=True), 1.0, "squared_error", False),
    (Use("predict", 8), 2.0, None, False),
]


@pytest.mark.parametrize(("use", "scale", "loss", "expected"), CONDITIONS, ids=range(len(CONDITIONS)))
def test_what_only_the_long_way_looks_at_is_not_repeated(use, scale, loss, expected):
    assert bool(may_repeat(use, scale, None if loss is None else fb.losses.get(loss))) is expected


def outcome(call, *arguments, **named):
    """What a call gives or raises."""
    try:
        return call(*arguments, **named)
    except (ValueError, FloatingPointError) as error:
        return type(error), str(error)


# what is written into inputs, and where; 3e38 is finite until a scale makes it more
BAD = {"NaN": ((3, 1), np.nan), "infinity": ((0, 0), np.inf), "overflow": ((1, 1), 3e38)}


@pytest.mark.parametrize("options", [
    {}, {"loss": "poisson"}, {"loss": "cross_entropy"}, {"loss": "binary_cross_entropy"}, {"input_scale": 4.0},
    {"loss": fb.losses.MSE(missing="ignore")}, {"dropout": 0.5},
], ids=str)
def test_the_second_call_is_what_a_new_network_gives(options):
    """Of data that the long way refuses as well."""
    rng = np.random.default_rng(0)
    made = [fb.mlp(3, 4, 3, **options) for _ in range(2)]
    X = rng.random((8, 3)).astype("float32")
    y = np.eye(3, dtype="float32")[rng.integers(0, 3, 8)]
    for what in ("same", *BAD, "negative", "missing", "not a probability"):
        Xs, ys = X.copy(), y.copy()
        if what in BAD:
            Xs[BAD[what][0]] = BAD[what][1]
        elif what != "same":
            ys[2, 0] = {"negative": -1, "missing": np.nan, "not a probability": 1.5}[what]
        for net in made:
            net.epochs = 0
        made[0].loss_and_grad(X, y)  # this one has something to repeat
        made[0].predict(X)
        made[1]._fast = FastCalls(3, made[1].dtype)  # and this one has not
        made[0]._draws = made[1]._draws
        for name, arguments in (("loss_and_grad", (Xs, ys)), ("predict", (Xs,))):
            again, first = (outcome(getattr(net, name), *arguments) for net in made)
            assert np.array_equal(again, first, equal_nan=not isinstance(first, tuple)), (what, name)
            if name == "loss_and_grad" and not isinstance(first, tuple):
                assert made[0].grads.tobytes() == made[1].grads.tobytes(), what


def test_a_debugging_plan_takes_the_long_way_each_time():
    x, k = g.input("x"), g.parameter("k")
    loss = g.mean(g.square(x * k))
    plan, debugging = g.compile(loss), g.compile(loss, debug=True)
    for each in (plan, debugging):
        each.loss_and_grad(x=np.ones(4, "float32"))
    assert plan._fast.gradients is not None
    assert debugging._fast.gradients is None


def test_what_is_kept_is_in_one_threads_hands():
    """More threads than there are calls to make again, changing places often: none finds another one's."""
    net = fb.mlp(6, 5, 2, activation="tanh")
    X = np.random.default_rng(0).standard_normal((16, 64, 6)).astype("float32")
    expected = [net.predict(rows) for rows in X]
    wrong, interval = [], sys.getswitchinterval()

    def work(i):
        wrong.extend(i for _ in range(200) if not np.array_equal(net.predict(X[i]), expected[i]))

    sys.setswitchinterval(1e-6)
    try:
        workers = [threading.Thread(target=work, args=(i,)) for i in range(len(X))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
    assert len({id(ready) for ready in net._fast.predictions}) == len(net._fast.predictions)
