"""What does `fit` cost over the steps it takes, and a loop that its user writes over `fit`?

    python -m bench.lab.by_hand                          xor, iris, policy64 and digits16 on one thread
    python -m bench.lab.by_hand --only policy64 --threads 2
    python -m bench.lab.by_hand --quick                  little of everything: does it run?

The same training three ways, by turns: its whole batches as compiled steps by themselves; `fit`, with all that belongs
to it; fb.batches, loss_and_grad and step, called from Python. The last two must reach the same bits, or the exit status
is 1. Microseconds a step.

Last answer: 2026-11-28, 2-core AMD EPYC virtual machine (Zen 4, AVX-512) beside other programs, one thread, medians of
15: `fit` takes 19.8 us a step for 0.39 of the steps themselves (xor, whose epochs are one step), 18.0 for 4.32 (iris,
five), 30.0 for 27.3 (policy64, 32) and 77.2 for 73.1 (digits16, 600); a loop by hand 7.5, 16.2, 35.4 and 126, of
digits16 mostly for rows that NumPy gathers. So what Python does between epochs, some 19 us, is all of a training whose
epochs are a few small steps; of the others orders, accuracies and checks are 6 to 10 %.
"""

import argparse
import sys
from dataclasses import replace

import numpy as np

import fastbp as fb
from bench.cases import CASES, Case
from bench.lab.turns import by_turns, heading, line
from bench.peers import fastbp, fastbp_fit
from bench.run import names_of, positive

USUAL = ("xor", "iris", "policy64", "digits16")
KNOWN = [name for name, case in CASES.items() if isinstance(case, Case) and case.update and not case.held]
EPOCHS = {"xor": 2000, "iris": 100, "policy64": 50, "digits16": 2}  # of a turn, some hundredths of a second


class ByHand(fastbp_fit.Contender):
    """The trainings of `fit`, as its users would write them."""

    def fit(self, epochs):
        self.model.params[:] = self.start
        optimizer = fastbp.optimizer(self.case)
        for epoch in range(epochs):
            for xb, yb in fb.batches(self.X, self.y, self.case.batch, seed=self.model.seed + epoch):
                self.model.loss_and_grad(xb, yb)
                optimizer.step(self.model)


def measure(case, rounds, threads):
    """({name: Taken}, whether `fit` and the loop by hand have the same bits)."""
    X, y = case.data()
    steps, fit, hand = (of(case, X, y, threads) for of in (fastbp.Contender, fastbp_fit.Contender, ByHand))
    count = case.epochs * (case.rows // case.batch)
    jobs = {"steps": (lambda: steps.run(count), count)}
    jobs |= {name: (lambda one=one: one.run(one.multiple), one.multiple) for name, one in (("fit", fit),
                                                                                           ("by hand", hand))}
    fb.cpu.set_threads(threads)  # of what is called by hand
    try:
        taken = by_turns(jobs, rounds, threads)
    finally:
        fb.cpu.set_threads(None)
    return taken, bool(np.array_equal(fit.model.params, hand.model.params))


def main(argv=None):
    """Runs what the command line asks for; the exit status is 1 where the bits differ."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab.by_hand", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", type=names_of(KNOWN), default=USUAL, help=", ".join(KNOWN))
    parser.add_argument("--rounds", type=positive, default=15)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--quick", action="store_true", help="one turn of each, few epochs")
    options = parser.parse_args(argv)
    heading("workload", "way", "us a step", "least", "greatest", "over the steps")
    same = True
    for name in options.only:
        case = replace(CASES[name], epochs=EPOCHS.get(name, 1))
        if options.quick:
            case, options.rounds = replace(case, epochs=1, rows=min(case.rows, 3 * case.batch)), 1
        taken, equal = measure(case, options.rounds, options.threads)
        same &= equal
        for way, found in taken.items():
            line(name, way, *found.said())
    print("\nfit and the loop by hand have the same bits" if same else "\nWRONG: fit and the loop by hand differ")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
