"""fastbp/_training/trainable.py: what a training needs of a model; the epochs and the draws of dropout masks that it
goes on from, where they are set, read from files and rewound."""

import copy

import numpy as np
import pytest
from model_files import description
from small_network import INPUTS, UNITS, bits, made

import fastbp as fb
from fastbp import graph as g
from fastbp._check.allocation import zeros
from fastbp._compiler import plan_cache
from fastbp._compiler.program import Data
from fastbp._compiler.use import Use
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import constant, differentiate
from fastbp._training import job, loop
from fastbp._training.trainable import Trainable


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
    assert "trained" not in description(path)
    first = fit(plan, data, epochs=3).history["loss"]
    trained = bits(plan)
    plan.load(path)
    assert (plan.epochs, plan._draws) == (0, 0)
    assert fit(plan, data, epochs=3).history["loss"] == first
    assert bits(plan) == trained


@MAKES
def test_counts_that_are_not_there_are_0(make):
    model = make()
    model._go_on({"epochs": 2, "draws": 9})
    assert model._counts() == {"epochs": 2, "draws": 9}
    model._go_on({"draws": 9})  # as older pickles have
    assert (model.epochs, model._draws) == (0, 9)
    model._go_on({})
    assert model._counts() == {}


# ---- the protocol --------------------------------------------------------------------------------------------------


class Line(Trainable):
    """The least that can be trained: y = k x, without a network or a plan of an expression around it."""

    dtype, seed = np.dtype("float32"), 3

    def __init__(self):
        self.params, self.grads = zeros(1, self.dtype, str, str), zeros(1, self.dtype, str, str)
        self._size = 1
        self.k, x, y = g.parameter("k", ()), g.input("x"), g.input("y")
        self.loss = g.mean(g.square(x * self.k - y))
        self.slope = differentiate(self.loss, constant(1.0), [self.k], add=total_of)
        self._begin("another thread has this line")

    def _make_plan(self, use):
        data = {name: Data(1, 4, use.gathered) for name in "xy"}
        program = plan_cache.lowered([], self.loss, self.slope, self.dtype, batch=use.batch, data=data,
                                     offsets={self.k: 0}, size=1)
        return plan_cache.BoundPlan(self.params, self.grads, program, use.threads)

    def _layer_of(self, vector):
        return "the line"


class LineJob(job.Job):
    def plan(self, batch, gathered):
        return self.model._plans.get(Use("train", batch, gathered=gathered, threads=self.threads))

    def measured(self):
        return self.names()


def points(n=40):
    x = np.linspace(-1, 1, n, dtype="float32").reshape(-1, 1)
    return {"x": x, "y": 3 * x}


def test_what_it_declares_is_all_that_a_training_needs():
    """The loop, its job and the core, on a model that is nothing but a Trainable."""
    line = Line()
    history = loop.run(LineJob(line, points(), 8, 1), 5, fb.SGD(lr=0.5), True, None, (), None, False)
    assert line.epochs == len(history.epoch) == 5
    assert line._draws == 25
    assert line.params[0] == pytest.approx(3, abs=1e-2)
    undeclared = set(vars(line)) - {"params", "grads", "_size", "k", "loss", "slope"}
    assert all(name in Trainable.__doc__ for name in undeclared)
    line.grads[:] = 1
    before = line.params[0]
    line._apply(fb.SGD(lr=0.25))
    assert line.params[0] == before - np.float32(0.25)
    with line._exclusive, pytest.raises(RuntimeError, match="another thread has this line"):
        line._apply(fb.SGD(lr=0.25))
    line.grads[:] = np.nan
    with pytest.raises(FloatingPointError, match="a gradient of the line is not finite; nothing was changed"):
        line._apply(fb.SGD(lr=0.25))


@MAKES
def test_networks_and_expressions_are_trainable(make):
    model = make()
    assert isinstance(model, Trainable)
    for name in ("params", "grads", "_size", "dtype", "seed", "_make_plan", "_layer_of"):
        assert hasattr(model, name) and f"{name}" in Trainable.__doc__
