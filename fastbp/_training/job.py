"""What one training needs of a model and its data, and how its epochs are cut into compiled calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fastbp import _check as check
from fastbp._core import cpu, random
from fastbp._core.epochs import NAMES, Epochs
from fastbp._training import splits
from fastbp.callbacks import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fastbp._check.types import Array, Config, Floats, Integers, Logs
    from fastbp._training.trainable import Trainable
    from fastbp.callbacks import EarlyStopping
    from fastbp.optimizers import Optimizer

CALL_SECONDS = 0.05


def epoch_order(n: int, batch_size: int, shuffle: bool, seed: int) -> Integers | None:
    """int64 (n,), the order of one epoch, or None for the data as they lie."""
    # one batch holds every row in any order: shuffling would cost a copy and change nothing but the rounding
    return random.permutation(n, seed) if shuffle and batch_size < n else None


def validation_fraction(split: float, data: object) -> float:
    """The fraction of the data that is held out for validation, refused where validation data are given as well."""
    fraction = check.fraction("validation_split", split)
    if fraction and data is not None:
        raise ValueError(
            f"validation_split is {fraction} and validation_data is given, expected one of them; leave one out"
        )
    return fraction


def held_out(fraction: float, n: int) -> int:
    """The first of the rows that are kept for validation: the last part of n."""
    return n - splits.held_out(fraction, n, "validation_split", "samples", "pass validation_data")


def logged(names: Iterable[str], validated: Iterable[str] = ()) -> list[str]:
    """The keys of an epoch's logs, from those of an evaluation of the data trained on and of the validation data."""
    return [*names, *(f"val_{name}" for name in validated), "lr", "seconds", "samples_per_second"]


class Call(NamedTuple):
    """Steps to take in compiled code: a core Epochs, and the arguments of its `run` but for the team."""

    training_state: Epochs
    training: list[Any]
    evaluated: list[Any]
    rates: Any  # float64 (steps,)
    stopping: object


def _listed(column: Array) -> list[float]:
    """An array (n,) as a list of floats, of one float where all are the same: rates and times of epochs too short to be
    timed, of which a list of as many objects takes as long as the step of a small network."""
    first = float(column[0])
    values: list[float] = [first] * len(column) if (column == first).all() else column.tolist()
    return values


class Job:
    """What one training needs: the model (a network or an expression), its checked data, and the plans of its steps.

    arrays: {name: array}, a row for each of the n samples; batch: rows of a step. What a kind of model knows better,
    it overrides: `names`, `plan`, `evaluation`, `more_logs`, `warn_of_data`, `hint`, `where` and the attributes below.
    """

    training_state: Any  # a core Epochs, once it has begun
    step_seconds: float | None
    taken: Any
    memories: list[tuple[Any, Any]]
    optimizer: Any
    whole: Any
    saving: Any = None  # a fastbp._training.checkpointing.Saving, where it has checkpoints

    rows: Integers | None = None  # int (n,), the rows of the arrays that are trained on, or None for all
    counted = val_counted = 0  # answers that an accuracy counts, of the data and of the validation data
    penalties: Sequence[tuple[int, int, float, float]] = ()  # [(begin, count, l1, l2), ...] of parts of the parameters

    def __init__(self, model: Trainable, arrays: dict[str, Array], batch_size: int, threads: int | None) -> None:
        self.model, self.arrays = model, arrays
        self.threads = check.threads(threads)
        self.n = len(next(iter(arrays.values())))
        self.batch = min(check.integer("batch_size", batch_size, minimum=1), self.n)
        self.step_seconds = self.training_state = self.taken = None
        self.memories, self.seen = [], 0

    def begin(self, optimizer: Optimizer | None, shuffle: bool, seed: int, rest: bool = True) -> None:
        """Before the first step; the arguments of a core Epochs."""
        self.optimizer, self.first = optimizer, self.model.epochs
        self.training_state = Epochs(
            self.model, optimizer, self.n, self.batch, self.rows, shuffle, seed, rest, self.counted, self.val_counted,
            self.penalties,
        )  # fmt: skip

    def history(self, epochs: int) -> History:
        """The History to fill."""
        steps = -(-self.n // self.batch)
        return History({"epochs": epochs, "batch_size": self.batch, "samples": self.n, "steps": steps})

    # ---- what a kind of model knows better ---------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The keys of an epoch's logs."""
        return logged(["loss"])

    def called(self, name: str) -> str:
        """What the caller calls the array of this name."""
        return name

    def plan(self, batch: int, gathered: bool) -> Any:
        """The plan of a training step of `batch` rows, read in an order or not."""
        raise AttributeError(f"{type(self).__name__} has no plan of its own")

    def input_dtypes(self) -> Any:
        """What plans of the validation data must know of their dtypes, as fastbp._check.input_arrays.input_dtypes
        says."""

    def evaluation(self) -> list[Any]:
        """[(plan, arrays, first row, steps, weight of a step)] of the validation data, of plans that are taken."""
        return []

    def more_logs(self, when: str) -> Logs:
        """What an epoch's logs hold beside what the compiled call gives. when: the epoch, in words."""
        return {}

    def runs_without_python(self) -> bool:
        """Whether nothing of Python's is to be done after an epoch but what callbacks do."""
        return not getattr(self.optimizer.lr, "stateful", False)

    def described(self) -> Config:
        """What a checkpoint says of the model, beside its parameters: plain JSON."""
        raise AttributeError(f"{type(self).__name__} has no description of its own")

    def trained_arrays(self) -> dict[str, Array]:
        """What a checkpoint has to know again of the data: the arrays, and the rows of them that are trained on."""
        return self.arrays if self.rows is None else {**self.arrays, "rows": self.rows}

    def validation_arrays(self) -> dict[str, Array] | None:
        """The arrays of the validation data likewise, by the caller's names."""

    def data_spec(self) -> Config | None:
        """What the model says of its data, where it does."""

    def warn_of_data(self) -> None:
        """Warns of data that training can come to nothing with."""

    def hint(self, history: History, known: int) -> str:
        """After the epochs that follow the first `known` ones: what to warn of where training has come to nothing so
        far, or ""."""
        return ""

    def check_step(self, epoch: int, step: int) -> None:
        """Before a step, both counted from 0, where steps are taken one by one."""

    def where(self, rows: dict[str, Array]) -> str:
        """In words, where in a step over these rows ({name: array}) a number first is not finite."""
        return ""

    def explained(self, rows: dict[str, Array], loss: float, layer: str | None) -> tuple[str, str]:
        """(what stopped being finite, what to do) in words: the loss of a step over these rows, or a parameter of a
        layer, not None, by its update."""
        what = f"a parameter of {layer} stopped being finite" if layer else f"the loss became {loss} {self.where(rows)}"
        return what, "Use a smaller lr, or clip_norm, or scale X and y"

    # ---- epochs ------------------------------------------------------------------------------------------------------

    def epochs(self, most: int, stopping: Any, history: History, bar: Any) -> Iterator[Any]:
        """A generator of calls, which is sent what each returns: to the end of an epoch, or of several, `most` of them
        at most. stopping: an EarlyStopping that the calls ask, or None."""
        training_state, model = self.training_state, self.model
        while True:
            if training_state.step == 0:
                training_state.remember()
            self.check_step(self.first + training_state.epoch, training_state.step)
            rates = self.rates(self.chunk(most))
            last, training = self.training()
            failure = yield Call(training_state, training, self.evaluated(), rates, stopping)
            model._last = last if training_state.step == 0 or len(training) == 1 else self.whole
            if failure is not None:
                raise self.broken(*failure, stopping)
            bar.advance(training_state.done)
            if training_state.step == 0:
                return
            if self.saving is not None:
                self.saving.within_epoch()

    def chunk(self, most: int) -> int:
        """How many steps to take before Python has a look again: of the epoch at hand, or of `most` whole epochs."""
        left = self.training_state.steps - self.training_state.step
        if self.step_seconds is None:
            return 1
        fit = int(CALL_SECONDS / max(self.step_seconds, 1e-9))
        if self.saving is not None:
            fit = min(fit, self.saving.steps_ahead())
        if self.training_state.step == 0 and fit > left:
            return min(fit // left, most) * left
        return max(1, min(left, fit))

    def rates(self, steps: int) -> Any:
        """The learning rates of the next steps, float64 (steps,); of fewer, to the end of the epoch, where a later one
        is not as it must be: the epochs before it are trained."""
        left = self.training_state.steps - self.training_state.step
        try:
            return self.optimizer.learning_rates(steps)
        except ValueError:
            if steps <= left:
                raise
        return self.optimizer.learning_rates(left)

    def training(self) -> tuple[Any, list[Any]]:
        """(the plan of an epoch's last step, [(compiled plan, its arrays), ...] of whole batches and the rest)."""
        gathered, rest = self.training_state.in_order, self.n % self.batch
        self.whole = self.plan(self.batch, gathered)
        plans = [self.whole]
        if self.training_state.steps > self.n // self.batch:
            plans.append(self.plan(rest, gathered))
        return plans[-1], [(plan.executable, plan.arrays(self.arrays)) for plan in plans]

    def evaluated(self) -> list[Any]:
        """[(compiled plan, its arrays, first row, steps, weight of a step)] of the validation data."""
        made_for = cpu.selected(), self.input_dtypes()
        if self.taken is None or self.taken[0] != made_for:
            self.give_back()
            self.taken = made_for, self.evaluation()
        return [(plan.executable, plan.arrays(arrays), *more) for plan, arrays, *more in self.taken[1]]

    def give_back(self) -> None:
        """Leaves the plans of the validation data to others."""
        taken, self.taken = self.taken, None
        for plan, *_ in taken[1] if taken else ():
            self.model._plans.give_back(plan)

    def tell(self, history: History, logs: Callable[..., Logs]) -> Any:
        """Tells the History of the epochs that are finished and that it does not know of; returns the last one's logs,
        {} where there is none. logs: `results`, or `logs`, which asks metrics as well."""
        if self.training_state is None:  # of one among many, that has not begun
            return {}
        known = len(history.epoch)
        results, names = self.training_state.results_since(known), self.measured()
        if len(results) == 1:
            found = logs(results[0], names, self.first + known)
            history.append(self.first + known, found)
            return found
        if not len(results):
            return {}
        columns = {name: _listed(results[:, i]) for i, name in enumerate(NAMES) if name in names}
        history.extend(self.first + known, columns)
        return {name: values[-1] for name, values in history.history.items()}

    def note_memories(self, stoppings: Sequence[EarlyStopping]) -> None:
        """Before an epoch after which Python is to look: what is remembered of those before it, for `catch_up`."""
        lr = self.optimizer.lr
        self.seen = self.training_state.epoch
        self.memories = [(each, each.memory()) for each in stoppings]
        if getattr(lr, "stateful", False):
            self.memories.append((lr, lr.memory()))

    def catch_up(self, history: History) -> None:
        """After what ended the training: the History, a schedule and early stopping are told of the epochs that have
        been trained and that they do not know of. Who goes on then has what one that was not interrupted has."""
        self.tell(history, self.logs if self.memories else self.results)
        logs = {name: values[-1] for name, values in history.history.items()}
        for each, before in self.memories if len(history.epoch) > self.seen else ():
            if before is not None and each.memory() == before:
                if each is self.optimizer.lr:
                    self.optimizer.observe(logs)
                elif each.monitor in logs:
                    each.on_epoch_end(self.model, history.epoch[-1], logs)

    def results(self, row: Array, names: Iterable[str], epoch: int) -> Logs:
        """Those of these names that a compiled call gives of an epoch."""
        row = row.tolist()
        return {name: row[i] for i, name in enumerate(NAMES) if name in names}

    def logs(self, row: Array, names: Iterable[str], epoch: int) -> Logs:
        """All of an epoch's, counted from 0."""
        return {**self.results(row, names, epoch), **self.more_logs(f"epoch {epoch + 1}")}

    def measured(self) -> list[str]:
        """The names of what a compiled call gives of an epoch."""
        return logged(["loss"])

    def rows_of_step(self, order: Integers | None, step: int, batch: int) -> dict[str, Array]:
        """{name: array} of the `batch` rows of a step of the epoch."""
        which: Any = slice(step * self.batch, step * self.batch + batch)
        which = which if order is None else order[which]
        return {name: array[which] for name, array in self.arrays.items()}

    def broken(self, loss: float, params: Floats | None, epoch: int, step: int, stopping: Any) -> Any:
        """The error of a step whose loss is not finite, or whose update made a parameter not finite: params (P,). The
        call has gone back to where it, or the epoch, began; epoch: how many it had finished since, step: of the next.

        The same steps give the same bits, so to repeat all but the bad one costs nothing until it is needed.
        """
        training_state, layer = self.training_state, None if params is None else self.model._layer_of(params)
        steps = epoch * training_state.steps + step - training_state.step
        if steps:
            self.model._last = self.whole
            rates = self.optimizer.learning_rates(steps)
            training_state.run(self.training()[1], self.evaluated(), rates, stopping, self.threads)
        order = training_state.order_at_hand()
        batch = self.batch if step < self.n // self.batch else self.n % self.batch
        what, remedy = self.explained(self.rows_of_step(order, step, batch), loss, layer)
        return FloatingPointError(
            f"epoch {self.first + training_state.epoch + 1}, step {step + 1}: {what}; the parameters are those "
            f"before this step. {remedy}"
        )
