"""fastbp/_ir/conditions.py: comparisons that are joined, == and !=; and that nothing asks a node what it cannot
know."""

import math
import operator

import numpy as np
import pytest
from oracle import agrees, central

from fastbp import graph as g
from fastbp._ir.conditions import is_condition

S, T, A = g.input("s"), g.input("t"), g.parameter("a", 3)
ROWS = {"s": np.array([-1.0, 0.5, 2.0, np.nan]), "t": np.array([0.0, 0.5, 3.0, 1.0])}


def value(node):
    """The rows of a node of s and t."""
    plan = g.compile(g.mean(S * T), {"it": node}, dtype="float64")
    return plan.forward(s=ROWS["s"], t=ROWS["t"])["it"][:, 0].tolist()


# each beside what NumPy says; columns of arrays stand for one number of each sample
MEANINGS = {
    "&": lambda s, t: (s > 0) & (s < 1),
    "|": lambda s, t: (s < 0) | (t > 2),
    "^": lambda s, t: (s < 1) ^ (t < 1),
    "~": lambda s, t: ~(s < 1),
    "together": lambda s, t: ~((s >= 0.5) & (t <= 0.5)) ^ ((s != t) | (t == 3)),
    "== of nodes": lambda s, t: s == t,
    "!= of nodes": lambda s, t: s != t,
    "== of a number": lambda s, t: 0.5 == s,  # noqa: SIM300 -- the reflected operator
    "!= of a number": lambda s, t: s != np.float64(0.5),
    "== of an array": lambda s, t: np.array([0.5]) == s,
    "< of an array": lambda s, t: np.array([0.7]) < s,
    "with True": lambda s, t: True & (s < 1),
    "with np.False_": lambda s, t: np.False_ | (s < 1),
    "with bools": lambda s, t: np.array([True]) ^ (s < 1),
    "of constants": lambda s, t: (g.constant(1.0) < 2) & (s < 1) if isinstance(s, g.Node) else s < 1,
}


@pytest.mark.parametrize("name", MEANINGS)
def test_conditions_mean_what_they_do_in_numpy(name):
    made = MEANINGS[name](S, T)
    assert is_condition(made)
    assert value(made) == MEANINGS[name](ROWS["s"], ROWS["t"]).astype(float).tolist()


def test_the_mean_of_a_band():
    w = g.parameter("w", init=1.0)
    plan = g.compile(g.mean(g.where((S > 0) & (S < 1), w, 0.0)))
    loss, grads = plan.loss_and_grad(s=[-1.0, 0.5, 2.0])
    assert loss == pytest.approx(1 / 3, rel=1e-6)
    assert grads["w"] == pytest.approx(1 / 3, rel=1e-6)


def test_gradients_go_to_what_was_taken():
    x, a = g.input("x", 3), A
    band = (x * a > 0.2) & ~(x > 1) | (a == x)
    loss = g.mean(g.where(band, g.square(x * a), x + a)) + g.sum(g.where((a != 0.7) ^ (a < 0.5), a * a, a))
    rows = {"x": np.random.default_rng(0).uniform(0.3, 1.4, (5, 3))}
    central(agrees(loss, rows), rows)


@pytest.mark.parametrize(
    "made",
    [
        lambda: g.where(S < 1, S < 0, T < 0),
        lambda: (A < 1)[0:2],
        lambda: g.reshape(A < 1, (1, 3)),
        lambda: g.concat([S < 1, T < 1]),
        lambda: g.freeze(S < 1),
        lambda: g.constant([0.0, 1.0]),
        lambda: g.gather(g.parameter("M", (4, 2)) < 1, g.input("i", integer=True)),
    ],
)
def test_conditions_that_were_moved_are_conditions(made):
    assert is_condition(made())
    assert is_condition(made() & True)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: S & (S < 1),
        lambda: (S < 1) & 1,
        lambda: S < 1 | T < 1,
        lambda: ~S,
        lambda: (S < 1) ^ np.array([1, 0]),
        lambda: (S < 1) & g.constant(0.5),
        lambda: (S < 1) * 2.0 | (T < 1),
        lambda: (S < 1) & "a",
    ],
)
def test_numbers_are_no_conditions(wrong):
    with pytest.raises(TypeError, match=r"[&|^~]: operand is .*, expected a condition, such as \(0 < s\) & .*x != 0"):
        wrong()


def test_what_is_no_number_is_not_equal_to_a_node():
    assert (S == None) is False  # noqa: E711
    assert (S != "s") is True
    assert not isinstance(object() == S, g.Node)
    assert len({S, T, S}) == 2  # by identity
    with pytest.raises(TypeError, match="of integers"):
        g.input("i", integer=True) == 1  # noqa: B015


ASKED = {
    "a chain": lambda: 0 < S < 1,
    "and": lambda: S < 1 and T,
    "or": lambda: S < 1 or T,
    "not": lambda: not S,
    "if": lambda: 1 if S < 1 else 0,
    "max": lambda: max(S, T),
    "min": lambda: min(S, T),
    "sorted": lambda: sorted([S, T]),
    "any": lambda: any([S < 1]),
    "bool": lambda: bool(A),
    "in a list": lambda: A in [S, T],
    "index": lambda: [S, T].index(T),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_node_has_no_truth(what):
    with pytest.raises(
        TypeError,
        match=r"<.*> is neither true nor false before there are data, .*graph.where\(condition, a, b\), \(a < b\) & "
        r"\(b < c\), .*~\(a < b\), graph.maximum, graph.minimum, or `is`",
    ):
        ASKED[what]()


REFUSED = {
    "float": (lambda: float(S), "is no number before there are data; use the functions of fastbp.graph, such as"),
    "int": (lambda: int(S), "is no number before there are data"),
    "math.sin": (lambda: math.sin(S), "such as graph.sin for math.sin"),
    "np.array": (lambda: np.array(S), "is no array before there are data; use the functions of fastbp.graph, such as"),
    "np.array of nodes": (lambda: np.array([S, T]), "is no array before there are data"),
    "np.mean": (lambda: np.mean(S), "graph.sum for np.sum"),
    "np.where": (lambda: np.where(S > 0, 1, 2), "is no array"),
    "np.sin": (lambda: np.sin(S), r"np.sin of <.*>, which is no array .*graph.exp for np.exp"),
    "np.maximum": (lambda: np.maximum(S, 1), "np.maximum of <"),
    "np.add.reduce": (lambda: np.add.reduce(S), "np.add of <"),
    "np.add into an array": (lambda: np.add(S, 1, out=np.ones(1)), "np.add of <"),
    "round": (lambda: round(S), "__round__"),
    "//": (lambda: S // 2, "unsupported operand"),
    "% of an array": (lambda: np.ones(1) % S, "np.remainder of <"),
    "divmod": (lambda: divmod(S, 2), "unsupported operand"),
    "len": (lambda: len(S), "no len"),
    "iter": (lambda: list(A), "not iterable"),
    "in": (lambda: 1 in A, "not a container"),
    "range": (lambda: range(S), "cannot be interpreted as an integer"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_needs_a_number_is_refused(what):
    call, message = REFUSED[what]
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "lt", "le", "gt", "ge", "eq", "ne"])
def test_operators_of_arrays_are_those_of_nodes(name):
    """On either side, and as NumPy's functions, which Python asks first where the array stands on the left."""
    apply, function = getattr(operator, name), {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "lt": np.less, "le": np.less_equal,
        "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    }[name]  # fmt: skip
    x, X, array = g.input("x", 3), np.array([[1.0, -2.0, 3.0], [4.0, 2.0, 0.5]]), np.array([1.0, 2.0, 3.0])
    outputs = {"left": apply(array, x), "right": apply(x, array), "f left": function(array, x), "f": function(x, array)}
    got = g.compile(g.mean(g.sum(x)), outputs=outputs, dtype="float64").forward(x=X)
    for key, wanted in {"left": apply(array, X), "right": apply(X, array)}.items():
        assert (got[key] == wanted).all() and (got["f left" if key == "left" else "f"] == wanted).all()


def test_nodes_that_cannot_be_compared_lead_to_identity():
    with pytest.raises(ValueError, match=r"do not broadcast, .*, or ask with `is` whether two nodes are the same one"):
        [g.input("x", 2), A].index(g.input("z", 3))


def test_what_works_as_with_numbers():
    assert +S is S
    assert value(abs(S - 1) * 0 + sum([T, 1, T])) == [1.0, 2.0, 7.0, pytest.approx(math.nan, nan_ok=True)]
    assert value(np.float64(2) * T - np.array([1.0]) / 2) == [-0.5, 0.5, 5.5, 1.5]
    for key in (S, np.array([True])):
        with pytest.raises(IndexError, match="takes from the batch"):
            S[key]


def test_two_inputs_of_products_in_any_order():
    """Which rows are prefetched is a matter of identity."""
    x, z, W = g.input("x", 50), g.input("z", 50), g.parameter("W", (50, 3))
    plan = g.compile(g.mean(g.square(x @ W + z @ W)))
    rows = {name: np.ones((20, 50), "float32") for name in "xz"}
    history = plan.fit(rows, batch_size=4, progress=False)
    assert np.isfinite(history.history["loss"][0])
