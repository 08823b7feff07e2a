"""fastbp/graph.py: nodes, their order, and differentiation as a rewrite."""

import numpy as np
import pytest

from fastbp import graph, losses

DEEP = 100_000  # nodes in a chain: far more than the interpreter's stack of calls


def two_layers(l2=0.0):
    """(x, (W0, b0, W1, b1), loss) of a 4-3-2 network with sigmoid inside."""
    x = graph.data("X", 4)
    W0, b0 = graph.parameter(0, (4, 3)), graph.parameter(12, (3,))
    W1, b1 = graph.parameter(15, (3, 2)), graph.parameter(21, (2,))
    y = graph.dense(graph.dense(x, W0, b0, "sigmoid"), W1, b1, "linear")
    loss = graph.loss(y, graph.data("targets", 2), losses.get("squared_error"))
    return x, (W0, b0, W1, b1), graph.add(loss, graph.penalty(W0, 0.0, l2)) if l2 else loss


def names(nodes):
    return [node.op for node in nodes]


# ---- nodes ---------------------------------------------------------------------------------------------------------


def test_a_node_says_what_it_is():
    W = graph.parameter(7, (4, 3))
    assert (W.op, W.inputs, W.width, W.offset, W.shape) == ("parameter", (), 3, 7, (4, 3))
    assert repr(W) == "<parameter 3>"
    with pytest.raises(AttributeError, match="a 'parameter' node has no 'rate'"):
        W.rate  # noqa: B018


def test_the_widths_of_operations():
    x, (W0, b0, *_), loss = two_layers()
    hidden = graph.dense(x, W0, b0, "relu")
    assert (x.width, hidden.width, graph.dropout(hidden, 0.5, 1).width, loss.width) == (4, 3, 3, 0)
    assert hidden.inputs == (x, W0, b0)
    assert graph.penalty(W0, 0.1, 0.2).width == 0


def test_a_sum_of_one_node_is_that_node():
    x = graph.data("X", 4)
    assert graph.add(x) is x
    assert graph.add(x, x).inputs == (x, x)


def test_nodes_are_told_apart_by_identity():
    x, same = graph.data("X", 4), graph.data("X", 4)
    assert x != same
    assert len({x, same}) == 2


# ---- order ---------------------------------------------------------------------------------------------------------


def test_every_node_comes_after_its_inputs_and_once():
    _, _, loss = two_layers(l2=0.1)
    order = graph.ordered([loss])
    assert len({id(node) for node in order}) == len(order)
    place = {id(node): i for i, node in enumerate(order)}
    for node in order:
        assert all(place[id(child)] < place[id(node)] for child in node.inputs)
    assert order[-1] is loss
    assert names(order) == ["data", "parameter", "parameter", "dense", "parameter", "parameter", "dense", "data",
                            "loss", "penalty", "add"]


def test_roots_come_in_the_order_given():
    a, b = graph.data("a", 1), graph.data("b", 1)
    total = graph.add(a, b)
    assert graph.ordered([b, total]) == [b, a, total]
    assert graph.ordered([total, b]) == [a, b, total]
    assert graph.ordered([]) == []


def test_a_shared_node_comes_once_and_before_all_that_read_it():
    x = graph.data("X", 2)
    shared = graph.dropout(x, 0.5, 0)
    left, right = graph.dropout(shared, 0.5, 1), graph.dropout(graph.dropout(shared, 0.5, 2), 0.5, 3)
    order = graph.ordered([graph.add(right, left, shared)])
    assert len(order) == 6
    assert order.index(shared) == 1


def chain(length):
    node = first = graph.data("X", 1)
    for number in range(length):
        node = graph.dropout(node, 0.5, number)
    return first, node


def test_a_long_chain_is_no_problem():
    """Neither ordering, nor differentiating, nor forgetting it calls itself once a node."""
    first, last = chain(DEEP)
    order = graph.ordered([last])
    assert len(order) == DEEP + 1
    assert order[0] is first
    assert order[-1] is last
    gradient = graph.differentiate(last, graph.data("dY", 1), [first])[first]
    backward = graph.ordered([gradient])
    assert [node.number for node in backward[1:]] == list(reversed(range(DEEP)))
    del order, backward, gradient, last


# ---- differentiation -----------------------------------------------------------------------------------------------


def test_the_gradients_of_two_layers():
    _, (W0, b0, W1, b1), loss = two_layers()
    gradients = graph.differentiate(loss, None, [W0, b0, W1, b1])
    assert list(gradients) == [W0, b0, W1, b1]
    assert names(gradients.values()) == ["weight_gradient", "bias_gradient", "weight_gradient", "bias_gradient"]
    for parameter, gradient in gradients.items():
        assert gradient.width == parameter.width
    # dY of the linear output is the loss's gradient itself; the sigmoid's goes through its derivative
    dy = gradients[b1].inputs[0]
    assert dy.op == "loss_gradient"
    assert dy.inputs == (loss,)
    dz = gradients[b0].inputs[0]
    assert dz.op == "activation_gradient"
    assert dz.inputs[0].op == "input_gradient"
    assert dz.inputs[0].inputs == (dy, W1)
    assert gradients[W0].inputs[1] is dz


def test_a_gradient_that_nobody_asked_for_is_never_made():
    x, (W0, b0, W1, b1), loss = two_layers()
    made = graph.ordered(list(graph.differentiate(loss, None, [W0, b0, W1, b1]).values()))
    assert names(made).count("input_gradient") == 1  # the second layer's; that of the data is not needed
    made = graph.ordered(list(graph.differentiate(loss, None, [x, W0]).values()))
    assert names(made).count("input_gradient") == 2
    assert names(made).count("weight_gradient") == 1
    made = graph.ordered(list(graph.differentiate(loss, None, [W1]).values()))
    assert names(made).count("input_gradient") == names(made).count("activation_gradient") == 0


def test_no_node_is_made_for_what_is_not_wanted(monkeypatch):
    made = []
    real = graph.Node.__init__

    def counted(node, op, *arguments, **attributes):
        made.append(op)
        real(node, op, *arguments, **attributes)

    _, (W0, _, W1, b1), loss = two_layers()
    monkeypatch.setattr(graph.Node, "__init__", counted)
    graph.differentiate(loss, None, [b1])
    assert made == ["loss_gradient", "bias_gradient"]
    made.clear()
    graph.differentiate(loss, None, [W0, W1])
    assert sorted(made) == sorted(["loss_gradient", "input_gradient", "activation_gradient"] + 2 * ["weight_gradient"])


def test_gradients_of_a_shared_node_are_added():
    x = graph.data("X", 2)
    shared = graph.dropout(x, 0.5, 0)
    left, right = graph.dropout(shared, 0.5, 1), graph.dropout(shared, 0.5, 2)
    seed = graph.data("dY", 2)
    gradient = graph.differentiate(graph.add(left, right), seed, [shared])[shared]
    assert gradient.op == "add"
    assert sorted(term.number for term in gradient.inputs) == [1, 2]
    assert all(term.inputs == (seed,) for term in gradient.inputs)
    # beyond the shared node there is one path again
    assert graph.differentiate(graph.add(left, right), seed, [x])[x].op == "dropout"


def test_a_node_added_to_itself_counts_twice():
    x, seed = graph.data("X", 2), graph.data("dY", 2)
    assert graph.differentiate(graph.add(x, x), seed, [x])[x].inputs == (seed, seed)


def test_a_penalty_is_a_term_of_its_parameters_gradient():
    _, (W0, b0, W1, b1), loss = two_layers(l2=0.25)
    gradients = graph.differentiate(loss, None, [W0, b0, W1, b1])
    assert sorted(names(gradients[W0].inputs)) == ["penalty_gradient", "weight_gradient"]
    term = next(node for node in gradients[W0].inputs if node.op == "penalty_gradient")
    assert (term.l1, term.l2, term.inputs) == (0.0, 0.25, (W0,))
    assert gradients[W1].op == "weight_gradient"


def test_dropout_is_its_own_derivative():
    x, seed = graph.data("X", 3), graph.data("dY", 3)
    gradient = graph.differentiate(graph.dropout(x, 0.25, 4), seed, [x])[x]
    assert (gradient.op, gradient.rate, gradient.number, gradient.inputs) == ("dropout", 0.25, 4, (seed,))


def test_what_the_root_does_not_depend_on_has_no_gradient():
    x, other, seed = graph.data("X", 3), graph.data("Z", 3), graph.data("dY", 3)
    root = graph.dropout(x, 0.5, 0)
    assert list(graph.differentiate(root, seed, [other, x])) == [x]
    assert graph.differentiate(root, seed, [root]) == {root: seed}


def test_every_operation_has_a_row():
    for name in ("data", "parameter", "dense", "dropout", "loss", "penalty", "add"):
        assert name in graph.OPERATIONS
        assert callable(getattr(graph, name))


def test_a_small_graph_by_its_numbers():
    """The gradient nodes evaluated by hand, against central differences."""
    rng = np.random.default_rng(0)
    _, (W0, b0, W1, b1), loss = two_layers()
    gradients = graph.differentiate(loss, None, [W0, b0, W1, b1])
    params, X, T = rng.standard_normal(23), rng.standard_normal((5, 4)), rng.standard_normal((5, 2))

    def value(node, known):
        if node not in known:
            known[node] = evaluate(node, [value(child, known) for child in node.inputs])
        return known[node]

    def evaluate(node, inputs):
        a, b, c = (*inputs, None, None, None)[:3]
        if node.op == "data":
            return {"X": X, "targets": T}[node.name]
        if node.op == "parameter":
            return params[node.offset:node.offset + int(np.prod(node.shape))].reshape(node.shape)
        if node.op == "dense":
            z = a @ b + c
            return 1 / (1 + np.exp(-z)) if node.activation == "sigmoid" else z
        if node.op == "loss":
            return (((a - b) ** 2).sum() / len(a), 2 * (a - b) / len(a))
        if node.op == "loss_gradient":
            return a[1]
        if node.op == "activation_gradient":
            return a * b * (1 - b)
        return {"input_gradient": lambda: a @ b.T, "weight_gradient": lambda: a.T @ b,
                "bias_gradient": lambda: a.sum(0)}[node.op]()

    for parameter, gradient in gradients.items():
        exact = value(gradient, {}).ravel()
        for i in range(exact.size):
            place = parameter.offset + i
            before = params[place]
            params[place] = before + 1e-6
            above = value(loss, {})[0]
            params[place] = before - 1e-6
            below = value(loss, {})[0]
            params[place] = before
            assert exact[i] == pytest.approx((above - below) / 2e-6, rel=1e-6, abs=1e-8)
