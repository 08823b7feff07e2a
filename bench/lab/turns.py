"""Jobs that are timed by turns: what is compared was measured within seconds, and again and again, as a machine has
faster and slower minutes. Every trial that is a matter of time asks here."""

import statistics
import time
from typing import NamedTuple

from bench import machine
from bench.report import number
from bench.run import rotated


class Taken(NamedTuple):
    """Of one job: the seconds of a unit in each round, and in each round their ratio to those of the first job."""

    seconds: list
    ratios: list

    def said(self, unit=1e6):
        """(median, least, greatest, ratio) as text; unit: of a second, microseconds by default."""
        times = [number(unit * value) for value in (statistics.median(self.seconds), min(self.seconds),
                                                    max(self.seconds))]  # fmt: skip
        return (*times, f"{statistics.median(self.ratios):.2f}")


def by_turns(jobs, rounds, threads=1, clock=None):
    """{name: Taken} of jobs {name: (call, units)}: call() does `units` units. Each is called once before it is timed;
    then every round begins with another. On one thread it is the process's own time that counts, whatever else the
    machine does meanwhile; clock: another one."""
    clock = clock or (time.process_time if threads == 1 else time.perf_counter)
    names, seconds = list(jobs), {name: [] for name in jobs}
    for call, _ in jobs.values():
        call()
    for round_ in range(rounds):
        for i in rotated(len(names), round_):
            call, units = jobs[names[i]]
            begun = clock()
            call()
            seconds[names[i]].append(max(clock() - begun, 1e-9) / units)
    return compared(seconds)


def compared(seconds):
    """{name: Taken} of {name: [seconds of a unit in each round]}."""
    first = next(iter(seconds.values()))
    return {name: Taken(taken, [a / b for a, b in zip(taken, first, strict=True)]) for name, taken in seconds.items()}


def heading(*columns):
    """The first two lines of a trial's table, and the machine above them."""
    print(f"{machine.cpu_name()}, {machine.usable_cpus()} CPUs\n")
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")


def line(*cells):
    """One row, at once."""
    print("| " + " | ".join(cells) + " |", flush=True)
