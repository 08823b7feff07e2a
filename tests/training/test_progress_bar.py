"""What is on the bar: all numbers at any width, and a bar where there is room, in a real terminal."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from fastbp._training.progress import _layouts

FIT = """
import numpy as np, fastbp as fb
X = np.random.default_rng(0).normal(size=(600, 4))
net = fb.mlp(4, 8, 2, loss="cross_entropy")
net.fit(X, (X.sum(1) > 0).astype(int), epochs=12, batch_size=30, validation_split=0.2)
"""
TRAIN = "import sys; from fastbp.cli import main; sys.exit(main(sys.argv[1:]))"


def screen(width, code, *more):
    """The lines that a program writes on a terminal of this width, each time it writes one."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environ = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "TQDM_DISABLE")}
    process = subprocess.Popen([sys.executable, "-c", code, *more], stdin=there, stdout=there, stderr=there,
                               env={**environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"})
    os.close(there)
    data = b""
    while True:
        try:
            piece = os.read(here, 1 << 16)
        except OSError:                         # the other side is closed
            break
        if not piece:
            break
        data += piece
    os.close(here)
    assert process.wait() == 0, data.decode()
    return [line for line in re.split(r"[\r\n]+", data.decode()) if line.strip()]


def bars(lines):
    return [line for line in lines if re.match(r"epoch +\d+/\d+", line) and "samples" not in line]


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_bar_of_fit(width):
    lines = screen(width, FIT)
    assert all(len(line) < width for line in lines)
    last = bars(lines)[-1]
    numbers = re.findall(r"(?<=[ =])\d+(?:\.\d+)?(?:e-\d+)?(?=[, \]]|$)", last)
    assert last.startswith("epoch 12/12") and len(numbers) >= 4 and not last.endswith("val_accuracy")
    cells = [len(bar) for line in lines for bar in re.findall(r"\|([^|]*)\|", line)]
    if width >= 80:
        assert cells and min(cells) >= 5 and "|" in last
        assert all(name in last for name in ("loss", "acc", "val_loss", "val_acc"))
    else:
        assert "|" not in last and re.search(r"loss [\d.]+ val [\d.]+ acc [\d.]+ val [\d.]+$", last)
    assert ("batches/s" in last) is (width == 160) and ("val_accuracy=" in last) is (width == 160)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_bar_of_train(width, tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i},{'no' if i % 3 else 'yes'}\n" for i in range(90)))
    lines = screen(width, TRAIN, "train", "--csv", str(tmp_path / "t.csv"), "--target", "y", "--epochs", "3",
                   "--no-plots", "--out", str(tmp_path / "out"))
    last = bars(lines)[-1]
    assert Path(tmp_path, "out", "model.safetensors").exists() and len(last) < width
    assert "val" in last and re.search(r"\d$", last) and ("|" in last) is (width >= 80)
    assert sum(bool(re.match(r" +\d/3 ", line)) for line in lines) == 3


def test_numbers_are_the_last_to_go():
    metrics = {"loss": "0.1", "accuracy": "0.2", "val_loss": "0.3", "val_accuracy": "0.4"}
    layouts = _layouts("epoch 1/2", " 50%", "1/2", "00:01<00:01", "1 batches/s", metrics)
    widths = [len(before) + len(behind) + (2 + cells if cells else 0) for before, behind, cells in layouts]
    assert widths[0] == max(widths) and widths[-1] == min(widths)
    for before, behind, _ in layouts[:-2]:
        assert all(value in before + behind for value in metrics.values())
    assert [cells is None for *_, cells in layouts] == [False] * 7 + [True] * 5
    assert [before for before, *_ in layouts[-2:]] == ["epoch 1/2 loss 0.1 val 0.3", "loss 0.1 val 0.3"]
    assert _layouts("epoch 1/2", " 50%", "1/2", "?", "?", {})[-1][0] == " 50%"
