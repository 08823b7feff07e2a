"""fastbp/_core/cpu.pyx: the ISA in use, and what its table of kernels says."""


import os
import subprocess
import sys

import numpy as np
import pytest

import fastbp as fb
from fastbp._core import cpu


def run(code, **environ):
    """The finished process of Python code in a changed environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTBP_", "OMP_"))}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**kept, **environ})


def test_what_is_available_is_known_and_ends_with_scalar():
    assert set(cpu.available()) <= set(cpu.known())
    assert cpu.available()[-1] == "scalar"
    assert cpu.selected() in cpu.available()


def test_use_changes_what_is_made_afterwards(isa, dtype):
    assert cpu.selected() == isa
    lanes, mr, nr = cpu.tile(isa, dtype)
    assert lanes * np.dtype(dtype).itemsize in (np.dtype(dtype).itemsize, 16, 32, 64)
    assert mr >= 1
    assert nr % lanes == 0
    net = fb.mlp(5, 7, 3, activation="tanh", dtype=dtype, seed=1)
    X = np.random.default_rng(0).standard_normal((9, 5))
    Y = net.predict(X)
    cpu.use("scalar")
    assert np.allclose(net.predict(X), Y, rtol=1e-5)  # the same network, compiled again


@pytest.mark.parametrize("isa", ["avx", "AVX2", "", "nonsense", None, 3])
def test_an_unknown_isa_is_refused_with_the_choices(isa):
    before = cpu.selected()
    with pytest.raises(ValueError) as caught:
        cpu.use(isa)
    assert str(caught.value) == (
        f"isa is {isa!r}{' (int)' * (isa == 3)}, which is unknown, expected one of: "
        f"{', '.join(cpu.available())}; choose one of them")
    assert cpu.selected() == before


def test_an_isa_of_another_machine_is_refused_with_the_choices():
    other = next(name for name in cpu.known() if name not in cpu.available())
    with pytest.raises(ValueError, match=f"{other!r}, which is not available on this machine, expected one of: "
                                         ".*scalar"):
        cpu.use(other)


def test_kernels_of_an_isa_that_is_not_there():
    for ask in (cpu.kernels, cpu.tile):
        with pytest.raises(ValueError, match=r"isa is 'sse9', expected one of: .*scalar; choose"):
            ask("sse9", "float32")
        with pytest.raises(ValueError, match="'float16'"):
            ask("scalar", "float16")


def test_the_environment_chooses_the_isa():
    code = "import fastbp; print(fastbp.cpu.selected())"
    assert run(code, FASTBP_ISA="scalar").stdout.strip() == "scalar"
    assert run(code, FASTBP_ISA="").stdout.strip() == cpu.available()[0]
    refused = run(code, FASTBP_ISA="avx1024")
    assert refused.returncode == 1
    told = f"FASTBP_ISA is 'avx1024', which is unknown, expected one of: {', '.join(cpu.available())}; choose"
    assert f"ValueError: {told}" in refused.stderr


def test_the_table_names_what_there_is():
    names = [name for name, *_ in cpu.kernels("scalar", "float32")]
    assert len(names) == len(set(names))
    assert set(cpu.losses()) == {name[:-5] for name in names if name.endswith("_loss")}
    assert set(cpu.updates()) == {name[:-7] for name in names if name.endswith("_update")}
    assert {f"{name}_forward" for name in cpu.activations()} == {name for name in names if name.endswith("_forward")}
    assert {f"{name}_backward" for name, reads in cpu.activations().items() if reads} == {
        name for name in names if name.endswith("_backward")}
    assert set(cpu.activations().values()) == {"OUTPUT", "INPUT", ""}
    assert [name for name, reads in cpu.activations().items() if not reads] == ["linear"]


def test_all_finite(isa, dtype):
    for n in (0, 1, 7, 64, 1000):
        x = np.zeros(n, dtype)
        assert cpu.all_finite(x)
        for place in {0, n // 2, n - 1} if n else ():
            for value in (np.nan, np.inf, -np.inf):
                bad = x.copy()
                bad[place] = value
                assert not cpu.all_finite(bad)
