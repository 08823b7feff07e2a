"""`fastbp info --parallel MODEL`: how the training of a saved network would be shared out among many threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp import losses, optimizers
from fastbp._core import cpu
from fastbp._models import scaling
from fastbp.cli.common import row
from fastbp.network import load

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp.network import Sequential

_ROWS = 4096  # of data made up to be trained on, or a batch where that has more


def run(path: str, batch: int, name: str) -> int:
    """Print the table; returns the exit code. batch: rows of a step; name: one of optimizers.OPTIMIZERS."""
    net = load(path)
    rows = max(_ROWS, batch + 1)
    rng = np.random.default_rng(0)
    X = rng.random((rows, net.inputs), np.float32).astype(net.dtype)
    optimizer = optimizers.OPTIMIZERS[name](lr=0.01)
    step = scaling.measured(net, X, _targets(net, rows, rng), batch, optimizer)
    machine = scaling.this_machine()
    row("model", f"{path}: {net.params.size} parameters, {net.dtype}, in batches of {batch}, {name}")
    row("one thread", f"{_us(step.seconds)} us a step, measured; {step.weight_bytes / 1e6:.3g} MB of weights and "
                      "state are read and written in it")
    for phase in step.phases:
        kind = f"rows {phase.stage}" if phase.kind == "rows" else phase.kind
        count = len(phase.seconds)
        row(kind, f"{count} task{'s' * (count > 1)}, {_us(phase.seconds.sum())} us in all, "
                  f"{_us(phase.seconds.max())} us the longest")
    if machine is None:
        one = cpu.threads() == 1
        row("more threads", f"not looked at: there is one ({cpu.thread_reason()})" if one else
            "not looked at: no two threads ran side by side, the machine is too busy; try again")
        return 0
    row("a barrier", f"{_us(machine.barrier)} us, measured with 2 threads; there are {len(step.phases)} in a step")
    writes = machine.write_bandwidth or machine.bandwidth
    row("crossing", f"{_us(machine.latency)} us, then {machine.bandwidth / 1e9:.3g} GB/s, of what another core has "
                    f"written; {writes / 1e9:.3g} GB/s to where it has read; measured")
    print()
    print(table(step, machine), flush=True)
    print("\nPredicted from these figures, for cores like those of this machine; fit takes as many threads, up to "
          "those it is allowed, as are the fastest at the moment.")
    return 0


def table(step: scaling.Step, machine: scaling.Machine) -> str:
    """Lines of a table: a step on 1, 2, 4 ... threads."""
    lines = ["threads   us a step   speed-up   rows   parameters   barriers"]
    for threads in scaling.sizes(machine.threads):
        times = step.times(machine, threads)
        parts = [f"{100 * part / times.total:.0f} %" for part in (times.rows, times.parameters, times.barriers)]
        lines.append(f"{threads:7}   {_us(times.total):>9}   {step.seconds / times.total:8.2f}   {parts[0]:>4}   "
                     f"{parts[1]:>10}   {parts[2]:>8}")
    return "\n".join(lines)


def _targets(net: Sequential, rows: int, rng: np.random.Generator) -> Array:
    """Targets that the network's loss takes: class numbers, or rows of zeros and ones."""
    if isinstance(net.loss, losses.CrossEntropy):
        return rng.integers(0, net.units, rows).astype(np.int32)
    return rng.integers(0, 2, (rows, net.units)).astype(net.dtype)


def _us(seconds: float) -> str:
    """Microseconds with three figures or more."""
    us = 1e6 * seconds
    return f"{us:.0f}" if us >= 100 else f"{us:.3g}"
