"""Builds the compiled core: the SIMD kernels of csrc/, one object per (ISA, real), and the Cython modules above them.

csrc/kernels.c is compiled once for each ISA of csrc/isa/isas.def and each real, with the flags that the ISA's header
says. These objects and dispatch.c belong to the module that owns the kernel tables (fastbp._core.cpu), portable.c to
fastbp._core.portable, queue.c to fastbp._core.teams. The other modules reach them through Cython's cimport. OpenMP is
used where the compiler has it; without it the same code runs serially, and the build says so. FASTBP_SCALAR=1 leaves
out all ISAs but scalar, which is compiled in seconds: for trials of the kernels' mathematics.
"""

import os
import platform
import re
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

MODULES = [
    "portable", "cpu", "os_threads", "teams", "memory", "random",
    "drivers", "executable", "binding", "gemm", "rows", "maps", "updates", "pace", "executor",
    "calls", "stopping", "training_state", "epochs", "fast_call", "side_by_side", "timing",
]  # fmt: skip
# -ffp-contract=off: multiplications and additions are fused where the source says so and nowhere else.
C_FLAGS = ["-O3", "-std=gnu99", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-g0"]
KERNELS, OWNER = "csrc/kernels.c", "fastbp._core.cpu"
REALS = ("f32", "f64")
OPENMP_FLAGS = (["-Xpreprocessor", "-fopenmp"], ["-lomp"]) if sys.platform == "darwin" else (["-fopenmp"], ["-fopenmp"])
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
SERIAL = """
******************************************************************************************************************
fastbp: THIS BUILD RUNS ON ONE THREAD. {compiler} made no program with OpenMP of {flags}.
For all cores install the compiler's OpenMP and build again:
    Clang on Linux   apt install libomp-dev (its version that of clang), or build with CC=gcc
    macOS            brew install libomp, then
                     CPATH=$(brew --prefix libomp)/include LIBRARY_PATH=$(brew --prefix libomp)/lib pip install ...
`fastbp info` says what an installed build has. FASTBP_NO_OPENMP=1 builds a serial one without this warning.
******************************************************************************************************************
"""
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())


def isas():
    """{name of an ISA: the compiler's flags for it on this machine}, as csrc/isa says."""
    names = re.findall(r'^#include "(\w+)\.h"', Path("csrc/isa/isas.def").read_text(), re.MULTILINE)
    said = {name: re.search(rf"^ \* flags on {MACHINE}: (.+)$", Path(f"csrc/isa/{name}.h").read_text(), re.MULTILINE)
            for name in names}
    known = os.environ.get("FASTBP_SCALAR", "0") == "0"  # an ISA without its flags has empty tables
    return {name: found[1].split() if found and known else [] for name, found in said.items()}


def openmp_wanted():
    return os.environ.get("FASTBP_NO_OPENMP", "0") == "0"


def is_outdated(made, sources):
    """Whether a file is not there, or older than one of those it is made of. (setuptools has this since version 69;
    the tests run with whatever one there is.)"""
    made = Path(made)
    return not made.exists() or any(Path(source).stat().st_mtime > made.stat().st_mtime for source in sources)


class BuildCore(build_ext):
    """build_ext that compiles the kernels for each ISA, and with OpenMP where a small program with it links.

    As many files are compiled at a time as there are processors (-j says another number): half of the time goes into
    the sources of one extension, which setuptools would compile one after the other.
    """

    def build_extensions(self):
        compile_flags, link_flags = OPENMP_FLAGS if self.openmp_works() else ([], ["-pthread"])
        description = " ".join(C_FLAGS + compile_flags)
        for extension in self.extensions:
            extension.extra_compile_args = C_FLAGS + compile_flags
            extension.extra_link_args = link_flags
            extension.define_macros = [
                ("FASTBP_BUILD_FLAGS", f'"{description}"'),
                ("FASTBP_WANTED_OPENMP", str(int(openmp_wanted()))),
                ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
            ]
        at_once = self.parallel if self.parallel and self.parallel is not True else os.cpu_count() or 1
        with ThreadPoolExecutor(at_once) as pool:
            self.compile_side_by_side(pool, self.compiler._compile)
            self.parallel = at_once
            super().build_extensions()

    def compile_side_by_side(self, pool, compile_one):
        """Makes the compiler's `compile` hand its files to the pool, and return when all of them are compiled."""
        compile_all, here = self.compiler.compile, threading.local()

        def compile_and_wait(*arguments, **options):
            here.under_way = []
            objects = compile_all(*arguments, **options)
            for each in here.under_way:
                each.result()  # raises what the compiler said
            return objects

        self.compiler._compile = lambda *arguments: here.under_way.append(pool.submit(compile_one, *arguments))
        self.compiler.compile = compile_and_wait

    def build_extension(self, extension):
        files = [*extension.sources, *extension.depends]
        if extension.name == OWNER and (self.force or is_outdated(self.get_ext_fullpath(OWNER), files)):
            pairs = [(isa, flags, real) for isa, flags in isas().items() for real in REALS]
            with ThreadPoolExecutor(len(pairs)) as waiting:  # each for its compilation
                made = waiting.map(lambda pair: self.kernels(extension, *pair), pairs)
                extension.extra_objects = [each for objects in made for each in objects]
        super().build_extension(extension)

    def kernels(self, extension, isa, flags, real):
        """The object of the kernels of one (ISA, real) pair, in a folder of its own as all are of the same source."""
        return self.compiler.compile(
            [KERNELS],
            output_dir=str(Path(self.build_temp, f"{isa}_{real}")),
            macros=[("ISA", isa), ("REAL", real)],
            extra_postargs=[*extension.extra_compile_args, *flags],
        )

    def openmp_works(self):
        """True if a program with OpenMP compiles and links; what fails is said. FASTBP_NO_OPENMP=1 builds serially."""
        if not openmp_wanted():
            return False
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=OPENMP_FLAGS[0])
                self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=OPENMP_FLAGS[1])
            except (CompileError, LinkError):
                compiler = " ".join(getattr(self.compiler, "compiler_so", [])[:1]) or "the compiler"
                sys.stderr.write(SERIAL.format(compiler=compiler, flags=" ".join(OPENMP_FLAGS[0])))
                return False
        return True


def extension(name):
    """The Extension of fastbp/_core/<name>.pyx; cpu, portable and teams hold C sources as well."""
    headers = [str(path) for path in Path("csrc").rglob("*") if path.suffix in (".h", ".inc", ".def")]
    own = {"portable": ["csrc/portable.c"], "teams": ["csrc/queue.c"], "cpu": ["csrc/dispatch.c"]}
    return Extension(
        f"fastbp._core.{name}",
        [f"fastbp/_core/{name}.pyx", *own.get(name, [])],
        depends=[*headers, KERNELS],
        include_dirs=["csrc", numpy.get_include()],
    )


def interfaces_changed():
    """Whether a .pxd is newer than some module's C file: Cython misses those of `from fastbp._core cimport cpu`."""
    made = [path.stat().st_mtime for name in MODULES if (path := Path(f"fastbp/_core/{name}.c")).exists()]
    return bool(made) and max(path.stat().st_mtime for path in Path("fastbp/_core").glob("*.pxd")) > min(made)


DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}

setup(
    ext_modules=cythonize(
        [extension(name) for name in MODULES], compiler_directives=DIRECTIVES, force=interfaces_changed() or None
    ),
    cmdclass={"build_ext": BuildCore},
)
