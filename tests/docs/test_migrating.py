"""docs/migrating.md is true: its programs run, and its tables name what there is."""

import inspect
import re
from pathlib import Path

import pages
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from fastbp.sklearn import MLPClassifier, MLPRegressor
from fastbp.sklearn._older_names import RENAMED

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "migrating.md").read_text(encoding="utf-8")


def test_every_result_is_what_came_out():
    results = pages.run(PAGE)
    assert len(results) == 4
    assert [result for result in results if not pages.agree(result.said, result.found)] == []


def test_all_that_there_is_beside_scikit_learns_is_in_the_table():
    from sklearn import neural_network as theirs

    table = PAGE.split("## What else there is")[1].split("\n## ")[0]
    for kind in (MLPClassifier, MLPRegressor):
        beside = set(kind().get_params()) - set(getattr(theirs, kind.__name__)().get_params())
        fits = [set(inspect.signature(each.fit).parameters) for each in (kind, theirs.MLPClassifier)]
        beside |= fits[0] - fits[1]
        named = set(re.findall(r"(\w+)=", table))
        assert beside - named - {"dtype", "sample_weight_val"} == set()


def test_all_older_names_are_told_of():
    names = PAGE.split("## Names of earlier versions")[1]
    for older, today in RENAMED.items():
        assert f"`{older}`" in names.split("|")[0] and today in names, older
