"""Memory that cannot be had is asked for in our words, before anything is changed."""

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._check import allocation


@pytest.mark.parametrize(("make", "message"), [
    (lambda: fb.Sequential(fb.Dense(2**62, 1)),
     r"the network needs 16 EiB for 4,611,686,018,427,387,905 numbers of float32.*; make its "
     r"largest layer narrower, layers\[0\], Dense\(4611686018427387904, 1, 'linear'\)"),
    (lambda: fb.mlp(2**31, 2**31), r"the network needs 16 EiB for .*layers\[0\]"),
    (lambda: fb.mlp(3, 2**20, 2**25), r"the network needs 128 TiB for .*narrower, layers\[1\]"),
    (lambda: fb.mlp(3, 2**20, 2**25, dtype="float64"), "the network needs 256 TiB for .* float64"),
    (lambda: fb.mlp(10**30, 10**30), "the network needs .* YiB for"),
    (lambda: g.compile(g.mean(g.sum(g.parameter("w", 2**45)) * g.input("x"))),
     "the plan needs 128 TiB for .*; make its largest parameter smaller, w of shape"),
    (lambda: g.compile(g.mean(g.parameter("w", (2**31, 2**31)) * 1.0)), "the plan needs 16 EiB for"),
])
def test_what_cannot_be_allocated_is_said_in_our_words(make, message):
    with pytest.raises(MemoryError, match=message):
        make()


def test_an_optimizer_without_room_for_its_state(monkeypatch):
    monkeypatch.setattr(allocation, "aligned_zeros", lambda *_: np.zeros(2**62, np.float64))
    optimizer = fb.Adam()
    with pytest.raises(MemoryError, match=r"the state of Adam needs 40 bytes for 10 .*; choose an optimizer that"):
        optimizer.bind(np.zeros(5, np.float32))
    assert optimizer.state is None and optimizer._params is None


def test_zeros_begin_a_cache_line():
    for shape in ((5,), (3, 7)):
        made = allocation.zeros(shape, np.dtype("float32"), str, str)
        assert made.ctypes.data % 64 == 0 and not made.any() and made.shape == shape
