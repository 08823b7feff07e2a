"""What stands around the code: one version, types that are announced, and what developers are received with."""

import importlib.metadata
import re
from pathlib import Path

import pytest

import fastbp as fb

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_version_is_written_once():
    """setuptools reads it from the text of fastbp/__init__.py."""
    assert re.findall(r'^dynamic = \["version"\]$', PYPROJECT, re.MULTILINE)
    assert re.findall(r'^version = \{ attr = "fastbp\.__version__" \}', PYPROJECT, re.MULTILINE)
    assert re.fullmatch(r"\d+\.\d+\.\d+", fb.__version__)
    for name in ("pyproject.toml", "setup.py", "CITATION.cff", "README.md"):
        assert fb.__version__ not in (ROOT / name).read_text(encoding="utf-8"), name


def test_what_is_installed_has_that_version():
    try:
        there = importlib.metadata.distribution("fastbp")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("fastbp is not installed, but built in place")
    assert there.version == fb.__version__


def test_type_checkers_are_told_that_there_are_types():
    """PEP 561: without the marker they take nothing from an installed package."""
    assert (Path(fb.__file__).parent / "py.typed").read_bytes() == b""
    assert re.search(r'^"fastbp" = \[.*"py\.typed".*\]$', PYPROJECT, re.MULTILINE)
