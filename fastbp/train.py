"""The training loop: one plan for whole batches and one for the last, smaller one; a compiled call for each chunk of
steps, about 50 ms long, so that Ctrl-C, progress bar and callbacks stay alive; once an epoch back in Python."""

import time
from typing import NamedTuple

import numpy as np

from . import check, optimizers
from ._core import cpu, random
from ._core import train as core
from .callbacks import Callbacks, History, Progress

CHUNK_SECONDS = 0.05


def batches(X, y, batch_size, *, seed=0, shuffle=True, sample_weight=None):
    """An iterator over (xb, yb), or (xb, yb, wb) where sample_weight is given: the mini-batches of one epoch.

    X (n, ...), y (n, ...), sample_weight (n,). The order is that of `fit` with the same seed; the last batch holds the
    rest. With a batch_size of n or more there is one batch, in the order of the data.
    """
    arrays = [np.asanyarray(X), np.asanyarray(y)]
    if sample_weight is not None:
        arrays.append(np.asanyarray(sample_weight))
    for name, array in zip(("X", "y", "sample_weight"), arrays, strict=False):
        if array.ndim == 0:
            raise TypeError(f"{name} is {array!r}, expected an array with a row for each sample; pass one")
        if len(array) != len(arrays[0]):
            raise ValueError(
                f"{name} has {len(array)} rows, expected {len(arrays[0])}, one for each row of X; pass matching arrays"
            )
    n, size = len(arrays[0]), check.integer("batch_size", batch_size, minimum=1)
    order = epoch_order(n, size, shuffle, check.integer("seed", seed, minimum=0))
    cuts = (slice(i, i + size) for i in range(0, n, size))
    return (tuple(array[cut if order is None else order[cut]] for array in arrays) for cut in cuts)


def epoch_order(n, batch_size, shuffle, seed):
    """int64 (n,), the order of one epoch, or None for the data as they lie."""
    # one batch holds every row in any order: shuffling would cost a copy and change nothing but the rounding
    return random.permutation(n, seed) if shuffle and batch_size < n else None


def fit(
    net,
    X,
    y,
    *,
    epochs=1,
    batch_size=32,
    optimizer=None,
    sample_weight=None,
    class_weight=None,
    validation_data=None,
    validation_split=0.0,
    shuffle=True,
    seed=None,
    callbacks=(),
    early_stopping=None,
    progress=None,
    threads=None,
):
    """Trains a network; returns a History.

    X: (n, inputs); y: (n, units), or (n,) for one output or for integer classes. Any dtype of real numbers and any
    layout; nothing is copied that already is a C-contiguous array of the network's dtype.
    epochs, batch_size: ints, 1 or more; a batch_size above n means one batch. optimizer: fb.SGD(lr=0.1) by default; its
    state and count of steps go on where an earlier fit left them.
    sample_weight: (n,); class_weight: {class: factor}. validation_data: (X, y) or (X, y, sample_weight);
    validation_split: the last part of the data, in [0, 1), that is held out instead.
    shuffle, seed: epoch e is in the order of fb.batches(..., seed=seed + e); seed is the network's by default.
    callbacks: fb.Callback objects or functions (net, epoch, logs); early_stopping: fb.EarlyStopping.
    progress: True, False, or None for a bar where stderr is a terminal. threads: an int; the result does not depend on
    it.

    Ctrl-C ends the training after the chunk of steps at hand, with history.interrupted set.

    Raises ValueError and TypeError before anything is changed; FloatingPointError, with epoch, step and layer, when the
    loss or a parameter stops being finite: the parameters are then those after the last good step.
    """
    job = _Job(net, X, y, sample_weight, class_weight, batch_size, validation_data, validation_split, threads)
    epochs = check.integer("epochs", epochs, minimum=1)
    shuffle = check.flag("shuffle", shuffle)
    seed = net.seed if seed is None else check.integer("seed", seed, minimum=0)
    if optimizer is None:
        optimizer = optimizers.SGD(lr=0.1)
    elif not isinstance(optimizer, optimizers.Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}, expected an optimizer object; pass fb.SGD(lr=0.1) or fb.Adam()")
    calls = Callbacks(callbacks, early_stopping, names=job.names())
    history = job.history(epochs)
    optimizer.monitored(job.names())
    with Progress(epochs, history.params["steps"], progress) as bar:
        optimizer.bind(net.params)  # here: whatever is refused is refused by now
        try:
            stop = calls.on_train_begin(net)
            for epoch in range(epochs):
                if stop or calls.on_epoch_begin(net, epoch):
                    break
                bar.begin(epoch)
                with net._alone():  # for an epoch, not for all of them: callbacks may use the network
                    logs = _alone(job, job.epoch(epoch, optimizer, shuffle, seed + epoch, bar))
                logs.update(job.validate())
                history.append(epoch, logs)
                bar.end(logs)
                optimizer.observe(logs)
                stop = calls.on_epoch_end(net, epoch, logs)
        except KeyboardInterrupt:
            history.interrupted = True
        calls.on_train_end(net, history)
    return history


def run_steps(net, X, y, optimizer, batch_size, steps, *, seed=0, threads=None):
    """Exactly `steps` training steps over shuffled whole batches, in as few compiled calls as there are epochs.

    For measuring: no validation, history or checks of the result. optimizer None means value and gradient only.
    Returns the losses, float64 (steps,).
    """
    job = _Job(net, X, y, None, None, batch_size, None, 0.0, threads)
    losses = np.empty(steps)
    done, epoch = 0, 0
    if optimizer is not None:
        optimizer.bind(net.params)
    while done < steps:
        order = epoch_order(job.n, job.batch, True, seed + epoch)
        # the order of one batch of all rows never changes, so all its epochs are one call
        count = steps if order is None else min(steps - done, job.n // job.batch)
        _alone(job, job.steps(job.plan(job.batch, order), order, 0, losses[done : done + count], optimizer))
        done, epoch = done + count, epoch + 1
    return losses


class Call(NamedTuple):
    """Steps to take in compiled code: the arguments of core.run_batches but for its team."""

    plan: object
    arrays: list
    order: object
    first: int
    epoch: int
    lr: np.ndarray
    losses: np.ndarray
    optimizer: object
    kernel: int
    dropout: tuple


def _alone(job, work):
    """Makes the calls that `work`, a generator of the job's, asks for, one by one; returns what it returns."""
    result = None
    try:
        while True:
            call = work.send(result)
            begun = time.perf_counter()
            result = core.run_batches(*call, job.threads)
            job.step_seconds = (time.perf_counter() - begun) / len(call.losses)
    except StopIteration as end:
        return end.value


class _Job:
    """The checked data of one fit, and its plans.

    The methods that train - epoch, guarded, steps - are generators: they yield each Call and are sent its result,
    (steps completed, whether a parameter broke). So `fit` makes the calls of one network, and `fit_many` those of
    several at once.
    """

    def __init__(self, net, X, y, sample_weight, class_weight, batch_size, validation_data, validation_split, threads):
        self.net = net
        self.threads = cpu.threads() if threads is None else check.integer("threads", threads, minimum=1)
        self.X, self.targets, self.labels, self.weights = self.checked(X, y, sample_weight, class_weight, "")
        self.question = net._question(y)
        self.validation = None
        share = check.fraction("validation_split", validation_split)
        if validation_data is not None:
            if share:
                raise ValueError(
                    f"validation_split is {share} and validation_data is given, expected one of them; leave one out"
                )
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                raise TypeError(
                    f"validation_data is {type(validation_data).__name__}, expected (X, y) or "
                    "(X, y, sample_weight); pass a tuple"
                )
            self.validation = self.checked(*validation_data[:2], (*validation_data, None)[2], None, "validation ")
        elif share:
            self.hold_out(share)
        self.n = len(self.X)
        self.batch = min(check.integer("batch_size", batch_size, minimum=1), self.n)
        self.step_seconds = None

    def checked(self, X, y, sample_weight, class_weight, prefix):
        """(X, targets, labels, weights) as the compiled core reads them."""
        net = self.net
        X = check.data(X, net.inputs, net.dtype, name=f"{prefix}X")
        y, labels = check.targets(y, len(X), net.loss, net.units, net.dtype, name=f"{prefix}y")
        return X, y, labels, check.weights(sample_weight, class_weight, y, len(X), net.loss, net.dtype, net.classes)

    def hold_out(self, share):
        """Takes the last part of the data for validation."""
        edge = len(self.X) - round(len(self.X) * share)
        if not 0 < edge < len(self.X):
            raise ValueError(
                f"validation_split is {share} of {len(self.X)} samples, expected at least one to train on "
                "and one to validate with; change it, or pass validation_data"
            )
        weights = self.weights
        self.validation = (self.X[edge:], self.targets[edge:], self.labels, None if weights is None else weights[edge:])
        self.X, self.targets = self.X[:edge], self.targets[:edge]
        self.weights = None if weights is None else weights[:edge]

    def history(self, epochs):
        """The History to fill."""
        steps = -(-self.n // self.batch)
        return History({"epochs": epochs, "batch_size": self.batch, "samples": self.n, "steps": steps})

    def names(self):
        """The keys of an epoch's logs."""
        names = ["loss", "accuracy"] if self.question else ["loss"]
        if self.validation is not None:
            names += [f"val_{name}" for name in names]
        return [*names, "lr", "seconds", "samples_per_second"]

    def plan(self, batch, order):
        return self.net._plans.get(
            "train",
            batch,
            gathered=order is not None,
            labels=self.labels,
            weighted=self.weights is not None,
            threads=self.threads,
        )

    def order(self, shuffle, seed):
        """The rows of one epoch in their order, int64 (n,), or None for the data as they lie."""
        return epoch_order(self.n, self.batch, shuffle, seed)

    def accuracy(self):
        """Of the data trained on."""
        return self.net._evaluated(self.X, self.targets, self.labels, None, self.question)["accuracy"]

    def epoch(self, epoch, optimizer, shuffle, seed, bar):
        """One epoch; returns its logs."""
        begun = time.perf_counter()
        order = self.order(shuffle, seed)
        whole, rest = divmod(self.n, self.batch)
        start = _State(self.net, optimizer)
        losses = np.empty(whole + bool(rest))
        step = 0
        while step < whole:
            count = self.chunk(whole - step)
            yield from self.guarded(start, epoch, order, step, losses[step : step + count], optimizer, self.batch)
            step += count
            bar.advance(count)
        if rest:
            yield from self.guarded(start, epoch, order, whole, losses[whole:], optimizer, rest)
            bar.advance(1)
        seconds = time.perf_counter() - begun
        share = np.full(len(losses), self.batch / self.n)
        share[whole:] = rest / self.n
        logs = {"loss": float(losses @ share)}
        if self.question:
            logs["accuracy"] = self.accuracy()
        return {**logs, "lr": float(optimizer.rate()), "seconds": seconds, "samples_per_second": self.n / seconds}

    def chunk(self, left):
        """How many steps to take before Python has a look again."""
        if self.step_seconds is None:
            return 1
        return max(1, min(left, int(CHUNK_SECONDS / max(self.step_seconds, 1e-9))))

    def steps(self, plan, order, first, losses, optimizer):
        """Takes len(losses) steps from row `first` of the order; returns (steps completed, broken)."""
        net = self.net
        lr = np.zeros(len(losses)) if optimizer is None else optimizer.learning_rates(len(losses))
        kernel = 0 if optimizer is None else cpu.update_address(optimizer.kernel, net.dtype)
        done, broken = yield Call(
            plan.compiled,
            plan.arrays(X=self.X, targets=self.targets, weights=self.weights),
            order,
            first,
            self.n // self.batch,
            lr,
            losses,
            optimizer,
            kernel,
            (net._dropout_key, net._draws),
        )
        net._draws += done
        net._last = plan
        if optimizer is not None:
            optimizer.steps += done
        return done, broken

    def guarded(self, start, epoch, order, step, losses, optimizer, batch):
        """`steps`, and what happens when a number stops being finite."""
        plan = self.plan(batch, order)
        done, broken = yield from self.steps(plan, order, step * self.batch, losses, optimizer)
        if done == len(losses):
            return
        bad = step + done
        loss = losses[done]
        layer = self.net._layer_of(self.net.params) if broken else None
        # The same steps give the same bits: going back to the start of the epoch and repeating all but the bad step
        # costs nothing until it is needed.
        start.restore(self.net, optimizer)
        if bad:
            again = np.empty(min(bad, self.n // self.batch))
            yield from self.steps(self.plan(self.batch, order), order, 0, again, optimizer)
        if layer is None:
            first = bad * self.batch
            rows = self.X[first : first + batch] if order is None else self.X[order[first : first + batch]]
            layer = self.net.where_not_finite(rows)
            what = f"the loss became {loss} {layer}"
        else:
            what = f"a parameter of {layer} stopped being finite"
        raise FloatingPointError(
            f"epoch {epoch + 1}, step {bad + 1}: {what}; the parameters are those before this "
            "step. Use a smaller lr, or clip_norm, or scale X and y"
        )

    def validate(self):
        """The logs of the validation data."""
        if self.validation is None:
            return {}
        result = self.net._evaluated(*self.validation, self.question)
        return {f"val_{name}": value for name, value in result.items()}


class _State:
    """What training changes, as it was at one moment."""

    def __init__(self, net, optimizer):
        self.params = net.params.copy()
        self.state = None if optimizer.state is None else optimizer.state.copy()
        self.steps, self.draws = optimizer.steps, net._draws

    def restore(self, net, optimizer):
        net.params[:] = self.params
        if self.state is not None:
            optimizer.state[:] = self.state
        optimizer.steps, net._draws = self.steps, self.draws
