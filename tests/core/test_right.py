"""How many answers are right, counted in a plan: its kernels' special cases, its operation, and runs that count."""

import numpy as np
import pytest
from kernel_calls import PADDED, Kernel
from programs import NETWORKS, names, of_network

import fastbp as fb
from fastbp._compiler.use import Use
from fastbp._core.epochs import Epochs
from fastbp._ir.nn import right
from fastbp._ir.node import Node
from fastbp.reference import kernels as reference

ODD = [np.nan, np.inf, -np.inf, 1.0, 1.0, 0.0, -0.0, -1.0]


def widths(lanes):
    return [1, 2, *{lanes - 1, lanes, lanes + 1} - {0, 1, 2}, 2 * lanes, 4 * lanes + 3]


# ---- kernels -------------------------------------------------------------------------------------------------------


def test_the_first_of_equal_ones_is_the_largest_and_nan_before_all(isa, dtype):
    kernel, rng = Kernel(isa, dtype, "right_labels", PADDED), np.random.default_rng(0)
    for n in widths(kernel.lanes):
        for choice in (ODD, ODD[1:], ODD[3:], [0.0, -0.0], [-np.inf]):
            Y = rng.choice(np.array(choice, dtype), (20, n))
            for label in range(n):
                assert kernel(Y, np.full(20, label, "int32")) == (Y.argmax(axis=1) == label).sum(), (n, label)


def test_the_class_of_a_row_is_the_first_of_its_largest(isa, dtype):
    kernel, rng = Kernel(isa, dtype, "right_classes", PADDED), np.random.default_rng(0)
    for n in widths(kernel.lanes):
        for choice in (ODD[1:], ODD[3:], [0.0, -0.0], [-np.inf]):
            T = rng.choice(np.array(choice, dtype), (50, n))
            Y = np.where(rng.random((50, 1)) < 0.5, T, rng.choice(np.array(ODD, dtype), (50, n)))
            assert kernel(Y, T) == (Y.argmax(axis=1) == T.argmax(axis=1)).sum(), n


def test_a_row_that_misses_one_target_does_not_count(isa, dtype):
    kernel = Kernel(isa, dtype, "right_classes")
    for n in widths(kernel.lanes):
        for at in range(n):
            T = np.eye(n, dtype=dtype)
            T[:, at] = np.nan
            assert kernel(np.eye(n, dtype=dtype), T) == 0, (n, at)


def test_yes_is_above_zero_and_above_a_half(isa, dtype):
    kernel, tiny = Kernel(isa, dtype, "right_answers", PADDED), np.finfo(dtype).tiny
    half = np.dtype(dtype).type(0.5)
    y = np.array([np.nan, 0.0, -0.0, tiny, -tiny, np.inf, -np.inf], dtype)
    t = np.array([0.0, 1.0, half, np.nextafter(half, half * 2), np.nextafter(half, half * 0), np.nan], dtype)
    for n in widths(kernel.lanes):
        Y, T = (np.tile(x, n)[: len(y) * len(t) * n].reshape(-1, n) for x in (np.repeat(y, len(t)), np.tile(t, len(y))))
        assert kernel(Y, T, 0.5) == reference.right_answers(Y, T, 0.5), n


def test_a_long_count_is_exact(isa, dtype):
    kernel = Kernel(isa, dtype, "right_answers")
    for n in (64 * kernel.lanes - 1, 64 * kernel.lanes, 64 * kernel.lanes + 1, 1000 * kernel.lanes):
        T = np.ones((1, n), dtype)
        assert kernel(T, T) == n
        assert kernel(-T, T) == 0


# ---- the operation -------------------------------------------------------------------------------------------------


def question_of(case):
    """({the options of a program}, question, kernel)."""
    return {
        "labels": ({"labels": True, "loss": "cross_entropy"}, "class", "right_labels"),
        "rows": ({"loss": "mse"}, "class", "right_classes"),
        "answers": ({"loss": "binary_cross_entropy"}, "answers", "right_answers"),
    }[case]


CASES = ("labels", "rows", "answers")


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("kind", ["train", "evaluate"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("regime", NETWORKS)
def test_counting_is_one_operation_more_and_nothing_else(regime, case, kind, gathered):
    """Before the loss: the outputs' place, free after it, is the gradient's with and without the count."""
    options, question, kernel = question_of(case)
    options = {"gathered": gathered and kind == "train", **options}
    plain = of_network(*NETWORKS[regime], kind, **options)
    program = of_network(*NETWORKS[regime], kind, **options, question=question)
    assert plain.right is None
    found, = (operation for operation in program.operations if operation.name == "right")
    order = names(program.operations)
    assert order[order.index("right") + 1] == "loss"
    assert [name for name in order if name != "right"] == names(plain.operations)
    assert (found.kernel, found.out, found.scale, found.sums) == (kernel, None, 1.0, program.right)
    assert (program.slots, program.fixed, program.slice_rows) == (plain.slots, plain.fixed, plain.slice_rows)
    assert (program.block_rows, program.ranges != [], program.groups) == (
        plain.block_rows, plain.ranges != [], plain.groups)
    assert len(program.values) == len(plain.values)
    assert program.sums == plain.sums + 1


def test_a_count_has_no_gradient_and_reads_labels():
    y, labels = Node("data", batched=True, shape=(3,), name="y"), Node(
        "data", batched=True, shape=(1,), name="t", integer=True)
    node = right(y, labels, "class")
    assert (node.batched, node.shape) == (False, ())
    with pytest.raises(TypeError, match="of integers, expected real numbers"):
        right(labels, y, "class")


# ---- runs ----------------------------------------------------------------------------------------------------------


def data_of(case, rng, n, inputs, units, dtype):
    """(loss, question, X, targets) of checked arrays, with gaps where a loss takes them."""
    X, labels = rng.standard_normal((n, inputs)).astype(dtype), rng.integers(0, units, n).astype("int32")
    if case == "labels":
        return "cross_entropy", "class", X, labels
    if case == "rows":
        T = np.eye(units, dtype=dtype)[labels]
        T[::5, 0] = np.nan
        return fb.losses.MSE(missing="ignore"), "class", X, T
    T = rng.integers(0, 2, (n, units)).astype(dtype)
    T[rng.random(T.shape) < 0.1] = np.nan
    return fb.losses.BinaryCrossEntropy(missing="ignore"), "answers", X, T


def steps(net, X, T, batch, order, threads, lr, optimizer, question):
    """Steps of two epochs in one call: (losses, counts, what `run` returns)."""
    plan = net._plans.get(Use("train", batch, gathered=order is not None, labels=T.ndim == 1, question=question,
                              threads=threads))
    optimizer.bind(net.params)
    course = Epochs(net, optimizer, len(X), batch, order, False, 0, counted=len(X) if question else 0)
    training = [(plan.compiled, plan.arrays({"X": X, "targets": T}))]
    failure = course.run(training, [], lr, None, threads)
    return course.last_losses().copy(), course.last_rights().copy(), failure


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("regime", NETWORKS)
def test_steps_are_counted_before_their_update_and_their_bits_stay(regime, case, shuffled, isa, dtype, threads, rng):
    sizes, batch = NETWORKS[regime]
    loss, question, X, T = data_of(case, rng, 2 * batch, sizes[0], sizes[-1], dtype)
    order = rng.permutation(len(X)) if shuffled else None
    lr = np.full(4, 0.01)
    plain, counting, by_hand = (fb.mlp(*sizes, loss=loss, dtype=dtype, seed=1, dropout=0.1, l2=1e-4) for _ in range(3))
    of_plain, _, _ = steps(plain, X, T, batch, order, threads, lr, fb.Adam(clip_norm=1.0), None)
    of_counting, rights, _ = steps(counting, X, T, batch, order, threads, lr, fb.Adam(clip_norm=1.0), question)
    assert np.array_equal(of_plain, of_counting)
    assert np.array_equal(plain.params, counting.params)
    assert np.array_equal(plain.grads, counting.grads)
    count, optimizer = getattr(reference, question_of(case)[2]), fb.Adam(lr=0.01, clip_norm=1.0)
    for step, found in enumerate(rights):
        rows = np.arange(len(X)) if order is None else order
        rows = rows[step % 2 * batch:][:batch]
        Y = by_hand.forward(X[rows])
        by_hand._draws -= 1  # the step draws the same masks
        # products of inputs that go by shares are added up otherwise, so an answer may be another one by a rounding
        assert abs(found - count(Y, T[rows], 1.0)) <= (regime == "shares"), step
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
        _, rights, failure = steps(net, X, T, 2, None, threads, lr, fb.SGD(lr=1.0), "answers")
        assert failure is not None
        assert list(rights) == [2.0] * completed


def test_a_pass_without_an_update_counts(threads):
    net = fb.mlp(1, 2, loss="cross_entropy")
    net.layers[0].W[:], net.layers[0].b[:] = [[1, -1]], 0
    X, labels = np.array([[1.0], [2.0], [-3.0], [4.0], [-5.0], [6.0]], "float32"), np.array([0, 0, 0, 1, 1, 0], "int32")
    for part, kind in (("outputs", "evaluate"), ("gradients", "train")):
        plan = net._plans.get(Use(kind, 2, labels=True, question="class"))
        rights = np.full(3, -1.0)
        arrays = {"X": X, "targets": labels, "Y": np.empty((6, 2), "float32")}
        plan.run(part, arrays, steps=3, rights=rights)
        assert list(rights) == [2, 0, 2]


@pytest.mark.parametrize(("question", "count", "message"), [
    (None, 2, "rights has 2 numbers, for 2 steps of a plan that counts no right answers, expected one for each step of "
     "a plan made for a question; pass None, or make the plan for one"),
    ("answers", 1, "rights has 1 numbers, for 2 steps of a plan that counts right answers, expected one for each step"),
    ("answers", 3, "rights has 3 numbers, for 2 steps"),
])
def test_a_place_for_counts_that_does_not_fit_is_refused(question, count, message):
    net = fb.mlp(1, 1, loss="binary_cross_entropy")
    X, params, rights = np.ones((4, 1), "float32"), net.params.copy(), np.full(count, -1.0)
    plan = net._plans.get(Use("train", 2, question=question))
    with pytest.raises(ValueError, match=message):
        plan.run("gradients", {"X": X, "targets": X}, steps=2, rights=rights)
    assert np.array_equal(net.params, params)
    assert not net.grads.any()
    assert (rights == -1).all()
