"""fastbp/_ir/node.py: nodes, shapes, their order, differentiation; and that every operation is tested."""

import numpy as np
import pytest
from expression_cases import BINARY, CASES, UNARY, arrays, case, ending, leaves, needed
from oracle import close, compiled, known_operations

import fastbp as fb  # noqa: F401 -- all operations are registered
from fastbp import graph as g
from fastbp._ir.elementwise import total_of
from fastbp._ir.node import (
    OPERATIONS,
    TAKES_INTEGERS,
    Node,
    broadcast,
    constant,
    differentiate,
    layout,
    node_of,
    ordered,
)

DEEP = 30_000  # nodes in a chain: far more than the interpreter's stack of calls
LEAVES = {"data", "parameter", "constant"}
# what layers' penalties, gradients of single samples and accuracies are made of, in the graphs of plans only
INSIDE = {"penalty_gradient", "outer", "correct"}


# ---- every operation -----------------------------------------------------------------------------------------------


def test_every_operation_has_a_case_and_an_oracle():
    assert set(OPERATIONS) == LEAVES | INSIDE | set(BINARY) | set(UNARY) | set(CASES)
    assert set(OPERATIONS) == known_operations() | INSIDE | {"penalty"}


@pytest.mark.parametrize("op", CASES)
def test_a_case_has_its_operation_in_it(op):
    """In the loss, or in its first or second derivative."""
    found = set()
    for name in CASES[op]:
        loss, _ = case(op, name)
        wanted = [node for node in ordered([loss]) if node.op == "parameter"]
        gradients = differentiate(loss, constant(1.0), wanted, add=total_of)
        found |= {node.op for node in ordered([loss, *gradients.values()])}
        found |= {"penalty"} if any("penalty" in node.attributes for node in wanted) else set()
    assert op in found


def test_every_operation_but_leaves_and_freeze_says_its_derivative():
    without = {name for name, row in OPERATIONS.items() if row.derivative is None}
    assert without == LEAVES | INSIDE | {"freeze"}


def test_a_derivative_answers_for_each_input():
    for op in CASES:
        for name in CASES[op]:
            loss, _ = case(op, name)
            for node in ordered([loss]):
                if OPERATIONS[node.op].derivative is not None:
                    dy = constant(np.ones(node.shape))
                    assert len(list(OPERATIONS[node.op].derivative(node, dy))) == len(node.inputs), node


def test_gradients_have_the_shape_of_what_they_are_for():
    for op in CASES:
        for name in CASES[op]:
            loss, _ = case(op, name)
            nodes = [node for node in ordered([loss]) if not node.attributes.get("integer")]
            for node, gradient in differentiate(loss, constant(1.0), nodes, add=total_of).items():
                same = (gradient.shape, gradient.batched) == (node.shape, node.batched)
                assert same or gradient.op in ("constant", "expand") or gradient.size == 1, (op, name, node, gradient)


# ---- nodes ---------------------------------------------------------------------------------------------------------


def test_a_node_says_what_it_is():
    W, x = g.parameter("W", (2, 3)), g.input("x", 4)
    assert (W.op, W.inputs, W.batched, W.shape, W.size, W.width, W.rows, W.ndim) == (
        "parameter",
        (),
        False,
        (2, 3),
        6,
        3,
        2,
        2,
    )
    assert (x.op, x.batched, x.shape, x.size, x.width, x.ndim) == ("data", True, (4,), 4, 4, 2)
    assert repr(W) == "<parameter 'W' (2, 3)>"
    assert repr(x) == "<data 'x' (batch, 4)>"
    assert repr(g.constant(1.0)) == "<constant ()>"
    with pytest.raises(AttributeError, match="a 'parameter' node has no 'rate'"):
        W.rate  # noqa: B018


@pytest.mark.parametrize("name", ["inputs", "shape", "op", "batched", "attributes", "rate"])
def test_a_node_does_not_change(name):
    x = g.input("x")
    plan = g.compile(g.mean(x))
    with pytest.raises(
        AttributeError, match=rf"{name} of <data 'x' \(batch, 1\)> cannot change: plans are .*; make a new"
    ):
        setattr(x, name, ())
    assert plan.loss(x=[2.0]) == 2.0


def test_nodes_are_told_apart_by_identity():
    x, same = g.input("x"), g.input("x")
    assert isinstance(x == same, Node)  # a condition
    assert len({x, same}) == 2


def test_a_constant_is_a_copy():
    array = np.ones(3)
    node = g.constant(array)
    array[:] = 5
    assert node.value.tolist() == [1, 1, 1]


@pytest.mark.parametrize("op,place", [("add", 0), ("dense", 0), ("total", 0), ("slice", 0), ("gather", 0), ("loss", 0)])
def test_integers_go_where_they_are_meant(op, place):
    assert TAKES_INTEGERS.get(op) != place
    i, x = g.input("i", integer=True), g.input("x")
    operands = (i, x) if op in ("add", "dense", "gather", "loss") else (i,)
    with pytest.raises(
        TypeError, match=rf"{op}: operand <data 'i' \(batch, 1\)> is of integers, expected real .*; declare"
    ):
        Node(op, operands, batched=True, shape=(1,))


@pytest.mark.parametrize("value", [2, 2.5, np.float32(1), [1, 2], np.ones((2, 2)), True])
def test_numbers_are_nodes_of_constants(value):
    node = node_of(value)
    assert node.op == "constant"
    assert (node.value == np.asarray(value)).all()


# ---- shapes --------------------------------------------------------------------------------------------------------


def test_shapes_that_broadcast():
    x, y, a, M, b = g.input("x", 3), g.input("y"), g.parameter("a", 3), g.parameter("M", (2, 3)), g.parameter("b")
    u = g.reshape(g.input("f", 6), (2, 3))
    for nodes, expected in (
        ([x, y], (True, (3,))),
        ([x, a, b], (True, (3,))),
        ([a, M], (False, (2, 3))),
        ([b], (False, ())),
        ([u, a], (True, (2, 3))),
        ([u, y], (True, (2, 3))),
        ([y, a], (True, (3,))),
    ):
        assert broadcast("", nodes) == expected


def test_how_strides_say_it():
    u, y, a, M = g.reshape(g.input("f", 6), (2, 3)), g.input("y"), g.parameter("a", 3), g.parameter("M", (2, 3))
    assert layout(True, (2, 3), [u, a]) == (2, 3, [(True, 1), (False, 1)])
    assert layout(True, (2, 3), [u, y]) == (1, 6, [(True, 1), (True, 0)])
    assert layout(False, (2, 3), [M, a]) == (2, 3, [(True, 1), (False, 1)])
    with pytest.raises(ValueError):
        layout(True, (2, 3), [u, g.input("x", 3)])


# ---- order ---------------------------------------------------------------------------------------------------------


def test_every_node_comes_after_its_inputs_and_once():
    for op in CASES:
        for name in CASES[op]:
            order = ordered([case(op, name)[0]])
            place = {node: i for i, node in enumerate(order)}
            assert len(place) == len(order)
            assert all(place[child] < place[node] for node in order for child in node.inputs)


def test_roots_come_in_the_order_given():
    a, b = g.inputs("a", "b")
    total = a + b
    assert ordered([b, total]) == [b, a, total]
    assert ordered([total, b]) == [a, b, total]
    assert ordered([]) == []


def test_a_long_chain_is_no_problem():
    """Neither ordering, nor differentiating, nor forgetting it calls itself once a node."""
    node = first = g.input("x")
    for _ in range(DEEP):
        node = g.sin(node)
    order = ordered([node])
    assert len(order) == DEEP + 1
    assert order[0] is first
    gradient = differentiate(node, constant(1.0), [first], add=total_of)[first]
    assert len(ordered([gradient])) > 2 * DEEP
    del order, node, gradient


def test_a_cycle_is_refused():
    x = g.input("x")
    inner = g.sin(x)
    outer = g.cos(inner)
    object.__setattr__(inner, "inputs", (outer,))
    for use in (lambda: ordered([outer]), lambda: g.compile(g.mean(outer)), lambda: g.grad(outer, inner)):
        with pytest.raises(
            ValueError, match=r"the graph has a cycle through <.*>, expected nodes .*; do not write into"
        ):
            use()
    object.__setattr__(inner, "inputs", (inner,))
    with pytest.raises(ValueError, match="the graph has a cycle"):
        ordered([inner])


# ---- differentiation -----------------------------------------------------------------------------------------------


def test_no_node_is_made_for_what_is_not_wanted(monkeypatch):
    made, real = [], Node.__init__

    def counted(node, op, *arguments, **attributes):
        made.append(op)
        real(node, op, *arguments, **attributes)

    s = leaves()
    loss = g.squared_error(g.dense(g.dense(s.x, s.W, s.c, "sigmoid"), s.V, s.a), s.z)
    monkeypatch.setattr(Node, "__init__", counted)
    differentiate(loss, constant(1.0), [s.a], add=total_of)
    assert made == ["constant", "loss_gradient", "batch_sum"]
    made.clear()
    differentiate(loss, constant(1.0), [s.W, s.V], add=total_of)
    assert made.count("input_gradient") == 1  # the second layer's; that of the data is not needed
    assert made.count("weight_gradient") == 2


def test_gradients_of_a_shared_node_are_added():
    a = g.parameter("a", init=0.5)
    shared = g.exp(a)
    plan = compiled(g.sin(shared) + shared * shared)
    plan.parameters["a"][...] = 0.5
    _, grads = plan.loss_and_grad()
    e = np.exp(0.5)
    assert grads["a"] == pytest.approx(e * (np.cos(e) + 2 * e), rel=1e-14)


def test_what_the_root_does_not_depend_on_has_no_gradient():
    a, b = g.parameter("a"), g.parameter("b")
    root = a * 2
    assert list(differentiate(root, constant(1.0), [b, a], add=total_of)) == [a]
    seed = constant(1.0)
    assert differentiate(root, seed, [root], add=total_of) == {root: seed}


def test_held_nodes_are_independent():
    """d (a b) / d a where b is made from a, but held."""
    a = g.parameter("a")
    b = a * a
    found = differentiate(a * b, constant(1.0), [a], add=total_of, held=[b])[a]
    assert close(compiled(found, low=2, high=2).loss(), 4.0, 0)


def test_an_ending_needs_its_data_only():
    s = leaves()
    assert set(needed(ending(s.x * s.y), arrays())) == {"x", "y"}
