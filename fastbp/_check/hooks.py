"""What callbacks say: whether to go on, which names they put into logs; and methods with almost the name of a hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastbp import _check as check
from fastbp._check.logs import RESERVED
from fastbp._check.logs import name as checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALMOST = 0.8  # how alike two names must be, 1 for equal
# words of other libraries' hooks, and those here that are nearest
_WORDS = {"start": "begin", "finish": "end", "stop": "end", "trainbatch": "epoch", "batch": "epoch", "fit": "train"}


def declared(puts: object, who: str, fits: Iterable[str]) -> list[str]:
    """A list of the names that a callback, called `who`, says it puts into logs beside those of fit."""
    if not isinstance(puts, (tuple, list, set, frozenset)):
        raise TypeError(f"puts of {who} is {check.shown(puts)}, expected a tuple of names or None; pass ('f1',), say")
    taken = tuple(dict.fromkeys((*RESERVED, *fits)))
    return [checked_name(each, f"a name in puts of {who}", taken) for each in puts]


def not_understood(name: str, answer: object, method: str) -> TypeError:
    """The error of a callback, called `name`, whose method has given what is no answer."""
    return TypeError(
        f"{name} returned {check.shown(answer)} from {method}, expected None, or True to end the training; return one "
        "of them"
    )


def is_answer(value: object) -> bool:
    """Whether a value is None or a single truth: Python's, NumPy's, or an array of no dimensions that holds one."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype == np.bool_
    return value is None or isinstance(value, (bool, np.bool_))


def of(base: type) -> dict[str, str]:
    """{name without underscores: name} of the hooks that the base of callbacks has."""
    return {name.replace("_", ""): name for name in vars(base) if name.startswith("on_")}


def misnamed(callback: object, base: type) -> list[tuple[str, str]]:
    """[(method, the hook whose name is almost the same)] of what a user's class, or the object itself, has.

    base: the class of callbacks, whose module has no class of a user's.
    """
    known = of(base)
    own = dict(vars(callback)) if hasattr(callback, "__dict__") else {}
    for cls in type(callback).__mro__:
        if cls.__module__ != base.__module__:
            own.update({name: value for name, value in vars(cls).items() if name not in own})
    found = []
    for name, value in own.items():
        plain = name.lower().replace("_", "")
        if name in known.values() or not (callable(value) or isinstance(value, (staticmethod, classmethod))):
            continue
        for word, ours in _WORDS.items():
            plain = plain.replace(word, ours)
        import difflib  # only for somebody who has mistyped a name

        near = difflib.get_close_matches(plain, known, n=1, cutoff=_ALMOST)
        # without the "on" it may be a helper of the hook's
        if near and (plain.startswith("on") or known[near[0]] not in own):
            found.append((name, known[near[0]]))
    return found
