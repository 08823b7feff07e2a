"""fastbp/checkpoints.py: what fb.Checkpoint takes, what stands in its folder, and what is refused."""

import copy
import os
import pickle

import numpy as np
import pytest
from small_network import made

import fastbp as fb
from fastbp.checkpoints import _interval


def fit(net, data, run, **options):
    X, Y, _ = data
    options = {"epochs": 3, "batch_size": 16, "callbacks": [run], "optimizer": fb.Adam(), **options}
    return net.fit(X, Y, **options)


def test_an_interval_is_epochs_steps_or_time():
    for every, expected in ((1, (1, "epochs")), (np.int64(7), (7, "epochs")), ("1 epoch", (1, "epochs")),
                            ("20 steps", (20, "steps")), ("0.5 seconds", (0.5, "seconds")),
                            (" 2minutes", (120, "seconds")), ("1 hour", (3600, "seconds"))):  # fmt: skip
        assert _interval(every) == expected
    for wrong in (0, -1, "0 steps", "1.5 epochs", "5", "often", "3 weeks", "", "-1 steps", "1e3 steps"):
        with pytest.raises(ValueError, match=r"^every is .*, expected .*; "):
            fb.Checkpoint("run", every=wrong)
    for wrong in (None, 1.5, True, [1]):
        with pytest.raises(TypeError, match=r"^every is .*, expected an int, of epochs, or a text such as.*; "):
            fb.Checkpoint("run", every=wrong)


@pytest.mark.parametrize(("options", "error", "said"), [
    ({"path": ""}, ValueError, "^path is '', expected"), ({"path": 3}, TypeError, "^path is 3"),
    ({"keep": -1}, ValueError, "^keep is -1"), ({"keep": 1.5}, TypeError, "^keep is 1.5"),
    ({"monitor": 3}, TypeError, r"^monitor is 3 \(int\), expected a key of History or None; pass"),
    ({"mode": "up"}, ValueError, "^mode is 'up'"),
])  # fmt: skip
def test_what_it_cannot_be_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        fb.Checkpoint(**{"path": "run", **options})


def test_what_stands_in_the_folder(tmp_path, data):
    net, run = made(), fb.Checkpoint(tmp_path / "a" / "run", keep=2)
    fit(net, data, run, epochs=5)
    names = ["best.safetensors", "epoch-000003.safetensors", "epoch-000004.safetensors", "last.safetensors"]
    assert sorted(os.listdir(tmp_path / "a" / "run")) == names
    last, before = (fb.load(tmp_path / "a" / "run" / names[i]) for i in (3, 2))
    assert np.array_equal(last.params, net.params) and (last.epochs, before.epochs) == (5, 4)
    assert not np.array_equal(before.params, net.params) and repr(last) == repr(net)


def test_the_last_epoch_and_a_stop_are_saved_whatever_the_interval(tmp_path, data):
    net = made()
    fit(net, data, fb.Checkpoint(tmp_path / "a", every=2))
    assert fb.load(tmp_path / "a" / "last.safetensors").epochs == 3
    net = made()
    fit(net, data, fb.Checkpoint(tmp_path / "b", every="1 hour"), epochs=9, early_stopping=fb.EarlyStopping("lr", 2))
    assert fb.load(tmp_path / "b" / "last.safetensors").epochs == 3  # lr never falls: the third one stops
    assert sorted(os.listdir(tmp_path / "b")) == ["best.safetensors", "last.safetensors"]


def test_the_best_is_the_best_of_those_saved(tmp_path, data):
    values = iter((3.0, 1.0, 2.0, np.nan, 0.5, 9.0))

    class Puts(fb.Callback):
        puts = ("score",)

        def on_epoch_end(self, net, epoch, logs):
            logs["score"] = next(values)

    run = fb.Checkpoint(tmp_path / "run", monitor="score", mode="min")
    fit(made(), data, run, epochs=4, callbacks=[Puts(), run])
    assert fb.load(tmp_path / "run" / "best.safetensors").epochs == 2
    fit(made(), data, run, epochs=6, callbacks=[Puts(), run], resume=tmp_path / "run")  # the best value goes on, too
    assert fb.load(tmp_path / "run" / "best.safetensors").epochs == 5


def test_what_it_monitors_is_there(tmp_path, data):
    for monitor, said in (("val_loss", "monitors 'val_loss', expected one of: loss"), ("score", "expected one of")):
        with pytest.raises(ValueError, match=said):
            fit(made(), data, fb.Checkpoint(tmp_path / "run", monitor=monitor))

    def puts(net, epoch, logs):
        logs["score"] = 1.0

    run = fb.Checkpoint(tmp_path / "run", monitor="score")
    with pytest.raises(ValueError, match=r"has mode 'auto', expected a name that says"):
        fit(made(), data, run, callbacks=[puts, run])
    assert not (tmp_path / "run").exists()


def test_checkpoints_of_another_training_are_not_written_over(tmp_path, data):
    fit(made(), data, fb.Checkpoint(tmp_path / "run"))
    before = (tmp_path / "run" / "last.safetensors").read_bytes()
    net = made()
    params = net.params.copy()
    said = r"^callbacks\[0\] \(Checkpoint\(.*\)\) has path .*, where checkpoints of another training are, expected a " \
           r"folder of this one's; pass resume='.*run' to go on with that, or another path$"  # fmt: skip
    with pytest.raises(ValueError, match=said):
        fit(net, data, fb.Checkpoint(tmp_path / "run"))
    fit(made(), data, fb.Checkpoint(tmp_path / "other"))
    with pytest.raises(ValueError, match=said):
        fit(net, data, fb.Checkpoint(tmp_path / "run"), resume=tmp_path / "other")
    assert (tmp_path / "run" / "last.safetensors").read_bytes() == before and np.array_equal(net.params, params)
    assert net.epochs == 0


def test_one_object_goes_on_with_one_network(tmp_path, data):
    net, run, optimizer = made(), fb.Checkpoint(tmp_path / "run"), fb.Adam()
    fit(net, data, run, optimizer=optimizer)
    fit(net, data, run, optimizer=optimizer)
    assert fb.load(tmp_path / "run" / "last.safetensors").epochs == 6
    assert sorted(os.listdir(tmp_path / "run"))[1:2] == ["epoch-000005.safetensors"]
    with pytest.raises(ValueError, match=r"checkpoints of another training"):
        fit(made(), data, run)
    for other in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):  # which has saved nothing of this network's
        assert repr(other) == repr(run)
        with pytest.raises(ValueError, match=r"checkpoints of another training"):
            fit(net, data, other, optimizer=optimizer)


def test_hooks_of_a_class_of_the_users_own_are_called(tmp_path, data):
    class Counting(fb.Checkpoint):
        count = 0

        def on_epoch_end(self, net, epoch, logs):
            self.count += 1

    run = Counting(tmp_path / "run")
    fit(made(), data, run)
    assert run.count == 3 and fb.load(tmp_path / "run" / "last.safetensors").epochs == 3


def test_a_relative_path_is_that_of_the_beginning(tmp_path, data, monkeypatch):
    def moves(net, epoch, logs):
        os.chdir(tmp_path / "elsewhere")

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    fit(made(), data, None, callbacks=[moves, fb.Checkpoint("run")])
    assert fb.load(tmp_path / "run" / "last.safetensors").epochs == 3 and not os.listdir(tmp_path / "elsewhere")


def test_several_at_once(tmp_path, data):
    runs = [fb.Checkpoint(tmp_path / "a"), fb.Checkpoint(tmp_path / "b", every="2 steps", keep=0)]
    fit(made(), data, None, callbacks=runs)
    first, second = ((tmp_path / name / "last.safetensors").read_bytes() for name in "ab")
    assert fb.load(tmp_path / "a" / "last.safetensors").epochs == 3 and len(first) == len(second)


def test_two_that_would_write_over_each_other_are_refused(tmp_path, data):
    run = fb.Checkpoint(tmp_path / "a")
    for other in (run, fb.Checkpoint(tmp_path / "b" / ".." / "a")):
        with pytest.raises(ValueError, match=r"^callbacks\[1\] .* has path .*, expected another one than the"):
            fit(made(), data, None, callbacks=[run, other])
    assert not (tmp_path / "a").exists()


def test_a_folder_that_cannot_be_written_to_is_refused_before_the_first_step(tmp_path, data, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    net = made()
    params = net.params.copy()
    with pytest.raises(NotADirectoryError, match=r"expected a folder for checkpoints"):
        fit(net, data, fb.Checkpoint(tmp_path / "file"))
    (tmp_path / "run").mkdir()
    os.chmod(tmp_path / "run", 0o500)
    if os.geteuid() == 0:  # who may write everywhere
        real = open

        def refused(path, *arguments, **options):
            if not str(path).endswith(".part"):
                return real(path, *arguments, **options)
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(PermissionError, match=r"run: cannot be written .*; nothing was changed; have it permitted"):
        fit(net, data, fb.Checkpoint(tmp_path / "run"))
    assert np.array_equal(net.params, params) and net.epochs == 0


def test_what_cannot_be_described_is_refused_before_the_first_step(tmp_path, data):
    class Waiting(fb.schedules.Schedule):
        name = "waiting"
        stateful = True
        monitor = "loss"

        def rates(self, t):
            return np.full_like(t, 0.1)

    class Own(fb.schedules.Schedule):
        name = "own"

        def rates(self, t):
            return np.full_like(t, 0.1)

        def config(self):
            return {"name": "own", "what": object()}

    net = made()
    params = net.params.copy()
    with pytest.raises(ValueError, match=r"^the description of the training is not plain JSON .*, expected settings"):
        fit(net, data, fb.Checkpoint(tmp_path / "run"), optimizer=fb.SGD(lr=Own()))
    with pytest.raises(ValueError, match=r"^memory of .* is None, expected none, .*; write its methods memory\(\) and"):
        fit(net, data, fb.Checkpoint(tmp_path / "run"), optimizer=fb.SGD(lr=Waiting()))
    assert np.array_equal(net.params, params) and not (tmp_path / "run").exists()


def test_many_networks_have_a_folder_each(tmp_path, data):
    X, Y, _ = data

    def nets():
        return [made(seed=i, dropout=0.2) for i in range(3)]

    options = {"batch_size": 16, "optimizers": fb.Adam(), "rows": [None, np.arange(20), np.arange(0, 50, 2)]}
    whole, run = nets(), fb.Checkpoint(tmp_path / "run", every="3 steps")
    fb.fit_many(whole, X, Y, epochs=5, **options)
    fb.fit_many(nets(), X, Y, epochs=2, checkpoint=run, resume=tmp_path / "run", **options)
    assert sorted(os.listdir(tmp_path / "run")) == ["0000", "0001", "0002"]
    (tmp_path / "run" / "0001" / "last.safetensors").unlink()
    for path in (tmp_path / "run" / "0001").iterdir():  # as if it had not begun
        path.unlink()
    again = nets()
    histories = fb.fit_many(again, X, Y, epochs=5, checkpoint=run, resume=tmp_path / "run", threads=2, **options)
    assert all(np.array_equal(one.params, other.params) for one, other in zip(whole, again, strict=True))
    assert [history.epoch for history in histories] == [[0, 1, 2, 3, 4]] * 3
    with pytest.raises(ValueError, match=r"^rows is given, expected none"):
        fb.fit_many(nets(), X, Y, epochs=5, resume=tmp_path / "run", **{**options, "rows": [np.arange(9)] * 3})
    with pytest.raises(ValueError, match=r"^checkpoint has path .*0000', where checkpoints of another training are"):
        fb.fit_many(nets(), X, Y, epochs=5, checkpoint=fb.Checkpoint(tmp_path / "run"), **options)
    with pytest.raises(TypeError, match=r"^checkpoint is 'run', expected None or a fb.Checkpoint; pass"):
        fb.fit_many(nets(), X, Y, checkpoint="run", **options)
    with pytest.raises(FileNotFoundError, match=r"where no checkpoint is"):
        fb.fit_many(nets(), X, Y, resume=tmp_path / "none", **options)
