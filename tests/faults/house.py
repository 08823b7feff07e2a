"""Faults in how the house is divided: who may import whom, which names are found, what the map says."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="a graph knows losses as users set them",
        file="fastbp/_ir/leaves.py",
        old="import Node\n",
        new="import Node\nfrom fastbp.losses import LOSSES  # noqa: F401\n",
        red=("tests/test_imports.py::test_imports_go_one_way",),
    ),
    Fault(
        what="a door opens another",
        file="fastbp/datasets/dates.py",
        old="import re\n",
        new="import re\n\nfrom fastbp.curve import CurveFitter  # noqa: F401\n",
        red=("tests/test_imports.py::test_each_door_can_be_taken_away_alone",),
    ),
    Fault(
        what="two files import each other",
        file="fastbp/_compiler/program.py",
        old="import numpy as np\n",
        new="import numpy as np\n\nfrom fastbp._compiler import buffers  # noqa: F401\n",
        red=("tests/test_imports.py::test_there_is_no_circle",),
    ),
    Fault(
        what="an old name gives the first of several modules alone",
        file="fastbp/_moved.py",
        old="            for place in MOVED[self.__name__.partition(\".\")[2]]:\n",
        new="            for place in MOVED[self.__name__.partition(\".\")[2]][:1]:\n",
        red=("tests/test_moved.py::test_what_has_been_cut_into_several_is_found_in_all",),
    ),
    Fault(
        what="a module by an old name comes without a word",
        file="fastbp/_moved.py",
        old="        caller.warn(",
        new="        str(",
        red=("tests/test_moved.py::test_an_old_name_gives_the_module_and_a_warning",),
    ),
    Fault(
        what="the map forgets a module",
        file="docs/architecture.md",
        old="| `_ir/leaves.py` |",
        new="| leaves |",
        red=("tests/test_floors.py::test_the_map_names_every_module_by_its_path",),
    ),
    Fault(
        what="what a network refuses of a file's description is not told as the file's",
        file="fastbp/serialization.py",
        old="        model = make(config)\n    return",
        new="    model = make(config)\n    return",
        red=("tests/test_serialization.py::test_what_the_model_refuses_is_told_of_the_file",),
    ),
]
