"""Floor 1: the compiled core. Cython over typed memoryviews and C pointers, without the GIL, parallel by OpenMP."""

from importlib.util import find_spec

if find_spec(f"{__name__}.cpu") is None:
    raise ImportError(
        "fastbp is imported from its source folder, where it is not compiled; start Python in another folder, "
        "or compile it here with: pip install -e ."
    )
