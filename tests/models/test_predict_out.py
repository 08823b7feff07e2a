"""`predict(X, out=...)`: the same bits in the caller's array, which is refused before anything is written; and that
vectors and outputs are NumPy arrays, which every library reads without a copy."""

import re

import numpy as np
import pytest

import fastbp as fb

NET = fb.mlp(6, 8, 3, activation="gelu", loss="cross_entropy", seed=1)
X = np.random.default_rng(0).standard_normal((2500, 6)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 10, 1024, 2500])
@pytest.mark.parametrize("kind", [np.asarray, np.float64, np.float16, list])
def test_the_bits_are_those_of_predict(n, kind):
    rows = kind(X[:n])
    out = np.full((n, 3), np.nan, np.float32)
    assert NET.predict(rows, out=out) is out
    assert (out == NET.predict(rows)).all()
    assert NET.predict(rows, out) is out and (out == NET.predict(rows)).all()


def test_a_part_of_a_larger_array_is_written_and_nothing_beside_it():
    large = np.full((30, 3), 7, np.float32)
    NET.predict(X[:10], out=large[10:20])
    assert (large[10:20] == NET.predict(X[:10])).all() and (large[:10] == 7).all() and (large[20:] == 7).all()


def unaligned():
    return np.zeros(10 * 12 + 1, np.uint8)[1:].view(np.float32).reshape(10, 3)


def read_only():
    made = np.zeros((10, 3), np.float32)
    made.flags.writeable = False
    return made


@pytest.mark.parametrize(("out", "error", "said"), [
    ([[0.0] * 3] * 10, TypeError, "expected an array of shape (10, 3) and dtype float32; pass np.empty((10, 3)"),
    (np.zeros((9, 3), np.float32), ValueError, "out is an array of shape (9, 3) and dtype float32, expected"),
    (np.zeros((10, 3)), ValueError, "out is an array of shape (10, 3) and dtype float64, expected"),
    (np.zeros((10, 3), ">f4"), ValueError, "and dtype >f4, expected"),
    (np.zeros(30, np.float32), ValueError, "out is an array of shape (30,)"),
    (np.zeros((3, 10), np.float32).T, ValueError, "and dtype float32, not C-contiguous, expected a C-contiguous one"),
    (unaligned(), ValueError, "expected a C-contiguous one"),
    (read_only(), ValueError, "out is read-only, expected an array that may be written into; pass out.copy()"),
])
def test_arrays_that_cannot_be_written_are_refused(out, error, said):
    before = np.array(out)
    with pytest.raises(error, match=re.escape(said)):
        NET.predict(X[:10], out=out)
    assert (np.array(out) == before).all()


def test_memory_that_is_read_is_not_written():
    net = fb.mlp(3, 3)
    rows = X[:10, :3].copy()
    with pytest.raises(ValueError, match=r"out lies in the memory of X, expected memory of its own; pass np.empty"):
        net.predict(rows, out=rows)
    square = np.zeros((4, 3), np.float32)
    for name, vector in (("params", net.params), ("grads", net.grads)):
        with pytest.raises(ValueError, match=f"out lies in the memory of {name}"):
            net.predict(square[:1], out=vector[:3].reshape(1, 3))
    with pytest.raises(ValueError, match=r"X\[0, 0\] is nan"):
        net.predict([[np.nan] * 3], out=square[:1])
    assert not square.any()


def test_vectors_and_outputs_are_read_by_others_without_a_copy():
    NET.loss_and_grad(X[:10], np.zeros(10, int))
    for array in (NET.params, NET.grads, NET.layers[0].W, NET.layers[0].dW, NET.predict(X[:10])):
        view = memoryview(array)
        assert (view.format, view.shape, view.readonly) == ("f", array.shape, False)
        other = np.from_dlpack(array)
        assert np.shares_memory(other, array) and array.__dlpack_device__() == (1, 0)
