"""fit_many: what it refuses, and networks, rows and processes that are in use elsewhere."""

import os
import subprocess
import sys

import numpy as np
import pytest
from small_network import INPUTS, UNITS, N, bits, made

import fastbp as fb
from fastbp import ensemble

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((N, INPUTS)).astype("float32"), RNG.standard_normal((N, UNITS)).astype("float32")
FOLD = np.arange(20)
ELSEWHERE = fb.Adam()
made(seed=9).fit(X, Y, optimizer=ELSEWHERE)
TWICE = fb.Adam()
PLATEAU = fb.schedules.ReduceOnPlateau(0.1)


@pytest.mark.parametrize(("options", "kind", "parts"), [
    ({"nets": 3}, TypeError, ["nets is 3", "expected a list of networks"]),
    ({"nets": []}, ValueError, ["nets is empty", "expected at least one network", "fb.mlp"]),
    ({"nets": ["mlp"]}, TypeError, ["nets[0] is 'mlp'", "expected a network", "pass fb.mlp(...)"]),
    ({"nets": [made(), fb.mlp(5, 3)]}, ValueError, ["nets[1] takes 5 inputs", "expected 6, as nets[0] does"]),
    ({"X": X[:, :4]}, ValueError, ["X has shape (50, 4)", "expected (n, 6)"]),
    ({"nets": [made(), fb.mlp(6, 2)]}, ValueError, ["y has shape (50, 3)", "(50, 2) for a network of 2 outputs"]),
    ({"y": Y[:9]}, ValueError, ["y has 9 rows", "expected 50, one target"]),
    ({"rows": 3}, TypeError, ["rows is 3", "expected a list of one item for each network"]),
    ({"rows": [FOLD]}, ValueError, ["rows has 1 items", "expected 2, one for each of nets"]),
    ({"rows": [FOLD, FOLD * 1.0]}, TypeError, ["rows[1] has dtype float64", "expected integers", ".astype(int)"]),
    ({"rows": [FOLD, FOLD > 3]}, TypeError, ["rows[1] has dtype bool", "expected integers", "np.flatnonzero(rows[1])"]),
    ({"rows": [FOLD, FOLD[:0]]}, ValueError, ["rows[1] has shape (0,)", "expected (m,) with m >= 1"]),
    ({"rows": [FOLD, []]}, ValueError, ["rows[1] has shape (0,)", "expected (m,) with m >= 1"]),
    ({"rows": [FOLD, FOLD[None]]}, ValueError, ["rows[1] has shape (1, 20)", "expected (m,)"]),
    ({"rows": [FOLD, [3, 50]]}, ValueError, ["rows[1][1] is 50", "expected 0 .. 49, the rows of X"]),
    ({"rows": [FOLD, [3, 4, -1]]}, ValueError, ["rows[1][2] is -1", "expected 0 .. 49"]),
    ({"rows": [FOLD, np.array([2**63 + 1], np.uint64)]}, ValueError, ["rows[1][0] is 9223372036854775809"]),
    ({"epochs": 0}, ValueError, ["epochs is 0", "expected an integer >= 1"]),
    ({"batch_size": 0}, ValueError, ["batch_size is 0", "expected an integer >= 1"]),
    ({"batch_size": 2.5}, TypeError, ["batch_size is 2.5 (float)", "expected an integer"]),
    ({"shuffle": 1}, TypeError, ["shuffle is 1 (int)", "expected True or False"]),
    ({"threads": 0}, ValueError, ["threads is 0", "expected an integer >= 1"]),
    ({"progress": "yes"}, TypeError, ["progress is 'yes'", "expected True or False"]),
    ({"seeds": 3}, TypeError, ["seeds is 3", "expected a list of one item for each network"]),
    ({"seeds": [1]}, ValueError, ["seeds has 1 items", "expected 2"]),
    ({"seeds": [1, -1]}, ValueError, ["seeds[1] is -1", "expected an integer >= 0"]),
    ({"optimizers": "adam"}, ValueError, ["optimizers has 4 items", "expected 2"]),
    ({"optimizers": 0.1}, TypeError, ["optimizers is 0.1", "expected a list"]),
    ({"optimizers": [fb.SGD()]}, ValueError, ["optimizers has 1 items", "expected 2, one for each of nets"]),
    ({"optimizers": [fb.SGD(), fb.Adam]}, TypeError, ["optimizers[1] is <class", "expected an optimizer object"]),
    ({"optimizers": [TWICE, TWICE]}, ValueError,
     ["optimizers[1] is the same object as optimizers[0]", "expected different ones", "optimizer.fresh()"]),
    ({"optimizers": [fb.SGD(lr=PLATEAU), fb.SGD(lr=PLATEAU)]}, ValueError,
     ["the schedule of optimizers[1] is the same object as the schedule of optimizers[0]", "copy.deepcopy(schedule)"]),
    ({"optimizers": [TWICE, ELSEWHERE]}, ValueError, ["already trains another network", "pass optimizer.fresh()"]),
    ({"optimizers": [TWICE, fb.SGD(lr=fb.schedules.ReduceOnPlateau(0.1, monitor="val_loss"))]}, ValueError,
     ["schedule monitors 'val_loss'", "expected one of: loss"]),
    ({"sample_weight": np.ones(3)}, ValueError, ["sample_weight has shape (3,)", "expected (50,)"]),
    ({"validation_data": X}, TypeError, ["validation_data is ndarray", "expected (X, y)"]),
    ({"validation_data": (X[:, :2], Y)}, ValueError, ["validation X has shape (50, 2)", "expected (n, 6)"]),
], ids=lambda value: str(value)[:40])
def test_bad_input_is_refused_before_anything_changes(options, kind, parts):
    given = {"nets": [made(seed=1), made(seed=2)], "X": X, "y": Y, **options}
    networks = given["nets"] if isinstance(given["nets"], list) else []
    before = [bits(net) for net in networks if isinstance(net, fb.Sequential)]
    with pytest.raises((TypeError, ValueError)) as caught:
        fb.fit_many(**given)
    assert type(caught.value) is kind
    for part in parts:
        assert part in str(caught.value)
    assert before == [bits(net) for net in networks if isinstance(net, fb.Sequential)]
    assert (TWICE.steps, TWICE.state) == (0, None)
    for net in networks:
        if isinstance(net, fb.Sequential) and net.units == UNITS and net.inputs == INPUTS:
            net.fit(X, Y)  # it is not locked


def test_a_network_stands_in_the_list_once():
    net, before = made(), bits(made())
    with pytest.raises(ValueError, match=r"nets\[2\] is the same object as nets\[0\], expected different ones; pass"):
        fb.fit_many([net, made(), net], X, Y)
    assert bits(net) == before


def test_a_network_that_another_thread_trains_is_refused():
    nets = [made(seed=1), made(seed=2), made(seed=3)]
    before = [bits(net) for net in nets]
    with nets[1]._exclusive, pytest.raises(RuntimeError, match=r"nets\[1\]: another thread is training this network"):
        fb.fit_many(nets, X, Y, optimizers=[TWICE, fb.SGD(), fb.SGD()])
    assert before == [bits(net) for net in nets]
    assert (TWICE.steps, TWICE.state) == (0, None)
    fb.fit_many(nets, X, Y)


def test_networks_are_taken_while_they_train(monkeypatch):
    nets = [made(seed=1), made(seed=2)]
    refused = []
    run_each = ensemble.core.run_each

    def meanwhile(calls, team):
        for net in nets:
            with pytest.raises(RuntimeError, match="another thread is training"):
                net.fit(X, Y)
            refused.append(net)
            net.predict(X)  # which may run beside
        return run_each(calls, team)

    monkeypatch.setattr(ensemble.core, "run_each", meanwhile)
    fb.fit_many(nets, X, Y)
    assert refused


def test_rows_may_be_written_into_meanwhile(monkeypatch):
    """The call reads a copy: a row that does not exist would be read from who knows where."""
    rows, run_each = np.arange(20), ensemble.core.run_each

    def meanwhile(calls, team):
        rows[:] = 10**9
        return run_each(calls, team)

    monkeypatch.setattr(ensemble.core, "run_each", meanwhile)
    net, twin = made(), made()
    fb.fit_many([net], X, Y, rows=[rows], shuffle=False)
    twin.fit(X[:20], Y[:20], shuffle=False)
    assert bits(net) == bits(twin)


FORK = """
import os, numpy as np, fastbp as fb
def train():
    X = np.random.default_rng(0).random((200, 20)); y = np.arange(200) % 4
    nets = [fb.mlp(20, 8, 4, seed=seed, loss="cross_entropy") for seed in range(4)]
    fb.fit_many(nets, X, y, threads=2)
    return [net.params.tobytes() for net in nets]
before = train()
pid = os.fork()
if pid == 0:
    os._exit(train() != before)
print(os.waitpid(pid, 0)[1] >> 8, train() == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_process_forked_after_training_still_trains_many():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0", "True"], done.stderr
