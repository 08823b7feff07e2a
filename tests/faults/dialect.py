"""What messages say, in which words, and how they show values."""

from tests.faults import Fault

DIALECT = "tests/test_dialect.py::test_every_message_says_what_came_what_was_expected_and_what_to_do"

FAULTS = [
    Fault(
        what="a message says what was expected, and not what to do",
        file="fastbp/plot/training.py",
        old='f"layer; draw another one")',
        new='f"layer")',
        red=(DIALECT,),
    ),
    Fault(
        what="a message speaks another dialect",
        file="fastbp/_core/threads.py",
        old='f"{name} is {shown(value)}, expected a whole number of threads, 1 or more; set it to one, such as 4"',
        new='f"{name} must be a whole number of threads, 1 or more; got {shown(value)}"',
        red=(DIALECT, "tests/test_messages.py::test_networks_and_training"),
    ),
    Fault(
        what="a message cuts a value by itself",
        file="fastbp/_models/parameters.py",
        old="{shown(plan)}, expected a Plan",
        new="{plan!r:.60}, expected a Plan",
        red=("tests/test_dialect.py::test_values_are_shown_in_one_way", "tests/test_messages.py::test_expressions"),
    ),
    Fault(
        what="the choices stand behind the advice",
        file="fastbp/_check/names.py",
        old='f"{name} is {shown(value)}, expected one of: {listed}; {advice}"',
        new='f"{name} is {shown(value)}; {advice}, expected one of: {listed}"',
        red=("tests/test_messages.py::test_networks_and_training",
             "tests/check/test_names.py::test_the_names_of_others_lead_to_ours"),
    ),
    Fault(
        what="the command calls an option by the argument of the Python API",
        file="fastbp/cli/command.py",
        old="    known = name in vars(options) and name not in _PLACES\n",
        new="    known = False\n",
        red=("tests/cli/test_messages.py::test_what_is_told",),
    ),
    Fault(
        what="an option's own message has argparse's words in front",
        file="fastbp/cli/command.py",
        old='r"\\1 is ", message)',
        new='r"argument \\1: is ", message)',
        red=("tests/cli/test_messages.py::test_what_is_told",),
    ),
    Fault(
        what="what is wrong with a network that is saved is to be fetched again",
        file="fastbp/serialization.py",
        old='Schema(check.shown, "correct it and save again")',
        new="Schema(check.shown)",
        red=("tests/test_messages.py::test_files",),
    ),
    Fault(
        what="the error for a description in a file has no remedy",
        file="fastbp/_files/schema.py",
        old='return ValueError(f"{found}, expected {expected}; {self.remedy}")',
        new='return ValueError(f"{found}, expected {expected}")',
        red=(DIALECT, "tests/test_messages.py::test_files"),
    ),
    Fault(
        what="a long text is shown as it is",
        file="fastbp/_core/shown.py",
        old='return repr(str(value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."))',
        new="return repr(str(value))",
        red=("tests/core/test_shown.py::test_a_long_one_is_cut",),
    ),
    Fault(
        what="what makes a number of a cell doubtful is told without what to do",
        file="fastbp/datasets/column_types.py",
        old="expected a number and its unit; {doubt[1]}",
        new="expected a number and its unit; correct the cell",
        red=("tests/datasets/test_column_inference.py::test_what_has_to_be_said",),
    ),
]
