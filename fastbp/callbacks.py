"""What happens around the epochs of `fit`: the history, callbacks, early stopping and the progress bar.

A callback is a `Callback`, or a plain function callback(net, epoch, logs) called at the end of each epoch. Either stops
the training after the current epoch by returning True (True itself, not merely something true) or by raising
`StopTraining`. epoch counts from 0; logs is a dict such as {"loss": 0.31, "val_loss": 0.35, "seconds": 0.2}.
"""

import math
import sys

from fastbp import check, text


class StopTraining(Exception):
    """Raised by a callback, ends the training; `fit` returns its History as usual."""


class History:
    """What `fit` returns.

    history: {name: [one value for each epoch]}, as in Keras. epoch: the epochs finished, counted from 0.
    params: what fit was asked for (epochs, batch_size ...). interrupted: whether Ctrl-C ended the training.
    """

    def __init__(self, params=None):
        self.history, self.epoch, self.params, self.interrupted = {}, [], dict(params or {}), False

    def append(self, epoch, logs):
        """Adds the values of one finished epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    def plot(self, path=None):
        """Draws loss and accuracy over the epochs, into the file `path` where given (needs matplotlib)."""
        from fastbp import plot  # matplotlib is optional and slow to import

        return plot.history(self, path)

    def __repr__(self):
        last = ", ".join(f"{name}={values[-1]:.4g}" for name, values in self.history.items())
        said = f"History({len(self.epoch)} epochs{': ' * bool(last)}{last}{', interrupted' * self.interrupted})"
        return text.filled(said, then=" " * len("History("))


class Callback:
    """Base of callbacks: overwrite what you need. `monitor` is the value an epoch's logs must hold, None for none."""

    monitor = None

    def on_train_begin(self, net):
        """Called before the first epoch."""

    def on_epoch_begin(self, net, epoch):
        """Called before each epoch."""

    def on_epoch_end(self, net, epoch, logs):
        """Called after each epoch; True ends the training."""

    def on_train_end(self, net, history):
        """Called after the last epoch, also when training was stopped or interrupted."""


class EarlyStopping(Callback):
    """Stops when a value has not improved for `patience` epochs in a row (Prechelt, "Early stopping - but when?").

    monitor: a key of History, such as "val_loss" or "val_accuracy".
    patience: an int >= 0. With 0, the first epoch that is no better stops.
    min_delta: improving means by more than this, >= 0.
    mode: "min", "max", or "auto": "max" for accuracies, else "min".
    restore_best: whether the parameters of the best epoch are put back at the end, however training ended.

    After training: best (the best value, None before any), best_epoch, stopped_epoch (None where it did not stop).
    """

    def __init__(self, monitor="val_loss", patience=5, min_delta=0.0, mode="auto", restore_best=True):
        if not isinstance(monitor, str):
            raise TypeError(f"monitor is {monitor!r}, expected a key of History; pass 'val_loss' or 'loss', say")
        self.monitor = monitor
        self.patience = check.integer("patience", patience, minimum=0)
        self.min_delta = check.number("min_delta", min_delta, minimum=0.0)
        self.mode = check.choice("mode", mode, ("auto", "min", "max"))
        self.restore_best = check.flag("restore_best", restore_best)
        self._forget()

    def _forget(self):
        self.best = self.best_epoch = self.stopped_epoch = self.best_params = None
        self.waited = 0

    def on_train_begin(self, net):
        self._forget()

    def on_epoch_end(self, net, epoch, logs):
        value = logs[self.monitor]
        if self._improves(value):
            self.best, self.best_epoch, self.waited = value, epoch, 0
            if self.restore_best:
                if self.best_params is None:
                    self.best_params = net.params.copy()
                else:
                    self.best_params[:] = net.params
            return False
        self.waited += 1
        if self.waited < self.patience:
            return False
        self.stopped_epoch = epoch
        return True

    def _improves(self, value):
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        upward = self.mode == "max" or (self.mode == "auto" and "accuracy" in self.monitor)
        return value > self.best + self.min_delta if upward else value < self.best - self.min_delta

    def on_train_end(self, net, history):
        if self.best_params is not None:
            net.params[:] = self.best_params

    def __repr__(self):
        return (
            f"EarlyStopping(monitor={self.monitor!r}, patience={self.patience}, min_delta={self.min_delta}, "
            f"mode={self.mode!r}, restore_best={self.restore_best})"
        )


class _Function(Callback):
    """A plain function as a Callback."""

    def __init__(self, function):
        self.on_epoch_end = function


class Callbacks(Callback):
    """Several callbacks as one, in their order, for a training loop. Its first three methods return whether to stop.

    callbacks: a sequence of Callback and plain functions (or one of them). early_stopping: None or an EarlyStopping.
    names: the keys that an epoch's logs will have, so that a callback that monitors another is refused beforehand.
    """

    def __init__(self, callbacks=(), early_stopping=None, names=None):
        if isinstance(callbacks, Callback) or callable(callbacks):
            callbacks = (callbacks,)
        try:
            callbacks = list(callbacks)
        except TypeError:
            raise TypeError(
                f"callbacks is {callbacks!r}, expected a sequence of callbacks; pass a list, such as [callback]"
            ) from None
        if early_stopping is not None:
            if not isinstance(early_stopping, EarlyStopping):
                raise TypeError(
                    f"early_stopping is {early_stopping!r}, expected None or an EarlyStopping; "
                    "pass fb.EarlyStopping(patience=5)"
                )
            callbacks.append(early_stopping)
        self._list = []
        for i, callback in enumerate(callbacks):
            if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
                raise TypeError(
                    f"callbacks[{i}] is {callback!r}, expected a Callback object or a function "
                    "callback(net, epoch, logs); pass one of the two"
                )
            if not isinstance(callback, Callback):
                callback = _Function(callback)
            if names is not None and callback.monitor is not None and callback.monitor not in names:
                raise ValueError(
                    f"{callback!r} monitors {callback.monitor!r}, expected one of: {', '.join(names)}; choose one of "
                    "these, or pass validation_data or validation_split"
                )
            self._list.append(callback)

    def on_train_begin(self, net):
        return self._each("on_train_begin", net)

    def on_epoch_begin(self, net, epoch):
        return self._each("on_epoch_begin", net, epoch)

    def on_epoch_end(self, net, epoch, logs):
        return self._each("on_epoch_end", net, epoch, logs)

    def on_train_end(self, net, history):
        self._each("on_train_end", net, history)

    def _each(self, method, *arguments):
        # Every callback hears of the event, also those after one that stops.
        stop = False
        for callback in self._list:
            try:
                stop |= getattr(callback, method)(*arguments) is True
            except StopTraining:
                stop = True
        return stop


class Progress:
    """A tqdm bar over all batches of a training, or nothing at all.

    epochs, batches: ints, the number of epochs and of batches in each. show: True, False, or None for "where stderr is
    a terminal". For use in a `with` statement, which closes the bar.
    """

    def __init__(self, epochs, batches, show=None):
        if show is not None:
            show = check.flag("progress", show)
        self._epochs, self._bar = epochs, None
        if show or (show is None and sys.stderr is not None and sys.stderr.isatty()):
            from tqdm import tqdm  # only where it is wanted: importing it takes longer than training a small network

            self._bar = tqdm(total=epochs * batches, unit="batch", dynamic_ncols=True, file=sys.stderr)

    def begin(self, epoch):
        """Shows that an epoch, counted from 0, begins."""
        if self._bar is not None:
            self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)

    def advance(self, batches):
        """Moves on by a number of batches."""
        if self._bar is not None:
            self._bar.update(batches)

    def end(self, logs):
        """Shows the losses and accuracies of a finished epoch."""
        if self._bar is not None:
            shown = {k: f"{v:.4g}" for k, v in logs.items() if k.endswith(("loss", "accuracy"))}
            self._bar.set_postfix(shown)

    def close(self):
        if self._bar is not None:
            self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
