"""The same mathematics written to be read: float64, NumPy and the standard library only, loops allowed.

Nothing in fastbp imports this package; the tests and the benchmarks compare the compiled code with it.
"""
from fastbp.reference.value import Value, dense, logsumexp, max_, mean, show, softmax, sum_, where

__all__ = ["Value", "dense", "logsumexp", "max_", "mean", "show", "softmax", "sum_", "where"]
