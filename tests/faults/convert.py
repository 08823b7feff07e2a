"""Faults in what a network is written as, and read from."""

from tests.faults import Fault

FAULTS = [
    Fault(
        what="the scale of the inputs is left out of a header",
        file="fastbp/convert/c_header.py",
        old='f" * {_number(step.factor)}" if step.kind == "scale" else ""',
        new='""',
        red=("tests/convert/test_c_header.py::test_the_header_says_what_predict_says[scaled]",),
    ),
    Fault(
        what="the weights are written as they lie, not transposed",
        file="fastbp/convert/c_header.py",
        old='_constant(arrays, step, "W", step.W.T)',
        new='_constant(arrays, step, "W", step.W)',
        red=("tests/convert/test_c_header.py::test_the_header_says_what_predict_says[one layer]",),
    ),
    Fault(
        what="a small result of tanh loses its digits",
        file="fastbp/convert/c_math.h",
        old="t = -m / (m + 2.0f)",
        new="t = 2.0f / (m + 2.0f) - 1.0f",
        red=("tests/convert/test_c_math.py::test_functions_are_within_4_units_in_the_last_place[tanh]",),
    ),
    Fault(
        what="a function that is nearly an activation is taken for it",
        file="fastbp/convert/assembly.py",
        old="rtol=1e-6, atol=1e-6",
        new="rtol=1e-6, atol=1e-3",
        red=("tests/convert/test_assembly.py::test_an_activation_is_known_by_its_values[tanh]",),
    ),
    Fault(
        what="a network is written without its loss's link",
        file="fastbp/convert/steps.py",
        old="    if link and net.loss.link is not None:\n",
        new="    if False:\n",
        red=("tests/convert/test_c_header.py::test_the_header_says_what_predict_says[link of poisson]",),
    ),
    Fault(
        what="the one output of two classes is taken for raw",
        file="fastbp/convert/sklearn.py",
        old="name = model.out_activation_ if last else model.activation",
        new="name = 'identity' if last else model.activation",
        red=("tests/convert/test_sklearn.py::test_classifiers_give_the_same_probabilities[two-relu-float64]",),
    ),
    Fault(
        what="an error leaves the parameters of the last trial",
        file="fastbp/convert/scipy.py",
        old="        model.params[:] = start\n",
        new="",
        red=("tests/convert/test_scipy.py::test_an_error_puts_the_parameters_back",),
    ),
    Fault(
        what="predict writes over the inputs that it reads",
        file="fastbp/_models/network_evaluation.py",
        old='(("X", given), ("X", read), ("params", net.params), ("grads", net.grads))',
        new='(("params", net.params), ("grads", net.grads))',
        red=("tests/models/test_predict_out.py::test_memory_that_is_read_is_not_written",),
    ),
]
