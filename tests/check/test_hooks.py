"""fastbp/_check/hooks.py: which hooks there are, what is an answer; as users meet it in test_callbacks.py."""

import numpy as np
import pytest

from fastbp import callbacks
from fastbp._check import hooks


def test_the_hooks_are_the_methods_of_the_base_and_no_settings():
    names = {"on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end"}
    assert set(hooks.of(callbacks.Callback).values()) == names
    assert hooks.of(callbacks.Callback)["onepochend"] == "on_epoch_end"


@pytest.mark.parametrize("value", [None, True, False, np.True_, np.array(False)])
def test_what_is_an_answer(value):
    assert hooks.is_answer(value)


@pytest.mark.parametrize("value", [0, 1, "yes", [], np.array([True]), np.float64(1), NotImplemented])
def test_what_is_none(value):
    assert not hooks.is_answer(value)


def test_names_are_declared_in_the_order_given_and_not_those_of_fit():
    assert hooks.declared(("f1", "auc"), "mine", ()) == ["f1", "auc"]
    with pytest.raises(ValueError, match="a name in puts of mine"):
        hooks.declared(("f1",), "mine", ("f1",))


@pytest.mark.parametrize("base", [callbacks.Callback, callbacks.EarlyStopping])
def test_our_own_classes_have_no_misnamed_method(base):
    assert hooks.misnamed(base(), callbacks.Callback) == []
    mine = type("Mine", (base,), {"on_epoch_ends": print, "on_epoch_end": print})
    assert hooks.misnamed(mine(), callbacks.Callback) == [("on_epoch_ends", "on_epoch_end")]


def test_a_name_without_on_is_a_helper_only_beside_the_hook():
    alone = type("Alone", (callbacks.Callback,), {"epoch_end": print})
    assert hooks.misnamed(alone(), callbacks.Callback) == [("epoch_end", "on_epoch_end")]
    beside = type("Beside", (callbacks.Callback,), {"epoch_end": print, "on_epoch_end": print})
    assert hooks.misnamed(beside(), callbacks.Callback) == []
