"""The front page is true: its Python runs as written, its commands exist, its links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pages
import pytest

import fastbp
from fastbp import losses, optimizers, schedules
from fastbp._core import cpu
from fastbp.cli import command as cli_command

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_python_blocks_run(block, tmp_path):
    if "load_mnist" in block and not Path(os.environ.get("FASTBP_DATA", ""), "mnist").is_dir():
        pytest.skip("FASTBP_DATA does not name a folder with mnist/")
    if "load_mnist" in block:
        block += "assert min(accuracies) > 0.98, accuracies"
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr


def test_accuracy_is_what_the_comment_says():
    scope = {}
    exec(re.sub(r"net\.save.*|again = .*", "", BLOCKS[0]), scope)
    said = float(re.search(r'\["accuracy"\]\s*# about ([0-9.]+)', README)[1])
    assert scope["accuracy"] == pytest.approx(said, abs=0.015)
    assert scope["probabilities"].sum(1) == pytest.approx([1] * 5, abs=1e-5)


def test_what_is_for_every_day_does_what_it_says():
    block = next(block for block in BLOCKS if "fastbp.sklearn" in block)
    pytest.importorskip("sklearn")
    said = float(re.search(r"\.score\(X_test, y_test\)\s*# ([0-9.]+)", block)[1])
    scope = {}
    exec(block.replace("MLPClassifier((", "score = MLPClassifier(("), scope)
    assert scope["score"] == pytest.approx(said, abs=0.015)
    worst = scope["history"].history["worst_accuracy"]
    assert len(worst) < 30
    assert max(worst) > 0.85
    assert scope["net"].epochs == len(worst) + 5
    assert scope["adam"].steps == scope["net"].epochs * -(-len(scope["X"]) // 32)


def test_results_of_expressions_are_what_the_comments_say():
    section = README[README.index("## Expressions"):].split("\n## ")[0]
    shown = pages.run(section)
    assert len(shown) == 3
    assert [result for result in shown if not pages.agree(result.said, result.found)] == []


def test_commands_are_understood():
    commands = re.findall(r"^(?:pip install [^&]*&& )?(fastbp .*)$", README, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        cli_command._parser().parse_args(shlex.split(command)[1:])  # raises SystemExit for what it does not know


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_names_of_the_table_are_there():
    """Some of them, as the pages that the table leads to have all."""
    rows = dict(re.findall(r"^\| \[?(\w+)[^|]* \| (.*?)(?:;.*)? \|$", README, re.MULTILINE))
    for kind, known in (("activations", cpu.activations()), ("losses", losses.LOSSES),
                        ("schedules", [cls.__name__ for cls in schedules.SCHEDULES.values()]),
                        ("optimizers", [cls.__name__ for cls in optimizers.OPTIMIZERS.values()])):
        named = re.sub(r"\([^)]*\)|, in .*", "", rows[kind]).split()
        assert len(named) > 4, kind
        assert set(named) <= set(known), kind


INSTALLED = {".py", ".pyi", ".pxd", ".csv", ".h", ".so", ".pyd", ".typed"}


def test_it_is_as_large_as_it_says():
    """Without the bytecode, which is a sixth more; the C that Cython writes would be 9 MB."""
    package = Path(fastbp.__file__).parent
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    if package.parent == ROOT:  # not installed, but built in place, beside what it was built from
        assert "include-package-data = false" in (ROOT / "pyproject.toml").read_text()
        files = [path for path in files if path.suffix in INSTALLED]
    assert {path.suffix for path in files} <= INSTALLED
    said = float(re.search(r"([\d.]+) MB installed", README)[1])
    size = sum(path.stat().st_size for path in files) / 1e6
    assert size < said, f"README.md says {said} MB installed, it is {size:.1f}: write that, or find what grew"


def test_it_is_short():
    assert len(README.splitlines()) < 200
