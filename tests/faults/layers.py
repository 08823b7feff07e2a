"""Faults in what a layer states, and in what follows from it."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="penalties are of all parameters of a layer",
        file="fastbp/layers/base.py",
        old="return (self.l1, self.l2) if parameter.penalised else (0.0, 0.0)",
        new="return (self.l1, self.l2)",
        red=(
            "tests/layers/test_base.py::test_penalties_and_gradients",
            "tests/layers/test_dense.py::test_penalties_are_of_the_weights",
        ),
    ),
    Fault(
        what="all parameters of a layer begin from one stream",
        file="fastbp/layers/base.py",
        old="random.fold(key, stream)",
        new="random.fold(key, 0)",
        red=("tests/layers/test_dense.py::test_weights_and_biases_have_streams_of_their_own",),
    ),
    Fault(
        what="a kind may be of two layers",
        file="fastbp/layers/base.py",
        old="            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):",
        new="            if other is None:",
        red=("tests/layers/test_base.py::test_a_kind_is_of_one_layer",),
    ),
    Fault(
        what="a loss that reaches a part of a layer alone asks for the rest",
        file="fastbp/_models/parameters.py",
        old='views.get(f"{owner}.{each.name}")',
        new='views[f"{owner}.{each.name}"]',
        red=(
            "tests/layers/test_base.py::test_a_loss_that_reaches_some_parameters_of_a_layer_has_their_initial_values",
        ),
    ),
    Fault(
        what="what a layer's settings may be is not asked of files",
        file="fastbp/_files/schema.py",
        old='                setting.in_file(self, layer[name], f"{where}.{name}")\n',
        new="                pass\n",
        red=("tests/layers/test_base.py::test_files_and_copies",),
    ),
    Fault(
        what="the places of a parameter's elements are counted from its end",
        file="fastbp/gradcheck.py",
        old="np.unravel_index(k - part.begin, part.shape)",
        new="np.unravel_index(part.end - 1 - k, part.shape)",
        red=("tests/layers/test_base.py::test_an_error_of_the_gradient_is_named",),
    ),
    Fault(
        what="a penalty's gradient is taken for a sign of life",
        file="fastbp/_training/hints.py",
        old=" if not each.penalised]",
        new="]",
        red=("tests/training/test_hints.py::test_a_dead_layer_with_a_penalty_is_named_as_well",),
    ),
    Fault(
        what="the root of a layer's normalisation may be 0",
        file="fastbp/layers/layer_norm.py",
        old="sqrt(variance + self.eps)",
        new="sqrt(variance)",
        red=(
            "tests/layers/test_layer_norm.py::test_by_hand",
            "tests/layers/test_layer_norm.py::test_features_that_are_equal_have_no_slope_that_is_not_finite",
        ),
    ),
    Fault(
        what="a layer's normalisation divides by one less than the number of features",
        file="fastbp/layers/layer_norm.py",
        old="variance = multiply(1 / self.width,",
        new="variance = multiply(1 / max(self.width - 1, 1),",
        red=(
            "tests/layers/test_layer_norm.py::test_by_hand",
            "tests/layers/test_layer_norm.py::test_the_reference_agrees_in_each_scheme",
        ),
    ),
]
