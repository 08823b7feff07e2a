"""fastbp/_check/logs.py and what goes through it: values of a callback's own reach the History, later callbacks,
schedules, the bar and the curves; what fit measured stays."""

import decimal
import io
import math
import sys

import numpy as np
import pytest
from small_network import bits, made

import fastbp as fb
from fastbp._check.logs import more_is_better, number
from fastbp.callbacks import Callbacks

VALUES = [0.5, 0.9, 0.7, 0.6, 0.1, 0.2]


class Puts(fb.Callback):
    """Puts the next of `values` into logs; no value where it is None."""

    def __init__(self, values=VALUES, name="f1", puts=None):
        self.values, self.name, self.puts = values, name, puts

    def on_epoch_end(self, net, epoch, logs):
        if self.values[epoch] is not None:
            logs[self.name] = self.values[epoch]


def fit(data, *callbacks, epochs=6, **options):
    net = made()
    return net, net.fit(*data[:2], epochs=epochs, batch_size=25, callbacks=list(callbacks), **options)


# ---- who sees it -----------------------------------------------------------------------------------------------------


def test_what_a_callback_puts_is_in_the_history_and_seen_by_later_ones_alone(data):
    seen = []

    def before(net, epoch, logs):
        seen.append("f1" in logs)

    def after(net, epoch, logs):
        seen.append(logs["f1"])
        logs["better"] = logs["f1"] > 0.6

    net, history = fit(data, before, Puts(), after)
    assert history.history["f1"] == VALUES
    assert history.history["better"] == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert all(type(value) is float for values in history.history.values() for value in values)
    assert seen == [each for value in VALUES for each in (False, value)]
    plain, theirs = fit(data)
    assert bits(net) == bits(plain)
    assert history.history["loss"] == theirs.history["loss"]


def test_early_stopping_monitors_it_by_its_name(data):
    by_list, by_argument = (fb.EarlyStopping("f1", patience=2) for _ in range(2))
    kept = []
    net, history = fit(data, Puts(), by_list, lambda net, epoch, logs: kept.append(net.params.copy()))
    assert history.history["f1"] == VALUES[:4]
    assert (by_list.best, by_list.best_epoch, by_list.stopped_epoch) == (0.9, 1, 3)
    assert (net.params == kept[1]).all()
    other, _ = fit(data, Puts(), early_stopping=by_argument)
    assert bits(other) == bits(net)


def test_a_users_own_checkpoint_may_monitor_it(data):
    class Checkpoint(fb.Callback):
        monitor = "f1"
        best = -math.inf

        def on_epoch_end(self, net, epoch, logs):
            if logs[self.monitor] > self.best:
                self.best, self.epoch = logs[self.monitor], epoch

    checkpoint = Checkpoint()
    fit(data, Puts(), checkpoint)
    assert (checkpoint.best, checkpoint.epoch) == (0.9, 1)
    with pytest.raises(ValueError, match=r"monitors 'f1', expected one of: loss, lr.*a callback before this one"):
        fit(data, Checkpoint(), Puts())


def test_a_plateau_waits_for_it(data):
    def rates(*callbacks):
        plateau = fb.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=0, mode="max", monitor="f1", min_delta=0)
        history = fit(data, *callbacks, optimizer=fb.SGD(lr=plateau))[1]
        return history.history["lr"], plateau.current

    assert rates(Puts()) == ([0.1, 0.1, 0.1, 0.05, 0.025, 0.0125], 0.00625)
    with pytest.raises(ValueError, match=r"schedule monitors 'f1', expected one of: loss.*have a callback put it into"):
        rates()
    with pytest.raises(ValueError, match="schedule monitors 'f1'"):  # nobody does
        rates(lambda net, epoch, logs: None)


def test_a_plateau_of_fits_own_values_is_told_before_the_callbacks(data):
    heard, plateau = [], fb.schedules.ReduceOnPlateau(0.1, factor=0.5, patience=0, min_delta=1e9)
    fit(data, lambda net, epoch, logs: heard.append(plateau.current), epochs=3, optimizer=fb.SGD(lr=plateau))
    assert heard == [0.1, 0.05, 0.025]


def test_the_bar_shows_it(data, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    fit(data, Puts(), progress=True)
    assert "f1=0.9" in sys.stderr.getvalue()


def test_curves_show_it(data):
    pytest.importorskip("matplotlib")
    from fastbp import plot

    history = fit(data, Puts([0.5, None, math.nan, 0.25, None, None]), Puts(VALUES, "val_f1"), Puts(VALUES, "a $1"))[1]
    figure = plot.history(history, io.BytesIO())
    _, f1, own = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["Loss", "f1", r"a \$1"]
    assert [line.get_xydata().tolist() for line in f1.lines[:1]] == [[[1, 0.5], [4, 0.25]]]
    assert [line.get_label() for line in f1.lines] == ["f1: 0.25 at the end", "val_f1: 0.2 at the end"]
    assert len(own.lines) == 1
    none = plot.history({"loss": [1.0], "f1": [math.nan]}, io.BytesIO())
    assert none.axes[1].lines[0].get_label() == "f1: nan at the end"


# ---- epochs without it -----------------------------------------------------------------------------------------------


def test_epochs_without_a_value_have_nan(data):
    history = fit(data, Puts([None, 1, None, 2, None, None]))[1]
    assert np.array_equal(history.history["f1"], [math.nan, 1, math.nan, 2, math.nan, math.nan], equal_nan=True)
    assert {len(values) for values in history.history.values()} == {len(history.epoch)}


def test_what_is_monitored_must_be_there_each_epoch(data):
    stopper = fb.EarlyStopping("f1", patience=2)
    with pytest.raises(
        ValueError,
        match=r"EarlyStopping\(.*\) monitors 'f1', which is not in the logs of epoch 2, expected it in those of every "
        r"epoch, among loss, .*; have a callback before this one put it there, NaN where there is none",
    ):
        fit(data, Puts([0.5, None]), stopper)
    history = fit(data, Puts([0.5, math.nan, math.nan, 1.0, 1.0, 1.0]), stopper)[1]
    assert len(history.epoch) == 3  # NaN is no improvement


# ---- whether more is better ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, more", [
    ("accuracy", True), ("val_accuracy", True), ("f1", True), ("macro-F1", True), ("val_auc", True), ("r2", True),
    ("f1-score", True), ("top-1-accuracy", True), ("f1 (macro)", True), ("val/auc", True),
    ("Brier score", False), ("loss", False), ("val_loss", False), ("f1_loss", False), ("error rate", False),
    ("rmse", False), ("nll", False), ("log-loss", False), ("samples_per_second", True),
    ("score", None), ("fid_score", None), ("likelihood", None), ("log_likelihood", None), ("gain", None), ("x", None),
    ("", None), ("negative_log_likelihood", None), ("neg_mean_squared_error", None), ("Neg-MSE", None),
    ("minus_loss", None), ("inverse error", None), ("one_minus_accuracy", None), ("1 - f1", None), ("1-accuracy", None),
    ("-mse", None), ("\N{MINUS SIGN}mse", None), ("val_1-auc", None), ("1/mae", None), ("accuracy drop", None),
    ("loss_reduction", None), ("non-error", None), ("neg(mse)", None), ("mse (negative)", None), ("accuracy_gap", None),
])
def test_a_name_may_say_whether_more_is_better(name, more):
    assert more_is_better(name) is more


def test_a_name_that_does_not_is_refused_before_the_first_step(data):
    net = made()
    before = bits(net)
    with pytest.raises(ValueError, match=r"mode 'auto', expected a name .*, as 'gain' does not; pass mode='max' or "
                                         r"mode='min'"):
        net.fit(*data[:2], callbacks=[Puts(name="gain")], early_stopping=fb.EarlyStopping("gain"))
    assert bits(net) == before
    for mode, best in (("max", 0.9), ("min", 0.1)):
        stopper = fb.EarlyStopping("gain", mode=mode)
        fit(data, Puts(name="gain"), stopper)
        assert stopper.best == best


@pytest.mark.parametrize("name", ["score", "neg_mean_squared_error", "val_negative_log_likelihood"])
def test_so_it_is_for_early_stopping_and_for_plateaus(name):
    with pytest.raises(ValueError, match="EarlyStopping.* mode 'auto', expected a name that says whether more of it "
                                         f"is better, as '{name}' does not"):
        Callbacks([fb.EarlyStopping(name)])
    with pytest.raises(ValueError, match=rf"ReduceOnPlateau\(.* has mode 'auto', expected a name .*, as '{name}' does "
                                         r"not"):
        fb.schedules.ReduceOnPlateau(0.1, monitor=name)
    assert fb.schedules.ReduceOnPlateau(0.1, monitor=name, mode="max").mode == "max"


@pytest.mark.parametrize("monitor, mode, falls", [
    (None, "auto", False), ("val_loss", "auto", False), ("val_accuracy", "auto", True), ("val_accuracy", "min", False),
    ("f1", "auto", True), ("loss", "max", True),
])
def test_a_plateau_goes_by_the_name_as_well(monitor, mode, falls):
    plateau = fb.schedules.ReduceOnPlateau(0.1, 0.5, patience=0, monitor=monitor, mode=mode)
    plateau.observe(0.9)
    plateau.observe(0.1)
    assert plateau.current == (0.05 if falls else 0.1)


# ---- what may be put there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [
    1, 0.5, np.float32(0.5), np.int64(3), np.array(0.5), True, np.True_, math.nan, -math.inf, decimal.Decimal("0.5"),
])
def test_numbers_of_all_kinds_are_floats(value):
    found = number(value, "x")
    assert type(found) is float
    assert found == float(value) or math.isnan(found)


@pytest.mark.parametrize("value, shown", [
    ("0.5", "'0.5'"), ([0.5], r"\[0.5\] \(list\)"), (1j, r"1j \(complex\)"), ({}, r"\{\} \(dict\)"),
    (np.ones(1), r"an array of shape \(1,\)"), (np.ones((2, 2)), r"an array of shape \(2, 2\)"), (10**400, "1000"),
    (object(), "<object"),
])
def test_what_is_no_number_is_an_error_that_names_the_callback(data, value, shown):
    heard = []
    with pytest.raises(
        TypeError, match=rf"logs\['f1'\], which callbacks\[0\] \(.*Puts.*\) put there, is {shown}.*expected a number; "
    ):
        fit(data, Puts([value]), lambda net, epoch, logs: heard.append("f1" in logs))
    assert heard == [False]  # and the others hear of the epoch, without it


@pytest.mark.parametrize("name, message", [
    ("val_loss", "is 'val_loss', expected another name than loss, val_loss"),
    ("", "is '', expected another name"), (3, r"is 3 \(int\), expected the name of a value"),
])
def test_what_is_no_name_is_an_error(data, name, message):
    kind = ValueError if isinstance(name, str) else TypeError
    with pytest.raises(kind, match=r"a key that callbacks\[0\] \(.*Puts.*\) put into logs " + message):
        fit(data, Puts(name=name))


@pytest.mark.parametrize("change, message", [
    (lambda logs: logs.update(loss=0.0), r"made logs\['loss'\] 0.0 \(float\), expected \d\.\d+, as fit measured it;"),
    (lambda logs: logs.clear(), r"took logs\['loss'\] away, expected \d\."),
    (lambda logs: logs.pop("seconds"), r"took logs\['seconds'\] away"),
    (lambda logs: logs.update(lr=np.ones(3)), r"made logs\['lr'\] an array of shape \(3,\)"),
])
def test_what_fit_measured_stays(data, change, message):
    later, ended = [], []

    class End(fb.Callback):
        def on_train_end(self, net, history):
            ended.append(history.history)

    def spoil(net, epoch, logs):
        change(logs)

    with pytest.raises(ValueError, match=r"callbacks\[0\] \(.*\) " + message):
        fit(data, spoil, lambda net, epoch, logs: later.append(dict(logs)), End())
    assert later[0] == {name: values[0] for name, values in ended[0].items()}


def test_nan_that_fit_measured_is_what_it_was():
    from fastbp._check.logs import settled

    assert settled({"val_loss": float("nan")}, {"val_loss": math.nan}, "f") is None


def test_a_callback_that_is_interrupted_leaves_lists_of_one_length(data):
    def stop(net, epoch, logs):
        logs["f1"] = 1.0
        if epoch == 2:
            raise KeyboardInterrupt

    history = fit(data, stop)[1]
    assert history.interrupted
    assert np.array_equal(history.history["f1"], [1.0, 1.0, math.nan], equal_nan=True)


def test_expressions_have_them_too():
    from fastbp import graph as g

    x, k = g.input("x"), g.parameter("k")
    plan = g.compile(g.mean((k * x - 1) ** 2))
    puts, stopper = Puts(name="accuracy", puts=("accuracy",)), fb.EarlyStopping("accuracy", 2)
    history = plan.fit({"x": np.ones(8)}, epochs=6, callbacks=[puts, stopper])
    assert history.history["accuracy"] == VALUES[:4]
