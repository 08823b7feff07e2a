"""What does it cost that every epoch has an order of its own?

    python -m bench.lab.shuffling                        digits16, nielsen30, policy64 and tabular on one thread
    python -m bench.lab.shuffling --only digits16 --threads 2
    python -m bench.lab.shuffling --quick                few rows: does it run?

`fit` with shuffle=True and shuffle=False, by turns, the same epochs. An order is a permutation for each epoch, and rows
that no prefetcher can guess: they are prefetched a step ahead, and read where they lie or gathered. Microseconds a
step.

Last answer: 2026-11-28, 2-core AMD EPYC virtual machine (Zen 4, AVX-512) beside other programs, one thread, medians of
nine: shuffled, a step takes 1.01 times as long for digits16, 1.04 for nielsen30, 1.03 for policy64 and 1.02 for
tabular. So there is nothing to gain by training in the order of the data.
"""

import argparse
import sys
from dataclasses import replace

from bench.cases import CASES
from bench.lab.turns import by_turns, heading, line
from bench.peers import fastbp
from bench.run import names_of, positive

KNOWN = [name for name, case in CASES.items() if case.shuffled and not case.held]
USUAL = ("digits16", "nielsen30", "policy64", "tabular")
EPOCHS = {"digits16": 2, "nielsen30": 1, "policy64": 50, "tabular": 1, "iris": 100}  # of a turn


def ways(case, epochs, threads):
    """{name: (call, steps)}: in the order of the data, and shuffled."""
    X, y = case.data()

    def training(shuffle):
        net = fastbp.network(case)
        start = net.params.copy()

        def call():
            net.params[:] = start
            return net.fit(X, y, epochs=epochs, batch_size=case.batch, optimizer=fastbp.optimizer(case),
                           shuffle=shuffle, threads=threads, progress=False)  # fmt: skip

        return call

    steps = epochs * case.epoch_steps
    return {"in order": (training(False), steps), "shuffled": (training(True), steps)}


def main(argv=None):
    """Runs what the command line asks for and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab.shuffling", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", type=names_of(KNOWN), default=USUAL, help=", ".join(KNOWN))
    parser.add_argument("--rounds", type=positive, default=15)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--quick", action="store_true", help="one turn of each, three batches")
    options = parser.parse_args(argv)
    heading("workload", "rows", "us a step", "least", "greatest", "of in order")
    for name in options.only:
        case, epochs = CASES[name], EPOCHS.get(name, 1)
        if options.quick:
            case, epochs, options.rounds = replace(case, rows=3 * case.batch), 1, 1
        for way, found in by_turns(ways(case, epochs, options.threads), options.rounds, options.threads).items():
            line(name, way, *found.said())
    return 0


if __name__ == "__main__":
    sys.exit(main())
