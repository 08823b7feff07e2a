"""Who may import whom: one table, by folder (docs/architecture.md, "Floors")."""

import subprocess
import sys

from source_files import IMPORTS, MODULES, ROOT, TEXTS

# Packages and modules of fastbp, each of which knows those before it and, of a package, itself.
ORDER = (
    "_core", "_check", "_ir", "_compiler",
    "initializers", "losses", "schedules", "optimizers", "layers", "callbacks",
    "_files", "serialization", "checkpoints", "_training", "_models",
    "network", "graph", "ensemble", "gradcheck",
    "convert", "sklearn", "curve", "datasets", "plot", "cli", "__main__",
)
# Doors: each can be taken away alone, so none knows another; the command opens them all.
DOORS = ("convert", "sklearn", "curve", "datasets", "plot")
# Doors that are opened by who stands before them, and only when a function is called that needs them.
OPENED = {
    ("callbacks", "plot"),  # History.plot
    ("graph", "plot"),  # graph.draw
    ("_models", "convert"),  # net.to_c and its like
    ("_files", "datasets"),  # a model's file that has a table
}
FACE = {"fastbp", "fastbp._moved"}  # what shows them all
# scikit-learn's estimators and torch's modules are subclasses of theirs, so these modules cannot do without; nobody
# imports them at once.
HEAVY = {"matplotlib", "PIL", "sklearn", "pooch", "graphviz", "scipy", "pandas", "torch", "jax", "numba",
         "threadpoolctl", "onnx", "onnxruntime"}
HEAVY_AT_THE_DOOR = {(module, "sklearn") for module in MODULES if module.startswith("fastbp.sklearn")}
HEAVY_AT_THE_DOOR.add(("fastbp.convert.torch_exponential", "torch"))


def part(module):
    """The package, or the module at the top, that a module of fastbp is of."""
    return module.split(".")[1]


def edges():
    """(module, part, module of fastbp that it imports, its part, at once) of all imports but the face's."""
    for module, targets in sorted(IMPORTS.items()):
        for target, at_once in sorted(targets):
            known = target in MODULES and target not in FACE
            if known and module not in FACE and not module.startswith("fastbp.reference"):
                yield module, part(module), target, part(target), at_once


def test_every_module_is_in_the_table():
    parts = {part(module) for module in MODULES if module not in FACE}
    assert parts - {"reference"} == set(ORDER)


def test_imports_go_one_way():
    place = {each: i for i, each in enumerate(ORDER)}
    up = {(module, target) for module, one, target, other, at_once in edges()
          if place[other] > place[one] and (at_once or (one, other) not in OPENED)}
    assert up == set()


def test_each_door_can_be_taken_away_alone():
    assert {(module, target) for module, one, target, other, _ in edges()
            if one in DOORS and other in DOORS and one != other} == set()
    opened = {(one, other) for _, one, _, other, at_once in edges() if other in DOORS and one not in (other, "cli")}
    assert opened == OPENED


def test_nothing_imports_the_face_but_the_doors():
    """`import fastbp` inside of fastbp would be a circle through everything."""
    users = {module for module, targets in IMPORTS.items() for target, _ in targets
             if module not in FACE and (target in FACE or (target.startswith("fastbp.") and target not in MODULES))}
    assert {part(module) for module in users} <= {*DOORS, "cli"}, users


def test_there_is_no_circle():
    links = {}
    for module, one, target, other, _ in edges():
        links.setdefault(module, set())
        if target != module and (one, other) not in OPENED:
            links[module].add(target)
    while links:
        free = [module for module, targets in links.items() if not targets & links.keys()]
        assert free, f"a circle among {sorted(links)}"
        for module in free:
            del links[module]


def test_the_table_is_that_of_the_documents():
    text = " ".join(TEXTS[ROOT / "docs" / "architecture.md"].replace("`", "").split())
    assert " < ".join(("csrc", *ORDER[:-1])) in text


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
    at_doors = {module for module, _ in HEAVY_AT_THE_DOOR}
    assert not any(target in at_doors and at_once for module, targets in IMPORTS.items() for target, at_once in targets
                   if not module.startswith("fastbp.sklearn"))


def test_importing_fastbp_imports_no_heavy_library():
    program = f"import sys, fastbp; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_what_is_needed_is_declared():
    """Everything imported is NumPy, safetensors, tqdm, the standard library, or one of the extras."""
    declared = {"numpy", "safetensors", "tqdm", "fastbp", "matplotlib", "PIL", "sklearn", "scipy", "threadpoolctl",
                "pooch", "graphviz", "onnx", "torch",
                "libc", "cpython", "cython"}
    for module, targets in IMPORTS.items():
        for target, _ in targets:
            top = target.partition(".")[0]
            assert top in declared or top in sys.stdlib_module_names, (module, target)


# What `import fastbp` brings along: NumPy, and of the standard library what is small. What else is needed is imported
# by the function that needs it.
LARGE = {"argparse", "asyncio", "csv", "ctypes", "decimal", "difflib", "doctest", "email", "html", "http", "logging",
         "multiprocessing", "pdb", "pickle", "platform", "pydoc", "random", "socket", "ssl", "statistics",
         "subprocess", "tempfile", "unittest", "urllib.request", "xml", "zipfile"}
ALONE = """
import pathlib, sys, time
import numpy
def memory():
    try:
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6  # in memory, of 4 KB pages
    except OSError:
        return float("nan")
known, size, began = set(sys.modules), memory(), time.perf_counter()
import fastbp
taken = time.perf_counter() - began
print(f"import fastbp, over NumPy: {1000 * taken:.0f} ms, {memory() - size:.1f} MB", file=sys.stderr)
print(*sorted(set(sys.modules) - known))
"""


def test_importing_fastbp_imports_little_over_numpy():
    """What it takes, which a machine at work decides as well, is shown by pytest -s; what is imported decides here."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60, check=True)
    print(done.stderr)
    new = done.stdout.split()
    assert {name for name in new if name in LARGE} == set()
    others = {name.partition(".")[0] for name in new} - set(sys.stdlib_module_names)
    others = {name for name in others if not name.startswith(("_cython_", "cython_runtime"))}
    assert others <= {"fastbp", "fastbp_shared", "numpy"}
