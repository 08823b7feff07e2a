"""What the commands print fits the screen: lines end at a word, at any width; in a pipe a row is one line."""

import io
import os
import re
import shlex

import numpy as np
import pytest

import fastbp as fb
from fastbp import cli
from fastbp._check import formatting
from fastbp.cli import command as cli_command
from fastbp.cli import common, train

COMMANDS = ["info", "curve --steps 30 --batch-size 4 --no-plots", "curve --degree 12 --steps 3 --no-plots",
            "curve --method perturb --steps 5 --no-plots", "train --csv some.csv --target y --epochs 2 --no-plots"]
HELP = ["--help", "train --help", "predict --help", "curve --help", "info --help"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Run in an empty folder; one default number of threads afterwards."""
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(0).normal(size=(60, 2))
    (tmp_path / "some.csv").write_text("x,y\n" + "".join(f"{a:.3f},{2 * a + 0.1 * b:.3f}\n" for a, b in rows))
    yield tmp_path
    fb.cpu.set_threads(None)


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs a command line on a screen of so many columns, None for a pipe; gives stdout."""
    def run(line, columns=None):
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        assert cli.main(line.split()) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out
    return run


def words(out):
    """What was printed, wherever lines end, but for plain numbers, of which some are times, and arrows."""
    return [word for word in out.split() if not re.fullmatch(r"[\d,.]+|<+|>+|knob|which|way", word)]


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("line", COMMANDS)
def test_no_line_is_longer_than_the_screen_and_no_word_is_broken(run, line, columns):
    whole = run(line)
    out = run(line, columns)
    for row in out.splitlines():
        assert len(row) < columns or len(row[15:].split()) == 1, row     # a path, which is left whole
    assert words(out) == words(whole)
    assert not re.search(r"[ \t]$", out, re.MULTILINE)


def test_a_row_goes_on_beneath_its_text(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    common.row("network", "one two three four five six seven eight nine ten eleven")
    assert capsys.readouterr().out == ("network        one two three four five six seven\n"
                                       "               eight nine ten eleven\n")


@pytest.mark.parametrize("columns", [None, "30"])
def test_what_is_printed_is_escaped_before_its_lines_are_made(capsys, monkeypatch, columns):
    """A line break in a name is no end of a line, and an escape sequence is as wide as it is shown."""
    name, shown = "a\x1b[2J\n\u202e b\u3000c", r"a\x1b[2J\n\u202e b\u3000c"
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(cli_command, "is_terminal", lambda stream: True)
    common.say(f"{name} {name}", then="  ")
    common.row("data", name)
    cli_command._warn("train", UserWarning(name))
    out, err = capsys.readouterr()
    assert out.split() == [*shown.split() * 2, "data", *shown.split()] and (out + err).replace("\n", "").isprintable()
    assert err.split()[:3] == ["fastbp", "train:", "warning:"] and " ".join(err.split()[3:]) == r"a\x1b[2J \u202e b c"
    assert all(len(line) < 30 or len(line[15:].split()) == 1 for line in (out + err).splitlines()) or not columns
    assert (out.count("\n"), err.count("\n")) == (2, 1) or columns


def test_in_a_pipe_a_row_is_one_line(run):
    out = run("curve --steps 3 --no-plots")
    assert "\nrate           above 0.0221 plain gradient steps climb (2 / the largest curvature of the loss)\n" in out
    assert not re.search(r"^ {15}\w", out, re.MULTILINE)


@pytest.mark.parametrize("columns", [60, 80, 100])
@pytest.mark.parametrize("line", HELP)
def test_help_fits_the_screen_and_its_examples_can_be_copied(run, line, columns):
    out = run(line, columns)
    assert max(map(len, out.splitlines())) < columns
    copied = re.findall(r"^  (fastbp (?:.*\\\n)*.*)$", out, re.MULTILINE)
    assert len(copied) >= {"train --help": 5, "predict --help": 3, "curve --help": 4}.get(line, 0)
    for command in copied:
        command = command.partition("|")[0].partition(">")[0].replace("\\\n", " ")
        cli_command._parser().parse_args(shlex.split(command)[1:])         # raises SystemExit for what it does not know
        assert "\n" not in command


def test_an_error_is_one_line_but_on_a_terminal_it_ends_lines_at_words(capsys, monkeypatch):
    line = ["curve", "--animate", "nowhere/fit.gif"]
    assert cli.main(line) == cli.main(["train", "--epochs", "0"]) == 2
    *_, whole = capsys.readouterr()
    assert whole.count("\n") == 2
    monkeypatch.setattr(cli_command, "is_terminal", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "50")
    assert cli.main(line) == cli.main(["train", "--epochs", "0"]) == 2
    *_, broken = capsys.readouterr()
    assert broken.count("\n") > 2 and max(map(len, broken.splitlines())) < 50
    assert broken.split() == whole.split()


@pytest.mark.parametrize("said, wide", [("80", 79), ("12", 30), ("0", None), ("-3", None), ("wide", None), ("", None)])
def test_columns_says_how_wide_the_screen_is(monkeypatch, said, wide):
    monkeypatch.setenv("COLUMNS", said)
    assert common.columns(io.StringIO()) == wide


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_a_terminal_is_asked_how_wide_it_is():
    fcntl, struct, termios = (pytest.importorskip(name) for name in ("fcntl", "struct", "termios"))
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 72, 0, 0))
        assert common.is_terminal(stream) and common.columns(stream) == 71
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        assert common.columns(stream) is None                   # some terminals do not know
    os.close(ours)
    assert common.columns(stream) is None                       # closed
    assert common.columns(None) is None and not common.is_terminal(None)


@pytest.mark.parametrize("value, said", [(0.0403, "0.04030"), (12.5, "12.50"), (1234.0, "1234"), (1e5, "1.000e+05")])
def test_numbers_of_a_column_have_as_many_digits(value, said):
    assert common.digits(value, 4) == said


@pytest.mark.parametrize("epochs", [5, 123456])
def test_columns_of_the_epochs_stand_beneath_their_names(capsys, epochs):
    lines = train._Lines(epochs, classes=True)
    lines.on_train_begin(None)
    for epoch, speed in ((0, 5.0), (epochs - 1, 123456789.0)):
        logs = {"loss": 0.0403, "accuracy": 1.0, "val_accuracy": 0.5, "samples_per_second": speed}
        lines.on_epoch_end(None, epoch, logs)
    _, head, *rows = capsys.readouterr().out.splitlines()
    assert {len(line) for line in (head, *rows)} == {len(head)} and head.endswith("samples/s")
    assert all(line.index("100.00 %") + len("100.00 %") == head.index("train acc") + len("train acc") for line in rows)
    assert rows[1].split()[:2] == [f"{epochs}/{epochs}", "0.04030"]


def test_the_library_never_asks_for_the_screen(monkeypatch):
    """A repr is the same on every screen."""
    net = fb.mlp(784, 64, 64, 64, 10)
    made = repr(net)
    monkeypatch.setenv("COLUMNS", "40")
    assert repr(net) == made and max(map(len, made.splitlines())) <= formatting.WIDTH
