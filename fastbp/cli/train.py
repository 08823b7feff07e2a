"""`fastbp train`: data, a network that fits it, training with a line per epoch, and what is left at the end."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import fastbp as fb
from fastbp import _check as check
from fastbp import callbacks, datasets, losses, optimizers, schedules, serialization
from fastbp._core import cpu
from fastbp._files import writing
from fastbp._training.progress import is_terminal
from fastbp._training.splits import split_rows
from fastbp.cli import scores
from fastbp.cli.common import OF_SGD, digits, output_folder, row, say
from fastbp.cli.csv_options import columns_of, format_of, said
from fastbp.datasets import column_types, tables

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

    from fastbp._check.types import Config, Logs
    from fastbp.callbacks import EarlyStopping, History
    from fastbp.datasets import Dataset
    from fastbp.network import Sequential
    from fastbp.optimizers import Optimizer

# What is trained where nothing is said. The digit networks are the classic ones: sigmoid, squared error, SGD.
_CLASSIC = {"activation": "sigmoid", "loss": "squared_error", "optimizer": "sgd"}
_RECIPES = {
    "digits": {**_CLASSIC, "hidden": [32, 16], "lr": 1.0, "batch_size": 10, "epochs": 40},
    "mnist": {**_CLASSIC, "hidden": [16, 16], "lr": 4.0, "batch_size": 100, "epochs": 30},
    "classification": {"activation": "relu", "loss": "cross_entropy", "optimizer": "adam", "hidden": [64, 64],
                       "lr": 1e-3, "batch_size": 32, "epochs": 50},
    "regression": {"activation": "relu", "loss": "mse", "optimizer": "adam", "hidden": [64, 64],
                   "lr": 1e-3, "batch_size": 32, "epochs": 50},
}
_MOMENTUM = 0.9
_VALIDATION = 0.1       # the share held out where --patience needs one and none is said
_ROOM = 1e-6  # the part of a dtype's range that targets may take: the last layer's weights need the rest
_LARGEST = 1e150  # and of any dtype: its square is a number as well


def _rate(name: str) -> Any:
    """The rate that an optimizer begins with: its class's own, but SGD's is for a network with a momentum."""
    if name == "sgd":
        return 0.1
    return optimizers.OPTIMIZERS["sgd" if name in OF_SGD else name].settings()["lr"]


def run(options: Namespace) -> int:
    """Train as `options` say; returns the exit code."""
    _check(options)
    data, task, recipe = _load(options)
    watched = _watched(options, data)
    plan = _choose(options, recipe)
    net = _network(options, plan, data, task)
    net.data_spec = data.data_spec
    serialization.description(net.config())  # what cannot be saved at the end is refused here
    scale = _target_scale(net, data)
    if options.csv is not None:
        _check_features(data, net.dtype)
    steps = -(-len(watched.X_train) // plan["batch_size"])
    optimizer = _optimizer(options, plan, steps * plan["epochs"])
    folder = options.out or f"fastbp-{data.name}"
    model = os.path.join(folder, "model.safetensors")
    with output_folder(folder):
        writing.check_place(model)
        _announce(data, watched, net, plan, steps, options)
        history, seconds, stopping = _fit(options, plan, net, watched, optimizer, scale)
        net.save(model)
    _summary(net, data, history, seconds, steps, scale, model, stopping)
    if not options.no_plots and history.epoch:
        _pictures(net, data, history, folder, "test" if watched is data else "validation")
    row("try it", f"fastbp predict {model} FILE")
    return 130 if history.interrupted else 0


def _check(options: Namespace) -> None:
    """ValueError for options that make no sense together."""
    names = ("target", "task", "missing")
    if options.csv is None and (option := said(options, names)) is not None:
        raise ValueError(f"{option} is given without --csv FILE, expected both; give --csv FILE, or leave it out")
    if options.momentum is not None and options.optimizer not in OF_SGD:
        raise ValueError(f"--momentum is given with the optimizer {options.optimizer or 'by default'}, expected "
                         "--optimizer momentum or nesterov; choose one of them, or leave it out")
    if options.validation_split == 0:
        raise ValueError("--validation-split is 0, expected a share above 0, as else nothing is held out; leave it "
                         "out, or give one such as 0.1")
    if options.layers is not None and len(options.layers) == 2:
        for name in ("dropout", "activation"):
            if getattr(options, name):
                raise ValueError(f"--{name} is given with --layers {options.layers[0]},{options.layers[1]}, expected "
                                 "hidden layers, of which it is; give a width between the two, or leave it out")


def _load(options: Namespace) -> tuple[Dataset, str, Mapping[str, Any]]:
    """Dataset, task, and the recipe of defaults."""
    if options.csv is None:
        name = options.data or "digits"
        if name == "mnist":
            return datasets.load_mnist(options.data_dir), "classification", _RECIPES[name]
        if options.data_dir is not None:
            raise ValueError("--data-dir is given without --data mnist, expected both, as the digits come with "
                             "scikit-learn; give --data mnist, or leave it out")
        return datasets.load_digits(), "classification", _RECIPES[name]
    if options.data is not None or options.data_dir is not None:
        raise ValueError(f"--csv and --data{'' if options.data else '-dir'} are both given, expected one of them; "
                         "choose one")
    if options.target is None:
        raise ValueError("--target is missing, expected the column of --csv to predict; give --target COLUMN")
    table = tables.load_csv(options.csv, options.target, options.task, options.missing or "refuse",
                            format=format_of(options), **columns_of(options))
    dropped = f" ({table.dropped} more with missing values left out)" if table.dropped else ""
    say(f"{options.csv}: {len(table.y)} rows{dropped}, {len(table.kinds)} features; {table.task}: {table.reason}",
        then="  ")
    if len(table.y) < 3:
        raise ValueError(f"{options.csv} has {len(table.y)} rows to train on, expected 3 or more, as a fifth of them "
                         "is held out for the test; add rows")
    data = table.split()
    if told := tables.describe(table.kinds):
        say(f"{len(table.features)} inputs: {told}", then="  ")
    if told := tables.describe_notation(cast("Config", table.file_format)):
        say(told, then="  ")
    if told := column_types.describe_imputed(np.isnan(table.X), table.kinds):
        say(told, then="  ")
    return data, table.task, _RECIPES[table.task]


def _watched(options: Namespace, data: Dataset) -> Dataset:
    """The data as the training sees them: its test part is what the training is watched by. That is the test part
    itself where it steers nothing, and else one of the training rows."""
    share = options.validation_split or (_VALIDATION if options.patience else None)
    if share is None:
        return data
    classes = data.classes
    train, held = split_rows(data.y_train, share, options.seed % 2**32, stratify=classes is not None,
                             name="--validation-split", classes=classes, rows="training rows")
    return data._replace(X_train=data.X_train[train], y_train=data.y_train[train], X_test=data.X_train[held],
                         y_test=data.y_train[held])


def _choose(options: Namespace, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with what was asked for in place of it."""
    plan = {key: getattr(options, key, None) for key in recipe}
    asked = [key for key in ("activation", "loss", "optimizer") if plan[key] not in (None, recipe[key])]
    plan = {key: recipe[key] if value is None else value for key, value in plan.items()}
    if options.lr is None and asked:
        # The recipe's rate was found for its own loss and optimizer; with others it may well diverge.
        plan["lr"] = _rate(plan["optimizer"])
    return plan


def _network(options: Namespace, plan: dict[str, Any], data: Dataset, task: str) -> Sequential:
    loss = losses.get(plan["loss"])
    inputs = data.X_train.shape[1]
    if task == "classification" and not (loss.classification or loss.one_hot):
        raise ValueError(f"--loss is {loss.name}, which is for quantities, expected one for the classes of "
                         f"{data.name}; choose squared_error or cross_entropy")
    if task == "regression" and loss.classification:
        raise ValueError(f"--loss is {loss.name}, which is for classes, expected one for the quantity of {data.name}; "
                         f"choose mse or huber")
    classes = 1 if data.classes is None else len(data.classes)
    outputs = {classes}
    if classes == 2 and loss.link == "sigmoid":
        outputs = {1, 2}
    widths = options.layers or [inputs, *plan["hidden"], min(outputs)]
    if widths[0] != inputs:
        raise ValueError(f"--layers begins with {widths[0]}, expected {inputs}, the inputs of {data.name}; change the "
                         "first width")
    if widths[-1] not in outputs:
        what = f"{classes} classes" if task == "classification" else "one quantity to predict"
        raise ValueError(f"--layers ends with {widths[-1]}, expected {' or '.join(map(str, sorted(outputs)))}, as "
                         f"{data.name} has {what}; change the last width")
    output = options.output or ("sigmoid" if task == "classification" and loss.link is None else "linear")
    return fb.mlp(*widths, activation=plan["activation"], output=output, loss=plan["loss"], dropout=options.dropout,
                  l1=options.l1, l2=options.l2, dtype=options.dtype, seed=options.seed)


def _optimizer(options: Namespace, plan: dict[str, Any], total: int) -> Optimizer:
    """The optimizer, its rate on a schedule that ends after `total` steps."""
    settings: dict[str, Any] = {"lr": schedules.SCHEDULES[options.schedule]._over(plan["lr"], total)}
    if options.weight_decay is not None:
        settings["weight_decay"] = options.weight_decay
    name = plan["optimizer"]
    if name in OF_SGD:
        momentum = _MOMENTUM if options.momentum is None else options.momentum
        return optimizers.SGD(momentum=momentum, nesterov=name == "nesterov", **settings)
    return optimizers.get(name, **settings)


def _announce(
    data: Dataset, watched: Dataset, net: Sequential, plan: dict[str, Any], steps: int, options: Namespace
) -> None:
    what = f"images of {'x'.join(map(str, data.image_shape))}" if data.image_shape else f"rows of {net.inputs} inputs"
    threads = f"{options.threads} threads (--threads)" if options.threads else f"{cpu.threads()} threads " \
                                                                               f"({cpu.thread_reason()})"
    validation = "" if watched is data else f", {len(watched.X_test):,} validation"
    row("data", f"{data.name}: {len(watched.X_train):,} training{validation} and {len(data.X_test):,} test {what}")
    row("network", f"{_widths(net)} {plan['activation']}, output {net.layers[-1].activation}, {net.loss.name}, "
                    f"{options.dtype}: {net.params.size:,} parameters")
    until = f", until the validation loss is no better for {options.patience}" if options.patience else ""
    row("training", f"{plan['optimizer']}, lr {plan['lr']:g} {options.schedule}, batch {plan['batch_size']}, "
                     f"{plan['epochs']} epochs of {steps} steps, seed {options.seed}{until}")
    row("machine", f"{cpu.selected()}, {threads}")


def _widths(net: Sequential) -> str:
    return "-".join(str(width) for width in [net.inputs, *(layer.units for layer in net.layers if layer.size)])


def _target_scale(net: Sequential, data: Dataset) -> tuple[float, float]:
    """The (mean, scale) by which the targets are standardised; (0, 1) for those that are trained on as they are.

    A quantity in the hundred thousands would need rates of its own: the network is trained on the standardised target,
    and mean and scale are put into the last layer afterwards, so that the model saved speaks the file's units. What is
    too large for that is refused before anything is trained.
    """
    if data.classes is not None or net.loss.link is not None or net.layers[-1].activation != "linear":
        return 0.0, 1.0
    largest = float(max(np.abs(y).max() for y in (data.y_train, data.y_test)))
    limit = min(float(np.finfo(net.dtype).max) * _ROOM, _LARGEST)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(data.y_train.mean()), float(data.y_train.std())
    if not np.isfinite([mean, deviation]).all() or largest > limit:
        raise ValueError(
            f"{data.name}: the target{_called(data)} holds numbers up to {largest:.3g}, expected at most {limit:.3g}, "
            f"so that {net.dtype.name} parameters can speak its units; divide the column by a large number first"
            + (", or choose --dtype float64" if net.dtype == np.float32 and largest <= _LARGEST else "")
        )
    return mean, deviation if deviation > 0 else 1.0


def _check_features(data: Dataset, dtype: np.dtype[Any]) -> None:
    """ValueError where a standardised column of the file holds a number that is none in the network's dtype."""
    largest = np.maximum(np.abs(data.X_train).max(axis=0), np.abs(data.X_test).max(axis=0))
    i = int(largest.argmax())
    if largest[i] > np.finfo(dtype).max:
        spec = cast("Config", data.data_spec)
        raise ValueError(
            f"{data.name}: column {spec['features'][i]!r} holds a number that is {largest[i]:.3g} deviations "
            f"from the mean of the training rows, expected at most {np.finfo(dtype).max:.3g} for {dtype.name}; correct "
            "the number, or take its row out"
        )


def _called(data: Dataset) -> str:
    """The name of the column to predict, where there is one, as a message has it."""
    return f" {data.data_spec['target']!r}" if data.data_spec and data.data_spec["target"] else ""


def _fit(
    options: Namespace,
    plan: dict[str, Any],
    net: Sequential,
    data: Dataset,
    optimizer: Optimizer,
    scale: tuple[float, float],
) -> tuple[History, float, EarlyStopping | None]:
    """History, seconds and the EarlyStopping or None; scale: the targets' (mean, scale)."""
    y_train, y_test = data.y_train, data.y_test
    if scale != (0.0, 1.0):
        y_train, y_test = (y_train - scale[0]) / scale[1], (y_test - scale[0]) / scale[1]
    watched = "val" if options.validation_split or options.patience else "test"
    line = _Lines(plan["epochs"], data.classes is not None, watched)
    stopping = callbacks.EarlyStopping(patience=options.patience) if options.patience else None
    started = time.perf_counter()
    history = net.fit(data.X_train, y_train, epochs=plan["epochs"], batch_size=plan["batch_size"], optimizer=optimizer,
                      validation_data=(data.X_test, y_test), seed=options.seed, threads=options.threads,
                      callbacks=() if options.quiet else (line,), early_stopping=stopping,
                      progress=False if options.quiet else None)
    seconds = time.perf_counter() - started
    if scale != (0.0, 1.0):
        net.layers[-1].scale_outputs(scale[1], scale[0])
    return history, seconds, stopping


class _Lines(callbacks.Callback):
    """A line for each epoch, written around the progress bar where there is one."""

    def __init__(self, epochs: int, classes: bool, watched: str = "test") -> None:
        """watched: what the rows are called that are held out."""
        self.epochs, self.classes, self.watched = epochs, classes, watched
        self.wide = max(9, len(f"{epochs}/{epochs}"))

    def on_train_begin(self, net: Any) -> None:
        columns = f"train acc  {f'{self.watched} acc':>8}" if self.classes else f"{f'{self.watched} loss':>9}"
        self._write(f"\n{'epoch':>{self.wide}}  {'loss':>9}  {columns}  {'samples/s':>11}")

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> None:
        if self.classes:
            columns = f"{100 * logs['accuracy']:>7.2f} %  {100 * logs['val_accuracy']:>6.2f} %"
        else:
            columns = f"{digits(logs['val_loss'], 4):>9}"
        self._write(f"{f'{epoch + 1}/{self.epochs}':>{self.wide}}  {digits(logs['loss'], 4):>9}  {columns}  "
                    f"{logs['samples_per_second']:>11,.0f}")

    def _write(self, line: str) -> None:
        if is_terminal(sys.stderr):
            from tqdm import tqdm
            tqdm.write(line, file=sys.stdout)
        else:
            print(line, flush=True)


def _summary(
    net: Sequential,
    data: Dataset,
    history: History,
    seconds: float,
    steps: int,
    scale: tuple[float, float],
    model: str,
    stopping: EarlyStopping | None,
) -> None:
    epochs = len(history.epoch)
    print()
    if history.interrupted:
        row("interrupted", f"in epoch {epochs + 1}; what was trained so far is kept")
    if stopping is not None and stopping.best_epoch is not None:
        why = f"after epoch {epochs}, as none was better for {stopping.patience} epochs; " \
            if stopping.stopped_epoch is not None else ""
        row("stopped" if why else "best", f"{why}the parameters are those of epoch {stopping.best_epoch + 1}, "
                                          f"validation loss {stopping.best:.4g}")
    if data.classes is not None:
        right = int((scores.classes(net.predict(data.X_test)) == data.y_test).sum())
        row("test accuracy", f"{100 * right / len(data.y_test):.2f} % ({right} of {len(data.y_test)})")
    else:
        found = scores.quantity(net.predict(data.X_test)[:, 0].astype(np.float64), data.y_test)
        row("test error", f"{found.rms:.6g} root mean square, {found.mae:.6g} mean absolute, in the units of the "
                          "target")
        if found.r2 is not None:
            row("R squared", f"{found.r2:.4f} (1 is perfect, 0 is always the mean)")
        if scale != (0.0, 1.0):
            row("losses above", f"of the target standardised: (target - {scale[0]:.6g}) / {scale[1]:.6g}")
    # The steps' own time: validation and printing between the epochs are not training.
    busy = sum(history.history.get("seconds", ()))
    speed = f": {epochs * steps / busy:,.0f} steps per second" if busy > 0 else ""
    row("time", f"{seconds:.2f} s in all, {busy:.2f} s of it for {epochs * steps:,} training steps{speed}")
    row("model", model)


def _pictures(net: Sequential, data: Dataset, history: History, folder: str, watched: str) -> None:
    try:
        from matplotlib import __version__ as _  # noqa: F401  (fails here, before half of the pictures are drawn)

        from fastbp import plot
    except ImportError:
        say('no pictures: they need matplotlib; pip install "fastbp[plot]"', file=sys.stderr)
        return
    title = check.printable(f"{data.name}: {_widths(net)}, {net.loss.name}")
    wanted: list[tuple[str, Callable[[str], object]]] = [
        ("curves", lambda path: plot.history(history, path, title, validation=watched)),
    ]
    if data.image_shape is not None:
        wanted += [("weights", lambda path: plot.weights(net, path)),
                   ("mistakes", lambda path: plot.mistakes(net, data.X_test, data.y_test, path))]
    for name, draw in wanted:
        path = os.path.join(folder, f"{name}.png")
        draw(path)
        row(name, path)
