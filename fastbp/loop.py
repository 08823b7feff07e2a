"""The training loop of networks and expressions: one plan for whole batches and one for the last, smaller one; a
compiled call for each chunk of steps, about 50 ms long, so that Ctrl-C, progress bar and callbacks stay alive; once an
epoch back in Python."""

import time
from typing import NamedTuple

import numpy as np

from . import check, optimizers, splits
from ._core import caller, cpu, random
from ._core import train as core
from .callbacks import Callbacks, History
from .progress import Progress
from .quiet import quiet

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
    first = model.epochs
    shuffled, before = (epochs, first if seed is None else 0) if shuffle else (1, 0)  # orders of a seed begin anew
    seed = before + check.seed("seed", model.seed if seed is None else seed, shuffled, before)
    if optimizer is None:
        optimizer = optimizers.SGD(lr=0.1)
    elif not isinstance(optimizer, optimizers.Optimizer):
        raise _no_optimizer(optimizer)
    calls = Callbacks(callbacks, early_stopping, names=job.names())
    history = job.history(epochs)
    optimizer.monitored(calls.names, calls.undeclared)
    calls.warn_of_misnamed()
    job.warn_of_data()
    check_memory([job], [optimizer])
    failed = None
    with Progress(epochs, history.params["steps"], progress, first) as bar:
        optimizer.bind(model.params)  # here: whatever is refused is refused by now
        try:
            _train(job, first, optimizer, shuffle, seed, calls, history, bar)
        except KeyboardInterrupt:
            history.interrupted = True
        except BaseException as error:
            failed = error
        try:
            calls.on_train_end(model, history)
        except KeyboardInterrupt:
            history.interrupted = True
        finally:
            if failed is not None:
                raise _told(failed, calls)
    return history


def _train(job, first, optimizer, shuffle, seed, calls, history, bar):
    """All epochs, the first of which is number `first`, each followed by what is to be done about it."""
    model = job.model
    stop, hinted = calls.on_train_begin(model), False
    for epoch in range(first, first + history.params["epochs"]):
        if stop or calls.on_epoch_begin(model, epoch):
            break
        bar.begin(epoch)
        # alone for an epoch, not for all of them: callbacks may use the network
        logs = model._alone.call(_made, job, job.epoch(epoch, optimizer, shuffle, seed + epoch - first, bar))
        model.epochs = epoch + 1
        logs.update(job.validate(f"epoch {epoch + 1}"))
        history.append(epoch, logs)
        # what a callback puts into logs is known to a schedule after the callbacks, all else before them
        late = optimizer.monitored(calls.names, calls.undeclared) not in (None, *logs)
        if not late:
            optimizer.observe(logs)
        bar.end(logs)
        if not hinted and (hint := job.hint(history, optimizer)):
            hinted = True
            caller.warn(hint)
        measured = len(logs)
        stop = calls.on_epoch_end(model, epoch, logs)
        if len(logs) > measured:
            history.amend(logs)
            bar.end(logs)
        if late:
            optimizer.observe(logs)


def _no_optimizer(given):
    """The error for an optimizer that is none: a name leads to the class that is meant."""
    if isinstance(given, str):
        found = optimizers.OPTIMIZERS[check.choice("optimizer", given, optimizers.OPTIMIZERS)]
        return TypeError(f"optimizer is {given!r}, expected an optimizer object; pass fb.{found.__name__}()")
    return TypeError(
        f"optimizer is {check.shown(given)}, expected an optimizer object; pass fb.SGD(lr=0.1) or fb.Adam()"
    )


def _told(error, calls):
    """The error that ended a training, which says so where the parameters are not those of the last good step."""
    best = calls.put_back()
    if isinstance(error, FloatingPointError) and best is not None:
        error.args = (f"{error}. Early stopping has put back the parameters of epoch {best + 1}, the best",)
    return error


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
    model._alone.call(_update, model, optimizer)


def _update(model, optimizer):
    plan, step = model._last or model._plans.get("train", 1), optimizer.steps
    failed = core.apply_update(plan.compiled, optimizer, optimizer.rate(), cpu.threads())
    if failed:
        where = model._layer_of(model.grads if failed == "gradient" else model.params)
        kept = "; nothing was changed" if failed == "gradient" else ""
        raise FloatingPointError(
            f"step {step}: a {failed} of {where} is not finite{kept}; use a smaller lr, or clip_norm"
        )


class Call(NamedTuple):
    """Steps to take in compiled code: the arguments of core.run_batches but for its team."""

    plan: object
    arrays: list
    order: object
    first: int
    epoch: int
    lr: np.ndarray
    losses: np.ndarray
    model: object
    optimizer: object
    before: object  # a core.State to go back to where a parameter stops being finite, or None


def _made(job, work):
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
        _made(job, job.steps(job.plan(job.batch, order), order, 0, losses[done : done + count], optimizer))
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
    return n - splits.held_out(share, n, "validation_split", "samples", "pass validation_data")


def logged(names, validated=()):
    """The keys of an epoch's logs, from those of an evaluation of the data trained on and of the validation data."""
    return [*names, *(f"val_{name}" for name in validated), "lr", "seconds", "samples_per_second"]


class Job:
    """What one training needs: the model (a network or an expression), its checked data, and the plans of its steps.

    arrays: {name: array}, a row for each of the n samples; batch: rows of a step. What a kind of model knows better,
    it overrides: `names`, `plan`, `more_logs`, `validate`, `warn_of_data`, `hint` and `where`.

    The methods that train - epoch, guarded, steps - are generators: they yield each Call and are sent its result,
    (steps completed, None or parameters that are not finite). So `run` makes the calls of one, `fit_many` of several.
    """

    def __init__(self, model, arrays, batch_size, threads):
        self.model, self.arrays = model, arrays
        self.threads = check.threads(threads)
        self.n = len(next(iter(arrays.values())))
        self.batch = min(check.integer("batch_size", batch_size, minimum=1), self.n)
        self.step_seconds = None
        self.lr = 0.0  # of an epoch's first step

    def history(self, epochs):
        """The History to fill."""
        steps = -(-self.n // self.batch)
        return History({"epochs": epochs, "batch_size": self.batch, "samples": self.n, "steps": steps})

    def order(self, shuffle, seed):
        """The rows of one epoch in their order, int64 (n,), or None for the data as they lie."""
        return epoch_order(self.n, self.batch, shuffle, seed)

    def names(self):
        """The keys of an epoch's logs."""
        return logged(["loss"])

    def called(self, name):
        """What the caller calls the array of this name."""
        return name

    def plan(self, batch, order):
        """The plan of a training step of `batch` rows, gathered in an order or not."""
        raise AttributeError(f"{type(self).__name__} has no plan of its own")

    def more_logs(self):
        """What an epoch's logs hold beside the loss."""
        return {}

    def validate(self, when):
        """The logs of the validation data. when: the epoch, in words."""
        return {}

    def warn_of_data(self):
        """Warns of data that training can come to nothing with."""

    def hint(self, history, optimizer):
        """After an epoch: what to warn of where training has come to nothing so far, or ""."""
        return ""

    def where(self, rows):
        """In words, where in a step over these rows ({name: array}) a number first is not finite."""
        return ""

    def explained(self, rows, loss, layer):
        """(what stopped being finite, what to do) in words: the loss of a step over these rows, or a parameter of a
        layer, not None, by its update."""
        what = f"a parameter of {layer} stopped being finite" if layer else f"the loss became {loss} {self.where(rows)}"
        return what, "Use a smaller lr, or clip_norm, or scale X and y"

    def epoch(self, epoch, optimizer, shuffle, seed, bar):
        """One epoch; returns its logs."""
        begun = time.perf_counter()
        order = self.order(shuffle, seed)
        whole, rest = divmod(self.n, self.batch)
        start = core.State(self.model, optimizer)
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
        logs = {"loss": _mean_loss(losses, whole, self.batch / self.n, rest / self.n)}
        logs.update(self.more_logs())
        return {**logs, "lr": self.lr, "seconds": seconds, "samples_per_second": self.n / seconds}

    def chunk(self, left):
        """How many steps to take before Python has a look again."""
        if self.step_seconds is None:
            return 1
        return max(1, min(left, int(CHUNK_SECONDS / max(self.step_seconds, 1e-9))))

    def steps(self, plan, order, first, losses, optimizer, before=None):
        """Takes len(losses) steps from row `first` of the order; returns (steps completed, broken):
        broken is None, or the parameters (P,) one of which is not finite; they are then again as `before`."""
        model = self.model
        lr = np.zeros(len(losses)) if optimizer is None else optimizer.learning_rates(len(losses))
        if first == 0:
            self.lr = float(lr[0])
        done, broken = yield Call(
            plan.compiled,
            plan.arrays(self.arrays),
            order,
            first,
            self.n // self.batch,
            lr,
            losses,
            model,
            optimizer,
            before,
        )
        model._last = plan
        return done, broken

    def rows_of_step(self, order, step, batch):
        """{name: array} of the `batch` rows of a step of the epoch."""
        which = slice(step * self.batch, step * self.batch + batch)
        which = which if order is None else order[which]
        return {name: array[which] for name, array in self.arrays.items()}

    def guarded(self, start, epoch, order, step, losses, optimizer, batch):
        """`steps`, and what happens when a number stops being finite."""
        plan = self.plan(batch, order)
        done, broken = yield from self.steps(plan, order, step * self.batch, losses, optimizer, start)
        if done == len(losses):
            return
        bad = step + done
        loss = losses[done]
        layer = None if broken is None else self.model._layer_of(broken)
        # The same steps give the same bits: going back to the start of the epoch and repeating all but the bad step
        # costs nothing until it is needed. (Where a parameter broke, the call has gone back by itself.)
        start.restore()
        if bad:
            again = np.empty(min(bad, self.n // self.batch))
            yield from self.steps(self.plan(self.batch, order), order, 0, again, optimizer)
        what, remedy = self.explained(self.rows_of_step(order, bad, batch), loss, layer)
        raise FloatingPointError(
            f"epoch {epoch + 1}, step {bad + 1}: {what}; the parameters are those before this step. {remedy}"
        )


@quiet
def _mean_loss(losses, whole, share, share_of_rest):
    """The mean over the samples, a float, of the losses of batches: of `whole` ones, and of the rest."""
    shares = np.empty(len(losses))  # np.full takes a microsecond more
    shares.fill(share)
    shares[whole:] = share_of_rest
    return float(losses @ shares)
