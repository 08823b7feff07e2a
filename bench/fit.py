"""python -m bench.fit: value and gradient of a polynomial's mean square error, a call at a time from Python.

The curve fit of the tutorial, degree 5, over N points in float32: what an optimizer of another library asks for. Every
contender is called as its users call it, and must give the same gradient; by turns, in processes of their own, with one
thread and with --threads, each at its better one.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from os import environ

import numpy as np

from bench import ROOT, machine, report
from bench.worker import THREAD_VARIABLES

DEGREE, POINTS, CONTENDERS = 5, (100, 10_000, 1_000_000), ("fastbp", "numpy", "torch", "jax")
PAUSE, CHUNK_SECONDS, TOLERANCE = 0.02, 0.2, 1e-4


def points(n):
    """x, y (n,) float32."""
    rng = np.random.default_rng(n)
    x = rng.uniform(-1, 1, n).astype(np.float32)
    return x, (np.sin(3 * x) + 0.1 * rng.standard_normal(n)).astype(np.float32)


KNOBS = np.linspace(0.5, -0.5, DEGREE + 1).astype(np.float32)

# ---- contenders: each gives a function that returns (value, gradient (6,)) ----------------------------------------


def fastbp(x, y, threads):
    from fastbp import graph as g

    xs, ys = g.inputs("x", "y")
    k = g.parameter("k", DEGREE + 1, init=KNOBS)
    plan = g.compile(g.mean((g.sum(k[i] * xs**i for i in range(DEGREE + 1)) - ys) ** 2))

    def call():
        value, grads = plan.loss_and_grad(x=x, y=y)
        return value, grads["k"]

    return call


def numpy(x, y, threads):
    k = KNOBS

    def call():
        powers = [np.ones_like(x), x]
        for _ in range(DEGREE - 1):
            powers.append(powers[-1] * x)
        error = sum(a * p for a, p in zip(k, powers, strict=True)) - y
        scaled = error * np.float32(2 / len(x))
        return float(error @ error) / len(x), np.array([scaled @ p for p in powers])

    return call


def torch(x, y, threads):
    import torch

    torch.set_num_threads(threads)
    xs, ys, k = torch.from_numpy(x), torch.from_numpy(y), torch.tensor(KNOBS, requires_grad=True)

    def call():
        value = ((sum(k[i] * xs**i for i in range(DEGREE + 1)) - ys) ** 2).mean()
        return value.item(), torch.autograd.grad(value, k)[0].numpy()

    return call


def jax(x, y, threads):
    import jax
    import jax.numpy as jnp

    from bench.peers import jax as _pinned  # noqa: F401  one thread is one CPU: XLA reads that at import

    def loss(k, x, y):
        return jnp.mean((sum(k[i] * x**i for i in range(DEGREE + 1)) - y) ** 2)

    step = jax.jit(jax.value_and_grad(loss))
    k, xs, ys = jnp.asarray(KNOBS), jnp.asarray(x), jnp.asarray(y)

    def call():
        value, gradient = jax.block_until_ready(step(k, xs, ys))
        return value, gradient

    return call


# ---- the process of one contender ------------------------------------------------------------------------------------


def serve(name, threads):
    """Answers lines of JSON: {"n": points} makes the call and says how many take CHUNK_SECONDS; {} times that many."""
    try:
        make = globals()[name]
        make(*points(10), threads)
    except ImportError as why:
        print(json.dumps({"missing": str(why)}), flush=True)
        return
    print(json.dumps({}), flush=True)
    call, count = None, 1
    for line in sys.stdin:
        request = json.loads(line)
        if "n" in request:
            call = make(*points(request["n"]), threads)
            value, gradient = call()
            begun, taken, count = time.perf_counter(), 0.0, 0
            while taken < CHUNK_SECONDS / 2:
                call()
                count, taken = count + 1, time.perf_counter() - begun
            count = max(1, round(count * CHUNK_SECONDS / taken))
            print(json.dumps({"gradient": np.asarray(gradient).tolist(), "value": float(value)}), flush=True)
            continue
        call()
        begun = time.perf_counter()
        for _ in range(count):
            call()
        print(json.dumps({"us": (time.perf_counter() - begun) / count * 1e6}), flush=True)


class Process:
    """A contender's process, from outside."""

    def __init__(self, name, threads):
        self.name, self.threads = name, threads
        env = dict(environ, **{variable: str(threads) for variable in THREAD_VARIABLES})
        self.process = subprocess.Popen([sys.executable, "-m", "bench.fit", "--serve", name, str(threads)], cwd=ROOT,
                                        env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = json.loads(self.process.stdout.readline())

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m bench.fit", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=min(2, machine.usable_cpus()))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--points", type=int, nargs="+", default=POINTS)
    parser.add_argument("--peers", nargs="*", default=CONTENDERS[1:], choices=CONTENDERS[1:])
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        serve(options.serve[0], int(options.serve[1]))
        return 0
    processes = [Process(name, t) for name in ("fastbp", *options.peers) for t in sorted({1, options.threads})]
    for process in [process for process in processes if "missing" in process.about]:
        print(f"{process.name} is left out: {process.about['missing']}", file=sys.stderr)
        processes.remove(process)
    wrong, rows = [], []
    for n in options.points:
        samples = measure(n, processes, options.rounds, wrong)
        rows.append(row(n, samples, options))
    for process in processes:
        process.close()
    columns = ["points", "fastbp us", "min - max"]
    for name in options.peers:
        columns += [f"{name} us", "ratio"]
    print(report.markdown(columns, rows))
    for fault in wrong:
        print("WRONG:", fault, file=sys.stderr)
    return 1 if wrong else 0


def measure(n, processes, rounds, wrong):
    """{(name, threads): microseconds of each round}, by turns."""
    truth, samples = None, {}
    for process in processes:
        gradient = np.array(process.ask(n=n)["gradient"])
        truth = gradient if truth is None else truth
        if np.abs(gradient - truth).max() > TOLERANCE * np.abs(truth).max():
            wrong.append(f"{n} points: {process.name} has the gradient {gradient}, not {truth}")
    for turn in range(rounds):
        for i in range(len(processes)):
            process = processes[(i + turn) % len(processes)]
            time.sleep(PAUSE)
            samples.setdefault((process.name, process.threads), []).append(process.ask()["us"])
    return samples


def row(n, samples, options):
    """The cells of one number of points."""
    mine = samples["fastbp", options.threads]
    median = statistics.median(mine)
    cells = [str(n), report.number(median), f"{report.number(min(mine))} - {report.number(max(mine))}"]
    for name in options.peers:
        found = {threads: statistics.median(taken) for (one, threads), taken in samples.items() if one == name}
        if not found:
            cells += ["-", "-"]
            continue
        threads = min(found, key=found.get)
        cells += [f"{report.number(found[threads])} ({threads}t)", f"{found[threads] / median:.2f}x"]
    return cells


if __name__ == "__main__":
    sys.exit(main())
