"""C of a test, compiled by this machine's compiler and called through ctypes."""

import ctypes
import os
import shlex
import shutil
import subprocess

import numpy as np
import pytest

COMPILER = os.environ.get("CC", "cc")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


def compiled(folder, text, include, *options):
    """The shared library of a C file with this text, compiled with every warning an error."""
    command = shlex.split(COMPILER)
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no C compiler {COMPILER!r} here")
    source, library = folder / "calls.c", folder / "calls.so"
    source.write_text(text, encoding="ascii")
    done = subprocess.run([*command, *STRICT, *options, "-O2", "-shared", "-fPIC", "-I", str(include), str(source),
                           "-o", str(library)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def pointer(array):
    """A float array as C takes it."""
    assert array.dtype == np.float32 and array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
