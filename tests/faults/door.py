"""The build, the smoke tests, and what is told of CI."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="files of an extension are compiled one after the other",
        file="setup.py",
        old="        with ThreadPoolExecutor(at_once) as pool, ",
        new="        with ThreadPoolExecutor(1) as pool, ",
        red=("tests/test_setup.py::test_files_of_one_extension_are_compiled_side_by_side",),
    ),
    Fault(
        what="a file that does not compile goes unnoticed",
        file="setup.py",
        old="                each.result()  # raises what the compiler said\n",
        new="                each.exception()\n",
        red=("tests/test_setup.py::test_a_file_that_does_not_compile_ends_the_build",),
    ),
    Fault(
        what="the version stands in pyproject.toml as well",
        file="pyproject.toml",
        old='name = "fastbp"\ndynamic = ["version"]\n',
        new='name = "fastbp"\nversion = "0.1.0"\n',
        red=("tests/test_project.py::test_the_version_is_written_once",),
    ),
    Fault(
        what="the marker of PEP 561 is not installed",
        file="pyproject.toml",
        old='"fastbp" = ["py.typed"]\n',
        new="",
        red=("tests/test_project.py::test_type_checkers_are_told_that_there_are_types",),
    ),
    Fault(
        what="a part of CI does not run by default",
        file=".ci/run",
        old='in "${@:-lint smoke suite clang serial kernels faults bench}"; do\n',
        new='in "${@:-lint smoke suite clang kernels faults bench}"; do\n',
        red=("tests/test_project.py::test_every_part_of_ci_is_told_of_and_runs_by_default",),
    ),
    Fault(
        what="the workflow leaves a Python out",
        file=".github/workflows/ci.yml",
        old='python: ["3.10", "3.11", "3.12", "3.13", "3.14"]\n',
        new='python: ["3.10", "3.11", "3.12", "3.13"]\n',
        red=("tests/test_project.py::test_the_workflow_runs_what_ci_runs_on_every_python_there_is",),
    ),
    Fault(
        what="a recipe names a file that is not there",
        file="CONTRIBUTING.md",
        old="2. `fastbp/layers/__init__.py`: its name",
        new="2. `fastbp/layers/__all__.py`: its name",
        red=("tests/test_project.py::test_what_developers_are_told_to_run_is_there",),
    ),
]
