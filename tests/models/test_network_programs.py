"""fastbp/_models/network_programs.py: a network as a graph, and the programs of its uses."""

import numpy as np
import pytest
from programs import names, of_network

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import Use
from fastbp._ir import leaves
from fastbp._ir.node import ordered
from fastbp._models import network_programs


def layers_of(*made, **options):
    return fb.Sequential(*made, **options).layers


def test_layers_in_a_row_are_products_with_their_activations():
    x = leaves.rows("X", 4)
    y, parameters = network_programs.output(layers_of(fb.Dense(4, 3, "tanh"), fb.Dense(3, 2)), x)
    assert [node.op for node in ordered([y])] == ["data", "parameter", "parameter", "dense", "activation", "parameter",
                                                  "parameter", "dense"]
    assert [(W.shape, b.shape, layer.units) for layer, (W, b) in parameters] == [((4, 3), (3,), 3), ((3, 2), (2,), 2)]


def test_dropout_is_a_node_while_training_and_nothing_else():
    layers = layers_of(fb.Dense(4, 3), fb.Dropout(0.5), fb.Dense(3, 3), fb.Dropout(0.0), fb.Dense(3, 2))
    for training, count in ((True, 1), (False, 0)):
        y, _ = network_programs.output(layers, leaves.rows("X", 4), training)
        dropped = [node for node in ordered([y]) if node.op == "dropout"]
        assert len(dropped) == count
        assert [node.mask.number for node in dropped] == [1] * count  # its place among the layers


def test_parameters_lie_in_a_row():
    nodes = [leaves.parameter((4, 3)), leaves.parameter((3,)), leaves.parameter(())]
    where, size = network_programs.offsets(nodes)
    assert [where[node] for node in nodes] == [0, 12, 15]
    assert size == 16
    assert network_programs.offsets([]) == ({}, 0)


def test_the_order_of_a_networks_vector_is_that_of_its_graph():
    net = fb.mlp(4, 3, 2)
    _, parameters = network_programs.output(net.layers, leaves.rows("X", 4))
    where, size = network_programs.offsets([node for _, nodes in parameters for node in nodes])
    assert size == net.params.size
    for (_, (W, b)), layer in zip(parameters, net.layers, strict=True):
        assert np.shares_memory(net.params[where[W]:where[W] + W.size], layer.W)
        assert np.shares_memory(net.params[where[b]:where[b] + b.size], layer.b)


@pytest.mark.parametrize(("kind", "arrays"), [
    ("train", {"X", "targets"}), ("evaluate", {"X", "targets", "Y"}), ("predict", {"X", "Y"}),
    ("keep", {"X", "Y", "dY", "dX"}),
])
def test_each_use_has_its_arrays(kind, arrays):
    assert set(of_network((4, 3, 2), 8, kind).data) == arrays
    if kind in ("train", "evaluate"):
        assert set(of_network((4, 3, 2), 8, kind, weighted=True).data) == {*arrays, "weights"}


def test_only_what_is_trained_has_gradients():
    assert [bool(of_network((4, 3, 2), 8, kind).ranges) for kind in ("train", "keep", "evaluate", "predict")] == [
        True, True, False, False]


def test_the_gradient_of_the_inputs_is_made_where_it_is_asked_for():
    counts = [names(of_network((4, 3, 2), 8, kind).operations).count("input_gradient") for kind in ("train", "keep")]
    assert counts == [1, 2]


@pytest.mark.parametrize("kind", ["train", "keep"])
def test_penalties_belong_to_the_weights_of_their_layer(kind):
    net = fb.Sequential(fb.Dense(4, 3, l1=0.25), fb.Dense(3, 2, l2=0.5), fb.Dense(2, 2))
    program = network_programs.program(net, Use(kind, 8))
    found = {item.begin: (item.l1, item.l2) for item in program.ranges}
    assert found == {0: (0.25, 0.0), 12: (0.0, 0.0), 15: (0.0, 0.5), 21: (0.0, 0.0)}


def test_labels_are_rows_of_integers():
    program = of_network((4, 3, 2), 8, labels=True, loss="cross_entropy", dtype="float64")
    value = program.values[program.data["targets"]]
    assert (value.width, value.itemsize) == (1, 4)
    value = of_network((4, 3, 2), 8, loss="cross_entropy", dtype="float64").values[1]
    assert (value.width, value.itemsize) == (2, 8)


@pytest.mark.parametrize("widths", [(5, 7, 3), (90, 300, 310, 10)], ids=str)
def test_a_network_is_the_expression_of_its_layers(widths, dtype, rng):
    """The same operations in the same order: the same bits, in either scheme."""
    net = fb.mlp(*widths, activation="tanh", l2=0.01, dtype=dtype, seed=2)
    x, t = g.input("x", widths[0]), g.input("t", widths[-1])
    plan = g.compile(g.squared_error(net(x), t), dtype=dtype)
    X, T = rng.standard_normal((40, widths[0])).astype(dtype), rng.standard_normal((40, widths[-1])).astype(dtype)
    assert plan.loss_and_grad(x=X, t=T)[0] == net.loss_and_grad(X, T)
    assert np.array_equal(plan.grads, net.grads)
    net.fit(X, T, batch_size=16, epochs=2, optimizer=fb.Adam(lr=0.01), seed=5)
    plan.fit({"x": X, "t": T}, batch_size=16, epochs=2, optimizer=fb.Adam(lr=0.01), seed=5)
    assert np.array_equal(plan.params, net.params)
