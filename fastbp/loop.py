"""The training loop of networks and expressions: one plan for whole batches and one for the last, smaller one; a
compiled call for each chunk of steps, about 50 ms long, so that Ctrl-C, progress bar and callbacks stay alive; once an
epoch back in Python."""

import time
from typing import NamedTuple

import numpy as np

from . import check, optimizers
from ._core import cpu, random
from ._core import train as core
from .callbacks import Callbacks, History, Progress

CHUNK_SECONDS = 0.05


def epoch_order(n, batch_size, shuffle, seed):
    """int64 (n,), the order of one epoch, or None for the data as they lie."""
    # one batch holds every row in any order: shuffling would cost a copy and change nothing but the rounding
    return random.permutation(n, seed) if shuffle and batch_size < n else None


def run(job, epochs, optimizer, shuffle, seed, callbacks, early_stopping, progress):
    """Trains for a number of epochs; returns a History. The arguments are those of `fastbp.train.fit`."""
    model = job.model
    epochs = check.integer("epochs", epochs, minimum=1)
    shuffle = check.flag("shuffle", shuffle)
    seed = model.seed if seed is None else check.integer("seed", seed, minimum=0)
    if optimizer is None:
        optimizer = optimizers.SGD(lr=0.1)
    elif not isinstance(optimizer, optimizers.Optimizer):
        raise TypeError(f"optimizer is {optimizer!r}, expected an optimizer object; pass fb.SGD(lr=0.1) or fb.Adam()")
    calls = Callbacks(callbacks, early_stopping, names=job.names())
    history = job.history(epochs)
    optimizer.monitored(job.names())
    check_memory([job], [optimizer])
    with Progress(epochs, history.params["steps"], progress) as bar:
        optimizer.bind(model.params)  # here: whatever is refused is refused by now
        try:
            stop = calls.on_train_begin(model)
            for epoch in range(epochs):
                if stop or calls.on_epoch_begin(model, epoch):
                    break
                bar.begin(epoch)
                with model._alone:  # for an epoch, not for all of them: callbacks may use the network
                    logs = _alone(job, job.epoch(epoch, optimizer, shuffle, seed + epoch, bar))
                logs.update(job.validate())
                history.append(epoch, logs)
                bar.end(logs)
                optimizer.observe(logs)
                stop = calls.on_epoch_end(model, epoch, logs)
        except KeyboardInterrupt:
            history.interrupted = True
        calls.on_train_end(model, history)
    return history


def check_memory(jobs, optimizers):
    """Refuses vectors that are not what they were made as, and data of these jobs, which may share them, that lie in
    what training writes."""
    arrays = {id(array): (name, array) for job in jobs for name, array in job.arrays.items()}
    for job, optimizer in zip(jobs, optimizers, strict=True):
        model = job.model
        check.vectors(model, ("params", "grads"))
        written = {"params": model.params, "grads": model.grads, "the optimizer's state": optimizer and optimizer.state}
        for name, array in arrays.values():
            check.apart({job.called(name): array}, written)


def update(model, optimizer):
    """One update of a network or an expression by the gradients in `grads`.

    Raises FloatingPointError, naming the layer or parameter: with nothing changed where a gradient is not finite.
    """
    with model._alone:
        plan = model._last or model._plans.get("train", 1)
        failed = core.apply_update(plan.compiled, optimizer, optimizer.rate(), optimizer.steps, cpu.threads())
        if failed:
            where = model._layer_of(model.grads if failed == "gradient" else model.params)
            kept = "; nothing was changed" if failed == "gradient" else ""
            raise FloatingPointError(
                f"step {optimizer.steps}: a {failed} of {where} is not finite{kept}; use a smaller lr, or clip_norm"
            )
        optimizer.steps += 1


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


def run_steps(job, optimizer, steps, seed=0):
    """Exactly `steps` training steps over shuffled whole batches, in as few compiled calls as there are epochs.

    For measuring: no validation, history or checks of the result. optimizer None means value and gradient only.
    Returns the losses, float64 (steps,).
    """
    losses = np.empty(steps)
    done, epoch = 0, 0
    check_memory([job], [optimizer])
    if optimizer is not None:
        optimizer.bind(job.model.params)
    while done < steps:
        order = epoch_order(job.n, job.batch, True, seed + epoch)
        # the order of one batch of all rows never changes, so all its epochs are one call
        count = steps if order is None else min(steps - done, job.n // job.batch)
        _alone(job, job.steps(job.plan(job.batch, order), order, 0, losses[done : done + count], optimizer))
        done, epoch = done + count, epoch + 1
    return losses


def validation_share(split, data):
    """The share of the data that is held out for validation, refused where validation data are given as well."""
    share = check.fraction("validation_split", split)
    if share and data is not None:
        raise ValueError(
            f"validation_split is {share} and validation_data is given, expected one of them; leave one out"
        )
    return share


def held_out(share, n):
    """The first of the rows that are kept for validation: the last part of n."""
    edge = n - round(n * share)
    if not 0 < edge < n:
        raise ValueError(
            f"validation_split is {share} of {n} samples, expected at least one to train on "
            "and one to validate with; change it, or pass validation_data"
        )
    return edge


def logged(names, validation):
    """The keys of an epoch's logs, from those of an evaluation."""
    names = names if validation is None else [*names, *(f"val_{name}" for name in names)]
    return [*names, "lr", "seconds", "samples_per_second"]


class Job:
    """What one training needs: the model (a network or an expression), its checked data, and the plans of its steps.

    arrays: {name: array}, a row for each of the n samples; batch: rows of a step. What a kind of model knows better, it
    overrides: `names`, `plan`, `more_logs`, `validate` and `where`.

    The methods that train - epoch, guarded, steps - are generators: they yield each Call and are sent its result,
    (steps completed, whether a parameter broke). So `run` makes the calls of one model, `fit_many` those of several.
    """

    def __init__(self, model, arrays, batch_size, threads):
        self.model, self.arrays = model, arrays
        self.threads = cpu.threads() if threads is None else check.integer("threads", threads, minimum=1)
        self.n = len(next(iter(arrays.values())))
        self.batch = min(check.integer("batch_size", batch_size, minimum=1), self.n)
        self.step_seconds = None

    def history(self, epochs):
        """The History to fill."""
        steps = -(-self.n // self.batch)
        return History({"epochs": epochs, "batch_size": self.batch, "samples": self.n, "steps": steps})

    def order(self, shuffle, seed):
        """The rows of one epoch in their order, int64 (n,), or None for the data as they lie."""
        return epoch_order(self.n, self.batch, shuffle, seed)

    def names(self):
        """The keys of an epoch's logs."""
        return logged(["loss"], None)

    def called(self, name):
        """What the caller calls the array of this name."""
        return name

    def plan(self, batch, order):
        """The plan of a training step of `batch` rows, gathered in an order or not."""
        raise AttributeError(f"{type(self).__name__} has no plan of its own")

    def more_logs(self):
        """What an epoch's logs hold beside the loss."""
        return {}

    def validate(self):
        """The logs of the validation data."""
        return {}

    def where(self, rows):
        """In words, where in a step over these rows ({name: array}) a number first is not finite."""
        return ""

    def epoch(self, epoch, optimizer, shuffle, seed, bar):
        """One epoch; returns its logs."""
        begun = time.perf_counter()
        order = self.order(shuffle, seed)
        whole, rest = divmod(self.n, self.batch)
        start = _State(self.model, optimizer)
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
        logs.update(self.more_logs())
        return {**logs, "lr": float(optimizer.rate()), "seconds": seconds, "samples_per_second": self.n / seconds}

    def chunk(self, left):
        """How many steps to take before Python has a look again."""
        if self.step_seconds is None:
            return 1
        return max(1, min(left, int(CHUNK_SECONDS / max(self.step_seconds, 1e-9))))

    def steps(self, plan, order, first, losses, optimizer):
        """Takes len(losses) steps from row `first` of the order; returns (steps completed, broken)."""
        model = self.model
        lr = np.zeros(len(losses)) if optimizer is None else optimizer.learning_rates(len(losses))
        done, broken = yield Call(
            plan.compiled,
            plan.arrays(**self.arrays),
            order,
            first,
            self.n // self.batch,
            lr,
            losses,
            optimizer,
            (model._dropout_key, model._draws),
        )
        model._draws += done
        model._last = plan
        if optimizer is not None:
            optimizer.steps += done
        return done, broken

    def rows_of_step(self, order, step, batch):
        """{name: array} of the `batch` rows of a step of the epoch."""
        which = slice(step * self.batch, step * self.batch + batch)
        which = which if order is None else order[which]
        return {name: array[which] for name, array in self.arrays.items()}

    def guarded(self, start, epoch, order, step, losses, optimizer, batch):
        """`steps`, and what happens when a number stops being finite."""
        plan = self.plan(batch, order)
        done, broken = yield from self.steps(plan, order, step * self.batch, losses, optimizer)
        if done == len(losses):
            return
        bad = step + done
        loss = losses[done]
        layer = self.model._layer_of(self.model.params) if broken else None
        # The same steps give the same bits: going back to the start of the epoch and repeating all but the bad step
        # costs nothing until it is needed.
        start.restore(self.model, optimizer)
        if bad:
            again = np.empty(min(bad, self.n // self.batch))
            yield from self.steps(self.plan(self.batch, order), order, 0, again, optimizer)
        if layer is None:
            rows = self.rows_of_step(order, bad, batch)
            what = f"the loss became {loss} {self.where(rows)}"
        else:
            what = f"a parameter of {layer} stopped being finite"
        raise FloatingPointError(
            f"epoch {epoch + 1}, step {bad + 1}: {what}; the parameters are those before this "
            "step. Use a smaller lr, or clip_norm, or scale X and y"
        )


class _State:
    """What training changes, as it was at one moment."""

    def __init__(self, model, optimizer):
        self.params = model.params.copy()
        self.state = None if optimizer.state is None else optimizer.state.copy()
        self.steps, self.draws = optimizer.steps, model._draws

    def restore(self, model, optimizer):
        model.params[:] = self.params
        if self.state is not None:
            optimizer.state[:] = self.state
        optimizer.steps, model._draws = self.steps, self.draws
