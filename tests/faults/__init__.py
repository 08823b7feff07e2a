"""Faults that tests have caught, in a form that can be planted again: `python -m tests.faults --help`.

A test counts once it has been seen to fail. Each module of this folder lists `FAULTS`: what was planted, where, and
which tests must go red. ../faults.md tells of those that were planted before there was such a list.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """what: the fault in words. file: where it is planted. old, new: text of that file, which must stand there once,
    and what it becomes. red: the tests, as pytest names them, each of which must fail. environ: variables of the build
    and of the tests, such as ("CC", "clang"). A fault outside of Python's files is built."""

    what: str
    file: str
    old: str
    new: str
    red: tuple[str, ...]
    environ: tuple[tuple[str, str], ...] = ()
