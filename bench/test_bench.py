"""Kernels and steps one by one, for pytest-benchmark: `pytest bench`; with --benchmark-disable each runs once.

Results are looked at, not timed against a mark: an output that a kernel leaves unwritten or not finite fails.
"""
import ctypes
import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from bench import ROOT, peers
from bench.cases import CASES
from fastbp._core import cpu

sys.path.append(os.path.join(ROOT, "tests"))
from kernel_calls import SIGNATURES

M, N = 16, 64  # 4 KB a matrix in float32: everything stays in the L1 cache
ROWS = [(isa, *row) for isa in cpu.available() for row in cpu.kernels(isa, "float32")]


def operands(name, signature, lanes_mr_nr):
    """(arguments, outputs) of one call: arrays for pointers, plain numbers otherwise."""
    rng = np.random.default_rng(0)
    _, mr, nr = lanes_mr_nr
    depth = 256

    def given(*shape):
        return rng.uniform(0.1, 0.9, shape).astype(np.float32)

    def unwritten(*shape):
        return np.full(shape, np.nan, np.float32)

    if signature == "gemm":
        out = unwritten(mr, nr)
        return [out, nr, given(mr, depth), depth, 1, 0, None, given(depth, nr), nr, None, mr, nr, depth, 0, 0], [out]
    if signature == "pack_b":
        out = unwritten(-(-N // nr), N, nr)
        return [out, given(N, N), N, N, N], [out]
    if signature == "pack_a":
        out = unwritten(depth, mr)
        return [out, given(mr, depth), depth, 1, mr, depth], [out]
    if signature == "forward":
        out, Z = given(M, N), unwritten(M, N)
        return [out, N, Z, N, given(N), M, N], [out, Z]
    if signature == "backward":
        out = unwritten(M, N)
        return [out, N, given(M, N), N, given(M, N), N, M, N], [out]
    if signature == "loss":
        out = unwritten(M, N)
        return [out, N, given(M, N), N, given(M, N), N, None, M, N, 1 / M, 0.5], [out]
    if signature == "right":
        return [None, 0, given(M, N), N, given(M, N), N, None, M, N, 1.0, 0.0], []
    if signature == "update":
        p, s0, s1 = given(M * N), given(M * N), given(M * N)
        hyper = np.array([1e-6, 0.0, 0.9, 0.999, 1e-8, 0.5, 0.5, 1.0, np.inf])
        return [p, s0, s1, given(M * N), M * N, hyper], [p, s0, s1]
    if signature == "reduce_partials":
        out = unwritten(N)
        return [out, given(M, N), N, M, N], [out]
    if signature == "reduce":
        return [given(M * N), M * N], []
    if signature == "penalty":
        out = given(M * N)
        return [out, given(M * N), M * N, 1e-9, 1e-9], [out]
    if signature == "dropout":
        out = unwritten(M, N)
        return [out, N, given(M, N), N, M, N, 0, 1, 0.5], [out]
    if signature == "map":
        out = unwritten(M, N)
        return [out, N, *(part for _ in range(3) for part in (given(M, N), N, 1)), M, N, 3.0], [out]
    if signature == "row_reduce":
        out = unwritten(M)
        return [out, 1, given(M, N), N, M, N], [out]
    if signature == "sum_product":
        out = unwritten(N)
        return [out, given(M, N), N, 1, given(M, N), N, 1, M, N, 0], [out]
    if signature == "total":
        return [given(M, N), N, 1, given(M, N), N, 1, M, N], []
    if signature == "embedding_lookup":
        out = unwritten(M, N)
        return [out, N, given(M, N), N, np.arange(M, dtype=np.int32)[::-1].copy(), M, N], [out]
    if signature == "scatter":
        out = given(M, N)
        return [out, N, given(M, N), N, np.arange(M, dtype=np.int32), 0, M, M, N], [out]
    if signature == "convert":
        out, source = unwritten(M, N), np.ones((M, N), name.partition("_")[2])
        return [out, N, source, source.strides[0], np.arange(M, dtype=np.int64)[::-1].copy(), M, N, 0.5], [out]
    raise AssertionError(f"no operands are known for a {signature} kernel: add them here")


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_kernel(benchmark, row):
    isa, name, signature, _, address = row
    benchmark.group = name
    arguments, outputs = operands(name, signature, cpu.tile(isa, "float32"))
    if name in ("cross_entropy_labels_loss", "correct_labels"):
        arguments[4] = np.arange(M, dtype=np.int32) % N
    result, types = SIGNATURES[signature]
    kernel = ctypes.CFUNCTYPE(result, *types)(address)
    benchmark(kernel, *(x.ctypes.data if isinstance(x, np.ndarray) else x for x in arguments))
    for out in outputs:
        assert np.isfinite(out).all(), f"{name} left an output unwritten or not finite"


@pytest.mark.parametrize("contender", ["fastbp", "numpy"])
@pytest.mark.parametrize("name", CASES)
def test_step(benchmark, name, contender):
    """A chunk of training steps over four batches, in one compiled call for fastbp."""
    benchmark.group = f"step {name}"
    case = CASES[name]
    case = replace(case, rows=4 * case.batch) if case.shuffled else case
    try:
        trained = peers.contender(peers.load(contender), case, *case.data())
    except NotImplementedError as why:
        pytest.skip(str(why))
    before = trained.loss()
    benchmark.extra_info["steps"] = steps = int(max(1, min(100, 1e8 / case.flop)))
    benchmark(trained.run, steps)
    assert np.isfinite(trained.loss())
    assert (trained.loss() != before) == (case.update is not None)


@pytest.mark.parametrize("name", ["xor", "policy64", "digits16"])
def test_step_by_hand(benchmark, name):
    """net.loss_and_grad and optimizer.step, called from Python on one batch."""
    benchmark.group = f"by hand {name}"
    case = CASES[name].one_batch()
    X, y = case.data()
    module = peers.load("fastbp")
    net, optimizer = module.network(case), module.optimizer(case)

    def step():
        loss = net.loss_and_grad(X, y)
        optimizer.step(net)
        return loss
    first = step()
    last = benchmark(step)
    assert np.isfinite(last)
    assert last < first


def test_predict_one_row(benchmark):
    """One row through 17-64-64-6 tanh, from Python."""
    case = replace(CASES["policy64"], rows=1)
    X, _ = case.data()
    net = peers.load("fastbp").network(case)
    Y = benchmark(net.predict, X)
    assert Y.shape == (1, 6)
    assert np.isfinite(Y).all()
