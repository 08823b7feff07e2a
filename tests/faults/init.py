"""Faults of initial values and of the functions that have the same bits everywhere."""

from tests.faults import Fault

PORTABLE = "tests/test_portable.py::"

FAULTS = [
    Fault(
        what="normal numbers from NumPy's log1p and cos again",
        file="fastbp/_core/random.pyx",
        old="    return numbers.reshape(shape)\n",
        new=(
            "    radius, angle = uniform((2, count), key)\n"
            "    return (np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * np.pi * angle)).reshape(shape)\n"
        ),
        red=(PORTABLE + "test_bits_of_many_numbers", "tests/test_random.py::test_stream_version_2_gives_these_numbers"),
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
]
