"""Floor 1: the compiled core. Cython over typed memoryviews and C pointers, without the GIL, parallel by OpenMP."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from itertools import pairwise

if find_spec(f"{__name__}.cpu") is None:
    raise ImportError(
        "fastbp is imported from its source folder, where it is not compiled; start Python in another folder, "
        "or run pip install -e . here"
    )


def _is_the_command() -> bool:
    """Whether Python imports this for the command `fastbp`, by its script or by `python -m fastbp`."""
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    if program == "-m":  # while Python looks for the module
        return "-mfastbp" in sys.orig_argv or ("-m", "fastbp") in pairwise(sys.orig_argv)
    return program.replace("\\", "/").rpartition("/")[2] in ("fastbp", "fastbp.exe")


from . import threads  # noqa: E402  (before the compiled code: it notes which libraries were there already)

try:
    with threads.only_what_openmp_understands():
        from . import cpu
    if cpu.build()["openmp"]:
        threads.warn_of_nonsense()
except ValueError as error:
    # FASTBP_ISA or FASTBP_NUM_THREADS is wrong. The command's `main`, which says errors in one line, is not there yet.
    if not (str(error).startswith("FASTBP_") and _is_the_command()):
        raise
    sys.stderr.write(f"fastbp: error: {error}\n")
    raise SystemExit(2) from None
