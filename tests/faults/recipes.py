"""Faults in what follows from a row or a class: names, kernels, state, rates."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="the losses are no functions that fastbp.graph lists",
        file="fastbp/graph.py",
        old="__all__ = sorted({*__all__, *_ACTIVATIONS, *_LOSSES})",
        new="__all__ = sorted({*__all__, *_ACTIVATIONS})",
        red=("tests/test_graph.py::test_the_public_names",),
    ),
    Fault(
        what="the activations are no functions of fastbp.graph",
        file="fastbp/graph.py",
        old="globals().update(_ACTIVATIONS, **_LOSSES)",
        new="globals().update(_LOSSES)",
        red=("tests/test_graph.py::test_the_public_names",),
    ),
    Fault(
        what="a loss as nodes forgets its own number",
        file="fastbp/losses.py",
        old="        near = minimum(self.delta, distance)\n",
        new="        near = minimum(1.5, distance)\n",
        red=("tests/ir/test_nn.py::test_a_loss_as_nodes_is_the_loss",),
    ),
    Fault(
        what="an optimizer's kernel has less state than its rule",
        file="csrc/updates.inc",
        old="UPDATE(adam, 2)",
        new="UPDATE(adam, 1)",
        red=("tests/test_optimizers.py::test_slots", "tests/csrc/test_kernels.py::test_agrees_with_reference"),
    ),
    Fault(
        what="a loss of outputs has no kernel for missing targets",
        file="csrc/losses.inc",
        old="BY_UNITS(poisson)",
        new="LOSS(poisson)",
        red=("tests/test_losses.py::test_every_kernel_is_used_and_every_loss_has_one",),
    ),
    Fault(
        what="the command begins SGD at the rate of one with a momentum",
        file="fastbp/cli/train.py",
        old='    if name == "sgd":\n        return 0.1\n',
        new="",
        red=("tests/cli/test_training.py::test_optimizers_and_the_rates_that_they_begin_with",),
    ),
    Fault(
        what="what is held out steers the command's plateau",
        file="fastbp/schedules.py",
        old='factor=0.3, patience=3, monitor="loss")',
        new="factor=0.3, patience=3)",
        red=("tests/cli/test_training.py::test_schedules_of_a_training",),
    ),
    Fault(
        what="any end of pytest but success is a fault that was caught",
        file="tests/faults/__main__.py",
        old="if returncode == 1 and RED.search(last):",
        new="if returncode == 1:",
        red=("tests/test_faults.py::test_caught_is_what_a_test_failed_for",),
    ),
]
