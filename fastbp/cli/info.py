"""`fastbp info`: what a report needs of this machine, this build and what decided; what is wrong, with what to do."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import TYPE_CHECKING

import numpy as np

from fastbp import __version__
from fastbp._core import cpu, threads
from fastbp.cli import peak
from fastbp.cli.common import row

if TYPE_CHECKING:
    from collections.abc import Mapping

# What fastbp needs, and what its extras bring: names as pip has them.
_PACKAGES = ("safetensors", "tqdm", "scikit-learn", "matplotlib", "pillow", "pooch", "graphviz", "onnx",
             "onnxruntime")


def run(with_peak: bool) -> int:
    """Print the block; returns the exit code. with_peak: after a second's trial of what the machine can do."""
    build = cpu.build()
    row("fastbp", __version__)
    row("ISA in use", f"{cpu.selected()} (available here: {', '.join(cpu.available())}; FASTBP_ISA chooses)")
    row("threads", f"{cpu.threads()} ({cpu.thread_reason()})")
    row("OpenMP", "yes" if build["openmp"] else "no: built without it, so everything runs on one thread")
    for name, value in build.items():
        if name != "openmp":
            row(name, str(value))
    row("Python", f"{platform.python_version()} ({platform.python_implementation()}) on {platform.platform()}")
    row("NumPy", np.__version__)
    row("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES))
    row("installed in", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    if with_peak:
        alone = peak.gflops(1)
        row("peak", f"{alone:.3g} GFLOP/s of float32 by the matrix kernel of {cpu.selected()} on one thread"
                    + (f", {peak.gflops(cpu.threads()):.3g} on {cpu.threads()}" if cpu.threads() > 1 else ""))
    for message in wrong() or ["nothing that is known of"]:
        row("wrong", message)
    return 0


def _version(package: str) -> str:
    """The version of an installed package, or that there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def wrong(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What makes fastbp slower here than it could be, each with what to do."""
    found = []
    best, used = cpu.available()[0], cpu.thread_reason()
    if cpu.selected() != best:
        found.append(f"{cpu.selected()} is in use, and {best} is there: unset FASTBP_ISA")
    elif best == "scalar" and platform.machine().lower() in ("x86_64", "amd64"):
        found.append("there is neither AVX2 nor AVX-512: let the virtual machine have what its host has, or build "
                     "fastbp again by a compiler that knows their flags")
    if not cpu.build()["openmp"]:
        found.append("this build runs on one thread: install the compiler's OpenMP (libomp-dev, brew install libomp) "
                     "and build it again")
        return found
    cores, why = threads.default_count(environ={})
    for name in ("FASTBP_NUM_THREADS", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"):
        if used.startswith(f"{name}=") and cpu.threads() < cores:
            found.append(f"{used} leaves {cores - cpu.threads()} of {cores} cores idle: unset {name}, if that is not "
                         "meant")
    if used.startswith("GOMP_CPU_AFFINITY"):
        found.append(f"{used}: unset it, or name CPUs that are there")
    if "quota" in why:
        found.append(f"{why} allows fewer threads than there are cores: raise it (docker --cpus), if that is not meant")
    elif len(threads.affinity()) < threads.CPUS:
        found.append(f"this process may use {len(threads.affinity())} of {threads.CPUS} CPUs: start it without "
                     "taskset, or with more of them, if that is not meant")
    if environ.get("OMP_PROC_BIND", "").strip().lower() not in ("", "false") and cpu.threads() > 1:
        found.append("OMP_PROC_BIND binds each thread to a CPU, where others may be at work: unset it on a shared "
                     "machine")
    return found
