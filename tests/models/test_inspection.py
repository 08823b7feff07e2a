"""fastbp/_models/inspection.py: the value and the gradient of any node, and the graph as text."""

import numpy as np
import pytest
from expression_cases import CASES, arrays, leaves, needed
from oracle import close, compiled, each, evaluate

import fastbp as fb
from fastbp import graph as g
from fastbp._ir.node import ordered
from fastbp._models import inspection
from fastbp.reference.value import Value, number


def square_error():
    """(x w + b - y)^2 at x = 2, w = 3, b = 1, y = 5, and its nodes."""
    x, y, w, b = *g.inputs("x", "y"), g.parameter("w", init=3), g.parameter("b", init=1)
    z = x * w + b
    plan = g.compile(g.mean((z - y) ** 2), dtype="float64")
    return plan, {"x": x, "y": y, "w": w, "b": b, "z": z}


@pytest.mark.parametrize("op", sorted(set(CASES) - {"dropout", "penalty"}))
def test_every_node_has_its_value_and_gradient(op):
    """All nodes of all cases against single numbers."""
    for name in CASES[op]:
        loss = CASES[op][name](leaves())
        plan, data = compiled(loss), needed(loss, arrays())
        plan.loss_and_grad(**data)
        given = {name: data[name].reshape(5, -1) for name in plan._of_loss}
        given = {name: one if one.dtype.kind == "i" else each(Value, one) for name, one in given.items()}
        given |= {node: each(Value, plan.parameters[key]) for key, node in plan._names.items()}
        known = evaluate([loss], given, 5)
        known[loss][()].backward()
        real = [node for node in plan.nodes() if not node.attributes.get("integer")]
        for node, value, gradient in zip(real, plan.values(real), plan.grads_of(real), strict=True):
            numbers = known[node]
            assert value.shape == gradient.shape == ((5, *node.shape) if node.batched else node.shape), node
            assert close(value, each(number, numbers).astype(float), 1e-12), (name, node)
            distinct = len({id(one) for one in numbers.ravel()}) == numbers.size  # not one Value shown twice
            alone = distinct and numbers.size > 1 and node.op not in ALIASES and not shares(node, plan.nodes())
            if alone and all(isinstance(one, Value) for one in numbers.ravel()):
                slopes = each(lambda one: one.grad, numbers).astype(float)
                assert close(gradient, slopes, 1e-11), (name, node)


def shares(node, nodes):
    """Whether another node holds the very same numbers: their gradients are of all their readers together."""
    return any(one.op in ALIASES and any(child is node for child in one.inputs) for one in nodes)


# operations of the oracle that hand on the Values of what they are made from
ALIASES = {"reshape", "slice", "expand", "concat", "pad", "gather", "transpose", "freeze", "loss_gradient", "scatter"}


def test_values_and_gradients_by_hand():
    plan, nodes = square_error()
    plan.loss_and_grad(x=[2.0], y=[5.0])
    values = {"x": 2, "y": 5, "w": 3, "b": 1, "z": 7}
    slopes = {"x": 2 * 2 * 3, "y": -4, "w": 8, "b": 4, "z": 4}
    for name, node in nodes.items():
        assert plan.value(node) == values[name]
        assert plan.grad(node) == slopes[name]
    assert plan.value(plan.loss_node) == 4
    assert plan.grad(plan.loss_node) == 1


def test_they_are_those_of_the_last_data_and_of_the_parameters_as_they_are():
    plan, nodes = square_error()
    plan.loss_and_grad(x=[2.0], y=[5.0])
    plan.loss_and_grad(x=[1.0, 3.0], y=[5.0, 5.0])
    assert plan.value(nodes["z"]).tolist() == [[4], [10]]
    for x in (2.0, 4.0, 6.0):  # as they are, so that the call before is made again
        plan.loss_and_grad(x=np.array([x]), y=np.array([5.0]))
        assert plan.value(nodes["z"]) == 3 * x + 1
    plan.loss_and_grad(x=[1.0, 3.0], y=[5.0, 5.0])
    plan.parameters["b"][...] = 0
    assert plan.value(nodes["z"]).tolist() == [[3], [9]]


def test_a_node_that_the_loss_does_not_depend_on_has_zeros():
    x, a = g.input("x"), g.parameter("a", init=1.0)
    frozen = g.freeze(a * 2)
    plan = g.compile(g.mean(x * a * frozen), {"y": x * 3}, dtype="float64")
    plan.loss_and_grad(x=[1.0, 2.0])
    assert plan.grad(frozen.inputs[0]) == 0
    assert plan.grad(frozen) == 1.5


def test_looks_do_not_disturb_a_training():
    layer, x = fb.Dense(3, 2), g.input("x", 3)
    net = fb.Dropout(0.5)(g.tanh(layer(x)))
    data, found = np.ones((8, 3)), []
    for looking in (False, True):
        plan = g.compile(g.mean(net * net), seed=1)
        for _ in range(3):
            plan.loss_and_grad(x=data)
            if looking:
                grads = plan.grads.copy()
                plan.value(net)
                plan.grad(net)
                plan.show()
                assert (plan.grads == grads).all()
            fb.SGD(lr=0.1).step(plan)
        found.append(plan.params.tobytes())
    assert found[0] == found[1]


# ---- the graph as text ---------------------------------------------------------------------------------------------


def test_show_by_hand():
    plan, _ = square_error()
    structure = plan.show()
    assert structure.splitlines() == [
        "%0 = input x",
        "%1 = parameter w",
        "%2 = multiply %0, %1",
        "%3 = parameter b",
        "%4 = add %2, %3",
        "%5 = input y",
        "%6 = subtract %4, %5",
        "%7 = square %6",
        "%8 = total %7",
    ]
    plan.loss_and_grad(x=[2.0], y=[5.0])
    lines = plan.show().splitlines()
    assert [
        line[: len(bare)] for line, bare in zip(lines, structure.splitlines(), strict=True)
    ] == structure.splitlines()
    assert lines[2].split("value ")[1] == "6   grad 4"
    assert lines[8].split("value ")[1] == "4   grad 1"


def test_show_of_an_expression():
    x, a = g.input("x"), g.parameter("a", init=2.0)
    loss = g.mean(g.tanh(x * a) ** 3)
    assert "value" not in g.show(loss)
    assert "%3 = tanh %2" in g.show(loss, x=[1.0, 2.0])
    assert "value 8" in g.show(g.parameter("b", init=2.0) ** 3)  # without inputs there is nothing to ask for
    assert g.show(g.compile(loss)) == g.show(loss)


@pytest.mark.parametrize(
    "array,text",
    [
        (3.14159265, "3.142"),
        ([1.0, 2.5], "[1 2.5]"),
        (np.arange(10.0), "(10,) mean 4.5, 0 .. 9"),
        ([[0.5]], "0.5"),
    ],
)
def test_numbers_in_a_few_characters(array, text):
    assert inspection.numbers(array) == text


def test_labels_say_what_a_node_is():
    x, i = g.input("x", 3), g.input("i", integer=True)
    layer = fb.Dense(3, 2)
    text = g.show(g.mean(layer(x) ** 3 / 7) + g.cross_entropy(x, i))
    for part in ("power 3", "cross_entropy", "parameter layer0.W", "input i", "0.1429"):
        assert part in text, part


# ---- refused -------------------------------------------------------------------------------------------------------


def test_looks_that_are_refused():
    plan, nodes = square_error()
    with pytest.raises(RuntimeError, match=r"there are no values before a step; call loss_and_grad first"):
        plan.value(nodes["z"])
    plan.loss_and_grad(x=[2.0], y=[5.0])
    for what in (nodes["z"] + 1, g.input("x")):
        with pytest.raises(
            ValueError, match=r"is not a node of this loss, expected one that it was made from; compile"
        ):
            plan.value(what)
    for what in (1.0, "z", None):
        for look in (plan.value, plan.grad):
            with pytest.raises(ValueError, match=r"is not a node of this loss, expected one"):
                look(what)


def test_an_integer_input_has_no_value_or_gradient():
    T, i = g.parameter("T", (3, 2)), g.input("i", integer=True)
    plan = g.compile(g.mean(g.gather(T, i)))
    plan.loss_and_grad(i=[0, 2])
    with pytest.raises(TypeError, match=r"<data 'i' \(batch, 1\)> is of integers, which the caller has"):
        plan.value(i)
    assert "input i" in plan.show()
    assert any(node is i for node in ordered([plan.loss_node]))


def test_long_lines_are_broken_between_words():
    """Beyond the width of a screen value and gradient stand beneath their node, and a long list of operands goes on."""
    x, W = g.input("x", 12), g.parameter("weights_of_the_first_layer", (12, 5))
    plan = g.compile(g.mean(g.concat([g.tanh(x @ W + i) for i in range(30)]) ** 2), dtype="float64")
    bare = plan.show()
    plan.loss_and_grad(x=np.random.default_rng(0).normal(size=(7, 12)) * 1e-5)
    made = plan.show()
    assert max(map(len, (bare + "\n" + made).splitlines())) <= 79
    lines = made.splitlines()
    at = lines.index("%1 = parameter weights_of_the_first_layer")
    value, grad = plan.value(W), plan.grad(W)
    assert lines[at + 1 : at + 3] == [
        f"      value {inspection.numbers(value)}",
        f"      grad {inspection.numbers(grad)}",
    ]
    words = " ".join(made.split())
    last = lines[next(i for i, line in enumerate(lines) if " = concat" in line)].split(" = ")[0]
    operands = ", ".join(line.split(" = ")[0] for line in lines if " = tanh" in line)
    assert f"{last} = concat {operands} value (7, 150) mean" in words
