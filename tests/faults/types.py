"""Faults of annotations: stubs that say something else than their modules, and types that the checks do not take."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="a stub lacks a function of its module",
        file="fastbp/_core/cpu.pyi",
        old="def capped(wanted: int) -> int: ...\n",
        new="",
        red=("tests/core/test_stubs.py::test_a_stub_has_the_names_and_arguments_of_its_module[cpu]",),
    ),
    Fault(
        what="a stub calls an argument otherwise than its module",
        file="fastbp/_core/fast_call.pyi",
        old="def run_named(self, arrays: dict[str, Any], model: Any = None)",
        new="def run_named(self, named: dict[str, Any], model: Any = None)",
        red=("tests/core/test_stubs.py::test_a_stub_has_the_names_and_arguments_of_its_module[fast_call]",),
    ),
    Fault(
        what="a dtype is offered that no model takes",
        file="fastbp/_check/types.py",
        old='Literal["float32", "float64"]',
        new='Literal["float32", "float16"]',
        red=("tests/check/test_types.py::test_names_of_dtypes_are_those_that_are_taken",),
    ),
    Fault(
        what="a program imports what is for type checkers",
        file="fastbp/initializers.py",
        old="if TYPE_CHECKING:\n",
        new="if True:\n",
        red=("tests/check/test_types.py::test_no_program_imports_them",),
    ),
    Fault(
        what="a type checker takes every name for one of fastbp's",
        file="fastbp/__init__.py",
        old="if not TYPE_CHECKING:  # to",
        new="if True:  # to",
        red=("tests/typing/test_scripts.py::test_mypy_agrees_with_the_script_and_refuses_the_other",),
    ),
    Fault(
        what="fit takes any optimizer for a type checker",
        file="fastbp/_training/network_fit.py",
        old="    optimizer: Optimizer | None = None,\n    sample_weight",
        new="    optimizer: Any = None,\n    sample_weight",
        red=("tests/typing/test_scripts.py::test_mypy_agrees_with_the_script_and_refuses_the_other",),
    ),
]
