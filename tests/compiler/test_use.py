"""fastbp/_compiler/use.py: what a plan is for, and that all of it makes a plan of its own."""

import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler.use import KINDS, Use
from fastbp._core import cpu

OTHERS = {"kind": "evaluate", "batch": 9, "gathered": True, "labels": True, "weighted": True, "dtypes": (("X", "B"),),
          "target_type": "class", "nodes": (g.input("x"),), "threads": 7}


@pytest.mark.parametrize("name", OTHERS)
def test_each_field_makes_another_use(name):
    assert set(OTHERS) == set(Use._fields)
    given = {"kind": "train", "batch": 8}
    other = {**given, name: OTHERS[name]}
    use = Use(**given)
    assert use == Use(**given) and hash(use) == hash(Use(**given))
    assert Use(**other) != use
    assert getattr(Use(**other), name) == OTHERS[name] or name == "nodes"
    assert name in Use.__doc__


def test_the_threads_are_those_that_are_set_unless_it_says_how_many():
    cpu.set_threads(3)
    try:
        assert Use("train", 8).threads == 3
        assert Use("train", 8, threads=2).threads == 2
        assert Use("train", 8) == Use("train", 8, threads=3)  # fit, which says them, and a call that does not
    finally:
        cpu.set_threads(None)


def test_no_plan_is_for_what_nobody_knows():
    with pytest.raises(ValueError, match="kind is 'flight', expected one of: train, keep, predict"):
        Use("flight", 8)


def test_every_kind_is_made_by_a_network_or_an_expression():
    net = fb.mlp(4, 3)
    x, k = g.input("x", 4), g.parameter("k", 4)
    y = x * k
    plan = g.compile(g.mean(g.square(y)), {"y": y})
    made = {}
    for kind in KINDS:
        whose = KINDS[kind].split(":")[0]
        models = {"of a network": [net], "of an expression": [plan]}.get(whose, [net, plan])
        for model in models:
            made[kind] = model._make_plan(Use(kind, 8, nodes=(y,) if kind == "nodes" else ()))
            assert made[kind].batch == 8
    assert set(made) == set(KINDS)
