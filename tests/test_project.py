"""What stands around the code: one version, types that are announced, and what developers are received with."""

import importlib.metadata
import re
import subprocess
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


# ---- what runs where -------------------------------------------------------------------------------------------------

CI = ROOT / ".ci" / "run"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
HOOKS = ROOT / ".pre-commit-config.yaml"
HERE = pytest.mark.skipif(not WORKFLOW.exists(), reason="not a checkout")


@HERE
def test_every_part_of_ci_is_told_of_and_runs_by_default():
    text = CI.read_text(encoding="utf-8")
    parts = re.findall(r"^part_(\w+)\(\)", text, re.MULTILINE)
    assert re.findall(r"^#   (\w+)  ", text, re.MULTILINE) == parts
    assert re.search(r'in "\$\{@:-(.*)\}"; do', text)[1].split() == parts
    done = subprocess.run(["bash", str(CI), "nonsense"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f".ci/run has no part 'nonsense', expected: {' '.join(parts)}" in done.stdout


@HERE
def test_the_workflow_runs_what_ci_runs_on_every_python_there_is():
    text = WORKFLOW.read_text(encoding="utf-8")
    runs = re.findall(r"^ +- run: (.*)$", text, re.MULTILINE)
    assert runs == ["bash .ci/run", "bash .ci/run suite", "bash .ci/run smoke"]
    pythons = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", text)[1])
    assert pythons == [f"3.{minor}" for minor in range(10, 15)]
    assert re.search(r'^requires-python = ">=(.*)"$', PYPROJECT, re.MULTILINE)[1] == pythons[0]
    assert re.search(r"os: \[(.*)\]", text)[1] == "ubuntu-latest, macos-latest"
    windows = text.split("\n  windows:\n")[1]
    assert "runs-on: windows-2022" in windows and f'python: ["{pythons[0]}", "{pythons[-1]}"]' in windows


@HERE
def test_what_developers_are_told_to_run_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = PYPROJECT.split("[project.optional-dependencies]")[1].split("\n[")[0]
    extras = re.findall(r"^(\w+) = \[", table, re.MULTILINE)
    assert set(re.findall(r"\.\[(\w+)\]", text)) <= set(extras)
    hooks = re.findall(r"- id: ([\w-]+)", HOOKS.read_text(encoding="utf-8"))
    assert set(re.findall(r"--hook-stage manual ([\w-]+)", text)) <= set(hooks)
    for path in re.findall(r"`((?:csrc|fastbp|tests|docs|bench)/[\w./]+)`", text):
        assert (ROOT / path).exists(), path
    for names in re.findall(r"Red until it is right: ((?:[\w/]+,\s+)*[\w/]+)\.", text):
        for name in re.split(r",\s+", names):
            assert list((ROOT / "tests").glob(f"{name}.py")) or (ROOT / "tests" / name).is_dir(), name


@HERE
def test_there_are_wheels_for_every_python_that_the_suite_runs_on():
    """And for the free-threaded one."""
    table = PYPROJECT.split("[tool.cibuildwheel]")[1].split("\n[")[0]
    pythons = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", WORKFLOW.read_text(encoding="utf-8"))[1])
    wheels = re.findall(r'"(cp\w+)-\*"', re.search(r"^build = \[(.*)\]$", table, re.MULTILINE)[1])
    assert wheels == [f"cp{python.replace('.', '')}" for python in pythons] + ["cp314t"]
    text = (ROOT / ".github" / "workflows" / "wheels.yml").read_text(encoding="utf-8")
    for system in ("linux", "macos", "windows"):
        assert f"\n[tool.cibuildwheel.{system}]\narchs = " in PYPROJECT
    assert {"ubuntu", "macos", "windows"} <= set(re.findall(r"\w+", re.search(r"os: \[(.*)\]", text)[1]))
    assert "password" not in re.sub(r"#.*", "", text) and "id-token: write" in text  # trusted publishing


@HERE
def test_the_release_page_tells_of_every_option_of_the_script():
    script = (ROOT / "tools" / "wheels.sh").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
    options = re.findall(r"^        (--\w+)\)", script, re.MULTILINE)
    assert options == ["--suite", "--torch", "--python"]
    assert all(option in page for option in options)
    done = subprocess.run(["bash", str(ROOT / "tools" / "wheels.sh"), "--fast"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2
    said = "tools/wheels.sh has no option '--fast', expected --suite, --torch or --python VERSION; leave it out"
    assert said in done.stdout


@HERE
def test_no_document_or_configuration_names_a_host():
    """Links are relative; whoever has a copy of the repository has all of it."""
    files = [CI, WORKFLOW, HOOKS, *ROOT.glob("*.md"), *ROOT.glob("*.cff"), *(ROOT / ".github").rglob("*.*")]
    assert len(files) > 8
    for path in files:
        assert "://" not in path.read_text(encoding="utf-8"), path.name
