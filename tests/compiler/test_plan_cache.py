"""fastbp/_compiler/plan_cache.py and the core's plan: chunks, the cache of plans, the arena, and that a step allocates
nothing."""

import gc
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import fastbp as fb
from fastbp import graph as g
from fastbp._compiler import plan_cache
from fastbp._compiler.use import Use
from fastbp._core import cpu
from fastbp._models import network_evaluation
from fastbp._training import network_fit


def net_of(*widths, dtype="float32", **options):
    return fb.mlp(*widths, dtype=dtype, activation="tanh", seed=1, **options)


# ---- chunks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 9, 10, 11, 20, 25, 1000])
@pytest.mark.parametrize("most", [1, 10, 1024])
def test_chunks_cover_the_rows_once_in_two_calls_at_most(n, most):
    chunks = list(plan_cache.chunks(n, most))
    assert 1 <= len(chunks) <= 2
    rows = [row for batch, first, steps in chunks for row in range(first, first + batch * steps)]
    assert rows == list(range(n))
    assert all(1 <= batch <= most for batch, _, _ in chunks)


# ---- the cache -----------------------------------------------------------------------------------------------------


def test_a_plan_is_made_once_for_a_use_and_a_batch():
    cache = net_of(4, 3)._plans
    first = cache.get(Use("train", 10))
    assert cache.get(Use("train", 10)) is first
    assert first.batch == first.executable.batch == 10
    others = [cache.get(Use("train", 11)), cache.get(Use("keep", 10)), cache.get(Use("train", 10, gathered=True)),
              cache.get(Use("train", 10, weighted=True)), cache.get(Use("train", 10, threads=cpu.threads() + 1))]
    assert len({id(plan) for plan in [first, *others]}) == 6


def test_another_isa_is_another_plan(isa):
    net = net_of(4, 3)
    plan = net._plans.get(Use("train", 10))
    for other in cpu.available():
        cpu.use(other)
        assert (net._plans.get(Use("train", 10)) is plan) == (other == isa)
    cpu.use(isa)
    assert net._plans.get(Use("train", 10)) is plan


def test_ever_new_batch_sizes_do_not_fill_the_memory():
    net = net_of(4, 3)
    for batch in range(1, 3 * plan_cache.MOST):
        net.loss_and_grad(np.ones((batch, 4)), np.ones((batch, 3)))
        net.predict(np.ones((batch, 4)))
    assert len(net._plans.plans) <= plan_cache.MOST
    assert len(net._plans.idle) <= plan_cache.MOST + 1


def kept(cache):
    return [[*cache.plans.values()], [plan for idle in cache.idle.values() for plan in idle]]


def test_plans_of_a_large_network_are_kept_by_their_bytes(monkeypatch):
    """A plan of it has copies of the weights: a few plans stay, and no more than a number of bytes beside them."""
    monkeypatch.setattr(plan_cache, "MOST_BYTES", 500_000)
    net = net_of(200, 300, 200)
    for batch in range(1, 40):
        net.loss_and_grad(np.ones((batch, 200)), np.ones((batch, 200)))
        net.evaluate(np.ones((batch + 60, 200)), np.ones((batch + 60, 200)))
    for plans in kept(net._plans):
        assert len(plans) == plan_cache.LATEST
        assert sum(plan.nbytes for plan in plans) > plan_cache.MOST_BYTES  # of these few, whatever they hold
    assert [use.batch for use, _ in net._plans.plans] == [36, 37, 38, 39]
    monkeypatch.setattr(plan_cache, "MOST_BYTES", 10_000_000)
    for batch in range(1, 40):
        net.loss_and_grad(np.ones((batch, 200)), np.ones((batch, 200)))
    plans, _ = kept(net._plans)
    assert plan_cache.LATEST < len(plans) < plan_cache.MOST
    assert 5_000_000 < sum(plan.nbytes for plan in plans) <= plan_cache.MOST_BYTES


def test_the_plan_that_is_used_most_stays_among_ever_new_ones(monkeypatch):
    monkeypatch.setattr(plan_cache, "MOST_BYTES", 0)
    cache = net_of(4, 3)._plans
    first = cache.get(Use("train", 100))
    for batch in range(1, 30):
        cache.get(Use("train", batch))
        assert cache.get(Use("train", 100)) is first


def test_threads_at_once_leave_no_more_large_plans_than_there_is_room_for(monkeypatch):
    net = net_of(4, 3)
    use = Use("predict", 8)
    size = net._plans.make(use).nbytes
    monkeypatch.setattr(plan_cache, "MOST_BYTES", 3 * size)
    taken = [net._plans.take(use) for _ in range(10)]
    for plan in taken:
        net._plans.give_back(plan)
    assert kept(net._plans)[1] == taken[:3]
    monkeypatch.setattr(plan_cache, "MOST_BYTES", 0)
    taken = [net._plans.take(Use("predict", 9)) for _ in range(3)]
    for plan in taken:
        net._plans.give_back(plan)
    assert net._plans.idle[taken[0].key] == taken[:1]  # one stays, whatever it holds


def test_a_plan_knows_what_it_holds():
    """Its arena, and the structs of its operations, which are most of a graph of many operations."""
    x = y = g.input("x", 1)
    for _ in range(1000):
        y = g.tanh(y) * 0.5
    plan = g.compile(g.mean(g.square(y - x)))
    bound = plan._plans.make(Use("train", 4))
    assert bound.nbytes == bound.executable.nbytes + bound.executable.structs
    assert bound.executable.structs > 2000 * 300 > bound.executable.nbytes


def test_a_borrowed_plan_is_nobody_elses():
    cache = net_of(4, 3)._plans
    with cache.borrowed(Use("predict", 8)) as first:
        with cache.borrowed(Use("predict", 8)) as second:
            assert second is not first
        with cache.borrowed(Use("predict", 8)) as third:
            assert third is second  # it came back
    with cache.borrowed(Use("predict", 8)) as again:
        assert again in (first, second)
    with pytest.raises(KeyError), cache.borrowed(Use("predict", 8)) as lost:
        raise KeyError
    with cache.borrowed(Use("predict", 8)) as again:
        assert again is lost  # also after an error


def test_a_training_plan_knows_the_callers_arrays_by_name():
    net = net_of(4, 3)
    plan = net._plans.get(Use("train", 2, weighted=True))
    assert sorted(plan.data) == ["X", "targets", "weights"]
    assert sorted(net._plans.get(Use("keep", 2)).data) == ["X", "Y", "dX", "dY"]
    X = np.zeros((2, 4), "float32")
    assert plan.arrays({"X": X, "Y": X}) == [(plan.data["X"], X)]  # what it does not read is left out


# ---- the arena -----------------------------------------------------------------------------------------------------


def arena(net, kind, batch, **options):
    return net._plans.make(Use(kind, batch, **{"threads": 1, **options})).executable.nbytes


def test_the_arena_of_a_small_plan_counted_by_hand():
    net = net_of(4, 8, 3, dtype="float64")
    # tanh outputs (10, 8), outputs (10, 3), their gradients (10, 3) and (10, 8), in one block of 10 rows, each rounded
    # up to a cache line; W1^T in one tile of packed B; the gradient of the one slice goes straight into net.grads
    columns = cpu.tile(cpu.selected(), "float64")[2]
    blocks = 2 * (10 * 8 * 8) + 2 * 256
    packed = 3 * -(-8 // columns) * columns * 8
    assert arena(net, "train", 10) == blocks + -(-packed // 128) * 128


def test_a_million_samples_need_the_memory_of_a_few_blocks():
    net = net_of(20, 32, 4)
    assert arena(net, "train", 1_000_000) < 300_000
    assert arena(net, "train", 1_000_000) == arena(net, "train", 100_000)
    assert arena(net, "evaluate", 1_000_000) <= arena(net, "train", 1_000_000)


def test_prediction_needs_no_more_memory_for_more_rows():
    net = net_of(90, 300, 310, 10)
    tracemalloc.start()
    peaks = []
    try:
        for n in (4 * network_evaluation.PREDICT_ROWS, 16 * network_evaluation.PREDICT_ROWS):
            X = np.ones((n, 90), "float32")
            net.predict(X)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            Y = net.predict(X)
            peaks.append(tracemalloc.get_traced_memory()[1] - before - Y.nbytes)
    finally:
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20_000


def test_each_thread_has_blocks_of_its_own_and_no_more_threads_than_slices():
    net = net_of(60, 48, 10)
    sizes = [arena(net, "train", 2000, threads=count) for count in (1, 2, 3, 4)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[3] - sizes[2] == sizes[2] - sizes[1] < sizes[1] - sizes[0]  # one thread has nothing beside it
    assert sizes[2] - sizes[1] >= 4096  # what one thread reads to its end must not have another's beginning prefetched
    assert arena(net, "train", 4, threads=9) == arena(net, "train", 4, threads=1)


def test_what_was_trained_on_is_not_kept():
    """A plan points at the caller's arrays during a call; afterwards they may go, whatever their size."""
    net = net_of(4, 3)
    X, Y = np.ones((100, 4), "float32"), np.ones((100, 3), "float32")
    gone = weakref.ref(X), weakref.ref(Y)
    net.fit(X, Y, batch_size=30)
    net.loss_and_grad(X, Y)
    net.evaluate(X, Y)
    net.predict(X)
    del X, Y
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_the_plan_writes_into_the_networks_vectors():
    net = net_of(4, 3)
    params, grads = net.params, net.grads
    net.fit(np.ones((20, 4)), np.ones((20, 3)), epochs=2, batch_size=5, optimizer=fb.SGD(lr=0.01))
    assert net.params is params
    assert net.grads is grads
    assert grads.any()


# ---- a step allocates nothing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [None, fb.SGD(lr=0.01), fb.Adam(clip_norm=1.0)], ids=repr)
@pytest.mark.parametrize(("widths", "batch"), [((5, 7, 3), 8), ((60, 48, 10), 256), ((90, 300, 310, 10), 64)], ids=str)
def test_a_step_allocates_nothing(widths, batch, optimizer):
    net = net_of(*widths, dropout=0.1)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((batch, widths[0])).astype("float32")
    y = rng.standard_normal((batch, widths[-1])).astype("float32")
    optimizer = optimizer and optimizer.fresh()
    network_fit.run_steps(net, X, y, optimizer, batch, 3, threads=2)
    gc.collect()
    peaks = []
    tracemalloc.start()
    try:
        for steps in (2, 22):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            network_fit.run_steps(net, X, y, optimizer, batch, steps, threads=2)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    # losses and rates: two numbers for each of twenty steps
    assert peaks[1] - peaks[0] <= 2 * 8 * 20 + 64


def test_epochs_need_no_more_memory_than_one():
    net = net_of(20, 32, 4)
    X, y = np.ones((600, 20), "float32"), np.ones((600, 4), "float32")
    opt = fb.Adam()
    net.fit(X, y, epochs=2, batch_size=50, optimizer=opt)
    tracemalloc.start()
    try:
        net.fit(X, y, epochs=2, batch_size=50, optimizer=opt)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        net.fit(X, y, epochs=20, batch_size=50, optimizer=opt)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
    assert peak - before < 60_000


def test_threads_of_python_predict_without_sharing_a_plan():
    """Four threads at once: each finds an idle plan or makes one, and all come back."""
    net = net_of(60, 48, 10)
    X = np.random.default_rng(0).standard_normal((50, 60))
    expected = net.predict(X)
    wrong = []

    def work():
        wrong.extend(1 for _ in range(50) if not np.array_equal(net.predict(X), expected))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
    idle, = net._plans.idle.values()
    assert 1 <= len(idle) <= 4
    assert len({id(plan) for plan in idle}) == len(idle)


def test_a_call_that_is_ready_reads_each_array_of_integers_itself():
    """The second call of the same kind takes the short way, which narrows integers into rows of its own."""
    i, j, table = g.input("i", integer=True), g.input("j", integer=True), g.parameter("table", (12, 2))
    plan = g.compile(g.mean(g.square(g.gather(table, i) - 2 * g.gather(table, j))))
    rng = np.random.default_rng(0)
    data = {"i": rng.integers(0, 12, 37), "j": rng.integers(0, 12, 37)}
    assert len({plan.loss_and_grad(**data)[0] for _ in range(3)}) == 1


def test_a_call_that_is_ready_uses_no_more_threads_than_there_is_memory_for():
    cpu.set_threads(3)
    try:
        net = net_of(5, 7, 3)
        X, Y = np.ones((8, 5), "float32"), np.ones((8, 3), "float32")
        found = {net.loss_and_grad(X, Y) for _ in range(20)}
    finally:
        cpu.set_threads(None)
    assert len(found) == 1
