"""fastbp/_core/portable.pyx: functions whose bits are the same on every machine, and right to a unit in the last place.

The bits are literals: they hold for every ISA, compiler, C library and version of NumPy. tests/csrc/kernels_check.c
looks at some of them in a build for AArch64. How right they are is measured against 50 digits of the standard library's
Decimal.
"""

import hashlib
import math
import statistics
from decimal import Decimal, localcontext

import numpy as np
import pytest

import fastbp as fb
from fastbp._core import portable, random

LOGS = {
    0.9: ("-0x1.af8e8210a415cp-4", "0x1.62ec4d1023999p-58"),
    0.999: ("-0x1.064670d979b73p-10", "-0x1.e46a88405b164p-66"),
    1.0: ("0x0.0p+0", "0x0.0p+0"),
    5e-324: ("-0x1.74385446d71c3p+9", "-0x1.8e569fa800000p-45"),
}
POWERS = {
    (0.9, 1): "0x1.ccccccccccccdp-1", (0.999, 1): "0x1.ff7ced916872bp-1", (0.999, 1000): "0x1.788526411ed72p-2",
    (0.1, 3): "0x1.0624dd2f1a9fdp-10", (0.97, 0.5): "0x1.f842f2f055704p-1", (0.5, 1074): "0x0.0000000000001p-1022",
    (0.5, 1076): "0x0.0p+0", (0.3, 250000): "0x0.0p+0", (0.3, 0): "0x1.0000000000000p+0",
    (1.0, 1e300): "0x1.0000000000000p+0", (0.0, 1): "0x0.0p+0", (0.0, 0): "0x1.0000000000000p+0",
}  # fmt: skip
COSINES = {
    0.0: "0x1.0000000000000p+0", 0.1: "0x1.e6f0e134454ffp-1", 0.25: "0x1.6a09e667f3bccp-1", 0.3: "0x1.2cf2304755a5ep-1",
    0.5: "0x0.0p+0", 0.7: "-0x1.2cf2304755a5dp-1", 0.9: "-0x1.e6f0e13445500p-1", 1.0: "-0x1.0000000000000p+0",
}  # fmt: skip
NORMALS = ["0x1.cf837aed068b9p-3", "-0x1.d8f5451b67f6ap-1", "0x1.df990857015aap-10", "0x1.22eff41007d37p+0",
           "0x1.1e30443a61eefp+1", "-0x1.0fdf97c6542aep+0", "0x1.3a8441222df6ap+0", "0x1.254412d06e11cp+0"]  # fmt: skip
PI = Decimal("3.14159265358979323846264338327950288419716939937510582")


def digest(*arrays):
    return hashlib.sha256(b"".join(array.astype("<f8").tobytes() for array in arrays)).hexdigest()[:32]


# ---- the same bits everywhere --------------------------------------------------------------------------------------


def test_bits_of_single_numbers():
    assert {x: tuple(part.hex() for part in portable.log(x)) for x in LOGS} == LOGS
    assert {pair: float(portable.power(*pair)).hex() for pair in POWERS} == POWERS
    assert {x: float(portable.cos_pi(x)).hex() for x in COSINES} == COSINES
    assert [x.hex() for x in random.normal((8,), 1).tolist()] == NORMALS
    assert portable.log(0.0) == (-math.inf, 0.0)


def test_bits_of_many_numbers():
    steps = np.arange(1, 3001)
    assert digest(random.normal((100_000,), 1)) == "97f4cf252f8007c676d7541af4599dbb"
    assert digest(*(portable.power(beta, steps) for beta in (0.9, 0.99, 0.999))) == "26068eda7d6d498e29f447a26cbfb017"
    assert digest(portable.cos_pi(steps / 3000)) == "8056f690db5a18d2741a12fe51587dc8"


def test_bits_of_rates_and_of_initial_values():
    rates = fb.schedules
    many = [
        rates.Cosine(0.1, 901), rates.OneCycle(0.1, 901), rates.Exponential(0.1, 0.997), rates.Step(0.1, 90, 0.3),
        rates.WarmUp(rates.Linear(0.1, 901), 7),
    ]  # fmt: skip
    assert digest(*(schedule(np.arange(1000)) for schedule in many)) == "0699863aac5265aa8efa5ffe031825af"
    inits = [name for name in fb.initializers.NAMES if name != "zeros"]
    values = [fb.initializers.values(name, (30, 20), (30, 20), 5) for name in inits]
    assert digest(*values) == "9a39a8c2391c7abdf08fb2ff0a76b5c8"


def test_bits_of_adams_corrections(isa):
    """Steps 1 .. 300, each from moments of 0 and with a gradient of 1: nothing but the corrections is rounded, so there
    is one answer for all ISAs."""
    net, optimizer = fb.mlp(1, 1, dtype="float64"), fb.Adam(lr=1.0, eps=1e-300)
    moved = []
    for _ in range(300):
        net.grads[:], net.params[:] = 1, 0
        optimizer.step(net)
        moved.append(-net.params[0])
        optimizer.state[:] = 0
    first = 1 - portable.power(0.9, np.arange(1, 301))
    second = 1 - portable.power(0.999, np.arange(1, 301))
    np.testing.assert_allclose(moved, 0.1 / first / np.sqrt(0.001 / second), rtol=1e-12)
    assert digest(np.array(moved)) == "f7225dfe2827e6e480f55e83dd62cd77"


# ---- right ---------------------------------------------------------------------------------------------------------


def units(found, exact):
    """How far a float is from a Decimal, in units in the last place."""
    return float(abs(Decimal(found) - exact) / Decimal(math.ulp(found)))


@pytest.fixture
def digits():
    with localcontext() as context:
        context.prec = 50
        yield


def test_log(digits, rng):
    worst = 0
    for x in [*rng.random(300), *(1 - 10.0 ** -rng.uniform(1, 15, 100)), 5e-324, 1e-310, 2.0, 1e300, 0.5**0.5]:
        exact = Decimal(float(x)).ln()
        high, low = portable.log(float(x))
        assert units(high, exact) <= 0.5 + 1e-9
        worst = max(worst, abs((Decimal(high) + Decimal(low) - exact) / exact))
    assert worst < 2.0**-62


@pytest.mark.parametrize("base", [0.9, 0.999, 0.99, 0.5, 0.9999, 0.1, 1 / 3])
def test_power(digits, rng, base):
    exponents = np.concatenate([np.arange(1, 100), rng.integers(1, 6000, 50), 100 * rng.random(50)])
    for exponent, found in zip(exponents.tolist(), portable.power(base, exponents).tolist(), strict=True):
        exact = (Decimal(exponent) * Decimal(base).ln()).exp()
        if exact > Decimal("1e-300"):
            assert units(found, exact) < 0.52
    assert portable.power(base, np.zeros((2, 3))).tolist() == [[1.0] * 3] * 2


def test_cos_pi(digits, rng):
    for x in [*rng.random(300).tolist(), *np.linspace(0, 1, 201).tolist()]:
        angle = PI * (Decimal("0.5") - Decimal(x))
        term = exact = angle
        for k in range(2, 60, 2):
            term *= -angle * angle / (k * (k + 1))
            exact += term
        found = float(portable.cos_pi(x))
        assert found == 0 if x == 0.5 else units(found, exact) < 0.9


# ---- normal numbers ------------------------------------------------------------------------------------------------


def draw(rng):
    """(words, normal numbers) of a stream."""
    key = int(rng.integers(2**63))
    return random.bits(5000, key) >> np.uint64(11), random.normal((5000,), key)


def test_a_normal_number_is_the_quantile_of_its_word(rng):
    """Against the standard library's own AS 241, and the other way round: the tail beyond it is the word's share."""
    usual = statistics.NormalDist()
    for k, found in zip(*(part.tolist() for part in draw(rng)), strict=True):
        odd = min(2 * k + 1, 2**54 - 2 * k - 1)
        wanted = usual.inv_cdf(odd * 2.0**-54) * (1 if k < 2**52 else -1)
        assert found == pytest.approx(wanted, rel=2e-15)
        assert math.erfc(abs(found) / math.sqrt(2)) / 2 == pytest.approx(odd * 2.0**-54, rel=1e-13)


def test_normal_numbers_are_distributed_so(rng):
    """Kolmogorov and Smirnov's distance, moments and tails of a million numbers."""
    x = np.sort(random.normal((1000, 1000), int(rng.integers(2**63))).ravel())
    n = x.size
    cdf = np.array([math.erfc(-value / math.sqrt(2)) / 2 for value in x[::100].tolist()])
    distance = np.abs(cdf - np.arange(0, n, 100) / n).max()
    assert distance < 2.2 / math.sqrt(n)    # larger once in ten thousand
    for power, moment in enumerate([1, 0, 1, 0, 3, 0, 15, 0, 105]):
        spread = math.sqrt(math.prod(range(1, 2 * power, 2)) - moment**2)
        assert abs((x**power).mean() - moment) <= 5 * spread / math.sqrt(n), power
    for limit in (1, 2, 3, 4):
        share = math.erfc(limit / math.sqrt(2))
        assert abs((np.abs(x) > limit).mean() - share) < 5 * math.sqrt(share / n)
    assert np.unique(x).size > n - 5
