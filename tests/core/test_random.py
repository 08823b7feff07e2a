"""fastbp/_core/random.pyx: streams that depend on (key, counter) alone, and whose numbers never change."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp._core import random
from fastbp.reference.kernels import threefry2x32


def test_stream_version_2_gives_these_numbers():
    """A network trained with a seed can be trained again: other numbers are another version of the stream."""
    assert random.STREAM_VERSION == 2
    assert random.fold(0, 0) == 11077253088097075545  # Threefry's published answer for zeros: 6b200159 99ba4efe
    assert random.fold(2**64 - 1, 5) == 15202374316520565538
    assert random.bits(3, 7).tolist() == [13563526760692328810, 5731837475286458671, 1351350879580556977]
    assert random.permutation(10, 0).tolist() == [9, 1, 0, 8, 3, 4, 7, 5, 6, 2]
    assert random.permutation(10, 12345).tolist() == [5, 3, 2, 0, 8, 1, 7, 4, 6, 9]
    assert random.uniform((3,), 1).tolist() == [0.5895256711412089, 0.17780922005365485, 0.5007298726146377]
    assert random.normal((3,), 1).tolist() == [0.22632499729008318, -0.9237462612108918, 0.0018295203533410334]
    order = hashlib.sha256(random.permutation(1000, 7).astype("<i8").tobytes()).hexdigest()
    assert order == "e6a9bb5cd0666145db5f2b8e4d7d742d02c68a23b3d088c4def52093e8e39c4f"


# ---- keys ----------------------------------------------------------------------------------------------------------


@given(key=st.integers(0, 2**64 - 1), counter=st.integers(0, 2**64 - 1))
def test_fold_is_the_reference(key, counter):
    low = 2**32 - 1
    pair, count = (np.array([word & low, word >> 32], np.uint64) for word in (key, counter))
    words = threefry2x32(pair, count)
    assert random.fold(key, counter) == int(np.ravel(words[1])[0]) << 32 | int(np.ravel(words[0])[0])


def test_keys_are_64_bits_and_neighbours_split_nothing():
    assert random.fold(2**64 + 3, 1) == random.fold(3, 1)
    assert random.fold(-1, 1) == random.fold(2**64 - 1, 1)
    found = {random.fold(key, counter) for key in range(100) for counter in range(100)}
    assert len(found) == 10_000


def test_bits_are_the_words_of_the_counters():
    assert random.bits(4, 99).tolist() == [random.fold(99, counter) for counter in range(4)]
    assert (random.bits(100, 3)[:10] == random.bits(10, 3)).all()
    assert random.bits(0, 3).shape == (0,)


# ---- permutations --------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(n=st.integers(0, 300), key=st.integers(0, 2**64 - 1))
def test_a_permutation_is_one(n, key):
    order = random.permutation(n, key)
    assert order.dtype == np.int64
    assert (np.sort(order) == np.arange(n)).all()
    assert (order == random.permutation(n, key)).all()


def test_permutations_favour_no_place():
    """Every row comes to every place equally often, and every one of the 24 orders of four rows turns up."""
    count = np.zeros((6, 6))
    for key in range(3000):
        count[np.arange(6), random.permutation(6, key)] += 1
    expected = 3000 / 6
    assert ((count - expected) ** 2 / expected).sum() < 60  # chi-squared with 25 degrees: 60 is beyond 1 in 10,000
    orders = [tuple(random.permutation(4, key)) for key in range(2400)]
    counts = np.array([orders.count(order) for order in set(orders)])
    assert len(counts) == 24
    assert ((counts - 100) ** 2 / 100).sum() < 56


def test_permutations_of_neighbouring_keys_are_unlike():
    fixed = [(random.permutation(1000, key) == random.permutation(1000, key + 1)).sum() for key in range(20)]
    assert max(fixed) < 10


# ---- numbers -------------------------------------------------------------------------------------------------------


def test_uniform_numbers():
    x = random.uniform((200, 500), 5)
    assert x.shape == (200, 500)
    assert x.dtype == np.float64
    assert 0 <= x.min() < 1e-4
    assert 1 - 1e-4 < x.max() < 1
    assert x.mean() == pytest.approx(0.5, abs=5 * np.sqrt(1 / 12 / x.size))
    assert x.var() == pytest.approx(1 / 12, rel=0.02)
    counts = np.histogram(x, 100, (0, 1))[0]
    assert ((counts - 1000) ** 2 / 1000).sum() < 170
    assert abs(np.corrcoef(x.ravel()[:-1], x.ravel()[1:])[0, 1]) < 0.02
    assert (x != random.uniform((200, 500), 6)).any()
    assert (x * 2**53 == np.floor(x * 2**53)).all()


def test_normal_numbers():
    x = random.normal((300, 400), 5)
    assert x.shape == (300, 400)
    assert np.isfinite(x).all()
    assert x.mean() == pytest.approx(0, abs=5 / np.sqrt(x.size))
    assert x.var() == pytest.approx(1, rel=0.02)
    assert (x**3).mean() == pytest.approx(0, abs=0.05)
    assert (x**4).mean() == pytest.approx(3, rel=0.04)
    assert (np.abs(x) < 1).mean() == pytest.approx(0.6827, abs=0.01)


def test_shapes_without_elements():
    assert random.uniform((0, 3), 1).shape == random.normal((0, 3), 1).shape == (0, 3)
    assert random.uniform((), 1).shape == ()
