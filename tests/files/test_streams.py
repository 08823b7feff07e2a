"""Files that are open already, wherever a path is taken: written whole or refused in words, read to the end of what was
written and no further; str, bytes and os.PathLike are paths."""

import errno
import gzip
import io
import os
import socket
import sys
import tempfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from model_files import Dribble, example, plan, same, saved

import fastbp as fb
from fastbp._files import streams

# ---- there and back --------------------------------------------------------------------------------------------------


def test_what_is_saved_into_memory_is_what_is_saved_at_a_path(tmp_path):
    example().save(tmp_path / "net")
    assert saved() == (tmp_path / "net").read_bytes()
    same(fb.load(io.BytesIO(saved())))


def test_each_reads_its_own_and_leaves_the_rest():
    file = io.BytesIO()
    nets = [fb.mlp(3, width, 2, seed=width) for width in (4, 5)]
    file.write(b"before")
    for net in nets:
        net.save(file)
        np.save(file, net.params)
    one, other = plan(), plan(seed=1)
    one.save(file)
    file.write(b"after")
    file.seek(6)
    for net in nets:
        again = fb.load(file)
        assert again.params.tobytes() == net.params.tobytes() == np.load(file).tobytes()
    assert other.load(file) is other
    assert other.params.tobytes() == one.params.tobytes()
    assert file.read() == b"after"


@pytest.mark.parametrize("kind", ["open", "unbuffered", "gzip", "temporary", "spooled", "zip", "dribble"])
def test_binary_files_of_all_kinds(tmp_path, kind):
    path = tmp_path / "file"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive, archive.open("net", "w") as file:
            example().save(file)
        with zipfile.ZipFile(path) as archive, archive.open("net") as file:
            same(fb.load(file))
        return
    if kind in ("temporary", "spooled", "dribble"):
        make = {"temporary": tempfile.NamedTemporaryFile, "spooled": tempfile.SpooledTemporaryFile, "dribble": Dribble}
        with make[kind]() as file:
            example().save(file)
            if kind != "dribble":
                file.seek(0)
            same(fb.load(file))
        return
    opens = {"open": open, "unbuffered": partial(open, buffering=0), "gzip": gzip.open}[kind]
    with opens(path, "wb") as file:
        example().save(file)
        assert not file.closed
    with opens(path, "rb") as file:
        same(fb.load(file))


def test_a_socket_that_stays_open():
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("wb") as out, theirs.makefile("rb") as into:
        writer = threading.Thread(target=example().save, args=(out,))
        writer.start()
        same(fb.load(into))  # though nobody says that this is all
        writer.join()


def test_an_object_that_says_nothing_of_what_it_wrote():
    class Silent:
        def __init__(self):
            self.data = b""

        def write(self, data):
            self.data += data

    silent = Silent()
    example().save(silent)
    assert silent.data == saved()


def test_a_trained_networks_counts_go_with_it(data):
    net, file = fb.mlp(6, 8, 3, dropout=0.3), io.BytesIO()
    net.fit(*data[:2], epochs=2)
    net.save(file)
    file.seek(0)
    assert (fb.load(file).epochs, fb.load(io.BytesIO(file.getvalue()))._draws) == (2, net._draws)


# ---- refused ---------------------------------------------------------------------------------------------------------


def text_wrapper(tmp_path):
    return tempfile.NamedTemporaryFile("w+", dir=tmp_path)


def closed(tmp_path):
    file = io.BytesIO()
    file.close()
    return file


def opened(mode):
    def make(tmp_path):
        (tmp_path / "file").write_bytes(saved())
        return open(tmp_path / "file", mode)

    return make


@pytest.mark.parametrize("make, mode, kind, message", [
    (lambda path: io.StringIO(), "rw", TypeError, r"<_io.StringIO .*, which is a file of text, expected a binary one; "
                                                  "open it with mode '(wb|rb)', or use io.BytesIO"),
    (opened("r+"), "rw", TypeError, "<_io.TextIOWrapper name=.*is a file of text"),
    (text_wrapper, "rw", TypeError, ".*, which is a file of text"),
    (closed, "rw", ValueError, r"<_io.BytesIO .*, which is closed, expected an open binary file; use it before"),
    (opened("rb"), "w", ValueError, r"<_io.BufferedReader name=.*, which is not writable, expected .* with mode 'wb'"),
    (opened("ab"), "r", ValueError, r"<_io.BufferedWriter name=.*, which is not readable, expected .* with mode 'rb'"),
])  # fmt: skip
def test_files_of_no_use_are_refused_before_a_byte_is_written(tmp_path, make, mode, kind, message):
    for one in mode:
        with pytest.raises(kind, match="path is " + message), Closing(make(tmp_path)) as file:
            example().save(file) if one == "w" else fb.load(file)
        with pytest.raises(kind, match="path is " + message), Closing(make(tmp_path)) as file:
            plan().save(file) if one == "w" else plan().load(file)


class Closing:
    """contextlib.closing, of what may be closed already."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self.file

    def __exit__(self, *_):
        self.file.close()


@pytest.mark.parametrize("value", [3, None, [], object(), print])
def test_what_is_neither_path_nor_file(value):
    for call in (example().save, fb.load, plan().save, plan().load, fb.datasets.read_idx):
        with pytest.raises(TypeError, match=r"path is .*, expected the path of a file; .*, or an open binary file"):
            call(value)


@pytest.mark.parametrize("count, told", [
    (0, "0 of {n} bytes were written, and then 0"), (-1, "and then -1"), (10**9, "and then 1000000000"),
    ("all", "and then 'all'"), (2.0, "and then 2.0"), (True, "and then True"),
])
def test_a_short_write_is_noticed(count, told):
    class Odd:
        def write(self, data):
            return count

    told = told.format(n=len(saved()))
    with pytest.raises(OSError, match=f"path is <.*Odd.*, which took not all: .*{told}; what came through is no whole"):
        example().save(Odd())


def test_the_rest_is_not_copied_for_each_part_that_is_written():
    data, given = bytes(range(256)) * 4, []

    class Some(Dribble):
        def write(self, data):
            given.append(data)
            return super().write(data)

    file = Some(most=100)
    streams.write(file, data)
    assert file.data == data
    assert len(given) == 11
    assert all(memoryview(each).obj is data for each in given)


def test_what_would_block_is_noticed():
    class Full(Dribble):
        def write(self, data):
            return None

    with pytest.raises(OSError, match=r"took not all: 0 of .* and then None"):
        example().save(Full())

    class Waits(Dribble):
        def readinto(self, into):
            return None

    with pytest.raises(BlockingIOError, match=r"has no more bytes yet, expected all of them; make it blocking, or "
                                              r"read it into io\.BytesIO"):
        fb.load(Waits())


@pytest.mark.parametrize("method", ["write", "flush"])
def test_what_the_system_says_is_told_with_its_number(method):
    class Fails(io.BytesIO):
        pass

    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    setattr(Fails, method, fail)
    with pytest.raises(OSError, match=r"path is <.*Fails.*, which cannot be written \(No space left") as caught:
        example().save(Fails())
    assert caught.value.errno == errno.ENOSPC
    with Path("/dev/full").open("wb", buffering=10**6) as full:
        with pytest.raises(OSError, match="No space left on device") as caught:
            example().save(full)
        assert caught.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="No space left"):  # Python's own, of what is left in the buffer
            full.close()


def test_an_error_with_arguments_of_its_own_is_told_as_an_oserror(tmp_path, monkeypatch):
    class Own(OSError):
        def __init__(self, number, *, place):
            super().__init__(number, "gone")

    def fail(*arguments, **named):
        raise Own(errno.EIO, place=3)

    example().save(tmp_path / "net")
    file = io.BytesIO(saved())
    file.read = fail
    with pytest.raises(OSError, match=r"cannot be read \(gone\); make it possible, or choose another") as caught:
        fb.load(file)
    assert (type(caught.value), caught.value.errno) == (OSError, errno.EIO)
    monkeypatch.setattr("builtins.open", fail)
    with pytest.raises(OSError, match=r"net: cannot be read \(gone\); give a model saved by net\.save") as caught:
        fb.load(tmp_path / "net")
    assert (type(caught.value), caught.value.errno) == (OSError, errno.EIO)


def test_a_file_that_does_not_work_with_bytes():
    class OfText:
        def write(self, text):
            raise TypeError("expected str")

        def read(self, size):
            return "text"

    with pytest.raises(TypeError, match=r"OfText.* does not work with bytes \(expected str\), expected a binary one"):
        example().save(OfText())
    with pytest.raises(TypeError, match=r"OfText.* is a file of text"):
        fb.load(OfText())

    class TooMuch:
        def read(self, size):
            return bytes(size + 1)

    with pytest.raises(ValueError, match="gave 9 bytes, expected at most 8"):
        fb.load(TooMuch())


def test_what_cannot_be_saved_writes_nothing():
    net, file = example(), io.BytesIO()
    net.params[3] = np.nan
    with pytest.raises(ValueError, match="parameter 3 of 27 is nan"):
        net.save(file)
    assert file.getvalue() == b""


def test_read_in_pieces(monkeypatch):
    monkeypatch.setattr(streams, "_PIECE", 5)
    same(fb.load(io.BytesIO(saved())))
    assert streams.read(io.BytesIO(b"abc"), sys.maxsize, "") == b"abc"
