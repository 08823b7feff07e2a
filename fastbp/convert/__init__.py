"""A door to other formats and libraries: C headers. A library is imported when a function that needs it is called."""

from fastbp.convert.c_header import to_c

__all__ = ["to_c"]
