"""What happens around epochs: history, callbacks in their order, early stopping."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from fastbp.callbacks import Callback, Callbacks, EarlyStopping, History, StopTraining


def train(callbacks, values, monitor="val_loss"):
    """A stand-in for fit: params are the epoch's number. Returns the net and the number of epochs run."""
    net = SimpleNamespace(params=np.full(3, -1.0))
    vector = net.params
    done = 0
    if not callbacks.on_train_begin(net):
        for epoch, value in enumerate(values):
            if callbacks.on_epoch_begin(net, epoch):
                break
            net.params[:] = epoch
            done += 1
            if callbacks.on_epoch_end(net, epoch, {monitor: value}):
                break
    callbacks.on_train_end(net, History())
    assert net.params is vector
    return net, done


# ---- history ----------------------------------------------------------------------------------------------------


def test_history_is_as_in_keras():
    history = History({"epochs": 2})
    history.append(0, {"loss": 1.0, "accuracy": 0.5})
    history.append(1, {"loss": 0.5, "accuracy": 0.75})
    assert history.history == {"loss": [1.0, 0.5], "accuracy": [0.5, 0.75]} and history.epoch == [0, 1]
    assert history.params == {"epochs": 2} and history.interrupted is False
    assert repr(history) == "History(2 epochs: loss=0.5, accuracy=0.75)"
    history.interrupted = True
    assert repr(history).endswith("interrupted)") and repr(History()) == "History(0 epochs)"


def test_plot_is_the_plot_modules(monkeypatch):
    import fastbp

    plot = SimpleNamespace(history=lambda history, path: (history, path))
    monkeypatch.setitem(sys.modules, "fastbp.plot", plot)
    monkeypatch.setattr(fastbp, "plot", plot, raising=False)
    history = History()
    assert history.plot("curves.png") == (history, "curves.png") and history.plot() == (history, None)


# ---- callbacks --------------------------------------------------------------------------------------------------


class Recorder(Callback):
    def __init__(self, log, name, answer=None):
        self.log, self.name, self.answer = log, name, answer

    def on_train_begin(self, net):
        self.log.append((self.name, "train_begin"))

    def on_epoch_begin(self, net, epoch):
        self.log.append((self.name, "epoch_begin", epoch))

    def on_epoch_end(self, net, epoch, logs):
        self.log.append((self.name, "epoch_end", epoch, logs))
        return self.answer

    def on_train_end(self, net, history):
        self.log.append((self.name, "train_end"))


def test_events_come_in_order():
    log = []
    assert train(Callbacks([Recorder(log, "a"), Recorder(log, "b")]), [5])[1] == 1
    events = [("train_begin",), ("epoch_begin", 0), ("epoch_end", 0, {"val_loss": 5}), ("train_end",)]
    assert log == [(name, *event) for event in events for name in "ab"]


def test_functions_are_callbacks():
    seen = []

    def watch(net, epoch, logs):
        seen.append((epoch, logs["val_loss"], net.params[0]))

    train(Callbacks([watch]), [5, 6])
    train(Callbacks(watch), [7])
    assert seen == [(0, 5, 0.0), (1, 6, 1.0), (0, 7, 0.0)]


@pytest.mark.parametrize("answer, epochs", [
    (True, 1), (np.True_, 1), (np.float32(2) > 1, 1), (np.array(True), 1), (None, 3), (False, 3), (np.False_, 3),
])
def test_only_true_stops(answer, epochs):
    assert train(Callbacks([lambda net, epoch, logs: answer]), [1, 2, 3])[1] == epochs


@pytest.mark.parametrize("answer, shown", [
    (1, r"1 \(int\)"), (0, r"0 \(int\)"), ("yes", "'yes'"), ([], r"\[\] \(list\)"), (0.5, r"0.5 \(float\)"),
    (np.array([True]), r"an array of shape \(1,\) and dtype bool"), (np.int64(1), r"1\)? \(int64\)"),
])
@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end"])
def test_any_other_answer_is_an_error_and_all_hear_of_the_event(event, answer, shown):
    callback, log = Callback(), []
    setattr(callback, event, lambda *arguments: answer)
    with pytest.raises(
        TypeError,
        match=rf"callbacks\[0\] \(<.*Callback.*>\) returned .*{shown} from {event}, expected None, or True to end "
        "the training; return one of them",
    ):
        train(Callbacks([callback, Recorder(log, "b")]), [1, 2])
    assert ("b", event[3:]) in [entry[:2] for entry in log]


def test_the_error_names_a_function():
    def watch(net, epoch, logs):
        return len(logs)

    with pytest.raises(TypeError, match=r"callbacks\[1\] \(test_the_error_names.*watch\) returned 1 \(int\)"):
        train(Callbacks([print, watch]), [1])


@pytest.mark.parametrize("event, epochs", [("on_train_begin", 0), ("on_epoch_begin", 0), ("on_epoch_end", 1)])
def test_stop_training_stops(event, epochs):
    def stop(*arguments):
        raise StopTraining

    log, callback = [], Callback()
    setattr(callback, event, stop)
    assert train(Callbacks([callback, Recorder(log, "b")]), [1, 2, 3])[1] == epochs
    assert ("b", event[3:]) in [entry[:2] for entry in log], "those after the one that stops hear of it too"


def test_all_hear_of_the_end_whatever_one_of_them_raises():
    def fail(net, history):
        raise ZeroDivisionError

    log, callback = [], Callback()
    callback.on_train_end = fail
    with pytest.raises(ZeroDivisionError):
        train(Callbacks([callback, Recorder(log, "b")]), [1])
    assert log[-1] == ("b", "train_end")


@pytest.mark.parametrize("method, hook", [
    ("on_epoch_ends", "on_epoch_end"), ("on_train_start", "on_train_begin"), ("on_batch_end", "on_epoch_end"),
    ("onEpochEnd", "on_epoch_end"), ("on_train_batch_begin", "on_epoch_begin"), ("on_epoch_start", "on_epoch_begin"),
    ("on_train_finished", "on_train_end"), ("epoch_end", "on_epoch_end"), ("On_Epoch_End", "on_epoch_end"),
    ("on_fit_start", "on_train_begin"), ("on_epoch", "on_epoch_end"), ("_on_epoch_end", "on_epoch_end"),
])
def test_a_method_that_is_called_almost_as_a_hook_is_warned_of(method, hook):
    kind = type("Mine", (Callback,), {method: lambda self, *arguments: None})
    message = rf"callbacks\[0\] .*Mine.* method {method}, which fit .* is {hook}$"
    with pytest.warns(UserWarning, match=message) as warned:
        Callbacks([kind()]).warn_of_misnamed()
    assert len(warned) == 1 and warned[0].filename == __file__
    alone = Callback()
    setattr(alone, method, print)
    with pytest.warns(UserWarning, match=method):
        Callbacks([alone]).warn_of_misnamed()


def test_helpers_and_hooks_of_the_right_name_are_not():
    class Mine(EarlyStopping):
        on_plateau = one_epoch = best_so_far = staticmethod(print)
        epoch_end = 3

        def on_epoch_end(self, net, epoch, logs):
            return self._epoch_end()

        def _epoch_end(self):
            return False

    Callbacks([Mine(), print, lambda net, epoch, logs: None], EarlyStopping()).warn_of_misnamed()


def test_other_exceptions_pass():
    def fail(net, epoch, logs):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train(Callbacks([fail]), [1])


@pytest.mark.parametrize(
    "kind, arguments, message",
    [
        (TypeError, (5,), r"callbacks is 5 \(int\), expected a sequence of callbacks; pass a list"),
        (TypeError, ([print, 5],), r"callbacks\[1\] is 5 \(int\), expected a Callback object or a function .*; pass "
                                   r"one"),
        (TypeError, ([EarlyStopping],), r"callbacks\[0\] is <class .*, expected a Callback object"),
        (TypeError, ((), True), r"early_stopping is True, expected None or an EarlyStopping; pass fb.EarlyStopping"),
        (
            ValueError,
            ((), EarlyStopping(), ["loss", "lr"]),
            r"EarlyStopping\(.*\) monitors 'val_loss', expected one of: loss, lr; .* pass validation_data or",
        ),
    ],
)
def test_callbacks_refuse(kind, arguments, message):
    with pytest.raises(kind, match=message):
        Callbacks(*arguments)


# ---- early stopping ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, values, epochs, best_epoch",
    [
        ({"patience": 2}, [5, 4, 4, 6, 1], 4, 1),
        ({"patience": 2}, [5, 4, 6, 3, 3, 3, 1], 6, 3),
        ({"patience": 1}, [5, 5, 1], 2, 0),
        ({"patience": 0}, [5, 5, 1], 2, 0),
        ({"patience": 5}, [5, 4, 3], 3, 2),
        ({"patience": 2, "min_delta": 0.5}, [5, 4.6, 4.5, 1], 3, 0),
        ({"patience": 2, "mode": "max"}, [1, 2, 2, 2, 9], 4, 1),
        ({"patience": 2, "monitor": "val_accuracy"}, [1, 2, 2, 2, 9], 4, 1),
        ({"patience": 2, "monitor": "val_accuracy", "mode": "min"}, [3, 2, 2, 2, 9], 4, 1),
        ({"patience": 2, "mode": "max", "min_delta": 1}, [1, 2, 2, 9], 3, 0),
        ({"patience": 2}, [float("nan"), 4, float("nan"), float("nan"), 1], 4, 1),
    ],
)
def test_early_stopping(settings, values, epochs, best_epoch):
    stopper = EarlyStopping(**settings)
    net, done = train(Callbacks((), stopper), values, stopper.monitor)
    assert done == epochs
    assert stopper.best_epoch == best_epoch and stopper.best == values[best_epoch]
    assert stopper.stopped_epoch == (epochs - 1 if epochs < len(values) else None)
    assert (net.params == best_epoch).all(), "the best parameters are back"


def test_early_stopping_may_leave_the_last_parameters():
    net, done = train(Callbacks((), EarlyStopping(patience=1, restore_best=False)), [1, 2, 3])
    assert done == 2 and (net.params == 1).all()


def test_early_stopping_starts_anew():
    stopper = EarlyStopping(patience=1)
    train(Callbacks((), stopper), [1, 2])
    net, done = train(Callbacks([stopper]), [9, 8, 8])
    assert done == 3 and stopper.best == 8 and (net.params == 1).all()
    net, done = train(Callbacks([stopper]), [])
    assert stopper.best is None and (net.params == -1).all()


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        (TypeError, {"monitor": None}, r"monitor is None, expected a key of History; pass 'val_loss'"),
        (ValueError, {"patience": -1}, r"patience is -1, expected an integer >= 0; choose patience"),
        (TypeError, {"patience": 1.5}, r"patience is 1.5 \(float\), expected an integer"),
        (ValueError, {"min_delta": -1}, r"min_delta is -1, expected a finite number >= 0"),
        (ValueError, {"mode": "mx"}, r"mode is 'mx', expected one of: auto, min, max; did you mean 'max'\?"),
        (TypeError, {"restore_best": 1}, r"restore_best is 1 \(int\), expected True or False"),
    ],
)
def test_early_stopping_refuses(kind, settings, message):
    with pytest.raises(kind, match=message):
        EarlyStopping(**settings)


def test_an_epoch_costs_the_same_however_many_there_were():
    """Nothing is made that is as long as the history is, once its names are known."""

    class Epochs(list):
        def __len__(self):
            raise AssertionError("the epochs were counted")

    history = History()
    history.append(0, {"loss": 1.0})
    history.epoch = Epochs([0])
    history.append(1, {"loss": 0.5})
    history.amend({"loss": 0.25})
    assert history.history == {"loss": [1.0, 0.25]} and history.epoch[-1] == 1
