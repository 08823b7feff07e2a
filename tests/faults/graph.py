"""Faults in expressions: what is accepted, shapes and slopes, copies."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="an addition takes the factors of a term that a parameter's gradient is made of",
        file="fastbp/lowering.py",
        old="        self.wanted.update(node for source in self.sources.values() for node in source.values)\n",
        new="",
        red=("tests/test_ranges.py::test_a_term_of_a_gradient_that_one_operation_reads_as_well_is_made",),
    ),
]
