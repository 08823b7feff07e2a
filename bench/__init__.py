"""Benchmarks of fastbp beside its peers: `python -m bench.run`. Not installed with the package.

`python -m` and pytest put the checkout first on the module path, where an uncompiled `fastbp/` would hide the installed
one. It goes last here, so that what is installed is what is measured, and a build in place still works.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_shadows = [entry for entry in sys.path if os.path.abspath(entry) == ROOT]
sys.path[:] = [entry for entry in sys.path if entry not in _shadows] + [ROOT]
