"""fastbp/layers/dropout.py: a layer without parameters and without a width of its own."""

import math

import pytest

from fastbp import graph as g
from fastbp.layers import Dropout


@pytest.mark.parametrize(
    "kind, rate, message",
    [
        (ValueError, 1.0, "rate is 1.0, expected a finite number >= 0 and < 1; choose rate"),
        (ValueError, -0.1, "rate is -0.1, expected"),
        (ValueError, math.nan, "rate is nan, expected"),
        (TypeError, "0.5", "rate is '0.5', expected a finite number"),
    ],
)
def test_dropout_refuses(kind, rate, message):
    with pytest.raises(kind, match=message):
        Dropout(rate)


def test_dropout_has_no_parameters_and_no_width():
    layer = Dropout(0)
    assert layer.rate == 0.0 and layer.size == 0 and layer.inputs is layer.units is None and not layer.output_only


def test_it_takes_any_width_and_is_nothing_where_nothing_is_dropped():
    x = g.input("x", 5)
    assert Dropout(0.5)(x, 3).mask.number == 3
    assert Dropout(0.0)(x) is x
    assert Dropout(0.5).graph(x, training=False) is x
    with pytest.raises(ValueError, match=r"layer Dropout\(0.5\) is called on .* a node of shape \(batch, width\)"):
        Dropout(0.5)(g.parameter("a", 3))


def test_repr_and_copy():
    assert repr(Dropout(0.5)) == repr(Dropout(0.5).copy()) == "Dropout(0.5)"
