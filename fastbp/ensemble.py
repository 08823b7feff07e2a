"""Many independent networks trained at once on the same data, each on one thread: a compiled call takes some steps of
several networks, about 50 ms in all, and each network goes through its epochs as `fit` does, with the same bits."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from fastbp import _check as check
from fastbp._check import input_arrays
from fastbp._core import caller, cpu
from fastbp._core import side_by_side as core
from fastbp._core.fast_call import use_all
from fastbp._training import checkpointing, loop, network_fit, resuming
from fastbp._training.progress import Progress
from fastbp.checkpoints import Checkpoint
from fastbp.network import Sequential
from fastbp.optimizers import SGD, Optimizer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from fastbp._check.types import Array, Data, Logs, Metrics, Path, ValidationData
    from fastbp._training.resuming import Found
    from fastbp.callbacks import History

    _T = TypeVar("_T")

# Networks under way for each thread: enough for threads to share evenly (a call has 3 ms for each), and no more,
# because each holds the order of its epoch, 8 bytes a sample, and costs some 20 us of Python a call.
PER_THREAD = 16


def fit_many(
    nets: Sequence[Sequential],
    X: Data,
    y: Data,
    *,
    rows: Iterable[Data | None] | None = None,
    epochs: int = 1,
    batch_size: int = 32,
    optimizers: Optimizer | Iterable[Optimizer] | None = None,
    sample_weight: Data | None = None,
    validation_data: ValidationData | None = None,
    metrics: Metrics | None = None,
    seeds: Iterable[int] | None = None,
    shuffle: bool = True,
    progress: bool | None = None,
    threads: int | None = None,
    checkpoint: Checkpoint | None = None,
    resume: Path | None = None,
) -> list[History]:
    """Trains independent networks on the same data, one network a thread; returns a list of History, one for each.

    Each network ends with the bits of nets[i].fit(X, y, ...) with its own optimizer and seed, for any number of
    threads. For fewer networks than threads `fit`, whose threads share the work of one network, may be faster.

    nets: a list of different networks of equal `inputs`; layers, losses, dtypes and seeds may differ. X, y,
    sample_weight, validation_data, metrics, epochs, batch_size, shuffle, progress: as for `fit`; the data is checked
    once for each dtype, loss and number of outputs, and never copied for a network.
    rows: None for all, or for each network an int array (m,) of the rows of X that it trains on, in any order and with
    repeats: a fold, a bootstrap sample; or None for all. The bits are those of fit(X[rows], y[rows], ...).
    optimizers: fb.SGD(lr=0.1) by default; an optimizer, of which each network gets a fresh() one; or a list of one for
    each network, whose state and count of steps go on where they are.
    seeds: None for each network's own, which goes on from its `epochs`, or a list of ints. threads: an int, by default
    fb.cpu.threads(); an upper limit.
    checkpoint: a fb.Checkpoint, of whose path each network has a folder of its own, 0000, 0001 ...; resume: that path,
    for a training that goes on as with `fit`: each network from its last checkpoint, or from its beginning where it has
    none yet.
    In a History, seconds are those that passed from an epoch's beginning to its end, beside other networks' work.

    Ctrl-C ends the training after the steps at hand (about 50 ms), with `interrupted` set for the networks that are not
    finished; some may not have begun. What `fit` warns of is warned of at the end, by each network's index.

    Raises ValueError, TypeError and, for a network that another thread is training, RuntimeError, before anything is
    changed. A network whose loss or parameter stops being finite stops alone, with the parameters after its last good
    step; the others train to their end, and then FloatingPointError is raised: it names each such network by its index,
    with epoch, step and layer, and holds the Histories of all in its attribute `histories`.
    """
    nets = _networks(nets)
    epochs = check.integer("epochs", epochs, minimum=1)
    shuffle = check.flag("shuffle", shuffle)
    team = check.threads(threads)
    found = _found(resume, checkpoint, len(nets))
    firsts = [net.epochs if each is None else each.first for net, each in zip(nets, found, strict=True)]
    seeds = _seeds(seeds, nets, firsts, epochs, shuffle)
    optimizers = _optimizers(optimizers, nets)
    rows = [None] * len(nets) if rows is None else _each("rows", rows, nets)
    seen: dict[Any, Any] = {}
    members = [
        _Member(i, *own, seen, X, y, sample_weight, batch_size, validation_data, metrics)
        for i, own in enumerate(zip(nets, rows, optimizers, seeds, strict=True))
    ]
    histories = [member.history(epochs) for member in members]
    for member, each in zip(members, found, strict=True):
        if checkpoint is not None or each is not None:
            member.prepare_saving(checkpoint, each, shuffle, epochs)
    found.clear()  # their tensors are kept no longer than they are needed
    team = cpu.team(min(team, len(members)))
    with Progress(epochs, sum(history.params["steps"] for history in histories), progress) as bar:
        uses = {f"nets[{i}]": net._exclusive for i, net in enumerate(nets)}
        use_all(uses, _train, members, histories, shuffle, bar, team)
    for member in members:
        if member.told:
            caller.warn(f"nets[{member.index}]: {member.told}")
    errors = [f"nets[{member.index}], {member.error}" for member in members if member.error]
    if errors:
        error = FloatingPointError("\n".join(errors))
        error.histories = histories  # type: ignore[attr-defined]
        raise error
    return histories


def _train(members: list[_Member], histories: list[History], shuffle: bool, bar: Progress, team: int) -> None:
    """Trains all, whose networks are this call's alone, to their end or to Ctrl-C."""
    for member in members:
        member.optimizer.check_free(member.model.params)
        member.optimizer.monitored(member.names())
    loop.check_memory(members, [member.optimizer for member in members])
    for member, history in zip(members, histories, strict=True):  # whatever is refused is refused by now
        member.optimizer.bind(member.model.params)
        member.work = member.trained(history, shuffle, bar)
    interrupted = False
    try:
        _side_by_side(members, team)
    except KeyboardInterrupt:
        interrupted = True
        for member in members:
            if member.saving is not None:
                member.saving.end()
    for member, history in zip(members, histories, strict=True):
        member.catch_up(history)  # on what Ctrl-C, or an error, has kept from it
        if interrupted:
            history.interrupted = len(history.epoch) < history.params["epochs"]


class _Member(network_fit.NetworkJob):
    """One network among many: the data of all, and rows, optimizer and seed of its own.

    call: the steps it asks for next; error: the FloatingPointError that ended its training, or None; told: what is to
    be warned of at the end, or "".
    """

    seen: Any  # {what an array was checked for: what was found}
    call: Any
    error: FloatingPointError | None
    work: Generator[Any, Any, None]

    def __init__(
        self,
        index: int,
        net: Sequential,
        rows: Data | None,
        optimizer: Optimizer,
        seed: int,
        seen: dict[Any, Any],
        X: Data,
        y: Data,
        sample_weight: Data | None,
        batch_size: int,
        validation_data: ValidationData | None,
        metrics: Metrics | None,
    ) -> None:
        self.index, self.optimizer, self.seed, self.seen = index, optimizer, seed, seen
        self.rows, self.error, self.told = None, None, ""
        super().__init__(net, X, y, sample_weight, None, batch_size, validation_data, 0.0, 1, metrics)
        if rows is not None:
            self.rows = check.rows(f"rows[{index}]", rows, self.n)
            self.n = len(self.rows)
            self.batch = min(batch_size, self.n)

    def checked(self, X: Any, y: Data, sample_weight: Data | None, prefix: str) -> tuple[Any, ...]:
        """As it was found for the first network of this dtype and scale, and of this loss and width."""
        net, seen = self.model, self.seen
        key = prefix, net.dtype, net.input_scale
        if key not in seen:
            seen[key] = input_arrays.rows(X, net.inputs, net.dtype, f"{prefix}X", scale=net.input_scale)
        arrays = *key, net.loss.name, net.loss.missing, net.units
        if arrays not in seen:
            seen[arrays] = super().checked(seen[key], y, sample_weight, prefix)
        found: tuple[Any, ...] = seen[arrays]
        return found

    def inputs(self, part: Any) -> Array:
        return super().inputs(part if self.rows is None else self.rows[part])

    def trained(self, history: History, shuffle: bool, bar: Progress) -> Generator[Any, Any, None]:
        """The whole training, as a generator of calls."""
        epochs = history.params["epochs"]
        self.begin(self.optimizer, shuffle, self.seed)
        saving = self.saving
        if saving is not None:
            saving.begin(history, bar)
            saving.go_on()
        while len(history.epoch) < epochs:
            known = len(history.epoch)
            bar.begin(known)
            self.note_memories([])
            most = epochs - known if self.runs_without_python() else 1
            yield from self.epochs(most if saving is None else min(most, saving.epochs_ahead()), None, history, bar)
            self.optimizer.observe(self.tell(history, self.logs))
            self.told = self.told or self.hint(history, known)
            if saving is not None:
                saving.after_epochs()
        if saving is not None:
            saving.end()
        self.give_back()
        self.training_state = None  # and with it the order of its epochs

    def prepare_saving(self, checkpoint: Checkpoint | None, found: Found | None, shuffle: bool, epochs: int) -> None:
        """Its checkpoints, and what it goes on from; refuses what is of another training."""
        arguments = self, self.optimizer, shuffle, self.seed, epochs, _savers(checkpoint), (), found
        self.saving = checkpointing.Saving(*arguments, inside=_inside(self.index))

    def logs(self, row: Any, names: Iterable[str], epoch: int) -> Logs:
        return {**self.results(row, names, epoch), **self.more_logs(f"epoch {epoch + 1} of nets[{self.index}]")}

    def resume(self, result: Any = None) -> bool:
        """Hands on the result of `call` and finds the next one; returns whether there is one."""
        try:
            self.call = self.work.send(result)
        except StopIteration:
            return False
        except FloatingPointError as error:
            self.error = error
            return False
        return True


def _side_by_side(members: list[_Member], team: int) -> None:
    """Trains all members, a number of them at a time."""
    coming = iter(members)
    ready: deque[_Member] = deque()
    while True:
        while len(ready) < PER_THREAD * team and (member := next(coming, None)) is not None:
            if member.resume():
                ready.append(member)
        if not ready:
            return
        # as many for each thread; who is left over comes first the next time
        count = len(ready) if len(ready) < team else len(ready) // team * team
        turn = [ready.popleft() for _ in range(count)]
        turn.sort(key=lambda member: -member.model.params.size)  # long work last would leave the other threads idle
        results = core.run_each([member.call for member in turn], team)
        for member, (failure, seconds) in zip(turn, results, strict=True):
            # of the time of a call each network has its part
            member.step_seconds = seconds / max(1, member.training_state.done) * (len(turn) / team)
            if member.resume(failure):
                ready.append(member)


# ---- checks --------------------------------------------------------------------------------------------------------


def _networks(nets: Iterable[Sequential]) -> list[Sequential]:
    """A list of networks that may be trained side by side."""
    nets = _listed("nets", nets, "networks")
    if not nets:
        raise ValueError("nets is empty, expected at least one network; pass networks, such as [fb.mlp(784, 16, 10)]")
    for i, net in enumerate(nets):
        if not isinstance(net, Sequential):
            raise TypeError(f"nets[{i}] is {check.shown(net)}, expected a network; pass fb.mlp(...) or "
                            "fb.Sequential(...)")
        if net.inputs != nets[0].inputs:
            raise ValueError(
                f"nets[{i}] takes {net.inputs} inputs, expected {nets[0].inputs}, as nets[0] does; train networks of "
                "other inputs in a call of their own, with an X of their own"
            )
    _different("nets", nets, "copy.deepcopy(net), or a network of another seed")
    return nets


def _inside(index: int) -> str:
    """The name of a network's folder of checkpoints."""
    return f"{index:04d}"


def _found(resume: Path | None, checkpoint: Checkpoint | None, count: int) -> list[Found | None]:
    """What each network goes on from: a checkpoint, or None for its beginning."""
    if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
        raise TypeError(f"checkpoint is {check.shown(checkpoint)}, expected None or a fb.Checkpoint; pass "
                        "fb.Checkpoint('run')")
    if resume is None:
        return [None] * count
    found = [resuming.read(resume, _inside(i)) for i in range(count)]
    if not any(found):
        resuming.check_begun(resume, _savers(checkpoint))
    return found


def _savers(checkpoint: Checkpoint | None) -> list[tuple[str, Checkpoint]]:
    return [] if checkpoint is None else [("checkpoint", checkpoint)]


def _seeds(
    given: Iterable[int] | None, nets: list[Sequential], firsts: list[int], epochs: int, shuffle: bool
) -> list[int]:
    """The seed of each network's first epoch: given, or its own, after the epochs that it has had."""
    before = [first if given is None and shuffle else 0 for first in firsts]
    seeds = [net.seed for net in nets] if given is None else _each("seeds", given, nets)
    return [
        check.seed(f"seeds[{i}]", seed, epochs if shuffle else 1, first) + first
        for i, (seed, first) in enumerate(zip(seeds, before, strict=True))
    ]


def _optimizers(given: Optimizer | Iterable[Optimizer] | None, nets: list[Sequential]) -> list[Optimizer]:
    """A list of an optimizer for each network."""
    if given is None:
        given = SGD(lr=0.1)
    if isinstance(given, Optimizer):
        return [given.fresh() for _ in nets]
    given = _each("optimizers", given, nets)
    for i, optimizer in enumerate(given):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"optimizers[{i}] is {check.shown(optimizer)}, expected an optimizer object; pass fb.SGD(lr=0.1) or "
                "fb.Adam()"
            )
    _different("optimizers", given, "optimizer.fresh(), or one optimizer for all instead of a list")
    # a schedule that waits for the losses of several networks would depend on who comes first
    waiting = [optimizer.lr if getattr(optimizer.lr, "stateful", False) else optimizer for optimizer in given]
    _different("the schedule of optimizers", waiting, "copy.deepcopy(schedule)")
    return given


def _listed(name: str, value: Iterable[_T], what: str) -> list[_T]:
    try:
        return list(value)
    except TypeError:
        raise TypeError(f"{name} is {check.shown(value)}, expected a list of {what}; pass one") from None


def _each(name: str, value: Iterable[_T], nets: list[Sequential]) -> list[_T]:
    """A list of as many items as there are networks."""
    items = _listed(name, value, "one item for each network")
    if len(items) != len(nets):
        raise ValueError(
            f"{name} has {len(items)} items, expected {len(nets)}, one for each of nets; pass lists of equal length"
        )
    return items


def _different(name: str, items: Iterable[object], remedy: str) -> None:
    """Refuses an object that stands in a list twice."""
    first: dict[int, int] = {}
    for i, item in enumerate(items):
        if first.setdefault(id(item), i) != i:
            raise ValueError(
                f"{name}[{i}] is the same object as {name}[{first[id(item)]}], expected different ones; pass {remedy}"
            )
