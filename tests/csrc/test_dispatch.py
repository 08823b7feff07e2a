"""csrc/dispatch.c: the choice of a table, the random generator and gather."""

import ctypes
import platform
import shutil
import subprocess
from ctypes import POINTER, c_char_p, c_int, c_int64, c_ssize_t, c_uint64, c_void_p

import numpy as np
import pytest
from kernel_calls import LISTED, said
from source_files import ROOT

from fastbp._core import cpu
from fastbp.reference.kernels import threefry2x32

LIBRARY = ctypes.CDLL(cpu.__file__)


def function(name, result, *arguments):
    found = getattr(LIBRARY, name)
    found.restype, found.argtypes = result, arguments
    return found


find_table = function("fbp_find_table", c_void_p, c_char_p, c_int)
find_kernel = function("fbp_find_kernel", c_void_p, c_void_p, c_char_p)
known_isa = function("fbp_known_isa", c_char_p, c_int)
best_isa = function("fbp_best_isa", c_char_p)
threefry = function("fbp_threefry", c_uint64, c_uint64, c_uint64)
threefry_words = function("fbp_threefry_words", None, c_void_p, c_uint64, c_uint64, c_ssize_t)
gather = function(
    "fbp_gather_rows", None, c_void_p, c_ssize_t, c_void_p, c_ssize_t, POINTER(c_int64), c_ssize_t, c_ssize_t
)


def test_known_isas_are_listed_best_first():
    names = [name.encode() for name in LISTED]
    assert [known_isa(i) for i in range(-1, len(names) + 2)] == [None, *names, None, None]
    assert [name for name in LISTED if name in ("scalar", "avx2", "avx512")] == ["avx512", "avx2", "scalar"]
    available = cpu.available()
    assert best_isa().decode() == available[0]
    assert available[-1] == "scalar"
    assert [name for name in cpu.known() if name in available] == list(available)


def test_cpu_flags_and_tables_agree():
    """An ISA that the machine lacks has no table; where the kernel says what the machine has, it is all there."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((set(line.split()) for line in file if line.startswith("flags")), None)
    except OSError:
        flags = None
    if flags is None:
        pytest.skip("no /proc/cpuinfo with x86 flags on this machine")
    needs = {isa: said(isa, r"^ \* flags on x86_64: (.+)$") for isa in LISTED}
    for isa, line in needs.items():
        if line:  # of the compiler's flags, -m and the name of what the processor has
            assert (isa in cpu.available()) == ({flag[2:] for flag in line.split()} <= flags), isa
    assert sum(line is not None for line in needs.values()) >= 2


def test_the_processor_says_what_the_builtin_says(tmp_path):
    """On Windows the processor is asked by CPUID, as the builtin's library is not linked."""
    compiler = shutil.which("cc")
    if compiler is None or platform.machine() != "x86_64":
        pytest.skip("no C compiler, or no x86 processor")
    source = tmp_path / "asks.c"
    source.write_text(
        '#include <stdio.h>\n#include "dispatch.c"\n'
        "#define ISA(name, is_here) const fbp_table fbp_##name##_f32, fbp_##name##_f64;\n"
        '#include "isa/isas.def"\n'
        'int main(void)\n{\n#define ISA(name, is_here) if (name##_is_here()) puts(#name);\n#include "isa/isas.def"\n}\n'
    )
    told = []
    for asked in ("builtin", "FBP_ASK_CPUID"):
        flags = ["-std=gnu99", f"-D{asked}", "-I", str(ROOT / "csrc"), "-o", str(tmp_path / asked)]
        subprocess.run([compiler, *flags, str(source)], check=True, timeout=60)
        told.append(subprocess.run([str(tmp_path / asked)], capture_output=True, check=True, timeout=60).stdout.split())
    assert told[0] == told[1] and b"scalar" in told[0]


def test_what_is_not_there_is_null():
    for isa, itemsize in ((None, 4), (b"", 4), (b"avx", 4), (b"avx1024", 8), (b"scalar", 2), (b"scalar", 0)):
        assert find_table(isa, itemsize) is None
    assert not (find_table(b"neon", 4) and find_table(b"avx2", 4))


def test_kernels_are_found_by_their_whole_name(isa, dtype):
    table = find_table(isa.encode(), np.dtype(dtype).itemsize)
    for name, _, _, address in cpu.kernels(isa, dtype):
        assert find_kernel(table, name.encode()) == address
    for name in (b"", b"gem", b"gemm_", b"GEMM", b"relu"):
        assert find_kernel(table, name) is None


# Random123 1.14, kat_vectors: threefry2x32 of 20 rounds; counter, key, result (first word, second word).
PUBLISHED = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


def joined(words):
    return words[1] << 32 | words[0]


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_threefry_gives_the_published_numbers(counter, key, result):
    assert threefry(joined(key), joined(counter)) == joined(result)
    assert tuple(int(word[0]) for word in threefry2x32(key, counter)) == result


@pytest.mark.parametrize("first", [0, 5, 2**32 - 9, 2**64 - 40])
def test_words_by_the_dozen_are_those_one_by_one(first):
    for count in (0, 1, 15, 16, 17, 40):
        words = (c_uint64 * 41)(*[7] * 41)
        threefry_words(words, 2**40 + 3, first, count)
        assert list(words) == [threefry(2**40 + 3, first + i) for i in range(count)] + [7] * (41 - count)


def test_threefry_agrees_with_the_reference(rng):
    keys, counters = rng.integers(0, 2**32, (2, 2, 200), dtype=np.uint64)
    first, second = threefry2x32(keys, counters)
    for i in range(200):
        key, counter = (joined([int(word) for word in pair[:, i]]) for pair in (keys, counters))
        assert threefry(key, counter) == joined((int(first[i]), int(second[i])))


@pytest.mark.parametrize("row_bytes", [0, 1, 4, 7, 8, 64, 100, 3136])
@pytest.mark.parametrize("m", [0, 1, 2, 3, 4, 5, 17])
def test_gather(row_bytes, m, rng):
    source = rng.integers(0, 256, (11, row_bytes + 5), dtype=np.uint8)
    index = rng.integers(0, 11, m)
    out = np.full((m + 2, row_bytes + 3), 0xA5, np.uint8)
    gather(out[1:].ctypes.data, out.strides[0], source.ctypes.data, source.strides[0],
           index.ctypes.data_as(POINTER(c_int64)), m, row_bytes)
    assert (out[1:m + 1, :row_bytes] == source[index, :row_bytes]).all()
    out[1:m + 1, :row_bytes] = 0xA5
    assert (out == 0xA5).all()
