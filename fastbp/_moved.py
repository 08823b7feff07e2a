"""The names that modules had before they stood where they stand now: each can still be imported, and says so.

An old name gives what its module gives today, with a DeprecationWarning at the line that imports it; so pickles of
earlier versions load, as they name the modules of their classes. A module with an underscore in its path is ours to
change: whoever imports one by its old name should look for what it needs among the public ones.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, cast

from ._core import caller

# {old name: where its content is today, in the order in which it is looked for}
MOVED = {
    "arena": ("_compiler.buffers",),
    "cells": ("datasets.cells",),
    "check": ("_check",),
    "check.arrays": ("_check.arrays",),
    "check.frames": ("_check.frames",),
    "check.memory": ("_check.memory",),
    "check.missing": ("_check.missing",),
    "check.names": ("_check.names",),
    "check.numbers": ("_check.numbers",),
    "check.targets": ("_check.targets",),
    "check.text": ("_check.text",),
    "cli_curve": ("cli.curve",),
    "cli_evaluate": ("cli.evaluate",),
    "cli_parts": ("cli.common",),
    "cli_predict": ("cli.predict",),
    "cli_reading": ("cli.csv_options",),
    "cli_train": ("cli.train",),
    "colours": ("plot.colours",),
    "column_choice": ("datasets.column_inference",),
    "column_kinds": ("datasets.column_types",),
    "compiled": ("_models.expression",),
    "conditions": ("_ir.conditions",),
    "counts": ("_training.trainable",),
    "csv_file": ("datasets.csv_file",),
    "csv_text": ("datasets.csv_text",),
    "curve_plot": ("plot.curve",),
    "dates": ("datasets.dates",),
    "derived": ("_ir.analysis",),
    "elementwise": ("_ir.elementwise",),
    "expression_fit": ("_training.expression_fit",),
    "files": ("serialization", "network", "network:Sequential"),
    "finite": ("_training.finite",),
    "flat": ("_ir.pickling",),
    "foreign": ("_files.signatures",),
    "hints": ("_training.hints",),
    "logs": ("_check.logs",),
    "looks": ("_models.inspection",),
    "loop": ("_training.loop",),
    "lowering": ("_compiler.lowering",),
    "many": ("ensemble",),
    "memory": ("_check.allocation",),
    "metrics": ("_training.metrics",),
    "model_tables": ("datasets.model_tables",),
    "nets": ("_models.network_programs", "_ir.leaves"),
    "node": ("_ir.node",),
    "notation": ("datasets.number_format",),
    "per_example": ("_models.per_sample",),
    "picture": ("plot.graph",),
    "plans": ("_compiler.plan_cache",),
    "powers": ("_ir.powers",),
    "products": ("_ir.nn",),
    "program": ("_compiler.program",),
    "progress": ("_training.progress",),
    "quality": ("cli.scores",),
    "quiet": ("_check.errstate",),
    "ranges": ("_compiler.ranges",),
    "regimes": ("_compiler.partitioning",),
    "rules": ("_compiler.select_elementwise",),
    "rules_of_rows": ("_compiler.select_nn",),
    "schema": ("_files.schema", "datasets.table_schema"),
    "sources": ("_check.input_arrays",),
    "splits": ("_training.splits",),
    "streams": ("_files.streams",),
    "structure": ("_ir.indexing",),
    "tables": ("datasets.tables",),
    "target_column": ("datasets.target_column",),
    "tensors": ("_files.tensors",),
    "text": ("_check.formatting",),
    "train": ("_training.network_fit",),
    "units": ("datasets.units",),
    "vectors": ("_models.parameters",),
    "writing": ("_files.writing",),
}


class _Moved(ModuleType):
    """A module by its old name: it has nothing of its own."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):  # what Python asks of a module is asked of this one
            for place in MOVED[self.__name__.partition(".")[2]]:
                try:
                    return getattr(resolve_name(f"fastbp.{place}"), name)
                except AttributeError:
                    continue
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name)

    def __dir__(self) -> list[str]:
        return dir(resolve_name(f"fastbp.{MOVED[self.__name__.partition('.')[2]][0]}"))


class _Finder:
    """Finds modules by their old names. Python asks it first: a folder of an old name may be left, with bytecode."""

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The spec of a module that has moved, or None."""
        top, _, name = fullname.partition(".")
        if top != "fastbp" or name not in MOVED:
            return None
        return ModuleSpec(fullname, cast("Any", _Finder), is_package=any(old.startswith(f"{name}.") for old in MOVED))

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        """The module that stands for one that has moved."""
        name = spec.name.partition(".")[2]
        new = MOVED[name][0].partition(":")[0]
        private = "" if new[0] != "_" else ", which is not public; a pickle that names it loads"
        caller.warn(f"fastbp.{name} has moved: it is fastbp.{new}{private}", DeprecationWarning)
        return _Moved(spec.name)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Nothing is left to do."""


def install() -> None:
    """Lets Python find modules by their old names."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
