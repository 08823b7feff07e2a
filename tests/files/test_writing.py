"""Files written whole or not at all: what is kept, what is refused, and what remains of a save that was killed."""

import errno
import os
import socket
import stat
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from model_files import SPEC, example

import fastbp as fb
from fastbp._files import writing


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    path, _ = saved
    before, net = path.read_bytes(), example()
    net.params[3] = np.nan
    with pytest.raises(ValueError, match="cannot be saved: parameter 3 of 27 is nan"):
        net.save(path)
    net = example()
    net.data_spec = {"features": None}
    with pytest.raises(ValueError, match="data_spec has no key"):
        net.save(path)
    net.data_spec = {**SPEC, "mean": np.zeros(2)}
    with pytest.raises(ValueError, match="data_spec is not plain JSON"):
        net.save(path)

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        example().save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_saving_where_it_cannot_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder, expected .*; create it first"):
        example().save(tmp_path / "nowhere" / "net")
    with pytest.raises(IsADirectoryError, match="a folder, expected the path of a file"):
        example().save(tmp_path)


def test_saving_keeps_permissions_and_links(tmp_path):
    path, link = tmp_path / "net", tmp_path / "link"
    mask = os.umask(0o027)
    try:
        example().save(path)
        assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(mask)
    path.chmod(0o600)
    link.symlink_to(path)
    net = example()
    net.params[:] = 1
    net.save(link)
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o600
    assert (fb.load(path).params == 1).all()


def test_no_thread_sees_another_umask(tmp_path, monkeypatch):
    """The umask is the whole process's: to read it by setting it opens other threads' files to all."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was set"))
    example().save(tmp_path / "net")
    example().save(tmp_path / "net")


def test_a_name_that_a_link_keeps_is_written_through_a_dangling_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "net")
    with pytest.raises(FileNotFoundError, match=r"link: no such folder, expected .*; create it first"):
        example().save(tmp_path / "link")
    (tmp_path / "folder").mkdir()
    example().save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and fb.load(tmp_path / "folder" / "net").inputs == 2
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(OSError, match=r"round: cannot be written .*symbolic links"):
        example().save(tmp_path / "round")


def test_what_is_no_file_is_refused_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for name, what in (("pipe", "a named pipe"), ("link", "a named pipe"), ("socket", "a socket"),
                           ("/dev/null", "a device")):
            with pytest.raises(ValueError, match=f"{name}: {what}, expected the path of a file to write; choose an"):
                example().save(tmp_path / name)
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode) and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe", "socket"]
    with pytest.raises(IsADirectoryError, match="nowhere/: the path of a folder"):
        writing.write_atomically(f"{tmp_path}/nowhere/", b"")


def test_other_hard_links_keep_the_old_content(tmp_path):
    (tmp_path / "net").write_bytes(b"old")
    os.link(tmp_path / "net", tmp_path / "other")
    writing.write_atomically(tmp_path / "net", b"new")
    assert (tmp_path / "net").read_bytes() == b"new" and (tmp_path / "other").read_bytes() == b"old"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_root_keeps_the_owner(tmp_path, monkeypatch):
    path = tmp_path / "net"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    path.chmod(0o640)
    writing.write_atomically(path, b"new")
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1234, 2345, 0o640)

    def refuse(*_):
        raise PermissionError(1, "not permitted")
    monkeypatch.setattr(os, "fchown", refuse)
    writing.write_atomically(path, b"newer")
    found = path.stat()                         # the group's rights are not given to another group
    assert found.st_gid != 2345 and found.st_mode & 0o777 == 0o600


def test_the_access_list_is_kept(tmp_path):
    path = tmp_path / "net"
    path.write_bytes(b"old")
    # version 2; user::rw-, user 1234 r--, group::r--, mask::r--, other::---
    rows = ((1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *row) for row in rows)
    try:
        os.setxattr(path, "system.posix_acl_access", acl)
    except (OSError, AttributeError):
        pytest.skip("no access lists here")
    writing.write_atomically(path, b"new")
    assert os.getxattr(path, "system.posix_acl_access") == acl


# ---- saves that were killed ------------------------------------------------------------------------------------------

KILLED = """
import os, sys, time
from fastbp import writing
os.fsync = lambda handle: (print("written", flush=True), time.sleep(600))
writing.write_atomically(sys.argv[1], b"x" * 1000)
"""


def stuck(path):
    """A process that has written all but not renamed."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    return process


def test_remains_of_a_killed_save_go_with_the_next_one_and_a_live_one_stays(tmp_path):
    dead, live = stuck(tmp_path / "dead"), stuck(tmp_path / "live")
    try:
        dead.kill()
        dead.wait()
        dead.stdout.close()
        assert len(os.listdir(tmp_path)) == 2
        example().save(tmp_path / "net")
        left = [name for name in os.listdir(tmp_path) if name != "net"]
        assert len(left) == 1 and (tmp_path / left[0]).read_bytes() == b"x" * 1000
    finally:
        live.kill()
        live.wait()
        live.stdout.close()
    example().save(tmp_path / "net")
    assert os.listdir(tmp_path) == ["net"]


def test_remains_of_other_machines_are_left_for_a_day(tmp_path):
    yesterday = time.time() - 25 * 3600
    names = {".fastbp-0123456789ab-0123456789abcdef.part": True, ".fastbp-abcd_123": True,
             ".fastbp-0123456789ab-0123456789abcdee.part": False, ".fastbp-abcd_124": False}
    for name, old in names.items():
        (tmp_path / name).write_bytes(b"x")
        if old:
            os.utime(tmp_path / name, (yesterday, yesterday))
    for name in (".fastbp-mine.txt", ".fastbp-notes", "fastbp-abcd_123"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (yesterday, yesterday))
    os.mkfifo(tmp_path / f".fastbp-{writing._machine()}-0123456789abcdef.part")
    (tmp_path / f".fastbp-{writing._machine()}-0123456789abcdee.part").symlink_to("fastbp-abcd_123")
    before = set(os.listdir(tmp_path))
    writing.write_atomically(tmp_path / "net", b"")
    assert before - set(os.listdir(tmp_path)) == {name for name, old in names.items() if old}


def test_without_locks_only_what_is_a_day_old_goes(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(95, "not supported")
    name = f".fastbp-{writing._machine()}-0123456789abcdef.part"
    for fcntl in (None, SimpleNamespace(flock=refuse, LOCK_EX=2, LOCK_NB=4)):
        monkeypatch.setattr(writing, "fcntl", fcntl)
        (tmp_path / name).write_bytes(b"x")
        writing.write_atomically(tmp_path / "net", b"")
        assert set(os.listdir(tmp_path)) == {name, "net"}
        os.utime(tmp_path / name, (0, 0))
        writing.write_atomically(tmp_path / "net", b"")
        assert os.listdir(tmp_path) == ["net"]


def test_a_save_that_lost_its_file_before_it_was_locked_begins_again(tmp_path, monkeypatch):
    flock, times = writing.fcntl.flock, []

    def late(handle, how):
        if not times:
            os.unlink(os.readlink(f"/proc/self/fd/{handle}"))
        times.append(how)
        return flock(handle, how)
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    monkeypatch.setattr(writing.fcntl, "flock", late)
    writing.write_atomically(tmp_path / "net", b"all of it")
    assert len(times) == 2 and os.listdir(tmp_path) == ["net"] and (tmp_path / "net").read_bytes() == b"all of it"


def test_saves_side_by_side_leave_one_whole_file(tmp_path):
    """Threads that save to the same path, and clear remains, all the while."""
    datas = [bytes([i]) * 10_000 for i in range(4)]

    def work(data):
        for _ in range(25):
            writing.write_atomically(tmp_path / "net", data)
            assert (tmp_path / "net").read_bytes() in datas
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, datas))
    assert os.listdir(tmp_path) == ["net"]


# ---- what the system refuses -----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("number", "call", "remedy"), [
    (errno.ENOSPC, "fsync", "No space left on device.*make room"), (errno.EDQUOT, "fsync", "make room"),
    (errno.EIO, "replace", "have it permitted"), (errno.EROFS, "open", "Read-only file system.*have it permitted"),
    (errno.EACCES, "open", "Permission denied.*have it permitted"), (errno.EBUSY, "replace", "busy.*choose another"),
])
def test_what_the_system_refuses_is_one_sentence_with_its_number(tmp_path, monkeypatch, number, call, remedy):
    path, real = tmp_path / "net", getattr(os, call)
    path.write_bytes(b"old")

    def refuse(where, *rest, **options):
        if call != "open" or ".part" in str(where):
            raise OSError(number, os.strerror(number))
        return real(where, *rest, **options)
    with monkeypatch.context() as patch, pytest.raises(OSError, match=rf"net: cannot be written .*{remedy}") as error:
        patch.setattr(os, call, refuse)
        writing.write_atomically(path, b"new")
    assert error.value.errno == number and type(error.value) is type(OSError(number, ""))
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["net"]


def test_a_file_too_large_leaves_the_old_one(tmp_path):
    resource = pytest.importorskip("resource")
    (tmp_path / "net").write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"net: cannot be written .*too large.* make room"):
            writing.write_atomically(tmp_path / "net", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "net").read_bytes() == b"old" and os.listdir(tmp_path) == ["net"]


def test_a_folder_in_the_path_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"file/net: .*file is not a folder, expected one; choose another "
                                                 r"path"):
        writing.write_atomically(tmp_path / "file" / "net", b"")


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EINVAL"])
def test_a_folder_that_the_disk_does_not_take_is_told(tmp_path, monkeypatch, name):
    """The new file is there by then; a folder that cannot be synchronised on this system at all is no failure."""
    real, number = os.fsync, getattr(errno, name)

    def of_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", of_files)
    if name == "EINVAL":
        writing.write_atomically(str(tmp_path / "file"), b"whole")
    else:
        with pytest.raises(OSError, match=r": what was written there may not be on the disk \(.*\); look") as error:
            writing.write_atomically(str(tmp_path / "file"), [b"who", memoryview(b"le")])
        assert error.value.errno == number
    assert (tmp_path / "file").read_bytes() == b"whole" and os.listdir(tmp_path) == ["file"]
