"""The share of right answers: compiled code counts those that are right (fastbp._ir.nn.right), this module those that
count at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fastbp import _check as check
from fastbp._core import cpu

if TYPE_CHECKING:
    from fastbp._check.types import Array
    from fastbp.losses import Loss


def question_of(targets: Array, labels: bool, loss: Loss, units: int) -> str | None:
    """What an accuracy of checked targets would count: "class", the largest output; "answers", every output by itself
    (or the only one); None, nothing: this is no classification."""
    if labels or loss.name == "cross_entropy":
        return "class"
    if loss.one_hot and units > 1 and check.one_hot(targets, loss.ignores_missing):
        return "class"
    return "answers" if loss.classification else None


def counted(targets: Array, labels: bool, question: str) -> int:
    """How many answers checked targets (n, units), or labels (n,), can be compared with: rows, where the question is
    "class", or single targets, where it is "answers". What is missing does not count: a target that is NaN, or the row
    that it is in."""
    if labels:
        return len(targets)
    if cpu.all_finite(targets):
        return len(targets) if question == "class" else targets.size
    there = check.complete_rows(targets) if question == "class" else ~np.isnan(targets)
    return int(np.count_nonzero(there))


def share_of(right: float, count: float) -> float:
    """The accuracy, a float, of `right` answers out of `count`; NaN where there are none."""
    return float(right) / count if count else math.nan
