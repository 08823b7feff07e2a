"""What a network and its layers do not let be replaced, and what copies of networks and optimizers carry along."""

import copy
import pickle

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g

X = np.random.default_rng(0).standard_normal((40, 5))
Y = np.random.default_rng(1).standard_normal((40, 3))


@pytest.fixture
def net():
    return fb.Sequential(fb.Dense(5, 4, "tanh", l2=0.1), fb.Dropout(0.2), fb.Dense(4, 3), loss="mse")


@pytest.mark.parametrize("name", ["activation", "units", "inputs", "l1", "l2"])
def test_settings_of_a_bound_layer_are_fixed(net, name):
    before = getattr(net.layers[0], name)
    with pytest.raises(AttributeError, match=f"{name} of a network's layer cannot be replaced .*make a new network"):
        setattr(net.layers[0], name, before)
    with pytest.raises(AttributeError, match="rate"):
        net.layers[1].rate = 0.5


@pytest.mark.parametrize("name", ["W", "b", "dW", "db"])
def test_views_of_a_bound_layer_are_written_into(net, name):
    with pytest.raises(AttributeError, match=rf"write into it: layer.{name}\[:\]"):
        setattr(net.layers[0], name, np.zeros(4))
    getattr(net.layers[0], name)[:] = 7
    assert 7 in (net.grads if name.startswith("d") else net.params)


@pytest.mark.parametrize("name", ["params", "grads", "loss", "layers", "dtype"])
def test_parts_of_a_network_are_fixed(net, name):
    with pytest.raises(AttributeError, match=f"{name} of a network cannot be replaced"):
        setattr(net, name, getattr(net, name))


def test_a_layer_of_no_network_may_be_changed():
    layer = fb.Dense(5, 4)
    layer.l2 = 0.5
    assert fb.Sequential(layer).layers[0].l2 == 0.5


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("optimizer", [fb.Adam(lr=0.01), fb.SGD(lr=0.1)], ids=repr)
def test_a_copied_network_and_its_copied_optimizer_go_on_alike(net, optimizer, copied):
    optimizer = optimizer.fresh()
    net.fit(X, Y, epochs=2, batch_size=8, optimizer=optimizer)
    net.loss_and_grad(X, Y)
    twin, twins = copied((net, optimizer))
    for one, its in ((net, optimizer), (twin, twins)):
        its.step(one)  # with the gradients that were copied
        one.fit(X, Y, epochs=2, batch_size=8, optimizer=its)
    assert (net.params == twin.params).all()
    assert twins.steps == optimizer.steps == 21
    with pytest.raises(ValueError, match="already trains another network"):
        twins.step(net)


def test_a_copied_optimizer_refuses_a_network_of_another_size(net):
    optimizer = fb.Adam()
    net.fit(X, Y, optimizer=optimizer)
    with pytest.raises(ValueError, match=r"state of 39 float32 parameters, expected 12"):
        fb.mlp(5, 2).fit(X, Y[:, :2], optimizer=copy.deepcopy(optimizer))


def test_batches_are_checked_at_the_call():
    with pytest.raises(TypeError, match=r"X is an array of shape \(\) and dtype int64, expected an array"):
        fb.batches(3, Y, 2)
    with pytest.raises(TypeError, match=r"y is an array of shape \(\) and dtype object"):
        fb.batches(X, None, 2)


def test_a_product_of_parameters_alone_prefetches_no_rows():
    """A batch-invariant product is made between two sweeps: there is no batch, and nothing to prefetch meanwhile."""
    a, W = g.parameter("a", (3, 4), init=np.arange(12.0).reshape(3, 4)), g.parameter("W", (4, 2), init=np.ones((4, 2)))
    value, gradients = g.compile(g.sum(a @ W)).loss_and_grad()
    assert value == 132.0
    assert np.array_equal(gradients["a"], np.full((3, 4), 2.0))
    assert np.array_equal(gradients["W"], np.repeat([[12.0], [15.0], [18.0], [21.0]], 2, axis=1))
