"""fastbp/_training/finite.py: an error names the node where a number first is not finite, on the way forward or
back."""

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g

QUIET = {"progress": False}


def length(debug=False):
    """|a| as people write it first: its value at 0 is finite, its slope is not."""
    a = g.parameter("a", 3)
    return g.compile(g.sqrt(g.sum(a * a)) + 0 * g.mean(g.input("x")), debug=debug, dtype="float64")


SLOPE = r"at the gradient of <.* \(\)>, which comes back through <sqrt \(\)>, made from <.*>"
HINT = r"eep what it is made from where its slope is finite, by graph.maximum\(x, 1e-6\) .*graph.norm, whose slope at 0"


def test_a_gradient_that_is_not_finite_is_named_by_fit():
    plan = length()
    with pytest.raises(
        FloatingPointError,
        match=rf"step 1: a parameter of a stopped being finite, as its gradient does {SLOPE}; the .*\. K{HINT}",
    ):
        plan.fit({"x": [1.0]}, **QUIET)
    assert (plan.params == 0).all()


def test_it_is_named_by_an_optimizer_in_a_loop_of_ones_own():
    plan = length()
    plan.loss_and_grad(x=[1.0])
    with pytest.raises(
        FloatingPointError,
        match=rf"a gradient of a is not finite; nothing was changed; it begins {SLOPE}; k{HINT}",
    ):
        fb.SGD().step(plan)
    plan.parameters["a"][:] = 1
    plan.loss_and_grad(x=[1.0])
    plan.grads[0] = np.nan  # of the user's own making
    with pytest.raises(FloatingPointError, match="a gradient of a is not finite; nothing was changed; use a smaller"):
        fb.SGD().step(plan)


def test_it_is_named_by_debug():
    with pytest.raises(FloatingPointError, match=rf"the loss is 0.0 {SLOPE}; k{HINT}"):
        length(debug=True).loss_and_grad(x=[1.0])
    with pytest.raises(FloatingPointError, match=rf"step 1: a number is not finite {SLOPE}; .*\. K{HINT}"):
        length(debug=True).fit({"x": [1.0]}, **QUIET)


def test_a_branch_that_was_not_taken_is_named():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    plan = g.compile(g.mean(g.where(x > 0, g.log(a * x), 0.0)), dtype="float64")
    with pytest.raises(
        FloatingPointError,
        match=r"step 1: a parameter of a .* at the gradient of <multiply \(batch, 1\)>, which comes back through "
        r"<log \(batch, 1\)>, made from <multiply \(batch, 1\)>; .*graph.where before it - around it is too late",
    ):
        plan.fit({"x": [0.0, 1.0]}, **QUIET)
    safe = g.compile(g.mean(g.where(x > 0, g.log(g.where(x > 0, a * x, 1.0)), 0.0)), dtype="float64")
    assert np.isfinite(safe.loss_and_grad(x=[0.0, 1.0])[1]["a"])


def test_an_update_that_is_too_large_is_no_fault_of_a_gradient():
    a = g.parameter("a", init=1.0)
    plan = g.compile(g.mean(g.input("x") * a))
    with pytest.raises(FloatingPointError, match=r"a parameter of a stopped being finite; .*\. Use a smaller lr"):
        plan.fit({"x": [1e30]}, optimizer=fb.SGD(lr=1e30), **QUIET)


@pytest.mark.parametrize(
    "made, remedy",
    [
        (lambda x, a: g.log(x * a), "keep what it is made from where its value is finite, by .*, or use a smaller lr"),
        (lambda x, a: 1 / (x * a), "keep what it is made from where its value is finite"),
        (lambda x, a: g.exp(1000 - x + a), "use a smaller lr or clip_norm, or scale the data"),
    ],
)
def test_what_to_do_about_a_value(made, remedy):
    x, a = g.input("x"), g.parameter("a")
    with pytest.raises(FloatingPointError, match=f"the loss is .* at <.*, made from <.*; {remedy}"):
        g.compile(g.mean(made(x, a))).loss_and_grad(x=[1.0])


def test_what_to_do_about_leaves():
    x, a = g.input("x"), g.parameter("a")
    plan = g.compile(g.mean(x * a))
    with pytest.raises(FloatingPointError, match=r"at <data 'x' .*>; clean the data, or leave rows out"):
        plan.loss_and_grad(x=np.array([np.nan], "float32"))
    plan.params[:] = np.inf
    with pytest.raises(FloatingPointError, match=r"at <parameter 'a' .*>; write finite numbers into the parameter"):
        plan.loss_and_grad(x=[1.0])


def test_the_masks_of_the_step_are_those_that_are_looked_at():
    """With half of the inputs dropped at random, log(0) is met at some step: the message's look must meet it, too."""
    x, a = g.input("x", 4), g.parameter("a", init=1.0)
    plan = g.compile(g.mean(g.where(fb.Dropout(0.05)(x) > 0, 1.0, 0.0) * a), seed=1)
    bad = g.compile(g.mean(g.log(fb.Dropout(0.05)(x) * a)), seed=1)
    for _ in range(100):
        value = plan.loss_and_grad(x=np.ones((1, 4)))[0]
        if value == 1:
            assert np.isfinite(bad.loss_and_grad(x=np.ones((1, 4)))[0])
            continue
        with pytest.raises(FloatingPointError, match="the loss is -inf at <log"):
            bad.loss_and_grad(x=np.ones((1, 4)))
        break
    assert value < 1
    rows = {"x": np.ones((100, 4))}
    with pytest.raises(FloatingPointError, match="the loss became -inf at <log"):
        plan = g.compile(g.mean(g.log(fb.Dropout(0.05)(x) * a)), seed=1)
        plan.fit(rows, batch_size=1, optimizer=fb.SGD(lr=1e-6), **QUIET)


@pytest.mark.parametrize("pole", [lambda x: g.log(x), lambda x: 1.0 / x, lambda x: x**-1.0])
def test_a_pole_that_a_factor_stands_before_is_named(pole):
    v, x = g.parameter("v", init=0.0), g.input("x")
    plan = g.compile(g.mean(g.where(x > 0, v * pole(x), 0.0)))
    with pytest.raises(FloatingPointError, match=r"at the gradient of .*Keep what it is made from where its "):
        plan.fit({"x": np.array([0.0, 1.0, 2.0])}, epochs=3, progress=False)
