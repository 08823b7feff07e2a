"""Builds that are used again, what is installed, and what a release is made of."""

from . import Fault

FAULTS = [
    Fault(
        what="what another compiler has built is used again",
        file="setup.py",
        old="self.force = self.force or not record.exists() or record.read_text() != made_with",
        new="self.force = self.force or not record.exists()",
        red=("tests/test_setup.py::test_all_is_built_again_by_another_compiler_with_other_flags_or_versions",),
    ),
    Fault(
        what="a build that failed counts as one",
        file="setup.py",
        old="        record.unlink(missing_ok=True)  # until all of it is built\n",
        new="",
        red=("tests/test_setup.py::test_a_build_that_failed_is_begun_again",),
    ),
    Fault(
        what="C of another Cython is compiled",
        file="setup.py",
        old="               or not is_by_this_cython(c_file(module))]",
        new="               ]",
        red=("tests/test_setup.py::test_cython_is_at_work_where_a_file_of_ours_is_new",),
    ),
    Fault(
        what="a C file that is new is linked without the kernels",
        file="setup.py",
        old="                if self.started is None:  # its C file may be new\n",
        new="                if False:\n",
        red=("tests/test_setup.py::test_kernels_are_compiled_where_only_the_c_file_of_their_module_is_new",),
    ),
    Fault(
        what="import fastbp imports what only a mistyped name needs",
        file="fastbp/_check/names.py",
        old="import inspect\n",
        new="import difflib\nimport inspect\n",
        red=("tests/test_imports.py::test_importing_fastbp_imports_little_over_numpy",),
    ),
    Fault(
        what="an ISA that was forced is not called slower",
        file="fastbp/cli/info.py",
        old="    if cpu.selected() != best:",
        new="    if False:",
        red=("tests/cli/test_info.py::test_what_is_wrong_is_said_with_what_to_do",),
    ),
    Fault(
        what="the peak of several threads is that of one",
        file="fastbp/cli/peak.py",
        old="return 2e-9 * mr * nr * depth * threads / min(",
        new="return 2e-9 * mr * nr * depth / min(",
        red=("tests/cli/test_peak.py::test_it_is_the_work_over_the_time",),
    ),
    Fault(
        what="the C of the dispatch is compiled for AVX2",
        file="csrc/dispatch.c",
        old="uint64_t fbp_threefry(uint64_t key, uint64_t counter)",
        new='__attribute__((target("avx2"))) uint64_t fbp_threefry(uint64_t key, uint64_t counter)',
        red=("tests/csrc/test_machine_code.py::test_only_kernels_of_an_isa_ask_for_it",),
    ),
    Fault(
        what="the wheels leave a Python out that the classifiers promise",
        file="pyproject.toml",
        old='"cp313-*", "cp314-*", "cp314t-*"]',
        new='"cp314-*", "cp314t-*"]',
        red=("tests/test_project.py::test_there_are_wheels_for_every_python_that_the_suite_runs_on",),
    ),
    Fault(
        what="the highest tile writes whole vectors where a row of C ends in one",
        file="csrc/gemm.inc",
        old="    if (tail == V)\n        UNROLL",
        new="    if (tail == V || rows == 2 * MR)\n        UNROLL",
        red=("tests/csrc/test_gemm.py::test_gemm_with_a_row_of_ones_adds_up_the_rows_of_b",),
    ),
    Fault(
        what="a file is renamed while it is open, which Windows refuses",
        file="fastbp/_files/writing.py",
        old="                file.close()\n            os.replace(aside, path)",
        new="                pass\n            os.replace(aside, path)",
        red=("tests/test_systems.py::test_a_file_is_closed_before_it_gets_its_name",),
    ),
    Fault(
        what="a name of POSIX stands outside the layer for threads",
        file="csrc/portable.c",
        old="#include <math.h>\n",
        new="#include <math.h>\n#include <unistd.h>\n",
        red=("tests/test_systems.py::test_names_of_one_system_stand_where_they_may",),
    ),
    Fault(
        what="clang-cl is given flags in the words of Clang",
        file="setup.py",
        old='return [f"/clang:{flag}" for flag in flags] if',
        new="return flags if",
        red=("tests/test_setup.py::test_on_windows_clang_cl_compiles_with_flags_in_its_words",),
    ),
    Fault(
        what="an ISA asks CPUID for the bit of another feature",
        file="csrc/isa/avx512.h",
        old='X86_HAS("avx512dq", 7, 17)',
        new='X86_HAS("avx512dq", 7, 15)',
        red=("tests/csrc/test_dispatch.py::test_the_processor_says_what_the_builtin_says",),
    ),
]
