"""Faults of counting right answers: in a kernel, between two steps, and of what could be right."""

from tests.faults import Fault

RIGHT, ACCURACY = "tests/core/test_correct.py", "tests/training/test_accuracy.py"

FAULTS = [
    Fault(
        what="the last of equal outputs is the answer too",
        file="csrc/correct.inc",
        old="if_before = vselect(vlt(other, own), zero, one)",
        new="if_before = vselect(vle(other, own), zero, one)",
        red=(f"{RIGHT}::test_the_first_of_equal_ones_is_the_largest_and_nan_before_all",),
    ),
    Fault(
        what="answers are counted after the loss, whose gradient then needs another place",
        file="fastbp/_compiler/graph_facts.py",
        old="for node in (correct, loss) if",
        new="for node in (loss, right) if",
        red=(f"{RIGHT}::test_counting_is_one_operation_more_and_nothing_else",),
    ),
    Fault(
        what="the answers of the first slice alone are counted",
        file="fastbp/_core/executor.pyx",
        old="sum_of(p.correct_sums, p.slices)",
        new="sum_of(p.correct_sums, 1)",
        red=(f"{RIGHT}::test_steps_are_counted_before_their_update_and_their_bits_stay",
             f"{ACCURACY}::test_the_accuracy_of_evaluate_is_that_of_its_outputs"),
    ),
    Fault(
        what="more room than there are steps is taken for room for each",
        file="fastbp/_core/calls.pyx",
        old="correct_counts.shape[0] != steps",
        new="correct_counts.shape[0] < steps",
        red=(f"{RIGHT}::test_a_place_for_counts_that_does_not_fit_is_refused",),
    ),
    Fault(
        what="a plan for another target type is taken for the same",
        file="fastbp/_compiler/use.py",
        old="dtypes, target_type, nodes, threads))",
        new="dtypes, None, nodes, threads))",
        red=(f"{ACCURACY}::test_each_target_type_has_a_plan_of_its_own",),
    ),
    Fault(
        what="an accuracy is that of the last call's rows",
        file="fastbp/_models/network_evaluation.py",
        old="correct += correct_counts.sum() if correct_counts is not None else 0",
        new="correct = correct_counts.sum() if correct_counts is not None else 0",
        red=(f"{ACCURACY}::test_the_accuracy_of_evaluate_is_that_of_its_outputs",),
    ),
    Fault(
        what="a row that misses some of its targets counts",
        file="fastbp/_training/accuracy.py",
        old='there = check.complete_rows(targets) if target_type == "multiclass" else ~np.isnan(targets)',
        new='there = (~np.isnan(targets)).any(axis=1) if target_type == "multiclass" else ~np.isnan(targets)',
        red=(f"{ACCURACY}::test_what_misses_its_target_does_not_count",),
    ),
]
