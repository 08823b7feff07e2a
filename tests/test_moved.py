"""fastbp/_moved.py: whoever imports a module by the name that it had is told, and gets it."""

import importlib
import pickle
import subprocess
import sys
import warnings

import pytest

import fastbp as fb
from fastbp._moved import MOVED


def imported(name):
    """(the module of an old name, as if for the first time; the warnings)."""
    for known in [known for known in sys.modules if f"{known}.".startswith(f"fastbp.{name}.")]:
        del sys.modules[known]
    vars(fb).pop(name, None)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        module = importlib.import_module(f"fastbp.{name}")
    return module, told


@pytest.mark.parametrize("name", sorted(MOVED))
def test_an_old_name_gives_the_module_and_a_warning(name):
    module, told = imported(name)
    new = importlib.import_module(f"fastbp.{MOVED[name][0]}")
    assert all(getattr(module, each) is getattr(new, each) for each in vars(new) if not each.startswith("__"))
    assert {each.category for each in told} == {DeprecationWarning}
    assert str(told[-1].message).startswith(f"fastbp.{name} has moved: it is fastbp.{MOVED[name][0]}")
    assert dir(module) == dir(new)
    with pytest.raises(AttributeError, match=f"module 'fastbp.{name}' has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018


def test_the_warning_is_at_the_line_that_imports_it():
    program = "import fastbp as fb\n\nfrom fastbp.files import load\nassert load is fb.load\nfb.many.fit_many\n"
    done = subprocess.run([sys.executable, "-W", "always", "-"], input=program, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "<stdin>:3: DeprecationWarning: fastbp.files has moved: it is fastbp.serialization",
        "<stdin>:5: DeprecationWarning: fastbp.many has moved: it is fastbp.ensemble"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_has_been_cut_into_several_is_found_in_all(tmp_path):
    net = fb.mlp(2, 1)
    files, nets = imported("files")[0], imported("nets")[0]
    files.save(net, tmp_path / "m")
    assert (files.load(tmp_path / "m").params == net.params).all()
    assert nets.rows("x", 3).shape == (3,) and nets.offsets([]) == ({}, 0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pickle_that_names_an_old_module_loads():
    assert pickle.loads(b"cfastbp.compiled\nPlan\n.") is fb.graph.Plan
    assert pickle.loads(b"cfastbp.check.numbers\nnumber\n.")("x", 1, minimum=0) == 1.0


def test_what_never_was_there_is_not_found():
    for name in ("fastbp.nonsense", "fastbp.files.nonsense"):
        with pytest.raises(ModuleNotFoundError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(name)


def test_importing_fastbp_imports_none_of_them():
    program = f"import sys, fastbp; print(sorted({{f'fastbp.{{n}}' for n in {sorted(MOVED)!r}}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
