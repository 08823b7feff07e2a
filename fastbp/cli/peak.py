"""What the machine reaches: the matrix kernel in use on one tile whose operands stay in the L1 cache."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from fastbp._core import cpu

if TYPE_CHECKING:
    from fastbp._check.types import Array

_SECONDS = 0.1  # of each of three trials


def gflops(threads: int) -> float:
    """10^9 floating-point operations a second, of `threads` threads at once in float32; the best of three trials.

    Strides of zero make a product of any depth read one column of A and one row of B over and over. No compiler is
    needed; `bench/peak.py` measures the machine itself, with one."""
    isa = cpu.selected()
    _, mr, nr = cpu.tile(isa, "float32")
    address = next(row[-1] for row in cpu.kernels(isa, "float32") if row[0] == "gemm")
    size, pointer = ctypes.c_ssize_t, ctypes.c_void_p
    kernel = ctypes.CFUNCTYPE(None, pointer, size, pointer, size, size, size, pointer, pointer, size, pointer, size,
                              size, size, ctypes.c_int, ctypes.c_int)(address)
    A, B = np.full(mr, 1e-3, np.float32), np.full(nr, 1e-3, np.float32)

    def work(C: Array, depth: int) -> None:
        kernel(C.ctypes.data, nr, A.ctypes.data, 1, 0, 0, None, B.ctypes.data, 0, None, mr, nr, depth, 0, 0)

    def seconds(count: int, depth: int) -> float:
        team = [threading.Thread(target=work, args=(np.zeros((mr, nr), np.float32), depth)) for _ in range(count)]
        began = time.perf_counter()
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        return time.perf_counter() - began

    depth = 1000
    while (taken := seconds(1, depth)) < _SECONDS / 4 and depth < 1 << 40:
        depth *= 4
    depth = max(1, int(depth * _SECONDS / taken))
    return 2e-9 * mr * nr * depth * threads / min(seconds(threads, depth) for _ in range(3))
