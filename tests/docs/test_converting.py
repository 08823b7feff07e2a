"""docs/converting.md is true: what it shows comes out, and every function and extra that it names is there."""

import re
from pathlib import Path

import pages
import pytest

import fastbp as fb

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "converting.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")  # of the other libraries
def test_every_result_is_what_came_out(place):
    for library in ("torch", "onnx", "onnxruntime", "optax", "sklearn", "scipy"):
        pytest.importorskip(library)
    results = pages.run(PAGE)
    assert len(results) == 11
    assert [result for result in results if not pages.agree(result.said, result.found)] == []


def test_what_the_page_names_is_there():
    names = re.findall(r"\bfb\.((?:convert\.)?\w+)", PAGE)
    assert {"from_torch", "from_onnx", "from_sklearn", "minimize", "convert.state_dict"} <= set(names)
    for name in set(names):
        found = fb
        for part in name.split("."):
            found = getattr(found, part)
    for name in re.findall(r"\bnet\.(\w+)\(", PAGE):
        assert hasattr(fb.Sequential, name), name
