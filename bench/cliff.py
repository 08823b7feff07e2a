"""python -m bench.cliff: is there a width or a batch at which training falls off a cliff?

10-w-w-10 relu, mse, SGD, for w = 8 ... 512, batches of 1 ... 4096, on one thread and on --threads, by turns: the time
of a sample should fall or stay as the batch grows, two threads should never be more than 5 % slower than one, and no
width should take much more than its neighbour. Prints what is not so, and draws the picture where matplotlib is there.
"""
import argparse
import statistics
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

import fastbp as fb
from bench import machine
from fastbp._training import network_fit

WIDTHS = (8, 16, 24, 32, 45, 46, 64, 96, 128, 192, 256, 384, 512)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
SLOWER, JUMP, SECONDS = 1.05, 1.5, 0.02
PICTURE = Path(__file__).with_name("results") / "cliff.png"


def steps_for(net, X, Y, batch, threads):
    """How many steps take about SECONDS, by the shorter of two measurements: after a hiccup they would be so few that
    each is mostly what a call costs."""
    steps = 1
    while (taken := seconds(net, X, Y, batch, steps, threads)) < SECONDS / 4:
        steps *= 4
    taken = min(taken, seconds(net, X, Y, batch, steps, threads))
    return max(1, round(steps * SECONDS / taken))


def seconds(net, X, Y, batch, steps, threads):
    begun = time.perf_counter()
    network_fit.run_steps(net, X, Y, fb.SGD(lr=1e-4), batch, steps, threads=threads)
    return time.perf_counter() - begun


class Cell:
    """One width and batch on so many threads: a network, and the times of its samples in microseconds."""

    def __init__(self, width, batch, threads):
        rng = np.random.default_rng(width)
        self.X, self.Y = rng.random((2, batch, 10), dtype=np.float32)
        self.net, self.batch, self.threads = fb.mlp(10, width, width, 10, loss="mse"), batch, threads
        self.steps = steps_for(self.net, self.X, self.Y, batch, threads)
        self.taken = []

    def run(self):
        taken = seconds(self.net, self.X, self.Y, self.batch, self.steps, self.threads)
        self.taken.append(1e6 * taken / self.steps / self.batch)


def measure(threads, rounds):
    """{(width, batch): {threads: microseconds a sample}}, medians of rounds in each of which every cell has its turn:
    what is compared was measured within seconds, and again and again, as the machine has faster and slower minutes."""
    cells = {(width, batch): {count: Cell(width, batch, count) for count in threads}
             for width in WIDTHS for batch in BATCHES}
    for _ in range(rounds):
        for each in cells.values():
            for cell in each.values():
                cell.run()
    return {key: {count: statistics.median(cell.taken) for count, cell in each.items()} for key, each in cells.items()}


def faults(found, threads):
    """What is not as it should be, in words. found: {(width, batch): {threads: us a sample}}."""
    most = max(threads)
    for (width, batch), times in found.items():
        if times[most] > SLOWER * times[1]:
            yield f"width {width}, batch {batch}: {most} threads take {times[most] / times[1]:.2f} of one"
    for width in WIDTHS:
        for before, after in pairwise(BATCHES):
            ratio = found[width, after][most] / found[width, before][most]
            if ratio > SLOWER:
                yield f"width {width}: a sample of a batch of {after} takes {ratio:.2f} of one of {before}"
    for batch in BATCHES:
        for before, after in pairwise(WIDTHS):
            work = (20 * after + after * after) / (20 * before + before * before)
            ratio = found[after, batch][most] / found[before, batch][most]
            if ratio > JUMP * max(1.0, work):
                yield f"batch {batch}: width {after} takes {ratio:.2f} of width {before}, for {work:.2f} of the work"


def draw(found, threads):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(threads), figsize=(5.5 * len(threads), 4.5), sharey=True, squeeze=False)
    for axis, count in zip(axes[0], threads, strict=True):
        for batch in BATCHES:
            axis.loglog(WIDTHS, [found[width, batch][count] for width in WIDTHS], marker="o", markersize=3, label=batch)
        axis.set(title=f"{count} thread(s)", xlabel="width w of 10-w-w-10")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("microseconds a sample")
    axes[0][-1].legend(title="batch")
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=100)
    print("drawn in", PICTURE)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m bench.cliff", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=min(2, machine.usable_cpus()))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    threads = sorted({1, options.threads})
    found = measure(threads, options.rounds)
    print("microseconds a sample on", options.threads, "threads\nwidth " + "".join(f"{batch:>9}" for batch in BATCHES))
    for width in WIDTHS:
        print(f"{width:5} " + "".join(f"{found[width, batch][options.threads]:9.3f}" for batch in BATCHES))
    seen = list(faults(found, threads))
    print("\n".join(seen) if seen else "no cliff")
    try:
        draw(found, threads)
    except ImportError:
        print("no picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
