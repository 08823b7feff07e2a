"""fastbp/_compiler/select_nn.py: products, activations, dropout; and that all rules together give the right numbers."""

import numpy as np
import pytest
from programs import names, of_expression, of_network

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler import partitioning
from fastbp._core import cpu

# ---- activations and dropout ---------------------------------------------------------------------------------------


def test_what_backward_reads_is_kept_only_where_it_is_not_the_output():
    for activation, kept in (("tanh", False), ("gelu", True)):
        assert (of_network((5, 7, 3), activation=activation).operations[0].kept is not None) is kept
    assert of_network((5, 7, 3), kind="evaluate", activation="gelu").operations[0].kept is None


def test_a_dropout_that_drops_nothing_is_no_operation():
    assert names(of_network((5, 7, 3), dropout=0.5).operations).count("dropout") == 2  # there and back
    assert "dropout" not in names(of_network((5, 7, 3), kind="predict", dropout=0.5).operations)


def test_each_dropout_draws_masks_of_its_own_and_its_gradient_the_same():
    numbers = [operation.number for operation in of_network((5, 7, 7, 3), dropout=0.5).operations
               if operation.name == "dropout"]
    assert len(numbers) == 4
    assert numbers[:2] == numbers[:1:-1]  # backward passes them in reverse
    assert len(set(numbers)) == 2
    x, layer = g.input("x", 4), fb.Dropout(0.5)
    program = of_expression(g.mean(g.square(layer(x)) * layer(x)), learns=False)
    assert len({operation.number for operation in program.operations if operation.name == "dropout"}) == 2


# ---- the numbers ---------------------------------------------------------------------------------------------------

WIDE = 260  # 260 x 260 floats are more than the batch-parallel scheme takes


def shared_weights():
    """A matrix that two products share, biases, and a target."""
    x, t, W, b = g.input("x", WIDE), g.input("t", WIDE), g.parameter("W", (WIDE, WIDE)), g.parameter("b", WIDE)
    return g.squared_error(g.dense(g.tanh(x @ W + b), W, b, "tanh"), t)


def table():
    """A large table of rows, looked up twice, one of them in a part of it."""
    big, i, j = g.parameter("big", (9000, 8), "glorot_uniform"), g.input("i", integer=True), g.input("j", integer=True)
    return g.mean(g.square(g.tanh(g.gather(big, i) * 3) - g.gather(big[:500], j)))


def knobs():
    """A large vector: whole, in parts, and reshaped to a matrix of another width."""
    x = g.input("x", WIDE)
    k = g.parameter("k", WIDE * WIDE, 1e-2 * np.random.default_rng(1).standard_normal(WIDE * WIDE))
    return g.mean(g.square(x * k[:WIDE] + k[-WIDE:] + x @ g.reshape(k, (WIDE, WIDE)))) + 1e-3 * g.sum(g.square(k))


def normalised():
    """Means over the batch between two layers: three sweeps forward, and as many back."""
    x, W, V = g.input("x", WIDE), g.parameter("W", (WIDE, WIDE)), g.parameter("V", (WIDE, 3))
    z = x @ W
    z = z - g.mean(z, axis=0)
    z = z / g.sqrt(g.mean(g.square(z), axis=0) + 1e-3)
    return g.mean(g.square(g.tanh(z) @ V - 0.5))


def penalised():
    """Layers with penalties, a dropout that is off in the loss, and a frozen matrix."""
    x, t = g.input("x", WIDE), g.input("t", 2)
    first, last = fb.Dense(WIDE, WIDE, "tanh", l1=1e-3, l2=1e-2), fb.Dense(WIDE, 2)
    frozen = g.freeze(g.parameter("F", (WIDE, WIDE)))
    return g.squared_error(last(first(x) @ frozen), t)


LOSSES = {made.__name__: made for made in (shared_weights, table, knobs, normalised, penalised)}


def data_of(plan, n=70):
    """An array for each input; the same at every call."""
    rng = np.random.default_rng(2)
    return {name: rng.integers(0, 500, n) if node.integer else rng.standard_normal((n, node.width))
            for name, node in plan._leaves.items()}


def compiled(name, dtype="float64"):
    return g.compile(LOSSES[name](), dtype=dtype, seed=3)


@pytest.mark.parametrize("name", LOSSES)
def test_tiles_and_slices_are_the_same_mathematics(name, monkeypatch):
    found = []
    for size in (1 << 40, 0):
        monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", size)
        plan = compiled(name)
        value, _ = plan.loss_and_grad(**data_of(plan))
        found.append((value, plan.grads.copy()))
    (value, grads), (other, tiled) = found
    assert other == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(tiled, grads, rtol=1e-9, atol=1e-12 * np.abs(grads).max())


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_in_tiles_are_those_of_central_differences(name):
    plan = compiled(name)
    assert plan.params.nbytes > partitioning.BATCH_PARALLEL_BYTES
    data = data_of(plan)
    plan.loss_and_grad(**data)
    gradient = plan.grads.copy()
    rng, frozen = np.random.default_rng(4), plan.parameters.get("F", np.empty(0)).copy()
    for _ in range(3):  # in random directions: the projections of a wrong part would show
        direction = rng.standard_normal(plan.params.size)
        direction /= np.linalg.norm(direction)
        params, step, ends = plan.params.copy(), 1e-4, []
        for sign in (1, -1):
            plan.params[:] = params + sign * step * direction
            plan.parameters.get("F", frozen)[...] = frozen
            ends.append(plan.loss_and_grad(**data)[0])  # with penalties
        plan.params[:] = params
        expected = (ends[0] - ends[1]) / (2 * step)
        assert gradient @ direction == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.linalg.norm(gradient))


def test_what_is_frozen_is_not_moved():
    plan = compiled("penalised")
    frozen = plan.parameters["F"].copy()
    before = plan.params.copy()
    plan.fit(data_of(plan), epochs=2, batch_size=32, optimizer=fb.AdamW(lr=1e-2, weight_decay=0.1))
    assert np.array_equal(plan.parameters["F"], frozen)
    moved = plan.params != before
    assert moved.sum() > 0.99 * (plan.params.size - frozen.size)


@pytest.mark.parametrize("size", [0, 1 << 40], ids=["tile-parallel", "batch-parallel"])
@pytest.mark.parametrize("name", LOSSES)
def test_any_number_of_threads_gives_the_same_bits(name, size, dtype, monkeypatch):
    monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", size)
    found = set()
    for threads in (1, 2, 3):
        cpu.set_threads(threads)
        try:
            plan = compiled(name, dtype)
            data = data_of(plan, 200)
            plan.fit(data, epochs=2, batch_size=96, optimizer=fb.Adam(lr=1e-3, clip_norm=1.0))
            value, _ = plan.loss_and_grad(**data)
            found.add((value, plan.params.tobytes(), plan.grads.tobytes()))
        finally:
            cpu.set_threads(None)
    assert len(found) == 1


@pytest.mark.parametrize("name", LOSSES)
def test_fit_is_the_loop_written_by_hand(name):
    plan, other = compiled(name), compiled(name)
    data = data_of(plan)
    plan.fit(data, batch_size=32, optimizer=fb.SGD(lr=0.05), shuffle=False)
    optimizer = fb.SGD(lr=0.05)
    for i in range(0, 70, 32):
        other.loss_and_grad(**{key: array[i:i + 32] for key, array in data.items()})
        optimizer.step(other)
    assert np.array_equal(plan.params, other.params)


def value(name, shape):
    """A parameter of numbers that are no multiples of each other."""
    size = int(np.prod(shape))
    return g.parameter(name, shape, np.sin(np.arange(size) + len(name)).reshape(shape) + 0.1)


DESTINATIONS = {  # {what is meant: (shape of k, a function of x (batch, 6), an index below 4 and k that makes a loss)}
    "a whole gradient that is a term of another": ((6,), lambda x, i, k: (
        g.mean(g.square(x + (k + value("other", 6)))) + g.mean(x * value("third", 6)) + g.mean(x * k))),
    "values of several shapes": ((6,), lambda x, i, k: (
        g.sum(k**3) + g.sum(g.square(g.reshape(k, (2, 3)) @ np.ones((3, 2)))) + g.mean(x * k))),
    "a vector as a matrix": ((6,), lambda x, i, k: g.mean(g.square(x[:, :2] @ g.reshape(k, (2, 3))))),
    "a matrix as a vector": ((2, 3), lambda x, i, k: g.mean(g.square(x * g.reshape(k, 6)))),
    "a matrix as another": ((2, 3), lambda x, i, k: g.mean(g.square(x[:, :3] @ g.reshape(k, (3, 2))))),
    "a vector as a column": ((6,), lambda x, i, k: g.mean(g.square(x @ k))),
    "a vector as a table": ((12,), lambda x, i, k: g.mean(g.square(g.gather(g.reshape(k, (4, 3)), i)))),
    "rows of a table": ((6, 3), lambda x, i, k: g.mean(g.square(g.gather(k[1:5], i))) + g.sum(k**3)),
    "a block of a matrix": ((4, 5), lambda x, i, k: g.mean(g.square(x[:, :3] @ k[1:4, 1:3])) + g.sum(k[0]**3)),
    "a part of a part": ((4, 5), lambda x, i, k: (
        g.mean(g.square(x[:, :2] * k[1][1:3])) + g.mean(x[:, :2] * g.reshape(k[1:3][1:2, 2:4], 2)))),
    "a block that meets each sample": ((4, 5), lambda x, i, k: g.mean(g.square(g.reshape(x, (2, 3)) * k[1:3, 1:4]))),
    "a matrix that is added to each sample": ((2, 3), lambda x, i, k: g.mean(g.sin(g.reshape(x, (2, 3)) + k))),
    "a sum over the batch of groups": ((3,), lambda x, i, k: (
        g.sum(g.square(g.sum(g.reshape(x, (2, 3)) * k, axis=0))) / 100)),
    "a matrix that two products share": ((6, 6), lambda x, i, k: g.mean(g.square(g.tanh(x @ k) @ k - 1))),
    "a matrix that a product and a table share": ((6, 3), lambda x, i, k: (
        g.mean(g.square(g.tanh(x @ k) - g.gather(k, i))))),
    "no data": ((6,), lambda x, i, k: g.sum(k**3)),
    "a parameter": ((), lambda x, i, k: k * value("other", ()) + g.mean(x)),
}


@pytest.mark.parametrize("size", [0, 1 << 40], ids=["tile-parallel", "batch-parallel"])
@pytest.mark.parametrize("what", DESTINATIONS)
def test_a_gradient_of_any_kind_is_that_of_central_differences(what, size, monkeypatch):
    monkeypatch.setattr(partitioning, "BATCH_PARALLEL_BYTES", size)
    shape, loss = DESTINATIONS[what]
    plan = g.compile(loss(g.input("x", 6), g.input("i", integer=True), value("k", shape)), dtype="float64")
    rng = np.random.default_rng(0)
    given = {"x": rng.standard_normal((37, 6)), "i": rng.integers(0, 4, 37)}
    data = {name: given[name] for name in plan.inputs}
    plan.loss_and_grad(**data)
    gradient, expected, step = plan.grads.copy(), [], 1e-6
    for i, old in enumerate(plan.params.copy()):
        ends = []
        for sign in (1, -1):
            plan.params[i] = old + sign * step
            ends.append(plan.loss(**data))
        plan.params[i] = old
        expected.append((ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)
