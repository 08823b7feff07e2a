"""Files written whole or not at all: aside in the same folder, then renamed over the old one.

A file being written is called .fastbp-MACHINE-NUMBER.part. Its writer holds a lock on it (flock), which the system
takes back when a process ends, however it ends. So whoever saves into a folder next can tell the remains of a save
that was killed, and removes them. A lock is seen by all processes and containers of one running machine, MACHINE in
the name; what another one left on a shared folder is removed when it can be locked and has not changed for a day.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import stat
import time
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

try:
    import fcntl
except ImportError:                     # Windows: remains are told by their age alone
    fcntl = None  # type: ignore[assignment]

from fastbp import _check as check
from fastbp._files import signatures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from fastbp._check.types import Path

_OURS = re.compile(r"\.fastbp-([0-9a-f]{12})-[0-9a-f]{16}\.part")
_OLDER = re.compile(r"\.fastbp-[a-z0-9_]{8}")           # of versions that locked nothing
_ACL = "system.posix_acl_access"
_DAY = 24 * 3600
_FLAGS = os.O_RDWR | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"))
_OF_THE_DISK = (errno.EIO, errno.ENOSPC, errno.EDQUOT)  # else a folder is nothing that can be synchronised here
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def path_of(path: Path, what: str = "path", instead: str = "") -> str:
    """A path as text; TypeError or ValueError for what can be none. instead: what else could be passed, in words."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"{what} is {check.shown(path)}, expected the path of a file; pass a str or a pathlib.Path"
                        f"{instead and f', {instead}'}") from None
    if not text or "\0" in text:
        raise ValueError(f"{what} is {check.shown(text)}, expected the path of a file; pass one "
                         f"{'without NUL characters' if text else 'that is not empty'}")
    return text


def write_atomically(path: str, data: bytes | Sequence[Any]) -> None:
    """Write bytes, or pieces of memory one after another, to `path`: a reader sees the old file or the whole new one,
    and so does whoever comes after a crash.

    A symbolic link goes on pointing to its file, which is replaced. The new file has the old one's permissions, access
    list and, where the system lets us, owner and group (a group that cannot be kept loses its rights); other hard links
    to the old file keep the old content. A file that was not there gets what the folder and the umask say.

    Raises IsADirectoryError for a folder, ValueError for a pipe, a socket or a device, OSError with the system's number
    where it cannot be written: the old file is then as it was, and nothing is left beside it; or, with a message that
    says so, the new one is there, and the disk has failed to promise that it stays.
    """
    given = path_of(path)
    old = check_place(given)
    path = os.path.realpath(given)                                # a link keeps pointing to its file
    folder = os.path.dirname(path)
    _remove_remains(folder)
    new: BinaryIO | None = None
    aside: Any = None
    try:
        while new is None:
            aside = os.path.join(folder, aside_name())            # known before it is there, whatever comes in between
            new = _create(aside, 0o666 if old is None else 0o600)
        with new as file:                                         # closing it gives back the lock
            pieces: Sequence[Any] = [data] if isinstance(data, bytes) else data
            file.writelines(pieces)
            file.flush()
            if old is not None:
                _make_like(file.fileno(), path, old)
            os.fsync(file.fileno())
            if fcntl is None:           # Windows renames no file that is open; elsewhere the lock is held until then
                file.close()
            os.replace(aside, path)
            aside = None
    except OSError as error:
        if aside is not None:   # else it is in its place, synchronised: what closing it says is of no matter
            raise failed(error, given, folder) from None
    finally:
        if aside is not None:
            with contextlib.suppress(OSError):
                os.unlink(aside)
    sync(folder)


def check_place(path: str) -> os.stat_result | None:
    """os.stat of the file that a file written to `path` replaces, None where there is none; what is no file is refused
    as by write_atomically."""
    try:
        old = os.stat(path)
    except FileNotFoundError:
        if path.endswith((os.sep, os.altsep or os.sep)):
            raise IsADirectoryError(f"{path}: the path of a folder, expected that of a file to write; put its name "
                                     "behind it") from None
        return None
    except OSError as error:
        raise failed(error, path, os.path.dirname(path)) from None
    what = signatures.special(old.st_mode)
    if what == "a folder":
        raise IsADirectoryError(f"{path}: a folder, expected the path of a file to write; put its name behind it")
    if what:
        raise ValueError(f"{path}: {what}, expected the path of a file to write; choose another name")
    return old


def check_writable(folder: str) -> None:
    """Writes a file into a folder and removes it again; OSError where that cannot be done."""
    aside = os.path.join(folder, aside_name())
    try:
        with open(aside, "xb") as file:
            file.write(b"?")
    except OSError as error:
        raise failed(error, folder, folder) from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(aside)


def aside_name() -> str:
    """The name of a file that is only there while something is written."""
    return f".fastbp-{_machine()}-{os.urandom(8).hex()}.part"


def failed(error: OSError, path: str, folder: str) -> OSError:
    """The error to raise where something cannot be written: of the same class, with the same number."""
    if isinstance(error, FileNotFoundError):
        text = f"{path}: no such folder, expected the path of a file in one that is there; create it first"
    elif isinstance(error, NotADirectoryError):
        text = f"{path}: {folder} is not a folder, expected one; choose another path"
    else:
        remedy = "make room" if error.errno in _FULL else "have it permitted"
        text = (f"{path}: cannot be written ({error.strerror or type(error).__name__}); nothing was changed; {remedy}, "
                f"or choose another folder")
    told = type(error)(text)
    told.errno = error.errno
    return told


def _create(aside, mode):
    """A new, locked file; mode as the umask leaves it. None where it was removed meanwhile."""
    # made within a function of C, so that Ctrl-C never comes between the descriptor and the object that closes it
    file = open(aside, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115 -- it is the caller's
    if fcntl is None:
        return file
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:        # else another save took it for remains before it was locked
            return file
    except OSError:                         # a file system without locks: nobody removes it but by its age
        return file
    file.close()
    return None


def _make_like(handle, path, old):
    """Give the new file the owner, the permissions and the access list of the old one, as far as the system lets us."""
    if not hasattr(os, "fchown"):
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    new = os.fstat(handle)
    if new.st_uid != old.st_uid:
        with contextlib.suppress(OSError):
            os.fchown(handle, old.st_uid, -1)
    if new.st_gid != old.st_gid:
        try:
            os.fchown(handle, -1, old.st_gid)
        except OSError:
            os.fchmod(handle, mode & 0o707 | (mode & 0o007) << 3)   # another group: it may what everybody may, no more
            return                                                  # nor what the access list gives to the old one
    os.fchmod(handle, mode)
    if not hasattr(os, "getxattr"):
        return
    try:
        os.setxattr(handle, _ACL, os.getxattr(path, _ACL))
    except OSError:                                       # most files have none; then neither has the new one
        with contextlib.suppress(OSError):
            os.removexattr(handle, _ACL)


def sync(folder: str) -> None:
    """Have the new name on the disk as well, where a folder can be synchronised. OSError where the disk fails."""
    handles: list[int] = []
    try:
        try:
            handles.extend(map(os.open, [folder], [os.O_RDONLY]))  # as in _create: Ctrl-C comes before it, or after it
            os.fsync(handles[0])
        finally:
            _close(handles)
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            told = type(error)(f"{folder}: what was written there may not be on the disk ({error.strerror}); look "
                               "after the disk, and write again")
            told.errno = error.errno
            raise told from None


def _remove_remains(folder):
    """Remove what saves that were killed have left in the folder."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        if name.startswith(".fastbp-") and (_OURS.fullmatch(name) or _OLDER.fullmatch(name)):
            with contextlib.suppress(OSError):
                _remove_if_dead(os.path.join(folder, name), _OURS.fullmatch(name))


def _remove_if_dead(path, name):
    handles: list[int] = []
    try:
        # a pipe of such a name must not hold us up
        handles.extend(map(os.open, [path], [getattr(os, "O_NONBLOCK", 0) | _FLAGS]))
        dead = _is_dead(handles[0], path, name)
        if dead and fcntl is not None:                                 # while the lock is held
            os.unlink(path)
    finally:
        _close(handles)
    if dead and fcntl is None:                                         # Windows removes no file that is open
        os.unlink(path)


def _close(handles):
    """Closes those that were opened."""
    while handles:
        os.close(handles.pop())


def _is_dead(handle, path, name):
    """Whether the file, open by `handle`, was left by a save that was killed; its lock is then held."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        return False
    old = time.time() - found.st_mtime > _DAY
    if not old and (name is None or name[1] != _machine()):
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:                                            # it is being written
        return False
    except (OSError, AttributeError):                                  # no locks here
        if not old:
            return False
    # it may have been renamed since: a path that is another file's by now is left alone
    return os.path.samestat(found, os.lstat(path))


def _machine():
    """12 hexadecimal digits for this machine since it was started: locks are seen by all that have the same."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            found = file.read().replace("-", "")[:12]
    except OSError:
        found = ""
    # elsewhere its name must do
    return found if re.fullmatch("[0-9a-f]{12}", found) else f"{zlib.crc32(platform.node().encode()):012x}"
