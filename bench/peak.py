"""The machine's measured limits, in float32: multiply-adds a second, and bytes read from memory a second.

peak.c is compiled where this runs, with `$CC` or cc. The compiled parts of fastbp are not asked for the limit, or a
poor kernel would lower the mark it is measured by; `gemm` says how near the limit its matrix kernel comes in L1.
"""
import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("peak.c")


def measure(threads, seconds=0.1):
    """{"gflops", "gbytes", "gemm_gflops"} of `threads` threads at once; None where it could not be measured.

    threads: int. seconds: how long each of the best-of-three trials takes, about.
    """
    library = compiled()
    return {"gflops": library and fma(library, threads, seconds), "gbytes": library and read(library, threads, seconds),
            "gemm_gflops": gemm(threads, seconds)}


@functools.cache
def compiled():
    """peak.c as a ctypes library, or None without a compiler."""
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        return None
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "peak.so")
        flags = ["-O2", "-ffp-contract=fast", "-shared", "-fPIC"]
        if subprocess.run([*compiler, *flags, str(SOURCE), "-o", path], check=False).returncode:
            return None
        library = ctypes.CDLL(path)
    library.peak_fma.restype, library.peak_fma.argtypes = ctypes.c_double, [ctypes.c_long, ctypes.c_void_p]
    library.peak_read.restype, library.peak_read.argtypes = ctypes.c_float, [ctypes.c_void_p, ctypes.c_size_t]
    library.peak_bounce.restype = ctypes.c_long
    library.peak_bounce.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long]
    return library


def fma(library, threads, seconds):
    """GFLOP/s of fused multiply-adds between registers."""
    places = np.full((threads, 16), [0.5, 1.0] + [0.0] * 14, np.float32)
    return best_rate(lambda i, count: library.peak_fma(count, places[i].ctypes.data), threads, seconds) / 1e9


def read(library, threads, seconds):
    """GB/s read from arrays far larger than any cache, one for each thread."""
    arrays = [np.ones(1 << 26, np.float32) for _ in range(threads)]  # 256 MB

    def work(i, count):
        for _ in range(count):
            library.peak_read(arrays[i].ctypes.data, arrays[i].size)
        return arrays[i].nbytes * count
    return best_rate(work, threads, seconds) / 1e9


def round_trip(library, count=20_000):
    """Nanoseconds from a word that one thread writes to the answer of another one: the half of what a team's barrier
    costs at least. In a virtual machine it may change by the minute, as its cores are moved about."""
    place = np.zeros(48, np.int64)
    place = place[-place.ctypes.data % 128 // 8:]  # 128 bytes apart, each in lines of its own
    answered, taken = timed(lambda side, count: library.peak_bounce(place.ctypes.data, side, count), 2, count)
    return 1e9 * taken / (answered / 2)


def gemm(threads, seconds):
    """GFLOP/s of the selected ISA's gemm kernel on one tile, its operands in L1; None where fastbp is not installed.

    Strides of zero make a product of any depth read one column of A and one row of B over and over.
    """
    try:
        from fastbp._core import cpu
    except ImportError:
        return None
    isa, dtype = cpu.selected(), "float32"
    _, mr, nr = cpu.tile(isa, dtype)
    address = next(row[-1] for row in cpu.kernels(isa, dtype) if row[0] == "gemm")
    size, pointer = ctypes.c_ssize_t, ctypes.c_void_p
    kernel = ctypes.CFUNCTYPE(None, pointer, size, pointer, size, size, size, pointer, pointer, size, pointer, size,
                              size, size, ctypes.c_int, ctypes.c_int)(address)
    A, B = np.full(mr, 1e-3, np.float32), np.full(nr, 1e-3, np.float32)
    C = [np.zeros((mr, nr), np.float32) for _ in range(threads)]

    def work(i, count):
        kernel(C[i].ctypes.data, nr, A.ctypes.data, 1, 0, 0, None, B.ctypes.data, 0, None, mr, nr, count, 0, 0)
        return 2.0 * mr * nr * count
    return best_rate(work, threads, seconds) / 1e9


def best_rate(work, threads, seconds):
    """Best of three: the units a second that work(i, count) -> units does in `threads` threads at once."""
    count = 1
    while (taken := timed(work, 1, count)[1]) < seconds / 10 and count < 1 << 40:
        count *= 4
    count = max(1, int(count * seconds / taken))
    return max(units / taken for units, taken in (timed(work, threads, count) for _ in range(3)))


def timed(work, threads, count):
    """(units done, seconds) of work in `threads` threads that begin together."""
    units, start = [0.0] * threads, threading.Barrier(threads + 1)

    def run(i):
        start.wait()
        units[i] = work(i, count)
    team = [threading.Thread(target=run, args=(i,)) for i in range(threads)]
    for thread in team:
        thread.start()
    start.wait()
    begin = time.perf_counter()
    for thread in team:
        thread.join()
    return sum(units), time.perf_counter() - begin


if __name__ == "__main__":
    for team_size in sorted({1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()}):
        figures = measure(team_size).items()
        print(team_size, "threads:", ", ".join(f"{name} {value:.1f}" for name, value in figures if value))
        if team_size > 1 and (found := compiled()):
            print(f"a round trip between two threads: {round_trip(found):.0f} ns")
