"""How far the vector functions are from the exact result, in units in the last place (ULP), and their limits.

csrc/vecmath.inc is reached through the kernels that expose it. Every run takes a sample over all exponents and a dense
one where the functions bend; `pytest -m ulp` takes all 2^32 floats. BOUNDS are the figures of vecmath.inc, rounded up,
plus what an activation's own operations add.
"""

import ctypes
import math

import numpy as np
import pytest
from kernel_calls import SIGNATURES, said

from fastbp._core import cpu

# kernel: bounds for float32 and float64
BOUNDS = {
    "exponential_forward": (1.1, 1.2),
    "sigmoid_forward": (2.5, 2.5),
    "tanh_forward": (5.0, 2.7),
    "elu_forward": (1.3, 1.3),
    "softplus_forward": (3.0, 3.0),
    "silu_forward": (3.0, 3.0),
    "mish_forward": (5.0, 5.5),
    "gelu_forward": (7.3, 10.0),
    "softplus_backward": (1.3, 1.3),
    "sin": (1.2, 1.2),
    "cos": (1.2, 1.2),
}
SCALAR_BOUNDS = {  # without fused multiply-adds
    "tanh_forward": (5.6, 2.7),
    "gelu_forward": (7.8, 12.0),
    "sin": (1.4, 1.4),
    "cos": (1.4, 1.4),
}
# exp from a table is no worse, but its error is largest just above a power of two, where that of 1 + exp is too
LOOKUP_BOUNDS = {"sigmoid_forward": 3.1, "silu_forward": 3.6, "softplus_forward": 3.5}  # float32, from a table
SIN_LIMIT = {"float32": 12800, "float64": 2**20}  # vecmath.inc's; beyond, sin and cos are the C library's


def bound(isa, name, dtype):
    if dtype == "float32" and name in LOOKUP_BOUNDS and said(isa, "(#define LOOKUP)"):
        return LOOKUP_BOUNDS[name]
    return {**BOUNDS, **(SCALAR_BOUNDS if isa == "scalar" else {})}[name][dtype == "float64"]


def apply(isa, x, name):
    """The kernel `name` of x (n,) as one row; a backward's dY is ones."""
    row = next(row for row in cpu.kernels(isa, x.dtype.name) if row[0] == name)
    result, arguments = SIGNATURES[row[1]]
    function, n = ctypes.CFUNCTYPE(result, *arguments)(row[3]), x.size
    y = x.copy() if row[1] == "forward" else np.ones_like(x)
    at = y.ctypes.data
    if row[1] == "forward":
        function(at, n, None, 0, None, 1, n)
    elif row[1] == "map":
        function(at, n, x.ctypes.data, n, 1, None, 0, 0, None, 0, 0, 1, n, 0.0)
    else:
        function(at, n, at, n, x.ctypes.data, n, 1, n)
    return y


def erfc(x):
    """erfc of longdoubles: math.erfc of the nearest double, and one step of Newton to x."""
    near = x.astype(np.float64)
    slope = -2 / np.sqrt(np.pi) * np.exp(-near * near)
    return np.array([math.erfc(v) for v in near]) + slope * (x - near).astype(np.float64)


def tanh_of_softplus(x):
    e = np.exp(np.minimum(x, 60))
    return e * (e + 2) / (e * (e + 2) + 2)


EXACT = {  # of x in a wider type, which holds all results
    "exponential_forward": np.exp,
    "sigmoid_forward": lambda x: 1 / (1 + np.exp(-x)),
    "tanh_forward": np.tanh,
    "elu_forward": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "softplus_forward": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "silu_forward": lambda x: x / (1 + np.exp(-x)),
    "mish_forward": lambda x: x * tanh_of_softplus(x),
    "gelu_forward": lambda x: x / 2 * erfc(-x / np.sqrt(x.dtype.type(2))),
    "softplus_backward": lambda y: -np.expm1(-y),
    "sin": np.sin,
    "cos": np.cos,
}


def wide(dtype):
    """A type that is precise enough to judge dtype."""
    if dtype == "float32":
        return np.float64
    if np.finfo(np.longdouble).eps > 2.0**-60:
        pytest.skip("this machine's long double is a double")
    return np.longdouble


def errors(got, want, dtype, floor):
    """|got - want| in ULP of want. Where |want| < floor: 0 if got is within floor of it, else infinity."""
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(np.clip(np.abs(want), want.dtype.type(info.tiny), want.dtype.type(info.max)))
        off = np.abs(got - want)
        error = off / np.ldexp(want.dtype.type(1), exponent - 1 - info.nmant)
        error = np.where(np.abs(want) < floor, np.where(off <= floor, 0, np.inf), error)
        same = (got == want.astype(dtype)) | (np.isnan(got) & np.isnan(want))
        return np.where(same, np.fmin(np.nan_to_num(error), 1), np.where(np.isnan(error), np.inf, error))


def worst(isa, name, x):
    """(error in ULP, input) of the input where `name` is furthest from the exact result."""
    with np.errstate(all="ignore"):
        wider = x.astype(wide(x.dtype.name))
        want = EXACT[name](wider)
        # a denormal factor may have become 0: what multiplies it makes that visible
        floor = 1.5 * np.finfo(x.dtype).tiny * np.fmax(1, np.abs(wider))
    error = errors(apply(isa, x, name), want, x.dtype.type, floor)
    i = int(np.argmax(error))
    return float(error[i]), float(x[i])


def sample(dtype, name):
    """Numbers of all exponents and both signs, and dense ones up to where the function is flat."""
    rng = np.random.default_rng(0)
    if dtype == "float32":
        everywhere = np.arange(0, 2**32, 99991, dtype=np.uint64).astype(np.uint32).view(np.float32)
    else:
        everywhere = np.arange(0, 2**64 - 1, 2**64 // 40009, dtype=np.uint64).view(np.float64)
    reach = 110 if dtype == "float32" else 750
    dense = [rng.uniform(-w, w, 30000) for w in (1, 10, 40, reach)]
    with np.errstate(invalid="ignore"):  # signalling NaNs
        x = np.concatenate([everywhere, *(d.astype(dtype) for d in dense)])
    return np.abs(x) if name.endswith("backward") else x


@pytest.mark.parametrize("name", BOUNDS)
def test_error_is_within_its_bound(isa, dtype, name):
    error, x = worst(isa, name, sample(dtype, name))
    assert error <= bound(isa, name, dtype), f"{error:.2f} ULP at {x!r} = {x.hex()}"


@pytest.mark.ulp
@pytest.mark.parametrize("name", ["exponential_forward", "tanh_forward", "sigmoid_forward", "sin", "cos"])
def test_error_over_all_floats(isa, name):
    found = (0.0, 0.0)
    for start in range(0, 2**32, 2**22):
        x = np.arange(start, start + 2**22, dtype=np.uint64).astype(np.uint32).view(np.float32)
        found = max(found, worst(isa, name, x))
        if name == "tanh_forward":
            assert not (np.abs(apply(isa, x, name)) > 1).any()
    print(f"{name} {isa}: {found[0]:.3f} ULP at {found[1]!r} = {found[1].hex()}")
    assert found[0] <= bound(isa, name, "float32")


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_next_to_multiples_of_half_pi(isa, dtype, name):
    """Where x - n pi / 2 has lost its first digits: the nearest numbers to all n, or to many, up to the limit; and a
    lane beyond the limit among others."""
    last = int(SIN_LIMIT[dtype] / (np.pi / 2))
    n = np.unique(np.linspace(1, last, min(last, 20000)).astype(int))
    half_pi = np.longdouble(np.pi / 2) + np.longdouble(6.123233995736766e-17)
    near = [(n * half_pi).astype(dtype)]
    for _ in range(2):
        near += [np.nextafter(near[-1], np.array(np.inf, dtype)), np.nextafter(near[0], np.array(0, dtype))]
    x = np.concatenate([*near, -near[0]])
    x[::1001] = SIN_LIMIT[dtype] * np.linspace(0.999, 1.5, x[::1001].size)
    x[500::1001] = 1e30
    error, at = worst(isa, name, x)
    assert error <= bound(isa, name, dtype), f"{error:.2f} ULP at {at!r} = {at.hex()}"


def test_logarithm(isa, dtype):
    """Through the cross-entropy of k equal outputs, which is log(k)."""
    row = next(row for row in cpu.kernels(isa, dtype) if row[0] == "cross_entropy_labels_loss")
    result, arguments = SIGNATURES["loss"]
    loss = ctypes.CFUNCTYPE(result, *arguments)(row[3])
    Y, label = np.zeros((1, 3000), dtype), np.zeros(1, np.int32)
    for k in range(1, 3000):
        value = loss(None, 0, Y.ctypes.data, k, label.ctypes.data, 0, None, 1, k, 1.0, 0.0)
        want = np.array([np.log(np.longdouble(k))])
        assert errors(np.array([value]), want, np.dtype(dtype).type, 0)[0] <= 2.5, k


ENDS = [-np.inf, -0.0, 0.0, np.inf]
VALUES = {  # at ENDS: each function's limits
    "linear": ENDS,
    "relu": [0, 0, 0, np.inf],
    "leaky_relu": ENDS,
    "elu": [-1, 0, 0, np.inf],
    "selu": [-1.0507009873554805 * 1.6732632423543772, 0, 0, np.inf],
    "gelu": [0, 0, 0, np.inf],
    "gelu_tanh": [0, 0, 0, np.inf],
    "silu": [0, 0, 0, np.inf],
    "mish": [0, 0, 0, np.inf],
    "softplus": [0, math.log(2), math.log(2), np.inf],
    "sigmoid": [0, 0.5, 0.5, 1],
    "hard_sigmoid": [0, 0.5, 0.5, 1],
    "tanh": [-1, -0.0, 0, 1],
    "softsign": [-1, -0.0, 0, 1],
    "exponential": [0, 1, 1, np.inf],
}
ODD = ("tanh", "softsign")


def test_every_activation_has_its_values_at_the_ends():
    lacking = set(cpu.activations()) - {"softmax"} - set(VALUES)
    assert not lacking, f"VALUES lacks {lacking}: write there what they are at {ENDS}"


@pytest.mark.parametrize("name", VALUES)
def test_values_at_the_ends(isa, dtype, name):
    got = apply(isa, np.array(ENDS, dtype), f"{name}_forward")
    np.testing.assert_allclose(got, VALUES[name], rtol=4 * np.finfo(dtype).eps, atol=0)
    if name in ODD:
        np.testing.assert_array_equal(np.signbit(got), np.signbit(VALUES[name]))
    assert np.isnan(apply(isa, np.array([np.nan], dtype), f"{name}_forward")[0])


@pytest.mark.parametrize("name", [name for name, reads in cpu.activations().items() if reads == "INPUT"])
def test_slopes_at_the_ends(isa, dtype, name):
    got = apply(isa, np.array([*ENDS, -1e30, 1e30, np.nan], dtype), f"{name}_backward")
    at_zero = 0.6 if name == "mish" else 0.5
    np.testing.assert_allclose(got, [0, at_zero, at_zero, 1, 0, 1, np.nan], rtol=4 * np.finfo(dtype).eps, atol=0)


def test_outputs_stay_in_their_range(isa, dtype):
    """tanh' = 1 - y^2 and sigmoid' = y (1 - y) must not be negative, whatever the rounding."""
    x = sample(dtype, "forward")
    x = x[~np.isnan(x)]
    assert np.abs(apply(isa, x, "tanh_forward")).max() == 1
    sigmoid = apply(isa, x, "sigmoid_forward")
    assert sigmoid.min() == 0
    assert sigmoid.max() == 1


def test_gelu_tanh_far_below_zero(isa, dtype):
    """Its relative error grows with the exponent that exp gets, and with nothing else."""
    z = np.linspace(-9, -0.5, 2001).astype(dtype)
    wider = z.astype(wide(dtype))
    twice_u = 2 * np.sqrt(2 / wider.dtype.type(np.pi)) * (wider + wider.dtype.type("0.044715") * wider**3)
    want = wider / (1 + np.exp(-twice_u))
    error = np.abs(apply(isa, z, "gelu_tanh_forward") - want) / np.abs(want)
    assert (error <= np.finfo(dtype).eps * (4 + 2 * np.abs(twice_u))).all()
