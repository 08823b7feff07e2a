"""The training loop of networks and expressions: compiled calls of about 50 ms, so that Ctrl-C and the progress bar
stay alive. A call takes some steps of a long epoch, or as many short epochs as fit, with all that follows each of them;
where something of the user's is to be called in between, one epoch."""

import contextlib
import time
from typing import NamedTuple

from . import check, optimizers, splits
from ._core import caller, cpu, random
from ._core import train as core
from ._core.epochs import NAMES, Epochs
from .callbacks import Callbacks, History
from .progress import Progress

CALL_SECONDS = 0.05


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
        job.begin(optimizer, shuffle, seed)
        try:
            _train(job, calls, history, bar)
        except KeyboardInterrupt:
            history.interrupted = True
        except BaseException as error:
            failed = error
        # what Ctrl-C has kept from the History comes first
        ended = _all(
            history,
            lambda: calls.put_back(model),
            lambda: job.catch_up(history),
            lambda: calls.on_train_end(model, history),
            job.give_back,
        )
    if failed is not None:
        raise _told(failed, calls)
    if ended is not None:
        raise ended
    return history


def _all(history, interrupted, *ends):
    """Calls all of these, whatever one of them raises. Returns the first error, or None; Ctrl-C is none, and after it
    `interrupted` is called."""
    first = None
    for end in ends:
        try:
            end()
        except KeyboardInterrupt:
            history.interrupted = True
            interrupted()
        except BaseException as error:
            first = first or error
    return first


def _train(job, calls, history, bar):
    """All epochs, each or several followed by what is to be done about them."""
    model, optimizer, hinted = job.model, job.optimizer, False
    stopping = calls.stopping(NAMES) if job.runs_on() else None
    alone = stopping is None and not calls.is_empty  # whether each epoch comes back to Python
    stop = calls.on_train_begin(model)
    while not stop and len(history.epoch) < history.params["epochs"]:
        epoch = job.first + len(history.epoch)
        if alone and calls.on_epoch_begin(model, epoch):
            break
        bar.begin(epoch)
        job.note_memories(calls.stoppings() if alone else [])
        known = len(history.epoch)
        most = 1 if alone or not job.runs_on() else history.params["epochs"] - known
        # alone to the end of an epoch, not for all of them: callbacks may use the network
        model._alone.call(_made, job, job.epochs(most, stopping, history, bar))
        logs = job.tell(history, job.logs)
        bar.begin(history.epoch[-1])  # of several, the last one
        # what a callback puts into logs is known to a schedule after the callbacks, all else before them
        late = optimizer.monitored(calls.names, calls.undeclared) not in (None, *logs)
        if not late:
            optimizer.observe(logs)
        bar.end(logs)
        if not hinted and (hint := job.hint(history, known)):
            hinted = True
            caller.warn(hint)
        if not alone:
            stop = job.course.stopped
            continue
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
    best = calls.put_back_epoch()
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
    """Steps to take in compiled code: a core Epochs, and the arguments of its `run` but for the team."""

    course: object
    training: list
    evaluated: list
    rates: object  # float64 (steps,)
    stopping: object


def _made(job, work):
    """Makes the calls that `work`, a generator of the job's, asks for, one by one."""
    failure = None
    with contextlib.suppress(StopIteration):
        while True:
            course, *arguments = work.send(failure)
            begun = time.perf_counter()
            failure = course.run(*arguments, job.threads)
            job.step_seconds = (time.perf_counter() - begun) / max(1, course.done)


def _listed(column):
    """An array (n,) as a list of floats, of one float where all are the same: rates and times of epochs too short to be
    timed, of which a list of as many objects takes as long as the step of a small network."""
    first = float(column[0])
    return [first] * len(column) if (column == first).all() else column.tolist()


def run_steps(job, optimizer, steps, seed=0):
    """Exactly `steps` training steps over shuffled whole batches, in one compiled call.

    For measuring: no validation, history or checks of the result. optimizer None means value and gradient only.
    Returns the losses, float64 (steps,).
    """
    check_memory([job], [optimizer])
    if optimizer is not None:
        optimizer.bind(job.model.params)
    job.begin(optimizer, True, seed, rest=False)
    rates = None if optimizer is None else optimizer.learning_rates(steps)
    job.model._last, training = job.training()
    job.course.run(training, [], rates, None, job.threads, check.integer("steps", steps, minimum=0))
    return job.course.last_losses()


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
    it overrides: `names`, `plan`, `evaluation`, `more_logs`, `warn_of_data`, `hint`, `where` and the attributes below.
    """

    rows = None  # int (n,), the rows of the arrays that are trained on, or None for all
    counted = val_counted = 0  # answers that an accuracy counts, of the data and of the validation data
    penalties = ()  # [(begin, count, l1, l2), ...] of parts of the parameters

    def __init__(self, model, arrays, batch_size, threads):
        self.model, self.arrays = model, arrays
        self.threads = check.threads(threads)
        self.n = len(next(iter(arrays.values())))
        self.batch = min(check.integer("batch_size", batch_size, minimum=1), self.n)
        self.step_seconds = self.course = self.taken = None
        self.memories, self.seen = [], 0

    def begin(self, optimizer, shuffle, seed, rest=True):
        """Before the first step; the arguments of a core Epochs."""
        self.optimizer, self.first = optimizer, self.model.epochs
        self.course = Epochs(
            self.model, optimizer, self.n, self.batch, self.rows, shuffle, seed, rest, self.counted, self.val_counted,
            self.penalties,
        )  # fmt: skip

    def history(self, epochs):
        """The History to fill."""
        steps = -(-self.n // self.batch)
        return History({"epochs": epochs, "batch_size": self.batch, "samples": self.n, "steps": steps})

    # ---- what a kind of model knows better ---------------------------------------------------------------------------

    def names(self):
        """The keys of an epoch's logs."""
        return logged(["loss"])

    def called(self, name):
        """What the caller calls the array of this name."""
        return name

    def plan(self, batch, gathered):
        """The plan of a training step of `batch` rows, read in an order or not."""
        raise AttributeError(f"{type(self).__name__} has no plan of its own")

    def kinds(self):
        """What plans of the validation data must know of their dtypes, as fastbp.sources.kinds says."""

    def evaluation(self):
        """[(plan, arrays, first row, steps, share of a step)] of the validation data, of plans that are taken."""
        return []

    def more_logs(self, when):
        """What an epoch's logs hold beside what the compiled call gives. when: the epoch, in words."""
        return {}

    def runs_on(self):
        """Whether nothing of Python's is to be done after an epoch but what callbacks do."""
        return not getattr(self.optimizer.lr, "stateful", False)

    def warn_of_data(self):
        """Warns of data that training can come to nothing with."""

    def hint(self, history, known):
        """After the epochs that follow the first `known` ones: what to warn of where training has come to nothing so
        far, or ""."""
        return ""

    def check_step(self, epoch, step):
        """Before a step, both counted from 0, where steps are taken one by one."""

    def where(self, rows):
        """In words, where in a step over these rows ({name: array}) a number first is not finite."""
        return ""

    def explained(self, rows, loss, layer):
        """(what stopped being finite, what to do) in words: the loss of a step over these rows, or a parameter of a
        layer, not None, by its update."""
        what = f"a parameter of {layer} stopped being finite" if layer else f"the loss became {loss} {self.where(rows)}"
        return what, "Use a smaller lr, or clip_norm, or scale X and y"

    # ---- epochs ------------------------------------------------------------------------------------------------------

    def epochs(self, most, stopping, history, bar):
        """A generator of calls, which is sent what each returns: to the end of an epoch, or of several, `most` of them
        at most. stopping: an EarlyStopping that the calls ask, or None."""
        course, model = self.course, self.model
        while True:
            if course.step == 0:
                course.remember()
            self.check_step(self.first + course.epoch, course.step)
            rates = self.rates(self.chunk(most))
            last, training = self.training()
            failure = yield Call(course, training, self.evaluated(), rates, stopping)
            model._last = last if course.step == 0 or len(training) == 1 else self.whole
            if failure is not None:
                raise self.broken(*failure, stopping)
            bar.advance(course.done)
            if course.step == 0:
                return

    def chunk(self, most):
        """How many steps to take before Python has a look again: of the epoch at hand, or of `most` whole epochs."""
        left = self.course.steps - self.course.step
        if self.step_seconds is None:
            return 1
        fit = int(CALL_SECONDS / max(self.step_seconds, 1e-9))
        if self.course.step == 0 and fit > left:
            return min(fit // left, most) * left
        return max(1, min(left, fit))

    def rates(self, steps):
        """The learning rates of the next steps, float64 (steps,); of fewer, to the end of the epoch, where a later one is
        not as it must be: the epochs before it are trained."""
        left = self.course.steps - self.course.step
        try:
            return self.optimizer.learning_rates(steps)
        except ValueError:
            if steps <= left:
                raise
        return self.optimizer.learning_rates(left)

    def training(self):
        """(the plan of an epoch's last step, [(compiled plan, its arrays), ...] of whole batches and the rest)."""
        gathered, rest = self.course.in_order, self.n % self.batch
        self.whole = self.plan(self.batch, gathered)
        plans = [self.whole]
        if self.course.steps > self.n // self.batch:
            plans.append(self.plan(rest, gathered))
        return plans[-1], [(plan.compiled, plan.arrays(self.arrays)) for plan in plans]

    def evaluated(self):
        """[(compiled plan, its arrays, first row, steps, share of a step)] of the validation data."""
        made_for = cpu.selected(), self.kinds()
        if self.taken is None or self.taken[0] != made_for:
            self.give_back()
            self.taken = made_for, self.evaluation()
        return [(plan.compiled, plan.arrays(arrays), *more) for plan, arrays, *more in self.taken[1]]

    def give_back(self):
        """Leaves the plans of the validation data to others."""
        taken, self.taken = self.taken, None
        for plan, *_ in taken[1] if taken else ():
            self.model._plans.give_back(plan)

    def tell(self, history, logs):
        """Tells the History of the epochs that are finished and that it does not know of; returns the last one's logs,
        {} where there is none. logs: `results`, or `logs`, which asks metrics as well."""
        if self.course is None:  # of one among many, that has not begun
            return {}
        known = len(history.epoch)
        results, names = self.course.results_since(known), self.measured()
        if len(results) == 1:
            found = logs(results[0], names, self.first + known)
            history.append(self.first + known, found)
            return found
        if not len(results):
            return {}
        columns = {name: _listed(results[:, i]) for i, name in enumerate(NAMES) if name in names}
        history.extend(self.first + known, columns)
        return {name: values[-1] for name, values in history.history.items()}

    def note_memories(self, stoppings):
        """Before an epoch after which Python is to look: what is remembered of those before it, for `catch_up`."""
        lr = self.optimizer.lr
        self.seen = self.course.epoch
        self.memories = [(each, each.memory()) for each in stoppings]
        if getattr(lr, "stateful", False):
            self.memories.append((lr, lr.memory()))

    def catch_up(self, history):
        """After what ended the training: the History, a schedule and early stopping are told of the epochs that have been
        trained and that they do not know of. Who goes on then has what one that was not interrupted has."""
        self.tell(history, self.logs if self.memories else self.results)
        logs = {name: values[-1] for name, values in history.history.items()}
        for each, before in self.memories if len(history.epoch) > self.seen else ():
            if before is not None and each.memory() == before:
                if each is self.optimizer.lr:
                    self.optimizer.observe(logs)
                elif each.monitor in logs:
                    each.on_epoch_end(self.model, history.epoch[-1], logs)

    def results(self, row, names, epoch):
        """Those of these names that a compiled call gives of an epoch."""
        row = row.tolist()
        return {name: row[i] for i, name in enumerate(NAMES) if name in names}

    def logs(self, row, names, epoch):
        """All of an epoch's, counted from 0."""
        return {**self.results(row, names, epoch), **self.more_logs(f"epoch {epoch + 1}")}

    def measured(self):
        """The names of what a compiled call gives of an epoch."""
        return logged(["loss"])

    def rows_of_step(self, order, step, batch):
        """{name: array} of the `batch` rows of a step of the epoch."""
        which = slice(step * self.batch, step * self.batch + batch)
        which = which if order is None else order[which]
        return {name: array[which] for name, array in self.arrays.items()}

    def broken(self, loss, params, epoch, step, stopping):
        """The error of a step whose loss is not finite, or whose update made a parameter not finite: params (P,). The
        call has gone back to where it, or the epoch, began; epoch: how many it had finished since, step: of the next.

        The same steps give the same bits, so to repeat all but the bad one costs nothing until it is needed.
        """
        course, layer = self.course, None if params is None else self.model._layer_of(params)
        steps = epoch * course.steps + step
        if steps:
            self.model._last = self.whole
            rates = self.optimizer.learning_rates(steps)
            course.run(self.training()[1], self.evaluated(), rates, stopping, self.threads)
        order = course.order_at_hand()
        batch = self.batch if step < self.n // self.batch else self.n % self.batch
        what, remedy = self.explained(self.rows_of_step(order, step, batch), loss, layer)
        return FloatingPointError(
            f"epoch {self.first + course.epoch + 1}, step {step + 1}: {what}; the parameters are those before this step. "
            f"{remedy}"
        )
