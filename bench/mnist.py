"""python -m bench.mnist: MNIST to 98 % test accuracy, by fastbp and by torch.

One recipe for both - 784-512-512-10 relu, cross-entropy, Adam from 2e-3 in a line to 0 over 4 epochs, batches of 256 -
and one that gets there sooner. Each run is a process of its own, by turns; the seconds are those of training alone:
data are loaded and libraries imported before, the test images read afterwards.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np

from bench import ROOT, machine
from bench.run import positive
from bench.worker import environment
from fastbp import Adam, datasets, mlp, schedules

EPOCHS, BATCH, LR, WIDTHS = 4, 256, 2e-3, (784, 512, 512, 10)
OWN = {"widths": (784, 256, 10), "epochs": 3, "batch": 128, "peak": 8e-3}


def steps_of(data, epochs, batch):
    return epochs * -(-len(data.y_train) // batch)


def fastbp(data, threads, seed):
    """(seconds, test accuracy) of the recipe."""
    net = mlp(*WIDTHS, activation="relu", loss="cross_entropy", seed=seed)
    return trained(net, data, schedules.Linear(LR, steps_of(data, EPOCHS, BATCH)), EPOCHS, BATCH, threads)


def sooner(data, threads, seed):
    """(seconds, test accuracy) of a smaller network, one cycle of the learning rate, and pixels that are bytes."""
    net = mlp(*OWN["widths"], activation="relu", loss="cross_entropy", seed=seed, input_scale=1 / 255)
    rate = schedules.OneCycle(OWN["peak"], steps_of(data, OWN["epochs"], OWN["batch"]))
    return trained(net, data, rate, OWN["epochs"], OWN["batch"], threads)


def trained(net, data, rate, epochs, batch, threads):
    begun = time.perf_counter()
    net.fit(data.X_train, data.y_train, epochs=epochs, batch_size=batch, optimizer=Adam(lr=rate), seed=net.seed,
            threads=threads, progress=False)
    seconds = time.perf_counter() - begun
    return seconds, float((net.predict(data.X_test).argmax(axis=1) == data.y_test).mean())


def torch(data, threads, seed):
    """(seconds, test accuracy) of the recipe in eager torch, with its fused Adam."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    X, y = torch.from_numpy(data.X_train), torch.from_numpy(np.asarray(data.y_train, np.int64))
    layers = [part for a, b in pairwise(WIDTHS) for part in (nn.Linear(a, b), nn.ReLU())][:-1]
    net, loss_of = nn.Sequential(*layers), nn.CrossEntropyLoss()
    optimizer, step, steps = torch.optim.Adam(net.parameters(), lr=LR, fused=True), 0, steps_of(data, EPOCHS, BATCH)
    begun = time.perf_counter()
    for _ in range(EPOCHS):
        order = torch.randperm(len(X))
        for first in range(0, len(X), BATCH):
            rows = order[first:first + BATCH]
            optimizer.param_groups[0]["lr"] = LR * (1 - step / steps)
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(X[rows]), y[rows]).backward()
            optimizer.step()
            step += 1
    seconds = time.perf_counter() - begun
    with torch.no_grad():
        found = net(torch.from_numpy(data.X_test)).argmax(dim=1).numpy()
    return seconds, float((found == data.y_test).mean())


CONTENDERS = {"fastbp": fastbp, "torch": torch, "sooner": sooner}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m bench.mnist", description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the four files (default: the cache, or a download)")
    parser.add_argument("--rounds", type=positive, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=positive, default=min(2, machine.usable_cpus()), help="default: %(default)s")
    parser.add_argument("--alone", choices=CONTENDERS, help="one run in this process, which prints its result as JSON")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    if options.alone:
        data = datasets.load_mnist(options.data, dtype="uint8" if options.alone == "sooner" else "float32")
        print(json.dumps(CONTENDERS[options.alone](data, options.threads, options.seed)))
        return
    runs = {name: [] for name in CONTENDERS}
    for seed in range(options.rounds):
        for name, taken in runs.items():
            command = [sys.executable, "-m", "bench.mnist", "--alone", name, "--threads", str(options.threads),
                       "--seed", str(seed), *(["--data", options.data] if options.data else [])]
            done = subprocess.run(command, cwd=ROOT, env=environment(options.threads), capture_output=True, text=True)
            if done.returncode:
                print(f"{name}: left out: {done.stderr.strip().splitlines()[-1]}")
                continue
            taken.append(json.loads(done.stdout.splitlines()[-1]))
    for name, taken in runs.items():
        if taken:
            seconds, accuracy = zip(*taken, strict=True)
            print(f"{name:8} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} - {max(seconds):.2f}), "
                  f"test accuracy {100 * min(accuracy):.2f} - {100 * max(accuracy):.2f} %")
    if runs["torch"] and runs["fastbp"]:
        ratios = [b[0] / a[0] for a, b in zip(runs["fastbp"], runs["torch"], strict=True)]
        spread = f"({min(ratios):.2f} - {max(ratios):.2f})"
        print(f"torch / fastbp, the same recipe: {statistics.median(ratios):.2f} {spread}")


if __name__ == "__main__":
    main()
