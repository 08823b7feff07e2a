"""Faults that change bits, or what a file of an earlier version gives, and nothing else."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="a step is cut into slices of half the work",
        file="fastbp/_compiler/partitioning.py",
        old="SLICE_WORK = 6.5e5",
        new="SLICE_WORK = 3.25e5",
        red=("tests/golden/test_golden.py::test_bits",),
    ),
    Fault(
        what="AdamW adds its decay to its step before both are taken from the parameter: another rounding",
        file="csrc/updates.inc",
        old="return p - h->shrink * p - adam_step(clipped(g, h), s0, s1, h);",
        new="return p - (h->shrink * p + adam_step(clipped(g, h), s0, s1, h));",
        red=("tests/golden/test_golden.py::test_bits",),
    ),
    Fault(
        what="a model's file is read without the epochs that it was trained for",
        file="fastbp/_training/trainable.py",
        old='counts.get("epochs", 0)',
        new="0",
        red=("tests/golden/test_golden.py::test_bits",),
    ),
    Fault(
        what="the rows that a table's model is asked for are not scaled",
        file="fastbp/cli/predict.py",
        old="X: Array = (raw - mean) / scale",
        new="X: Array = raw - mean",
        red=("tests/golden/test_golden.py::test_the_model_of_a_table_says_what_it_said",),
    ),
]
