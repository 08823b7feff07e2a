"""One pass of a network: the loss and its gradient at once, or forward and backward by hand."""


import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastbp as fb

WIDTHS = {"tiny": (5, 7, 3), "batch-parallel": (60, 48, 10), "tile-parallel": (90, 300, 310, 10)}


def made(widths=(4, 6, 3), **options):
    return fb.mlp(*widths, **{"activation": "tanh", "seed": 2, **options})


def rows(net, n=20):
    return np.random.default_rng(7).standard_normal((n, net.inputs)).astype(net.dtype)


def test_loss_and_grad_of_one_weight_by_hand():
    net = fb.Sequential(fb.Dense(1, 1, init=[[3.0]], bias_init="zeros", l2=0.5, l1=0.25), dtype="float64")
    # y = 3 * 2 = 6, (6 - 1)^2 = 25, + 0.25 * 3 + 0.5 * 9; dW = 2 * 5 * 2 + 0.25 + 2 * 0.5 * 3; db = 2 * 5
    assert net.loss_and_grad([[2.0]], [1.0]) == 30.25
    assert net.layers[0].dW[0, 0] == 23.25
    assert net.layers[0].db[0] == 10.0
    assert net.grads.tolist() == [23.25, 10.0]


def test_grads_are_filled_not_added_to(dtype, threads):
    net = made(WIDTHS["batch-parallel"], dtype=dtype)
    X, Y = rows(net, 300), np.zeros((300, 10))
    net.loss_and_grad(X, Y)
    first = net.grads.copy()
    net.grads[:] = 1e30
    net.loss_and_grad(X, Y)
    assert (net.grads == first).all()


def test_class_weight_is_a_sample_weight_for_each_class():
    y = np.arange(20) % 3
    factors = np.array([0.5, 2.0, 0.0])
    for loss in ("cross_entropy", "squared_error"):
        by_class, by_sample = made(loss=loss), made(loss=loss)
        X = rows(by_class)
        for weights in ({0: 0.5, 1: 2.0, 2: 0.0}, factors):
            value = by_class.loss_and_grad(X, y, class_weight=weights)
            assert value == by_sample.loss_and_grad(X, y, sample_weight=factors[y])
            assert (by_class.grads == by_sample.grads).all()
        assert (by_class.evaluate(X, y, class_weight={1: 3})["loss"] ==
                by_class.evaluate(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))["loss"])
        ones = np.full(20, 2.0)
        both = by_class.loss_and_grad(X, y, sample_weight=ones, class_weight=factors)
        assert both == by_class.loss_and_grad(X, y, sample_weight=ones * factors[y])


def test_a_sample_of_weight_zero_does_not_count():
    net = made()
    X, Y = rows(net), np.ones((20, 3))
    weights = (np.arange(20) < 10).astype(float)
    value = net.loss_and_grad(X, Y, sample_weight=weights)
    assert value == pytest.approx(net.loss_and_grad(X[:10], Y[:10]) / 2, rel=1e-6)  # the mean is over all twenty


@settings(max_examples=20, deadline=None)
@given(widths=st.lists(st.integers(1, 40), min_size=2, max_size=4), n=st.integers(1, 70),
       dropout=st.sampled_from([0, 0.4]), activation=st.sampled_from(["tanh", "gelu", "linear", "mish"]))
def test_forward_and_backward_make_the_same_gradient_as_loss_and_grad(widths, n, dropout, activation):
    net, other = (made(widths, dtype="float64", activation=activation, dropout=dropout, loss="half_squared_error")
                  for _ in range(2))
    X, T = rows(net, n), np.ones((n, widths[-1]))
    Y = net.forward(X)
    dX = net.backward((Y - T) / n)
    value = other.loss_and_grad(X, T)
    assert value == pytest.approx(((Y - T) ** 2).sum() / (2 * n), rel=1e-12)
    assert np.allclose(net.grads, other.grads, rtol=1e-12, atol=1e-14)
    assert dX.shape == X.shape


def test_the_outputs_of_forward_are_the_callers():
    net, other = made(output="tanh"), made(output="tanh")
    X = rows(net)
    Y, Z = net.forward(X), other.forward(X)
    Y[:] = 5  # backward of a tanh reads the outputs, but not these
    assert (net.backward(np.ones_like(Y)) == other.backward(np.ones_like(Z))).all()


def test_backward_may_be_called_again():
    net = made((4, 6, 5, 3), dropout=0.2, activation="gelu")
    dY = np.random.default_rng(0).standard_normal((20, 3)).astype("float32")
    net.forward(rows(net))
    first, kept = net.backward(dY), dY.copy()
    grads = net.grads.copy()
    assert (net.backward(2 * dY) == 2 * first).all()
    assert (net.grads == 2 * grads).all()
    assert (net.backward(dY) == first).all()
    assert (dY == kept).all()


def test_backward_belongs_to_the_last_forward_whatever_is_done_between():
    net, other = made(loss="cross_entropy"), made(loss="cross_entropy")
    X, dY = rows(net), np.ones((20, 3))
    net.forward(X)
    other.forward(X)
    net.predict(2 * X)
    net.loss_and_grad(3 * X, np.zeros(20, int))
    net.evaluate(X, np.zeros(20, int))
    assert (net.backward(dY) == other.backward(dY)).all()
    assert (net.grads == other.grads).all()


def test_backward_adds_the_penalties_to_the_gradient():
    plain, penalised = made(dtype="float64"), made(dtype="float64", l1=0.1, l2=0.5)
    for net in (plain, penalised):
        net.forward(rows(net))
        net.backward(np.ones((20, 3)))
    for one, other in zip(plain.layers, penalised.layers, strict=True):
        assert np.allclose(other.dW, one.dW + 0.1 * np.sign(one.W) + 2 * 0.5 * one.W, rtol=1e-12)
        assert (other.db == one.db).all()


def test_a_network_may_begin_with_dropout():
    net = fb.Sequential(fb.Dropout(0.5), fb.Dense(4, 3, bias_init="zeros"), dtype="float64", seed=3)
    X = np.ones((30, 4))
    Y = net.forward(X)
    dX = net.backward(np.ones((30, 3)))
    mask = dX != 0
    assert 0.3 < mask.mean() < 0.7
    assert np.allclose(Y, (2 * mask) @ net.layers[1].W)
    assert np.allclose(dX, 2 * mask * net.layers[1].W.sum(1))


def test_a_step_by_hand_after_each_kind_of_gradient(dtype):
    net = made(dtype=dtype)
    X, opt = rows(net), fb.SGD(lr=0.5)
    for fill in (lambda: net.loss_and_grad(X, np.ones((20, 3))), lambda: net.backward(np.ones_like(net.forward(X)))):
        fill()
        expected = net.params - net.dtype.type(0.5) * net.grads
        opt.step(net)
        assert np.allclose(net.params, expected, rtol=1e-6)
    net.grads[:] = 1  # or one's own
    expected = net.params - net.dtype.type(0.5)
    opt.step(net)
    assert np.allclose(net.params, expected, rtol=1e-6)
    assert opt.steps == 3


def test_a_step_by_hand_needs_no_earlier_call():
    net = made()
    net.grads[:] = 1
    before = net.params.copy()
    fb.SGD(lr=1.0).step(net)
    assert (net.params == before - 1).all()


def test_a_loss_that_is_not_finite_names_the_layer():
    net = made((2, 3, 2), activation="relu")
    net.layers[1].W[:] = 3e38
    net.layers[0].b[:] = 1
    message = r"the loss is (inf|nan) at the output of layer 1 \(Dense\(3, 2.*use a smaller lr"
    with pytest.raises(FloatingPointError, match=message):
        net.loss_and_grad(np.ones((4, 2)), np.ones((4, 2)))
    with pytest.raises(FloatingPointError, match="although every layer's output is finite"):
        made((2, 3, 2)).loss_and_grad(np.ones((1, 2)), [[3e38, 0]])


@pytest.mark.smoke
def test_the_ten_lines_of_a_loop_written_by_hand():
    X, Y = np.random.default_rng(0).random((200, 784)), np.arange(200) % 10
    net = fb.Sequential(fb.Dense(784, 16, "sigmoid"), fb.Dense(16, 16, "sigmoid"), fb.Dense(16, 10, "sigmoid"),
                        loss="squared_error", seed=0)
    opt = fb.SGD(lr=0.5)
    losses = []
    for epoch in range(3):
        for xb, yb in fb.batches(X, Y, 100, seed=epoch):
            losses.append(net.loss_and_grad(xb, yb))
            opt.step(net)
    assert losses[-1] < losses[0]
