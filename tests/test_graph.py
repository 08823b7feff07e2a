"""fastbp/graph.py: what users write, and every wrong way to write it."""

import inspect

import numpy as np
import pytest
from oracle import compiled

import fastbp as fb
from fastbp import graph as g

# ---- what there is -------------------------------------------------------------------------------------------------


def test_the_public_names():
    for name in g.__all__:
        assert hasattr(g, name)
        assert inspect.getdoc(getattr(g, name)), name
    from fastbp import losses
    from fastbp._ir import nn

    assert g.__all__ == sorted(set(g.__all__))
    assert not set(losses.LOSSES) & set(nn.activations())
    assert set(losses.LOSSES) <= set(g.__all__)
    assert set(nn.activations()) - {"linear", "exponential"} <= set(g.__all__)


def test_the_example_of_the_module():
    x, y = g.inputs("x", "y")
    k = g.parameter("k", 6)
    loss = g.mean((g.sum(k[i] * x**i for i in range(6)) - y) ** 2)
    plan = g.compile(loss, dtype="float64")
    xs = np.linspace(-1, 1, 50)
    value, grads = plan.loss_and_grad(x=xs, y=np.cos(xs))
    assert value == pytest.approx((np.cos(xs) ** 2).mean(), rel=1e-13)
    assert grads["k"].shape == (6,)
    assert plan.fit({"x": xs, "y": np.cos(xs)}, optimizer=fb.SGD(lr=0.01), epochs=3, progress=False).epoch == [0, 1, 2]


# ---- what is refused, and in which words ---------------------------------------------------------------------------

X, Y, I = g.input("x", 3), g.input("y"), g.input("i", integer=True)  # noqa: E741
A, B, W, T = g.parameter("a", 3), g.parameter("b"), g.parameter("W", (3, 4)), g.parameter("T", (5, 3))
U = g.reshape(g.input("f", 6), (2, 3))
LOSS = g.mean(X * A)
INTEGERS = r"operand <data 'i' \(batch, 1\)> is of integers, expected real numbers; declare the input without"

REFUSED = {
    # leaves
    "input: name": (lambda: g.input(3), TypeError, r"name is 3 \(int\), expected a word; pass a str, such as 'x'"),
    "input: no name": (lambda: g.input(""), TypeError, r"name is '', expected a word"),
    "input: width": (lambda: g.input("x", 0), ValueError, r"width is 0, expected an integer >= 1; choose width"),
    "input: width of words": (lambda: g.input("x", "3"), TypeError, r"width is '3', expected an integer"),
    "input: integer": (lambda: g.input("x", integer=2), TypeError, r"integer is 2 \(int\), expected True or False"),
    "input: wide integers": (
        lambda: g.input("x", 2, integer=True),
        ValueError,
        r"width is 2 of integer input 'x', expected 1; declare an input for",
    ),
    "parameter: name": (lambda: g.parameter(None), TypeError, r"name is None, expected a word"),
    "parameter: shape": (lambda: g.parameter("a", (2, 0)), ValueError, r"shape is 0, expected an integer >= 1"),
    "parameter: three axes": (
        lambda: g.parameter("a", (2, 2, 2)),
        ValueError,
        r"shape of parameter 'a' is \(2, 2, 2\), expected at most two axes; re",
    ),
    "parameter: shape of words": (lambda: g.parameter("a", "3"), TypeError, r"shape is '3', expected an integer"),
    "parameter: init": (
        lambda: g.parameter("a", 2, init="glorot"),
        ValueError,
        r"init is 'glorot', expected one of: glorot_u",
    ),
    "parameter: init of a shape": (
        lambda: g.parameter("a", 2, init=[1, 2, 3]),
        ValueError,
        r"init has shape \(3,\), expected \(2,\)",
    ),
    "parameter: init of NaN": (
        lambda: g.parameter("a", init=np.nan),
        ValueError,
        r"init is nan, expected a finite number that float64 can hold; pass another",
    ),
    "constant: a node": (
        lambda: g.constant(X),
        TypeError,
        r"value is <data 'x' .*> .Node., expected numbers; to keep .* use freeze",
    ),
    "constant: words": (lambda: g.constant("a"), TypeError, r"operand is 'a', expected a node, a number or an array"),
    "freeze: words": (lambda: g.freeze("a"), TypeError, r"operand is 'a', expected a node"),
    # integers where reals are needed, and the other way round
    "integers: arithmetic": (lambda: I + 1, TypeError, rf"add: {INTEGERS}"),
    "integers: sum": (lambda: g.sum(I), TypeError, rf"total: {INTEGERS}"),
    "integers: mean": (lambda: g.mean(I, axis=0), TypeError, rf"batch_sum: {INTEGERS}"),
    "integers: max": (lambda: g.max(I), TypeError, rf"row_max: {INTEGERS}"),
    "integers: a part": (lambda: I[:, 0], TypeError, rf"slice: {INTEGERS}"),
    "integers: concat": (lambda: g.concat([X, I]), TypeError, rf"concat: {INTEGERS}"),
    "integers: activation": (lambda: g.tanh(I), TypeError, rf"tanh: {INTEGERS}"),
    "integers: dense": (lambda: g.dense(I, g.parameter("w", (1, 2))), TypeError, rf"dense: {INTEGERS}"),
    "integers: a target": (
        lambda: g.mse(Y, I),
        TypeError,
        r"mse: target <data 'i' .*> is of integers, expected real numbers; declare it without",
    ),
    "integers: weights": (lambda: g.mse(X, X, weights=I), TypeError, rf"loss: {INTEGERS}"),
    "integers: a layer": (lambda: fb.Dense(1, 2)(I), TypeError, rf"dense: {INTEGERS}"),
    "gather: a real index": (
        lambda: g.gather(T, Y),
        TypeError,
        r"index is <data 'y' \(batch, 1\)> .Node., expected an integer input; declare it with graph",
    ),
    "gather: numbers": (lambda: g.gather(T, [1, 2]), TypeError, r"index is \[1, 2\] .list., expected an integer input"),
    "gather: a batched table": (
        lambda: g.gather(X, I),
        ValueError,
        r"table is <data 'x' .*> .Node., expected a parameter of two axes, .*; pass one",
    ),
    # shapes
    "sum: a number": (lambda: g.sum(3), TypeError, r"x is 3 \(int\), expected a node or several nodes; pass a node, "
                                                   r"or a list"),
    "sum: words": (lambda: g.sum(["a"]), TypeError, r"operand is 'a', expected a node"),
    "sum: axis": (
        lambda: g.sum(X, axis=2),
        ValueError,
        r"axis is 2 of <data 'x' .*>, expected None, 0 or -1; reshape it",
    ),
    "sum: an inner axis": (lambda: g.sum(U, axis=1), ValueError, r"axis is 1 of .*, expected None, 0 or -1"),
    "mean: words": (lambda: g.mean("a"), TypeError, r"operand is 'a', expected a node"),
    "max: a number": (
        lambda: g.max(B),
        ValueError,
        r"max of <parameter 'b' \(\)>, expected a node with a width; a single",
    ),
    "softmax: a number": (
        lambda: g.softmax(2.0),
        ValueError,
        r"softmax of <constant \(\)>, expected a node with a width",
    ),
    "reshape: numbers": (
        lambda: g.reshape(X, (2, 2)),
        ValueError,
        r"shape is \(2, 2\) for <data 'x' .*>, expected at most two axes with 3 numb",
    ),
    "reshape: two -1": (lambda: g.reshape(W, (-1, -1)), ValueError, r"shape is \(-1, -1\) for <parameter 'W'"),
    "reshape: three axes": (lambda: g.reshape(W, (2, 2, 3)), ValueError, r"expected at most two axes with 12 numbers"),
    "reshape: words": (lambda: g.reshape(W, "12"), TypeError, r"shape is '12', expected an integer"),
    "concat: nothing": (lambda: g.concat([]), ValueError, r"concat: shapes none, expected nodes with a width"),
    "concat: fixed and batched": (
        lambda: g.concat([X, A]),
        ValueError,
        r"concat: shapes \(batch, 3\), \(3,\), expected .* all batched or all fixed, .*; re",
    ),
    "concat: numbers": (
        lambda: g.concat([B, B]),
        ValueError,
        r"concat: shapes \(\), \(\), expected nodes with a width",
    ),
    "concat: no list": (lambda: g.concat(3), TypeError, r"nodes is 3 \(int\), expected several nodes; pass a list of "
                                                        r"them"),
    "dense: shapes": (
        lambda: g.dense(X, T),
        ValueError,
        r"dense: x is <data 'x' .*> and W <parameter 'T' \(5, 3\)>, expected \(batch, inputs\)",
    ),
    "dense: b": (lambda: g.dense(X, W, A), ValueError, r"dense: b is <parameter 'a' \(3,\)>, expected .* shape \(4,\)"),
    "dense: activation": (
        lambda: g.dense(X, W, None, "tan"),
        ValueError,
        r"activation is 'tan', expected one of: .*; did you mean 'tanh'\?",
    ),
    "@: shapes": (
        lambda: X @ T,
        ValueError,
        r"@: shapes \(batch, 3\) and \(5, 3\), expected \(batch, k\) or \(m, k\) on .*sum\(a \*",
    ),
    "@: batched": (
        lambda: X @ X,
        ValueError,
        r"@: shapes \(batch, 3\) and \(batch, 3\), .*; for products of two batched nodes",
    ),
    "@: words": (lambda: X @ "a", TypeError, r"operand is 'a', expected a node"),
    "where: shapes": (
        lambda: g.where(X, W, 0),
        ValueError,
        r"select: shapes \(batch, 3\), \(3, 4\), \(\) do not broadcast",
    ),
    "clip: words": (lambda: g.clip(X, "a", 1), TypeError, r"operand is 'a', expected a node"),
    "clip: bounds": (
        lambda: g.clip(X, 3, 1),
        ValueError,
        r"^low is 3 \(int\) and high is 1 \(int\), expected low <= high; swap them$",
    ),
    "clip: one of several": (lambda: g.clip(X, [0, 0, 2], 1), ValueError, r"^low is \[0, 0, 2\] .*, expected low"),
    "clip: constants": (lambda: g.clip(X, g.constant(3.0), 1), ValueError, r"^low is .* and high is 1 .*, expected"),
    "clip: NaN": (lambda: g.clip(X, -1, float("nan")), ValueError, r"^high is nan.*, expected numbers; pass -inf"),
    "clip: shapes": (lambda: g.clip(X, [0, 0], [1, 1, 1]), ValueError, r"clip: shapes \(2,\), \(3,\) do not"),
    "a layer: width": (
        lambda: fb.Dense(2, 3)(X),
        ValueError,
        r"called on .*, expected a node of shape \(batch, 2\); pass an",
    ),
    "a layer: numbers": (lambda: fb.Dense(3, 3)(np.ones((2, 3))), ValueError, r"expected a node of shape \(batch, 3\)"),
    # losses
    "loss: fixed": (
        lambda: g.mse(A, A),
        ValueError,
        r"mse: y is <parameter 'a' .*, expected a row for each sample in both",
    ),
    "loss: width": (
        lambda: g.mse(X, Y),
        ValueError,
        r"mse: target is <data 'y' .*>, expected the shape of y, .*; slice or re",
    ),
    "loss: weights": (
        lambda: g.mse(X, X, weights=X),
        ValueError,
        r"mse: weights is <data 'x' .*>, expected \(batch, 1\), a number for each",
    ),
    "loss: setting": (lambda: g.huber(X, X, delta=0), ValueError, r"delta is 0, expected a finite number > 0; choose"),
    "loss: one class": (
        lambda: g.cross_entropy(Y, Y),
        ValueError,
        r"cross_entropy' on 1 unit is always 0, expected 2 units",
    ),
    "loss: words": (lambda: g.mse(X, "a"), TypeError, r"operand is 'a', expected a node"),
    # compile, show, grad
    "compile: not a scalar": (
        lambda: g.compile(X),
        ValueError,
        r"loss is <data 'x' \(batch, 3\)> .Node., expected a scalar node; take the mean of it: graph",
    ),
    "compile: a vector": (lambda: g.compile(A), ValueError, r"loss is <parameter 'a' \(3,\)> .Node., expected a "
                                                            r"scalar node"),
    "compile: a number": (lambda: g.compile(3.0), ValueError, r"loss is 3.0 \(float\), expected a scalar node"),
    "compile: outputs": (
        lambda: g.compile(LOSS, [X]),
        TypeError,
        r"outputs is \[.*\] \(list\), expected a dict of nodes; pass outputs=",
    ),
    "compile: outputs of numbers": (
        lambda: g.compile(LOSS, {"y": 3}),
        TypeError,
        r"outputs is .*, expected a dict of nodes",
    ),
    "compile: dtype": (
        lambda: g.compile(LOSS, dtype="int8"),
        ValueError,
        r"dtype is 'int8', expected 'float32' or 'float64'",
    ),
    "compile: seed": (lambda: g.compile(LOSS, seed=-1), ValueError, r"seed is -1, expected an integer >= 0"),
    "compile: debug": (lambda: g.compile(LOSS, debug="yes"), TypeError, r"debug is 'yes', expected True or False"),
    "compile: two inputs": (
        lambda: g.compile(g.mean(X + g.input("x", 3))),
        ValueError,
        r"two inputs are called 'x', expected a name for each; rename",
    ),
    "compile: two parameters": (
        lambda: g.compile(B * g.parameter("b")),
        ValueError,
        r"two parameters are called 'b', expected a name for each; rename",
    ),
    "show: words": (lambda: g.show("a"), ValueError, r"loss is 'a', expected a scalar node"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what):
    call, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        call()


# ---- data that are refused -----------------------------------------------------------------------------------------


def plan_of_rows():
    return compiled(g.mean(X * Y * A) + g.mean(g.gather(T, I)) + g.cross_entropy(X * B, g.input("j", integer=True)))


GOOD = {"x": np.ones((4, 3)), "y": np.ones(4), "i": [0, 1, 4, 2], "j": [0, 1, 2, 2]}
DATA = {
    "missing": ({"y": None}, ValueError, r"input 'y' is missing, expected x, y, i, j; pass y=\.\.\."),
    "unknown": ({"z": [1.0]}, ValueError, r"input 'z' is unknown, expected x, y, i, j; check the name"),
    "rows": ({"y": np.ones(3)}, ValueError, r"input 'y' has 3 rows, expected 4, as 'x' has; pass matching arrays"),
    "width": (
        {"x": np.ones((4, 2))},
        ValueError,
        r"x has shape \(4, 2\), expected \(n, 3\), one row for each sample; pass 3",
    ),
    "turned": ({"x": np.ones((3, 5))}, ValueError, r"x has shape \(3, 5\), expected \(n, 3\), .*x.T"),
    "a number": ({"y": 1.0}, ValueError, r"y has shape \(\), expected \(n, 1\)"),
    "empty": (
        {"x": np.ones((0, 3))},
        ValueError,
        r"x is empty \(shape \(0, 3\)\), expected at least one row of 3; pass data",
    ),
    "words": ({"y": ["a"] * 4}, TypeError, r"y has dtype <U1, expected real numbers .*; "),
    "complex": ({"y": np.ones(4) * 1j}, TypeError, r"y has dtype complex128, expected real numbers"),
    "None": ({"x": [None] * 4}, TypeError, r"x has dtype object, expected real numbers"),
    "large": ({"i": [0, 1, 5, 2]}, ValueError, r"i has 5 in it, expected 0 to 4; check the indices"),
    "negative": ({"i": [0, -1, 2, 3]}, ValueError, r"i has -1 in it, expected 0 to 4; check the indices"),
    "too many classes": ({"j": [0, 1, 2, 3]}, ValueError, r"j has 3 in it, expected 0 to 2; check the indices"),
    "reals as indices": (
        {"i": [0.0, 1.0, 2.0, 3.0]},
        TypeError,
        r"i has dtype float64, expected integers below 5; pass i.asty",
    ),
    "a matrix of indices": (
        {"i": np.zeros((4, 2), int)},
        ValueError,
        r"i has shape \(4, 2\), expected \(n,\), an integer for",
    ),
}


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize("ready", [False, True])
def test_data_that_are_refused(what, ready):
    """By a first call, and by one that could use the last call's plan again."""
    changed, error, message = DATA[what]
    data = {name: value for name, value in (GOOD | changed).items() if value is not None}
    plan = plan_of_rows()
    if ready:
        plan.loss_and_grad(**{name: np.asarray(value) for name, value in GOOD.items()})
    before = plan.grads.copy()
    for call in (
        plan.loss_and_grad,
        plan.loss,
        lambda **given: plan.hvp(plan.params, **given),
        lambda **given: plan.fit(given),
    ):
        with pytest.raises(error, match=message):
            call(**data)
    assert (plan.grads == before).all()
    assert np.isfinite(plan.loss_and_grad(**GOOD)[0])


def test_forward_without_outputs():
    with pytest.raises(ValueError, match=r"outputs is empty, expected the nodes that forward gives; pass "
                                         r"outputs=\{'name': node\} to compile"):
        plan_of_rows().forward(**GOOD)
