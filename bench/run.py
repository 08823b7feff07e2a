"""python -m bench.run: the twelve workloads, fastbp and its peers by turns, in one run.

For each workload every contender makes the same data and the same initial parameters; after a few updates on one batch
the losses must agree, or the contender is not timed and the exit status is 1. Then, in rounds, each runs a chunk of
steps, so that a machine that grows slower or hotter does so for all; a figure is the median over the rounds, with the
least and the greatest. Peers run with 1 thread and with --threads; a ratio is to the better of the two.

fastbp is there twice: as the compiled steps by themselves, and as its users call it, through `fit`: whole trainings,
with the checks of the data, the orders, validation, early stopping and the History that belong to them. Peers run their
own training loops. `python -m bench.report RESULT.json` prints the table of a result again.
"""
import argparse
import json
import statistics
import sys
import time
from functools import partial
from pathlib import Path

from bench import machine, peak, report
from bench.cases import CASES
from bench.peers import MODULES
from bench.worker import Worker

RESULTS = Path(__file__).with_name("results")
TOLERANCE = 1e-3   # of the loss, relative, after the same few updates
OURS = ("fastbp", "fastbp_fit")
QUICK_FLOP = 1e11  # of a training through fit, about a second's; longer ones are left out of a quick run
ASKED_FOR = ("torch_compile", "fastbp_expression", "fastbp_own_loss")  # contenders that run where they are named
PAUSE = 0.02       # seconds between chunks: the last contender's threads stop spinning


def arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Time fastbp beside its peers.")
    parser.add_argument("--quick", action="store_true", help="about two minutes: three rounds of short chunks")
    parser.add_argument("--only", type=names_of(CASES), default=list(CASES), metavar="CASES",
                        help=f"workloads, separated by commas: {', '.join(CASES)}")
    others = [name for name in MODULES if name not in OURS]
    parser.add_argument("--peers", type=names_of(others), default=[p for p in others if p not in ASKED_FOR],
                        help=f"separated by commas, of {', '.join(others)}; the default is all but "
                             f"{', '.join(ASKED_FOR)}; "
                             "one that is not installed is left out")
    parser.add_argument("--threads", type=positive, default=min(2, machine.usable_cpus()), help="default: %(default)s")
    parser.add_argument("--rounds", type=positive, help="chunks of each contender (default: 9, with --quick 3)")
    parser.add_argument("--json", type=Path, metavar="PATH",
                        help="where the result goes (default: bench/results/<date>-<cpu>.json)")
    return parser.parse_args(argv)


def names_of(known):
    def parse(text):
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names
    return parse


def positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def main(argv=None):
    """Runs what the command line asks for; prints and stores the result. Returns the exit status."""
    options = arguments(argv)
    teams = sorted({1, options.threads})
    result = {"machine": machine.describe(options.threads), "versions": {}, "peak": {}, "cases": {},
              "settings": {"quick": options.quick, "rounds": options.rounds or (3 if options.quick else 9),
                           "chunk_seconds": 0.05 if options.quick else 0.2}}
    limits(result["peak"], teams, options.quick)
    library = peak.compiled()
    meet = partial(peak.round_trip, library) if library and options.threads > 1 else None
    workers = []
    try:
        for name in [*OURS, *options.peers]:
            workers += start(name, teams, {} if name == "fastbp_fit" else result["versions"])
        print(report.header(result), flush=True)
        faults = []
        for name in options.only:
            result["cases"][name] = measure(name, workers, result["settings"], faults, meet)
    finally:
        for worker in workers:
            worker.close()
    limits(result["peak"], teams, options.quick)
    print("\n" + report.table(result))
    print("\n" + report.notes(result))
    for fault in faults:
        print("WRONG:", fault, file=sys.stderr)
    store(result, options)
    return 1 if faults else 0


def limits(found, teams, quick):
    """Measures what the machine can do, before the workloads and after them: the better figures are its limits, which
    it may be far from for minutes. found: {threads: figures}, filled."""
    for threads in teams:
        before, now = found.get(str(threads), {}), peak.measure(threads, 0.05 if quick else 0.2)
        found[str(threads)] = {name: max(before.get(name) or 0, now[name] or 0) or None for name in now}


def start(name, teams, versions):
    """Its workers, one for each number of threads; none where it is not installed."""
    workers = []
    for threads in teams:
        worker = Worker(name, threads)
        if "missing" in worker.about:
            print(f"{name} is left out: {worker.about['missing']}", file=sys.stderr)
            worker.close()
            break
        versions[name] = worker.about["version"]
        workers.append(worker)
    return workers


def measure(name, workers, settings, faults, meet=None):
    """{"flop", "contenders": [...], "round_trips", "fit"} of one workload. Wrong results are added to faults. meet() ->
    the nanoseconds of a round trip between two threads, which is asked for every round."""
    case, ready, truth = CASES[name], [], None
    long = settings.get("quick") and case.flop * case.epoch_steps * case.epochs > QUICK_FLOP
    for worker in sorted(workers, key=lambda worker: worker.name != "numpy"):  # the baseline says what is right
        if long and worker.name == "fastbp_fit":
            continue
        try:
            loss = worker.ask("load", case=name).get("loss", "missing")
        except RuntimeError as why:
            faults.append(f"{name}: {why}")
            continue
        if loss == "missing":
            continue
        truth = loss if truth is None else truth
        if loss is not None and not abs(loss - truth) <= TOLERANCE * abs(truth):
            faults.append(f"{name}: {worker.name} with {worker.threads} threads reaches the loss {loss}, not {truth}")
            continue
        ready.append((worker, loss))
    ready.sort(key=lambda pair: workers.index(pair[0]))
    steps = [worker.ask("pace", seconds=settings["chunk_seconds"])["steps"] for worker, _ in ready]
    samples, trips = [[] for _ in ready], []
    for round_ in range(settings["rounds"]):
        trips += [meet()] if meet else []
        for i in rotated(len(ready), round_):
            time.sleep(PAUSE)
            samples[i].append(1e6 * ready[i][0].ask("run", steps=steps[i])["seconds"] / steps[i])
    for worker in workers:
        worker.ask("drop")
    contenders = [{"name": worker.name, "threads": worker.threads, "median": statistics.median(taken),
                   "min": min(taken), "max": max(taken), "samples": taken, "steps": count, "loss": loss}
                  for (worker, loss), taken, count in zip(ready, samples, steps, strict=True)]
    said = f"  (a round trip between two threads: {min(trips):.0f} - {max(trips):.0f} ns)" if trips else ""
    print(f"\n{name}{said}")
    for c in contenders:
        print(f"  {c['name']:18}{c['threads']} thread(s) {report.number(c['median']):>9} us  "
              f"({report.number(c['min'])} - {report.number(c['max'])})  "
              f"{report.number(case.flop / c['median'] / 1e3)} GFLOP/s", flush=True)
    return {"flop": case.flop, "contenders": contenders, "round_trips": trips,
            "fit": {"epochs": case.epochs, "steps": case.epochs * case.epoch_steps, "held": case.held}}


def rotated(count, by):
    """0 ... count-1 beginning elsewhere each round, so that nobody always follows the same neighbour's first chunk."""
    return [(i + by) % count for i in range(count)]


def store(result, options):
    whole = options.only == list(CASES)
    path = options.json or RESULTS / machine.file_name(result["machine"], "quick" if options.quick else
                                                       "" if whole else "part")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print("stored in", path)


if __name__ == "__main__":
    sys.exit(main())
