"""The checkpoints of one training: when it saves, and what. What it goes on from is in resuming.py."""

from __future__ import annotations

import copy
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from fastbp import schedules
from fastbp._check.logs import rises
from fastbp._core import caller, cpu
from fastbp._core.stopping import is_better
from fastbp._files.checkpoint_schema import described, real
from fastbp._training import described as descriptions
from fastbp._training import resuming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._training.job import Job
    from fastbp._training.progress import Progress
    from fastbp._training.resuming import Found
    from fastbp.callbacks import EarlyStopping, History
    from fastbp.checkpoints import Checkpoint
    from fastbp.optimizers import Optimizer

NEVER = 2**62


class _Saver:
    """One fb.Checkpoint in one training. monitor: what the best one is the best of; saved: where the last one
    stands."""

    def __init__(self, checkpoint: Checkpoint, who: str, job: Job, inside: str, found: Found | None) -> None:
        names = job.names()
        self.checkpoint, self.inside = checkpoint, inside
        self.count, self.unit = checkpoint._when
        self.monitor = checkpoint.monitor or ("val_loss" if "val_loss" in names else "loss")
        self.rises = rises(checkpoint, self.monitor, checkpoint.mode)
        self.folder, known = checkpoint._folder(job.model, inside)
        self.saved: tuple[int, int, bool] | None = None
        self.moment = time.monotonic()  # when the last one was saved, or tried
        best = found and found.state["best"]
        self.best = best["value"] if best and best["monitor"] == self.monitor else None
        self.told: set[str] = set()
        of_found = found is not None and self.folder.holds(found.path)
        if os.path.lexists(self.folder.last) and not known and not of_found:
            raise ValueError(
                f"{who} has path {self.folder.path!r}, where checkpoints of another training are, expected a folder of "
                f"this one's; pass resume={self.folder.path!r} to go on with that, or another path"
            )
        if found is not None and of_found:
            self.folder.newest = self._position(found)

    def _position(self, found):
        """Where the last one in the folder stands."""
        from fastbp import serialization

        state = found.state
        if not os.path.samefile(found.path, self.folder.last):
            try:
                _, state, _ = serialization.read_checkpoint(self.folder.last)
            except (ValueError, OSError):  # it is damaged, and why an older one was chosen
                return None
        return state["first"] + state["epoch"], state["step"]

    def ahead(self, done: int, unit: str) -> int:
        """The epochs or steps to the next one, after so many of them."""
        return int(self.count - done % self.count) if unit == self.unit else NEVER

    def is_due(self, epoch: int, step: int, steps: int) -> bool:
        """Whether to save after `epoch` epochs of `steps` steps and `step` steps of the next."""
        if self.unit == "seconds":
            return time.monotonic() - self.moment >= self.count
        done = epoch if self.unit == "epochs" else epoch * steps + step
        return done % self.count == 0 and (self.unit == "steps" or step == 0)


class Saving:
    """The checkpoints of one training. Made before anything is changed: it refuses what cannot be.

    savers: [(how messages name it, the fb.Checkpoint), ...]; stoppings: the training's; found: what it goes on from, or
    None; inside: the name of its folder in that of each Checkpoint.
    """

    def __init__(
        self,
        job: Job,
        optimizer: Optimizer,
        shuffle: bool,
        seed: int,
        epochs: int,
        savers: Sequence[tuple[str, Checkpoint]],
        stoppings: Sequence[EarlyStopping],
        found: Found | None,
        inside: str = "",
    ) -> None:
        self.job, self.optimizer, self.stoppings = job, optimizer, stoppings
        self.found: Found | None = found
        from fastbp import serialization  # here: it imports safetensors

        self._file = serialization.checkpoint
        self.training = descriptions.training(job, optimizer, shuffle, seed, stoppings)
        # the epochs that all have heard of, and whether one of them has ended the training
        self.told: int = 0 if found is None else found.state["epoch"]
        self.stopped: bool = False if found is None else found.state["stopped"]
        if savers:
            self._check_savers(savers)
        if found is not None:
            resuming.check_same(found, self.training, epochs)
            self.training = found.training
            self.lr = resuming.check_state(found, job, optimizer, stoppings)
        self.savers = [_Saver(each, who, job, inside, found) for who, each in savers]
        for saver in self.savers:
            saver.folder.prepare()

    # ---- what it goes on from --------------------------------------------------------------------------------------

    def _check_savers(self, savers):
        """Refuses what could not be saved: settings that are no JSON, a schedule whose memory cannot be kept; and two
        that would write over each other's files."""
        self._file(described(self.training, {}), {})
        paths: dict[str, str] = {}
        for who, each in savers:
            if paths.setdefault(os.path.realpath(each.path), who) != who:
                raise ValueError(f"{who} has path {each.path!r}, expected another one than the Checkpoint before it; "
                                 "pass a folder for each")
        lr = self.optimizer.lr
        if isinstance(lr, schedules.Schedule) and lr.stateful:
            copy.deepcopy(lr).recall(lr.memory())

    def begin(self, history: History, bar: Progress) -> None:
        """After the job has begun: all is as the checkpoint says."""
        self.history = history
        for saver in self.savers:
            saver.moment = time.monotonic()
            saver.checkpoint._know(self.job.model, saver.inside, saver.folder)
        if self.found is None:
            return
        state, tensors, training_state = self.found.state, self.found.tensors, self.job.training_state
        if len(tensors["correct_counts"]) != (state["step"] if self.job.counted else 0):
            raise resuming.unusable(self.found, "its tensor 'correct_counts'", "one number for each step of the epoch")
        resuming.put_back(self.found, self.job, self.optimizer, self.lr)
        self.job.first = state["first"]
        training_state.go_on(
            state["first"], state["epoch"], state["step"], state["lr"], state["seconds"], tensors["losses"],
            tensors["correct_counts"],
        )  # fmt: skip
        if state["epoch"]:
            columns = dict(zip(state["history"], tensors["history"].tolist(), strict=True))
            history.extend(state["first"], columns)
        bar.advance(state["epoch"] * training_state.steps + state["step"])

    def go_on(self) -> bool:
        """After callbacks have heard of the beginning, and may have changed something: what the checkpoint says holds.
        Returns whether the training was over."""
        if self.found is None:
            return False
        resuming.put_back(self.found, self.job, self.optimizer, self.lr)
        resuming.put_back_stoppings(self.found, self.stoppings)
        self.found = None  # and with it its tensors
        return self.stopped

    # ---- when it saves ---------------------------------------------------------------------------------------------

    def epochs_ahead(self) -> int:
        """The most epochs that a compiled call may take."""
        return min((saver.ahead(self.job.training_state.epoch, "epochs") for saver in self.savers), default=NEVER)

    def steps_ahead(self) -> int:
        """The most steps likewise."""
        at = self.job.training_state
        return min((saver.ahead(at.epoch * at.steps + at.step, "steps") for saver in self.savers), default=NEVER)

    def within_epoch(self) -> None:
        """Called after a compiled call that ended amid an epoch."""
        self._save([saver for saver in self.savers if self._is_due(saver)])

    def after_epochs(self, stopped: bool = False) -> None:
        """Called after one epoch or several, when all have heard of them. stopped: whether that ends the training."""
        self.told, self.stopped = self.job.training_state.epoch, bool(stopped)
        self._save([saver for saver in self.savers if self._is_due(saver)], at_end_of_epoch=True)

    def end(self) -> None:
        """Called at the end, whatever it was: saves where the training stands if all have heard of its epochs, so that
        who goes on needs nothing else."""
        at = self.job.training_state
        if at is not None and at.epoch == self.told:
            self._save([each for each in self.savers if each.saved != (at.epoch, at.step, self.stopped)], at.step == 0)

    def _is_due(self, saver):
        at = self.job.training_state
        return saver.is_due(at.epoch, at.step, at.steps)

    def _save(self, savers, at_end_of_epoch=False):
        """A checkpoint of each. What cannot be written is warned of: the training goes on."""
        if not savers:
            return
        training_state = self.job.training_state
        at = training_state.epoch, training_state.step
        state, tensors = self._state()
        for saver in savers:
            values = self.history.history.get(saver.monitor) if at_end_of_epoch else None
            best = bool(values) and is_better(values[-1], saver.best, 0.0, saver.rises)
            value = values[-1] if best else saver.best
            state["best"] = None if value is None else {"monitor": saver.monitor, "value": real(value)}
            data = self._file(described(self.training, state), tensors)
            saver.moment = time.monotonic()
            try:
                saver.folder.write(data, (self.job.first + at[0], at[1]), best)
            except OSError as error:
                self._tell(saver, error)
                continue
            saver.saved, saver.best = (*at, self.stopped), value

    def _tell(self, saver, error):
        """Warns of what was not written, once of each kind."""
        if str(error) not in saver.told:
            saver.told.add(str(error))
            epoch = self.job.first + self.job.training_state.epoch + 1
            text = f"epoch {epoch}: no checkpoint was saved: {error}; the training goes on, and tries again at the next"
            caller.warn(text, RuntimeWarning)

    def _state(self):
        """(where the training stands, {name: tensor})."""
        model, optimizer, at, history = self.job.model, self.optimizer, self.job.training_state, self.history.history
        lr, seconds, losses, correct_counts = at.epoch_at_hand()
        rate = optimizer.config()["lr"]
        memory = optimizer.lr.memory() if getattr(optimizer.lr, "stateful", False) else None
        rows = [
            {
                "best": None if each.best is None else real(each.best),
                "best_epoch": each.best_epoch,
                "waited": each.waited,
                "stopped_epoch": each.stopped_epoch,
                "kept": each.best_params is not None,
            }
            for each in self.stoppings
        ]
        state = {
            "first": self.job.first,
            "epoch": at.epoch,
            "step": at.step,
            "steps": optimizer.steps,
            "draws": model._draws,
            "lr": real(lr),
            "seconds": real(seconds),
            "stopped": self.stopped,
            "dropout": model._dropout_key,
            "rate": None if rate == self.training["optimizer"]["lr"] else rate,
            "memory": None if memory is None else [v if isinstance(v, int) else real(v) for v in memory],
            "early_stopping": rows,
            "history": list(history),
            "best": None,
            "isa": cpu.selected(),
            "data_spec": self.job.data_spec(),
        }
        tensors = {
            "params": model.params,
            "history": np.array(list(history.values()), np.float64).reshape(len(history), at.epoch),
            "losses": losses,
            "correct_counts": correct_counts,
        }
        if optimizer.state is not None:
            tensors["state"] = optimizer.state
        kept = {f"best_params.{i}": each.best_params for i, each in enumerate(self.stoppings)}
        return state, tensors | {name: params for name, params in kept.items() if params is not None}
