"""The same mathematics written to be read: float64, NumPy and the standard library only, loops allowed.

Nothing in fastbp imports this package; the tests and the benchmarks compare the compiled code with it.
"""
