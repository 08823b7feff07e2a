"""fastbp/_models/expression_programs.py: the programs of an expression's uses."""

import numpy as np
import pytest
from programs import names

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import Use
from fastbp._models import expression_programs


@pytest.fixture
def plan():
    """A layer with dropout and a table, whose outputs have one node under two names."""
    x, i, t = g.input("x", 3), g.input("i", integer=True), g.input("t", 2)
    table = g.parameter("table", (5, 2))
    y = fb.Dropout(0.5)(g.tanh(g.dense(x, g.parameter("W", (3, 2)), g.parameter("b", 2)))) + g.gather(table, i)
    return g.compile(g.squared_error(y, t), {"y": y, "same": y})


def program(plan, kind, **options):
    return expression_programs.program(plan, Use(kind, 8, **options))


@pytest.mark.parametrize(("kind", "data"), [
    ("train", {"x", "i", "t"}), ("loss", {"x", "i", "t"}), ("forward", {"x", "i", ("out", 0)}),
])
def test_each_use_has_its_data(plan, kind, data):
    assert set(program(plan, kind).data) == data


def test_dropout_drops_in_training_and_where_a_steps_masks_are_looked_at(plan):
    (y,) = expression_programs.outputs(plan)
    counts = {kind: names(program(plan, kind).operations).count("dropout") for kind in ("train", "loss", "forward")}
    assert counts == {"train": 2, "loss": 0, "forward": 0}
    looked = program(plan, "nodes", nodes=(y,))
    assert names(looked.operations).count("dropout") == 1
    mine, trained = (next(one.number for one in made.operations if one.name == "dropout")
                     for made in (looked, program(plan, "train")))
    assert mine == trained


def test_only_a_training_has_ranges(plan):
    assert [bool(program(plan, kind).ranges) for kind in ("train", "loss", "forward")] == [True, False, False]


def test_data_of_another_dtype_are_converted_and_integers_are_not(plan):
    made = program(plan, "train", dtypes=(("x", np.dtype("uint8").char),), gathered=True)
    brought_in = [operation for operation in made.operations if operation.name in ("convert", "gather_rows")]
    assert sorted(operation.kernel or operation.name for operation in brought_in) == [
        "convert_uint8", "gather_rows", "gather_rows"]
    assert made.values[made.data["i"]].itemsize == 4


def test_an_output_of_two_names_is_made_once(plan):
    assert len(expression_programs.outputs(plan)) == 1
    found = plan.forward(x=np.ones((4, 3)), i=np.arange(4))
    assert np.array_equal(found["y"], found["same"])
