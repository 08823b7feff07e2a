"""fastbp/_training/checkpointing.py: when checkpoints are saved, and what becomes of a training that cannot save."""

import errno
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from small_network import made

import fastbp as fb
from fastbp._core.calls import Snapshot
from fastbp._files import writing
from fastbp._files.checkpoint_folder import position_of
from fastbp._training import checkpointing, job


def fit(net, data, *runs, **options):
    X, Y, _ = data
    options = {"epochs": 4, "batch_size": 16, "optimizer": fb.Adam(), **options}
    return net.fit(X, Y, callbacks=runs, **options)


def positions(folder):
    return sorted(where for name in os.listdir(folder) if (where := position_of(name)))


def test_epochs_and_steps_are_met_exactly(tmp_path, data):
    """Whatever the length of the compiled calls: an epoch has 4 steps."""
    for every, expected in ((1, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]), (3, [(3, 0)]),
                            ("2 epochs", [(2, 0), (4, 0)]),
                            ("3 steps", [(0, 3), (1, 2), (2, 1), (3, 0), (3, 3), (4, 2), (5, 1)]),
                            ("10 steps", [(2, 2), (5, 0)]), ("100 steps", [])):  # fmt: skip
        for early_stopping in (None, fb.EarlyStopping("loss", patience=99)):
            folder = tmp_path / f"{every}{early_stopping is None}"
            fit(made(), data, fb.Checkpoint(folder, every=every, keep=99), epochs=6, early_stopping=early_stopping)
            assert positions(folder) == expected, every  # and the last
            assert fb.load(folder / "last.safetensors").epochs == 6


def test_times_are_looked_at_between_calls(tmp_path, data, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpointing.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(job, "CALL_SECONDS", 0)  # a step a call

    def passes(net, epoch, logs):
        now[0] += 4

    fit(made(), data, passes, fb.Checkpoint(tmp_path / "run", every="10 seconds", keep=9), epochs=8)
    assert positions(tmp_path / "run") == [(3, 0), (6, 0)]


def test_a_training_without_callbacks_is_not_cut_into_epochs(tmp_path, data, monkeypatch):
    """As many epochs as fit are one call, up to the next checkpoint."""
    calls = []
    run = job.Epochs.run

    class Counted(job.Epochs):
        def run(self, training, evaluated, rates, *rest):
            calls.append(len(rates))
            return run(self, training, evaluated, rates, *rest)

    monkeypatch.setattr(job, "Epochs", Counted)
    monkeypatch.setattr(job, "CALL_SECONDS", 1e6)
    fit(made(), data, fb.Checkpoint(tmp_path / "run", every=40), epochs=100)
    assert calls == [1, 3, 39 * 4, 40 * 4, 20 * 4]


@pytest.mark.parametrize("call", ["open", "fsync", "replace", "link"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_training_that_cannot_save_goes_on_and_says_so(tmp_path, data, monkeypatch, call, number):
    whole = made()
    fit(whole, data)
    real, broken = getattr(os, call), [False]

    def fails(*arguments, **options):
        if broken[0]:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    def of_epoch(net, epoch, logs):
        broken[0] = epoch in (1, 2)

    monkeypatch.setattr(os, call, fails)
    if call == "link":  # without links it copies, which fails as well
        monkeypatch.setattr(writing, "write_atomically", of(writing.write_atomically, broken, number))
    net, seen = made(), []
    run = fb.Checkpoint(tmp_path / "run")

    def looks(net, epoch, logs):
        if (tmp_path / "run" / "last.safetensors").exists():
            seen.append(fb.load(tmp_path / "run" / "last.safetensors").epochs)

    said = r"^epoch \d: no checkpoint was saved: .*; the training goes on, and tries again"
    with pytest.warns(RuntimeWarning, match=said) as told:
        fit(net, data, looks, of_epoch, run)
    monkeypatch.undo()
    # the same failure is told once; what was renamed before the folder's fsync failed is there
    assert len(told) <= 2 and np.array_equal(net.params, whole.params)
    assert seen[0] == 1 and set(seen) <= {1, 2, 3}
    assert fb.load(tmp_path / "run" / "last.safetensors").epochs == 4


def of(function, broken, number):
    def fails(*arguments):
        if broken[0]:
            raise OSError(number, os.strerror(number))
        return function(*arguments)

    return fails


def test_a_full_disk_is_said_in_words(tmp_path, data, monkeypatch):
    fsync, count = os.fsync, [0]

    def full(handle):
        count[0] += 1
        if count[0] > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    said = (r"^epoch \d: no checkpoint was saved: .*last.safetensors: cannot be written \(No space left on device\); "
            r"nothing was changed; make room, or choose another folder; the training goes on, and tries again")
    with pytest.warns(RuntimeWarning, match=said):
        fit(made(), data, fb.Checkpoint(tmp_path / "run", keep=0))


def test_a_callback_that_raises_leaves_the_checkpoint_before(tmp_path, data):
    def raises(net, epoch, logs):
        if epoch == 2:
            raise RuntimeError("mine")

    whole = made()
    fit(whole, data)
    with pytest.raises(RuntimeError, match="mine"):
        fit(made(), data, raises, fb.Checkpoint(tmp_path / "run"))
    assert fb.load(tmp_path / "run" / "last.safetensors").epochs == 2
    net = made()
    fit(net, data, resume=tmp_path / "run")
    assert np.array_equal(net.params, whole.params)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that was opened and not closed
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_saved_where_it_came(tmp_path, data, error, monkeypatch):
    """Before one instruction after another of those that come between the steps; from there it goes on bit for bit."""
    monkeypatch.setattr(job, "CALL_SECONDS", 0)  # a step a call
    here = Path(fb.__file__).parent
    files = {str(here / f"{name}.py") for name in (
        "_training/loop", "_training/job", "_training/checkpointing", "callbacks", "_files/checkpoint_folder",
        "_files/writing", "serialization")}  # fmt: skip
    options = {"epochs": 2, "validation_split": 0.2}
    optimizer = lambda: fb.Adam(lr=fb.schedules.ReduceOnPlateau(0.5, patience=0))  # noqa: E731
    whole = made(dropout=0.2)
    history = fit(whole, data, early_stopping=fb.EarlyStopping(), optimizer=optimizer(), **options)

    def interrupted(at, folder):
        seen = 0

        def trace(frame, event, argument):
            nonlocal seen
            if frame.f_code.co_filename not in files:
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if event == "opcode":
                seen += 1
                if seen == at:
                    sys.settrace(None)
                    raise error
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            fit(made(dropout=0.2), data, fb.Checkpoint(folder, every="3 steps"), resume=folder, optimizer=optimizer(),
                early_stopping=fb.EarlyStopping(), **options)
        except (KeyboardInterrupt, SystemExit):
            pass
        finally:
            sys.settrace(before)
        return seen

    count = interrupted(-1, tmp_path / "whole")
    assert count > 3000
    points = [int(at) for at in np.random.default_rng(1).integers(1, count, 60)]
    amid = 0
    for number, at in enumerate(points):
        folder = tmp_path / str(number)
        interrupted(at, folder)
        last = folder / "last.safetensors"
        amid += last.exists()
        net = made(dropout=0.2)
        again = fit(net, data, fb.Checkpoint(folder), resume=folder, early_stopping=fb.EarlyStopping(),
                    optimizer=optimizer(), **options)  # fmt: skip
        assert np.array_equal(net.params, whole.params), at
        assert again.history["val_loss"] == history.history["val_loss"] and again.epoch == history.epoch, at
        assert not [name for name in os.listdir(folder) if name.startswith(".")], at
    assert amid > 20


def test_ctrl_c_is_saved_from_whatever_step_it_came_after(tmp_path, data, monkeypatch):
    monkeypatch.setattr(job, "CALL_SECONDS", 0)
    advance, steps = checkpointing.Saving.within_epoch, []

    def third(self):
        advance(self)
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpointing.Saving, "within_epoch", third)
    assert fit(made(), data, fb.Checkpoint(tmp_path / "run", every="1 hour")).interrupted
    found = fb.serialization.read_checkpoint(str(tmp_path / "run" / "last.safetensors"))[1]
    assert (found["epoch"], found["step"], found["steps"]) == (0, 3, 3)
    monkeypatch.undo()
    net, whole = made(), made()
    fit(net, data, resume=tmp_path / "run")
    fit(whole, data)
    assert np.array_equal(net.params, whole.params)


def test_a_network_that_another_thread_trains_is_not_written_to(tmp_path, data):
    fit(made(), data, fb.Checkpoint(tmp_path / "run"))
    net, found = made(), []
    params = net.params.copy()

    def inside():
        try:
            fit(net, data, resume=tmp_path / "run")
        except RuntimeError as error:
            found.append(str(error))

    def held():
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()

    net._exclusive.call(held)
    assert "another thread is training this network" in found[0] and np.array_equal(net.params, params)


def test_a_snapshot_becomes_that_of_a_file(data):
    net, optimizer = made(), fb.Adam()
    fit(net, data, optimizer=optimizer)
    params, state = np.ones_like(net.params), np.full_like(optimizer.state, 2)
    Snapshot(net, optimizer).become(params, state, 7, 8, 9).restore()
    assert (optimizer.steps, net._draws, net.epochs) == (7, 8, 9)
    assert (net.params == 1).all() and (optimizer.state == 2).all()


def test_an_epoch_that_goes_on_has_a_loss_for_each_step(data):
    net = made()
    at = job.Epochs(net, fb.Adam(), 50, 16, None, True, 0)
    for step, losses in ((4, 4), (2, 1), (-1, 0)):
        with pytest.raises(ValueError, match=r"^step is .* losses, expected one for each of fewer than 4 steps; pass"):
            at.go_on(0, 0, step, 0.1, 0.0, np.zeros(losses), np.zeros(0))


def test_nothing_is_done_where_nobody_saves(data, monkeypatch):
    """Neither checksums of the data nor a file."""
    monkeypatch.setattr(checkpointing, "Saving", None)
    fit(made(), data)
