"""`fastbp export`: a saved model -> a file for other programs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastbp import _check as check
from fastbp.cli.common import row
from fastbp.network import load

if TYPE_CHECKING:
    from argparse import Namespace

_ENDINGS = (".h", ".onnx")


def run(options: Namespace) -> int:
    """Export as `options` say; returns the exit code."""
    ending = os.path.splitext(options.file)[1].lower()
    if ending not in _ENDINGS:
        raise ValueError(f"FILE is {check.shown(options.file)}, expected a name that ends with "
                         f"{' or '.join(_ENDINGS)}; give one, as the ending says what is written")
    if ending != ".h" and options.name is not None:
        raise ValueError(f"--name is given with {options.file}, expected a header, whose names begin with it; leave it "
                         "out")
    net = load(options.model)
    if ending == ".h":
        net.to_c(options.file, options.name)
    else:
        net.to_onnx(options.file)
    row("written", f"{options.file}, {os.path.getsize(options.file):,} bytes")
    if net.data_spec is not None:
        row("inputs", "those of the network: what fastbp predict does to a file's columns or pixels is not in it")
    return 0
