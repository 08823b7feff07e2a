"""The table of a result (bench/run.py says what a result holds), as Markdown that also reads well on a terminal.

    python -m bench.report bench/results/2026-11-25-amd-epyc-avx512.json        prints it again
"""
import argparse
import json
from pathlib import Path

from bench.cases import CASES

STEPS = ("fastbp us: microseconds a step of chunks of steps, each a call of compiled code or one for each epoch (what "
         "`fit` takes its steps by), without the checks, the validation and the History of a training")
FIT = ("fit us: the same of whole trainings by net.fit or plan.fit, so many epochs each, with all that belongs to "
       "them: checks of the data, orders, the last, smaller batch, accuracy, validation, early stopping, the History")
PEERS = ("a peer's us: of its own training loop, at its better number of threads; ratio: its time over fastbp's; "
         "peer / fit: the best peer's over fit's; fit / steps: what `fit` takes for each step over its compiled steps")


def best(contenders, name):
    """The contender of that name with the lower median, over its numbers of threads; None where there is none."""
    return min((c for c in contenders if c["name"] == name), key=lambda c: c["median"], default=None)


def ours(result, contenders, name="fastbp"):
    """fastbp's steps, or its fit, with as many threads as were asked for: its figure is not the better of two."""
    threads = result["machine"]["threads"]
    return next((c for c in contenders if c["name"] == name and c["threads"] == threads), None)


def header(result):
    """The lines above the table: machine, versions, date, limits."""
    about, limits = result["machine"], result["peak"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [f"{about['date']}  {about['cpu']}, {about['cpus']} CPUs  ISA {about['isa']}  {about['threads']} threads",
             f"Python {about['python']}, {versions}"]
    for threads, peak in limits.items():
        figures = [(peak["gflops"], "GFLOP/s of multiply-adds"), (peak["gemm_gflops"], "in the gemm kernel"),
                   (peak["gbytes"], "GB/s read from memory")]
        lines.append(f"{threads} thread(s): " + ", ".join(f"{value:.1f} {what}" for value, what in figures if value))
    return "\n".join(lines)


def through_fit(result):
    """Whether `fit` was timed, as it is since results say so."""
    return any(c["name"] == "fastbp_fit" for case in result["cases"].values() for c in case["contenders"])


def notes(result):
    """The lines below the table: what was timed."""
    if not through_fit(result):
        return "\n".join([STEPS, PEERS.partition("; peer / fit")[0]])
    epochs = ", ".join(f"{name} {case['fit']['epochs']}" for name, case in result["cases"].items()
                       if any(c["name"] == "fastbp_fit" for c in case["contenders"]))
    return "\n".join([STEPS, f"{FIT}. Epochs: {epochs}", PEERS])


def table(result):
    """A row for each workload: fastbp's steps, its fit, then each peer at its better number of threads, and its time
    over that of fastbp's steps."""
    peers = [name for name in result["versions"] if name != "fastbp"]
    columns = ["workload", "fastbp us", "min - max", "1 thread", "GFLOP/s", "% peak", "best peer"]
    if through_fit(result):
        columns += ["fit us", "fit / steps", "peer / fit"]
    for name in peers:
        columns += [f"{name} us", "ratio"]
    return markdown(columns, [row(result, name, peers) for name in result["cases"]])


def row(result, case, peers):
    """The cells of one workload; "-" for what was not measured."""
    contenders = result["cases"][case]["contenders"]
    mine, fit = ours(result, contenders), ours(result, contenders, "fastbp_fit")
    at_best = {name: peer for name in peers if (peer := best(contenders, name))}
    # other doors to fastbp stand beside the peers where they were asked for, and are none
    least = min((peer["median"] for name, peer in at_best.items() if not name.startswith("fastbp")), default=None)
    cells = [case, "-", "-", "-", "-", "-", "-"]
    if mine:
        alone = next((c for c in contenders if c["name"] == "fastbp" and c["threads"] == 1), None)
        rate = result["cases"][case].get("flop", CASES[case].flop) / mine["median"] / 1e3
        peak = result["peak"].get(str(mine["threads"]), {}).get("gflops")
        cells = [case, number(mine["median"]), f"{number(mine['min'])} - {number(mine['max'])}",
                 number(alone["median"]) if alone else "-", number(rate), f"{100 * rate / peak:.0f}" if peak else "-",
                 times(least, mine)]
    if through_fit(result):
        cells += [number(fit["median"]) if fit else "-", times(fit and fit["median"], mine), times(least, fit)]
    for name in peers:
        peer = at_best.get(name)
        cells.append(f"{number(peer['median'])} ({peer['threads']}t)" if peer else "-")
        cells.append(times(peer and peer["median"], mine))
    return cells


def times(us, contender):
    """How many times as long as the contender, in words; "-" where either is not known."""
    return f"{us / contender['median']:.2f}x" if us and contender else "-"


def number(x):
    """Three figures or more, none after the point from a hundred on."""
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def markdown(columns, rows):
    """A Markdown table, its columns as wide as their widest cell, numbers to the right."""
    widths = [max(len(line[i]) for line in [columns, *rows]) for i in range(len(columns))]

    def line(cells):
        padded = [cell.rjust(width) if i else cell.ljust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"
    rule = [("-" * width if not i else "-" * (width - 1) + ":") for i, width in enumerate(widths)]
    return "\n".join([line(columns), line(rule), *map(line, rows)])


def main(argv=None):
    """Prints the table of each result that is named."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description="Print results of bench.run again.")
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json")
    for path in parser.parse_args(argv).results:
        result = json.loads(path.read_text())
        print(header(result), table(result), notes(result), sep="\n\n", end="\n\n")


if __name__ == "__main__":
    main()
