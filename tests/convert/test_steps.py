"""fastbp/convert/steps.py: the steps of a network, and layers that no other format has."""

import re

import numpy as np
import pytest

import fastbp as fb
from fastbp.convert.steps import steps_of


def test_steps_are_what_predict_does_in_order():
    net = fb.Sequential(fb.Dense(3, 4, "tanh"), fb.LayerNorm(4), fb.Dropout(0.5), fb.Dense(4, 2), loss="cross_entropy",
                        input_scale=0.5)
    steps = steps_of(net)
    assert [step.kind for step in steps] == ["scale", "dense", "activation", "layer_norm", "dropout", "dense",
                                             "activation"]
    assert (steps[0].factor, steps[2].name, steps[4].rate, steps[-1].name) == (0.5, "tanh", 0.5, "softmax")
    assert steps[1].where == "layers[0]" and not np.shares_memory(steps[1].W, net.params)
    assert [step.kind for step in steps_of(net, link=False)] == [step.kind for step in steps[:-1]]


def test_a_layer_of_the_users_own_is_named():
    class Mine(fb.Dense):
        """A kind of Dense that computes something else."""

    net = fb.Sequential(fb.Dense(3, 4), Mine(4, 2))
    said = "layers[1] is Mine(4, 2, 'linear') (Mine), expected a Dense, LayerNorm or Dropout layer of fastbp's own, " \
           "which other formats have; keep this network with net.save"
    with pytest.raises(TypeError, match=re.escape(said)):
        steps_of(net)
