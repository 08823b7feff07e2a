"""The benchmark's column through fit: whole trainings as users call them, beside loops that do the same work."""
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))
from bench import peers, report, run, worker
from bench.cases import CASES
from bench.peers import fastbp_fit
from bench.peers import numpy as baseline

RESULTS = sorted((Path(__file__).resolve().parents[1] / "bench" / "results").glob("*.json"))
TRAINED = [name for name, case in CASES.items() if case.update and name != "wide2048"]  # seconds, and like mlp512


def shorter(name, epochs=4):
    return replace(CASES[name], epochs=epochs)


@pytest.mark.parametrize("name", TRAINED)
def test_fit_reaches_the_baselines_loss(name):
    """A training of three epochs of one batch, as the benchmark asks for before it times anything."""
    case = CASES[name].one_batch()
    X, y = case.data()
    theirs, ours = (worker.Served(peers.load(contender), 1).check(case, X, y) for contender in ("numpy", "fastbp_fit"))
    assert ours == pytest.approx(theirs, rel=1e-4)
    start = peers.contender(peers.load("numpy"), case, X, y).loss()
    assert abs(ours - start) > 1e-3 * abs(start)


@pytest.mark.parametrize("name, steps", [("iris", 5), ("xor", 1), ("curve5", 1), ("iris_val", 5), ("policy64", 32)])
def test_a_run_is_whole_trainings_from_the_beginning(name, steps):
    case = shorter(name)
    timed = peers.contender(fastbp_fit, case, *case.data(), threads=1)
    assert timed.multiple == 4 * steps == case.epochs * case.epoch_steps
    timed.run(timed.multiple)
    once, history = timed.model.params.copy(), timed.history
    assert history.epoch == [0, 1, 2, 3]
    assert history.params["steps"] == steps
    assert (once != timed.start).any()
    timed.run(2 * timed.multiple)
    assert timed.history.epoch == [0, 1, 2, 3]
    np.testing.assert_array_equal(timed.model.params, once)
    timed.run(0)
    assert timed.history.epoch == [0, 1, 2, 3]


def test_validation_never_stops_a_training():
    """Of rates at which every epoch is worse than the first as well."""
    case = replace(shorter("iris_val", 9), lr=30.0)
    timed = peers.contender(fastbp_fit, case, *case.data())
    timed.run(timed.multiple)
    assert len(timed.history.history["val_loss"]) == 9
    assert set(timed.history.history) >= {"loss", "accuracy", "val_loss", "val_accuracy"}


def with_validation(name, case):
    """A peer's contender; skips where its library is not installed."""
    try:
        return peers.contender(peers.load(name), case, *case.data(), threads=1)
    except ImportError as why:
        pytest.skip(str(why))


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["numpy", "torch", "jax"])
def test_peers_judge_the_same_rows_at_the_end_of_an_epoch(name):
    """Loss and accuracy of the 50 rows are those that fastbp finds at the parameters reached, and the parameters kept
    are those of the epoch of the least loss."""
    case = CASES["iris_val"]
    peer, net = with_validation(name, case), fastbp_fit.fastbp.network(case)
    X, y = case.held_data()
    assert X.shape == (50, 4) and y.shape == (50,)
    peer.run(peer.multiple if name == "jax" else case.epoch_steps)
    net.params[:] = parameters(name, peer)
    found = net.evaluate(X, y)
    validated = [np.asarray(value).ravel()[-1] for value in peer.validated]
    np.testing.assert_allclose(validated, [found["loss"], found["accuracy"]], rtol=1e-5)
    if name == "numpy":
        np.testing.assert_array_equal(peer.best, peer.params)
        peer.least, before = -1.0, peer.best.copy()
        peer.run(case.epoch_steps)
        np.testing.assert_array_equal(peer.best, before)


def parameters(name, peer):
    """The flat vector of a peer's parameters."""
    if name == "numpy":
        return peer.params
    if name == "torch":
        parts = [array.detach().numpy() for array in peer.params]
        return np.concatenate([(part.T if part.ndim == 2 else part).ravel() for part in parts])
    return np.concatenate([np.asarray(part).ravel() for pair in peer.carry[0][0] for part in pair])


def test_epochs_end_where_no_whole_batch_is_left():
    batches = peers.Batches(10, 3, np.random.default_rng(0))
    assert batches.ended
    assert [(len(batches.take()), batches.ended) for _ in range(4)] == [(3, False), (3, False), (3, True), (3, False)]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["numpy", "torch", "jax", "fastbp", "fastbp_fit"])
def test_curves_descend_alike(name):
    """32 steps by the equations of least squares, in float64."""
    case = replace(CASES["curve5"], epochs=32)
    x, y = case.data()
    peer = with_validation(name, case)
    peer.run(32)
    powers, k = np.vander(x.astype(float), 6, increasing=True), case.initial_parameters("float64")
    for _ in range(32):
        k -= case.lr * 2 / len(x) * powers.T @ (powers @ k - y)
    assert peer.loss() == pytest.approx(((powers @ k - y) ** 2).mean(), rel=1e-4)


def test_gradient_of_the_baselines_curve():
    case = CASES["curve5"]
    x, y = (array.astype(np.float64) for array in case.data())
    curve = baseline.Curve(case, x, y, dtype="float64")
    value = curve.loss_and_grad()
    assert value == pytest.approx(((np.polyval(curve.k[::-1], x) - y) ** 2).mean(), rel=1e-13)
    for i, slope in enumerate(curve.grads.copy()):
        curve.k[i] += 1e-6
        up = curve.loss_and_grad()
        curve.k[i] -= 2e-6
        assert (up - curve.loss_and_grad()) / 2e-6 == pytest.approx(slope, rel=1e-6, abs=1e-8)
        curve.k[i] += 1e-6
    assert case.flop == 100 * (4 + 10 + 3 + 12)


@pytest.mark.parametrize("name, case", [("fastbp_fit", "chain24"), ("fastbp", "iris_val"), ("sklearn", "curve5"),
                                        ("fastbp_expression", "iris_val")])  # fmt: skip
def test_what_a_contender_does_not_do_is_left_out(name, case):
    if name == "sklearn":
        pytest.importorskip("sklearn")
    assert "missing" in worker.Served(peers.load(name), 1).load(case)


# ---- the report ----------------------------------------------------------------------------------------------------


def contender_of(name, threads, median):
    return {"name": name, "threads": threads, "median": median, "min": median / 2, "max": 2 * median}


def result_of(cases, versions=("fastbp", "numpy", "jax", "fastbp_expression")):
    return {"machine": {"threads": 2}, "versions": dict.fromkeys(versions, "1"), "peak": {},
            "cases": {name: {"contenders": contenders, "fit": {"epochs": 7}} for name, contenders in cases.items()}}


def cells_of(text, workload):
    """{column: cell} of a row; the first of columns of the same name."""
    columns, _, *rows = ([cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines())
    row = next(row for row in rows if row[0] == workload)
    return dict(zip(reversed(columns), reversed(row), strict=True))


def test_table_has_fit_over_steps_and_the_best_peer_over_fit():
    iris = [contender_of("fastbp", 2, 4.0), contender_of("fastbp_fit", 1, 7.0), contender_of("fastbp_fit", 2, 5.0),
            contender_of("numpy", 1, 50.0), contender_of("jax", 1, 20.0), contender_of("jax", 2, 10.0),
            contender_of("fastbp_expression", 1, 1.0)]
    held = [contender_of("fastbp_fit", 2, 8.0), contender_of("jax", 1, 20.0)]
    result = result_of({"iris": iris, "iris_val": held, "chain24": [contender_of("fastbp", 2, 3.0)]})
    text = report.table(result)
    cells = cells_of(text, "iris")
    assert (cells["fit us"], cells["fit / steps"], cells["peer / fit"]) == ("5.00", "1.25x", "2.00x")
    assert cells["best peer"] == "2.50x"  # not another door to fastbp
    cells = cells_of(text, "iris_val")
    assert (cells["fastbp us"], cells["fit / steps"], cells["jax us"], cells["ratio"]) == ("-", "-", "20.0 (1t)", "-")
    assert (cells["fit us"], cells["peer / fit"]) == ("8.00", "2.50x")
    cells = cells_of(text, "chain24")
    assert (cells["fastbp us"], cells["fit us"], cells["peer / fit"]) == ("3.00", "-", "-")
    assert "Epochs: iris 7, iris_val 7\n" in report.notes(result)
    assert "chunks of steps" in report.notes(result)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_results_of_any_day_are_read(path, capsys):
    result = json.loads(path.read_text())
    report.main([str(path)])
    text = capsys.readouterr().out
    assert text.count("| workload ") == 1
    for name, case in result["cases"].items():
        mine = report.ours(result, case["contenders"])
        assert cells_of(report.table(result), name)["fastbp us"] == (report.number(mine["median"]) if mine else "-")
    assert ("fit us" in text) == any("fit" in case for case in result["cases"].values())


def test_a_result_without_fit_has_no_columns_for_it():
    result = result_of({"xor": [contender_of("fastbp", 2, 1.0), contender_of("numpy", 1, 2.0)]})
    assert "fit" not in report.table(result)
    assert "fit us" not in report.notes(result) and "peer / fit" not in report.notes(result)


class Scripted:
    """A worker whose steps take 2 us."""

    def __init__(self, name):
        self.name, self.threads = name, 1

    def ask(self, do, **details):
        return {"load": {"loss": 1.0}, "pace": {"steps": 50}, "run": {"seconds": 1e-4}, "drop": {}}[do]


@pytest.mark.parametrize("name, quick, there", [("wide2048", True, False), ("wide2048", False, True),
                                                ("mlp512", True, False), ("digits16", True, True)])  # fmt: skip
def test_a_long_training_is_left_out_of_a_quick_run(name, quick, there):
    faults = []
    measured = run.measure(name, [Scripted("fastbp"), Scripted("fastbp_fit")],
                           {"rounds": 1, "chunk_seconds": 0.0, "quick": quick}, faults)
    assert [c["name"] for c in measured["contenders"]] == ["fastbp", "fastbp_fit"][:1 + there]
    case = CASES[name]
    assert measured["fit"] == {"epochs": case.epochs, "steps": case.epochs * case.epoch_steps, "held": 0}
    assert not faults


def test_one_command_times_fit_and_stores_it(tmp_path, capsys):
    path = tmp_path / "result.json"
    status = run.main(["--quick", "--only", "iris_val,curve5", "--peers", "numpy", "--rounds", "1", "--threads", "1",
                       "--json", str(path)])
    assert status == 0
    stored = json.loads(path.read_text())
    assert set(stored["versions"]) == {"fastbp", "numpy"}  # fit is no peer
    assert [c["name"] for c in stored["cases"]["iris_val"]["contenders"]] == ["fastbp_fit", "numpy"]
    assert [c["name"] for c in stored["cases"]["curve5"]["contenders"]] == ["fastbp", "fastbp_fit", "numpy"]
    fit = stored["cases"]["curve5"]["contenders"][1]
    assert fit["steps"] % 5000 == 0
    printed = capsys.readouterr().out
    assert "fit / steps" in printed and "Epochs: iris_val 200, curve5 5000" in printed
    report.main([str(path)])
    assert cells_of(report.table(stored), "curve5")["fit us"] in capsys.readouterr().out
