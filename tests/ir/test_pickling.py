"""fastbp/_ir/pickling.py: nodes are pickled in a list, however deep they are, and stay themselves within a pickle."""

import copy
import gc
import pickle
import sys
import threading

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._ir import pickling
from fastbp._ir.node import ordered

DEEP = 10_000


def again(what):
    return pickle.loads(pickle.dumps(what))


def chain(node, steps):
    for _ in range(steps):
        node = g.tanh(node)
    return node


def same(one, two):
    """Whether two graphs are alike, node by node."""
    pairs = list(zip(ordered([one]), ordered([two]), strict=True))
    place = {id(a): i for i, (a, _) in enumerate(pairs)} | {id(b): i for i, (_, b) in enumerate(pairs)}
    return all(
        (a.op, a.batched, a.shape) == (b.op, b.batched, b.shape)
        and [place[id(child)] for child in a.inputs] == [place[id(child)] for child in b.inputs]
        for a, b in pairs
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_graph_comes_back(protocol):
    x, W, i = g.input("x", 3), g.parameter("W", (3, 2), init=np.ones((3, 2))), g.input("i", integer=True)
    loss = g.cross_entropy(g.where(x @ W > 0, x @ W, 0.5), i, label_smoothing=0.1) + g.mean(x[:, 1:]) ** 2
    twin = pickle.loads(pickle.dumps(loss, protocol))
    assert same(loss, twin)
    rows = {"x": np.arange(12.0).reshape(4, 3), "i": [0, 1, 1, 0]}
    first, second = (g.compile(one, dtype="float64").loss_and_grad(**rows) for one in (loss, twin))
    assert first[0] == second[0]
    assert (first[1]["W"] == second[1]["W"]).all()


def test_a_gradient_that_holds_its_loss_comes_back():
    x, a = g.input("x", 3), g.parameter("a", 3)
    slope = g.sum(g.grad(g.mse(x * a, x), a) ** 2)
    loss, twin = (next(one for one in ordered([root]) if one.op == "loss_gradient") for root in (slope, again(slope)))
    assert same(slope, again(slope))
    assert twin.loss.op == loss.loss.op == "loss"
    assert all(a is b for a, b in zip(twin.loss.inputs, twin.inputs, strict=True))


def test_a_deep_graph_comes_back():
    """Deeper than the interpreter would follow."""
    assert sys.getrecursionlimit() < DEEP
    end = chain(g.input("x"), DEEP)
    assert same(end, again(end))
    assert copy.deepcopy(end) is end


@pytest.mark.parametrize("first", [0, 1])
def test_a_node_stays_one_node_within_a_pickle(first):
    x = g.input("x")
    pair = [x, chain(x, 3) + x * 2]
    leaf, end = again(pair[:: -1 if first else 1])[:: -1 if first else 1]
    assert next(node for node in ordered([end]) if node.op == "data") is leaf
    nodes = ordered([pair[1]])
    twins = again(nodes)
    assert all(one is two for one, two in zip(ordered([twins[-1]]), twins, strict=True))
    assert len({id(node) for node in again([x, x, {"x": x}])[:2]}) == 1


def test_all_nodes_of_a_deep_graph_at_once():
    """None is written twice: each list begins where an earlier one ends."""
    nodes = ordered([chain(g.input("x"), DEEP)])
    assert len(pickle.dumps(nodes)) < 3 * len(pickle.dumps(nodes[-1]))
    twins = again(nodes)
    assert all(one is two for one, two in zip(ordered([twins[-1]]), twins, strict=True))


def test_nothing_is_kept_of_a_pickle():
    end = chain(g.input("x"), 5)
    pickle.dumps(end)
    gc.collect()
    assert len(pickling._known.flats) == 0


def test_pickles_in_several_threads():
    end, found = chain(g.input("x"), 2000), []
    threads = [threading.Thread(target=lambda: found.append(again(end))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(same(end, one) for one in found)


def test_a_layer_and_its_nodes_speak_of_each_other():
    layer, x = fb.Dense(3, 2), g.input("x", 3)
    end = layer(x)
    for pair in ((layer, end), (end, layer)):
        twins = again(pair)
        layers, ends = twins if pair[0] is layer else twins[::-1]
        W, b = layers._nodes
        assert W.layer is layers
        assert any(node is W for node in ordered([ends]))
        assert any(node is b for node in ordered([layers(g.input("z", 3))]))


def test_a_node_without_parts_says_so():
    """What copy and pickle ask of one that is not filled in yet."""
    with pytest.raises(AttributeError):
        object.__new__(g.Node).attributes  # noqa: B018
    with pytest.raises(AttributeError):
        object.__new__(g.Node).value  # noqa: B018
