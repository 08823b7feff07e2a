"""How many threads to use by default: physical cores, affinity, the container's quota, the environment."""

import os
import re
from pathlib import Path


def checked(name, value):
    """`value` as a number of threads. Raises ValueError naming `name`, the argument or environment variable."""
    try:
        count = int(value)
    except (TypeError, ValueError):
        count = 0
    if count < 1 or (not isinstance(value, str) and count != value):
        raise ValueError(f"{name} must be a whole number of threads, 1 or more; got {value!r}")
    return count


def default_count(openmp=True, environ=os.environ, root="/"):
    """(number of threads, why in words). `root` is where /sys and /proc are looked for."""
    if not openmp:
        return 1, "1: built without OpenMP"
    for name in ("FASTBP_NUM_THREADS", "OMP_NUM_THREADS"):
        # OMP_NUM_THREADS may be a list, one number for each level of nesting; ours is the first
        if environ.get(name, "").strip():
            first = environ[name].split(",")[0] if name.startswith("OMP") else environ[name]
            return checked(name, first.strip()), f"{name}={environ[name]}"
    cpus = affinity()
    cores = _physical_cores(cpus, Path(root))
    count, reason = cores, f"{cores} physical cores"
    if len(cpus) < (os.cpu_count() or 1):
        reason = f"{cores} physical cores of the {len(cpus)} CPUs this process may use"
    quota = _cgroup_quota(Path(root))
    if quota is not None and quota < count:
        count = max(1, int(quota))
        reason = f"the container's quota of {quota:g} CPUs"
    return count, reason


def affinity():
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
