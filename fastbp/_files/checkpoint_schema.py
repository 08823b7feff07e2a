"""The closed schema of what a checkpoint says beside its tensors.

    {"format": 1, "kind": "checkpoint", "training": {...}, "state": {...}}

"training" is what stays the same all the time - model, optimizer, data, settings - and is compared with the training
that goes on, entry by entry. "state" is where it stands: whole numbers, real ones, of which JSON has no infinity and
no NaN (`real` writes these as text), and names. Tensors: params (P,); state (slots, P) of an optimizer that has one;
history (values, epochs) float64; losses and correct_counts (steps,) float64 of the epoch at hand; best_params.0 and so
on (P,) of each early stopping that keeps them.
"""

from __future__ import annotations

import math
from typing import Any

from fastbp._files.schema import AGAIN, FORMAT, Values, check_format

KIND = "checkpoint"
_TRAINING = ("model", "data", "validation", "batch_size", "shuffle", "seed", "logs", "optimizer", "early_stopping")
_WHOLE = ("first", "epoch", "step", "steps", "draws")
_STATE = (*_WHOLE, "lr", "seconds", "stopped", "dropout", "rate", "memory", "early_stopping", "history", "best", "isa",
          "data_spec")
_STOPPING = ("best", "best_epoch", "waited", "stopped_epoch", "kept")
_BEST = ("monitor", "value")
_MOST = 2**62
_OTHERS = ("inf", "-inf", "nan")  # real numbers that JSON has not


def real(value: float) -> float | str:
    """A real number as JSON: infinity and NaN as text."""
    value = float(value)
    return value if math.isfinite(value) else repr(value)


def described(training: Any, state: Any) -> dict[str, Any]:
    """All that a checkpoint says."""
    return {"format": FORMAT, "kind": KIND, "training": training, "state": state}


class CheckpointSchema(Values):
    """The checks of a description, by ValueError. What they have passed of "state" is as it was before it was written,
    real numbers as floats."""

    def description(self, found: Any) -> None:
        check_format(found)
        if found.get("kind") != KIND:
            what = "parameters of an expression" if "kind" in found else "a network"
            raise ValueError(f"it has {what} and no state of a training, expected a checkpoint; give one that "
                             "fb.Checkpoint has written")
        self.keys(found, ("format", "kind", "training", "state"), "the description")
        for name, expected in (("training", _TRAINING), ("state", _STATE)):
            if not isinstance(found[name], dict):
                raise self.wrong(name, found[name], "an object")
            self.keys(found[name], expected, name)
        self._state(found["state"])

    def _state(self, state):
        for name in _WHOLE:
            self.whole(state[name], f"state.{name}", 0, _MOST)
        self.whole(state["dropout"], "state.dropout", 0, 2**64 - 1)
        for name in ("lr", "seconds"):
            state[name] = self._real(state[name], f"state.{name}")
        self._flag(state["stopped"], "state.stopped")
        self.text(state["isa"], "state.isa")
        if state["memory"] is not None:
            if not isinstance(state["memory"], list):
                raise self.wrong("state.memory", state["memory"], "null or a list")
            state["memory"] = [self._number(value, f"state.memory[{i}]") for i, value in enumerate(state["memory"])]
        rows = state["early_stopping"]
        if not isinstance(rows, list):
            raise self.wrong("state.early_stopping", rows, "a list")
        for i, row in enumerate(rows):
            self._stopping(row, f"state.early_stopping[{i}]")
        names = state["history"]
        if not isinstance(names, list) or len({*map(str, names)}) != len(names):
            raise self.wrong("state.history", names, "a list of different names")
        for i, name in enumerate(names):
            self.text(name, f"state.history[{i}]")
        if state["best"] is not None:
            if not isinstance(state["best"], dict):
                raise self.wrong("state.best", state["best"], "null or an object")
            self.keys(state["best"], _BEST, "state.best")
            self.text(state["best"]["monitor"], "state.best.monitor")
            state["best"]["value"] = self._real(state["best"]["value"], "state.best.value")

    def _stopping(self, row, where):
        if not isinstance(row, dict):
            raise self.wrong(where, row, "an object")
        self.keys(row, _STOPPING, where)
        self.whole(row["waited"], f"{where}.waited", 0, _MOST)
        self._flag(row["kept"], f"{where}.kept")
        for name in ("best_epoch", "stopped_epoch"):
            if row[name] is not None:
                self.whole(row[name], f"{where}.{name}", 0, _MOST)
        if row["best"] is not None:
            row["best"] = self._real(row["best"], f"{where}.best")
        if (row["best"] is None) != (row["best_epoch"] is None) or (row["kept"] and row["best"] is None):
            raise self.refusal(f"{where} has a best value without its epoch, or one without the other", "both or none")

    def _flag(self, value, where):
        if not isinstance(value, bool):
            raise self.wrong(where, value, "true or false")

    def _real(self, value, where):
        return float(value) if value in _OTHERS and isinstance(value, str) else float(self.number(value, where))

    def _number(self, value, where):
        """As _real, but whole numbers stay whole."""
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST:
            return value
        return self._real(value, where)


def check_tensors(state: Any, tensors: Any) -> None:
    """Raises ValueError where the tensors are not those that the state speaks of: {name: (shape, dtype)}. What is of
    the model's size is looked at where there is a model."""
    wanted = {"params", "history", "losses", "correct_counts"} | {"state"} & tensors.keys()
    if state["epoch"] and not state["history"]:
        raise ValueError(f"state.history is a list of 0, expected the values of {state['epoch']} epochs; {AGAIN}")
    wanted |= {f"best_params.{i}" for i, row in enumerate(state["early_stopping"]) if row["kept"]}
    if tensors.keys() != wanted:
        raise ValueError(f"it has {len(tensors)} tensors, expected {', '.join(sorted(wanted))}; {AGAIN}")
    shapes: dict[str, Any] = {"history": [(len(state["history"]), state["epoch"])], "losses": [(state["step"],)],
              "correct_counts": [(0,), (state["step"],)]}
    for name, expected in shapes.items():
        shape, dtype = tensors[name]
        if shape not in expected or dtype != "float64":
            raise ValueError(f"tensor {name!r} is {dtype} of shape {shape}, expected float64 of shape "
                             f"{expected[-1]}; {AGAIN}")
