"""The compiler: its rules, its state, and what is made together."""

from tests.faults import Fault

FUSION, CONTEXT, FACTS = (f"tests/compiler/test_{name}.py" for name in ("fusion", "context", "graph_facts"))
USE, LOWERING = "tests/compiler/test_use.py", "tests/compiler/test_lowering.py"
PARTITION = "tests/compiler/test_graph_partition.py"

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
        what="fixed terms of a gradient are not wanted by anybody",
        file="fastbp/_compiler/graph_facts.py",
        old="    wanted.update(node for source in sources.values() for node in source.values)\n",
        new="",
        red=(f"{FACTS}::test_wanted_is_what_the_caller_takes_and_what_ranges_add",),
    ),
    Fault(
        what="a product is cut although no share begins with a panel",
        file="fastbp/_compiler/graph_partition.py",
        old="edges = [panels * i // regime.shares * panel for",
        new="edges = [panels * i * panel // regime.shares for",
        red=(f"{PARTITION}::test_shares_cover_the_columns_once_and_begin_with_a_panel",),
    ),
    Fault(
        what="what brings the rows in does not know that they are prefetched",
        file="fastbp/_compiler/input_rows.py",
        old="    for operation in readers:\n        operation.ahead = True\n",
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
]
