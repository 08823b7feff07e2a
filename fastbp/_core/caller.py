"""Warnings that point at the user's line: the first one below fastbp's own."""

from __future__ import annotations

import os
import sys
import warnings

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """warnings.warn at the line of the user's that called into fastbp, or imported it."""
    depth, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
        depth += frame.f_code.co_filename.startswith(_PACKAGE)  # warnings.warn itself counts no frame of an import
        frame = frame.f_back
    warnings.warn(message, category, stacklevel=depth)
