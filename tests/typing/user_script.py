"""A user's program, with which `mypy --strict` has to agree: it uses what fastbp is used for, and runs."""

from __future__ import annotations

import copy
import io
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import fastbp as fb
from fastbp import curve, datasets, gradcheck, graph, initializers, losses, optimizers, plot, schedules
from fastbp import graph as g
from fastbp.layers.settings import Width
from fastbp.sklearn import MLPClassifier, MLPRegressor


class Best(fb.Callback):
    """Keeps the smallest loss, and puts it beside the others."""

    puts = ("best",)

    def __init__(self) -> None:
        self.best = float("inf")

    def on_epoch_end(self, net: fb.Sequential, epoch: int, logs: dict[str, float]) -> bool:
        self.best = min(self.best, logs["loss"])
        logs["best"] = self.best
        return epoch > 50


class Scale(fb.layers.Layer):
    """Y = a X, of one number for each feature."""

    kind = "scale"
    settings: ClassVar = {"width": Width()}
    widths = ("width", "width")
    width: int

    def __init__(self, width: int) -> None:
        self.take(width=width)
        self.unbind()

    def parameters(self, before: str | None = None, depth: int = 0) -> tuple[fb.layers.Parameter, ...]:
        return (fb.layers.Parameter("a", (self.width,), "ones", penalised=True),)

    def graph(self, x: g.Node, a: g.Node, training: bool = True, number: int = 0) -> g.Node:
        return x * a


class Halved(schedules.Schedule):
    """Half of the rate in every ten steps."""

    name = "halved"

    def rates(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(0.1 * 0.5 ** (t / 10.0), dtype=np.float64)


def told(net: Any, epoch: int, logs: dict[str, float]) -> None:
    """A plain function is a callback, too."""
    assert epoch >= 0 and logs["loss"] >= 0 and net is not None


def positive(y: NDArray[Any], p: NDArray[Any]) -> float:
    """A metric."""
    return float(np.mean(p > 0.0)) + 0.0 * len(y)


def networks(X: NDArray[np.float32], y: NDArray[np.int64], folder: Path) -> float:
    """Layers, a training with everything around it, a loop by hand, files, copies."""
    net = fb.Sequential(
        fb.Dense(2, 16, "tanh", init="glorot_uniform", l2=1e-5),
        fb.LayerNorm(16),
        Scale(16),
        fb.Dropout(0.1),
        fb.Dense(16, 2),
        loss=losses.CrossEntropy(label_smoothing=0.1),
        dtype="float64",
        seed=3,
    )
    optimizer = fb.Adam(lr=schedules.WarmUp(schedules.Cosine(1e-2, steps=200), steps=20), clip_norm=5.0)
    stopping = fb.EarlyStopping("val_loss", patience=20, mode="min")
    history: fb.History = net.fit(
        X,
        y,
        epochs=20,
        batch_size=16,
        optimizer=optimizer,
        validation_split=0.2,
        class_weight={0: 1.0, 1: 2.0},
        metrics={"positive": positive},
        callbacks=[Best(), told, fb.Checkpoint(folder / "run", every="10 steps", keep=2, monitor="loss", mode="min")],
        early_stopping=stopping,
        progress=False,
        resume=folder / "run",
    )
    values: list[float] = history.history["loss"]
    first: int = history.epoch[0]
    if stopping.best is not None and stopping.best_epoch is not None:
        assert stopping.best < 10.0 and stopping.best_epoch >= first
    p: NDArray[np.floating[Any]] = net.predict(X)
    scores = net.evaluate(X, y)
    accuracy: float = scores["accuracy"]

    plain = fb.mlp(2, 8, 2, activation="relu", loss="mse", input_scale=0.5)
    sgd = fb.SGD(lr=0.1, momentum=0.9)
    for xb, yb in fb.batches(X, y, 32, seed=1):
        loss: float = plain.loss_and_grad(xb, yb)
        sgd.step(plain)
        assert loss >= 0
    sgd.lr = Halved()
    assert sgd.learning_rates(1)[0] > 0
    sgd.lr = 0.05
    plain.forward(X)
    dX = plain.backward(np.ones((len(X), 2)))
    weights = plain.layers[0].W
    assert weights.shape == (2, 8) and dX.shape == X.shape
    for layer in plain.layers:
        if isinstance(layer, fb.Dense):
            layer.W[:] *= 1.0
            assert layer.units in (8, 2)
    plain.params[:] = plain.params
    rows = plain.per_example_grads(X[:3], y[:3])
    norms = plain.per_example_grad_norms(X[:3], y[:3])
    assert rows.shape == (3, plain.params.size) and norms.shape == (3,)

    path = folder / "net.safetensors"
    net.save(path)
    again: fb.Sequential = fb.load(path)
    stream = io.BytesIO()
    plain.save(stream)
    other = copy.deepcopy(again)
    assert np.array_equal(other.predict(X), p) and net.config()["seed"] == 3
    found: fb.GradCheck = fb.gradcheck(plain, X[:8], y[:8], most=20)
    assert found.max_error < 1e-4 and gradcheck is fb.gradcheck
    return accuracy + values[-1] * 0.0


def expressions(X: NDArray[np.float32], y: NDArray[np.int64], folder: Path) -> float:
    """Graphs: operators, functions, gradients, plans."""
    x, t = g.input("x", 2), g.input("t")
    W, b = g.parameter("W", (2, 1)), g.parameter("b")
    u = x @ W + b
    low = g.where((u > -1.0) & ~(u > 1.0), u, g.clip(u, -1.0, 1.0))
    loss = g.mean((low - t) ** 2) + 1e-3 * g.sum(W**2) + 0.0 * g.norm(W) - abs(0.0 * b)
    hidden: graph.Node = g.tanh(u)
    slope: graph.Node = g.grad(loss, W)
    both: list[graph.Node] = g.grad(loss, [W, b])
    assert slope.shape == (2, 1) and len(both) == 2 and hidden.batched
    plan: graph.Plan = g.compile(loss, {"u": u, "column": x[:, 0]}, dtype="float64", seed=1)
    value, gradients = plan.loss_and_grad(x=X, t=y)
    history = plan.fit({"x": X, "t": y}, epochs=5, optimizer=fb.RMSprop(), progress=False)
    outputs = plan.forward(x=X)
    product: NDArray[np.floating[Any]] = plan.hvp(np.ones(3), x=X, t=y)
    named: dict[str, NDArray[np.floating[Any]]] = plan.hvp({"b": np.ones(())}, x=X, t=y)
    assert outputs["u"].shape == (len(X), 1) and product.shape == (3,) and set(named) == {"W", "b"}
    assert gradients["W"].shape == plan.parameters["W"].shape and value >= 0
    assert "mean" in plan.show() or plan.value(u).shape == (len(X), 1)
    plan.save(str(folder / "plan.safetensors"))
    plan.load(folder / "plan.safetensors")

    layer = fb.Dense(2, 4, "relu")
    answers = fb.Dense(4, 2)(layer(x))
    classes = g.input("classes", integer=True)
    trained = g.compile(g.cross_entropy(answers, classes))
    trained.fit({"x": X, "classes": y}, epochs=1, progress=False)
    return history.history["loss"][-1]


def everything_else(X: NDArray[np.float32], y: NDArray[np.int64], folder: Path) -> int:
    """Many networks, estimators, data, the curve fitter, pictures' names, settings."""
    nets = [fb.mlp(2, 4, 2, loss="cross_entropy", seed=seed) for seed in range(3)]
    rows = [None, [0, 1, 2], np.arange(9)]
    histories: list[fb.History] = fb.fit_many(nets, X, y, epochs=2, rows=rows, progress=False)
    classifier = MLPClassifier((8,), tol=1.0, n_iter_no_change=1, random_state=0).fit(X, y)
    regressor = MLPRegressor(solver=fb.SGD(lr=0.01), tol=1.0, n_iter_no_change=1).fit(X, y)
    assert classifier.predict_proba(X).shape == (len(X), 2) and len(regressor.predict(X)) == len(X)
    table_path = folder / "table.csv"
    table_path.write_text("a,b,kind\n" + "".join(f"{i},{i % 3},{'xy'[i % 2]}\n" for i in range(12)))
    table: datasets.Table = datasets.load_csv(table_path, "kind", format=datasets.Format(separator=","))
    data: datasets.Dataset = table.split(test_size=0.25, seed=0)
    fitter = curve.CurveFitter(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20) ** 2, degree=2)
    run: curve.Run = fitter.run("adam", steps=20)
    kept: optimizers.Optimizer = optimizers.get("adagrad", lr=0.1)
    same: losses.Loss = losses.from_config(losses.Huber(delta=2.0).config())
    rate: float = schedules.Linear(0.1, steps=10)(5)
    fb.cpu.set_threads(fb.cpu.threads())
    assert len(fb.cpu.available()) >= 1 and "zeros" in initializers.NAMES and rate < 0.1
    assert callable(plot.history) and kept.name == "adagrad" and same.name == "huber" and run.loss[-1] >= 0
    return len(histories) + len(data.X_train)


def main(folder: Path) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(64, 2)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64)
    print(networks(X, y, folder), expressions(X, y, folder), everything_else(X, y, folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
