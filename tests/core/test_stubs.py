"""fastbp/_core/*.pyi say what the compiled modules have: the same names, and of functions the same arguments."""

import ast
import inspect
from importlib import import_module
from types import ModuleType

import pytest
from source_files import CORE, ROOT

STUBS = {path.stem: path for path in sorted((ROOT / "fastbp" / "_core").glob("*.pyi"))}
COMPILED = {path.stem for path in CORE if path.suffix == ".pyx"}


def public(names):
    return {name for name in names if not name.startswith("_")}


def own(module):
    """{name: value} of what a compiled module makes itself."""
    return {name: value for name, value in vars(module).items() if not name.startswith("_")
            and not isinstance(value, ModuleType) and getattr(value, "__module__", module.__name__) == module.__name__}


def declared(body):
    """{name: its node} of the functions, classes and values of a stub, or of a class in it."""
    found = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign):
            found[node.target.id] = node
    return found


def parameters(node):
    """[(name, kind, default as it is written or None)] of a function of a stub."""
    made = node.args
    given = made.posonlyargs + made.args
    defaults = [None] * (len(given) - len(made.defaults)) + [ast.literal_eval(each) for each in made.defaults]
    missing = [False] * (len(given) - len(made.defaults)) + [True] * len(made.defaults)
    found = [(each.arg, has, default) for each, has, default in zip(given, missing, defaults, strict=True)]
    return found + ([(made.vararg.arg, False, None)] if made.vararg else [])


def same_signature(node, function, where):
    there = [(each.name, each.default is not each.empty, None if each.default is each.empty else each.default)
             for each in inspect.signature(function).parameters.values()]
    assert parameters(node) == there, where


def test_each_compiled_module_has_a_stub():
    assert STUBS.keys() == COMPILED


@pytest.mark.parametrize("name", sorted(COMPILED))
def test_a_stub_has_the_names_and_arguments_of_its_module(name):
    module = import_module(f"fastbp._core.{name}")
    there, said = own(module), declared(ast.parse(STUBS[name].read_text()).body)
    assert public(said) == set(there)
    for key, value in there.items():
        if not isinstance(value, type):
            assert callable(value) == isinstance(said[key], ast.FunctionDef), key
            if callable(value):
                same_signature(said[key], value, key)
            continue
        members = declared(said[key].body)
        assert public(members) == public(vars(value)), key
        for member in public(members):
            found = vars(value)[member]
            is_property = any(ast.unparse(each) == "property" for each in members[member].decorator_list)
            assert is_property == inspect.isdatadescriptor(found), f"{key}.{member}"
            if not is_property:
                same_signature(members[member], found, f"{key}.{member}")
