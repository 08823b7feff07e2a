"""The rules of the house (docs/architecture.md, "Floors"): who may know whom, and who says what."""

import re

import pytest
from source_files import CORE, CSRC, FILES, MODULES, PYTHON, ROOT, SOURCES, TESTS, TEXTS, name

from fastbp._core import cpu

# ---- the files -----------------------------------------------------------------------------------------------------


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
    assert code(ROOT / "csrc" / "isa" / "avx2.h").count("immintrin") >= 1


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
    # two headers say what POSIX and Windows have for threads, and tests/test_systems.py who else says such a name
    assert sayers(WORDS_OF_FLOOR_0[what], CSRC) == ["csrc/calling_thread.h", "csrc/threads.h"] * (what == "threads")


def test_only_the_header_of_an_isa_says_an_intrinsic():
    # __builtin_ia32_pause, the hint to the processor that a thread is waiting, is not arithmetic
    pattern = r"\w*intrin\.h|arm_neon|\b_mm\d*_|\b__m\d{3}|\bv\w+q?_[fsu](16|32|64)\b|__builtin_ia32_(?!pause)"
    found = sayers(pattern, [path for path in SOURCES if path not in TESTS])
    assert found == sorted(f"csrc/isa/{isa}.h" for isa in cpu.known() if isa != "scalar")


def test_an_isa_is_named_by_its_header_and_the_list_alone():
    names = "|".join(isa for isa in cpu.known() if isa != "scalar")
    others = [path for path in [*CSRC, ROOT / "setup.py"] if path.stem not in cpu.known()]
    assert sayers(rf"\b({names})\b", others) == ["csrc/isa/isas.def"]


def test_kernels_keep_no_state():
    """A variable outside of functions that is not const would be shared by all threads, as the queue's lock is; a
    thread's own signals are not."""
    for path in CSRC:
        if path.name in ("queue.c", "calling_thread.h"):
            continue
        for line in code(path).splitlines():
            if line.startswith("static ") and "(" not in line:
                assert "const" in line or line.rstrip().endswith(("inline", "\\")), f"{name(path)}: {line}"


# ---- 3: who says what ----------------------------------------------------------------------------------------------


def test_only_the_core_is_cython():
    here = r"\bcimport\b|\bprange\b|\bnogil\b"
    others = [path for path in SOURCES if path not in CORE and path not in TESTS]
    assert sayers(here, others) == []
    assert [name(path) for path in SOURCES if path.suffix in (".pyx", ".pxd") and path not in CORE] == []


def test_only_openmp_pxd_says_openmp():
    pattern = r"\bomp_\w+\s*\(|omp\.h|#\s*pragma\s+omp|^cimport openmp|\b_OPENMP\b"
    assert sayers(pattern, [path for path in SOURCES if path not in TESTS and path.parent.name != "bench"]) == [
        "fastbp/_core/openmp.pxd", "setup.py"]  # the build asks whether the compiler has it


def test_every_parallel_region_says_how_many_threads():
    regions = [line for path in CORE for line in code(path).splitlines() if re.search(r"\b(parallel|prange)\(", line)]
    assert len(regions) == 1  # the owner thread's
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


def test_no_file_is_longer_than_400_lines():
    """Pages that are read from top to bottom may have 500."""
    lengths = {path: TEXTS[path].count("\n") for path in FILES}
    assert {name(path): n for path, n in lengths.items() if n > (500 if path.suffix == ".md" else 400)} == {}


def test_most_files_are_shorter_than_250_lines():
    long = [path for path in SOURCES if TEXTS[path].count("\n") >= 250 and path not in TESTS]
    assert len(long) < len([path for path in SOURCES if path not in TESTS]) / 4


def test_nothing_is_left_for_later():
    marks = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
    assert [name(path) for path in FILES if re.search(rf"\b({marks})\b|{'#if ' + '0'}", TEXTS[path])] == []


def test_the_build_has_no_dangerous_flags():
    for path in (ROOT / "setup.py", ROOT / "pyproject.toml"):
        text = path.read_text()
        for flag in ("fast-math", "march=native", "Ofast", "mtune=native", "funsafe", "fassociative", "freciprocal"):
            assert flag not in text, f"{path.name}: {flag}"
    assert "-ffp-contract=off" in TEXTS[ROOT / "setup.py"]


# Modules whose tests are those of the module beside them that is named: the command is tried as a whole.
TESTED_BY = {"cli/train": "cli/command", "cli/csv_options": "cli/tables", "gradcheck": "agreement",
             "convert/torch_exponential": "convert/torch"}
OF_CHECK = {"arrays", "numbers", "text", "memory", "missing"}  # tests/check/test_check.py


def test_every_source_file_has_a_test_file():
    """fastbp/_ir/node.py has tests/ir/test_node.py; the core's files are tried by what they do."""
    tests = {name(path) for path in TESTS}
    for module, path in MODULES.items():
        folder, _, stem = module.removeprefix("fastbp.").rpartition(".")
        if folder in ("_core", "reference") or path.stem.startswith("_"):
            continue
        wanted = TESTED_BY.get(f"{folder}/{stem}".strip("/"), f"{folder.strip('_')}/{stem}")
        if folder == "_check" and stem in OF_CHECK:
            wanted = "check/check"
        folder, _, stem = wanted.strip("/").rpartition("/")
        assert "/".join(filter(None, ["tests", folder, f"test_{stem}.py"])) in tests, module


# ---- the map -------------------------------------------------------------------------------------------------------

SECTIONS = {"csrc": "Floor 0", "fastbp/_core": "Floor 1", "fastbp/reference": "The reference",
            "bench": "Tests and benchmarks", "bench/peers": "Tests and benchmarks", "bench/lab": "Tests and benchmarks"}


def section(title):
    """The text under the heading of docs/architecture.md that begins with `title`."""
    parts = re.split(r"^## ", TEXTS[ROOT / "docs" / "architecture.md"], flags=re.MULTILINE)
    found = [part for part in parts if part.startswith(title)]
    assert len(found) == 1, title
    return found[0]


@pytest.mark.parametrize("folder", SECTIONS)
def test_the_map_names_every_file_and_no_other(folder):
    text = section(SECTIONS[folder])
    named = set(re.findall(r"`(?:[\w/]*/)?(\w+\.(?:py|pyx|pxd|c|h|inc|def|sh))`", text))
    there = {path.name for path in SOURCES if path.parent == ROOT / folder}
    assert there - named == set()
    everywhere = {path.name for path in FILES}
    assert named - everywhere == set()


def test_the_map_names_every_module_by_its_path():
    text = TEXTS[ROOT / "docs" / "architecture.md"]
    named = set(re.findall(r"^\| `((?:\w+/)?\w+\.py)` \|", text, flags=re.MULTILINE))
    there = {path.relative_to(ROOT / "fastbp").as_posix() for path in PYTHON}
    there = {path for path in there if not path.startswith(("_core/", "reference/"))}
    there -= {path for path in there if path.endswith("/__init__.py") and path not in named}  # these say nothing
    assert there - named == set()
    assert named - there - {path.name for path in FILES} == set()
