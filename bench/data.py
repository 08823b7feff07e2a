"""python -m bench.data: training on data as it is - bytes, halves, doubles, memory maps - beside float32 in memory.

By turns in one run: --steps training steps of one workload on each kind of the same data; the figure of a kind is the
median over the rounds of its speed as a share of float32's in the same round, with the least and the greatest. Bytes
are read times input_scale. Memory maps are files in a temporary folder, read-only, their pages cached by a
first round that is not counted.
"""
import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastbp as fb
from bench import machine
from bench.cases import CASES
from bench.run import positive
from fastbp._training import loop, network_fit

SCALE = 1 / 127
KINDS = ("float32", "uint8", "int8", "float16", "float64", "float32 map", "uint8 map")


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m bench.data", description="Time training on data as it is.")
    parser.add_argument("--cases", nargs="+", choices=sorted(CASES), default=["digits16", "mlp512"])
    parser.add_argument("--rows", type=positive, default=60000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a measurement, about (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=9, help="default: %(default)s")
    parser.add_argument("--threads", type=positive, default=min(2, machine.usable_cpus()), help="default: %(default)s")
    return parser.parse_args(argv)


def scale_of(kind):
    """The input_scale of a network for this kind: bytes hold whole numbers, floats what the network sees."""
    return SCALE if "int" in kind else 1.0


def written(kind, X, folder):
    """X as an array of this kind."""
    name, _, mapped = kind.partition(" ")
    array = X.astype(name)
    if not mapped:
        return array
    path = Path(folder, f"{name}.npy")
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def job(case, kind, X, y, folder, threads):
    """The training of a network on X, whole numbers below 128 that the network sees times SCALE, as this kind."""
    scale = scale_of(kind)
    data = written(kind, X if scale != 1 else X * np.float32(SCALE), folder)
    net = fb.mlp(*case.widths, activation=case.activation, output=case.output, loss=case.loss, input_scale=scale)
    return network_fit.NetworkJob(net, data, y, None, None, case.batch, None, 0.0, threads)


def steps_a_second(work, lr, steps):
    """Of `steps` training steps; on one thread, of its own time, whatever else the machine does meanwhile."""
    clock = time.process_time if work.threads == 1 else time.perf_counter
    begun = clock()
    loop.run_steps(work, fb.SGD(lr=lr), steps)
    return steps / (clock() - begun)


def measure(case, options, folder):
    """{kind: its speeds as shares of float32's}."""
    X, y = case.data()
    X, y = np.floor(X[:options.rows] * 128).astype("float32"), y[:options.rows]
    jobs = {kind: job(case, kind, X, y, folder, options.threads) for kind in KINDS}
    speed = steps_a_second(jobs["float32"], case.lr, 10)
    steps = max(1, round(speed * options.seconds))
    shares = {kind: [] for kind in KINDS}
    for turn in range(options.rounds + 1):
        first = turn % len(KINDS)
        order = KINDS[first:] + KINDS[:first]
        speeds = {kind: steps_a_second(jobs[kind], case.lr, steps) for kind in order}
        for kind in KINDS if turn else ():
            shares[kind].append(speeds[kind] / speeds["float32"])
    return shares


def main(argv=None):
    """Runs what the command line asks for and prints a line for each workload and kind."""
    options = arguments(argv)
    for name in options.cases:
        with tempfile.TemporaryDirectory() as folder:
            for kind, shares in measure(CASES[name], options, folder).items():
                print(f"{name:<9} {kind:<12} {statistics.median(shares):.2f} ({min(shares):.2f} - {max(shares):.2f})",
                      flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
