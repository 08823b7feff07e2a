"""The command `fastbp`: train a network, predict with it, fit a curve, and show what this machine and build are.

Errors of the user are one line on stderr and exit code 2; an interruption is exit code 130. `main` returns the code.
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from fastbp import __version__, schedules
from fastbp import _check as check
from fastbp._check import formatting
from fastbp._core import cpu
from fastbp._training.progress import is_terminal
from fastbp.cli import csv_options, curve
from fastbp.cli.common import OPTIMIZERS, Help, columns, command, one_of, real, whole, widths
from fastbp.losses import LOSSES
from fastbp.optimizers import OPTIMIZERS as _CLASSES

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

_TRAIN = """\
Train a network, print a line per epoch, and save the model and pictures of it.

Without options: 64-32-16-10 sigmoid on scikit-learn's 1,797 handwritten digits, a few seconds, about 97 % of the
digits it has not seen. With --data mnist: the classic 784-16-16-10. A CSV file may hold classes or quantities: text or
a few repeating whole numbers in the target column are classes; what was decided, and why, is printed. The other columns
are numbers, yes and no, or words (an input for each different word). A fifth of the rows are held out as a test; with
--validation-split others are as well, to watch the training by.
"""
_TRAIN_EXAMPLES = """\
examples:
  fastbp train
  fastbp train --data mnist --threads 2
  fastbp train --data mnist --layers 784,512,512,10 --activation relu --loss cross_entropy \\
  --optimizer adam --lr 1e-3 --batch-size 128 --epochs 5
  fastbp train --csv houses.csv --target price
  fastbp train --csv flowers.csv --target species --layers 4,16,3 --out flowers
  fastbp train --csv sales.csv --target amount --ignore id --dates day --missing median --patience 10

where MNIST comes from: --data-dir, or $FASTBP_DATA/mnist, or the user's cache, or else a download into the cache.
what is written to --out: model.safetensors, curves.png, and for images weights.png and mistakes.png.
"""
_PREDICT = """\
Predict with a saved model: one line for each row of FILE, as CSV on standard output.

FILE is a CSV file with the columns the model was trained on (in any order; others are ignored), a NumPy .npy array with
a row or an image for each sample, or an IDX file of images, gzipped or not. Values are in the units of the training
file, and pixels whole numbers as in an image file, or fractions from 0 to 1; the model knows its own scaling, its
words, and what it fills in for missing values.
"""
_PREDICT_EXAMPLES = """\
examples:
  fastbp predict fastbp-digits/model.safetensors images.npy
  fastbp predict fastbp-mnist/model.safetensors t10k-images-idx3-ubyte.gz | head
  fastbp predict fastbp-houses/model.safetensors new-houses.csv > prices.csv
  fastbp predict --proba fastbp-flowers/model.safetensors new-flowers.csv
"""
_EVALUATE = """\
Say how good a saved model is on a file whose answers are known: the loss, and for classes the accuracy with a line for
each class, for quantities R squared and the errors in their units.

FILE is a CSV file with the columns the model was trained on, the target among them, or a .npy or IDX file of rows or
images whose labels are in another file (--labels).
"""
_EVALUATE_EXAMPLES = """\
examples:
  fastbp evaluate fastbp-flowers/model.safetensors other-flowers.csv
  fastbp evaluate fastbp-mnist/model.safetensors t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz
"""
_EXPORT = """\
Write a saved model for other programs. The ending of FILE says what is written: .h, one C99 header, in float32, without
malloc and <math.h>; .onnx, an ONNX model, for which the extra "onnx" is needed.

What is written computes what net.predict does, from the network's own inputs: what fastbp predict does before, to the
columns of a CSV file or to the pixels of an image, is not in it.
"""
_EXPORT_EXAMPLES = """\
examples:
  fastbp export fastbp-digits/model.safetensors digits.h
  fastbp export --name net fastbp-digits/model.safetensors digits.h
  fastbp export fastbp-digits/model.safetensors digits.onnx
"""
_INFO = """\
Show the version, the instruction set (ISA) in use and those available, the number of threads and why that many, the
build, Python, NumPy and optional packages, and what is wrong, if anything is, with what to do. Paste it into a bug
report. With --peak: what the machine reaches, too. With --parallel: how the training of a model is shared out among
threads, and what more of them would bring.

environment variables: FASTBP_ISA forces an ISA, FASTBP_NUM_THREADS or OMP_NUM_THREADS the number of threads,
FASTBP_DATA names the folder above mnist/.
"""


_PLACES = ("model", "file", "command", "run")  # what options hold that is no option


class _Parser(argparse.ArgumentParser):
    """argparse prints its usage before an error; one line that says what is wrong is easier to read."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument (\S+): is ", r"\1 is ", message)  # the words of an option's type follow its name
        self.exit(2, _told(f"{self.prog}: error: {message} (see {self.prog} --help)") + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (sys.argv[1:] by default) and return the exit code: 0, 2 for an error, 130 for
    an interruption."""
    if hasattr(sys.stdout, "reconfigure"):          # a name that the terminal's encoding lacks is printed as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options = _parser().parse_args(argv)
    except SystemExit as ended:                                  # --help and errors of argparse, already printed
        return cast("int", ended.code or 0)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = functools.partial(_warn, options.command)
            code: int = options.run(options)
            return code
    except KeyboardInterrupt:
        print("fastbp: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has left; Python would complain once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, TypeError, ArithmeticError, OSError, ImportError, MemoryError) as error:
        message = _of_options(str(error).strip(), options) or type(error).__name__
        print(_told(f"fastbp {options.command}: error: {message}"), file=sys.stderr)
        return 2


def _of_options(message: str, options: argparse.Namespace) -> str:
    """A message that begins with an argument of the Python API, by the name of the option that it came from."""
    name = message.partition(" ")[0]
    known = name in vars(options) and name not in _PLACES
    return f"--{name.replace('_', '-')}{message[len(name):]}" if known else message


def _warn(command: str, message: object, *_: object) -> None:
    """A warning as it is printed, without the place in the source that it comes from."""
    print(_told(f"fastbp {command}: warning: {message}"), file=sys.stderr)


def _told(message: str) -> str:
    """An error or a warning as it is printed: one line, which a terminal is given in lines that end at a word."""
    width = columns(sys.stderr) if is_terminal(sys.stderr) else None
    return formatting.filled(check.printable(" ".join(message.split())), width, then="  ")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fastbp", description="Neural networks trained by backpropagation at compiled speed.",
                     epilog="Start with: fastbp train", allow_abbrev=False, formatter_class=Help)
    parser.add_argument("--version", action="version", version=f"fastbp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True,
                                     metavar="train | predict | evaluate | export | curve | info")
    _train_parser(commands)
    predict = command(commands, "predict", "predict with a saved model", _PREDICT, _PREDICT_EXAMPLES, _run_predict)
    predict.add_argument("model", metavar="MODEL", help="a model saved by fastbp train or net.save")
    predict.add_argument("file", metavar="FILE", help="a .csv, .npy or IDX file")
    predict.add_argument("--proba", action="store_true", help="the probability of every class, a column for each")
    _for_models(predict)
    evaluate = command(commands, "evaluate", "say how good a saved model is", _EVALUATE, _EVALUATE_EXAMPLES,
                       _run_evaluate)
    evaluate.add_argument("model", metavar="MODEL", help="a model saved by fastbp train or net.save")
    evaluate.add_argument("file", metavar="FILE", help="a .csv, .npy or IDX file")
    evaluate.add_argument("--labels", metavar="FILE", help="the labels of an .npy or IDX file's rows, likewise")
    evaluate.add_argument("--missing", type=one_of("missing", ("refuse", "drop")), metavar="WHAT",
                          help="rows with missing values that the model fills in nothing for: refuse (the default) or "
                               "drop")
    _for_models(evaluate)
    export = command(commands, "export", "write a saved model for other programs", _EXPORT, _EXPORT_EXAMPLES,
                     _run_export)
    export.add_argument("model", metavar="MODEL", help="a model saved by fastbp train or net.save")
    export.add_argument("file", metavar="FILE", help="the file to write: a .h or an .onnx")
    export.add_argument("--name", metavar="NAME", help="what the names in a header begin with (default: FILE's name)")
    curve.add(commands)
    info = command(commands, "info", "show the machine, the build and the choices made", _INFO, None, _run_info)
    info.add_argument("--parallel", metavar="MODEL", help="instead: what a step of training this saved model takes on "
                                                          "one thread, and would take on 2, 4 ... 64")
    info.add_argument("--peak", action="store_true", help="also what the machine reaches, after a trial of a second")
    info.add_argument("--batch-size", type=whole(1, 1_000_000), metavar="N",
                      help="with --parallel: rows of a step (default: 32)")
    info.add_argument("--optimizer", type=one_of("optimizer", tuple(_CLASSES)), metavar="NAME",
                      help="with --parallel: one of " + ", ".join(_CLASSES) + " (default: sgd)")
    return parser


def _for_models(parser: Any) -> None:
    """What predict and evaluate share."""
    parser.add_argument("--unknown", type=one_of("unknown", ("refuse", "zeros")), metavar="WHAT",
                        help="words that the model was not trained on: refuse (the default), or zeros for none of its "
                             "own")
    parser.add_argument("--threads", type=whole(1), help="number of threads (default: see fastbp info)")
    csv_options.add_format(parser)


def _train_parser(commands: Any) -> None:
    parser = command(commands, "train", "train a network on digits, MNIST or a CSV file", _TRAIN, _TRAIN_EXAMPLES,
                      _run_train)
    data = parser.add_argument_group("data")
    data.add_argument("--data", type=one_of("data", ("digits", "mnist")), metavar="NAME",
                      help="digits (the default) or mnist")
    data.add_argument("--data-dir", metavar="DIR", help="folder with MNIST's four IDX files, gzipped or not")
    data.add_argument("--csv", metavar="FILE", help="a CSV file: a target column, and others to predict it from")
    data.add_argument("--target", metavar="COLUMN", help="the column of --csv to predict")
    data.add_argument("--task", type=one_of("task", ("classification", "regression")), metavar="TASK",
                      help="classification or regression, where the target column does not tell by itself")
    data.add_argument("--missing", type=one_of("missing", ("refuse", "drop", "median")), metavar="WHAT",
                      help="missing values (empty, ?, NA, ...) of --csv: refuse (the default), drop their rows, or "
                           "fill in the median of the training rows")
    csv_options.add_columns(parser)
    csv_options.add_format(parser)
    net = parser.add_argument_group("network")
    net.add_argument("--layers", type=widths, metavar="N,N,...",
                     help="widths from the inputs to the outputs, such as 784,512,512,10")
    net.add_argument("--activation", type=one_of("activation", cpu.activations()), metavar="NAME",
                     help="of the hidden layers: " + ", ".join(sorted(cpu.activations())))
    net.add_argument("--output", type=one_of("output", cpu.activations()), metavar="NAME",
                     help="activation of the last layer (default: what the loss wants)")
    net.add_argument("--loss", type=one_of("loss", LOSSES), metavar="NAME", help=", ".join(LOSSES))
    net.add_argument("--dropout", type=real(0, 1), default=0.0, metavar="RATE",
                     help="share of hidden units left out of each training step (default: 0)")
    net.add_argument("--l1", type=real(0), default=0.0, metavar="FACTOR", help="L1 penalty of weights (default: 0)")
    net.add_argument("--l2", type=real(0), default=0.0, metavar="FACTOR", help="L2 penalty of weights (default: 0)")
    net.add_argument("--dtype", type=one_of("dtype", ("float32", "float64")), default="float32", metavar="TYPE",
                     help="float32 (the default) or float64")
    fit = parser.add_argument_group("training")
    fit.add_argument("--optimizer", type=one_of("optimizer", OPTIMIZERS), metavar="NAME", help=", ".join(OPTIMIZERS))
    fit.add_argument("--lr", type=real(0), metavar="RATE", help="learning rate (default: goes with the optimizer)")
    fit.add_argument("--schedule", type=one_of("schedule", schedules.SCHEDULES), default="constant", metavar="NAME",
                     help="how the learning rate changes until the end: " + ", ".join(schedules.SCHEDULES))
    fit.add_argument("--momentum", type=real(0, 1), metavar="SHARE",
                     help="of momentum and nesterov (default: 0.9)")
    fit.add_argument("--weight-decay", type=real(0), metavar="FACTOR", help="weight decay (default: the optimizer's)")
    fit.add_argument("--epochs", type=whole(1), metavar="N", help="passes over the training data")
    fit.add_argument("--batch-size", type=whole(1), metavar="N", help="samples a step")
    fit.add_argument("--validation-split", type=real(0, 1), metavar="SHARE",
                     help="share of the training rows held out to watch the training by (default: none; 0.1 with "
                          "--patience)")
    fit.add_argument("--patience", type=whole(1), metavar="N",
                     help="stop when the loss of these rows was not better for N epochs, and keep the best parameters")
    fit.add_argument("--seed", type=whole(0, 2**63 - 1), default=0, metavar="N",
                     help="of the initial weights, shuffling and dropout (default: 0)")
    fit.add_argument("--threads", type=whole(1), metavar="N",
                     help="number of threads (default: see fastbp info); changes the time, never the result")
    out = parser.add_argument_group("results")
    out.add_argument("--out", metavar="DIR", help="folder for the model and pictures (default: ./fastbp-NAME)")
    out.add_argument("--no-plots", action="store_true", help="write no pictures")
    out.add_argument("--quiet", action="store_true", help="no progress bar and no line per epoch; the summary only")


def _run_train(options: Namespace) -> int:
    from fastbp.cli import train
    return train.run(options)


def _run_predict(options: Namespace) -> int:
    from fastbp.cli import predict
    return predict.run(options)


def _run_evaluate(options: Namespace) -> int:
    from fastbp.cli import evaluate
    return evaluate.run(options)


def _run_export(options: Namespace) -> int:
    from fastbp.cli import export
    return export.run(options)


def _run_info(options: Namespace) -> int:
    if options.parallel is not None:
        if options.peak:
            raise ValueError("--peak is given with --parallel, expected one of them; ask for one after the other")
        from fastbp.cli import parallel
        return parallel.run(options.parallel, options.batch_size or 32, options.optimizer or "sgd")
    if (option := csv_options.said(options, ("batch_size", "optimizer"))) is not None:
        raise ValueError(f"{option} is given without --parallel, expected both; say --parallel MODEL, or leave it out")
    from fastbp.cli import info
    return info.run(options.peak)
