"""The machine code of what was built: nothing outside the kernels of an ISA asks for more than every x86-64 has."""

import platform
import re
import shutil
import subprocess
from bisect import bisect_right
from pathlib import Path

import pytest

from fastbp._core import cpu

MODULES = sorted(Path(cpu.__file__).parent.glob("*.so"))
pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64" or not MODULES, reason="looks at modules of Linux on x86-64"),
    pytest.mark.skipif(not (shutil.which("objdump") and shutil.which("readelf")), reason="there are no binutils"),
]
# Mnemonics and registers beyond x86-64-v2: AVX (all begin with v, as does verr, which no compiler writes), masks, BMI.
BEYOND = re.compile(r"\t(v[a-z0-9]+|k(?:mov|or|and|not|test|xor|shift)\w*|andn|bextr|bls\w+|bzhi|mulx|pdep|pext|rorx|"
                    r"s[ahl][rl]x|lzcnt|movbe)\s|%[yz]mm\d")


def beyond(module):
    """Addresses of the instructions that ask for more."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(module)], capture_output=True, text=True,
                          check=True, timeout=120).stdout
    found = (re.match(r"\s*([0-9a-f]+):(\t.*)", line) for line in text.splitlines())
    return [int(each[1], 16) for each in found if each and BEYOND.search(each[2])]


def kernels_of(module):
    """Ranges of addresses of the functions of each object of csrc/kernels.c, in the order in which they were linked."""
    text = subprocess.run(["readelf", "--wide", "--symbols", str(module)], capture_output=True, text=True, check=True,
                          timeout=120).stdout.rpartition("Symbol table '.symtab'")[2]
    objects, here = [], None
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 7 and fields[3] == "FILE":
            here = [] if fields[7] == "kernels.c" else None
            if here is not None:
                objects.append(here)
        elif len(fields) > 7 and fields[3] == "FUNC" and fields[4] == "LOCAL" and here is not None:
            here.append((int(fields[1], 16), int(fields[1], 16) + int(fields[2], 0)))
    return [ranges for ranges in objects if ranges]


@pytest.mark.parametrize("module", [path for path in MODULES if not path.name.startswith("cpu.")],
                         ids=lambda path: path.name.partition(".")[0])
def test_a_module_without_kernels_asks_for_nothing_more(module):
    assert beyond(module) == []


def test_only_kernels_of_an_isa_ask_for_it():
    module = Path(cpu.__file__)
    objects = kernels_of(module)
    if not objects:
        pytest.skip("the build has no names of functions")
    ranges = sorted((low, high, i) for i, functions in enumerate(objects) for low, high in functions)
    starts, asks = [low for low, _, _ in ranges], [0] * len(objects)
    for address in beyond(module):
        low, high, i = ranges[bisect_right(starts, address) - 1]
        assert low <= address < high, f"{address:#x} of {module.name} is in no kernel"
        asks[i] += 1
    assert len(objects) >= 2 * len([isa for isa in cpu.available() if isa != "neon"])
    assert asks.count(0) == 2, "those of scalar, for both dtypes, ask for nothing more"
    assert sum(count > 1000 for count in asks) == len(objects) - 2
