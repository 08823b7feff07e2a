"""What a type checker has to refuse: each line below is an error for mypy, of the kind that its comment names, and one
without an error would be an unused comment, which is an error as well. Nobody runs this file."""

from __future__ import annotations

import numpy as np

import fastbp as fb
from fastbp import datasets, schedules
from fastbp import graph as g


def wrong(net: fb.Sequential, plan: g.Plan, X: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    fb.Dense("2", 3)  # type: ignore[arg-type]
    fb.Dense(2)  # type: ignore[call-arg]
    fb.Dense(2, 3, "relu", "zeros")  # type: ignore[call-arg]
    fb.mlp(2, 3, dtype="float16")  # type: ignore[arg-type]
    fb.mlp(2, 3, activaton="relu")  # type: ignore[call-arg]
    fb.Sequential("dense")  # type: ignore[arg-type]
    net.fit(X)  # type: ignore[call-arg]
    net.fit(X, X, epochs=1.5)  # type: ignore[arg-type]
    net.fit(X, X, optimizer="adam")  # type: ignore[arg-type]
    net.fit(X, X, callbacks=[3])  # type: ignore[list-item]
    net.fit(X, X, validation_data=X)  # type: ignore[arg-type]
    net.fit(X, X, early_stopping=5)  # type: ignore[arg-type]
    net.predict(object())  # type: ignore[arg-type]
    net.predictt(X)  # type: ignore[attr-defined]
    net.save(3)  # type: ignore[arg-type]
    fb.load(None)  # type: ignore[arg-type]
    fb.Adam(lr="fast")  # type: ignore[arg-type]
    fb.Adam(learning_rate=0.1)  # type: ignore[call-arg]
    fb.EarlyStopping(mode="up")  # type: ignore[arg-type]
    fb.Checkpoint("run", every=[1])  # type: ignore[arg-type]
    fb.Checkpoint(3)  # type: ignore[arg-type]
    schedules.Cosine(0.1)  # type: ignore[call-arg]
    plan.fit(X, epochs=1)  # type: ignore[arg-type]
    plan.loss_and_grad(X)  # type: ignore[call-arg]
    g.compile("loss")  # type: ignore[arg-type]
    g.grad(g.input("x"), "x")  # type: ignore[arg-type]
    g.input("x") @ object()  # type: ignore[arg-type]
    for _ in g.input("x", 3):  # type: ignore[misc]
        pass
    datasets.load_csv("a.csv", "b", task="classify")  # type: ignore[arg-type]
    fb.cpu.set_threads("2")  # type: ignore[arg-type]
    fb.nonsense()  # type: ignore[attr-defined]
