"""How many threads to use by default: physical cores, affinity, the container's quota, the environment. And what the
process and its environment say about OpenMP's threads."""

from __future__ import annotations

import operator
import os
import re
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from . import caller
from .shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

CPUS = os.cpu_count() or 1
MOST_TEAM = max(64, 4 * CPUS)  # threads of a team: more would only wait for each other
MOST = 2**31 - 1  # a number of threads that the core can be told

_warned: set[str] = set()


def warn_once(what, message):
    """A RuntimeWarning at the user's line, once a process for each `what`."""
    if what not in _warned:
        _warned.add(what)
        caller.warn(message, RuntimeWarning)


# ---- numbers of threads --------------------------------------------------------------------------------------------


def checked(name, value):
    """`value`, of an argument `name`, as a number of threads. Raises ValueError for what is no int, 1 or more.

    A number of threads is an upper limit, so one that the core cannot be told is as good as the largest that it can.
    """
    try:
        count = 0 if type(value).__name__ in ("bool", "bool_") else operator.index(value)  # NumPy's bool, too
    except TypeError:
        count = 0
    return _at_least_one(name, value, count)


def checked_text(name, text):
    """The text of an environment variable as a number of threads, as `checked`."""
    return _at_least_one(name, text, _whole(text) if re.fullmatch(r"\s*\+?[0-9]+\s*", text) else 0)


def _at_least_one(name, value, count):
    if count < 1:
        raise ValueError(
            f"{name} is {shown(value)}, expected a whole number of threads, 1 or more; set it to one, such as 4"
        )
    return min(count, MOST)


def _whole(digits):
    """The whole number that these digits are, or MOST where it is larger."""
    digits = digits.strip().lstrip("+").lstrip("0")
    return int(digits or "0") if len(digits) <= 10 else MOST


def openmp_count(text):
    """The number of threads that OMP_NUM_THREADS=text asks for, or None where OpenMP would not understand it.

    It may be a list, one number for each level of nesting; ours is the first.
    """
    if not re.fullmatch(r"\s*\+?[0-9]+\s*(,\s*\+?[0-9]+\s*)*", text):
        return None
    counts = [_whole(item) for item in text.split(",")]
    return counts[0] if all(1 <= count < MOST for count in counts) else None


@contextmanager
def only_what_openmp_understands(environ=os.environ):
    """Without an OMP_NUM_THREADS that OpenMP does not understand, while its runtime is loaded and reads its variables:
    LLVM's ends the process, or hangs, by an empty one and by some like "1.0"."""
    asked = environ.get("OMP_NUM_THREADS")
    if asked is None or openmp_count(asked) is not None:
        yield
        return
    del environ["OMP_NUM_THREADS"]
    try:
        yield
    finally:
        environ["OMP_NUM_THREADS"] = asked


def warn_of_nonsense(environ: Mapping[str, str] = os.environ) -> None:
    """Warns, once, of an OMP_NUM_THREADS that counts and that OpenMP does not understand."""
    asked = environ.get("OMP_NUM_THREADS", "")
    if asked.strip() and openmp_count(asked) is None and not environ.get("FASTBP_NUM_THREADS", "").strip():
        warn_once(
            "OMP_NUM_THREADS",
            f"OMP_NUM_THREADS is {shown(asked)}, expected whole numbers of threads, 1 or more, such as 4 or 4,2; "
            "it is ignored; set it right, or FASTBP_NUM_THREADS",
        )


def warn_of_serial_build(cpus):
    """Warns, once, of a build that has no OpenMP, which nobody wanted: who installs does not see the compiler."""
    if cpus > 1:
        warn_once(
            "OpenMP",
            f"fastbp was built without OpenMP and runs on 1 of {cpus} CPUs, as its compiler had none; install the "
            "compiler's OpenMP (libomp-dev, brew install libomp) and build it again, or build it with "
            "FASTBP_NO_OPENMP=1 to have it so",
        )


def default_count(
    openmp: bool = True, environ: Mapping[str, str] = os.environ, root: str | Path = "/", cpus: set[int] | None = None,
    limit: int = MOST, limited: str = "",
) -> tuple[int, str]:
    """(number of threads, why in words). root: where /sys and /proc are looked for; cpus: those that teams may run on,
    by default those of the process; limit: what OpenMP itself sets, for the reason `limited`; 0
    where it can start none beside this one."""
    if not openmp:
        return 1, "1: built without OpenMP"
    count, reason = _wanted(environ, root, cpus)
    return (count, reason) if count <= limit else (max(1, limit), limited)


def _wanted(environ, root, cpus):
    """default_count but for the limit."""
    if environ.get("FASTBP_NUM_THREADS", "").strip():
        count = checked_text("FASTBP_NUM_THREADS", environ["FASTBP_NUM_THREADS"])
        return count, f"FASTBP_NUM_THREADS={environ['FASTBP_NUM_THREADS']}"
    asked = environ.get("OMP_NUM_THREADS", "")
    if asked.strip():
        count = openmp_count(asked)
        if count is not None:
            return count, f"OMP_NUM_THREADS={asked}"
        warn_of_nonsense(environ)
    cpus = affinity() if cpus is None else cpus
    cores = _physical_cores(cpus, Path(root))
    count, reason = cores, f"{cores} physical cores"
    if len(cpus) < (os.cpu_count() or 1):
        reason = f"{cores} physical cores of the {len(cpus)} CPUs this process may use"
    quota = _cgroup_quota(Path(root))
    if quota is not None and quota < count:
        count = max(1, int(quota))
        reason = f"the container's quota of {quota:g} CPUs"
    return count, reason


def affinity() -> set[int]:
    """The CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _physical_cores(cpus, root):
    """The number of cores among `cpus`: hyper-threads of one core share its arithmetic and are counted once."""
    siblings = set()
    for cpu in cpus:
        try:
            path = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
            siblings.add(path.read_text().strip())
        except OSError:
            siblings.add(cpu)  # not Linux, or hidden by the container: every CPU counts
    return max(1, len(siblings))


def _cgroup_quota(root):
    """The smallest CPU quota on the way from this process's cgroup to the root (v1 and v2), or None."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            quotas += _walk(root / "sys/fs/cgroup", path, _quota_v2)
        elif "cpu" in controllers.split(","):
            for mount in ("cpu", "cpu,cpuacct"):
                quotas += _walk(root / "sys/fs/cgroup" / mount, path, _quota_v1)
    return min(quotas, default=None)


def _walk(mount, path, read):
    """The quotas of a cgroup and of all that contain it; a container may see its own cgroup as the root."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    folders = [mount.joinpath(*parts[:n]) for n in range(len(parts), -1, -1)]
    return [quota for quota in map(read, folders) if quota is not None]


def _quota_v2(folder):
    try:
        limit, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return int(limit) / int(period) if re.fullmatch(r"\d+", limit) else None


def _quota_v1(folder):
    try:
        limit = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return limit / period if limit > 0 else None


# ---- OpenMP's threads ----------------------------------------------------------------------------------------------


def openmp_stack(llvm=False, environ=os.environ):
    """Bytes of the stack of a thread that OpenMP starts, as the environment asks for, or 0 for the system's default.
    llvm: whether the runtime is LLVM's or Intel's, which has variables of its own."""
    for name in ("KMP_STACKSIZE", "OMP_STACKSIZE") if llvm else ("OMP_STACKSIZE", "GOMP_STACKSIZE"):
        found = re.fullmatch(r"\s*([0-9]{1,12})\s*([bkmgt]?)\s*", environ.get(name, ""), re.IGNORECASE)
        if found:
            shift = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}[found[2].lower() or "k"]
            size = int(found[1]) << shift
            return size if size < 2**47 else 0
    return 0


def renews_after_fork(environ=os.environ):
    """Whether LLVM's or Intel's runtime begins anew in a forked process: not where KMP_INIT_AT_FORK says no, as it does
    in every program that imports scikit-learn."""
    return environ.get("KMP_INIT_AT_FORK", "").strip().lower().strip(".") not in ("0", "f", "false", "n", "no", "off")


def unusable(places):
    """The CPUs of those sets of CPUs that a thread of this process cannot be bound to; none where none can be bound."""
    found = set()
    if not hasattr(os, "sched_setaffinity"):
        return found

    def bind():
        for place in places:
            try:
                os.sched_setaffinity(0, place)  # of this thread alone
            except OSError:
                found.update(place)

    try:
        thread = threading.Thread(target=bind)
        thread.start()
        thread.join()
    except RuntimeError:  # there can be no thread, so there will be no team either
        pass
    return found


def libraries(root="/"):
    """The text that names the libraries in this process's memory, or "" where the system does not say."""
    try:
        return (Path(root) / "proc/self/maps").read_text(errors="replace")
    except OSError:
        return ""


def is_forked(root="/"):
    """Whether this process was forked from another one and has not begun a program of its own since (Linux; elsewhere
    False)."""
    try:
        fields = (Path(root) / "proc/self/stat").read_text().rpartition(")")[2].split()
        return bool(int(fields[6]) & 0x40)  # PF_FORKNOEXEC of the kernel's sched.h
    except (OSError, ValueError, IndexError):
        return False


def was_loaded(file):
    """Whether this library was there before the core was loaded into a forked process."""
    return os.path.realpath(file) in BEFORE


# What was there before the core brought its own: only in a forked process that matters, and takes 0.2 ms.
BEFORE = libraries() if is_forked() else None
