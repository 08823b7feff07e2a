"""fastbp/convert/assembly.py: steps become a network, whole, and an activation is known by its values."""

import numpy as np
import pytest

import fastbp as fb
from fastbp._core import cpu
from fastbp.convert.assembly import GRID, activation_like, network_of
from fastbp.convert.steps import Step, steps_of


def dense(inputs, units, where="dense"):
    return Step("dense", where, W=np.ones((inputs, units)), b=np.zeros(units))


def test_steps_of_a_network_make_it_again():
    net = fb.Sequential(fb.LayerNorm(3), fb.Dense(3, 4, "mish"), fb.Dropout(0.25), fb.Dense(4, 2), loss="poisson",
                        dtype="float64", input_scale=0.5)
    again = network_of(steps_of(net), None, "float64", seed=3)
    assert (again.params == net.params).all() and again.seed == 3 and repr(again.layers) == repr(net.layers)
    assert (again.loss.name, again.input_scale) == ("poisson", 0.5)


@pytest.mark.parametrize("name", sorted(set(cpu.activations()) - {"softmax"}))
def test_an_activation_is_known_by_its_values(name):
    values = GRID[:, None].copy()
    cpu.activate(name, values)
    assert activation_like(values[:, 0]) == name
    assert activation_like(values[:, 0] * (1 + 1e-4) + 1e-4) is None


@pytest.mark.parametrize(("steps", "said"), [
    ([Step("activation", "first", name="tanh"), dense(2, 2)], "first is an activation that no dense layer"),
    ([dense(2, 2), Step("activation", "a", name="softmax"), dense(2, 2, "b")], "a is a softmax with b behind it"),
    ([dense(2, 2), Step("dropout", "drop", rate=1.0), dense(2, 2)], "drop: rate is 1.0"),
    ([dense(2, 2)._replace(b=np.array([0, np.inf]))], "dense has biases that are not finite, expected finite ones"),
    ([dense(2, 3), dense(2, 3)], "takes 2 inputs, expected 3"),
    ([], "the last layer is nothing"),
])
def test_what_is_no_network_is_refused(steps, said):
    with pytest.raises(ValueError, match=said):
        network_of(steps, None, "float32")
