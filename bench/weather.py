"""What a call costs on a machine that others use as well: one thread against a team, beside busy neighbours.

    python -m bench.weather                     all jobs, beside 0, 1, 2 and 4 neighbours; some five minutes
    python -m bench.weather --only predict --neighbours 2 --rounds 100
    python -m bench.weather --quick             little of everything: does it run?

A neighbour is a process that computes without end. A job runs on one thread and on a team by turns; its figure is the
median of the turns, its worst the largest. "ratio" is the team's median over that of one thread in the same weather.
"""
import argparse
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np

import fastbp as fb
from bench import machine

BUSY = "while True: pass"


@contextmanager
def neighbours(count):
    """So many busy processes, meanwhile."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        time.sleep(0.3 * bool(count))  # until they are busy
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def classes(n, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, width), np.float32), rng.integers(0, 10, n)


def fit(widths, n, **options):
    """Trainings of a network from the start, as a user calls it."""
    X, y = classes(n, widths[0])

    def job(threads):
        net = fb.mlp(*widths, loss="cross_entropy", seed=0)
        return lambda: net.fit(X, y, threads=threads, progress=False, **options)

    return job


def digits():
    return fit((64, 32, 16, 10), 1797, epochs=30, validation_split=0.2)


def wide():
    return fit((784, 256, 256, 10), 4096, epochs=4, batch_size=128, optimizer=None)


def with_threads(call):
    """A job whose calls have the default number of threads. Another default compiles anew: one call more."""

    def job(threads):
        if fb.cpu.threads() != threads:
            fb.cpu.set_threads(threads)
            call()
        return call

    return job


def predict():
    net, (X, _) = fb.mlp(64, 32, 16, 10, loss="cross_entropy"), classes(256, 64)
    return with_threads(lambda: net.predict(X))


def evaluate():
    net, (X, y) = fb.mlp(64, 32, 16, 10, loss="cross_entropy"), classes(359, 64)
    return with_threads(lambda: net.evaluate(X, y))


def by_hand():
    """100 steps of a loop that its user has written."""
    net, optimizer, (X, y) = fb.mlp(17, 64, 64, 6, activation="tanh"), fb.Adam(), classes(64, 17)
    Y = np.eye(10, 6, dtype=np.float32)[y % 6]

    def loop():
        for _ in range(100):
            net.loss_and_grad(X, Y)
            optimizer.step(net)

    return with_threads(loop)


def many():
    X, y = classes(2000, 64)

    def job(threads):
        nets = [fb.mlp(64, 16, 10, loss="cross_entropy", seed=seed) for seed in range(8)]
        return lambda: fb.fit_many(nets, X, y, epochs=2, batch_size=100, threads=threads, progress=False)

    return job


JOBS = {"digits": digits, "wide": wide, "predict": predict, "evaluate": evaluate, "by hand": by_hand, "many": many}


def measure(job, team, rounds, least):
    """{threads: [seconds of a call, one for each turn]}; a turn is as many calls as take `least` seconds alone."""
    taken = {1: [], team: []}
    job(1)()
    call, begun = job(1), time.perf_counter()
    call()
    calls = max(1, round(least / (time.perf_counter() - begun)))
    for _ in range(rounds):
        for threads, seconds in taken.items():
            turns = [job(threads) for _ in range(calls)]  # what a call needs is made before
            begun = time.perf_counter()
            for turn in turns:
                turn()
            seconds.append((time.perf_counter() - begun) / calls)
    return taken


def numbers(text):
    return [int(part) for part in text.split(",")]


def main(argv=None):
    """Prints a table: for each job and each weather, one thread and a team."""
    parser = argparse.ArgumentParser(prog="python -m bench.weather", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(JOBS), help=", ".join(JOBS))
    parser.add_argument("--neighbours", type=numbers, default=[0, 1, 2, 4])
    parser.add_argument("--rounds", type=int, default=30, help="turns of each (default: %(default)s)")
    parser.add_argument("--team", type=int, default=machine.usable_cpus())
    parser.add_argument("--quick", action="store_true", help="one turn of each, one neighbour")
    options = parser.parse_args(argv)
    if options.quick:
        options.rounds, options.neighbours = 1, [1]
    about = f"{machine.cpu_name()}, {machine.usable_cpus()} CPUs; a team of {options.team}"
    print(f"{about}; medians of {options.rounds}\n")
    print("| job | neighbours | one thread, us | team, us | ratio | worst alone | worst team |")
    print("|---|---|---|---|---|---|---|")
    for name in options.only:
        for count in options.neighbours:
            with neighbours(count):
                taken = measure(JOBS[name](), options.team, options.rounds, 0.0 if options.quick else 2e-2)
            alone, team = (1e6 * statistics.median(taken[threads]) for threads in (1, options.team))
            worst = " | ".join(f"{1e6 * max(taken[threads]):.0f}" for threads in (1, options.team))
            print(f"| {name} | {count} | {alone:.1f} | {team:.1f} | {team / alone:.2f} | {worst} |", flush=True)
    fb.cpu.set_threads(None)


if __name__ == "__main__":
    main()
