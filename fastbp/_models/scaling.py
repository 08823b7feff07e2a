"""A model of many cores: what a training step would take on 1, 2, 4 ... 64 threads, from what its tasks take on one.

A step is a row of phases; a phase is over when its last task is. So its time on T threads is that of the longest lane,
when idle threads take tasks of others (simulated here, task by task), what crosses from core to core - bytes that
follow from the program (traffic.py) - at the speed of a core's memory, and a meeting. The tasks' times are measured on
one thread. `Machine` holds the rest; another machine's constants tell how the cut would do there.
"""

import heapq
from typing import NamedTuple

import numpy as np

from fastbp._models.traffic import Traffic, lanes_of


class Machine(NamedTuple):
    """What a model must know. meeting: seconds; bandwidth, all_bandwidth: bytes a second that one core, and all, read
    from other cores or from memory. peak, all_peak: multiply-adds' FLOP a second of one core, and of all threads;
    measured_peak: of the core that the tasks were timed on. All three equal, or None: each thread is a core like that
    one. cache: bytes of a core's own L2 cache."""

    meeting: float
    bandwidth: float
    all_bandwidth: float | None = None
    peak: float | None = None
    all_peak: float | None = None
    measured_peak: float | None = None
    cache: float = 1 << 20

    def slowdown(self, threads):
        """What a task takes on one of so many threads, in units of what was measured."""
        if self.peak is None:
            return 1.0
        return self.measured_peak / min(self.peak, self.all_peak / threads)


class Phase(NamedTuple):
    """kind: "splits", "rows" or "parameters"; stage: which of the rows' stages; seconds: (tasks,) on one thread; after:
    seconds of what one thread does before the next phase."""

    kind: str
    stage: int
    seconds: np.ndarray
    after: float


class Step:
    """A training step as it was measured. program: its Program; phases: [Phase, ...] in order; itemsize: bytes of a
    real; slots: vectors of the optimizer's state."""

    def __init__(self, program, phases, itemsize, slots):
        self.program, self.phases, self.itemsize, self.slots = program, phases, itemsize, slots

    @property
    def seconds(self):
        """Of all tasks, one after another."""
        return sum(float(phase.seconds.sum()) + phase.after for phase in self.phases)

    @property
    def weight_bytes(self):
        """Bytes of weights, state and packed copies that a step reads and writes on one thread: each update reads and
        writes parameters and state once, and writes the copies; products read them, once for each time that a slice of
        rows passes by and not block by block of units."""
        program, item = self.program, self.itemsize
        update = 2 * program.size * (1 + self.slots)
        passes = -(-program.batch // program.slice_rows)
        read = 0
        for stage in program.stages:
            for operation in program.operations[stage.row:stage.row_end]:
                if operation.W is not None:
                    read += operation.n_in * operation.n_out * (1 if stage.units else passes)
        packed = sum(program.operations[packing.operation].n_out * packing.rows for packing in program.packings)
        return item * (update + read + packed)

    def predicted(self, machine, threads):
        """[(Phase, seconds), ...] of a step on so many threads."""
        traffic = Traffic(self.program, self.itemsize, threads) if threads > 1 else None
        footprint = self.itemsize * self.program.size * (1 + self.slots) / threads
        slow, found = machine.slowdown(threads), []
        far = self.weight_bytes / threads if machine.peak is not None and footprint > machine.cache else 0
        for phase in self.phases:
            crossing = traffic.of(phase.kind, phase.stage) if traffic else {}
            delays = {lane: bytes_ / machine.bandwidth for lane, bytes_ in crossing.items()}
            end = longest(phase, threads, slow, delays)
            if machine.all_bandwidth is not None:
                end = max(end, sum(crossing.values()) / machine.all_bandwidth)
            found.append((phase, end + phase.after * slow + (machine.meeting if threads > 1 else 0.0)))
        if far:  # weights and state do not stay in the cache from step to step
            seconds = max(far / machine.bandwidth, far * threads / machine.all_bandwidth)
            found.append((Phase("memory", 0, np.zeros(0), 0.0), seconds))
        return found

    def total(self, machine, threads):
        """Seconds of a step on so many threads."""
        return sum(seconds for _, seconds in self.predicted(machine, threads))


def longest(phase, threads, slow, delays):
    """Seconds until the last task of a phase is done. Threads take the tasks of their own lane, then those of the next
    ones; delays: {lane: seconds that its tasks wait for data, in all}."""
    lanes = lanes_of(phase.kind, len(phase.seconds), threads)
    queues, count = {}, {}
    for task, lane in enumerate(lanes):
        queues.setdefault(lane, []).append(task)
    for lane, tasks in queues.items():
        count[lane] = len(tasks)
        tasks.reverse()
    number = max(queues) + 1
    free, end = [(0.0, member) for member in range(threads)], 0.0
    while queues:
        now, member = heapq.heappop(free)
        lane = next(lane for i in range(number) if (lane := (member + i) % number) in queues)
        task = queues[lane].pop()
        if not queues[lane]:
            del queues[lane]
        done = now + phase.seconds[task] * slow + delays.get(lane, 0.0) / count[lane]
        heapq.heappush(free, (done, member))
        end = max(end, done)
    return end


def measured(program, executable, arrays, optimizer, order, steps):
    """The Step of a plan's executable, whose program is this one; see fastbp._core.timing.task_times."""
    from fastbp._core import timing

    phases, tasks, after = timing.task_times(executable, arrays, optimizer, order, steps)
    tasks, after, begin, found = np.median(tasks, axis=0), np.median(after, axis=0), 0, []
    for (kind, stage, count), between in zip(phases, after, strict=True):
        found.append(Phase(kind, stage, tasks[begin:begin + count], float(between)))
        begin += count
    return Step(program, found, program.itemsize if hasattr(program, "itemsize") else 4, optimizer.slots)
