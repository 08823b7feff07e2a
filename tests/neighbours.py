"""Libraries with thread teams of their own beside fastbp in one process: python tests/neighbours.py ORDER, such as
fastbp,sklearn,torch. They are imported in this order; then each trains, in this order and back, fastbp in two processes
that are forked then, and all once more. fastbp's parameters have the same bits each time. "ok" at the end."""

import os
import sys
import warnings

import numpy as np

X = np.random.default_rng(0).random((400, 64), dtype=np.float32)
y = (X.sum(1) > 32).astype(np.int64)


def fastbp():
    import fastbp as fb
    from fastbp._core import cpu

    cpu.force_teams(True)  # two threads, whether they pay or not
    net = fb.mlp(64, 128, 64, 2, loss="cross_entropy", seed=0)
    net.fit(X, y, epochs=3, batch_size=100, optimizer=fb.Adam(lr=0.01), threads=2)
    return net.params.tobytes()


def sklearn():
    from sklearn.cluster import KMeans
    from sklearn.ensemble import HistGradientBoostingClassifier

    KMeans(4, n_init=1, random_state=0).fit(X)  # two teams of OpenMP's
    HistGradientBoostingClassifier(max_iter=3).fit(X, y)


def torch():
    import torch

    torch.set_num_threads(2)
    layer, inputs = torch.nn.Linear(64, 2), torch.from_numpy(X)
    loss = torch.nn.functional.cross_entropy(layer(inputs), torch.from_numpy(y))
    loss.backward()
    assert torch.isfinite(layer.weight.grad).all()


def all_train(order):
    """What fastbp's parameters were each time."""
    return {found for found in [globals()[name]() for name in [*order, *reversed(order)]] if found is not None}


def main(order):
    for name in order:
        __import__(name)
    told = all_train(order)
    # torch and scikit-learn do not promise to train in a process that was forked after they did
    for _ in range(2):
        read, write = os.pipe()
        child = os.fork() if hasattr(os, "fork") else None
        if child == 0:
            os.write(write, b"same" if {fastbp()} == told else b"other")
            os._exit(0)
        if child is not None:
            assert os.read(read, 8) == b"same", "a forked process trains to other bits, or not at all"
            assert os.waitpid(child, 0)[1] == 0
    told |= all_train(order)
    assert len(told) == 1, f"{len(told)} results of one training"
    print("ok", *order)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # of Python 3.12's, of a fork beside threads
    main(sys.argv[1].split(","))
