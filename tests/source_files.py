"""The files of the repository, their texts and what they import, for tests of the house's rules."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".py", ".pyx", ".pxd", ".c", ".h", ".inc", ".def", ".md", ".sh"}
FOLDERS = ("csrc", "fastbp", "tests", "bench", "docs", "tools")


def is_source(path):
    """Not what Cython or a benchmark has made."""
    return (path.suffix in SUFFIXES and path.is_file() and "results" not in path.parts and
            not (path.suffix == ".c" and path.parent.name == "_core"))


FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if is_source(path))
FILES += sorted(path for path in ROOT.glob("*") if is_source(path))
SOURCES = [path for path in FILES if path.suffix != ".md"]
TEXTS = {path: path.read_text(encoding="utf-8") for path in FILES}
TESTS = [path for path in SOURCES if path.is_relative_to(ROOT / "tests")]
CSRC = [path for path in FILES if path.is_relative_to(ROOT / "csrc")]
CORE = [path for path in FILES if path.parent == ROOT / "fastbp" / "_core"]
PYTHON = [path for path in FILES if path.suffix == ".py" and path.is_relative_to(ROOT / "fastbp")]


def name(path):
    """The path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def module_name(path):
    """a.b of a/b.py, and of a/b/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in [*PYTHON, *(path for path in CORE if path.suffix in (".pyx", ".pxd"))]}


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
                   if isinstance(block, ast.If) and ast.unparse(block.test) in ("TYPE_CHECKING", "_TYPE_CHECKING")
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


IMPORTS = {}  # {module: {(module that it imports, whether as soon as it is imported itself)}}
for _path in [*PYTHON, *(path for path in CORE if path.suffix in (".pyx", ".pxd"))]:
    _found = python_imports(_path) if _path.suffix == ".py" else cython_imports(_path)
    IMPORTS.setdefault(module_name(_path), set()).update(_found)
