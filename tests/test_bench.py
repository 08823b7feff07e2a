"""The benchmark's harness: what it times is the same work for all, and its figures mean what they say."""
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fastbp._core import cpu
from fastbp.reference.network import Dense, Network, Optimizer

sys.path.append(str(Path(__file__).resolve().parents[1]))
from bench import data, many, peak, peers, report, run, worker
from bench.cases import CASES, Case, matrix_exponential
from bench.peers import numpy as baseline

NETWORKS = [name for name, case in CASES.items() if isinstance(case, Case)]

UPDATES = {"sgd": ("sgd", {}), "momentum": ("momentum", {"beta1": 0.9}),
           "adam": ("adam", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8})}


def small(case):
    """The same kind of workload on few rows and narrow layers, in three batches where it gathers."""
    batch = min(case.batch, 8)
    return replace(case, widths=tuple(min(width, 20) for width in case.widths), batch=batch,
                   rows=3 * batch if case.shuffled else batch)


def on_reference(case, batches):
    """The losses of fastbp.reference on these batches, each followed by an update; and the last gradient."""
    layers = [Dense(*shape, activation) for shape, activation in zip(case.shapes, case.activations, strict=True)]
    net = Network(layers, case.loss)
    net.params[:] = case.initial_parameters("float64")
    update, hyper = UPDATES.get(case.update, (None, {}))
    optimizer = update and Optimizer(update, lr=case.lr, **hyper)
    losses = []
    for X, y in batches:
        losses.append(net.loss_and_grad(X, y))
        if optimizer:
            optimizer.step(net)
    return losses, net


@pytest.mark.parametrize("name", NETWORKS)
def test_numpy_baseline_is_the_reference(name):
    """The hand-written baseline in float64: loss, gradient and three updates on gathered batches, to 1e-12."""
    case = small(CASES[name])
    X, y = case.data()
    X, y = X.astype(np.float64), y if case.classes else y.astype(np.float64)
    contender = baseline.Contender(case, X, y, dtype="float64")
    order = np.random.default_rng(0).permutation(case.rows)
    if not case.shuffled:
        order = np.tile(order, 3)
    batches = [(X[rows], y[rows]) for rows in order.reshape(3, case.batch)]
    _, net = on_reference(case, batches)
    contender.run(3)
    np.testing.assert_allclose(contender.grads, net.grads, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(contender.params, net.params, rtol=1e-11, atol=1e-13)
    first = X[:case.batch], y[:case.batch]
    assert contender.loss() == pytest.approx(net.loss_and_grad(*first), rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_engine_reaches_the_baselines_loss(name):
    """What the benchmark asks before it times anything: the same loss after the same updates on one batch."""
    case = CASES[name].one_batch()
    if case.flop > 1e9:
        case = replace(case, batch=32, rows=32)
    X, y = case.data()
    losses = [worker.Served(peers.load(contender), 1).check(case, X, y) for contender in ("numpy", "fastbp")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.parametrize("contender", ["numpy", "fastbp"])
@pytest.mark.parametrize("name", ["nielsen30", "policy64"])
def test_rows_are_gathered_with_their_own_targets(name, contender):
    """Each contender shuffles in its own way, so losses cannot be compared; but 300 steps over five batches learn them
    by heart, where rows that came with another row's targets would leave more than half of the loss."""
    case = replace(CASES[name], rows=5 * CASES[name].batch, lr={"sgd": 1.0, "adam": 0.001}[CASES[name].update])
    trained = peers.load(contender).Contender(case, *case.data())
    before = trained.loss()
    trained.run(300)
    assert trained.loss() < 0.2 * before


def test_value_and_gradient_without_an_update():
    """chain24 asks for no update: the gradient is made, and the parameters stay."""
    case = CASES["chain24"]
    ours, theirs = (peers.load(contender).Contender(case, *case.data()) for contender in ("fastbp", "numpy"))
    ours.net.grads[:] = np.nan
    for trained in (ours, theirs):
        trained.run(2)
    np.testing.assert_allclose(ours.net.grads, theirs.grads, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(ours.net.params, case.initial_parameters())


def test_flop_and_parameters_of_the_workloads():
    """digits16 by hand: 13,002 parameters, 5.27 MFLOP; the others from the table the benchmark was specified by."""
    assert CASES["digits16"].parameters == 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10 == 13002
    assert CASES["digits16"].flop == 2 * 100 * (2 * 784 * 16 + 3 * 16 * 16 + 3 * 16 * 10)
    expected = {"nielsen30": 0.96, "mlp512": 411, "wide2048": 30100, "matexp": 39.7, "tabular": 109, "policy64": 2.0,
                "chain24": 0.17}
    for name, mflop in expected.items():
        assert CASES[name].flop / 1e6 == pytest.approx(mflop, rel=0.03), name


@pytest.mark.parametrize("name", NETWORKS)
def test_data_have_the_workloads_shapes(name):
    case = replace(CASES[name], rows=min(CASES[name].rows, 300))
    X, y = case.data()
    assert X.shape == (case.rows, case.widths[0]) and X.dtype == np.float32
    assert y.shape == ((case.rows,) if case.classes else (case.rows, case.widths[-1]))
    np.testing.assert_array_equal(X, case.data()[0])
    if case.output == "sigmoid":
        assert set(y.sum(axis=1)) == {1.0}


def test_matrix_exponential_of_a_rotation():
    turn = matrix_exponential(np.array([[[0.0, -1.0], [1.0, 0.0]]]))
    np.testing.assert_allclose(turn, [[[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]], rtol=1e-6)


def test_batches_take_every_row_once_an_epoch():
    batches = peers.Batches(10, 3, np.random.default_rng(0))
    epochs = [np.concatenate([batches.take() for _ in range(3)]) for _ in range(2)]
    for epoch in epochs:
        assert len(set(epoch.tolist())) == 9
    assert epochs[0].tolist() != epochs[1].tolist()


def result_of(contenders):
    return {"machine": {"threads": 2, "date": "2026-01-02T03:04:05+00:00", "cpu": "Some CPU", "cpus": 2, "isa": "avx2",
                        "python": "3.12"}, "versions": {"fastbp": "1", "numpy": "2", "jax": "3"},
            "peak": {"2": {"gflops": 100.0, "gbytes": 20.0, "gemm_gflops": None}},
            "cases": {"digits16": {"contenders": contenders}}}


def contender_of(name, threads, median):
    return {"name": name, "threads": threads, "median": median, "min": median / 2, "max": 2 * median}


def test_table_takes_peers_at_their_best_and_fastbp_as_asked():
    result = result_of([contender_of("fastbp", 1, 50.0), contender_of("fastbp", 2, 100.0),
                        contender_of("numpy", 1, 300.0), contender_of("numpy", 2, 400.0)])
    columns, _, row = (line.strip("| ").split("|") for line in report.table(result).splitlines())
    cells = dict(zip((c.strip() for c in columns), (c.strip() for c in row), strict=True))
    assert cells["fastbp us"] == "100" and cells["min - max"] == "50.0 - 200" and cells["1 thread"] == "50.0"
    assert cells["numpy us"] == "300 (1t)" and cells["ratio"] == "-" and cells["jax us"] == "-"  # jax has no figure
    assert report.table(result).count("3.00x") == 2  # numpy's, and the best's
    assert cells["GFLOP/s"] == "52.7" and cells["% peak"] == "53"  # 5.27 MFLOP in 100 us
    assert "Some CPU" in report.header(result) and "jax 3" in report.header(result)


class Scripted:
    """A worker whose steps take 2 us and whose loss is given."""

    def __init__(self, name, loss):
        self.name, self.threads, self.loss = name, 1, loss

    def ask(self, do, **details):
        if self.loss == "missing":
            return {"missing": "cannot do this one"}
        return {"load": {"loss": self.loss}, "pace": {"steps": 50}, "run": {"seconds": 1e-4}, "drop": {}}[do]


@pytest.mark.parametrize("wrong", [1.01, float("nan")])
def test_a_wrong_contender_is_not_timed(wrong, capsys):
    faults = []
    workers = [Scripted("fastbp", wrong), Scripted("numpy", 1.0), Scripted("jax", 1.0001), Scripted("sklearn", None),
               Scripted("torch", "missing")]
    measured = run.measure("xor", workers, {"rounds": 3, "chunk_seconds": 0.0}, faults)
    assert [c["name"] for c in measured["contenders"]] == ["numpy", "jax", "sklearn"]
    assert measured["contenders"][0]["median"] == pytest.approx(2.0)
    assert len(faults) == 1 and "fastbp" in faults[0]


def test_rounds_begin_with_another_contender_each():
    assert [run.rotated(3, by) for by in range(3)] == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]


def test_one_command_prints_and_stores(tmp_path, capsys):
    path = tmp_path / "result.json"
    status = run.main(["--quick", "--only", "xor,chain24", "--peers", "numpy", "--rounds", "1", "--threads", "1",
                       "--json", str(path)])
    assert status == 0
    printed = capsys.readouterr().out
    assert "| xor " in printed and "| chain24 " in printed
    stored = json.loads(path.read_text())
    assert set(stored["versions"]) == {"fastbp", "numpy"}
    assert set(stored["cases"]) == {"xor", "chain24"}
    for contender in stored["cases"]["xor"]["contenders"]:
        assert 0 < contender["min"] <= contender["median"] <= contender["max"] < 1e6
    assert stored["machine"]["isa"] and stored["machine"]["date"]


@pytest.mark.parametrize("argv", [["--only", "digits17"], ["--peers", "caffe"], ["--threads", "0"], ["--rounds", "x"]])
def test_unknown_names_and_numbers_are_refused(argv, capsys):
    with pytest.raises(SystemExit):
        run.main(argv)
    assert argv[1] in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch, capsys):
    class Absent:
        def __init__(self, name, threads):
            self.about = {"missing": "No module named 'torch'"}

        def close(self):
            pass
    monkeypatch.setattr(run, "Worker", Absent)
    assert run.start("torch", [1, 2], {}) == []
    assert "No module named 'torch'" in capsys.readouterr().err


def test_peak_counts_what_it_does():
    """No mark in time: the operations counted are those of the widest vectors, and they are carried out."""
    library = peak.compiled()
    if library is None:
        pytest.skip("no C compiler")
    lanes = max(4, cpu.tile(cpu.available()[0], "float32")[0])  # peak.c's narrowest vector has 4
    out = np.array([0.5, 1.0, 0.0], np.float32)
    assert library.peak_fma(1, out.ctypes.data) == 2 * 12 * lanes
    assert out[2] == sum((1.0 + i) * 0.5 + 1.0 for i in range(12))  # twelve streams begin at 1, 2 ... 12
    ones = np.ones(1 << 12, np.float32)
    assert library.peak_read(ones.ctypes.data, ones.size) == ones.size / lanes  # one lane's share of the sum


def test_a_word_is_answered_by_another_thread_or_not_at_all():
    library = peak.compiled()
    if library is None:
        pytest.skip("no C compiler")
    place = np.zeros(32, np.int64)
    assert library.peak_bounce(place.ctypes.data, 0, 3) == 0
    assert place[0] == 1
    assert place[16] == 0
    assert 0 < peak.round_trip(library, count=100) < 1e9


def test_many_prints_its_ratio_and_compares_the_bits(capsys, monkeypatch):
    options = ["--nets", "3", "--rows", "250", "--rounds", "1", "--threads", "2"]
    assert many.main(options) == 0
    printed = capsys.readouterr().out
    assert "3 networks, one epoch of 250 rows" in printed
    assert float(re.search(r"^ratio: ([0-9.]+) ", printed, re.MULTILINE)[1]) > 0
    monkeypatch.setattr(many.fb, "fit_many", lambda nets, X, y, **options: None)  # which trains nothing
    assert many.main(options) == 1
    assert "the parameters differ" in capsys.readouterr().out


def test_the_better_of_two_measurements_is_the_machines_limit(monkeypatch):
    first = {"gflops": 90.0, "gbytes": 17.0, "gemm_gflops": None}
    measured = iter([first, {"gflops": 60.0, "gbytes": 18.0, "gemm_gflops": None}])
    monkeypatch.setattr(run.peak, "measure", lambda threads, seconds: next(measured))
    found = {}
    run.limits(found, [2], True)
    run.limits(found, [2], True)
    assert found == {"2": {"gflops": 90.0, "gbytes": 18.0, "gemm_gflops": None}}


def test_peak_measures_every_limit():
    figures = peak.measure(2, seconds=0.002)
    assert figures["gemm_gflops"] > 0
    assert peak.compiled() is None or (figures["gflops"] > 0 and figures["gbytes"] > 0)


def test_what_a_call_costs_without_steps_is_taken_off(monkeypatch):
    """A contender whose every call takes a second and whose steps take a quarter, on a clock that only it moves."""
    class Slow:
        multiple, now = 1, 0.0

        def run(self, steps):
            Slow.now += 1.0 + 0.25 * steps
    monkeypatch.setattr(worker.time, "perf_counter", lambda: Slow.now)
    served = worker.Served(None, 1)
    served.contender = Slow()
    assert served.timed(8) == 2.0
    assert served.pace(10.0) == {"steps": 40}
    assert served.run(40) == {"seconds": 10.0}


def test_a_pause_in_a_call_of_none_takes_nothing_off(monkeypatch):
    """The third call of none is held up for longer than the steps take; another workload begins anew."""
    class Paused:
        multiple, now, idle = 1, 0.0, 0

        def run(self, steps):
            Paused.idle += not steps
            Paused.now += 1.0 + 0.25 * steps + 100.0 * (not steps and Paused.idle == 3)
    monkeypatch.setattr(worker.time, "perf_counter", lambda: Paused.now)
    served = worker.Served(None, 1)
    served.contender = Paused()
    assert [served.timed(8) for _ in range(4)] == [2.0] * 4
    served.drop()
    assert served.idle == float("inf")


def test_data_prints_a_share_for_each_kind(capsys):
    options = ["--cases", "digits16", "--rows", "300", "--seconds", "0.01", "--rounds", "2", "--threads", "1"]
    assert data.main(options) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [" ".join(line[1:-4]) for line in lines] == list(data.KINDS)
    assert all(line[0] == "digits16" and float(line[-4]) > 0 for line in lines)
    assert lines[0][-4:] == ["1.00", "(1.00", "-", "1.00)"]


def test_all_kinds_of_data_are_the_same_numbers(tmp_path):
    X = np.arange(128, dtype="float32").repeat(2).reshape(64, 4)
    seen = []
    for kind in data.KINDS:
        scale = data.scale_of(kind)
        array = data.written(kind, X if scale != 1 else X * np.float32(data.SCALE), tmp_path)
        assert array.dtype.name == kind.split()[0]
        assert isinstance(array, np.memmap) == ("map" in kind)
        seen.append(array.astype("float64") * scale)
    for numbers in seen:
        np.testing.assert_allclose(numbers, seen[0], rtol=1e-3)
