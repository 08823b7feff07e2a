"""Rows at any distance: apart, touching, overlapping, the same one over and over, backwards. What is read has the bits
of a copy, and nobody makes one."""

import itertools
import tracemalloc

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view

import fastbp as fb
from fastbp import graph as g
from fastbp._check import input_arrays
from fastbp._compiler import plan_cache
from fastbp._core import cpu

F32 = np.dtype("float32")
WIDTH, N = 12, 60
KINDS = cpu.input_dtypes()


def numbers(kind, n):
    rng = np.random.default_rng(0)
    if np.dtype(kind).kind == "f":
        return rng.normal(0, 1, n).astype(kind)
    return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, n, kind, endpoint=True)


def layouts(kind, n=N, width=WIDTH, line=None):
    """{name: (n, width)} of every way that rows of contiguous numbers can lie, in `line` (3 * n * width,)."""
    line = numbers(kind, 3 * n * width) if line is None else line
    block = line[: n * width].reshape(n, width)
    windows = sliding_window_view(line, width)
    return {
        "windows": windows[:n],
        "every third window": windows[::3][:n],
        "windows backwards": windows[n - 1 :: -1],
        "one row": np.broadcast_to(block[0], (n, width)),
        "backwards": block[::-1],
        "apart": line[: 2 * n * width].reshape(n, 2 * width)[:, 1 : width + 1],
        "every second": line[: 2 * n * width].reshape(2 * n, width)[::2],
        "apart, backwards": line[: 2 * n * width].reshape(n, 2 * width)[::-1, 1 : width + 1],
        "almost touching": as_strided(line, (n, width), ((width - 1) * line.itemsize, line.itemsize)),
    }


LAYOUTS = list(layouts("float32"))


def labels(n=N):
    return np.random.default_rng(1).integers(0, 3, n)


def made(dtype="float32", width=WIDTH, hidden=8, **options):
    return fb.mlp(width, hidden, 3, activation="tanh", loss="cross_entropy", dtype=dtype, seed=1, **options)


def trained(net, X, y, **options):
    history = net.fit(X, y, **{"epochs": 2, "batch_size": 10, "progress": False, **options})
    return net.params.tobytes(), history.history["loss"], history.history["accuracy"]


def traced(use):
    """The most memory that NumPy and Python held during a second use."""
    use()
    tracemalloc.start()
    try:
        use()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- what is read where it lies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_at_any_distance_are_read_where_they_lie(kind, layout):
    X = layouts(kind)[layout]
    assert input_arrays.rows(X, WIDTH, F32) is X
    assert input_arrays.rows(X[:1], WIDTH, F32).base is not None  # a single row may have any stride


def test_rows_that_are_not_contiguous_are_cast():
    X = np.repeat(numbers("float32", N * WIDTH).reshape(N, WIDTH), 2, 1)[:, ::2]
    assert input_arrays.rows(X, WIDTH, F32).flags.c_contiguous
    bytes_ = np.zeros(4 * N * WIDTH + 400, np.uint8)
    crooked = np.ndarray((N, WIDTH), F32, bytes_, strides=(4 * WIDTH + 2, 4))
    got = input_arrays.rows(crooked, WIDTH, F32)
    assert got is not crooked and got.flags.c_contiguous and got.flags.aligned


def test_a_plan_knows_of_rows_that_its_readers_do_not_expect():
    apart = {name: bool(input_arrays.input_dtypes(F32, {"X": X})) for name, X in layouts("float32").items()}
    assert [name for name, known in apart.items() if not known] == ["apart", "every second"]
    assert all(
        input_arrays.input_dtypes(F32, {"X": X}, touching=True) == (("X", "f"),) for X in layouts("float32").values()
    )
    assert input_arrays.input_dtypes(F32, {"X": np.zeros((3, 2), F32)}, touching=True) == ()


# ---- the bits of a copy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_training_has_the_bits_of_training_on_a_copy(dtype, kind, layout):
    X, y = layouts(kind)[layout], labels()
    for shuffle, batch in itertools.product((True, False), (10, N)):
        options = {"shuffle": shuffle, "batch_size": batch, "validation_split": 0.2}
        assert trained(made(dtype), X, y, **options) == trained(made(dtype), X.copy(), y, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_so_it_has_in_every_scheme(layout, threads):
    tiny, slices, shares, tiles = (90, 8, 299), (90, 40, 256), (300, 31, 43), (90, 800, 128)
    for width, hidden, batch in (tiny, slices, shares, tiles):
        X, y = layouts("float32", 300, width)[layout], labels(300)
        for shuffle in (True, False):
            options = {"epochs": 1, "batch_size": batch, "shuffle": shuffle}
            got = trained(made(width=width, hidden=hidden), X, y, **options)
            assert got == trained(made(width=width, hidden=hidden), X.copy(), y, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "uint8"])
def test_every_use_of_a_network_reads_the_same(dtype, kind, layout):
    X, y = layouts(kind)[layout], labels()
    Z = X.copy()
    net, twin = made(dtype), made(dtype)
    for rows in (slice(None), slice(0, 1), slice(3, 12)):
        x, z, t = X[rows], Z[rows], y[rows]
        for _ in range(2):
            assert np.array_equal(net.predict(x), twin.predict(z))
            assert net.loss_and_grad(x, t) == twin.loss_and_grad(z, t)
            assert np.array_equal(net.grads, twin.grads)
        assert net.evaluate(x, t) == twin.evaluate(z, t)
        assert np.array_equal(net.forward(x), twin.forward(z))
        dY = np.random.default_rng(1).normal(size=(len(x), 3))
        assert np.array_equal(net.backward(dY), twin.backward(dY))
        assert np.array_equal(net.grads, twin.grads)
        assert np.array_equal(net.per_example_grads(x, t), twin.per_example_grads(z, t))
        assert np.array_equal(net.per_example_grad_norms(x, t), twin.per_example_grad_norms(z, t))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_networks_read_the_same(layout):
    X, y = layouts("float32")[layout], labels()
    rows = [None, np.arange(40), np.arange(50)[::-1]]
    pairs = [[made(dtype) for dtype in ("float32", "float64", "float32")] for _ in range(2)]
    for nets, data in zip(pairs, (X, X.copy()), strict=True):
        fb.fit_many(nets, data, y, rows=rows, epochs=2, batch_size=10, progress=False, validation_data=(data, y))
    for net, twin in zip(*pairs, strict=True):
        assert net.params.tobytes() == twin.params.tobytes()


def expressions():
    """{name: loss of x (n, 12), t, w and labels (n,)} of every kind of operation that reads a caller's rows."""
    x, t, w, labels = g.input("x", WIDTH), g.input("t"), g.input("w"), g.input("labels", integer=True)
    W = g.parameter("W", (WIDTH, 3), init=np.linspace(-1, 1, 3 * WIDTH).reshape(WIDTH, 3))
    k = g.parameter("k", WIDTH, init=np.linspace(0.5, 1, WIDTH))
    M = g.parameter("M", (3, 4), init=np.linspace(0.5, 1, 12).reshape(3, 4))
    return {
        "product": g.mean(w * (g.sum(x @ W, axis=-1) - t) ** 2),
        "elementwise": g.mean(w * (g.sum(g.tanh(x * k), axis=-1) - t) ** 2),
        "matrices": g.mean((g.reshape(x, (3, 4)) * M) ** 2),
        "weights": g.cross_entropy(x @ W, labels, w),
        "two sweeps": g.mean((x * k - g.mean(x * k)) ** 2),
        "parts": g.mean(g.concat([x[:, 2:5] * k[2:5], g.exp(x[:, :1] * 0.1)]) ** 2),
    }


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", list(expressions()))
def test_expressions_read_the_same(dtype, name, layout):
    w = np.abs(numbers(dtype, 2 * N))[::2]
    arrays = {"x": layouts(dtype)[layout], "t": layouts(dtype, N, 1)[layout], "w": w, "labels": labels()}
    loss = expressions()[name]
    plan, twin = (g.compile(loss, outputs={"loss": loss}, dtype=dtype) for _ in range(2))
    arrays = {key: array for key, array in arrays.items() if key in plan.inputs}
    copies = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
    for _ in range(2):
        assert plan.loss_and_grad(**arrays)[0] == twin.loss_and_grad(**copies)[0]
        assert plan.grads.tobytes() == twin.grads.tobytes()
        assert plan.loss(**arrays) == twin.loss(**copies)
        assert plan.forward(**arrays)["loss"] == twin.forward(**copies)["loss"]
    if name != "weights":
        v = np.ones(plan.params.size)
        assert np.array_equal(plan.hvp(v, **arrays), twin.hvp(v, **copies))
    for shuffle, batch in itertools.product((True, False), (10, N)):
        options = {"epochs": 2, "batch_size": batch, "shuffle": shuffle, "progress": False}
        losses = [model.fit(data, optimizer=fb.SGD(lr=1e-3), **options).history["loss"]
                  for model, data in ((plan, arrays), (twin, copies))]
        assert losses[0] == losses[1]
        assert plan.params.tobytes() == twin.params.tobytes()


def test_rows_that_lie_well_and_rows_that_do_not_may_take_turns():
    """A plan is made for how its rows lie."""
    net, y = made(), labels()
    X = layouts("float32")
    want = {name: (net.predict(x.copy()), net.loss_and_grad(x.copy(), y)) for name, x in X.items()}
    for name in [*X, *reversed(X)]:
        for x in (X[name], X[name].copy()):
            assert np.array_equal(net.predict(x), want[name][0]) and net.loss_and_grad(x, y) == want[name][1]


# ---- a single row --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("between", [0, 1, 8, -24, 2**40, 7])
def test_a_single_row_may_have_any_stride(dtype, kind, between):
    row = numbers(kind, WIDTH)
    X = as_strided(row, (1, WIDTH), (between, row.itemsize))
    net, plain = made(dtype, input_scale=0.5), row.reshape(1, WIDTH).copy()
    assert np.array_equal(net.predict(X), net.predict(plain))
    assert net.loss_and_grad(X, [1]) == net.loss_and_grad(plain, [1])
    assert trained(made(dtype), X, [1], batch_size=1) == trained(made(dtype), plain, [1], batch_size=1)
    assert np.array_equal(net.predict(row[None]), net.predict(plain))


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_found_wherever_rows_lie(layout, kind, bad, monkeypatch):
    monkeypatch.setattr(input_arrays, "PIECE", 17)
    x = g.input("x", WIDTH)
    plan = g.compile(g.mean(x * g.parameter("k", WIDTH)))
    for at in ((0, 0), (0, WIDTH - 1), (N - 1, 0), (N - 1, WIDTH - 1), (7, 5)):
        line = numbers(kind, 3 * N * WIDTH)
        X = layouts(kind, line=line)[layout]
        line[(X[at[0] :, at[1] :].ctypes.data - line.ctypes.data) // line.itemsize] = bad
        with pytest.raises(ValueError, match=rf"X\[\d+, \d+\] is {bad}"):
            made().fit(X, labels())
        with pytest.raises(ValueError, match=f"{bad}|NaN or infinity"):
            plan.fit({"x": X}, progress=False)


# ---- memory --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8"])
def test_windows_are_never_copied(kind):
    width, n = 100, 20_000
    X, y = sliding_window_view(numbers(kind, n + width - 1), width), labels(n)
    net = made(width=width)
    twins = [made(width=width) for _ in range(2)]

    def use():
        net.fit(X, y, epochs=1, batch_size=50, progress=False, validation_data=(X, y))
        net.fit(X, y, epochs=1, batch_size=50, progress=False, shuffle=False)
        net.evaluate(X, y)
        net.predict(X)
        net.loss_and_grad(X, y)
        fb.fit_many(twins, X, y, epochs=1, batch_size=50, progress=False)

    assert traced(use) < n * width  # a copy takes four times as much, or eight


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_windows_of_an_expression_are_never_copied(kind):
    width, n = 100, 20_000
    X, t = sliding_window_view(numbers(kind, n + width - 1), width), np.broadcast_to(F32.type(0.5), n)
    x = g.input("x", width)
    error = g.sum(g.tanh(x * g.parameter("k", width, init=np.ones(width))), axis=-1) - g.input("t")
    plan = g.compile(g.mean(error**2), outputs={"error": error})

    def use():
        plan.fit({"x": X, "t": t}, epochs=1, batch_size=50, progress=False)
        plan.fit({"x": X, "t": t}, epochs=1, batch_size=50, progress=False, shuffle=False)
        plan.loss(x=X, t=t)
        plan.loss_and_grad(x=X, t=t)
        plan.forward(x=X, t=t)

    assert traced(use) < n * width


def test_rows_that_are_copied_are_cut_into_the_same_blocks(monkeypatch):
    """The bits of a loss depend on where blocks begin."""
    made_of, init = [], plan_cache.BoundPlan.__init__

    def noted(self, params, grads, program, team):
        made_of.append(program)
        init(self, params, grads, program, team)

    monkeypatch.setattr(plan_cache.BoundPlan, "__init__", noted)
    M = g.parameter("M", (2, 20), init=np.linspace(0.5, 1, 40).reshape(2, 20))
    plan = g.compile(g.mean(g.tanh(g.reshape(g.input("x", 40), (2, 20)) * M)))
    X = numbers("float32", 400 * 40).reshape(400, 40)
    assert plan.loss_and_grad(x=X[::2])[0] == plan.loss_and_grad(x=X[::2].copy())[0]
    copied, plain = made_of
    assert len(copied.operations) == len(plain.operations) + 1
    assert 32 < copied.block_rows == plain.block_rows < 200
