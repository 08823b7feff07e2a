"""Names that a user chooses from: a wrong one leads to the right one, whoever calls it so."""

import dataclasses
import functools

import pytest

import fastbp as fb
from fastbp import _check as check
from fastbp import initializers, optimizers, schedules
from fastbp._check import names
from fastbp._core import cpu

TABLES = {"loss": fb.losses.LOSSES, "activation": cpu.activations(), "optimizer": optimizers.OPTIMIZERS,
          "init": initializers.NAMES, "schedule": schedules.SCHEDULES}


@pytest.mark.parametrize(("kind", "given", "meant"), [
    ("loss", "categorical_crossentropy", "cross_entropy"), ("loss", "sparse_categorical_crossentropy", "cross_entropy"),
    ("loss", "binary_crossentropy", "binary_cross_entropy"), ("loss", "BCE", "binary_cross_entropy"),
    ("loss", "nll", "cross_entropy"), ("loss", "l1", "mae"), ("loss", "l2", "mse"),
    ("loss", "log_loss", "cross_entropy"),
    ("loss", "mean_squared_error", "mse"), ("loss", "mean_absolute_error", "mae"), ("loss", "smooth_l1", "huber"),
    ("loss", "CrossEntropyLoss", "cross_entropy"), ("loss", "torch.nn.BCEWithLogitsLoss", "binary_cross_entropy"),
    ("loss", "SparseCategoricalCrossentropy", "cross_entropy"), ("loss", "MSE", "mse"),
    ("loss", "tf.losses.Huber", "huber"),
    ("loss", "categorical_crosentropy", "cross_entropy"), ("loss", "pinball", "quantile"),
    ("activation", "swish", "silu"), ("activation", "logistic", "sigmoid"), ("activation", "identity", "linear"),
    ("activation", "ReLU", "relu"), ("activation", "LeakyReLU", "leaky_relu"),
    ("activation", "hard-sigmoid", "hard_sigmoid"),
    ("output", "logistic", "sigmoid"), ("--activation", "swish", "silu"), ("layers[0].activation", "swish", "silu"),
    ("optimizer", "SGD", "sgd"), ("optimizer", "torch.optim.AdamW", "adamw"), ("optimizer", "RMSProp", "rmsprop"),
    ("init", "kaiming", "he_normal"), ("init", "xavier", "glorot_uniform"), ("bias_init", "zero", "zeros"),
    ("init", "kaiming_uniform_", "he_uniform"), ("init", "HeNormal", "he_normal"),
    ("schedule", "CosineAnnealingLR", "cosine"), ("schedule", "StepLR", "step"), ("schedule", "one-cycle", "one_cycle"),
    ("schedule", "ReduceLROnPlateau", "reduce_on_plateau"),
])
def test_the_names_of_others_lead_to_ours(kind, given, meant):
    table = TABLES[{"output": "activation", "--activation": "activation", "layers[0].activation": "activation",
                    "bias_init": "init"}.get(kind, kind)]
    with pytest.raises(ValueError, match=" is ") as error:
        check.choice(kind, given, table)
    assert str(error.value) == f"{kind} is {given!r}, expected one of: {', '.join(table)}; did you mean {meant!r}?"


@pytest.mark.parametrize(("kind", "given", "text"), [
    ("loss", "hinge", "the nearest is 'cross_entropy', or 'binary_cross_entropy' for one output"),
    ("loss", "KLDivLoss", "the nearest is 'cross_entropy', whose gradient is the same for fixed targets"),
    ("activation", "relu6", "the nearest is 'relu', which is not cut off at 6"),
    ("activation", "log_softmax",
     "the nearest is 'linear', with the loss 'cross_entropy', which has log-softmax in it"),
    ("optimizer", "adamax", "the nearest is 'adam'"), ("optimizer", "nadam", "the nearest is 'adam'"),
    ("optimizer", "momentum", "the nearest is 'sgd', as fb.SGD(lr, momentum=0.9)"),
    ("init", "orthogonal", "the nearest is 'glorot_uniform', or pass an array"),
    ("schedule", "polynomial", "the nearest is 'linear'"),
])
def test_of_what_is_not_here_the_nearest_is_named(kind, given, text):
    if given in TABLES[kind]:
        pytest.skip(f"{given} has come; its line of fastbp/_check/names.py may go")
    with pytest.raises(ValueError, match="there is none of that name") as error:
        check.choice(kind, given, TABLES[kind])
    assert str(error.value) == (f"{kind} is {given!r}, expected one of: {', '.join(TABLES[kind])}; there is none of "
                                "that "
                                f"name, {text}")


@pytest.mark.parametrize("kind", TABLES)
def test_every_other_name_leads_to_a_name_there_is(kind):
    for given, found in names._OTHERS[kind].items():
        assert names._plain(given) == given, given
        if given in map(names._plain, TABLES[kind]):  # there is one of that name now, which comes first
            continue
        assert (found if isinstance(found, str) else found[0]) in TABLES[kind], given


def test_where_a_name_is_not_offered_it_is_not_suggested():
    with pytest.raises(ValueError, match=r"^loss is 'bce', expected one of: mse; choose one of them$"):
        check.choice("loss", "bce", ["mse"])
    assert check.choice("optimizer", "momentum", ["sgd", "momentum"]) == "momentum"


def test_users_meet_the_suggestions():
    for make, meant in ((lambda: fb.mlp(2, 2, loss="categorical_crossentropy"), "cross_entropy"),
                        (lambda: fb.mlp(2, 2, 2, activation="swish"), "silu"),
                        (lambda: fb.Dense(2, 2, init="xavier"), "glorot_uniform"),
                        (lambda: optimizers.get("SGD"), "sgd"),
                        (lambda: schedules.from_config({"name": "CosineAnnealingLR"}), "cosine")):
        with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
            make()


@pytest.mark.parametrize("given", ["", "x" * 10**6, "\x1b[31m", "....", "loss"])
def test_any_text_is_refused_in_a_short_line(given):
    with pytest.raises(ValueError, match="loss is") as error:
        check.choice("loss", given, TABLES["loss"])
    assert len(str(error.value)) < 400 and str(error.value).isprintable()


@pytest.mark.parametrize(("make", "what", "meant"), [
    (lambda: fb.Adam(learning_rate=1e-3), "Adam has no setting 'learning_rate', expected: lr, beta1,", "'lr'"),
    (lambda: fb.Adam(beta_1=0.9), "Adam has no setting 'beta_1'", "'beta1'"),
    (lambda: fb.SGD(clipnorm=1.0), "SGD has no setting 'clipnorm'", "'clip_norm'"),
    (lambda: fb.RMSprop(epsilon=1e-8), "RMSprop has no setting 'epsilon'", "'eps'"),
    (lambda: fb.schedules.Step(0.1, step_size=30), "Step has no setting 'step_size', expected: lr, every", "'every'"),
    (lambda: fb.schedules.Cosine(0.1, T_max=9), "Cosine has no setting 'T_max'", "'steps'"),
])
def test_the_settings_of_others_lead_to_ours(make, what, meant):
    with pytest.raises(TypeError) as error:
        make()
    assert str(error.value).startswith(what) and str(error.value).endswith(f"; did you mean {meant}?")


def test_a_setting_of_nobody_is_left_out():
    with pytest.raises(TypeError, match=r"SGD has no setting 'xyzzy', expected: lr, momentum, .*; leave it out"):
        fb.SGD(xyzzy=1)


def test_a_schedule_of_ones_own_may_have_arguments_of_its_own():
    class Mine(schedules.Schedule):
        def __init__(self, speed):
            self.speed = speed

        def rates(self, t):
            return self.speed / (1 + t)

    assert Mine(speed=0.5)(1) == 0.25


@dataclasses.dataclass(eq=False)
class WithInitVar(fb.SGD):
    rate: dataclasses.InitVar[float] = 0.1

    def __post_init__(self, rate):
        self.lr = rate
        super().__post_init__()


@dataclasses.dataclass(init=False, eq=False)
class WithoutInit(fb.SGD):
    def __init__(self, rate, /, *, pace=1.0):
        super().__init__(lr=rate * pace)


@dataclasses.dataclass(init=False)
class Any(schedules.Constant):
    def __init__(self, *args, **more):
        super().__init__(more["rate"])


def wrapped(method):
    @functools.wraps(method)
    def inner(self, **given):
        return method(self, given.pop("rate"), **given)

    return inner


class Wrapped(fb.Adam):
    @wrapped
    def __init__(self, lr):
        super().__init__(lr)


@pytest.mark.parametrize("make", [
    lambda: WithInitVar(rate=0.5), lambda: WithoutInit(0.25, pace=2.0), lambda: Any(rate=0.5), lambda: Wrapped(rate=0.5)
])
def test_what_an_init_takes_is_a_setting(make):
    made = make()
    assert made.lr == 0.5 if isinstance(made, optimizers.Optimizer) else made(3) == 0.5


@pytest.mark.parametrize("make, message", [
    (lambda: WithInitVar(rates=1), r"WithInitVar has no setting 'rates', expected: .*, rate; did you mean 'rate'\?"),
    (lambda: WithoutInit(rate=0.5, pace=2.0), "WithoutInit has no setting 'rate', expected: pace"),
    (lambda: WithoutInit(0.5, learning=1), "WithoutInit has no setting 'learning', expected: pace; leave it out"),
    (lambda: fb.Adam(self=3), "Adam has no setting 'self'"),
])
def test_what_an_init_does_not_take_is_refused_in_words(make, message):
    with pytest.raises(TypeError, match=message):
        make()
