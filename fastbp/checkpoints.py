"""Checkpoints: a training that was killed goes on from its last one, with the bits of one that was not.

    run = fb.Checkpoint("run", every="10 minutes")
    net.fit(X, y, epochs=100, callbacks=[run], resume="run")        # the first time, and after each end that it meets
"""

from __future__ import annotations

import os
import re
import weakref
from typing import TYPE_CHECKING, Any

from fastbp import _check as check
from fastbp._files.checkpoint_folder import Folder
from fastbp._files.writing import path_of
from fastbp.callbacks import Callback

if TYPE_CHECKING:
    from fastbp._check.types import Mode, Path

__all__ = ["Checkpoint"]

_UNITS = {"epoch": ("epochs", 1), "step": ("steps", 1), "second": ("seconds", 1), "minute": ("seconds", 60),
          "hour": ("seconds", 3600)}


class Checkpoint(Callback):
    """Saves where a training stands, so that `fit(..., resume=path)` goes on from there as if it had never stopped.

    path: a folder, which is made. In it `last.safetensors` is the newest checkpoint, `best.safetensors` the best one,
        and epoch-000012.safetensors and the like are older ones. `fb.load` reads the network out of any of them.
    every: how often. An int is epochs; a text says a number and what of: "5 epochs", "1000 steps", "30 seconds",
        "10 minutes", "2 hours". Steps and times come amid an epoch as well; a time is looked at between compiled calls
        of some 50 ms, and where a callback is called after each epoch, between epochs at least.
    keep: an int, how many older ones stay beside the last and the best.
    monitor: what the best has the best value of, among those saved at the end of an epoch: a key of History; None is
        val_loss, or loss without validation data. mode: "min", "max" or "auto", as for EarlyStopping.

    One more is saved when the training ends: after its last epoch, when a callback or early stopping ends it, and on
    Ctrl-C, from whatever step it came after.

    A checkpoint has parameters, the optimizer's state and count of steps, the schedule and what it has observed, the
    key and count of dropout masks, the epoch, the step in it and what its steps have given, early stopping with its
    best parameters, and the History. Callbacks of the user's own keep what they know themselves; before the first epoch
    their on_train_begin is called again. It is one safetensors file: written aside, synchronised with the disk and
    renamed, so that whatever ends the process, `last.safetensors` is whole, the one before or the new one. Where it
    cannot be written - a full disk - the training goes on with a RuntimeWarning, the one before stays, and the next one
    is tried again. The file has no pickle in it; it has a checksum, which is looked at when it is read.

    Raises ValueError or TypeError for arguments; `fit` raises OSError before the first step where the folder cannot be
    written to, and ValueError where checkpoints of another training are in it: nothing is written over them.
    """

    _saves = True

    def __init__(
        self, path: Path, every: int | str = 1, keep: int = 1, monitor: str | None = None, mode: Mode = "auto"
    ) -> None:
        self.path = path_of(path)
        self.every, self._when = every, _interval(every)
        self.keep = check.integer("keep", keep, minimum=0)
        if monitor is not None and not isinstance(monitor, str):
            raise TypeError(f"monitor is {check.shown(monitor)}, expected a key of History or None; pass 'val_loss', "
                            "say")
        self.monitor = monitor
        self.mode = check.choice("mode", mode, ("auto", "min", "max"))
        # {model: {name of its folder in `path`: the Folder}} of what this object has saved
        self._folders: weakref.WeakKeyDictionary[Any, dict[str, Folder]] = weakref.WeakKeyDictionary()

    def _folder(self, model: Any, inside: str = "") -> tuple[Folder, bool]:
        """(the folder for a model's checkpoints, whether this object has saved some of this model's there)."""
        folder = self._folders.get(model, {}).get(inside)
        return (Folder(os.path.join(self.path, inside) if inside else self.path, self.keep), False) if folder is None \
            else (folder, True)

    def _know(self, model: Any, inside: str, folder: Folder) -> None:
        """From now on, what is in this folder is of this model."""
        self._folders.setdefault(model, {})[inside] = folder

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_folders": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._folders = weakref.WeakKeyDictionary()

    def __repr__(self) -> str:
        return (f"Checkpoint({self.path!r}, every={self.every!r}, keep={self.keep}, monitor={self.monitor!r}, "
                f"mode={self.mode!r})")


def _interval(every: object) -> tuple[float, str]:
    """(how many, "epochs", "steps" or "seconds")."""
    expected = "an int, of epochs, or a text such as '5 epochs', '1000 steps', '30 seconds'"
    if not isinstance(every, str):
        if isinstance(every, bool) or not hasattr(every, "__index__"):
            raise TypeError(f"every is {check.shown(every)}, expected {expected}; pass one")
        return check.integer("every", every, minimum=1), "epochs"
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+?)s?\s*", every)
    unit, factor = _UNITS.get(found[2], ("", 0)) if found else ("", 0)
    count = float(found[1]) * factor if found else 0.0
    if not unit or not count or (unit != "seconds" and count != int(count)):
        raise ValueError(f"every is {check.shown(every)}, expected {expected}; pass one, with a number above 0, whole "
                         "for epochs and steps")
    return (count, unit) if unit == "seconds" else (int(count), unit)
