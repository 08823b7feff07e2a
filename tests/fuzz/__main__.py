"""Feeds a target with inputs that were changed at random.

    python -m tests.fuzz models --runs 1000000 --seed 1
    python -m tests.fuzz csv --runs 0                            only the files of the corpus
    python -m tests.fuzz models --runs 100000 --atheris          by libFuzzer, which keeps what reaches new branches
    python -m tests.fuzz models found/0c3f                       only this input, which was a finding

The same seed gives the same inputs, by whatever Python. A finding is printed with its traceback and, with --keep
FOLDER, its input is written there; findings of the same place are one. Ends with 1 where there were any.
"""

import argparse
import faulthandler
import importlib
import os
import random
import resource
import signal
import sys
import time
import traceback
import zlib
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
TARGETS = ("models", "checkpoints", "idx", "csv", "arguments", "graphs")
POOL = 4096  # inputs that are kept, to be changed again
HANGS = 900  # seconds after which a process that came no further ends, with a traceback


def target(name):
    """The module of a target, and the bytes of its corpus by name."""
    sys.path[:0] = [str(TESTS)] * (str(TESTS) not in sys.path)
    module = importlib.import_module(f"fuzz.{name}")
    folder = Path(__file__).with_name("corpus") / module.CORPUS
    return module, {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def alarm(signum, frame):
    from fuzz.judge import SECONDS, TooSlow

    raise TooSlow(f"longer than {SECONDS} s")


class Judge:
    """Runs inputs of a target, counts what came, and tells of findings, once for each place."""

    def __init__(self, module, keep=None):
        self.module, self.keep = module, keep
        self.taken = self.refused = 0
        self.findings = {}
        signal.signal(signal.SIGPROF, alarm)

    def __call__(self, data):
        """Whether the input was taken."""
        from fuzz.judge import SECONDS

        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            taken = self.module.run(data)
        except Exception as error:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.found(data, error)
            return False
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.taken += bool(taken)
        self.refused += not taken
        return taken

    def found(self, data, error):
        frames = traceback.extract_tb(error.__traceback__)
        frame = next((each for each in reversed(frames) if f"{os.sep}fastbp{os.sep}" in each.filename), frames[-1])
        place = type(error).__name__, frame.filename, frame.lineno, str(error)[:20]
        self.findings[place] = self.findings.get(place, 0) + 1
        if self.findings[place] > 1:
            return
        traceback.print_exception(error)
        print(f"FINDING: {self.module.__name__}, an input of {len(data)} bytes: {data[:200]!r}", flush=True)
        if self.keep:
            self.keep.mkdir(parents=True, exist_ok=True)
            (self.keep / f"{self.module.CORPUS}-{zlib.crc32(data):08x}").write_bytes(data)


def limit_memory():
    """What the process may have beside what it has now."""
    from fuzz.judge import BYTES

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if os.path.exists("/proc/self/statm") else 0
    if pages:
        now = pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


def loop(judge, corpus, runs, seed, tell=False):
    """`runs` inputs: each is one of the corpus, or one that was taken before, changed."""
    rng = random.Random(seed)
    pool = list(corpus.values())
    first, began = len(pool), time.monotonic()
    for i in range(runs):
        data = judge.module.mutate(rng.choice(pool) if rng.random() < 0.5 else pool[rng.randrange(first)], rng)
        if judge(data) and len(data) < 8192:
            if len(pool) < POOL:
                pool.append(data)
            else:
                pool[rng.randrange(first, POOL)] = data
        if i % 1000 == 0:
            faulthandler.dump_traceback_later(HANGS, exit=True)
        if tell and i % 50000 == 0 and i:
            print(f"{i} runs, {time.monotonic() - began:.0f} s, {len(judge.findings)} findings", flush=True)
    faulthandler.cancel_dump_traceback_later()


def by_atheris(name, judge, corpus, runs, seed):
    """libFuzzer's loop, which sees the branches of the Python code; the changes are the target's."""
    import atheris

    folder = Path(os.environ.get("TMPDIR", "/tmp"), f"fastbp-fuzz-{name}")
    folder.mkdir(exist_ok=True)
    for file, data in corpus.items():
        (folder / file).write_bytes(data)

    def changed(data, most, number):
        return judge.module.mutate(data, random.Random(number))[:most]

    def one(data):
        judge(data)
        if judge.findings:
            raise SystemExit(1)

    atheris.Setup(
        [sys.argv[0], f"-runs={runs}", f"-seed={seed or 1}", "-max_len=8192", "-rss_limit_mb=4096", str(folder)],
        one,
        custom_mutator=changed,
    )
    atheris.Fuzz()


def arguments(given=None):
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("files", nargs="*", type=Path, help="inputs to run instead")
    parser.add_argument("--runs", type=int, default=10000, help="how many; 10000")
    parser.add_argument("--seed", type=int, default=1, help="of the changes; 1")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where inputs of findings are written")
    parser.add_argument("--atheris", action="store_true", help="by libFuzzer, if atheris is installed")
    options = parser.parse_args(given)
    if options.runs < 0:
        parser.error(f"--runs is {options.runs}, expected an integer >= 0; leave it out for 10000")
    return options


def main():
    options = arguments()
    if options.atheris:
        import atheris

        with atheris.instrument_imports(include=["fastbp"]):
            module, corpus = target(options.target)
    else:
        module, corpus = target(options.target)
    judge = Judge(module, options.keep)
    faulthandler.enable()
    from fastbp import cpu

    cpu.set_threads(1)
    if options.files:
        corpus = {str(path): path.read_bytes() for path in options.files}
    for data in corpus.values():
        judge(data)
    if judge.findings or options.files or not options.runs:
        print(f"{len(corpus)} inputs: {judge.taken} taken, {judge.refused} refused, {len(judge.findings)} findings")
        return bool(judge.findings)
    if options.atheris:
        return by_atheris(options.target, judge, corpus, options.runs, options.seed)
    loop(judge, corpus, min(200, options.runs), options.seed)  # what is allocated once is there
    limit_memory()
    judge.taken = judge.refused = 0
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    loop(judge, corpus, options.runs, options.seed, tell=True)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds, grown = time.monotonic() - began, (after.ru_maxrss - before.ru_maxrss) / 1024
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{options.target}: {options.runs} runs of seed {options.seed}: {judge.taken} taken, {judge.refused} refused, "
        f"{len(judge.findings)} findings; {seconds:.0f} s, {busy:.0f} s of the processor, {grown:.0f} MB more memory"
    )
    return bool(judge.findings)


if __name__ == "__main__":
    sys.exit(main())
