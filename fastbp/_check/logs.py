"""The values of an epoch as callbacks and the History see them: which names are fit's own, and what may stand beside
them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp import _check as check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RESERVED = ("loss", "val_loss", "lr", "seconds", "samples_per_second")  # no value of anybody else's is called so
# All that fit may report. A callback may put the last two into logs where fit does not report them.
BUILT_IN = (*RESERVED, "accuracy", "val_accuracy")
TIMES = ("lr", "seconds", "samples_per_second")  # of no interest beside the others: neither drawn nor shown in a bar

# Words of a name by which one knows whether more of it is better. Less wins: 1 - f1 may be called f1_loss.
_LESS = {
    "loss", "error", "err", "mse", "mae", "rmse", "mape", "smape", "nll", "deviance", "perplexity", "distance",
    "entropy", "brier", "ece", "eer", "cost", "lr", "seconds",
}  # fmt: skip
_MORE = {
    "accuracy", "acc", "f1", "auc", "auroc", "auprc", "precision", "recall", "r2", "map", "iou", "dice", "jaccard",
    "kappa", "mcc", "sensitivity", "specificity", "correlation", "samples",
}  # fmt: skip
# Words after which a name may mean the opposite: nobody knows without asking.
_TURNS = {
    "neg", "negative", "negated", "minus", "inv", "inverse", "inverted", "reciprocal", "complement", "not", "non", "no",
    "one", "drop", "reduction", "decrease", "improvement", "gain", "gap", "difference", "diff", "delta", "change",
}  # fmt: skip
_NEGATED = re.compile(r"(^|[\s_(])(1\s*)?[-/\u2012-\u2015\u2212]")  # -mse, 1 - f1, 1/mae
_ALIKE = 0.85  # how alike two names must be, 1 for equal, for one to be taken for a slip of the finger


def more_is_better(name: str) -> bool | None:
    """Whether more of a value of this name is better: True, False, or None where the name does not say."""
    words = set(re.findall("[^\\W_]+", name.lower()))
    if words & _TURNS or _NEGATED.search(name):
        return None
    return False if words & _LESS else True if words & _MORE else None


def rises(who: object, monitor: str, mode: str) -> bool:
    """Whether more of the monitored value is better: what mode, "max", "min" or "auto", says, or for "auto" the name.
    Raises ValueError where neither does; who: what monitors it."""
    more = more_is_better(monitor) if mode == "auto" else mode == "max"
    if more is None:
        raise ValueError(
            f"{who!r} has mode 'auto', expected a name that says whether more of it is better, as {monitor!r} does "
            "not; pass mode='max' or mode='min'"
        )
    return more


def check_monitor(who: str, monitor: str, names: Iterable[str], undeclared: bool, by: str) -> None:
    """Raises ValueError where logs will have no value of the monitored name.

    who: what monitors it, in words. names: those known before the training, of fit, metrics and callbacks that declare
    what they put. undeclared: whether there is a callback that does not, and may put any other: none of fit's own, and
    one so like a known name is more likely a slip of the finger. by: who may put it there, in words.
    """
    if monitor in names:
        return
    if undeclared and monitor not in BUILT_IN and not any(_slip(monitor, name) for name in names):
        return
    raise ValueError(
        f"{who} monitors {monitor!r}, expected one of: {', '.join(names)}; choose one of these, pass validation_data "
        f"or validation_split, or have {by} put it into logs, a Callback that names it in its puts"
    )


def _slip(name: str, other: str) -> bool:
    """Whether a name may be meant for the other one: they are alike, and not told apart by digits, as f1 and f2."""
    (letters, digits), (others, its) = (
        ["".join(filter(kind, each.lower())) for kind in (str.isalpha, str.isdigit)] for each in (name, other)
    )
    import difflib  # only for somebody who has mistyped a name

    return bool(letters) and digits == its and difflib.SequenceMatcher(None, letters, others).ratio() >= _ALIKE


def number(value: Any, what: str, expected: str = "a number") -> float:
    """`value` as a float; NaN and infinity are numbers, and so are True and False. TypeError for all else: `what` it
    is, in words, and what was `expected`."""
    try:
        if value is None or isinstance(value, (str, bytes)) or np.ndim(value) or np.iscomplexobj(value):
            raise TypeError
        return float(value)
    except Exception:  # whatever a value of the user's raises
        raise TypeError(f"{what} is {check.shown(value)}, expected {expected}; give one real number") from None


def name(value: Any, what: str, taken: Iterable[str] = BUILT_IN) -> str:
    """`value` as the name of an epoch's value that is none of `taken`."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is {check.shown(value)}, expected the name of a value; pass a str, such as 'f1'")
    if not value or value in taken:
        raise ValueError(
            f"{what} is {value!r}, expected another name than {', '.join(taken)}, which are fit's own; choose one"
        )
    return value


def settled(logs: dict[str, Any], own: Mapping[str, float], who: str) -> Exception | None:
    """After a callback, called `who`, has had the logs: what it put there is made floats, what it may not is undone.

    own: {name: value} of what fit measured, which stays as it was. Returns the first error, or None.
    """
    wrong: Exception | None = None
    for key, value in own.items():
        if not _same(logs.get(key), value):
            now = f"made logs[{key!r}] {check.shown(logs[key])}" if key in logs else f"took logs[{key!r}] away"
            wrong = wrong or ValueError(
                f"{who} {now}, expected {value!r}, as fit measured it; put a value of its own under another name"
            )
    if wrong:
        logs.update(own)
    for key in [key for key in logs if key not in own]:
        try:
            logs[name(key, f"a key that {who} put into logs", RESERVED)] = number(
                logs[key], f"logs[{key!r}], which {who} put there,"
            )
        except (TypeError, ValueError) as error:
            del logs[key]
            wrong = wrong or error
    return wrong


def _same(now: object, value: Any) -> bool:
    """Whether a value is still what it was; NaN is."""
    return now is value or (type(now) is type(value) and (now == value or (now != now and value != value)))
