"""Arrays that are changed while they are in use: by a callback, by another thread, by NumPy's own ways of changing an
array's shape and dtype. Results may change with them; nothing but the arrays is ever read."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastbp as fb
from fastbp import _check as check
from fastbp import graph as g

N, WIDTH, UNITS = 60, 6, 3
BEYOND = 2**30  # an index that reads gigabytes away


def numbers(n=N, width=WIDTH, dtype="float32"):
    return np.random.default_rng(0).normal(size=(n, width)).astype(dtype)


def labels(kind="int32", n=N):
    return np.random.default_rng(1).integers(0, UNITS, n).astype(kind)


def made(loss="cross_entropy", **options):
    return fb.mlp(WIDTH, 8, UNITS, activation="tanh", loss=loss, seed=1, **options)


def table():
    """A loss of rows of a table, which integers `i` name."""
    rows = g.gather(g.parameter("T", (UNITS, WIDTH), init=np.ones((UNITS, WIDTH))), g.input("i", integer=True))
    return g.compile(g.mean((rows - g.input("x", WIDTH)) ** 2), seed=1)


def classes():
    """A loss of labels `i`, in an expression."""
    scores = g.input("x", WIDTH) @ g.parameter("W", (WIDTH, UNITS))
    return g.compile(g.cross_entropy(scores, g.input("i", integer=True)), seed=1)


# ---- integers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int32", "int64", "int8", "uint16"])
def test_what_compiled_code_finds_rows_by_is_a_copy(kind):
    y = labels(kind)
    targets, _ = check.targets(y, N, fb.losses.get("cross_entropy"), UNITS, np.dtype("float32"))
    for copied in (targets, check.indices(y, UNITS, "i"), check.rows("rows", y, N)):
        assert not np.shares_memory(copied, y) and np.array_equal(copied.ravel(), y)


@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("bad", [BEYOND, -5000, -1, UNITS])
def test_labels_that_a_callback_changes_are_those_of_the_beginning(kind, bad):
    y, net, twin = labels(kind), made(), made()

    def change(*_):
        y[:] = bad

    X, before = numbers(), y.copy()
    net.fit(X, y, epochs=3, batch_size=10, progress=False, callbacks=[change], validation_data=(X, y))
    twin.fit(X, before, epochs=3, batch_size=10, progress=False)
    assert np.array_equal(net.params, twin.params)


@pytest.mark.parametrize("plan", [table, classes])
@pytest.mark.parametrize("kind", ["int32", "int64"])
@pytest.mark.parametrize("bad", [BEYOND, -5000])
def test_so_are_those_of_an_expression(plan, kind, bad):
    y, model, twin = labels(kind), plan(), plan()

    def change(*_):
        y[:] = bad

    data, before = {"x": numbers(), "i": y}, {"x": numbers(), "i": y.copy()}
    options = {"epochs": 3, "batch_size": 10, "progress": False}
    model.fit(data, callbacks=[change], validation_data=data, **options)
    twin.fit(before, **options)
    assert np.array_equal(model.params, twin.params)


@pytest.mark.parametrize("bad", [BEYOND, -5000, -1, UNITS])
def test_a_loop_by_hand_refuses_what_they_have_become(bad):
    y, X, net = labels(), numbers(), made()
    plans = [table(), classes()]
    for _ in range(2):
        net.loss_and_grad(X, y)
        for plan in plans:
            plan.loss_and_grad(x=X, i=y)
    y[7] = bad
    before = [net.grads.copy(), *(plan.grads.copy() for plan in plans)]
    for _ in range(2):
        with pytest.raises(ValueError, match=rf"y\[7\] is {bad}, expected labels 0 .. 2"):
            net.loss_and_grad(X, y)
        for plan in plans:
            with pytest.raises(ValueError, match=f"i has {bad} in it, expected 0 to 2"):
                plan.loss_and_grad(x=X, i=y)
    assert all(np.array_equal(model.grads, grads) for model, grads in zip([net, *plans], before, strict=True))


def test_a_thread_that_writes_labels_during_a_step_changes_nothing():
    """Compiled code runs without the interpreter's lock: others go on meanwhile. The step takes some 0.1 s."""
    net = fb.mlp(WIDTH, 512, 512, UNITS, loss="cross_entropy", seed=1)
    X, y = numbers(4000), labels(n=4000)
    before, want = y.copy(), net.loss_and_grad(X, labels(n=4000))
    for _ in range(5):
        begun = threading.Event()

        def write(begun=begun):
            begun.wait()
            time.sleep(0.01)
            y[:] = 0

        writer = threading.Thread(target=write)
        writer.start()
        begun.set()
        assert net.loss_and_grad(X, y) == want
        writer.join()
        y[:] = before


def test_a_thread_that_writes_labels_all_the_time_reaches_nothing():
    """The thread writes what is right and what is far away by turns; a step sees the one or the other, or refuses."""
    y, X, net, plan = labels(n=4000), numbers(4000), made(), table()
    good, stop = y.copy(), threading.Event()

    def write():
        while not stop.is_set():
            y[:] = BEYOND
            y[:] = good

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            for call in (lambda: net.loss_and_grad(X, y), lambda: plan.loss_and_grad(x=X, i=y)[0]):
                try:
                    assert np.isfinite(call())
                except ValueError as error:
                    assert str(BEYOND) in str(error)
    finally:
        stop.set()
        writer.join()


def test_rows_of_many_networks_are_those_of_the_beginning():
    """fit_many takes no callbacks: a schedule is asked between two calls."""
    rows, X, y, nets = np.arange(40), numbers(), labels(), [made(), made()]

    class Rate(fb.schedules.Constant):
        def __call__(self, steps):
            rows[:], y[:] = BEYOND, BEYOND
            return super().__call__(steps)

    options = {"epochs": 2, "batch_size": 10, "progress": False}
    fb.fit_many(nets[:1], X, y, rows=[rows], optimizers=[fb.SGD(lr=Rate(0.1))], **options)
    fb.fit_many(nets[1:], X, labels(), rows=[np.arange(40)], optimizers=[fb.SGD(lr=0.1)], **options)
    assert rows[0] == BEYOND and np.array_equal(nets[0].params, nets[1].params)


def test_labels_in_the_memory_of_the_parameters_are_copies_too():
    net = made()
    net.params[:] = 0
    y = net.params.view(np.int32)[:N]
    assert np.isfinite(net.fit(numbers(), y, epochs=2, batch_size=10, progress=False).history["loss"][-1])


# ---- data that lose their shape ------------------------------------------------------------------------------------


def shorter(X):
    X.resize((5, WIDTH), refcheck=False)


def retyped(X):
    X.dtype = np.float64


def flat(X):
    X.shape = (-1,)


def turned(X):
    X.shape = (WIDTH, N)


CHANGES = [shorter, retyped, flat, turned]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shuffle", [True, False])
def test_data_that_a_callback_resizes_are_refused(change, shuffle):
    X, net = numbers(), made()
    seen = []

    def once(model, epoch, logs):
        change(X)
        seen.append(model.params.copy())

    with pytest.raises(ValueError, match=r"data has become (an array of shape|shorter)"):
        net.fit(X, labels(), epochs=3, batch_size=10, progress=False, callbacks=[once], shuffle=shuffle)
    assert len(seen) == 1 and np.array_equal(net.params, seen[0])


@pytest.mark.parametrize("change", CHANGES)
def test_data_of_an_expression_too(change):
    X, plan = numbers(), table()
    with pytest.raises(ValueError, match=r"data has become (an array of shape|shorter)"):
        plan.fit({"x": X, "i": labels()}, epochs=3, batch_size=10, progress=False, callbacks=[lambda *_: change(X)])


@pytest.mark.parametrize("change", CHANGES)
def test_what_forward_keeps_is_looked_at_by_backward(change):
    X, net = numbers(), made()
    net.forward(X)
    change(X)
    with pytest.raises(ValueError, match=r"(data|X) has become (an array of shape|an array of dtype|shorter)"):
        net.backward(np.ones((N, UNITS)))


# ---- numbers that change -------------------------------------------------------------------------------------------


def test_real_numbers_are_read_where_they_lie():
    """A callback that writes into X trains on what it wrote."""
    X, y, net, twin = numbers(), labels(), made(), made()
    double = X * 2

    def change(*_):
        X[:] = double

    net.fit(X, y, epochs=2, batch_size=10, progress=False, shuffle=False, callbacks=[change])
    twin.fit(numbers(), y, epochs=1, batch_size=10, progress=False, shuffle=False)
    twin.fit(double, y, epochs=1, batch_size=10, progress=False, shuffle=False)
    assert np.array_equal(net.params, twin.params)


@pytest.mark.parametrize("dtype", ["int32", ">f4"])
@pytest.mark.parametrize("validation", [False, True])
def test_data_that_a_callback_gives_another_dtype_are_refused(dtype, validation):
    X, y = np.ones((40, 4), "float32"), np.zeros((40, 2), "float32")
    other = np.ones((40, 4), "float32")

    def change(net, epoch, logs):
        (other if validation else X).dtype = dtype

    with pytest.raises(ValueError, match=r"X has become an array of dtype .*, expected one of float16, .*give it back"):
        fb.mlp(4, 2).fit(X, y, epochs=3, callbacks=[change], validation_data=(other, y))


def test_data_that_get_another_dtype_before_backward_are_refused():
    net, X = fb.mlp(4, 2), np.ones((5, 4), "float32")
    net.forward(X)
    X.dtype = "int32"
    with pytest.raises(ValueError, match="X has become an array of dtype int32, expected float32, as when"):
        net.backward(np.ones((5, 2)))


def test_a_state_is_kept_while_a_step_uses_it():
    """Another thread sets another state, or resets the optimizer, while a step goes through the old one."""
    program = """
import threading, warnings
import numpy as np
import fastbp as fb
warnings.simplefilter("ignore")
net, optimizer = fb.mlp(2000, 3000, 2), fb.Adam()
X, y = np.ones((64, 2000), "float32"), np.zeros((64, 2), "float32")
net.fit(X, y, optimizer=optimizer, batch_size=64, progress=False)
over = False
def replace():
    while not over:
        optimizer.state = np.zeros((2, net.params.size), "float32")
thread = threading.Thread(target=replace)
thread.start()
for _ in range(15):
    net.fit(X, y, optimizer=optimizer, batch_size=64, progress=False)
over = True
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
