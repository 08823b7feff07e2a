"""What a training is given for each epoch: the order of its rows, and how strongly the penalties of its steps count;
and Adam with its epsilon beside the uncorrected root. Compared with the same steps by hand."""

import numpy as np
import pytest

import fastbp as fb
from fastbp._core.epochs import Epochs
from fastbp._training.network_fit import NetworkJob

N, BATCH, L2 = 50, 16, 0.3
R = np.random.default_rng(3)
X, Y = R.normal(size=(N, 5)), R.normal(size=(N, 2))
ORDERS = [R.permutation(N) for _ in range(3)]
FACTORS = R.uniform(0, 3, 4)


class Given(NetworkJob):
    """A job whose epochs are in these orders."""

    def __init__(self, net, factors, weight):
        super().__init__(net, X, Y, None, None, BATCH, None, 0.0, None)
        self.rows, self.factors, self.weight = np.arange(N), factors, weight

    def runs_without_python(self):
        return False

    def epochs(self, *arguments):
        if self.training_state.step == 0:
            self.training_state.set_order(ORDERS[self.training_state.epoch], self.factors, self.weight)
        yield from super().epochs(*arguments)


def made(l2=L2):
    return fb.mlp(5, 7, 2, activation="tanh", loss="half_squared_error", l2=l2, dtype="float64", seed=1)


def trained(factors, weight=1.0, optimizer=None):
    from fastbp._training import loop

    net = made()
    history = loop.run(Given(net, factors, weight), 3, optimizer or fb.SGD(lr=0.05), False, None, (), None, False)
    return net, history.history["loss"]


def by_hand(factors, weight=1.0, step=None):
    net, losses = made(0.0), []
    for epoch in range(3):
        total = 0.0
        for k in range(4):
            rows = ORDERS[epoch][k * BATCH : (k + 1) * BATCH]
            loss, factor = net.loss_and_grad(X[rows], Y[rows]), L2 * factors[k]
            for layer in net.layers:
                loss += weight * factor * (layer.W**2).sum()
                layer.dW[:] += 2 * factor * layer.W
            step(net) if step else net.params.__isub__(0.05 * net.grads)
            total += loss * len(rows) / N
        losses.append(total)
    return net, losses


@pytest.mark.parametrize("weight", [1.0, 2.0])
@pytest.mark.parametrize("factors", [FACTORS, np.zeros(4)], ids=["some", "none"])
def test_orders_and_factors_are_those_of_the_steps(factors, weight):
    (net, losses), (wanted, expected) = trained(factors, weight), by_hand(factors, weight)
    np.testing.assert_allclose(net.params, wanted.params, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_factors_of_one_change_no_bit():
    assert trained(np.ones(4))[0].params.tobytes() == trained(None)[0].params.tobytes()


def test_an_epsilon_beside_the_uncorrected_root():
    class Hat(fb.Adam):
        def _betas(self):
            return self.beta1, self.beta2, -self.eps

    eps, s0, s1, t = 1e-2, 0.0, 0.0, 0

    def step(net):
        nonlocal s0, s1, t
        t += 1
        s0, s1 = 0.9 * s0 + 0.1 * net.grads, 0.999 * s1 + 0.001 * net.grads**2
        net.params[:] -= 0.05 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s0 / (np.sqrt(s1) + eps)

    net, _ = trained(FACTORS, optimizer=Hat(lr=0.05, eps=eps))
    np.testing.assert_allclose(net.params, by_hand(FACTORS, step=step)[0].params, rtol=1e-11, atol=1e-13)
    assert not np.allclose(net.params, trained(FACTORS, optimizer=fb.Adam(lr=0.05, eps=eps))[0].params, atol=1e-6)


def test_what_it_refuses():
    net = made()
    state = Epochs(net, fb.SGD(lr=0.1), N, BATCH, np.arange(N), False, 0)
    for order in (np.arange(N) + 1, np.arange(N) - 1, np.arange(N - 1), np.arange(N, dtype=np.int32)):
        with pytest.raises(ValueError, match=r"order is int\d\d .*, expected int64 \(50,\) of rows below 50; pass"):
            state.set_order(order)
    for factors in (np.ones(3), np.array([1, 1, 1, np.nan])):
        with pytest.raises(ValueError, match=r"penalty_factors is .*, expected finite numbers \(4,\), one for each"):
            state.set_order(None, factors)
    assert np.array_equal(state.order_at_hand(), np.arange(N))
    for rows, shuffled in ((None, False), (np.arange(N), True)):
        state = Epochs(net, fb.SGD(lr=0.1), N, BATCH, rows, shuffled, 0)
        with pytest.raises(ValueError, match="order is given to a training without rows, or that shuffles, expected"):
            state.set_order(np.arange(N))
