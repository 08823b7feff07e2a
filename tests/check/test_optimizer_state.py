"""fastbp/_check/optimizer_state.py: whose an optimizer is, and what its state may be."""

import copy

import numpy as np
import pytest

import fastbp as fb
from fastbp._check import optimizer_state

NET, OTHER = fb.mlp(3, 2), fb.mlp(4, 2)


def trained(net=NET):
    optimizer = fb.Adam()
    net.loss_and_grad(np.ones((2, net.inputs)), np.zeros((2, net.units)))
    optimizer.step(net)
    return optimizer


def test_its_own_parameters_are_free_and_others_are_not():
    optimizer = trained()
    optimizer.check_free(NET.params)
    with pytest.raises(ValueError, match=r"already trains another network \(8 parameters, 1 steps\), expected one opt"):
        optimizer.check_free(OTHER.params)
    fb.Adam().check_free(OTHER.params)


def test_a_copy_goes_on_with_parameters_of_the_same_size_and_dtype_alone():
    optimizer = copy.deepcopy(trained())
    optimizer.check_free(copy.deepcopy(NET).params)
    for net in (OTHER, fb.mlp(3, 2, dtype="float64")):
        with pytest.raises(ValueError, match=r"is a copy with the state of 8 float32 parameters, .*\.fresh\(\)"):
            optimizer.check_free(net.params)
    assert optimizer.steps == 1


def test_a_state_is_a_copy_of_what_is_given():
    given = np.ones((2, 8), "float32")
    for optimizer in (fb.Adam(), trained()):
        own = optimizer_state.own(optimizer, given)
        assert (own == given).all() and not np.shares_memory(own, given)


@pytest.mark.parametrize("given", [np.ones((1, 8), "float32"), np.ones((2, 8), "int32"), np.ones(8, "float32"), [1.0]])
def test_what_is_no_state(given):
    with pytest.raises(ValueError, match=r"state of optimizer Adam.*expected an array of shape \(2, P\) and dtype fl"):
        optimizer_state.own(fb.Adam(), given)
    with pytest.raises(ValueError, match=r"state of optimizer Adam.*expected an array of shape \(2, 8\) and dtype fl"):
        optimizer_state.own(trained(), given)
    with pytest.raises(ValueError, match=r"state of optimizer SGD.*expected None; pass a state"):
        optimizer_state.own(fb.SGD(), given)


def test_an_optimizer_that_keeps_nothing_has_none():
    assert optimizer_state.own(fb.SGD(), None) is None
    assert optimizer_state.own(fb.Adam(), None) is None  # whose it will be is not known
