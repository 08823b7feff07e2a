"""What the commands share: how a command and its options are declared, the folder for results, a row of output."""

import argparse
import contextlib
import os
import tempfile

import numpy as np

from fastbp import check


def command(commands, name, summary, description, epilog, run):
    parser = commands.add_parser(name, help=summary, description=description, epilog=epilog, allow_abbrev=False,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run)
    return parser


def say(text):
    """Print a line. What comes from a file or a path in it moves no cursor and changes no colour."""
    print(check.printable(text))


def row(name, text):
    """Print a line of the summary."""
    say(f"{name:<13}  {text}")


@contextlib.contextmanager
def output_folder(path):
    """Make the folder and try to write there, before minutes are spent; if nothing comes of it, it is gone again."""
    made = not os.path.isdir(path)
    try:
        os.makedirs(path, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise FileExistsError(f"--out {path}: a file of this name exists; choose another folder") from None
    except OSError as error:
        why = error.strerror or error
        raise OSError(f"--out {path}: cannot write there ({why}); choose another folder") from None
    try:
        yield
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(path)                                     # only if nothing was written into it
        raise


# ---- types of options: each takes the text and returns the value, or says what was expected --------------------------

def whole(low, high=None):
    def parse(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < low or (high is not None and value > high):
            most = f" and at most {high}" if high is not None else ""
            raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number, at least {low}{most}")
        return value
    return parse


def real(low, below=None):
    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value) or value < low or (below is not None and value >= below):
            most = f" and below {below}" if below is not None else ""
            raise argparse.ArgumentTypeError(f"{text!r}; expected a finite number, at least {low}{most}")
        return value
    return parse


def one_of(what, choices):
    def parse(text):
        try:
            return check.choice(what, text, choices)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return parse


def widths(text):
    try:
        values = [int(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) < 2 or min(values) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected two or more widths, from inputs to outputs, "
                                         f"such as 784,16,16,10")
    return values
