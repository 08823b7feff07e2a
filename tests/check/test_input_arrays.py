"""Data as it is: arrays of any dtype train as their cast would, bit for bit, and nobody copies them."""

import itertools
import tracemalloc

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._check import input_arrays
from fastbp._core import cpu
from fastbp._models import network_evaluation
from fastbp._training import finite, network_fit

F32, F64 = np.dtype("float32"), np.dtype("float64")
KINDS = cpu.input_dtypes()
N, INPUTS, UNITS = 57, 13, 3
SCALE = 1 / 255


def numbers(kind, n=N, width=INPUTS):
    """Random numbers of a dtype: (n, width)."""
    rng = np.random.default_rng(3)
    if np.dtype(kind).kind == "f":
        return rng.normal(0, 2, (n, width)).astype(kind)
    return rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (n, width), kind, endpoint=True)


def labels(n=N):
    return np.random.default_rng(4).integers(0, UNITS, n)


def made(dtype="float32", width=INPUTS, hidden=8, **options):
    return fb.mlp(width, hidden, UNITS, activation="tanh", loss="cross_entropy", dtype=dtype, seed=2, **options)


def cast(X, dtype, scale=1.0):
    return X.astype(dtype) * np.dtype(dtype).type(scale)


def trained(net, X, y, **options):
    history = net.fit(X, y, **{"epochs": 2, "batch_size": 10, "progress": False, **options})
    return net.params.tobytes(), history.history["loss"]


def mapped(array, path, mode="r"):
    np.save(path, array)
    return np.load(path, mmap_mode=mode)


# ---- what is used as it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_used_where_they_lie(kind, dtype, tmp_path):
    X = numbers(kind)
    still = X.copy()
    still.flags.writeable = False
    wide = np.concatenate([X, X], axis=1)
    for array in (X, still, X[::2], wide[:, 2 : 2 + INPUTS], mapped(X, tmp_path / "X.npy")):
        got = input_arrays.rows(array, INPUTS, np.dtype(dtype))
        assert np.shares_memory(got, array)
        assert got.dtype == kind and np.array_equal(got, array)


@pytest.mark.parametrize("change", [
    lambda X: X.astype(np.int32), lambda X: X.astype(np.int64), lambda X: X > 0, lambda X: X.astype(">f4"),
    lambda X: X.astype(">f8"), np.asfortranarray, lambda X: np.repeat(X, 2, 1)[:, ::2],
    lambda X: X.astype(int).tolist(),
    lambda X: np.frombuffer(b"-" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape),
])
def test_all_else_is_cast_once(change, dtype):
    X = numbers("float32").round()
    got = input_arrays.rows(change(X), INPUTS, np.dtype(dtype))
    assert got.dtype == dtype and got.flags.c_contiguous and got.flags.aligned
    assert np.array_equal(got, np.asarray(change(X)).astype(dtype))


def test_kinds_are_those_that_differ():
    X = numbers("uint8")
    assert input_arrays.input_dtypes(F32, {"X": X, "t": X.astype(F32), "w": X.astype(F64)}) == (("X", "B"), ("w", "d"))


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_wherever_it_is(kind, bad, dtype, monkeypatch):
    monkeypatch.setattr(input_arrays, "PIECE", 5 * INPUTS)
    for row in (0, 4, 5, N - 1):
        X = numbers(kind)
        X[row, 7] = bad
        for rows in (X, np.concatenate([X, X], axis=1)[:, :INPUTS]):
            with pytest.raises(ValueError, match=rf"X\[{row}, 7\] is {bad} \(row {row}, column 7\), expected finite"):
                input_arrays.rows(rows, INPUTS, np.dtype(dtype))


def test_the_search_for_nan_may_be_left_out_where_nothing_is_converted():
    X = np.full((2, 3), np.nan, F32)
    assert input_arrays.rows(X, 3, F32, finite=False) is X
    with pytest.raises(ValueError, match=r"X\[0, 0\] is nan"):
        input_arrays.rows(X, 3, F64, finite=False)


def test_overflow_is_refused():
    X = numbers("float64")
    X[20, 3] = 1e39
    with pytest.raises(ValueError, match=r"X\[20, 3\] is 1e\+39 .* which overflows float32, expected at most 3.4e\+38"):
        made().fit(X, labels())
    assert input_arrays.rows(X, INPUTS, F64) is X
    X = numbers("uint8")
    X[:] = 1
    X[20, 3] = 200
    net = made(input_scale=1e37)
    before = net.params.copy()
    for call in (lambda: net.fit(X, labels()), lambda: net.predict(X), lambda: net.predict(X.astype(F32)),
                 lambda: net.predict(X.astype(F32))):
        with pytest.raises(ValueError, match=r"X\[20, 3\] is 200.* which times input_scale overflows float32, .*34"):
            call()
    for call in (net.predict, lambda x: net.loss_and_grad(x, labels())):
        call(np.zeros((N, INPUTS), F32))  # what is right may be called again without a look
        with pytest.raises(ValueError, match="times input_scale overflows"):
            call(X.astype(F32))
    assert np.array_equal(net.params, before)
    with pytest.raises(ValueError, match="times input_scale overflows"):
        fb.fit_many([made(), net], X, labels())


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_shape_is_refused(kind):
    with pytest.raises(ValueError, match=r"X has shape \(57, 12\), expected \(n, 13\)"):
        made().fit(numbers(kind)[:, :12], labels())
    with pytest.raises(ValueError, match="X is empty"):
        made().predict(numbers(kind)[:0])


@pytest.mark.parametrize(("scale", "error"), [(0, ValueError), (-1, ValueError), (np.nan, ValueError),
                                              (1e-60, ValueError), (1e60, ValueError), ("1", TypeError),
                                              (None, TypeError)])
def test_a_bad_scale_is_refused(scale, error):
    with pytest.raises(error, match=r"input_scale is .*, expected a finite number >= 1\.17549e-38 and <= 3\.40282e"):
        made(input_scale=scale)


def test_the_scale_cannot_be_replaced():
    with pytest.raises(AttributeError, match="input_scale of a network cannot be replaced"):
        made().input_scale = 2.0


# ---- the bits of a cast --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_training_has_the_bits_of_training_on_a_cast(isa, dtype, kind, shuffle):
    X, y = numbers(kind), labels()
    for scale, batch in itertools.product((1.0, SCALE), (10, N)):
        options = {"shuffle": shuffle, "batch_size": batch, "validation_data": (X, y)}
        got = trained(made(dtype, input_scale=scale), X, y, **options)
        Z = cast(X, dtype, scale)
        assert got == trained(made(dtype), Z, y, **(options | {"validation_data": (Z, y)}))


@pytest.mark.parametrize("kind", KINDS)
def test_so_it_has_in_every_scheme_and_for_any_team(kind, threads):
    n = 300
    tiny, slices, shares, tiles = (90, 8, 299), (90, 40, 256), (300, 31, 43), (90, 800, 128)
    for width, hidden, batch in (tiny, slices, shares, tiles):
        X, y = numbers(kind, n, width), labels(n)
        got = trained(made(width=width, hidden=hidden, input_scale=SCALE), X, y, epochs=1, batch_size=batch)
        assert got == trained(made(width=width, hidden=hidden), cast(X, F32, SCALE), y, epochs=1, batch_size=batch)


@pytest.mark.parametrize("kind", KINDS)
def test_every_use_of_a_network_reads_the_same(isa, dtype, kind, monkeypatch):
    monkeypatch.setattr(network_evaluation, "PREDICT_ROWS", 10)
    X, y = numbers(kind), labels()
    Z, scale = cast(X, dtype, SCALE), np.dtype(dtype).type(SCALE)
    net, twin = made(dtype, input_scale=SCALE), made(dtype)
    for rows in (slice(None), slice(0, 9)):
        x, z = X[rows], Z[rows]
        for _ in range(2):  # the second time by what the first has kept
            assert np.array_equal(net.predict(x), twin.predict(z))
            assert net.loss_and_grad(x, y[rows]) == twin.loss_and_grad(z, y[rows])
            assert np.array_equal(net.grads, twin.grads)
        assert net.evaluate(x, y[rows]) == twin.evaluate(z, y[rows])
        assert np.array_equal(net.forward(x), twin.forward(z))
        dY = np.random.default_rng(1).normal(size=(len(x), UNITS))
        dX = net.backward(dY)
        assert dX.dtype == dtype and np.array_equal(dX, twin.backward(dY) * scale)
        assert np.array_equal(net.grads, twin.grads)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_single_samples_read_the_same(kind, dtype):
    X, y = numbers(kind, 2 * N)[::2], labels()
    Z = cast(X, dtype, SCALE)
    net, twin = made(dtype, input_scale=SCALE), made(dtype)
    assert np.array_equal(net.per_example_grads(X, y), twin.per_example_grads(Z, y))
    assert np.array_equal(net.per_example_grad_norms(X, y), twin.per_example_grad_norms(Z, y))
    apart = numbers(dtype, 2 * N)[::2]
    for grads in (net.per_example_grads, net.per_example_grad_norms):
        assert np.array_equal(grads(apart, y), grads(apart.copy(), y))
    unscaled = made(dtype)
    assert np.array_equal(unscaled.per_example_grads(apart, y), unscaled.per_example_grads(apart.copy(), y))


def test_dX_is_the_gradient_for_the_X_that_was_passed():
    net, X = made("float64", input_scale=0.3), numbers("float64", 2)
    net.forward(X)
    dX = net.backward(np.ones((2, UNITS)))
    step = np.zeros_like(X)
    step[1, 4] = 1e-6
    slope = (net.forward(X + step).sum() - net.forward(X - step).sum()) / 2e-6
    assert abs(dX[1, 4] - slope) < 1e-8


def test_calls_of_other_dtypes_in_between_change_nothing():
    """What a call keeps for the next one is for its dtype alone."""
    net, y = made(), labels()
    arrays = [numbers("float32").round().clip(0, 5).astype(kind) for kind in ("float32", "uint8", "float64")]
    want = net.predict(arrays[0]), net.loss_and_grad(arrays[0], y)
    for array in [arrays[i] for i in (1, 0, 2, 0, 1, 1, 2, 2, 0, 0)]:
        assert np.array_equal(net.predict(array), want[0])
        assert net.loss_and_grad(array, y) == want[1]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_apart_train_as_rows_that_touch(kind, dtype):
    X, y = numbers(kind, 2 * N, INPUTS + 4), labels()
    for rows, shuffle in itertools.product((X[::2, 1 : INPUTS + 1], X[:N, 4:]), (True, False)):
        assert trained(made(dtype), rows, y, shuffle=shuffle) == trained(made(dtype), rows.copy(), y, shuffle=shuffle)
        assert np.array_equal(made(dtype).predict(rows), made(dtype).predict(rows.copy()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_map_trains_as_what_is_in_it(kind, tmp_path):
    X, y = numbers(kind), labels()
    file = mapped(X, tmp_path / "X.npy")
    for shuffle in (True, False):
        assert trained(made(), file, y, shuffle=shuffle) == trained(made(), X, y, shuffle=shuffle)
    assert np.array_equal(made().predict(file), made().predict(X))


def test_many_networks_read_it_too():
    X, y = numbers("uint8"), labels()
    nets = [made(dtype, input_scale=scale) for dtype in ("float32", "float64") for scale in (1.0, SCALE)]
    rows = [None, np.arange(40), None, np.arange(5, 50)]
    fb.fit_many(nets, X, y, rows=rows, epochs=2, batch_size=10, progress=False)
    for net, own in zip(nets, rows, strict=True):
        Z = cast(X, net.dtype, net.input_scale)
        alone = made(net.dtype)
        own = slice(None) if own is None else own
        assert net.params.tobytes() == trained(alone, Z[own], y[own])[0]


@pytest.mark.parametrize("kind", KINDS)
def test_expressions_read_it_too(isa, dtype, kind):
    def plan():
        x, t, w = g.input("x", 3), g.input("t"), g.input("w")
        error = g.sum((x * g.parameter("k", 3, init=np.full(3, 0.5)) + g.mean(x)), axis=-1) - t
        return g.compile(g.mean(w * error**2), outputs={"e": error}, dtype=dtype)

    X = numbers(kind, N, 3)
    t, w = numbers("int8", N, 1)[:, 0], np.random.default_rng(0).random(N).astype("float32")
    arrays = {"x": X, "t": t, "w": w}
    other = {name: array.astype(dtype) for name, array in arrays.items()}
    one, two = plan(), plan()
    for _ in range(2):
        assert one.loss_and_grad(**arrays)[0] == two.loss_and_grad(**other)[0] == one.loss_and_grad(**other)[0]
        assert one.grads.tobytes() == two.grads.tobytes()
        assert one.loss(**arrays) == two.loss(**other)
        assert np.array_equal(one.forward(**arrays)["e"], two.forward(**other)["e"])
        assert np.array_equal(one.hvp(np.ones(3), **arrays), two.hvp(np.ones(3), **other))
    for shuffle in (True, False):
        for model, data in ((one, arrays), (two, other)):
            model.fit(data, epochs=2, batch_size=10, optimizer=fb.SGD(lr=1e-7), shuffle=shuffle, progress=False)
        assert one.params.tobytes() == two.params.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_of_samples_may_lie_apart(kind, dtype):
    X = numbers(kind, 2 * N, 6)[::2]
    W = g.parameter("W", (2, 3), init=np.arange(6.0).reshape(2, 3))
    plan = g.compile(g.mean(g.tanh(g.reshape(g.input("x", 6), (2, 3)) * W / 100)), dtype=dtype)
    value, grads = plan.loss_and_grad(x=X.astype(dtype))
    want = value, grads["W"].copy()
    got, grads = plan.loss_and_grad(x=X)
    assert got == want[0] and np.array_equal(grads["W"], want[1])


@pytest.mark.parametrize("kind", KINDS)
def test_single_samples_of_an_expression_read_it_too(kind, dtype):
    x = g.input("x", 3)
    plan = g.compile(g.mean((x @ g.parameter("W", (3, 2), init=np.ones((3, 2)))) ** 2), dtype=dtype)
    X = numbers(kind, N, 3)
    assert np.array_equal(plan.per_example_grads(x=X), plan.per_example_grads(x=X.astype(dtype)))
    assert np.array_equal(plan.per_example_grad_norms(x=X), plan.per_example_grad_norms(x=X.astype(dtype)))


def test_an_expression_refuses_what_is_not_finite_in_any_dtype():
    x = g.input("x")
    plan = g.compile(g.mean(x * g.parameter("k", init=1.0)))
    for kind in ("float16", "float64"):
        with pytest.raises(ValueError, match=r"x\[1, 0\] is nan"):
            plan.loss_and_grad(x=np.array([1, np.nan], kind))


def test_a_step_that_blows_up_is_found_in_bytes():
    net = fb.mlp(INPUTS, 8, 1, seed=2, input_scale=SCALE)
    X, y = numbers("uint8"), np.ones(N)
    with pytest.raises(FloatingPointError, match="epoch 1, step"):
        net.fit(X, y, epochs=50, batch_size=10, optimizer=fb.SGD(lr=1e30), progress=False)
    assert np.isfinite(net.params).all()


def test_the_layer_that_blows_up_is_found_under_the_scale():
    net = fb.Sequential(fb.Dense(2, 2), fb.Dense(2, 1), input_scale=1e-30)
    net.layers[0].W[:], net.layers[1].W[:] = 1e32, 1e38
    cause = finite.in_network(net, np.full((1, 2), 1e9, F32), np.zeros((1, 1), F32))
    assert cause.startswith(f"at the output of layer 1 ({net.layers[1]!r}), of inputs up to ")


# ---- memory --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_datas_size_is_allocated(kind, tmp_path):
    n, width = 20000, 100
    X, y = mapped(numbers(kind, n, width), tmp_path / "X.npy"), labels(n)
    net = made(width=width, input_scale=SCALE)

    def use():
        net.fit(X, y, epochs=1, batch_size=50, progress=False, validation_data=(X, y))
        net.evaluate(X, y)

    use()
    tracemalloc.start()
    try:
        use()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n * width  # a byte each; a copy takes four times as much: order, outputs and pieces are what there is


def test_a_step_allocates_nothing():
    net, opt = made(width=90, input_scale=SCALE), fb.Adam()
    job = network_fit.NetworkJob(net, numbers("uint8", 600, 90), labels(600), None, None, 50, None, 0.0, 2)
    network_fit.loop.run_steps(job, opt, 3)
    peaks = []
    tracemalloc.start()
    try:
        for steps in (2, 12):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            network_fit.loop.run_steps(job, opt, steps)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    assert peaks[1] - peaks[0] <= 2 * 8 * 10 + 64  # losses and rates: two numbers a step
