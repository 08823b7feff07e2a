"""python -m bench.many: networks of digits16 trained side by side by fit_many, beside fit for one after another.

By turns in one run: all networks one after another on one thread, then all at once on --threads threads, the same epoch
of the same data; the parameters must agree bit for bit. A figure is the median over the rounds, with the least and the
greatest.
"""
import argparse
import statistics
import sys
import time
from dataclasses import replace

import fastbp as fb
from bench import machine
from bench.cases import CASES
from bench.run import positive


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m bench.many", description="Time fit_many beside fit.")
    parser.add_argument("--nets", type=positive, default=64, help="networks (default: %(default)s)")
    parser.add_argument("--rows", type=positive, default=60000, help="samples of an epoch (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=5, help="default: %(default)s")
    parser.add_argument("--threads", type=positive, default=min(2, machine.usable_cpus()), help="default: %(default)s")
    return parser.parse_args(argv)


def networks(case, count):
    """`count` networks of a workload, each with parameters of its own."""
    return [fb.mlp(*case.widths, activation=case.activation, output=case.output, loss=case.loss, seed=seed)
            for seed in range(count)]


def main(argv=None):
    """Runs what the command line asks for and prints the figures; the exit status is 1 where parameters differ."""
    options = arguments(argv)
    case = replace(CASES["digits16"], rows=options.rows)
    X, y = case.data()
    setting = {"batch_size": case.batch, "progress": False}
    alone, many = [], []
    for _ in range(options.rounds):
        nets, twins = networks(case, options.nets), networks(case, options.nets)
        begun = time.perf_counter()
        for net in nets:
            net.fit(X, y, optimizer=fb.SGD(lr=case.lr), threads=1, **setting)
        between = time.perf_counter()
        fb.fit_many(twins, X, y, optimizers=fb.SGD(lr=case.lr), threads=options.threads, **setting)
        alone.append(between - begun)
        many.append(time.perf_counter() - between)
        if any((net.params != twin.params).any() for net, twin in zip(nets, twins, strict=True)):
            print("the parameters differ")
            return 1
    print(f"{options.nets} networks, one epoch of {len(X)} rows: seconds, median (min - max) of {options.rounds}")
    for name, seconds in (("fit, one after another, 1 thread", alone),
                          (f"fit_many, threads={options.threads}", many)):
        print(f"{name}: {statistics.median(seconds):.3f} ({min(seconds):.3f} - {max(seconds):.3f})")
    ratios = [b / a for a, b in zip(alone, many, strict=True)]
    print(f"ratio: {statistics.median(ratios):.3f} ({min(ratios):.3f} - {max(ratios):.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
