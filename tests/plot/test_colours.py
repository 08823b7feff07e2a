"""fastbp/plot/colours.py: the same thing looks the same in every picture, and no two things look alike."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastbp.curve import METHODS, CurveFitter
from fastbp.plot import colours


def runs(*labels):
    return [SimpleNamespace(label=label) for label in labels]


def test_every_way_to_turn_the_knobs_has_a_style_and_no_two_the_same():
    ways = {f"{method}{batch}" for method in METHODS for batch in ("", ", mini-batches")} - {"perturb, mini-batches"}
    assert set(colours.RUNS) == ways
    for what in ("color", "linestyle", "marker"):
        assert len({style[what] for style in colours.RUNS.values()}) == len(ways), what
    fitter = CurveFitter(np.arange(8.0), np.arange(8.0) ** 2, 2)
    made = [fitter.run(method, 2, batch_size=size) for method in METHODS for size in (None, 3)
            if (method, size) != ("perturb", 3)]
    assert colours.of_runs(made) == [colours.RUNS[name] for name in (
        "gradient", "gradient, mini-batches", "momentum", "momentum, mini-batches", "adam", "adam, mini-batches",
        "perturb")]


def test_a_way_keeps_its_style_in_any_company_and_order():
    for labels in (("gradient", "perturb"), ("gradient, mini-batches of 4", "gradient"), ("adam", "gradient")):
        for order in (labels, labels[::-1]):
            names = [label.partition(" of ")[0] for label in order]
            assert colours.of_runs(runs(*order)) == [colours.RUNS[name] for name in names]


def test_runs_of_one_way_or_of_an_unknown_one_get_styles_that_are_free():
    given = colours.of_runs(runs("gradient", "gradient", "perturb", "newton", "gradient, mini-batches of 4"))
    assert given[0] is colours.RUNS["gradient"] and given[2] is colours.RUNS["perturb"]
    assert given[4] is colours.RUNS["gradient, mini-batches"]
    assert len({style["color"] for style in given}) == 5


@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_there_is_a_style_for_each_of_any_number_of_runs(count):
    given = colours.of_runs(runs(*["gradient"] * count))
    assert len(given) == count and len({style["color"] for style in given}) == min(count, 7)


def test_validation_is_told_from_training_without_colour():
    assert colours.TRAINING["marker"] != colours.VALIDATION["marker"]
    assert colours.TRAINING["color"] != colours.VALIDATION["color"]
