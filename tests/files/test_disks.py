"""Disks that fail: whatever a save asks of the system fails once, disks are full, folders read-only. There is always
one whole file, the old or the new; nothing is left beside it; the error says which file and why; the network is
usable."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from model_files import plan
from small_network import made

import fastbp as fb

# what a save calls, beside the file that it writes
CALLS = ("open", "fsync", "replace", "link", "fstat", "fchmod", "stat", "listdir", "close")
OF_THE_FILE = ("writelines", "flush", "close")


class Breaking:
    """An open file, of which what fails is asked first."""

    def __init__(self, file, asked):
        self.file, self.asked = file, asked

    def __getattr__(self, name):
        return self.asked(name, getattr(self.file, name)) if name in OF_THE_FILE else getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.close()
        finally:
            self.file.close()


class Disk:
    """Within `with`, the call number `at` of what a save asks fails with `number`; `seen` counts them."""

    def __init__(self, monkeypatch, at=None, number=errno.EIO):
        self.patch, self.at, self.number, self.seen, self.failed = monkeypatch, at, number, 0, ""

    def asked(self, name, call):
        def asks(*arguments, **options):
            self.seen += 1
            if self.seen - 1 == self.at:
                self.failed = name
                raise OSError(self.number, os.strerror(self.number))
            found = call(*arguments, **options)
            return found

        return asks

    def __enter__(self):
        self.context = self.patch.context()
        patch = self.context.__enter__()
        for name in CALLS:
            patch.setattr(os, name, self.asked(name, getattr(os, name)))
        real = open
        patch.setattr("builtins.open", lambda *arguments, **options: self.opened(real(*arguments, **options)))
        return self

    def opened(self, file):
        return Breaking(file, self.asked) if str(file.name).endswith(".part") else file

    def __exit__(self, *_):
        self.context.__exit__(None, None, None)


def a_network():
    return made(seed=5)


def an_expression():
    return plan(seed=3)


@pytest.mark.parametrize("make", [a_network, an_expression])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_save_of_which_anything_fails(make, number, tmp_path, monkeypatch):
    model, path = make(), tmp_path / "net"
    model.save(path)
    old, at, failed = path.read_bytes(), 0, set()
    model.params[:] = 1
    model.save(tmp_path / "new")
    new = (tmp_path / "new").read_bytes()
    (tmp_path / "new").unlink()
    while True:
        path.write_bytes(old)
        with Disk(monkeypatch, at, number) as disk:
            try:
                model.save(path)
            except OSError as error:
                assert error.errno == number and os.strerror(number) in str(error), (disk.failed, at)
                assert str(path) in str(error) or str(tmp_path) in str(error), (disk.failed, at)
                if "nothing was changed" in str(error):
                    assert path.read_bytes() == old, (disk.failed, at)
        assert path.read_bytes() in (old, new), (disk.failed, at)
        assert os.listdir(tmp_path) == ["net"], (disk.failed, at)
        assert (model.params == 1).all()
        if not disk.failed:
            break
        failed.add(disk.failed)
        at += 1
    assert at > 10 and failed >= {"open", "fsync", "replace", *OF_THE_FILE}
    assert path.read_bytes() == new


def train(net, data, folder, **options):
    net.fit(*data[:2], epochs=3, batch_size=16, optimizer=fb.Adam(), callbacks=[fb.Checkpoint(folder, keep=1)],
            **options)
    return net


@pytest.mark.filterwarnings("ignore:.*no checkpoint was saved.*:RuntimeWarning")
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_training_of_which_any_save_fails(number, tmp_path, monkeypatch, data):
    """Either it is refused before the first step, or it ends with its own bits; then the next one goes on."""
    whole, at, refused = train(made(), data, tmp_path / "whole").params, 0, 0
    with Disk(monkeypatch) as disk:
        train(made(), data, tmp_path / "counted")
    for at in range(0, disk.seen, 5):
        net, folder = made(), tmp_path / str(at)
        before = net.params.copy()
        with Disk(monkeypatch, at, number) as disk:
            try:
                train(net, data, folder)
            except OSError as error:
                assert error.errno == number and (net.params == before).all() and net.epochs == 0, (disk.failed, at)
                refused += 1
            else:
                assert np.array_equal(net.params, whole), (disk.failed, at)
        for name in os.listdir(folder) if folder.exists() else ():
            assert name[0] != "." or disk.failed == "open", name
            if name[0] != ".":
                fb.serialization.read_checkpoint(str(folder / name))
        again = train(made(), data, folder, resume=folder)
        assert np.array_equal(again.params, whole), (disk.failed, at)
        assert not [name for name in os.listdir(folder) if name[0] == "."], (disk.failed, at)
    assert refused < 10 < at


# ---- a disk of its own -----------------------------------------------------------------------------------------------

PROGRAM = """
import os, subprocess, sys, warnings
import numpy as np
import fastbp as fb

disk = sys.argv[1]
def mount(*options):
    subprocess.run(["mount", *options, disk], check=True)
mount("-t", "tmpfs", "-o", "size=160k", "tmpfs")
X = np.random.default_rng(0).standard_normal((60, 20)).astype("f")
def fit(**options):
    net = fb.mlp(20, 40, 20, seed=1)                    # a checkpoint of some 25 KB
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        net.fit(X, X, epochs=6, batch_size=20, optimizer=fb.Adam(), **options)
    return net, [str(each.message) for each in told]
def last():
    return fb.load(disk + "/run/last.safetensors").epochs
whole, _ = fit()

def full(net, epoch, logs):
    "After the second epoch the disk is full, before the last one there is room."
    if epoch == 1:
        with open(disk + "/other", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
    if epoch == 4:
        seen.append(last())
        os.unlink(disk + "/other")
seen = []
net, told = fit(callbacks=[full, fb.Checkpoint(disk + "/run", keep=0)])
print((net.params == whole.params).all(), seen[0] in (1, 2), last() == 6)
said = "last.safetensors: cannot be written (%s); nothing was changed; "
print(len(told) == 1 and said % "No space left on device" in told[0])
print([name for name in os.listdir(disk + "/run") if name[0] == "."] == [])

def readonly(net, epoch, logs):
    if epoch == 1:
        mount("-o", "remount,ro")
    if epoch == 4:
        seen[:] = [fb.load(disk + "/b/last.safetensors").epochs]
        mount("-o", "remount,rw")
net, told = fit(callbacks=[readonly, run := fb.Checkpoint(disk + "/b", keep=0)])
print((net.params == whole.params).all(), seen == [1], fb.load(disk + "/b/last.safetensors").epochs == 6)
print(len(told) == 1 and said % "Read-only file system" in told[0])
mount("-o", "remount,ro")
net, before = fb.mlp(20, 20), fb.mlp(20, 20)
try:
    net.fit(X, X, callbacks=[fb.Checkpoint(disk + "/c")])
except OSError as error:
    print("/c: cannot be written (Read-only file system)" in str(error), (net.params == before.params).all())
try:
    net.save(disk + "/net")
except OSError as error:
    print("/net: cannot be written (Read-only file system); nothing was changed" in str(error))
"""


def alone():
    """The command that runs another one where it may mount what nobody else sees, None where there is none."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        try:
            if subprocess.run([*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True,
                              timeout=20).returncode == 0:
                return command
        except (OSError, subprocess.TimeoutExpired):
            pass
    return None


def test_a_disk_that_is_full_and_one_that_is_read_only(tmp_path):
    """A real one, of 160 KB, seen by this test alone."""
    command = alone()
    if command is None:
        pytest.skip("nobody may mount a file system here")
    environ = {**os.environ, "PYTHONPATH": str(Path(fb.__file__).parents[1])}
    done = subprocess.run([*command, sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True,
                          timeout=120, env=environ)
    assert done.stdout.split() == ["True"] * 12, done.stdout + done.stderr
