"""docs/losses.md is true: it runs, its formulas are the losses, its conversions make the steps of the other side."""

import re
from pathlib import Path

import numpy as np
import pages
import pytest

import fastbp as fb

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
WORDS = {**{name: getattr(np, name) for name in ("sum", "abs", "sign", "where", "clip", "exp", "log")},
         "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "softmax": lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True)}
B, K, N = 8, 3, 40      # samples of a batch, outputs, samples in all
X = np.random.default_rng(0).normal(size=(B, 4))
T = np.random.default_rng(1).random((B, K))
T /= T.sum(1, keepdims=True)


def section(title):
    return PROSE[PROSE.index(f"\n## {title}"):].split("\n## ", 2)[1]


def table(title):
    """The cells of the rows of a section's table, without its head."""
    rows = re.findall(r"^\|(.*)\|$", section(title), re.MULTILINE)[2:]
    return [[cell.strip() for cell in row.split("|")] for row in rows]


def test_every_result_is_what_came_out():
    results = pages.run(PAGE)
    assert len(results) == 10
    assert [result for result in results if not pages.agree(result.said, result.found)] == []


def test_decimals_of_the_prose_are_used_in_the_code():
    code = "".join(re.findall(r"^```.*?^```$", PAGE, re.DOTALL | re.MULTILINE))
    assert [number for number in re.findall(r"\d+\.\d+", PROSE) if number not in code] == []


# ---- the formulas --------------------------------------------------------------------------------------------------

LOSSES = {name: (value, gradient, over) for name, value, gradient, over in table("The losses")}


def test_all_losses_are_there():
    assert set(LOSSES) == set(fb.losses.LOSSES)


@pytest.mark.parametrize("name", fb.losses.LOSSES)
def test_the_formula_is_the_loss_and_its_gradient(name):
    """Of a network that hands on its inputs; from the gradient of its bias and its weights."""
    loss = fb.losses.LOSSES[name](**{"huber": {"delta": 0.7}, "quantile": {"q": 0.3}}.get(name, {}))
    settings = {setting: getattr(loss, setting) for setting in loss.settings()}  # what its formula may speak of
    net = fb.mlp(K, K, loss=loss, dtype="float64")
    net.layers[0].W[:], net.layers[0].b[:] = np.eye(K), 0
    y = np.random.default_rng(2).normal(size=(B, K)) * 2
    scope = {**WORDS, **settings, "y": y, "t": T, "d": y - T, "B": B, "K": K}
    value, gradient = (eval(text.strip("`"), {"__builtins__": {}}, scope) for text in LOSSES[name][:2])
    assert net.loss_and_grad(y, T) == pytest.approx(value, rel=1e-12)
    assert net.layers[0].db == pytest.approx(gradient.sum(0), rel=1e-12, abs=1e-15)
    assert net.layers[0].dW == pytest.approx(y.T @ gradient, rel=1e-12, abs=1e-15)
    assert LOSSES[name][2] == ("mean" if loss.over_units else "sum")


# ---- one loss a multiple of another --------------------------------------------------------------------------------

THEIRS = {"sgd": {"lr": 0.3}, "momentum": {"lr": 0.1, "momentum": 0.9},
          **{name: {"lr": 0.01, "eps": 1e-3} for name in ("adam", "adamw", "rmsprop", "adagrad")}}


def trained(loss, l2, optimizer, output="linear", steps=4):
    """The parameters after some steps, of a network of tanh units whose biases do not begin at 0."""
    net = fb.mlp(4, 5, K, activation="tanh", output=output, loss=loss, l2=l2, dtype="float64", seed=3)
    net.params[:] += 0.1
    for _ in range(steps):
        net.loss_and_grad(X, T)
        optimizer.step(net)
    return net.params


@pytest.mark.parametrize("more", [{}, {"weight_decay": 0.02}, {"clip_norm": 0.2}, {"clip_value": 0.05}], ids=str)
@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("theirs, ours, c", [("half_squared_error", "squared_error", 1 / 2),
                                             ("squared_error", "mse", K)])
def test_the_rule_makes_the_same_steps(theirs, ours, c, name, more):
    said = {row[0]: row[1] for row in table("When one loss is a multiple of another")}
    assert "`c * lr`" in said["lr of SGD, with momentum or without"] and "`eps / c`" in said["their eps"]
    cls = fb.SGD if "eps" not in THEIRS[name] else fb.optimizers.OPTIMIZERS[name]
    settings = {**THEIRS[name], **more}
    changed = dict(settings)
    for key in settings:
        if key == "lr":
            changed[key] = settings[key] * (c if cls is fb.SGD else 1)
        elif key in ("eps", "clip_norm", "clip_value") or (key == "weight_decay" and name != "adamw"):
            changed[key] = settings[key] / c
    expected = trained(theirs, 0.01, cls(**settings))
    assert trained(ours, 0.01 / c, cls(**changed)) == pytest.approx(expected, rel=1e-9, abs=1e-11)


# ---- the other side, in NumPy --------------------------------------------------------------------------------------


def gradients(params, loss_gradient, outer):
    """(W1, b1, W2, b2 and their gradients): 4 inputs, 5 tanh units, K outputs through `outer`. loss_gradient(y): of the
    loss, for what comes before `outer`."""
    W1, b1, W2, b2 = np.split(params, np.cumsum([20, 5, 15]))
    W1, W2 = W1.reshape(4, 5), W2.reshape(5, K)
    h = np.tanh(X @ W1 + b1)
    delta = loss_gradient(outer(h @ W2 + b2))
    back = delta @ W2.T * (1 - h**2)
    return (W1, b1, W2, b2), (X.T @ back, back.sum(0), h.T @ delta, delta.sum(0))


def step(params, loss_gradient, outer, change_w, change_b):
    """One step of a rule for weights, (w, gradient) -> w, and one for biases."""
    whole = gradients(params, loss_gradient, outer)
    new = [(change_b if p.ndim == 1 else change_w)(p, grad) for p, grad in zip(*whole, strict=True)]
    return np.concatenate([p.ravel() for p in new])


def start(output="linear"):
    return trained("mse", 0.0, fb.SGD(lr=0.0), output=output, steps=0).copy()


ETA, LAM = 0.5, 5.0
IDENTITY, SIGMOID = lambda z: z, WORDS["sigmoid"]
BOOK = {"quadratic": (SIGMOID, lambda a: (a - T) * a * (1 - a)), "cross-entropy": (SIGMOID, lambda a: a - T),
        "log-likelihood": (WORDS["softmax"], lambda a: a - T)}


@pytest.mark.parametrize("row", table("From Nielsen's book"), ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_step_of_the_book(row):
    cost, loss, c, lr, l2 = row
    scope = {"eta": ETA, "lam": LAM, "n": N, "K": K}
    c, lr, l2 = (eval(cell.strip("`"), {"__builtins__": {}}, scope) for cell in (c, lr, l2))
    assert (lr, l2) == pytest.approx((c * ETA, LAM / (2 * N) / c))
    outer, delta = BOOK[cost]
    output = "sigmoid" if cost == "quadratic" else "linear"
    expected = step(start(output), delta, outer, lambda w, g: (1 - ETA * LAM / N) * w - ETA / B * g,
                    lambda b, g: b - ETA / B * g)
    assert trained(loss, l2, fb.SGD(lr=lr), output=output, steps=1) == pytest.approx(expected, rel=1e-12, abs=1e-14)


LR, DECAY, BETA, SMOOTHING = 0.1, 0.03, 0.4, 0.2
SMOOTHED = (1 - SMOOTHING) * T + SMOOTHING / K
HUBER = lambda y: np.clip(y - T, -BETA, BETA) / (B * K)                                       # noqa: E731
TORCH = {   # (loss of fastbp, c, the network's outputs, the gradient of torch's loss for what comes before them)
    "MSELoss": ("mse", 1, IDENTITY, lambda y: 2 * (y - T) / (B * K)),
    "MSELoss sum": ("squared_error", B, IDENTITY, lambda y: 2 * (y - T)),
    "MSELoss by squared_error": ("squared_error", 1 / K, IDENTITY, lambda y: 2 * (y - T) / (B * K)),
    "L1Loss": ("mae", 1, IDENTITY, lambda y: np.sign(y - T) / (B * K)),
    "HuberLoss": (fb.losses.Huber(BETA), 1, IDENTITY, HUBER),
    "SmoothL1Loss": (fb.losses.Huber(BETA), 1 / BETA, IDENTITY, lambda y: HUBER(y) / BETA),
    "PoissonNLLLoss": ("poisson", 1, np.exp, lambda rate: (rate - T) / (B * K)),
    "CrossEntropyLoss": ("cross_entropy", 1, WORDS["softmax"], lambda p: (p - T) / B),
    "CrossEntropyLoss smoothed": (fb.losses.CrossEntropy(SMOOTHING), 1, WORDS["softmax"], lambda p: (p - SMOOTHED) / B),
    "BCEWithLogitsLoss": ("binary_cross_entropy", 1, SIGMOID, lambda p: (p - T) / (B * K)),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_step_of_torch(name):
    """torch.optim.SGD: g += weight_decay * p, p -= lr * g, for weights and biases alike."""
    loss, c, outer, delta = TORCH[name]
    rule = lambda p, g: p - LR * (g + DECAY * p)                                              # noqa: E731
    expected = step(start(), delta, outer, rule, rule)
    optimizer = fb.SGD(lr=c * LR, weight_decay=DECAY / c)
    assert trained(loss, 0.0, optimizer, steps=1) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert name.split()[0] in section("From other libraries")


def test_a_step_of_keras():
    """The kernels' penalty is in the loss; an optimizer's decay, apart from the gradient, shrinks everything first."""
    delta = lambda y: 2 * (y - T) / (B * K)                                                   # noqa: E731
    expected = step(start(), delta, IDENTITY, lambda w, g: w - LR * (g + 2 * 0.02 * w), lambda b, g: b - LR * g)
    assert trained("mse", 0.02, fb.SGD(lr=LR), steps=1) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    rule = lambda p, g: p * (1 - LR * DECAY) - LR * g                                         # noqa: E731
    expected = step(start(), delta, IDENTITY, rule, rule)
    optimizer = fb.SGD(lr=LR, weight_decay=DECAY)
    assert trained("mse", 0.0, optimizer, steps=1) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    first = lambda p, g: p * (1 - LR * DECAY) - LR * g / (abs(g) + 1e-7)                      # noqa: E731  (Adam's)
    optimizer = fb.AdamW(lr=LR, weight_decay=DECAY, eps=1e-7)
    expected = step(start(), delta, IDENTITY, first, first)
    assert trained("mse", 0.0, optimizer, steps=1) == pytest.approx(expected, rel=1e-9, abs=1e-12)


# ---- scikit-learn itself -------------------------------------------------------------------------------------------

ALPHA = 0.4
LABELS = np.arange(B) % 3


@pytest.mark.parametrize("kind, y, loss, units", [
    ("MLPRegressor", T, "half_squared_error", K), ("MLPRegressor", T[:, 0], "half_squared_error", 1),
    ("MLPClassifier", LABELS, "cross_entropy", 3), ("MLPClassifier", LABELS > 0, "binary_cross_entropy", 1),
], ids=["several", "one", "classes", "two classes"])
def test_a_step_of_scikit_learn(kind, y, loss, units):
    neural = pytest.importorskip("sklearn.neural_network")
    theirs = getattr(neural, kind)(hidden_layer_sizes=(5,), activation="tanh", solver="sgd", alpha=ALPHA, batch_size=B,
                                   momentum=0.0, learning_rate_init=LR, random_state=0)
    more = {"classes": np.unique(y)} if kind == "MLPClassifier" else {}
    theirs.partial_fit(X, y, **more)
    net = fb.mlp(4, 5, units, activation="tanh", loss=loss, l2=ALPHA / (2 * B), dtype="float64")
    for layer, W, b in zip(net.layers, theirs.coefs_, theirs.intercepts_, strict=True):
        layer.W[:], layer.b[:] = W, b
    theirs.partial_fit(X, y)
    net.loss_and_grad(X, y if y.ndim == 2 or kind == "MLPClassifier" else y[:, None])
    fb.SGD(lr=LR).step(net)
    for layer, W, b in zip(net.layers, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(layer.W, W, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(layer.b, b, rtol=1e-10, atol=1e-13)


def test_what_ridge_and_logistic_regression_find_is_the_minimum():
    """Where their penalised loss is least, ours has no slope."""
    linear = pytest.importorskip("sklearn.linear_model")
    C = 0.7
    for theirs, y, loss, l2 in ((linear.Ridge(ALPHA), T, "squared_error", ALPHA / B),
                                (linear.LogisticRegression(C=C, tol=1e-10, max_iter=10000), LABELS, "cross_entropy",
                                 1 / (2 * C * B))):
        theirs.fit(X, y)
        net = fb.mlp(4, 3, loss=loss, l2=l2, dtype="float64")
        net.layers[0].W[:], net.layers[0].b[:] = theirs.coef_.T, theirs.intercept_
        net.loss_and_grad(X, y)
        assert abs(net.grads).max() < 1e-6
        net = fb.mlp(4, 3, loss=loss, l2=2 * l2, dtype="float64")
        net.layers[0].W[:], net.layers[0].b[:] = theirs.coef_.T, theirs.intercept_
        net.loss_and_grad(X, y)
        assert abs(net.grads).max() > 1e-2
