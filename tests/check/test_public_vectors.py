"""The vectors that users can reach too - params, grads, an optimizer's state - when NumPy's ways of changing an array
are tried on them, and data that lie in them: only what they were made as is written, and nobody reads what is written.
"""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._training import network_fit

N, WIDTH, UNITS = 60, 6, 3


def numbers(n=N, width=WIDTH):
    return np.random.default_rng(0).normal(size=(n, width)).astype("float32")


def labels():
    return np.random.default_rng(1).integers(0, UNITS, N).astype("int32")


def made():
    return fb.mlp(WIDTH, 8, UNITS, activation="tanh", loss="cross_entropy", seed=1)


def table():
    """A loss of rows of a table, which integers `i` name."""
    rows = g.gather(g.parameter("T", (UNITS, WIDTH), init=np.ones((UNITS, WIDTH))), g.input("i", integer=True))
    return g.compile(g.mean((rows - g.input("x", WIDTH)) ** 2), seed=1)


# ---- vectors that users can reach ----------------------------------------------------------------------------------


def uses(net):
    """{name: call} of all that writes into a network's vectors."""
    X, y = numbers(), labels()
    return {
        "fit": lambda: net.fit(X, y, progress=False),
        "loss_and_grad": lambda: net.loss_and_grad(X, y),
        "backward": lambda: (net.forward(X), net.backward(np.ones((N, UNITS)))),
        "step": lambda: fb.Adam().step(net),
        "fit_many": lambda: fb.fit_many([net], X, y, progress=False),
        "run_steps": lambda: network_fit.run_steps(net, X, y, fb.SGD(), 10, 3),
    }


def read_only(array):
    array.setflags(write=False)


def reshaped(array):
    array.shape = (-1, 1)


def of_another_dtype(array):
    array.dtype = np.int32


def swapped(array):
    array.dtype = array.dtype.newbyteorder()


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("use", list(uses(None)))
@pytest.mark.parametrize("change", [read_only, reshaped, of_another_dtype, swapped])
@pytest.mark.parametrize("vector", ["params", "grads"])
def test_a_vector_that_is_not_what_it_was_is_not_written(vector, change, use, warm):
    net = made()
    if warm:
        for _ in range(2):
            uses(net)["loss_and_grad"]()
            uses(net)["fit"]()
    before = net.params.tobytes(), net.grads.tobytes()
    change(getattr(net, vector))
    reads = {("params", "loss_and_grad"), ("params", "backward"), ("grads", "step")}
    if change is read_only and (vector, use) in reads:
        uses(net)[use]()
        return
    with pytest.raises(ValueError, match=f"{vector} is an array of shape .*, expected what it was made .*set it back"):
        uses(net)[use]()
    assert (net.params.tobytes(), net.grads.tobytes()) == before


@pytest.mark.parametrize("change", [read_only, reshaped, of_another_dtype])
@pytest.mark.parametrize("vector", ["params", "grads"])
def test_so_it_is_of_a_plan(vector, change):
    plan, data = table(), {"x": numbers(), "i": labels()}
    plan.loss_and_grad(**data)
    change(getattr(plan, vector))
    with pytest.raises(ValueError, match=f"{vector} is an array of shape"):
        plan.fit(data, progress=False)
    if vector == "grads":
        with pytest.raises(ValueError, match="grads is an array of shape"):
            plan.loss_and_grad(**data)
    with pytest.raises(ValueError, match="is an array of shape"):
        fb.SGD().step(plan) if vector == "params" or change is not read_only else plan.loss_and_grad(**data)


def test_read_only_parameters_predict():
    net = made()
    want = net.predict(numbers())
    net.params.setflags(write=False)
    assert np.array_equal(net.predict(numbers()), want) and "loss" in net.evaluate(numbers(), labels())


@pytest.mark.parametrize("vector", [
    lambda net, opt: net.params, lambda net, opt: net.grads, lambda net, opt: opt.state,
])
def test_the_memory_of_a_vector_cannot_be_resized(vector):
    net, opt = made(), fb.Adam()
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    array = vector(net, opt)
    with pytest.raises(ValueError, match="cannot resize"):
        array.resize(3, refcheck=False)
    while (array := getattr(array, "base", None)) is not None:
        assert not hasattr(array, "resize") or not array.flags.owndata


@pytest.mark.parametrize("name", ["W", "b", "dW", "db"])
def test_views_of_layers_may_change_their_shape(name):
    net, twin = made(), made()
    view = getattr(net.layers[0], name)
    view.shape = (-1, 1)
    view.setflags(write=False)
    for one in (net, twin):
        one.fit(numbers(), labels(), epochs=2, progress=False)
    assert np.array_equal(net.params, twin.params)


# ---- the optimizer's state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [
    None, np.zeros((2, 5), "float32"), np.zeros((1, 83), "float32"), np.zeros((2, 83)), "no", 3.0,
    np.zeros((2, 83), "int32"), np.zeros(166, "float32"), np.zeros((2, 83), ">f4"),
])
def test_a_state_that_cannot_be_one_is_refused(state):
    net, opt = made(), fb.Adam()
    assert net.params.size == 83
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    before = opt.state.copy()
    with pytest.raises(ValueError, match=r"state of optimizer Adam.*, expected an array of shape \(2, 83\) .* float32"):
        opt.state = state
    assert np.array_equal(opt.state, before)


def test_an_optimizer_without_a_state_takes_none():
    opt = fb.SGD()
    opt.state = None
    with pytest.raises(ValueError, match=r"state of optimizer SGD.*expected None"):
        opt.state = np.zeros((1, 83), "float32")
    with pytest.raises(ValueError, match=r"expected an array of shape \(2, P\) and dtype float32 or float64"):
        fb.Adam().state = np.zeros((2, 3), "float16")


def test_a_state_that_is_set_is_a_copy_and_goes_on():
    net, opt = made(), fb.Adam()
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    kept, params, steps, epochs = opt.state.copy(), net.params.copy(), opt.steps, net.epochs
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    want = net.params.copy()
    other = kept.copy()
    net.params[:], opt.state, opt.steps, net.epochs = params, other, steps, epochs
    assert not np.shares_memory(opt.state, other)
    other[:] = np.nan
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    assert np.array_equal(net.params, want)


@pytest.mark.parametrize("change", [read_only, reshaped, of_another_dtype, swapped])
def test_a_state_that_is_not_what_it_was_is_not_written(change):
    net, opt = made(), fb.Adam()
    for _ in range(2):
        net.loss_and_grad(numbers(), labels())
        opt.step(net)
    before = net.params.copy(), opt.state.tobytes(), opt.steps
    change(opt.state)
    for use in (lambda: opt.step(net), lambda: net.fit(numbers(), labels(), optimizer=opt, progress=False),
                lambda: fb.fit_many([net], numbers(), labels(), optimizers=[opt], progress=False)):
        with pytest.raises(ValueError, match="optimizer's state is an array of shape"):
            use()
    assert np.array_equal(net.params, before[0]) and (opt.state.tobytes(), opt.steps) == before[1:]


def through_buffers(opt):
    """Pickled with its arrays beside it, which come back as views of the buffers."""
    buffers = []
    text = pickle.dumps(opt, 5, buffer_callback=buffers.append)
    return pickle.loads(text, buffers=buffers)


@pytest.mark.parametrize("copied", [
    copy.copy, copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt)), through_buffers,
])
def test_copies_of_an_optimizer_have_a_state_of_their_own(copied):
    net, opt = made(), fb.Adam()
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    other, twin = copied(opt), copy.deepcopy(net)
    assert not np.shares_memory(other.state, opt.state) and np.array_equal(other.state, opt.state)
    for one, own in ((net, opt), (twin, other)):
        one.fit(numbers(), labels(), optimizer=own, progress=False)
    assert np.array_equal(net.params, twin.params) and np.array_equal(opt.state, other.state)
    with pytest.raises(ValueError, match="cannot resize"):
        other.state.resize(3, refcheck=False)


@pytest.mark.parametrize("name", ["slots", "name"])
def test_what_an_optimizer_is_cannot_be_set(name):
    opt = fb.Adam()
    with pytest.raises(AttributeError, match=f"{name} of an optimizer cannot change"):
        setattr(opt, name, getattr(opt, name))


def test_steps_without_a_state_begin_with_zeros():
    net, opt = made(), fb.Adam()
    opt.steps = 5
    net.fit(numbers(), labels(), optimizer=opt, progress=False)
    assert opt.steps == 5 + 2 and opt.state.shape == (2, net.params.size)


# ---- data in what is written ---------------------------------------------------------------------------------------


def inside(vector, rows, width):
    return vector[: rows * width].reshape(rows, width)


def small(loss="mse"):
    return fb.mlp(2, 16, 2, loss=loss, seed=1)


@pytest.mark.parametrize("vector", ["params", "grads", "state"])
@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_data_in_memory_that_training_writes_are_refused(vector, name):
    net, opt = small(), fb.Adam()
    plain = {"X": numbers(10, 2), "y": numbers(10, 2), "sample_weight": np.ones(10, "float32")}
    net.fit(**plain, optimizer=opt, progress=False)
    opt.state[:] = 0.1
    memory = opt.state[0] if vector == "state" else getattr(net, vector)
    memory[:] = 0.1
    data = {**plain, name: memory[:10] if name == "sample_weight" else inside(memory, 10, 2)}
    before = net.params.copy(), net.grads.copy(), opt.state.copy(), opt.steps
    owner = "the optimizer's state" if vector == "state" else vector
    message = f"{name} lies in the memory of {owner}, which this call writes while it reads {name}.*pass {name}.copy"
    with pytest.raises(ValueError, match=message):
        net.fit(**data, optimizer=opt, progress=False)
    with pytest.raises(ValueError, match=message):
        fb.fit_many([small(), net], **data, optimizers=[fb.SGD(), opt], progress=False)
    if vector == "grads":
        for _ in range(2):
            with pytest.raises(ValueError, match=message):
                net.loss_and_grad(**data)
    else:
        net.loss_and_grad(**data)
        net.grads[:] = before[1]
    after = net.params, net.grads, opt.state, opt.steps
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    net.fit(**{key: array.copy() for key, array in data.items()}, optimizer=opt, progress=False)


def test_a_call_made_again_looks_too():
    """The short way for calls like the last one."""
    net, plan = small(), g.compile(g.mean((g.input("x", 2) @ g.parameter("W", (2, 30)) + g.parameter("b", 30)) ** 2))
    X = numbers(10, 2)
    for _ in range(2):
        net.loss_and_grad(X, X)
        plan.loss_and_grad(x=X)
    for arrays in ((inside(net.grads, 10, 2), X), (X, inside(net.grads, 10, 2))):
        with pytest.raises(ValueError, match="lies in the memory of grads"):
            net.loss_and_grad(*arrays)
    with pytest.raises(ValueError, match="x lies in the memory of grads"):
        plan.loss_and_grad(x=inside(plan.grads, 10, 2))
    with pytest.raises(ValueError, match="x lies in the memory of params"):
        plan.fit({"x": inside(plan.params, 10, 2)}, progress=False)


def test_forward_and_backward_look_too():
    net = small()
    with pytest.raises(ValueError, match="X lies in the memory of grads"):
        net.forward(inside(net.grads, 10, 2))
    net.forward(numbers(10, 2))
    with pytest.raises(ValueError, match="dY lies in the memory of grads"):
        net.backward(inside(net.grads, 10, 2))
    assert net.forward(inside(net.params, 10, 2)).shape == (10, 2)


def test_what_a_call_only_reads_may_be_its_data():
    net = small()
    X = inside(net.params, 10, 2)
    assert np.array_equal(net.predict(X), net.predict(X.copy()))
    assert net.loss_and_grad(X, X) == net.loss_and_grad(X.copy(), X.copy())
    plan = g.compile(g.mean((g.input("x", 2) @ g.parameter("W", (2, 30))) ** 2))
    plan.loss_and_grad(x=numbers(10, 2))
    X = inside(plan.params, 10, 2)
    assert np.array_equal(plan.hvp(plan.grads, x=X), plan.hvp(plan.grads.copy(), x=X.copy()))


# ---- the core's own door ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [
    np.zeros((4, 4), "float32")[:, ::2], np.broadcast_to(np.float32(0), (9, 9)), np.zeros(4, "float32"), [[1.0]],
])
def test_an_activation_by_itself_takes_only_what_it_can_write(bad):
    with pytest.raises(ValueError, match=r"Y is a .* of shape .*, expected a writable C-contiguous array"):
        fb.cpu.activate("relu", bad)
