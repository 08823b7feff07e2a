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
]
