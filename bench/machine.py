"""What a figure was measured on: processor, ISA, threads, versions, date."""
import datetime
import os
import platform
import re
import sys


def cpu_name():
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo") as lines:
            for line in lines:
                if line.lower().startswith(("model name", "cpu model")):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cpus():
    """How many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(threads):
    """A JSON-able dict: date, processor, system, and fastbp's ISA, threads and build where it is installed."""
    about = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": cpu_name(), "cpus": usable_cpus(), "machine": platform.machine(), "system": platform.platform(),
        "python": sys.version.split()[0], "threads": threads, "isa": None,
    }
    try:
        from fastbp._core import cpu
    except ImportError:
        return about
    return about | {"isa": cpu.selected(), "isa_available": list(cpu.available()), "thread_reason": cpu.thread_reason(),
                    "build": {name: str(value) for name, value in cpu.build().items()}}


def file_name(about, suffix=""):
    """<date>-<cpu>[-isa][-suffix].json: virtual machines of one name may be of several processors."""
    slug = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)|@.*", "", about["cpu"].lower())).strip("-")
    return "-".join(filter(None, [about["date"][:10], slug, about["isa"], suffix])) + ".json"
