"""The share of right answers: compiled code counts those that are right (fastbp.products.right), this module those that
count at all."""

import math

import numpy as np

from . import check
from ._core import cpu


def counted(targets, labels, question):
    """How many answers checked targets (n, units), or labels (n,), can be compared with: rows, where the question is
    "class", or single targets, where it is "answers". What is missing does not count: a target that is NaN, or the row
    that it is in."""
    if labels:
        return len(targets)
    if cpu.all_finite(targets):
        return len(targets) if question == "class" else targets.size
    there = check.complete_rows(targets) if question == "class" else ~np.isnan(targets)
    return int(np.count_nonzero(there))


def share_of(right, count):
    """The accuracy, a float, of `right` answers out of `count`; NaN where there are none."""
    return float(right) / count if count else math.nan
