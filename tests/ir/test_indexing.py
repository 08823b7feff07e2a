"""fastbp/_ir/indexing.py: reductions, parts and rows of tables, against single numbers and differences."""

import numpy as np
import pytest
from expression_cases import CASES, STRUCTURE, arrays, case, ending, leaves, needed, of
from oracle import agrees, central, compiled

from fastbp import graph as g


@pytest.mark.parametrize("op,name", of(STRUCTURE))
def test_against_single_numbers_and_differences(op, name):
    loss, data = case(op, name)
    plan = agrees(loss, data)
    if op != "freeze":  # a difference sees through it
        central(plan, data)


@pytest.mark.parametrize("op,name", of(STRUCTURE))
def test_float32(op, name):
    loss, data = case(op, name)
    agrees(loss, data, tolerance=2e-5, dtype="float32")


@pytest.mark.parametrize("op,name", of(STRUCTURE))
def test_every_isa_and_many_rows(op, name, isa):
    loss = CASES[op][name](leaves())
    agrees(loss, needed(loss, arrays(67)), tolerance=1e-11)


# ---- sums over the batch -------------------------------------------------------------------------------------------


def test_sums_over_axes_are_numpys():
    x, M = g.input("x", 3), g.parameter("M", (2, 3), init=np.arange(6.0).reshape(2, 3))
    X, A = np.random.default_rng(0).standard_normal((7, 3)), np.arange(6.0).reshape(2, 3)
    outputs = {
        "all": (g.sum(x), X.sum()),
        "batch": (g.sum(x, axis=0), X.sum(0)),
        "width": (g.sum(x, axis=-1), X.sum(1, keepdims=True)),
        "mean": (g.mean(x), X.mean()),
        "mean batch": (g.mean(x, axis=0), X.mean(0)),
        "mean width": (g.mean(x, axis=1), X.mean(1, keepdims=True)),
        "fixed": (g.sum(M), A.sum()),
        "rows": (g.sum(M, axis=0), A.sum(0)),
        "columns": (g.sum(M, axis=-1), A.sum(1, keepdims=True)),
        "fixed mean": (g.mean(M), A.mean()),
        "several": (g.sum([x, x, 1.0]), 2 * X + 1),
        "largest": (g.max(x), X.max(1, keepdims=True)),
    }
    plan = compiled(g.mean(x * M[0]), outputs={name: node for name, (node, _) in outputs.items()})
    plan.parameters["M"][:] = A
    for name, found in plan.forward(x=X).items():
        assert found.shape == outputs[name][1].shape, name
        assert np.allclose(found, outputs[name][1], rtol=1e-13), name


def test_a_sum_over_the_batch_is_added_up_in_double():
    """A block's rows in float32, the blocks in double: 100,000 times 0.1 one by one in float32 is off by 1e-4."""
    x = g.input("x")
    found = g.compile(g.mean(x)).loss(x=np.full(100_000, 0.1, np.float32))
    assert found == pytest.approx(float(np.float32(0.1)), rel=2e-6)


def test_logsumexp_of_large_numbers():
    x = g.input("x", 3)
    plan = compiled(g.mean(g.logsumexp(x)))
    assert plan.loss(x=[[1000.0, 1000.0, -1000.0]]) == pytest.approx(1000 + np.log(2), rel=1e-14)


def test_equal_largest_numbers_share_the_gradient():
    a = g.parameter("a", 3, init=[2.0, 2.0, 1.0])
    assert g.compile(g.sum(g.max(a))).loss_and_grad()[1]["a"].tolist() == [0.5, 0.5, 0.0]


def test_rows_that_are_gathered_twice_add_up():
    T, i = g.parameter("T", (3, 2), init=np.zeros((3, 2))), g.input("i", integer=True)
    _, grads = g.compile(g.sum(g.gather(T, i))).loss_and_grad(i=[2, 0, 2, 2])
    assert grads["T"].tolist() == [[1, 1], [0, 0], [3, 3]]


# ---- refused -------------------------------------------------------------------------------------------------------

X, A, M = g.input("x", 3), g.parameter("a", 3), g.parameter("M", (2, 3))
INDICES = {
    "the batch": (
        lambda: X[0],
        r"index \[0\] takes from the batch of <data 'x' \(batch, 3\)>, expected every sample; write",
    ),
    "outside": (lambda: A[3], r"index 3 is outside axis 0 of <parameter 'a' \(3,\)>, expected -3 to 2"),
    "outside, below": (lambda: M[-3], r"index -3 is outside axis 0 .*expected -2 to 1"),
    "too many axes": (lambda: A[0, 0], r"index \[0, 0\] has 2 axes, expected 1 for .*; leave some out"),
    "a step": (
        lambda: A[::2],
        r"index .* on axis 0 of length 3 takes nothing or has a step, expected .*; take the parts",
    ),
    "nothing": (lambda: A[2:1], r"takes nothing or has a step"),
    "a list": (
        lambda: A[[0, 1]],
        r"index \[0, 1\] \(list\) on axis 0, expected an int or a slice; for rows by number use gather",
    ),
    "a number": (lambda: A[1.0], r"index 1.0 \(float\) on axis 0, expected an int or a slice"),
    "a flag": (lambda: A[True], r"index True on axis 0"),
}


@pytest.mark.parametrize("what", INDICES)
def test_indices_that_are_refused(what):
    make, message = INDICES[what]
    with pytest.raises(IndexError, match=message):
        make()


def test_a_node_is_not_iterated():
    """x[0], x[1] ... until an IndexError would be a surprise."""
    with pytest.raises(TypeError):
        list(A)


def test_an_ending_of_a_column_stays_a_column():
    assert X[:, 1].shape == (1,)
    assert X[:, -1].begins == (2,)
    assert X[:, 1:2].shape == (1,)
    assert A[1].shape == ()
    assert M[1].shape == (3,)
    assert M[:, 1].shape == (2,)
    assert ending(M[0, 1]).shape == ()
