"""How many answers are correct, counted in a plan: its kernels' special cases, its operation, and runs that count."""

import numpy as np
import pytest
from kernel_calls import PADDED, Kernel
from programs import NETWORKS, names, of_network

import fastbp as fb
from fastbp._compiler.use import Use
from fastbp._core.epochs import Epochs
from fastbp._ir.nn import correct
from fastbp._ir.node import Node
from fastbp.reference import kernels as reference

ODD = [np.nan, np.inf, -np.inf, 1.0, 1.0, 0.0, -0.0, -1.0]


def widths(lanes):
    return [1, 2, *{lanes - 1, lanes, lanes + 1} - {0, 1, 2}, 2 * lanes, 4 * lanes + 3]


# ---- kernels -------------------------------------------------------------------------------------------------------


def test_the_first_of_equal_ones_is_the_largest_and_nan_before_all(isa, dtype):
    kernel, rng = Kernel(isa, dtype, "correct_labels", PADDED), np.random.default_rng(0)
    for n in widths(kernel.lanes):
        for choice in (ODD, ODD[1:], ODD[3:], [0.0, -0.0], [-np.inf]):
            Y = rng.choice(np.array(choice, dtype), (20, n))
            for label in range(n):
                assert kernel(Y, np.full(20, label, "int32")) == (Y.argmax(axis=1) == label).sum(), (n, label)


def test_the_class_of_a_row_is_the_first_of_its_largest(isa, dtype):
    kernel, rng = Kernel(isa, dtype, "correct_multiclass", PADDED), np.random.default_rng(0)
    for n in widths(kernel.lanes):
        for choice in (ODD[1:], ODD[3:], [0.0, -0.0], [-np.inf]):
            T = rng.choice(np.array(choice, dtype), (50, n))
            Y = np.where(rng.random((50, 1)) < 0.5, T, rng.choice(np.array(ODD, dtype), (50, n)))
            assert kernel(Y, T) == (Y.argmax(axis=1) == T.argmax(axis=1)).sum(), n


def test_a_row_that_misses_one_target_does_not_count(isa, dtype):
    kernel = Kernel(isa, dtype, "correct_multiclass")
    for n in widths(kernel.lanes):
        for at in range(n):
            T = np.eye(n, dtype=dtype)
            T[:, at] = np.nan
            assert kernel(np.eye(n, dtype=dtype), T) == 0, (n, at)


def test_yes_is_above_zero_and_above_a_half(isa, dtype):
    kernel, tiny = Kernel(isa, dtype, "correct_multilabel", PADDED), np.finfo(dtype).tiny
    half = np.dtype(dtype).type(0.5)
    y = np.array([np.nan, 0.0, -0.0, tiny, -tiny, np.inf, -np.inf], dtype)
    t = np.array([0.0, 1.0, half, np.nextafter(half, half * 2), np.nextafter(half, half * 0), np.nan], dtype)
    for n in widths(kernel.lanes):
        Y, T = (np.tile(x, n)[: len(y) * len(t) * n].reshape(-1, n) for x in (np.repeat(y, len(t)), np.tile(t, len(y))))
        assert kernel(Y, T, 0.5) == reference.correct_multilabel(Y, T, 0.5), n


def test_a_long_count_is_exact(isa, dtype):
    kernel = Kernel(isa, dtype, "correct_multilabel")
    for n in (64 * kernel.lanes - 1, 64 * kernel.lanes, 64 * kernel.lanes + 1, 1000 * kernel.lanes):
        T = np.ones((1, n), dtype)
        assert kernel(T, T) == n
        assert kernel(-T, T) == 0


# ---- the operation -------------------------------------------------------------------------------------------------


def target_type_of(case):
    """({the options of a program}, target_type, kernel)."""
    return {
        "labels": ({"labels": True, "loss": "cross_entropy"}, "multiclass", "correct_labels"),
        "rows": ({"loss": "mse"}, "multiclass", "correct_multiclass"),
        "multilabel": ({"loss": "binary_cross_entropy"}, "multilabel", "correct_multilabel"),
    }[case]


CASES = ("labels", "rows", "multilabel")


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("kind", ["train", "evaluate"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheme", NETWORKS)
def test_counting_is_one_operation_more_and_nothing_else(scheme, case, kind, gathered):
    """Before the loss: the outputs' place, free after it, is the gradient's with and without the count."""
    options, target_type, kernel = target_type_of(case)
    options = {"gathered": gathered and kind == "train", **options}
    plain = of_network(*NETWORKS[scheme], kind, **options)
    program = of_network(*NETWORKS[scheme], kind, **options, target_type=target_type)
    assert plain.correct is None
    found, = (operation for operation in program.operations if operation.name == "correct")
    order = names(program.operations)
    assert order[order.index("correct") + 1] == "loss"
    assert [name for name in order if name != "correct"] == names(plain.operations)
    assert (found.kernel, found.out, found.scale, found.sums) == (kernel, None, 1.0, program.correct)
    assert (program.slots, program.invariant, program.slice_rows) == (plain.slots, plain.invariant, plain.slice_rows)
    assert (program.block_rows, program.ranges != [], program.groups) == (
        plain.block_rows, plain.ranges != [], plain.groups)
    assert len(program.values) == len(plain.values)
    assert program.sums == plain.sums + 1


def test_a_count_has_no_gradient_and_reads_labels():
    y, labels = Node("data", batched=True, shape=(3,), name="y"), Node(
        "data", batched=True, shape=(1,), name="t", integer=True)
    node = correct(y, labels, "multiclass")
    assert (node.batched, node.shape) == (False, ())
    with pytest.raises(TypeError, match="of integers, expected real numbers"):
        correct(labels, y, "multiclass")


# ---- runs ----------------------------------------------------------------------------------------------------------


def data_of(case, rng, n, inputs, units, dtype):
    """(loss, target_type, X, targets) of checked arrays, with gaps where a loss takes them."""
    X, labels = rng.standard_normal((n, inputs)).astype(dtype), rng.integers(0, units, n).astype("int32")
    if case == "labels":
        return "cross_entropy", "multiclass", X, labels
    if case == "rows":
        T = np.eye(units, dtype=dtype)[labels]
        T[::5, 0] = np.nan
        return fb.losses.MSE(missing="ignore"), "multiclass", X, T
    T = rng.integers(0, 2, (n, units)).astype(dtype)
    T[rng.random(T.shape) < 0.1] = np.nan
    return fb.losses.BinaryCrossEntropy(missing="ignore"), "multilabel", X, T


def steps(net, X, T, batch, order, threads, lr, optimizer, target_type):
    """Steps of two epochs in one call: (losses, counts, what `run` returns)."""
    plan = net._plans.get(Use("train", batch, gathered=order is not None, labels=T.ndim == 1, target_type=target_type,
                              threads=threads))
    optimizer.bind(net.params)
    training_state = Epochs(net, optimizer, len(X), batch, order, False, 0, counted=len(X) if target_type else 0)
    training = [(plan.executable, plan.arrays({"X": X, "targets": T}))]
    failure = training_state.run(training, [], lr, None, threads)
    return training_state.last_losses().copy(), training_state.last_correct_counts().copy(), failure


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheme", NETWORKS)
def test_steps_are_counted_before_their_update_and_their_bits_stay(scheme, case, shuffled, isa, dtype, threads, rng):
    sizes, batch = NETWORKS[scheme]
    loss, target_type, X, T = data_of(case, rng, 2 * batch, sizes[0], sizes[-1], dtype)
    order = rng.permutation(len(X)) if shuffled else None
    lr = np.full(4, 0.01)
    plain, counting, by_hand = (fb.mlp(*sizes, loss=loss, dtype=dtype, seed=1, dropout=0.1, l2=1e-4) for _ in range(3))
    of_plain, _, _ = steps(plain, X, T, batch, order, threads, lr, fb.Adam(clip_norm=1.0), None)
    of_counting, correct_counts, _ = steps(
        counting, X, T, batch, order, threads, lr, fb.Adam(clip_norm=1.0), target_type
    )
    assert np.array_equal(of_plain, of_counting)
    assert np.array_equal(plain.params, counting.params)
    assert np.array_equal(plain.grads, counting.grads)
    count, optimizer = getattr(reference, target_type_of(case)[2]), fb.Adam(lr=0.01, clip_norm=1.0)
    for step, found in enumerate(correct_counts):
        rows = np.arange(len(X)) if order is None else order
        rows = rows[step % 2 * batch:][:batch]
        Y = by_hand.forward(X[rows])
        by_hand._draws -= 1  # the step draws the same masks
        # products of inputs that are split by columns are added up otherwise, so an answer may be another one by a
        # rounding
        assert abs(found - count(Y, T[rows], 1.0)) <= (scheme == "input-split"), step
        by_hand.loss_and_grad(X[rows], T[rows])
        optimizer.step(by_hand)
    assert np.array_equal(by_hand.params, counting.params)


def test_a_step_that_is_not_taken_is_not_counted(threads):
    """Where the loss, or a parameter, stops being finite."""
    X, T = np.ones((6, 1), "float32"), np.ones((6, 1), "float32")
    for lr, limit, completed in ((np.array([1e-3, 1e-3, 1e-3]), 4, 2), (np.array([1e-3, 1e39, 1e-3]), 6, 1)):
        net = fb.mlp(1, 1, loss="binary_cross_entropy")
        net.layers[0].W[:] = 1
        X[:] = 1
        X[limit:] = np.inf
        _, correct_counts, failure = steps(net, X, T, 2, None, threads, lr, fb.SGD(lr=1.0), "multilabel")
        assert failure is not None
        assert list(correct_counts) == [2.0] * completed


def test_a_pass_without_an_update_counts(threads):
    net = fb.mlp(1, 2, loss="cross_entropy")
    net.layers[0].W[:], net.layers[0].b[:] = [[1, -1]], 0
    X, labels = np.array([[1.0], [2.0], [-3.0], [4.0], [-5.0], [6.0]], "float32"), np.array([0, 0, 0, 1, 1, 0], "int32")
    for part, kind in (("outputs", "evaluate"), ("gradients", "train")):
        plan = net._plans.get(Use(kind, 2, labels=True, target_type="multiclass"))
        correct_counts = np.full(3, -1.0)
        arrays = {"X": X, "targets": labels, "Y": np.empty((6, 2), "float32")}
        plan.run(part, arrays, steps=3, correct_counts=correct_counts)
        assert list(correct_counts) == [2, 0, 2]


@pytest.mark.parametrize(
    ("target_type", "count", "message"),
    [
        (
            None,
            2,
            "correct_counts has 2 numbers, for 2 steps of a plan that counts no correct answers, expected one "
            "for each step of a plan made for a target type; pass None, or make the plan for one",
        ),
        (
            "multilabel",
            1,
            "correct_counts has 1 numbers, for 2 steps of a plan that counts correct answers, expected one for",
        ),
        ("multilabel", 3, "correct_counts has 3 numbers, for 2 steps"),
    ],
)
def test_a_place_for_counts_that_does_not_fit_is_refused(target_type, count, message):
    net = fb.mlp(1, 1, loss="binary_cross_entropy")
    X, params, correct_counts = np.ones((4, 1), "float32"), net.params.copy(), np.full(count, -1.0)
    plan = net._plans.get(Use("train", 2, target_type=target_type))
    with pytest.raises(ValueError, match=message):
        plan.run("gradients", {"X": X, "targets": X}, steps=2, correct_counts=correct_counts)
    assert np.array_equal(net.params, params)
    assert not net.grads.any()
    assert (correct_counts == -1).all()
