"""The values of an epoch as callbacks and the History see them: which names are fit's own, and what may stand beside
them."""

import numpy as np

from . import check

# what fit may call a value of its own; of these nobody else's ever are the first five
LOOP = ("loss", "val_loss", "lr", "seconds", "samples_per_second")
OWN = (*LOOP, "accuracy", "val_accuracy")
TIMES = ("lr", "seconds", "samples_per_second")  # of no interest beside the others: neither drawn nor shown in a bar

# Words of a name by which one knows whether more of it is better. Less wins: 1 - f1 may be called f1_loss.
_LESS = {
    "loss", "error", "err", "mse", "mae", "rmse", "mape", "smape", "nll", "deviance", "perplexity", "distance",
    "entropy", "brier", "ece", "eer", "cost", "lr", "seconds",
}  # fmt: skip
_MORE = {
    "accuracy", "acc", "f1", "auc", "auroc", "auprc", "precision", "recall", "r2", "score", "map", "iou", "dice",
    "jaccard", "kappa", "mcc", "sensitivity", "specificity", "correlation", "likelihood", "samples",
}  # fmt: skip


def more_is_better(name):
    """Whether more of a value of this name is better: True, False, or None where the name does not say."""
    words = set(name.lower().replace("-", "_").replace(" ", "_").split("_"))
    return False if words & _LESS else True if words & _MORE else None


def number(value, what, expected="a number"):
    """`value` as a float; NaN and infinity are numbers, and so are True and False. TypeError for all else: `what` it
    is, in words, and what was `expected`."""
    try:
        if value is None or isinstance(value, (str, bytes)) or np.ndim(value) or np.iscomplexobj(value):
            raise TypeError
        return float(value)
    except Exception:  # whatever a value of the user's raises
        raise TypeError(f"{what} is {check.shown(value)}, expected {expected}; give one real number") from None


def name(value, what, taken=OWN):
    """`value` as the name of an epoch's value that is none of `taken`."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is {check.shown(value)}, expected the name of a value; pass a str, such as 'f1'")
    if not value or value in taken:
        raise ValueError(
            f"{what} is {value!r}, expected another name than {', '.join(taken)}, which are fit's own; choose one"
        )
    return value


def settled(logs, own, who):
    """After a callback, called `who`, has had the logs: what it put there is made floats, what it may not is undone.

    own: {name: value} of what fit measured, which stays as it was. Returns the first error, or None.
    """
    wrong = None
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
            logs[name(key, f"a key that {who} put into logs", LOOP)] = number(
                logs[key], f"logs[{key!r}], which {who} put there,"
            )
        except (TypeError, ValueError) as error:
            del logs[key]
            wrong = wrong or error
    return wrong


def _same(now, value):
    """Whether a value is still what it was; NaN is."""
    return now is value or (type(now) is type(value) and (now == value or (now != now and value != value)))
