"""The laboratory's trials: they compare what they say they compare, and their verdicts mean what they say."""

import re
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import fastbp as fb

pytest.importorskip("sklearn")
sys.path.append(str(Path(__file__).resolve().parents[1]))
from bench.lab import initial_data, initial_values


@pytest.mark.parametrize("activation, theirs", [("relu", "relu"), ("tanh", "tanh"), ("sigmoid", "logistic")])
def test_scikit_learns_rule_is_scikit_learns(activation, theirs):
    """Its own MLP with a rate of nothing keeps its initial values, whose ranges are those of the emulation."""
    from sklearn.neural_network import MLPRegressor

    X, y = np.random.default_rng(0).random((10, 150)), np.ones(10)
    model = MLPRegressor(hidden_layer_sizes=(130, 140), activation=theirs, learning_rate_init=1e-12, max_iter=1,
                         random_state=0)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        model.fit(X, y)
    widths = (150, 130, 140, 1)
    net = initial_values.network("scikit-learn", widths, activation, "mse", 0)
    for W, b, layer in zip(model.coefs_, model.intercepts_, net.layers, strict=True):
        bound = initial_values.sklearn(layer.inputs, layer.units, activation)[0]
        for values in (W, layer.W):
            assert 0.95 * bound < np.abs(values).max() <= bound * 1.0001
            assert values.std() == pytest.approx(bound / 3**0.5, rel=0.1)
        for values in (b, layer.b):
            assert (0.9 if len(values) > 1 else 0) * bound < np.abs(values).max() <= bound * 1.0001


@pytest.mark.parametrize("rule, W, b", [("torch", 0.25, 0.25), ("Keras", (6 / 66) ** 0.5, 0)])
def test_other_rules_have_their_ranges(rule, W, b):
    layer = initial_values.network(rule, (16, 50, 50), "relu", "mse", 3).layers[0]
    assert 0.95 * W < np.abs(layer.W).max() <= W and 0.8 * b <= np.abs(layer.b).max() <= b


def test_the_rule_of_fastbp_is_its_defaults():
    """Of one seed: what a rule draws lies in the same proportion to its bound."""
    own, torch = (initial_values.network(rule, (9, 8, 5), "relu", "mse", 4) for rule in ("fastbp", "torch"))
    assert (own.params == fb.mlp(9, 8, 5, loss="mse", seed=4).params).all()
    assert (own.layers[0].W == torch.layers[0].W).all()


@pytest.mark.parametrize("name", [*initial_data.CHOSEN_ON, *initial_data.HELD_OUT])
def test_data_are_standardised_and_unseen_rows_are_unseen(name):
    task = initial_data.Task(name)
    assert len(task.X) == len(task.y) >= initial_data.ROWS and len(task.X_unseen) == len(task.y_unseen) > 5
    assert np.abs(task.X.mean(0)).max() < 1e-4 and np.abs(task.X).max() < 40
    shared = {row.tobytes() for row in task.X_unseen} & {row.tobytes() for row in task.X}
    assert not shared or name in ("iris", "petal")  # which have the same flower twice
    units = task.y.max() + 1 if task.classes else task.y.shape[1]
    assert task.units == units


def test_what_is_held_out_is_not_chosen_on(capsys, monkeypatch):
    """At least eight sets, of which an activation's table and its line in the last one are made when asked for."""
    assert len(initial_data.HELD_OUT) >= 8 and len(initial_data.CHOSEN_ON) == 14
    assert not set(initial_data.HELD_OUT) & set(initial_data.CHOSEN_ON)
    # in threads, as processes import for seconds: test_a_quick_study_prints_its_tables has these
    monkeypatch.setattr(initial_values, "ProcessPoolExecutor", lambda count, context: ThreadPoolExecutor(1))
    initial_values.main(["--held-out", "--depths", "1", "--seeds", "2", "--stops", "10", "--activations", "relu"])
    text = capsys.readouterr().out
    rows = re.findall(r"^\| ([a-z ]+) \| -?\d\.\d{3} ±", text, re.MULTILINE)
    assert tuple(rows) == initial_data.HELD_OUT
    assert re.search(r"^\| relu \|( \d\.\d{3}; \d+ \|){4}$", text, re.MULTILINE)


def test_scores_are_of_the_unseen_rows():
    task = initial_data.Task("smooth")

    class Oracle:
        def predict(self, X):
            assert X is task.X_unseen
            return task.y_unseen

    assert task.score(Oracle()) == 1
    task = initial_data.Task("iris")
    net = fb.mlp(4, 3, loss="cross_entropy")
    assert task.score(net) == net.evaluate(task.X_unseen, task.y_unseen)["accuracy"]


def test_behind_is_by_more_than_another_seed_changes():
    means, spreads = np.array([0.5, 0.9, 0.6, 0.84, 0.86]), np.array([0.1, 0.03, 0.4, 0.04, 0.02])
    late, best = initial_values.behind(means, spreads)
    assert best == 1 and late.tolist() == [True, False, False, True, True]
    late, _ = initial_values.behind(means, 0 * spreads)
    assert late.tolist() == [True, False, True, True, True]
    late, _ = initial_values.behind(np.full(5, 0.7), np.zeros(5))
    assert not late.any()


def test_a_quick_study_prints_its_tables(capsys):
    assert initial_values.main(["--quick", "--activations", "tanh"]) == 0
    text = capsys.readouterr().out
    rows = re.findall(r"^\| (iris|smooth) \|(( -?\d\.\d{3} ± \d\.\d{3} \|){4})", text, re.MULTILINE)
    assert [name for name, *_ in rows] == ["iris", "smooth"]
    assert len(re.findall(r"\d of 2", text)) == 4 and "fastbp is behind at: " in text
