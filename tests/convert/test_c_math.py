"""fastbp/convert/c_math.h: each function against its exact value, to 4 units in the last place of float32."""

import ctypes
import math
from pathlib import Path

import numpy as np
import pytest

import fastbp
from convert.compiled_c import compiled, pointer
from fastbp._core import cpu
from fastbp.reference import activations

FOLDER = Path(fastbp.__file__).parent / "convert"


def lower_half(z):
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in z])


EXACT = {  # {function: (its exact value in float64, low, high)}
    "exp": (np.exp, -104, 88.7),
    "expm1": (np.expm1, -25, 88.7),
    "log1p": (np.log1p, 0, 1),
    "tanh": (np.tanh, -12, 12),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -87, 30),
    "normal_cdf": (lower_half, -14, 14),
    "sqrt": (np.sqrt, 1e-30, 1e4),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """All functions, each over an array of floats."""
    names = [*EXACT, *(name for name in cpu.activations() if name not in (*EXACT, "linear", "softmax"))]
    loops = "".join(f"void all_{name}(float *x, int n) {{ for (int i = 0; i < n; i++) x[i] = model_{name}(x[i]); }}\n"
                    for name in names)
    return compiled(tmp_path_factory.mktemp("c"), '#include "c_math.h"\n' + loops, FOLDER)


def values(library, name, x):
    y = np.array(x, np.float32)
    getattr(library, f"all_{name}")(pointer(y), ctypes.c_int(len(y)))
    return y


def grid(low, high):
    """Floats from low to high, evenly and in ratios, so that there are small ones of both signs."""
    ratios = np.geomspace(1e-8, max(-low, high), 8_000)
    x = np.concatenate([np.linspace(low, high, 20_000), ratios, -ratios]).astype(np.float32)
    return x[(x >= low) & (x <= high)]


@pytest.mark.parametrize("name", EXACT)
def test_functions_are_within_4_units_in_the_last_place(library, name):
    exact, low, high = EXACT[name]
    x = grid(low, high)
    wanted = exact(x.astype(np.float64))
    found = values(library, name, x)
    units = np.maximum(np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64), 2.0**-149)
    errors = np.abs(found - wanted) / units
    print(f"{name}: {errors.max():.2f} ULP at {x[errors.argmax()]!r}")
    assert errors.max() <= 4


@pytest.mark.parametrize("name", sorted(set(cpu.activations()) - {"linear", "softmax"}))
def test_activations_are_those_of_the_reference(library, name):
    x = grid(-30, 30)
    wanted = getattr(activations, f"{name}_forward")(x.astype(np.float64))
    assert np.abs(values(library, name, x) - wanted).max() <= (1e-6 * np.maximum(1, np.abs(wanted))).max()
    np.testing.assert_allclose(values(library, name, x), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [*EXACT, *sorted(set(cpu.activations()) - {"linear", "softmax"})])
def test_what_is_not_finite_goes_to_its_limit_as_in_compiled_code(library, name):
    assert np.isnan(values(library, name, [np.nan])).all()
    if name in cpu.activations():
        ends = np.array([[-np.inf, np.inf, -1e30, 1e30]], np.float32)
        wanted = ends.copy()
        cpu.activate(name, wanted)
        np.testing.assert_allclose(values(library, name, ends[0]), wanted[0], rtol=1e-6, atol=1e-6)
