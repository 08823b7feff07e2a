"""Which monitored names fit refuses before the first step: what nobody can put into logs, what callbacks declare that
they put there, and what those that do not declare it may put there."""

import pytest
from small_network import bits, made

import fastbp as fb
from fastbp import schedules
from fastbp._check.logs import BUILT_IN
from fastbp.callbacks import Callbacks

NAMES = ["loss", "lr", "seconds", "samples_per_second", "f1", "val_auc"]


def nothing(net, epoch, logs):
    """A function, of which nobody knows what it puts into logs."""


class Puts(fb.Callback):
    """Puts f1 and val_accuracy there, and says so or not."""

    def __init__(self, puts=None):
        self.puts = puts

    def on_epoch_end(self, net, epoch, logs):
        logs.update(f1=0.5, val_accuracy=0.25)


class Ends(fb.Callback):
    """Has another hook than the one that is given logs."""

    def on_train_end(self, net, history):
        pass


class Waits(fb.EarlyStopping):
    """Stops as its base does."""


def stopper(monitor):
    return {"early_stopping": fb.EarlyStopping(monitor, mode="max")}


def plateau(monitor):
    return {"optimizer": fb.SGD(lr=schedules.ReduceOnPlateau(0.1, monitor=monitor, mode="max"))}


@pytest.mark.parametrize("asks", [stopper, plateau])
@pytest.mark.parametrize("callbacks, monitor", [
    ([], "f1"), ([], "val_loss"), ([fb.Callback(), Ends(), Waits("loss")], "f1"), ([Puts(puts=())], "f1"),
    ([nothing], "val_loss"), ([nothing], "val_accuracy"), ([nothing], "accuracy"), ([Puts()], "val_accuracy"),
    ([nothing], "los"), ([nothing], "Loss"), ([nothing], "samples per second"),
    ([Puts(puts=["f1"]), nothing], "f_1"), ([Puts(puts=("f1_macro",)), nothing], "f1_macr"),
])
def test_it_is_refused_before_the_first_step(data, asks, callbacks, monitor):
    net = made()
    before = bits(net)
    with pytest.raises(
        ValueError,
        match=rf"monitors '{monitor}', expected one of: loss, lr, .*; choose one of these, pass validation_data or "
        "validation_split, or have .* callback.* put it into logs, a Callback that names it in its puts",
    ):
        net.fit(*data[:2], callbacks=callbacks, **asks(monitor))
    assert bits(net) == before
    assert net.epochs == 0


@pytest.mark.parametrize("asks", [stopper, plateau])
@pytest.mark.parametrize("callbacks, monitor", [
    ([Puts()], "f1"), ([Puts(puts=("f1",))], "f1"), ([Puts(puts={"val_accuracy"})], "val_accuracy"),
    ([Puts(puts=frozenset(["f1", "val_accuracy"])), nothing], "val_accuracy"), ([nothing, Puts()], "f1"),
])
def test_what_a_callback_puts_may_be_monitored(data, asks, callbacks, monitor):
    history = made().fit(*data[:2], epochs=2, callbacks=callbacks, **asks(monitor))
    assert len(history.history[monitor]) == 2


@pytest.mark.parametrize("monitor", ["f2", "val_f1", "val_auc2", "recall", "ema_loss", "%"])
def test_names_that_are_no_slips_may_be_put_by_one_that_does_not_say(monitor):
    Callbacks([nothing], fb.EarlyStopping(monitor, mode="max"), names=NAMES)


@pytest.mark.parametrize("puts, kind, message", [
    ("f1", TypeError, r"puts of callbacks\[0\] \(.*\) is 'f1', expected a tuple of names or None; pass \('f1',\), say"),
    ((3,), TypeError, r"a name in puts of callbacks\[0\] \(.*\) is 3 \(int\), expected the name of a value"),
    (("loss",), ValueError, "is 'loss', expected another name than loss, val_loss, lr, .*, which are fit's own"),
    (("val_loss",), ValueError, "is 'val_loss', expected another name"),
    (("val_auc",), ValueError, "is 'val_auc', expected another name than loss, .*, val_auc, which are fit's own"),
])
def test_what_cannot_be_declared(puts, kind, message):
    with pytest.raises(kind, match=message):
        Callbacks([Puts(puts=puts)], names=NAMES)


def test_two_may_put_the_same_and_none_of_fits_own_is_free_without_a_declaration():
    calls = Callbacks([Puts(puts=("a",)), Puts(puts=("a", "b"))], names=NAMES)
    assert (calls.names, calls.undeclared) == ([*NAMES, "a", "a", "b"], False)
    for name in set(BUILT_IN) - set(NAMES):
        with pytest.raises(ValueError, match=f"monitors '{name}'"):
            Callbacks([nothing, fb.EarlyStopping(name)], names=NAMES)
