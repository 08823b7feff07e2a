"""One contender in a process of its own, told what to do by lines of JSON: `python -m bench.worker NAME THREADS`.

Worker is the side that tells it. A process each, because OpenBLAS, OpenMP and XLA fix their number of threads when they
are loaded, and because an idle team of one library must not disturb another's.
"""
import json
import math
import os
import subprocess
import sys
import time

from bench import ROOT, peers
from bench.cases import CASES

CHECK_STEPS = 3
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTBP_NUM_THREADS")


def environment(threads, **variables):
    """That of a process in which every library has so many threads; variables: what else is set in it."""
    return dict(os.environ, **{variable: str(threads) for variable in THREAD_VARIABLES}, **variables)


class Worker:
    """A contender's process, seen from the one that measures. variables: of its environment."""

    def __init__(self, name, threads, **variables):
        self.name, self.threads = name, threads
        self.process = subprocess.Popen([sys.executable, "-m", "bench.worker", name, str(threads)], cwd=ROOT,
                                        env=environment(threads, **variables), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.about = self.answer()  # {"version": ...} or {"missing": why}

    def ask(self, do, **details):
        """The worker's answer to {"do": do, **details}. Raises RuntimeError with its error, or if it died."""
        self.process.stdin.write(json.dumps({"do": do, **details}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} with {self.threads} threads ended with status {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name} with {self.threads} threads: {answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Served:
    """The workload a worker has at hand, and the answers it gives."""

    def __init__(self, module, threads):
        self.module, self.threads = module, threads
        self.contender, self.idle = None, math.inf

    def load(self, case):
        """Makes the data and the contender. {"loss": after CHECK_STEPS updates on the first batch, or None}."""
        self.drop()  # the last workload's memory goes before the next one's comes
        case = CASES[case]
        X, y = case.data()
        try:
            loss = self.check(case, X, y)
            self.contender = peers.contender(self.module, case, X, y, self.threads)
        except NotImplementedError as why:
            return {"missing": str(why)}
        return {"loss": loss}

    def check(self, case, X, y):
        B = case.batch
        contender = peers.contender(self.module, case.one_batch(), X[:B].copy(), y[:B].copy(), self.threads)
        contender.multiple = CHECK_STEPS  # all in one call where a call takes many
        contender.run(CHECK_STEPS)
        return contender.loss()

    def pace(self, seconds):
        """Warms up. {"steps": how many take about `seconds`}, a multiple of the contender's."""
        multiple = steps = self.contender.multiple
        self.timed(steps)  # compiles, faults pages in
        while (taken := self.timed(steps)) < seconds / 4:
            steps *= 4
        return {"steps": max(1, round(seconds / taken * steps / multiple)) * multiple}

    def run(self, steps):
        """{"seconds": of `steps` steps}, after a few that wake threads and caches; a single long step needs none."""
        if steps > self.contender.multiple:
            self.timed(self.contender.multiple)
        return {"seconds": self.timed(steps)}

    def drop(self):
        self.contender, self.idle = None, math.inf
        return {}

    def timed(self, steps):
        """Seconds of `steps` steps: of a call, less those of a call of none, which is what a library checks of its
        arguments before it begins. Training does that once, not once for each chunk that is timed here. A contender
        that calls `fit` takes whole trainings for steps, whose checks are in them, and has nothing to do for none.

        Of the calls of none the shortest counts: on a busy machine a single one may take longer than the chunk."""
        times = [time.perf_counter()]
        for count in (0, steps):
            self.contender.run(count)
            times.append(time.perf_counter())
        self.idle = min(self.idle, times[1] - times[0])
        return max(times[2] - times[1] - self.idle, 1e-9)


def main(name, threads):
    """Serves until the other side closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not stand among the answers

    def reply(**answer):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        module = peers.load(name)
    except ImportError as why:
        reply(missing=str(why))
        return
    served = Served(module, threads)
    reply(version=module.VERSION)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply(**getattr(served, request.pop("do"))(**request))
        except Exception as why:  # reported to the measuring side, which decides
            reply(error=f"{type(why).__name__}: {why}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
