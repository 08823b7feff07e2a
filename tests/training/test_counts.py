"""fastbp/_training/counts.py: the epochs and the draws of dropout masks that training goes on from, where they are set,
read from files and rewound."""

import copy
import json

import numpy as np
import pytest
from small_network import INPUTS, UNITS, bits, made

import fastbp as fb
from fastbp import graph as g


def network():
    return made(dropout=0.3)


def expression():
    x, y = g.input("x", INPUTS), g.input("y", UNITS)
    return g.compile(g.squared_error(made(dropout=0.3)(x), y), seed=4)


def fit(model, data, **options):
    X, Y, _ = data
    given = (X, Y) if isinstance(model, fb.Sequential) else ({"x": X, "y": Y},)
    return model.fit(*given, batch_size=10, **options)


MAKES = pytest.mark.parametrize("make", [network, expression])


@MAKES
@pytest.mark.parametrize("count", [np.int64(3), np.uint8(3), np.array(3), 3])
def test_epochs_are_set_to_an_int_of_pythons(tmp_path, make, count):
    model = make()
    model.epochs = count
    assert (model.epochs, type(model.epochs)) == (3, int)
    model.save(tmp_path / "model")
    again = fb.load(tmp_path / "model") if make is network else make().load(tmp_path / "model")
    assert again.epochs == copy.deepcopy(model).epochs == 3


@MAKES
@pytest.mark.parametrize("count, kind", [
    (-4, ValueError), (2**62 + 1, ValueError), (1.5, TypeError), ("3", TypeError), (None, TypeError), (True, TypeError),
])
def test_what_is_no_count_is_refused(make, count, kind):
    model = make()
    model.epochs, model._draws = 2, 7
    with pytest.raises(kind, match=r"epochs is .*, expected an integer >= 0 and <= 4611686018427387904; "):
        model.epochs = count
    assert (model.epochs, model._draws) == (2, 7)


@MAKES
def test_0_epochs_begin_anew_with_the_first_orders_and_masks(data, make):
    model, first = make(), make()
    begun = model.params.copy()
    fit(first, data, epochs=3)
    fit(model, data, epochs=2)
    model.params[:] = begun
    model.epochs = 0
    fit(model, data, epochs=3)
    assert bits(model) == bits(first)
    assert (model.epochs, model._draws) == (first.epochs, first._draws) == (3, 3 * -(-len(data[0]) // 10))


@MAKES
def test_a_seed_begins_the_orders_anew_and_masks_go_on_as_by_hand(data, make):
    X, Y, _ = data
    model, hand, optimizer = make(), make(), fb.SGD(lr=0.1)
    fit(model, data, epochs=1)
    fit(hand, data, epochs=1)
    fit(model, data, epochs=1, seed=5)
    for xb, yb in fb.batches(X, Y, 10, seed=5):
        hand.loss_and_grad(xb, yb) if make is network else hand.loss_and_grad(x=xb, y=yb)
        optimizer.step(hand)
    assert bits(model) == bits(hand)
    assert model._draws == hand._draws


@MAKES
def test_copies_of_what_was_trained_by_hand_alone_have_its_masks(data, tmp_path, make):
    X, Y, _ = data
    model = make()
    model.loss_and_grad(X, Y) if make is network else model.loss_and_grad(x=X, y=Y)
    model.save(tmp_path / "model")
    again = fb.load(tmp_path / "model") if make is network else make().load(tmp_path / "model")
    assert model._draws == again._draws == copy.deepcopy(model)._draws == 1


@pytest.mark.parametrize("older", [False, True])
def test_the_file_of_an_untrained_plan_begins_anew(data, tmp_path, older):
    """As that of an older version, which has no counts."""
    plan, path = expression(), tmp_path / "plan"
    if older:
        fb.serialization.save_parameters(plan.parameters, path)
    else:
        plan.save(path)
    assert "trained" not in json.loads(fb.serialization.safe_open(path, framework="numpy").metadata()["fastbp"])
    first = fit(plan, data, epochs=3).history["loss"]
    trained = bits(plan)
    plan.load(path)
    assert (plan.epochs, plan._draws) == (0, 0)
    assert fit(plan, data, epochs=3).history["loss"] == first
    assert bits(plan) == trained


def test_counts_that_are_not_there_are_0():
    class Model:
        epochs = fb._training.counts.epochs

    model = Model()
    fb._training.counts.go_on(model, {"epochs": 2, "draws": 9})
    assert fb._training.counts.counts_of(model) == {"epochs": 2, "draws": 9}
    fb._training.counts.go_on(model, {"draws": 9})  # as older pickles have
    assert (model.epochs, model._draws) == (0, 9)
    fb._training.counts.go_on(model, {})
    assert fb._training.counts.counts_of(model) == {}
