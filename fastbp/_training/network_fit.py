"""Training a network: what `fit` checks and knows of it. The loop itself is in fastbp/_training/loop.py."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check
from fastbp._check import input_arrays
from fastbp._compiler.use import Use
from fastbp._core import caller
from fastbp._training import accuracy, finite, hints, loop
from fastbp._training.job import Job, epoch_order, held_out, logged, validation_fraction
from fastbp._training.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastbp._check.types import Array, Callbacks, ClassWeight, Config, Data, Doubles, Logs, Path, ValidationData
    from fastbp._check.types import Metrics as MetricFunctions
    from fastbp.callbacks import EarlyStopping, History
    from fastbp.network import Sequential
    from fastbp.optimizers import Optimizer


def batches(
    X: Data, y: Data, batch_size: int, *, seed: int = 0, shuffle: bool = True, sample_weight: Data | None = None
) -> Iterator[tuple[Array, ...]]:
    """An iterator over (xb, yb), or (xb, yb, wb) where sample_weight is given: the mini-batches of one epoch.

    X (n, ...), y (n, ...), sample_weight (n,). The order is that of `fit` with the same seed; the last batch holds the
    rest. With a batch_size of n or more there is one batch, in the order of the data.
    """
    given = [("X", X), ("y", y)] + ([] if sample_weight is None else [("sample_weight", sample_weight)])
    arrays = [_array(value, name) for name, value in given]
    for (name, _), array in zip(given, arrays, strict=True):
        if array.ndim == 0:
            raise TypeError(f"{name} is {check.shown(array)}, expected an array with a row for each sample; pass one")
        if len(array) != len(arrays[0]):
            raise ValueError(
                f"{name} has {len(array)} rows, expected {len(arrays[0])}, one for each row of X; pass matching arrays"
            )
    n, size = len(arrays[0]), check.integer("batch_size", batch_size, minimum=1)
    order = epoch_order(n, size, shuffle, check.seed("seed", seed))
    cuts = (slice(i, i + size) for i in range(0, n, size))
    return (tuple(array[cut if order is None else order[cut]] for array in arrays) for cut in cuts)


def _array(value, name):
    """An array of anything, of any subclass; of numbers where a table has them that NumPy would make objects of."""
    with contextlib.suppress(TypeError):  # it has others as well
        value = check.converted(value, name)
    try:
        return np.asanyarray(value)
    except MemoryError:
        raise
    except Exception as error:
        raise check.not_an_array(value, name, error) from error


def fit(
    net: Sequential,
    X: Data,
    y: Data,
    *,
    epochs: int = 1,
    batch_size: int = 32,
    optimizer: Optimizer | None = None,
    sample_weight: Data | None = None,
    class_weight: ClassWeight | None = None,
    validation_data: ValidationData | None = None,
    validation_split: float = 0.0,
    shuffle: bool = True,
    seed: int | None = None,
    metrics: MetricFunctions | None = None,
    callbacks: Callbacks = (),
    early_stopping: EarlyStopping | None = None,
    progress: bool | None = None,
    threads: int | None = None,
    resume: Path | None = None,
) -> History:
    """Trains a network; returns a History.

    X: (n, inputs); y: (n, units), or (n,) for one output or for integer classes; with NaN where a target is missing, if
    the loss has missing="ignore". Any dtype of real numbers and any layout. X of uint8, int8, float16, float32 or
    float64 is never copied, if its rows are contiguous: those of a batch are converted as they are read, so X may be a
    memory map, read-only and larger than memory, or windows that overlap. What is of another dtype or layout, and y
    unless it is of the network's dtype, is cast once. Real numbers that are not cast are read where they lie: a
    callback that writes into them changes what is trained on. Labels are copied.
    epochs, batch_size: ints, 1 or more; a batch_size above n means one batch. optimizer: fb.SGD(lr=0.1) by default; its
    state and count of steps go on where an earlier fit left them.
    sample_weight: (n,); class_weight: {class: factor}, which multiply.
    validation_data: (X, y) or (X, y, sample_weight); validation_split: the last part of the data, in [0, 1), that is
    held out instead, with its sample_weight. A sample has its sample_weight wherever it is; class_weight is of the
    steps alone, as in Keras. So val_loss says the same of the same rows in both ways, and can be compared between
    trainings of different class_weight.
    shuffle, seed: epoch e is in the order of fb.batches(..., seed=net.seed + e), where e counts all epochs that the
    network has had: net.epochs of them before this call. So fit(epochs=5) four times, with one optimizer, has the bits
    of fit(epochs=20), and callbacks and the History count on from there. (An early_stopping looks at the epochs of one
    call, and puts back the best of these: restore_best=False where training goes on.) With a seed of its own a call
    begins the orders anew: its first epoch is in that of seed, the next of seed + 1 ... All of them are below 2^64. The
    masks of dropout go on, as in a loop by hand; net.epochs = 0 begins both anew.
    metrics: {name: f}, values of the validation data beside val_loss: after each epoch f(y, p) gives one number, which
    logs and the History have under that name, and early_stopping may monitor. y: the validation data's targets as they
    were given - labels, one-hot rows, quantities; p: what `predict` gives for these rows, (n, units), but (n,) of one
    output where y is (n,); neither can be written to.
    f is given no weights. What it raises ends the training with a RuntimeError that names it.
    callbacks: fb.Callback objects or functions (net, epoch, logs), in whose order they are called: what one puts into
    logs, a number under a name of its own, the later ones see and may monitor, and the History has it, with NaN for
    the epochs without it. What nobody will put there is refused before the first step, as far as the callbacks declare
    it (Callback.puts). early_stopping: fb.EarlyStopping, which comes after them.
    The History's loss and accuracy (of a classification, see `evaluate`) of the data trained on are counted from the
    batches as they pass, as in Keras: each by the parameters before its step, with dropout active, so in the first
    epochs they may be worse than those of the validation data. `evaluate` gives those of the trained network. lr is the
    rate of an epoch's first step; seconds are without validation, and the mean of epochs too short to be timed.
    Where nothing of Python's is to be called after an epoch - no callback but an early_stopping and fb.Checkpoint, no
    metric, no schedule that waits for a loss - as many epochs as fit into 50 ms are one compiled call.
    progress: True, False, or None for a bar where stderr is a terminal, and in a notebook. threads: an int, the most
    that work on it; where the system starts fewer, fewer do, and a RuntimeWarning says so once. The result does not
    depend on it.

    resume: a checkpoint that fb.Checkpoint has written, or its folder, whose last one it is: the training goes on from
    there, bit for bit as if it had never stopped, in another process and with any number of threads; the History has
    the epochs before as well. Network, data, settings and seeds are passed as they were the first time; of a network,
    its parameters are overwritten. `epochs` is the number in all, and may be larger than it was; what early stopping or
    a callback has ended stays ended. Where nothing is at `resume` yet, and a Checkpoint among the callbacks is to write
    there, it begins at the beginning: so a program that is run again after each end that it meets is one line.
    ValueError says what differs where it is another training: in layers, loss, dtype, seeds, batch_size, optimizer,
    early stopping, the logs' names or the data, of which shapes, dtypes and a checksum are compared: of all values of
    an array up to 1 MiB, of 256 rows of a longer one. On a machine with other kernels (fb.cpu.selected()) it goes on
    with a RuntimeWarning, as their last bits differ.

    Ctrl-C ends the training after the chunk of steps at hand, with history.interrupted set. Parameters, the optimizer's
    state and count of steps, and the count of dropout masks are always those after one and the same step, so training
    can go on. A memory map's file must keep its length: where it is cut off meanwhile, the system ends the process
    (SIGBUS), as it does for whoever reads there.

    Warns, once, where training comes to nothing: by inputs of 100 and more, by a relu layer that is dead, by classes
    that are held out and hardly trained on.

    Raises ValueError and TypeError before anything is changed; FloatingPointError, with epoch, step and layer, when the
    loss or a parameter stops being finite: the parameters are then those after the last good step, or those that
    early_stopping puts back.
    """
    job = NetworkJob(
        net, X, y, sample_weight, class_weight, batch_size, validation_data, validation_split, threads, metrics
    )
    return loop.run(job, epochs, optimizer, shuffle, seed, callbacks, early_stopping, progress, resume)


def run_steps(
    net: Sequential,
    X: Data,
    y: Data,
    optimizer: Optimizer | None,
    batch_size: int,
    steps: int,
    *,
    seed: int = 0,
    threads: int | None = None,
) -> Doubles:
    """Exactly `steps` training steps over shuffled whole batches, in one compiled call.

    For measuring: no validation, history or checks of the result. optimizer None means value and gradient only.
    Returns the losses, float64 (steps,).
    """
    return loop.run_steps(NetworkJob(net, X, y, None, None, batch_size, None, 0.0, threads), optimizer, steps, seed)


class NetworkJob(Job):
    """The checked data of one fit of a network, and its plans."""

    model: Sequential

    def __init__(
        self,
        net: Sequential,
        X: Any,
        y: Any,
        sample_weight: Data | None,
        class_weight: ClassWeight | None,
        batch_size: int,
        validation_data: Any,
        validation_split: float,
        threads: int | None,
        metrics: MetricFunctions | None = None,
    ) -> None:
        self.model, validated = net, None  # validated: the targets of the validation data as they were given
        X, targets, self.labels, weights, self.target_type = self.checked(X, y, sample_weight, "")
        self.validation = self.val_target_type = None  # val_target_type: what an accuracy of the validation data counts
        fraction = validation_fraction(validation_split, validation_data)
        by_class = weights if class_weight is None else self.weights(sample_weight, class_weight, targets)
        if validation_data is not None:
            if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
                raise TypeError(
                    f"validation_data is {type(validation_data).__name__}, expected (X, y) or "
                    "(X, y, sample_weight); pass a tuple"
                )
            X_held, y_held, weights_held = (*validation_data, None)[:3]
            *self.validation, self.val_target_type = self.checked(X_held, y_held, weights_held, "validation ")
            validated = validation_data[1]
            if self.val_target_type != self.target_type and net.loss.classification:
                self.val_target_type = self.target_type = "multilabel"  # one-hot rows of one, and not of the other
        elif fraction:
            edge, self.val_target_type = held_out(fraction, len(X)), self.target_type
            self.validation = [X[edge:], targets[edge:], self.labels, None if weights is None else weights[edge:]]
            validated = self.as_given(y, "y")[edge:] if metrics else None
            X, targets, by_class = X[:edge], targets[:edge], None if by_class is None else by_class[:edge]
        self.split = bool(fraction)
        if metrics and validated is not None:
            validated = self.as_given(validated, "validation y")
        self.metrics = Metrics(metrics, validated)
        arrays = {"X": X, "targets": targets} | ({} if by_class is None else {"weights": by_class})
        super().__init__(net, arrays, batch_size, threads)

    def checked(self, X: Any, y: Data, sample_weight: Data | None, prefix: str) -> tuple[Any, ...]:
        """(X, targets, labels, weights) as the compiled core reads them, and what an accuracy of them counts."""
        net = self.model
        X = input_arrays.rows(X, net.inputs, net.dtype, f"{prefix}X", scale=net.input_scale)
        y, labels = check.targets(y, len(X), net.loss, net.units, net.dtype, name=f"{prefix}y")
        return (
            X,
            y,
            labels,
            self.weights(sample_weight, None, y),
            accuracy.target_type_of(y, labels, net.loss, net.units),
        )

    def as_given(self, y, name):
        """The targets that metrics see: an array of the numbers that were given."""
        return check.numeric(check.unmasked(y) if self.model.loss.ignores_missing else y, name)

    def weights(self, sample_weight, class_weight, targets):
        net = self.model
        return check.weights(sample_weight, class_weight, targets, len(targets), net.loss, net.dtype, net.classes)

    def names(self) -> list[str]:
        return self.measured() + self.metrics.names

    def called(self, name):
        return {"targets": "y", "weights": "sample_weight"}.get(name, name)

    def begin(self, optimizer: Optimizer | None, shuffle: bool, seed: int, rest: bool = True) -> None:
        targets = self.arrays["targets"]
        self.counted = self.count(targets if self.rows is None else targets[self.rows], self.labels, self.target_type)
        if self.validation is not None:
            _, targets, labels, _ = self.validation
            self.val_counted = self.count(targets, labels, self.val_target_type)
        self.penalties = self.model._penalties()
        super().begin(optimizer, shuffle, seed, rest)

    def count(self, targets: Array, labels: bool, target_type: str | None) -> int:
        """How many answers an accuracy of these targets is of; 0 where nothing is counted."""
        return accuracy.counted(targets, labels, target_type) if target_type else 0

    def plan(self, batch, gathered):
        use = Use(
            "train",
            batch,
            gathered=gathered,
            labels=self.labels,
            weighted="weights" in self.arrays,
            dtypes=input_arrays.input_dtypes(self.model.dtype, {"X": self.arrays["X"]}),
            target_type=self.target_type,
            threads=self.threads,
        )
        return self.model._plans.get(use)

    def input_dtypes(self):
        return self.validation and input_arrays.input_dtypes(self.model.dtype, {"X": self.validation[0]})

    def evaluation(self):
        if self.validation is None:
            return []
        self.Y, parts = self.model._evaluation(*self.validation, self.val_target_type)
        return parts

    def measured(self):
        validated = [] if self.validation is None else ["loss", "accuracy"] if self.val_target_type else ["loss"]
        return logged(["loss", "accuracy"] if self.target_type else ["loss"], validated)

    def described(self) -> Config:
        config = self.model.config()
        del config["data_spec"]  # which may be written at any time
        return {"kind": "network", **config}

    def validation_arrays(self) -> dict[str, Array] | None:
        if self.validation is None:
            return None
        X, targets, _, weights = self.validation
        return {"X": X, "y": targets} | ({} if weights is None else {"sample_weight": weights})

    def data_spec(self) -> Config | None:
        return self.model.data_spec

    def runs_without_python(self) -> bool:
        return super().runs_without_python() and not self.metrics.names

    def more_logs(self, when: str) -> Logs:
        return self.metrics.of(self.model._linked(self.Y.copy()), when) if self.metrics.names else {}

    def warn_of_data(self):
        if self.split and self.target_type is not None:
            trained, held = (self.classes_of(targets) for targets in (self.arrays["targets"], self.validation[1]))
            if trained is not None and held is not None and (text := hints.unseen_classes(trained, held)):
                caller.warn(text)

    def classes_of(self, targets):
        """The classes of the rows of checked targets that have one, ints (m,); None where rows are several answers, or
        no row has a class."""
        if self.labels:
            return targets
        if self.model.loss.ignores_missing:
            targets = targets[check.complete_rows(targets)]
            if not len(targets):
                return None
        if self.target_type == "multiclass":
            return targets.argmax(axis=1)
        return (targets[:, 0] > 0.5).astype(np.intp) if targets.shape[1] == 1 else None

    def hint(self, history: History, known: int) -> str:
        look = hints.stands_still(history, known)
        if not look:
            return ""
        large = hints.large_inputs(self.inputs, self.n, self.model.input_scale)
        dead = hints.dead_layer(self.model, self.inputs, self.n)
        if dead:
            return dead + f"; {large}" * bool(large)
        return hints.from_the_start(history, self.optimizer, look, large)

    def inputs(self, part: Any) -> Array:
        """X of a slice of the samples trained on."""
        return self.arrays["X"][part]

    def where(self, rows):
        return finite.in_network(self.model, rows["X"], rows["targets"], self.labels, rows.get("weights"))
