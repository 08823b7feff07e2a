"""How much longer do the workloads take with the kernels of a lesser ISA than the machine has?

    python -m bench.lab.isa                              digits16, nielsen30, mlp512 and matexp; each ISA but scalar
    python -m bench.lab.isa --only policy64 --isas avx512,avx2,scalar --threads 1
    python -m bench.lab.isa --quick                      little of everything: does it run?

A process for each ISA, which FASTBP_ISA forces, by turns. The first is the one fastbp chooses; all must reach the same
loss, or the exit status is 1. Microseconds a step.

Last answer: 2026-11-25, 2-core AMD EPYC virtual machine (Zen 4, which computes 64 bytes in two halves, so that its peak
is the same with both), two threads: AVX2 takes at its least 1.11 times as long as AVX-512 for mlp512, 1.10 for digits16
(1.21 on one thread), 1.2 for nielsen30, and as long for matexp.
"""

import argparse
import sys
import time

from bench import machine
from bench.cases import CASES
from bench.lab.turns import compared, heading, line
from bench.run import PAUSE, TOLERANCE, names_of, positive, rotated
from bench.worker import Worker
from fastbp._core import cpu

USUAL = ("digits16", "nielsen30", "mlp512", "matexp")
KNOWN = [name for name, case in CASES.items() if not case.held]
MACHINES = cpu.available()  # the best first


def measure(name, workers, rounds, seconds):
    """({isa: Taken}, {isa: the loss after three updates}) of one workload. workers: {isa: Worker}."""
    losses = {isa: worker.ask("load", case=name)["loss"] for isa, worker in workers.items()}
    steps = {isa: worker.ask("pace", seconds=seconds)["steps"] for isa, worker in workers.items()}
    isas, taken = list(workers), {isa: [] for isa in workers}
    for round_ in range(rounds):
        for i in rotated(len(isas), round_):
            time.sleep(PAUSE)
            isa = isas[i]
            taken[isa].append(workers[isa].ask("run", steps=steps[isa])["seconds"] / steps[isa])
    for worker in workers.values():
        worker.ask("drop")
    return compared(taken), losses


def main(argv=None):
    """Runs what the command line asks for; the exit status is 1 where losses differ."""
    vectors = [isa for isa in MACHINES if isa != "scalar"] or list(MACHINES)
    parser = argparse.ArgumentParser(prog="python -m bench.lab.isa", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", type=names_of(KNOWN), default=USUAL, help=", ".join(KNOWN))
    parser.add_argument("--isas", type=names_of(MACHINES), default=vectors, help=f"of {', '.join(MACHINES)}")
    parser.add_argument("--rounds", type=positive, default=9)
    parser.add_argument("--threads", type=positive, default=min(2, machine.usable_cpus()))
    parser.add_argument("--quick", action="store_true", help="one short turn of xor")
    options = parser.parse_args(argv)
    seconds = 0.2
    if options.quick:
        options.only, options.rounds, seconds = ["xor"], 1, 0.01
    workers, wrong = {}, []
    try:
        for isa in options.isas:
            workers[isa] = Worker("fastbp", options.threads, FASTBP_ISA=isa)
        heading("workload", "ISA", "us a step", "least", "greatest", f"of {options.isas[0]}")
        for name in options.only:
            found, losses = measure(name, workers, options.rounds, seconds)
            for isa, taken in found.items():
                line(name, isa, *taken.said())
            first = losses[options.isas[0]]
            wrong += [f"{name}: {isa} reaches the loss {loss}, not {first}" for isa, loss in losses.items()
                      if not abs(loss - first) <= TOLERANCE * abs(first)]  # fmt: skip
    finally:
        for worker in workers.values():
            worker.close()
    for fault in wrong:
        print("WRONG:", fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
