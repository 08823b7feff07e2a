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
    Fault(
        what="a slice that took all of a number leaves a part of its gradient, which has no axis to be put into",
        file="fastbp/ranges.py",
        old="at, ld, all_of_it))",
        new="at, ld, False))",
        red=("tests/test_ranges.py::test_the_gradient_of_a_slice_that_took_everything_is_whole",),
    ),
    Fault(
        what="an input called as an argument of the methods is taken for it",
        file="fastbp/compiled.py",
        old="def loss_and_grad(self, /, **inputs)",
        new="def loss_and_grad(self, **inputs)",
        red=("tests/test_names.py::test_an_input_may_be_called_anything",),
    ),
    Fault(
        what="results are called as an input may be",
        file="fastbp/compiled.py",
        old='results = {node: ("out", i) for i, node in enumerate(nodes)}',
        new='results = {node: f"out{i}" for i, node in enumerate(nodes)}',
        red=("tests/test_names.py::test_an_input_may_be_called_anything",),
    ),
    Fault(
        what="arrays of the last call are kept, and read again where one is missing",
        file="fastbp/_core/plan.pyx",
        old="            self.values[self.uses[i].value].base = NULL\n",
        new="            pass\n",
        red=("tests/test_names.py::test_a_call_without_one_of_its_arrays_is_refused",),
    ),
    Fault(
        what="a call is made ready without one of its arrays",
        file="fastbp/_core/ready.pyx",
        old="if plan.uses[i].value not in bound:",
        new="if False:",
        red=("tests/test_names.py::test_a_call_that_is_made_ready_has_all_its_arrays",),
    ),
    Fault(
        what="a node is true",
        file="fastbp/node.py",
        old="    def __bool__(self):",
        new="    def truth(self):",
        red=("tests/test_conditions.py::test_a_node_has_no_truth",),
    ),
    Fault(
        what="== asks whether two names are of one node",
        file="fastbp/conditions.py",
        old="Node.__eq__, Node.__ne__ = _compared(equal), _compared(unequal)",
        new="Node.__ne__ = _compared(unequal)",
        red=("tests/test_conditions.py::test_conditions_mean_what_they_do_in_numpy",),
    ),
    Fault(
        what="any number is a condition",
        file="fastbp/conditions.py",
        old="        elif node.op not in _COMPARISONS:\n            return False\n",
        new="",
        red=("tests/test_conditions.py::test_numbers_are_no_conditions",),
    ),
    Fault(
        what="NumPy makes arrays of nodes",
        file="fastbp/node.py",
        old="    def __array__(self, dtype=None, copy=None):",
        new="    def as_array(self, dtype=None, copy=None):",
        red=("tests/test_conditions.py::test_what_needs_a_number_is_refused",),
    ),
    Fault(
        what="nodes that a result may be are looked for by ==",
        file="fastbp/rules.py",
        old="(self.ahead is not None and self.ahead is not x)",
        new="self.ahead not in (None, x)",
        red=("tests/test_conditions.py::test_two_inputs_of_products_in_any_order",),
    ),
    Fault(
        what="log(0) is infinite beside a power of 0 with a positive exponent: the slope of x ** n for n at 0 is NaN",
        file="csrc/maps.inc",
        old="    factor = vselect(veq(a, zero), vselect(vlt(b, zero), factor, zero), factor);\n",
        new="",
        red=("tests/test_powers.py::test_slopes_at_0", "tests/test_maps.py::test_special_values"),
    ),
    Fault(
        what="a factor of 0 does not make 0 of an infinite power: the second slope of x ** 1 at 0 is NaN",
        file="csrc/maps.inc",
        old="return vselect(veq(c, zero), zero, c * power);",
        new="return c * power;",
        red=("tests/test_powers.py::test_slopes_at_0",),
    ),
    Fault(
        what="x ** 0 is a number, whatever x is",
        file="fastbp/powers.py",
        old="else expand(1.0, x.batched, x.shape, (x,))",
        new="else constant(1.0)",
        red=(
            "tests/test_powers.py::test_a_power_of_0_keeps_shape_and_parameter",
            "tests/test_powers.py::test_an_input_that_cancels_is_an_input",
        ),
    ),
    Fault(
        what="what an expanded value stands beside is forgotten when an operation takes it as it was",
        file="fastbp/elementwise.py",
        old="return node.inputs[0] if same and not _missing(node.inputs[1:], rest) else node",
        new="return node.inputs[0] if same else node",
        red=("tests/test_powers.py::test_an_input_that_cancels_beside_another_one_is_an_input",),
    ),
]
