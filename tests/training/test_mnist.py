"""The classic network on the real handwritten digits, where they are: FASTBP_DATA names the folder above mnist/."""

import hashlib
import os
from pathlib import Path

import pytest

import fastbp as fb
from fastbp.datasets import load_mnist

FOLDER = Path(os.environ.get("FASTBP_DATA", ""), "mnist")
pytestmark = pytest.mark.skipif(not (os.environ.get("FASTBP_DATA") and FOLDER.is_dir()),
                                reason="FASTBP_DATA does not name a folder with mnist/ in it")


@pytest.fixture(scope="module")
def mnist():
    return load_mnist(FOLDER)


def test_the_classic_network_learns_mnist_with_the_same_bits_on_one_and_two_threads(mnist):
    digests = set()
    for threads in (1, 2):
        net = fb.mlp(784, 16, 16, 10, activation="sigmoid", output="sigmoid", loss="squared_error", seed=0)
        assert net.params.size == 13002
        net.fit(mnist.X_train, mnist.y_train, epochs=30, batch_size=100, optimizer=fb.SGD(lr=4.0), threads=threads)
        digests.add(hashlib.sha256(net.params.tobytes()).hexdigest())
    assert len(digests) == 1
    assert net.evaluate(mnist.X_test, mnist.y_test)["accuracy"] >= 0.94


def test_the_real_files_are_what_they_should_be(mnist):
    assert mnist.X_train.shape == (60000, 784)
    assert mnist.X_test.shape == (10000, 784)
    assert list(mnist.y_train[:10]) == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert 0 == mnist.X_train.min() < mnist.X_train.max() == 1
