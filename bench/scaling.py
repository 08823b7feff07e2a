"""How a step speeds up with threads: fastbp and its peers on 1, 2, 4 ... n threads by turns, and a model of more cores.

    python -m bench.scaling                              the larger workloads on as many threads as there are CPUs
    python -m bench.scaling --only mlp512 --peers torch,jax --picture scaling.png
    python -m bench.scaling --rounds 0                   the model alone
    python -m bench.scaling --quick                      little of everything: does it run?

The model (fastbp/_models/scaling.py) takes the time of each task on one thread, what a barrier costs and what crosses
from core to core. Its figures stand beside those that were measured, so that it can be trusted or not, and for more
threads than there are: on cores like those of this machine, and on one of sixteen CPUs whose constants are printed.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np

from bench import machine, peak
from bench.cases import CASES
from bench.peers import MODULES, fastbp
from bench.report import markdown, number
from bench.run import measure, names_of, positive, start
from fastbp._models import scaling

WORKLOADS = ["digits16", "nielsen30", "mlp512", "wide2048", "matexp", "tabular", "policy64"]
# A virtual machine of 16 CPUs, two threads each of 8 cores of an Intel Sapphire Rapids with AVX-512, float32
SIXTEEN = {"threads": 16, "peak": 171e9, "all_peak": 1323e9, "barrier": 0.4e-6, "latency": 0.4e-6, "bandwidth": 12.5e9,
           "all_bandwidth": 94e9, "cache": 2 << 20}


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m bench.scaling",
                                     description="Time fastbp on more and more threads.")
    parser.add_argument("--only", type=names_of(WORKLOADS), default=WORKLOADS, metavar="CASES",
                        help=f"workloads, separated by commas: {', '.join(WORKLOADS)}")
    others = [name for name in MODULES if not name.startswith("fastbp")]
    parser.add_argument("--peers", type=names_of(others), default=[],
                        help=f"separated by commas, of {', '.join(others)}")
    parser.add_argument("--threads", type=positive, default=machine.usable_cpus(), help="at most; default: %(default)s")
    parser.add_argument("--rounds", type=whole, default=5,
                        help="chunks of each; 0: the model alone; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one round of short chunks, the smallest workloads")
    parser.add_argument("--json", type=Path, metavar="PATH", help="where the figures go")
    parser.add_argument("--picture", type=Path, metavar="PATH", help="where a picture of them goes (.png, .svg)")
    options = parser.parse_args(argv)
    if not options.only:
        parser.error("--only names no workload")
    for path in filter(None, (options.json, options.picture)):
        if not path.resolve().parent.is_dir():
            parser.error(f"{path}: there is no such folder")
    if options.picture and options.picture.suffix not in (".png", ".svg", ".pdf"):
        parser.error(f"--picture {options.picture}: expected a file that ends in .png, .svg or .pdf")
    return options


def whole(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def main(argv=None):
    """Runs what the command line asks for, prints tables, stores figures and picture. Returns the exit status."""
    options = arguments(argv)
    if options.quick:
        options.rounds, options.only = min(options.rounds, 1), options.only[:2]
    sizes = scaling.sizes(options.threads)
    settings = {"rounds": options.rounds, "chunk_seconds": 0.05 if options.quick else 0.2, "quick": options.quick}
    result = {"machine": machine.describe(options.threads), "measured": {}, "model": {}, "inputs": {}}
    faults = []
    here = scaling.this_machine()
    if here is None:
        print("no model: no two threads ran side by side; see fastbp info, or let the machine rest", file=sys.stderr)
    if options.rounds:
        workers = [worker for name in ("fastbp", *options.peers) for worker in start(name, sizes, {})]
        try:
            for case in options.only:
                found = measure(case, workers, settings, faults)["contenders"]
                result["measured"][case] = [[c["name"], c["threads"], c["median"]] for c in found]
                # what two threads say to each other costs 0.2 or 2 us, by the minute: so it is asked in the same one
                if here is not None:
                    result["inputs"][case] = inputs(scaling.this_machine() or here)
        finally:
            for worker in workers:
                worker.close()
        print("\nmeasured, us a step on so many threads\n" + measured_table(result["measured"], sizes))
    if here is not None:
        model(result, options, here)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.picture:
        draw(result, options.picture)
    for fault in faults:
        print("WRONG:", fault, file=sys.stderr)
    return 1 if faults else 0


def model(result, options, first):
    """Predicts each workload on this machine and on that of sixteen CPUs; prints both, and what they were made of.
    first: the Machine that was found first, for where the machine is too busy to be asked again."""
    gflops = peak.measure(1, 0.05 if options.quick else 0.2)["gflops"]
    if not gflops:
        print("\nno model: it needs a C compiler (for the peak)", file=sys.stderr)
        return
    there = scaling.Machine(measured_peak=1e9 * gflops, **SIXTEEN)
    for case in options.only:
        step = measured_step(CASES[case], 0.02 if options.quick else 0.3)
        found = result["inputs"].setdefault(case, inputs(scaling.this_machine() or first))
        here = scaling.Machine(*(1e-6 * found[name] for name in ("barrier us", "latency us")), 1e9 * found["GB/s"],
                               write_bandwidth=1e9 * found["GB/s written"])
        result["model"][case] = {
            "one thread": 1e6 * step.seconds, "bytes of weights and state": step.weight_bytes,
            "tasks": [[phase.kind, phase.stage, len(phase.seconds), 1e6 * float(phase.seconds.max())]
                      for phase in step.phases],
            "here": {size: 1e6 * step.times(here, size).total for size in scaling.sizes(scaling.MOST_THREADS)},
            "there": {size: 1e6 * step.times(there, size).total for size in scaling.sizes(there.threads)},
        }
    values = {}
    for found in result["inputs"].values():
        for name, value in found.items():
            values.setdefault(name, []).append(value)
    said = {name: f"{min(found):.3g} - {max(found):.3g}" for name, found in values.items()}
    print(f"\nmodel of this machine with more cores: a barrier {said['barrier us']} us, {said['latency us']} us and "
          f"{said['GB/s']} GB/s from another core, {said['GB/s written']} GB/s where another has read; us a step\n"
          + model_table(result, "here"))
    print(f"\nmodel of 16 CPUs: {there.peak / 1e9:.0f} GFLOP/s of one and {there.all_peak / 1e9:.0f} of all (tasks "
          f"were timed on a thread of {gflops:.0f}), a barrier {1e6 * there.barrier:.2f} us, "
          f"{1e6 * there.latency:.2f} us and {there.bandwidth / 1e9:.1f} GB/s of a core and "
          f"{there.all_bandwidth / 1e9:.0f} of all, {there.cache >> 20} MB of L2 cache a core; us a step\n"
          + model_table(result, "there"))
    print("\ntasks of each phase, and us of the longest on one thread here")
    for case, found in result["model"].items():
        print(f"  {case:10} " + ", ".join(f"{kind if kind != 'rows' else f'rows {stage}'} {count} x {number(longest)}"
                                         for kind, stage, count, longest in found["tasks"]) +
              f"; {found['bytes of weights and state'] / 1e6:.3g} MB of weights and state a step")


def inputs(found):
    """What was measured of this machine, as it is printed and stored."""
    return {"barrier us": 1e6 * found.barrier, "latency us": 1e6 * found.latency, "GB/s": found.bandwidth / 1e9,
            "GB/s written": (found.write_bandwidth or found.bandwidth) / 1e9}


def measured_step(case, seconds):
    """The scaling.Step of a workload as the benchmark trains it."""
    net, optimizer = fastbp.network(case), fastbp.optimizer(case)
    X, y = case.data()
    if case.classes:
        y = y.astype(np.int32)
    return scaling.measured(net, X, y, case.batch, optimizer, seconds)


def measured_table(measured, sizes):
    rows = []
    for case, found in measured.items():
        names = dict.fromkeys(name for name, _, _ in found)
        for name in names:
            us = {threads: median for of, threads, median in found if of == name}
            best = min(us, key=us.get)
            rows.append([f"{case} {name}", *(number(us[size]) if size in us else "-" for size in sizes),
                         f"{us[1] / us[best]:.2f} ({best})" if 1 in us else "-"])
    return markdown(["", *map(str, sizes), "best speed-up"], rows)


def model_table(result, which):
    sizes = list(next(iter(result["model"].values()))[which])
    rows = []
    for case, found in result["model"].items():
        us = found[which]
        best = min(us, key=us.get)
        off = "-"
        for name, threads, median in result["measured"].get(case, []):
            if name == "fastbp" and threads == 2 and which == "here":
                off = f"{100 * (us[2] / median - 1):+.0f} %"
        rows.append([case, *(number(us[size]) for size in sizes), f"{us[1] / us[best]:.1f} ({best})",
                     *([off] if which == "here" else [])])
    return markdown(["", *map(str, sizes), "best speed-up", *(["2 threads, off"] if which == "here" else [])], rows)


def draw(result, path):
    """Speed-up over threads, a panel for each workload: measured with dots, predicted with lines."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    cases = list(result["model"] or result["measured"])
    columns = min(4, len(cases))
    rows = -(-len(cases) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(3.1 * columns, 2.8 * rows), squeeze=False,
                                   layout="constrained")
    for axis, case in zip(axes.flat, cases, strict=False):
        for which, label in (("here", "model, cores like these"), ("there", "model, 16 CPUs")):
            us = result["model"].get(case, {}).get(which)
            if us:
                axis.plot(list(us), [us[1] / value for value in us.values()], label=label)
        for name in dict.fromkeys(name for name, _, _ in result["measured"].get(case, [])):
            us = {threads: median for of, threads, median in result["measured"][case] if of == name}
            if 1 in us:
                axis.plot(list(us), [us[1] / value for value in us.values()], "o", label=f"{name}, measured")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2)
        axis.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        axis.set_yticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        axis.grid(alpha=0.3)
        axis.set_title(case, fontsize=10)
    for axis in list(axes.flat)[len(cases):]:
        axis.axis("off")
    axes[0][0].legend(fontsize=7)
    figure.supxlabel("threads", fontsize=9)
    figure.supylabel("speed-up over one thread", fontsize=9)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
