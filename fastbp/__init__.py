"""fastbp: compiled backpropagation for the CPU. NumPy in, NumPy out.

import fastbp as fb

net = fb.mlp(784, 16, 16, 10, activation="sigmoid", output="sigmoid", loss="squared_error")
net.fit(X, y, epochs=30, batch_size=100, optimizer=fb.SGD(lr=3.0))
net.predict(X)

Modules that not every program needs are there as attributes too, imported when first used: fb.graph, fb.datasets,
fb.serialization, fb.plot, fb.convert, fb.curve, fb.sklearn, fb.reference.
"""

import sys
from typing import TYPE_CHECKING, Any

from . import _check, _moved, layers, losses, optimizers, schedules
from ._core import cpu
from ._training.network_fit import batches
from .callbacks import Callback, EarlyStopping, History, StopTraining
from .checkpoints import Checkpoint
from .ensemble import fit_many
from .gradcheck import GradCheck, gradcheck
from .layers import *  # noqa: F403 -- each layer, by layers.__all__
from .network import Sequential, load, mlp
from .optimizers import *  # noqa: F403 -- each optimizer, by optimizers.__all__

if TYPE_CHECKING:  # for editors; at run time __getattr__ imports them
    from . import convert as convert
    from . import curve as curve
    from . import datasets as datasets
    from . import graph as graph
    from . import plot as plot
    from . import reference as reference
    from . import serialization as serialization
    from . import sklearn as sklearn
    from .convert import from_onnx as from_onnx
    from .convert import from_sklearn as from_sklearn
    from .convert import from_torch as from_torch
    from .convert import minimize as minimize

__version__ = "0.2.0"
# Functions of the door convert, each imported when it is first used.
_CONVERTERS = ("from_onnx", "from_sklearn", "from_torch", "minimize")
# What `from fastbp import *` takes. The modules below are not in it: it would import them all, and scikit-learn with
# them, and hide the caller's own `sklearn`, `datasets` and `plot`.
__all__ = [
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "GradCheck",
    "History",
    "Sequential",
    "StopTraining",
    "batches",
    "cpu",
    "fit_many",
    "gradcheck",
    "load",
    "losses",
    "mlp",
    "schedules",
]
__all__ += layers.__all__
__all__ += optimizers.__all__
__all__ += _CONVERTERS

_MODULES = ("convert", "curve", "datasets", "graph", "plot", "reference", "serialization", "sklearn")
_moved.install()


def _late(name: str) -> Any:
    """What was not imported at once (PEP 562). Raises ImportError naming the extra where a library is missing."""
    if name in _MODULES or name in _moved.MOVED:
        __import__(f"{__name__}.{name}")  # no frame of Python's comes between a warning and its line
        return sys.modules[f"{__name__}.{name}"]
    if name in _CONVERTERS:
        return getattr(_late("convert"), name)
    if name.startswith("__"):  # Python asks for names of its own, such as __wrapped__, to see whether they are there
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import difflib  # only for somebody who has mistyped a name

    lower = {known.lower(): known for known in __dir__()}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    hint = _check.nearest(name, optimizer=optimizers.OPTIMIZERS, schedule=schedules.SCHEDULES)
    if near and not hint:
        hint = f"did you mean {lower[near[0]]!r}? "
    # With a name and no object Python adds no second guess of its own.
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; {hint}dir({__name__}) lists what it has",
                         name=name)


if not TYPE_CHECKING:  # to which every name would be one that there is
    __getattr__ = _late


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*__all__, *_MODULES, "__doc__", "__version__"])
