"""What setup.py decides before it compiles: whether there is OpenMP, and says so where not; the flags
of each ISA; what is built again."""

import os
import re
import runpy
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("setuptools", reason="setup.py is for a build")
import setuptools
import setuptools.command.build_ext
from setuptools.errors import CompileError, LinkError

from fastbp._core import cpu

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
def setup(monkeypatch):
    """What setup.py defines."""
    cython = types.ModuleType("Cython.Build")
    cython.cythonize = lambda extensions, **options: []
    package = types.ModuleType("Cython")
    package.__version__ = "3.1"
    monkeypatch.setitem(sys.modules, "Cython", package)
    monkeypatch.setitem(sys.modules, "Cython.Build", cython)
    monkeypatch.setattr(setuptools, "setup", lambda **options: None)
    monkeypatch.delenv("FASTBP_NO_OPENMP", raising=False)
    monkeypatch.chdir(SETUP.parent)
    return runpy.run_path(str(SETUP))


@pytest.fixture
def works(setup):
    """Whether setup.py finds OpenMP with a compiler that fails so."""
    build = setup["BuildCore"](setuptools.Distribution())

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


@pytest.fixture
def core(setup, monkeypatch, tmp_path):
    """setup.py's BuildCore with a compiler that takes each file's flags down, as many at a time as are waited for."""
    monkeypatch.setenv("FASTBP_NO_OPENMP", "1")
    core = setup["BuildCore"](setuptools.Distribution())
    core.build_temp, core.build_lib = str(tmp_path / "temp"), str(tmp_path / "lib")
    return core


class SideBySide:
    """A compiler whose files wait for each other: `count` of them are under way together, or the test fails."""

    def __init__(self, count, fails=None):
        self.together, self.fails, self.flags = threading.Barrier(count), fails, {}
        self.compiler_so = [sys.executable, "-c", "pass"]

    def compile(self, sources, **options):
        for source in sources:
            self._compile(f"{source}.o", source, ".c", [], [], [])
        return [f"{source}.o" for source in sources]

    def _compile(self, obj, source, ext, cc_args, extra_postargs, pp_opts):
        self.together.wait(timeout=20)
        self.flags[source] = extra_postargs
        if source == self.fails:
            raise CompileError(source)


def build(core, compiler, sources, at_once, monkeypatch):
    core.extensions, core.compiler, core.parallel = [], compiler, at_once
    made = []
    monkeypatch.setattr("setuptools.command.build_ext.build_ext.build_extensions",
                        lambda self: made.extend(compiler.compile(sources)))
    core.build_extensions()
    return made


def test_files_of_one_extension_are_compiled_side_by_side(core, monkeypatch):
    sources = ["csrc/queue.c", "csrc/portable.c", "csrc/dispatch.c"]
    compiler = SideBySide(3)
    assert build(core, compiler, sources, 3, monkeypatch) == [f"{source}.o" for source in sources]
    assert set(compiler.flags) == set(sources)


def test_a_file_that_does_not_compile_ends_the_build(core, monkeypatch):
    with pytest.raises(CompileError, match=r"^b\.c$"):
        build(core, SideBySide(1, "b.c"), ["a.c", "b.c", "c.c"], 1, monkeypatch)


def test_an_isa_has_the_flags_of_its_header_on_its_machine_alone(setup):
    isas = setup["isas"]
    isas.__globals__["MACHINE"] = "x86_64"
    assert isas()["avx2"] == ["-mavx2", "-mfma", "-mf16c"]
    assert isas()["neon"] == isas()["scalar"] == []
    assert list(isas()) == list(cpu.known())
    isas.__globals__["MACHINE"] = "aarch64"
    assert isas()["avx2"] == []


def test_a_scalar_build_gives_no_isa_its_flags(setup, monkeypatch):
    isas = setup["isas"]
    isas.__globals__["MACHINE"] = "x86_64"
    monkeypatch.setenv("FASTBP_SCALAR", "1")
    assert isas() == {name: [] for name in cpu.known()}
    monkeypatch.setenv("FASTBP_SCALAR", "0")
    assert isas()["avx2"]


def test_kernels_are_compiled_for_each_pair_into_a_folder_of_its_own(setup, monkeypatch):
    build, calls = setup["BuildCore"](setuptools.Distribution()), []

    def compile_(sources, **how):
        calls.append((sources, how))
        return [how["output_dir"]]

    build.compiler = types.SimpleNamespace(compile=compile_)
    build.build_temp, build.force = "temp", True
    build.get_ext_fullpath = lambda name: name
    monkeypatch.setattr(setuptools.command.build_ext.build_ext, "build_extension", lambda *arguments: None)
    setup["BuildCore"].start_kernels.__globals__["isas"] = lambda: {"avx2": ["-mavx2"], "scalar": []}
    owner = types.SimpleNamespace(name="fastbp._core.cpu", sources=[], depends=[], extra_compile_args=["-O3"])
    other = types.SimpleNamespace(name="fastbp._core.plan", sources=[], depends=[])
    build.extensions = [other, owner]
    with ThreadPoolExecutor(4) as waiting:
        build.start_kernels(waiting)
    build.build_extension(owner)
    calls.sort(key=lambda call: call[1]["output_dir"])  # side by side
    assert [(sources, how["macros"], how["extra_postargs"]) for sources, how in calls] == [
        (["csrc/kernels.c"], [("ISA", isa), ("REAL", real)], ["-O3", *flags])
        for isa, flags in (("avx2", ["-mavx2"]), ("scalar", [])) for real in ("f32", "f64")]
    folders = ["avx2_f32", "avx2_f64", "scalar_f32", "scalar_f64"]
    assert owner.extra_objects == [str(Path("temp", folder)) for folder in folders]
    build.build_extension(other)
    assert len(calls) == 4 and not hasattr(other, "extra_objects")


def test_kernels_are_compiled_where_only_the_c_file_of_their_module_is_new(setup, monkeypatch, tmp_path):
    build = setup["BuildCore"](setuptools.Distribution())
    build.kernels = lambda owner, isa, flags, real: [f"{isa}_{real}.o"]
    made = []
    monkeypatch.setattr(setuptools.command.build_ext.build_ext, "build_extension",
                        lambda self, extension: made.append(list(extension.extra_objects)))
    build.get_ext_fullpath = lambda name: str(tmp_path / "cpu.so")
    for name, date in (("cpu.so", 2000), ("cpu.pyx", 1000), ("cpu.c", 3000)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (date, date))
    owner = types.SimpleNamespace(name="fastbp._core.cpu", sources=[str(tmp_path / "cpu.pyx")], depends=[])
    build.extensions, build.force = [owner], False
    with ThreadPoolExecutor(1) as waiting:
        build.start_kernels(waiting)
    assert build.started is None
    owner.sources = [str(tmp_path / "cpu.c")]
    build.build_extension(owner)
    assert made == [[f"{isa}_{real}.o" for isa in setup["isas"]() for real in ("f32", "f64")]]


def test_flags_are_those_that_give_the_same_bits_on_every_machine(setup):
    every = [*setup["C_FLAGS"], *setup["STRIP"]]
    for machine in ("x86_64", "aarch64", "riscv64"):
        setup["isas"].__globals__["MACHINE"] = machine
        every += [flag for flags in setup["isas"]().values() for flag in flags]
    assert "-ffp-contract=off" in every
    wrong = re.compile("fast-math|unsafe|associative|reciprocal|finite-math|Ofast|native|mtune|march=x86")
    assert [flag for flag in every if wrong.search(flag)] == []


# ---- what was built is used again ------------------------------------------------------------------------------------


class Module:
    """An Extension of one .pyx in a folder, as setup.py asks it."""

    def __init__(self, folder):
        self.name, self.sources, self.depends = "one", [str(folder / "one.pyx"), "csrc/queue.c"], []


@pytest.fixture
def one(core, monkeypatch, tmp_path):
    """(setup.py's BuildCore, its globals, a module of a .pyx that is older than its C file, what Cython was given)."""
    scope, given = type(core).translate.__globals__, []
    module = Module(tmp_path)
    for name, date in (("one.pyx", 1000), ("two.pxd", 1000), ("one.c", 2000)):
        (tmp_path / name).write_text("/* Generated by Cython 3.1 */\n")
        os.utime(tmp_path / name, (date, date))
    monkeypatch.setitem(scope, "c_file", lambda extension: str(tmp_path / "one.c"))
    sources = [str(tmp_path / name) for name in ("one.pyx", "two.pxd")]
    monkeypatch.setitem(scope, "translated_from", lambda extension: sources)
    monkeypatch.setitem(scope, "cythonize", lambda modules, **options: given.extend(modules))
    core.extensions, core.force = [module], False
    return core, module, given


@pytest.mark.parametrize("changed", [None, "one.pyx", "two.pxd", "Cython", "asked"])
def test_cython_is_at_work_where_a_file_of_ours_is_new(one, changed, tmp_path):
    core, module, given = one
    if changed == "Cython":
        (tmp_path / "one.c").write_text("/* Generated by Cython 3.0.9 */\n")
    elif changed not in (None, "asked"):
        os.utime(tmp_path / changed, (3000, 3000))
    core.translate(changed == "asked")
    assert given == ([] if changed is None else [module])
    assert module.sources == [str(tmp_path / "one.c"), "csrc/queue.c"]


def test_all_is_built_again_by_another_compiler_with_other_flags_or_versions(core, monkeypatch):
    def forced(command=(sys.executable, "-c", "pass")):
        compiler = SideBySide(1)
        compiler.compiler_so, core.force = list(command), None
        build(core, compiler, ["a.c"], 1, monkeypatch)
        return bool(core.force)

    printing = [sys.executable, "-c", "print(14)"]
    assert [forced(), forced(), forced(printing), forced()] == [True, False, True, True]
    monkeypatch.setitem(type(core).made_with.__globals__, "C_FLAGS", ["-O2"])
    assert [forced(), forced()] == [True, False]
    monkeypatch.setattr("numpy.__version__", "99.0")
    assert [forced(), forced()] == [True, False]


def test_a_build_that_failed_is_begun_again(core, monkeypatch):
    build(core, SideBySide(1), ["a.c"], 1, monkeypatch)
    assert core.record().exists()
    with pytest.raises(CompileError):
        build(core, SideBySide(1, "a.c"), ["a.c"], 1, monkeypatch)
    assert not core.record().exists()


# ---- Windows ---------------------------------------------------------------------------------------------------------


class Microsofts:
    """What setup.py changes of setuptools' Microsoft compiler."""

    def __init__(self):
        self.cc, self.compile_options, self.library_dirs = None, [], []

    def initialize(self):
        self.cc, self.compile_options = "cl.exe", ["/nologo", "/O2", "/W3", "/GL", "/DNDEBUG", "/MD"]

    def add_library_dir(self, folder):
        self.library_dirs.append(folder)


def test_on_windows_clang_cl_compiles_with_flags_in_its_words(setup, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    windows = runpy.run_path(str(SETUP))
    assert windows["OPENMP_FLAGS"] == (["/openmp"], ["libomp.lib"]) and windows["STRIP"] == []
    assert windows["spelt"](["-O3", "-mavx2"]) == ["/clang:-O3", "/clang:-mavx2"]
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/LLVM/bin/{name}.exe" if path is None else None)
    compiler = Microsofts()
    windows["use_clang_cl"](compiler)
    assert compiler.cc == "/LLVM/bin/clang-cl.exe" and Path(compiler.library_dirs[0]) == Path("/LLVM/lib")
    assert compiler.compile_options == ["/nologo", "/O2", "/W3", "/DNDEBUG", "/MD"]


def test_on_windows_without_clang_cl_the_build_says_what_to_install(setup, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(CompileError, match=r"no clang-cl, .*install LLVM \(winget install LLVM\.LLVM\)"):
        setup["use_clang_cl"](Microsofts())


def test_elsewhere_flags_are_as_they_are(setup, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert setup["spelt"](["-O3"]) == ["-O3"]
