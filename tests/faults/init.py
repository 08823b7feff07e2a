"""Faults of initial values and of the functions that have the same bits everywhere."""

from tests.faults import Fault

PORTABLE = "tests/core/test_portable.py::"

FAULTS = [
    Fault(
        what="normal numbers from NumPy's log1p and cos again",
        file="fastbp/_core/random.pyx",
        old="    return numbers.reshape(shape)\n",
        new=(
            "    radius, angle = uniform((2, count), key)\n"
            "    return (np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * np.pi * angle)).reshape(shape)\n"
        ),
        red=(
            PORTABLE + "test_bits_of_many_numbers",
            "tests/core/test_random.py::test_stream_version_2_gives_these_numbers",
        ),
    ),
    Fault(
        what="the far tail's quotient at the wrong place",
        file="csrc/portable.c",
        old="POLYNOMIAL(r - 1.6, side_p) / POLYNOMIAL(r - 1.6, side_q)",
        new="POLYNOMIAL(r - 1.6, side_p) / POLYNOMIAL(r - 1.600001, side_q)",
        red=(PORTABLE + "test_a_normal_number_is_the_quantile_of_its_word",),
    ),
    Fault(
        what="both halves of the distribution on one side",
        file="csrc/portable.c",
        old="return q < 0 ? -value : value;",
        new="return value;",
        red=(PORTABLE + "test_normal_numbers_are_distributed_so",),
    ),
    Fault(
        what="Adam's corrections by a plain exp of a plain product",
        file="csrc/portable.c",
        old="    x.low += y * low;\n",
        new="    x.low = 0;\n",
        red=(PORTABLE + "test_power", PORTABLE + "test_bits_of_adams_corrections"),
    ),
    Fault(
        what="half a cosine by NumPy's cos",
        file="fastbp/schedules.py",
        old="portable.cos_pi(np.clip(done, 0.0, 1.0))",
        new="np.cos(np.pi * np.clip(done, 0.0, 1.0))",
        red=(PORTABLE + "test_bits_of_rates_and_of_initial_values",),
    ),
    Fault(
        what="exponential rates off in the last bit",
        file="fastbp/schedules.py",
        old="portable.power(self.decay, t / self.every)",
        new="np.power(self.decay, t / self.every) * (1 + 2.0**-52)",
        red=(PORTABLE + "test_bits_of_rates_and_of_initial_values",),
    ),
    Fault(
        what="He's normal weights and no biases for rectifiers again",
        file="fastbp/initializers.py",
        old="    return math.sqrt(more * _rising(depth) / inputs), math.sqrt(3.0 / inputs)\n",
        new='    return ("he_normal" if activation == "relu" else math.sqrt(1.5 / inputs)), "zeros"\n',
        red=(
            "tests/test_initializers.py::test_default_of_a_layer",
            "tests/docs/test_numerics.py::test_default_initial_values_are_those_of_the_page",
        ),
    ),
    Fault(
        what="no layer of a network knows what is before it",
        file="fastbp/layers/base.py",
        old="        before, depth = nn.layer_before(x)\n",
        new="        before, depth = None, nn.layer_before(x)[1]\n",
        red=("tests/test_initializers.py::test_default_initial_values_follow_what_is_before",),
    ),
    Fault(
        what="weights as small in deep networks as in shallow ones",
        file="fastbp/initializers.py",
        old="    return min(1.0 + depth / 2.0, 3.0)\n",
        new="    return min(1.0 + depth / 2.0, 1.5)\n",
        red=(
            "tests/test_initializers.py::test_default_of_a_layer",
            "tests/test_initializers.py::test_signals_reach_the_end_of_a_deep_network",
            "tests/docs/test_numerics.py::test_default_initial_values_are_those_of_the_page",
        ),
    ),
    Fault(
        what="weights that grow from layer to layer without an end",
        file="fastbp/initializers.py",
        old="    return min(1.0 + depth / 2.0, 3.0)\n",
        new="    return 1.0 + depth / 2.0\n",
        red=(
            "tests/test_initializers.py::test_default_of_a_layer",
            "tests/test_initializers.py::test_signals_reach_the_end_of_a_deep_network",
        ),
    ),
    Fault(
        what="softplus in between like all the others",
        file="fastbp/initializers.py",
        old='    more = 2.0 if activation == "softplus" and depth > 0 else 1.0',
        new="    more = 1.0",
        red=("tests/test_initializers.py::test_default_of_a_layer",),
    ),
    Fault(
        what="no layer of an expression knows how deep it lies",
        file="fastbp/_ir/nn.py",
        old='1 + z.inputs[1].attributes.get("depth", 0)',
        new="1",
        red=("tests/test_initializers.py::test_default_initial_values_follow_what_is_before",),
    ),
    Fault(
        what="what was held out is chosen on",
        file="bench/lab/initial_data.py",
        old=" if name not in HELD_OUT)",
        new=")",
        red=("tests/test_lab.py::test_what_is_held_out_is_not_chosen_on",),
    ),
    Fault(
        what="a layer of an expression does not look through dropout",
        file="fastbp/_ir/nn.py",
        old='    while x.op == "dropout":\n        x = x.inputs[0]\n    z, name',
        new="    z, name",
        red=("tests/test_initializers.py::test_default_initial_values_follow_what_is_before",),
    ),
    Fault(
        what="a network made from a file's config begins with biases that are not zero",
        file="fastbp/network.py",
        old='        net.data_spec = config.get("data_spec")\n',
        new='        net.data_spec = config.get("data_spec")\n        net._initialise()\n',
        red=("tests/test_initializers.py::test_a_network_from_a_config_is_zero",),
    ),
    Fault(
        what="the study's scikit-learn has the factor 6 for sigmoids too",
        file="bench/lab/initial_values.py",
        old='2.0 if activation == "sigmoid" else 6.0',
        new="6.0",
        red=("tests/test_lab.py::test_scikit_learns_rule_is_scikit_learns",),
    ),
    Fault(
        what="behind wherever another is better",
        file="bench/lab/initial_values.py",
        old="np.hypot(spreads, spreads[best]) + 1e-9",
        new="0",
        red=("tests/test_lab.py::test_behind_is_by_more_than_another_seed_changes",),
    ),
]
