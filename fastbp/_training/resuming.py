"""What a training goes on from: a checkpoint is read, compared with the training at hand, and put in its place."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp import _check as check
from fastbp import schedules
from fastbp._core import caller, cpu
from fastbp._core.calls import Snapshot
from fastbp._files.checkpoint_folder import Folder
from fastbp._files.writing import path_of
from fastbp._training.described import difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastbp._check.types import Array, Config, Path
    from fastbp._training.job import Job
    from fastbp.callbacks import EarlyStopping
    from fastbp.checkpoints import Checkpoint
    from fastbp.optimizers import Optimizer

_REMEDY = "pass what that training had, or leave resume out to begin anew"


class Found(NamedTuple):
    """A checkpoint that was read. path: of its file; training, state, tensors: as serialization.read_checkpoint gives
    them."""

    path: str
    training: Config
    state: Config
    tensors: dict[str, Array]

    @property
    def first(self) -> int:
        """The epochs that the model had been trained for before this training."""
        return int(self.state["first"])


def read(resume: Path, inside: str = "") -> Found | None:
    """The checkpoint at `resume`, a file, or a folder, whose last one it is; None where there is nothing. inside: the
    name of a folder in that folder."""
    from fastbp import serialization  # here: it imports safetensors

    path = path_of(resume, "resume")
    path = os.path.join(path, inside) if inside else path
    if os.path.isdir(path):
        folder = Folder(path, 0)
        older = folder.older()
        if not os.path.lexists(folder.last):
            if older:
                raise FileNotFoundError(
                    f"resume is {path!r}, a folder without {os.path.basename(folder.last)}, expected one with it; pass "
                    f"one of the older checkpoints in it, such as {older[-1][1]!r}"
                )
            return None
        path = folder.last
    elif not os.path.lexists(path):
        return None
    return Found(path, *serialization.read_checkpoint(path))


def check_begun(resume: Path, savers: Sequence[tuple[str, Checkpoint]]) -> None:
    """Where there is nothing at `resume`: refuses that, unless a Checkpoint is to write there."""
    path = path_of(resume, "resume")
    if not any(Folder(saver.path, 0).holds(path) for _, saver in savers):
        raise FileNotFoundError(
            f"resume is {path!r}, where no checkpoint is, expected a file or a folder of fb.Checkpoint's; correct the "
            f"path, or pass a fb.Checkpoint({path!r}) as well to begin there"
        )


def check_same(found: Found, training: Config, epochs: int) -> None:
    """Refuses a checkpoint of another training than this one, which is so described, or beyond its last epoch."""
    now, then, state = _plain(training), found.training, found.state
    if state["rate"] is not None and now["optimizer"]["lr"] == state["rate"] and isinstance(then["optimizer"], dict):
        now["optimizer"]["lr"] = then["optimizer"].get("lr")  # it is the optimizer that was trained with, of a new rate
    if (differs := difference(now, then)) is not None:
        name, here, there = differs
        raise ValueError(f"{name} is {here}, expected {there}, as in the checkpoint {found.path}; {_REMEDY}")
    done = state["epoch"] + (state["step"] > 0)
    if epochs < done:
        raise ValueError(
            f"epochs is {epochs}, expected at least {done}, as many as the checkpoint {found.path} has begun; pass the "
            "number that the training is to have in all"
        )
    if state["isa"] != cpu.selected():
        caller.warn(
            f"the checkpoint {found.path} was written with the kernels {check.shown(state['isa'])}, and this training "
            f"uses {cpu.selected()!r}: it goes on, with last bits of its own",
            RuntimeWarning,
        )


def check_state(found: Found, job: Job, optimizer: Optimizer, stoppings: Sequence[EarlyStopping]) -> Any:
    """Refuses a state that the model and the optimizer cannot have. Returns the optimizer's rate, a float or a
    schedule."""
    state, tensors, params, slots = found.state, found.tensors, job.model.params, optimizer.slots
    wanted = {"params": params.shape} | ({"state": (slots, params.size)} if slots else {})
    wanted |= {name: params.shape for name in tensors if name.startswith("best_params")}
    for name in sorted({*wanted, *({"state"} & tensors.keys())}):
        tensor, shape = tensors.get(name), wanted.get(name)
        if tensor is None or tensor.shape != shape or tensor.dtype != params.dtype or not np.isfinite(tensor).all():
            raise unusable(found, f"its tensor {name!r}", f"finite {params.dtype} of shape {shape}")
    if state["step"] >= -(-job.n // job.batch):
        raise unusable(found, "its step", "one of an epoch")
    if len(state["early_stopping"]) != len(stoppings):
        raise unusable(found, "its early stopping", f"that of {len(stoppings)}")
    try:
        rate = state["rate"]
        lr: Any = optimizer.lr
        if rate is not None:
            lr = schedules.from_config(rate) if isinstance(rate, dict) else check.number("lr", rate, minimum=0.0)
        if state["memory"] is not None:
            copy.deepcopy(lr).recall(state["memory"])
    except (ValueError, TypeError, AttributeError) as error:
        raise unusable(found, f"its rate ({error})", "one that the optimizer can have") from None
    return lr


def put_back(found: Found, job: Job, optimizer: Optimizer, lr: Any) -> None:
    """The model and the optimizer are as they were."""
    state, tensors, model = found.state, found.tensors, job.model
    if state["rate"] is not None:
        optimizer.lr = lr
    if state["memory"] is not None:
        lr.recall(state["memory"])
    model._dropout_key = state["dropout"]
    Snapshot(model, optimizer).become(
        tensors["params"], tensors.get("state"), state["steps"], state["draws"], state["first"] + state["epoch"]
    ).restore()


def put_back_stoppings(found: Found, stoppings: Sequence[EarlyStopping]) -> None:
    """Early stopping is as it was."""
    for i, (each, row) in enumerate(zip(stoppings, found.state["early_stopping"], strict=True)):
        params = found.tensors[f"best_params.{i}"].copy() if row["kept"] else None
        each._best = row["best"], row["best_epoch"], params
        each.waited, each.stopped_epoch = row["waited"], row["stopped_epoch"]


def _plain(training):
    """A description as it comes back from a file."""
    try:
        return json.loads(json.dumps(training))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"the description of the training is no plain JSON ({error}), expected settings that are numbers, text, "
            "lists and dicts; train without resume, or change them"
        ) from None


def unusable(found: Found, what: str, expected: str) -> ValueError:
    """The error for a checkpoint whose parts do not belong together."""
    return ValueError(
        f"{found.path}: not a usable checkpoint: {what} is not as it was written, expected {expected}; go on from "
        "another checkpoint"
    )
