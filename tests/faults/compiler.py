"""The compiler: its rules, its state, and what is made together."""

from tests.faults import Fault

FUSION, CONTEXT, FACTS = (f"tests/compiler/test_{name}.py" for name in ("fusion", "context", "graph_facts"))
USE, LOWERING = "tests/compiler/test_use.py", "tests/compiler/test_lowering.py"
PARTITION, OPERATIONS = "tests/compiler/test_graph_partition.py", "tests/compiler/test_operations.py"
FAST = "tests/models/test_fast_calls.py"

FAULTS = [
    Fault(
        what="a kind of node has no rule",
        file="fastbp/_compiler/select_nn.py",
        old='    "transpose": transpose,\n',
        new="",
        red=(f"{LOWERING}::test_every_kind_of_node_has_one_rule_and_every_rule_a_kind",),
    ),
    Fault(
        what="a product whose sum is read in a later sweep is fused into it",
        file="fastbp/_compiler/fusion.py",
        old=" or graph.level[child] != graph.level[node]:",
        new=":",
        red=(f"{FUSION}::test_a_product_of_an_earlier_sweep_is_made_there",),
    ),
    Fault(
        what="a bias's gradient follows a product that reads rows by their numbers",
        file="fastbp/_compiler/fusion.py",
        old='].mode != "ordered"\n',
        new='].mode != "none"\n',
        red=(f"{FUSION}::test_the_gradient_of_a_bias_is_made_with_that_of_the_weights_before_it",),
    ),
    Fault(
        what="invariant terms of a gradient are not wanted by anybody",
        file="fastbp/_compiler/graph_facts.py",
        old="    wanted.update(node for terms in gradient_terms.values() for node in terms.values)\n",
        new="",
        red=(f"{FACTS}::test_wanted_is_what_the_caller_takes_and_what_ranges_add",),
    ),
    Fault(
        what="a product is cut although no split begins with a tile",
        file="fastbp/_compiler/graph_partition.py",
        old="edges = [tiles * i // scheme.splits * nr for",
        new="edges = [tiles * i * nr // scheme.splits for",
        red=(f"{PARTITION}::test_splits_cover_the_columns_once_and_begin_with_a_tile",),
    ),
    Fault(
        what="what brings the rows in does not know that they are prefetched",
        file="fastbp/_compiler/input_rows.py",
        old="    for operation in readers:\n        operation.prefetch = True\n",
        new="",
        red=(f"{CONTEXT}::test_the_invariants_hold_for_networks",),
    ),
    Fault(
        what="rows that are gathered and rows that are not have one plan",
        file="fastbp/_compiler/use.py",
        old="(kind, batch, gathered, labels,",
        new="(kind, batch, False, labels,",
        red=(f"{USE}::test_each_field_makes_another_use",),
    ),
    Fault(
        what="values of a step are looked at without its masks",
        file="fastbp/_models/expression_programs.py",
        old='training=use.kind != "forward"',
        new="training=False",
        red=("tests/models/test_expression_programs.py::"
             "test_dropout_drops_in_training_and_where_a_steps_masks_are_looked_at",),
    ),
    Fault(
        what="a kind of operation sets a field that its driver does not read",
        file="fastbp/_compiler/select_nn.py",
        old='fields = {"n_out": node.size, "param": node.rate, "number": number}',
        new='fields = {"n_out": node.size, "param": node.rate, "number": number, "n_in": node.size}',
        red=(f"{OPERATIONS}::test_what_the_compiler_writes_sets_no_field_that_its_driver_does_not_read",),
    ),
    Fault(
        what="a field of an operation is in no table",
        file="fastbp/_compiler/operations.py",
        old='    "number": Field(("number",), "of a dropout\'s mask"),\n',
        new="",
        red=(f"{OPERATIONS}::test_every_field_of_python_and_of_c_has_a_row",),
    ),
    Fault(
        what="a field of an operation is not copied",
        file="fastbp/_core/executable.pyx",
        old="        op.prefetch = operation.prefetch\n",
        new="",
        red=(f"{OPERATIONS}::test_what_is_copied_are_all_fields",),
    ),
    Fault(
        what="the table of phases lacks one",
        file="fastbp/_core/executor.pyx",
        old="CHECKS      groups of ranges ",
        new="            groups of ranges ",
        red=("tests/core/test_executor.py::test_the_table_has_a_row_for_each_phase_and_no_code_asks_for_their_order",),
    ),
    Fault(
        what="an update that waits for the norm has no phase of its own",
        file="fastbp/_core/executor.pyx",
        old="    return p.update is not NULL and p.clip_norm > 0\n",
        new="    return False\n",
        red=("tests/core/test_executor.py::test_one_call_of_many_steps_is_many_calls_of_one",),
    ),
    Fault(
        what="a call with an input scale that may overflow is made again without a look",
        file="fastbp/_models/fast_calls.py",
        old=" or scale > 1:",
        new=":",
        red=(f"{FAST}::test_what_only_the_long_way_looks_at_is_not_repeated",
             f"{FAST}::test_the_second_call_is_what_a_new_network_gives"),
    ),
    Fault(
        what="targets that a loss has a range for are not looked at in the second call",
        file="fastbp/_models/fast_calls.py",
        old="(use.labels or loss.target_range is None)",
        new="True",
        red=(f"{FAST}::test_the_second_call_is_what_a_new_network_gives",),
    ),
    Fault(
        what="a call that is made again stays where other threads find it",
        file="fastbp/_models/fast_calls.py",
        old="            ready = self.predictions.pop()\n",
        new="            ready = self.predictions[-1]\n",
        red=(f"{FAST}::test_what_is_kept_is_in_one_threads_hands",),
    ),
    Fault(
        what="a second thread finds nothing taken",
        file="fastbp/_training/trainable.py",
        old="        self._exclusive.call(self._update, optimizer)\n",
        new="        self._update(optimizer)\n",
        red=("tests/training/test_trainable.py::test_what_it_declares_is_all_that_a_training_needs",),
    ),
]
