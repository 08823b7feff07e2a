"""Data of another dtype: trained on as they are, or cast to float32 once before?

    python -m bench.lab.casting                          digits16's 60,000 rows, 1 and 10 epochs, one thread
    python -m bench.lab.casting --epochs 1,30 --threads 2
    python -m bench.lab.casting --quick                  few rows: does it run?

A training on bytes, halves and doubles by turns: `fit` reads them where they lie and converts each batch's rows in
every step; or the user makes a float32 copy first, whose making counts, as does the memory it takes. Milliseconds a
training.

Last answer: 2026-11-28, 2-core AMD EPYC virtual machine (Zen 4, AVX-512) beside other programs, one thread, medians of
five: cast before, a training of one epoch takes 1.90 times as long of bytes, 1.16 of halves, 1.09 of doubles; one of
ten epochs 1.07, 1.04 and 0.92. So a copy pays for doubles that small networks are trained on for many epochs, where
there are 188 MB for it; bytes and halves are best left as they are.
"""

import argparse
import sys

import numpy as np

import fastbp as fb
from bench.cases import CASES
from bench.data import SCALE, scale_of
from bench.lab.turns import by_turns, heading, line
from bench.run import positive

KINDS = ("uint8", "float16", "float64")


def numbers(text):
    return [positive(part) for part in text.split(",")]


def training(case, scale, epochs, threads):
    """f(X, y): a training from its beginning."""
    net = fb.mlp(*case.widths, activation=case.activation, output=case.output, loss=case.loss, input_scale=scale)
    start = net.params.copy()

    def fit(X, y):
        net.params[:], net.epochs = start, 0
        net.fit(X, y, epochs=epochs, batch_size=case.batch, optimizer=fb.SGD(lr=case.lr), threads=threads,
                progress=False)  # fmt: skip
        return net

    return fit


def ways(case, X, y, epochs, threads):
    """{name: (call, 1)}: X, of any dtype, as it is, and through a copy in float32."""
    scale = scale_of(X.dtype.name)
    as_it_is, copied = training(case, scale, epochs, threads), training(case, 1.0, epochs, threads)

    def cast():
        C = X.astype(np.float32)
        if scale != 1:
            C *= np.float32(scale)
        return copied(C, y)

    return {"as it is": (lambda: as_it_is(X, y), 1), "cast before": (cast, 1)}


def main(argv=None):
    """Runs what the command line asks for and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab.casting", description=__doc__.split("\n\n")[0])
    parser.add_argument("--epochs", type=numbers, default=[1, 10], help="default: 1,10")
    parser.add_argument("--rows", type=positive, default=60000)
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--quick", action="store_true", help="one turn of each on 300 rows")
    options = parser.parse_args(argv)
    if options.quick:
        options.rows, options.rounds = 300, 1
    case = CASES["digits16"]
    X, y = case.data()
    whole, y = np.floor(X[:options.rows] * 128), y[:options.rows]
    heading("data", "epochs", "way", "ms", "least", "greatest", "of as it is", "copied, MB")
    for kind in KINDS:
        data = (whole if scale_of(kind) != 1 else whole * np.float32(SCALE)).astype(kind)
        for epochs in options.epochs:
            for way, found in by_turns(ways(case, data, y, epochs, options.threads), options.rounds,
                                       options.threads).items():  # fmt: skip
                copied = 4e-6 * data.size if way == "cast before" else 0
                line(kind, str(epochs), way, *found.said(1e3), f"{copied:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
