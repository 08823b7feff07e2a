"""fastbp/reference/value.py and operations.py: by hand, by central differences, against kernels.py and NumPy."""

import math
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from derivatives import agree_with_differences, differentiate, gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from fastbp import reference
from fastbp.reference import Value, kernels, logsumexp, max_, mean, show, softmax, sum_, where
from fastbp.reference.gradcheck import gradcheck
from fastbp.reference.operations import OPERATIONS
from fastbp.reference.value import apply

EXACT = {"rtol": 1e-13, "atol": 1e-15}


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_a_neuron_by_hand():
    """z = w a + b, a' = s(z), C = (a' - y)^2, symbol by symbol."""
    w, a, b, y = Value(0.7, "w"), Value(-1.5, "a"), Value(0.4, "b"), Value(1.0, "y")
    z = w * a + b
    a_after = z.sigmoid()
    C = (a_after - y) ** 2
    C.backward()

    assert z.data == pytest.approx(0.7 * -1.5 + 0.4)                                # -0.65
    s = 1 / (1 + math.exp(0.65))                                                    # 0.342990
    slope = s * (1 - s)                                                             # s'(z) = 0.225348
    assert (a_after.data, C.data) == pytest.approx((s, (s - 1) ** 2))
    assert C.grad == 1
    assert a_after.grad == pytest.approx(2 * (s - 1))                               # dC/da' = 2 (a' - y)
    assert z.grad == pytest.approx(slope * 2 * (s - 1))                             # dC/dz  = s'(z) 2 (a' - y)
    assert w.grad == pytest.approx(-1.5 * slope * 2 * (s - 1))                      # dC/dw  = a s'(z) 2 (a' - y)
    assert b.grad == pytest.approx(slope * 2 * (s - 1))                             # dC/db  = s'(z) 2 (a' - y)
    assert a.grad == pytest.approx(0.7 * slope * 2 * (s - 1))                       # dC/da  = w s'(z) 2 (a' - y)
    assert y.grad == pytest.approx(-2 * (s - 1))
    assert w.grad == pytest.approx(0.444167, abs=5e-7)


def test_a_sum_copies_a_product_crosses_and_branches_add():
    x, y = Value(3.0), Value(5.0)
    assert gradients(x + y, [x, y]) == [1, 1]
    assert gradients(x - y, [x, y]) == [1, -1]
    assert gradients(x * y, [x, y]) == [5, 3]
    assert gradients(x * x + x * y, [x, y]) == [2 * 3 + 5, 3]
    assert gradients(x + x, [x]) == [2]
    assert gradients(x, [x]) == [1]


def test_a_curve_is_fitted_by_the_textbook_loop():
    points = [(x / 4, 1 - x / 2 + 0.75 * (x / 4) ** 2) for x in range(-4, 5)]
    k = [Value(0.0, f"k{i}") for i in range(3)]
    for _ in range(300):
        loss = mean([(sum_([k_i * x ** i for i, k_i in enumerate(k)]) - y) ** 2 for x, y in points])
        loss.backward()
        for k_i in k:
            k_i.data -= 0.4 * k_i.grad
    assert [k_i.data for k_i in k] == pytest.approx([1.0, -2.0, 0.75], abs=1e-6)


# ---- every operation -------------------------------------------------------------------------------------------------

SMOOTH = [-2.3, -0.7, 0.4, 1.9]                         # no kink of any activation
UNARY = {"negative", "square", "abs", "exp", "sin", "cos", "linear", "relu", "leaky_relu", "elu", "selu", "sigmoid",
         "hard_sigmoid", "tanh", "softsign", "softplus", "normal_cdf", "gelu", "gelu_tanh", "silu", "mish"}
PAIRS = [(0.8, -1.3), (-0.6, 2.1), (2.2, 0.9)]
AT = {name: [(x,) for x in SMOOTH] for name in sorted(UNARY)} | {
    "log": [(0.3,), (2.5,)], "sqrt": [(0.3,), (2.5,)], "power": [(0.8, -1.3), (2.2, 0.9)],
    "where": [(condition, *pair) for condition in (0.0, 1.0) for pair in PAIRS],
    "add": [*PAIRS, (1.0, -2.0, 0.5)], "subtract": PAIRS, "multiply": PAIRS, "divide": PAIRS, "less": PAIRS,
    "less_equal": PAIRS, "equal": PAIRS, "maximum": [*PAIRS, (1.0, -2.0, 3.0)], "minimum": [*PAIRS, (1.0, -2.0, 3.0)],
}


def test_every_operation_is_checked():
    assert set(AT) - set(OPERATIONS) == {"gelu", "gelu_tanh", "silu", "mish"}
    assert set(OPERATIONS) - set(AT) == set()


@pytest.mark.parametrize(("name", "numbers"), [(name, x) for name in AT for x in AT[name]])
def test_derivatives_are_those_of_central_differences(name, numbers):
    assert agree_with_differences(getattr(Value, name), *numbers)


def test_every_activation_of_operations_is_a_kernel():
    named = {"gelu", "gelu_tanh", "silu", "mish", "exponential"}  # composed of operations, by methods
    assert named <= set(kernels.ACTIVATIONS)
    assert len([name for name in kernels.ACTIVATIONS if hasattr(Value, name)]) == 15


@pytest.mark.parametrize("name", [name for name in kernels.ACTIVATIONS if hasattr(Value, name) or name == "softmax"])
def test_activations_are_the_kernels(name):
    """With every kink; softmax takes all the numbers as one row."""
    numbers = [-20.0, -4.0, -3.0, -1.5, -0.3, 0.0, 0.2, 0.5, 1.0, 2.5, 3.0, 8.0]
    dY = np.linspace(-1, 2, len(numbers))[None]
    Z = np.array([numbers])
    Y = getattr(kernels, f"{name}_forward")(Z)
    backward = getattr(kernels, f"{name}_backward")
    dZ = backward(dY, Z if backward.__code__.co_varnames[1] == "Z" else Y)

    z = [Value(x) for x in numbers]
    y = softmax(z) if name == "softmax" else [getattr(z_j, name)() for z_j in z]
    assert_allclose([y_j.data for y_j in y], Y[0], **EXACT)
    total = sum_([y_j * dy_j for y_j, dy_j in zip(y, dY[0], strict=True)])
    assert_allclose(gradients(total, z), dZ[0], **EXACT)


@pytest.mark.parametrize(("f", "numbers", "gradient"), [
    (Value.relu, [0.0], [0]), (Value.abs, [0.0], [0]), (Value.leaky_relu, [0.0], [0.01]), (Value.elu, [0.0], [1]),
    (Value.selu, [0.0], [1.0507009873554805 * 1.6732632423543772]), (Value.hard_sigmoid, [3.0], [0]),
    (Value.hard_sigmoid, [-3.0], [0]), (Value.maximum, [2.0, 2.0], [0.5, 0.5]), (Value.minimum, [2.0, 2.0], [0.5, 0.5]),
    (lambda *x: max_(x), [4.0, 1.0, 4.0, 4.0], [1 / 3, 0, 1 / 3, 1 / 3]), (lambda x: x.maximum(x), [2.0], [1]),
    *[(lambda x: x.clip(-1, 1), [x], [slope]) for x, slope in [(-2, 0), (-1, 0.5), (0.9, 1), (1, 0.5), (2, 0)]],
    (lambda x: x ** 0, [0.0], [0]), (lambda x: x ** 1, [0.0], [1]), (lambda x: x ** 2, [0.0], [0]),
    (Value.where, [1.0, 7.0, 8.0], [0, 1, 0]), (Value.where, [0.0, 7.0, 8.0], [0, 0, 1])])
def test_derivatives_at_kinks(f, numbers, gradient):
    assert differentiate(f, *numbers)[1] == gradient


OPERATORS = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / b, lambda a, b: a ** b,
             lambda a, b: -a, lambda a, b: abs(a), lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b,
             lambda a, b: a >= b]


@pytest.mark.parametrize("f", OPERATORS)
@pytest.mark.parametrize(("a", "b"), [(1.7, 2.6), (2.6, 1.7), (2.0, 2.0), (3, np.float64(0.5)), (np.float64(0.5), 3)])
def test_operators_are_those_of_numbers(f, a, b):
    for x, y in ((Value(a), Value(b)), (Value(a), b), (a, Value(b))):
        result = f(x, y)
        assert float(result.data if isinstance(result, Value) else result) == pytest.approx(float(f(a, b)), rel=1e-15)
        assert isinstance(result, Value) or x is a      # -a and abs(a) of a plain a are plain
    if a != b:
        assert agree_with_differences(f, a, b)
        assert agree_with_differences(lambda x: f(x, b), a)
        assert agree_with_differences(lambda y: f(a, y) + 0 * y, b)


def test_a_power_of_a_value():
    value, (dx, dy) = differentiate(lambda x, y: x ** y, 2.0, 3.0)
    assert (value, dx, dy) == pytest.approx((8, 3 * 2 ** 2, 8 * math.log(2)))
    assert math.isnan((Value(-2.0) ** Value(2.5)).data)
    assert (Value(-2.0) ** 3).data == (Value(-2.0) ** Value(3.0)).data == -8
    for n, slopes in ((0.0, (0, 0)), (1.0, (1, 0)), (2.0, (0, 0))):  # at 0 the limits, where there are any
        assert differentiate(lambda x, y: x ** y, 0.0, n)[1] == list(slopes)


def test_comparisons_are_numbers_and_true_or_false():
    a, b = Value(1.0), Value(2.0)
    assert ((a < b).data, (a > b).data, (a <= a).data, (a >= b).data) == (1, 0, 1, 0)
    assert (a.equal(1).data, a.equal(b).data, a.less(1).data, a.less_equal(1).data) == (1, 0, 0, 1)
    assert a < b
    assert not a > b
    assert max(a, b) is b
    assert sorted([b, a]) == [a, b]
    assert a != Value(1.0)                              # another node
    assert gradients(where(a < b, a * 3, b) + (a < b), [a, b]) == [3, 0]


# ---- numbers at the edge ---------------------------------------------------------------------------------------------

EDGES = [0.0, -0.0, 1.0, -1.0, 1.5, 2.0, -3.0, 309.0, -309.0, 1e200, -1e200, 1e-200, math.inf, -math.inf, math.nan]
UFUNCS = ["add", "subtract", "multiply", "divide", "negative", "power", "square", "sqrt", "abs", "exp", "log", "sin",
          "cos", "tanh", "maximum", "minimum", "less", "less_equal", "equal"]


@pytest.mark.parametrize("name", UFUNCS)
def test_edges_are_numpys(name):
    """Infinities with their signs, NaN, and no exception."""
    ufunc = getattr(np, name)
    for numbers in product(EDGES, repeat=ufunc.nin):
        with np.errstate(all="ignore"):
            expected = float(ufunc(*map(np.float64, numbers)))
        assert_allclose(apply(name, *numbers).data, expected, rtol=1e-15, err_msg=str(numbers))


@pytest.mark.parametrize("name", AT)
def test_no_number_raises(name):
    for numbers in product(EDGES, repeat=len(AT[name][0])):
        value, gradient = differentiate(getattr(Value, name), *numbers)
        assert isinstance(value, float)
        assert all(isinstance(slope, float) for slope in gradient)


@pytest.mark.parametrize(("f", "numbers", "value", "gradient"), [
    (Value.sigmoid, [1000.0], 1, [0]), (Value.sigmoid, [-1000.0], 0, [0]), (Value.softplus, [1000.0], 1000, [1]),
    (Value.softplus, [-1000.0], 0, [0]), (lambda *x: logsumexp(x), [1000.0, 1000.0], 1000 + math.log(2), [0.5, 0.5]),
    (lambda *x: logsumexp(x), [-1000.0, -1000.0], -1000 + math.log(2), [0.5, 0.5]),
    (lambda *x: softmax(x)[0], [1e4, -1e4], 1, [0, 0]), (Value.silu, [-1000.0], 0, [0]), (Value.gelu, [-1e200], 0, [0]),
    (Value.mish, [1e200], 1e200, [1]), (Value.sqrt, [0.0], 0, [math.inf]), (Value.log, [0.0], -math.inf, [math.inf])])
def test_large_numbers_do_not_overflow(f, numbers, value, gradient):
    assert differentiate(f, *numbers) == (pytest.approx(value), pytest.approx(gradient))


def test_logsumexp_of_nothing_possible_is_minus_infinity():
    assert logsumexp([-math.inf, -math.inf]).data == -math.inf
    assert logsumexp([math.inf, 0.0]).data == math.inf
    assert math.isnan(logsumexp([0.0, math.nan]).data)


def test_small_results_keep_their_digits():
    assert_allclose(Value(-40.0).sigmoid().data, math.exp(-40), rtol=1e-14)
    assert_allclose(Value(-40.0).softplus().data, math.exp(-40), rtol=1e-14)
    assert_allclose(Value(-1e-12).elu().data, -1e-12, rtol=1e-11)
    assert_allclose(Value(-10.0).normal_cdf().data, 7.619853024160525e-24, rtol=1e-12)      # Phi(-10), from tables


# ---- the graph -------------------------------------------------------------------------------------------------------

STEPS = {  # bounded, so that central differences stay good however many follow one another
    "mean": lambda a, b: (a + b) / 2, "difference": lambda a, b: (a - b) * 0.5, "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / (2 + b * b), "power": lambda a, b: (1.5 + a.tanh()) ** b.sin(),
    "tanh": lambda a, b: a.tanh(), "softplus": lambda a, b: (a - 1).softplus(), "cos": lambda a, b: (a + b).cos(),
    "exp": lambda a, b: (-a * a).exp(), "gelu": lambda a, b: a.gelu(), "logsumexp": lambda a, b: logsumexp([a, b]) - 1,
    "softmax": lambda a, b: softmax([a, b, a * b])[0],
}


STEP = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 99), st.integers(0, 99))


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=3), st.lists(STEP, min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_random_graphs_against_central_differences(numbers, steps):
    def f(*inputs):
        nodes = list(inputs)
        for name, i, j in steps:
            nodes.append(STEPS[name](nodes[i % len(nodes)], nodes[j % len(nodes)]))
        return nodes[-1] + 1                            # differences know a slope to the rounding of what is within

    _, gradient = differentiate(f, *numbers)
    assert gradcheck(lambda x: f(*map(Value, x)).data, numbers, gradient).error < 1e-6


def test_nodes_come_once_and_after_their_inputs():
    x, y = Value(2.0), Value(3.0)
    late = Value(5.0)
    a = x * y
    b = (a + x) * a.sin() + late
    unused = a * 7
    nodes = b.nodes()
    assert len(nodes) == len(set(nodes)) == 8           # x, y, late, a, a + x, sin, product, b
    assert unused not in nodes
    place = {node: i for i, node in enumerate(nodes)}
    assert all(place[x] < place[node] for node in nodes for x in node.inputs)
    assert nodes[-1] is b


def test_a_diamond_of_diamonds_is_walked_once():
    """2^20 ways lead from the end to x."""
    x = y = Value(1.5)
    for _ in range(20):
        y = y + y
    assert len(y.nodes()) == 21
    assert gradients(y, [x]) == [2.0 ** 20]


def test_a_second_backward_starts_afresh():
    x, y = Value(3.0), Value(4.0)
    a = x * y
    b = a + x
    b.backward()
    b.backward()
    assert (x.grad, y.grad, a.grad, b.grad) == (5, 3, 1, 1)
    (a * a).backward()
    assert (x.grad, y.grad, a.grad) == (2 * 12 * 4, 2 * 12 * 3, 2 * 12)
    assert b.grad == 1                                  # out of reach: as it was
    assert Value(1.0).grad == 0


def test_a_chain_of_100_000_nodes_is_run_and_freed():
    """In a process of its own: what recursed would overflow the stack of C."""
    program = """if True:
        from fastbp.reference import Value
        x = y = Value(1.0)
        for i in range(100_000):
            y = y * 0.5 + 1.0 if i % 2 else y * 2
        y.backward()
        assert len(y.nodes()) == 150_001 and x.grad == 1.0, x.grad
        del y
        print(x.data)"""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0\n", "")
    assert time.perf_counter() - start < 20             # takes 1.5 s with its start


def test_an_operation_is_a_row(monkeypatch):
    monkeypatch.setitem(OPERATIONS, "cube", (lambda x: x ** 3, lambda y, x: [3 * x ** 2]))
    x = Value(2.0)
    assert gradients(apply("cube", x) * 5, [x]) == [60]


def test_numbers_are_constants_without_a_node():
    x = Value(2.0)
    y = 1 + x * 3
    assert len(y.nodes()) == 3
    assert y.inputs[1] == 1


def test_numpys_numbers_on_the_left_leave_the_operation_to_the_value():
    x = Value(3.0)
    assert gradients(np.float64(2) * x, [x]) == [2]
    assert isinstance(np.float64(2) < x, Value)


def test_what_is_no_number_is_refused():
    for wrong in ("a", None, [1.0]):
        with pytest.raises((TypeError, ValueError), match=r"float"):
            Value(1.0) + wrong


# ---- to be read ------------------------------------------------------------------------------------------------------


def test_show():
    w, a, b = Value(0.5, "w"), Value(2.0, "a"), Value(-1.0, "bias")
    C = ((w * a + b).sigmoid() - 1) ** 2
    C.name = "C"
    C.backward()
    assert show(C).splitlines() == [
        "node  operation        value  gradient",
        "w                      0.5    -0.5",
        "a                      2      -0.125",
        "bias                   -1     -0.25",
        "#4    multiply(w, a)   1      -0.25",
        "#5    add(#4, bias)    0      -0.25",
        "#6    sigmoid(#5)      0.5    -1",
        "#7    subtract(#6, 1)  -0.5   -1",
        "C     power(#7, 2)     0.25   1"]
    assert (repr(w), repr(Value(2))) == ("Value(0.5, 'w')", "Value(2.0)")


def test_the_graph_uses_no_numpy():
    folder = Path(reference.__file__).parent
    for name in ("value.py", "operations.py"):
        assert "import numpy" not in (folder / name).read_text()
