"""fastbp/_ir/functions.py: the functions of fastbp.graph that are made from tables."""

import pickle

import pytest

from fastbp import graph as g
from fastbp import losses
from fastbp._ir import functions


def test_an_activation_says_what_it_is_and_takes_what_a_node_is_made_of():
    tanh = functions.activation("tanh")
    assert (tanh.__name__, tanh.__qualname__) == ("tanh", "tanh")
    assert "activation tanh" in tanh.__doc__
    assert tanh(g.input("x")).batched and not tanh(0.5).batched


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_loss_is_a_scalar_and_has_the_words_of_its_class(name):
    loss = functions.loss(losses.LOSSES[name])
    assert (loss.__name__, loss.__doc__.partition("\n")[0]) == (name, losses.LOSSES[name].__doc__.partition("\n")[0])
    made = loss(g.input("y", 2), g.input("t", 2), g.input("w"))
    assert made.shape == () and not made.batched


def test_settings_of_a_loss_are_those_of_its_class():
    huber = functions.loss(losses.LOSSES["huber"])
    with pytest.raises(ValueError, match="delta is -1"):
        huber(g.input("y"), g.input("t"), delta=-1)


def test_functions_are_those_of_the_public_module_for_help_and_pickle():
    for function in (g.tanh, g.huber):
        assert function.__module__ == "fastbp.graph"
        assert pickle.loads(pickle.dumps(function)) is function
