"""A door: the command `fastbp`."""

from fastbp.cli.command import main

__all__ = ["main"]
