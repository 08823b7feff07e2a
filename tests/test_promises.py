"""The house's promises 1 to 6 (docs/architecture.md), each over what it speaks of: ISA, dtype, threads."""

import ctypes
import hashlib
import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise

import numpy as np
import pytest

import fastbp as fb
from fastbp._compiler import partitioning
from fastbp._core import cpu
from fastbp._training import network_fit

# one network for each scheme: (widths, rows, batch)
SCHEMES = {
    "tiny": ((5, 7, 3), 50, 8),
    "batch-parallel": ((60, 48, 10), 700, 256),
    "input-split": ((520, 24, 10), 320, 100),
    "tile-parallel": ((90, 300, 310, 10), 300, 128),
}


def made(scheme, dtype="float32", **options):
    """(net, X, y) of a scheme, the same at every call."""
    widths, rows, batch = SCHEMES[scheme]
    rng = np.random.default_rng(3)
    X = rng.standard_normal((rows, widths[0]))
    y = rng.integers(0, widths[-1], rows)
    options = {"activation": "tanh", "loss": "cross_entropy", "seed": 5, **options}
    return fb.mlp(*widths, dtype=dtype, **options), X, y, batch


def digest(net):
    return hashlib.sha256(net.params.tobytes()).hexdigest()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_schemes_are_what_they_are_called(scheme):
    widths, _, batch = SCHEMES[scheme]
    size = sum(a * b for a, b in pairwise(widths))
    chosen = partitioning.choose(batch, list(pairwise(widths)), 0, size, 4, first=widths[:2])
    assert chosen.by_range == (scheme in ("input-split", "tile-parallel"))
    assert chosen.splits == (4 if scheme == "input-split" else 0)
    assert (chosen.slice_rows == batch) == (scheme == "tiny")


# ---- 1: the same bits for any number of threads --------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "optimizer",
    [
        fb.SGD(lr=0.1),
        fb.SGD(lr=0.05, momentum=0.9, nesterov=True),
        fb.Adam(lr=1e-3),
        fb.AdamW(lr=1e-3, clip_norm=0.5),
        fb.RMSprop(lr=1e-3, clip_value=0.01),
        fb.Adagrad(lr=0.01),
    ],
    ids=repr,
)
def test_same_bits_for_any_number_of_threads(isa, dtype, scheme, optimizer):
    results = set()
    for count in (1, 2, 3):
        net, X, y, batch = made(scheme, dtype, dropout=0.2, l2=1e-4)
        weights = np.linspace(0.5, 1.5, len(X))
        history = net.fit(
            X,
            y,
            epochs=2,
            batch_size=batch,
            optimizer=optimizer.fresh(),
            sample_weight=weights,
            threads=count,
            validation_split=0.2,
        )
        results.add((digest(net), tuple(history.history["loss"]), tuple(history.history["val_loss"])))
    assert len(results) == 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_predictions_and_gradients_have_the_same_bits_for_any_number_of_threads(isa, dtype, scheme):
    results = set()
    for count in (1, 2, 3):
        cpu.set_threads(count)
        try:
            net, X, y, _ = made(scheme, dtype)
            Y = net.forward(X)
            dX = net.backward(Y)
            results.add(
                (net.predict(X).tobytes(), Y.tobytes(), dX.tobytes(), net.loss_and_grad(X, y), net.grads.tobytes())
            )
        finally:
            cpu.set_threads(None)
    assert len(results) == 1


def test_dropout_masks_are_one_stream_of_the_seed(dtype, threads):
    net = fb.Sequential(
        fb.Dense(4, 100, bias_init=np.ones(100), init="zeros"),
        fb.Dropout(0.25),
        fb.Dense(100, 100, init=np.eye(100), bias_init="zeros"),
        dtype=dtype,
        seed=11,
    )
    first, second = net.forward(np.ones((300, 4))), net.forward(np.ones((300, 4)))
    assert np.unique(first) == pytest.approx([0, 4 / 3])
    assert abs((first == 0).mean() - 0.25) < 0.01
    assert (first != second).any()  # another step, another mask
    assert abs(np.corrcoef((first == 0).ravel(), (second == 0).ravel())[0, 1]) < 0.02
    again = fb.Sequential.from_config(net.config())
    again.params[:] = net.params
    assert (again.forward(np.ones((300, 4))) == first).all()


# ---- 2: fit is the loop written by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "optimizer",
    [fb.SGD(lr=0.1, momentum=0.9), fb.Adam(lr=1e-3, clip_norm=0.3), fb.AdamW(lr=fb.schedules.Cosine(1e-2, 20))],
    ids=repr,
)
def test_fit_equals_the_loop_written_by_hand(isa, dtype, threads, scheme, optimizer):
    ours, X, y, batch = made(scheme, dtype, dropout=0.1, l1=1e-5)
    byhand, *_ = made(scheme, dtype, dropout=0.1, l1=1e-5)
    weights = np.linspace(0.5, 1.5, len(X))
    history = ours.fit(X, y, epochs=2, batch_size=batch, optimizer=optimizer.fresh(), sample_weight=weights, seed=7)
    opt = optimizer.fresh()
    for epoch in range(2):
        total = 0.0
        for xb, yb, wb in fb.batches(X, y, batch, seed=7 + epoch, sample_weight=weights):
            total += byhand.loss_and_grad(xb, yb, sample_weight=wb) * len(xb) / len(X)
            opt.step(byhand)
        assert history.history["loss"][epoch] == pytest.approx(total, rel=1e-12)
    assert digest(ours) == digest(byhand)
    assert ours.grads.tobytes() == byhand.grads.tobytes()  # those of the last step, which alone are written there


def test_rows_in_any_order_that_are_more_than_one_sweep_of_a_product(isa, threads):
    """400 rows input-split: AVX2 multiplies 256 of them at once."""
    X, y = np.random.default_rng(3).random((800, 256), np.float32), np.arange(800) % 10
    nets = [fb.mlp(256, 24, 10, loss="cross_entropy", seed=5) for _ in range(2)]
    nets[0].fit(X, y, epochs=1, batch_size=400, optimizer=fb.SGD(lr=0.1), seed=7)
    opt = fb.SGD(lr=0.1)
    for xb, yb in fb.batches(X, y, 400, seed=7):
        nets[1].loss_and_grad(xb, yb)
        opt.step(nets[1])
    assert digest(nets[0]) == digest(nets[1])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_value_and_gradient_of_batch_after_batch(scheme, threads):
    """Steps without an update: each begins with what an update would have begun."""
    net, X, y, batch = made(scheme)
    losses = network_fit.run_steps(net, X, y, None, batch, 4, seed=7)
    batches = [pair for epoch in (7, 8, 9) for pair in fb.batches(X, y, batch, seed=epoch) if len(pair[0]) == batch]
    expected = [(net.loss_and_grad(xb, yb), net.grads.tobytes()) for xb, yb in batches[:4]]
    assert losses.tolist() == [loss for loss, _ in expected]
    network_fit.run_steps(net, X, y, None, batch, 4, seed=7)
    assert net.grads.tobytes() == expected[-1][1]


def test_fit_in_two_calls_equals_one(dtype):
    once, X, y, batch = made("batch-parallel", dtype)
    twice, *_ = made("batch-parallel", dtype)
    once.fit(X, y, epochs=2, batch_size=batch, optimizer=fb.Adam(), seed=0)
    opt = fb.Adam()
    for epoch in range(2):
        twice.fit(X, y, epochs=1, batch_size=batch, optimizer=opt, seed=epoch)
    assert digest(once) == digest(twice)


# ---- 3 is tests/csrc/test_kernels.py, test_kernel_gradients.py and test_agreement.py; here: every gradient of the
# engine


@pytest.mark.smoke
@pytest.mark.parametrize("activation", [name for name in cpu.activations() if name != "softmax"])
def test_gradients_agree_with_central_differences(isa, activation):
    rng = np.random.default_rng(1)
    net = fb.mlp(4, 6, 5, 3, activation=activation, dropout=0.2, l1=1e-3, l2=1e-2, seed=3)
    result = fb.gradcheck(net, rng.standard_normal((7, 4)), rng.standard_normal((7, 3)))
    assert result.checked == net.params.size
    assert result.max_error < 1e-6, result


@pytest.mark.smoke
@pytest.mark.parametrize("loss", fb.losses.LOSSES)
def test_gradients_of_losses_agree_with_central_differences(isa, loss):
    rng = np.random.default_rng(2)
    net = fb.mlp(4, 6, 3, activation="tanh", loss=loss, seed=4)
    y = rng.integers(0, 2, (9, 3)).astype(float)
    if loss == "cross_entropy":
        assert fb.gradcheck(net, rng.standard_normal((9, 4)), np.arange(9) % 3).max_error < 1e-6
        y = np.eye(3)[np.arange(9) % 3]
    result = fb.gradcheck(net, rng.standard_normal((9, 4)), y, sample_weight=rng.random(9))
    assert result.max_error < 1e-6, result


def test_gradients_of_a_softmax_output_agree_with_central_differences(isa):
    rng = np.random.default_rng(5)
    net = fb.mlp(4, 6, 3, activation="tanh", output="softmax", loss="squared_error", seed=4)
    assert fb.gradcheck(net, rng.standard_normal((9, 4)), np.arange(9) % 3).max_error < 1e-6


@pytest.mark.parametrize("scheme", SCHEMES)
def test_backward_gives_the_gradient_of_the_inputs_and_of_the_parameters(isa, threads, scheme):
    net, X, _, _ = made(scheme, "float64", loss="squared_error")
    rng = np.random.default_rng(9)
    X, direction = X[:40], rng.standard_normal(X[:40].shape)
    T = rng.standard_normal((40, net.units))
    Y = net.forward(X)
    dX = net.backward(2 * (Y - T) / 40)
    by_hand = net.grads.copy()
    assert net.loss_and_grad(X, T) > 0
    assert np.allclose(net.grads, by_hand, rtol=1e-12, atol=1e-14)
    numeric = (net.loss_and_grad(X + 1e-6 * direction, T) - net.loss_and_grad(X - 1e-6 * direction, T)) / 2e-6
    assert (dX * direction).sum() == pytest.approx(numeric, rel=1e-6)


# ---- 4: the caller's floating-point modes --------------------------------------------------------------------------


def test_denormals_are_as_they_were():
    tiny = np.array([np.finfo("float32").smallest_subnormal])
    net, X, y, batch = made("batch-parallel")
    net.fit(X, y, batch_size=batch)
    assert (tiny * np.float32(1)).astype("float32")[0] > 0
    # 1e-40 is denormal: flushing to zero, which -ffast-math switches on in a shared object, would lose it
    assert np.float32(1e-40) * np.float32(0.5) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads the modes through libc")
def test_rounding_mode_is_as_it_was():
    libm = ctypes.CDLL("libm.so.6")
    before = libm.fegetround()
    net, X, y, batch = made("tile-parallel")
    net.fit(X, y, batch_size=batch)
    assert libm.fegetround() == before


# ---- 5: wrong input changes nothing (what is refused, and how, is in tests/check/test_check.py and test_bad_input.py)
# ----


# ---- 6: numbers that stop being finite -----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_loss_that_stops_being_finite_stops_training(dtype, threads, scheme):
    options = {"loss": "squared_error", "activation": "relu"}
    net, X, y, batch = made(scheme, dtype, **options)
    expected, *_ = made(scheme, dtype, **options)
    y = np.eye(net.units)[y]
    X = X.astype(dtype)
    order = fb._training.network_fit.epoch_order(len(X), batch, True, net.seed + 1)
    row = order[min(len(X) - 1, 2 * batch)]  # in the third step of the second epoch
    steps = -(-len(X) // batch) + 2

    def poison(net, epoch, logs):
        X[row] = np.finfo(dtype).max / 10  # finite, but its squared error is not

    by_hand = fb.Adam(lr=1e-3)
    for epoch in range(2):
        for xb, yb in fb.batches(X, y, batch, seed=net.seed + epoch):
            if by_hand.steps < steps:
                expected.loss_and_grad(xb, yb)
                by_hand.step(expected)
    opt = fb.Adam(lr=1e-3)
    with pytest.raises(
        FloatingPointError, match=r"epoch 2, step 3: the loss became (inf|nan) .*layer.* Use a smaller lr"
    ):
        net.fit(X, y, epochs=3, batch_size=batch, optimizer=opt, callbacks=[poison])
    assert digest(net) == digest(expected)
    assert opt.steps == steps


def test_a_parameter_that_stops_being_finite_stops_training(dtype, threads):
    net, X, y, batch = made("batch-parallel", dtype)
    before = net.params.copy()
    with pytest.raises(FloatingPointError, match=r"epoch 1, step 1: a parameter of layer 0 .*lr"):
        net.fit(X, y, batch_size=batch, optimizer=fb.SGD(lr=float(np.finfo(dtype).max), weight_decay=100.0))
    assert (net.params == before).all()
    assert np.isfinite(net.loss_and_grad(X, y))


def test_a_step_by_hand_refuses_a_gradient_that_is_not_finite(dtype):
    net, X, y, _ = made("batch-parallel", dtype)
    net.loss_and_grad(X, y)
    net.layers[1].dW[2, 3] = np.nan
    before = net.params.copy()
    with pytest.raises(FloatingPointError, match=r"gradient of layer 1 .* nothing was changed"):
        fb.SGD(lr=0.1).step(net)
    assert (net.params == before).all()


# ---- 7: forks; the number of threads is in tests/core/test_cpu.py
# -------------------------------------------------------

FORK = """
import os, sys, hashlib, numpy as np, fastbp as fb
def train():
    net = fb.mlp(20, 32, 4, seed=1, loss="cross_entropy")
    X = np.random.default_rng(0).random((2000, 20)); y = np.arange(2000) % 4
    net.fit(X, y, epochs=2, batch_size=500, threads=2)
    return hashlib.sha256(net.params.tobytes()).hexdigest()
before = train()
pid = os.fork()
if pid == 0:
    why = "fork" if fb.cpu.build()["openmp"] else "without OpenMP"      # which has no team that would be gone
    os._exit(0 if train() == before and why in fb.cpu.thread_reason() else 1)
print(os.waitpid(pid, 0)[1] >> 8, train() == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("renewed", ["", "FALSE"])  # KMP_INIT_AT_FORK=FALSE: so scikit-learn sets it for its process
def test_a_process_forked_after_training_still_trains(renewed):
    environ = {**os.environ, "KMP_INIT_AT_FORK": renewed}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60,
                          env=environ)
    assert done.stdout.split() == ["0", "True"], done.stderr


# ---- 8: one thread of Python trains; prediction may run beside -----------------------------------------------------


def test_a_second_thread_that_trains_gets_an_error():
    net, X, y, batch = made("batch-parallel")
    errors = []

    def intrude(net, epoch, logs):
        thread = threading.Thread(target=attempt)
        with net._exclusive:
            thread.start()
            thread.join()

    def attempt():
        try:
            net.loss_and_grad(X, y)
        except RuntimeError as error:
            errors.append(str(error))

    net.fit(X, y, batch_size=batch, callbacks=[intrude])
    assert len(errors) == 1
    assert "another thread is training this network" in errors[0]


def test_predictions_run_side_by_side():
    net, X, _, _ = made("tile-parallel")
    expected = net.predict(X)
    results = []
    workers = [
        threading.Thread(target=lambda: results.extend((net.predict(X) == expected).all() for _ in range(20)))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 80
    assert all(results)


def test_ctrl_c_ends_cleanly_with_a_usable_network():
    net, X, y, batch = made("batch-parallel")

    def interrupt(net, epoch, logs):
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    history = net.fit(X, y, epochs=50, batch_size=batch, callbacks=[interrupt])
    assert history.interrupted
    assert 3 <= len(history.epoch) < 50
    assert np.isfinite(net.predict(X)).all()
    assert not net.fit(X, y, epochs=1, batch_size=batch).interrupted
