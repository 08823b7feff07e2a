"""fastbp/__init__.py: what is public is there, is listed, and is imported when it is used."""

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastbp as fb

LATE = ("convert", "curve", "datasets", "graph", "plot", "reference", "serialization", "sklearn")


def python(program):
    """stdout of a new Python, stripped; its last line of stderr where it fails."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def test_a_module_is_an_attribute_without_an_import_of_its_own():
    """In one process, in an order in which none imports a later one of those that come late."""
    names = ["losses", "schedules", "reference", "serialization", "datasets", "graph", "curve", "convert", "plot"]
    names += ["sklearn"] * (importlib.util.find_spec("sklearn") is not None)
    assert {*names, "sklearn"} == {*LATE, "losses", "schedules"}
    seen = "f'fastbp.{name}' in sys.modules, getattr(fb, name).__name__"
    found = ast.literal_eval(python(f"import sys, fastbp as fb; print([({seen}) for name in {names}])"))
    assert found == [(name not in LATE, f"fastbp.{name}") for name in names]
    for name in names:
        assert getattr(fb, name) is importlib.import_module(f"fastbp.{name}")


def test_what_is_late_is_not_imported_before_it_is_used():
    program = "import sys, fastbp; print(sorted(name for name in sys.modules if name.startswith('fastbp.')))"
    loaded = ast.literal_eval(python(program))
    assert not {f"fastbp.{name}" for name in LATE} & set(loaded)
    assert python("import sys, fastbp; print('safetensors' in sys.modules)") == "False"


@pytest.mark.parametrize(("name", "meant"), [
    ("Adamax", "fb.Adam"), ("Nadam", "fb.Adam"), ("LBFGS", "fb.Adam"), ("Adadelta", "fb.RMSprop"),
    ("StepLR", "fb.schedules.Step"), ("CosineAnnealingLR", "fb.schedules.Cosine"),
    ("ReduceLROnPlateau", "fb.schedules.ReduceOnPlateau"),
])
def test_classes_of_others_lead_to_ours(name, meant):
    if name in dir(fb):
        pytest.skip(f"{name} has come; its line of fastbp/_check/names.py may go")
    with pytest.raises(AttributeError) as error:
        getattr(fb, name)
    assert str(error.value) == f"module 'fastbp' has no attribute {name!r}; the nearest is {meant}; " \
                               "dir(fastbp) lists what it has"


def test_dir_is_what_is_public_and_nothing_else():
    names = dir(fb)
    assert names == sorted({*fb.__all__, *LATE, "__doc__", "__version__"})
    assert [name for name in names if name.startswith("_")] == ["__doc__", "__version__"]
    if importlib.util.find_spec("sklearn"):
        assert all(hasattr(fb, name) for name in names)
    assert python("import fastbp; print(dir(fastbp))") == str(names)   # whatever was imported before


def test_a_star_takes_the_names_alone():
    program = "from fastbp import *; import sys; print(sorted(n for n in dir() if n[0] != '_' and n != 'sys'), " \
              "'sklearn' in sys.modules, 'fastbp.sklearn' in sys.modules)"
    assert python(program) == f"{sorted(fb.__all__)} False False"


def test_editors_see_all_of_it():
    """Each module that is imported late stands in the block for type checkers."""
    tree = ast.parse(Path(fb.__file__).read_text(encoding="utf-8"))
    block, = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {(node.module or "", alias.asname or alias.name) for node in block.body for alias in node.names}
    assert seen == {("", name) for name in LATE} | {("convert", name) for name in fb._CONVERTERS}


@pytest.mark.parametrize("name, meant", [("grahp", "graph"), ("Sequental", "Sequential"), ("sgd", "SGD"),
                                         ("schedule", "schedules"), ("fit_mnay", "fit_many"), ("dense", "Dense")])
def test_a_name_mistyped_is_refused_with_the_one_meant(name, meant):
    said = f"module 'fastbp' has no attribute '{name}'; did you mean '{meant}'? dir(fastbp) lists what it has"
    with pytest.raises(AttributeError, match=f"^{re.escape(said)}$"):
        getattr(fb, name)
    assert python(f"import fastbp; fastbp.{name}") == f"AttributeError: {said}"   # and no second guess by Python


def test_a_name_like_no_other_is_refused_without_a_guess():
    for name in ("xyzzy", "_x"):
        with pytest.raises(AttributeError, match=rf"has no attribute '{name}'; dir\(fastbp\) lists what it has"):
            getattr(fb, name)
    assert not hasattr(fb, "__wrapped__") and not hasattr(fb, "nonsense")


def test_a_missing_library_names_its_extra():
    program = "import sys; sys.modules['sklearn'] = None; import fastbp as fb; fb.graph, fb.datasets; fb.sklearn"
    assert python(program) == ('ImportError: fastbp.sklearn needs scikit-learn 1.6 or newer; pip install '
                               '"fastbp[sklearn]"')
