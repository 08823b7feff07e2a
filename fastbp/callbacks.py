"""What happens around the epochs of `fit`: the history, callbacks and early stopping.

A callback is a `Callback`, or a plain function callback(net, epoch, logs) called at the end of each epoch. Either stops
the training after the current epoch by returning True (Python's or NumPy's) or by raising `StopTraining`; it goes on
with None and False, and anything else is an error. epoch counts all that the network has had, from 0; logs is a dict
such as {"loss": 0.31, "val_loss": 0.35, "seconds": 0.2}.

Callbacks are called in their order. What one puts into logs, a number under a name that is not fit's own, the later
ones see and may monitor, the History has and the progress bar shows. What fit measured stays as it is: a callback that
changes or removes it is an error, once all have heard of the epoch, and so is a value that is no number.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp._check import formatting, hooks
from fastbp._check.logs import check_monitor, rises, settled
from fastbp._core import caller
from fastbp._core.stopping import is_better

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from fastbp._check.types import Answer, File, Floats, Logs, Mode
    from fastbp._check.types import Callbacks as Given


class StopTraining(Exception):
    """Raised by a callback, ends the training; `fit` returns its History as usual."""


class History:
    """What `fit` returns.

    history: {name: [one float for each epoch]}, as in Keras, those of metrics and callbacks too: NaN where an epoch had
    no such value. epoch: the epochs finished, counted from 0 over all that the network has had.
    params: what fit was asked for (epochs, batch_size ...). interrupted: whether Ctrl-C ended the training.
    """

    def __init__(self, params: Mapping[str, Any] | None = None) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.params, self.interrupted = dict(params or {}), False

    def append(self, epoch: int, logs: Logs) -> None:
        """Adds the values of one finished epoch."""
        if logs.keys() - self.history.keys():
            for name in logs:
                self._list(name)
        values = [logs.get(name, math.nan) for name in self.history]
        # one call of C's that appends to all of them: Ctrl-C cannot leave some an epoch ahead of the others
        lists: list[list[Any]] = [self.epoch, *self.history.values()]
        deque(map(list.append, lists, [epoch, *values]), maxlen=0)

    def extend(self, first: int, columns: Mapping[str, list[float]]) -> None:
        """Adds finished epochs, of which `first` is the first: {name: [a value for each of them]}."""
        count = len(next(iter(columns.values())))
        lists: list[list[Any]] = [self.epoch, *map(self._list, columns)]
        others = [values for name, values in self.history.items() if name not in columns]
        nothing = [[math.nan] * count for _ in others]
        added: list[Sequence[float]] = [range(first, first + count), *columns.values(), *nothing]
        deque(map(list.extend, [*lists, *others], added), maxlen=0)  # as in append

    def amend(self, logs: Logs) -> None:
        """Puts the values that callbacks have added to the logs of the last epoch beside the others."""
        for name, value in logs.items():
            self._list(name)[-1] = value

    def _list(self, name: str) -> list[float]:
        """The values of this name: NaN of the epochs before it was there."""
        if name not in self.history:
            self.history[name] = [math.nan] * len(self.epoch)
        return self.history[name]

    def plot(self, path: File | None = None) -> Figure:
        """Draws loss and accuracy over the epochs, into the file `path` where given (needs matplotlib)."""
        from fastbp import plot  # matplotlib is optional and slow to import

        return plot.history(self, path)

    def __repr__(self) -> str:
        last = ", ".join(f"{name}={values[-1]:.4g}" for name, values in self.history.items())
        said = f"History({len(self.epoch)} epochs{': ' * bool(last)}{last}{', interrupted' * self.interrupted})"
        return formatting.filled(said, then=" " * len("History("))


class Callback:
    """Base of callbacks: overwrite what you need.

    monitor: the name of the value that the logs of each epoch must hold, None for none: one of fit's own, of metrics,
    or one that a callback before this one puts there.
    puts: a tuple of the names that it puts into logs, so that `fit` knows before the first step which may be monitored;
    None does not say. After a callback that does not, as after a function, `fit` takes any name for one that it may
    put, but for fit's own ("accuracy" has to be declared, where fit has none) and such as differ from a known name by a
    slip of the finger.

    The first three return None, or True to end the training. A method that is called almost as one of these four is
    warned of. An exception ends the training and is passed on by `fit`, once on_train_end of all callbacks was called;
    the parameters are those of the last step.
    """

    monitor: str | None = None
    puts: tuple[str, ...] | None = None
    _saves = False  # whether the training loop itself asks it when to save, as it does fb.Checkpoint

    def on_train_begin(self, net: Any) -> Answer:
        """Called before the first epoch; True ends the training."""

    def on_epoch_begin(self, net: Any, epoch: int) -> Answer:
        """Called before each epoch; True ends the training."""

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> Answer:
        """Called after each epoch; True ends the training."""

    def on_train_end(self, net: Any, history: History) -> None:
        """Called after the last epoch, also when training was stopped or interrupted, or failed."""


class EarlyStopping(Callback):
    """Stops when a value has not improved for `patience` epochs in a row (Prechelt, "Early stopping - but when?").

    monitor: a key of History, such as "val_loss" or "val_accuracy", or of a metric's or an earlier callback's own. It
    must be in the logs of every epoch; NaN is no improvement.
    patience: an int >= 0. With 0, the first epoch that is no better stops.
    min_delta: improving means by more than this, >= 0.
    mode: "min", "max", or "auto": what the name says, such as "max" for accuracy, f1 or auc and "min" for loss and
        error. `fit` refuses "auto" for a name that does not say, as score, or may say the opposite, as neg_loss.
    restore_best: whether the parameters of the best epoch are put back at the end, however training ended.

    After training: best (the best value, None before any), best_epoch, stopped_epoch (None where it did not stop), both
    of them numbers of History.epoch.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = True,
    ) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor is {check.shown(monitor)}, expected a key of History; pass 'val_loss' or "
                            "'loss', say")
        self.monitor: str = monitor
        self.patience = check.integer("patience", patience, minimum=0)
        self.min_delta = check.number("min_delta", min_delta, minimum=0.0)
        self.mode = check.choice("mode", mode, ("auto", "min", "max"))
        self.restore_best = check.flag("restore_best", restore_best)
        self._net = None  # that it watches while it is trained
        self._forget()

    def _forget(self) -> None:
        # value, epoch, parameters: one object, so that they always belong together
        self._best: tuple[float | None, int | None, Floats | None] = (None, None, None)
        self.stopped_epoch: int | None = None
        self.waited = 0

    def memory(self) -> tuple[Any, ...]:
        """What `on_epoch_end` changes, to be compared: whether it has seen an epoch."""
        return self._best, self.waited

    @property
    def best(self) -> float | None:
        """The best value, None before any."""
        return self._best[0]

    @property
    def best_epoch(self) -> int | None:
        """Its epoch, a number of History.epoch."""
        return self._best[1]

    @property
    def best_params(self) -> Floats | None:
        """The parameters (P,) of that epoch, where they are to be put back."""
        return self._best[2]

    def check_free(self) -> None:
        """Refuses one that another training asks: it would put back the parameters of one network into the other."""
        if self._net is not None:
            raise RuntimeError(
                f"{self!r} is at work in another training; give each one of its own, such as copy.deepcopy(stopping)"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_net": None}

    def on_train_begin(self, net: Any) -> None:
        self.check_free()
        self._net = net
        self._forget()

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> bool:
        value = logs.get(self.monitor)
        if value is None:
            raise ValueError(
                f"{self!r} monitors {self.monitor!r}, which is not in the logs of epoch {epoch + 1}, expected it in "
                f"those of every epoch, among {', '.join(logs)}; have a callback before this one put it there, NaN "
                "where there is none"
            )
        if is_better(value, self.best, self.min_delta, rises(self, self.monitor, self.mode)):
            self._best = (value, epoch, net.params.copy() if self.restore_best else None)
            self.waited = 0
            return False
        self.waited += 1
        if self.waited < self.patience:
            return False
        self.stopped_epoch = epoch
        return True

    def on_train_end(self, net: Any, history: History) -> None:
        self.put_back(net)

    def put_back(self, net: Any) -> None:
        """Writes the parameters of the best epoch, if any, into the network that it watches; then it is free."""
        if self._net is not None and self._net is not net:
            return
        if self.best_params is not None:
            net.params[:] = self.best_params
        self._net = None

    def __repr__(self) -> str:
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, min_delta={self.min_delta}, "
            f"mode={self.mode!r}, restore_best={self.restore_best})"
        )


class _Function(Callback):
    """A plain function as a Callback."""

    def __init__(self, function: Any) -> None:
        self.on_epoch_end = function  # type: ignore[method-assign]


class Callbacks(Callback):
    """Several callbacks as one, in their order, for a training loop. Its first three methods return whether to stop.

    callbacks: a sequence of Callback and plain functions (or one of them). early_stopping: None or an EarlyStopping.
    names: the keys that an epoch's logs will have before callbacks put theirs, so that one that monitors another is
    refused beforehand, unless a callback before it may put that one there; None: whatever they will be.

    names: afterwards with those that callbacks declare; undeclared: whether one may put others. savers: those that the
    loop itself asks when to save, which are called only where they have hooks of their own.
    """

    def __init__(
        self, callbacks: Given = (), early_stopping: EarlyStopping | None = None, names: Sequence[str] | None = None
    ) -> None:
        if isinstance(callbacks, Callback) or callable(callbacks):
            callbacks = (callbacks,)
        try:
            callbacks = list(callbacks)
        except TypeError:
            raise TypeError(
                f"callbacks is {check.shown(callbacks)}, expected a sequence of callbacks; pass a list, such as "
                "[callback]"
            ) from None
        if early_stopping is not None:
            if not isinstance(early_stopping, EarlyStopping):
                raise TypeError(
                    f"early_stopping is {check.shown(early_stopping)}, expected None or an EarlyStopping; "
                    "pass fb.EarlyStopping(patience=5)"
                )
            callbacks.append(early_stopping)
        self._list: list[Callback] = []
        self._names: list[str] = []
        self.savers: list[tuple[str, Any]] = []  # [(how messages name it, the callback), ...]
        fits, self.names, self.undeclared = names or (), list(names or ()), False
        for i, callback in enumerate(callbacks):
            if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
                raise TypeError(
                    f"callbacks[{i}] is {check.shown(callback)}, expected a Callback object or a function "
                    "callback(net, epoch, logs); pass one of the two"
                )
            self._names.append(f"callbacks[{i}] ({getattr(callback, '__qualname__', None) or repr(callback)})")
            if not isinstance(callback, Callback):
                callback = _Function(callback)
            if names is not None and callback.monitor is not None:
                by = "a metric or a callback before this one"
                check_monitor(repr(callback), callback.monitor, self.names, self.undeclared, by)
            if isinstance(callback, EarlyStopping):
                callback.check_free()
                rises(callback, callback.monitor, callback.mode)
            if callback.puts is not None:
                self.names += hooks.declared(callback.puts, self._names[-1], fits)
            # what has the hook of these two puts nothing
            elif getattr(callback.on_epoch_end, "__func__", None) not in _PUT_NOTHING:
                self.undeclared = True
            if callback._saves:
                self.savers.append((self._names[-1], callback))
                if not _has_hooks(callback):
                    self._names.pop()
                    continue
            self._list.append(callback)

    @property
    def is_empty(self) -> bool:
        """Whether there is nobody to call."""
        return not self._list

    def stopping(self, names: Sequence[str]) -> tuple[EarlyStopping, int, bool] | None:
        """(an EarlyStopping, the index in `names` of what it monitors, whether more of that is better) where
        nothing but its decision is to be called after an epoch; else None."""
        if len(self._list) != 1 or type(self._list[0]) is not EarlyStopping:
            return None
        only = self._list[0]
        if only.monitor not in names or any(hook in vars(only) for hook in _HOOKS.values()):
            return None
        return only, names.index(only.monitor), rises(only, only.monitor, only.mode)

    def on_train_begin(self, net: Any) -> bool:
        return self._each("on_train_begin", net)

    def on_epoch_begin(self, net: Any, epoch: int) -> bool:
        return self._each("on_epoch_begin", net, epoch)

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> bool:
        return self._each("on_epoch_end", net, epoch, logs, own=dict(logs))

    def on_train_end(self, net: Any, history: History) -> None:
        """Each callback hears of the end, whatever another one raises; the first exception is raised then."""
        raised = []
        for callback, name in zip(self._list, self._names, strict=True):
            try:
                answer: object = callback.on_train_end(net, history)  # type: ignore[func-returns-value]
                if not hooks.is_answer(answer):
                    raise hooks.not_understood(name, answer, "on_train_end")
            except StopTraining:
                pass
            except BaseException as error:
                raised.append(error)
                if isinstance(callback, EarlyStopping):  # Ctrl-C may have come before they were put back
                    callback.put_back(net)
        if raised:
            raise raised[0]

    def stoppings(self) -> list[EarlyStopping]:
        """Those that are an EarlyStopping."""
        return [each for each in self._list if isinstance(each, EarlyStopping)]

    def put_back(self, net: Any) -> None:
        """Writes the best parameters of early stopping into the network, as its on_train_end does."""
        for each in self.stoppings():
            each.put_back(net)

    def put_back_epoch(self) -> int | None:
        """The epoch, counted from 0, whose parameters early stopping has put back at the end, or None."""
        epochs = [each.best_epoch for each in self.stoppings() if each.restore_best]
        return next((epoch for epoch in reversed(epochs) if epoch is not None), None)

    def _each(self, method: str, *arguments: Any, own: Logs | None = None) -> bool:
        # Every callback hears of the event, also those after one that stops or answers what cannot be understood, or
        # puts into logs, where fit has `own`, what has no place there.
        stop = False
        wrong: Exception | None = None
        for callback, name in zip(self._list, self._names, strict=True):
            try:
                answer = getattr(callback, method)(*arguments)
            except StopTraining:
                answer = True
            if not hooks.is_answer(answer):
                wrong = wrong or hooks.not_understood(name, answer, method)
            else:
                stop |= bool(answer)
            if own is not None:
                error = settled(arguments[-1], own, name)
                wrong = wrong or error
        if wrong is not None:
            raise wrong
        return stop

    def warn_of_misnamed(self) -> None:
        """Warns of methods that are called almost as a hook is: they would never be called."""
        for callback, name in zip(self._list, self._names, strict=True):
            for method, hook in hooks.misnamed(callback, Callback):
                caller.warn(f"{name} has a method {method}, which fit never calls; the nearest that it does is {hook}")


def _has_hooks(callback: Callback) -> bool:
    """Whether a callback is to be called at all: one of its hooks is not the one of Callback, which does nothing."""
    found = {hook: getattr(getattr(callback, hook), "__func__", None) for hook in _HOOKS.values()}
    return any(function is not vars(Callback)[hook] for hook, function in found.items())


_PUT_NOTHING = (Callback.on_epoch_end, EarlyStopping.on_epoch_end)
_HOOKS = hooks.of(Callback)
