"""Wrong input through the public doors: one clear exception each, and the network and its optimizer as they were.

What the checks themselves take and refuse is in test_check.py; here every door calls them, before it changes anything.
"""

import numpy as np
import pytest

import fastbp as fb
from fastbp._training import network_fit

N, INPUTS, UNITS = 20, 4, 3
X = np.random.default_rng(0).standard_normal((N, INPUTS)).astype("float32")
Y = np.random.default_rng(1).random((N, UNITS)).astype("float32")
LABELS = np.arange(N) % UNITS


def with_value(array, value):
    array = array.copy()
    array[7, 2] = value
    return array


@pytest.fixture(params=["squared_error", "cross_entropy"])
def unchanged(request):
    """(net, optimizer) that have trained; after the test parameters, gradients, state and steps are bit for bit as
    they were, the network still trains, and what forward kept is still there."""
    net = fb.mlp(INPUTS, 5, UNITS, activation="tanh", loss=request.param, seed=3, dropout=0.1)
    y = LABELS if request.param == "cross_entropy" else Y
    optimizer = fb.Adam(lr=0.01)
    net.fit(X, y, epochs=1, batch_size=7, optimizer=optimizer)
    net.forward(X)
    net.grads[:] = np.linspace(-1, 1, net.grads.size)
    twin = fb.Sequential.from_config(net.config())
    twin.__setstate__(net.__getstate__())

    def snapshot():
        return (net.params.tobytes(), net.grads.tobytes(), optimizer.state.tobytes(), optimizer.steps, optimizer.rate(),
                net.config(), net._draws, net.epochs, X.tobytes(), Y.tobytes(), LABELS.tobytes())

    before, params, grads, state = snapshot(), net.params, net.grads, optimizer.state
    yield net, optimizer
    assert snapshot() == before
    assert (net.params is params, net.grads is grads, optimizer.state is state) == (True, True, True)
    assert net.backward(np.ones((N, UNITS))).shape == X.shape
    assert net.fit(X, y, optimizer=optimizer).epoch == [1]
    twin.fit(X, y)
    assert optimizer.steps == before[3] + 1


def refused(kind, parts, function, *arguments, **options):
    """The call raises exactly this kind; the message has every part (what came, what was expected) and a remedy."""
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert type(caught.value) is kind, message
    for part in parts:
        assert part in message, f"{part!r} is not in: {message}"
    assert "; " in message, f"no remedy: {message}"
    assert len(message) < 400


BAD_X = {
    "too narrow": (X[:, :3], ValueError,
                   ["X has shape (20, 3)", "expected (n, 4)", "pass 4 columns, or make a network of 3"]),
    "transposed": (X.T[:, :10], ValueError,
                   ["X has shape (4, 10)", "expected (n, 4)", "if samples are columns use X.T"]),
    "one sample": (X[0], ValueError, ["X has shape (4,)", "expected (n, 4)", "X.reshape(1, -1)"]),
    "images": (np.ones((5, 2, 2)), ValueError, ["X has shape (5, 2, 2)", "expected (n, 4)", "X.reshape(len(X), -1)"]),
    "a number": (3.0, ValueError, ["X has shape ()", "expected (n, 4)"]),
    "empty": (X[:0], ValueError, ["X is empty (shape (0, 4))", "expected at least one row of 4", "pass data"]),
    "no columns": (X[:, :0], ValueError, ["X is empty (shape (20, 0))"]),
    "None": (None, TypeError, ["X is None", "expected an array of real numbers"]),
    "objects": (X.astype(object), TypeError, ["X has dtype object", "expected real numbers", "X.astype(float)"]),
    "complex": (X.astype(complex), TypeError, ["X has dtype complex128", "expected real numbers", "X.real"]),
    "strings": (X.astype(str), TypeError, ["X has dtype <U", "expected real numbers", "X.astype(float)"]),
    "dates": (np.ones((20, 4), "datetime64[s]"), TypeError, ["X has dtype datetime64[s]", "expected real numbers"]),
    "ragged": ([[1, 2, 3, 4], [1, 2]], ValueError,
               ["X is not an array", "expected real numbers in rows of equal length"]),
    "masked": (np.ma.masked_less(X, 0), ValueError, ["X has masked values", "expected numbers everywhere", "X.filled"]),
    "NaN": (with_value(X, np.nan), ValueError,
            ["X[7, 2] is nan (row 7, column 2)", "expected finite numbers", "np.nan_to_num(X)"]),
    "infinity": (with_value(X, -np.inf), ValueError, ["X[7, 2] is -inf", "expected finite numbers"]),
    "NaN of float64": (with_value(X.astype(float), np.nan), ValueError, ["X[7, 2] is nan"]),
    "overflow": (with_value(X.astype(float), 1e39), ValueError,
                 ["X[7, 2] is 1e+39", "overflows float32", "at most 3.4e+38", "dtype='float64'"]),
}

DOORS = {
    "fit": lambda net, X, y, **options: net.fit(X, y, **options),
    "loss_and_grad": lambda net, X, y, **options: net.loss_and_grad(X, y, **options),
    "evaluate": lambda net, X, y, **options: net.evaluate(X, y, **options),
}


def good(net):
    return LABELS if net.loss.takes_labels else Y


@pytest.mark.parametrize("what", BAD_X)
@pytest.mark.parametrize("door", [*DOORS, "predict", "forward"])
def test_bad_x(unchanged, door, what):
    net, optimizer = unchanged
    bad, kind, parts = BAD_X[what]
    if door == "fit":
        refused(kind, parts, net.fit, bad, good(net), optimizer=optimizer)
    elif door in DOORS:
        refused(kind, parts, DOORS[door], net, bad, good(net))
    else:
        refused(kind, parts, getattr(net, door), bad)


@pytest.mark.parametrize("what", BAD_X)
def test_bad_gradient_for_the_outputs(unchanged, what):
    net, _ = unchanged
    if what in ("overflow", "infinity", "NaN of float64", "NaN"):
        value = {"overflow": 1e39, "infinity": -np.inf}.get(what, np.nan)
        bad = with_value(Y.astype("float64"), value)
        refused(ValueError, ["dY[7, 2] is", "expected"], net.backward, bad)
    elif what == "too narrow":
        refused(ValueError, ["dY has shape (20, 2)", "expected (n, 3)"], net.backward, Y[:, :2])
    else:
        bad, kind, parts = BAD_X[what]
        refused(kind, [parts[0].replace("X", "dY").split("(")[0]], net.backward, bad)


def test_a_gradient_of_other_rows(unchanged):
    net, _ = unchanged
    refused(ValueError, ["dY has 5 rows", "expected 20", "call forward with the same rows first"], net.backward, Y[:5])


def test_backward_without_forward():
    net = fb.mlp(4, 3)
    refused(RuntimeError, ["backward needs what forward keeps", "call forward(X) first"], net.backward, Y)
    assert not net.grads.any()


BAD_Y = {
    "too short": (Y[:5], ValueError, ["y has 5 rows", "expected 20, one target for each row of X", "pass X and y of "
                                                                                                   "the same length"]),
    "too long": (np.vstack([Y, Y]), ValueError, ["y has 40 rows", "expected 20, one target for each row of X"]),
    "transposed": (Y.T, ValueError, ["y has 3 rows", "expected 20, one target for each row of X", "use y.T"]),
    "too narrow": (Y[:, :2], ValueError, ["y has shape (20, 2)", "expected", "(n, 3) for a network of 3 outputs"]),
    "empty": (Y[:0], ValueError, ["y is empty (shape (0, 3))", "expected one target for each row of X"]),
    "a number": (1.0, ValueError, ["y has no rows", "expected 20, one target for each row of X"]),
    "None": (None, TypeError, ["y is None", "expected an array of real numbers"]),
    "objects": (Y.astype(object), TypeError, ["y has dtype object", "expected real numbers"]),
    "complex": (Y.astype(complex), TypeError, ["y has dtype complex128", "y.real"]),
    "names": (np.array(["a", "b", "c", "d"] * 5), TypeError,
              ["y has dtype <U1", "np.unique(y, return_inverse=True)[1]"]),
    "float labels": (LABELS.astype(float), TypeError, ["y has shape (20,) and dtype float64", "y.astype(int)"]),
    "a column of labels": (LABELS[:, None], ValueError, ["y has shape (20, 1)", "y.ravel()"]),
    "NaN": (with_value(Y, np.nan), ValueError, ["y[7, 2] is nan", "expected finite numbers"]),
    "infinity": (with_value(Y, np.inf), ValueError, ["y[7, 2] is inf", "expected finite numbers"]),
    "a label too large": (np.where(np.arange(N) == 9, 3, LABELS), ValueError,
                          ["y[9] is 3", "expected labels 0 .. 2", "make the last layer as wide"]),
    "a negative label": (np.where(np.arange(N) == 9, -1, LABELS), ValueError, ["y[9] is -1", "expected labels 0 .. 2"]),
    "labels from one": (LABELS + 1, ValueError, ["y[2] is 3", "expected labels 0 .. 2", "y - 1"]),
}


@pytest.mark.parametrize("what", BAD_Y)
@pytest.mark.parametrize("door", [*DOORS, "run_steps"])
def test_bad_y(unchanged, door, what):
    net, optimizer = unchanged
    bad, kind, parts = BAD_Y[what]
    parts = [part.replace("(n, 3)", f"({N}, 3)") for part in parts]
    if door == "fit":
        refused(kind, parts, net.fit, X, bad, optimizer=optimizer)
    elif door == "run_steps":
        refused(kind, parts, network_fit.run_steps, net, X, bad, optimizer, 5, 2)
    else:
        refused(kind, parts, DOORS[door], net, X, bad)


@pytest.mark.parametrize(("loss", "bad", "parts"), [
    ("poisson", -1.0, ["is -1.0 (row 7, column 2)", "expected targets >= 0 for poisson", "pass counts"]),
    ("binary_cross_entropy", 2.0,
     ["is 2.0 (row 7, column 2)", "expected targets in [0, 1]", "make the two classes 0 and 1"]),
    ("cross_entropy", -0.5, ["is -0.5 (row 7, column 2)", "expected targets >= 0", "pass integer labels"]),
])
@pytest.mark.parametrize("door", DOORS)
def test_targets_that_a_loss_cannot_have(door, loss, bad, parts):
    net = fb.mlp(INPUTS, UNITS, loss=loss)
    before = net.params.copy()
    refused(ValueError, parts, DOORS[door], net, X, with_value(Y, bad))
    assert (net.params == before).all()
    assert not net.grads.any()


BAD_WEIGHTS = [
    ({"sample_weight": np.ones(19)}, ValueError, ["sample_weight has shape (19,)", "expected (20,)"]),
    ({"sample_weight": np.ones((20, 1))}, ValueError, ["sample_weight has shape (20, 1)", "sample_weight.ravel()"]),
    ({"sample_weight": np.full(20, -1.0)}, ValueError, ["sample_weight[0] is -1.0", "expected weights >= 0"]),
    ({"sample_weight": np.full(20, np.nan)}, ValueError, ["sample_weight[0] is nan", "expected finite numbers"]),
    ({"sample_weight": ["a"] * 20}, TypeError, ["sample_weight has dtype <U1", "expected real numbers"]),
    ({"sample_weight": 1.0}, ValueError, ["sample_weight has shape ()", "expected (20,)"]),
    ({"class_weight": {5: 1.0}}, ValueError, ["class_weight has the key 5", "expected labels 0 .. 2"]),
    ({"class_weight": {0: -1.0}}, ValueError, ["class_weight[0] is -1.0", "expected a finite number >= 0"]),
    ({"class_weight": {"a": 1.0}}, TypeError, ["class_weight has the key 'a'", "expected integer labels"]),
    ({"class_weight": "balanced"}, TypeError, ["class_weight is 'balanced'", "expected a dict"]),
    ({"class_weight": [1.0, 2.0]}, ValueError, ["class_weight has shape (2,)", "expected (3,)"]),
]


@pytest.mark.parametrize(("options", "kind", "parts"), BAD_WEIGHTS, ids=str)
@pytest.mark.parametrize("door", DOORS)
def test_bad_weights(unchanged, door, options, kind, parts):
    net, optimizer = unchanged
    if door == "fit":
        options = {**options, "optimizer": optimizer}
    refused(kind, parts, DOORS[door], net, X, LABELS, **options)


def test_class_weights_need_classes(unchanged):
    net, _ = unchanged
    refused(ValueError, ["class_weight is given", "does not hold one class for each row", "use sample_weight"],
            net.loss_and_grad, X, Y, class_weight={0: 2.0})


OTHER = fb.SGD(lr=0.1, momentum=0.9)
fb.mlp(2, 1).fit([[1.0, 2.0]], [1.0], optimizer=OTHER)

BAD_OPTIONS = [
    ({"epochs": 0}, ValueError, ["epochs is 0", "expected an integer >= 1"]),
    ({"epochs": 2.5}, TypeError, ["epochs is 2.5 (float)", "expected an integer >= 1"]),
    ({"batch_size": 0}, ValueError, ["batch_size is 0", "expected an integer >= 1"]),
    ({"batch_size": "32"}, TypeError, ["batch_size is '32'", "expected an integer"]),
    ({"batch_size": None}, TypeError, ["batch_size is None", "expected an integer"]),
    ({"optimizer": "adam"}, TypeError, ["optimizer is 'adam'", "expected an optimizer object", "fb.Adam()"]),
    ({"optimizer": fb.Adam}, TypeError, ["optimizer is <class", "expected an optimizer object"]),
    ({"optimizer": OTHER}, ValueError,
     ["already trains another network", "expected one optimizer for each network", "fresh()"]),
    ({"shuffle": 1}, TypeError, ["shuffle is 1 (int)", "expected True or False"]),
    ({"seed": -1}, ValueError, ["seed is -1", "expected an integer >= 0"]),
    ({"seed": 0.5}, TypeError, ["seed is 0.5 (float)", "expected an integer"]),
    ({"threads": 0}, ValueError, ["threads is 0", "expected an integer >= 1"]),
    ({"threads": "all"}, TypeError, ["threads is 'all'", "expected an integer"]),
    ({"progress": "yes"}, TypeError, ["progress is 'yes'", "expected True or False"]),
    ({"validation_split": 1.0}, ValueError, ["validation_split is 1.0", "expected a finite number >= 0 and < 1"]),
    ({"validation_split": -0.1}, ValueError, ["validation_split is -0.1"]),
    ({"validation_split": 0.001}, ValueError, ["validation_split is 0.001 of 20 samples", "expected at least one"]),
    ({"validation_split": 0.99}, ValueError, ["validation_split is 0.99 of 20 samples", "expected at least one"]),
    ({"validation_split": 0.5, "validation_data": (X, Y)}, ValueError,
     ["validation_split is 0.5", "validation_data is given", "leave one out"]),
    ({"validation_data": X}, TypeError, ["validation_data is ndarray", "expected (X, y) or (X, y, sample_weight)"]),
    ({"validation_data": (X,)}, TypeError, ["validation_data", "expected (X, y)"]),
    ({"validation_data": (X[:, :2], Y)}, ValueError, ["validation X has shape (20, 2)", "expected (n, 4)"]),
    ({"validation_data": (X, Y[:3])}, ValueError, ["validation y has 3 rows", "expected 20, one target for each row "
                                                                              "of X"]),
    ({"validation_data": (X, with_value(Y, np.nan))}, ValueError, ["validation y[7, 2] is nan"]),
    ({"validation_data": (with_value(X, np.nan), Y)}, ValueError, ["validation X[7, 2] is nan"]),
    ({"validation_data": (X, Y, np.ones(3))}, ValueError, ["sample_weight has shape (3,)", "expected (20,)"]),
    ({"callbacks": 3}, TypeError, ["callbacks is 3", "expected a sequence of callbacks"]),
    ({"callbacks": ["stop"]}, TypeError, ["callbacks[0] is 'stop'", "expected a Callback object or a function"]),
    ({"callbacks": [fb.EarlyStopping]}, TypeError, ["callbacks[0]", "expected a Callback object"]),
    ({"early_stopping": 3}, TypeError, ["early_stopping is 3", "expected None or an EarlyStopping"]),
    ({"early_stopping": fb.EarlyStopping()}, ValueError,
     ["monitors 'val_loss'", "expected one of: loss", "validation_data"]),
    ({"callbacks": [fb.EarlyStopping("los")]}, ValueError, ["monitors 'los'", "expected one of: loss"]),
]


@pytest.mark.parametrize(("options", "kind", "parts"), BAD_OPTIONS, ids=lambda value: str(value)[:40])
def test_bad_options_of_fit(unchanged, options, kind, parts):
    net, optimizer = unchanged
    refused(kind, parts, net.fit, X, good(net), **{"optimizer": optimizer, **options})


@pytest.mark.parametrize("options", [{"progress": "yes"}, {"callbacks": 3}, {"epochs": 0}, {"threads": 0}], ids=str)
def test_a_refused_fit_does_not_take_the_optimizer(options):
    net, optimizer = fb.mlp(INPUTS, UNITS), fb.Adam()
    with pytest.raises((TypeError, ValueError)):
        net.fit(X, Y, optimizer=optimizer, **options)
    assert optimizer.state is None
    fb.mlp(INPUTS, 2).fit(X, Y[:, :2], optimizer=optimizer)  # it is still free for another network


@pytest.mark.parametrize(("make", "kind", "parts"), [
    (lambda: fb.SGD(lr=-0.1), ValueError, ["lr is -0.1", "expected a finite number >= 0"]),
    (lambda: fb.SGD(lr=np.nan), ValueError, ["lr is nan", "expected a finite number >= 0"]),
    (lambda: fb.Adam(lr=np.inf), ValueError, ["lr is inf"]),
    (lambda: fb.Adam(lr="fast"), TypeError, ["lr is 'fast'", "expected a finite number"]),
    (lambda: fb.SGD(momentum=1.0), ValueError, ["momentum is 1.0", "< 1"]),
    (lambda: fb.AdamW(weight_decay=-1), ValueError, ["weight_decay is -1", ">= 0"]),
    (lambda: fb.SGD(clip_norm=0.0), ValueError, ["clip_norm is 0.0", "> 0"]),
    (lambda: fb.Dropout(1.5), ValueError, ["rate is 1.5", "< 1"]),
    (lambda: fb.Dense(2.0, 3), TypeError, ["inputs is 2.0 (float)", "expected an integer"]),
    (lambda: fb.EarlyStopping(patience=-1), ValueError, ["patience is -1", "expected an integer >= 0"]),
    (lambda: fb.losses.Huber(delta=0), ValueError, ["delta is 0", "> 0"]),
    (lambda: fb.gradcheck(fb.mlp(INPUTS, UNITS), X[:, :2], Y), ValueError, ["X has shape (20, 2)", "expected (n, 4)"]),
    (lambda: fb.gradcheck(fb.mlp(INPUTS, UNITS), X, Y, most=0), ValueError, ["most is 0", "expected an integer >= 1"]),
])
def test_other_doors(make, kind, parts):
    refused(kind, parts, make)


def test_a_rate_set_between_steps_is_checked(unchanged):
    _, optimizer = unchanged
    refused(ValueError, ["lr is -1.0", "expected a finite number >= 0"], setattr, optimizer, "lr", -1.0)


def test_a_step_of_an_optimizer_of_another_network(unchanged):
    net, optimizer = unchanged
    other = fb.mlp(INPUTS, UNITS)
    other.loss_and_grad(X, Y)
    before = other.params.copy()
    refused(ValueError, ["already trains another network"], optimizer.step, other)
    refused(ValueError, ["already trains another network"], OTHER.step, net)
    assert (other.params == before).all()


def test_a_schedule_that_gives_nonsense(unchanged):
    class Wrong(fb.schedules.Schedule):
        def __call__(self, step):
            return -np.ones(np.shape(step))

    net, _ = unchanged
    refused(ValueError, ["gives", "expected finite rates >= 0", "correct the schedule"],
            net.fit, X, good(net), optimizer=fb.SGD(lr=Wrong()))
