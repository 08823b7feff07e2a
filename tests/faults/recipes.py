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
    Fault(
        what="an activation names a source that the page does not list",
        file="docs/numerics.md",
        old="| mish [5] |",
        new="| mish [25] |",
        red=("tests/docs/test_numerics.py::test_every_source_is_listed_and_used",),
    ),
    Fault(
        what="nobody looks at what an activation is at infinity",
        file="tests/csrc/test_vecmath.py",
        old='    "mish": [0, 0, 0, np.inf],\n',
        new="",
        red=("tests/csrc/test_vecmath.py::test_every_activation_has_its_values_at_the_ends",),
    ),
    Fault(
        what="the gradient of a single bias is judged by what is left where its sum cancels",
        file="tests/test_agreement.py",
        old="reference.db[i], tolerance, summed)",
        new="reference.db[i], tolerance)",
        red=("tests/test_agreement.py::test_any_network[float32-1]",),
    ),
    Fault(
        what="a layer's copy is made of its first argument alone",
        file="fastbp/layers/base.py",
        old="getattr(self, argument.name) for argument in self._arguments}",
        new="getattr(self, argument.name) for argument in self._arguments[:1]}",
        red=("tests/layers/test_base.py::test_every_layer_goes_through_everything[Dense]",),
    ),
    Fault(
        what="a recipe names a test that is not there",
        file="CONTRIBUTING.md",
        old="Red until it is right: layers, test_floors",
        new="Red until it is right: layers, test_floor",
        red=("tests/test_project.py::test_what_developers_are_told_to_run_is_there",),
    ),
]
