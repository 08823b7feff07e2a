"""Values that Python cannot write into a message: ints of more digits than it converts, and objects whose repr raises.

Every door refuses them in the dialect, and names their type or size instead.
"""

import re

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g


class Silent:
    def __repr__(self):
        raise RuntimeError("no")


HUGE = 10**5000
VALUES = {"huge": HUGE, "below": -HUGE, "in a list": [HUGE], "silent": Silent(), "many digits": -(10**300)}
X, Y = np.zeros((4, 3)), np.zeros((4, 2))
INPUT, FIXED = g.input("x", 3), g.parameter("p", 3)
DOORS = {
    "predict": lambda value: fb.mlp(3, 2).predict(value),
    "a row": lambda value: fb.mlp(3, 2).predict([[value, 1, 1]]),
    **{name: lambda value, name=name: fb.mlp(3, 2).fit(X, Y, **{"epochs": 1, "progress": False, name: value})
       for name in ("batch_size", "seed", "validation_split", "validation_data", "sample_weight", "class_weight",
                    "metrics", "callbacks", "early_stopping", "optimizer", "shuffle")},
    "y": lambda value: fb.mlp(3, 1).fit(X, [value] * 4),
    "inputs": lambda value: fb.Dense(value, 2),
    "units": lambda value: fb.Dense(2, value),
    "l1": lambda value: fb.Dense(2, 2, l1=value),
    "init": lambda value: fb.Dense(2, 2, init=value),
    "rate": fb.Dropout,
    "width": fb.LayerNorm,
    "mlp": lambda value: fb.mlp(2, value),
    "seed of mlp": lambda value: fb.mlp(2, 2, seed=value),
    "loss": lambda value: fb.mlp(2, 2, loss=value),
    "dtype": lambda value: fb.mlp(2, 2, dtype=value),
    "input_scale": lambda value: fb.mlp(2, 2, input_scale=value),
    "lr": fb.SGD,
    "every": lambda value: fb.schedules.Step(0.1, every=value),
    "steps": lambda value: fb.schedules.Cosine(0.1, steps=value),
    "patience": lambda value: fb.EarlyStopping(patience=value),
    "keep": lambda value: fb.Checkpoint("run", keep=value),
    "delta": lambda value: fb.losses.Huber(delta=value),
    "a parameter's shape": lambda value: g.parameter("q", value),
    "an input's width": lambda value: g.input("x", value),
    "an index": lambda value: FIXED[value],
    "a column": lambda value: INPUT[:, value],
    "reshape": lambda value: g.reshape(INPUT, value),
    "axis": lambda value: g.sum(INPUT, axis=value),
    "seed of a plan": lambda value: g.compile(g.mean(INPUT * FIXED), seed=value),
    "set_threads": lambda value: fb.cpu.set_threads([value]),
    "load": lambda value: fb.load([value]),
}  # fmt: skip
KINDS = (ValueError, TypeError, IndexError, MemoryError)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", VALUES)
def test_it_is_refused_in_the_dialect(name, door):
    with pytest.raises(KINDS) as caught:
        DOORS[door](VALUES[name])
    assert type(caught.value) in KINDS
    assert re.search(r", expected .*; \w", str(caught.value), re.DOTALL), str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("value", "text"), [(HUGE, "2^16609 or more"), (-HUGE, "-2^16609 or more")], ids=["huge", "below"]
)
def test_how_large_it_is_is_said(value, text):
    for function, start in (
        (lambda: fb.Dense(value, 2), "inputs is "),
        (lambda: fb.mlp(2, 2, seed=value), "seed is "),
        (lambda: FIXED[value], "index "),
    ):
        with pytest.raises((ValueError, IndexError), match=re.escape(start + text)):
            function()


def test_no_number_of_anything_is_as_large_as_2_to_the_256():
    with pytest.raises(
        ValueError,
        match=r"patience is 2\^256 or more, expected an integer >= 0 that counts something; "
        r"choose a smaller one",
    ):
        fb.EarlyStopping(patience=2**256)
    assert fb.EarlyStopping(patience=2**256 - 1).patience == 2**256 - 1


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_cannot_be_replaced_stays_what_it_is(value):
    net, optimizer = fb.mlp(2, 2), fb.SGD()
    for thing, name in ((net, "units"), (net.layers[0], "W"), (optimizer, "momentum")):
        before = getattr(thing, name)
        with pytest.raises(AttributeError, match=f"{name} of .* cannot"):
            setattr(thing, name, value)
        assert getattr(thing, name) is before


@pytest.mark.parametrize("part", [slice("a", None), slice(None, 2.5), slice(Silent(), 1)])
def test_the_sides_of_a_slice_are_ints(part):
    with pytest.raises(
        IndexError, match=r"on axis 0, expected ints, or nothing, on both sides; for rows by number use"
    ):
        FIXED[part]
