"""What does an element cost in the vector functions that activations are made of, in the L1 cache?

    python -m bench.lab.vector_functions                 exp, tanh and sigmoid of every ISA of the machine
    python -m bench.lab.vector_functions --dtype float64 --only tanh_forward,gelu_forward --ghz 3.65
    python -m bench.lab.vector_functions --quick         one turn of each: does it run?

One kernel on 1,024 numbers over and over, in place, by turns with the same kernel of the other ISAs; what they make of
the same numbers must agree, or the exit status is 1. Nanoseconds an element, with the kernel around it: a load, a bias
and a store; and cycles where --ghz says how fast the clock goes.

Last answer: 2026-11-25, AMD EPYC (Zen 4) at 3.65 GHz, float32, cycles an element: AVX-512 exp 0.563, tanh 0.79, sigmoid
0.78; AVX2 1.31, 0.91 and 1.32. So exp by sixteenths, looked up in a vector of AVX-512, stayed (it was 0.648).
"""

import argparse
import ctypes
import sys

import numpy as np

from bench.lab.turns import by_turns, heading, line
from bench.run import names_of, positive
from fastbp._core import cpu

COLUMNS, ROWS = 1024, 20_000
USUAL = ("exponential_forward", "tanh_forward", "sigmoid_forward")


class Kernel:
    """An activation of one ISA, f(z - 1.5): with that bias exp over exp stays where it is."""

    def __init__(self, isa, dtype, name):
        address = next(row[-1] for row in cpu.kernels(isa, dtype) if row[0] == name)
        pointer, size = ctypes.c_void_p, ctypes.c_ssize_t
        self.call = ctypes.CFUNCTYPE(None, pointer, size, pointer, size, pointer, size, size)(address)
        self.z = np.random.default_rng(0).uniform(-6, 1, COLUMNS).astype(dtype)
        self.b = np.full(COLUMNS, -1.5, dtype)

    def run(self, rows):
        """What f made of z, over and over, becomes (COLUMNS,): rows that are all at the same place."""
        y = self.z.copy()
        self.call(y.ctypes.data, 0, None, 0, self.b.ctypes.data, rows, COLUMNS)
        return y


def main(argv=None):
    """Runs what the command line asks for; the exit status is 1 where ISAs disagree."""
    known = [row[0] for row in cpu.kernels(cpu.selected(), "float32") if row[1] == "forward"]
    parser = argparse.ArgumentParser(prog="python -m bench.lab.vector_functions",
                                     description=__doc__.split("\n\n")[0])  # fmt: skip
    parser.add_argument("--only", type=names_of(known), default=USUAL, help=", ".join(known))
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--rounds", type=positive, default=15)
    parser.add_argument("--ghz", type=float, help="of the clock")
    parser.add_argument("--quick", action="store_true", help="one turn of 20 rows")
    options = parser.parse_args(argv)
    times, rounds, wrong = (20, 1, []) if options.quick else (ROWS, options.rounds, [])
    columns = [f"cycles at {options.ghz:g} GHz"] if options.ghz else []
    heading("function", "ISA", "ns an element", "least", "greatest", f"of {cpu.available()[0]}", *columns)
    for name in options.only:
        kernels = {isa: Kernel(isa, options.dtype, name) for isa in cpu.available()}
        jobs = {isa: (lambda one=one: one.run(times), times * COLUMNS) for isa, one in kernels.items()}
        for isa, taken in by_turns(jobs, rounds).items():
            line(name, isa, *taken.said(1e9), *[f"{options.ghz * 1e9 * min(taken.seconds):.2f}" for _ in columns])
        right = kernels[cpu.available()[0]].run(1)
        wrong += [f"{name} of {isa} is not that of {cpu.available()[0]}" for isa, one in kernels.items()
                  if not np.allclose(one.run(1), right, rtol=1e-5, atol=1e-7)]  # fmt: skip
    for fault in wrong:
        print("WRONG:", fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
