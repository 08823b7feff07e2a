"""Records what trainings give today, and a file of each kind that is not there: `python -m tests.golden.record`.

To be run by hand, when bits change on purpose: whoever trained with an earlier version gets other numbers. It lists
the trainings whose bits are not those of the list that it replaces. `--check` writes nothing: it is the same bits
from another compiler, or on another machine.
"""

import json
import sys
from pathlib import Path

import fastbp as fb

from . import TRAININGS, files
from .numbers import digest

HASHES = Path(__file__).with_name("hashes.json")
DTYPES = ("float32", "float64")


def hashes():
    """{ISA: {dtype: {training: hash}}} of the ISAs of this machine."""
    before, found = fb.cpu.selected(), {}
    for isa in sorted(fb.cpu.available()):
        fb.cpu.use(isa)
        found[isa] = {dtype: {name: digest(TRAININGS[name](dtype)) for name in TRAININGS} for dtype in DTYPES}
    fb.cpu.use(before)
    return found


def changed(old, new):
    """The lines "ISA dtype: training" whose hashes are in both and differ."""
    return [
        f"{isa} {dtype}: {name}"
        for isa, dtypes in new.items()
        for dtype, found in dtypes.items()
        for name, value in found.items()
        if old.get(isa, {}).get(dtype, {}).get(name, value) != value
    ]


def main(arguments):
    if "--check" not in arguments:
        files.write()
    old, new = json.loads(HASHES.read_text()) if HASHES.exists() else {}, hashes()
    lines = changed(old, new)
    print("\n".join([*lines, f"{len(lines)} of {sum(len(DTYPES) * len(TRAININGS) for _ in new)} have other bits"]))
    if "--check" in arguments:
        return len(lines) > 0
    HASHES.write_text(json.dumps({**old, **new}, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
