"""Random expressions of up to 200 operations with shared parts: single numbers, differences, threads, ISAs."""

import numpy as np
import pytest
from expression_cases import arrays
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import agrees, central, close, compiled

from fastbp import graph as g
from fastbp._core import cpu

# Bounded functions of bounded numbers, smooth but for kinks that nothing lies on.
STEPS = {
    "add": lambda u, v: 0.5 * (u + v),
    "subtract": lambda u, v: 0.5 * (u - v),
    "multiply": lambda u, v: u * v,
    "divide": lambda u, v: u / (1 + v * v),
    "sin": lambda u, v: g.sin(2 * u),
    "cos": lambda u, v: g.cos(u) * v,
    "exp": lambda u, v: g.exp(-(u * u)),
    "log": lambda u, v: g.log(1 + u * u),
    "sqrt": lambda u, v: g.sqrt(u * u + 0.5),
    "power": lambda u, v: (u * u + 0.5) ** -0.7,
    "exponent": lambda u, v: (u * u + 0.5) ** g.tanh(v),
    "nothing": lambda u, v: 0.5 * u**0 + 0.3 * v,
    "tanh": lambda u, v: g.tanh(u + v),
    "gelu": lambda u, v: g.tanh(g.gelu(u)),
    "softplus": lambda u, v: g.tanh(g.softplus(u)),
    "maximum": lambda u, v: g.maximum(u, 0.3 * v),
    "where": lambda u, v: g.where(u < 0.123456, u, v),
    "softmax": lambda u, v: g.softmax(u) + 0.1,
    "logsumexp": lambda u, v: g.tanh(g.logsumexp(u)),
    "max": lambda u, v: g.max(u),
    "width": lambda u, v: g.mean(u, axis=-1),
    "batch": lambda u, v: g.mean(u, axis=0),
    "all": lambda u, v: g.mean(u),
    "column": lambda u, v: u[..., 0:1] if u.batched else u[0:1],
    "concat": lambda u, v: g.concat([u, v])[..., 1:4],
    "product": lambda u, v: g.tanh(u @ v),
    "reshape": lambda u, v: g.reshape(u, -1),
    "pairs": lambda u, v: g.reshape(g.concat([u, v]), (2, -1)),
    "gradient": lambda u, v: g.tanh(g.grad(g.mean(g.sin(u) * v), u)),
}


def grow(pool, steps):
    """Adds nodes: each step works on two of those so far; steps that do not fit are left out."""
    for name, i, j in steps:
        u, v = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
        try:
            pool.append(STEPS[name](u, v))
        except (ValueError, IndexError):
            continue


def expression(steps):
    """(loss, how many operations it took)."""
    x, z, y = g.input("x", 3), g.input("z", 3), g.input("y")
    a, b, W = g.parameter("a", 3), g.parameter("b"), g.parameter("W", (3, 3))
    pool = [x - 0.8, z * a, y * b, a, b, W, x @ W]
    grow(pool, steps)
    loss = g.sum(g.mean(node) * (1 + i) for i, node in enumerate(pool[-6:]))
    return loss + 0.1 * g.mean(x * a * b) + 0.1 * g.sum(g.sin(W)) + 0 * g.mean(y * z), len(pool)


GRAPHS = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 12), st.integers(0, 30)), min_size=1, max_size=200
)


def of_parameters(steps):
    """A loss of parameters alone: nothing in it is added up over a batch, but for the steps that begin a mean."""
    a, b, c, W = g.parameter("a", 3), g.parameter("b"), g.parameter("c", 3), g.parameter("W", (3, 3))
    pool = [a, b, c, W, a - 0.8, c * b]
    grow(pool, steps)
    return g.sum(g.sum(node) * (1 + i) for i, node in enumerate(pool[-3:])), (a, b, c)


def data(n):
    return {name: array for name, array in arrays(n).items() if name in "xyz"}


@settings(max_examples=60, deadline=None)
@given(GRAPHS)
def test_against_single_numbers_and_differences(steps):
    loss, _ = expression(steps)
    central(agrees(loss, data(4), tolerance=1e-11), data(4), tolerance=3e-6 if len(steps) > 100 else 1e-6)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 12), st.integers(0, 30)), max_size=12))
def test_graphs_of_parameters_alone(steps):
    """Terms are shared between the gradients of several parameters, and go straight into them or are read by more."""
    loss, _ = of_parameters(steps)
    central(agrees(loss, {}, tolerance=1e-11), {})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 12), st.integers(0, 30)), max_size=12))
def test_penalties_of_any_form_beside_a_batch(steps):
    penalty, (a, b, c) = of_parameters(steps)
    x, z = g.input("x", 3), g.input("z", 3)
    loss = penalty + g.mean(x * a * b) + g.mean(g.square(x * c - z))
    rows = {name: data(4)[name] for name in "xz"}
    central(agrees(loss, rows, tolerance=1e-11), rows)


def bits(loss, rows, isa, threads, dtype="float32"):
    cpu.use(isa)
    cpu.set_threads(threads)
    plan = compiled(loss, dtype)
    return plan.loss_and_grad(**rows)[0], plan.grads.tobytes(), plan.grads.copy()


@settings(max_examples=25, deadline=None)
@given(GRAPHS)
def test_the_same_bits_for_any_number_of_threads_and_nearly_the_same_for_every_isa(steps):
    loss, _ = expression(steps)
    rows, first = data(5000), None
    before = cpu.selected()
    try:
        for isa in cpu.available():
            alone, *teams = (bits(loss, rows, isa, threads) for threads in (1, 2, 3))
            assert all(team[:2] == alone[:2] for team in teams)
            exact = bits(loss, rows, isa, 2, "float64")
            first = exact if first is None else first
            assert close(exact[2], first[2], 1e-10)
            assert close(exact[0], first[0], 1e-12)
    finally:
        cpu.use(before)
        cpu.set_threads(None)


@pytest.mark.parametrize("seed", range(8))
def test_two_hundred_operations(seed):
    rng = np.random.default_rng(seed)
    names = sorted(STEPS)
    steps = [(names[rng.integers(len(names))], int(rng.integers(12)), int(rng.integers(30))) for _ in range(300)]
    loss, count = expression(steps)
    assert count > 150  # most steps find operands that fit
    central(agrees(loss, data(4), tolerance=1e-10), data(4), tolerance=1e-5)  # differences of many operations
