"""fastbp/reference against numbers worked by hand, against itself, and against central differences."""
import ast
import copy
import inspect
import math
import re
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import worked
from numpy.testing import assert_allclose

from fastbp.reference import lists
from fastbp.reference.gradcheck import gradcheck, gradcheck_directions, numerical_gradient
from fastbp.reference.network import Dense, Network, Optimizer

ROOT = Path(__file__).resolve().parents[2]
SIX_DIGITS = {"rtol": 0, "atol": 5.01e-7}   # half a unit of the sixth digit
EXACT = {"rtol": 1e-12, "atol": 1e-14}


# ---- the network worked by hand -------------------------------------------------------------------------------------


def arithmetic(path):
    """Every line `name = expression = number` of a file, the part of comments and of text blocks."""
    line = re.compile(r"^(?:# )?((?:mean |new )?[A-Za-z][\w/\[\]]*) = (.+) = (-?\d+\.\d{6})$")
    return [found.groups() for text in path.read_text().splitlines() if (found := line.match(text.strip()))]


def test_every_line_of_the_worked_example_can_be_followed_with_a_calculator():
    known = {}
    lines = arithmetic(ROOT / "tests" / "worked.py")
    assert len(lines) == 92
    for name, expression, number in lines:
        value = known[expression] if expression in known else eval(expression, {"s": lists.s})
        # Written digits are worked on with: one unit of the last digit, and the half of the number written, may differ.
        assert abs(value - float(number)) < 1.6e-6, (name, expression, value, number)
        known[name] = float(number)


def test_the_tutorial_has_the_same_lines():
    document = ROOT / "docs" / "worked_example.md"
    if not document.exists():
        pytest.skip("docs/ is not part of an installed source distribution")
    assert arithmetic(document) == arithmetic(ROOT / "tests" / "worked.py")


def worked_lists():
    return copy.deepcopy([(worked.W1, worked.B1), (worked.W2, worked.B2)])


def worked_network():
    net = Network([Dense(3, 2, "sigmoid"), Dense(2, 1, "sigmoid")], loss="squared_error")
    net.params[:] = worked.PARAMS
    return net


def flat(gradient):
    """Of lists.py, in the order of net.params."""
    return np.concatenate([np.ravel(part) for layer in gradient for part in layer])


@pytest.mark.parametrize("number", [0, 1])
def test_lists_equal_the_hand_example_by_example(number):
    network, x, y = worked_lists(), worked.INPUTS[number], worked.TARGETS[number]
    hand = (worked.FIRST, worked.SECOND)[number]
    activations = lists.forward(network, x)
    assert activations[0] == x
    assert_allclose(activations[1], hand["a1"], **SIX_DIGITS)
    assert_allclose(activations[2], hand["a2"], **SIX_DIGITS)
    assert_allclose(lists.cost(activations[2], y), hand["C"], **SIX_DIGITS)
    (dW1, db1), (dW2, db2) = lists.backward(network, activations, y)
    assert_allclose(dW1, hand["dC_dW1"], **SIX_DIGITS)
    assert_allclose(db1, hand["dC_db1"], **SIX_DIGITS)
    assert_allclose(dW2, hand["dC_dW2"], **SIX_DIGITS)
    assert_allclose(db2, hand["dC_db2"], **SIX_DIGITS)


def test_lists_take_the_step_of_the_hand():
    network, examples = worked_lists(), list(zip(worked.INPUTS, worked.TARGETS, strict=True))
    gradient = lists.mean_gradient(network, examples)
    assert_allclose(lists.mean_cost(network, examples), worked.COST, **SIX_DIGITS)
    assert_allclose(flat(gradient), worked.GRADIENT, **SIX_DIGITS)
    lists.step(network, gradient, worked.LR)
    assert_allclose(flat(network), worked.UPDATED, **SIX_DIGITS)
    assert_allclose(lists.mean_cost(network, examples), worked.COST_AFTER, **SIX_DIGITS)


@pytest.mark.parametrize("number", [0, 1])
def test_network_equals_the_hand_example_by_example(number):
    net, hand = worked_network(), (worked.FIRST, worked.SECOND)[number]
    X, y = worked.INPUTS[number:number + 1], worked.TARGETS[number:number + 1]
    Y = net.forward(X)
    hidden, output = net.kept
    for got, name in ((hidden["Z"], "z1"), (hidden["Y"], "a1"), (output["Z"], "z2"), (Y, "a2")):
        assert_allclose(got[0], hand[name], **SIX_DIGITS)
    assert_allclose(net.backward(np.array([hand["dC_da2"]]))[0], hand["dC_dx"], **SIX_DIGITS)
    assert_allclose(net.loss_and_grad(X, y), hand["C"], **SIX_DIGITS)
    for got, name in ((net.dW[0], "dC_dW1"), (net.db[0], "dC_db1"), (net.dW[1], "dC_dW2"), (net.db[1], "dC_db2")):
        assert_allclose(got, hand[name], **SIX_DIGITS)


def test_network_takes_the_step_of_the_hand():
    net = worked_network()
    assert_allclose(net.loss_and_grad(worked.INPUTS, worked.TARGETS), worked.COST, **SIX_DIGITS)
    assert_allclose(net.grads, worked.GRADIENT, **SIX_DIGITS)
    Optimizer("sgd", lr=worked.LR).step(net)
    assert_allclose(net.params, worked.UPDATED, **SIX_DIGITS)
    assert_allclose(net.loss_and_grad(worked.INPUTS, worked.TARGETS), worked.COST_AFTER, **SIX_DIGITS)


# ---- lists.py -------------------------------------------------------------------------------------------------------


def random_examples(count, inputs, outputs, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, inputs)), rng.uniform(size=(count, outputs))


def pairs(X, Y):
    return list(zip(X.tolist(), Y.tolist(), strict=True))


def test_lists_use_no_numpy():
    tree = ast.walk(ast.parse(inspect.getsource(lists)))
    modules = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
               for node in tree if isinstance(node, ast.Import | ast.ImportFrom)}
    assert modules == {"math", "random", "itertools"}


@pytest.mark.parametrize("widths", [[1, 1], [3, 2, 1], [5, 4, 4, 3], [2, 7, 1, 4]])
def test_lists_and_network_agree(widths):
    network = lists.new_network(widths, seed=1)
    net = Network([Dense(i, u, "sigmoid") for i, u in pairwise(widths)])
    net.params[:] = flat(network)
    X, Y = random_examples(6, widths[0], widths[-1])
    opt = Optimizer("sgd", lr=0.3)
    for _ in range(3):
        assert_allclose(net.loss_and_grad(X, Y), lists.mean_cost(network, pairs(X, Y)), **EXACT)
        gradient = lists.mean_gradient(network, pairs(X, Y))
        assert_allclose(net.grads, flat(gradient), **EXACT)
        lists.step(network, gradient, lr=0.3)
        opt.step(net)
        assert_allclose(net.params, flat(network), **EXACT)


def test_lists_gradient_is_the_slope_of_the_cost():
    network = lists.new_network([3, 4, 2], seed=2)
    X, Y = random_examples(5, 3, 2)

    def cost_of(params):
        numbers = iter(params.tolist())
        moved = [([[next(numbers) for _ in row] for row in W], [next(numbers) for _ in b]) for W, b in network]
        return lists.mean_cost(moved, pairs(X, Y))

    assert gradcheck(cost_of, flat(network), flat(lists.mean_gradient(network, pairs(X, Y)))).error < 1e-6


def test_lists_learn_exclusive_or():
    examples = [([0, 0], [0]), ([0, 1], [1]), ([1, 0], [1]), ([1, 1], [0])]
    network = lists.new_network([2, 4, 1], seed=0)
    lists.train(network, examples, lr=4.0, batch_size=4, epochs=1000)
    answers = [lists.forward(network, x)[-1][0] for x, _ in examples]
    assert [round(answer) for answer in answers] == [0, 1, 1, 0]
    assert lists.mean_cost(network, examples) < 0.01


def test_lists_train_takes_one_step_for_each_mini_batch(monkeypatch):
    taken = []
    monkeypatch.setattr(lists, "mean_gradient", lambda network, examples: taken.append([x[0] for x, _ in examples]))
    monkeypatch.setattr(lists, "step", lambda network, gradient, lr: None)
    lists.train(None, [([i], [0]) for i in range(7)], lr=1, batch_size=3, epochs=2, seed=5)
    assert [len(batch) for batch in taken] == [3, 3, 1, 3, 3, 1]
    first, second = list(chain(*taken[:3])), list(chain(*taken[3:]))
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_lists_sigmoid_at_its_ends():
    assert lists.s(0) == 0.5
    assert lists.s(1000) == 1 and lists.s(-1000) == 0
    assert math.isclose(lists.s(-2), 1 / (1 + math.exp(2)), rel_tol=1e-14)


# ---- gradcheck.py itself --------------------------------------------------------------------------------------------


def test_numerical_gradient_of_a_known_function():
    x = np.array([[0.5, -2.0, 30.0]])
    assert_allclose(numerical_gradient(lambda x: float(np.sum(x**3) + x[0, 0] * x[0, 1]), x),
                    [[3 * 0.25 - 2, 12 + 0.5, 2700]], rtol=1e-7)


def test_gradcheck_finds_the_wrong_entry():
    x = np.linspace(-1, 1, 50)
    right = np.cos(x)
    assert gradcheck(lambda x: np.sin(x).sum(), x, right).error < 1e-8
    assert gradcheck_directions(lambda x: np.sin(x).sum(), x, right).error < 1e-8
    wrong = right.copy()
    wrong[17] *= 1 + 1e-4
    result = gradcheck(lambda x: np.sin(x).sum(), x, wrong)
    assert result.place == (17,) and 0.9e-4 < result.error < 1.1e-4
    assert gradcheck_directions(lambda x: np.sin(x).sum(), x, wrong).error > 1e-6
    assert gradcheck(lambda x: np.sin(x).sum(), x, np.where(np.arange(50) == 3, np.nan, right)).error == np.inf


def test_gradcheck_refuses_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"gradient has shape \(3,\), but x has shape \(2,\)"):
        gradcheck(np.sum, np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="gradient has shape"):
        gradcheck_directions(np.sum, np.zeros((2, 1)), np.zeros(2))


def test_gradcheck_does_not_take_rounding_for_a_gradient():
    x = np.linspace(0.1, 1, 7)

    def flat_at_a_height(x):
        return 1e6 + 1e-9 * np.sin(x).sum()     # a rounding of 1e6 is 1e-10, and 1e-5 when divided by 2 h

    assert gradcheck(flat_at_a_height, x, 1e-9 * np.cos(x)).error < 1e-6
