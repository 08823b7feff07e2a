"""Accuracy, the fraction of correct answers: compiled code counts the correct ones (fastbp._ir.nn.correct), this module
those that count at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastbp import _check as check
from fastbp._core import cpu

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp.losses import Loss


def target_type_of(targets: Array, labels: bool, loss: Loss, units: int) -> str | None:
    """What an accuracy of checked targets would count: "multiclass", the largest output; "multilabel", every output by
    itself (or the only one); None, nothing: this is no classification."""
    if labels or loss.name == "cross_entropy":
        return "multiclass"
    if loss.one_hot and units > 1 and check.one_hot(targets, loss.ignores_missing):
        return "multiclass"
    return "multilabel" if loss.classification else None


def counted(targets: Array, labels: bool, target_type: str) -> int:
    """How many answers checked targets (n, units), or labels (n,), can be compared with: rows, where the target_type is
    "multiclass", or single targets, where it is "multilabel". What is missing does not count: a target that is NaN, or
    the row that it is in."""
    if labels:
        return len(targets)
    if cpu.all_finite(targets):
        return len(targets) if target_type == "multiclass" else targets.size
    there = check.complete_rows(targets) if target_type == "multiclass" else ~np.isnan(targets)
    return int(np.count_nonzero(there))


def accuracy_of(correct: float, count: float) -> float:
    """The accuracy, a float, of `correct` answers out of `count`; NaN where there are none."""
    return float(correct) / count if count else math.nan
