"""What only some systems have is asked for where a branch stands for the others, and nowhere else; and what Windows
wants of files that are open."""

import os
import re
from pathlib import Path

import pytest

from fastbp._core import threads
from fastbp._files import writing

HOME = Path(__file__).resolve().parent.parent

# names of one system, and the files that may say them, each of which has a branch for the others
THREADS = {"csrc/threads.h", "csrc/calling_thread.h", "csrc/queue.c"}
MODULES = "fcntl|resource|signal|termios|pty|pwd|grp|select|posix|msvcrt|winreg"
HOME_OF = {
    r"pthread|sched_yield|sigset_t|sigfillset|cpu_set_t|SYS_\w+": THREADS,
    r"<(?:windows|process|unistd|sched|signal|time|linux/\w+|sys/\w+)\.h>": THREADS,
    r"dlopen|dladdr|<dlfcn\.h>": {"fastbp/_core/openmp.pxd"},
    r"(?:cimport|from) posix\b|libc\.signal": set(),
    rf"^\s*(?:import|from) (?:{MODULES})\b": {"fastbp/_files/writing.py"},
    r"os\.(?:fchown|fchmod|getxattr|setxattr|removexattr)": {"fastbp/_files/writing.py"},
    r"os\.(?:sched_\w+)": {"fastbp/_core/threads.py"},
    r"os\.link\b": {"fastbp/_files/checkpoint_folder.py"},
    r"os\.(?:fork\w*|kill\w*|getuid|geteuid|getppid|mkfifo|umask|chmod|sysconf|statvfs|openpty|setsid|nice|register_at_fork)\b":
        set(),
    r"[\"']/(?:proc|sys|dev|tmp|etc)\b": {"fastbp/_files/writing.py"},
    r"os\.(?:rename|symlink)\b": set(),
}


def sources():
    for folder, kinds in (("fastbp", (".py", ".pyx", ".pxd")), ("csrc", (".c", ".h", ".inc", ".def"))):
        for path in sorted((HOME / folder).rglob("*")):
            generated = path.suffix == ".c" and folder == "fastbp"
            if path.suffix in kinds and not generated:
                yield path.relative_to(HOME).as_posix(), path.read_text(encoding="utf-8")


@pytest.mark.parametrize("names", HOME_OF)
def test_names_of_one_system_stand_where_they_may(names):
    found = {name for name, text in sources() if re.search(names, text, re.MULTILINE)}
    assert found == HOME_OF[names]


# ---- files, on a system that has no locks and takes no new name for what is open -------------------------------------


@pytest.fixture
def windows(monkeypatch):
    """This system as Windows is with files: an open one is neither renamed nor removed."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("what is open is read from /proc")
    replace, unlink = os.replace, os.unlink

    def is_open(path):
        found = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        return os.path.realpath(path) in {os.path.realpath(each) for each in found}

    def refuse_open(call):
        def called(path, *rest):
            if is_open(path):
                raise PermissionError(13, "it is being used by another process")
            return call(path, *rest)
        return called

    def open_file(path, flags, mode=0o777):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, mode)

    opened = os.open
    monkeypatch.setattr(writing, "fcntl", None)
    monkeypatch.setattr(os, "replace", refuse_open(replace))
    monkeypatch.setattr(os, "unlink", refuse_open(unlink))
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.delattr(os, "fchown")


def test_a_file_is_closed_before_it_gets_its_name(windows, tmp_path):
    path = tmp_path / "a"
    for content in (b"first", b"second"):
        writing.write_atomically(str(path), content)
        assert path.read_bytes() == content and os.listdir(tmp_path) == ["a"]


def test_remains_are_closed_before_they_are_removed(windows, tmp_path):
    left = tmp_path / writing.aside_name()
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    writing.write_atomically(str(tmp_path / "a"), b"whole")
    assert os.listdir(tmp_path) == ["a"]


def test_either_separator_at_the_end_of_a_path_means_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "altsep", "\\")
    for separator in "/\\":
        with pytest.raises(IsADirectoryError, match="the path of a folder"):
            writing.write_atomically(f"{tmp_path}/none{separator}", b"")


def test_where_threads_cannot_be_bound_no_place_is_unusable(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert threads.unusable([{10**6}]) == set()
