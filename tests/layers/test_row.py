"""fastbp/layers/row.py: which layers make a network, and where their parameters lie."""

import numpy as np
import pytest

import fastbp as fb
from fastbp.layers import narrower
from fastbp.layers.row import Part, parts


def test_parts_lie_one_after_another():
    layers = [fb.Dense(4, 3, l2=0.5), fb.Dropout(0.5), fb.Dense(3, 2)]
    assert parts(layers) == [
        Part(0, "W", (4, 3), 0, 12, (0.0, 0.5)), Part(0, "b", (3,), 12, 15, (0.0, 0.0)),
        Part(2, "W", (3, 2), 15, 21, (0.0, 0.0)), Part(2, "b", (2,), 21, 23, (0.0, 0.0)),
    ]
    net = fb.Sequential(*layers)
    for part in net._parts:
        view = getattr(net.layers[part.layer], part.name)
        assert view.shape == part.shape and np.shares_memory(view, net.params[part.begin:part.end])


@pytest.mark.parametrize(("layers", "error", "told"), [
    ((fb.Dense,), TypeError,
     r"layers\[0\] is <class .*, expected a Dense.*Dropout.* layer; pass fb.Dense\(inputs, units\)"),
    ((fb.Dense(4, 3), fb.Dense(2, 5)), ValueError,
     r"layers\[1\] takes 2 inputs, expected 3, the units of the layer before it; make it Dense\(3, 5\)"),
    ((fb.Dense(4, 3), fb.Dropout(0.5)), ValueError, r"the last layer is Dropout\(0.5\), expected a Dense layer"),
    ((), ValueError, "the last layer is nothing, expected a Dense layer; a network ends with its outputs"),
    ((fb.Dense(4, 3, "softmax"), fb.Dense(3, 2)), ValueError, r"layers\[0\] has activation 'softmax', expected it in"),
])
def test_what_makes_no_network_is_refused(layers, error, told):
    with pytest.raises(error, match=told):
        fb.Sequential(*layers)


def test_the_largest_layer_is_the_one_to_be_narrower():
    told = narrower([fb.Dense(4, 3), fb.Dense(3, 9), fb.Dropout(0.5)])
    assert told == "make its largest layer narrower, layers[1], Dense(3, 9, 'linear')"
