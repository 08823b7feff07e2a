"""The tutorial is true: it runs, in order, and every number and word it shows as a result is what came out."""

import re
from decimal import Decimal
from pathlib import Path

import pages
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def shown():
    pytest.importorskip("sklearn", reason="the tutorial's digits come with scikit-learn")
    return pages.run(PAGE)


def test_every_result_is_what_came_out(shown):
    assert len(shown) > 50
    wrong = [result for result in shown if not pages.agree(result.said, result.found)]
    assert not wrong, "\n".join(f"{place}: shown {said}, found {found}" for place, said, found in wrong)


def test_no_digit_could_be_another(shown):
    """Each number of each result, changed by two in its last digit, is noticed."""
    numbers = 0
    for place, said, found in shown:
        for match in re.finditer(rf"(?<![\w.]){pages.NUMBER}(?!\w)", said):
            for change in (2, -2):
                other = Decimal(match[0]) + change * Decimal(10) ** Decimal(match[0]).as_tuple().exponent
                changed = f"{said[:match.start()]} {other} {said[match.end():]}"
                assert not pages.agree(changed, found), f"{place}: {changed} passes for {found}"
            numbers += 1
    assert numbers > 100


def test_decimals_of_the_prose_are_results():
    results = "".join(FENCED.findall(PAGE))
    assert [number for number in re.findall(r"\d+\.\d+", FENCED.sub("", PAGE)) if number not in results] == []


def test_it_is_short():
    assert len(PAGE.splitlines()) < 500


# ---- what the runner notices ---------------------------------------------------------------------------------------

TRUE = """
```python
import numpy as np
x = 2 / 3    # a comment
x            # 0.667; nearly 0.7
np.array([x, 4]), "word", [np.float64(1e-9), True]    # ([0.67, 4], word, [1.0e-9, True])
None
print("x =", x)
```

Something in between.

```text
x = 0.6667
```
"""


def wrong(page):
    return [result.place for result in pages.run(page) if not pages.agree(result.said, result.found)]


def test_a_true_page_passes():
    assert wrong(TRUE) == []
    assert [result.place for result in pages.run(TRUE)] == ["line 5", "line 6", "line 13"]


@pytest.mark.parametrize("before, after, place", [
    ("# 0.667;", "# 0.666;", "line 5"),                 # a rounding too far
    ("# 0.667;", "# -0.667;", "line 5"),
    ("# 0.667;", "# 0.667 0.667;", "line 5"),
    ("# 0.667;", "# x;", "line 5"),
    ("4], word", "5], word", "line 6"),
    ("word, [", "words, [", "line 6"),
    ("1.0e-9", "1.0e-8", "line 6"),
    ("True])", "False])", "line 6"),
    ("x = 0.6667\n", "y = 0.6667\n", "line 13"),
    ("x = 0.6667\n", "x = 0.6668\n", "line 13"),
    ("x = 0.6667\n", "x : 0.6667\n", "line 13"),
    ("x = 0.6667\n", "", "line 13"),
])  # fmt: skip
def test_what_is_wrong_is_found(before, after, place):
    assert TRUE.count(before) == 1
    assert wrong(TRUE.replace(before, after)) == [place]


@pytest.mark.parametrize("before, after, said", [
    ("# 0.667; nearly 0.7", "", "line 5: the result is not shown, 0.666"),
    ("# a comment", "# 0.667", "line 4: '0.667' has a number that is not checked"),
    ("```text\nx = 0.6667\n```\n", "", "what the last block prints is not shown"),
    ('print("x =", x)\n', "", "line 12: a text block, but the Python before it printed nothing"),
    ("```text", "```python\n3 # 3\n```\n```text", "line 13: what the block before prints is not shown"),
])  # fmt: skip
def test_what_is_not_shown_is_found(before, after, said):
    assert TRUE.count(before) == 1
    with pytest.raises(AssertionError, match=re.escape(said)):
        pages.run(TRUE.replace(before, after))
