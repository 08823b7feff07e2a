"""The training loop of networks and expressions: compiled calls of about 50 ms, so that Ctrl-C and the progress bar
stay alive. A call takes some steps of a long epoch, or as many short epochs as fit, with all that follows each of them;
where something of the user's is to be called in between, one epoch."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp import optimizers
from fastbp._core import caller
from fastbp._core.epochs import NAMES
from fastbp._training import checkpointing, resuming
from fastbp._training.progress import Progress
from fastbp.callbacks import Callbacks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fastbp._check.types import Callbacks as Given
    from fastbp._check.types import Doubles, Path
    from fastbp._training.job import Job
    from fastbp.callbacks import EarlyStopping, History
    from fastbp.optimizers import Optimizer


def run(
    job: Job,
    epochs: int,
    optimizer: Optimizer | None,
    shuffle: bool,
    seed: int | None,
    callbacks: Given,
    early_stopping: EarlyStopping | None,
    progress: bool | None,
    resume: Path | None = None,
) -> History:
    """Trains for a number of epochs; returns a History. The arguments are those of
    `fastbp._training.network_fit.fit`."""
    model = job.model
    epochs = check.integer("epochs", epochs, minimum=1)
    shuffle = check.flag("shuffle", shuffle)
    found = None if resume is None else resuming.read(resume)
    first = model.epochs if found is None else found.first
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
    if resume is not None and found is None:
        resuming.check_begun(resume, calls.savers)
    if calls.savers or found is not None:
        optimizer.check_free(model.params)
        stoppings = calls.stoppings()
        job.saving = checkpointing.Saving(job, optimizer, shuffle, seed, epochs, calls.savers, stoppings, found)
        found = None  # its tensors are kept no longer than they are needed
    failed = None
    with Progress(epochs, history.params["steps"], progress, first) as bar:
        optimizer.bind(model.params)  # here: whatever is refused is refused by now
        job.begin(optimizer, shuffle, seed)
        if job.saving is not None:
            model._exclusive.call(job.saving.begin, history, bar)
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
            lambda: _save(job, failed),  # before early stopping puts back the best parameters
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


def _save(job, failed):
    """The last checkpoint of a training that has not failed; what ends the process, as SystemExit does, is no
    failure."""
    if job.saving is not None and not isinstance(failed, Exception):
        job.saving.end()


def _train(job, calls, history, bar):
    """All epochs, each or several followed by what is to be done about them."""
    model, optimizer, hinted = job.model, job.optimizer, False
    stopping = calls.stopping(NAMES) if job.runs_without_python() else None
    each_epoch = stopping is None and not calls.is_empty  # whether each epoch comes back to Python
    stop, saving = calls.on_train_begin(model), job.saving
    if saving is not None:
        stop |= model._exclusive.call(saving.go_on)
    while not stop and len(history.epoch) < history.params["epochs"]:
        epoch = job.first + len(history.epoch)
        # an epoch that goes on has begun before
        if each_epoch and not job.training_state.step and calls.on_epoch_begin(model, epoch):
            if saving is not None:
                saving.stopped = True
            break
        bar.begin(epoch)
        job.note_memories(calls.stoppings() if each_epoch else [])
        known = len(history.epoch)
        most = 1 if each_epoch or not job.runs_without_python() else history.params["epochs"] - known
        if saving is not None:
            most = min(most, saving.epochs_ahead())
        # exclusive to the end of an epoch, not for all of them: callbacks may use the network
        model._exclusive.call(_made, job, job.epochs(most, stopping, history, bar))
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
        if each_epoch:
            measured = len(logs)
            stop = calls.on_epoch_end(model, epoch, logs)
            if len(logs) > measured:
                history.amend(logs)
                bar.end(logs)
            if late:
                optimizer.observe(logs)
        else:
            stop = job.training_state.stopped
        if saving is not None:
            saving.after_epochs(stop)


def _no_optimizer(given):
    """The error for an optimizer that is none: a name leads to the class that is meant."""
    if isinstance(given, str):
        found = optimizers.OPTIMIZERS[check.choice("optimizer", given, optimizers.OPTIMIZERS)]
        return TypeError(f"optimizer is {check.shown(given)}, expected an optimizer object; pass fb.{found.__name__}()")
    return TypeError(
        f"optimizer is {check.shown(given)}, expected an optimizer object; pass fb.SGD(lr=0.1) or fb.Adam()"
    )


def _told(error, calls):
    """The error that ended a training, which says so where the parameters are not those of the last good step."""
    best = calls.put_back_epoch()
    if isinstance(error, FloatingPointError) and best is not None:
        error.args = (f"{error}. Early stopping has put back the parameters of epoch {best + 1}, the best",)
    return error


def check_memory(jobs: Iterable[Job], optimizers: Iterable[Optimizer | None]) -> None:
    """Refuses vectors that are not what they were made as, and data of these jobs, which may share them, that lie in
    what training writes."""
    arrays = {id(array): (name, array) for job in jobs for name, array in job.arrays.items()}
    for job, optimizer in zip(jobs, optimizers, strict=True):
        model = job.model
        check.vectors(model, ("params", "grads"))
        state: Any = optimizer and optimizer.state
        written = {"params": model.params, "grads": model.grads, "the optimizer's state": state}
        for name, array in arrays.values():
            check.apart({job.called(name): array}, written)


def _made(job, work):
    """Makes the calls that `work`, a generator of the job's, asks for, one by one."""
    failure = None
    with contextlib.suppress(StopIteration):
        while True:
            training_state, *arguments = work.send(failure)
            begun = time.perf_counter()
            failure = training_state.run(*arguments, job.threads)
            job.step_seconds = (time.perf_counter() - begun) / max(1, training_state.done)


def run_steps(job: Job, optimizer: Optimizer | None, steps: int, seed: int = 0) -> Doubles:
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
    job.training_state.run(training, [], rates, None, job.threads, check.integer("steps", steps, minimum=0))
    return job.training_state.last_losses()
