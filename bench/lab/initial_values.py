"""Which initial values should a layer have that was told nothing? Such that it learns no worse than anybody's.

    python -m bench.lab.initial_values                  relu, tanh and sigmoid: the study of docs/numerics.md
    python -m bench.lab.initial_values --activations elu,gelu,mish --depths 6
    python -m bench.lab.initial_values --held-out       on data that played no part in choosing
    python -m bench.lab.initial_values --quick          little of everything: does it run?

Networks that differ in nothing but their initial values - equal widths, Adam at 1e-3, the same batches in the same
order - are trained by fastbp: with the defaults of scikit-learn, torch and Keras, passed as arrays, and with its own.
A score is R squared, or the share of right answers, on data that
no network has seen, after 300 steps and after 2,000, and is averaged over both and over 1, 2 and 3 hidden layers; its
spread is the standard deviation over ten seeds. A rule is *behind* where the best of the three libraries is better by
more than the spread of their difference, sqrt(s1^2 + s2^2): by more than another seed changes. Exits with 1 if
fastbp is.

Last answer: with one to three hidden layers fastbp's are behind the best of the three on none of 14 sets of data, but
for silu and mish (one); on none or one of 13 that were held out; with six and ten layers on none to five of those 27:
the tables are in docs/numerics.md. 5 minutes on two shared cores of an AMD EPYC for relu, tanh and sigmoid; the tables
take an hour: --activations, --depths 6, --seeds 5, --held-out.
"""

import argparse
import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import numpy as np

import fastbp as fb
from bench import machine
from bench.lab.initial_data import CHOSEN_ON, HELD_OUT, Task
from fastbp._core import random

BATCH = 32  # rows a step

# ---- rules ---------------------------------------------------------------------------------------------------------


def glorot(inputs, units, factor=6.0):
    return math.sqrt(factor / (inputs + units))


def sklearn(inputs, units, activation):
    """(a, c) of scikit-learn 1.6's MLPs: W is uniform on [-a, a), b on [-c, c). The factor follows the hidden layers'
    activation everywhere."""
    bound = glorot(inputs, units, 2.0 if activation == "sigmoid" else 6.0)
    return bound, bound


def torch(inputs, units, activation):
    """The same of torch 2's nn.Linear."""
    return 1 / math.sqrt(inputs), 1 / math.sqrt(inputs)


def keras(inputs, units, activation):
    """The same of Keras 3's Dense."""
    return glorot(inputs, units), 0.0


PEERS = {"scikit-learn": sklearn, "torch": torch, "Keras": keras}
RULES = (*PEERS, "fastbp")


def layer(rule, inputs, units, activation, hidden, key):
    """A Dense layer of a network whose hidden layers have the activation `hidden`."""
    if rule == "fastbp":
        return fb.Dense(inputs, units, activation)
    W, b = (
        bound * (2 * random.uniform(shape, random.fold(key, part)) - 1)
        for part, (bound, shape) in enumerate(zip(PEERS[rule](inputs, units, hidden), ((inputs, units), (units,)),
                                                  strict=True))
    )
    return fb.Dense(inputs, units, activation, init=W, bias_init=b)


def network(rule, widths, activation, loss, seed):
    """fb.mlp of these widths, with a rule's initial values. Seeds draw the same numbers for all rules."""
    last = len(widths) - 2
    made = [
        layer(rule, inputs, units, "linear" if i == last else activation, activation, random.fold(seed, i))
        for i, (inputs, units) in enumerate(pairwise(widths))
    ]
    return fb.Sequential(*made, loss=loss, seed=seed)


# ---- the study -----------------------------------------------------------------------------------------------------


def scores(name, activation, depth, width, seeds, stops):
    """(rules, seeds, stops): the scores of networks on unseen data after so many steps."""
    fb.cpu.set_threads(1)  # there is a process for each core
    task = Task(name)
    widths = (task.X.shape[1], *[width] * depth, task.units)
    nets = [network(rule, widths, activation, task.loss, seed) for rule in RULES for seed in range(seeds)]
    optimizers = [fb.Adam(lr=1e-3) for _ in nets]
    per_epoch, epoch, found = math.ceil(len(task.X) / BATCH), 0, []
    for steps in stops:
        until = max(epoch + 1, round(steps / per_epoch))
        order = [1000 * net.seed + epoch for net in nets]
        fb.fit_many(nets, task.X, task.y, epochs=until - epoch, batch_size=BATCH, optimizers=optimizers, seeds=order,
                    progress=False)  # fmt: skip
        epoch = until
        found.append([task.score(net) for net in nets])
    return np.array(found).reshape(len(stops), len(RULES), seeds).transpose(1, 2, 0)


def behind(means, spreads):
    """(rules,) bools of one set of data, and which of the libraries is best there. means, spreads: (rules,)."""
    best = int(np.argmax(means[: len(PEERS)]))
    # what rounding can do to a mean of equal scores is no difference
    return means[best] - means > np.hypot(spreads, spreads[best]) + 1e-9, best


def report(activation, results):
    """Prints the table of {data: (rules, seeds)}; returns the sets of data where fastbp is behind, and a line of the
    activation's mean scores and how often each rule is behind."""
    print(f"\n## {activation}\n\n| data | " + " | ".join(RULES) + " | best library | behind |")
    print("|---" * (len(RULES) + 3) + "|")
    late, all_means = [], []
    for name, values in results.items():
        means, spreads = values.mean(1), values.std(1, ddof=1) if values.shape[1] > 1 else 0 * values[:, 0]
        slow, best = behind(means, spreads)
        late.append(slow)
        all_means.append(means)
        cells = " | ".join(f"{mean:.3f} ± {spread:.3f}" for mean, spread in zip(means, spreads, strict=True))
        slow = ", ".join(rule for rule, is_slow in zip(RULES, slow, strict=True) if is_slow)
        print(f"| {name} | {cells} | {RULES[best]} | {slow} |")
    late = np.array(late)
    total = np.maximum(all_means, 0).mean(0)  # worse than answering the mean is not made worse by how much
    print("| mean | " + " | ".join(f"{mean:.4f}" for mean in total) + " | | |")
    print("| behind at | " + " | ".join(f"{count} of {len(late)}" for count in late.sum(0)) + " | | |", flush=True)
    short = " | ".join(f"{mean:.3f}; {count}" for mean, count in zip(total, late.sum(0), strict=True))
    slow = [name for name, slow in zip(results, late, strict=True) if slow[RULES.index("fastbp")]]
    return slow, f"| {activation} | {short} |"


def names(text):
    return text.split(",")


def numbers(text):
    return [int(part) for part in text.split(",")]


def main(argv=None):
    """Runs what the command line asks for and prints a table for each activation."""
    parser = argparse.ArgumentParser(prog="python -m bench.lab.initial_values", description=__doc__.split("\n\n")[0])
    parser.add_argument("--activations", type=names, default=["relu", "tanh", "sigmoid"])
    parser.add_argument("--data", type=names, default=CHOSEN_ON)
    parser.add_argument("--held-out", dest="data", action="store_const", const=HELD_OUT, help="data not chosen on")
    parser.add_argument("--depths", type=numbers, default=[1, 2, 3], help="hidden layers (default: 1,2,3)")
    parser.add_argument("--width", type=int, default=32, help="of hidden layers (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--stops", type=numbers, default=[300, 2000], help="steps (default: 300,2000)")
    parser.add_argument("--quick", action="store_true", help="two sets of data, two seeds, few steps")
    options = parser.parse_args(argv)
    if options.quick:
        options.data, options.depths, options.seeds, options.stops = ["iris", "smooth"], [1, 2], 2, [30, 60]
    begun, late, lines = time.perf_counter(), [], []
    setting = options.width, options.seeds, options.stops
    with ProcessPoolExecutor(machine.usable_cpus(), get_context("spawn")) as pool:
        jobs = {
            (activation, name): [pool.submit(scores, name, activation, depth, *setting) for depth in options.depths]
            for activation in options.activations for name in options.data
        }  # fmt: skip
        for activation in options.activations:
            found = {name: np.concatenate([job.result() for job in jobs[activation, name]], axis=2).mean(2)
                     for name in options.data}  # fmt: skip
            slow, line = report(activation, found)
            late += [f"{activation}: {name}" for name in slow]
            lines.append(line)
    print(f"\n| mean score; behind on, of {len(options.data)} | " + " | ".join(RULES) + " |")
    print("|---" * (len(RULES) + 1) + "|", *lines, sep="\n")
    print(f"\n{time.perf_counter() - begun:.0f} s; fastbp is behind at: {', '.join(late) or 'nothing'}")
    return int(bool(late) and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
