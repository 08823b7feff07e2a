"""Builds the compiled core: the SIMD kernels of csrc/, one object per (ISA, real), and the Cython modules above them.

csrc/kernels.c is compiled once for each ISA of csrc/isa/isas.def and each real, with the flags that the ISA's header
says. These objects and dispatch.c belong to the module that owns the kernel tables (fastbp._core.cpu), portable.c to
fastbp._core.portable, queue.c to fastbp._core.teams. The other modules reach them through Cython's cimport. OpenMP is
used where the compiler has it; without it the same code runs serially, and the build says so. FASTBP_SCALAR=1 leaves
out all ISAs but scalar, which is compiled in seconds: for trials of the kernels' mathematics. On Windows clang-cl
compiles, as the kernels are written in GNU C.

What every module with memory views would have of Cython's own code stands once, in SHARED. What was built is used
again, by pip as well, as long as nothing that it was made of, or with, has changed.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import Cython
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
# No names of functions in what is installed, but for those of the kernels' module, whose machine code a test reads.
STRIP = ["-Wl,-s"] if sys.platform == "linux" else []
# SHARED: Python knows it by the last part of its name too, so that is one that nobody else has.
KERNELS, OWNER, SHARED = "csrc/kernels.c", "fastbp._core.cpu", "fastbp._core.fastbp_shared"
# Modules that only prepare what others run: half the time to compile, and no kernel, row or step passes through them.
GLUE = {"fastbp._core.executable", SHARED}
REALS = ("f32", "f64")
OPENMP_FLAGS = {"darwin": (["-Xpreprocessor", "-fopenmp"], ["-lomp"]), "win32": (["/openmp"], ["libomp.lib"])}.get(
    sys.platform, (["-fopenmp"], ["-fopenmp"])
)
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
SERIAL = """
******************************************************************************************************************
fastbp: THIS BUILD RUNS ON ONE THREAD. {compiler} made no program with OpenMP of {flags}.
For all cores install the compiler's OpenMP and build again:
    Clang on Linux   apt install libomp-dev (its version that of clang), or build with CC=gcc
    Windows          LLVM of llvm.org, which has clang-cl and its OpenMP
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


def spelt(flags):
    """Flags of Clang's or GCC's as the compiler of this system takes them: clang-cl's own words are Microsoft's."""
    return [f"/clang:{flag}" for flag in flags] if sys.platform == "win32" else flags


def use_clang_cl(compiler):
    """Has setuptools' Microsoft compiler call clang-cl: that of the PATH, or of LLVM where its installer puts it."""
    compiler.initialize()  # finds Microsoft's headers, libraries and linker
    llvm = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "LLVM")
    found = shutil.which("clang-cl") or shutil.which("clang-cl", path=str(llvm / "bin"))
    if found is None:
        raise CompileError(
            "there is no clang-cl, which compiles fastbp on Windows; install LLVM (winget install LLVM.LLVM)"
        )
    compiler.cc = found
    compiler.compile_options = [flag for flag in compiler.compile_options if flag != "/GL"]  # for Microsoft's linker
    compiler.add_library_dir(str(Path(found).parent.parent / "lib"))  # libomp.lib


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

    started = None  # the kernels' compilation: a list of objects for each (ISA, real) pair

    def build_extensions(self):
        if sys.platform == "win32":
            use_clang_cl(self.compiler)
        serial = [] if sys.platform == "win32" else ["-pthread"]
        compile_flags, link_flags = OPENMP_FLAGS if self.openmp_works() else ([], serial)
        description = " ".join(C_FLAGS + compile_flags)
        for extension in self.extensions:
            extension.extra_compile_args = spelt(C_FLAGS) + compile_flags + spelt(["-O1"]) * (extension.name in GLUE)
            extension.extra_link_args = link_flags + (STRIP if extension.name != OWNER else [])
            extension.define_macros = [
                ("FASTBP_BUILD_FLAGS", f'"{description}"'),
                ("FASTBP_WANTED_OPENMP", str(int(openmp_wanted()))),
                ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
            ]
        record, made_with, asked = self.record(), self.made_with(description), bool(self.force)
        self.force = self.force or not record.exists() or record.read_text() != made_with
        record.unlink(missing_ok=True)  # until all of it is built
        at_once = self.parallel if self.parallel and self.parallel is not True else os.cpu_count() or 1
        with ThreadPoolExecutor(at_once) as pool, ThreadPoolExecutor(16) as waiting:  # the latter for compilations
            self.compile_side_by_side(pool, self.compiler._compile)
            self.start_kernels(waiting)
            self.translate(asked)
            self.parallel = at_once
            super().build_extensions()
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(made_with)

    def record(self):
        """The file that says what the modules in the folder of builds were made with."""
        return Path(self.build_temp, "made_with.txt")

    def command(self):
        """The words that call the compiler; of Microsoft's setuptools has only the path."""
        return [str(word) for word in getattr(self.compiler, "compiler_so", None) or [self.compiler.cc]]

    def made_with(self, description):
        """All but the sources that what is built depends on: compiler, flags, versions."""
        command = self.command()
        link = [str(word) for word in getattr(self.compiler, "linker_so", None) or []]
        try:  # of all the words, as in "ccache gcc"
            version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout
        except OSError:
            version = ""
        flags = [description, " ".join(command), " ".join(link), version]
        return "\n".join([sys.version, numpy.__version__, Cython.__version__, *flags])

    def translate(self, all_of_them):
        """Cython's part: a C file for each module that has none, or one that is older than its sources, or of another
        Cython. cythonize would ask the dates of NumPy's files as well, which are new in every environment of pip's."""
        shared = [extension for extension in self.extensions if extension.name == SHARED]
        modules = [extension for extension in self.extensions if extension.name != SHARED]
        old = [module for module in modules if all_of_them or is_outdated(c_file(module), translated_from(module))
               or not is_by_this_cython(c_file(module))]
        if old or any(not is_by_this_cython(c_file(extension)) for extension in shared):
            cythonize(old + shared, compiler_directives=DIRECTIVES, force=True, shared_utility_qualified_name=SHARED)
        for module in modules:
            module.sources = [c_file(module) if source.endswith(".pyx") else source for source in module.sources]

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

    def start_kernels(self, waiting):
        """Has the kernels compiled, if it is known already that they must be, while Cython is at work."""
        owner = next((extension for extension in self.extensions if extension.name == OWNER), None)
        if owner is not None and self.must_be_built(owner):
            pairs = [(isa, flags, real) for isa, flags in isas().items() for real in REALS]
            self.started = waiting.map(lambda pair: self.kernels(owner, *pair), pairs)

    def must_be_built(self, extension):
        made = self.get_ext_fullpath(extension.name)
        return self.force or is_outdated(made, [*extension.sources, *extension.depends])

    def build_extension(self, extension):
        if extension.name == OWNER:
            with ThreadPoolExecutor(16) as waiting:
                if self.started is None:  # its C file may be new
                    self.start_kernels(waiting)
                extension.extra_objects = [each for objects in self.started or () for each in objects]
        super().build_extension(extension)

    def kernels(self, extension, isa, flags, real):
        """The object of the kernels of one (ISA, real) pair, in a folder of its own as all are of the same source."""
        return self.compiler.compile(
            [KERNELS],
            output_dir=str(Path(self.build_temp, f"{isa}_{real}")),
            macros=[("ISA", isa), ("REAL", real)],
            extra_postargs=[*extension.extra_compile_args, *spelt(flags)],
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
                sys.stderr.write(SERIAL.format(compiler=self.command()[0], flags=" ".join(OPENMP_FLAGS[0])))
                return False
        return True


def extension(name):
    """The Extension of fastbp/_core/<name>.pyx; cpu, portable and teams hold C sources as well."""
    headers = [str(path) for path in Path("csrc").rglob("*") if path.suffix in (".h", ".inc", ".def")]
    own = {"portable": ["csrc/portable.c"], "teams": ["csrc/queue.c"], "cpu": ["csrc/dispatch.c"]}
    return Extension(
        f"fastbp._core.{name}",
        [f"fastbp/_core/{name}.pyx", *own.get(name, [])],
        depends=[*headers, KERNELS, *declarations()],
        include_dirs=["csrc", numpy.get_include()],
    )


def declarations():
    """All .pxd files: which of them a module sees, through others, is not asked."""
    return sorted(str(path) for path in Path("fastbp/_core").glob("*.pxd"))


def c_file(extension):
    """The C file that Cython makes of an Extension."""
    return extension.name.replace(".", "/") + ".c"


def translated_from(extension):
    """What that file is made of: SHARED and DIRECTIVES stand in it as well."""
    return [source for source in extension.sources if source.endswith(".pyx")] + declarations() + ["setup.py"]


def is_by_this_cython(path):
    """Whether there is a C file that the Cython that is installed has made."""
    if not Path(path).exists():
        return False
    with open(path, encoding="utf-8") as file:
        return file.readline().split()[1:-1] == ["Generated", "by", "Cython", Cython.__version__]


DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
}

setup(
    ext_modules=[*map(extension, MODULES), Extension(SHARED, [SHARED.replace(".", "/") + ".c"])],
    cmdclass={"build_ext": BuildCore},
)
