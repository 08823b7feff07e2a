"""The formulas of docs/numerics.md, evaluated and compared with fastbp/reference."""
import math
import re
import statistics
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import fastbp as fb
from fastbp import initializers
from fastbp._core import cpu, random
from fastbp.reference import kernels, maps
from fastbp.reference.network import LOSSES, Dense, Network, Optimizer

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"
if not DOCUMENT.exists():
    pytest.skip("docs/ is not part of an installed source distribution", allow_module_level=True)

TEXT = DOCUMENT.read_text()
ACTIVATIONS = re.findall(r"^\| (\w+)[^|`]*\| `([^|]+)` \| `([^|]+)` \|$", TEXT, re.M)
LOSS_ROWS = re.findall(r"^\| (\w+)[^|`]*\| `([^|]+)` \| `([^|]+)` \| samples ?(.*) \|$", TEXT, re.M)
IN_THE_TABLE = re.findall(r"^\| (\w+) \| `([^|]+)` \|$", TEXT, re.M)
OF_CORE = [name for name, signature, *_ in cpu.kernels(cpu.selected(), "float64") if signature == "map"]


def of_reference(name):
    """The formula that the docstring of a map's reference begins with."""
    return re.match(r"`([^`]+)`", getattr(maps, name).__doc__ or "")


MAPS = IN_THE_TABLE + [(name, of_reference(name)[1]) for name in OF_CORE if of_reference(name)]
WORDS = {name: getattr(math, name) for name in ("exp", "log", "tanh", "sqrt", "sin", "cos", "pi")} | {
    "s": lambda z: 1 / (1 + math.exp(-z)) if z > -700 else 0.0,
    "Phi": lambda z: (1 + math.erf(z / math.sqrt(2))) / 2,
    "phi": lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
}
V = re.search(r"In gelu_tanh, `v = ([^`]+)`", TEXT)[1]
NUMBERS = [-20.0, -4.0, -3.0, -1.5, -0.3, 0.0, 0.2, 0.5, 1.0, 2.5, 3.0, 8.0]     # with every kink


def value(formula, **names):
    return float(eval(formula, WORDS | names))


def test_the_tables_are_complete():
    activations = {name[:-8] for name in dir(kernels) if name.endswith("_forward")}
    assert {row[0] for row in ACTIVATIONS} == activations - {"softmax"}
    assert {row[0] for row in LOSS_ROWS} <= set(LOSSES) - {"cross_entropy"}  # losses.md has all
    assert set(updates()) == {name[:-7] for name in dir(kernels) if name.endswith("_update")}
    assert sorted(row[0] for row in MAPS) == sorted(OF_CORE)


def test_every_source_is_listed_and_used():
    listed = [int(number) for number in re.findall(r"^(\d+)\. ", TEXT, re.M)]
    named = {int(number) for group in re.findall(r"\[(\d+(?:, \d+)*)\]", TEXT) for number in group.split(", ")}
    assert listed == [*range(1, len(listed) + 1)]
    assert named == set(listed), f"the list at the end of docs/numerics.md, and [n] above it: {named ^ set(listed)}"


@pytest.mark.parametrize(("name", "formula", "slope"), ACTIVATIONS, ids=[row[0] for row in ACTIVATIONS])
def test_activations(name, formula, slope):
    Z = np.array([NUMBERS])
    Y = getattr(kernels, f"{name}_forward")(Z)
    by_hand = [value(formula, z=z, v=value(V, z=z)) for z in NUMBERS]
    assert_allclose(Y[0], by_hand, rtol=1e-11, atol=1e-13)
    backward = getattr(kernels, f"{name}_backward")
    kept = Z if backward.__code__.co_varnames[1] == "Z" else Y
    slopes = [value(slope, z=z, y=y, v=value(V, z=z)) for z, y in zip(NUMBERS, by_hand, strict=True)]
    assert_allclose(backward(np.full_like(Z, 3), kept)[0], 3 * np.array(slopes), rtol=1e-11, atol=1e-13)


def test_softmax_and_its_derivative():
    z, dy = [0.3, -2.0, 1.1], [1.0, 5.0, -2.0]
    y = [math.exp(z_j) / sum(math.exp(z_k) for z_k in z) for z_j in z]
    assert_allclose(kernels.softmax_forward(np.array([z]))[0], y)
    dz = [y[j] * (dy[j] - sum(dy[k] * y[k] for k in range(3))) for j in range(3)]
    assert_allclose(kernels.softmax_backward(np.array([dy]), np.array([y]))[0], dz)


@pytest.mark.parametrize(("name", "formula"), MAPS, ids=[row[0] for row in MAPS])
def test_maps(name, formula):
    A, C = np.array([NUMBERS]), np.array([[1.5]])
    positive, not_zero = ("log", "sqrt", "variable_power"), ("power", "divide")
    A = A[A > 0] if name in positive else A[A != 0] if name in not_zero else A
    B = A[..., ::-1] if name != "equal" else np.round(A)
    operands = [x for word, x in (("a", A), ("b", B), ("c", C)) if re.search(rf"\b{word}\b", formula)]
    k = {"power": -3.0, "variable_power": 2.0}.get(name)
    got = getattr(maps, name)(*operands, **({} if k is None else {"param": k}))
    by_hand = [value(formula, a=float(a), b=float(b), c=1.5, k=k) for a, b in zip(A.flat, B.flat, strict=True)]
    assert_allclose(got.flat, by_hand, rtol=1e-13)


@pytest.mark.parametrize(("name", "formula", "slope", "outputs"), LOSS_ROWS, ids=[row[0] for row in LOSS_ROWS])
def test_losses(name, formula, slope, outputs):
    param = {"huber": 0.7, "quantile": 0.8}.get(name)
    net = Network([Dense(2, 2)], loss=name, param=param)
    net.W[0][:] = np.eye(2)
    Y = np.array([[0.5, -1.0], [2.0, 0.3], [1.0, 1.0]])
    T = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])     # with y = t
    w = np.array([1.0, 2.0, 0.5])
    divisor = 3 * 2 if outputs == "and outputs" else 3

    def total(formula, weights):
        cells = [[value(formula, y=float(y), t=float(t), delta=param, q=param) for y, t in zip(*row, strict=True)]
                 for row in zip(Y, T, strict=True)]
        return weights[:, None] * np.array(cells) / divisor

    assert_allclose(net.loss_and_grad(Y, T, sample_weight=w), total(formula, w).sum())
    assert_allclose(net.db[0], total(slope, w).sum(axis=0))


def updates():
    """{name: its statements} from the text block of the updates."""
    rules, name = {}, ""
    for line in re.search(r"```text\n(decay .+?)```", TEXT, re.S)[1].splitlines():
        name, statement = line[:16].strip() or name, line[16:]
        rules[name] = f"{rules[name]}; {statement}" if name in rules else statement
    decay = rules.pop("decay")
    rules["adamw"] = rules["adamw"].replace("then as adam", rules["adam"])
    return {name: rule if "wd" in rule else f"{decay}; {rule}" for name, rule in rules.items()}


@pytest.mark.parametrize(("name", "rule"), updates().items(), ids=updates())
def test_updates(name, rule):
    hyper = {"lr": 0.1, "eps": 0.01, "beta1": 0.7, "beta2": 0.9}
    net = Network([Dense(1, 1)])
    opt = Optimizer(name, weight_decay=0.2, **hyper)
    net.params[:] = [1.5, -0.5]
    scopes = [{"p": p, "s0": 0.0, "s1": 0.0, "wd": 0.2, "momentum": 0.7, "rho": 0.7, **hyper} for p in net.params]
    for k, gradient in enumerate([[1.0, -0.2], [0.3, 0.0], [-2.0, 0.1]], start=1):
        net.grads[:] = gradient
        opt.step(net)
        for scope, g in zip(scopes, gradient, strict=True):
            scope.update(run(rule, scope | {"g": g, "k": k}))
        assert_allclose(net.params, [scope["p"] for scope in scopes], rtol=1e-12)


def run(rule, names):
    names = WORDS | names
    exec(rule, names)
    return {name: names[name] for name in ("p", "s0", "s1")}


def defaults():
    """[(activations, after what, W, b)] of the page's table."""
    rows, names = [], ""
    for line in re.search(r"```text\nactivation of the layer .+?\n(.+?)```", TEXT, re.S)[1].splitlines():
        names = line[:37].strip() or names
        rows.append((re.findall(r"\w+", names), *re.split(r"  +", line[37:].strip())))
    return rows


@pytest.mark.parametrize("before", [None, "relu", "tanh", "sigmoid", "hard_sigmoid"])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 10])
def test_default_initial_values_are_those_of_the_page(before, depth):
    depth = depth if before else 0
    named = {name for names, *_ in defaults() for name in names}
    for activation in {row[0] for row in ACTIVATIONS} | {"softmax"}:
        wanted = [row for row in defaults() if (activation if activation in named else "others") in row[0]]
        after = "data" if before is None else "sigmoid" if "sigmoid" in before else "anything else"
        exact = [row for row in wanted if row[1] == after] or [row for row in wanted if row[1].startswith("anything")]
        bounds = [0 if bound == "zeros" else bound for bound in initializers.default(activation, before, depth, 7, 5)]
        assert bounds == pytest.approx([value(formula, n=7, u=5, d=depth) for formula in exact[0][2:]]), activation


def word(key, counter):
    """Stream version 2, in the reference's Threefry."""
    low, high = kernels.threefry2x32((key % 2**32, key >> 32), (counter % 2**32, counter >> 32))
    return int(low[0]) | int(high[0]) << 32


KEYS = [0, 1, 2**32, 2**64 - 1, 0x0123456789ABCDEF]


@pytest.mark.parametrize("key", KEYS)
def test_words_uniform_and_normal_numbers(key):
    uniform = [(word(key, i) >> 11) * 2.0**-53 for i in range(12)]
    assert [random.fold(key, i) for i in (0, 5, 2**63 + 1)] == [word(key, i) for i in (0, 5, 2**63 + 1)]
    assert random.uniform((3, 4), key).ravel().tolist() == uniform
    middles = [(word(key, i) >> 11) * 2.0**-53 + 2.0**-54 for i in range(6)]
    assert_allclose(random.normal((6,), key), [statistics.NormalDist().inv_cdf(p) for p in middles], rtol=1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_permutation(key):
    order, perm = list(range(10)), word(key, int.from_bytes(b"perm", "big"))
    for i in range(9, 0, -1):
        bits = word(perm, i // 2) >> 32 if i % 2 else word(perm, i // 2) % 2**32
        j = bits * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    assert random.permutation(10, key).tolist() == order


def test_initial_values_and_order_of_an_epoch():
    net = fb.mlp(3, 4, 2, activation="tanh", dtype="float64", seed=6)
    for number, layer in enumerate(net.layers):
        before = "tanh" if number else None
        bounds = initializers.default(layer.activation, before, number, layer.inputs, layer.units)
        for part, (bound, values) in enumerate(zip(bounds, (layer.W, layer.b), strict=True)):
            key = word(word(6, number), part)
            uniform = np.array([(word(key, i) >> 11) * 2.0**-53 for i in range(values.size)])
            assert_allclose(values.ravel(), bound * (2 * uniform - 1), rtol=1e-12)
    rows = np.arange(7.0)
    assert np.concatenate([xb for xb, _ in fb.batches(rows, rows, 3, seed=8)]).tolist() == \
        rows[random.permutation(7, 8)].tolist()


def test_the_stream_has_the_version_of_the_page():
    assert f"Stream version {random.STREAM_VERSION};" in TEXT
    # Threefry-2x32-20 of the authors' known answers, kat_vectors: key and counter of zeros, and of ones
    assert random.fold(0, 0) == 0x6B200159 | 0x99BA4EFE << 32
    assert random.fold(2**64 - 1, 2**64 - 1) == 0x1CB996FC | 0xBB002BE7 << 32
