"""Compiled plans by what they are for: made when first needed, and found again."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp._check.errstate import quiet
from fastbp._compiler import lowering
from fastbp._core import calls as core
from fastbp._core import cpu
from fastbp._core.executable import Executable
from fastbp._core.fast_call import MOST_ARRAYS, Ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from fastbp._check.types import Array, Doubles
    from fastbp._compiler.use import Use
    from fastbp._core.fast_call import Ready

# Plans that a model keeps, of its own ones, and again of those that are free to be taken: a loop over ever new
# batch sizes does not fill the memory. A plan has packed copies of the weights, so 64 of a large network are too many.
MOST = 64  # of any size
MOST_BYTES = 64 << 20  # of more than LATEST
LATEST = 4  # whatever they hold: whole batches and the rest, of a training and of its validation


def chunks(n: int, most: int) -> Iterator[tuple[int, int, int]]:
    """n rows as (batch, first row, steps): as many whole batches of `most` as there are, then the rest."""
    whole, rest = divmod(n, most)
    if whole:
        yield most, 0, whole
    if rest:
        yield rest, n - rest, 1


# (first operation, last one, whether gradients are made) of a part of a plan, from where backward begins
_PARTS = {
    "forward": lambda forward: (0, forward, False),
    "backward": lambda forward: (forward, -1, True),
    "gradients": lambda forward: (0, -1, True),
    "outputs": lambda forward: (0, -1, False),
}


class BoundPlan:
    """A compiled plan and the names of its arrays. executable: the core's Executable; forward: the operations before
    backward; batch: rows of a step; grads: the vector that gradients are written to; invariant: {name: the plan's own
    array} of invariant values that are given or wanted; nbytes: memory that it holds; key: of a Cache, what it was made
    for."""

    __slots__ = ("batch", "data", "executable", "forward", "grads", "invariant", "key", "nbytes", "widths")

    key: tuple[Use, str]  # of one that was taken

    @quiet
    def __init__(self, params: Array, grads: Array, program: Any, team: int) -> None:
        self.batch, self.forward, self.grads = program.batch, program.forward, grads
        self.executable = Executable(params, grads, program, cpu.capped(min(team, program.most_threads)))
        self.nbytes = self.executable.nbytes + self.executable.structs
        self.data, self.invariant, self.widths = {}, {}, {}
        for name, index in program.data.items():
            if program.values[index].mode in ("direct", "ordered"):
                self.data[name] = index
                self.widths[name] = program.values[index].width
            else:
                self.invariant[name] = self.executable.invariant_array(index, program)

    def run(
        self,
        part: str,
        arrays: Mapping[str, Array | None],
        *,
        dropout: tuple[int, int] = (0, 0),
        model: Any = None,
        first: int = 0,
        steps: int = 1,
        correct_counts: Doubles | None = None,
    ) -> Doubles:
        """Runs a part of the plan on consecutive batches, without an update; returns the losses, float64 (steps,).

        part: "forward", "backward", "gradients" (both, and what they are for) or "outputs" (forward, and the loss if
        there is one). arrays: {name: array}, whatever the names. dropout: (key, steps that drew masks before); model:
        instead, the network or expression whose next masks they are, which counts them. first: the first batch's row
        in the arrays. correct_counts: float64 (steps,) to fill with how many answers of each batch are correct, where
        the plan was made for a target type; or None.
        """
        begin, end, learns = _PARTS[part](self.forward)
        losses = np.empty(steps)
        if model is not None:
            dropout = model._dropout_key, model._draws
        given, team = self.arrays(arrays), cpu.threads()
        core.run(self.executable, given, begin, end, learns, first, losses, dropout, team, model, correct_counts)
        return losses

    def ready(
        self, names: Sequence[str], part: str, *, limits: Mapping[str, int] | None = None, scanned: Iterable[str] = ()
    ) -> Ready | None:
        """A Ready of one pass over the arrays of these names, in this order, for who has the plan to himself.

        limits: {name: how many integers there are} of the integer arrays; scanned: names that NaN is looked for in.
        None for more arrays than a Ready has room for.
        """
        if len(names) > MOST_ARRAYS:
            return None
        limits = limits or {}
        specs = [(self.data[name], self.widths[name], limits.get(name, 0), name in scanned) for name in names]
        return Ready(self.executable, names, specs, _PARTS[part](self.forward), cpu.threads(), self)

    def arrays(self, given):
        """[(value, array), ...] for the core, of the arrays in {name: array} that this plan reads or writes."""
        return [(self.data[name], array) for name, array in given.items() if name in self.data]


@quiet
def lowered(forward, loss, gradients, dtype, **options):
    """fastbp._compiler.lowering.lower for the ISA in use and np.dtype `dtype`."""
    return lowering.lower(
        forward,
        loss,
        gradients,
        itemsize=dtype.itemsize,
        nr=cpu.tile(cpu.selected(), dtype.name)[2],
        **options,
    )


def superfluous(kept: Sequence[tuple[Any, Sequence[BoundPlan]]], nbytes: int) -> list[Any]:
    """The keys of the plans that go where one of `nbytes` comes. kept: [(key, its plans), ...], first those that go
    first."""
    sizes = [sum(plan.nbytes for plan in plans) for _, plans in kept]
    count, total, gone = len(kept) + 1, sum(sizes) + nbytes, []
    for (key, _), size in zip(kept, sizes, strict=True):
        if count <= LATEST or (count <= MOST and total <= MOST_BYTES):
            break
        gone.append(key)
        count, total = count - 1, total - size
    return gone


class Cache:
    """The plans of a network or an expression, by Use and ISA. make: a function of a Use that gives its BoundPlan.

    A plan is used by one at a time, as it holds the rows of the call at hand. Those of `get` belong to whoever has the
    model alone (fastbp._core.fast_call.ExclusiveUse); those of `take` to the taker: they lie in lists, whose pop and
    append are atomic with the interpreter's lock and without one, where each list and dict has a lock of its own. What
    threads may do at once beside that only loses a plan, which is made again.
    """

    def __init__(self, make: Callable[[Use], BoundPlan]) -> None:
        self.make = make
        self.plans: dict[tuple[Use, str], BoundPlan] = {}  # {(use, ISA): plan}
        self.idle: dict[tuple[Use, str], list[BoundPlan]] = {}  # {(use, ISA): [plans that are free to be taken]}

    def get(self, use: Use) -> BoundPlan:
        """The plan of a Use; the caller is the only one to use it."""
        key = use, cpu.selected()
        plan = self.plans.pop(key, None)
        if plan is None:
            plan = self.make(use)
            for old in superfluous([(key, [each]) for key, each in self.plans.items()], plan.nbytes):
                del self.plans[old]
        self.plans[key] = plan  # what was used last goes last
        return plan

    def take(self, use: Use) -> BoundPlan:
        """A plan that no other thread gets until it is given back; one that is never given back is not used again."""
        key = use, cpu.selected()
        try:
            plan = self.idle[key].pop()  # atomic: two threads never get the same one
        except LookupError:
            plan = self.make(use)
            plan.key = key
            for old in superfluous(list(self.idle.items()), plan.nbytes):  # a list of them at one moment
                self.idle.pop(old, None)
        return plan

    def give_back(self, plan: BoundPlan) -> None:
        """Leaves a plan that was taken to the next who needs one."""
        idle = self.idle.setdefault(plan.key, [])
        if not idle or (len(idle) + 1) * plan.nbytes <= MOST_BYTES:  # a hundred threads at once leave no hundred copies
            idle.append(plan)

    @contextmanager
    def borrowed(self, use: Use) -> Iterator[BoundPlan]:
        """A context of a plan that is taken, and given back."""
        plan = self.take(use)
        try:
            yield plan
        finally:
            self.give_back(plan)
