"""fastbp/_files/checkpoint_folder.py: the last checkpoint is whole at any moment, older ones stay as long as they are
kept."""

import errno
import os

import pytest

from fastbp._files import checkpoint_folder
from fastbp._files.checkpoint_folder import Folder, name_of, position_of


def contents(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def test_names_say_where_a_checkpoint_stands():
    for position in ((0, 0), (12, 0), (12, 345), (10**7, 10**8)):
        assert position_of(name_of(position)) == position
    assert name_of((12, 345)) == "epoch-000012-step-000345.safetensors"
    assert position_of("last.safetensors") is position_of("epoch-1.safetensors") is None


@pytest.mark.parametrize("links", [True, False])
def test_older_ones_are_kept_and_no_more(tmp_path, monkeypatch, links):
    if not links:
        def refused(*_):
            raise OSError(errno.EPERM, "not here")

        monkeypatch.setattr(os, "link", refused)
    folder = Folder(tmp_path / "run", keep=2)
    folder.prepare()
    for epoch in range(1, 6):
        folder.write(b"%d" % epoch, (epoch, 0), best=epoch == 2)
    assert contents(tmp_path / "run") == {"best.safetensors": b"2", "epoch-000003.safetensors": b"3",
                                          "epoch-000004.safetensors": b"4", "last.safetensors": b"5"}
    folder.write(b"again", (5, 0), best=True)  # the same place again: no older one
    folder.write(b"again", (5, 0), best=True)  # and the same file as the best
    assert sorted(contents(tmp_path / "run")) == ["best.safetensors", "epoch-000003.safetensors",
                                                  "epoch-000004.safetensors", "last.safetensors"]


def test_none_is_kept_and_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "epoch-000001.safetensors.bak").write_bytes(b"mine")
    (tmp_path / "epoch-000009.safetensors").write_bytes(b"newer")  # of a training that went on from an older one
    folder = Folder(tmp_path, keep=0)
    for epoch in (1, 2):
        folder.write(b"%d" % epoch, (epoch, 0), best=False)
    assert contents(tmp_path) == {"epoch-000001.safetensors.bak": b"mine", "epoch-000009.safetensors": b"newer",
                                  "last.safetensors": b"2"}


CALLS = ("open", "link", "replace", "fsync", "unlink")


@pytest.mark.parametrize("links", [True, False])
def test_the_last_one_is_whole_whatever_fails(tmp_path, monkeypatch, links):
    """Each call of the system's that a save makes fails once: a full disk, a broken one."""
    real = {name: getattr(os, name) for name in CALLS}
    seen = fails = 0
    broken = None

    def of(name):
        def call(*arguments, **options):
            nonlocal seen
            seen += 1
            if name == "link" and not links:
                raise OSError(errno.EPERM, "no links here")
            if seen == fails:
                raise OSError(broken, os.strerror(broken))
            return real[name](*arguments, **options)
        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, of(name))
    for broken in (errno.ENOSPC, errno.EIO):
        points = 0
        for point in range(1, 100):
            path = tmp_path / f"{broken}-{point}"
            fails = 0
            folder = Folder(path, keep=1)
            folder.prepare()
            folder.write(b"first", (1, 0), best=True)
            seen, fails = 0, point
            try:
                folder.write(b"second", (2, 0), best=True)
            except OSError as error:
                assert error.errno == broken and "; " in str(error)
            reached, fails = seen, 0
            found = contents(path)
            assert found["last.safetensors"] in (b"first", b"second"), point
            assert set(found.values()) <= {b"first", b"second"}, point
            folder.write(b"third", (3, 0), best=False)  # and it goes on
            found = contents(path)
            assert found["last.safetensors"] == b"third" and found["best.safetensors"] in (b"first", b"second")
            points += 1
            if reached < point:
                break
        assert points > 8


def test_a_folder_that_cannot_be_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"a file, expected a folder for checkpoints; choose another path"):
        Folder(tmp_path / "file", 1).prepare()
    with pytest.raises(OSError, match=r"; choose another path"):
        Folder(tmp_path / "file" / "in it", 1).prepare()

    real = open

    def refused(path, *arguments, **options):
        if not str(path).endswith(".part"):
            return real(path, *arguments, **options)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(PermissionError, match=r"cannot be written .Permission denied.; nothing was changed; have it"):
        Folder(tmp_path / "run", 1).prepare()


def test_what_is_in_it(tmp_path):
    folder = Folder(tmp_path / "run", 1)
    assert folder.holds(str(tmp_path / "run")) and folder.holds(str(tmp_path / "run" / "last.safetensors"))
    assert not folder.holds(str(tmp_path)) and not folder.holds(str(tmp_path / "run" / "0000" / "last.safetensors"))
    assert folder.older() == [] and folder.last.endswith(checkpoint_folder.LAST)
