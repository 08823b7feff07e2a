"""The rules of the house (docs/architecture.md, "Floors"): who may know whom, and who says what."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".py", ".pyx", ".pxd", ".c", ".h", ".inc", ".def", ".md", ".sh"}
FOLDERS = ("csrc", "fastbp", "tests", "bench", "docs")

# ---- the files -----------------------------------------------------------------------------------------------------


def is_source(path):
    """Not what Cython or a benchmark has made."""
    return (path.suffix in SUFFIXES and path.is_file() and "results" not in path.parts and
            not (path.suffix == ".c" and path.with_suffix(".pyx").exists()))


FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if is_source(path))
FILES += sorted(path for path in ROOT.glob("*") if is_source(path))
SOURCES = [path for path in FILES if path.suffix != ".md"]
TEXTS = {path: path.read_text(encoding="utf-8") for path in FILES}
CSRC = [path for path in FILES if path.parent.name == "csrc"]
CORE = [path for path in FILES if path.parent.name == "_core"]
PYTHON = [path for path in FILES if path.suffix == ".py" and path.is_relative_to(ROOT / "fastbp")]


def name(path):
    return path.relative_to(ROOT).as_posix()


def code(path):
    """The text without comments and, for Python and Cython, without docstrings."""
    text = TEXTS[path]
    if path.suffix in (".c", ".h", ".inc", ".def"):
        return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    text = re.sub(r'"""(?:(?!#ifdef).)*?"""', '""', text, flags=re.DOTALL)  # C in a string of Cython's is code
    return re.sub(r"#(?!\s*(?:ifdef|include|define|else|endif|pragma))[^\n]*", "", text)


def sayers(pattern, files):
    """The names of the files whose code matches."""
    return [name(path) for path in files if re.search(pattern, code(path))]


def test_there_is_something_to_check():
    assert len(CSRC) > 10
    assert len(CORE) > 10
    assert len(PYTHON) > 20
    assert code(ROOT / "csrc" / "simd.h").count("immintrin") >= 1


# ---- 1: who imports whom -------------------------------------------------------------------------------------------

DOORS = {"datasets", "tables", "model_tables", "csv_file", "csv_text", "cells", "notation", "units", "dates",
         "column_kinds", "column_choice", "target_column", "quality", "files", "schema", "table_schema", "writing",
         "foreign", "streams", "tensors", "colours", "plot", "picture", "sklearn", "curve", "curve_plot", "cli",
         "cli_parts", "cli_reading", "cli_train", "cli_predict", "cli_evaluate", "cli_curve", "__main__"}
# A method that opens a door: the only imports that go up, and only when they are called.
OPENED_BY_METHODS = {("fastbp.network", "fastbp.files"), ("fastbp.compiled", "fastbp.files"),
                     ("fastbp.callbacks", "fastbp.plot"), ("fastbp.graph", "fastbp.picture")}
# A schema of tables is a part of that of files, which asks for it where there is a table.
OPENED_WHERE_NEEDED = {("fastbp.schema", "fastbp.table_schema")}
# scikit-learn's estimators are subclasses of its own, so this door, imported by nobody, cannot do without.
HEAVY = {"matplotlib", "PIL", "sklearn", "pooch", "graphviz", "scipy", "pandas", "torch", "jax", "numba",
         "threadpoolctl"}
HEAVY_AT_THE_DOOR = {("fastbp.sklearn", "sklearn")}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in [*PYTHON, *(path for path in CORE if path.suffix in (".pyx", ".pxd"))]}


def floor(module):
    """0: the reference; 1: the core; 2: the library; 3: doors; 4: the face that shows them all."""
    parts = module.split(".")
    if module == "fastbp":
        return 4
    return {"reference": 0, "_core": 1}.get(parts[1], 3 if parts[1] in DOORS else 2)


def resolved(package, names):
    """The modules that `from package import names` needs."""
    for item in names:
        yield f"{package}.{item}" if f"{package}.{item}" in MODULES else package


def python_imports(path):
    """[(module, at module level)] that a Python file imports."""
    tree = ast.parse(TEXTS[path])
    inside = {id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef | ast.Lambda)
              for node in ast.walk(function)}
    for_editors = {id(node) for block in ast.walk(tree)
                   if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
                   for node in ast.walk(block)}
    package = module_name(path).split(".")
    package = package if path.stem == "__init__" else package[:-1]
    for node in ast.walk(tree):
        if id(node) in for_editors:
            continue
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, node.module] if node.module else base)
            targets = resolved(source, [alias.name for alias in node.names])
        else:
            continue
        yield from ((target, id(node) not in inside) for target in targets)


def cython_imports(path):
    """[(module, True)] that a Cython file imports or cimports."""
    package = module_name(path).rpartition(".")[0]
    for source, names in re.findall(r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^\n]*)", TEXTS[path], re.MULTILINE):
        if source.startswith("."):
            source = f"{package}.{source[1:]}".rstrip(".")
        items = [item.split(" as ")[0].strip() for item in names.strip("()").split(",")]
        yield from ((target, True) for target in resolved(source, items))
    for target in re.findall(r"^\s*c?import\s+([\w.]+)", TEXTS[path], re.MULTILINE):
        yield target, True


IMPORTS = {}
for _path in [*PYTHON, *(path for path in CORE if path.suffix in (".pyx", ".pxd"))]:
    _found = python_imports(_path) if _path.suffix == ".py" else cython_imports(_path)
    IMPORTS.setdefault(module_name(_path), set()).update(_found)


def test_files_import_downward():
    up = {(module, target) for module, targets in IMPORTS.items() for target, _ in targets
          if target in MODULES and floor(target) > floor(module) and floor(target) != 4}
    assert up == OPENED_BY_METHODS
    at_once = {(module, target) for module, target in up if (target, True) in IMPORTS[module]}
    assert not at_once


def test_nothing_imports_the_face_but_the_doors():
    """`import fastbp` inside of fastbp would be a circle through everything."""
    users = {module for module, targets in IMPORTS.items() for target, _ in targets
             if target == "fastbp" or (target.partition(".")[0] == "fastbp" and target not in MODULES)}
    assert all(floor(module) == 3 for module in users), users


def test_there_is_no_circle():
    edges = {module: {target for target, _ in targets if target in MODULES and target not in (module, "fastbp")}
             for module, targets in IMPORTS.items()}
    for module, target in OPENED_BY_METHODS | OPENED_WHERE_NEEDED:
        edges[module].discard(target)
    while edges:
        free = [module for module, targets in edges.items() if not targets & edges.keys()]
        assert free, f"a circle among {sorted(edges)}"
        for module in free:
            del edges[module]


def test_the_reference_knows_numpy_and_the_standard_library_only():
    for module, targets in IMPORTS.items():
        for target, _ in targets:
            top = target.partition(".")[0]
            if module.startswith("fastbp.reference"):
                assert top == "numpy" or target.startswith("fastbp.reference") or top in sys.stdlib_module_names, module
            else:
                assert not target.startswith("fastbp.reference"), module


def test_the_package_knows_neither_tests_nor_bench():
    for module, targets in IMPORTS.items():
        tops = {target.partition(".")[0] for target, _ in targets}
        assert not tops & {"tests", "bench", "pytest", "hypothesis"}, module


def test_heavy_libraries_are_imported_where_they_are_used():
    heavy = {(module, target.partition(".")[0]) for module, targets in IMPORTS.items() for target, at_once in targets
             if at_once and target.partition(".")[0] in HEAVY}
    assert heavy <= HEAVY_AT_THE_DOOR
    assert not any(target == "fastbp.sklearn" for targets in IMPORTS.values() for target, _ in targets)


def test_importing_fastbp_imports_no_heavy_library():
    program = f"import sys, fastbp; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_what_is_needed_is_declared():
    """Everything imported is NumPy, safetensors, tqdm, the standard library, or one of the extras."""
    declared = {"numpy", "safetensors", "tqdm", "fastbp", "matplotlib", "PIL", "sklearn", "pooch", "graphviz",
                "libc", "cpython", "cython"}
    for module, targets in IMPORTS.items():
        for target, _ in targets:
            top = target.partition(".")[0]
            assert top in declared or top in sys.stdlib_module_names, (module, target)


# ---- 2: floor 0 is plain C -----------------------------------------------------------------------------------------

WORDS_OF_FLOOR_0 = {
    "Python": r"Python\.h|\bPy_|\bPyObject",
    "memory": r"\b(malloc|calloc|realloc|free|alloca|mmap)\s*\(|<stdlib\.h>",
    "threads": r"\bomp_|<omp\.h>|#\s*pragma\s+omp|_OPENMP|pthread",
    "printing": r"\b\w*printf\s*\(|\bputs\s*\(|<stdio\.h>",
    "floating-point modes": r"_MM_SET|fesetround|fesetenv|<fenv\.h>|_mm_setcsr",
}


@pytest.mark.parametrize("what", WORDS_OF_FLOOR_0)
def test_kernels_do_without(what):
    # the team's queue sleeps on a lock where the system has no futex
    assert sayers(WORDS_OF_FLOOR_0[what], CSRC) == ["csrc/queue.c"] * (what == "threads")


def test_only_simd_h_says_an_intrinsic():
    # __builtin_ia32_pause, the hint to the processor that a thread is waiting, is not arithmetic
    pattern = r"\w*intrin\.h|arm_neon|\b_mm\d*_|\b__m\d{3}|\bv\w+q?_[fsu](16|32|64)\b|__builtin_ia32_(?!pause)"
    assert sayers(pattern, [path for path in SOURCES if path.parent.name != "tests"]) == ["csrc/simd.h"]


def test_kernels_keep_no_state():
    """A variable outside of functions that is not const would be shared by all threads, as the queue's lock is."""
    for path in CSRC:
        if path.name == "queue.c":
            continue
        for line in code(path).splitlines():
            if line.startswith("static ") and "(" not in line:
                assert "const" in line or line.rstrip().endswith(("inline", "\\")), f"{name(path)}: {line}"


# ---- 3: who says what ----------------------------------------------------------------------------------------------


def test_only_the_core_is_cython():
    here = r"\bcimport\b|\bprange\b|\bnogil\b"
    others = [path for path in SOURCES if path not in CORE and path.parent.name != "tests"]
    assert sayers(here, others) == []
    assert [name(path) for path in SOURCES if path.suffix in (".pyx", ".pxd") and path not in CORE] == []


def test_only_openmp_pxd_says_openmp():
    pattern = r"\bomp_\w+\s*\(|omp\.h|#\s*pragma\s+omp|^cimport openmp|\b_OPENMP\b"
    assert sayers(pattern, [path for path in SOURCES if path.parent.name not in ("tests", "bench")]) == [
        "fastbp/_core/openmp.pxd", "setup.py"]  # the build asks whether the compiler has it


def test_every_parallel_region_says_how_many_threads():
    regions = [line for path in CORE for line in code(path).splitlines() if re.search(r"\b(parallel|prange)\(", line)]
    assert len(regions) == 1  # the keeper's
    assert all("num_threads=" in line for line in regions)


def test_only_kernels_pxd_knows_which_type_a_dtype_is():
    assert sayers(r"\breal\s+is\s+\w|\bif\s+\w+\s+is\s+(float|double)\b", SOURCES) == []
    assert sayers(r"ctypedef fused", CORE) == ["fastbp/_core/kernels.pxd"]
    assert sayers(r"def itemsize_of|inline int itemsize_of", CORE) == ["fastbp/_core/kernels.pxd"]


def test_only_the_table_of_isas_says_an_isa():
    """Above floor 0 an ISA is a name that came from the table."""
    above = [path for path in SOURCES if path.is_relative_to(ROOT / "fastbp")]
    assert sayers(r"[\"'](avx2|avx512|neon)[\"']|__AVX|__ARM", above) == []


# ---- 4: size, and what is not there --------------------------------------------------------------------------------


def test_no_file_is_longer_than_500_lines():
    assert {name(path): TEXTS[path].count("\n") for path in FILES if TEXTS[path].count("\n") > 500} == {}


def test_most_files_are_shorter_than_250_lines():
    long = [path for path in SOURCES if TEXTS[path].count("\n") >= 250 and path.parent.name != "tests"]
    assert len(long) < len([path for path in SOURCES if path.parent.name != "tests"]) / 4


def test_nothing_is_left_for_later():
    marks = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
    assert [name(path) for path in FILES if re.search(rf"\b({marks})\b|{'#if ' + '0'}", TEXTS[path])] == []


def test_the_build_has_no_dangerous_flags():
    for path in (ROOT / "setup.py", ROOT / "pyproject.toml"):
        text = path.read_text()
        for flag in ("fast-math", "march=native", "Ofast", "mtune=native", "funsafe", "fassociative", "freciprocal"):
            assert flag not in text, f"{path.name}: {flag}"
    assert "-ffp-contract=off" in TEXTS[ROOT / "setup.py"]


def test_every_source_file_has_a_test_file():
    tests = {path.stem for path in FILES if path.parent.name == "tests"}
    for path in PYTHON:
        if path.parent == ROOT / "fastbp" and not path.stem.startswith("__") and not path.stem.startswith("cli_"):
            assert f"test_{path.stem}" in tests or path.stem in ("gradcheck", "tables"), name(path)


# ---- the map -------------------------------------------------------------------------------------------------------

SECTIONS = {"csrc": ["Floor 0"], "fastbp/_core": ["Floor 1"], "fastbp": ["Floor 2", "Floor 3"],
            "fastbp/check": ["Floor 2"],
            "fastbp/reference": ["The reference"], "bench": ["Tests and benchmarks"],
            "bench/peers": ["Tests and benchmarks"], "bench/lab": ["Tests and benchmarks"]}


def section(title):
    """The text under the heading of docs/architecture.md that begins with `title`."""
    parts = re.split(r"^## ", TEXTS[ROOT / "docs" / "architecture.md"], flags=re.MULTILINE)
    found = [part for part in parts if part.startswith(title)]
    assert len(found) == 1, title
    return found[0]


@pytest.mark.parametrize("folder", SECTIONS)
def test_the_map_names_every_file_and_no_other(folder):
    text = "".join(map(section, SECTIONS[folder]))
    named = set(re.findall(r"`(?:[\w/]*/)?(\w+\.(?:py|pyx|pxd|c|h|inc|def|sh))`", text))
    there = {path.name for path in SOURCES if path.parent == ROOT / folder}
    assert there - named == set()
    everywhere = {path.name for path in FILES}
    assert named - everywhere == set()
