"""A model of many cores: what a training step would take on 1, 2, 4 ... 64 threads, from what its tasks take on one.

A step is a row of phases; a phase is over when its last task is. So on T threads it takes as long as the busiest of
them, idle ones taking tasks of others (simulated here, task by task), what crosses from core to core (bytes that
follow from the program, traffic.py, at the speeds at which a core reads what another has written and writes what
another has read), what one thread does between two phases, and a barrier. Where fewer threads are faster, a training
takes fewer (_core/pace.pyx). The tasks' times are measured on one thread. `Machine` holds the rest: of this
machine it is measured, and other constants say how the work would be shared out elsewhere.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp._compiler.plan_cache import BoundPlan
from fastbp._compiler.use import Use
from fastbp._core import cpu, timing
from fastbp._models import network_programs
from fastbp._models.traffic import Crossing, Traffic, lanes_of

if TYPE_CHECKING:
    from fastbp._check.types import Array, Doubles
    from fastbp.optimizers import Optimizer

MOST_THREADS = 64


class Machine(NamedTuple):
    """What the model must know of a machine. barrier: seconds; latency: seconds until a core has the first of what
    another has written; bandwidth: bytes a second that it then reads, of others or of memory; write_bandwidth: that it
    writes where another has read, None for the same; all_bandwidth: that all read together, None for as many times
    that as there are threads. threads: how many it has. peak, all_peak: FLOP a
    second of one thread and of all; measured_peak: of the thread that the tasks were timed on; None for threads like
    that one. cache: bytes of a core's own cache, where weights stay from step to step; None: not looked at."""

    barrier: float
    latency: float
    bandwidth: float
    all_bandwidth: float | None = None
    threads: int = MOST_THREADS
    peak: float | None = None
    all_peak: float | None = None
    measured_peak: float | None = None
    cache: float | None = None
    write_bandwidth: float | None = None

    def slowdown(self, threads: int) -> float:
        """What a task takes on one of so many threads, in units of what was measured."""
        if self.peak is None or self.all_peak is None or self.measured_peak is None:
            return 1.0
        return self.measured_peak / min(self.peak, self.all_peak / threads)

    def seconds_to_cross(self, found: Crossing) -> float:
        """What a lane spends with others' data in a phase."""
        write_bandwidth = self.write_bandwidth or self.bandwidth
        return found.pieces * self.latency + found.read / self.bandwidth + found.written / write_bandwidth

    def seconds_of(self, bytes_: float, all_bytes: float) -> float:
        """To read so many bytes, the most of any thread and of all together."""
        return max(bytes_ / self.bandwidth, all_bytes / self.all_bandwidth if self.all_bandwidth else 0.0)


class Phase(NamedTuple):
    """kind: "splits", "rows" or "parameters"; stage: which of the rows' stages; seconds: (tasks,) on one thread; after:
    seconds of what one thread does before the next phase."""

    kind: str
    stage: int
    seconds: Doubles
    after: float


class Times(NamedTuple):
    """Seconds of a step on some threads: of its rows (splits among them), its parameters, its barriers, and of weights
    that are read anew from memory in each step."""

    rows: float
    parameters: float
    barriers: float
    memory: float

    @property
    def total(self) -> float:
        return sum(self)


class Step:
    """A training step as it was measured. program: its Program; phases: [Phase, ...] in order; itemsize: bytes of a
    real; slots: vectors of the optimizer's state."""

    def __init__(self, program: Any, phases: list[Phase], itemsize: int, slots: int) -> None:
        self.program, self.phases, self.itemsize, self.slots = program, phases, itemsize, slots

    @property
    def seconds(self) -> float:
        """Of one thread."""
        return sum(float(phase.seconds.sum()) + phase.after for phase in self.phases)

    @property
    def state_bytes(self) -> int:
        """Bytes of the parameters and of the optimizer's state."""
        return self.itemsize * self.program.size * (1 + self.slots)

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights and state that one thread reads and writes in a step: an update reads and writes both once
        and writes the packed copies; a product reads its weights once for each slice of the batch that passes by, or
        once altogether where it is cut by units."""
        program, read = self.program, 0
        slices = -(-program.batch // program.slice_rows)
        for stage in program.stages:
            for operation in program.operations[stage.row : stage.row_end]:
                if operation.W is not None:
                    read += operation.n_in * operation.n_out * (1 if stage.units else slices)
        packed = 0
        for packing in program.packings:
            packed += program.operations[packing.operation].n_out * packing.rows
        return 2 * self.state_bytes + self.itemsize * (read + packed)

    def times(self, machine: Machine, threads: int) -> Times:
        """The Times of a step on so many threads of a Machine, all of them or the fewer that a training would take."""
        return min((self.times_of_team(machine, size) for size in sizes(threads)), key=lambda times: times.total)

    def times_of_team(self, machine: Machine, threads: int) -> Times:
        """The Times of a step on exactly so many threads."""
        traffic = Traffic(self.program, self.itemsize, threads) if threads > 1 else None
        rows = parameters = 0.0
        for phase in self.phases:
            slow = machine.slowdown(min(threads, len(phase.seconds)))
            crossing = traffic.of(phase.kind, phase.stage) if traffic else {}
            waits = {lane: machine.seconds_to_cross(found) for lane, found in crossing.items()}
            end = seconds_of_phase(phase, threads, slow, waits)
            all_bytes = sum(found.read + found.written for found in crossing.values())
            end = max(end, machine.seconds_of(0, all_bytes)) + phase.after * machine.slowdown(1)
            if phase.kind == "parameters":
                parameters += end
            else:
                rows += end
        memory = 0.0
        if machine.cache is not None and self.state_bytes / threads > machine.cache:
            memory = machine.seconds_of(self.weight_bytes / threads, self.weight_bytes)
        return Times(rows, parameters, len(self.phases) * machine.barrier if threads > 1 else 0.0, memory)


def seconds_of_phase(phase: Phase, threads: int, slow: float, waits: dict[int, float]) -> float:
    """Seconds until the last task of a phase is done. Threads take the tasks of their own lane, then those of the next
    ones. waits: {lane: seconds that its tasks wait for data, in all}."""
    queues: dict[int, list[int]] = {}
    for task, lane in enumerate(lanes_of(phase.kind, len(phase.seconds), threads)):
        queues.setdefault(lane, []).append(task)
    wait = {lane: waits.get(lane, 0.0) / len(tasks) for lane, tasks in queues.items()}
    lanes, free, end = max(queues) + 1, [(0.0, member) for member in range(threads)], 0.0
    while queues:
        now, member = heapq.heappop(free)
        lane = next(lane for i in range(lanes) if (lane := (member + i) % lanes) in queues)
        done = now + phase.seconds[queues[lane].pop(0)] * slow + wait[lane]
        if not queues[lane]:
            del queues[lane]
        heapq.heappush(free, (done, member))
        end = max(end, done)
    return end


def sizes(most: int) -> list[int]:
    """1, 2, 4 ... up to `most`, and that."""
    return sorted({1 << i for i in range(most.bit_length()) if 1 << i <= most} | {most})


def this_machine() -> Machine | None:
    """The Machine at hand, measured in some 30 ms; None where it has no two threads, or one of them does not come. Its
    threads are taken for cores, of which there are as many as one likes."""
    if cpu.threads() < 2:
        return None
    few, many = 1 << 12, 1 << 17
    barrier, first, all_ = timing.barrier(200), timing.crossing(few, 200), timing.crossing(many, 100)
    if barrier is None or first is None or all_ is None:
        return None
    bandwidth = (many - few) / max(1e-9, all_[0] - first[0])
    latency = max(0.0, first[0] - few / bandwidth)
    return Machine(barrier, latency, bandwidth, write_bandwidth=many / all_[1])


def measured(
    net: Any, X: Array, y: Array, batch: int, optimizer: Optimizer, seconds: float = 0.2
) -> Step:
    """The Step of a network's training in batches, each task of it timed on one thread, for about so many seconds.

    net: a Sequential, whose parameters do not change; X (n, inputs), y: checked, of the network's dtype, class numbers
    as int32; optimizer: one that nothing else is trained by.
    """
    gathered, labels = len(X) > batch, y.dtype == np.int32
    use = Use("train", batch, gathered=gathered, labels=labels, threads=1)
    program = network_programs.program(net, use)
    plan = BoundPlan(net.params, net.grads, program, 1)
    optimizer.bind(net.params)
    arrays = plan.arrays({"X": X, "targets": y})
    rng, steps, taken = np.random.default_rng(0), 2, 0.0
    while taken < seconds / 2:  # a first look says how many steps there is time for
        steps = min(1000, max(steps, int(steps * seconds / taken))) if taken else steps
        order = None
        if gathered:
            order = rng.permutation(np.resize(np.arange(len(X)), (steps + 1) * batch))
        kinds, tasks, after = timing.task_times(plan.executable, arrays, optimizer, order, steps)
        if steps == 1000:
            break
        taken = float(tasks.sum() + after.sum())
    tasks, after, begin, phases = np.median(tasks, axis=0), np.median(after, axis=0), 0, []
    for (kind, stage, count), between in zip(kinds, after, strict=True):
        phases.append(Phase(kind, stage, tasks[begin : begin + count], float(between)))
        begin += count
    return Step(program, phases, net.dtype.itemsize, optimizer.slots)
