"""What setup.py decides before it compiles: whether there is OpenMP, and that a build without it says so."""

import runpy
import sys
import types
from pathlib import Path

import pytest

pytest.importorskip("setuptools", reason="setup.py is for a build")
import setuptools
from setuptools.errors import CompileError, LinkError

SETUP = Path(__file__).resolve().parent.parent / "setup.py"


class Compiler:
    """One that fails where it is told to. compiler_so: how it is called."""

    def __init__(self, fails):
        self.fails, self.tried, self.compiler_so = fails, [], ["a-compiler", "-c"]

    def compile(self, sources, output_dir, extra_postargs):
        self.tried += extra_postargs
        if self.fails == "compile":
            raise CompileError("no omp.h")
        return ["probe.o"]

    def link_executable(self, objects, target, extra_postargs):
        if self.fails == "link":
            raise LinkError("cannot find -lomp")


@pytest.fixture
def works(monkeypatch):
    """Whether setup.py finds OpenMP with a compiler that fails so."""
    cython = types.ModuleType("Cython.Build")
    cython.cythonize = lambda extensions, **options: []
    monkeypatch.setitem(sys.modules, "Cython", types.ModuleType("Cython"))
    monkeypatch.setitem(sys.modules, "Cython.Build", cython)
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    monkeypatch.delenv("FASTBP_NO_OPENMP", raising=False)
    monkeypatch.chdir(SETUP.parent)
    build = runpy.run_path(str(SETUP))["BuildCore"](setuptools.Distribution())

    def look(fails):
        build.compiler = Compiler(fails)
        return build.openmp_works()

    return look


@pytest.mark.parametrize("fails", ["compile", "link"])
def test_a_build_without_openmp_says_so_and_what_to_do(works, capfd, fails):
    assert works(fails) is False
    said = capfd.readouterr().err
    assert "THIS BUILD RUNS ON ONE THREAD" in said and "a-compiler" in said
    assert "libomp" in said and "CC=gcc" in said and "FASTBP_NO_OPENMP=1" in said


def test_a_build_with_openmp_says_nothing(works, capfd):
    assert works(None) is True
    assert capfd.readouterr().err == ""


def test_a_serial_build_that_was_asked_for_says_nothing(works, capfd, monkeypatch):
    monkeypatch.setenv("FASTBP_NO_OPENMP", "1")
    assert works("compile") is False
    assert capfd.readouterr().err == ""
